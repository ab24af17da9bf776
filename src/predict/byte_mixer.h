// ByteMixer: predicts the bits of a byte stream from what the stream itself has shown so far, without any model: bit
// histories of hashed contexts and long repeats, mixed by integer neural mixers. docs/byte_mixing.md is the definition.
// Integers only, so encoder and decoder agree on every machine by construction.
//
// Single-threaded; one mixer serves one block.
#pragma once

#include <cstdint>
#include <memory>

namespace pith {

// How much is computed for a bit. The numbers are those of a block's frame (docs/format.md). Thorough is what 0.6.0 and 0.7.0
// wrote where numeric stands now: it is here to be read.
enum class ContextStrength : uint8_t { kFast = 1, kStrong = 2, kThorough = 3, kNumeric = 4 };

class ByteMixer {
 public:
  // For a block of content_size bytes.
  static std::unique_ptr<ByteMixer> Make(ContextStrength strength, uint32_t content_size);

  // Memory that such a mixer takes.
  static uint64_t MemoryBytes(ContextStrength strength, uint32_t content_size);

  virtual ~ByteMixer() = default;

  // The probability that the first bit, the highest of the first byte, is 1: units of 2^-32, never 0.
  uint32_t Probability() const { return probability_; }

  // Learns the bit, and predicts the next one. REQUIRES: called at most 8 * content_size times.
  virtual void Learn(int bit) = 0;

 protected:
  uint32_t probability_ = 0;
};

}  // namespace pith
