// Byte-pair merging of one word, with the result of the BPE model of Hugging Face tokenizers.
//
// The rule: as long as two neighbours have a merge, join the pair of lowest rank, of several the leftmost.
#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "tokenizer/vocabulary.h"

namespace pith {

// Thread-compatible: one merger per thread; it keeps memory from word to word.
class WordMerger {
 public:
  // Borrows the vocabulary.
  explicit WordMerger(const Vocabulary& vocabulary) : v_(vocabulary) {}

  // Appends the tokens of `word` to `out`. Time n log n in the length, whatever the vocabulary.
  // REQUIRES: 1 <= word.size() <= 2^30.
  void Merge(ByteSpan word, std::vector<TokenId>& out);

 private:
  void MergeShort(ByteSpan word, std::vector<TokenId>& out) const;
  void MergeLong(ByteSpan word, std::vector<TokenId>& out);
  uint32_t RankAfter(uint32_t position) const;

  const Vocabulary& v_;

  // State of MergeLong: a doubly linked list of symbols over the bytes of the word, each at its first byte.
  struct Symbol {
    TokenId id;
    uint32_t previous;
    uint32_t next;
    uint32_t rank;  // of the pair with the next symbol
  };
  std::vector<Symbol> symbols_;
  std::vector<uint64_t> heap_;  // rank << 32 | position; the least on top
};

}  // namespace pith
