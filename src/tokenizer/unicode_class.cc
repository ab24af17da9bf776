#include "tokenizer/unicode_class.h"

#include <utf8proc.h>

namespace pith {
namespace {

CharClass ClassOf(uint32_t code_point) {
  // White_Space beyond the categories Zs, Zl and Zp: the controls U+0009..U+000D and U+0085 (PropList.txt).
  if ((code_point >= 0x09 && code_point <= 0x0d) || code_point == 0x85) return CharClass::kSpace;
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(code_point))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
      return CharClass::kLetter;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
      return CharClass::kNumber;
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
      return CharClass::kSpace;
    default:
      return CharClass::kOther;
  }
}

}  // namespace

UnicodeClasses::UnicodeClasses() : packed_{} {
  for (uint32_t c = 0; c < kTableSize; ++c) {
    packed_[c / 4] |= static_cast<uint8_t>(static_cast<uint32_t>(ClassOf(c)) << (2 * (c % 4)));
  }
  for (uint32_t c = 0; c < ascii_.size(); ++c) ascii_[c] = OfCodePoint(c);
}

const UnicodeClasses& UnicodeClasses::Get() {
  static const UnicodeClasses classes;
  return classes;
}

Char UnicodeClasses::NonAsciiAt(ByteSpan text, size_t position) const {
  const uint8_t* p = text.data() + position;
  const size_t n = text.size() - position;
  const uint32_t b0 = p[0];
  // Second byte of a well-formed sequence lies in [low, high]; the bounds shut out overlong forms, surrogates
  // and code points above U+10FFFF. Further bytes lie in [0x80, 0xbf].
  uint8_t n_bytes = 0;
  uint8_t low = 0x80;
  uint8_t high = 0xbf;
  uint32_t code_point = 0;
  if (b0 >= 0xc2 && b0 <= 0xdf) {
    n_bytes = 2;
    code_point = b0 & 0x1f;
  } else if ((b0 & 0xf0) == 0xe0) {
    n_bytes = 3;
    code_point = b0 & 0x0f;
    if (b0 == 0xe0) low = 0xa0;
    if (b0 == 0xed) high = 0x9f;
  } else if (b0 >= 0xf0 && b0 <= 0xf4) {
    n_bytes = 4;
    code_point = b0 & 0x07;
    if (b0 == 0xf0) low = 0x90;
    if (b0 == 0xf4) high = 0x8f;
  }
  if (n_bytes == 0 || n < n_bytes || p[1] < low || p[1] > high) return {CharClass::kOther, 1};
  code_point = code_point << 6 | (p[1] & 0x3fu);
  for (size_t i = 2; i < n_bytes; ++i) {
    if ((p[i] & 0xc0) != 0x80) return {CharClass::kOther, 1};
    code_point = code_point << 6 | (p[i] & 0x3fu);
  }
  return {OfCodePoint(code_point), n_bytes};
}

}  // namespace pith
