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
#include <limits>
#include <vector>

#include "base/float_environment.h"
#include "mixing_sample.h"
#include "predict/adaptive_mixer.h"

namespace {

using namespace pith;

// So many times as far as the average goes: one file moves a rarely used set by little.
constexpr double kStep = 4;
constexpr size_t kMaxBytes = 1 << 22;  // of a file

// Contexts and matches trusted a little, the model most; maps that change nothing.
MixingPriors FirstPriors() {
  MixingPriors first = {};
  for (auto& weights : first.weights) {
    std::fill_n(weights, kContexts, 123);
    weights[33] = weights[39] = 307;
    weights[35] = weights[36] = 307;
  }
  for (auto& map : first.maps) {
    for (size_t j = 0; j < MixingPriors::kKnots; ++j) {
      map[j] = static_cast<uint16_t>(std::lround(65536 / (1 + std::exp(8 - 0.5 * static_cast<double>(j)))));
    }
  }
  return first;
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
  MixingLab lab;
  std::vector<MixingSample> samples;
  for (int a = 2; a < argc; ++a) samples.push_back(lab.Load(argv[a], kMaxBytes, 1));
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
    for (const MixingSample& s : samples) {
      AdaptiveMixer mixer(lab.model().kernels(), MixerShape(lab.model()), s.tokens.size(), 1, 0, priors);
      bits += lab.MixedBits(s, mixer);
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
