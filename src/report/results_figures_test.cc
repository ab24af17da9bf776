#include "report/results_figures.h"

#include <gtest/gtest.h>

namespace pith::bench {
namespace {

Direction Took(double seconds, uint64_t peak) {
  Direction direction;
  direction.seconds = {.median = seconds, .min = seconds, .max = seconds};
  direction.peak_bytes = peak;
  return direction;
}

// Two texts and a table, with the three codecs that the figures name, and a slice that they leave out.
Results Small() {
  Results r;
  r.codecs = {{.name = "zstd -19"}, {.name = "xz -9e"}, {.name = "pith -6", .is_pith = true}};
  r.files = {{.path = "a.txt", .type = FileType::kProse, .bytes = 1000},
             {.path = "data|1.csv", .type = FileType::kCsv, .bytes = 100000},
             {.path = "b.txt", .type = FileType::kProse, .bytes = 3000},
             {.path = "b.txt", .type = FileType::kProse, .bytes = 3000, .slice_bytes = 100}};
  const uint64_t sizes[3][3] = {{400, 20000, 1000}, {500, 16000, 800}, {200, 10000, 700}};
  for (size_t codec = 0; codec < 3; ++codec) {
    for (size_t file = 0; file < 3; ++file) {
      r.rows.push_back({.codec = codec,
                        .file = file,
                        .repeats = 3,
                        .compressed_bytes = sizes[codec][file],
                        .compress = Took(0.5, 40'000'000 + file),
                        .decompress = Took(0.002, 20'400'000)});
    }
  }
  return r;
}

std::string Region(const std::string& kind, const std::string& content = "") {
  return "<!-- results: " + kind + " -->\n" + content + "<!-- end results -->\n";
}

std::string Fill(const std::string& markdown, const Results& results = Small()) {
  const Result<std::string> filled = FillFigures(markdown, results, "README.md");
  EXPECT_TRUE(filled.ok()) << filled.status().message();
  return filled.ok() ? *filled : "";
}

TEST(FillFigures, FilesAreATableOfThem) {
  EXPECT_EQ(Fill(Region("files")),
            Region("files",
                   "\n| file | bytes | zstd -19 | xz -9e | pith | bits per byte | of zstd's size | compress KB/s | "
                   "decompress KB/s |\n"
                   "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n"
                   "| a.txt | 1000 | 400 | 500 | 200 | 1.600 | 50 % | 2.00 | 500 |\n"
                   "| data\\|1.csv | 100000 | 20000 | 16000 | 10000 | 0.800 | 50 % | 200 | 50000 |\n"
                   "| b.txt | 3000 | 1000 | 800 | 700 | 1.867 | 70 % | 6.00 | 1500 |\n\n"));
}

TEST(FillFigures, NamedFilesAreShownInTheOrderOfTheirNames) {
  Results results = Small();
  results.files[0].path = "texts/a.txt";
  const std::string filled = Fill(Region("files b.txt a.txt"), results);
  const size_t b = filled.find("\n| b.txt | 3000 | 1000 |");
  const size_t a = filled.find("\n| a.txt | 1000 | 400 |");
  EXPECT_NE(a, std::string::npos) << filled;
  EXPECT_LT(b, a) << filled;
  EXPECT_EQ(filled.find("csv"), std::string::npos) << filled;
  const Result<std::string> none = FillFigures(Region("files b.txt .txt"), results, "README.md");
  EXPECT_EQ(none.status().message(), "README.md: line 1: \".txt\" was not measured");
}

TEST(FillFigures, TypesHaveSumsAndMeans) {
  EXPECT_EQ(Fill(Region("types")),
            Region("types",
                   "\n| type | files | bytes | zstd -19 | xz -9e | pith | bits per byte | of zstd's size | mean of the "
                   "files' shares |\n"
                   "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n"
                   // (200 + 700) / (400 + 1000) = 64 %; (50 % + 70 %) / 2 = 60 %
                   "| prose | 2 | 4000 | 1400 | 1300 | 900 | 1.800 | 64 % | 60 % |\n"
                   "| CSV | 1 | 100000 | 20000 | 16000 | 10000 | 0.800 | 50 % | 50 % |\n\n"));
}

TEST(FillFigures, LevelsAreAllCodecsOverAllFiles) {
  EXPECT_EQ(Fill(Region("levels")),
            Region("levels",
                   "\n| | bytes | of the original | compress KB/s | decompress KB/s | compress MB | decompress MB |\n"
                   "| --- | ---: | ---: | ---: | ---: | ---: | ---: |\n"
                   "| zstd -19 | 21400 | 20.6 % | 69.3 | 17333 | 40 | 20 |\n"
                   "| xz -9e | 17300 | 16.6 % | 69.3 | 17333 | 40 | 20 |\n"
                   "| pith -6 | 10900 | 10.5 % | 69.3 | 17333 | 40 | 20 |\n\n"));
}

TEST(FillFigures, TheSentenceIsOne) {
  EXPECT_EQ(
      Fill(Region("sentence")),
      Region("sentence",
             "\nOn 3 files of 0.1 MB, pith -6 needs 0.838 bits per byte: 51 % of what zstd -19 needs, 63 % of what "
             "xz -9e needs.\n\n"));
}

TEST(FillFigures, OnlyRegionsChangeAndASecondTimeNothingDoes) {
  const std::string before = "# Title\n\ntext\n" + Region("sentence", "\nold\n\nolder\n") + "\nbetween\n" +
                             Region("levels") + "the end, without a line end";
  const std::string once = Fill(before);
  EXPECT_TRUE(once.starts_with("# Title\n\ntext\n<!-- results: sentence -->\n\nOn 3 files")) << once;
  EXPECT_EQ(once.find("old"), std::string::npos);
  EXPECT_NE(once.find("<!-- end results -->\n\nbetween\n<!-- results: levels -->\n"), std::string::npos) << once;
  EXPECT_TRUE(once.ends_with("<!-- end results -->\nthe end, without a line end")) << once;
  EXPECT_EQ(Fill(once), once);
  for (const char* plain : {"", "no region\n", "no region", "\n\n"}) EXPECT_EQ(Fill(plain), plain);
}

TEST(FillFigures, OtherPithCodecsDoWhereTheDefaultIsMissing) {
  Results results = Small();
  results.codecs[2].name = "pith qwen";
  EXPECT_NE(Fill(Region("sentence"), results).find("MB, pith qwen needs"), std::string::npos);
}

TEST(FillFigures, FencedExamplesAreNoRegions) {
  const std::string text =
      "```\n" + Region("files", "example\n") + "```\n    <!-- results: files -->\nin <!-- end results -->\n";
  EXPECT_FALSE(HasFigures(text));
  EXPECT_EQ(Fill(text), text);
  EXPECT_TRUE(HasFigures(text + Region("files")));
  EXPECT_TRUE(HasFigures("<!-- end results -->\n")) << "half a region is one to complain of";
}

TEST(FillFigures, BrokenRegionsAreErrorsWithTheirLine) {
  const auto expect = [](const std::string& text, const std::string& message) {
    const Status status = FillFigures(text, Small(), "README.md").status();
    EXPECT_EQ(status.code(), StatusCode::kCorrupt);
    EXPECT_EQ(status.message(), "README.md: " + message);
  };
  expect("a\n<!-- results: files -->\nb\n", "line 2: the region has no end");
  expect("a\n\n<!-- end results -->\n", "line 3: ends a region where none has begun");
  expect("<!-- results: files -->\n<!-- results: types -->\n<!-- end results -->\n",
         "line 2: a region begins before that of line 1 has ended");
  expect(Region("speeds"), "line 1: \"speeds\" is no kind of figures; there are files, types, levels, sentence");
}

TEST(FillFigures, ResultsThatAreNotWholeAreErrors) {
  const auto expect = [](const std::string& kind, auto change, const std::string& part) {
    Results results = Small();
    change(results);
    const Status status = FillFigures(Region(kind), results, "README.md").status();
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
    EXPECT_EQ(status.message(), "README.md: line 1: " + part);
  };
  expect("files", [](Results& r) { r.complete = false; }, "the measurement was interrupted");
  expect("sentence", [](Results& r) { r = Results(); }, "no whole file was measured");
  expect("types", [](Results& r) { r.codecs[1].name = "xz -6"; }, "codec \"xz -9e\" was not measured");
  expect("levels", [](Results& r) { r.rows[4].error = "timeout"; }, "xz -9e on \"data|1.csv\": timeout");
  expect("files", [](Results& r) { r.rows.pop_back(); }, "pith -6 on \"b.txt\": was not measured");
  expect(
      "files", [](Results& r) { r.rows[8].decompress.reset(); },
      "pith -6 on \"b.txt\": was measured in one direction only");
  expect("files", [](Results& r) { r.files[0].error = "cannot read"; }, "\"a.txt\": cannot read");
  expect("sentence", [](Results& r) { r.codecs[2] = {.name = "paq"}; }, "no codec of pith was measured");
}

TEST(FillFigures, EmptyFilesDivideNothingByZero) {
  Results results = Small();
  for (FileEntry& file : results.files) file.bytes = 0;
  for (Row& row : results.rows) row.compressed_bytes = 0;
  for (const char* kind : {"files", "types", "levels", "sentence"}) {
    const std::string text = Fill(Region(kind), results);
    EXPECT_EQ(text.find("nan"), std::string::npos) << text;
    EXPECT_EQ(text.find("inf"), std::string::npos) << text;
  }
}

TEST(LineDifferences, NamesTheLines) {
  EXPECT_EQ(LineDifferences("a\nb\nc\n", "a\nb\nc\n", "f"), "");
  EXPECT_EQ(LineDifferences("a\nb\nc\n", "a\nB\nc\nd\n", "f"), "f:2: -b\nf:2: +B\nf:4: +d\n");
  EXPECT_EQ(LineDifferences("", "x\n", "f"), "f:1: +x\n");
  EXPECT_EQ(LineDifferences("x\ny\n", "", "f"), "f:1: -x\nf:2: -y\n");
}

}  // namespace
}  // namespace pith::bench
