#include "predict/number_tracker.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdio>
#include <random>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace pith {
namespace {

using Places = std::array<uint32_t, NumberTracker::kRoles>;

// What a tracker knows after a text. No fields in roles but those that `places` says, for the first byte of a number.
struct Known {
  explicit Known(std::string_view text, const Places& places = {}) : history(ToBytes(text)), tracker(history.data()) {
    for (uint32_t i = 0; i < history.size(); ++i) {
      tracker.Append(history[i], i != 0 ? history[i - 1] : 0, i + 1, places);
    }
  }
  static Bytes ToBytes(std::string_view text) { return Bytes(text.begin(), text.end()); }

  Bytes history;
  NumberTracker tracker;
};

std::string Written(double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%.17g", value);
  return text;
}

uint32_t Possible(uint64_t floats) { return floats & 1023; }

// The text up to and with its n-th significant digit; all of it if it has fewer.
std::string_view UpTo(std::string_view text, int n) {
  bool significant = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] < '0' || text[i] > '9') continue;
    significant = significant || text[i] != '0';
    if (significant && --n == 0) return text.substr(0, i + 1);
  }
  return text;
}

TEST(NumberTracker, FindsNumbers) {
  for (const char* text : {"7", "x 12", "-3.", "a,0.5", "\"42", "5-6", "\xc2\xb5 8"}) EXPECT_TRUE(Known(text).tracker.at_hand()) << text;
  for (const char* text : {"", "x", "x7", "7 ", "1.2.", "1.2.3", "..5", "12a", "-", "0.5e", "\xc2\xb5" "8"}) EXPECT_FALSE(Known(text).tracker.at_hand()) << text;
}

TEST(NumberTracker, NextDigitOfAFloat64IsPossible) {
  std::mt19937_64 random(1);
  int n_possible = 0, n_seen = 0;
  for (int round = 0; round < 3000; ++round) {
    const double value = std::ldexp(static_cast<double>(random() >> 11), -53 - static_cast<int>(random() % 8) + static_cast<int>(random() % 40));
    const std::string text = Written(value);
    if (value < 1e-3 || text.find('.') == text.npos || text.find('e') != text.npos) continue;
    for (const int n : {15, 16}) {
      const std::string_view begin = UpTo(text, n);
      if (begin.size() == text.size() || begin.find('.') == begin.npos) continue;
      const uint32_t possible = Possible(Known(begin).tracker.float64());
      EXPECT_TRUE(possible >> (text[begin.size()] - '0') & 1) << text << " after " << begin;
      n_possible += n == 16 ? std::popcount(possible) : 0;
      n_seen += n == 16 ? 1 : 0;
    }
  }
  ASSERT_GT(n_seen, 1000);
  EXPECT_LT(n_possible, 5 * n_seen);  // of ten
}

TEST(NumberTracker, NineDigitsSayWhichFloat32ItIs) {
  std::mt19937_64 random(2);
  int n_seen = 0;
  for (int round = 0; round < 1000; ++round) {
    const float value = std::ldexp(static_cast<float>(random() >> 40), -24 + static_cast<int>(random() % 12));
    const std::string text = Written(value);
    if (value < 1e-3F) continue;
    for (int n = 8; n <= 16; ++n) {
      const std::string_view begin = UpTo(text, n);
      if (begin.size() == text.size() || begin.find('.') == begin.npos) continue;
      const uint32_t possible = Possible(Known(begin).tracker.float32());
      EXPECT_TRUE(possible >> (text[begin.size()] - '0') & 1) << text << " after " << begin;
      if (n > 9) {
        EXPECT_EQ(std::popcount(possible), 1) << text << " after " << begin;
      }
      ++n_seen;
    }
  }
  EXPECT_GT(n_seen, 5000);
  // 0.1 as a float32 is 0.10000000149011612; what goes on otherwise is none, once and for all.
  EXPECT_EQ(Possible(Known("0.1000000014").tracker.float32()), 1u << 9);
  EXPECT_EQ(Possible(Known("0.1000000024").tracker.float32()), 0u);
  EXPECT_EQ(Known("0.10000000249").tracker.float32(), 0u);
  EXPECT_EQ(Possible(Known("0.3000000000000000").tracker.float64()), 1u << 4);  // 0.1 + 0.2 is 0.30000000000000004
}

TEST(NumberTracker, KnowsHowFarItIsFromTheNumberBefore) {
  const auto near = [](std::string_view text) { return Known(text).tracker.near_last(); };
  EXPECT_EQ(near("43.5"), 0u);                           // there is none
  EXPECT_EQ(near("-1.25,1.2"), 0u);                      // of the other sign
  EXPECT_EQ(near("43.4997,43.4"), near("71.4997,71.4"));  // all of it so far, and what comes next
  EXPECT_NE(near("43.4997,43.4"), near("43.4897,43.4"));
  EXPECT_EQ(near("43.4997,43.5"), near("71.4997,71.5"));  // one more, and what it would have been
  EXPECT_EQ(near("43.4997,43.5"), near("43.4957,43.5"));
  EXPECT_NE(near("43.4997,43.5"), near("43.4997,43.3"));
  EXPECT_EQ(near("43.4997,43.9"), near("43.2161,43.8"));  // far away
  EXPECT_EQ(near("995,99"), near("1995,199"));            // by the number of digits where there is no point
  EXPECT_NE(near("995,99"), near("99.5,99"));             // the point is next
}

TEST(NumberTracker, GoesOnAsTheLastOnesDid) {
  // 10.2, 10.4: on the line lies 10.6, and 10.6 itself is as near to that as can be.
  const Known on_line("10.2,10.4,10.6");
  EXPECT_EQ(on_line.tracker.on_line(), Known("10.6,10.6").tracker.near_last());
  EXPECT_EQ(Known("10.25,10.4,10.5").tracker.on_line(), Known("10.55,10.5").tracker.near_last());  // of different lengths
  EXPECT_EQ(Known("30,10,1").tracker.on_line(), 0u);                                                // below 0
  EXPECT_EQ(Known("-3.5,2.5,1.").tracker.on_line(), 0u);
  const Known pairs("1.5,70.1,1.7,70.3,1.9");
  EXPECT_EQ(pairs.tracker.on_line_of_pairs(), Known("1.9,1.9").tracker.near_last());
}

TEST(NumberTracker, ReadsTheNumberInTheSameRole) {
  const auto in_role = [](std::string_view text, uint32_t place) { return Known(text, {place, 0, 0}).tracker.near_role(0); };
  const uint64_t expected = Known("17.25,17.2").tracker.near_last();
  EXPECT_EQ(in_role("x 17.25 1234 17.2", 3), expected);  // the place is that of the second digit, as the field has got so far
  EXPECT_EQ(in_role("x 17.25 1234 17.2", 2), expected);  // a sign or blank before it
  EXPECT_EQ(in_role("x 17.25 1234 17.2", 5), expected);  // from within
  EXPECT_EQ(in_role("xy 17.25 1234 17.2", 1), 0u);       // no number
  EXPECT_EQ(in_role("x 17.25 1234 17.2", 0), 0u);        // none known
}

TEST(NumberTracker, AnyDigitsAreHarmless) {
  std::mt19937_64 random(3);
  std::string texts[] = {std::string(300, '7'), "0." + std::string(300, '0') + "123456789012345678901234567890", std::string(40, '0') + ".5", ""};
  for (int i = 0; i < 20000; ++i) texts[3] += "0123456789.-, \n1290"[random() % 19];
  for (const std::string& text : texts) {
    const Bytes history = Known::ToBytes(text);
    NumberTracker tracker(history.data());
    for (uint32_t i = 0; i < history.size(); ++i) {
      const auto any = [&] { return static_cast<uint32_t>(random() % (i + 1)); };
      tracker.Append(history[i], i != 0 ? history[i - 1] : 0, i + 1, {any(), any(), any()});
      ASSERT_LT(tracker.state(), NumberTracker::kStates);
    }
  }
}

}  // namespace
}  // namespace pith
