#include "predict/bit_histories.h"

#include <bit>
#include <iterator>

#include "base/check.h"

namespace pith::bit_histories {
namespace {

constexpr int kSquashKnots[49] = {
    1,     1,     1,     2,     3,     5,     8,     13,    22,    36,    60,    98,    162,   267,   439,   720,  1179,
    1921,  3108,  4971,  7812,  11955, 17625, 24743, 32768, 40793, 47911, 53581, 57724, 60565, 62428, 63615, 64357, 64816,
    65097, 65269, 65374, 65438, 65476, 65500, 65514, 65523, 65528, 65531, 65533, 65534, 65535, 65535, 65535};

// Bit histories, section 2. A state is how many zeros and ones a context has seen, the rarer ones forgotten, and the
// last bit.
struct State {
  uint8_t zeros;
  uint8_t ones;
};

// The most of the commoner bit beside n of the rarer one.
bool Allowed(int a, int b) {
  constexpr int kLimits[] = {41, 24, 12, 8, 6, 5};
  const int rarer = std::min(a, b);
  return rarer < static_cast<int>(std::size(kLimits)) && std::max(a, b) <= kLimits[rarer];
}

}  // namespace

Tables::Tables() {
  for (size_t i = 0; i < squash.size(); ++i) {
    const int part = static_cast<int>(i % 128);
    squash[i] = static_cast<uint16_t>((kSquashKnots[i / 128] * (128 - part) + kSquashKnots[i / 128 + 1] * part) / 128);
  }
  int x = -kInputEnd;
  for (int p = 0; p < 4096; ++p) {
    while (x < kInputEnd && Squash(x) < p * 16 + 8) ++x;
    stretch[static_cast<size_t>(p)] = static_cast<int16_t>(x);
    input_pair[static_cast<size_t>(p)] = InputPair(x, (p - 2048) / 2);
  }
  for (uint32_t n = 0; n <= kMaxMapCount; ++n) reciprocal[n] = 131072 / (2 * n + 3);
  MakeStates();
}

void Tables::MakeStates() {
  constexpr int kMaxCount = 41;
  uint8_t number[kMaxCount + 1][kMaxCount + 1][2] = {};
  State states[256];
  int n_states = 0;
  for (int total = 0; total <= kMaxCount; ++total) {
    for (int zeros = 0; zeros <= total; ++zeros) {
      const int ones = total - zeros;
      if (!Allowed(zeros, ones)) continue;
      for (int last = 0; last < 2; ++last) {
        if (total == 0 ? last == 1 : (last == 0 ? zeros : ones) == 0) continue;
        PITH_CHECK(n_states < 256);
        states[n_states] = {static_cast<uint8_t>(zeros), static_cast<uint8_t>(ones)};
        number[zeros][ones][last] = static_cast<uint8_t>(n_states++);
      }
    }
  }
  for (int s = 0; s < n_states; ++s) {
    for (int bit = 0; bit < 2; ++bit) {
      int n[2] = {states[s].zeros, states[s].ones};
      int& other = n[1 - bit];
      if (other > 2) other = std::bit_width(static_cast<unsigned>(other));
      if (Allowed(n[bit] + 1, other)) ++n[bit];
      while (!Allowed(n[0], n[1])) --n[bit];
      next[s][bit] = number[n[0]][n[1]][bit];
    }
    input_mask[s] = s == 0 ? 0 : states[s].zeros == 0 || states[s].ones == 0 ? 0xffffffff : 0xffff;
    const uint32_t all = static_cast<uint32_t>(states[s].zeros + states[s].ones);
    initial[s] = (uint32_t{4} * states[s].ones + 1) * (uint32_t{1} << 22) / (4 * all + 2) << 10 | 6;
  }
}

const Tables& TheTables() {
  static const Tables tables;
  return tables;
}

}  // namespace pith::bit_histories
