#include "tokenizer/tokenizer_lists.h"

#include <gtest/gtest.h>

#include <string>

#include "tokenizer/tokenizer.h"
#include "tokenizer/tokenizer_testing.h"

namespace pith {
namespace {

using Pair = std::pair<std::string_view, std::string_view>;

TEST(TokenizerLists, AreReadAndCutOut) {
  const std::string json =
      R"( {"x": [1, {"vocab": {"y": "}"}}], "model": { "a" : null, "merges":[ ["a","b\"c"] , ["\\","\u00c4x"]],
    "vocab" : {"a": 0,"b" :17 , "Ġ\\\n" : 123456789012345678} , "b": "]"}, "z": 1e5} )";
  EXPECT_FALSE(ReadTokenizerLists(json)) << "\\u is not plain";
  std::string plain = json;
  plain.replace(plain.find("\\u00c4"), 6, "Ä");
  const auto lists = ReadTokenizerLists(plain);
  ASSERT_TRUE(lists);
  EXPECT_EQ(lists->rest, R"( {"x": [1, {"vocab": {"y": "}"}}], "model": { "a" : null, "merges":[],
    "vocab" : {} , "b": "]"}, "z": 1e5} )");
  ASSERT_EQ(lists->vocab.size(), 3u);
  EXPECT_EQ(lists->vocab[1].text, "b");
  EXPECT_EQ(lists->vocab[1].id, 17u);
  EXPECT_EQ(lists->vocab[2].text, "Ġ\\\n");
  EXPECT_EQ(lists->vocab[2].id, 123456789012345678u);
  EXPECT_EQ(lists->merges, (std::vector<Pair>{{"a", "b\"c"}, {"\\", "Äx"}}));
}

TEST(TokenizerLists, MayBeEmpty) {
  const auto lists = ReadTokenizerLists(R"({"model":{"vocab":{},"merges":[]}})");
  ASSERT_TRUE(lists);
  EXPECT_TRUE(lists->vocab.empty() && lists->merges.empty());
  EXPECT_EQ(lists->rest, R"({"model":{"vocab":{},"merges":[]}})");
}

TEST(TokenizerLists, WhatIsNotPlainIsLeftAlone) {
  const auto with = [](const std::string& vocab, const std::string& merges) {
    return R"({"model":{"vocab":)" + vocab + R"(,"merges":)" + merges + "}}";
  };
  EXPECT_TRUE(ReadTokenizerLists(with(R"({"a":0})", R"([["a","b"]])")));
  for (const char* vocab : {R"({"a":-1})",
                            R"({"a":1.0})",
                            R"({"a":01})",
                            R"({"a":1234567890123456789})",
                            R"({"a":})",
                            R"({"a":0,})",
                            R"({"a" 0})",
                            R"({a:0})",
                            R"({"a":"0"})",
                            "[]",
                            "null",
                            R"({"\u0061":0})",
                            R"({"\q":0})",
                            "{\"\n\":0}",
                            "{\"\x80\":0}",
                            "{\"\xc3\":0}",
                            "{\"\xc1\x81\":0}",
                            "{\"\xe2\x82\xac\":0}",
                            R"({"a":0)",
                            R"({"a)",
                            R"({)"}) {
    EXPECT_FALSE(ReadTokenizerLists(with(vocab, "[]"))) << vocab;
  }
  for (const char* merges :
       {R"(["a b"])", R"([["a"]])", R"([["a","b","c"]])", R"([["a","b"],])", R"([["a" "b"]])", R"([[1,"b"]])",
        "{}", "null", R"([["a","b"])", R"([["a","b)", "["}) {
    EXPECT_FALSE(ReadTokenizerLists(with("{}", merges))) << merges;
  }
  for (const char* json :
       {"", " ", "{", "{}", "[]", R"({"model":{}})", R"({"model":{"vocab":{}}})",
        R"({"model":{"merges":[]}})", R"({"model":[]})", R"({"vocab":{},"merges":[]})",
        R"({"model":{"vocab":{},"merges":[],"vocab":{}}})",
        R"({"model":{"vocab":{},"merges":[]},"model":{}})",
        R"({"mo\u0064el":0,"model":{"vocab":{},"merges":[]}})", R"({"model":{"vocab":{},"merges":[]})",
        R"({"x":]},"model":{"vocab":{},"merges":[]}})"}) {
    EXPECT_FALSE(ReadTokenizerLists(json)) << json;
  }
}

// A file with a key that is not plain is read by the JSON parser alone: what comes of it must be the same,
// damaged or not.
TEST(TokenizerLists, GiveWhatTheParserGives) {
  const std::string json = TestVocabulary({{"a", "b"}, {"\"", "\\"}, {"\n", "\xff"}}).Json().dump(1);
  ASSERT_TRUE(ReadTokenizerLists(json));
  const auto through_parser = [](const std::string& text) {
    return "{\"\\u0078\": 0, " + text.substr(std::min<size_t>(1, text.size()));
  };
  ASSERT_FALSE(ReadTokenizerLists(through_parser(json)));
  size_t n_same = 0;
  const auto compare = [&](const std::string& text) {
    if (text.empty() || text[0] != '{') return;
    const auto ours = Tokenizer::FromHuggingFaceJson(text);
    const auto theirs = Tokenizer::FromHuggingFaceJson(through_parser(text));
    ASSERT_EQ(ours.ok(), theirs.ok()) << ours.status().message() << "\n" << theirs.status().message();
    if (!ours.ok()) {
      ASSERT_EQ(ours.status().code(), theirs.status().code()) << ours.status().message();
      return;
    }
    ASSERT_EQ(ours->Serialize(), theirs->Serialize());
    ++n_same;
  };
  compare(json);
  EXPECT_EQ(n_same, 1u);
  for (size_t i = 0; i < json.size(); i += 3) compare(json.substr(0, i));
  for (size_t i = 1; i < json.size(); ++i) {
    for (const unsigned mask : {1u, 0x80u, unsigned{'"'} ^ static_cast<unsigned char>(json[i])}) {
      std::string damaged = json;
      damaged[i] = static_cast<char>(static_cast<unsigned char>(damaged[i]) ^ mask);
      compare(damaged);
    }
  }
  EXPECT_GT(n_same, 100u);
}

}  // namespace
}  // namespace pith
