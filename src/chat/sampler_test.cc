#include "chat/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

namespace pith {
namespace {

// Softmax, sorted, cut: the definition in the header, written down once more without any shortcut.
std::map<TokenId, double> Distribution(std::vector<float> logits, const SamplerOptions& o,
                                       const std::vector<bool>& allowed) {
  std::vector<TokenId> ids;
  for (TokenId id = 0; id < logits.size(); ++id) {
    if (allowed.empty() || allowed[id]) ids.push_back(id);
  }
  std::stable_sort(ids.begin(), ids.end(), [&](TokenId a, TokenId b) { return logits[a] > logits[b]; });
  if (o.temperature == 0) return {{ids[0], 1.0}};
  if (o.top_k != 0 && ids.size() > o.top_k) ids.resize(o.top_k);
  std::vector<double> p;
  for (const TokenId id : ids) p.push_back(std::exp((logits[id] - logits[ids[0]]) / o.temperature));
  const double total = std::accumulate(p.begin(), p.end(), 0.0);
  size_t n = p.size();
  if (o.top_p < 1) {
    double sum = 0;
    n = 0;
    while (n < p.size() && (n == 0 || sum < o.top_p * total)) sum += p[n++];
  }
  while (n > 1 && p[n - 1] < o.min_p) --n;
  const double kept = std::accumulate(p.begin(), p.begin() + static_cast<ptrdiff_t>(n), 0.0);
  std::map<TokenId, double> out;
  for (size_t i = 0; i < n; ++i) out[ids[i]] = p[i] / kept;
  return out;
}

std::vector<float> RandomLogits(size_t n, uint64_t seed) {
  std::vector<float> logits(n);
  for (size_t i = 0; i < n; ++i) logits[i] = static_cast<float>(12 * UniformAt(seed, i) - 6);
  return logits;
}

TEST(Sampler, TheRandomNumbersAreThoseOfSplitMix64) {
  // The first three outputs for seed 1234567 (published with the reference implementation):
  // 6457827717110365317, 3203168211198807973, 9817491932198370423.
  EXPECT_EQ(UniformAt(1234567, 0), static_cast<double>(6457827717110365317u >> 11) * 0x1p-53);
  EXPECT_EQ(UniformAt(1234567, 1), static_cast<double>(3203168211198807973u >> 11) * 0x1p-53);
  EXPECT_EQ(UniformAt(1234567, 2), static_cast<double>(9817491932198370423u >> 11) * 0x1p-53);
}

TEST(Sampler, TokensComeAsOftenAsTheDefinitionSays) {
  const std::vector<SamplerOptions> all = {
      {},
      {.temperature = 0.6, .top_k = 20, .top_p = 0.95},
      {.temperature = 2, .top_k = 5},
      {.temperature = 0.5, .top_p = 0.5},
      {.temperature = 1.5, .min_p = 0.2},
      {.temperature = 1, .top_k = 1000, .top_p = 0.9, .min_p = 0.05},
      {.temperature = 0},
      {.temperature = 0.7, .top_k = 1},
  };
  const std::vector<float> logits = RandomLogits(200, 3);
  std::vector<bool> some(200);
  std::vector<uint64_t> bits(4);
  for (size_t i = 0; i < 200; i += 3) {
    some[i] = true;
    bits[i / 64] |= uint64_t{1} << (i % 64);
  }
  for (SamplerOptions options : all) {
    for (const bool constrained : {false, true}) {
      options.seed = 99;
      const auto expected = Distribution(logits, options, constrained ? some : std::vector<bool>());
      Sampler sampler(options);
      std::map<TokenId, double> seen;
      constexpr size_t kDraws = 20000;
      for (size_t n = 0; n < kDraws; ++n) {
        std::vector<float> copy = logits;
        seen[sampler.Sample(
            copy, {}, constrained ? std::span<const uint64_t>(bits) : std::span<const uint64_t>(), n)] +=
            1.0 / kDraws;
      }
      for (const auto& [id, p] : seen) {
        ASSERT_TRUE(expected.contains(id)) << "token " << id << " must not come";
        EXPECT_NEAR(p, expected.at(id), 5 * std::sqrt(expected.at(id) / kDraws) + 1e-3) << id;
      }
      for (const auto& [id, p] : expected)
        EXPECT_TRUE(p < 2e-3 || seen.contains(id)) << "token " << id << " never comes";
    }
  }
}

TEST(Sampler, OfEquallyLikelyTokensTheLowestIdGoesFirst) {
  std::vector<float> logits(300, 1.0f);
  logits[0] = 0;
  Sampler greedy({.temperature = 0});
  EXPECT_EQ(greedy.Sample(logits, {}, {}, 0), 1u);
  Sampler two({.temperature = 1, .top_k = 2, .seed = 5});
  for (size_t n = 0; n < 200; ++n) {
    std::vector<float> copy = logits;
    const TokenId id = two.Sample(copy, {}, {}, n);
    EXPECT_TRUE(id == 1 || id == 2) << id;
  }
}

TEST(Sampler, APlaceGivesTheSameTokenWheneverItIsAsked) {
  const std::vector<float> logits = RandomLogits(5000, 8);
  Sampler sampler({.temperature = 1.2, .top_k = 50, .seed = 1});
  std::vector<TokenId> forward;
  for (size_t n = 0; n < 100; ++n) {
    std::vector<float> copy = logits;
    forward.push_back(sampler.Sample(copy, {}, {}, n));
  }
  Sampler other({.temperature = 1.2, .top_k = 50, .seed = 1});
  for (size_t n = 100; n-- > 0;) {
    std::vector<float> copy = logits;
    EXPECT_EQ(other.Sample(copy, {}, {}, n), forward[n]);
  }
  Sampler another_seed({.temperature = 1.2, .top_k = 50, .seed = 2});
  size_t equal = 0;
  for (size_t n = 0; n < 100; ++n) {
    std::vector<float> copy = logits;
    equal += another_seed.Sample(copy, {}, {}, n) == forward[n];
  }
  EXPECT_LT(equal, 60u);
}

TEST(Sampler, PenaltiesAreThoseOfTheHeader) {
  TokenCounts counts;
  const TokenId prompt[] = {1, 2};
  counts.AddPrompt(prompt);
  counts.AddAnswer(2);
  counts.AddAnswer(2);
  counts.AddAnswer(3);
  // Greedy shows which logit is the largest after the penalties.
  const auto best = [&](SamplerOptions o, std::vector<float> logits) {
    o.temperature = 0;
    return Sampler(o).Sample(logits, counts, {}, 0);
  };
  EXPECT_EQ(best({}, {1.0f, 2.0f, 3.0f, 2.5f}), 2u);
  EXPECT_EQ(best({.repetition_penalty = 2}, {1.6f, 2.0f, 3.0f, 2.5f}), 0u);      // 1.6, 1, 1.5, 1.25
  EXPECT_EQ(best({.repetition_penalty = 2}, {-3.0f, -2.0f, -3.0f, -2.5f}), 0u);  // -3, -4, -6, -5
  EXPECT_EQ(best({.presence_penalty = 1}, {0.0f, 1.4f, 3.0f, 2.5f}), 2u);        // 0, 1.4, 2, 1.5
  EXPECT_EQ(best({.frequency_penalty = 1}, {0.0f, 1.4f, 3.0f, 2.5f}), 3u);       // 0, 1.4, 1, 1.5
  EXPECT_EQ(best({.presence_penalty = 2}, {0.0f, 1.4f, 3.0f, 2.5f}), 1u);        // 0, 1.4, 1, 0.5
}

TEST(Sampler, OptionsOutOfRangeAreNamed) {
  const auto message = [](const SamplerOptions& o) { return CheckSamplerOptions(o).message(); };
  EXPECT_TRUE(CheckSamplerOptions({}).ok());
  EXPECT_NE(message({.temperature = -1}).find("temperature: -1"), std::string::npos);
  EXPECT_NE(message({.temperature = NAN}).find("temperature"), std::string::npos);
  EXPECT_NE(message({.top_p = 0}).find("top_p"), std::string::npos);
  EXPECT_NE(message({.top_p = 1.1}).find("top_p"), std::string::npos);
  EXPECT_NE(message({.min_p = 2}).find("min_p"), std::string::npos);
  EXPECT_NE(message({.repetition_penalty = 0}).find("repetition_penalty"), std::string::npos);
  EXPECT_NE(message({.presence_penalty = INFINITY}).find("presence_penalty"), std::string::npos);
}

}  // namespace
}  // namespace pith
