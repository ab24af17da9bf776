// What all rounding between logits and code costs: frequencies, tree and coder (issue: under 0.02 % of the
// code length).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/float_environment.h"
#include "coder/arithmetic_coder.h"
#include "model/engine.h"  // for the kernels, which codec sees through it
#include "predict/decision_tree.h"

namespace pith {
namespace {

using Random = std::mt19937_64;
using Logits = std::function<void(Random&, std::span<float>)>;

void Gaussian(Random& random, std::span<float> l, float deviation) {
  std::normal_distribution<float> normal(0, deviation);
  for (float& v : l) v = normal(random);
}

// p ~ 1 / (rank + 2.7), ranks in random order, sharpened by `power`.
void Zipf(Random& random, std::span<float> l, float power) {
  for (size_t i = 0; i < l.size(); ++i) l[i] = -power * std::log(static_cast<float>(i) + 2.7f);
  std::shuffle(l.begin(), l.end(), random);
}

// One token has all but about `rest` of the probability; the others are spread as Zipf says.
void Confident(Random& random, std::span<float> l, double rest) {
  Zipf(random, l, 1.0f);
  double z = 0;
  for (const float v : l) z += std::exp(double{v});
  l[random() % l.size()] = static_cast<float>(std::log(z / rest));
}

struct Cost {
  double ideal = 0;     // bits, from the logits in double
  double integers = 0;  // bits, from the integer probabilities
  double code = 0;      // bits of the code
};

// Draws tokens from some distributions, many from each, and codes them all in one code.
Cost CodeTokens(size_t vocab, size_t n_distributions, size_t n_tokens, uint64_t seed, const Logits& draw) {
  const ScopedFloatEnvironment environment;
  const Kernels& kernels = KernelsFor(AvailableIsas().back());
  Random random(seed);
  AlignedBuffer<float> logits(RoundUp(vocab, 16));
  AlignedBuffer<uint32_t> f(RoundUp(vocab, 16));
  const DecisionTree tree(static_cast<uint32_t>(vocab), kernels.sum_u32);
  const int depth = tree.depth();
  const size_t leaves = size_t{1} << depth;
  std::vector<double> cumulative(vocab);
  std::vector<uint32_t> total(2 * leaves);
  Bytes bytes;
  BinaryEncoder encoder(bytes);
  Cost cost;
  for (size_t d = 0; d < n_distributions; ++d) {
    const std::span<float> l = logits.span().first(vocab);
    draw(random, l);
    const double top = *std::max_element(l.begin(), l.end());
    double z = 0;
    for (size_t i = 0; i < vocab; ++i) cumulative[i] = z += std::exp(l[i] - top);
    EXPECT_TRUE(kernels.frequencies(logits.data(), vocab, nullptr, 0, f.data()));
    // All subtree totals at once; decision_tree_test.cc shows that DecisionTree sees the same.
    std::fill(total.begin(), total.end(), 0);
    std::copy_n(f.data(), vocab, total.begin() + static_cast<ptrdiff_t>(leaves));
    for (size_t node = leaves - 1; node > 0; --node) total[node] = total[2 * node] + total[2 * node + 1];

    for (size_t i = 0; i < n_tokens; ++i) {
      const double u = std::uniform_real_distribution<double>(0, z)(random);
      const size_t token = std::min<size_t>(
          static_cast<size_t>(std::upper_bound(cumulative.begin(), cumulative.end(), u) - cumulative.begin()),
          vocab - 1);
      cost.ideal -= std::log2((cumulative[token] - (token == 0 ? 0 : cumulative[token - 1])) / z);
      for (int level = 0; level < depth; ++level) {
        const size_t node = (leaves + token) >> (depth - level);
        const uint32_t p = DecisionProbability(total[2 * node], total[2 * node + 1]);
        if (p == kCertain) continue;
        const int bit = static_cast<int>(token >> (depth - 1 - level) & 1);
        const double q = p / 4294967296.0;
        cost.integers -= std::log2(bit != 0 ? q : 1 - q);
        encoder.Encode(bit, p);
      }
    }
  }
  encoder.Finish();
  cost.code = 8.0 * static_cast<double>(bytes.size());
  return cost;
}

class RoundingCost : public testing::TestWithParam<size_t> {};

TEST_P(RoundingCost, IsUnderTheTargetOnEveryKindOfDistribution) {
  const size_t vocab = GetParam();
  const size_t n_distributions = 4, n_tokens = 10000;
  struct Case {
    const char* name;
    Logits draw;
  };
  const Case cases[] = {
      {"gaussian 1", [](Random& r, std::span<float> l) { Gaussian(r, l, 1); }},
      {"gaussian 3", [](Random& r, std::span<float> l) { Gaussian(r, l, 3); }},
      {"gaussian 8", [](Random& r, std::span<float> l) { Gaussian(r, l, 8); }},
      {"zipf 1", [](Random& r, std::span<float> l) { Zipf(r, l, 1); }},
      {"zipf 1.3", [](Random& r, std::span<float> l) { Zipf(r, l, 1.3f); }},
      {"zipf 2", [](Random& r, std::span<float> l) { Zipf(r, l, 2); }},
      {"confident 1e-1", [](Random& r, std::span<float> l) { Confident(r, l, 1e-1); }},
      {"confident 1e-3", [](Random& r, std::span<float> l) { Confident(r, l, 1e-3); }},
      {"confident 1e-6", [](Random& r, std::span<float> l) { Confident(r, l, 1e-6); }},
  };
  // The floor of 1 in 2^30 for each other token, log2(1 + vocab / 2^30): all that is lost where one is sure.
  const double floor_bits = std::log2(1 + static_cast<double>(vocab) * 0x1p-30);
  Cost all;
  for (const Case& c : cases) {
    const Cost cost = CodeTokens(vocab, n_distributions, n_tokens, 17, c.draw);
    const double tokens = static_cast<double>(n_distributions * n_tokens);
    std::printf("  vocab %6zu  %-15s %9.5f bits a token; integers %+.6f, code %+.6f (%+.4f %%)\n", vocab,
                c.name, cost.ideal / tokens, (cost.integers - cost.ideal) / tokens,
                (cost.code - cost.integers) / tokens, 100 * (cost.code / cost.ideal - 1));
    // Sampled tokens: rare ones are over- or underrepresented, so allow for noise beside the floor.
    EXPECT_LE(cost.integers, cost.ideal * 1.0001 + 2 * floor_bits * tokens + 1e-3) << c.name;
    EXPECT_LE(cost.code, cost.integers * (1 + 1e-6) + tokens * kMaxTreeDepth * 0x1p-24 + 32) << c.name;
    all.ideal += cost.ideal;
    all.integers += cost.integers;
    all.code += cost.code;
  }
  std::printf("  vocab %6zu  all: %+.4f %%\n", vocab, 100 * (all.code / all.ideal - 1));
  EXPECT_LE(all.code, all.ideal * 1.0002 + 32);
}

// The sure case, without sampling: the expected cost over the whole distribution.
TEST_P(RoundingCost, OfFrequenciesAndTreeIsUnderTheTargetInExpectation) {
  const ScopedFloatEnvironment environment;
  const size_t vocab = GetParam();
  const Kernels& kernels = KernelsFor(AvailableIsas().back());
  const DecisionTree tree(static_cast<uint32_t>(vocab), kernels.sum_u32);
  Random random(3);
  AlignedBuffer<float> logits(RoundUp(vocab, 16));
  AlignedBuffer<uint32_t> f(RoundUp(vocab, 16));
  const std::span<float> l = logits.span().first(vocab);
  for (const float power : {0.5f, 1.0f, 1.5f, 2.0f}) {
    Zipf(random, l, power);
    std::vector<double> p(vocab);
    double z = 0;
    for (size_t i = 0; i < vocab; ++i) z += p[i] = std::exp(double{l[i]});
    ASSERT_TRUE(kernels.frequencies(logits.data(), vocab, nullptr, 0, f.data()));
    // -log2 q of every token at once: down the tree, adding up decisions.
    const size_t leaves = size_t{1} << tree.depth();
    std::vector<uint64_t> total(2 * leaves, 0);
    for (size_t i = 0; i < vocab; ++i) total[leaves + i] = f[i];
    for (size_t node = leaves - 1; node > 0; --node) total[node] = total[2 * node] + total[2 * node + 1];
    std::vector<double> bits(2 * leaves, 0);
    for (size_t node = 1; node < leaves; ++node) {
      const uint32_t p1 = DecisionProbability(static_cast<uint32_t>(total[2 * node]),
                                              static_cast<uint32_t>(total[2 * node + 1]));
      const double q = p1 / 4294967296.0;
      bits[2 * node] = bits[node] - (p1 == kCertain ? 0 : std::log2(1 - q));
      bits[2 * node + 1] = bits[node] - (p1 == kCertain ? 0 : std::log2(q));
    }
    double entropy = 0, cross = 0;
    for (size_t i = 0; i < vocab; ++i) {
      entropy -= p[i] / z * std::log2(p[i] / z);
      cross += p[i] / z * bits[leaves + i];
    }
    std::printf("  vocab %6zu  zipf %.1f: entropy %.4f bits, %+.5f %%\n", vocab, double{power}, entropy,
                100 * (cross / entropy - 1));
    EXPECT_GE(cross, entropy * (1 - 1e-9));
    EXPECT_LE(cross, entropy * 1.0002);
  }
}

INSTANTIATE_TEST_SUITE_P(Vocabularies, RoundingCost, testing::Values(4096, 151936),
                         [](const auto& test) { return "of" + std::to_string(test.param) + "Tokens"; });

}  // namespace
}  // namespace pith
