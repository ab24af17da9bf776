#include "report/number_text.h"

#include <gtest/gtest.h>

namespace pith::bench {
namespace {

TEST(NumberText, ThreeDigitsAlsoWhereRoundingAddsOne) {
  EXPECT_EQ(ThreeDigits(0), "0");
  EXPECT_EQ(ThreeDigits(0.04518), "0.0452");
  EXPECT_EQ(ThreeDigits(8.92), "8.92");
  EXPECT_EQ(ThreeDigits(9.994), "9.99");
  EXPECT_EQ(ThreeDigits(9.996), "10.0");
  EXPECT_EQ(ThreeDigits(99.96), "100");
  EXPECT_EQ(ThreeDigits(999.4), "999");
  EXPECT_EQ(ThreeDigits(123456), "123456");
  EXPECT_EQ(ThreeDigits(-1.5), "-1.50");
  EXPECT_EQ(ThreeDigits(1.844e19), "1.84e+19");
  EXPECT_EQ(ThreeDigits(5e-324), "4.94e-324");
  EXPECT_EQ(ThreeDigits(1e308 * 10), "–");
}

TEST(NumberText, BytesInDecimalUnits) {
  EXPECT_EQ(BytesText(0), "0 bytes");
  EXPECT_EQ(BytesText(1), "1 byte");
  EXPECT_EQ(BytesText(999), "999 bytes");
  EXPECT_EQ(BytesText(1000), "1.00 KB");
  EXPECT_EQ(BytesText(999'499), "999 KB");
  EXPECT_EQ(BytesText(999'500), "1.00 MB");
  EXPECT_EQ(BytesText(3'400'000), "3.40 MB");
  EXPECT_EQ(BytesText(18e18), "18.0 EB");
  EXPECT_EQ(SpeedText(96'000), "96.0 KB/s");
}

TEST(NumberText, SharesWholesSlicesAndCounts) {
  EXPECT_EQ(ShareText(0.0892), "8.92 %");
  EXPECT_EQ(ShareText(1.05), "105 %");
  EXPECT_EQ(WholeText(0), "0");
  EXPECT_EQ(WholeText(999), "999");
  EXPECT_EQ(WholeText(1000), "1,000");
  EXPECT_EQ(WholeText(1234567), "1,234,567");
  EXPECT_EQ(SliceText(4096), "4 KiB");
  EXPECT_EQ(SliceText(1 << 20), "1 MiB");
  EXPECT_EQ(SliceText(1000), "1.00 KB");
  EXPECT_EQ(CountText(1, "file"), "1 file");
  EXPECT_EQ(CountText(1234, "file"), "1,234 files");
}

TEST(NumberText, Lists) {
  EXPECT_EQ(ListText({}), "");
  EXPECT_EQ(ListText({"a"}), "a");
  EXPECT_EQ(ListText({"a", "b"}), "a and b");
  EXPECT_EQ(ListText({"a", "b", "c"}), "a, b and c");
}

}  // namespace
}  // namespace pith::bench
