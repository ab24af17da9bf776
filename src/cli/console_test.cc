#include "cli/console.h"

#include <gtest/gtest.h>

namespace pith::cli {
namespace {

TEST(Printable, EscapesWhatATerminalWouldObey) {
  EXPECT_EQ(Printable("naïve 文.txt"), "naïve 文.txt");
  EXPECT_EQ(Printable("a\nb\x1b[2J\x7f"), "a\\x0ab\\x1b[2J\\x7f");
  EXPECT_EQ(Printable("\xc2\x9b"), "\\x9b");  // CSI in its 8-bit form
  EXPECT_EQ(Printable("\xc3\x9b"), "\xc3\x9b");
  EXPECT_EQ(Printable("\xc2"), "\xc2");
}

TEST(Format, NumbersForPeople) {
  EXPECT_EQ(FormatBytes(1), "1 byte");
  EXPECT_EQ(FormatBytes(999), "999 bytes");
  EXPECT_EQ(FormatBytes(1000), "1.0 KB");
  EXPECT_EQ(FormatBytes(999'949), "999.9 KB");
  EXPECT_EQ(FormatBytes(999'950), "1.0 MB");
  EXPECT_EQ(FormatBytes(12'345'678), "12.3 MB");
  EXPECT_EQ(FormatBytes(5'000'000'000), "5.00 GB");
  EXPECT_EQ(FormatRatio(241, 1000), "24.1 %");
  EXPECT_EQ(FormatRatio(17, 0), "-");
  EXPECT_EQ(FormatRate(92'000, 1), "92 KB/s");
  EXPECT_EQ(FormatRate(2'340, 1), "2.3 KB/s");
  EXPECT_EQ(FormatRate(50'000'000, 1), "50 MB/s");
  EXPECT_EQ(FormatDuration(7.2), "7 s");
  EXPECT_EQ(FormatDuration(187), "3:07");
  EXPECT_EQ(FormatDuration(7387), "2:03:07");
  EXPECT_EQ(Plural(1, "file"), "1 file");
  EXPECT_EQ(Plural(0, "file"), "0 files");
}

TEST(Format, TimesBefore1970DoNotRoundUp) {
  setenv("TZ", "UTC", 1);
  EXPECT_EQ(FormatTime(0), "1970-01-01 00:00:00");
  EXPECT_EQ(FormatTime(-1), "1969-12-31 23:59:59");
  EXPECT_EQ(FormatTime(1'700'000'000'500'000'000), "2023-11-14 22:13:20");
}

}  // namespace
}  // namespace pith::cli
