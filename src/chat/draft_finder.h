// DraftFinder: guesses how a text goes on from what it has said before (prompt lookup: Saxena 2023).
//
// Answers about a text repeat much of it. Where the last tokens stood before, those that followed then are
// likely to follow now; the model checks several of them in one pass, which costs little more than a pass for
// one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "tokenizer/vocabulary.h"

namespace pith {

class DraftFinder {
 public:
  void Clear();

  // The text becomes `tokens`: cheap where it goes on from the last call's.
  void Follow(std::span<const TokenId> tokens);

  // Appends to `draft` at most n tokens that may follow; none where the last kMatch tokens are new.
  void Find(size_t n, std::vector<TokenId>& draft) const;

  static constexpr size_t kMatch = 3;  // two tokens in a row come back by chance too often to pay

 private:
  // A few earlier places a key: the one with the longest match wins, the latest of equal ones.
  static constexpr size_t kPlaces = 4;
  static constexpr size_t kLongestMatch = 32;
  struct Places {
    uint32_t end[kPlaces] = {};  // one past the key's last token; 0: none
    uint32_t next = 0;
  };
  static uint64_t Key(const TokenId* tokens);

  std::vector<TokenId> tokens_;
  std::unordered_map<uint64_t, Places> places_;
};

// How many tokens to guess: more while guesses hold, none for a while after they fail.
class DraftLength {
 public:
  // For the next pass, from 0 to kMost.
  size_t Next();
  // What became of a pass with `drafted` guesses.
  void Tell(size_t drafted, size_t accepted);

  static constexpr size_t kMost = 15;  // with the sampled token a panel of 16 rows

 private:
  size_t length_ = 4;
  size_t pause_ = 0;  // passes left without guesses
  size_t next_pause_ = 1;
};

}  // namespace pith
