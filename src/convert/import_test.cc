#include "convert/import.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>

#include "convert/calibrate.h"
#include "convert/package.h"
#include "convert/test_checkpoint.h"

namespace pith {
namespace {

const Kernels& BestKernels() { return KernelsFor(AvailableIsas().back()); }

ImportOptions Options(Activations activations) {
  ImportOptions options;
  options.name = "test";
  options.activations = activations;
  options.tokenizer = AsBytes("a tokenizer");
  options.start_token = 1;
  return options;
}

std::vector<TokenId> SomeTokens(size_t n, size_t vocab) {
  std::vector<TokenId> tokens(n);
  uint32_t state = 5;
  for (TokenId& t : tokens)
    t = static_cast<TokenId>((state = state * 1664525u + 1013904223u, state >> 8) % vocab);
  return tokens;
}

// Every matrix equals the contract's section 3 computed here, every norm its values.
void ExpectImported(const Package& package, const Checkpoint& checkpoint) {
  ModelWeights weights = package.weights();
  for (const TensorSpec& spec : CanonicalTensors(checkpoint.config())) {
    const SafetensorsTensor& t = checkpoint.tensor(spec);
    std::vector<float> values(t.n_elements);
    ReadFloats(t, 0, values);
    const TensorSlot slot = SlotOf(weights, spec);
    if (slot.norm != nullptr) {
      for (size_t i = 0; i < spec.cols; ++i) ASSERT_EQ((*slot.norm)[i], values[i]) << t.name;
      continue;
    }
    const PanelMatrixView& m = *slot.matrix;
    size_t n_wrong = 0;
    for (size_t r = 0; r < spec.rows; ++r) {
      float largest = 0;
      for (size_t c = 0; c < spec.cols; ++c)
        largest = std::fmax(largest, std::fabs(values[r * spec.cols + c]));
      const float scale = largest / 127.0f;
      n_wrong += m.scale[r] != scale;
      for (size_t c = 0; c < spec.cols; ++c) {
        const float code = scale == 0 ? 0 : std::nearbyint(values[r * spec.cols + c] / scale);
        n_wrong += static_cast<float>(m.plane[PanelIndex(r, c, spec.cols)]) != code;
      }
    }
    EXPECT_EQ(n_wrong, 0u) << t.name;
  }
}

TEST(Import, EveryTypeAndLayoutGivesTheContractsRows) {
  ThreadPool pool(2);
  std::set<std::string> fingerprints;
  for (const bool tied : {true, false}) {
    for (const char* type : {"F32", "F16", "BF16"}) {
      for (const size_t n_shards : {1u, 4u}) {
        const TestFolder folder;
        TestCheckpoint c = MakeCheckpoint(TestConfig(tied), type);
        std::fill_n(c.tensors[0].values.begin() + 9, 9, 0.0f);  // a row of zeros
        c.Write(folder, n_shards);
        const auto report = ImportCheckpoint(folder.path(), folder.File("out"), Options(Activations::kFast),
                                             pool, BestKernels());
        ASSERT_TRUE(report.ok()) << report.status().message();
        EXPECT_EQ(report->terms, ActivationTerms::Fast(2));
        EXPECT_EQ(report->n_source_files, n_shards);
        const auto package = Package::Open(folder.File("out"));
        ASSERT_TRUE(package.ok()) << package.status().message();
        EXPECT_EQ((*package)->fingerprint(), report->fingerprint);
        EXPECT_EQ((*package)->size_bytes(), report->package_bytes);
        EXPECT_TRUE((*package)->VerifyFingerprint().ok());
        EXPECT_EQ(AsText((*package)->tokenizer()), "a tokenizer");
        EXPECT_EQ((*package)->start_token(), 1u);
        const auto checkpoint = Checkpoint::Open(folder.path());
        ASSERT_TRUE(checkpoint.ok());
        ExpectImported(**package, **checkpoint);
        fingerprints.insert(report->fingerprint.Text());
      }
    }
  }
  EXPECT_EQ(fingerprints.size(),
            2u);  // the same values in any type and any number of files are the same model
}

TEST(Import, AnyNumberOfThreadsGivesTheSameFile) {
  const TestFolder folder;
  ModelConfig config = TestConfig(false);
  config.vocab = 1000;
  MakeCheckpoint(config, "F16").Write(folder);
  const std::vector<TokenId> tokens = SomeTokens(150, config.vocab);
  std::string first;
  for (const size_t n_threads : {1u, 2u, 5u}) {
    ThreadPool pool(n_threads);
    ImportOptions options = Options(Activations::kAuto);
    options.calibration_tokens = tokens;
    options.replace = true;
    const auto report = ImportCheckpoint(folder.path(), folder.File("out"), options, pool, BestKernels());
    ASSERT_TRUE(report.ok()) << report.status().message();
    const std::string file = ReadFileText(folder.File("out"));
    if (first.empty()) first = file;
    EXPECT_TRUE(file == first) << n_threads;
  }
}

TEST(Import, ADuplicateHeadMustEqualTheEmbedding) {
  ThreadPool pool(1);
  const TestCheckpoint good = MakeCheckpoint(TestConfig(true), "BF16");
  std::string fingerprint;
  for (const char* type : {"", "BF16", "F32"}) {
    TestCheckpoint c = good;
    if (*type != 0) c.tensors.push_back({"lm_head.weight", type, c.tensors[0].shape, c.tensors[0].values});
    const TestFolder folder;
    c.Write(folder);
    const auto report =
        ImportCheckpoint(folder.path(), folder.File("out"), Options(Activations::kFast), pool, BestKernels());
    ASSERT_TRUE(report.ok()) << report.status().message();
    if (fingerprint.empty()) fingerprint = report->fingerprint.Text();
    EXPECT_EQ(report->fingerprint.Text(), fingerprint);
  }
  TestCheckpoint c = good;
  c.tensors.push_back({"lm_head.weight", "BF16", c.tensors[0].shape, c.tensors[0].values});
  c.tensors.back().values[9 * 36 + 4] += 1.0f;
  const TestFolder folder;
  c.Write(folder);
  const auto report =
      ImportCheckpoint(folder.path(), folder.File("out"), Options(Activations::kFast), pool, BestKernels());
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.status().code(), StatusCode::kCorrupt);
  EXPECT_NE(report.status().message().find("\"lm_head.weight\": row 36, column 4: found"), std::string::npos)
      << report.status().message();
  EXPECT_EQ(folder.n_entries(), 2u);  // config and model, nothing partial
}

TEST(Import, NonFiniteWeightsAreNamed) {
  ThreadPool pool(2);
  const TestCheckpoint good = MakeCheckpoint(TestConfig(false), "F32");
  for (const float bad : {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
                          std::numeric_limits<float>::quiet_NaN()}) {
    for (size_t i = 0; i < good.tensors.size(); ++i) {
      TestCheckpoint c = good;
      TestTensor& t = c.tensors[i];
      const size_t at = t.values.size() * 2 / 3;
      t.values[at] = bad;
      const TestFolder folder;
      c.Write(folder);
      const auto report = ImportCheckpoint(folder.path(), folder.File("out"), Options(Activations::kFast),
                                           pool, BestKernels());
      ASSERT_FALSE(report.ok());
      EXPECT_EQ(report.status().code(), StatusCode::kCorrupt);
      const size_t cols = t.shape.back();
      const std::string says = "tensor \"" + t.name + "\": row " + std::to_string(at / cols) + ", column " +
                               std::to_string(at % cols) + ": found " +
                               (std::isnan(bad) ? "NaN" : "infinity");
      EXPECT_NE(report.status().message().find(says), std::string::npos) << report.status().message();
      EXPECT_FALSE(std::filesystem::exists(folder.File("out")));
    }
  }
}

TEST(Import, CancellingLeavesNothing) {
  const TestFolder folder;
  MakeCheckpoint(TestConfig(true), "F32").Write(folder);
  ThreadPool pool(1);
  const std::vector<TokenId> tokens = SomeTokens(50, 37);
  size_t n_asked = 0;
  for (size_t stop_at = 1;; ++stop_at) {
    ImportOptions options = Options(Activations::kAuto);
    options.calibration_tokens = tokens;
    options.loss_budget = 0;
    n_asked = 0;
    options.cancelled = [&] { return ++n_asked == stop_at; };
    const auto report = ImportCheckpoint(folder.path(), folder.File("out"), options, pool, BestKernels());
    if (report.ok()) break;
    EXPECT_EQ(report.status().code(), StatusCode::kCancelled);
    EXPECT_EQ(folder.n_entries(), 2u);
  }
  EXPECT_GT(n_asked, 30u);  // each tensor and each measurement
}

TEST(Import, ProgressCountsUpToTheWhole) {
  const TestFolder folder;
  const TestCheckpoint c = MakeCheckpoint(TestConfig(true), "BF16");
  c.Write(folder);
  ThreadPool pool(1);
  uint64_t done = 0;
  uint64_t total = 0;
  std::string last;
  ImportOptions options = Options(Activations::kPrecise);
  options.progress = [&](const ImportProgress& p) {
    if (p.phase != ImportProgress::Phase::kQuantise) return;
    EXPECT_GT(p.done, done);
    done = p.done;
    total = p.total;
    last = p.item;
  };
  const auto report = ImportCheckpoint(folder.path(), folder.File("out"), options, pool, BestKernels());
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(done, total);
  EXPECT_EQ(total, report->source_bytes);
  EXPECT_EQ(last, "model.norm.weight");
  EXPECT_EQ(report->terms, ActivationTerms::Precise(2));
}

TEST(Import, ArgumentsAreChecked) {
  const TestFolder folder;
  MakeCheckpoint(TestConfig(true), "BF16").Write(folder);
  ThreadPool pool(1);
  const auto code = [&](const ImportOptions& options, const std::string& out) {
    return ImportCheckpoint(folder.path(), out, options, pool, BestKernels()).status().code();
  };
  EXPECT_EQ(code(Options(Activations::kAuto), folder.File("out")),
            StatusCode::kInvalidArgument);  // no tokens
  ImportOptions options = Options(Activations::kAuto);
  const std::vector<TokenId> tokens = {5, 37};
  options.calibration_tokens = tokens;
  EXPECT_EQ(code(options, folder.File("out")),
            StatusCode::kInvalidArgument);  // a token beyond the vocabulary
  options = Options(Activations::kFast);
  options.start_token = 37;
  EXPECT_EQ(code(options, folder.File("out")), StatusCode::kInvalidArgument);
  options = Options(Activations::kFast);
  options.name = "";
  EXPECT_EQ(code(options, folder.File("out")), StatusCode::kInvalidArgument);
  options = Options(Activations::kFast);
  EXPECT_EQ(code(options, folder.path()), StatusCode::kInvalidArgument);  // a directory
  EXPECT_EQ(code(options, folder.File("no/such/folder/out")), StatusCode::kNotFound);
  EXPECT_EQ(code(options, folder.File("config.json")), StatusCode::kAlreadyExists);
  EXPECT_EQ(folder.n_entries(), 2u);
}

TEST(LossMeter, ThePreciseSettingHasNoLossAndOthersHaveSome) {
  const TestFolder folder;
  const ModelConfig config = TestConfig(false);
  MakeCheckpoint(config, "F32").Write(folder);
  ThreadPool pool(2);
  ASSERT_TRUE(
      ImportCheckpoint(folder.path(), folder.File("out"), Options(Activations::kFast), pool, BestKernels())
          .ok());
  const auto package = Package::Open(folder.File("out"));
  ASSERT_TRUE(package.ok());
  const std::vector<TokenId> tokens = SomeTokens(300, config.vocab);
  auto meter = LossMeter::Create((*package)->weights(), BestKernels(), pool, tokens, 1);
  ASSERT_TRUE(meter.ok()) << meter.status().message();
  EXPECT_EQ((*meter)->n_tokens(), 304u);  // max_positions is 100: four streams, a start token each
  EXPECT_EQ((*meter)->n_positions(), 304u);
  const auto precise = (*meter)->Measure(ActivationTerms::Precise(2));
  const auto fast = (*meter)->Measure(ActivationTerms::Fast(2));
  ASSERT_TRUE(precise.ok() && fast.ok());
  EXPECT_LT(*precise, 1e-12);
  EXPECT_GT(*fast, 1e-9);
  EXPECT_LT(*fast, 0.1);
  EXPECT_EQ(*(*meter)->Measure(ActivationTerms::Fast(2)), *fast);
}

std::string GoldenFolder() { return std::string(PITH_SOURCE_DIR) + "/../shared/golden/models"; }

TEST(Golden, Qwen3CheckpointsImport) {
  if (!std::filesystem::exists(GoldenFolder())) GTEST_SKIP() << GoldenFolder() << " is missing";
  ThreadPool pool(2);
  size_t n = 0;
  for (const auto& entry : std::filesystem::directory_iterator(GoldenFolder())) {
    const std::string name = entry.path().filename().string();
    if (name.rfind("qwen3-", 0) != 0) continue;
    SCOPED_TRACE(name);
    const auto checkpoint = Checkpoint::Open(entry.path().string());
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.status().message();
    EXPECT_EQ((*checkpoint)->duplicate_head() != nullptr, name == "qwen3-tied-with-head-bf16");
    EXPECT_EQ((*checkpoint)->config().tied_head, name != "qwen3-untied-sharded-f16");
    const TestFolder folder;
    const auto report = ImportCheckpoint(entry.path().string(), folder.File("out"),
                                         Options(Activations::kFast), pool, BestKernels());
    ASSERT_TRUE(report.ok()) << report.status().message();
    const auto package = Package::Open(folder.File("out"));
    ASSERT_TRUE(package.ok()) << package.status().message();
    ExpectImported(**package, **checkpoint);
    EXPECT_TRUE((*package)->VerifyFingerprint().ok());
    ++n;
  }
  EXPECT_EQ(n, 7u);
}

TEST(Golden, LlamaAndGemmaAreRefusedByName) {
  if (!std::filesystem::exists(GoldenFolder())) GTEST_SKIP() << GoldenFolder() << " is missing";
  for (const auto& [folder, name] : {std::pair("llama-untied-bf16", "Llama"),
                                     {"llama3-rope-tied-bf16", "Llama"},
                                     {"gemma3-bf16", "Gemma 3"}}) {
    const Status s = Checkpoint::Open(GoldenFolder() + "/" + folder).status();
    EXPECT_EQ(s.code(), StatusCode::kUnsupported);
    EXPECT_NE(s.message().find(std::string(name) + " is not yet supported"), std::string::npos)
        << s.message();
  }
}

// What auto chooses on the goldens stays within the budget, and outliers make it choose two terms somewhere.
TEST(Golden, AutoMeetsItsBudget) {
  if (!std::filesystem::exists(GoldenFolder())) GTEST_SKIP() << GoldenFolder() << " is missing";
  ThreadPool pool(2);
  for (const char* name :
       {"qwen3-tied-bf16", "qwen3-odd-bf16", "qwen3-outliers-bf16", "qwen3-untied-sharded-f16"}) {
    SCOPED_TRACE(name);
    const TestFolder folder;
    const std::vector<TokenId> tokens = SomeTokens(300, 301);
    ImportOptions options = Options(Activations::kAuto);
    options.calibration_tokens = tokens;
    const auto report =
        ImportCheckpoint(GoldenFolder() + "/" + name, folder.File("out"), options, pool, BestKernels());
    ASSERT_TRUE(report.ok()) << report.status().message();
    ASSERT_TRUE(report->calibration.has_value());
    EXPECT_LE(report->calibration->loss, kDefaultLossBudget);
    EXPECT_LE(report->calibration->cost, 2.6);
    const auto package = Package::Open(folder.File("out"));
    ASSERT_TRUE(package.ok());
    EXPECT_EQ((*package)->weights().terms, report->terms);
    EXPECT_TRUE((*package)->VerifyFingerprint().ok());
    if (std::string(name) == "qwen3-outliers-bf16") {
      EXPECT_GT(report->calibration->cost, 1.1);
    }
  }
}

}  // namespace
}  // namespace pith
