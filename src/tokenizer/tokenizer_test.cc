#include "tokenizer/tokenizer.h"

#include <gtest/gtest.h>

#include <chrono>
#include <random>
#include <thread>

#include "tokenizer/tokenizer_testing.h"

namespace pith {
namespace {

TestVocabulary Small() {
  return TestVocabulary({{" ", "t"},
                         {"h", "e"},
                         {" t", "he"},
                         {"e", "r"},
                         {"i", "n"},
                         {"\xe4", "\xb8"},
                         {"\xe4\xb8", "\xad"},
                         {"<", "|"},
                         {"e", "n"},
                         {"en", "d"},
                         {"|", ">"},
                         {" ", " "},
                         {"  ", "  "}});
}

Tokenizer Make(const TestVocabulary& vocabulary) {
  Result<Tokenizer> t = Tokenizer::FromHuggingFaceJson(vocabulary.Json().dump());
  EXPECT_TRUE(t.ok()) << t.status().message();
  return *std::move(t);
}

std::vector<TokenId> Encode(const Tokenizer& t, std::string_view text) {
  std::vector<TokenId> ids;
  t.Encode(AsBytes(text), ids);
  return ids;
}

// Encodes, checks that only data tokens come out and that they decode to the text, and returns them.
std::vector<TokenId> RoundTrip(const Tokenizer& t, std::string_view text) {
  const std::vector<TokenId> ids = Encode(t, text);
  for (const TokenId id : ids) EXPECT_TRUE(t.IsData(id)) << id;
  Bytes back;
  const Status status = t.Decode(ids, back);
  EXPECT_TRUE(status.ok()) << status.message();
  EXPECT_TRUE(AsText(back) == text) << "text of " << text.size() << " bytes";
  return ids;
}

std::string RandomBytes(std::mt19937& random, size_t n) {
  std::string text;
  for (size_t i = 0; i < n; ++i) text += static_cast<char>(random());
  return text;
}

TEST(Tokenizer, EncodesByMerges) {
  const TestVocabulary small = Small();
  const Tokenizer t = Make(small);
  const auto id = [&](const char* bytes) { return small.tokens.at(bytes); };
  EXPECT_EQ(Encode(t, "the there"), (std::vector<TokenId>{'t', id("he"), id(" the"), 'r', 'e'}));
  EXPECT_EQ(Encode(t, "\u4e2d\u4e2c"), (std::vector<TokenId>{id("\u4e2d"), id("\xe4\xb8"), 0xac}));
  EXPECT_EQ(Encode(t, ""), std::vector<TokenId>{});
}

TEST(Tokenizer, AppendsToWhatIsThere) {
  const Tokenizer t = Make(Small());
  std::vector<TokenId> ids = {7};
  t.Encode(AsBytes("x"), ids);
  EXPECT_EQ(ids, (std::vector<TokenId>{7, 'x'}));
  Bytes bytes = {1};
  ASSERT_TRUE(t.Decode(ids, bytes).ok());
  EXPECT_EQ(bytes, (Bytes{1, 7, 'x'}));
}

TEST(Tokenizer, AddedTokensInTheDataAreData) {
  const TestVocabulary small = Small();
  const Tokenizer t = Make(small);
  const auto id = [&](const char* bytes) { return small.tokens.at(bytes); };
  EXPECT_EQ(RoundTrip(t, "<|end|>"), (std::vector<TokenId>{id("<|"), id("end"), id("|>")}));
  RoundTrip(t, "x<note>y");
}

TEST(Tokenizer, KnowsWhichIdsAreData) {
  const TestVocabulary small = Small();
  const Tokenizer t = Make(small);
  const auto n = static_cast<TokenId>(small.tokens.size());
  EXPECT_EQ(t.vocab_size(), n + 2);
  for (const auto& [bytes, id] : small.tokens) {
    EXPECT_TRUE(t.IsData(id));
    EXPECT_EQ(AsText(t.TokenBytes(id)), bytes);
  }
  for (const TokenId id : {n, n + 1, n + 2, TokenId{1} << 20, ~TokenId{0}}) {
    EXPECT_FALSE(t.IsData(id)) << id;
    EXPECT_TRUE(t.TokenBytes(id).empty()) << id;
  }
  ASSERT_EQ(t.added_tokens().size(), 2u);
  EXPECT_EQ(t.FindAddedToken("<|end|>"), n);
  EXPECT_TRUE(t.added_tokens()[0].special);
  EXPECT_EQ(t.FindAddedToken("<note>"), n + 1);
  EXPECT_FALSE(t.added_tokens()[1].special);
  EXPECT_EQ(t.FindAddedToken("the"), std::nullopt);
}

TEST(Tokenizer, TokensThatNoMergeMakesAreDataOnlyWhenMergesAreIgnored) {
  TestVocabulary vocabulary = Small();
  vocabulary.AddToken("zebra");
  const TokenId zebra = vocabulary.tokens.at("zebra");
  const Tokenizer with_merges = Make(vocabulary);
  EXPECT_EQ(Encode(with_merges, "zebra").size(), 5u);
  EXPECT_FALSE(with_merges.IsData(zebra));
  EXPECT_TRUE(with_merges.TokenBytes(zebra).empty());
  vocabulary.ignore_merges = true;
  const Tokenizer ignoring = Make(vocabulary);
  EXPECT_EQ(Encode(ignoring, "zebra"), std::vector<TokenId>{zebra});
  EXPECT_EQ(Encode(ignoring, "zebras").size(), 6u);  // only whole words
  EXPECT_TRUE(ignoring.IsData(zebra));
}

TEST(Tokenizer, DecodeRefusesIdsThatAreNotData) {
  const Tokenizer t = Make(Small());
  for (const TokenId bad :
       {*t.FindAddedToken("<|end|>"), static_cast<TokenId>(t.vocab_size()), ~TokenId{0}}) {
    Bytes out = {9};
    const Status status = t.Decode(std::vector<TokenId>{'a', bad}, out);
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
    EXPECT_NE(status.message().find("token 1 of 2 has id " + std::to_string(bad)), std::string::npos)
        << status.message();
    EXPECT_EQ(out, Bytes{9});
  }
}

TEST(Tokenizer, EverySingleByteAndEveryPairRoundTrips) {
  const Tokenizer t = Make(Small());
  for (int a = 0; a < 256; ++a) {
    const std::string one(1, static_cast<char>(a));
    EXPECT_EQ(RoundTrip(t, one), std::vector<TokenId>{static_cast<TokenId>(a)});
    for (int b = 0; b < 256; ++b) RoundTrip(t, one + static_cast<char>(b));
  }
}

TEST(Tokenizer, RandomBytesRoundTripAtAllSmallSizes) {
  const Tokenizer t = Make(Small());
  std::mt19937 random(3);
  for (size_t n = 0; n < 300; ++n) RoundTrip(t, RandomBytes(random, n));
  for (const size_t n : {1023u, 1024u, 1025u, 65535u, 65537u, 300000u}) RoundTrip(t, RandomBytes(random, n));
}

TEST(Tokenizer, EqualsTheSlowTwin) {
  std::mt19937 random(11);
  for (int round = 0; round < 300; ++round) {
    // Merges in an order that no training gives, of pieces that overlap: "ab" + "a", "a" + "ba".
    TestVocabulary vocabulary;
    vocabulary.ignore_merges = round % 5 == 0;
    std::vector<std::string> parts = {"a", "b", "c"};
    for (size_t n = random() % 24; n > 0; --n) {
      const std::string left = parts[random() % parts.size()];
      const std::string right = parts[random() % parts.size()];
      if (left.size() + right.size() > 24) continue;
      vocabulary.AddMerge(left, right);
      parts.push_back(left + right);
    }
    std::shuffle(vocabulary.merges.begin(), vocabulary.merges.end(), random);
    const Tokenizer t = Make(vocabulary);
    for (int i = 0; i < 20; ++i) {
      // Around the cache's 15 bytes and the 128 from which on a heap is used.
      const size_t limits[] = {3, 16, 40, 126 + random() % 5, 250};
      const size_t n = 1 + random() % limits[random() % 5];
      std::string text;
      while (text.size() < n) text += "abcabcab."[random() % 9];
      ASSERT_EQ(RoundTrip(t, text), vocabulary.EncodeSlowly(text)) << text;
    }
    std::string long_word;
    while (long_word.size() < 126u + static_cast<size_t>(round % 5))
      long_word += static_cast<char>('a' + random() % 3);
    ASSERT_EQ(RoundTrip(t, long_word), vocabulary.EncodeSlowly(long_word)) << long_word;
  }
}

TEST(Tokenizer, WordsSeenBeforeGiveTheSameTokens) {
  // More distinct words than the cache has places, each several times.
  const TestVocabulary small = Small();
  const Tokenizer t = Make(small);
  std::mt19937 random(5);
  std::vector<std::string> words;
  for (int i = 0; i < 500; ++i) {
    std::string word = " ";
    for (size_t n = random() % 18; n > 0; --n) word += "thernid"[random() % 7];
    words.push_back(word);
  }
  std::string text;
  for (int i = 0; i < 3000; ++i) text += words[random() % words.size()];
  EXPECT_EQ(RoundTrip(t, text), small.EncodeSlowly(text));
}

TEST(Tokenizer, ThreadsShareOneTokenizer) {
  const Tokenizer t = Make(Small());
  std::string text;
  for (int i = 0; i < 2000; ++i) text += " there in the end " + std::to_string(i);
  const std::vector<TokenId> expected = Encode(t, text);
  std::vector<std::vector<TokenId>> found(4);
  {
    std::vector<std::jthread> threads;
    for (std::vector<TokenId>& ids : found) threads.emplace_back([&] { t.Encode(AsBytes(text), ids); });
  }
  for (const std::vector<TokenId>& ids : found) EXPECT_EQ(ids, expected);
}

TEST(Tokenizer, WordsBeyondTheLimitAreCut) {
  const Tokenizer t = Make(TestVocabulary({{"a", "a"}, {"aa", "a"}}));
  // "aaa" is made from the left of each piece, so that the cut shows.
  constexpr size_t kLimit = Tokenizer::kMaxWordBytes;
  for (const size_t n : {kLimit, kLimit + 1, 2 * kLimit}) {
    const std::string text(n, 'a');
    std::vector<TokenId> expected;
    for (size_t begin = 0; begin < n; begin += kLimit) {
      const std::vector<TokenId> piece = Encode(t, text.substr(begin, kLimit));
      expected.insert(expected.end(), piece.begin(), piece.end());
    }
    EXPECT_TRUE(RoundTrip(t, text) == expected) << n;
  }
}

// What is slow for quadratic code. At a megabyte that would take minutes; the limit only has to lie between.
TEST(Tokenizer, HostileInputTakesLinearTime) {
  TestVocabulary vocabulary = Small();
  for (const char* unit : {"a", "\n", "-", "\xff"}) {
    std::string run = unit;
    for (int i = 0; i < 6; ++i, run += run) vocabulary.AddMerge(run, run);
  }
  for (const char* pair : {"ab", "ba", "bb", "bc", "cd", "dd", "da", "ca"}) {
    vocabulary.AddMerge(std::string(1, pair[0]), std::string(1, pair[1]));
  }
  vocabulary.AddMerge("ab", "cd");
  vocabulary.AddMerge("bc", "da");
  const Tokenizer t = Make(vocabulary);
  std::mt19937 random(9);
  constexpr size_t kSize = 1000000;
  std::vector<std::string> texts = {std::string(kSize, 'a'),    std::string(kSize, ' '),
                                    std::string(kSize, '\n'),   std::string(kSize, '-'),
                                    std::string(kSize, '1'),    std::string(kSize, '\''),
                                    std::string(kSize, '\xff'), RandomBytes(random, kSize)};
  const auto repeated = [&](const std::string& unit) {
    std::string text;
    while (text.size() < kSize) text += unit;
    texts.push_back(text);
  };
  repeated(" \n");
  repeated("\r\n ");
  repeated("\t ");
  repeated(" a");
  repeated("a\u0301");
  repeated("\u4e2da1 \n.");
  repeated("'s");
  repeated("\u3000 ");
  repeated("\xe4\xb8");
  std::string letters;
  while (letters.size() < kSize) letters += static_cast<char>('a' + random() % 4);
  texts.push_back(letters);
  texts.push_back(std::string(kSize, ' ') + "\n" + std::string(kSize, ' ') + "x");
  for (size_t i = 0; i < texts.size(); ++i) {
    const auto start = std::chrono::steady_clock::now();
    RoundTrip(t, texts[i]);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    EXPECT_LT(seconds.count(), 20.0) << "text " << i;
  }
}

}  // namespace
}  // namespace pith
