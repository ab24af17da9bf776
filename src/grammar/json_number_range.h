// Numbers of JSON between bounds, as expressions of a grammar.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "grammar/json_pieces.h"
#include "pith/status.h"

namespace pith {

// A decimal number, exactly as it is written: a double's shortest form counts, not its binary value.
struct Decimal {
  bool is_negative = false;  // never for zero
  std::string whole = "0";   // digits before the point, without leading zeros but for "0"
  std::string fraction;      // digits behind it, without trailing zeros

  bool is_zero() const { return whole == "0" && fraction.empty(); }
  Decimal Negated() const;
};

// REQUIRES: a finite number.
Decimal ToDecimal(const nlohmann::ordered_json& number);
int Compare(const Decimal& a, const Decimal& b);  // < 0, 0, > 0

// What a number must be. Without any of these, all numbers of JsonPieces.
struct NumberLimits {
  struct Bound {
    Decimal value;
    bool is_exclusive = false;
  };
  std::optional<Bound> lower;
  std::optional<Bound> upper;
  std::optional<Decimal> multiple_of;  // above zero
  bool is_integer = false;

  void Raise(Bound bound);  // the lower bound, unless it is as high already
  void Lower(Bound bound);
  bool is_free() const { return !lower && !upper && !multiple_of; }
};

// kMaxMultiples: so many multiples between two bounds are listed one by one.
inline constexpr int64_t kMaxMultiples = 1000;
// Without bounds, an automaton of remainders finds multiples of integers up to this.
inline constexpr int64_t kMaxDivisor = 100;

// Numbers within the limits, without exponent where there are any; integers have at most kMaxIntegerDigits
// digits. The empty choice when there are none. kUnsupported for a multiple_of, or an exclusive bound, that
// this cannot do.
Result<GrammarBuilder::Expression> NumberWithin(const NumberLimits& limits, GrammarBuilder& builder,
                                                JsonPieces& pieces);

}  // namespace pith
