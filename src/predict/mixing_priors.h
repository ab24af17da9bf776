// MixingPriors: how the weights and maps of AdaptiveMixer begin. docs/mixing.md section 7 says that this table is part of
// the definition; benchmarks/learn_mixing_priors.cc computes it from texts.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pith {

struct MixingPriors {
  static constexpr size_t kMixers = 4;
  static constexpr size_t kInputs = 48;
  static constexpr size_t kCounts = 16;
  static constexpr size_t kKnots = 33;

  int16_t weights[kMixers][kInputs];  // units of 2^-10; of every set of a mixer
  uint16_t maps[kCounts][kKnots];     // units of 2^-16; of every context, by count
};

extern const MixingPriors kMixingPriors;

}  // namespace pith
