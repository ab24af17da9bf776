#include "report/summary_text.h"

#include <gtest/gtest.h>

#include "support/sample_results.h"

namespace pith::bench {
namespace {

struct Measured {
  const char* name;
  std::vector<uint64_t> bytes;  // of each file; 0: failed
  uint64_t model = 0;
};

// Files of 1,000,000 bytes, one of each type; compressed in 1 s, decompressed in 0.5 s, with 5 MB of memory.
Results Make(const std::vector<Measured>& codecs) {
  Results results;
  for (size_t i = 0; i < codecs.at(0).bytes.size(); ++i) {
    results.files.push_back(
        {.path = "f" + std::to_string(i), .type = static_cast<FileType>(i), .bytes = 1'000'000});
  }
  for (size_t codec = 0; codec < codecs.size(); ++codec) {
    results.codecs.push_back({.name = codecs[codec].name, .model_bytes = codecs[codec].model});
    results.codecs.back().is_pith = results.codecs.back().name.starts_with("pith");
    for (size_t file = 0; file < results.files.size(); ++file) {
      Row row{.codec = codec, .file = file, .repeats = 1, .compressed_bytes = codecs[codec].bytes[file]};
      row.compress = Direction{.seconds = {1, 1, 1}, .peak_bytes = 5'000'000};
      row.decompress = Direction{.seconds = {0.5, 0.5, 0.5}, .peak_bytes = 4'000'000};
      if (row.compressed_bytes == 0) row.error = "compress: exit code 1";
      results.rows.push_back(row);
    }
  }
  return results;
}

std::array<std::string, 3> Sentences(const Results& results) {
  return SummarySentences(results, Summarize(results));
}
std::vector<std::string> Notes(const Results& results) { return SummaryNotes(results, Summarize(results)); }

TEST(SummarySentences, PithAgainstBothReferences) {
  const auto text = Sentences(Make({{"pith -6", {200'000, 100'000}, 3'000'000},
                                    {"zstd -19", {400'000, 200'000}},
                                    {"xz -9e", {300'000, 200'000}},
                                    {"zstd -3", {400'000, 300'000}}}));
  EXPECT_EQ(text[0],
            "On these 2 files (2.00 MB), pith -6 makes archives 50.0 % smaller than those of zstd -19 and "
            "40.0 % smaller than "
            "those of xz -9e.");
  EXPECT_EQ(text[1],
            "pith -6 compresses at 1.00 MB/s and decompresses at 2.00 MB/s in up to 5.00 MB of memory, zstd "
            "-19 at 1.00 MB/s "
            "and 2.00 MB/s in 5.00 MB, xz -9e at 1.00 MB/s and 2.00 MB/s in 5.00 MB.");
  // 3 MB over 15 % and over 10 %.
  EXPECT_EQ(
      text[2],
      "Where its model of 3.00 MB must be stored or sent, too, pith -6 pays from 20.0 MB of such data on "
      "against "
      "zstd -19 and from 30.0 MB against xz -9e; no other compressor here is smaller on any type of file.");
}

TEST(SummarySentences, OneFile) {
  const auto text = Sentences(Make({{"pith -6", {200'000}, 3'000'000}, {"zstd -19", {400'000}}}));
  EXPECT_EQ(text[0],
            "On this file (1.00 MB), pith -6 makes an archive 50.0 % smaller than that of zstd -19.");
  EXPECT_EQ(text[2],
            "Where its model of 3.00 MB must be stored or sent, too, pith -6 pays from 15.0 MB of such data "
            "on against "
            "zstd -19; no other compressor here is smaller.");
}

TEST(SummarySentences, PithLargerThanOneAndThanAll) {
  const auto one =
      Sentences(Make({{"pith -6", {200'000}, 1000}, {"zstd -19", {250'000}}, {"xz -9e", {160'000}}}));
  EXPECT_EQ(one[0],
            "On this file (1.00 MB), pith -6 makes an archive 20.0 % smaller than that of zstd -19 but 25.0 "
            "% larger than that "
            "of xz -9e.");
  EXPECT_EQ(one[2],
            "Where its model of 1.00 KB must be stored or sent, too, pith -6 pays from 20.0 KB of such data "
            "on against "
            "zstd -19, and never against xz -9e; it loses on prose (xz -9e is 20.0 % smaller).");
  const auto all =
      Sentences(Make({{"pith -6", {200'000}, 1000}, {"zstd -19", {100'000}}, {"xz -9e", {200'000}}}));
  EXPECT_EQ(all[0],
            "On this file (1.00 MB), pith -6 makes an archive 100 % larger than that of zstd -19 but as "
            "large as that of "
            "xz -9e.");
  EXPECT_EQ(all[2],
            "Where its model of 1.00 KB must be stored or sent, too, pith -6 never pays against zstd -19 or "
            "xz -9e; "
            "it loses on prose (zstd -19 is 50.0 % smaller).");
}

TEST(SummarySentences, TheBestOfPithIsNamedBesideTheDefault) {
  const auto text =
      Sentences(Make({{"pith -6", {200'000}, 1000}, {"pith -9", {150'000}, 1000}, {"xz -9e", {400'000}}}));
  EXPECT_EQ(text[0],
            "On this file (1.00 MB), pith -6 makes an archive 50.0 % smaller than that of xz -9e; with pith "
            "-9 it is another "
            "25.0 % smaller than that.");
}

TEST(SummarySentences, WithoutTheUsualReferencesTheSmallestOtherIsOne) {
  const auto text =
      Sentences(Make({{"pith -2", {200'000}}, {"gzip -9", {500'000}}, {"bzip2 -9", {400'000}}}));
  EXPECT_EQ(text[0],
            "On this file (1.00 MB), pith -2 makes an archive 50.0 % smaller than that of bzip2 -9.");
  EXPECT_EQ(
      text[2],
      "pith -2 needs no model, so its archives are all that counts; no other compressor here is smaller.");
}

TEST(SummarySentences, PithAlone) {
  const auto text = Sentences(Make({{"pith -6", {200'000, 200'000}, 3'000'000}}));
  EXPECT_EQ(text[0], "On these 2 files (2.00 MB), pith -6 makes archives of 20.0 % of the original size.");
  EXPECT_EQ(text[2], "pith -6 needs its model of 3.00 MB to decompress.");
}

TEST(SummarySentences, WithoutPith) {
  const auto text = Sentences(Make({{"zstd -19", {400'000, 200'000}}, {"xz -9e", {300'000, 200'000}}}));
  EXPECT_EQ(text[0],
            "On these 2 files (2.00 MB), xz -9e makes the smallest archives, 25.0 % of the original size; "
            "zstd -19 follows with "
            "30.0 %.");
  EXPECT_EQ(text[1],
            "xz -9e compresses at 1.00 MB/s and decompresses at 2.00 MB/s in up to 5.00 MB of memory; no "
            "other here is "
            "faster.");
  Results faster = Make({{"zstd -19", {400'000}}, {"xz -9e", {300'000}}});
  faster.rows[0].compress->seconds.median = 0.25;
  EXPECT_EQ(Sentences(faster)[1],
            "xz -9e compresses at 1.00 MB/s and decompresses at 2.00 MB/s in up to 5.00 MB of memory; the "
            "fastest to compress "
            "is zstd -19 at 4.00 MB/s, the fastest to decompress xz -9e at 2.00 MB/s.");
  EXPECT_NE(text[2].find("pith is not among the codecs"), std::string::npos);
  EXPECT_EQ(Sentences(Make({{"lz4", {400'000}}}))[0],
            "On this file (1.00 MB), lz4 makes an archive of 40.0 % of the original size.");
}

TEST(SummarySentences, ManyLossesAreCounted) {
  const auto some = Sentences(Make({{"pith -6", {9, 9, 9, 9, 2}, 0}, {"xz -9e", {8, 8, 8, 3, 3}}}));
  EXPECT_EQ(some[2],
            "pith -6 needs no model, so its archives are all that counts; it loses on 4 of 5 types of file, "
            "most on XML and "
            "HTML (xz -9e is 66.7 % smaller).");
  const auto all = Sentences(Make({{"pith -6", {9, 9, 9, 9}, 0}, {"xz -9e", {8, 8, 8, 3}}}));
  EXPECT_NE(all[2].find("it loses on all 4 types of file, most on"), std::string::npos) << all[2];
  const auto two = Sentences(Make({{"pith -6", {9, 9, 2}, 0}, {"xz -9e", {8, 6, 4}}}));
  EXPECT_NE(
      two[2].find("it loses on prose (xz -9e is 11.1 % smaller) and source code (xz -9e is 33.3 % smaller)."),
      std::string::npos)
      << two[2];
}

TEST(SummarySentences, FilesThatFailedAreNotAmongThem) {
  const Results results =
      Make({{"pith -6", {200'000, 100'000, 100'000}, 3000}, {"zstd -19", {400'000, 0, 200'000}}});
  EXPECT_EQ(Sentences(results)[0],
            "On the 2 files (2.00 MB) that every codec completed, pith -6 makes archives 50.0 % smaller than "
            "those of zstd "
            "-19.");
  EXPECT_EQ(
      Notes(results),
      (std::vector<std::string>{
          "1 failure: zstd -19 on f1.",
          "1 file of 3 is left out of totals and charts, because not every compared codec completed it.",
      }));
}

TEST(SummarySentences, ACodecThatFailsIsNamed) {
  const Results results = Make({{"pith -6", {200'000, 100'000}, 3000}, {"broken", {0, 0}}});
  EXPECT_EQ(Sentences(results)[0],
            "On these 2 files (2.00 MB), pith -6 makes archives of 15.0 % of the original size.");
  EXPECT_EQ(Notes(results), (std::vector<std::string>{
                                "2 failures: broken on f0 and broken on f1.",
                                "broken completed no file of 2 and is not compared.",
                            }));
}

TEST(SummarySentences, NothingToCompare) {
  EXPECT_EQ(Sentences(Results())[0], "Nothing was measured.");
  const Results failed = Make({{"pith -6", {0}}});
  EXPECT_EQ(Sentences(failed)[0], "No codec completed a file, so there is nothing to compare.");
  EXPECT_EQ(Sentences(failed)[1], "There was 1 failure.");
  const Results apart = Make({{"pith -6", {1, 0}}, {"xz -9e", {0, 1}}});
  EXPECT_EQ(Sentences(apart)[0],
            "No file that holds anything was completed by every codec, so there is nothing to compare.");
  EXPECT_EQ(Sentences(apart)[1], "There were 2 failures.");
}

TEST(SummarySentences, NoTimeNoSpeed) {
  Results results = Make({{"pith -6", {200'000}}});
  results.rows[0].compress->seconds = {};
  EXPECT_EQ(Sentences(results)[1], "pith -6 uses up to 5.00 MB of memory; it was too fast for the clock.");
}

TEST(SummaryNotes, AnInterruptedRunSaysSo) {
  Results results = Make({{"pith -6", {200'000}}});
  EXPECT_TRUE(Notes(results).empty());
  results.complete = false;
  EXPECT_EQ(Notes(results),
            std::vector<std::string>{"The run was interrupted: these are the measurements made until then."});
}

TEST(SummaryNotes, TextsOfOthersAreMadeVisible) {
  const Results results = HostileResults();
  for (const std::string& text : Notes(results)) {
    EXPECT_EQ(text.find('\x1b'), std::string::npos);
    EXPECT_EQ(text.find("\xe2\x80\xae"), std::string::npos);
  }
}

}  // namespace
}  // namespace pith::bench
