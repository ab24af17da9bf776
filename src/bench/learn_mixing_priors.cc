// Learns how AdaptiveMixer's weights and maps had best begin, and prints src/predict/mixing_priors.cc:
//
//   learn_mixing_priors ROUNDS FILE... > src/predict/mixing_priors.cc
//
// Each file is coded as if alone, from the priors so far; what weights and maps have become is averaged over the files and
// is where the next round begins (Nichol et al. 2018, "On First-Order Meta-Learning Algorithms": Reptile). Small files of
// every kind are what this is for. The built-in model says the probabilities. Progress goes to standard error.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "api/builtin_model.h"
#include "api/model_impl.h"
#include "base/float_environment.h"
#include "codec/stream_layout.h"
#include "predict/adaptive_mixer.h"

namespace {

using namespace pith;

// So many times as far as the average goes: one file moves a rarely used set by little.
constexpr double kStep = 4;

struct Sample {
  std::vector<TokenId> tokens;
  std::vector<uint32_t> paths;  // [tokens, depth]
};

template <typename T>
T OrExit(Result<T> result, const char* what) {
  if (result.ok()) return *std::move(result);
  std::fprintf(stderr, "%s: %s\n", what, result.status().message().c_str());
  std::exit(1);
}

// Contexts and matches trusted a little, the model most; maps that change nothing.
MixingPriors FirstPriors() {
  MixingPriors first = {};
  for (auto& weights : first.weights) {
    std::fill_n(weights, kContexts, 123);
    weights[33] = 614;
    weights[35] = weights[36] = 307;
  }
  for (auto& map : first.maps) {
    for (size_t j = 0; j < MixingPriors::kKnots; ++j) {
      map[j] = static_cast<uint16_t>(std::lround(65536 / (1 + std::exp(8 - 0.5 * static_cast<double>(j)))));
    }
  }
  return first;
}

// As one stream.
Sample Predict(TokenModel& model, ByteSpan text, size_t depth) {
  Sample s;
  if (!model.Tokenize(text, s.tokens).ok() || s.tokens.empty() || !model.Start(1).ok()) std::exit(1);
  s.paths.resize(s.tokens.size() * depth);
  std::vector<TokenId> inputs = {model.start_token()};
  inputs.insert(inputs.end(), s.tokens.begin(), s.tokens.end() - 1);
  for (size_t at = 0; at < s.tokens.size(); at += model.PreferredTokens()) {
    const size_t n = std::min(model.PreferredTokens(), s.tokens.size() - at);
    const PathRequest request{0, std::span<const TokenId>(inputs).subspan(at, n),
                              std::span<const TokenId>(s.tokens).subspan(at, n),
                              std::span<uint32_t>(s.paths).subspan(at * depth, n * depth), {}};
    if (!model.Paths({&request, 1}).ok()) std::exit(1);
  }
  return s;
}

double Code(const Sample& s, TokenModel& model, size_t depth, AdaptiveMixer& mixer) {
  double bits = 0;
  for (size_t i = 0; i < s.tokens.size(); ++i) {
    uint32_t node = 1;
    for (size_t level = 0; level < depth; ++level) {
      const int bit = static_cast<int>(s.tokens[i] >> (depth - 1 - level) & 1);
      if (const uint32_t p1 = s.paths[i * depth + level]; p1 != kCertain) {
        const double p = mixer.Probability(0, static_cast<int>(level), node, p1) * 0x1p-32;
        bits -= std::log2(bit != 0 ? p : 1 - p);
        mixer.Learn(bit);
      }
      node = 2 * node + static_cast<uint32_t>(bit);
    }
    mixer.EndToken(0, s.tokens[i], model.TokenBytes(s.tokens[i]));
  }
  return bits;
}

template <typename Row, size_t kRows>
void PrintRows(const char* name, const Row (&rows)[kRows]) {
  std::printf("    .%s = {\n", name);
  for (const Row& row : rows) {
    std::printf("        {");
    for (size_t i = 0; i < std::size(row); ++i) std::printf("%s%d", i == 0 ? "" : ", ", static_cast<int>(row[i]));
    std::printf("},\n");
  }
  std::printf("    },\n");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: learn_mixing_priors ROUNDS FILE...\n");
    return 2;
  }
  const auto impl = OrExit(Model::Impl::Create(OrExit(Package::FromMemory(BuiltinModelFile(), "built-in model"), "built-in model"), 0), "built-in model");
  TokenModel& model = *OrExit(impl->ForContext(impl->ContextFor(0)), "built-in model");
  const size_t depth = static_cast<size_t>(DecisionTree(model.vocab()).depth());
  std::vector<Sample> samples;
  for (int a = 2; a < argc; ++a) {
    std::ifstream in(argv[a], std::ios::binary);
    if (!in) {
      std::fprintf(stderr, "%s: cannot be read\n", argv[a]);
      return 1;
    }
    const Bytes text{std::istreambuf_iterator<char>(in), {}};
    if (!text.empty()) samples.push_back(Predict(model, text, depth));
  }
  const ScopedFloatEnvironment float_environment;
  MixingPriors priors = FirstPriors();
  MixingPriors best = priors;
  double best_bits = std::numeric_limits<double>::infinity();
  for (int round = 0; round < std::atoi(argv[1]); ++round) {
    const MixingPriors used = priors;
    double bits = 0;
    double weights[MixingPriors::kMixers][MixingPriors::kInputs] = {};
    double maps[MixingPriors::kCounts][MixingPriors::kKnots] = {};
    const auto add = [](const auto& from, auto& to) {
      for (size_t i = 0; i < std::size(from); ++i) {
        for (size_t j = 0; j < std::size(from[i]); ++j) to[i][j] += static_cast<double>(from[i][j]);
      }
    };
    for (const Sample& s : samples) {
      AdaptiveMixer mixer(model.kernels(), static_cast<int>(depth), s.tokens.size(), 1, 0, priors);
      bits += Code(s, model, depth, mixer);
      const MixingPriors learned = mixer.Learned();
      add(learned.weights, weights);
      add(learned.maps, maps);
    }
    if (bits < best_bits) {  // later rounds may go too far
      best_bits = bits;
      best = used;
    }
    const auto move = [&](const auto& from, double step, auto& to) {
      for (size_t i = 0; i < std::size(to); ++i) {
        for (size_t j = 0; j < std::size(to[i]); ++j) {
          using Number = std::remove_reference_t<decltype(to[i][j])>;
          const double moved = from[i][j] / static_cast<double>(samples.size()) - static_cast<double>(to[i][j]);
          const double goal = static_cast<double>(to[i][j]) + step * moved;
          to[i][j] = static_cast<Number>(std::lround(std::clamp<double>(
              goal, std::numeric_limits<Number>::min(), std::numeric_limits<Number>::max())));
        }
      }
    };
    move(weights, kStep, priors.weights);
    move(maps, 1, priors.maps);
    std::fprintf(stderr, "round %d: %.0f bytes\n", round + 1, bits / 8);
  }
  std::printf("#include \"predict/mixing_priors.h\"\n\nnamespace pith {\n\n// clang-format off\n"
              "const MixingPriors kMixingPriors = {\n");
  PrintRows("weights", best.weights);
  PrintRows("maps", best.maps);
  std::printf("};\n// clang-format on\n\n}  // namespace pith\n");
  return 0;
}
