#include "predict/number_tracker.h"

#include <algorithm>
#include <bit>

#include "predict/byte_kinds.h"

namespace pith {
namespace {

__extension__ using U128 = unsigned __int128;

constexpr int kMostSignificant = 18;  // a value stays below 10^18
constexpr int kMostDigits = 24;       // zeros before the first significant one count
constexpr int kWrittenDigits = 17;    // that say which float64 it is
constexpr int kMostPlaces = 22;       // of a float written out: 10^22 times 2^53 has 127 bits
constexpr int kMostShift = 69;
constexpr uint32_t kMostBack = 24;

constexpr auto kPowers = [] {
  std::array<U128, kMostDigits + 1> powers{};
  powers[0] = 1;
  for (size_t i = 1; i < powers.size(); ++i) powers[i] = 10 * powers[i - 1];
  return powers;
}();

constexpr U128 PowerOf10(int n) { return kPowers[static_cast<size_t>(n)]; }
constexpr uint64_t SmallPowerOf10(int n) { return static_cast<uint64_t>(PowerOf10(n)); }  // n <= 19

int BitWidth(U128 v) {
  const auto high = static_cast<uint64_t>(v >> 64);
  return static_cast<int>(high != 0 ? 64 + std::bit_width(high) : std::bit_width(static_cast<uint64_t>(v)));
}

// The largest e with 2^e <= v / w.
int FloorLog2(U128 v, U128 w) {
  const int e = BitWidth(v) - BitWidth(w);
  return (e >= 0 ? v >= w << e : v << -e >= w) ? e : e - 1;
}

}  // namespace

void NumberTracker::Append(uint32_t c, uint32_t before, uint32_t position, const std::array<uint32_t, kRoles>& places) {
  if (!at_hand_) {
    if (!IsDigit(c) || before == '.' || IsLetter(before)) return;
    Begin(before, position, places);
  }
  if (IsDigit(c)) {
    if (significant_ < kMostSignificant && number_.digits < kMostDigits) {
      number_.AppendDigit(c);
      significant_ += number_.value != 0 ? 1 : 0;
    } else {
      too_long_ = true;
    }
  } else if (c == '.' && !number_.point) {
    number_.point = true;
  } else {
    last_[++n_numbers_ % kLast] = number_;
    at_hand_ = false;
  }
  Predict();
}

void NumberTracker::Begin(uint32_t before, uint32_t position, const std::array<uint32_t, kRoles>& places) {
  at_hand_ = true;
  too_long_ = no_float32_ = false;
  significant_ = 0;
  number_ = {};
  number_.negative = before == '-';
  for (size_t r = 0; r < kRoles; ++r) in_role_[r] = places[r] > 1 ? Parse(places[r] - 1, position) : Number{};
}

// The number that has a digit at or directly after `at`.
NumberTracker::Number NumberTracker::Parse(uint32_t at, uint32_t position) const {
  Number number;
  if (!IsDigit(history_[at])) ++at;
  if (at >= position || !IsDigit(history_[at])) return number;
  for (uint32_t n = 0; n < kMostBack && at > 0 && (IsDigit(history_[at - 1]) || history_[at - 1] == '.'); ++n) --at;
  if (!IsDigit(history_[at])) ++at;
  number.negative = at > 0 && history_[at - 1] == '-';
  for (; at < position && number.digits < kMostSignificant; ++at) {
    const uint32_t c = history_[at];
    if (IsDigit(c)) {
      number.AppendDigit(c);
    } else if (c == '.' && !number.point) {
      number.point = true;
    } else {
      break;
    }
  }
  return number;
}

void NumberTracker::Predict() {
  near_last_ = near_last_but_one_ = on_line_ = on_line_of_pairs_ = fraction_ = float32_ = float64_ = 0;
  near_role_ = {};
  state_ = 0;
  if (!at_hand_) return;
  if (!too_long_) {
    near_last_ = Near(Back(0));
    near_last_but_one_ = Near(Back(1));
    on_line_ = OnLine(Back(0), Back(1));
    on_line_of_pairs_ = OnLine(Back(1), Back(3));
    for (size_t r = 0; r < kRoles; ++r) near_role_[r] = Near(in_role_[r]);
    fraction_ = number_.places < kMostSignificant ? number_.value % SmallPowerOf10(number_.places) : number_.value;
    if (number_.point) {
      const uint64_t n = static_cast<uint64_t>(significant_);
      if (significant_ >= 15) float64_ = (significant_ <= 16 ? PossibleDigits(53) : 0) | n << 10;
      if (significant_ >= 8 && significant_ <= 16 && !no_float32_) {
        const uint32_t possible = PossibleDigits(24);
        no_float32_ = possible == 0;
        float32_ = possible | n << 10;
      }
    }
  }
  state_ = State();
}

uint64_t NumberTracker::Near(const Number& other) const {
  if (other.digits == 0 || other.negative != number_.negative) return 0;
  const int left = number_.point ? other.places - number_.places : other.digits - number_.digits;
  const uint64_t after_point = number_.point ? 1 : 0;
  if (left < 0 || left > kMostSignificant) return 1 + after_point;
  const uint64_t unit = SmallPowerOf10(left);
  const uint64_t rest = other.value % unit;
  const uint64_t next = left >= 1 ? rest / SmallPowerOf10(left - 1) : 10;
  const uint64_t next2 = left >= 2 ? rest / SmallPowerOf10(left - 2) % 10 : 10;
  const auto ahead = std::clamp<int64_t>(static_cast<int64_t>(number_.value - other.value / unit), -3, 3);
  const uint64_t point_next = !number_.point && other.point && other.places == left ? 1 : 0;
  const uint64_t digits = ahead == 0 ? next << 4 | next2 : ahead > -3 && ahead < 3 ? next << 4 : 0;
  const uint64_t places = static_cast<uint64_t>(std::min(number_.places, 15));
  return 4 + (places << 16 | static_cast<uint64_t>(ahead + 3) << 12 | digits << 4 | point_next << 3 | after_point << 2);
}

uint64_t NumberTracker::OnLine(const Number& last, const Number& before_that) const {
  if (last.digits == 0 || before_that.digits == 0 || last.negative != before_that.negative) return 0;
  const int places = std::max(last.places, before_that.places);
  const auto value = [&](const Number& n) { return n.value * SmallPowerOf10(places - n.places); };
  const auto digits = [&](const Number& n) { return n.digits + places - n.places; };
  if (digits(last) > kMostSignificant || digits(before_that) > kMostSignificant) return 0;
  if (2 * value(last) < value(before_that)) return 0;
  Number next = last;
  next.value = 2 * value(last) - value(before_that);
  next.digits = digits(last);
  next.places = places;
  return Near(next);
}

// Whether a float of so many bits lies where the 17 significant digits that it would be written with begin with those at
// hand and d, for each d.
uint32_t NumberTracker::PossibleDigits(int bits) const {
  const int left = kWrittenDigits - significant_;
  const int places = number_.places + left;
  if (places > kMostPlaces) return 0;
  const int shift = bits - 1 - FloorLog2(number_.value, PowerOf10(number_.places));
  if (shift < 1 || shift > kMostShift) return 0;
  const uint64_t step = SmallPowerOf10(left - 1);
  const U128 divisor = 2 * PowerOf10(places);
  uint32_t possible = 0;
  U128 before = 0;
  for (uint32_t d = 0; d <= 10; ++d) {
    // The first multiple of 2^-shift that is rounded to `written` or beyond; one halfway goes to the even neighbour.
    const U128 written = U128{10 * number_.value + d} * step;
    const U128 first = (((2 * written - 1) << shift) + divisor - (written % 2 == 0 ? 1 : 0)) / divisor;
    if (d != 0 && first > before) possible |= 1u << (d - 1);
    before = first;
  }
  return possible;
}

uint32_t NumberTracker::State() const {
  const auto n = static_cast<uint32_t>(significant_);
  if (!number_.point) return 1 + static_cast<uint32_t>(std::min(number_.digits, 4));
  if ((float32_ & 1023) != 0 && n >= 9) return 16 + std::min(n - 9, 3u);
  if (n >= 17) return 26;
  if (n == 16) return 21 + static_cast<uint32_t>(std::min(std::popcount(float64_ & 1023), 4));
  if (n == 15) return 20;
  return 6 + static_cast<uint32_t>(std::min(number_.places, 9));
}

}  // namespace pith
