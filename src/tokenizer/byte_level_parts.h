// ByteLevelParts: a byte-level BPE tokenizer as files spell it, in the alphabet of GPT-2, and the way from
// there to a Vocabulary.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pith/status.h"
#include "tokenizer/vocabulary.h"

namespace pith {

// Texts borrow from the file.
struct ByteLevelParts {
  struct Token {
    std::string_view text;
    uint64_t id;
  };
  std::vector<Token> tokens;  // added tokens may be among them, with the same id
  std::vector<std::pair<std::string_view, std::string_view>>
      merges;  // by rank; of equal ones the last counts
  std::vector<AddedToken> added;
  bool ignore_merges = false;

  // What errors call the lists: "/model/vocab".
  std::string tokens_place;
  std::string merges_place;
  std::string added_place;
};

// kCorrupt, naming the token or the merge, for parts that contradict each other; kUnsupported for characters
// outside the alphabet, beyond a limit, and where a single byte is no token.
Result<Vocabulary> BuildVocabulary(ByteLevelParts parts);

// `text` fit for a message: cut after 300 bytes, with ? for controls and for what is not UTF-8.
std::string QuotedToken(std::string_view text);

}  // namespace pith
