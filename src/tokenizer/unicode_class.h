// The four classes of characters that byte-level BPE patterns ask about: \p{L}, \p{N}, \s and the rest.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/bytes.h"

namespace pith {

enum class CharClass : uint8_t { kOther, kLetter, kNumber, kSpace };

// One character of a byte string. A byte that belongs to no well-formed UTF-8 sequence (Unicode 15, table
// 3-7) is a character of its own, of class kOther: that is the class of U+FFFD, which stock tokenizers put in
// its place.
struct Char {
  CharClass char_class;
  uint8_t n_bytes;  // 1..4
};

// Classes of all code points by the Unicode version of libutf8proc. Encoding depends on that version for
// characters that it adds; decoding does not depend on it at all.
class UnicodeClasses {
 public:
  // The only table, made on first use (about a millisecond).
  static const UnicodeClasses& Get();

  CharClass OfCodePoint(uint32_t code_point) const {
    if (code_point >= kTableSize) return CharClass::kOther;
    return static_cast<CharClass>(packed_[code_point / 4] >> (2 * (code_point % 4)) & 3);
  }

  // The character at text[position].
  // REQUIRES: position < text.size().
  Char At(ByteSpan text, size_t position) const {
    const uint8_t b = text[position];
    if (b < 0x80) return {ascii_[b], 1};
    return NonAsciiAt(text, position);
  }

 private:
  UnicodeClasses();
  Char NonAsciiAt(ByteSpan text, size_t position) const;

  // No Unicode version so far has letters, numbers or spaces from U+40000 on; unicode_class_test.cc asks
  // utf8proc.
  static constexpr uint32_t kTableSize = 0x40000;
  std::array<CharClass, 128> ascii_;
  std::array<uint8_t, kTableSize / 4> packed_;  // two bits a code point
};

}  // namespace pith
