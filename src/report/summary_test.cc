#include "report/summary.h"

#include <gtest/gtest.h>

namespace pith::bench {
namespace {

Direction Timed(double seconds, uint64_t peak) {
  Direction direction;
  direction.seconds = {seconds, seconds, seconds};
  direction.work_seconds = {seconds / 2, seconds / 2, seconds / 2};
  direction.peak_bytes = peak;
  return direction;
}

// Codecs by name; "m" before it: has a model of 1000 bytes.
Results WithCodecs(std::initializer_list<const char*> names) {
  Results results;
  for (const char* name : names) {
    results.codecs.push_back({.name = name});
    if (name[0] == 'm') results.codecs.back().model_bytes = 1000;
  }
  return results;
}

size_t AddFile(Results& results, uint64_t bytes, FileType type = FileType::kProse,
               std::optional<uint64_t> slice = {}, const std::string& path = "") {
  results.files.push_back(
      {.path = path.empty() ? "file" + std::to_string(results.files.size()) : path, .type = type, .bytes = bytes, .slice_bytes = slice});
  return results.files.size() - 1;
}

void AddRow(Results& results, size_t codec, size_t file, uint64_t bytes, double compress = 1,
            double decompress = 1, const std::string& error = "") {
  Row row{.codec = codec, .file = file, .repeats = 1, .compressed_bytes = bytes};
  row.compress = Timed(compress, 10 * bytes);
  row.decompress = Timed(decompress, 20 * bytes);
  row.error = error;
  results.rows.push_back(row);
}

TEST(Summary, NothingGivesNothing) {
  const Summary summary = Summarize(Results());
  EXPECT_TRUE(summary.compared.empty());
  EXPECT_TRUE(summary.total.codecs.empty());
  EXPECT_TRUE(summary.slices.empty());
  EXPECT_EQ(summary.n_files, 0u);
}

// 1000 -> 100 (10 %) and 9000 -> 2700 (30 %): by sums 28 %, as a mean 20 %.
TEST(Summary, SharesAreBySumsAndAsMeanOfFiles) {
  Results results = WithCodecs({"a"});
  const size_t small = AddFile(results, 1000), large = AddFile(results, 9000);
  AddRow(results, 0, small, 100, 0.5, 0.25);
  AddRow(results, 0, large, 2700, 1.5, 0.75);
  const Summary summary = Summarize(results);
  ASSERT_EQ(summary.total.codecs.size(), 1u);
  const Totals& totals = summary.total.codecs[0];
  EXPECT_EQ(summary.total.bytes, 10'000u);
  EXPECT_EQ(totals.compressed_bytes, 2800u);
  EXPECT_DOUBLE_EQ(totals.share, 0.28);
  EXPECT_DOUBLE_EQ(totals.mean_share, 0.2);
  EXPECT_DOUBLE_EQ(*totals.compress_speed, 5000);     // 10000 bytes in 2 s
  EXPECT_DOUBLE_EQ(*totals.decompress_speed, 10000);  // in 1 s
  EXPECT_DOUBLE_EQ(*totals.compress_work_speed, 10000);
  EXPECT_DOUBLE_EQ(*totals.decompress_work_speed, 20000);
  EXPECT_EQ(totals.compress_peak_bytes, 27'000u);
  EXPECT_EQ(totals.decompress_peak_bytes, 54'000u);
}

TEST(Summary, ProcessorTimeAndEnergyAreForEachByte) {
  Results results = WithCodecs({"a"});
  for (const uint64_t bytes : {1000, 9000}) AddRow(results, 0, AddFile(results, bytes), 100);
  for (Row& row : results.rows) {
    row.compress->cpu_seconds.median = 10;
    row.decompress->cpu_seconds.median = 5;
    row.compress->joules = 50;
  }
  results.rows[0].decompress->joules = 50;  // and the other is not known
  const Totals totals = Summarize(results).total.codecs.at(0);
  EXPECT_DOUBLE_EQ(totals.compress_cpu, 0.002);
  EXPECT_DOUBLE_EQ(totals.decompress_cpu, 0.001);
  EXPECT_DOUBLE_EQ(totals.compress_joules.value(), 0.01);
  EXPECT_FALSE(totals.decompress_joules);
}

TEST(Summary, SumsDoNotWrapAround) {
  Results results = WithCodecs({"a"});
  for (int i = 0; i < 2; ++i) AddRow(results, 0, AddFile(results, UINT64_MAX), UINT64_MAX);
  const Summary summary = Summarize(results);
  EXPECT_EQ(summary.total.bytes, UINT64_MAX);
  EXPECT_EQ(summary.total.codecs.at(0).compressed_bytes, UINT64_MAX);
}

TEST(Summary, EmptyFilesCountInSumsAndNotInTheMean) {
  Results results = WithCodecs({"a"});
  const size_t file = AddFile(results, 1000), empty = AddFile(results, 0);
  AddRow(results, 0, file, 500);
  AddRow(results, 0, empty, 20);
  const Totals totals = Summarize(results).total.codecs.at(0);
  EXPECT_EQ(totals.compressed_bytes, 520u);
  EXPECT_DOUBLE_EQ(totals.share, 0.52);
  EXPECT_DOUBLE_EQ(totals.mean_share, 0.5);
}

TEST(Summary, OnlyEmptyFilesGiveNoTotals) {
  Results results = WithCodecs({"a"});
  AddRow(results, 0, AddFile(results, 0), 20);
  const Summary summary = Summarize(results);
  EXPECT_EQ(summary.total.n_files, 1u);
  EXPECT_TRUE(summary.total.codecs.empty());
  EXPECT_TRUE(summary.types.empty());
}

TEST(Summary, AClockThatSawNoTimeGivesNoSpeed) {
  Results results = WithCodecs({"a"});
  AddRow(results, 0, AddFile(results, 10), 5, 0, 0);
  const Summary summary = Summarize(results);
  EXPECT_FALSE(summary.total.codecs.at(0).compress_speed);
  EXPECT_TRUE(summary.compress_front.empty());
}

TEST(Summary, FilesThatACodecDidNotCompleteAreLeftOutForAll) {
  Results results = WithCodecs({"a", "b"});
  const size_t good = AddFile(results, 1000), failed = AddFile(results, 1000),
               absent = AddFile(results, 1000);
  AddRow(results, 0, good, 100);
  AddRow(results, 1, good, 200);
  AddRow(results, 0, failed, 100);
  AddRow(results, 1, failed, 1, 1, 1, "decompress: byte 17 differs");
  AddRow(results, 0, absent, 100);
  results.files.push_back({.path = "secret", .error = "permission denied"});
  const Summary summary = Summarize(results);
  // b completed one of the three files that a completed, which is less than half; so b is out and three files
  // stay.
  EXPECT_EQ(summary.compared, (std::vector<size_t>{0}));
  ASSERT_EQ(summary.uncompared.size(), 1u);
  EXPECT_EQ(summary.uncompared[0].n_completed, 1u);
  EXPECT_EQ(summary.total.n_files, 3u);
  EXPECT_EQ(summary.n_left_out, 1u);

  AddRow(results, 1, absent, 200);
  const Summary both = Summarize(results);
  EXPECT_EQ(both.compared, (std::vector<size_t>{0, 1}));
  EXPECT_EQ(both.total.n_files, 2u);
  EXPECT_EQ(both.n_left_out, 2u);
  EXPECT_EQ(both.total.codecs.at(0).compressed_bytes, 200u);
  EXPECT_EQ(both.total.codecs.at(1).compressed_bytes, 400u);
  ASSERT_EQ(both.failures.size(), 2u);
  EXPECT_FALSE(both.failures[0].codec);
  EXPECT_EQ(both.failures[0].error, "permission denied");
  EXPECT_EQ(both.failures[1].file, failed);
  EXPECT_EQ(both.failures[1].codec, 1u);
}

TEST(Summary, ARowWithoutBothDirectionsIsNotCompleted) {
  Results results = WithCodecs({"a"});
  AddRow(results, 0, AddFile(results, 10), 5);
  results.rows[0].decompress.reset();
  EXPECT_TRUE(Summarize(results).compared.empty());
}

TEST(Summary, TypesHaveTotalsOfTheirOwn) {
  Results results = WithCodecs({"a", "b"});
  const size_t prose = AddFile(results, 1000), json = AddFile(results, 500, FileType::kJson);
  AddRow(results, 0, prose, 300);
  AddRow(results, 1, prose, 400);
  AddRow(results, 0, json, 50);
  AddRow(results, 1, json, 40);
  const Summary summary = Summarize(results);
  ASSERT_EQ(summary.types.size(), 2u);
  EXPECT_EQ(summary.types[0].type, FileType::kProse);
  EXPECT_EQ(summary.types[0].group.codecs[0].codec, 0u);
  EXPECT_EQ(summary.types[1].type, FileType::kJson);
  EXPECT_EQ(summary.types[1].group.codecs[0].codec, 1u);  // smallest first
  EXPECT_DOUBLE_EQ(summary.types[1].group.Find(0)->share, 0.1);
  EXPECT_EQ(summary.types[1].group.Find(7), nullptr);
}

TEST(Summary, TheFrontHasWhatNothingBeatsInBoth) {
  Results results = WithCodecs({"slow small", "fast large", "beaten", "equal size slower", "middle"});
  const size_t file = AddFile(results, 1000);
  AddRow(results, 0, file, 100, 10, 1);
  AddRow(results, 1, file, 500, 1, 8);
  AddRow(results, 2, file, 300, 20, 9);
  AddRow(results, 3, file, 100, 11, 2);
  AddRow(results, 4, file, 200, 5, 1);
  const Summary summary = Summarize(results);
  EXPECT_EQ(summary.compress_front, (std::vector<size_t>{0, 4, 1}));
  EXPECT_EQ(summary.decompress_front, (std::vector<size_t>{0}));
}

std::optional<uint64_t> BreakEvenOf(const Summary& summary, size_t codec, size_t other) {
  for (const BreakEven& entry : summary.break_even) {
    if (entry.codec == codec && entry.other == other) return entry.bytes;
  }
  ADD_FAILURE() << "no entry for " << codec << " against " << other;
  return std::nullopt;
}

// A model of 1000 bytes, 25 % against 75 %: 2000 bytes.
TEST(Summary, BreakEvenIsTheModelOverTheDifferenceOfShares) {
  Results results = WithCodecs({"model", "plain", "smaller", "m bigger model"});
  results.codecs[3].model_bytes = 1500;
  const size_t file = AddFile(results, 1000);
  AddRow(results, 0, file, 250);
  AddRow(results, 1, file, 750);
  AddRow(results, 2, file, 200);
  AddRow(results, 3, file, 125);
  const Summary summary = Summarize(results);
  EXPECT_EQ(BreakEvenOf(summary, 0, 1), 2000u);
  EXPECT_EQ(BreakEvenOf(summary, 0, 2), std::nullopt);  // larger: never
  EXPECT_EQ(BreakEvenOf(summary, 3, 0), 4000u);         // 500 bytes more of model, 12.5 % fewer of archive
  EXPECT_EQ(BreakEvenOf(summary, 0, 3), std::nullopt);
  EXPECT_EQ(summary.break_even.size(), 6u);  // codecs without a model have none
  results.codecs[0].model_bytes = 2000;
  EXPECT_EQ(BreakEvenOf(Summarize(results), 3, 0), 0u);  // smaller in both: at once
}

TEST(Summary, SlicesAreTheSameFilesAtEachSize) {
  Results results = WithCodecs({"a"});
  AddRow(results, 0, AddFile(results, 9000), 900);
  for (const char* path : {"x", "y"}) {
    AddRow(results, 0, AddFile(results, 1000, FileType::kProse, 1000, path), 300);
    AddRow(results, 0, AddFile(results, 4000, FileType::kProse, 4000, path), 800);
  }
  AddRow(results, 0, AddFile(results, 1000, FileType::kProse, 1000, "only small"), 900);
  AddRow(results, 0, AddFile(results, 500, FileType::kProse, 1000, "too short"), 400);
  const Summary summary = Summarize(results);
  EXPECT_EQ(summary.n_files, 1u);  // slices are no files
  EXPECT_DOUBLE_EQ(summary.total.codecs.at(0).share, 0.1);
  ASSERT_EQ(summary.slices.size(), 2u);
  EXPECT_EQ(summary.slices[0].slice_bytes, 1000u);
  EXPECT_EQ(summary.slices[0].group.n_files, 2u);
  EXPECT_DOUBLE_EQ(summary.slices[0].group.codecs.at(0).share, 0.3);
  EXPECT_DOUBLE_EQ(summary.slices[1].group.codecs.at(0).share, 0.2);
}

TEST(Summary, SizesThatNoFileHasAreLeftOut) {
  Results results = WithCodecs({"a"});
  AddRow(results, 0, AddFile(results, 1000, FileType::kProse, 1000, "x"), 300);
  AddRow(results, 0, AddFile(results, 700, FileType::kProse, 4000, "x"), 200);
  const Summary summary = Summarize(results);
  ASSERT_EQ(summary.slices.size(), 1u);
  EXPECT_EQ(summary.slices[0].slice_bytes, 1000u);
}

TEST(Summary, SlicesAloneAreCountedAtTheirLargestSize) {
  Results results = WithCodecs({"a"});
  AddRow(results, 0, AddFile(results, 1000, FileType::kProse, 1000, "x"), 300);
  AddRow(results, 0, AddFile(results, 4000, FileType::kProse, 4000, "x"), 800);
  const Summary summary = Summarize(results);
  EXPECT_EQ(summary.n_files, 1u);
  EXPECT_DOUBLE_EQ(summary.total.codecs.at(0).share, 0.2);
}

}  // namespace
}  // namespace pith::bench
