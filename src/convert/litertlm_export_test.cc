#include "convert/litertlm_export.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "base/half.h"
#include "convert/import.h"
#include "convert/litertlm_model.h"
#include "convert/litertlm_test_files.h"

namespace pith {
namespace {

// Writes a folder, exports it, and looks at what came out.
class LitertlmExportTest : public ::testing::Test {
 protected:
  void WriteFolder(const TestCheckpoint& checkpoint, size_t n_shards = 1) {
    WriteTestFolder(in_, checkpoint, n_shards);
  }
  Result<LitertlmReport> Export(const LitertlmOptions& options, size_t n_threads = 1,
                                const ExportControl& control = {}) {
    ThreadPool pool(n_threads);
    PITH_ASSIGN_OR_RETURN(const auto folder, ModelFolder::Open(in_.path()));
    return ExportLitertlm(*folder, out_.File("x.litertlm"), options, control, pool);
  }
  void ExpectError(StatusCode code, const std::string& part, const LitertlmOptions& options) {
    const auto report = Export(options);
    ASSERT_FALSE(report.ok()) << part;
    EXPECT_EQ(report.status().code(), code) << report.status().message();
    EXPECT_NE(report.status().message().find(part), std::string::npos) << report.status().message();
    EXPECT_EQ(out_.n_entries(), 0u);
  }
  std::string TakeOutput() {
    std::string text = ReadFileText(out_.File("x.litertlm"));
    std::filesystem::remove(out_.File("x.litertlm"));
    return text;
  }
  // That of import with the same terms, tokenizer and start token.
  std::string ImportedFingerprint(const LitertlmOptions& options) {
    ThreadPool pool(1);
    ImportOptions import;
    import.name = "test";
    import.activations = Activations::kPrecise;
    import.tokenizer = options.tokenizer;
    import.start_token = options.start_token;
    const TestFolder folder;
    const auto report = ImportCheckpoint(in_.path(), folder.File("m.pmodel"), import, pool,
                                         KernelsFor(AvailableIsas().back()));
    EXPECT_TRUE(report.ok()) << report.status().message();
    return report.ok() ? report->fingerprint.Text() : "";
  }
  std::string LoadedFingerprint(const LitertlmOptions& options) {
    ThreadPool pool(2);
    const auto model = LitertlmModel::Open(out_.File("x.litertlm"));
    EXPECT_TRUE(model.ok()) << model.status().message();
    if (!model.ok()) return "";
    const auto package = (*model)->ToPackage(Bytes(options.tokenizer.begin(), options.tokenizer.end()),
                                             "test", options.start_token, options.terms, pool);
    EXPECT_TRUE(package.ok()) << package.status().message();
    return package.ok() ? (*package)->fingerprint().Text() : "";
  }

  TestFolder in_;
  TestFolder out_;
};

// ---- What is written

TEST_F(LitertlmExportTest, WritesTheSectionsInOrderAtBlocks) {
  WriteFolder(MakeCheckpoint(TestConfig(true), "BF16"));
  const LitertlmOptions options = TestLitertlmOptions(TestConfig(true));
  const auto report = Export(options);
  ASSERT_TRUE(report.ok()) << report.status().message();
  const std::string file = ReadFileText(out_.File("x.litertlm"));
  EXPECT_EQ(report->output_bytes, file.size());
  EXPECT_EQ(report->terms, options.terms);
  const auto header = DecodeLitertlmHeader(AsBytes(file));
  ASSERT_TRUE(header.ok()) << header.status().message();
  ASSERT_EQ(header->sections.size(), 4u);
  EXPECT_EQ(header->sections[0].type, LitertlmSectionType::kLlmMetadata);
  EXPECT_EQ(header->sections[1].type, LitertlmSectionType::kTokenizerZlib);
  EXPECT_EQ(header->sections[2].type, LitertlmSectionType::kGeneric);
  EXPECT_EQ(header->sections[3].type, LitertlmSectionType::kTflite);
  EXPECT_TRUE(header->sections[3].HasModelType("tf_lite_prefill_decode"));
  EXPECT_EQ(header->sections[3].end, file.size());
  for (const LitertlmSection& s : header->sections) EXPECT_EQ(s.begin % kLitertlmBlock, 0u);
  ASSERT_EQ(header->system.size(), 3u);
  EXPECT_EQ(header->system[2].ValueText(), "1970-01-01T00:00:00Z");
  EXPECT_EQ(header->system[1].ValueText().size(), 36u);
  const auto record = ReadPithRecord(AsBytes(file));
  ASSERT_TRUE(record.ok()) << record.status().message();
  EXPECT_EQ(record->name, "test");
  EXPECT_EQ(record->fingerprint, report->fingerprint);
  EXPECT_EQ(record->description.terms, options.terms);
  // Every canonical tensor once, as the checkpoint names it.
  std::vector<std::string> names;
  for (const TensorReport& t : report->tensors) names.push_back(t.name);
  std::vector<std::string> expected;
  for (const TensorSpec& spec : CanonicalTensors(TestConfig(true)))
    expected.push_back(CheckpointTensorName(spec));
  EXPECT_EQ(names, expected);
}

TEST_F(LitertlmExportTest, TheSameBytesForAnyThreadsAndShards) {
  for (const WeightEncoding encoding : kAllEncodings) {
    SCOPED_TRACE(static_cast<int>(encoding));
    const ModelConfig config = EncodingTestConfig(false);
    const LitertlmOptions options = TestLitertlmOptions(config, encoding);
    WriteFolder(MakeCheckpoint(config, "BF16"));
    ASSERT_TRUE(Export(options, 1).ok());
    const std::string first = TakeOutput();
    ASSERT_TRUE(Export(options, 2).ok());
    EXPECT_EQ(TakeOutput(), first);
    std::filesystem::remove(in_.File("model.safetensors"));
    WriteFolder(MakeCheckpoint(config, "BF16"), 3);
    ASSERT_TRUE(Export(options, 2).ok());
    EXPECT_EQ(TakeOutput(), first);
    for (int i = 0; i < 3; ++i) std::filesystem::remove(in_.File("shard-" + std::to_string(i)));
    std::filesystem::remove(in_.File("model.safetensors.index.json"));
  }
}

TEST_F(LitertlmExportTest, TheFingerprintIsThatOfImport) {
  for (const bool tied : {true, false}) {
    for (const char* type : {"F32", "F16", "BF16"}) {
      WriteFolder(MakeCheckpoint(TestConfig(tied), type, 7));
      for (const WeightEncoding encoding :
           {WeightEncoding::kDynamicInt8, WeightEncoding::kWeightOnlyInt8, WeightEncoding::kFloat32}) {
        SCOPED_TRACE(std::string(type) + (tied ? " tied " : " untied ") +
                     std::to_string(static_cast<int>(encoding)));
        const LitertlmOptions options = TestLitertlmOptions(TestConfig(tied), encoding);
        const auto report = Export(options, 2, {.replace = true});
        ASSERT_TRUE(report.ok()) << report.status().message();
        const std::string imported = ImportedFingerprint(options);
        EXPECT_EQ(LoadedFingerprint(options), imported);
        EXPECT_EQ(report->fingerprint.has_value(), encoding != WeightEncoding::kFloat32);
        if (report->fingerprint) {
          EXPECT_EQ(report->fingerprint->Text(), imported);
        }
      }
    }
  }
}

TEST_F(LitertlmExportTest, EveryEncodingStandsForItsValues) {
  const ModelConfig config = EncodingTestConfig(false);
  const TestCheckpoint checkpoint = MakeCheckpoint(config, "F32");
  WriteFolder(checkpoint);
  const std::map<WeightEncoding, double> bounds = {{WeightEncoding::kFloat32, 0},
                                                   {WeightEncoding::kFloat16, 0},  // seven bits are halves
                                                   {WeightEncoding::kDynamicInt8, 0.01},
                                                   {WeightEncoding::kWeightOnlyInt8, 0.01},
                                                   {WeightEncoding::kDynamicInt4, 0.15}};
  for (const auto& [encoding, bound] : bounds) {
    LitertlmOptions options = TestLitertlmOptions(config, encoding);
    options.measure_errors = true;
    const auto report = Export(options, 2, {.replace = true});
    ASSERT_TRUE(report.ok()) << report.status().message();
    for (const TensorReport& t : report->tensors) {
      SCOPED_TRACE(t.name + " " + t.encoding);
      EXPECT_LE(t.relative_error, bound);
      if (t.rows > 1) {
        EXPECT_EQ(t.relative_error == 0, bound == 0);
      }
    }
    EXPECT_NE(LoadedFingerprint(options), "");
  }
}

TEST_F(LitertlmExportTest, SignaturesShareScalesAndWeights) {
  ModelConfig config = TestConfig(false);
  config.vocab = 3000;  // so that its scales outweigh a graph
  config.hidden = 4;
  WriteFolder(MakeCheckpoint(config, "F32"));
  LitertlmOptions options = TestLitertlmOptions(config);
  std::vector<uint64_t> sizes;
  for (const std::vector<int32_t>& lengths : {std::vector<int32_t>{1}, {1, 2}, {1, 2, 3}}) {
    options.graph.prefill_lengths = lengths;
    const auto report = Export(options, 1, {.replace = true});
    ASSERT_TRUE(report.ok()) << report.status().message();
    sizes.push_back(report->output_bytes);
  }
  const uint64_t scales_bytes = 12 * 2 * uint64_t{config.vocab};
  EXPECT_LT(sizes[1] - sizes[0], scales_bytes / 2);
  EXPECT_LT(sizes[2] - sizes[1], scales_bytes / 2);
}

TEST_F(LitertlmExportTest, RowsOfZerosHaveAScaleButNoneThatCounts) {
  TestCheckpoint checkpoint = MakeCheckpoint(TestConfig(true), "F32");
  std::fill_n(checkpoint.tensors[0].values.begin() + 9, 9, 0.0f);
  std::fill_n(checkpoint.Tensor("model.layers.1.mlp.down_proj.weight").values.begin(), 21, -0.0f);
  WriteFolder(checkpoint);
  const LitertlmOptions options = TestLitertlmOptions(TestConfig(true));
  const auto report = Export(options);
  ASSERT_TRUE(report.ok()) << report.status().message();
  const auto model = LitertlmModel::Open(out_.File("x.litertlm"));
  ASSERT_TRUE(model.ok()) << model.status().message();
  EXPECT_EQ((*model)->tensors()[0].scales[1], 1e-9f / 127.0f);
  EXPECT_EQ(LoadedFingerprint(options), ImportedFingerprint(options));
  for (const WeightEncoding encoding : kAllEncodings) {
    if (encoding == WeightEncoding::kDynamicInt4) continue;  // 9 columns
    const LitertlmOptions other = TestLitertlmOptions(TestConfig(true), encoding);
    ASSERT_TRUE(Export(other, 1, {.replace = true}).ok());
    EXPECT_EQ(LoadedFingerprint(other), ImportedFingerprint(other));
  }
}

TEST_F(LitertlmExportTest, Int4BlocksOfZerosAndOfTinyValues) {
  const ModelConfig config = EncodingTestConfig(true);
  TestCheckpoint checkpoint = MakeCheckpoint(config, "F32");
  std::fill_n(checkpoint.tensors[0].values.begin(), 32, 0.0f);
  std::fill_n(checkpoint.tensors[0].values.begin() + 32, 32, 1e-30f);
  WriteFolder(checkpoint);
  const LitertlmOptions options = TestLitertlmOptions(config, WeightEncoding::kDynamicInt4);
  ASSERT_TRUE(Export(options).ok());
  EXPECT_NE(LoadedFingerprint(options), "");
}

// ---- What is refused

TEST_F(LitertlmExportTest, NamesAValueThatIsNotFinite) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity()}) {
    TestCheckpoint checkpoint = MakeCheckpoint(TestConfig(false), "F32");
    checkpoint.Tensor("model.layers.1.self_attn.k_proj.weight").values[3 * 9 + 7] = bad;
    WriteFolder(checkpoint);
    for (const WeightEncoding encoding :
         {WeightEncoding::kDynamicInt8, WeightEncoding::kFloat16, WeightEncoding::kFloat32}) {
      ExpectError(StatusCode::kCorrupt,
                  std::string("model.safetensors: tensor \"model.layers.1.self_attn.k_proj.weight\": row 3, "
                              "column 7: found ") +
                      (bad != bad ? "NaN" : "infinity") + ", expected finite values",
                  TestLitertlmOptions(TestConfig(false), encoding));
    }
  }
  TestCheckpoint checkpoint = MakeCheckpoint(TestConfig(false), "F32");
  checkpoint.Tensor("model.norm.weight").values[8] = std::numeric_limits<float>::quiet_NaN();
  WriteFolder(checkpoint);
  ExpectError(StatusCode::kCorrupt, "\"model.norm.weight\": row 0, column 8",
              TestLitertlmOptions(TestConfig(false)));
}

TEST_F(LitertlmExportTest, ATiedHeadMayBeThereAgainButNotDiffer) {
  TestCheckpoint checkpoint = MakeCheckpoint(TestConfig(true), "F32");
  checkpoint.tensors.push_back(checkpoint.tensors[0]);
  checkpoint.tensors.back().name = "lm_head.weight";
  WriteFolder(checkpoint);
  const LitertlmOptions options = TestLitertlmOptions(TestConfig(true));
  ASSERT_TRUE(Export(options).ok());
  TakeOutput();
  checkpoint.tensors.back().values[2 * 9 + 4] += 1;
  WriteFolder(checkpoint);
  ExpectError(StatusCode::kCorrupt, "\"lm_head.weight\": row 2, column 4: found", options);
}

TEST_F(LitertlmExportTest, RefusesWhatAHalfCannotHold) {
  const ModelConfig config = EncodingTestConfig(false);
  const std::string name = "model.layers.0.mlp.up_proj.weight";
  const auto with = [&](float value) {
    TestCheckpoint checkpoint = MakeCheckpoint(config, "F32");
    checkpoint.Tensor(name).values[5 * 32 + 3] = value;
    WriteFolder(checkpoint);
  };
  const LitertlmOptions fp16 = TestLitertlmOptions(config, WeightEncoding::kFloat16);
  const LitertlmOptions int4 = TestLitertlmOptions(config, WeightEncoding::kDynamicInt4);
  with(-65520);
  ExpectError(StatusCode::kUnsupported, name + ": row 5: a value beyond what FLOAT16 can hold, 65504", fp16);
  with(65519);
  ASSERT_TRUE(Export(fp16).ok());
  EXPECT_NE(LoadedFingerprint(fp16), "");
  TakeOutput();
  // The scale of a block is a seventh of its largest value.
  with(458528);
  ASSERT_TRUE(Export(int4).ok());
  EXPECT_NE(LoadedFingerprint(int4), "");
  TakeOutput();
  with(1e6f);
  ExpectError(StatusCode::kUnsupported, name + ": row 5: a value beyond what INT4 blocks of 32 can hold",
              int4);
}

TEST_F(LitertlmExportTest, RefusesOptionsThatMakeNoModel) {
  WriteFolder(MakeCheckpoint(TestConfig(true), "F32"));
  LitertlmOptions options = TestLitertlmOptions(TestConfig(true));
  options.graph.prefill_lengths = {options.graph.cache_length + 1};
  ExpectError(StatusCode::kInvalidArgument, "prefill length 17, expected 1 to the length of the KV cache, 16",
              options);
  options = TestLitertlmOptions(TestConfig(true), WeightEncoding::kDynamicInt4);
  ExpectError(StatusCode::kInvalidArgument, "embedding: 9 columns, expected a multiple of the block of 32",
              options);
  options = TestLitertlmOptions(TestConfig(true));
  options.name = "";
  ExpectError(StatusCode::kInvalidArgument, "name", options);
  options = TestLitertlmOptions(TestConfig(true));
  options.start_token = 37;
  ExpectError(StatusCode::kInvalidArgument, "start token 37", options);
  options = TestLitertlmOptions(TestConfig(true));
  options.terms = ActivationTerms::Precise(3);
  ExpectError(StatusCode::kInvalidArgument, "activation terms of 3 layers, expected 2", options);
  std::filesystem::remove(in_.File("tokenizer.json"));
  ExpectError(StatusCode::kUnsupported, "no tokenizer.json", TestLitertlmOptions(TestConfig(true)));
}

TEST_F(LitertlmExportTest, ReplacesOnlyWhenAskedAndLeavesNothingWhenCancelled) {
  WriteFolder(MakeCheckpoint(TestConfig(true), "F32"));
  const LitertlmOptions options = TestLitertlmOptions(TestConfig(true));
  out_.Write("x.litertlm", "mine");
  EXPECT_EQ(Export(options).status().code(), StatusCode::kAlreadyExists);
  EXPECT_EQ(ReadFileText(out_.File("x.litertlm")), "mine");
  size_t n_asked = 0;
  const auto cancelled = [&](size_t after) {
    n_asked = 0;
    return ExportControl{.cancelled = [&n_asked, after] { return ++n_asked > after; }, .replace = true};
  };
  EXPECT_TRUE(Export(options, 1, cancelled(1000000)).ok());
  const size_t n_all = n_asked;
  EXPECT_EQ(n_all, CanonicalTensors(TestConfig(true)).size());
  out_.Write("x.litertlm", "mine");
  for (size_t after = 0; after < n_all; ++after) {
    EXPECT_EQ(Export(options, 1, cancelled(after)).status().code(), StatusCode::kCancelled) << after;
    EXPECT_EQ(ReadFileText(out_.File("x.litertlm")), "mine");
    EXPECT_EQ(out_.n_entries(), 1u);
  }
}

TEST_F(LitertlmExportTest, ProgressCountsTheBytesOfTheCheckpoint) {
  WriteFolder(MakeCheckpoint(TestConfig(true), "BF16"));
  uint64_t last = 0;
  uint64_t total = 0;
  ExportControl control;
  control.progress = [&](const ExportProgress& p) {
    EXPECT_GT(p.done, last);
    EXPECT_FALSE(p.item.empty());
    last = p.done;
    total = p.total;
  };
  const auto report = Export(TestLitertlmOptions(TestConfig(true)), 2, control);
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(last, total);
  EXPECT_EQ(report->source_bytes, total);
}

// ---- The record

TEST(PithRecord, RoundTripsAndNoDamageIsATrap) {
  PithRecord record;
  record.description = {TestConfig(true), ActivationTerms::Fast(2), 3};
  record.name = "a name";
  for (const bool with : {false, true}) {
    if (with) record.fingerprint.emplace().bytes.fill(7);
    const Bytes bytes = EncodePithRecord(record);
    const auto decoded = DecodePithRecord(bytes);
    ASSERT_TRUE(decoded.ok()) << decoded.status().message();
    EXPECT_EQ(decoded->name, "a name");
    EXPECT_EQ(decoded->fingerprint, record.fingerprint);
    EXPECT_EQ(decoded->description.config, record.description.config);
    EXPECT_EQ(decoded->description.terms, record.description.terms);
    EXPECT_EQ(decoded->description.start_token, 3u);
    for (size_t n = 0; n < bytes.size(); ++n) {
      const Bytes prefix(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(n));
      EXPECT_FALSE(DecodePithRecord(prefix).ok() && n + record.name.size() < bytes.size()) << n;
      for (const uint8_t mask : {uint8_t{1}, uint8_t{128}, uint8_t{255}}) {
        Bytes damaged = bytes;
        damaged[n] ^= mask;
        (void)DecodePithRecord(damaged).ok();
      }
    }
  }
}

TEST(PithRecord, OfAFileThatHasNoneIsEmpty) {
  const auto header = EncodeLitertlmHeader({});
  ASSERT_TRUE(header.ok());
  const auto record = ReadPithRecord(*header);
  ASSERT_TRUE(record.ok()) << record.status().message();
  EXPECT_FALSE(record->fingerprint);
  EXPECT_FALSE(ReadPithRecord(AsBytes("LITERTLM")).ok());
}

// ---- Seeds of the fuzz targets: tests/fuzz/corpus/README.md

TEST_F(LitertlmExportTest, DISABLED_WritesFuzzSeeds) {
  const std::string corpus = std::string(PITH_SOURCE_DIR) + "/tests/fuzz/corpus/";
  for (const WeightEncoding encoding : kAllEncodings) {
    ModelConfig config = TestConfig(encoding != WeightEncoding::kFloat16);
    config.n_layers = 1;
    config.hidden = encoding == WeightEncoding::kDynamicInt4 ? 32 : 2;
    config.n_heads = 2;
    config.head_dim = encoding == WeightEncoding::kDynamicInt4 ? 16 : 4;
    config.ffn = encoding == WeightEncoding::kDynamicInt4 ? 32 : 3;
    config.vocab = 8;
    WriteFolder(MakeCheckpoint(config, "F32"));
    LitertlmOptions options = TestLitertlmOptions(config, encoding);
    options.graph.prefill_lengths = {2};
    ASSERT_TRUE(Export(options).ok());
    const Bytes file = ToBytes(TakeOutput());
    const std::string name = "encoding" + std::to_string(static_cast<int>(encoding));
    const auto header = DecodeLitertlmHeader(file);
    ASSERT_TRUE(header.ok());
    const LitertlmSection& model = header->sections.back();
    std::ofstream(corpus + "tflite/" + name, std::ios::binary)
        << AsText(ByteSpan(file).subspan(model.begin, model.end - model.begin));
    std::ofstream(corpus + "litertlm/" + name, std::ios::binary) << AsText(WithoutPadding(file));
  }
}

}  // namespace
}  // namespace pith
