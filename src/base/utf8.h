// UTF-8 (RFC 3629): one character at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace pith {

inline constexpr uint32_t kMaxCodePoint = 0x10ffff;

// No scalar values: UTF-8 has no form for them.
inline bool IsSurrogate(uint32_t code_point) { return code_point >= 0xd800 && code_point <= 0xdfff; }

// Appends the UTF-8 form.
// REQUIRES: code_point <= kMaxCodePoint and no surrogate.
void AppendUtf8(uint32_t code_point, std::string& out);

// The scalar value whose UTF-8 form begins at text[at], which moves behind it; kMaxCodePoint + 1, with `at`
// where it was, when there is none.
uint32_t TakeUtf8(std::string_view text, size_t& at);

}  // namespace pith
