#include "codec/language_model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <string>

#include "codec/codec.h"
#include "codec/model_block.h"
#include "support/slow_model.h"
#include "tokenizer/tokenizer_testing.h"

namespace pith {
namespace {

using testing::EvenConfig;
using testing::OddConfig;
using testing::RandomModel;
using testing::SlowForward;
using testing::SlowFrequencies;
using testing::SlowOptions;

const AfterTokens kGoOn = [](uint64_t, uint64_t) -> Result<bool> { return true; };

Tokenizer SmallTokenizer() {
  const TestVocabulary vocabulary({{"t", "h"}, {"th", "e"}, {" ", "the"}, {"a", "n"}, {"an", "d"}});
  Result<Tokenizer> t = Tokenizer::FromHuggingFaceJson(vocabulary.Json().dump());
  EXPECT_TRUE(t.ok()) << t.status().message();
  return *std::move(t);
}

ModelConfig Config(size_t vocab, bool odd) {
  ModelConfig config = odd ? OddConfig() : EvenConfig();
  config.vocab = vocab;
  return config;
}

Fingerprint SomeFingerprint() {
  Fingerprint f;
  f.bytes[3] = 9;
  return f;
}

// A model of random weights with everything around it.
class Fixture {
 public:
  Fixture(size_t n_threads, Isa isa, bool odd = false, size_t vocab = 300, size_t window = 24,
          size_t n_sinks = 4)
      : random_(Config(vocab, odd), ActivationTerms::Precise(2), 5),
        tokenizer_(SmallTokenizer()),
        pool_(n_threads),
        engine_(random_.weights(), KernelsFor(isa), pool_, {.window = window, .n_sinks = n_sinks}) {
    Result<std::unique_ptr<LanguageModel>> model =
        LanguageModel::Create(engine_, tokenizer_, {"random", SomeFingerprint(), 261, 1000});
    EXPECT_TRUE(model.ok()) << model.status().message();
    if (model.ok()) model_ = *std::move(model);
  }
  LanguageModel& model() { return *model_; }
  const ModelWeights& weights() const { return random_.weights(); }
  const Tokenizer& tokenizer() const { return tokenizer_; }
  Engine& engine() { return engine_; }

 private:
  RandomModel random_;
  Tokenizer tokenizer_;
  ThreadPool pool_;
  Engine engine_;
  std::unique_ptr<LanguageModel> model_;
};

Bytes Text(size_t n) {
  std::string s;
  std::mt19937_64 random(1);
  while (s.size() < n) s += random() % 5 == 0 ? "\xc3\xa9\xff and" : random() % 2 == 0 ? " the" : "and x9";
  s.resize(n);
  return Bytes(s.begin(), s.end());
}

Isa Fastest() { return AvailableIsas().back(); }

TEST(LanguageModel, SaysWhatItIs) {
  Fixture f(1, Fastest());
  EXPECT_EQ(f.model().identity(), (ModelIdentity{"random", SomeFingerprint(), 24, 4}));
  EXPECT_EQ(f.model().vocab(), 300u);
  EXPECT_LT(f.model().start_token(), 300u - 261u);  // what data cannot have comes first
  EXPECT_EQ(f.model().hidden_width(), f.weights().config.hidden);
  EXPECT_GE(f.model().FixedBytes(), 1000u);
  EXPECT_GT(f.model().BytesPerStream(), 0u);
}

TEST(LanguageModel, TokensAreNumberedByTheirBytesAfterWhatDataCannotHave) {
  Fixture f(1, Fastest());
  const size_t n_other = 300 - 261;
  std::vector<std::string> bytes;
  for (TokenId number = n_other; number < 300; ++number) bytes.emplace_back(AsText(f.model().TokenBytes(number)));
  EXPECT_TRUE(std::is_sorted(bytes.begin(), bytes.end(), [](const std::string& a, const std::string& b) {
    return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(),
                                        [](char x, char y) { return static_cast<uint8_t>(x) < static_cast<uint8_t>(y); });
  }));
  EXPECT_EQ(bytes.front(), std::string(1, '\0'));
  EXPECT_EQ(bytes.back(), "\xff");
  EXPECT_NE(std::find(bytes.begin(), bytes.end(), " the"), bytes.end());
  std::vector<TokenId> tokens;
  ASSERT_TRUE(f.model().Tokenize(AsBytes("and the"), tokens).ok());
  std::string text;
  for (const TokenId number : tokens) {
    EXPECT_GE(number, n_other);
    text += AsText(f.model().TokenBytes(number));
  }
  EXPECT_EQ(text, "and the");
  EXPECT_LT(tokens.size(), 4u);
}

TEST(LanguageModel, PathsAndStepsEqualTheSlowTwin) {
  for (const bool odd : {false, true}) {
    Fixture f(2, Fastest(), odd, odd ? 301 : 300);
    const size_t vocab = f.weights().config.vocab;
    std::vector<bool> codable(vocab, false);
    for (TokenId id = 0; id < 261; ++id) codable[id] = f.tokenizer().IsData(id);
    // The numbers of ids: those that data cannot have first, the others by their bytes.
    std::vector<uint32_t> ids(vocab);
    std::iota(ids.begin(), ids.end(), 0u);
    std::stable_sort(ids.begin(), ids.end(), [&](uint32_t a, uint32_t b) {
      if (codable[a] != codable[b]) return static_cast<bool>(codable[b]);
      if (!codable[a]) return false;
      const auto text = [&](uint32_t id) { return AsText(f.tokenizer().TokenBytes(id)); };
      return text(a).compare(text(b)) < 0;  // std::char_traits<char> compares bytes without sign
    });
    std::vector<TokenId> numbers(vocab);
    for (size_t number = 0; number < vocab; ++number) numbers[ids[number]] = static_cast<TokenId>(number);
    EXPECT_EQ(f.model().start_token(), numbers[261]);
    const DecisionTree tree(static_cast<uint32_t>(vocab));
    const size_t depth = static_cast<size_t>(tree.depth());

    std::vector<std::vector<TokenId>> streams(3);
    std::vector<std::vector<uint32_t>> streams_of_ids(3);
    for (size_t s = 0; s < streams.size(); ++s) {
      streams_of_ids[s].push_back(261);
      f.tokenizer().Encode(Text(40 + 10 * s), streams_of_ids[s]);
      streams[s].push_back(numbers[261]);
      ASSERT_TRUE(f.model().Tokenize(Text(40 + 10 * s), streams[s]).ok());
      ASSERT_EQ(streams[s].size(), streams_of_ids[s].size());
      for (size_t i = 0; i < streams[s].size(); ++i) EXPECT_EQ(streams[s][i], numbers[streams_of_ids[s][i]]);
    }
    // All at once, as the encoder does.
    std::vector<std::vector<uint32_t>> paths(streams.size());
    const size_t width = f.model().hidden_width();
    std::vector<std::vector<float>> hidden(streams.size());
    std::vector<std::vector<double>> bits(streams.size());
    std::vector<PathRequest> requests;
    for (size_t s = 0; s < streams.size(); ++s) {
      const std::span<const TokenId> all = streams[s];
      paths[s].resize((all.size() - 1) * depth);
      hidden[s].resize((all.size() - 1) * width);
      bits[s].resize(all.size() - 1);
      requests.push_back({s, all.first(all.size() - 1), all.subspan(1), paths[s], hidden[s], bits[s]});
    }
    ASSERT_TRUE(f.model().Start(streams.size()).ok());
    int n_beside = 0;
    ASSERT_TRUE(f.model().Paths(requests, [&] { ++n_beside; }).ok());
    EXPECT_EQ(n_beside, 1);

    ASSERT_TRUE(f.model().Start(streams.size()).ok());
    for (size_t s = 0; s < streams.size(); ++s) {
      const auto said = SlowForward(f.weights(), streams_of_ids[s], {.window = 24, .n_sinks = 4});
      for (size_t t = 0; t + 1 < streams[s].size(); ++t) {
        const TokenId target = streams[s][t + 1];
        const std::vector<uint32_t> by_id = SlowFrequencies(said[t].logits, codable);
        std::vector<uint32_t> expected(vocab);
        for (size_t number = 0; number < vocab; ++number) expected[number] = by_id[ids[number]];
        std::vector<uint32_t> path(depth);
        tree.Path(expected.data(), target, path);
        ASSERT_TRUE(
            std::equal(path.begin(), path.end(), paths[s].begin() + static_cast<ptrdiff_t>(t * depth)))
            << "stream " << s << " position " << t;
        double z = 0;
        for (size_t i = 0; i < vocab; ++i) z += codable[i] ? std::exp(double{said[t].logits[i]}) : 0;
        EXPECT_NEAR(bits[s][t], std::log2(z) - said[t].logits[ids[target]] / std::log(2.0), 1e-6);
        const std::span<const float> state = std::span<const float>(hidden[s]).subspan(t * width, width);
        ASSERT_TRUE(std::equal(state.begin(), state.end(), said[t].hidden.begin(), said[t].hidden.end()));
        // One by one, as the decoder does.
        const StreamToken input{s, streams[s][t]};
        f.model().RunLanes(1, [&](size_t lane) {
          if (lane != 0) return;
          EXPECT_TRUE(f.model().Step(lane, {&input, 1}).ok());
        });
        const std::span<const uint32_t> found = f.model().Frequencies(0, 0);
        ASSERT_TRUE(std::equal(found.begin(), found.end(), expected.begin(), expected.end()))
            << "stream " << s << " position " << t;
        const std::span<const float> state_found = f.model().Hidden(0, 0);
        ASSERT_TRUE(std::equal(state_found.begin(), state_found.end(), state.begin(), state.end()));
      }
    }
  }
}

// Frequencies [stream][step] of streams that are fed token by token, cut into the lanes that the model has.
std::vector<std::vector<std::vector<uint32_t>>> FrequenciesInLanes(LanguageModel& model,
                                                                   const std::vector<std::vector<TokenId>>& streams) {
  const size_t n = streams.size();
  std::vector<std::vector<std::vector<uint32_t>>> result(n);
  EXPECT_TRUE(model.Start(n).ok());
  const size_t n_lanes = model.n_lanes();
  const size_t n_steps = streams[0].size();
  model.RunLanes(n_steps, [&](size_t lane) {
    for (size_t step = 0; step < n_steps; ++step) {
      std::vector<StreamToken> inputs;
      for (size_t s = n * lane / n_lanes; s < n * (lane + 1) / n_lanes; ++s) {
        if (step < streams[s].size()) inputs.push_back({s, streams[s][step]});
      }
      EXPECT_TRUE(model.Step(lane, inputs).ok());
      for (size_t i = 0; i < inputs.size(); ++i) {
        const std::span<const uint32_t> f = model.Frequencies(lane, i);
        result[inputs[i].stream].emplace_back(f.begin(), f.end());
      }
    }
  });
  return result;
}

TEST(LanguageModel, LanesGiveWhatAllStreamsTogetherGive) {
  // More than the window and than the 256 positions that angles are prepared for at a time.
  std::vector<std::vector<TokenId>> streams(5);
  Fixture one(1, Fastest());
  for (size_t s = 0; s < streams.size(); ++s) {
    streams[s].push_back(one.model().start_token());
    ASSERT_TRUE(one.model().Tokenize(Text(1500 + s), streams[s]).ok());
    std::rotate(streams[s].begin() + 1, streams[s].begin() + 1 + static_cast<ptrdiff_t>(7 * s), streams[s].end());
    streams[s].resize(s < 3 ? 300 : 299);
  }
  const auto expected = FrequenciesInLanes(one.model(), streams);
  EXPECT_EQ(one.model().n_lanes(), 1u);
  EXPECT_NE(expected[0].back(), expected[1].back());
  for (const size_t n_threads : {2, 3, 8}) {
    Fixture f(n_threads, Fastest());
    EXPECT_TRUE(FrequenciesInLanes(f.model(), streams) == expected) << n_threads << " threads";
    EXPECT_EQ(f.model().n_lanes(), std::min(n_threads, streams.size()));
    ASSERT_TRUE(f.model().Start(1).ok());
    EXPECT_EQ(f.model().n_lanes(), 1u);
    ASSERT_TRUE(f.model().Start(2).ok());
    EXPECT_EQ(f.model().n_lanes(), 2u);
  }
}

TEST(LanguageModel, BlocksAreTheSameForAnyThreadsAndInstructionsAndRoundTrip) {
  const Bytes content = Text(3000);
  std::optional<CodedTokens> expected;
  for (const Isa isa : AvailableIsas()) {
    for (const size_t n_threads : {1, 2, 4, 7}) {
      Fixture f(n_threads, isa);
      std::vector<TokenId> tokens;
      ASSERT_TRUE(f.model().Tokenize(content, tokens).ok());
      Result<std::optional<CodedTokens>> coded = EncodeTokens(f.model(), tokens, 5, true, tokens.size(), nullptr, kGoOn);
      ASSERT_TRUE(coded.ok()) << coded.status().message();
      if (!expected) expected = **coded;
      EXPECT_EQ((*coded)->code, expected->code) << IsaName(isa) << " " << n_threads;
      EXPECT_EQ((*coded)->probe, expected->probe);
      const BlockHeader header = {BlockKind::kModel,
                                  static_cast<uint32_t>(content.size()),
                                  static_cast<uint32_t>(expected->code.size()),
                                  expected->n_tokens,
                                  expected->n_streams,
                                  expected->probe,
                                  Hash32(content),
                                  true};
      Bytes back;
      const Status status = DecodeModelBlock(f.model(), header, expected->code, nullptr, "block 1", back, kGoOn);
      ASSERT_TRUE(status.ok()) << status.message();
      EXPECT_EQ(back, content);
    }
  }
}

TEST(LanguageModel, ArchivesRoundTrip) {
  Fixture f(2, Fastest());
  const Bytes content = Text(20000);
  MemorySource source(content);
  MemorySink sink;
  ASSERT_TRUE(EncodeArchive(&f.model(), source, sink, {}, {}).ok());
  MemorySource archive(sink.bytes);
  MemorySink back;
  const auto provide = [&](const ModelIdentity&) -> Result<TokenModel*> { return &f.model(); };
  ASSERT_TRUE(DecodeArchives(provide, archive, back, {}, {}).ok());
  EXPECT_EQ(back.bytes, content);
}

TEST(LanguageModel, TokenizerAndWeightsMustFit) {
  // 261 tokens and two added ones; an embedding of 262 rows lacks one.
  RandomModel random(Config(262, false), ActivationTerms::Fast(2), 1);
  const Tokenizer tokenizer = SmallTokenizer();
  ThreadPool pool(1);
  Engine engine(random.weights(), KernelsFor(Fastest()), pool, {.window = 24, .n_sinks = 0});
  EXPECT_EQ(LanguageModel::Create(engine, tokenizer, {"m", {}, 0, 0}).status().code(),
            StatusCode::kInvalidArgument);
  RandomModel larger(Config(263, false), ActivationTerms::Fast(2), 1);
  Engine engine_too(larger.weights(), KernelsFor(Fastest()), pool, {.window = 24, .n_sinks = 0});
  EXPECT_TRUE(LanguageModel::Create(engine_too, tokenizer, {"m", {}, 262, 0}).ok());
  EXPECT_EQ(LanguageModel::Create(engine_too, tokenizer, {"m", {}, 263, 0}).status().code(),
            StatusCode::kInvalidArgument);
}

TEST(LanguageModel, WeightsThatAreNotNumbersAreAnError) {
  RandomModel random(Config(300, false), ActivationTerms::Fast(2), 1);
  ModelWeights weights = random.weights();
  std::vector<float> norm(weights.config.hidden, std::numeric_limits<float>::quiet_NaN());
  weights.final_norm = norm.data();
  const Tokenizer tokenizer = SmallTokenizer();
  ThreadPool pool(1);
  Engine engine(weights, KernelsFor(Fastest()), pool, {.window = 24, .n_sinks = 0});
  Result<std::unique_ptr<LanguageModel>> model = LanguageModel::Create(engine, tokenizer, {"m", {}, 0, 0});
  ASSERT_TRUE(model.ok());
  std::vector<TokenId> tokens;
  ASSERT_TRUE((*model)->Tokenize(AsBytes("hello"), tokens).ok());
  EXPECT_EQ(EncodeTokens(**model, tokens, 1, true, tokens.size(), nullptr, kGoOn).status().code(), StatusCode::kCorrupt);
  const StreamToken input{0, tokens[0]};
  ASSERT_TRUE((*model)->Start(1).ok());
  (*model)->RunLanes(1, [&](size_t lane) {
    EXPECT_EQ((*model)->Step(lane, {&input, 1}).code(), StatusCode::kCorrupt);
  });
}

}  // namespace
}  // namespace pith
