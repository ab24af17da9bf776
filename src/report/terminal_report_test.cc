#include "report/terminal_report.h"

#include <gtest/gtest.h>

#include <sstream>

#include "report/visible_text.h"
#include "support/sample_results.h"

namespace pith::bench {
namespace {

std::vector<std::string> Lines(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

std::string LineWith(const std::string& text, const std::string& part) {
  for (const std::string& line : Lines(text)) {
    if (line.find(part) != std::string::npos) return line;
  }
  return "";
}

// Without escape sequences of colours.
std::string Plain(std::string text) {
  for (size_t at = text.find('\x1b'); at != std::string::npos; at = text.find('\x1b'))
    text.erase(at, text.find('m', at) - at + 1);
  return text;
}

TEST(TerminalReport, NoLineIsLongerThanTheTerminal) {
  for (const size_t columns : {40u, 57u, 80u, 100u, 140u}) {
    for (const Results& results : {SampleResults(), FailingResults(), HostileResults(), OneFileResults(),
                                   ExtremeResults(), Results()}) {
      for (const bool unicode : {false, true}) {
        for (const std::string& line : Lines(Plain(TerminalReport(results, columns, true, unicode)))) {
          EXPECT_LE(TextColumns(line), columns) << line;
          EXPECT_TRUE(line.empty() || line.back() != ' ') << line;
        }
      }
    }
  }
}

TEST(TerminalReport, WidthsOutsideTheRangeAreTakenAsItsEnds) {
  EXPECT_EQ(TerminalReport(SampleResults(), 0, false), TerminalReport(SampleResults(), 40, false));
  EXPECT_EQ(TerminalReport(SampleResults(), 100'000, false), TerminalReport(SampleResults(), 140, false));
}

TEST(TerminalReport, AsciiWhenAsked) {
  for (const char c : TerminalReport(SampleResults(), 80, false, false)) {
    EXPECT_TRUE(c == '\n' || (c >= ' ' && c < 0x7f)) << static_cast<int>(c);
  }
  EXPECT_NE(TerminalReport(SampleResults(), 80, false, true).find("█"), std::string::npos);
}

TEST(TerminalReport, EscapesOnlyWithColour) {
  EXPECT_EQ(TerminalReport(FailingResults(), 80, false).find('\x1b'), std::string::npos);
  EXPECT_EQ(TerminalReport(HostileResults(), 80, false).find('\x1b'), std::string::npos);
  const std::string coloured = TerminalReport(FailingResults(), 80, true);
  EXPECT_NE(coloured.find("\x1b[31m"), std::string::npos);
  EXPECT_EQ(Plain(coloured), TerminalReport(FailingResults(), 80, false));
}

TEST(TerminalReport, HasSharesSpeedsMemoryAndTheFront) {
  Results results = OneFileResults();
  results.rows[0].compressed_bytes = 432;  // of 4321
  results.rows[0].compress->seconds = {2, 2, 2};
  results.rows[0].decompress->seconds = {1, 1, 1};
  results.rows[0].compress->peak_bytes = 7'000'000;
  results.rows[0].decompress->peak_bytes = 8'000'000;
  const std::string line = LineWith(TerminalReport(results, 120, false), "zstd -19  ");
  for (const char* part : {"10.0 %", "2.16 KB/s*", "4.32 KB/s*", "8.00 MB", "none"}) {
    EXPECT_NE(line.find(part), std::string::npos) << part << " in " << line;
  }
}

TEST(TerminalReport, TheLongestBarIsThatOfTheLargestArchive) {
  const std::string report = TerminalReport(SampleResults(), 80, false, false);
  const auto bar = [&](const std::string& name) {
    const std::string line = LineWith(report.substr(report.find("prose: ")), name);
    return std::count(line.begin(), line.end(), '#');
  };
  EXPECT_EQ(bar("gzip -9"), 48);  // 39.9 %
  EXPECT_EQ(bar("pith -6"), 23);  // 18.7 %: 48 * 18.7 / 39.9 = 22.5
}

TEST(TerminalReport, FailuresStandThereWithTheirMessages) {
  const std::string report = TerminalReport(FailingResults(), 100, false);
  EXPECT_NE(report.find("corpus/secret.txt: Permission denied"), std::string::npos);
  EXPECT_NE(report.find("xz -9e, corpus/alice_0.md: decompress: byte 17 differs"), std::string::npos);
  EXPECT_NE(report.find("and 31 more: results.json has all"), std::string::npos);
  EXPECT_NE(report.find("interrupted"), std::string::npos);
}

}  // namespace
}  // namespace pith::bench
