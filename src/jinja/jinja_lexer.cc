#include "jinja/jinja_lexer.h"

#include <algorithm>

#include "base/utf8.h"
#include "formats/json.h"
#include "jinja/jinja_strings.h"
#include "jinja/jinja_value.h"

namespace pith::jinja {
namespace {

constexpr std::string_view kOperators[] = {"//", "**", "==", "!=", ">=", "<=", "+", "-", "/",
                                           "*",  "%",  "~",  "[",  "]",  "(",  ")", "{", "}",
                                           ">",  "<",  "=",  ".",  ":",  "|",  ",", ";"};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsNameStart(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool IsNamePart(char c) { return IsNameStart(c) || IsDigit(c); }
bool IsDigitOf(char c, int base) {
  if (base == 16) return IsDigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
  return c >= '0' && c < '0' + base;
}

[[noreturn]] void FailAt(size_t at, const std::string& message) {
  throw Failure{InvalidArgument(message), static_cast<uint32_t>(at)};
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(source) {}

  std::vector<Token> Run() {
    while (at_ < source_.size()) Next();
    Add(TokenKind::kEnd, source_.size(), "");
    return std::move(tokens_);
  }

 private:
  void Add(TokenKind kind, size_t at, std::string_view text) {
    if (tokens_.size() >= kMaxTemplateTokens) {
      FailLimit("more than " + std::to_string(kMaxTemplateTokens) + " tokens");
    }
    tokens_.push_back({kind, static_cast<uint32_t>(at), std::string(text)});
  }

  char At(size_t at) const { return at < source_.size() ? source_[at] : '\0'; }
  bool Follows(size_t at, std::string_view text) const { return source_.substr(at, text.size()) == text; }

  size_t SkipSpace(size_t at) const {
    while (at < source_.size()) {
      const Character c = CharacterAt(source_, at);
      if (!IsSpace(c.code_point)) break;
      at += c.n_bytes;
    }
    return at;
  }

  // The text before a tag, without the white space that the tag takes.
  void AddText(size_t begin, size_t end, char sign, bool may_lstrip) {
    std::string_view text = source_.substr(begin, end - begin);
    if (sign == '-') {
      text = text.substr(0, Strip(text, std::nullopt, false, true).end);
    } else if (sign != '+' && may_lstrip) {
      const size_t newline = text.rfind('\n');
      const size_t line = newline == std::string_view::npos ? 0 : newline + 1;
      if ((line > 0 || line_starts_) &&
          Strip(text.substr(line), std::nullopt, true, false).begin + line == text.size()) {
        text = text.substr(0, line);
      }
    }
    if (!text.empty()) Add(TokenKind::kText, begin, text);
  }

  // Goes on at `at`.
  void MoveTo(size_t at) {
    if (at > at_) line_starts_ = source_[at - 1] == '\n';
    at_ = at;
  }

  // Behind the end of a tag or comment that is `n` bytes long at `at`: white space goes with -, a newline
  // without +.
  size_t BehindTag(size_t at, size_t n, char sign) const {
    const size_t end = at + n;
    if (sign == '-') return SkipSpace(end);
    return sign != '+' && At(end) == '\n' ? end + 1 : end;
  }

  // Text, then a tag, comment or raw block, or the end.
  void Next() {
    size_t open = source_.find('{', at_);
    while (open != std::string_view::npos && At(open + 1) != '%' && At(open + 1) != '{' &&
           At(open + 1) != '#') {
      open = source_.find('{', open + 1);
    }
    if (open == std::string_view::npos) {
      Add(TokenKind::kText, at_, source_.substr(at_));
      at_ = source_.size();
      return;
    }
    const char form = source_[open + 1];
    const char sign = At(open + 2) == '-' || At(open + 2) == '+' ? At(open + 2) : '\0';
    AddText(at_, open, sign, form != '{');
    const size_t inside = open + 2 + (sign != '\0' ? 1 : 0);
    if (form == '#') {
      Comment(open, inside);
    } else if (form == '%' && !Raw(open, inside)) {
      Add(TokenKind::kTagBegin, open, "{%");
      MoveTo(inside);
      Inside(open, true);
    } else if (form == '{') {
      Add(TokenKind::kPrintBegin, open, "{{");
      MoveTo(inside);
      Inside(open, false);
    }
  }

  void Comment(size_t open, size_t inside) {
    const size_t close = source_.find("#}", inside);
    if (close == std::string_view::npos) FailAt(open, "found a comment without end, expected '#}'");
    const char sign = close > inside ? source_[close - 1] : '\0';
    MoveTo(BehindTag(close, 2, sign));
  }

  // {% raw %} .. {% endraw %}, if it begins here.
  bool Raw(size_t open, size_t inside) {
    size_t at = SkipSpace(inside);
    if (!Follows(at, "raw")) return false;
    at = SkipSpace(at + 3);
    const bool strips = At(at) == '-';
    if (!Follows(at + (strips ? 1 : 0), "%}")) return false;
    const size_t begin = strips ? SkipSpace(at + 3) : at + 2;
    line_starts_ = source_[begin - 1] == '\n';
    for (size_t end = begin; (end = source_.find("{%", end)) != std::string_view::npos; end += 2) {
      const char sign = At(end + 2) == '-' || At(end + 2) == '+' ? At(end + 2) : '\0';
      at = SkipSpace(end + 2 + (sign != '\0' ? 1 : 0));
      if (!Follows(at, "endraw")) continue;
      at = SkipSpace(at + 6);
      const char close = At(at) == '-' || At(at) == '+' ? At(at) : '\0';
      if (close != '\0') ++at;
      if (!Follows(at, "%}")) continue;
      AddText(begin, end, sign, true);
      MoveTo(BehindTag(at, 2, close));
      return true;
    }
    FailAt(open, "found {% raw %} without end, expected {% endraw %}");
  }

  // What stands between {% and %}, or {{ and }}.
  void Inside(size_t open, bool is_tag) {
    const std::string_view close = is_tag ? "%}" : "}}";
    std::string brackets;  // still open; the closing tag cannot stand inside
    while (true) {
      MoveTo(SkipSpace(at_));
      if (at_ >= source_.size()) {
        FailAt(open, "found " + std::string(is_tag ? "{%" : "{{") + " without end, expected '" +
                         std::string(close) + "'");
      }
      if (brackets.empty()) {
        const char c = source_[at_];
        const char sign = c == '-' || (is_tag && c == '+') ? c : '\0';
        const size_t end = at_ + (sign != '\0' ? 1 : 0);
        if (Follows(end, close)) {
          Add(is_tag ? TokenKind::kTagEnd : TokenKind::kPrintEnd, at_, close);
          // A newline behind }} stays, with or without +.
          MoveTo(is_tag ? BehindTag(end, 2, sign) : sign == '-' ? SkipSpace(end + 2) : end + 2);
          return;
        }
      }
      One(brackets);
    }
  }

  void One(std::string& brackets) {
    const char c = source_[at_];
    if (IsDigit(c)) return Number();
    if (c == '\'' || c == '"') return String(c);
    if (IsNameStart(c)) {
      size_t end = at_;
      while (IsNamePart(At(end))) ++end;
      Add(TokenKind::kName, at_, source_.substr(at_, end - at_));
      return MoveTo(end);
    }
    for (const std::string_view op : kOperators) {
      if (!Follows(at_, op)) continue;
      if (op == "(" || op == "[" || op == "{") {
        brackets += op == "(" ? ')' : op == "[" ? ']' : '}';
      } else if (op == ")" || op == "]" || op == "}") {
        if (brackets.empty() || brackets.back() != op[0]) {
          FailAt(at_, "found '" + std::string(op) + "', expected " +
                          (brackets.empty() ? "no closing bracket"
                                            : "'" + brackets.substr(brackets.size() - 1) + "'"));
        }
        brackets.pop_back();
      }
      Add(TokenKind::kOperator, at_, op);
      return MoveTo(at_ + op.size());
    }
    const size_t n = CharacterAt(source_, at_).n_bytes;
    FailAt(at_, "found " + Quoted(source_.substr(at_, n)) + ", expected an expression");
  }

  // Digits, with single underscores between them; npos when there are none.
  size_t Digits(size_t at, int base) const {
    if (!IsDigitOf(At(at), base)) return std::string_view::npos;
    while (IsDigitOf(At(at), base) || (At(at) == '_' && IsDigitOf(At(at + 1), base))) ++at;
    return at;
  }

  void Number() {
    size_t end = Digits(at_, 10);
    bool is_float = false;
    if (At(at_) == '0') {
      const char mark = static_cast<char>(At(at_ + 1) | 0x20);
      const int base = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 0;
      const size_t first = At(at_ + 2) == '_' ? at_ + 3 : at_ + 2;
      if (base != 0 && Digits(first, base) != std::string_view::npos) {
        return AddNumber(TokenKind::kInteger, Digits(first, base));
      }
    }
    if (at_ == 0 || source_[at_ - 1] != '.') {  // x.0.5 is two subscripts
      if (At(end) == '.' && Digits(end + 1, 10) != std::string_view::npos) {
        end = Digits(end + 1, 10);
        is_float = true;
      }
      if ((At(end) | 0x20) == 'e') {
        const size_t sign = At(end + 1) == '+' || At(end + 1) == '-' ? 1 : 0;
        const size_t behind = Digits(end + 1 + sign, 10);
        if (behind != std::string_view::npos) {
          end = behind;
          is_float = true;
        }
      }
    }
    if (!is_float && At(at_) == '0' &&
        source_.substr(at_, end - at_).find_first_not_of("0_") != std::string_view::npos) {
      FailAt(at_, "found an integer with leading zeros");
    }
    AddNumber(is_float ? TokenKind::kFloat : TokenKind::kInteger, end);
  }

  void AddNumber(TokenKind kind, size_t end) {
    std::string digits(source_.substr(at_, end - at_));
    std::erase(digits, '_');
    Add(kind, at_, digits);
    MoveTo(end);
  }

  void String(char quote) {
    std::string value;
    size_t at = at_ + 1;
    while (at < source_.size() && source_[at] != quote) {
      if (source_[at] == '\\') {
        at = Escape(at, value);
      } else {
        value += source_[at++];
      }
    }
    if (at >= source_.size()) FailAt(at_, "found a string without end, expected " + std::string(1, quote));
    Add(TokenKind::kString, at_, value);
    MoveTo(at + 1);
  }

  // The escape at `at`, as Python reads it; returns where it ends.
  size_t Escape(size_t at, std::string& value) {
    const char c = At(at + 1);
    constexpr std::string_view kNames = "abfnrtv\\'\"";
    constexpr std::string_view kMeanings = "\a\b\f\n\r\t\v\\'\"";
    if (const size_t i = kNames.find(c); c != '\0' && i != std::string_view::npos) {
      value += kMeanings[i];
      return at + 2;
    }
    if (c == '\n') return at + 2;
    if (c == 'N') FailAt(at, "found \\N in a string, expected a character by its number");
    const bool is_octal = c >= '0' && c <= '7';
    const size_t most = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 3;
    if (!is_octal && most == 3) {  // no escape: the backslash stays
      value += '\\';
      return at + 1;
    }
    uint32_t code_point = 0;
    size_t digit = at + (is_octal ? 1 : 2);
    const size_t end = digit + most;
    for (; digit < end && IsDigitOf(At(digit), is_octal ? 8 : 16); ++digit) {
      const char d = At(digit);
      code_point = code_point * (is_octal ? 8 : 16) +
                   static_cast<uint32_t>(IsDigit(d) ? d - '0' : (d | 0x20) - 'a' + 10);
    }
    if (!is_octal && digit != end) FailAt(at, "found an escape with too few digits in a string");
    if (code_point > kMaxCodePoint || IsSurrogate(code_point)) {
      FailAt(at, "found an escape that is no character in a string");
    }
    AppendUtf8(code_point, value);
    return digit;
  }

  std::string_view source_;
  size_t at_ = 0;
  bool line_starts_ = true;  // what was read last ends a line
  std::vector<Token> tokens_;
};

}  // namespace

std::string NormalizeSource(std::string_view source) {
  std::string text;
  text.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r') {
      text += '\n';
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    } else {
      text += source[i];
    }
  }
  if (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

std::string PlaceName(std::string_view source, size_t at) {
  const std::string_view before = source.substr(0, at);
  const size_t newline = before.rfind('\n');
  const std::string_view line = newline == std::string_view::npos ? before : before.substr(newline + 1);
  return "line " + std::to_string(1 + std::count(before.begin(), before.end(), '\n')) + ", column " +
         std::to_string(CountCharacters(line) + 1);
}

std::vector<Token> Tokenize(std::string_view source) { return Lexer(source).Run(); }

}  // namespace pith::jinja
