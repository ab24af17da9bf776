// Tiny checkpoints with the logits that transformers computes for them (../shared/golden/README.md).
//
// logits_w8_N come from the same int8 rows with float32 activations: what separates us from them is the rounding of
// activations alone. The bounds are those of docs/performance.md.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <tuple>

#include "base/thread_pool.h"
#include "chat/generator.h"
#include "convert/gguf_export.h"
#include "convert/gguf_model.h"
#include "convert/gguf_vocabulary.h"
#include "convert/import.h"
#include "convert/package.h"
#include "formats/json.h"
#include "formats/safetensors.h"
#include "model/engine.h"
#include "tokenizer/tokenizer.h"

namespace pith {
namespace {

namespace fs = std::filesystem;

const fs::path kGoldens = fs::path(PITH_SOURCE_DIR) / "../shared/golden/models";

Bytes ToBytes(std::string_view text) { return {text.begin(), text.end()}; }

constexpr std::string_view kOneToken = R"({"version": "1.0", "added_tokens": [], "normalizer": {"type": "NFC"},
  "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Split", "behavior": "Isolated", "invert": false, "pattern":
    {"Regex": "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"}},
    {"type": "ByteLevel", "add_prefix_space": false, "use_regex": false}]}, "decoder": {"type": "ByteLevel"},
  "model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}})";

struct Comparison {
  double mean_kl = 0;         // over all positions
  double worst_input_kl = 0;  // largest mean over one input
  size_t positions = 0;
  size_t argmax_errors = 0;   // argmax differs although the reference's margin exceeds twice the largest logit error
};

std::vector<TokenId> Ids(const SafetensorsTensor& t) {
  std::vector<TokenId> ids(t.n_elements);
  for (size_t i = 0; i < ids.size(); ++i) {
    int64_t id = 0;
    std::memcpy(&id, t.data.data() + 8 * i, 8);
    ids[i] = static_cast<TokenId>(id);
  }
  return ids;
}

// KL(reference || ours) in nat, and what it takes to judge the argmax.
void Compare(const std::vector<float>& reference, const float* ours, Comparison& c, double& kl_of_input) {
  const size_t n = reference.size();
  const auto log_sum = [n](const float* x) {
    double m = x[0], s = 0;
    for (size_t i = 0; i < n; ++i) m = std::max<double>(m, x[i]);
    for (size_t i = 0; i < n; ++i) s += std::exp(x[i] - m);
    return m + std::log(s);
  };
  const double zr = log_sum(reference.data()), zo = log_sum(ours);
  double kl = 0, error = 0;
  size_t best = 0, ours_best = 0;
  float second = -INFINITY;
  for (size_t i = 0; i < n; ++i) {
    kl += std::exp(reference[i] - zr) * ((reference[i] - zr) - (ours[i] - zo));
    error = std::max(error, std::fabs((reference[i] - zr) - (ours[i] - zo)));
    if (reference[i] > reference[best]) best = i;
    if (ours[i] > ours[ours_best]) ours_best = i;
  }
  for (size_t i = 0; i < n; ++i) {
    if (i != best) second = std::max(second, reference[i]);
  }
  if (ours_best != best && reference[best] - second > 2 * error) ++c.argmax_errors;
  kl_of_input += kl;
  ++c.positions;
}

class Golden : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (!fs::exists(kGoldens)) GTEST_SKIP() << "no " << kGoldens << ": the reference outputs are not here";
    std::string pattern = (fs::temp_directory_path() / "pith_golden_XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    dir_ = pattern;
    auto expected = SafetensorsFile::Open((kGoldens / GetParam() / "expected.safetensors").string());
    ASSERT_TRUE(expected.ok()) << expected.status().message();
    expected_ = *std::move(expected);
  }
  void TearDown() override {
    if (!dir_.empty()) fs::remove_all(dir_);
  }

  std::unique_ptr<Package> Import(Activations activations) {
    ImportOptions options;
    options.name = GetParam();
    options.activations = activations;
    options.replace = true;
    options.tokenizer = AsBytes("not used here");
    // Calibration text of ids that the compared inputs do not contain in this order.
    std::vector<TokenId> calibration;
    uint64_t state = 12345;
    const SafetensorsTensor* ids = expected_->Find("ids_2");
    for (int i = 0; i < 400; ++i) {
      state = state * 6364136223846793005ull + 1442695040888963407ull;
      calibration.push_back(static_cast<TokenId>((state >> 33) % 300));
    }
    EXPECT_NE(ids, nullptr);
    options.calibration_tokens = calibration;
    const std::string path = (dir_ / "model.pmodel").string();
    ThreadPool pool(2);
    auto report = ImportCheckpoint((kGoldens / GetParam()).string(), path, options, pool, KernelsFor(*ChooseIsa()));
    EXPECT_TRUE(report.ok()) << report.status().message();
    if (!report.ok()) return nullptr;
    auto package = Package::Open(path);
    EXPECT_TRUE(package.ok()) << package.status().message();
    return package.ok() ? *std::move(package) : nullptr;
  }

  // Through a GGUF file of this encoding, with two terms everywhere, as Model::Open does it.
  std::unique_ptr<Package> ThroughGguf(GgufType type) {
    const std::string folder = (dir_ / "checkpoint").string();
    if (!fs::exists(folder)) {
      fs::copy(kGoldens / GetParam(), folder, fs::copy_options::recursive);
      // One token, so that the vocabulary fits every model: the exporter wants a tokenizer.
      std::ofstream(folder + "/tokenizer.json") << kOneToken;
    }
    ThreadPool pool(2);
    const auto checkpoint = ModelFolder::Open(folder);
    EXPECT_TRUE(checkpoint.ok()) << checkpoint.status().message();
    if (!checkpoint.ok()) return nullptr;
    const std::string path = (dir_ / "model.gguf").string();
    const auto report = ExportGguf(**checkpoint, path, {.type = type}, {.replace = true}, pool);
    EXPECT_TRUE(report.ok()) << report.status().message();
    const auto model = GgufModel::Open(path);
    EXPECT_TRUE(model.ok()) << model.status().message();
    if (!model.ok()) return nullptr;
    const size_t n_layers = (*model)->config().n_layers;
    auto package = (*model)->ToPackage(ToBytes("not used here"), GetParam(), 0, ActivationTerms::Precise(n_layers), pool);
    EXPECT_TRUE(package.ok()) << package.status().message();
    return package.ok() ? *std::move(package) : nullptr;
  }

  // Against logits_N of `prefix` for every N.
  Comparison CompareAll(const Package& package, const std::string& prefix) {
    Comparison c;
    ThreadPool pool(2);
    Engine engine(package.weights(), KernelsFor(*ChooseIsa()), pool, {});
    for (int n = 0; n < 16; ++n) {
      const SafetensorsTensor* ids = expected_->Find("ids_" + std::to_string(n));
      const SafetensorsTensor* logits = expected_->Find(prefix + std::to_string(n));
      if (ids == nullptr || logits == nullptr) continue;
      const std::vector<TokenId> tokens = Ids(*ids);
      const size_t vocab = logits->shape.back();
      const size_t n_compared = logits->n_elements / vocab;  // large vocabularies: the last position only
      double kl = 0;
      std::vector<std::vector<float>> ours(tokens.size());
      KvCache cache = engine.NewCache();
      const Segment segment{&cache, tokens};
      EXPECT_TRUE(engine.Forward({&segment, 1}, [&](const TokenOutput& o) { ours[o.index].assign(o.logits, o.logits + vocab); }).ok());
      std::vector<float> row(vocab);
      for (size_t i = 0; i < n_compared; ++i) {
        ReadFloats(*logits, i * vocab, row);
        Compare(row, ours[tokens.size() - n_compared + i].data(), c, kl);
      }
      c.mean_kl += kl;
      if (tokens.size() > 2) c.worst_input_kl = std::max(c.worst_input_kl, kl / static_cast<double>(n_compared));
    }
    c.mean_kl /= static_cast<double>(std::max<size_t>(1, c.positions));
    return c;
  }

  fs::path dir_;
  std::unique_ptr<SafetensorsFile> expected_;
};

TEST_P(Golden, MostPreciseFormatIsCloseToFloatActivations) {
  const auto package = Import(Activations::kPrecise);
  ASSERT_NE(package, nullptr);
  const Comparison c = CompareAll(*package, "logits_w8_");
  ASSERT_GE(c.positions, 3u);
  std::printf("%s precise: mean KL %.2e, worst input %.2e\n", GetParam().c_str(), c.mean_kl, c.worst_input_kl);
  EXPECT_LE(c.worst_input_kl, 5e-4);
  EXPECT_EQ(c.argmax_errors, 0u);
}

TEST_P(Golden, ChosenFormatIsWithinTheBudget) {
  const auto package = Import(Activations::kAuto);
  ASSERT_NE(package, nullptr);
  const Comparison c = CompareAll(*package, "logits_w8_");
  ASSERT_GE(c.positions, 3u);
  size_t two = 0;
  for (const LayerTerms& t : package->weights().terms.layers) {
    two += (t.qkv == 2) + (t.o == 2) + (t.gate_up == 2) + (t.down == 2);
  }
  std::printf("%s auto: mean KL %.2e, worst input %.2e; %zu of %zu sites with two terms\n", GetParam().c_str(), c.mean_kl,
              c.worst_input_kl, two, 4 * package->weights().terms.layers.size());
  EXPECT_LE(c.worst_input_kl, 5e-3);
  EXPECT_EQ(c.argmax_errors, 0u);
}

TEST_P(Golden, FastFormatIsMeasured) {
  const auto package = Import(Activations::kFast);
  ASSERT_NE(package, nullptr);
  const Comparison c = CompareAll(*package, "logits_w8_");
  std::printf("%s fast: mean KL %.2e, worst input %.2e\n", GetParam().c_str(), c.mean_kl, c.worst_input_kl);
  EXPECT_LT(c.mean_kl, 2.0);  // a wrong forward pass is off by far more than rounding is
}

TEST_P(Golden, GreedyContinuationOfTheFloatModelIsLikelyToUs) {
  const auto package = Import(Activations::kPrecise);
  ASSERT_NE(package, nullptr);
  const SafetensorsTensor* prompt = expected_->Find("greedy_prompt");
  const SafetensorsTensor* continuation = expected_->Find("greedy_ids");
  ASSERT_TRUE(prompt != nullptr && continuation != nullptr);
  std::vector<TokenId> tokens = Ids(*prompt);
  const size_t n_prompt = tokens.size();
  for (const TokenId id : Ids(*continuation)) tokens.push_back(id);
  ThreadPool pool(2);
  Engine engine(package->weights(), KernelsFor(*ChooseIsa()), pool, {});
  KvCache cache = engine.NewCache();
  const Segment segment{&cache, tokens};
  const size_t vocab = package->weights().config.vocab;
  size_t equal = 0, near = 0;
  ASSERT_TRUE(engine.Forward({&segment, 1}, [&](const TokenOutput& o) {
                      const size_t i = o.index;
                      const float* const l = o.logits;
                      if (i + 1 < n_prompt || i + 1 >= tokens.size()) return;
                      const float top = *std::max_element(l, l + vocab);
                      static std::mutex mutex;
                      const std::lock_guard<std::mutex> lock(mutex);
                      equal += l[tokens[i + 1]] == top;
                      near += top - l[tokens[i + 1]] < 1.0f;  // int8 rows move logits by less than this
                    }).ok());
  const size_t n = tokens.size() - n_prompt;
  EXPECT_EQ(near, n);
  EXPECT_GE(equal * 2, n);
}

// F16 holds the values of these checkpoints so well that every code and scale is the same (bf16 values below 2^-14 lose bits, but
// no row has them only); but for F32, where a rounding moves up to one code in 30 by one.
TEST_P(Golden, AGgufFileHoldsTheRowsOfImport) {
  const auto imported = Import(Activations::kPrecise);
  const auto through = ThroughGguf(GgufType::kF16);
  ASSERT_TRUE(imported != nullptr && through != nullptr);
  ModelWeights a = imported->weights();
  ModelWeights b = through->weights();
  ASSERT_EQ(a.config, b.config);
  uint64_t n_codes = 0, n_different = 0;
  for (const TensorSpec& spec : CanonicalTensors(a.config)) {
    const TensorSlot x = SlotOf(a, spec);
    const TensorSlot y = SlotOf(b, spec);
    if (x.norm != nullptr) {
      EXPECT_EQ(std::memcmp(*x.norm, *y.norm, spec.cols * sizeof(float)), 0) << CheckpointTensorName(spec);
      continue;
    }
    const size_t n = PanelMatrixBytes(spec.rows, spec.cols);
    n_codes += n;
    for (size_t i = 0; i < n; ++i) {
      const int difference = std::abs(x.matrix->plane[i] - y.matrix->plane[i]);
      n_different += difference != 0;
      ASSERT_LE(difference, 1) << CheckpointTensorName(spec);
    }
  }
  const bool equal = imported->fingerprint() == through->fingerprint();
  std::printf("%s F16: %llu of %llu codes differ; fingerprint %s\n", GetParam().c_str(),
              static_cast<unsigned long long>(n_different), static_cast<unsigned long long>(n_codes),
              equal ? "the same" : "another");
  EXPECT_EQ(equal, GetParam() != "qwen3-f32");
  EXPECT_LE(n_different, n_codes / 30);
}

TEST_P(Golden, GgufEncodingsAreWithinTheirBounds) {
  for (const auto& [type, bound, bound_of_outliers] :
       {std::tuple(GgufType::kF16, 4e-3, 0.12), std::tuple(GgufType::kQ8_0, 1e-2, 0.15), std::tuple(GgufType::kQ4_0, 1.0, 10.0)}) {
    const auto package = ThroughGguf(type);
    ASSERT_NE(package, nullptr);
    const Comparison c = CompareAll(*package, "logits_");
    ASSERT_GE(c.positions, 3u);
    std::printf("%s %s: mean KL %.2e, worst input %.2e\n", GetParam().c_str(), std::string(GgufTypeName(type)).c_str(), c.mean_kl,
                c.worst_input_kl);
    EXPECT_LE(c.worst_input_kl, GetParam() == "qwen3-outliers-bf16" ? bound_of_outliers : bound) << GgufTypeName(type);
    EXPECT_EQ(c.argmax_errors, 0u);
  }
}

// What the exporter makes of a tokenizer.json, read back.
TEST(GoldenGgufTokenizer, IsThatOfTheTokenizerJson) {
  const std::string shared = std::string(PITH_SOURCE_DIR) + "/../shared";
  const std::string lines = shared + "/golden/text/strings.jsonl";
  if (!fs::exists(lines)) GTEST_SKIP() << lines << " is not here";
  for (const std::string path : {"/data/qwen3/tokenizer.json", "/models/starter/tokenizer.json"}) {
    const auto file = MappedFile::Open(shared + path);
    ASSERT_TRUE(file.ok()) << file.status().message();
    const auto json = Tokenizer::FromHuggingFaceJson(AsText((*file)->bytes()));
    ASSERT_TRUE(json.ok()) << json.status().message();
    const auto lists = ReadGgufVocabulary((*file)->bytes(), path, 151'936);
    ASSERT_TRUE(lists.ok()) << lists.status().message();
    GgufHeader header;
    header.AddString("tokenizer.ggml.model", "gpt2");
    header.AddString("tokenizer.ggml.pre", "qwen2");
    header.AddStrings("tokenizer.ggml.tokens", lists->tokens);
    header.AddI32s("tokenizer.ggml.token_type", lists->types);
    header.AddStrings("tokenizer.ggml.merges", lists->merges);
    const Bytes bytes = header.Encode();
    const auto gguf_file = GgufFile::FromMemory(bytes, "x.gguf");
    ASSERT_TRUE(gguf_file.ok()) << gguf_file.status().message();
    const auto gguf = Tokenizer::FromGguf(**gguf_file);
    ASSERT_TRUE(gguf.ok()) << gguf.status().message();
    EXPECT_EQ(gguf->Serialize(), json->Serialize()) << path;
    if (path != "/data/qwen3/tokenizer.json") continue;
    std::ifstream in(lines);
    size_t n_lines = 0;
    for (std::string line; std::getline(in, line); ++n_lines) {
      const auto entry = Json::Parse(AsBytes(line), lines);
      ASSERT_TRUE(entry.ok()) << entry.status().message();
      std::vector<TokenId> ours;
      std::vector<TokenId> theirs;
      gguf->Encode(AsBytes(*entry->Find("text")->AsString()), ours);
      json->Encode(AsBytes(*entry->Find("text")->AsString()), theirs);
      ASSERT_EQ(ours, theirs) << line;
    }
    EXPECT_GT(n_lines, 100u);
  }
}

class Collector : public TokenSink {
 public:
  bool Put(TokenId token) override {
    tokens.push_back(token);
    return true;
  }
  std::vector<TokenId> tokens;
};

// What is generated is transformers' greedy text, up to a place where its choice and ours are closer together than int8 rows move
// logits (1.0, as above).
TEST_P(Golden, GreedyTokensAreThoseOfTheFloatModelWhereItsMarginIsLargerThanOurError) {
  const auto package = Import(Activations::kPrecise);
  ASSERT_NE(package, nullptr);
  const std::vector<TokenId> prompt = Ids(*expected_->Find("greedy_prompt"));
  const std::vector<TokenId> expected = Ids(*expected_->Find("greedy_ids"));
  ThreadPool pool(2);
  Engine engine(package->weights(), KernelsFor(*ChooseIsa()), pool, {.window = 512, .n_sinks = 0});
  TokenStream stream(engine);
  Sampler sampler({.temperature = 0});
  Collector collector;
  GenerateCounts counts;
  const size_t vocab = package->weights().config.vocab;
  const Status status = Generate(
      stream, sampler, {.prompt = prompt, .stop_tokens = {}, .max_tokens = expected.size(), .n_ids = vocab}, collector, counts);
  ASSERT_TRUE(status.ok()) << status.message();
  ASSERT_EQ(collector.tokens.size(), expected.size());
  const size_t same = static_cast<size_t>(
      std::mismatch(expected.begin(), expected.end(), collector.tokens.begin()).first - expected.begin());
  std::printf("%s: %zu of %zu greedy tokens equal before the first that differs\n", GetParam().c_str(), same, expected.size());
  if (same == expected.size()) return;
  std::vector<TokenId> text = prompt;
  text.insert(text.end(), expected.begin(), expected.begin() + static_cast<ptrdiff_t>(same));
  stream.Rewind(0);
  ASSERT_TRUE(stream.Append(text, 1).ok());
  const std::span<float> logits = stream.logits(0);
  EXPECT_LT(logits[collector.tokens[same]] - logits[expected[same]], 1.0f);
}

INSTANTIATE_TEST_SUITE_P(Qwen3, Golden,
                         ::testing::Values("qwen3-tied-bf16", "qwen3-tied-with-head-bf16", "qwen3-untied-sharded-f16",
                                           "qwen3-f32", "qwen3-outliers-bf16", "qwen3-odd-bf16",
                                           "qwen3-realvocab-bf16"),
                         [](const auto& golden) {
                           std::string name = golden.param;
                           for (char& ch : name) ch = ch == '-' ? '_' : ch;
                           return name;
                         });

}  // namespace
}  // namespace pith
