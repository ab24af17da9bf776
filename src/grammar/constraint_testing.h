// For tests: tokenizers made on the spot, and texts made by choosing among the tokens that a constraint
// allows.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "grammar/grammar_constraint.h"
#include "tokenizer/tokenizer_testing.h"

namespace pith {

// Ids 0 .. 255 are the bytes; then come the tokens that merges make.
inline std::shared_ptr<const TokenTrie> MakeTrie(
    const std::vector<std::pair<std::string, std::string>>& merges) {
  Result<Tokenizer> tokenizer = Tokenizer::FromHuggingFaceJson(TestVocabulary(merges).Json().dump());
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status().message();
  return std::make_shared<const TokenTrie>(*tokenizer);
}

// Tokens that cross the seams of JSON, and parts of UTF-8.
inline std::shared_ptr<const TokenTrie> JsonTrie() {
  static const std::shared_ptr<const TokenTrie> trie = MakeTrie(
      {{"{", "\""},          {"\"", ":"}, {"\"", ","}, {"\",", "\""}, {"\":", " "},     {"\": ", "\""},
       {"}", "}"},           {"]", "}"},  {"a", "b"},  {"ab", "c"},   {"\xc3", "\xa9"}, {"\xf0", "\x9f"},
       {"\xf0\x9f", "\x98"}, {"t", "r"},  {"u", "e"},  {"tr", "ue"},  {"1", "2"},       {"12", "."},
       {"\\", "n"},          {"\\", "u"}, {"0", "0"},  {"\\u", "00"}, {",", " "},       {"\n", " "},
       {"\n ", " "},         {"[", "["},  {"[", "]"},  {"{", "}"},    {"\"", "}"},      {"abc", "\""}});
  return trie;
}

inline std::shared_ptr<const Grammar> Share(Result<Grammar> grammar) {
  EXPECT_TRUE(grammar.ok()) << grammar.status().message();
  if (!grammar.ok()) return nullptr;
  return std::make_shared<const Grammar>(*std::move(grammar));
}

inline std::vector<uint64_t> MaskOf(TokenConstraint& constraint, const TokenTrie& trie) {
  std::vector<uint64_t> mask(trie.n_mask_words(), ~uint64_t{0});
  constraint.Mask(mask);
  return mask;
}
inline bool Allows(const std::vector<uint64_t>& mask, TokenId id) {
  return (mask[id / 64] >> id % 64 & 1) != 0;
}

inline std::vector<TokenId> AllowedTokens(TokenConstraint& constraint, const TokenTrie& trie) {
  const std::vector<uint64_t> mask = MaskOf(constraint, trie);
  std::vector<TokenId> ids;
  for (TokenId id = 0; id < trie.vocab_size(); ++id) {
    if (Allows(mask, id)) ids.push_back(id);
  }
  return ids;
}

inline bool AcceptsText(TokenConstraint& constraint, std::string_view text) {
  constraint.Reset();
  for (const char c : text) {
    if (!constraint.Accept(static_cast<uint8_t>(c)).ok()) return false;
  }
  return true;
}
// Byte by byte. REQUIRES: tokens 0 .. 255 are the bytes.
inline bool IsWholeText(TokenConstraint& constraint, std::string_view text) {
  return AcceptsText(constraint, text) && constraint.MayEnd();
}

// Whether JSON that begins so is in the midst of a string.
inline bool IsInString(std::string_view text) {
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (in_string && text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      in_string = !in_string;
    }
  }
  return in_string;
}

// JSON by random allowed tokens. After n_free tokens it prefers those that end things, so that it comes to an
// end. Fails the test when the constraint leads nowhere.
inline std::string RandomText(TokenConstraint& constraint, const TokenTrie& trie, std::mt19937& random,
                              size_t n_free) {
  constraint.Reset();
  std::string text;
  for (size_t step = 0;; ++step) {
    const std::vector<TokenId> ids = AllowedTokens(constraint, trie);
    if (ids.empty()) {
      EXPECT_TRUE(constraint.MayEnd()) << "no way on after: " << text;
      return text;
    }
    if (constraint.MayEnd() && (step >= n_free || random() % 4 == 0)) return text;
    TokenId chosen = ids[random() % ids.size()];
    if (step >= n_free && random() % 16 != 0) {
      const std::string_view kEnding = IsInString(text) ? "\"" : "}]:,etrulnasf0123456789\"-{[";
      size_t best = kEnding.size();
      for (const TokenId id : ids) {
        const size_t place = id < 256 ? kEnding.find(static_cast<char>(id)) : std::string_view::npos;
        if (place < best) chosen = id;
        best = std::min(best, place);
      }
    }
    const Status accepted = constraint.Accept(chosen);
    EXPECT_TRUE(accepted.ok()) << accepted.message() << " after: " << text;
    if (!accepted.ok()) return text;
    text += AsText(trie.TokenBytes(chosen));
    if (text.size() > (1u << 20)) {
      ADD_FAILURE() << "no end after: " << text.substr(0, 300);
      return text;
    }
  }
}

}  // namespace pith
