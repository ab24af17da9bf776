#include "grammar/json_number_range.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "grammar/constraint_testing.h"

namespace pith {
namespace {

using Json = nlohmann::ordered_json;

std::unique_ptr<TokenConstraint> Constrain(const NumberLimits& limits) {
  static const auto trie = MakeTrie({});
  GrammarBuilder builder;
  JsonPieces pieces(builder);
  const auto number = NumberWithin(limits, builder, pieces);
  EXPECT_TRUE(number.ok()) << number.status().message();
  const auto root = builder.AddRule("root", *number);
  Result<Grammar> grammar = std::move(builder).Build(root, GrammarBuilder::Barren::kCut);
  if (!grammar.ok()) return nullptr;  // no number fits
  return MakeGrammarConstraint(std::make_shared<const Grammar>(*std::move(grammar)), trie);
}

// "-12.5" of -12500 thousandths; n_digits: behind the point.
std::string TextOf(int64_t thousandths, int n_digits) {
  const int64_t size = thousandths < 0 ? -thousandths : thousandths;
  std::string text = (thousandths < 0 ? "-" : "") + std::to_string(size / 1000);
  if (n_digits == 0) return text;
  return text + "." + std::to_string(1000 + size % 1000).substr(1, static_cast<size_t>(n_digits));
}

TEST(NumberRange, HoldsJustTheNumbersBetweenItsBounds) {
  const double bounds[] = {-21, -20.5, -3, -0.25, 0, 0.125, 0.5, 1, 1.9, 9, 10, 10.01, 19.99, 20};
  for (const double low : bounds) {
    for (const double high : bounds) {
      if (low > high) continue;
      for (int kind = 0; kind < 8; ++kind) {
        NumberLimits limits;
        const bool low_exclusive = (kind & 1) != 0;
        const bool high_exclusive = (kind & 2) != 0;
        limits.is_integer = (kind & 4) != 0;
        limits.lower = NumberLimits::Bound{ToDecimal(Json(low)), low_exclusive};
        limits.upper = NumberLimits::Bound{ToDecimal(Json(high)), high_exclusive};
        const auto constraint = Constrain(limits);
        const auto low_thousandths = static_cast<int64_t>(low * 1000);
        const auto high_thousandths = static_cast<int64_t>(high * 1000);
        for (int64_t n = -22000; n <= 21000; n += n % 1000 == 0 || n % 250 == 5 ? 5 : 120) {
          const bool fits = (low_exclusive ? n > low_thousandths : n >= low_thousandths) &&
                            (high_exclusive ? n < high_thousandths : n <= high_thousandths);
          for (int n_digits = 0; n_digits <= 3; ++n_digits) {
            const int64_t unit = n_digits == 0 ? 1000 : n_digits == 1 ? 100 : n_digits == 2 ? 10 : 1;
            if (n % unit != 0 || (limits.is_integer && n_digits > 0)) continue;
            const std::string text = TextOf(n, n_digits);
            ASSERT_EQ(constraint != nullptr && IsWholeText(*constraint, text), fits)
                << text << " in " << low << (low_exclusive ? " <.. " : " .. ") << high << " kind " << kind;
          }
        }
      }
    }
  }
}

TEST(NumberRange, IntegersOfEachLengthAreCutWhereTheBoundsAre) {
  const int64_t edges[] = {0, 1, 9, 10, 11, 99, 100, 101, 255, 999, 1000, 1234, 9999, 10000};
  for (const int64_t low : edges) {
    for (const int64_t high : edges) {
      if (low > high) continue;
      for (const int64_t sign : {1, -1}) {
        NumberLimits limits;
        limits.is_integer = true;
        limits.lower = NumberLimits::Bound{ToDecimal(Json(sign > 0 ? low : -high))};
        limits.upper = NumberLimits::Bound{ToDecimal(Json(sign > 0 ? high : -low))};
        const auto constraint = Constrain(limits);
        ASSERT_NE(constraint, nullptr);
        for (int64_t n = 0; n <= 11000; n += n < 1300 ? 1 : 89) {
          ASSERT_EQ(IsWholeText(*constraint, std::to_string(sign * n)), n >= low && n <= high)
              << n << " in " << low << " .. " << high;
        }
        for (const int64_t n : edges)
          ASSERT_EQ(IsWholeText(*constraint, std::to_string(sign * n)), n >= low && n <= high);
      }
    }
  }
}

TEST(NumberRange, LargeNumbersAreNotCutShort) {
  NumberLimits limits;
  limits.lower = NumberLimits::Bound{ToDecimal(Json(99.5))};
  const auto constraint = Constrain(limits);
  for (const char* text : {"99.5", "100", "123456789012345678", "999999999999999999.9"})
    EXPECT_TRUE(IsWholeText(*constraint, text)) << text;
  for (const char* text : {"99.4", "0", "1234567890123456789", "-100", "1e9"})
    EXPECT_FALSE(IsWholeText(*constraint, text)) << text;
}

TEST(NumberRange, DoublesCountByTheirShortestForm) {
  EXPECT_EQ(ToDecimal(Json(0.1)).fraction, "1");
  EXPECT_EQ(ToDecimal(Json(1e20)).whole, "100000000000000000000");
  EXPECT_EQ(ToDecimal(Json(-2.50)).fraction, "5");
  EXPECT_TRUE(ToDecimal(Json(-2.50)).is_negative);
  EXPECT_FALSE(ToDecimal(Json(-0.0)).is_negative);
  EXPECT_EQ(ToDecimal(Json(5e-324)).fraction.size(), 324u);
  EXPECT_EQ(ToDecimal(Json(1.7976931348623157e308)).whole.size(), 309u);
  EXPECT_LT(Compare(ToDecimal(Json(-2)), ToDecimal(Json(-1.5))), 0);
  EXPECT_LT(Compare(ToDecimal(Json(9)), ToDecimal(Json(10))), 0);
  EXPECT_LT(Compare(ToDecimal(Json(1.25)), ToDecimal(Json(1.3))), 0);
  EXPECT_EQ(Compare(ToDecimal(Json(1.0)), ToDecimal(Json(1))), 0);
}

TEST(NumberRange, MultiplesAreFoundByTheirRemainders) {
  for (const int n : {1, 2, 7, 10, 64, 99, 100}) {
    NumberLimits limits;
    limits.is_integer = true;
    limits.multiple_of = ToDecimal(Json(n));
    const auto constraint = Constrain(limits);
    for (int i = -1500; i <= 1500; ++i)
      ASSERT_EQ(IsWholeText(*constraint, std::to_string(i)), i % n == 0) << i << " by " << n;
    EXPECT_FALSE(IsWholeText(*constraint, "-0"));
    EXPECT_FALSE(IsWholeText(*constraint, "0" + std::to_string(n)));
  }
}

}  // namespace
}  // namespace pith
