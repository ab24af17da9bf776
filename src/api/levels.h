// Levels 1 to 9: what each means to Compress.
#pragma once

#include <cstdint>
#include <string>

namespace pith {

// The first levels use contexts alone, fast or strong; then comes the model; then the best of both for every block; at
// last with the largest model that is installed.
inline constexpr uint32_t kStrongContextsLevel = 2;
inline constexpr uint32_t kFirstModelLevel = 4;
inline constexpr uint32_t kDefaultLevel = 6;
inline constexpr uint32_t kBestOfLevel = 7;
inline constexpr uint32_t kMaxLevel = 9;

struct LevelMeaning {
  uint32_t contexts = 0;       // CompressOptions::contexts; 0: by a model
  bool best_of = false;        // CompressOptions::best_of
  bool largest_model = false;  // the model is LargestModel() where none was asked for
};

// REQUIRES: 1 <= level <= kMaxLevel.
constexpr LevelMeaning MeaningOf(uint32_t level) {
  if (level < kFirstModelLevel) return {.contexts = level >= kStrongContextsLevel ? 2u : 1u};
  return {.best_of = level >= kBestOfLevel, .largest_model = level == kMaxLevel};
}

// What FindModel takes: the largest file in the model folders, or "builtin" where none is larger than that.
std::string LargestModel();

}  // namespace pith
