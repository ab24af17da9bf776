// What both predictors call a letter, a digit and a separator (docs/mixing.md section 2, docs/byte_mixing.md section 3).
#pragma once

#include <cstdint>

namespace pith {

// Bytes from 128 on are parts of letters in UTF-8.
constexpr bool IsLetter(uint32_t byte) {
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte >= 128;
}

constexpr bool IsDigit(uint32_t byte) { return byte >= '0' && byte <= '9'; }

// What stands between the fields of a line.
constexpr bool IsSeparator(uint32_t byte) {
  return byte == ',' || byte == '\t' || byte == '|' || byte == ';' || byte == ':' || byte == '"' || byte == '<' || byte == ' ';
}

}  // namespace pith
