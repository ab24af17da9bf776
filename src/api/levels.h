// Levels 1 to 9: what each means to Compress.
#pragma once

#include <cstdint>
#include <string>

namespace pith {

// The first levels use contexts alone, fast, strong or numeric (strengths 1, 2 and 4 of docs/byte_mixing.md); then comes the
// small built-in model, then the large one, each with what the text looks like deciding between model and contexts, or with
// the best of both for every block; at last the largest model that is installed.
inline constexpr uint32_t kFirstModelLevel = 4;
inline constexpr uint32_t kDefaultLevel = 6;
inline constexpr uint32_t kMaxLevel = 9;

struct LevelMeaning {
  uint32_t contexts = 0;  // CompressOptions::contexts; 0: by a model
  bool best_of = false;   // CompressOptions::best_of
};

// REQUIRES: 1 <= level <= kMaxLevel.
constexpr LevelMeaning MeaningOf(uint32_t level) {
  if (level < kFirstModelLevel) return {.contexts = level == 3 ? 4 : level};
  return {.best_of = level == kFirstModelLevel + 1 || level > kDefaultLevel};
}

// What FindModel takes, for a level that uses a model: a built-in one's name, or for kMaxLevel the largest file in the model
// folders where it is larger than those.
std::string ModelOfLevel(uint32_t level);

}  // namespace pith
