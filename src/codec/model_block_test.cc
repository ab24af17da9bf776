#include "codec/model_block.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <thread>

#include "base/hash.h"
#include "charset/character_encoding.h"
#include "codec/stream_layout.h"
#include "codec/toy_model.h"
#include "coder/arithmetic_coder.h"

namespace pith {
namespace {

const AfterTokens kGoOn = [](uint64_t, uint64_t) -> Result<bool> { return true; };

struct Block {
  BlockHeader header;
  Bytes code;
  Bytes content;
};

Block Encode(ToyModel& model, const Bytes& content, size_t n_streams, bool adaptive = true) {
  std::vector<TokenId> tokens;
  EXPECT_TRUE(model.Tokenize(content, tokens).ok());
  Result<std::optional<CodedTokens>> coded = EncodeTokens(model, tokens, n_streams, adaptive, tokens.size(), nullptr, kGoOn);
  EXPECT_TRUE(coded.ok() && coded->has_value());
  CodedTokens& c = **coded;
  EXPECT_EQ(c.n_tokens, tokens.size());
  EXPECT_EQ(c.n_streams, n_streams);
  return {{BlockKind::kModel, static_cast<uint32_t>(content.size()), static_cast<uint32_t>(c.code.size()),
           c.n_tokens, c.n_streams, c.probe, Hash32(content), adaptive},
          c.code,
          content};
}

Status Decode(ToyModel& model, const Block& block, Bytes* content = nullptr) {
  Bytes local;
  return DecodeModelBlock(model, block.header, block.code, nullptr, "block 1", content != nullptr ? *content : local,
                          kGoOn);
}

TEST(StreamLayout, PartsCoverAllTokensAndDifferByOneAtMost) {
  for (uint64_t n = 1; n < 200; ++n) {
    for (uint64_t s = 1; s <= n; ++s) {
      EXPECT_EQ(StreamBegin(n, s, 0), 0u);
      EXPECT_EQ(StreamBegin(n, s, s), n);
      for (uint64_t i = 0; i < s; ++i) {
        const uint64_t length = StreamBegin(n, s, i + 1) - StreamBegin(n, s, i);
        EXPECT_TRUE(length == n / s || length == StepCount(n, s));
      }
    }
  }
  EXPECT_EQ(StreamBegin(1u << 24, 256, 255), 255u << 16);  // no overflow in 64 bits
}

TEST(ModelBlock, EverySizeAndNumberOfStreamsRoundTrips) {
  ToyModel model;
  for (const size_t n : {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 255, 256, 257, 1000}) {
    const Bytes content = ToyText(model, n, n);
    std::vector<TokenId> tokens;
    ASSERT_TRUE(model.Tokenize(content, tokens).ok());
    for (const size_t n_streams : {1, 2, 3, 4, 7, 16, 17, 32, 255, 256}) {
      if (n_streams > tokens.size()) continue;
      for (const bool adaptive : {false, true}) {
        const Block block = Encode(model, content, n_streams, adaptive);
        Bytes back;
        const Status status = Decode(model, block, &back);
        ASSERT_TRUE(status.ok()) << n << " bytes, " << n_streams << " streams: " << status.message();
        EXPECT_EQ(back, content);
      }
    }
  }
}

TEST(ModelBlock, AnyBytesRoundTrip) {
  ToyModel model;
  std::mt19937_64 random(3);
  Bytes content(2000);
  for (uint8_t& b : content) b = static_cast<uint8_t>(random());
  const Block block = Encode(model, content, 5);
  Bytes back;
  ASSERT_TRUE(Decode(model, block, &back).ok());
  EXPECT_EQ(back, content);
}

TEST(ModelBlock, CodeDoesNotDependOnHowTheModelIsFed) {
  const Bytes content = ToyText(ToyModel(), 3000, 1);
  ToyModel usual;
  const Block expected = Encode(usual, content, 7);
  for (const size_t preferred : {1, 2, 7, 16, 1000, 100000}) {
    ToyModel::Options options;
    options.preferred_tokens = preferred;
    ToyModel model(options);
    const Block block = Encode(model, content, 7);
    EXPECT_EQ(block.code, expected.code) << preferred;
    EXPECT_EQ(block.header, expected.header) << preferred;
  }
}

TEST(ModelBlock, CodeIsAsLongAsTheModelSays) {
  ToyModel model;
  const Bytes content = ToyText(model, 50000, 1);
  std::vector<TokenId> tokens;
  ASSERT_TRUE(model.Tokenize(content, tokens).ok());
  for (const size_t n_streams : {1, 16}) {
    const Result<TokenCodeLength> length = MeasureTokens(model, tokens, n_streams, kGoOn);
    ASSERT_TRUE(length.ok());
    const double code_bits = 8.0 * static_cast<double>(Encode(model, content, n_streams, false).code.size());
    EXPECT_NEAR(length->integer_bits, length->ideal_bits, length->ideal_bits * 1e-5);
    EXPECT_NEAR(code_bits, length->integer_bits, length->integer_bits * 1e-5 + 32);
    EXPECT_LT(code_bits / static_cast<double>(content.size()), 3.0);
  }
}

TEST(ModelBlock, AModelThatComputesOtherwiseIsFoundByTheProbe) {
  ToyModel model;
  const Block block = Encode(model, ToyText(model, 3000, 1), 4);
  ToyModel::Options options;
  options.seed = 2;
  ToyModel other(options);
  const Status status = Decode(other, block);
  EXPECT_EQ(status.code(), StatusCode::kWrongModel) << status.message();
  EXPECT_NE(status.message().find("probe after 16 steps"), std::string::npos) << status.message();
  EXPECT_LE(other.tokens_fed(), 4u * kProbeSteps);
}

TEST(ModelBlock, AModelThatComputesOtherwiseLaterIsFoundByTheContent) {
  ToyModel model;
  // Text whose first steps never come by the token after which the other model errs.
  Bytes content;
  for (int i = 0; i < 200; ++i) content.push_back('e');
  content.push_back('Z');
  for (int i = 0; i < 200; ++i) content.push_back('e');
  std::vector<TokenId> z;
  ASSERT_TRUE(model.Tokenize(AsBytes("Z"), z).ok());
  ToyModel::Options options;
  options.wrong_after = z[0];
  ToyModel other(options);
  const Block block = Encode(model, content, 1, false);
  ASSERT_TRUE(Decode(model, block).ok());
  const Status status = Decode(other, block);
  EXPECT_EQ(status.code(), StatusCode::kWrongModel) << status.message();
  EXPECT_EQ(status.message().find("probe"), std::string::npos) << status.message();
}

TEST(ModelBlock, EveryFieldThatLiesIsFound) {
  ToyModel model;
  const Bytes content = ToyText(model, 500, 1);
  const Block good = Encode(model, content, 3);
  ASSERT_TRUE(Decode(model, good).ok());
  const auto expect_wrong = [&](const Block& b, const char* what) {
    EXPECT_EQ(Decode(model, b).code(), StatusCode::kWrongModel) << what;
  };
  Block b = good;
  b.header.probe ^= 1;
  expect_wrong(b, "probe");
  b = good;
  b.header.content_check ^= 1;
  expect_wrong(b, "content check");
  for (const int delta : {-1, 1}) {
    b = good;
    b.header.content_size += static_cast<uint32_t>(delta);
    expect_wrong(b, "content size");
    b = good;
    b.header.n_tokens += static_cast<uint32_t>(delta);
    expect_wrong(b, "tokens");
    b = good;
    b.header.n_streams += static_cast<uint32_t>(delta);
    expect_wrong(b, "streams");
  }
  b = good;
  b.header.n_tokens = b.header.content_size;
  expect_wrong(b, "many tokens");
}

TEST(ModelBlock, EveryPrefixAndEveryFlippedByteOfTheCodeIsFound) {
  ToyModel model;
  const Block good = Encode(model, ToyText(model, 300, 1), 2);
  for (size_t n = 0; n < good.code.size(); ++n) {
    Block b = good;
    b.code.resize(n);
    EXPECT_EQ(Decode(model, b).code(), StatusCode::kWrongModel) << n;
  }
  for (size_t i = 0; i < good.code.size(); ++i) {
    Block b = good;
    b.code[i] ^= 0x40;
    Bytes content;
    const Status status = Decode(model, b, &content);
    // Other last bytes may mean numbers of the same interval.
    if (i + 1 == good.code.size() && status.ok()) {
      EXPECT_EQ(content, good.content);
    } else {
      EXPECT_EQ(status.code(), StatusCode::kWrongModel) << i << " of " << good.code.size();
    }
  }
  Block b = good;
  b.code.insert(b.code.end(), kMaxImpliedZeros, 0);
  EXPECT_EQ(Decode(model, b).code(), StatusCode::kWrongModel);
}

TEST(ModelBlock, AWrongDecodeStopsWhenItIsTooLong) {
  ToyModel model;
  Block b = Encode(model, ToyText(model, 60000, 1), 1);
  b.header.content_size = b.header.n_tokens = 30000;
  ToyModel fresh;
  EXPECT_EQ(Decode(fresh, b).code(), StatusCode::kWrongModel);
  EXPECT_LE(fresh.tokens_fed(), 30001u);
}

TEST(ModelBlock, RefusalsAndFailuresEndTheWork) {
  ToyModel model;
  const Bytes content = ToyText(model, 5000, 1);
  std::vector<TokenId> tokens;
  ASSERT_TRUE(model.Tokenize(content, tokens).ok());
  const AfterTokens stop = [](uint64_t done, uint64_t) -> Result<bool> { return done < 1000; };
  const auto none = EncodeTokens(model, tokens, 2, true, tokens.size(), nullptr, stop);
  ASSERT_TRUE(none.ok());
  EXPECT_FALSE(none->has_value());
  EXPECT_EQ(MeasureTokens(model, tokens, 2, stop).status().code(), StatusCode::kCancelled);
  const Block block = Encode(model, content, 2);
  Bytes back;
  EXPECT_EQ(DecodeModelBlock(model, block.header, block.code, nullptr, "block 1", back, stop).code(),
            StatusCode::kCancelled);
  const AfterTokens fail = [](uint64_t, uint64_t) -> Result<bool> { return IoError("x"); };
  EXPECT_EQ(EncodeTokens(model, tokens, 2, true, tokens.size(), nullptr, fail).status().code(), StatusCode::kIo);
  EXPECT_EQ(DecodeModelBlock(model, block.header, block.code, nullptr, "block 1", back, fail).code(), StatusCode::kIo);
  ToyModel::Options options;
  options.fail_after = 500;
  ToyModel failing(options);
  EXPECT_EQ(EncodeTokens(failing, tokens, 2, true, tokens.size(), nullptr, kGoOn).status().code(), StatusCode::kCorrupt);
  ToyModel failing_too(options);
  EXPECT_EQ(Decode(failing_too, block).code(), StatusCode::kCorrupt);
}

// ---- Lanes

ToyModel::Options Lanes(size_t n) {
  ToyModel::Options options;
  options.max_lanes = n;
  return options;
}

TEST(ModelBlockLanes, AnyNumberDecodesTheSame) {
  ToyModel model;
  for (const size_t n : {1, 2, 3, 16, 17, 100, 1000}) {
    const Bytes content = ToyText(model, n, n);
    std::vector<TokenId> tokens;
    ASSERT_TRUE(model.Tokenize(content, tokens).ok());
    for (const size_t n_streams : {1, 2, 3, 5, 16}) {
      if (n_streams > tokens.size()) continue;
      for (const bool adaptive : {false, true}) {
        const Block block = Encode(model, content, n_streams, adaptive);
        for (const size_t n_lanes : {1, 2, 3, 4, 7}) {
          ToyModel other(Lanes(n_lanes));
          Bytes back;
          const Status status = Decode(other, block, &back);
          ASSERT_TRUE(status.ok()) << n << " bytes, " << n_streams << " streams, " << n_lanes
                                   << " lanes: " << status.message();
          EXPECT_EQ(back, content);
          EXPECT_EQ(other.n_lanes(), std::min(n_lanes, n_streams));
          EXPECT_EQ(other.tokens_fed(), tokens.size());
        }
      }
    }
  }
}

TEST(ModelBlockLanes, EveryKindOfDamageIsFoundAsWithOneLane) {
  ToyModel model;
  const Block good = Encode(model, ToyText(model, 400, 1), 5);
  std::vector<Block> damaged;
  for (size_t i = 0; i < good.code.size(); i += 7) {
    damaged.push_back(good);
    damaged.back().code[i] ^= 0x40;
    damaged.push_back(good);
    damaged.back().code.resize(i);
  }
  Block lying = good;
  lying.header.probe ^= 1;
  damaged.push_back(lying);
  lying = good;
  lying.header.content_check ^= 1;
  damaged.push_back(lying);
  lying = good;
  lying.header.content_size -= 1;
  damaged.push_back(lying);
  lying = good;
  lying.header.n_tokens += 1;
  damaged.push_back(lying);
  lying = good;
  lying.code.insert(lying.code.end(), kMaxImpliedZeros, 1);
  damaged.push_back(lying);
  for (const Block& b : damaged) {
    ToyModel one;
    const Status expected = Decode(one, b);
    EXPECT_EQ(expected.code(), StatusCode::kWrongModel) << expected.message();
    for (const size_t n_lanes : {2, 3, 7}) {
      ToyModel other(Lanes(n_lanes));
      EXPECT_EQ(Decode(other, b).message(), expected.message()) << n_lanes << " lanes";
    }
  }
}

TEST(ModelBlockLanes, AWrongModelIsFoundAtOnce) {
  ToyModel model;
  const Block block = Encode(model, ToyText(model, 3000, 1), 6);
  for (const size_t n_lanes : {1, 2, 3, 6}) {
    ToyModel::Options options = Lanes(n_lanes);
    options.seed = 2;
    ToyModel other(options);
    const Status status = Decode(other, block);
    EXPECT_EQ(status.code(), StatusCode::kWrongModel) << status.message();
    EXPECT_NE(status.message().find("probe after 16 steps"), std::string::npos) << status.message();
    EXPECT_LE(other.tokens_fed(), 6u * (kProbeSteps + 1));  // the other lanes are in the next step
  }
}

TEST(ModelBlockLanes, TheFirstFailureInOrderEndsAllLanes) {
  ToyModel model;
  const Block block = Encode(model, ToyText(model, 5000, 1), 6);
  for (const size_t n_lanes : {1, 2, 3, 6}) {
    for (size_t stream = 0; stream < 6; ++stream) {
      for (const uint64_t fail_after : {0, 1, 100}) {
        ToyModel::Options options = Lanes(n_lanes);
        options.failing_stream = stream;
        options.fail_after = fail_after;
        ToyModel failing(options);
        const Status status = Decode(failing, block);
        EXPECT_EQ(status.code(), StatusCode::kCorrupt) << status.message();
        EXPECT_NE(status.message().find("stream " + std::to_string(stream) + " fails"), std::string::npos)
            << status.message();
        EXPECT_LE(failing.tokens_fed(), 6 * (fail_after + 2));
      }
    }
    // All lanes fail at the first step: the first one's word counts.
    ToyModel::Options options = Lanes(n_lanes);
    options.fail_after = 0;
    ToyModel failing(options);
    EXPECT_NE(Decode(failing, block).message().find("stream 0 fails"), std::string::npos);
  }
}

TEST(ModelBlockLanes, TheCallerIsAskedOnItsOwnThreadAfterEachStep) {
  ToyModel model;
  const Bytes content = ToyText(model, 1000, 1);
  const Block block = Encode(model, content, 6);
  const std::thread::id caller = std::this_thread::get_id();
  std::vector<uint64_t> expected;
  for (const size_t n_lanes : {1, 2, 3, 6}) {
    std::vector<uint64_t> asked;
    const AfterTokens ask = [&](uint64_t done, uint64_t) -> Result<bool> {
      EXPECT_EQ(std::this_thread::get_id(), caller);
      asked.push_back(done);
      return true;
    };
    ToyModel other(Lanes(n_lanes));
    Bytes back;
    ASSERT_TRUE(DecodeModelBlock(other, block.header, block.code, nullptr, "", back, ask).ok());
    if (n_lanes == 1) expected = asked;
    EXPECT_EQ(asked, expected) << n_lanes << " lanes";
    EXPECT_EQ(asked.size(), StepCount(block.header.n_tokens, 6));
    EXPECT_EQ(asked.back(), block.header.n_tokens);
    // No, at any step; an error; an exception.
    for (const size_t stop_at : {size_t{0}, size_t{1}, size_t{50}, expected.size() - 1}) {
      for (const int how : {0, 1, 2}) {
        size_t n_asked = 0;
        const AfterTokens stop = [&](uint64_t, uint64_t) -> Result<bool> {
          EXPECT_LE(n_asked, stop_at);
          if (n_asked++ != stop_at) return true;
          if (how == 0) return false;
          if (how == 1) return IoError("x");
          throw std::runtime_error("y");
        };
        ToyModel stopped(Lanes(n_lanes));
        const auto decode = [&] {
          return DecodeModelBlock(stopped, block.header, block.code, nullptr, "", back, stop);
        };
        if (how == 0) {
          EXPECT_EQ(decode().code(), StatusCode::kCancelled);
        } else if (how == 1) {
          EXPECT_EQ(decode().code(), StatusCode::kIo);
        } else {
          EXPECT_THROW(EXPECT_FALSE(decode().ok()), std::runtime_error);
        }
        EXPECT_LE(stopped.tokens_fed(), 6 * (stop_at + 2));
      }
    }
  }
}

TEST(ModelBlock, ProgressCountsEveryToken) {
  ToyModel model;
  const Bytes content = ToyText(model, 3000, 1);
  std::vector<TokenId> tokens;
  ASSERT_TRUE(model.Tokenize(content, tokens).ok());
  uint64_t last = 0;
  const AfterTokens count = [&](uint64_t done, uint64_t) -> Result<bool> {
    EXPECT_GT(done, last);
    last = done;
    return true;
  };
  ASSERT_TRUE(EncodeTokens(model, tokens, 7, true, tokens.size(), nullptr, count).ok());
  EXPECT_EQ(last, tokens.size());
  last = 0;
  const Block block = Encode(model, content, 7);
  Bytes back;
  ASSERT_TRUE(DecodeModelBlock(model, block.header, block.code, nullptr, "", back, count).ok());
  EXPECT_EQ(last, tokens.size());
}

// As text in an encoding; lean blocks end by its size.
Block EncodeText(ToyModel& model, CharacterEncoding encoding, const Bytes& content, size_t n_streams, bool lean) {
  const std::string text = ToUtf8(encoding, content);
  Block block = Encode(model, Bytes(AsBytes(text).begin(), AsBytes(text).end()), n_streams);
  block.header.content_size = static_cast<uint32_t>(content.size());
  block.header.encoding = static_cast<uint8_t>(encoding);
  if (lean) {
    block.header.lean = true;
    block.header.has_probe = false;
    block.header.n_tokens = block.header.text_size = static_cast<uint32_t>(text.size());
    std::vector<TokenId> tokens;
    EXPECT_TRUE(model.Tokenize(AsBytes(text), tokens).ok());
    block.code = (*EncodeTokens(model, tokens, 1, true, block.header.TokensForTables(), nullptr, kGoOn))->code;
    block.header.payload_size = static_cast<uint32_t>(block.code.size());
  }
  block.header.content_check = block.header.CheckOf(Hash32(content));
  return block;
}

TEST(ModelBlock, TextsInAnyEncodingComeBackByteForByte) {
  ToyModel model;
  for (int e = 1; e <= kLastCharacterEncoding; ++e) {
    for (const bool lean : {false, true}) {
      for (const size_t n : {1, 2, 3, 300, 1001}) {
        Bytes content = ToyText(model, n, n + static_cast<size_t>(e));
        content.resize(n);
        const Block block = EncodeText(model, static_cast<CharacterEncoding>(e), content, lean ? 1 : std::min<size_t>(n, 3), lean);
        Bytes back;
        const Status status = Decode(model, block, &back);
        ASSERT_TRUE(status.ok()) << e << ": " << status.message();
        EXPECT_EQ(back, content) << e;
      }
    }
  }
}

TEST(ModelBlock, TextThatDoesNotFitItsEncodingIsWrong) {
  ToyModel model;
  Bytes content;
  for (int i = 0; i < 300; ++i) content.push_back(static_cast<uint8_t>(0xc0 + i % 0x40));  // Cyrillic letters
  const Block block = EncodeText(model, CharacterEncoding::kWindows1251, content, 3, false);
  Block other = block;
  other.header.encoding = static_cast<uint8_t>(CharacterEncoding::kWindows1252);
  EXPECT_EQ(Decode(model, other).code(), StatusCode::kWrongModel);
  other = block;
  other.header.content_size -= 1;
  EXPECT_EQ(Decode(model, other).code(), StatusCode::kWrongModel);
  other.header.content_size += 2;
  EXPECT_EQ(Decode(model, other).code(), StatusCode::kWrongModel);
  other = EncodeText(model, CharacterEncoding::kWindows1251, content, 1, true);
  for (const int change : {-1, 1}) {
    Block lean = other;
    lean.header.text_size += static_cast<uint32_t>(change);
    lean.header.n_tokens += static_cast<uint32_t>(change);
    EXPECT_EQ(Decode(model, lean).code(), StatusCode::kWrongModel) << change;
  }
}

TEST(ModelBlock, ProgressOfALeanBlockCountsBytes) {
  ToyModel model;
  const Bytes content = ToyText(model, 3000, 1);
  std::vector<TokenId> tokens;
  ASSERT_TRUE(model.Tokenize(content, tokens).ok());
  BlockHeader header;
  header.kind = BlockKind::kModel;
  header.adaptive = header.lean = true;
  header.has_probe = false;
  header.content_size = header.n_tokens = static_cast<uint32_t>(content.size());
  header.n_streams = 1;
  header.content_check = Hash32(content) & 0xffff;
  const auto coded = EncodeTokens(model, tokens, 1, true, header.TokensForTables(), nullptr, kGoOn);
  ASSERT_TRUE(coded.ok() && *coded);
  header.payload_size = static_cast<uint32_t>((*coded)->code.size());
  uint64_t last = 0;
  const AfterTokens count = [&](uint64_t done, uint64_t) -> Result<bool> {
    EXPECT_GT(done, last);
    last = done;
    return true;
  };
  Bytes back;
  ASSERT_TRUE(DecodeModelBlock(model, header, (*coded)->code, nullptr, "", back, count).ok());
  EXPECT_EQ(last, content.size());
  EXPECT_EQ(back, content);
  header.content_check ^= 1;
  last = 0;
  EXPECT_EQ(DecodeModelBlock(model, header, (*coded)->code, nullptr, "", back, count).code(), StatusCode::kWrongModel);
}

}  // namespace
}  // namespace pith
