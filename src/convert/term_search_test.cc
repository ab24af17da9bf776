#include "convert/term_search.h"

#include <gtest/gtest.h>

#include <functional>

namespace pith {
namespace {

ModelConfig Shape(size_t n_layers) {
  ModelConfig c;  // Qwen3-0.6B but for the layers
  c.n_layers = n_layers;
  c.hidden = 1024;
  c.n_heads = 16;
  c.n_kv_heads = 8;
  c.head_dim = 128;
  c.ffn = 3072;
  c.vocab = 151936;
  c.max_positions = 40960;
  c.rope_theta = 1e6;
  c.rms_eps = 1e-6f;
  c.tied_head = true;
  return c;
}

// A model whose places lose independently: `loss(kind, layer)` each, kinds q o g d h, and a for the attention
// formats.
struct Additive {
  std::function<double(char, size_t)> loss;
  size_t n_measured = 0;

  double Of(const ActivationTerms& t) const {
    double sum = 0;
    for (size_t l = 0; l < t.layers.size(); ++l) {
      if (t.layers[l].qkv == 1) sum += loss('q', l);
      if (t.layers[l].o == 1) sum += loss('o', l);
      if (t.layers[l].gate_up == 1) sum += loss('g', l);
      if (t.layers[l].down == 1) sum += loss('d', l);
    }
    if (t.head == 1) sum += loss('h', 0);
    if (t.attention.query == 1) sum += loss('a', 0);
    if (t.attention.key_value == 1) sum += loss('a', 1);
    return sum;
  }
  LossFunction Function() {
    return [this](const ActivationTerms& t, const std::string&) -> Result<double> {
      ++n_measured;
      return Of(t);
    };
  }
};

TEST(TermSearch, AModelWithoutOutliersTakesOneTermAfterOneMeasurement) {
  Additive model{[](char, size_t) { return 1e-6; }};
  const auto choice = SearchTerms(Shape(28), 1e-3, model.Function());
  ASSERT_TRUE(choice.ok());
  EXPECT_EQ(choice->terms, ActivationTerms::Fast(28));
  EXPECT_EQ(model.n_measured, 1u);
  EXPECT_EQ(choice->cost, 1.0);
  ASSERT_EQ(choice->trials.size(), 1u);
}

TEST(TermSearch, AFewBadLayersAreFoundAndOnlyTheyTakeTwo) {
  Additive model{[](char kind, size_t l) {
    return kind == 'd' && (l == 2 || l == 26) ? 0.3 : kind == 'q' && l == 5 ? 0.05 : 2e-6;
  }};
  const auto choice = SearchTerms(Shape(28), 1e-3, model.Function());
  ASSERT_TRUE(choice.ok());
  EXPECT_LE(choice->loss, 1e-3);
  EXPECT_EQ(choice->terms.layers[2].down, 2);
  EXPECT_EQ(choice->terms.layers[26].down, 2);
  EXPECT_EQ(choice->terms.layers[5].qkv, 2);
  EXPECT_EQ(choice->terms.head, 1);
  EXPECT_LT(choice->cost, 1.06);
  EXPECT_LE(model.n_measured, kMaxMeasurements);
}

TEST(TermSearch, LossEverywhereEndsWithinTheBudget) {
  for (const double each : {1e-5, 3e-5, 1e-4, 1e-3, 1.0}) {
    for (const size_t n_layers : {1u, 2u, 3u, 28u, 36u}) {
      Additive model{[each](char kind, size_t l) {
        return each * (1.0 + static_cast<double>((l * 7 + static_cast<size_t>(kind)) % 5));
      }};
      const auto choice = SearchTerms(Shape(n_layers), 1e-3, model.Function());
      ASSERT_TRUE(choice.ok());
      EXPECT_LE(choice->loss, 1e-3);
      EXPECT_NEAR(choice->loss, model.Of(choice->terms), 1e-15);
      EXPECT_LE(model.n_measured, kMaxMeasurements);
      EXPECT_EQ(model.n_measured, choice->trials.size());
      EXPECT_EQ(choice->terms.attention.weight, 2);
    }
  }
}

TEST(TermSearch, LossesThatDoNotAddUpStillEndWithinTheBudget) {
  // Alone each place looks harmless; together they are five times worse than their sum.
  Additive model{[](char, size_t) { return 2e-5; }};
  const LossFunction measure = [&](const ActivationTerms& t, const std::string&) -> Result<double> {
    const double sum = model.Of(t);
    return sum > 6e-4 ? sum * 5 : sum;
  };
  const auto choice = SearchTerms(Shape(28), 1e-3, measure);
  ASSERT_TRUE(choice.ok());
  EXPECT_LE(choice->loss, 1e-3);
  EXPECT_LT(choice->cost, 2.0);
}

TEST(TermSearch, ABudgetOfNothingIsThePreciseSetting) {
  Additive model{[](char, size_t) { return 1e-4; }};
  const auto choice = SearchTerms(Shape(4), 0, model.Function());
  ASSERT_TRUE(choice.ok());
  EXPECT_EQ(choice->terms, ActivationTerms::Precise(4));
  EXPECT_EQ(choice->loss, 0);
}

TEST(TermSearch, FailuresOfTheMeasurementArePassedOn) {
  for (size_t fail_at = 1; fail_at < 20; ++fail_at) {
    size_t n = 0;
    const LossFunction measure = [&](const ActivationTerms&, const std::string&) -> Result<double> {
      if (++n == fail_at) return Cancelled("stop");
      return 0.01;
    };
    const auto choice = SearchTerms(Shape(8), 1e-3, measure);
    if (n < fail_at) break;
    ASSERT_FALSE(choice.ok());
    EXPECT_EQ(choice.status().code(), StatusCode::kCancelled);
  }
}

TEST(TermSearch, CostCountsEveryProduct) {
  const ModelConfig c = Shape(28);
  const double fast = TermCost(c, ActivationTerms::Fast(28));
  const double precise = TermCost(c, ActivationTerms::Precise(28));
  // 596 M weights, and attention over 1024 tokens: 28 layers * 2048 * 1024 * (1 + 2).
  EXPECT_NEAR(fast, 595.9e6 + 176.2e6, 0.2e6);
  EXPECT_NEAR(precise, 2 * 595.9e6 + 469.8e6, 0.4e6);
}

}  // namespace
}  // namespace pith
