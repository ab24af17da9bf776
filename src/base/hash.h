// XXH3 checksums and 128-bit fingerprints. Not cryptographic: they find damage and mistakes, not forgery.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "base/bytes.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace pith {

inline uint64_t Hash64(ByteSpan data) { return XXH3_64bits(data.data(), data.size()); }
inline uint32_t Hash32(ByteSpan data) { return static_cast<uint32_t>(Hash64(data)); }  // the low half

// Canonical (big-endian) form of XXH3-128.
struct Fingerprint {
  std::array<uint8_t, 16> bytes{};
  bool operator==(const Fingerprint&) const = default;
  std::string Text() const {  // 32 hexadecimal digits
    std::string s;
    for (const uint8_t b : bytes) {
      s += "0123456789abcdef"[b >> 4];
      s += "0123456789abcdef"[b & 15];
    }
    return s;
  }
};

// Hashes data that arrives in pieces.
class Hasher {
 public:
  Hasher() { XXH3_128bits_reset(&state_); }
  void Update(ByteSpan data) { XXH3_128bits_update(&state_, data.data(), data.size()); }
  Fingerprint Digest128() const {
    XXH128_canonical_t c;
    XXH128_canonicalFromHash(&c, XXH3_128bits_digest(&state_));
    Fingerprint f;
    for (size_t i = 0; i < 16; ++i) f.bytes[i] = c.digest[i];
    return f;
  }

 private:
  XXH3_state_t state_{};  // reset leaves the buffer out, which compilers cannot know to be harmless
};

class Hasher64 {
 public:
  Hasher64() { XXH3_64bits_reset(&state_); }
  void Update(ByteSpan data) { XXH3_64bits_update(&state_, data.data(), data.size()); }
  uint64_t Digest() const { return XXH3_64bits_digest(&state_); }

 private:
  XXH3_state_t state_;
};

}  // namespace pith
