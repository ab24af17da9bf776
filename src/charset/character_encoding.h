// Text in other encodings as UTF-8 and back, byte for byte: a model knows a language by its UTF-8.
//
// docs/format.md section 6 is normative. Any bytes have a text in any of these encodings: what is no character of it becomes
// U+10FF00 + byte. Functions are safe to call from several threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace pith {

// The numbers stand in archives.
enum class CharacterEncoding : uint8_t {
  kNone = 0,  // the bytes are the text
  kUtf16Le = 1,
  kUtf16Be = 2,
  // Here begin those with a table, in its order (make_character_tables.py).
  kWindows1252 = 3,
  kWindows1251,
  kKoi8R,
  kIbm866,
  kIso8859_5,
  kWindows1250,
  kIso8859_2,
  kIbm850,
  kIbm437,
  kIso8859_15,
  kMacintosh,
  kWindows1253,
  kIso8859_7,
  kWindows1254,
  kWindows1255,
  kWindows1256,
  kWindows1257,
  kKoi8U,
  kWindows874,
  // And those of one or two bytes a character.
  kShiftJis = 22,
  kEucJp,
  kGbk,
  kBig5,
  kEucKr = 26,
};
inline constexpr int kLastCharacterEncoding = 26;

// As the web and iconv call it: "UTF-16LE", "windows-1251"; "" for kNone.
const char* CharacterEncodingName(CharacterEncoding encoding);

// Code points from here on stand for single bytes: U+10FF00 + byte.
inline constexpr uint32_t kByteCodePoints = 0x10ff00;

// The most bytes of UTF-8 that a byte can become.
inline constexpr size_t kMaxUtf8BytesPerByte = 4;

// The unit of UTF-16 that begins at data[at]. REQUIRES: at + 1 < data.size().
inline uint32_t Utf16Unit(ByteSpan data, size_t at, bool big_endian) {
  return big_endian ? data[at] << 8u | data[at + 1] : data[at + 1] << 8u | data[at];
}

// REQUIRES: encoding != kNone.
std::string ToUtf8(CharacterEncoding encoding, ByteSpan data);

// What ToUtf8 made `text` of. Nothing where it has characters that the encoding lacks or is no UTF-8, or where that is more
// than max_bytes.
// REQUIRES: encoding != kNone.
std::optional<Bytes> FromUtf8(CharacterEncoding encoding, std::string_view text, size_t max_bytes);

}  // namespace pith
