#include "report/visible_text.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstdio>
#include <vector>

namespace pith::bench {
namespace {

struct Character {
  utf8proc_int32_t code_point;  // negative: a byte that is no UTF-8
  size_t n_bytes;
};

Character CharacterAt(std::string_view text, size_t at) {
  utf8proc_int32_t code_point = -1;
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data() + at);
  const utf8proc_ssize_t n =
      utf8proc_iterate(bytes, static_cast<utf8proc_ssize_t>(text.size() - at), &code_point);
  if (n <= 0) return {-1, 1};
  return {code_point, static_cast<size_t>(n)};
}

bool IsVisible(utf8proc_int32_t code_point) {
  switch (utf8proc_category(code_point)) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
      return false;
    default:
      return true;
  }
}

size_t ColumnsOf(Character c) {
  return c.code_point < 0 ? 1 : static_cast<size_t>(std::max(0, utf8proc_charwidth(c.code_point)));
}

// Marks without width take none, so their number needs a limit of its own.
constexpr size_t kMaxCharactersPerColumn = 4;

// Bytes at the front that fit.
size_t BytesThatFit(std::string_view text, size_t columns) {
  size_t at = 0, used = 0, n = 0;
  while (at < text.size()) {
    const Character c = CharacterAt(text, at);
    if (used + ColumnsOf(c) > columns || ++n > kMaxCharactersPerColumn * columns) break;
    used += ColumnsOf(c);
    at += c.n_bytes;
  }
  return at;
}

// Where the longest end begins that fits.
size_t EndThatFits(std::string_view text, size_t columns) {
  std::vector<size_t> starts;
  for (size_t at = 0; at < text.size(); at += CharacterAt(text, at).n_bytes) starts.push_back(at);
  size_t from = text.size(), used = 0;
  for (size_t i = starts.size(); i-- > 0;) {
    used += ColumnsOf(CharacterAt(text, starts[i]));
    if (used > columns || starts.size() - i > kMaxCharactersPerColumn * columns) break;
    from = starts[i];
  }
  return from;
}

}  // namespace

std::string VisibleText(std::string_view text) {
  std::string out;
  char escaped[16];
  for (size_t at = 0; at < text.size();) {
    const Character c = CharacterAt(text, at);
    if (c.code_point < 0) {
      std::snprintf(escaped, sizeof escaped, "\\x%02x",
                    static_cast<unsigned>(static_cast<unsigned char>(text[at])));
      out += escaped;
    } else if (c.code_point == '\n' || c.code_point == '\t') {
      out += c.code_point == '\n' ? "\\n" : "\\t";
    } else if (!IsVisible(c.code_point)) {
      std::snprintf(escaped, sizeof escaped, "\\u{%x}", static_cast<unsigned>(c.code_point));
      out += escaped;
    } else {
      out.append(text.substr(at, c.n_bytes));
    }
    at += c.n_bytes;
  }
  return out;
}

size_t TextColumns(std::string_view visible) {
  size_t columns = 0;
  for (size_t at = 0; at < visible.size();) {
    const Character c = CharacterAt(visible, at);
    columns += ColumnsOf(c);
    at += c.n_bytes;
  }
  return columns;
}

std::string CutText(std::string_view visible, size_t columns, bool ascii) {
  if (BytesThatFit(visible, columns) == visible.size()) return std::string(visible);
  const std::string_view ellipsis = ascii ? "..." : "…";
  const size_t taken = ascii ? 3 : 1;
  if (columns <= taken) return std::string(visible.substr(0, BytesThatFit(visible, columns)));
  return std::string(visible.substr(0, BytesThatFit(visible, columns - taken))).append(ellipsis);
}

std::string CutMiddle(std::string_view visible, size_t columns) {
  if (columns < 3 || BytesThatFit(visible, columns) == visible.size()) return CutText(visible, columns);
  const size_t front = (columns - 1) / 3;
  std::string out(visible.substr(0, BytesThatFit(visible, front)));
  out += "…";
  out += visible.substr(EndThatFits(visible, columns - 1 - front));
  return out;
}

std::string PadRight(std::string_view visible, size_t columns) {
  const size_t used = TextColumns(visible);
  return std::string(visible) + std::string(columns > used ? columns - used : 0, ' ');
}

std::string PadLeft(std::string_view visible, size_t columns) {
  const size_t used = TextColumns(visible);
  return std::string(columns > used ? columns - used : 0, ' ') + std::string(visible);
}

std::string EscapeHtml(std::string_view visible) {
  std::string out;
  for (const char c : visible) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

}  // namespace pith::bench
