// Masks over Qwen3's whole vocabulary, where it is at hand.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "grammar/constraint_testing.h"
#include "grammar/gbnf.h"
#include "grammar/grammar_matcher.h"
#include "grammar/json_schema.h"

namespace pith {
namespace {

const std::string kQwen3 = std::string(PITH_SOURCE_DIR) + "/../shared/data/qwen3/tokenizer.json";

constexpr const char* kPerson = R"({"type":"object","properties":{
    "name":{"type":"string"},"age":{"type":"integer","minimum":0,"maximum":150},
    "email":{"type":"string","format":"email"},"born":{"type":"string","format":"date"},
    "note":{"type":"string","maxLength":500},"tags":{"type":"array","items":{"type":"string"},"maxItems":200},
    "state":{"enum":["active","asleep","gone"]},"more":{}},
  "required":["name","age","state"]})";

const Tokenizer& Qwen3() {
  static const Tokenizer tokenizer = [] {
    std::ifstream file(kQwen3, std::ios::binary);
    std::stringstream text;
    text << file.rdbuf();
    Result<Tokenizer> t = Tokenizer::FromHuggingFaceJson(text.str());
    if (!t.ok()) throw std::runtime_error(t.status().message());
    return *std::move(t);
  }();
  return tokenizer;
}

class Qwen3Masks : public testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(kQwen3)) GTEST_SKIP() << kQwen3 << " is not here";
    static const auto trie = std::make_shared<const TokenTrie>(Qwen3());
    trie_ = trie;
  }
  std::shared_ptr<const TokenTrie> trie_;
};

// The mask, which a trie, shared masks and shortcuts made, against each token by itself, byte by byte.
TEST_F(Qwen3Masks, AreWhatEachTokenSaysByItself) {
  const std::pair<std::shared_ptr<const Grammar>, std::vector<std::string>> cases[] = {
      {Share(ParseJsonSchema(kPerson)),
       {R"({"name": "Zo\u00eb \")", R"({"name":"x","age":1)", R"({"name":"x","age":1,"born":"2)",
        R"({"name":"x","age":1,"note":"abc)", R"({"name":"x","age":1,"note":"abc","tags":["a", "b)",
        R"({"name":"x","age":1,"state":"a)",
        "{\n  \"name\": \"x\",\n  \"age\": 1,\n  \"state\": \"gone\",\n  \"more\": [[{\"a\": \"",
        R"({"name":"x","age":1,"state":"gone")"}},
      {Share(ParseGbnf("root ::= .* \"x\"{3} | [^\"\\\\\\x7F\\x00-\\x1F]* | \"[\" root \"]\"")),
       {"", "abc", "[[[a", "xx\nxxx"}}};
  for (const auto& [grammar, beginnings] : cases) {
    const auto constraint = MakeGrammarConstraint(grammar, trie_);
    GrammarMatcher matcher(grammar, trie_->max_token_bytes());
    for (const std::string& beginning : beginnings) {
      for (size_t n = 0; n <= beginning.size(); n += n + 7 < beginning.size() ? 7 : 1) {
        const std::string text = beginning.substr(0, n);
        std::vector<TokenId> ids;
        Qwen3().Encode(AsBytes(text), ids);
        constraint->Reset();
        GrammarMatcher::StateId state = matcher.start();
        for (const TokenId id : ids) ASSERT_TRUE(constraint->Accept(id).ok()) << text;
        for (const char c : text) state = matcher.Next(state, static_cast<uint8_t>(c));
        const std::vector<uint64_t> mask = MaskOf(*constraint, *trie_);
        for (TokenId id = 0; id < trie_->vocab_size(); ++id) {
          GrammarMatcher::StateId after = state;
          for (const uint8_t byte : trie_->TokenBytes(id)) after = matcher.Next(after, byte);
          const bool expected = Qwen3().IsData(id) && after != GrammarMatcher::kDead;
          ASSERT_EQ(Allows(mask, id), expected) << "token " << id << " after " << text;
        }
      }
    }
  }
}

TEST_F(Qwen3Masks, RandomTextsAreJson) {
  const auto constraint = MakeGrammarConstraint(Share(ParseJsonSchema(kPerson)), trie_);
  std::mt19937 random(4);
  for (int i = 0; i < 10; ++i) {
    constraint->Reset();
    std::string text;
    for (int step = 0; !constraint->MayEnd(); ++step) {
      const std::vector<uint64_t> mask = MaskOf(*constraint, *trie_);
      // After a while, the first token of one byte that is allowed and ends something.
      TokenId chosen = TokenTrie::kNoToken;
      for (const char c : IsInString(text) ? std::string_view("\"") : std::string_view("}]:,\"")) {
        std::vector<TokenId> ids;
        Qwen3().Encode(AsBytes(std::string_view(&c, 1)), ids);
        if (step > 30 && Allows(mask, ids[0])) {
          chosen = ids[0];
          break;
        }
      }
      while (chosen == TokenTrie::kNoToken) {
        const auto id = static_cast<TokenId>(random() % trie_->vocab_size());
        // The next allowed one from a random place on.
        for (TokenId k = 0; k < trie_->vocab_size() && chosen == TokenTrie::kNoToken; ++k) {
          const auto candidate = static_cast<TokenId>((id + k) % trie_->vocab_size());
          if (Allows(mask, candidate)) chosen = candidate;
        }
        ASSERT_NE(chosen, TokenTrie::kNoToken) << text;
      }
      ASSERT_TRUE(constraint->Accept(chosen).ok()) << text;
      text += AsText(trie_->TokenBytes(chosen));
      ASSERT_LT(step, 10000) << text;
    }
    EXPECT_TRUE(nlohmann::json::accept(text)) << text;
  }
}

}  // namespace
}  // namespace pith
