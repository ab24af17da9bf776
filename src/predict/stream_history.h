// StreamHistory: what a stream has said so far, as the sixteen contexts that its next token is predicted from.
// docs/mixing.md section 2.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/bytes.h"

namespace pith {

inline constexpr size_t kContexts = 16;

// A well-mixed function of 64 bits; integers only (docs/mixing.md section 1).
constexpr uint64_t MixHash(uint64_t h) {
  h *= 0x9E3779B97F4A7C15u;
  h ^= h >> 29;
  h *= 0xD6E8FEB86659FD93u;
  return h ^ h >> 32;
}

class StreamHistory {
 public:
  // REQUIRES: the stream has room: a token is below 2^32 - 1.
  void Append(uint32_t token, ByteSpan bytes);

  // The d-th token back plus one, d from 1 to 6; 0 where there is none.
  uint64_t Back(size_t d) const { return tokens_[d - 1]; }
  uint64_t LastByte(size_t d) const { return bytes_.size() >= d ? bytes_[bytes_.size() - d] : 0; }
  // Classes of the last eight bytes, four bits each, the last one lowest.
  uint32_t byte_classes() const { return byte_classes_; }

  // `followers`: what followed the last two tokens earlier in any stream (AdaptiveMixer keeps it).
  std::array<uint64_t, kContexts> Contexts(uint64_t followers) const;

 private:
  // The byte k places right of the one above the next, in the line before; 0 where that line has none.
  uint64_t Above(size_t k) const;
  void AppendByte(uint8_t byte);

  std::array<uint64_t, 6> tokens_{};  // ids plus one, the last one first
  Bytes bytes_;
  size_t line_begin_ = 0;
  size_t line_before_ = 0;      // begin of the line before
  uint64_t word_ = 0;           // hash of the letters since the last other byte, case folded
  uint64_t word_before_ = 0;    // of the words before
  uint64_t word_before2_ = 0;
  uint64_t line_head_ = 0;      // of the first bytes of the line
  uint64_t line_tokens_ = 0;    // since the last one that ended a line
  uint64_t field_ = 0;          // separators since the line began
  uint32_t byte_classes_ = 0;
};

}  // namespace pith
