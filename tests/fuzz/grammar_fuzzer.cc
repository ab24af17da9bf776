// Fuzzes the readers of grammars and JSON schemas, and what keeps texts within them: no input may crash or
// take for ever, masks are what Accept says, every text can go on or end, and texts of a schema are JSON.
//
// The first byte is even for GBNF and odd for a JSON schema; the rest is its text.
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "grammar/gbnf.h"
#include "grammar/grammar_constraint.h"
#include "grammar/json_schema.h"
#include "tokenizer/tokenizer_testing.h"

namespace {

using namespace pith;

constexpr int kMaxSteps = 60;

void Require(bool condition) {
  if (!condition) std::abort();
}

std::shared_ptr<const TokenTrie> Trie() {
  static const std::shared_ptr<const TokenTrie> trie = [] {
    const TestVocabulary vocabulary({{"{", "\""},      {"\"", ":"}, {"\"", ","},      {"\",", "\""},
                                     {"a", "b"},       {"ab", "c"}, {"\xc3", "\xa9"}, {"\xf0", "\x9f"},
                                     {"t", "r"},       {"u", "e"},  {"tr", "ue"},     {"1", "2"},
                                     {"\\", "u"},      {"0", "0"},  {"a", "a"},       {"aa", "aa"},
                                     {"aaaa", "aaaa"}, {"[", "["},  {"]", "}"},       {"\n", " "}});
    const Result<Tokenizer> tokenizer = Tokenizer::FromHuggingFaceJson(vocabulary.Json().dump());
    Require(tokenizer.ok());
    return std::make_shared<const TokenTrie>(*tokenizer);
  }();
  return trie;
}

void Walk(Grammar grammar, bool is_json, uint64_t seed) {
  const std::shared_ptr<const TokenTrie> trie = Trie();
  const auto constraint = MakeGrammarConstraint(std::make_shared<const Grammar>(std::move(grammar)), trie);
  std::mt19937_64 random(seed);
  std::vector<uint64_t> mask(trie->n_mask_words());
  std::string text;
  for (int step = 0; step < kMaxSteps; ++step) {
    constraint->Mask(mask);
    std::vector<TokenId> allowed;
    for (TokenId id = 0; id < trie->vocab_size(); ++id) {
      if ((mask[id / 64] >> id % 64 & 1) != 0) {
        allowed.push_back(id);
      } else if (random() % 8 == 0) {
        Require(!constraint->Accept(id).ok());
      }
    }
    if (constraint->MayEnd() && is_json) Require(nlohmann::json::accept(text));
    if (allowed.empty()) {
      Require(constraint->MayEnd());
      return;
    }
    const TokenId chosen = allowed[random() % allowed.size()];
    Require(constraint->Accept(chosen).ok());
    text += AsText(trie->TokenBytes(chosen));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const bool is_json = data[0] % 2 == 1;
  const std::string_view text = AsText({data + 1, size - 1});
  Result<Grammar> grammar = is_json ? ParseJsonSchema(text) : ParseGbnf(text);
  if (!grammar.ok()) {
    Require(!grammar.status().message().empty());
    return 0;
  }
  Walk(*std::move(grammar), is_json, Hash64({data, size}));
  return 0;
}
