// Short archives decoded together: the contents that each has by itself, and nothing where anything is wrong.
#include <gtest/gtest.h>

#include <optional>
#include <vector>

#include "base/random_bytes.h"
#include "codec/codec.h"
#include "codec/codec_limits.h"
#include "codec/toy_model.h"

namespace pith {
namespace {

const CodecProgressCallback kNoProgress;

Bytes Archive(TokenModel& model, ByteSpan content, const EncodeOptions& options) {
  MemorySource source(content);
  MemorySink sink;
  const Status status = EncodeArchive(&model, source, sink, options, kNoProgress).status();
  EXPECT_TRUE(status.ok()) << status.message();
  return sink.bytes;
}

TokenModelProvider Provide(TokenModel* model, size_t* asked = nullptr) {
  return [=](const ModelIdentity&) -> Result<TokenModel*> {
    if (asked != nullptr) ++*asked;
    return model;
  };
}

std::vector<std::optional<Bytes>> Together(TokenModel& model, const std::vector<Bytes>& archives, const DecodeOptions& options = {},
                                           size_t* asked = nullptr) {
  return DecodeTogether(Provide(&model, asked), std::vector<ByteSpan>(archives.begin(), archives.end()), options);
}

ToyModel::Options InLanes(size_t n) {
  ToyModel::Options options;
  options.max_lanes = n;
  return options;
}

TEST(DecodeTogether, GivesEachItsOwnContent) {
  for (const size_t n_lanes : {1, 3}) {
    ToyModel model(InLanes(n_lanes));
    EncodeOptions options;
    options.allow_short = true;
    std::vector<Bytes> contents;
    std::vector<Bytes> archives;
    for (size_t i = 0; i < 20; ++i) {
      contents.push_back(ToyText(model, i % 9 == 8 ? 30'000 : 40 + i * i * 7 % 3000, i));
      options.streams = i % 5 == 4 ? 3 : 0;  // these are not lean
      archives.push_back(Archive(model, contents.back(), options));
    }
    size_t asked = 0;
    const auto decoded = Together(model, archives, {}, &asked);
    ASSERT_EQ(decoded.size(), contents.size());
    size_t n_alone = 0;  // at the end of those of a kind one may be left, which is no faster here
    for (size_t i = 0; i < contents.size(); ++i) {
      if (decoded[i].has_value()) {
        EXPECT_EQ(*decoded[i], contents[i]) << i;
      } else {
        ++n_alone;
      }
    }
    EXPECT_LE(n_alone, 2u);
    EXPECT_LE(asked, 2u);
  }
}

TEST(DecodeTogether, LeavesAloneWhatIsNotForIt) {
  ToyModel model;
  EncodeOptions shorts;
  shorts.allow_short = true;
  const Bytes text = ToyText(model, 900, 1);
  const Bytes good = Archive(model, text, shorts);
  Bytes two = good;
  two.insert(two.end(), good.begin(), good.end());
  EncodeOptions plain = shorts;
  plain.adaptive = false;
  ToyModel::Options other_options;
  other_options.seed = 2;
  ToyModel other(other_options);
  Bytes cut = good;
  cut.resize(cut.size() - 1);
  Bytes flipped = good;
  flipped[flipped.size() / 2] ^= 1;  // found by decoding alone
  std::vector<Bytes> archives;
  archives.emplace_back();
  archives.push_back(two);
  archives.push_back(cut);
  archives.push_back(flipped);
  archives.push_back(Archive(model, text, {}));
  archives.push_back(Archive(model, text, plain));
  archives.push_back(Archive(model, RandomBytes(500, 1), shorts));
  archives.push_back(Archive(other, text, shorts));
  archives.push_back(RandomBytes(100, 2));
  archives.push_back(good);
  archives.push_back(good);
  const auto decoded = Together(model, archives);
  for (size_t i = 0; i + 2 < archives.size(); ++i) EXPECT_FALSE(decoded[i].has_value()) << i;
  EXPECT_EQ(decoded[archives.size() - 2], text);
  EXPECT_EQ(decoded[archives.size() - 1], text);
  // One alone gains nothing, and there is no model for it to ask for.
  size_t asked = 0;
  archives.erase(archives.begin(), archives.end() - 1);
  EXPECT_FALSE(Together(model, archives, {}, &asked)[0].has_value());
  EXPECT_EQ(asked, 0u);
  const TokenModelProvider none = [](const ModelIdentity&) -> Result<TokenModel*> { return NotFound("none"); };
  EXPECT_FALSE(DecodeTogether(none, std::vector<ByteSpan>(2, good), {})[0].has_value());
}

TEST(DecodeTogether, ByADictionaryAndWithinMemory) {
  ToyModel model;
  const TextDictionary dictionary(ToyText(model, 5000, 9));
  EncodeOptions options;
  options.allow_short = true;
  std::vector<Bytes> contents;
  std::vector<Bytes> archives;
  for (size_t i = 0; i < 12; ++i) {
    contents.push_back(ToyText(model, 300 + 100 * i, i));
    options.dictionary = i % 3 == 2 ? nullptr : &dictionary;
    archives.push_back(Archive(model, contents.back(), options));
  }
  const uint64_t one = ModelBytes(model, 1) + AdaptiveBytes(model, 8192, 5000, 2000);
  for (const uint64_t bound : {uint64_t{0}, 5 * one}) {
    const auto decoded = Together(model, archives, {.memory_bytes = bound, .dictionary = &dictionary});
    for (size_t i = 0; i < contents.size(); ++i) EXPECT_EQ(decoded[i], contents[i]) << i;
  }
  const auto without = Together(model, archives);
  for (size_t i = 0; i < contents.size(); ++i) EXPECT_EQ(without[i].has_value(), i % 3 == 2) << i;
  const auto too_little = Together(model, archives, {.memory_bytes = one / 4, .dictionary = &dictionary});
  for (size_t i = 0; i < contents.size(); ++i) EXPECT_FALSE(too_little[i].has_value()) << i;
}

}  // namespace
}  // namespace pith
