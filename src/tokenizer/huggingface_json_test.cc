#include "tokenizer/huggingface_json.h"

#include <gtest/gtest.h>

#include "tokenizer/tokenizer.h"
#include "tokenizer/tokenizer_testing.h"

namespace pith {
namespace {

using nlohmann::json;

TestVocabulary Small() { return TestVocabulary({{"a", "b"}, {"ab", "c"}, {" ", "ab"}, {"\xe4", "\xb8"}}); }

// Reads the small file after a change to it.
Status After(const std::function<void(json&)>& change) {
  json file = Small().Json();
  change(file);
  return ReadHuggingFaceJson(file.dump()).status();
}

void ExpectRefused(const Status& status, StatusCode code, const std::vector<std::string>& parts) {
  EXPECT_EQ(status.code(), code) << status.message();
  for (const std::string& part : parts) {
    EXPECT_NE(status.message().find(part), std::string::npos) << part << " is not in: " << status.message();
  }
}

TEST(HuggingFaceJson, ReadsASmallFile) {
  const Result<Vocabulary> v = ReadHuggingFaceJson(Small().Json().dump());
  ASSERT_TRUE(v.ok()) << v.status().message();
  EXPECT_EQ(v->tokens.size(), 262u);  // 256 bytes, 4 products, 2 added
  EXPECT_EQ(AsText(v->TokenBytes(257)), "abc");
  EXPECT_EQ(v->merges,
            (std::vector<Merge>{{'a', 'b', 256}, {256, 'c', 257}, {' ', 256, 258}, {0xe4, 0xb8, 259}}));
  EXPECT_EQ(v->added, (std::vector<AddedToken>{{260, "<|end|>", true}, {261, "<note>", false}}));
}

TEST(HuggingFaceJson, MergesAsStringsAndAsPairsAreTheSame) {
  const Result<Vocabulary> pairs = ReadHuggingFaceJson(Small().Json().dump());
  json file = Small().Json();
  for (json& merge : file["model"]["merges"]) {
    merge = merge[0].get<std::string>() + " " + merge[1].get<std::string>();
  }
  file["model"]["merges"].insert(file["model"]["merges"].begin(), "#version: 0.2");
  const Result<Vocabulary> strings = ReadHuggingFaceJson(file.dump());
  ASSERT_TRUE(pairs.ok());
  ASSERT_TRUE(strings.ok()) << strings.status().message();
  EXPECT_EQ(pairs->merges, strings->merges);
}

TEST(HuggingFaceJson, OfAPairGivenTwiceTheLastCounts) {
  // As in the original, whose map from pair to rank keeps what was inserted last.
  const TestVocabulary twice({{"a", "b"}, {"b", "c"}, {"a", "b"}});
  const Result<Vocabulary> v = ReadHuggingFaceJson(twice.Json().dump());
  ASSERT_TRUE(v.ok()) << v.status().message();
  ASSERT_EQ(v->merges.size(), 2u);
  EXPECT_EQ(v->merges[0].left, TokenId{'b'});
  EXPECT_EQ(v->merges[1].left, TokenId{'a'});
}

TEST(HuggingFaceJson, AnAddedTokenMayStandInTheVocabularyToo) {
  json file = Small().Json();
  file["model"]["vocab"]["<|end|>"] = 260;
  file["model"]["vocab"]["<note>"] = 261;
  const Result<Tokenizer> t = Tokenizer::FromHuggingFaceJson(file.dump());
  ASSERT_TRUE(t.ok()) << t.status().message();
  EXPECT_FALSE(t->IsData(260));
  EXPECT_FALSE(t->IsData(261));
}

TEST(HuggingFaceJson, TakesWhatDoesNotChangeTokens) {
  const auto expect_ok = [](const std::function<void(json&)>& change) {
    const Status status = After(change);
    EXPECT_TRUE(status.ok()) << status.message();
  };
  expect_ok([](json& f) { f["normalizer"] = nullptr; });
  expect_ok([](json& f) { f.erase("normalizer"); });
  expect_ok([](json& f) { f["decoder"] = nullptr; });
  expect_ok([](json& f) { f["post_processor"] = nullptr; });
  expect_ok([](json& f) {
    f["post_processor"] = {{"type", "TemplateProcessing"}, {"single", json::array({1, "x"})}};
  });
  expect_ok([](json& f) { f["truncation"] = {{"max_length", 512}}; });
  expect_ok([](json& f) { f["model"]["dropout"] = 0.0; });
  expect_ok([](json& f) { f["model"]["unk_token"] = "<note>"; });
  expect_ok([](json& f) { f["model"].erase("ignore_merges"); });
  expect_ok([](json& f) { f["model"]["continuing_subword_prefix"] = nullptr; });
  expect_ok([](json& f) { f["added_tokens"] = json::array(); });
  expect_ok([](json& f) { f.erase("added_tokens"); });
  expect_ok([](json& f) { f["model"]["merges"] = json::array(); });
}

TEST(HuggingFaceJson, RefusesOtherKindsAndSaysWhich) {
  const StatusCode code = StatusCode::kUnsupported;
  ExpectRefused(After([](json& f) { f["model"] = {{"type", "WordPiece"}, {"vocab", {{"[UNK]", 0}}}}; }), code,
                {"tokenizer.json", "/model/type", "\"WordPiece\"", "\"BPE\""});
  ExpectRefused(After([](json& f) {
                  f["model"] = {{"type", "Unigram"}, {"vocab", json::array({json::array({"<unk>", 0.5})})}};
                }),
                code, {"\"Unigram\""});
  ExpectRefused(After([](json& f) { f["model"].erase("type"); }), code, {"/model/type is null"});
  ExpectRefused(After([](json& f) { f["model"]["dropout"] = 0.1; }), code, {"/model/dropout is 0.1"});
  ExpectRefused(After([](json& f) { f["model"]["end_of_word_suffix"] = "</w>"; }), code, {"</w>"});
  ExpectRefused(After([](json& f) { f["model"]["continuing_subword_prefix"] = "##"; }), code, {"##"});
  ExpectRefused(After([](json& f) { f["model"]["byte_fallback"] = true; }), code, {"byte_fallback is true"});
  ExpectRefused(After([](json& f) { f["model"]["ignore_merges"] = 1; }), code, {"ignore_merges is 1"});
  ExpectRefused(After([](json& f) { f["normalizer"]["type"] = "NFKC"; }), code,
                {"/normalizer/type", "\"NFKC\""});
  ExpectRefused(After([](json& f) { f["decoder"]["type"] = "Metaspace"; }), code,
                {"/decoder/type", "\"Metaspace\""});

  const auto split = [](json& f) -> json& { return f["pre_tokenizer"]["pretokenizers"][0]; };
  const auto level = [](json& f) -> json& { return f["pre_tokenizer"]["pretokenizers"][1]; };
  ExpectRefused(After([](json& f) { f["pre_tokenizer"] = nullptr; }), code, {"/pre_tokenizer/type is null"});
  ExpectRefused(After([](json& f) { f["pre_tokenizer"] = {{"type", "ByteLevel"}, {"use_regex", true}}; }),
                code, {"\"ByteLevel\"", "\"Sequence\""});
  const std::string llama3 = R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?x)";
  ExpectRefused(After([&](json& f) { split(f)["pattern"]["Regex"] = llama3; }), code,
                {"pattern/Regex", llama3, "expected", std::string(kQwenPattern)});
  ExpectRefused(After([&](json& f) { split(f)["pattern"] = {{"String", " "}}; }), code,
                {"pattern/Regex is null"});
  ExpectRefused(After([&](json& f) { split(f)["behavior"] = "Removed"; }), code, {"\"Removed\""});
  ExpectRefused(After([&](json& f) { split(f)["invert"] = true; }), code, {"invert is true"});
  ExpectRefused(After([&](json& f) { level(f)["add_prefix_space"] = true; }), code,
                {"add_prefix_space is true"});
  ExpectRefused(After([&](json& f) { level(f)["use_regex"] = true; }), code, {"use_regex is true"});
  ExpectRefused(After([](json& f) { f["pre_tokenizer"]["pretokenizers"].push_back({{"type", "Digits"}}); }),
                code, {"/pre_tokenizer/pretokenizers/2"});
}

TEST(HuggingFaceJson, RefusesVocabulariesThatContradictThemselves) {
  const StatusCode corrupt = StatusCode::kCorrupt;
  const auto vocab = [](json& f) -> json& { return f["model"]["vocab"]; };
  const auto merges = [](json& f) -> json& { return f["model"]["merges"]; };
  ExpectRefused(After([&](json& f) { vocab(f) = nullptr; }), corrupt, {"/model/vocab is null"});
  ExpectRefused(After([&](json& f) { merges(f) = {{"a", "b"}}; }), corrupt, {"/model/merges is an object"});
  ExpectRefused(After([&](json& f) { f["model"].erase("merges"); }), corrupt, {"/model/merges is null"});
  ExpectRefused(After([&](json& f) { vocab(f)["abd"] = 257; }), corrupt, {"id 257 is given to two tokens"});
  ExpectRefused(After([&](json& f) { vocab(f)["abd"] = 260; }), corrupt, {"id 260 of an added token"});
  ExpectRefused(After([&](json& f) { vocab(f)["<note>"] = 300; }), corrupt, {"<note>", "300", "261"});
  ExpectRefused(After([&](json& f) { vocab(f)["abd"] = -1; }), corrupt, {"\"abd\"", "-1"});
  ExpectRefused(After([&](json& f) { vocab(f)["abd"] = 1.5; }), corrupt, {"\"abd\"", "1.5"});
  ExpectRefused(After([&](json& f) { vocab(f)["abd"] = "7"; }), corrupt, {"\"abd\"", "\"7\""});
  ExpectRefused(After([&](json& f) { vocab(f)["abd"] = json::object(); }), corrupt, {"\"abd\"", "an object"});
  ExpectRefused(After([&](json& f) { vocab(f)[""] = 300; }), corrupt, {"empty"});
  ExpectRefused(After([&](json& f) { vocab(f)["abd"] = 1u << 20; }), StatusCode::kUnsupported,
                {"1048576", "1048575"});
  ExpectRefused(After([&](json& f) { vocab(f)["abd"] = uint64_t{1} << 63; }), StatusCode::kUnsupported,
                {"abd"});
  ExpectRefused(After([&](json& f) { vocab(f)["a b"] = 300; }), StatusCode::kUnsupported,
                {"\"a b\"", "alphabet"});
  ExpectRefused(After([&](json& f) { vocab(f)["\u4e2d"] = 300; }), StatusCode::kUnsupported,
                {"\u4e2d", "alphabet"});
  ExpectRefused(After([&](json& f) { vocab(f)[std::string(1025, 'x')] = 300; }), StatusCode::kUnsupported,
                {"1025 bytes", "at most 1024"});
  for (const char* byte : {"x", "\u0100", "\u0143", "\u00ff"}) {
    ExpectRefused(After([&](json& f) { vocab(f).erase(byte); }), StatusCode::kUnsupported,
                  {"no token for the single byte"});
  }

  ExpectRefused(After([&](json& f) { merges(f).push_back({"a", "zz"}); }), corrupt,
                {"merge 4", "\"zz\" is no token"});
  ExpectRefused(After([&](json& f) { merges(f).push_back({"a", "z"}); }), corrupt, {"\"az\" is no token"});
  ExpectRefused(After([&](json& f) { merges(f).push_back({"<", "note>"}); }), corrupt, {"merge 4"});
  ExpectRefused(After([&](json& f) {
                  vocab(f)["note>"] = 300;
                  merges(f).push_back({"<", "note>"});
                }),
                corrupt, {"\"<note>\" is an added token"});
  ExpectRefused(After([&](json& f) { merges(f).push_back("a"); }), corrupt, {"merge 4", "\"a\""});
  ExpectRefused(After([&](json& f) { merges(f).push_back("a b c"); }), corrupt, {"\"a b c\""});
  ExpectRefused(After([&](json& f) { merges(f).push_back({"a"}); }), corrupt, {"array of 1"});
  ExpectRefused(After([&](json& f) { merges(f).push_back({"a", "b", "c"}); }), corrupt, {"more than two"});
  ExpectRefused(After([&](json& f) { merges(f).push_back(json::array({"a", 1})); }), corrupt,
                {"1, expected a string"});
  ExpectRefused(After([&](json& f) { merges(f).push_back(7); }), corrupt, {"7"});
  ExpectRefused(After([&](json& f) { merges(f).push_back(json::object()); }), corrupt, {"an object"});
}

TEST(HuggingFaceJson, RefusesAddedTokensThatContradictThemselves) {
  const StatusCode corrupt = StatusCode::kCorrupt;
  const auto first = [](json& f) -> json& { return f["added_tokens"][0]; };
  ExpectRefused(After([](json& f) { f["added_tokens"] = 3; }), corrupt, {"/added_tokens is 3"});
  ExpectRefused(After([&](json& f) { first(f).erase("id"); }), corrupt, {"/added_tokens/0/id is null"});
  ExpectRefused(After([&](json& f) { first(f)["id"] = -5; }), corrupt, {"-5"});
  ExpectRefused(After([&](json& f) { first(f)["id"] = 4294967296u + 260; }), corrupt, {"4294967556"});
  ExpectRefused(After([&](json& f) { first(f)["id"] = 261; }), corrupt, {"id 261"});
  ExpectRefused(After([&](json& f) { first(f)["id"] = 97; }), corrupt, {"id 97"});
  ExpectRefused(After([&](json& f) { first(f)["content"] = 97; }), corrupt, {"content is 97"});
  ExpectRefused(After([&](json& f) { first(f)["content"] = ""; }), corrupt, {"0 bytes"});
  ExpectRefused(After([&](json& f) { first(f)["content"] = "<note>"; }), corrupt, {"same content"});
  ExpectRefused(After([&](json& f) { first(f)["special"] = 1; }), corrupt, {"special is 1"});
  // Then the byte 'x' would have no token of its own.
  ExpectRefused(After([&](json& f) {
                  first(f)["content"] = "x";
                  first(f)["id"] = int{'x'};
                }),
                StatusCode::kUnsupported, {"single byte 0x78"});
}

TEST(HuggingFaceJson, RefusesDamagedJson) {
  const StatusCode corrupt = StatusCode::kCorrupt;
  ExpectRefused(ReadHuggingFaceJson("").status(), corrupt, {"tokenizer.json", "parse error"});
  ExpectRefused(ReadHuggingFaceJson("{").status(), corrupt, {"column 2"});
  ExpectRefused(ReadHuggingFaceJson("{} {}").status(), corrupt, {"parse error"});
  ExpectRefused(ReadHuggingFaceJson("{\"a\": \"\xff\"}").status(), corrupt, {"UTF-8"});
  ExpectRefused(ReadHuggingFaceJson("{\"a\": \"\\ud800\"}").status(), corrupt, {"surrogate"});
  ExpectRefused(ReadHuggingFaceJson("{\"a\": 1, \"a\": 2}").status(), corrupt, {"/a is given twice"});
  ExpectRefused(ReadHuggingFaceJson("{\"model/type\": \"BPE\"}").status(), StatusCode::kUnsupported,
                {"/model/type is null"});
  ExpectRefused(ReadHuggingFaceJson("[]").status(), StatusCode::kUnsupported, {"/model/type is null"});
  ExpectRefused(ReadHuggingFaceJson("17").status(), StatusCode::kUnsupported, {"/model/type is null"});
  ExpectRefused(ReadHuggingFaceJson(std::string(1000000, '[')).status(), StatusCode::kUnsupported,
                {"nested deeper"});
  ExpectRefused(ReadHuggingFaceJson("{\"" + std::string(1000, 'k') + "\": 1}").status(),
                StatusCode::kUnsupported, {"key of 1000 bytes"});

  const std::string text = Small().Json().dump();
  for (size_t n = 0; n < text.size(); ++n) {
    EXPECT_FALSE(ReadHuggingFaceJson(std::string_view(text).substr(0, n)).ok()) << n;
  }
  // A key of the vocabulary given twice: nlohmann::json cannot hold that, so by hand.
  std::string twice = text;
  const size_t at = twice.find("\"abc\":257");
  ASSERT_NE(at, std::string::npos);
  twice.insert(at, "\"abc\":300,");
  ExpectRefused(ReadHuggingFaceJson(twice).status(), corrupt, {"same bytes"});
}

TEST(HuggingFaceJson, NoFlippedByteBreaksAPromise) {
  const std::string text = Small().Json().dump();
  const std::string data = "abc <|end|> abcab \xe4\xb8\xad\xff";
  size_t n_accepted = 0;
  for (size_t i = 0; i < text.size(); i += 3) {
    std::string damaged = text;
    damaged[i] = static_cast<char>(damaged[i] ^ (1 << i % 7));
    const Result<Tokenizer> t = Tokenizer::FromHuggingFaceJson(damaged);
    if (!t.ok()) continue;
    ++n_accepted;
    std::vector<TokenId> ids;
    t->Encode(AsBytes(data), ids);
    Bytes back;
    ASSERT_TRUE(t->Decode(ids, back).ok()) << i;
    EXPECT_EQ(AsText(back), data) << i;
  }
  EXPECT_GT(n_accepted, 0u);
}

}  // namespace
}  // namespace pith
