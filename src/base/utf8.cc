#include "base/utf8.h"

namespace pith {

void AppendUtf8(uint32_t code_point, std::string& out) {
  const auto tail = [&](int shift) { out += static_cast<char>(0x80 | (code_point >> shift & 0x3f)); };
  if (code_point < 0x80) {
    out += static_cast<char>(code_point);
  } else if (code_point < 0x800) {
    out += static_cast<char>(0xc0 | code_point >> 6);
    tail(0);
  } else if (code_point < 0x10000) {
    out += static_cast<char>(0xe0 | code_point >> 12);
    tail(6);
    tail(0);
  } else {
    out += static_cast<char>(0xf0 | code_point >> 18);
    tail(12);
    tail(6);
    tail(0);
  }
}

uint32_t TakeUtf8(std::string_view text, size_t& at) {
  constexpr uint32_t kNone = kMaxCodePoint + 1;
  if (at >= text.size()) return kNone;
  const auto lead = static_cast<uint8_t>(text[at]);
  if (lead < 0x80) {
    ++at;
    return lead;
  }
  const size_t n = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() - at < n) return kNone;
  uint32_t code_point = lead & (0xffu >> (n + 1));
  for (size_t i = 1; i < n; ++i) {
    const auto b = static_cast<uint8_t>(text[at + i]);
    if ((b & 0xc0) != 0x80) return kNone;
    code_point = code_point << 6 | (b & 0x3f);
  }
  const bool shortest = code_point >= (n == 4 ? 0x10000u : n == 3 ? 0x800u : 0x80u);
  if (!shortest || code_point > kMaxCodePoint || IsSurrogate(code_point)) return kNone;
  at += n;
  return code_point;
}

}  // namespace pith
