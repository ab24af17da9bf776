#include "grammar/json_number_range.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

namespace pith {
namespace {

using Expression = GrammarBuilder::Expression;
using Bound = NumberLimits::Bound;

constexpr int64_t kMaxInteger = 999'999'999'999'999'999;
static_assert(kMaxIntegerDigits == 18);

// A double holds each decimal of 15 digits, so that none of them rounds to another.
constexpr size_t kExactDigits = 15;

Decimal FromText(std::string_view text) {
  Decimal d;
  d.is_negative = text.starts_with('-');
  if (d.is_negative) text.remove_prefix(1);
  const size_t point = std::min(text.find('.'), text.size());
  d.whole = text.substr(0, point);
  if (point < text.size()) d.fraction = text.substr(point + 1);
  while (!d.fraction.empty() && d.fraction.back() == '0') d.fraction.pop_back();
  if (d.is_zero()) d.is_negative = false;
  return d;
}

int CompareDigits(const std::string& a, const std::string& b) { return a < b ? -1 : a > b ? 1 : 0; }

class NumberBuilder {
 public:
  NumberBuilder(GrammarBuilder& builder, JsonPieces& pieces) : b_(builder), pieces_(pieces) {}

  // a .. b, without leading zeros. REQUIRES: 0 <= a.
  Expression Natural(int64_t a, int64_t b) {
    std::vector<Expression> parts;
    int64_t first = 0;  // of the numbers with n digits
    int64_t power = 10;
    for (uint32_t n = 1; n <= kMaxIntegerDigits && first <= b; ++n) {
      const int64_t last = power - 1;
      if (last >= a)
        parts.push_back(SameLength(std::to_string(std::max(a, first)), std::to_string(std::min(b, last))));
      first = power;
      if (n < kMaxIntegerDigits) power *= 10;
    }
    return b_.Choice(parts);
  }

  Expression Integer(int64_t a, int64_t b) {
    if (a > b) return b_.Nothing();
    if (a == -kMaxInteger && b == kMaxInteger) return pieces_.Integer();
    std::vector<Expression> parts;
    if (b >= 0) parts.push_back(Natural(std::max<int64_t>(a, 0), b));
    if (a < 0) {
      const Expression minus = b_.Literal("-");
      parts.push_back(b_.Sequence({minus, Natural(std::max<int64_t>(1, -b), -a)}));
    }
    return b_.Choice(parts);
  }

  // Decimals from `low` to `high` (or without end), both not negative, with at most n_digits behind the
  // point.
  Expression Positive(const Bound& low, const std::optional<Bound>& high, uint32_t n_digits) {
    if (low.value.whole.size() > kMaxIntegerDigits) return b_.Nothing();
    const int64_t first = std::stoll(low.value.whole);
    const bool ends = high && high->value.whole.size() <= kMaxIntegerDigits;
    const int64_t last = ends ? std::stoll(high->value.whole) : kMaxInteger + 1;
    if (first > last) return b_.Nothing();
    const std::optional<Bound> from = low;
    const std::optional<Bound> to = ends ? high : std::nullopt;
    const Expression first_whole = b_.Literal(std::to_string(first));
    if (first == last) return b_.Sequence({first_whole, Fraction(from, to, n_digits)});
    std::vector<Expression> parts = {b_.Sequence({first_whole, Fraction(from, std::nullopt, n_digits)})};
    if (first + 1 <= last - 1) {
      const Expression between = Natural(first + 1, last - 1);
      parts.push_back(b_.Sequence({between, Fraction(std::nullopt, std::nullopt, n_digits)}));
    }
    if (ends) {
      const Expression last_whole = b_.Literal(std::to_string(last));
      parts.push_back(b_.Sequence({last_whole, Fraction(std::nullopt, to, n_digits)}));
    }
    return b_.Choice(parts);
  }

  // Multiples of n, of any size that an integer may have.
  Expression Multiples(int64_t n) {
    // rests[r]: digits, at most n_digits, that make a number a multiple when it has been r modulo n.
    std::vector<Expression> rests;
    for (int64_t r = 0; r < n; ++r) rests.push_back(r == 0 ? b_.Empty() : b_.Nothing());
    const auto then = [&](int64_t remainder, int first_digit) {
      std::vector<Expression> parts;
      for (int digit = first_digit; digit <= 9; ++digit) {
        const Expression literal = pieces_.Digit(digit, digit);
        parts.push_back(b_.Sequence({literal, rests[static_cast<size_t>((remainder * 10 + digit) % n)]}));
      }
      return b_.Choice(parts);
    };
    for (uint32_t n_digits = 1; n_digits < kMaxIntegerDigits; ++n_digits) {
      std::vector<Expression> longer;
      for (int64_t r = 0; r < n; ++r) {
        const Expression more = then(r, 0);
        const Expression rest = r == 0 ? b_.Choice({b_.Empty(), more}) : more;
        longer.push_back(rest == b_.Nothing() ? rest : b_.Call(b_.AddRule("multiple", rest)));
      }
      rests = std::move(longer);
    }
    const Expression minus = b_.Optional(b_.Literal("-"));
    const Expression positive = then(0, 1);
    const Expression zero = b_.Literal("0");
    return b_.Choice({zero, b_.Sequence({minus, positive})});
  }

 private:
  // Digit strings from a to b. REQUIRES: a and b have the same length, and a <= b.
  Expression SameLength(const std::string& a, const std::string& b) {
    if (a.empty()) return b_.Empty();
    const auto n_rest = static_cast<uint32_t>(a.size() - 1);
    if (a[0] == b[0]) {
      const Expression digit = b_.Literal(a.substr(0, 1));
      return b_.Sequence({digit, SameLength(a.substr(1), b.substr(1))});
    }
    const std::string nines(n_rest, '9');
    const std::string zeros(n_rest, '0');
    int first = a[0] - '0';
    int last = b[0] - '0';
    std::vector<Expression> parts;
    if (a.substr(1) != zeros) {
      const Expression digit = b_.Literal(a.substr(0, 1));
      parts.push_back(b_.Sequence({digit, SameLength(a.substr(1), nines)}));
      ++first;
    }
    if (b.substr(1) != nines) {
      const Expression digit = b_.Literal(b.substr(0, 1));
      parts.push_back(b_.Sequence({digit, SameLength(zeros, b.substr(1))}));
      --last;
    }
    if (first <= last) {
      const Expression digit = pieces_.Digit(first, last);
      parts.push_back(b_.Sequence({digit, pieces_.Digits(n_rest, n_rest)}));
    }
    return b_.Choice(parts);
  }

  // Nothing or a point and digits, so that 0 or 0.digits lies between the fractions of the bounds.
  Expression Fraction(const std::optional<Bound>& low, const std::optional<Bound>& high, uint32_t n_digits) {
    const Expression none = MayStop(0, low, high) ? b_.Empty() : b_.Nothing();
    const Expression point = b_.Literal(".");
    return b_.Choice({none, b_.Sequence({point, FractionDigits(0, low, high, n_digits)})});
  }

  static int DigitAt(const Bound& bound, size_t i) {
    return i < bound.value.fraction.size() ? bound.value.fraction[i] - '0' : 0;
  }

  // The digits so far are those of each bound that is there; may they be all?
  static bool MayStop(size_t i, const std::optional<Bound>& low, const std::optional<Bound>& high) {
    const auto is_bound = [&](const Bound& bound) { return i >= bound.value.fraction.size(); };
    if (low && (!is_bound(*low) || low->is_exclusive)) return false;
    return !high || !is_bound(*high) || !high->is_exclusive;
  }

  // One digit or more from place i on.
  Expression FractionDigits(size_t i, const std::optional<Bound>& low, const std::optional<Bound>& high,
                            uint32_t n_digits) {
    if (n_digits == 0) return b_.Nothing();
    if (!low && !high) return pieces_.Digits(1, n_digits);
    const int first = low ? DigitAt(*low, i) : 0;
    const int last = high ? DigitAt(*high, i) : 9;
    std::vector<Expression> parts;
    // A digit at a bound keeps that bound for the digits after it; those between are free of both.
    const auto add = [&](int from, int to, const std::optional<Bound>& keep_low,
                         const std::optional<Bound>& keep_high) {
      if (from > to) return;
      const Expression digit = pieces_.Digit(from, to);
      const Expression stop = MayStop(i + 1, keep_low, keep_high) ? b_.Empty() : b_.Nothing();
      const Expression more = FractionDigits(i + 1, keep_low, keep_high, n_digits - 1);
      parts.push_back(b_.Sequence({digit, b_.Choice({stop, more})}));
    };
    if (low && high && first == last) {
      add(first, first, low, high);
    } else if (first < last || !low || !high) {
      if (low) add(first, first, low, std::nullopt);
      add(low ? first + 1 : first, high ? last - 1 : last, std::nullopt, std::nullopt);
      if (high) add(last, last, std::nullopt, high);
    }
    return b_.Choice(parts);
  }

  GrammarBuilder& b_;
  JsonPieces& pieces_;
};

// The least integer that is at least the bound (or above it), within what integers may be.
int64_t LeastInteger(const Bound& bound) {
  const Decimal& d = bound.value;
  if (d.whole.size() > kMaxIntegerDigits) return d.is_negative ? -kMaxInteger : kMaxInteger + 1;
  int64_t n = std::stoll(d.whole) * (d.is_negative ? -1 : 1);
  if (d.fraction.empty()) return bound.is_exclusive ? n + 1 : n;
  return d.is_negative ? n : n + 1;  // "-1.5": from -1 on
}

int64_t GreatestInteger(const Bound& bound) {
  return -LeastInteger({bound.value.Negated(), bound.is_exclusive});
}

Result<Expression> Integers(const NumberLimits& limits, GrammarBuilder& builder, JsonPieces& pieces) {
  NumberBuilder numbers(builder, pieces);
  const int64_t low = limits.lower ? std::max(LeastInteger(*limits.lower), -kMaxInteger) : -kMaxInteger;
  const int64_t high = limits.upper ? std::min(GreatestInteger(*limits.upper), kMaxInteger) : kMaxInteger;
  if (!limits.multiple_of) return numbers.Integer(low, high);
  const Decimal& divisor = *limits.multiple_of;
  if (!divisor.fraction.empty() || divisor.whole.size() > 9) {
    return Unsupported(
        "multipleOf: found a number with a fraction or more than 9 digits, expected none for an integer");
  }
  const int64_t n = std::stoll(divisor.whole);
  if (n == 1) return numbers.Integer(low, high);
  if (low > high) return builder.Nothing();
  int64_t first = low / n;  // of the multiples; division rounds to zero
  if (first * n < low) ++first;
  int64_t last = high / n;
  if (last * n > high) --last;
  if (last - first < kMaxMultiples) {
    std::vector<Expression> parts;
    for (int64_t i = first; i <= last; ++i) parts.push_back(builder.Literal(std::to_string(i * n)));
    return builder.Choice(parts);
  }
  if (limits.lower || limits.upper || n > kMaxDivisor) {
    return Unsupported("multipleOf: " + std::to_string(n) + ", expected at most " +
                       std::to_string(kMaxDivisor) + " and no bounds, or at most " +
                       std::to_string(kMaxMultiples) + " multiples between two bounds");
  }
  return numbers.Multiples(n);
}

}  // namespace

Decimal Decimal::Negated() const {
  Decimal d = *this;
  d.is_negative = !is_negative && !is_zero();
  return d;
}

Decimal ToDecimal(const nlohmann::ordered_json& number) {
  if (number.is_number_unsigned()) return FromText(std::to_string(number.get<uint64_t>()));
  if (number.is_number_integer()) return FromText(std::to_string(number.get<int64_t>()));
  char text[400];  // 1.8e308 has 309 digits, 4.9e-324 has 326
  const auto end =
      std::to_chars(text, text + sizeof text, number.get<double>(), std::chars_format::fixed).ptr;
  return FromText(std::string_view(text, static_cast<size_t>(end - text)));
}

int Compare(const Decimal& a, const Decimal& b) {
  if (a.is_negative != b.is_negative) return a.is_negative ? -1 : 1;
  const int by_length = a.whole.size() < b.whole.size() ? -1 : a.whole.size() > b.whole.size() ? 1 : 0;
  int order = by_length != 0 ? by_length : CompareDigits(a.whole, b.whole);
  if (order == 0) order = CompareDigits(a.fraction, b.fraction);
  return a.is_negative ? -order : order;
}

void NumberLimits::Raise(Bound bound) {
  const int order = lower ? Compare(bound.value, lower->value) : 1;
  if (order > 0 || (order == 0 && bound.is_exclusive)) lower = std::move(bound);
}

void NumberLimits::Lower(Bound bound) {
  const int order = upper ? Compare(bound.value, upper->value) : -1;
  if (order < 0 || (order == 0 && bound.is_exclusive)) upper = std::move(bound);
}

Result<GrammarBuilder::Expression> NumberWithin(const NumberLimits& limits, GrammarBuilder& builder,
                                                JsonPieces& pieces) {
  uint32_t n_digits = kMaxFractionDigits;
  bool is_integer = limits.is_integer;
  NumberLimits rest = limits;
  if (limits.multiple_of) {
    // 0.01 is said by digits: two of them.
    const Decimal& d = *limits.multiple_of;
    const bool is_digits = d.whole == "0" && !d.fraction.empty() &&
                           d.fraction.find_first_not_of('0') == d.fraction.size() - 1 &&
                           d.fraction.back() == '1' && d.fraction.size() <= kMaxFractionDigits;
    if (is_digits) {
      n_digits = static_cast<uint32_t>(d.fraction.size());
      rest.multiple_of.reset();
    } else if (d.fraction.empty()) {
      is_integer = true;  // multiples of integers are integers
    } else {
      return Unsupported("multipleOf: expected an integer, 0.1, 0.01, 0.001, ..");
    }
  }
  if (is_integer) return Integers(rest, builder, pieces);
  if (limits.is_free()) return pieces.Number();

  // A text above an exclusive bound must not be read as the bound itself, by rounding to a double.
  for (const std::optional<Bound>& bound : {limits.lower, limits.upper}) {
    if (!bound || !bound->is_exclusive) continue;
    if (bound->value.whole.size() >= kExactDigits)
      return Unsupported("exclusive bound: expected fewer than 15 digits before the point");
    n_digits = std::min(n_digits, static_cast<uint32_t>(kExactDigits - bound->value.whole.size()));
  }
  if (limits.lower && limits.upper) {
    const int order = Compare(limits.lower->value, limits.upper->value);
    if (order > 0) return builder.Nothing();
    if (order == 0 && (limits.lower->is_exclusive || limits.upper->is_exclusive)) return builder.Nothing();
  }
  NumberBuilder numbers(builder, pieces);
  const Bound zero;
  const Bound above_zero{{}, true};
  std::vector<Expression> parts;
  if (!limits.upper || !limits.upper->value.is_negative) {
    const bool from_bound = limits.lower && !limits.lower->value.is_negative;
    parts.push_back(numbers.Positive(from_bound ? *limits.lower : zero, limits.upper, n_digits));
  }
  if (!limits.lower || limits.lower->value.is_negative) {
    std::optional<Bound> high;
    if (limits.lower) high = Bound{limits.lower->value.Negated(), limits.lower->is_exclusive};
    Bound low = above_zero;  // zero has no sign
    if (limits.upper && limits.upper->value.is_negative)
      low = Bound{limits.upper->value.Negated(), limits.upper->is_exclusive};
    const Expression minus = builder.Literal("-");
    parts.push_back(builder.Sequence({minus, numbers.Positive(low, high, n_digits)}));
  }
  return builder.Choice(parts);
}

}  // namespace pith
