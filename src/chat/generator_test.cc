// What is generated must not depend on guessing ahead, on what the stream held before, on threads or
// instruction set.
#include "chat/generator.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/thread_pool.h"
#include "support/slow_model.h"

namespace pith {
namespace {

using testing::EvenConfig;
using testing::OddConfig;
using testing::RandomModel;

class Collector : public TokenSink {
 public:
  bool Put(TokenId token) override {
    tokens.push_back(token);
    return tokens.size() != most;
  }
  bool GoOn() override { return n_asked++ != give_up_after; }
  std::vector<TokenId> tokens;
  size_t most = 0;
  size_t n_asked = 0;
  size_t give_up_after = ~size_t{0};
};

// Tokens that repeat themselves, so that there is something to guess.
std::vector<TokenId> Prompt(size_t n, size_t vocab) {
  std::vector<TokenId> tokens;
  for (size_t i = 0; i < n; ++i) tokens.push_back(static_cast<TokenId>((i % 7 * 31 + i / 50) % vocab));
  return tokens;
}

struct Fixture {
  Fixture(const ModelConfig& config, Isa isa, size_t n_threads, size_t window = 200)
      : model(config, ActivationTerms::Fast(2), 7),
        pool(n_threads),
        engine(model.weights(), KernelsFor(isa), pool, {.window = window, .n_sinks = 0}),
        stream(engine) {}
  size_t vocab() const { return model.weights().config.vocab; }

  GenerateRequest Request(std::span<const TokenId> prompt, size_t max_tokens, bool draft = true) {
    return {.prompt = prompt, .stop_tokens = {}, .max_tokens = max_tokens, .n_ids = vocab(), .draft = draft};
  }
  std::vector<TokenId> Run(const GenerateRequest& request, const SamplerOptions& options) {
    Sampler sampler(options);
    Collector sink;
    const Status status = Generate(stream, sampler, request, sink, counts);
    EXPECT_TRUE(status.ok()) << status.message();
    return sink.tokens;
  }

  RandomModel model;
  ThreadPool pool;
  Engine engine;
  TokenStream stream;
  GenerateCounts counts;
};

TEST(Generate, GuessingAheadChangesNothing) {
  const Isa isa = AvailableIsas().back();
  size_t accepted = 0;
  for (const double temperature : {0.0, 0.3, 1.0}) {
    for (const double penalty : {1.0, 1.3}) {
      for (uint64_t seed = 0; seed < 6; ++seed) {
        Fixture setup(EvenConfig(), isa, 2);
        const SamplerOptions options{
            .temperature = temperature, .top_k = 4, .repetition_penalty = penalty, .seed = seed};
        const std::vector<TokenId> prompt = Prompt(60 + seed, setup.vocab());
        const std::vector<TokenId> plain = setup.Run(setup.Request(prompt, 100, false), options);
        EXPECT_EQ(setup.counts.drafted, 0u);
        EXPECT_EQ(plain.size(), 100u);
        EXPECT_EQ(setup.counts.passes, 99u);
        Fixture other(EvenConfig(), isa, 2);
        ASSERT_EQ(other.Run(other.Request(prompt, 100, true), options), plain)
            << temperature << " " << penalty << " " << seed;
        EXPECT_EQ(other.counts.generated, 100u);
        EXPECT_EQ(other.counts.accepted + other.counts.passes + 1, 100u);
        accepted += other.counts.accepted;
      }
    }
  }
  EXPECT_GT(accepted, 100u) << "nothing was guessed right: the test shows nothing";
}

TEST(Generate, TheSameForEveryInstructionSetAndNumberOfThreads) {
  std::vector<TokenId> expected;
  for (const Isa isa : AvailableIsas()) {
    for (const size_t n_threads : {1, 2, 4}) {
      Fixture setup(OddConfig(), isa, n_threads);
      const std::vector<TokenId> prompt = Prompt(40, setup.vocab());
      const std::vector<TokenId> got =
          setup.Run(setup.Request(prompt, 60), {.temperature = 1.5, .top_p = 0.9, .seed = 3});
      if (expected.empty()) expected = got;
      EXPECT_EQ(got, expected) << IsaName(isa) << ", " << n_threads << " threads";
    }
  }
}

TEST(Generate, WhatTheStreamHeldBeforeMattersForSpeedAlone) {
  const Isa isa = AvailableIsas().back();
  const SamplerOptions options{.temperature = 1, .top_k = 8, .seed = 5};
  Fixture fresh(EvenConfig(), isa, 2);
  const std::vector<TokenId> prompt = Prompt(90, fresh.vocab());
  const std::vector<TokenId> expected = fresh.Run(fresh.Request(prompt, 50), options);
  EXPECT_EQ(fresh.counts.reused, 0u);
  EXPECT_EQ(fresh.counts.prefilled, 90u);

  Fixture used(EvenConfig(), isa, 2);
  const std::span<const TokenId> beginning = std::span(prompt).first(30);
  used.Run(used.Request(beginning, 70), options);
  EXPECT_EQ(used.Run(used.Request(prompt, 50), options), expected);
  EXPECT_GE(used.counts.reused, 30u);
  EXPECT_EQ(used.counts.reused + used.counts.prefilled, 90u);
  // The same prompt again: one token for its logits.
  EXPECT_EQ(used.Run(used.Request(prompt, 50), options), expected);
  EXPECT_EQ(used.counts.prefilled, 1u);
  // Prompt and answer, and something new.
  std::vector<TokenId> longer = prompt;
  longer.insert(longer.end(), expected.begin(), expected.end());
  longer.push_back(3);
  used.Run(used.Request(longer, 5), options);
  EXPECT_LE(used.counts.prefilled, 2u);
}

TEST(Generate, EndsForEachReason) {
  const Isa isa = AvailableIsas().back();
  Fixture setup(EvenConfig(), isa, 2, 64);
  const std::vector<TokenId> prompt = Prompt(40, setup.vocab());
  const std::vector<TokenId> all = setup.Run(setup.Request(prompt, 0), {.temperature = 0});
  EXPECT_EQ(setup.counts.end, GenerateEnd::kContextFull);
  EXPECT_EQ(all.size(), 25u) << "24 places, and one token that nothing has to follow";

  const std::vector<TokenId> few = setup.Run(setup.Request(prompt, 3), {.temperature = 0});
  EXPECT_EQ(setup.counts.end, GenerateEnd::kMaxTokens);
  EXPECT_EQ(few, std::vector<TokenId>(all.begin(), all.begin() + 3));

  GenerateRequest request = setup.Request(prompt, 0);
  const std::vector<TokenId> stops = {all[5]};
  request.stop_tokens = stops;
  const std::vector<TokenId> stopped = setup.Run(request, {.temperature = 0});
  EXPECT_EQ(setup.counts.end, GenerateEnd::kStopToken);
  const size_t at = static_cast<size_t>(std::find(all.begin(), all.end(), all[5]) - all.begin());
  EXPECT_EQ(stopped, std::vector<TokenId>(all.begin(), all.begin() + static_cast<ptrdiff_t>(at)));

  Sampler sampler({.temperature = 0});
  Collector enough;
  enough.most = 4;
  ASSERT_TRUE(Generate(setup.stream, sampler, setup.Request(prompt, 0), enough, setup.counts).ok());
  EXPECT_EQ(setup.counts.end, GenerateEnd::kSink);
  EXPECT_EQ(enough.tokens.size(), 4u);

  Collector impatient;
  impatient.give_up_after = 2;
  ASSERT_TRUE(Generate(setup.stream, sampler, setup.Request(prompt, 0), impatient, setup.counts).ok());
  EXPECT_EQ(setup.counts.end, GenerateEnd::kCancelled);
}

TEST(Generate, ALongPromptCanBeGivenUp) {
  Fixture setup(EvenConfig(), AvailableIsas().back(), 2, 2000);
  const std::vector<TokenId> prompt = Prompt(1500, setup.vocab());
  Sampler sampler({.temperature = 0});
  Collector impatient;
  impatient.give_up_after = 1;
  ASSERT_TRUE(Generate(setup.stream, sampler, setup.Request(prompt, 0), impatient, setup.counts).ok());
  EXPECT_EQ(setup.counts.end, GenerateEnd::kCancelled);
  EXPECT_TRUE(impatient.tokens.empty());
  EXPECT_LT(setup.counts.prefilled, 1500u);
  EXPECT_GT(setup.counts.prefilled, 0u);
  // And taken up again where it was left.
  const size_t known = setup.counts.prefilled;
  setup.Run(setup.Request(prompt, 1), {.temperature = 0});
  EXPECT_EQ(setup.counts.reused, known);
}

TEST(Generate, APromptThatDoesNotFitIsRefused) {
  Fixture setup(EvenConfig(), AvailableIsas().back(), 1, 64);
  const std::vector<TokenId> prompt = Prompt(64, setup.vocab());
  Sampler sampler({.temperature = 0});
  Collector sink;
  const Status status = Generate(setup.stream, sampler, setup.Request(prompt, 0), sink, setup.counts);
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("64 tokens"), std::string::npos) << status.message();
}

// Allows the token that follows the last one, in a circle of `n`; may end after `end`.
class Circle : public TokenConstraint {
 public:
  Circle(TokenId n, size_t end) : n_(n), end_(end) {}
  void Reset() override { count_ = 0; }
  void Mask(std::span<uint64_t> allowed) override {
    std::fill(allowed.begin(), allowed.end(), 0);
    if (count_ >= end_ + 3) return;
    allowed[count_ % n_ / 64] |= uint64_t{1} << (count_ % n_ % 64);
  }
  bool MayEnd() const override { return count_ >= end_; }
  Status Accept(TokenId id) override {
    EXPECT_EQ(id, count_ % n_);
    ++count_;
    return OkStatus();
  }

 private:
  TokenId n_;
  size_t end_;
  size_t count_ = 0;
};

TEST(Generate, AConstraintIsKeptWithAndWithoutGuessing) {
  for (const bool draft : {false, true}) {
    Fixture setup(EvenConfig(), AvailableIsas().back(), 2);
    const std::vector<TokenId> prompt = Prompt(40, setup.vocab());
    GenerateRequest request = setup.Request(prompt, 0, draft);
    Circle circle(9, 70);
    request.constraint = &circle;
    std::vector<TokenId> got = setup.Run(request, {.temperature = 1, .seed = 1});
    EXPECT_EQ(setup.counts.end, GenerateEnd::kStopToken);
    EXPECT_EQ(got.size(), 73u);
    for (size_t i = 0; i < got.size(); ++i) EXPECT_EQ(got[i], i % 9);
    EXPECT_EQ(setup.counts.accepted > 30u, draft);
    // A stop token is among the choices once the text may end.
    const std::vector<TokenId> stops = {200};
    request.stop_tokens = stops;
    circle.Reset();
    const size_t n = setup.Run(request, {.temperature = 100, .seed = 1}).size();
    EXPECT_GE(n, 70u);
    EXPECT_LE(n, 73u);
  }
}

}  // namespace
}  // namespace pith
