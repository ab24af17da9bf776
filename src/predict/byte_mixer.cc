#include "predict/byte_mixer.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstring>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/check.h"
#include "predict/mixer_lanes.h"

#ifndef TUNE
#define TUNE(name, value) constexpr int name = value
#endif

namespace pith {
namespace {

TUNE(kInitShift, 0);
TUNE(kMapLimit, 255);
TUNE(kMapLimitFast, 255);
TUNE(kRateEnd, 2);   // in units of 256
TUNE(kRateStart, 20);
TUNE(kRateHalf, 11);
TUNE(kW0, 300);   // of 1024
TUNE(kW1, 0);
TUNE(kDiscount, 0);
TUNE(kPriorWeight, 6);
TUNE(kL0, 41);
TUNE(kL1, 24);
TUNE(kL2, 12);
TUNE(kL3, 8);
TUNE(kL4, 6);
TUNE(kAlpha, 4);
TUNE(kMask, 0);  // ablation: bit i removes context i
TUNE(kFinalRate, 2);
TUNE(kSseRate, 6);
TUNE(kLinShift, 2);

// ---- Section 1: functions ----

constexpr int kStretchEnd = 2047;   // of inputs
constexpr int kSquashEnd = 3071;  // of sums

constexpr uint16_t kSquashKnots[49] = {
    1,     1,     1,     2,     3,     5,     8,     13,    22,    36,    60,    98,    162,
    267,   439,   720,   1179,  1921,  3108,  4971,  7812,  11955, 17625, 24743, 32768, 40793,
    47911, 53581, 57724, 60565, 62428, 63615, 64357, 64816, 65097, 65269, 65374, 65438, 65476,
    65500, 65514, 65523, 65528, 65531, 65533, 65534, 65535, 65535, 65535};

struct Tables {
  std::array<uint16_t, 2 * (kSquashEnd + 1)> squash;  // 16 bits
  std::array<int16_t, 4096> stretch;
  std::array<uint32_t, 1024> reciprocal;
  std::array<std::array<uint8_t, 2>, 256> next;
  std::array<uint32_t, 256> initial;  // of a map, for a state
  std::array<uint8_t, 256> n0, n1;
  int n_states;

  Tables() {
    for (int i = 0; i < static_cast<int>(squash.size()); ++i) {
      const int knot = i / 128, part = i % 128;
      squash[i] = static_cast<uint16_t>((kSquashKnots[knot] * (128 - part) + kSquashKnots[knot + 1] * part) / 128);
    }
    int x = -kStretchEnd;
    for (int p = 0; p < 4096; ++p) {
      while (x < kStretchEnd && squash[x + kSquashEnd + 1] < p * 16 + 8) ++x;
      stretch[p] = static_cast<int16_t>(x);
    }
    for (int n = 0; n < 1024; ++n) reciprocal[n] = static_cast<uint32_t>(131072 / (2 * n + 3));
    MakeStates();
  }

  static int Limit(int n) {
    const int limits[] = {kL0, kL1, kL2, kL3, kL4, 5};
    return n < 6 ? limits[n] : 0;
  }
  static bool Allowed(int a, int b) { return std::max(a, b) <= Limit(std::min(a, b)); }

  static int Discount(int n) {
    if (n <= 2) return n;
    switch (kDiscount) {
      case 0: return std::bit_width(static_cast<unsigned>(n));
      case 1: return std::min(2 + (n - 2) / 4, 6);
      case 2: return std::min(1 + n / 3, 5);
      default: return (n + 3) / 2;
    }
  }

  void MakeStates() {
    int number[64][64][2];
    std::memset(number, -1, sizeof number);
    n_states = 0;
    for (int total = 0; total <= 60; ++total) {
      for (int a = 0; a <= total; ++a) {
        const int b = total - a;
        if (!Allowed(a, b)) continue;
        for (int last = 0; last < 2; ++last) {
          if ((last == 0 ? a : b) == 0 && total != 0) continue;
          if (total == 0 && last == 1) continue;
          if (n_states >= 256) { ++n_states; continue; }
          n0[n_states] = static_cast<uint8_t>(a);
          n1[n_states] = static_cast<uint8_t>(b);
          number[a][b][last] = n_states++;
        }
      }
    }
    PITH_CHECK(n_states <= 256);
    for (int s = 0; s < n_states; ++s) {
      for (int bit = 0; bit < 2; ++bit) {
        int n[2] = {n0[s], n1[s]};
        n[1 - bit] = Discount(n[1 - bit]);
        if (Allowed(n[bit] + 1, n[1 - bit])) ++n[bit];
        while (!Allowed(n[0], n[1])) --n[bit];
        next[s][bit] = static_cast<uint8_t>(number[n[0]][n[1]][bit]);
      }
      const uint32_t num = static_cast<uint32_t>(n1[s] * kAlpha + 1), den = static_cast<uint32_t>((n0[s] + n1[s]) * kAlpha + 2);
      const uint32_t p = static_cast<uint32_t>((uint64_t{num} << 22) / den);
      initial[s] = p << 10 | kPriorWeight;
    }
    for (int s = n_states; s < 256; ++s) next[s] = {0, 0}, initial[s] = 1u << 31;
  }
};

const Tables& T() {
  static const Tables tables;
  return tables;
}

inline int Squash(const Tables& t, int x) { return t.squash[std::clamp(x, -kSquashEnd, kSquashEnd) + kSquashEnd + 1]; }

// 22 bits of probability, 10 of count.
inline void UpdateMap(const Tables& t, uint32_t& entry, int bit, uint32_t limit) {
  const uint32_t n = entry & 1023;
  const int64_t p = entry >> 10;
  const int64_t target = bit != 0 ? (1 << 22) - 1 : 0;
  const uint32_t moved = static_cast<uint32_t>(p + ((target - p) * t.reciprocal[n] >> 16));
  entry = moved << 10 | (n < limit ? n + 1 : limit);
}

inline uint64_t Mix(uint64_t h) {
  h *= 0x9E3779B97F4A7C15;
  return h ^ h >> 29;
}
template <typename... Rest>
inline uint64_t Hash(uint64_t a, Rest... rest) {
  uint64_t h = Mix(a);
  ((h = Mix(h + static_cast<uint64_t>(rest) + 1)), ...);
  return h;
}

struct FastShape {
  static constexpr size_t kContexts = 6;
  static constexpr size_t kMatches = 1;
  static constexpr size_t kMatchLengths[] = {6};
  static constexpr size_t kSets = 2;
  static constexpr size_t kMaxLineBits = 19;  // 32 MiB
  static constexpr bool kStrong = false;
};
struct StrongShape {
  static constexpr size_t kContexts = 24;
  static constexpr size_t kMatches = 2;
  static constexpr size_t kMatchLengths[] = {5, 12};
  static constexpr size_t kSets = 6;
  static constexpr size_t kMaxLineBits = 20;  // 64 MiB
  static constexpr bool kStrong = true;
};

constexpr uint32_t kSelectorSizes[2][6] = {{256, 2048, 0, 0, 0, 0}, {256, 2048, 256, 2048, 2048, 256*3}};

template <typename Shape>
class Mixer final : public ByteMixer {
  static constexpr size_t kN = Shape::kContexts;
  static constexpr size_t kInputs = (2 * kN + 2 * Shape::kMatches + 1 + 7) / 8 * 8;
  static constexpr int kOffset = 2 * kN;

  struct alignas(16) Slot {
    uint8_t check;
    uint8_t states[15];
  };
  struct Line {
    Slot slots[4];
  };
  struct Match {
    uint32_t position = 0;  // 0: none
    uint32_t length = 0;
    uint32_t misses = 0;
    int expected = -1;   // byte | 256, or -1
    uint32_t length_class = 0;
    uint32_t* trust = nullptr;  // of this bit, or null
    std::vector<uint32_t> heads;
  };

 public:
  static int LineBits(uint32_t size) {
    // two slots of each context for every byte
    const uint64_t want = uint64_t{size} * kN * 2 / 4;
    int bits = 10;
    while (bits < static_cast<int>(Shape::kMaxLineBits) && (uint64_t{1} << bits) < want) ++bits;
    return bits;
  }

  static uint64_t MemoryBytes(uint32_t size) {
    return (sizeof(Line) << LineBits(size)) + size + Shape::kMatches * (sizeof(uint32_t) << match_bits(size)) + (20u << 20);
  }

  explicit Mixer(uint32_t size) : t_(T()), line_bits_(LineBits(size)), lines_(size_t{1} << line_bits_) {
    history_.resize(size + 9);
    maps_.resize(kN * 256);
    for (size_t i = 0; i < kN; ++i) std::copy(t_.initial.begin(), t_.initial.end(), maps_.begin() + i * 256);
    for (size_t k = 0; k < Shape::kSets; ++k) {
      const size_t rows = kSelectorSizes[Shape::kStrong][k];
      weights_[k] = AlignedBuffer<int32_t>(rows * kInputs);
      for (size_t r = 0; r < rows; ++r) {
        int32_t* w = &weights_[k][r * kInputs];
        for (size_t i = 0; i < kN; ++i) w[2 * i] = (kW0 << 19), w[2 * i + 1] = (kW1 << 19);
        for (size_t m = 0; m < Shape::kMatches; ++m) w[kOffset + 2 * m] = 1 << 28;
      }
    }
    final_.assign(2048 * 8, 0);
    for (auto& w : final_) w = (1 << 29) / static_cast<int>(Shape::kSets);
    for (size_t m = 0; m < Shape::kMatches; ++m) {
      match_[m].heads.assign(size_t{1} << match_bits(size), 0);
    }
    trust_.resize(Shape::kMatches * 64);
    for (size_t i = 0; i < trust_.size(); ++i) {
      const uint32_t c = i % 64;
      const uint32_t n = (c + 1) * 2;
      trust_[i] = static_cast<uint32_t>((uint64_t{n} << 22) / (n + 2)) << 10 | 8;
    }
    match_shift_ = 64 - match_bits(size);
    sse_[0].resize(1024 * 33);
    sse_[1].resize(65536 * 33);
    if (Shape::kStrong) sse_[2].resize(65536 * 33);
    for (auto& s : sse_)
      for (size_t i = 0; i < s.size(); ++i) s[i] = static_cast<uint16_t>(Squash(t_, (static_cast<int>(i % 33) - 16) * 128));
    if (Shape::kStrong) ind1_.resize(256), ind2_.resize(65536);
    StartByte();
    Predict();
  }
  static int match_bits(uint32_t size) {
    return std::clamp(static_cast<int>(std::bit_width(size)), 10, Shape::kStrong ? 20 : 20);
  }

  void Learn(int bit) override {
    Update(bit);
    c0_ = c0_ * 2 + static_cast<uint32_t>(bit);
    ++bit_count_;
    if (c0_ >= 256) {
      EndByte();
      StartByte();
    } else if (c0_ >= 16 && c0_ < 32) {
      FindSlots(c0_);
    }
    Predict();
  }

 private:
  uint32_t B(uint32_t k) const { return static_cast<uint32_t>(c8_ >> (8 * (k - 1)) & 0xff); }

  void EndByte() {
    const uint32_t c = c0_ & 0xff;
    if constexpr (Shape::kStrong) {
      ind1_[c8_ & 0xff] = ind1_[c8_ & 0xff] << 8 | c;
      ind2_[c8_ & 0xffff] = ind2_[c8_ & 0xffff] << 8 | c;
    }
    history_[position_++] = static_cast<uint8_t>(c);
    c8_ = c8_ << 8 | c;
    c0_ = 1;
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c >= 128;
    const uint32_t lower = c >= 'A' && c <= 'Z' ? c + 32 : c;
    if (letter) {
      word_ = Mix(word_ + lower + 1);
    } else if (word_ != 0) {
      word2_ = word1_;
      word1_ = word_;
      word_ = 0;
    }
    if constexpr (Shape::kStrong) {
      const uint32_t cls = letter ? (c >= 128 ? 7 : c < 96 ? 6u : 1u) : c >= '0' && c <= '9' ? 2 : c == ' ' ? 3 : c == '\n' ? 4 : c < 32 ? 5 : 8 + (c & 7);
      classes_ = classes_ << 4 | cls;
      shape_ = Mix(shape_ * 0 + 0);
      if (c == '\n') {
        above_begin_ = line_begin_;
        line_begin_ = position_;
        field_ = head_ = 0;
        last_field_ = 0;
      } else {
        if (c == ',' || c == '\t' || c == '|' || c == ';' || c == ':' || c == '"' || c == '<' || c == ' ') ++field_, last_field_ = 0;
        else last_field_ = Mix(last_field_ + c + 1);
        if (position_ - line_begin_ <= 4) head_ = head_ * 271 + c + 1;
      }
    }
    // Matches
    for (size_t m = 0; m < Shape::kMatches; ++m) {
      Match& a = match_[m];
      if (a.position != 0) {
        if (history_[a.position] == c) {
          ++a.length;
          if (a.length > 15) a.misses = 0;
        } else {
          a.length = 0;
          ++a.misses;
        }
        if (a.misses < 8) {
          ++a.position;
        } else {
          a.position = 0, a.length = 0, a.misses = 0;
        }
      }
      const size_t L = Shape::kMatchLengths[m];
      if (position_ >= L) {
        uint64_t h = L <= 8 ? c8_ & (~uint64_t{0} >> (64 - 8 * L)) : c8_;
        if (L > 8) {
          uint32_t more;
          std::memcpy(&more, &history_[position_ - 12], 4);
          if constexpr (std::endian::native == std::endian::big) more = __builtin_bswap32(more);
          h = Mix(h) + more;
        }
        h = h * 0x9E3779B97F4A7C15 >> match_shift_;
        const uint32_t found = a.heads[h];
        a.heads[h] = position_;
        if (found != 0 && (a.position == 0 || a.misses != 0)) {
          uint32_t n = 0;
          while (n < 32 && n < found && history_[found - 1 - n] == history_[position_ - 1 - n]) ++n;
          if (n >= L) a.position = found, a.length = n, a.misses = 0;
        }
      }
      a.length_class = a.length < 16 ? a.length : std::min(31u, 16 + (a.length - 16) / 8);
      if (a.misses != 0) a.length_class = 32 + std::min(a.length_class, 15u) ;
      a.expected = a.position != 0 ? history_[a.position] | 256 : -1;
    }
  }

  uint32_t Above(uint32_t k) const {
    const uint32_t at = above_begin_ + (position_ - line_begin_) + k;
    return at < line_begin_ ? history_[at] : 0;
  }

  void StartByte() {
    uint64_t* h = hashes_;
    const uint64_t c = c8_;
    const auto order = [&](uint64_t n) { return n == 8 ? c : c & ((uint64_t{1} << (8 * n)) - 1); };
    size_t i = 0;
    const auto add = [&](uint64_t hash) { h[i] = Mix(hash + i * 0xD6E8FEB86659FD93); ++i; };
    if constexpr (!Shape::kStrong) {
      for (const int n : {1, 2, 3, 4, 6}) add(order(n));
      add(Hash(word_, B(1)));
    } else {
      add(0);
      for (const int n : {1, 2, 3, 4, 5, 6, 8}) add(order(n));
      const uint32_t c1 = B(1), c2 = B(2), c3 = B(3);
      add(Hash(word_, c1));
      add(Hash(word_, word1_, 1));
      add(Hash(word_, word1_, word2_, 2));
      add(Hash(word_, word2_, c1));
      add(Hash(c2, c3));
      add(Hash(c1, c3));
      add(Hash(c3, B(4)));
      const uint32_t above = Above(0);
      add(Hash(above, c1));
      add(Hash(above, std::min(position_ - line_begin_, 255u)));
      add(Hash(field_, last_field_, head_));
      add(Hash(ind1_[c1] & 0xffffff, c1));
      add(Hash(ind2_[c & 0xffff] & 0xffff, c & 0xffff));
      add(Hash(classes_, c1));
      add(Hash(above, Above(1), c1));
      add(Hash(field_, last_field_, above));
      add(Hash(classes_ & 0xffff, word_));
      PITH_CHECK(i == kN);
    }
    FindSlots(0);
  }

  void FindSlots(uint32_t c0) {
    const size_t mask = lines_.size() - 1;
    uint64_t hs[kN];
    for (size_t i = 0; i < kN; ++i) {
      hs[i] = c0 == 0 ? hashes_[i] : Mix(hashes_[i] + c0);
      __builtin_prefetch(&lines_[hs[i] >> 32 & mask]);
    }
    for (size_t i = 0; i < kN; ++i) {
      Slot* slots = lines_[hs[i] >> 32 & mask].slots;
      const uint8_t check = static_cast<uint8_t>(hs[i] >> 24);
      Slot* s = nullptr;
      for (int j = 0; j < 4; ++j) {
        if (slots[j].check == check) { s = &slots[j]; break; }
      }
      if (s == nullptr) {
        s = &slots[0];
        for (int j = 1; j < 4; ++j)
          if (slots[j].states[0] < s->states[0]) s = &slots[j];
        std::memset(static_cast<void*>(s), 0, 16);
        s->check = check;
      }
      slots_[i] = s->states;
    }
  }

  void Predict() {
    const uint32_t node = c0_ < 16 ? c0_ - 1 : NibbleNode();
    uint32_t known = 0;
    for (size_t i = 0; i < kN; ++i) {
      uint8_t* at = slots_[i] + node;
      at_[i] = at;
      const uint32_t s = *at;
      uint32_t* entry = &maps_[i * 256 + s];
      entries_[i] = entry;
      if (s == 0 || (kMask >> i & 1)) {
        x_[2 * i] = x_[2 * i + 1] = 0;
      } else {
        const uint32_t p = *entry >> 20;
        x_[2 * i] = t_.stretch[p];
        x_[2 * i + 1] = static_cast<int16_t>((static_cast<int>(p) - 2048) * (1 << kLinShift) / 4);
        ++known;
      }
    }
    uint32_t expects = 0;
    for (size_t m = 0; m < Shape::kMatches; ++m) {
      Match& a = match_[m];
      int16_t* x = x_ + kOffset + 2 * m;
      const int depth = std::bit_width(c0_) - 1;
      if (a.expected >= 0 && static_cast<uint32_t>(a.expected) >> (8 - depth) == c0_) {
        const int b = a.expected >> (7 - depth) & 1;
        a.trust = &trust_[m * 64 + a.length_class];
        const int p = static_cast<int>(*a.trust >> 20);
        const int st = t_.stretch[p], lin = (p - 2048) * (1 << kLinShift) / 4;
        x[0] = static_cast<int16_t>(b ? st : -st);
        x[1] = static_cast<int16_t>(b ? lin : -lin);
        if (m == 0 || expects == 0) expects = 1 + static_cast<uint32_t>(b);
      } else {
        a.trust = nullptr;
        x[0] = x[1] = 0;
      }
    }
    x_[kOffset + 2 * Shape::kMatches] = 256;
    // Selectors
    uint32_t lc = 0;
    for (size_t m = Shape::kMatches; m-- > 0;) {
      if (match_[m].trust != nullptr && lc == 0) lc = 1 + (match_[m].length_class >= 32 ? 0 : match_[m].length_class >= 16 ? 10 + (match_[m].length_class-16)/4 : 1 + match_[m].length_class / 2);
    }
    const int depth = std::bit_width(c0_) - 1;
    uint32_t select[6];
    select[0] = c0_;
    select[1] = lc * 8 + depth;  // < 16 * 8
    if constexpr (Shape::kStrong) {
      select[2] = B(1);
      select[3] = (classes_ & 0xff) * 8 + depth;
      select[4] = known * 8 + depth;
      select[5] = std::min(position_ - line_begin_, 255u) + 256 * expects;
    }
    int sum = 0;
    for (size_t k = 0; k < Shape::kSets; ++k) {
      rows_[k] = &weights_[k][select[k] * kInputs];
      const int dot = mixer_lanes::Dot(x_, rows_[k], kInputs) >> 13;
      dots_[k] = std::clamp(dot, -kSquashEnd, kSquashEnd);
      sum += dots_[k];
    }
    int st;
    if constexpr (!Shape::kStrong) {
      st = sum >> 1;
    } else {
      final_row_ = &final_[(lc * 8 + depth) * 8];
      int64_t f = 0;
      for (size_t k = 0; k < Shape::kSets; ++k) f += int64_t{dots_[k]} * (final_row_[k] >> 14);
      st = static_cast<int>(std::clamp<int64_t>(f >> 15, -kSquashEnd, kSquashEnd));
    }
    st_ = st;
    int p = Squash(t_, st);
    // SSE
    const int y = std::clamp(st, -2047, 2047) + 2048;
    const uint32_t hi = y >> 7, part = y & 127;
    const uint32_t sc[3] = {c0_ + 256 * expects, (c0_ | static_cast<uint32_t>(c8_ & 0xff) << 8),
       static_cast<uint32_t>(Hash(c8_ & 0xffffff, c0_) >> 48)};
    constexpr int kStages = Shape::kStrong ? 3 : 2;
    int v[3];
    for (int j = 0; j < kStages; ++j) {
      uint16_t* knots = &sse_[j][sc[j] * 33 + hi];
      v[j] = static_cast<int>((knots[0] * (128 - part) + knots[1] * part) >> 7);
      sse_at_[j] = knots + (part >> 6);
    }
    if constexpr (Shape::kStrong) p = (p * 2 + v[0] * 2 + v[1] * 2 + v[2] * 2) / 8;
    else p = (p * 2 + v[0] + v[1]) / 4;
    p = std::clamp(p, 1, 65535);
    probability_ = static_cast<uint32_t>(p) << 16;
  }

  uint32_t NibbleNode() const {
    // bits of the second nibble so far, with a leading one, minus one
    const int depth = std::bit_width(c0_) - 1;  // 4 .. 7
    return ((c0_ & ((1u << (depth - 4)) - 1)) | 1u << (depth - 4)) - 1;
  }

  void Update(int bit) {
    const int target = bit != 0 ? 65535 : 0;
    // rate
    if constexpr (Shape::kStrong) {
      const int e = target - Squash(t_, st_);
      for (size_t k = 0; k < Shape::kSets; ++k) final_row_[k] += (e * dots_[k]) >> 10 << kFinalRate;
    }
    const int64_t rate = kRateEnd * 256 + ((int64_t{kRateStart} * 256) << kRateHalf) / ((1 << kRateHalf) + static_cast<int64_t>(bit_count_));
    for (size_t k = 0; k < Shape::kSets; ++k) {
      const int e = target - Squash(t_, dots_[k]);
      const int16_t error = static_cast<int16_t>((e * rate + 32768) >> 16);
      mixer_lanes::Train(x_, rows_[k], kInputs, error);
    }
    for (size_t i = 0; i < kN; ++i) {
      UpdateMap(t_, *entries_[i], bit, Shape::kStrong ? kMapLimit : kMapLimitFast);
      *at_[i] = t_.next[*at_[i]][bit];
    }
    for (size_t m = 0; m < Shape::kMatches; ++m) {
      Match& a = match_[m];
      if (a.trust == nullptr) continue;
      const int depth = std::bit_width(c0_) - 1;
      UpdateMap(t_, *a.trust, (a.expected >> (7 - depth) & 1) == bit, 1023);
    }
    for (int j = 0; j < (Shape::kStrong ? 3 : 2); ++j) {
      const int knot = *sse_at_[j];
      *sse_at_[j] = static_cast<uint16_t>(knot + ((target - knot) >> kSseRate));
    }
  }

  const Tables& t_;
  const int line_bits_;
  AlignedBuffer<Line> lines_;
  std::vector<uint8_t> history_;
  std::vector<uint32_t> maps_;
  AlignedBuffer<int32_t> weights_[Shape::kSets];
  std::vector<int32_t> final_;
  std::vector<uint32_t> trust_;
  std::array<std::vector<uint16_t>, 3> sse_;
  std::vector<uint32_t> ind1_, ind2_;
  Match match_[Shape::kMatches];
  int match_shift_ = 0;

  uint32_t position_ = 0;
  uint64_t bit_count_ = 0;
  uint32_t c0_ = 1;
  uint64_t c8_ = 0;
  uint64_t word_ = 0, word1_ = 0, word2_ = 0;
  uint32_t classes_ = 0;
  uint64_t shape_ = 0, last_field_ = 0;
  uint32_t line_begin_ = 0, above_begin_ = 0, field_ = 0, head_ = 0;

  uint64_t hashes_[kN];
  uint8_t* slots_[kN];
  uint8_t* at_[kN];
  uint32_t* entries_[kN];
  alignas(64) int16_t x_[kInputs] = {};
  int32_t* rows_[Shape::kSets];
  int dots_[Shape::kSets];
  int32_t* final_row_ = nullptr;
  int st_ = 0;
  uint16_t* sse_at_[3];
};

}  // namespace

std::unique_ptr<ByteMixer> ByteMixer::Make(ContextStrength strength, uint32_t content_size) {
  if (strength == ContextStrength::kFast) return std::make_unique<Mixer<FastShape>>(content_size);
  return std::make_unique<Mixer<StrongShape>>(content_size);
}

uint64_t ByteMixer::MemoryBytes(ContextStrength strength, uint32_t content_size) {
  return strength == ContextStrength::kFast ? Mixer<FastShape>::MemoryBytes(content_size)
                                            : Mixer<StrongShape>::MemoryBytes(content_size);
}

}  // namespace pith
