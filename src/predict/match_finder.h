// MatchFinder: the token that followed the last time when the stream's last tokens stood in the block.
// docs/mixing.md section 3.
//
// All streams of a block share one history: a match may lie in any stream's decoded part.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/bytes.h"

namespace pith {

// The tokens of a block as far as they are known: stream i fills its part from its begin on. Before them may lie those of
// a dictionary, all known.
class BlockTokens {
 public:
  BlockTokens(uint64_t n_tokens, uint64_t n_streams) { Append(n_tokens, n_streams); }

  // All tokens so far become the dictionary of a block of n_tokens. REQUIRES: they are known.
  void Append(uint64_t n_tokens, uint64_t n_streams);

  size_t n_streams() const { return begin_.size() - 1; }
  uint32_t Begin(size_t stream) const { return begin_[stream]; }
  uint32_t Next(size_t stream) const { return next_[stream]; }  // where the stream's next token goes
  uint32_t operator[](uint32_t at) const { return tokens_[at]; }
  void Set(size_t stream, uint32_t token) { tokens_[next_[stream]++] = token; }
  bool Knows(uint32_t at) const;

 private:
  std::vector<uint32_t> tokens_;
  std::vector<uint32_t> begin_;  // [streams + 1]
  std::vector<uint32_t> next_;   // [streams]
  uint32_t n_dictionary_ = 0;
};

class MatchFinder {
 public:
  // Finds matches of min_length tokens and more.
  MatchFinder(size_t n_streams, uint32_t min_length);

  // Other streams, which have no matches yet; what was seen stays.
  void Restart(size_t n_streams) { at_.assign(n_streams, Match()); }

  // The expected token of the stream; false when there is none.
  bool Expected(const BlockTokens& tokens, size_t stream, uint32_t* token) const {
    if (at_[stream].position == kNowhere) return false;
    *token = tokens[at_[stream].position];
    return true;
  }
  // 0 to kLengthClasses - 1; grows with the length of the match, small after a recent miss.
  static constexpr uint32_t kLengthClasses = 32;
  uint32_t LengthClass(size_t stream) const;
  uint32_t Length(size_t stream) const { return at_[stream].length; }

  // After tokens.Set(stream, token).
  void Update(const BlockTokens& tokens, size_t stream, uint32_t token);

  static size_t Bytes() { return sizeof(uint32_t) << kHashBits; }

 private:
  static constexpr int kHashBits = 18;
  static constexpr uint32_t kNowhere = 0xffffffff;
  static constexpr uint32_t kMaxCompare = 64;
  static constexpr uint32_t kMaxMisses = 8;
  struct Match {
    uint32_t position = kNowhere;  // of the expected token
    uint32_t length = 0;           // tokens that agreed in a row
    uint32_t misses = 0;           // since the match was found, or since the last 16 in a row
  };

  uint32_t min_length_;
  std::vector<uint32_t> heads_;  // hash of min_length tokens: where the last one of them was followed
  std::vector<Match> at_;        // [streams]
};

}  // namespace pith
