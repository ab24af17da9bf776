// Bit histories and the small integer functions that ByteMixer is made of: squash and stretch, cells that learn a
// probability, hashes. docs/byte_mixing.md section 1.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace pith::bit_histories {

inline constexpr int kInputEnd = 2047;  // of stretched probabilities: 8 bits after the point
inline constexpr int kSumEnd = 3071;    // of what mixers make of them
inline constexpr uint32_t kMaxMapCount = 1023;

constexpr uint32_t InputPair(int first, int second) {
  return static_cast<uint16_t>(first) | static_cast<uint32_t>(static_cast<uint16_t>(second)) << 16;
}

struct Tables {
  std::array<uint16_t, 2 * (kSumEnd + 1)> squash;
  std::array<int16_t, 4096> stretch;
  std::array<uint32_t, kMaxMapCount + 1> reciprocal;
  std::array<std::array<uint8_t, 2>, 256> next{};
  // The two inputs of a probability, side by side as a mixer reads them: stretched, and linearly in the upper half. What
  // a history lets through of them: nothing yet, the first, or, if it has only zeros or only ones, both.
  std::array<uint32_t, 4096> input_pair;
  std::array<uint32_t, 256> input_mask{};
  std::array<uint32_t, 256> initial{};   // entry of a map

  Tables();

  int Squash(int x) const { return SquashOfSum(std::clamp(x, -kSumEnd, kSumEnd)); }
  // REQUIRES: -kSumEnd <= x <= kSumEnd.
  int SquashOfSum(int x) const { return squash[static_cast<size_t>(x + kSumEnd + 1)]; }

 private:
  void MakeStates();
};

const Tables& TheTables();

// A map's entry: probability in 22 bits, and how often it has learned in 10.
inline uint32_t Entry(uint32_t numerator, uint32_t denominator, uint32_t count) {
  return static_cast<uint32_t>((uint64_t{numerator} << 22) / denominator) << 10 | count;
}
inline uint32_t Probability12(uint32_t entry) { return entry >> 20; }
inline void LearnEntry(const Tables& t, uint32_t& entry, int bit, uint32_t limit) {
  const uint32_t count = entry & kMaxMapCount;
  const int64_t p = entry >> 10;
  const int64_t target = bit != 0 ? (1 << 22) - 1 : 0;
  const uint32_t step = static_cast<uint32_t>((target - p) * t.reciprocal[count] >> 16);
  entry = entry + (step << 10) + (count < limit ? 1 : 0);
}

inline uint64_t Mix(uint64_t h) {
  h *= 0x9E3779B97F4A7C15;
  return h ^ h >> 29;
}
template <typename... Values>
inline uint64_t Hash(Values... values) {
  uint64_t h = 0;
  ((h = Mix(h + static_cast<uint64_t>(values) + 1)), ...);
  return h;
}

}  // namespace pith::bit_histories
