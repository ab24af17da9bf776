#include "chat/markup.h"

#include <gtest/gtest.h>

#include "tokenizer/tokenizer_testing.h"

namespace pith {
namespace {

constexpr TokenId kEnd = 256 + 3;   // <|end|>
constexpr TokenId kNote = 256 + 4;  // <note>

Tokenizer MakeTokenizer() {
  auto made =
      Tokenizer::FromHuggingFaceJson(TestVocabulary({{"a", "b"}, {"c", "d"}, {"ab", "cd"}}).Json().dump());
  EXPECT_TRUE(made.ok()) << made.status().message();
  return *std::move(made);
}

// `[` and `]` around data.
MarkedText Parse(std::string_view text) {
  MarkedText marked;
  size_t begin = 0;
  for (const char c : text) {
    if (c == '[') {
      begin = marked.text.size();
    } else if (c == ']') {
      marked.data.push_back({begin, marked.text.size()});
    } else {
      marked.text += c;
    }
  }
  return marked;
}

std::vector<TokenId> Encode(const Tokenizer& tokenizer, std::string_view text) {
  std::vector<TokenId> ids;
  EncodeMarked(Parse(text), 0, tokenizer, ids);
  return ids;
}

std::vector<TokenId> Bytes(std::string_view text) {
  std::vector<TokenId> ids;
  for (const char c : text) ids.push_back(static_cast<uint8_t>(c));
  return ids;
}

TEST(Markup, AddedTokensAreFoundInMarkupAndNowhereElse) {
  const Tokenizer tokenizer = MakeTokenizer();
  EXPECT_EQ(Encode(tokenizer, "x<|end|>y<note>"), (std::vector<TokenId>{'x', kEnd, 'y', kNote}));
  EXPECT_EQ(Encode(tokenizer, "[<|end|>]"), Bytes("<|end|>"));
  // One byte of data is enough.
  EXPECT_EQ(Encode(tokenizer, "<|en[d]|>"), Bytes("<|end|>"));
  EXPECT_EQ(Encode(tokenizer, "[<]|end|>"), Bytes("<|end|>"));
  EXPECT_EQ(Encode(tokenizer, "<|end|[>]"), Bytes("<|end|>"));
  EXPECT_EQ(Encode(tokenizer, "[x]<|end|>[y]"), (std::vector<TokenId>{'x', kEnd, 'y'}));
  EXPECT_EQ(Encode(tokenizer, "<|en"), Bytes("<|en"));
  EXPECT_TRUE(Encode(tokenizer, "").empty());
}

TEST(Markup, TextBetweenIsEncodedAcrossTheBorderOfData) {
  const Tokenizer tokenizer = MakeTokenizer();
  EXPECT_EQ(Encode(tokenizer, "ab[cd]"), (std::vector<TokenId>{258}));
  EXPECT_EQ(Encode(tokenizer, "a[b]c[d]"), (std::vector<TokenId>{258}));
  EXPECT_EQ(Encode(tokenizer, "ab<|end|>[cd]"), (std::vector<TokenId>{256, kEnd, 257}));
}

TEST(Markup, TokensAtTheFrontAreCountedUpToTheLastAddedOne) {
  const Tokenizer tokenizer = MakeTokenizer();
  size_t bytes = 0;
  const auto count = [&](std::string_view text, std::vector<TokenId> tokens) {
    return CountTokensAtFront(Parse(text), tokens, tokenizer, bytes);
  };
  // As the tokenizer would have it, and as the model chose to write it.
  EXPECT_EQ(count("abcd<|end|>ab", {258, kEnd, 256}), 2u);
  EXPECT_EQ(bytes, 11u);
  EXPECT_EQ(count("abcd<|end|>ab", {'a', 'b', 257, kEnd, 'a'}), 4u);
  EXPECT_EQ(bytes, 11u);
  EXPECT_EQ(count("ab<|end|>cd<note>x", {256, kEnd, 257, kNote, 'y'}), 4u);
  EXPECT_EQ(bytes, 17u);
  // Text that differs, markup that is data, data that is markup.
  EXPECT_EQ(count("abcx<|end|>", {258, kEnd}), 0u);
  EXPECT_EQ(bytes, 0u);
  EXPECT_EQ(count("ab[<|end|>]x", {256, kEnd}), 0u);
  std::vector<TokenId> spelled = {256};
  for (const TokenId id : Bytes("<|end|>")) spelled.push_back(id);
  spelled.push_back(kNote);
  EXPECT_EQ(count("ab<|end|><note>", spelled), 0u);
  EXPECT_EQ(count("ab[<|end|>]<note>", spelled), spelled.size());
  // More tokens than text, fewer, none.
  EXPECT_EQ(count("ab<|end|>", {256, kEnd, kEnd}), 2u);
  EXPECT_EQ(count("", {256}), 0u);
  EXPECT_EQ(count("ab<|end|>", {}), 0u);
}

}  // namespace
}  // namespace pith
