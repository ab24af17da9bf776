// What kind of data a piece of input is, seen at a glance: decides which codecs are tried on it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"

namespace pith {

enum class ContentClass : uint8_t {
  kText,    // the model's ground
  kWide,    // text in UTF-16: likewise, once it is UTF-8
  kMixed,   // neither text nor surely not: the model is tried, and left early where it does not pay
  kBinary,  // structured, but not text: zstd
  kNoise,   // compressed or encrypted: raw
};

const char* ContentClassName(ContentClass c);

// Takes about a nanosecond a byte. Never changes what can be decoded, only how small and how fast.
ContentClass ClassifyContent(ByteSpan data);

// Bits a byte by the frequencies of the byte values alone.
double OrderZeroBits(ByteSpan data);

}  // namespace pith
