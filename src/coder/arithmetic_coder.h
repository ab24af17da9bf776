// Arithmetic coder of binary decisions. Integers only: the same code on every machine. docs/format.md
// section 8.
//
// A probability is that of bit 1, in units of 2^-32, from 1 to 2^32 - 1.
// Thread-compatible: distinct coders need no locking.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"

namespace pith {

// Below this the range takes in another byte, so it has 24 bits at least: a decision costs at most 2^-24 of a
// bit more than its probability says.
inline constexpr uint32_t kMinCoderRange = 1u << 24;

// The decoder takes zeros for bytes after the end of the code; it needs at most this many. The encoder leaves
// out that many zeros at most, so a decoder that needs more has been given half a code.
inline constexpr size_t kMaxImpliedZeros = 8;

namespace coder_internal {
// How much of `range` belongs to bit 1: 1 .. range - 1 whatever p1.
inline uint32_t Bound(uint32_t range, uint32_t p1) {
  const uint32_t bound = static_cast<uint32_t>((uint64_t{range} * p1) >> 32);
  return bound == 0 ? 1 : bound;
}
}  // namespace coder_internal

class BinaryEncoder {
 public:
  // Appends to `out`, which must outlive the encoder and which nobody else changes until Finish.
  explicit BinaryEncoder(Bytes& out) : out_(out), begin_(out.size()) {}

  // REQUIRES: p1 != 0.
  void Encode(int bit, uint32_t p1) {
    const uint32_t bound = coder_internal::Bound(range_, p1);
    if (bit != 0) {
      range_ = bound;
    } else {
      low_ += bound;
      range_ -= bound;
      if (low_ >> 32 != 0) Carry();
    }
    while (range_ < kMinCoderRange) {
      out_.push_back(static_cast<uint8_t>(low_ >> 24));
      low_ = (low_ & 0xffffff) << 8;
      range_ <<= 8;
    }
  }

  // Ends the code with the fewest bytes that decode. The encoder is of no use afterwards.
  void Finish();

  size_t size() const { return out_.size() - begin_; }  // bytes so far; Finish adds up to 4

 private:
  void Carry();

  Bytes& out_;
  size_t begin_;
  // The code so far is some number in [low, low + range) after the bytes already in `out`. Between calls low
  // < 2^32.
  uint64_t low_ = 0;
  uint32_t range_ = 0xffffffff;
};

class BinaryDecoder {
 public:
  // Borrows `code`.
  explicit BinaryDecoder(ByteSpan code) : code_(code) {
    for (int i = 0; i < 4; ++i) value_ = value_ << 8 | NextByte();
  }

  // Never reads out of bounds, whatever the code and the probabilities.
  // REQUIRES: p1 != 0.
  int Decode(uint32_t p1) {
    const uint32_t bound = coder_internal::Bound(range_, p1);
    int bit;
    if (value_ < bound) {
      range_ = bound;
      bit = 1;
    } else {
      value_ -= bound;
      range_ -= bound;
      bit = 0;
    }
    while (range_ < kMinCoderRange) {
      value_ = value_ << 8 | NextByte();
      range_ <<= 8;
    }
    return bit;
  }

  // The code ended so long ago that no encoder made it. Nothing decoded since is worth anything.
  bool Exhausted() const { return position_ > code_.size() + kMaxImpliedZeros; }

  // After the last decision: whether this is a code that BinaryEncoder made, all of it and no more.
  bool AtEnd() const { return position_ >= code_.size() && !Exhausted(); }

 private:
  uint32_t NextByte() {
    const size_t at = position_++;
    return at < code_.size() ? code_[at] : 0;
  }

  ByteSpan code_;
  size_t position_ = 0;  // bytes taken, implied zeros included
  uint32_t value_ = 0;   // code minus the encoder's low; below range unless the code is none
  uint32_t range_ = 0xffffffff;
};

}  // namespace pith
