#include "report/comparison.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

namespace pith::bench {
namespace {

Direction Took(double min, double median, double max, uint64_t peak = 10 << 20) {
  Direction direction;
  direction.seconds = {.median = median, .min = min, .max = max};
  direction.work_seconds = direction.cpu_seconds = direction.seconds;
  direction.peak_bytes = peak;
  return direction;
}

// Two codecs on two files, three repeats.
Results Base() {
  Results r;
  r.program = "pith 0.1.0";
  r.repeats = 3;
  r.warmups = 1;
  r.threads = 2;
  r.machine = {.processor = "AMD EPYC",
               .instruction_set = "avx512",
               .n_processors = 2,
               .memory_bytes = 8 << 20,
               .system = "Debian"};
  r.codecs = {{.name = "pith -6", .version = "0.1.0"}, {.name = "zstd -19", .version = "libzstd 1.5.4"}};
  r.files = {{.path = "a.txt", .bytes = 1000, .sha256 = "aa"}, {.path = "b.txt", .bytes = 2000, .sha256 = "bb"}};
  for (size_t codec = 0; codec < 2; ++codec) {
    for (size_t file = 0; file < 2; ++file) {
      r.rows.push_back({.codec = codec,
                        .file = file,
                        .repeats = 3,
                        .compressed_bytes = 100 * (codec + 1) + file,
                        .compressed_sha256 = "cc",
                        .compress = Took(0.98, 1.0, 1.02),
                        .decompress = Took(0.098, 0.1, 0.102)});
    }
  }
  return r;
}

TEST(CompareResults, TheSameTwiceIsNoChange) {
  const Comparison c = CompareResults(Base(), Base());
  EXPECT_EQ(c.n_rows, 4u);
  EXPECT_EQ(c.n_changed, 0u);
  EXPECT_TRUE(c.changes.empty() && c.uncertain.empty() && c.machine.empty() && c.only_before.empty());
  EXPECT_EQ(ComparisonSummary(c), "None of 4 rows changed.");
  EXPECT_TRUE(c.same_machine);
}

TEST(CompareResults, OneByteIsAChangeOfSize) {
  Results after = Base();
  after.rows[2].compressed_bytes -= 1;  // zstd -19 on a.txt
  after.rows[0].compressed_bytes += 50;
  const Comparison c = CompareResults(Base(), after);
  ASSERT_EQ(c.changes.size(), 2u);
  EXPECT_EQ(c.changes[0].what, "pith -6 on a.txt") << "the greater one first";
  EXPECT_EQ(c.changes[1].what, "zstd -19 on a.txt");
  EXPECT_EQ(c.changes[1].before, 200);
  EXPECT_EQ(c.changes[1].after, 199);
  EXPECT_EQ(c.n_changed, 2u);
  EXPECT_EQ(ComparisonSummary(c), "2 of 4 rows changed: 2 sizes (1 larger, 1 smaller).");
  ASSERT_EQ(c.totals.size(), 2u);
  EXPECT_EQ(c.totals[0].codec, "pith -6");
  EXPECT_EQ(c.totals[0].bytes_before, 201u);
  EXPECT_EQ(c.totals[0].bytes_after, 251u);
  EXPECT_EQ(c.totals[0].rows, 2u);
}

TEST(CompareResults, OtherBytesOfTheSameSizeAreCountedButNoChange) {
  Results after = Base();
  after.rows[1].compressed_sha256 = "dd";
  const Comparison c = CompareResults(Base(), after);
  EXPECT_TRUE(c.changes.empty());
  EXPECT_EQ(c.n_other_bytes, 1u);
}

TEST(CompareResults, TimesChangeOnlyBeyondTheNoise) {
  const auto changes = [](const Direction& before, const Direction& after) {
    Results a = Base(), b = Base();
    a.rows[0].compress = before;
    b.rows[0].compress = after;
    const Comparison c = CompareResults(a, b);
    EXPECT_TRUE(c.uncertain.empty());
    EXPECT_EQ(c.n_changed, c.changes.size());
    return c.changes.size();
  };
  EXPECT_EQ(changes(Took(0.98, 1.0, 1.02), Took(1.08, 1.1, 1.12)), 1u) << "10 %, ranges apart";
  EXPECT_EQ(changes(Took(0.98, 1.0, 1.02), Took(0.88, 0.9, 0.92)), 1u) << "faster is a change, too";
  EXPECT_EQ(changes(Took(0.98, 1.0, 1.09), Took(1.08, 1.1, 1.12)), 0u) << "10 %, but the ranges touch";
  EXPECT_EQ(changes(Took(0.98, 1.0, 1.08), Took(1.08, 1.1, 1.12)), 0u) << "one common point";
  EXPECT_EQ(changes(Took(0.99, 1.0, 1.01), Took(1.03, 1.04, 1.05)), 0u) << "apart, but 4 %";
  EXPECT_EQ(changes(Took(0.0030, 0.0031, 0.0032), Took(0.0046, 0.0047, 0.0048)), 0u) << "50 %, but 1.6 ms";
  EXPECT_EQ(changes(Took(0.0030, 0.0031, 0.0032), Took(0.0056, 0.0057, 0.0058)), 1u) << "2.6 ms";
}

TEST(CompareResults, BothDirectionsAndMemoryAreCompared) {
  Results after = Base();
  after.rows[3].decompress = Took(0.198, 0.2, 0.202, 10 << 20);
  after.rows[3].compress = Took(0.98, 1.0, 1.02, 12 << 20);
  after.rows[2].compress = Took(0.98, 1.0, 1.02, (10 << 20) + (900 << 10));  // 9 %
  const Comparison c = CompareResults(Base(), after);
  ASSERT_EQ(c.changes.size(), 2u);
  EXPECT_EQ(c.changes[0].kind, ChangeKind::kDecompressTime);
  EXPECT_EQ(c.changes[1].kind, ChangeKind::kCompressMemory);
  EXPECT_EQ(c.n_changed, 1u) << "one row, two changes";
  EXPECT_EQ(ComparisonSummary(c),
            "1 of 4 rows changed: 1 decompression time (1 slower), 1 compression peak (1 more memory).");
}

TEST(CompareResults, WithOneRepeatTheNoiseIsUnknown) {
  Results before = Base();
  before.rows[0].repeats = 1;
  Results after = Base();
  after.rows[0].compress = Took(2, 2, 2);
  after.rows[1].compress = Took(2, 2, 2);
  const Comparison c = CompareResults(before, after);
  ASSERT_EQ(c.uncertain.size(), 1u);
  EXPECT_EQ(c.uncertain[0].what, "pith -6 on a.txt");
  ASSERT_EQ(c.changes.size(), 1u);
  EXPECT_EQ(c.changes[0].what, "pith -6 on b.txt");
  EXPECT_EQ(c.n_changed, 1u);
  EXPECT_EQ(ComparisonSummary(c),
            "1 of 4 rows changed: 1 compression time (1 slower). 1 more difference may be noise.");
  const std::string text = ComparisonText(c, "a.json", "b.json");
  EXPECT_NE(text.find("Perhaps noise, which one measurement cannot tell"), std::string::npos) << text;
}

TEST(CompareResults, ABrokenRoundTripComesFirst) {
  Results before = Base();
  before.rows[1].error = "compress: timeout";
  before.rows[2].error = "out of memory";
  Results after = Base();
  after.rows[0].compressed_bytes = 1;
  after.rows[2].error = "out of memory again";
  after.rows[3].error = "decompress: byte 17 differs";
  const Comparison c = CompareResults(before, after);
  ASSERT_EQ(c.changes.size(), 3u);
  EXPECT_EQ(c.changes[0].kind, ChangeKind::kBroken);
  EXPECT_EQ(c.changes[0].error, "decompress: byte 17 differs");
  EXPECT_EQ(c.changes[1].kind, ChangeKind::kRepaired);
  EXPECT_EQ(c.changes[1].error, "compress: timeout");
  EXPECT_EQ(c.changes[2].kind, ChangeKind::kSize);
  EXPECT_EQ(c.failing_rows, std::vector<std::string>{"zstd -19 on a.txt: out of memory again"});
  EXPECT_EQ(ComparisonSummary(c),
            "3 of 4 rows changed: 1 broken round trip, 1 repaired round trip, 1 size (1 smaller).");
  ASSERT_EQ(c.totals.size(), 1u) << "sums leave out what failed on either side";
  EXPECT_EQ(c.totals[0].rows, 1u);
}

TEST(CompareResults, OtherContentIsReportedAndNotCompared) {
  Results after = Base();
  after.files[0].sha256 = "ff";
  after.rows[0].compressed_bytes = 1;
  const Comparison c = CompareResults(Base(), after);
  EXPECT_EQ(c.n_rows, 2u);
  EXPECT_TRUE(c.changes.empty());
  EXPECT_EQ(c.other_content, std::vector<std::string>{"a.txt: 1000 bytes before, 1000 after, but others"});
  EXPECT_TRUE(c.only_before.empty() && c.only_after.empty());
}

TEST(CompareResults, RowsArePairedByNameNotByPlace) {
  Results after = Base();
  std::swap(after.codecs[0], after.codecs[1]);
  std::swap(after.files[0], after.files[1]);
  for (Row& row : after.rows) {
    row.codec = 1 - row.codec;
    row.file = 1 - row.file;
  }
  std::reverse(after.rows.begin(), after.rows.end());
  EXPECT_EQ(ComparisonSummary(CompareResults(Base(), after)), "None of 4 rows changed.");
}

TEST(CompareResults, SlicesOfAFileAreFilesOfTheirOwn) {
  Results before = Base();
  before.files[1] = before.files[0];
  before.files[1].slice_bytes = 500;
  before.files.push_back(before.files[1]);
  before.files[2].slice_begin = 500;
  before.files[2].sha256 = "b2";
  before.rows.push_back({.codec = 1, .file = 2, .repeats = 3, .compressed_bytes = 20});
  Results after = before;
  after.rows[1].compressed_bytes = 7;
  after.rows[4].compressed_bytes = 19;
  const Comparison c = CompareResults(before, after);
  ASSERT_EQ(c.changes.size(), 2u);
  EXPECT_EQ(c.changes[0].what, "pith -6 on a.txt, first 500 bytes");
  EXPECT_EQ(c.changes[1].what, "zstd -19 on a.txt, 500 bytes from 500 on");
  EXPECT_EQ(c.n_rows, 5u);
}

TEST(CompareResults, WhatOneSideLacksIsListed) {
  Results after = Base();
  after.codecs[1].name = "xz -9e";
  after.rows.erase(after.rows.begin());
  after.files.push_back({.path = "c.txt"});
  const Comparison c = CompareResults(Base(), after);
  EXPECT_EQ(c.only_before, (std::vector<std::string>{"codec zstd -19", "pith -6 on a.txt"}));
  EXPECT_EQ(c.only_after, (std::vector<std::string>{"codec xz -9e", "file c.txt"}));
  EXPECT_EQ(c.n_rows, 1u);
  const Comparison other = CompareResults(after, Base());
  EXPECT_EQ(other.only_after, c.only_before);
  EXPECT_EQ(other.only_before, c.only_after);
}

TEST(CompareResults, NothingInCommonIsSaid) {
  EXPECT_EQ(ComparisonSummary(CompareResults(Base(), Results())),
            "Nothing to compare: no codec and file that both have.");
}

TEST(CompareResults, MachinesAreSaidFirst) {
  Results after = Base();
  after.machine.processor = "Intel Xeon";
  after.machine.n_processors = 64;
  after.codecs[1].version = "libzstd 1.5.6";
  after.complete = false;
  const Comparison c = CompareResults(Base(), after);
  EXPECT_FALSE(c.same_machine);
  EXPECT_EQ(c.machine, (std::vector<std::string>{"processor: AMD EPYC before, Intel Xeon after",
                                                 "number of processors: 2 before, 64 after",
                                                 "the later measurement was interrupted",
                                                 "zstd -19, version: libzstd 1.5.4 before, libzstd 1.5.6 after"}));
  const std::string text = ComparisonText(c, "a.json", "b.json");
  EXPECT_LT(text.find("Intel Xeon"), text.find("None of 4 rows changed."));
  EXPECT_NE(text.find("Two machines"), std::string::npos);
  Results newer = Base();
  newer.program = "pith 0.2.0";
  EXPECT_TRUE(CompareResults(Base(), newer).same_machine) << "another program on the same machine";
}

TEST(CompareResults, EnginesOfTwoVersionsAreComparedAndUncertain) {
  Results before = Base();
  before.engines = {{.engine = "pith 0.1.0",
                     .model = "mini",
                     .speeds = {{.name = "decode", .threads = 1, .tokens_per_second = 100},
                                {.name = "decode", .threads = 2, .tokens_per_second = 100}}}};
  Results after = before;
  after.engines[0].engine = "pith 0.2.0";
  after.engines[0].speeds[0].tokens_per_second = 109;
  after.engines[0].speeds[1].tokens_per_second = 150;
  const Comparison c = CompareResults(before, after);
  ASSERT_EQ(c.uncertain.size(), 1u);
  EXPECT_EQ(c.uncertain[0].what, "pith, mini: decode, 2 threads");
  EXPECT_NE(ComparisonText(c, "a", "b")
                .find("pith, mini: decode, 2 threads: engine speed 100.0 tokens/s -> 150.0 tokens/s (+50.0 %, faster)"),
            std::string::npos);
}

TEST(ComparisonText, SaysEachChangeOnALineAndCommandsNoTerminal) {
  Results before = Base();
  before.files[0].path = "a\x1b[2J.txt";
  Results after = before;
  after.rows[0].compressed_bytes = 99;
  after.rows[1].compress = Took(1.48, 1.5, 1.52);
  const std::string text = ComparisonText(CompareResults(before, after), "old.json", "new.json");
  EXPECT_EQ(text.find('\x1b'), std::string::npos) << text;
  EXPECT_NE(text.find("\n  pith -6 on \"a\\x1b[2J.txt\": size 100 bytes -> 99 bytes (-1.0 %, smaller)\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("\n  pith -6 on b.txt: compression time 1.00 s -> 1.50 s (+50.0 %, slower)\n"), std::string::npos)
      << text;
  EXPECT_NE(text.find("\n2 of 4 rows changed: "), std::string::npos) << text;
  EXPECT_NE(text.find("more than 5 % and 2 ms"), std::string::npos) << text;
}

TEST(ComparisonText, LongListsAreCut) {
  Results before = Base();
  before.rows.clear();
  before.files.clear();
  for (size_t i = 0; i < 100; ++i) {
    before.files.push_back({.path = "f" + std::to_string(i), .bytes = 1, .sha256 = "aa"});
    before.rows.push_back({.codec = 0, .file = i, .repeats = 3, .compressed_bytes = 10});
  }
  Results after = before;
  for (Row& row : after.rows) row.compressed_bytes = 11;
  const std::string text = ComparisonText(CompareResults(before, after), "a", "b");
  EXPECT_NE(text.find("  and 60 more\n"), std::string::npos) << text;
  EXPECT_NE(text.find("100 of 100 rows changed: 100 sizes (100 larger)."), std::string::npos) << text;
}

}  // namespace
}  // namespace pith::bench
