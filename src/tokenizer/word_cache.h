// WordCache: the tokens of short words seen before, so that each need be merged only once. Bounded; forgets.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <vector>

#include "base/bytes.h"
#include "tokenizer/vocabulary.h"

namespace pith {

// Direct-mapped: a new word takes the place of an older one, so no input makes it slow.
class WordCache {
 public:
  static constexpr size_t kMaxWordBytes = 15;
  static constexpr size_t kMaxWordTokens = 7;

  struct Key {
    uint64_t low = 0;
    uint64_t high = 0;  // the top byte is the length, so no word's key is 0
    bool operator==(const Key&) const = default;
  };
  struct Entry {
    Key key;
    uint32_t n_tokens = 0;
    std::array<TokenId, kMaxWordTokens> tokens;
  };

  // For a text of n_bytes: 3 bytes of memory a byte, at most 768 KiB (about the second-level cache of a
  // core).
  explicit WordCache(size_t n_bytes)
      : entries_(std::bit_floor(std::clamp<size_t>(n_bytes / 16, 16, 16384))),
        shift_(64 - std::countr_zero(entries_.size())) {}

  // REQUIRES: 1 <= n <= kMaxWordBytes; begin + n <= text.size().
  static Key KeyOf(ByteSpan text, size_t begin, size_t n) {
    Key key;
    if (text.size() - begin >= sizeof key) {
      std::memcpy(&key, text.data() + begin, sizeof key);
      // On a big-endian machine other bytes would be masked: the keys would not tell words apart.
      static_assert(std::endian::native == std::endian::little);
      if (n < 8) {
        key.low &= ~(~uint64_t{0} << (8 * n));
        key.high = 0;
      } else {
        key.high &= ~(~uint64_t{0} << (8 * (n - 8)));
      }
    } else {
      std::memcpy(&key, text.data() + begin, n);
    }
    key.high |= uint64_t{n} << 56;
    return key;
  }

  // The only entry that may hold `key`; the caller compares and replaces.
  Entry& At(const Key& key) {
    uint64_t h = key.low * 0x9e3779b97f4a7c15u;
    h = (h ^ (h >> 32) ^ key.high) * 0xd6e8feb86659fd93u;
    return entries_[static_cast<size_t>(h >> shift_)];
  }

 private:
  std::vector<Entry> entries_;
  int shift_;
};

}  // namespace pith
