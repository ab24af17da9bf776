// TokenizerLists: the two long lists of a tokenizer.json, vocabulary and merges, found and read without a
// JSON parser.
//
// Nearly all of the file is these lists, and nearly all of the lists is plain: short strings and numbers. A
// general parser takes 80 ms for Qwen3's 11 MB, this one 15. Whatever is not plain, and whatever is wrong, is
// left to the parser and its messages.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tokenizer/byte_level_parts.h"

namespace pith {

// Movable only: texts borrow from the file or, where it spells them with escapes, from `unescaped`.
struct TokenizerLists {
  std::vector<ByteLevelParts::Token> vocab;                           // model.vocab, in the order of the file
  std::vector<std::pair<std::string_view, std::string_view>> merges;  // model.merges
  std::deque<std::string> unescaped;
  std::string rest;  // the file with both lists empty: valid JSON if and only if the file is

  TokenizerLists() = default;
  TokenizerLists(TokenizerLists&&) = default;
  TokenizerLists& operator=(TokenizerLists&&) = default;
};

// Nothing unless the object "model" has one object "vocab" and one array "merges", both valid JSON and plain:
// texts without \u escapes and characters beyond U+07FF, ids of at most 18 digits, merges as ["a", "b"], no
// more of either than a tokenizer may have.
std::optional<TokenizerLists> ReadTokenizerLists(std::string_view json);

}  // namespace pith
