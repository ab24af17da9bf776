#include "bench/bench_codec.h"

#include <gtest/gtest.h>

#include "api/levels.h"
#include "bench/worker.h"
#include "pith/pith.h"

namespace pith::bench {
namespace {

CodecEntry Entry(const std::string& text, size_t threads = 0) {
  const Result<BenchCodec> codec = ParseCodec(text, threads);
  EXPECT_TRUE(codec.ok()) << text << ": " << codec.status().message();
  return codec.ok() ? codec->entry : CodecEntry{};
}

std::string ErrorOf(const std::string& text) {
  const Result<BenchCodec> codec = ParseCodec(text, 0);
  return codec.ok() ? "" : codec.status().message();
}

TEST(BenchCodec, NamesAndCommandLinesAreThoseThatAPersonTypes) {
  EXPECT_EQ(Entry("zstd:19").name, "zstd -19");
  EXPECT_EQ(Entry("zstd:19").compress_command, "zstd -19 --single-thread -q -c {input} > {output}");
  EXPECT_EQ(Entry("zstd:22long").name, "zstd -22 long");
  EXPECT_EQ(Entry("zstd:22long").compress_command,
            "zstd --ultra -22 --long=27 --single-thread -q -c {input} > {output}");
  EXPECT_EQ(Entry("zstd:22long").decompress_command, "zstd -d --long=27 -q -c {input} > {output}");
  EXPECT_EQ(Entry("xz:9e").name, "xz -9e");
  EXPECT_EQ(Entry("xz:9e").compress_command, "xz -9e -T1 -c {input} > {output}");
  EXPECT_EQ(Entry("gzip:9").compress_command, "gzip -9 -n -c {input} > {output}");
  EXPECT_EQ(Entry("brotli").name, "brotli -11");
  EXPECT_EQ(Entry("zstd").name, "zstd -3");
  EXPECT_EQ(Entry("bzip2:1").name, "bzip2 -1");
  EXPECT_TRUE(Entry("xz:0").version.starts_with("liblzma "));
}

TEST(BenchCodec, PithHasLevelsOptionsAndModels) {
  const CodecEntry contexts = Entry("pith:-2");
  EXPECT_EQ(contexts.name, "pith -2");
  EXPECT_TRUE(contexts.is_pith);
  EXPECT_EQ(contexts.model_bytes, 0u);
  EXPECT_EQ(contexts.model, "");
  EXPECT_EQ(contexts.compress_command, "pith -2 -c < {input} > {output}");
  if (!BuiltinModelInfo().ok()) GTEST_SKIP() << "no built-in model";
  const CodecEntry usual = Entry("pith", 3);
  EXPECT_EQ(usual.name, "pith -6");
  EXPECT_EQ(usual.compress_command, "pith -6 -T3 -c < {input} > {output}");
  EXPECT_EQ(usual.decompress_command, "pith -d -T3 -c < {input} > {output}");
  EXPECT_EQ(usual.model_bytes, BuiltinModelInfo()->file_bytes);
  EXPECT_NE(usual.model.find(BuiltinModelInfo()->fingerprint), std::string::npos);
  const Result<BenchCodec> plain = ParseCodec("pith:model=builtin,plain,best-of", 0);
  ASSERT_TRUE(plain.ok()) << plain.status().message();
  EXPECT_EQ(plain->entry.name, "pith -6 plain best-of builtin");
  EXPECT_EQ(plain->entry.compress_command, "pith -6 --plain --best-of -c < {input} > {output}");
  EXPECT_TRUE(std::get<PithCodec>(plain->how).plain);
  EXPECT_TRUE(std::get<PithCodec>(plain->how).best_of);
}

TEST(BenchCodec, WhatMakesNoSenseIsRefused) {
  EXPECT_EQ(ErrorOf("zstd:23"), "codec zstd:23: expected a level from 1 to 22, perhaps with long behind it");
  EXPECT_EQ(ErrorOf("zstd:0"), "codec zstd:0: expected a level from 1 to 22, perhaps with long behind it");
  EXPECT_EQ(ErrorOf("gzip:9e"), "codec gzip:9e: expected a level from 1 to 9");
  EXPECT_EQ(ErrorOf("xz:e9"), "codec xz:e9: expected a level from 0 to 9, perhaps with e behind it");
  EXPECT_EQ(ErrorOf("xz:"), "codec xz:: nothing follows the colon");
  EXPECT_NE(ErrorOf("rar").find("codec rar: expected pith, zstd"), std::string::npos);
  EXPECT_NE(ErrorOf("").find("expected pith, zstd"), std::string::npos);
  for (const char* text : {"pith:0", "pith:10", "pith:6,7", "pith:nonsense", "pith:model=", "pith:model=a,model=b"}) {
    EXPECT_NE(ErrorOf(text).find("expected one level from 1 to 9"), std::string::npos) << text;
  }
  EXPECT_EQ(ErrorOf("pith:2,plain"), "codec pith:2,plain: level 2 uses no model");
  const Result<BenchCodec> missing = ParseCodec("pith:model=/nowhere.pmodel", 0);
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.status().code(), StatusCode::kNotFound);
}

TEST(BenchCodec, CommaBeforeAnOptionOfPithBelongsToIt) {
  EXPECT_EQ(SplitCodecs("pith,zstd:19,xz:9e"), (std::vector<std::string>{"pith", "zstd:19", "xz:9e"}));
  EXPECT_EQ(SplitCodecs("pith:model=x,plain,7,gzip"), (std::vector<std::string>{"pith:model=x,plain,7", "gzip"}));
  EXPECT_EQ(SplitCodecs("a"), (std::vector<std::string>{"a"}));
  EXPECT_EQ(SplitCodecs("a,,b"), (std::vector<std::string>{"a", "", "b"}));
}

TEST(BenchCodec, CommandsReadAndWriteStreamsWhereTheyNameNoFile) {
  const Result<BenchCodec> codec = ParseCommandCodec("my one=paq -9 {input} {output} | undo");
  ASSERT_TRUE(codec.ok()) << codec.status().message();
  EXPECT_TRUE(codec->is_command());
  EXPECT_EQ(codec->entry.name, "my one");
  EXPECT_EQ(codec->entry.compress_command, "paq -9 {input} {output}");
  EXPECT_EQ(codec->entry.decompress_command, "undo < {input} > {output}");
  for (const char* bad : {"", "a", "a=b", "=b|c", "a=|c", "a=b|", "a|b=c", "a\x1b[1m=b|c", "\xff=b|c"})
    EXPECT_FALSE(ParseCommandCodec(bad).ok()) << bad;
}

TEST(BenchCodec, FileNamesAreQuotedForTheShell) {
  EXPECT_EQ(ShellQuoted("a b"), "'a b'");
  EXPECT_EQ(ShellQuoted("it's"), "'it'\\''s'");
  EXPECT_EQ(FilledIn("x {input} {output} {input} {other}", "a'b", "{input}"),
            "x 'a'\\''b' '{input}' 'a'\\''b' {other}");
}

TEST(BenchCodec, TheUsualOnesAreAllDifferentAndAllKnown) {
  std::vector<BenchCodec> codecs;
  for (const std::string& text : DefaultCodecs()) {
    Result<BenchCodec> codec = ParseCodec(text, 0);
    ASSERT_TRUE(codec.ok()) << text << ": " << codec.status().message();
    codecs.push_back(*std::move(codec));
  }
  EXPECT_TRUE(CheckCodecs(codecs).ok());
  const size_t n_pith = !BuiltinModelInfo().ok() ? 3 : ModelOfLevel(kMaxLevel) == "builtin" ? 7 : 8;
  EXPECT_EQ(codecs.size(), n_pith + 7);
  codecs.push_back(codecs.back());
  EXPECT_EQ(CheckCodecs(codecs).message(), "codec brotli -11 is named twice");
  EXPECT_FALSE(CheckCodecs({}).ok());
}

TEST(Worker, ReportsAreReadAsTheyAreWritten) {
  WorkerReport report{.work_seconds = 1.25, .peak_bytes = 77, .command_seconds = 0.5, .error = "two\nlines"};
  const std::string text = WriteReport(report);
  const Result<WorkerReport> read = ParseReport(text);
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->work_seconds, 1.25);
  EXPECT_EQ(read->peak_bytes, 77u);
  EXPECT_EQ(read->command_seconds, 0.5);
  EXPECT_FALSE(read->command_cpu_seconds.has_value());
  EXPECT_EQ(read->error, "two lines");
  for (size_t n = 0; n + 4 < text.size(); ++n) EXPECT_FALSE(ParseReport(text.substr(0, n)).ok()) << n;
  EXPECT_FALSE(ParseReport("work_seconds nan\nend\n").ok());
  EXPECT_FALSE(ParseReport("peak_bytes -1\nend\n").ok());
}

}  // namespace
}  // namespace pith::bench
