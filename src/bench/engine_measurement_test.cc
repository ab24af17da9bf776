#include "bench/engine_measurement.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/cpu.h"
#include "base/thread_pool.h"
#include "model/engine.h"
#include "support/slow_model.h"

namespace pith::bench {
namespace {

const EngineMeasurementOptions kShort = {.threads = {2, 1, 2}, .prefill_tokens = 8, .decode_tokens = 1, .repeats = 1};

const Kernels& BestKernels() { return KernelsFor(*ChooseIsa()); }

Result<EngineResults> MeasureTiny(const EngineMeasurementOptions& options, const EngineCallback& progress = {}) {
  const ModelConfig config = testing::EvenConfig();
  const testing::RandomModel model(config, ActivationTerms::Fast(config.n_layers), 1);
  return MeasureEngine(model.weights(), BestKernels(), "tiny", options, progress);
}

TEST(MeasureEngine, GivesEverySpeedForEachNumberOfThreads) {
  const Result<EngineResults> results = MeasureTiny(kShort);
  ASSERT_TRUE(results.ok()) << results.status().message();
  EXPECT_EQ(results->engine, "pith " + VersionString());
  EXPECT_TRUE(results->model.starts_with("tiny: ")) << results->model;
  std::vector<std::string> seen;
  for (const EngineSpeed& s : results->speeds) {
    seen.push_back(s.name + " " + std::to_string(s.threads) + " " + std::to_string(s.streams));
    EXPECT_GT(s.tokens_per_second, 0) << seen.back();
    EXPECT_TRUE(std::isfinite(s.tokens_per_second)) << seen.back();
    ASSERT_TRUE(s.int8_share) << seen.back();
    EXPECT_GT(*s.int8_share, 0) << seen.back();
    EXPECT_LE(*s.int8_share, 1) << seen.back();
    EXPECT_FALSE(s.bandwidth_share) << seen.back() << ": its weights stay in the cache";
  }
  EXPECT_EQ(seen, (std::vector<std::string>{"prefill, all logits 1 16", "prefill, no logits 1 16", "decode 1 1",
                                            "decode, 16 streams 1 16", "prefill, all logits 2 16",
                                            "prefill, no logits 2 16", "decode 2 1", "decode, 16 streams 2 16"}));
  EXPECT_GT(results->int8_operations_per_second.value_or(0), 1e8);
  EXPECT_GT(results->read_bytes_per_second.value_or(0), 1e8);
}

TEST(MeasureEngine, OneAndAllThreadsUnlessTold) {
  EngineMeasurementOptions options = kShort;
  options.threads.clear();
  const Result<EngineResults> results = MeasureTiny(options);
  ASSERT_TRUE(results.ok()) << results.status().message();
  EXPECT_EQ(results->speeds.front().threads, 1u);
  EXPECT_EQ(results->speeds.back().threads, AvailableThreads());
}

TEST(MeasureEngine, AModelBeyondTheCacheHasAShareOfTheBandwidth) {
  ModelConfig config = testing::EvenConfig();
  config.vocab = Engine::kSmallModelWeights / config.hidden + 16;
  const testing::RandomModel model(config, ActivationTerms::Fast(config.n_layers), 1);
  const Result<EngineResults> results = MeasureEngine(model.weights(), BestKernels(), "wide", kShort, {});
  ASSERT_TRUE(results.ok()) << results.status().message();
  for (const EngineSpeed& s : results->speeds) {
    ASSERT_TRUE(s.bandwidth_share) << s.name;
    EXPECT_GT(*s.bandwidth_share, 0) << s.name;
    EXPECT_LE(*s.bandwidth_share, 1) << s.name;
  }
  EXPECT_EQ(results->speeds.front().streams, 1u) << "a large model prefills one stream";
}

TEST(MeasureEngine, ProgressCountsUpAndCanCancel) {
  size_t steps = 0;
  const Result<EngineResults> whole = MeasureTiny(kShort, [&](const EngineProgress& p) {
    EXPECT_EQ(p.done, steps++);
    EXPECT_EQ(p.total, 10u);
    EXPECT_FALSE(p.doing.empty());
    return true;
  });
  ASSERT_TRUE(whole.ok());
  EXPECT_EQ(steps, 10u);
  for (const size_t stop : {0u, 1u, 4u}) {
    const Result<EngineResults> cancelled = MeasureTiny(kShort, [&](const EngineProgress& p) { return p.done < stop; });
    EXPECT_EQ(cancelled.status().code(), StatusCode::kCancelled);
  }
}

TEST(MeasureEngine, RefusesWhatHasNoMeaning) {
  const auto error = [](auto change) {
    EngineMeasurementOptions options = kShort;
    change(options);
    return MeasureTiny(options).status().code();
  };
  EXPECT_EQ(error([](auto& o) { o.threads = {0, 1}; }), StatusCode::kInvalidArgument);
  EXPECT_EQ(error([](auto& o) { o.threads = {1, 5000}; }), StatusCode::kInvalidArgument);
  EXPECT_EQ(error([](auto& o) { o.repeats = 0; }), StatusCode::kInvalidArgument);
  EXPECT_EQ(error([](auto& o) { o.prefill_tokens = 0; }), StatusCode::kInvalidArgument);
  EXPECT_EQ(error([](auto& o) { o.decode_tokens = 0; }), StatusCode::kInvalidArgument);
  EXPECT_EQ(error([](auto& o) { o.window = 3; }), StatusCode::kInvalidArgument);
}

TEST(MeasureEngine, BrokenWeightsAreAnError) {
  const ModelConfig config = testing::EvenConfig();
  const testing::RandomModel model(config, ActivationTerms::Fast(config.n_layers), 1);
  ModelWeights weights = model.weights();
  const std::vector<float> broken(config.hidden, std::numeric_limits<float>::quiet_NaN());
  weights.layers[0].input_norm = broken.data();
  EXPECT_EQ(MeasureEngine(weights, BestKernels(), "broken", kShort, {}).status().code(), StatusCode::kCorrupt);
}

TEST(MeasureEngine, MeasuresTheModelInside) {
  const Result<Model> model = Model::Builtin({.threads = 1});
  if (!model.ok()) GTEST_SKIP() << model.status().message();
  EngineMeasurementOptions options = kShort;
  options.threads = {1};
  const Result<EngineResults> results = MeasureEngine(*model, options, {});
  ASSERT_TRUE(results.ok()) << results.status().message();
  EXPECT_EQ(results->speeds.size(), 4u);
  EXPECT_TRUE(results->model.starts_with(model->info().name + ": ")) << results->model;
}

TEST(CostOfToken, CountsWeightsTermsAndHead) {
  // One layer: q 8x8, k and v 4x8, o 8x8, gate and up 12x8, down 8x12; head 20x8. Rows are padded to 16.
  const ModelConfig config{.n_layers = 1,
                           .hidden = 8,
                           .n_heads = 2,
                           .n_kv_heads = 1,
                           .head_dim = 4,
                           .ffn = 12,
                           .vocab = 20,
                           .max_positions = 64,
                           .rope_theta = 1e4,
                           .rms_eps = 1e-6f,
                           .tied_head = true};
  const testing::RandomModel fast(config, ActivationTerms::Fast(1), 1);
  const double layer = 64 + 32 + 32 + 64 + 96 + 96 + 96;
  EXPECT_EQ(CostOfToken(fast.weights(), false).operations, 2 * layer);
  EXPECT_EQ(CostOfToken(fast.weights(), true).operations, 2 * (layer + 160));
  const testing::RandomModel precise(config, ActivationTerms::Precise(1), 1);
  EXPECT_EQ(CostOfToken(precise.weights(), true).operations, 4 * (layer + 160));
  // Six matrices of 16 rows by 8, one of 16 by 12, with 16 scales of 4 bytes each; the head has two panels.
  EXPECT_EQ(CostOfToken(fast.weights(), false).weight_bytes, 6 * 16 * 8 + 16 * 12 + 7 * 64);
  EXPECT_EQ(CostOfToken(fast.weights(), true).weight_bytes, 6 * 16 * 8 + 16 * 12 + 7 * 64 + 32 * 8 + 2 * 64);
}

Result<std::vector<EngineResults>> Merge(const std::string& text) { return MergePeer(AsBytes(text), "peer.json"); }

TEST(MergePeer, TakesWhatTheScriptPrints) {
  const Result<std::vector<EngineResults>> merged = Merge(
      R"({"engine": "llama.cpp", "type": "Q8_0", "threads": 1, "prefill_all_logits": 30.5, "prefill_last_logits": 50, "decode": 12.25})"
      "\n"
      R"({"engine": "llama.cpp", "type": "Q8_0", "threads": 2, "prefill_all_logits": 61.0, "prefill_last_logits": 99.5, "decode": 20.5})"
      "\n\n"
      R"({"engine": "llama.cpp", "type": "Q4_0", "threads": 1, "error": "killed\nby the system"})"
      "\n"
      R"({"engine": "LiteRT-LM", "type": "dynamic_int8", "threads": 2, "prefill_no_logits": 310.0, "decode": null, "start_s": 1.5})");
  ASSERT_TRUE(merged.ok()) << merged.status().message();
  ASSERT_EQ(merged->size(), 2u);
  const EngineResults& llama = (*merged)[0];
  EXPECT_EQ(llama.engine, "llama.cpp");
  EXPECT_EQ(llama.model, "Q8_0");
  ASSERT_EQ(llama.speeds.size(), 6u);
  EXPECT_EQ(llama.speeds[0].name, kPrefillAllLogits);
  EXPECT_EQ(llama.speeds[0].threads, 1u);
  EXPECT_EQ(llama.speeds[0].tokens_per_second, 30.5);
  EXPECT_EQ(llama.speeds[4].name, kPrefillLastLogits);
  EXPECT_EQ(llama.speeds[5].name, kDecode);
  EXPECT_EQ(llama.speeds[5].threads, 2u);
  EXPECT_EQ(llama.speeds[5].tokens_per_second, 20.5);
  EXPECT_FALSE(llama.speeds[5].int8_share) << "nobody measured it";
  const EngineResults& litert = (*merged)[1];
  EXPECT_EQ(litert.engine, "LiteRT-LM");
  ASSERT_EQ(litert.speeds.size(), 1u) << "null is not there";
  EXPECT_EQ(litert.speeds[0].name, kPrefillNoLogits);
}

TEST(MergePeer, SaysWhichLineIsWrong) {
  const auto expect = [](const std::string& text, StatusCode code, const std::string& part) {
    const Status status = Merge(text).status();
    EXPECT_EQ(status.code(), code) << text;
    EXPECT_NE(status.message().find(part), std::string::npos) << status.message();
  };
  const std::string good = R"({"engine": "e", "type": "t", "threads": 1, "decode": 1})";
  expect("", StatusCode::kCorrupt, "peer.json: no speeds of any engine");
  expect("{\"engine\": \"e\", \"type\": \"t\", \"threads\": 1, \"error\": \"out of memory\"}", StatusCode::kCorrupt,
         "no speeds of any engine; e, t: \"out of memory\"");
  expect(good + "\n[1]", StatusCode::kCorrupt, "peer.json: line 2: found array, expected an object");
  expect(good + "\n" + good, StatusCode::kCorrupt, "line 2: e, t, 1 thread: the second time");
  expect(good + "\n{", StatusCode::kCorrupt, "line 2");
  expect(R"({"type": "t", "threads": 1, "decode": 1})", StatusCode::kCorrupt, "\"engine\"");
  expect(R"({"engine": "e", "type": "", "threads": 1, "decode": 1})", StatusCode::kCorrupt, "\"type\"");
  expect(R"({"engine": "e\u001b[2J", "type": "t", "threads": 1, "decode": 1})", StatusCode::kCorrupt, "\"engine\"");
  expect(R"({"engine": "e", "type": "t", "threads": 0, "decode": 1})", StatusCode::kCorrupt, "\"threads\"");
  expect(R"({"engine": "e", "type": "t", "threads": "1", "decode": 1})", StatusCode::kCorrupt, "\"threads\"");
  expect(R"({"engine": "e", "type": "t", "threads": 1, "decode": -1})", StatusCode::kCorrupt, "\"decode\"");
  expect(R"({"engine": "e", "type": "t", "threads": 1, "decode": "fast"})", StatusCode::kCorrupt, "\"decode\"");
  expect(std::string(kMaxPeerLines + 1, '\n'), StatusCode::kUnsupported, "more than 1000 lines");
}

}  // namespace
}  // namespace pith::bench
