// The engine against the slow twin of tests/support, bit for bit, in every way of cutting the work.
#include "model/engine.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <cstring>
#include <mutex>

#include "support/slow_model.h"

namespace pith {
namespace {

using testing::EvenConfig;
using testing::OddConfig;
using testing::RandomModel;
using testing::SlowForward;
using testing::SlowOutput;

std::vector<TokenId> RandomTokens(size_t n, size_t vocab, uint32_t seed) {
  std::vector<TokenId> tokens(n);
  uint64_t state = seed;
  for (TokenId& t : tokens) {
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    t = static_cast<TokenId>((state >> 33) % vocab);
  }
  return tokens;
}

// Of each token its logits, then its hidden state.
using Logits = std::vector<std::vector<float>>;

std::vector<float> Values(const TokenOutput& o, const ModelConfig& c) {
  std::vector<float> values(o.logits, o.logits + c.vocab);
  values.insert(values.end(), o.hidden, o.hidden + c.hidden);
  return values;
}

// Feeds `streams` in steps of `steps[i % steps.size()]` tokens each.
std::vector<Logits> RunStreams(Engine& engine, const std::vector<std::vector<TokenId>>& streams,
                        const std::vector<size_t>& steps) {
  std::vector<KvCache> caches;
  std::vector<Logits> logits(streams.size());
  for (size_t s = 0; s < streams.size(); ++s) {
    caches.push_back(engine.NewCache());
    logits[s].resize(streams[s].size());
  }
  std::vector<size_t> done(streams.size(), 0);
  for (size_t round = 0;; ++round) {
    std::vector<Segment> segments;
    std::vector<size_t> stream_of;
    for (size_t s = 0; s < streams.size(); ++s) {
      const size_t n = std::min(steps[(round + s) % steps.size()], streams[s].size() - done[s]);
      if (n == 0) continue;
      segments.push_back({&caches[s], std::span(streams[s]).subspan(done[s], n)});
      stream_of.push_back(s);
    }
    if (segments.empty()) break;
    const Status status = engine.Forward(segments, [&](const TokenOutput& o) {
      EXPECT_LT(o.thread, engine.pool().n_threads());
      const size_t s = stream_of[o.segment];
      logits[s][done[s] + o.index] = Values(o, engine.weights().config);
    });
    EXPECT_TRUE(status.ok()) << status.message();
    for (size_t i = 0; i < segments.size(); ++i) done[stream_of[i]] += segments[i].tokens.size();
  }
  return logits;
}

void ExpectSameBits(const Logits& got, const Logits& expected, const std::string& what) {
  ASSERT_EQ(got.size(), expected.size()) << what;
  for (size_t t = 0; t < got.size(); ++t) {
    ASSERT_EQ(got[t].size(), expected[t].size());
    for (size_t i = 0; i < got[t].size(); ++i) {
      ASSERT_EQ(std::memcmp(&got[t][i], &expected[t][i], sizeof(float)), 0)
          << what << ": position " << t << ", logit " << i << ": " << got[t][i] << ", expected " << expected[t][i];
    }
  }
}

struct Case {
  const char* name;
  ModelConfig config;
  ActivationTerms terms;
  EngineOptions options;
  size_t n_tokens;
};

std::vector<Case> Cases() {
  ActivationTerms mixed = ActivationTerms::Fast(2);
  mixed.layers[0].down = 2;
  mixed.layers[1].qkv = 2;
  mixed.attention = {.query = 2, .key_value = 1, .weight = 1};
  return {
      {"odd fast", OddConfig(), ActivationTerms::Fast(2), {}, 40},
      {"odd precise", OddConfig(), ActivationTerms::Precise(2), {}, 40},
      {"even mixed", EvenConfig(), mixed, {}, 50},
      {"odd window", OddConfig(), ActivationTerms::Fast(2), {.window = 19, .n_sinks = 0}, 150},
      {"even window and sinks", EvenConfig(), ActivationTerms::Precise(2), {.window = 33, .n_sinks = 4}, 200},
      {"odd window and sinks", OddConfig(), mixed, {.window = 17, .n_sinks = 16}, 170},
  };
}

TEST(Engine, EqualsTheSlowTwinBitForBit) {
  for (const Case& c : Cases()) {
    const RandomModel model(c.config, c.terms, 7, true);
    const std::vector<TokenId> tokens = RandomTokens(c.n_tokens, c.config.vocab, 3);
    Logits expected;
    for (const SlowOutput& o :
         SlowForward(model.weights(), tokens, {.window = c.options.window, .n_sinks = c.options.n_sinks})) {
      expected.push_back(o.logits);
      expected.back().insert(expected.back().end(), o.hidden.begin(), o.hidden.end());
    }
    for (const Isa isa : AvailableIsas()) {
      for (const std::vector<size_t>& steps : std::vector<std::vector<size_t>>{{1}, {1000}, {3, 17, 1, 64}}) {
        ThreadPool pool(2);
        Engine engine(model.weights(), KernelsFor(isa), pool, c.options);
        ExpectSameBits(RunStreams(engine, {tokens}, steps)[0], expected,
                       std::string(c.name) + ", " + std::string(IsaName(isa)) + ", first step " +
                           std::to_string(steps[0]));
        if (::testing::Test::HasFatalFailure()) return;
      }
    }
  }
}

TEST(Engine, StreamsDoNotDependOnTheBatchTheChunksOrTheThreads) {
  for (const Case& c : Cases()) {
    const RandomModel model(c.config, c.terms, 11);
    std::vector<std::vector<TokenId>> streams;
    for (uint32_t s = 0; s < 9; ++s) streams.push_back(RandomTokens(c.n_tokens - 3 * s, c.config.vocab, s));
    ThreadPool one(1);
    const Isa isa = AvailableIsas().back();
    Engine reference(model.weights(), KernelsFor(isa), one, c.options);
    std::vector<Logits> expected;
    for (const auto& stream : streams) expected.push_back(RunStreams(reference, {stream}, {1})[0]);
    for (const size_t n_threads : {1, 2, 4}) {
      ThreadPool pool(n_threads);
      for (const std::vector<size_t>& steps : std::vector<std::vector<size_t>>{{1}, {7}, {120}, {1, 30, 2}}) {
        Engine engine(model.weights(), KernelsFor(isa), pool, c.options);
        const std::vector<Logits> got = RunStreams(engine, streams, steps);
        for (size_t s = 0; s < streams.size(); ++s) {
          ExpectSameBits(got[s], expected[s],
                         std::string(c.name) + ", " + std::to_string(n_threads) + " threads, stream " +
                             std::to_string(s));
          if (::testing::Test::HasFatalFailure()) return;
        }
      }
    }
  }
}

TEST(Engine, LanesSideBySideGiveWhatAllStreamsTogetherGive) {
  for (const Case& c : Cases()) {
    const RandomModel model(c.config, c.terms, 11);
    constexpr size_t kStreams = 5;
    std::vector<std::vector<TokenId>> streams;
    for (uint32_t s = 0; s < kStreams; ++s) streams.push_back(RandomTokens(c.n_tokens - 3 * s, c.config.vocab, s));
    const Isa isa = AvailableIsas().back();
    ThreadPool one(1);
    Engine reference(model.weights(), KernelsFor(isa), one, c.options);
    EXPECT_EQ(reference.n_lanes(), 1u);
    const std::vector<Logits> expected = RunStreams(reference, streams, {1});
    for (const size_t n_threads : {1, 2, 4}) {
      ThreadPool pool(n_threads);
      Engine engine(model.weights(), KernelsFor(isa), pool, c.options);
      ASSERT_EQ(engine.n_lanes(), n_threads);
      std::vector<KvCache> caches;
      for (size_t s = 0; s < kStreams; ++s) caches.push_back(engine.NewCache());
      std::vector<Logits> got(kStreams);
      for (size_t n_lanes = 1; n_lanes <= n_threads; ++n_lanes) {
        for (size_t s = 0; s < kStreams; ++s) {
          caches[s].Clear();
          got[s].assign(streams[s].size(), {});
        }
        // Lane i has streams i, i + n_lanes, ..., token by token at first, then all that is left of each.
        engine.RunLanes(n_lanes, c.n_tokens, [&](size_t lane) {
          for (size_t done = 0; done < c.n_tokens; done = done < 9 ? done + 1 : c.n_tokens) {
            std::vector<Segment> segments;
            std::vector<size_t> stream_of;
            for (size_t s = lane; s < kStreams; s += n_lanes) {
              const std::span<const TokenId> rest = std::span(streams[s]).subspan(done);
              segments.push_back({&caches[s], done < 9 ? rest.first(1) : rest});
              stream_of.push_back(s);
            }
            const auto consume = [&](const TokenOutput& o) {
              EXPECT_EQ(o.thread, lane);
              got[stream_of[o.segment]][done + o.index] = Values(o, c.config);
            };
            EXPECT_TRUE(engine.ForwardInLane(lane, segments, consume).ok());
          }
        });
        for (size_t s = 0; s < kStreams; ++s) {
          ExpectSameBits(got[s], expected[s],
                         std::string(c.name) + ", " + std::to_string(n_lanes) + " lanes of " +
                             std::to_string(n_threads) + " threads, stream " + std::to_string(s));
          if (::testing::Test::HasFatalFailure()) return;
        }
      }
    }
  }
}

TEST(Engine, AModelOfManyWeightsHasOneLane) {
  ModelConfig config = EvenConfig();
  config.vocab = Engine::kSmallModelWeights / config.hidden;
  const RandomModel model(config, ActivationTerms::Fast(2), 5);
  ThreadPool pool(2);
  EXPECT_EQ(Engine(model.weights(), KernelsFor(Isa::kScalar), pool, {}).n_lanes(), 1u);
}

TEST(Engine, WorkspacesOfASmallModelAreCountedForEachThread) {
  const RandomModel model(EvenConfig(), ActivationTerms::Fast(2), 5);
  const size_t one = Engine::WorkspaceBytes(model.weights(), 64, 1);
  EXPECT_GT(one, 0u);
  EXPECT_GE(Engine::WorkspaceBytes(model.weights(), 64, 4), 4 * one);
}

TEST(Engine, WhatRunsBesideRunsOnceAndIsDoneInTheEnd) {
  const RandomModel model(EvenConfig(), ActivationTerms::Fast(2), 5);
  const std::vector<TokenId> tokens = RandomTokens(30, EvenConfig().vocab, 1);
  for (const size_t n_threads : {1, 2, 4}) {
    ThreadPool pool(n_threads);
    Engine engine(model.weights(), KernelsFor(Isa::kScalar), pool, {});
    for (const size_t n_streams : {0, 1, 2, 7}) {
      std::vector<KvCache> caches;
      for (size_t s = 0; s < n_streams; ++s) caches.push_back(engine.NewCache());
      std::vector<Segment> segments;
      for (KvCache& cache : caches) segments.push_back({&cache, tokens});
      std::atomic<size_t> n_logits{0};
      int n_beside = 0;
      const auto consume = [&](const TokenOutput&) { ++n_logits; };
      ASSERT_TRUE(engine.Forward(segments, consume, [&] { ++n_beside; }).ok());
      EXPECT_EQ(n_beside, 1);
      EXPECT_EQ(n_logits, n_streams * tokens.size());
    }
  }
}

TEST(Engine, AClearedCacheStartsAFreshStream) {
  const RandomModel model(EvenConfig(), ActivationTerms::Fast(2), 5);
  ThreadPool pool(1);
  Engine engine(model.weights(), KernelsFor(AvailableIsas().back()), pool, {.window = 32, .n_sinks = 4});
  const std::vector<TokenId> tokens = RandomTokens(100, 256, 1);
  KvCache cache = engine.NewCache();
  std::vector<std::vector<float>> runs(2);
  for (auto& logits : runs) {
    cache.Clear();
    const Segment segment{&cache, tokens};
    ASSERT_TRUE(engine.Forward({&segment, 1}, [&](const TokenOutput& o) {
                        if (o.index == 99) logits.assign(o.logits, o.logits + 256);
                      }).ok());
  }
  EXPECT_EQ(runs[0], runs[1]);
}

TEST(Engine, ATruncatedCacheGoesOnAsIfNothingHadFollowed) {
  const RandomModel model(OddConfig(), ActivationTerms::Precise(2), 5);
  ThreadPool pool(2);
  for (const Isa isa : AvailableIsas()) {
    Engine engine(model.weights(), KernelsFor(isa), pool, {.window = 200, .n_sinks = 0});
    const std::vector<TokenId> tokens = RandomTokens(150, model.weights().config.vocab, 1);
    const Logits expected = RunStreams(engine, {tokens}, {150})[0];
    const std::vector<TokenId> others = RandomTokens(70, model.weights().config.vocab, 2);
    KvCache cache = engine.NewCache();
    // Other tokens in between, at every kind of place within a panel.
    for (size_t kept = 0; kept + 13 < tokens.size(); kept += 13) {
      const Segment wrong{&cache, std::span(others).first(std::min(others.size(), 200 - kept))};
      ASSERT_TRUE(engine.Forward({&wrong, 1}, nullptr).ok());
      cache.Truncate(kept);
      ASSERT_EQ(cache.length(), kept);
      Logits got(13);
      const Segment right{&cache, std::span(tokens).subspan(kept, 13)};
      ASSERT_TRUE(engine.Forward({&right, 1}, [&](const TokenOutput& o) {
                          got[o.index] = Values(o, model.weights().config);
                        }).ok());
      ExpectSameBits(got, Logits(expected.begin() + kept, expected.begin() + kept + 13), "kept " + std::to_string(kept));
      if (::testing::Test::HasFatalFailure()) return;
    }
  }
}

TEST(Engine, OnlyTheLogitsThatAreWantedCome) {
  const RandomModel model(OddConfig(), ActivationTerms::Fast(2), 5);
  const size_t vocab = model.weights().config.vocab;
  const std::vector<TokenId> a = RandomTokens(230, vocab, 1);
  const std::vector<TokenId> b = RandomTokens(40, vocab, 2);
  for (const size_t n_threads : {1, 3}) {
    ThreadPool pool(n_threads);
    Engine engine(model.weights(), KernelsFor(AvailableIsas().back()), pool, {});
    const Logits expected_a = RunStreams(engine, {a}, {230})[0];
    const Logits expected_b = RunStreams(engine, {b}, {40})[0];
    for (const size_t from : {size_t{0}, size_t{1}, size_t{95}, size_t{96}, size_t{150}, size_t{229}, size_t{230}}) {
      KvCache cache_a = engine.NewCache();
      KvCache cache_b = engine.NewCache();
      const Segment segments[] = {{&cache_a, a, from}, {&cache_b, b, 39}};
      Logits got_a(230);
      Logits got_b(40);
      std::mutex mutex;
      ASSERT_TRUE(engine.Forward(segments, [&](const TokenOutput& o) {
                          const std::lock_guard<std::mutex> lock(mutex);
                          (o.segment == 0 ? got_a : got_b)[o.index] = Values(o, model.weights().config);
                        }).ok());
      for (size_t i = 0; i < from; ++i) EXPECT_TRUE(got_a[i].empty()) << i;
      for (size_t i = 0; i < 39; ++i) EXPECT_TRUE(got_b[i].empty()) << i;
      ExpectSameBits(Logits(got_a.begin() + from, got_a.end()), Logits(expected_a.begin() + from, expected_a.end()), "first");
      ExpectSameBits({got_b[39]}, {expected_b[39]}, "second");
      if (::testing::Test::HasFatalFailure()) return;
    }
  }
}

TEST(Engine, TokensOutOfRangeAreRefused) {
  const RandomModel model(EvenConfig(), ActivationTerms::Fast(2), 5);
  ThreadPool pool(1);
  Engine engine(model.weights(), KernelsFor(Isa::kScalar), pool, {});
  KvCache cache = engine.NewCache();
  const std::vector<TokenId> tokens = {1, 256};
  const Segment segment{&cache, tokens};
  const Status status = engine.Forward({&segment, 1}, nullptr);
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("token 1 is id 256, expected below 256"), std::string::npos) << status.message();
  engine.RunLanes(1, 2, [&](size_t lane) {
    EXPECT_EQ(engine.ForwardInLane(lane, {&segment, 1}, nullptr).message(), status.message());
  });
}

TEST(Engine, AnOverflowIsAnErrorNotANumber) {
  RandomModel model(EvenConfig(), ActivationTerms::Fast(2), 5);
  const_cast<float*>(model.weights().layers[1].input_norm)[3] = INFINITY;
  ThreadPool pool(2);
  for (const Isa isa : AvailableIsas()) {
    Engine engine(model.weights(), KernelsFor(isa), pool, {});
    KvCache cache = engine.NewCache();
    const std::vector<TokenId> tokens = {1, 2, 3};
    const Segment segment{&cache, tokens};
    EXPECT_EQ(engine.Forward({&segment, 1}, nullptr).code(), StatusCode::kCorrupt);
    cache.Clear();
    engine.RunLanes(2, 3, [&](size_t lane) {
      if (lane == 0) return;
      EXPECT_EQ(engine.ForwardInLane(lane, {&segment, 1}, nullptr).code(), StatusCode::kCorrupt);
    });
  }
}

TEST(Engine, NothingToDoIsFine) {
  const RandomModel model(EvenConfig(), ActivationTerms::Fast(2), 5);
  ThreadPool pool(2);
  Engine engine(model.weights(), KernelsFor(Isa::kScalar), pool, {});
  EXPECT_TRUE(engine.Forward({}, nullptr).ok());
  engine.RunLanes(2, 0, [&](size_t lane) { EXPECT_TRUE(engine.ForwardInLane(lane, {}, nullptr).ok()); });
}

}  // namespace
}  // namespace pith
