// What each part of the mixing is worth: code lengths of the built-in model alone, and with one part after the other.
//
//   mixing_ablation FILE...        the first 100,000 bytes of each, in the streams that the codec would use
//
// Prints a table of bytes, one row a step, summed over the files.
#include <cstdio>
#include <vector>

#include "base/float_environment.h"
#include "mixing_sample.h"
#include "codec/stream_layout.h"

namespace {

using namespace pith;

constexpr size_t kMaxBytes = 100'000;

// As if each stream were a block of its own.
double SeparateBits(MixingLab& lab, const MixingSample& s) {
  double bits = 0;
  for (size_t i = 0; i < s.n_streams; ++i) {
    const auto begin = static_cast<ptrdiff_t>(StreamBegin(s.tokens.size(), s.n_streams, i));
    const auto end = static_cast<ptrdiff_t>(StreamBegin(s.tokens.size(), s.n_streams, i + 1));
    const auto depth = static_cast<ptrdiff_t>(lab.depth());
    const auto width = static_cast<ptrdiff_t>(lab.model().hidden_width());
    const MixingSample stream{{s.tokens.begin() + begin, s.tokens.begin() + end},
                              {s.paths.begin() + begin * depth, s.paths.begin() + end * depth},
                              {s.hidden.begin() + begin * width, s.hidden.begin() + end * width},
                              1};
    AdaptiveMixer mixer(lab.model().kernels(), MixerShape(lab.model()), stream.tokens.size(), 1);
    bits += lab.MixedBits(stream, mixer);
  }
  return bits;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: mixing_ablation FILE...\n");
    return 2;
  }
  const ScopedFloatEnvironment float_environment;
  MixingLab lab;
  struct Step {
    const char* name;
    MixingParts parts;
  };
  const Step steps[] = {
      {"+ mixers over the model's word alone", {.contexts = false, .matches = false, .hidden = false, .corrections = false}},
      {"+ contexts", {.matches = false, .hidden = false, .corrections = false}},
      {"+ matches", {.hidden = false, .corrections = false}},
      {"+ corrections of the final probability", {.hidden = false}},
      {"+ what nodes learn of the hidden state: all", {}},
      {"all, but no contexts", {.contexts = false}},
      {"all, but no matches", {.matches = false}},
      {"all, but no corrections of the final probability", {.corrections = false}},
  };
  std::vector<double> bits(std::size(steps) + 3);
  for (int a = 1; a < argc; ++a) {
    const MixingSample s = lab.Load(argv[a], kMaxBytes, 0);
    bits[0] += lab.ModelBits(s);
    for (size_t k = 0; k < std::size(steps); ++k) {
      AdaptiveMixer mixer(lab.model().kernels(), MixerShape(lab.model()), s.tokens.size(), s.n_streams, 0,
                          kMixingPriors, steps[k].parts);
      bits[1 + k] += lab.MixedBits(s, mixer);
    }
    bits[std::size(steps) + 1] += SeparateBits(lab, s);
    const MixingSample one = lab.Load(argv[a], kMaxBytes, 1);
    AdaptiveMixer mixer(lab.model().kernels(), MixerShape(lab.model()), one.tokens.size(), 1);
    bits[std::size(steps) + 2] += lab.MixedBits(one, mixer);
    std::fprintf(stderr, "%s: model %.0f bytes; %.0f mixed, with the files before\n", argv[a], lab.ModelBits(s) / 8, bits[5] / 8);
  }
  const auto row = [&](const char* name, double value) {
    std::printf("| %s | %.0f | %.3f |\n", name, value / 8, value / bits[0]);
  };
  std::printf("| step | bytes | of the model alone |\n| --- | ---: | ---: |\n");
  row("model alone", bits[0]);
  for (size_t k = 0; k < std::size(steps); ++k) row(steps[k].name, bits[1 + k]);
  row("all, but a state for each stream instead of a shared one", bits[std::size(steps) + 1]);
  row("all, in one stream", bits[std::size(steps) + 2]);
  return 0;
}
