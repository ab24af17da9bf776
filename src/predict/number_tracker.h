// NumberTracker: what the strength "numeric" knows of decimal numbers: how the one at hand lies to those before it, and
// which digits can come next if it is a binary floating-point number written out. docs/byte_mixing.md section 3a.
//
// Single-threaded; follows one block.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "predict/record_tracker.h"

namespace pith {

class NumberTracker {
 public:
  static constexpr size_t kRoles = RecordTracker::kRoles;
  static constexpr size_t kStates = 27;

  // `history` has the block's bytes up to the position, and outlives the tracker.
  explicit NumberTracker(const uint8_t* history) : history_(history) {}

  // After byte c, the one before it being `before`: c is at position - 1. places: where fields in the same roles have got
  // as far as the next byte, 0: nowhere.
  void Append(uint32_t c, uint32_t before, uint32_t position, const std::array<uint32_t, kRoles>& places);

  // Whether the last byte belongs to a number. If it does not, all that follows is 0.
  bool at_hand() const { return at_hand_; }

  // What is known of the next digit from another number: how far this one has gone from it so far, and how it goes on.
  // 0: nothing is.
  uint64_t near_last() const { return near_last_; }                    // the number before
  uint64_t near_last_but_one() const { return near_last_but_one_; }    // the one before that
  uint64_t on_line() const { return on_line_; }                        // as the last two went on
  uint64_t on_line_of_pairs() const { return on_line_of_pairs_; }      // as the last but one and the one two before that
  uint64_t near_role(size_t role) const { return near_role_[role]; }   // the one in a field in the same role

  uint32_t places() const { return at_hand_ ? static_cast<uint32_t>(number_.places) : 0; }  // digits after the point
  uint64_t fraction() const { return fraction_; }                                           // these, as a number

  // Of float32 and of float64: which digits can come next (bit d: digit d), and how many significant ones there are. 0:
  // there are too few to say, or it is none.
  uint64_t float32() const { return float32_; }
  uint64_t float64() const { return float64_; }

  // A summary of all this for mixers.
  uint32_t state() const { return state_; }

 private:
  struct Number {
    uint64_t value = 0;   // of its digits without the point
    int digits = 0;
    int places = 0;       // digits after the point
    bool negative = false;
    bool point = false;

    void AppendDigit(uint32_t c) {
      value = 10 * value + (c - '0');
      ++digits;
      places += point ? 1 : 0;
    }
  };
  static constexpr size_t kLast = 4;

  void Begin(uint32_t before, uint32_t position, const std::array<uint32_t, kRoles>& places);
  void Predict();
  Number Parse(uint32_t at, uint32_t position) const;
  uint64_t Near(const Number& other) const;
  uint64_t OnLine(const Number& last, const Number& before_that) const;
  uint32_t PossibleDigits(int bits) const;
  const Number& Back(size_t n) const { return last_[(n_numbers_ - n) % kLast]; }
  uint32_t State() const;

  const uint8_t* history_;
  bool at_hand_ = false;
  bool too_long_ = false;
  bool no_float32_ = false;
  int significant_ = 0;  // digits from the first that is not 0
  Number number_;
  size_t n_numbers_ = 0;
  std::array<Number, kLast> last_{};  // digits = 0: none
  std::array<Number, kRoles> in_role_{};

  uint64_t near_last_ = 0, near_last_but_one_ = 0, on_line_ = 0, on_line_of_pairs_ = 0;
  std::array<uint64_t, kRoles> near_role_{};
  uint64_t fraction_ = 0, float32_ = 0, float64_ = 0;
  uint32_t state_ = 0;
};

}  // namespace pith
