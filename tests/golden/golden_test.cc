// Tiny checkpoints with the logits that transformers computes for them (../shared/golden/README.md).
//
// logits_w8_N come from the same int8 rows with float32 activations: what separates us from them is the rounding of
// activations alone. The bounds are those of docs/performance.md.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <mutex>

#include "base/thread_pool.h"
#include "convert/import.h"
#include "convert/package.h"
#include "formats/safetensors.h"
#include "model/engine.h"

namespace pith {
namespace {

namespace fs = std::filesystem;

const fs::path kGoldens = fs::path(PITH_SOURCE_DIR) / "../shared/golden/models";

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
      EXPECT_TRUE(engine.Forward({&segment, 1}, [&](size_t, size_t i, size_t, float* l) { ours[i].assign(l, l + vocab); }).ok());
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
  ASSERT_TRUE(engine.Forward({&segment, 1}, [&](size_t, size_t i, size_t, float* l) {
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
