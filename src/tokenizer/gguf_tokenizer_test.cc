#include "tokenizer/gguf_tokenizer.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tokenizer/tokenizer.h"
#include "tokenizer/tokenizer_testing.h"

namespace pith {
namespace {

// The lists of a GGUF file, to be changed before they are written.
struct GgufLists {
  std::string model = "gpt2";
  std::string pre = "qwen2";
  std::vector<std::string> tokens;
  std::vector<int32_t> types;
  std::vector<std::string> merges;

  // What convert/gguf_vocabulary.h makes of TestVocabulary::Json: <|end|> and <note> last.
  explicit GgufLists(const TestVocabulary& v) : tokens(v.tokens.size()), types(v.tokens.size(), 1) {
    for (const auto& [bytes, id] : v.tokens) tokens[id] = AlphabetText(bytes);
    for (const auto& [left, right] : v.merges)
      merges.push_back(AlphabetText(left) + " " + AlphabetText(right));
    tokens.insert(tokens.end(), {"<|end|>", "<note>"});
    types.insert(types.end(), {3, 4});
  }

  void Add(const std::string& text, int32_t type) {
    tokens.push_back(text);
    types.push_back(type);
  }

  Result<Tokenizer> Read() const {
    GgufHeader header;
    if (!model.empty()) header.AddString("tokenizer.ggml.model", model);
    if (!pre.empty()) header.AddString("tokenizer.ggml.pre", pre);
    if (!tokens.empty()) header.AddStrings("tokenizer.ggml.tokens", tokens);
    if (!types.empty()) header.AddI32s("tokenizer.ggml.token_type", types);
    if (!merges.empty()) header.AddStrings("tokenizer.ggml.merges", merges);
    const Bytes bytes = header.Encode();
    PITH_ASSIGN_OR_RETURN(const std::unique_ptr<GgufFile> file, GgufFile::FromMemory(bytes, "file"));
    return Tokenizer::FromGguf(*file);
  }
};

const TestVocabulary kVocabulary({{"a", "b"}, {"ab", "c"}, {" ", "abc"}, {"\n", "\n"}, {"\xc3", "\xa4"}});

TEST(GgufTokenizer, IsThatOfTheTokenizerJson) {
  const auto json = Tokenizer::FromHuggingFaceJson(kVocabulary.Json().dump());
  ASSERT_TRUE(json.ok()) << json.status().message();
  const auto gguf = GgufLists(kVocabulary).Read();
  ASSERT_TRUE(gguf.ok()) << gguf.status().message();
  EXPECT_EQ(gguf->Serialize(), json->Serialize());
  EXPECT_EQ(gguf->vocab_size(), json->vocab_size());
  std::vector<TokenId> ids;
  gguf->Encode(AsBytes("abc abc\n\nab\xc3\xa4"), ids);
  EXPECT_EQ(ids, kVocabulary.EncodeSlowly("abc abc\n\nab\xc3\xa4"));
  EXPECT_EQ(gguf->FindAddedToken("<|end|>"), 261u);
  EXPECT_TRUE(gguf->added_tokens()[0].special);
  EXPECT_FALSE(gguf->added_tokens()[1].special);
}

TEST(GgufTokenizer, UnusedIdsAreHoles) {
  GgufLists lists(kVocabulary);
  lists.Add("[PAD263]", 5);
  lists.Add("<|fim_prefix|>", 3);  // control there, not special in Qwen's tokenizer.json
  lists.Add("[PAD265]", 5);
  const auto tokenizer = lists.Read();
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status().message();
  EXPECT_EQ(tokenizer->vocab_size(), 265u);
  EXPECT_FALSE(tokenizer->IsData(263));
  EXPECT_EQ(tokenizer->FindAddedToken("[PAD263]"), std::nullopt);
  EXPECT_EQ(tokenizer->FindAddedToken("<|fim_prefix|>"), 264u);
  EXPECT_FALSE(tokenizer->added_tokens().back().special);
}

TEST(GgufTokenizer, WhatIsWrongIsNamed) {
  struct Case {
    std::function<void(GgufLists&)> change;
    StatusCode code;
    std::string message;
  };
  const std::vector<Case> cases = {
      {[](GgufLists& l) { l.model = "llama"; }, StatusCode::kUnsupported,
       "tokenizer.ggml.model: found \"llama\", expected \"gpt2\""},
      {[](GgufLists& l) { l.model = ""; }, StatusCode::kUnsupported,
       "tokenizer.ggml.model: found nothing, expected \"gpt2\""},
      {[](GgufLists& l) { l.pre = "llama-bpe"; }, StatusCode::kUnsupported,
       "tokenizer.ggml.pre: found \"llama-bpe\", expected \"qwen2\""},
      {[](GgufLists& l) { l.pre = ""; }, StatusCode::kUnsupported,
       "tokenizer.ggml.pre: found nothing, expected \"qwen2\""},
      {[](GgufLists& l) { l.tokens.clear(); }, StatusCode::kCorrupt, "tokenizer.ggml.tokens: missing"},
      {[](GgufLists& l) { l.types.clear(); }, StatusCode::kCorrupt, "tokenizer.ggml.token_type: missing"},
      {[](GgufLists& l) { l.merges.clear(); }, StatusCode::kCorrupt, "tokenizer.ggml.merges: missing"},
      {[](GgufLists& l) { l.types.pop_back(); }, StatusCode::kCorrupt,
       "tokenizer.ggml.token_type: 262 entries, expected one for each of 263 tokens"},
      {[](GgufLists& l) { l.types[65] = 6; }, StatusCode::kUnsupported,
       "tokenizer.ggml.token_type: token 65, \"A\": found 6, expected 1 (normal)"},
      {[](GgufLists& l) { l.types[65] = 2; }, StatusCode::kUnsupported, "token 65, \"A\": found 2"},
      {[](GgufLists& l) { l.types[65] = 5; }, StatusCode::kUnsupported, "no token for the single byte 0x41"},
      {[](GgufLists& l) { l.types[256] = 3; }, StatusCode::kCorrupt,
       "tokenizer.ggml.merges: merge 0 of \"a\" and \"b\": \"ab\" is an added token"},
      {[](GgufLists& l) { l.merges[0] = "a q"; }, StatusCode::kCorrupt,
       "merge 0 of \"a\" and \"q\": \"aq\" is no token, expected one of tokenizer.ggml.tokens"},
      {[](GgufLists& l) { l.merges[1] = "abc"; }, StatusCode::kCorrupt,
       "tokenizer.ggml.merges: merge 1: \"abc\", expected \"a b\""},
      {[](GgufLists& l) { l.merges[1] = "a b c"; }, StatusCode::kCorrupt,
       "merge 1: \"a b c\", expected \"a b\""},
      {[](GgufLists& l) { l.merges[1] = " abc"; }, StatusCode::kCorrupt,
       "merge 1 of \"\" and \"abc\": \"\" is no token"},
      {[](GgufLists& l) { l.tokens[257] = "ab"; }, StatusCode::kCorrupt, "has the same bytes as"},
      {[](GgufLists& l) { l.tokens[257] = ""; }, StatusCode::kCorrupt, "is empty"},
      {[](GgufLists& l) { l.tokens[257] = "a c"; }, StatusCode::kUnsupported,
       "tokenizer.ggml.tokens: token \"a c\" has a character that is not in the alphabet"},
      {[](GgufLists& l) { l.Add("<note>", 4); }, StatusCode::kCorrupt, "have the same content"},
      {[](GgufLists& l) { l.Add("<note>", 1); }, StatusCode::kCorrupt,
       "tokenizer.ggml.tokens: token \"<note>\": id 263, but tokenizer.ggml.token_type gives it 262"},
      {[](GgufLists& l) { l.Add("\xff", 3); }, StatusCode::kCorrupt, "expected UTF-8"},
  };
  for (const Case& c : cases) {
    GgufLists lists(kVocabulary);
    c.change(lists);
    const Status status = lists.Read().status();
    EXPECT_EQ(status.code(), c.code) << c.message;
    EXPECT_NE(status.message().find(c.message), std::string::npos)
        << status.message() << "\nexpected " << c.message;
  }
}

// JSON is UTF-8 before it gets here; strings of GGUF are any bytes.
TEST(GgufTokenizer, TokensThatAreNotUtf8AreRefused) {
  for (const std::string bad :
       {"\x80", "\xc3", "a\xc4", "\xc0\xa1", "\xc3(", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xff"}) {
    GgufLists lists(kVocabulary);
    lists.Add(bad, 1);
    const Status status = lists.Read().status();
    EXPECT_EQ(status.code(), StatusCode::kUnsupported) << status.message();
    EXPECT_NE(status.message().find("a character that is not in the alphabet"), std::string::npos)
        << status.message();
  }
}

TEST(GgufTokenizer, ListsOfAnotherKindAreRefused) {
  GgufHeader header;
  header.AddU32("tokenizer.ggml.model", 1);
  const Bytes bytes = header.Encode();
  const auto file = GgufFile::FromMemory(bytes, "file");
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(Tokenizer::FromGguf(**file).status().message(),
            "tokenizer.ggml.model: found u32, expected \"gpt2\"");
  GgufHeader texts;
  texts.AddString("tokenizer.ggml.model", "gpt2");
  texts.AddString("tokenizer.ggml.pre", "qwen2");
  texts.AddStrings("tokenizer.ggml.tokens", std::vector<std::string>{"a"});
  texts.AddStrings("tokenizer.ggml.token_type", std::vector<std::string>{"1"});
  const Bytes more = texts.Encode();
  const auto other = GgufFile::FromMemory(more, "file");
  ASSERT_TRUE(other.ok());
  EXPECT_EQ(Tokenizer::FromGguf(**other).status().message(),
            "tokenizer.ggml.token_type: expected an array of integers");
}

}  // namespace
}  // namespace pith
