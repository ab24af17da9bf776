#include "jinja/jinja_strings.h"

#include <utf8proc.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "base/utf8.h"

namespace pith::jinja {
namespace {

constexpr int32_t kSharpS = 0xDF;

bool IsCased(int32_t c) {
  if (c < 0) return false;
  switch (utf8proc_category(c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
      return true;
    default:
      return false;
  }
}

bool IsUpper(int32_t c) { return c >= 0 && utf8proc_category(c) == UTF8PROC_CATEGORY_LU; }
bool IsLower(int32_t c) { return c >= 0 && utf8proc_category(c) == UTF8PROC_CATEGORY_LL; }

bool IsAlpha(int32_t c) {
  if (c < 0) return false;
  switch (utf8proc_category(c)) {
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
      return true;
    default:
      return IsCased(c);
  }
}

bool IsDecimal(int32_t c) { return c >= 0 && utf8proc_category(c) == UTF8PROC_CATEGORY_ND; }

bool IsNumeric(int32_t c) {
  if (c < 0) return false;
  switch (utf8proc_category(c)) {
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
      return true;
    default:
      return false;
  }
}

bool InClass(int32_t c, std::string_view name) {
  if (name == "isalpha") return IsAlpha(c);
  if (name == "isdigit" || name == "isdecimal") return IsDecimal(c);
  if (name == "isnumeric") return IsNumeric(c);
  if (name == "isalnum") return IsAlpha(c) || IsNumeric(c);
  if (name == "isspace") return IsSpace(c);
  if (name == "isascii") return c >= 0 && c < 0x80;
  return IsPrintable(c);
}

// islower, isupper: no character of the other case, and one of this.
bool AllOfCase(std::string_view text, bool upper) {
  bool found = false;
  for (size_t at = 0; at < text.size();) {
    const Character c = CharacterAt(text, at);
    at += c.n_bytes;
    if (upper ? IsLower(c.code_point) : IsUpper(c.code_point)) return false;
    found |= upper ? IsUpper(c.code_point) : IsLower(c.code_point);
  }
  return found;
}

// Begins a word for Jinja's title filter when it stands before a character.
bool BeginsWord(int32_t c) { return c == '-' || c == '(' || c == '{' || c == '[' || c == '<' || IsSpace(c); }

// Characters to strip.
class CharacterSet {
 public:
  explicit CharacterSet(std::string_view characters) {
    for (size_t at = 0; at < characters.size();) {
      const size_t n = CharacterAt(characters, at).n_bytes;
      members_.push_back(characters.substr(at, n));
      at += n;
    }
    std::sort(members_.begin(), members_.end());
  }
  bool Has(std::string_view character) const {
    return std::binary_search(members_.begin(), members_.end(), character);
  }

 private:
  std::vector<std::string_view> members_;
};

// Where the character that ends at `end` begins.
size_t CharacterBefore(std::string_view text, size_t end) {
  for (size_t n = std::min<size_t>(4, end); n > 1; --n) {
    if (CharacterAt(text, end - n).n_bytes == n) return end - n;
  }
  return end - 1;
}

std::vector<ByteRange> SplitSpace(std::string_view text, size_t max_splits) {
  std::vector<ByteRange> pieces;
  size_t at = Strip(text, std::nullopt, true, false).begin;
  while (at < text.size()) {
    if (pieces.size() == max_splits) {
      pieces.push_back({at, text.size()});
      break;
    }
    size_t end = at;
    while (end < text.size()) {
      const Character c = CharacterAt(text, end);
      if (IsSpace(c.code_point)) break;
      end += c.n_bytes;
    }
    pieces.push_back({at, end});
    at = end + Strip(text.substr(end), std::nullopt, true, false).begin;
  }
  return pieces;
}

std::vector<ByteRange> SplitSpaceFromRight(std::string_view text, size_t max_splits) {
  std::vector<ByteRange> pieces;
  size_t end = Strip(text, std::nullopt, false, true).end;
  while (end > 0) {
    if (pieces.size() == max_splits) {
      pieces.push_back({0, end});
      break;
    }
    size_t begin = end;
    while (begin > 0) {
      const size_t before = CharacterBefore(text, begin);
      if (IsSpace(CharacterAt(text, before).code_point)) break;
      begin = before;
    }
    pieces.push_back({begin, end});
    end = Strip(text.substr(0, begin), std::nullopt, false, true).end;
  }
  std::reverse(pieces.begin(), pieces.end());
  return pieces;
}

std::string_view Trimmed(std::string_view text) {
  const ByteRange r = Strip(text, std::nullopt, true, true);
  return text.substr(r.begin, r.end - r.begin);
}

// Without underscores between digits; none when one stands elsewhere.
std::optional<std::string> WithoutUnderscores(std::string_view text) {
  std::string digits;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_') {
      digits += text[i];
      continue;
    }
    const auto is_digit = [&](size_t at) { return std::isxdigit(static_cast<unsigned char>(text[at])) != 0; };
    if (i == 0 || i + 1 == text.size() || !is_digit(i - 1) || !is_digit(i + 1)) return std::nullopt;
  }
  return digits;
}

}  // namespace

Character CharacterAt(std::string_view text, size_t at) {
  const auto byte = static_cast<unsigned char>(text[at]);
  if (byte < 0x80) return {byte, 1};
  int32_t code_point = -1;
  const auto* p = reinterpret_cast<const utf8proc_uint8_t*>(text.data() + at);
  const auto n =
      utf8proc_iterate(p, static_cast<utf8proc_ssize_t>(std::min<size_t>(4, text.size() - at)), &code_point);
  if (n <= 0) return {-1, 1};
  return {code_point, static_cast<uint32_t>(n)};
}

size_t CountCharacters(std::string_view text) {
  size_t n = 0;
  for (size_t at = 0; at < text.size(); ++n) at += CharacterAt(text, at).n_bytes;
  return n;
}

size_t ByteOfCharacter(std::string_view text, size_t n) {
  size_t at = 0;
  for (; n > 0 && at < text.size(); --n) at += CharacterAt(text, at).n_bytes;
  return at;
}

bool IsSpace(int32_t c) {
  return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

bool IsLineEnd(int32_t c) {
  return (c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 || c == 0x2029;
}

bool IsPrintable(int32_t c) {
  if (c < 0) return false;
  if (c == ' ') return true;
  switch (utf8proc_category(c)) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_ZS:
      return false;
    default:
      return true;
  }
}

bool IsClassTest(std::string_view name) {
  for (const std::string_view known : {"isalpha", "isdigit", "isdecimal", "isnumeric", "isalnum", "isspace",
                                       "isascii", "isprintable", "islower", "isupper"}) {
    if (name == known) return true;
  }
  return false;
}

bool AllOfClass(std::string_view text, std::string_view name) {
  if (name == "islower" || name == "isupper") return AllOfCase(text, name == "isupper");
  for (size_t at = 0; at < text.size();) {
    const Character c = CharacterAt(text, at);
    if (!InClass(c.code_point, name)) return false;
    at += c.n_bytes;
  }
  return !text.empty() || name == "isascii" || name == "isprintable";
}

Value MapCase(Heap& heap, const MarkedText& text, Case to) {
  TextBuilder out(heap);
  std::string mapped;
  bool word_begins = true;
  for (size_t at = 0; at < text.text.size();) {
    const Character c = CharacterAt(text.text, at);
    mapped.clear();
    bool upper = to == Case::kUpper;
    if (to == Case::kCapitalize || to == Case::kTitle || to == Case::kTitleWords) upper = word_begins;
    if (to == Case::kSwap) upper = IsLower(c.code_point);
    if (to == Case::kCapitalize) word_begins = false;
    if (to == Case::kTitle) word_begins = !IsCased(c.code_point);
    if (to == Case::kTitleWords) word_begins = BeginsWord(c.code_point);
    if (c.code_point < 0) {
      mapped = text.text.substr(at, 1);
    } else if (c.code_point == kSharpS && upper) {
      mapped = to == Case::kUpper || to == Case::kSwap || to == Case::kTitleWords ? "SS" : "Ss";
    } else {
      const bool title = upper && (to == Case::kTitle || to == Case::kCapitalize);
      const int32_t other = title   ? utf8proc_totitle(c.code_point)
                            : upper ? utf8proc_toupper(c.code_point)
                                    : utf8proc_tolower(c.code_point);
      AppendUtf8(static_cast<uint32_t>(other), mapped);
    }
    out.Append(mapped, text.IsData(at));
    at += c.n_bytes;
  }
  return heap.String(out.Take());
}

ByteRange Strip(std::string_view text, std::optional<std::string_view> characters, bool left, bool right) {
  const CharacterSet set(characters.value_or(""));
  const auto is_stripped = [&](size_t at) {
    const Character c = CharacterAt(text, at);
    return characters ? set.Has(text.substr(at, c.n_bytes)) : IsSpace(c.code_point);
  };
  size_t begin = 0;
  size_t end = text.size();
  while (left && begin < end && is_stripped(begin)) begin += CharacterAt(text, begin).n_bytes;
  while (right && end > begin) {
    const size_t before = CharacterBefore(text, end);
    if (!is_stripped(before)) break;
    end = before;
  }
  return {begin, end};
}

Searcher::Searcher(std::string_view needle, bool backward) : needle_(needle), backward_(backward) {
  constexpr size_t kShort = 32;  // up to here the plain search is fast on any text
  if (needle.size() <= kShort) return;
  borders_.resize(needle.size());
  for (uint32_t i = 1, length = 0; i < needle.size(); ++i) {
    while (length > 0 && NeedleAt(i) != NeedleAt(length)) length = borders_[length - 1];
    if (NeedleAt(i) == NeedleAt(length)) ++length;
    borders_[i] = length;
  }
}

size_t Searcher::Find(std::string_view text) const {
  if (borders_.empty()) return backward_ ? text.rfind(needle_) : text.find(needle_);
  for (size_t i = 0, length = 0; i < text.size(); ++i) {
    const char c = backward_ ? text[text.size() - 1 - i] : text[i];
    while (length > 0 && c != NeedleAt(length)) length = borders_[length - 1];
    if (c == NeedleAt(length)) ++length;
    if (length == needle_.size()) return backward_ ? text.size() - 1 - i : i + 1 - length;
  }
  return std::string_view::npos;
}

std::vector<ByteRange> Split(std::string_view text, std::optional<std::string_view> separator,
                             size_t max_splits, bool from_right) {
  if (!separator) return from_right ? SplitSpaceFromRight(text, max_splits) : SplitSpace(text, max_splits);
  std::vector<ByteRange> pieces;
  const Searcher searcher(*separator, from_right);
  if (from_right) {
    size_t end = text.size();
    while (pieces.size() < max_splits) {
      const size_t found = searcher.Find(text.substr(0, end));
      if (found == std::string_view::npos) break;
      pieces.push_back({found + separator->size(), end});
      end = found;
    }
    pieces.push_back({0, end});
    std::reverse(pieces.begin(), pieces.end());
    return pieces;
  }
  size_t at = 0;
  while (pieces.size() < max_splits) {
    const size_t found = searcher.Find(text.substr(at));
    if (found == std::string_view::npos) break;
    pieces.push_back({at, at + found});
    at += found + separator->size();
  }
  pieces.push_back({at, text.size()});
  return pieces;
}

std::vector<ByteRange> SplitLines(std::string_view text, bool keep_ends, size_t max_lines) {
  std::vector<ByteRange> lines;
  size_t begin = 0;
  for (size_t at = 0; at < text.size() && lines.size() < max_lines;) {
    const Character c = CharacterAt(text, at);
    size_t next = at + c.n_bytes;
    if (IsLineEnd(c.code_point)) {
      if (c.code_point == '\r' && next < text.size() && text[next] == '\n') ++next;
      lines.push_back({begin, keep_ends ? next : at});
      begin = next;
    }
    at = next;
  }
  if (begin < text.size() && lines.size() < max_lines) lines.push_back({begin, text.size()});
  return lines;
}

Value Replace(Heap& heap, const MarkedText& text, std::string_view from, const MarkedText& to, size_t limit) {
  heap.StepBytes(text.text.size());
  TextBuilder out(heap);
  const Searcher searcher(from.empty() ? " " : from);
  size_t at = 0;
  for (size_t n = 0; n < limit; ++n) {
    size_t found = at;
    if (from.empty()) {  // between all characters, and at both ends
      if (n > 0) {
        if (at >= text.text.size()) break;
        found = at + CharacterAt(text.text, at).n_bytes;
      }
    } else {
      found = searcher.Find(std::string_view(text.text).substr(at));
      if (found == std::string::npos) break;
      found += at;
    }
    out.Append(text, at, found);
    out.Append(to);
    at = found + from.size();
  }
  out.Append(text, at, text.text.size());
  return heap.String(out.Take());
}

std::string FloatText(double d) {
  if (std::isnan(d)) return "nan";
  if (std::isinf(d)) return d > 0 ? "inf" : "-inf";
  char buffer[64];
  auto end = std::to_chars(buffer, buffer + sizeof buffer, d, std::chars_format::scientific).ptr;
  const std::string shortest(buffer, end);
  const int exponent = std::atoi(shortest.c_str() + shortest.find('e') + 1);
  if (exponent < -4 || exponent >= 16) return shortest;  // both write at least two digits of exponent
  end = std::to_chars(buffer, buffer + sizeof buffer, d, std::chars_format::fixed).ptr;
  std::string fixed(buffer, end);
  if (fixed.find('.') == std::string::npos) fixed += ".0";
  return fixed;
}

std::optional<int64_t> ParseInteger(std::string_view text, int base) {
  text = Trimmed(text);
  const bool negative = !text.empty() && text[0] == '-';
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
  if (text.size() > 2 && text[0] == '0') {
    const char mark = static_cast<char>(text[1] | 0x20);
    const int of_mark = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 0;
    if (of_mark != 0 && (base == of_mark || base == 0)) {
      base = of_mark;
      text.remove_prefix(2);
    }
  }
  const std::optional<std::string> digits = WithoutUnderscores(text);
  if (!digits || digits->empty() || (*digits)[0] == '-') return std::nullopt;
  uint64_t value = 0;
  const char* end = digits->data() + digits->size();
  const auto parsed = std::from_chars(digits->data(), end, value, base == 0 ? 10 : base);
  if (parsed.ec != std::errc() || parsed.ptr != end) return std::nullopt;
  constexpr uint64_t kMost = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  if (value > kMost + (negative ? 1 : 0)) return std::nullopt;
  return static_cast<int64_t>(negative ? 0 - value : value);
}

std::optional<double> ParseFloat(std::string_view text) {
  text = Trimmed(text);
  const bool negative = !text.empty() && text[0] == '-';
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
  std::optional<std::string> digits = WithoutUnderscores(text);
  if (!digits || digits->empty() || (*digits)[0] == '-') return std::nullopt;
  for (char& c : *digits) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
  }
  double value = 0;
  if (*digits == "inf" || *digits == "infinity") {
    value = std::numeric_limits<double>::infinity();
  } else if (*digits == "nan") {
    value = std::numeric_limits<double>::quiet_NaN();
  } else {
    if (digits->find_first_not_of("0123456789.e+-") != std::string::npos) return std::nullopt;
    const char* end = digits->data() + digits->size();
    const auto parsed = std::from_chars(digits->data(), end, value);
    if (parsed.ptr != end) return std::nullopt;
    if (parsed.ec == std::errc::result_out_of_range) {
      value = std::strtod(digits->c_str(), nullptr);  // infinity or zero, as Python has it
    } else if (parsed.ec != std::errc()) {
      return std::nullopt;
    }
  }
  return negative ? -value : value;
}

}  // namespace pith::jinja
