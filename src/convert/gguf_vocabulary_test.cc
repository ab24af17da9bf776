#include "convert/gguf_vocabulary.h"

#include <gtest/gtest.h>

#include "convert/test_tokenizer_json.h"

namespace pith {
namespace {

Result<GgufVocabulary> Read(const TestTokenizerJson& json, size_t n_rows = 10) {
  const std::string text = json.Text();
  return ReadGgufVocabulary(AsBytes(text), "t", n_rows);
}

void ExpectError(const TestTokenizerJson& json, StatusCode code, const std::string& part,
                 size_t n_rows = 10) {
  const auto read = Read(json, n_rows);
  ASSERT_FALSE(read.ok()) << part;
  EXPECT_EQ(read.status().code(), code) << read.status().message();
  EXPECT_NE(read.status().message().find(part), std::string::npos) << read.status().message();
}

TEST(GgufVocabulary, EveryRowHasATokenAndAType) {
  const auto read = Read({});
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ(read->tokens, (std::vector<std::string>{"a", "b", "c", "ab", "abc", "<|end|>", "<think>",
                                                    "<|fim|>", "[PAD8]", "[PAD9]"}));
  EXPECT_EQ(read->types, (std::vector<int32_t>{1, 1, 1, 1, 1, 3, 4, 3, 5, 5}));
  EXPECT_EQ(read->merges, (std::vector<std::string>{"a b", "ab c"}));
  EXPECT_EQ(read->n_padding, 2u);
  EXPECT_EQ(read->FindAdded("<think>"), 6u);
  EXPECT_EQ(read->FindAdded("a"), std::nullopt);
  EXPECT_EQ(read->FindAdded("[PAD8]"), std::nullopt);
}

TEST(GgufVocabulary, ExactlyAsManyRowsAsTokensWillDo) {
  EXPECT_EQ(Read({}, 8)->n_padding, 0u);
  ExpectError({}, StatusCode::kInvalidArgument,
              "token \"<|fim|>\" has the id 7, but the embedding has 7 rows", 7);
  ExpectError({}, StatusCode::kInvalidArgument, "vocabulary is larger", 1);
}

TEST(GgufVocabulary, MergesComeInTwoForms) {
  const auto read = Read({.merges = R"(["#version: 0.2", "a b", "ab c"])"});
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ(read->merges, Read({})->merges);
  EXPECT_TRUE(Read({.merges = "[]"})->merges.empty());
  // The last one's rank counts.
  EXPECT_EQ(Read({.merges = R"(["a b", "ab c", "a b"])"})->merges, (std::vector<std::string>{"ab c", "a b"}));
}

TEST(GgufVocabulary, AnAddedTokenMayStandInTheVocabularyToo) {
  const auto read = Read({.vocab = R"({"a": 0, "b": 1, "c": 2, "ab": 3, "abc": 4, "<|end|>": 5})"});
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ(read->types[5], 3);
}

TEST(GgufVocabulary, HolesArePadding) {
  const auto read = Read({.vocab = R"({"a": 0, "b": 1, "c": 4, "ab": 3, "abc": 9})"});
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ(read->tokens[2], "[PAD2]");
  EXPECT_EQ(read->n_padding, 2u);
}

TEST(GgufVocabulary, RefusesWhatLlamaCppDoesNotDo) {
  const StatusCode kind = StatusCode::kUnsupported;
  ExpectError({.model_type = "Unigram"}, kind, "model.type: found \"Unigram\", expected \"BPE\"");
  ExpectError({.pattern = "\\\\s+"}, kind, "pattern: found \"\\\\s+\", expected that of Qwen2");
  ExpectError({.normalizer = R"({"type": "NFKC"})"}, kind,
              "normalizer.type: found \"NFKC\", expected \"NFC\"");
  ExpectError({.post_processor = R"({"type": "TemplateProcessing"})"}, kind, "post_processor.type");
  ExpectError({.more_model = R"(, "ignore_merges": true)"}, kind, "ignore_merges: found true");
  ExpectError({.more_model = R"(, "end_of_word_suffix": "</w>")"}, kind,
              "end_of_word_suffix: found \"</w>\"");
  EXPECT_TRUE(Read({.normalizer = "null", .post_processor = "null"}).ok());
  for (const char* text : {"{}", "[]", "3", R"({"model": {"type": "BPE"}})"}) {
    EXPECT_EQ(ReadGgufVocabulary(AsBytes(text), "t", 3).status().code(), kind) << text;
  }
}

TEST(GgufVocabulary, SaysWhatContradictsItself) {
  const StatusCode kind = StatusCode::kCorrupt;
  ExpectError({.vocab = R"({"a": 0, "b": 0})"}, kind, "tokens \"a\" and \"b\" have the same id, 0");
  ExpectError({.vocab = R"({"a": -1})"}, kind, "token \"a\": found integer, expected an id");
  ExpectError({.vocab = "[]"}, kind, "model.vocab: found array");
  ExpectError({.added = R"([{"id": 0, "content": "x"}])"}, kind,
              "tokens \"a\" and \"x\" have the same id, 0");
  ExpectError({.added = R"([{"id": 6, "content": "a"}])"}, kind, "added token \"a\" has more than one id");
  ExpectError({.added = R"([{"id": 6, "content": "x"}, {"id": 7, "content": "x"}])"}, kind,
              "more than one id");
  ExpectError({.added = R"([{"id": 6}])"}, kind, "content: found nothing");
  ExpectError({.added = "{}"}, kind, "added_tokens: found object");
  ExpectError({.merges = R"([["a", "b", "c"]])"}, kind, "merge 0: found array, expected");
  ExpectError({.merges = R"(["ab"])"}, kind, "merge 0: found \"ab\"");
  ExpectError({.merges = R"(["a ", " b"])"}, kind, "merge 0: found \"a \"");
  ExpectError({.merges = R"(["a b c"])"}, kind, "\"b c\" is no token");
  ExpectError({.merges = R"([["b", "a"]])"}, kind, "merge 0: \"ba\" is no token");
  ExpectError({.merges = "3"}, kind, "model.merges: found integer");
  ExpectError({.vocab = R"({"a": 0, "b": 1, "c": 2, "ab": 3, "abc": 4, "[PAD9]": 8})"},
              StatusCode::kUnsupported, "token \"[PAD9]\" has the name");
  EXPECT_EQ(ReadGgufVocabulary(AsBytes("{"), "t", 3).status().code(), kind);
}

TEST(GgufVocabulary, EachPrefixAndEachFlippedByteReadsOrIsRefused) {
  const std::string text = TestTokenizerJson().Text();
  for (size_t n = 0; n < text.size(); ++n) {
    EXPECT_FALSE(ReadGgufVocabulary(AsBytes(text).first(n), "t", 10).ok()) << n;
    std::string damaged = text;
    damaged[n] = static_cast<char>(damaged[n] ^ 1);
    const auto read = ReadGgufVocabulary(AsBytes(damaged), "t", 10);
    if (read.ok())
      EXPECT_EQ(read->tokens.size(), 10u);
    else
      EXPECT_TRUE(read.status().message().starts_with("t: ")) << read.status().message();
  }
}

}  // namespace
}  // namespace pith
