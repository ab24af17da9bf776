#include "grammar/regex_grammar.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/utf8.h"

namespace pith {
namespace {

using Expression = GrammarBuilder::Expression;

constexpr uint32_t kUnbounded = GrammarBuilder::kUnbounded;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

CodePointSet Single(uint32_t c) { return CodePointSet({{c, c}}); }

// \d \w \s and their complements.
std::optional<CodePointSet> ClassOf(char letter) {
  switch (letter) {
    case 'd':
      return CodePointSet({{'0', '9'}});
    case 'w':
      return CodePointSet({{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}});
    case 's':  // WhiteSpace and LineTerminator of ECMA-262
      return CodePointSet({{0x09, 0x0d},
                           {0x20, 0x20},
                           {0xa0, 0xa0},
                           {0x1680, 0x1680},
                           {0x2000, 0x200a},
                           {0x2028, 0x2029},
                           {0x202f, 0x202f},
                           {0x205f, 0x205f},
                           {0x3000, 0x3000},
                           {0xfeff, 0xfeff}});
    case 'D':
    case 'W':
    case 'S':
      return ClassOf(static_cast<char>(letter + ('a' - 'A')))->Complement();
    default:
      return std::nullopt;
  }
}

class RegexParser {
 public:
  RegexParser(std::string_view text, GrammarBuilder& builder,
              const std::function<Expression(const CodePointSet&)>& character)
      : text_(text), builder_(builder), character_(character) {}

  Result<Expression> Parse() {
    // Repeated, and in many places: a rule of its own.
    const GrammarBuilder::Rule any = builder_.AddRule("character", character_(CodePointSet().Complement()));
    anything_ = builder_.Repeat(builder_.Call(any), 0, kUnbounded);
    PITH_ASSIGN_OR_RETURN(const Expression all, ParseChoice(0));
    if (!AtEnd()) return Wrong("\")\" without \"(\"");
    return all;
  }

 private:
  bool AtEnd() const { return at_ >= text_.size(); }
  char Peek() const { return AtEnd() ? '\0' : text_[at_]; }
  bool Take(std::string_view expected) {
    if (!text_.substr(at_).starts_with(expected)) return false;
    at_ += expected.size();
    return true;
  }
  std::string Place() const { return "regular expression: byte " + std::to_string(at_) + ": "; }
  Status Wrong(const std::string& what) const { return InvalidArgument(Place() + what); }
  Status NotSupported(const std::string& what) const {
    return Unsupported(Place() + what + " is not supported");
  }

  Result<Expression> ParseChoice(size_t depth) {
    std::vector<Expression> parts;
    do {
      PITH_ASSIGN_OR_RETURN(const Expression part, ParseAlternative(depth));
      parts.push_back(part);
    } while (Take("|"));
    return builder_.Choice(parts);
  }

  Result<Expression> ParseAlternative(size_t depth) {
    std::vector<Expression> parts;
    const bool at_begin = depth == 0 && Take("^");
    bool at_end = false;
    while (!AtEnd() && Peek() != '|' && Peek() != ')') {
      if (Take("$")) {
        if (depth > 0 || (!AtEnd() && Peek() != '|')) return NotSupported("\"$\" before the end");
        at_end = true;
        break;
      }
      PITH_ASSIGN_OR_RETURN(const Expression item, ParseItem(depth));
      PITH_ASSIGN_OR_RETURN(const Expression repeated, ParseCount(item));
      parts.push_back(repeated);
    }
    if (depth == 0) {
      if (!at_begin) parts.insert(parts.begin(), anything_);
      if (!at_end) parts.push_back(anything_);
    }
    return builder_.Sequence(parts);
  }

  Result<Expression> ParseItem(size_t depth) {
    if (Take("(")) {
      if (Take("?") && !Take(":")) {
        if (!Take("<") || Peek() == '=' || Peek() == '!') return NotSupported("looking ahead or behind");
        while (IsLetter(Peek()) || IsDigit(Peek()) || Peek() == '_') ++at_;
        if (!Take(">")) return Wrong("a group's name without \">\"");
      }
      if (depth >= kMaxRegexGroupDepth)
        return NotSupported("a group in " + std::to_string(kMaxRegexGroupDepth) + " groups");
      PITH_ASSIGN_OR_RETURN(const Expression group, ParseChoice(depth + 1));
      if (!Take(")")) return Wrong("\"(\" without \")\"");
      return group;
    }
    if (Take("[")) {
      PITH_ASSIGN_OR_RETURN(const CodePointSet set, ParseClass());
      return character_(set);
    }
    if (Take("."))
      return character_(CodePointSet({{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}}).Complement());
    if (Peek() == '^') return NotSupported("\"^\" after the beginning");
    if (Peek() == '*' || Peek() == '+' || Peek() == '?' || Peek() == '{')
      return Wrong(std::string("\"") + Peek() + "\" without something to repeat");
    PITH_ASSIGN_OR_RETURN(const CodePointSet set, ParseCharacters(/*in_class=*/false));
    return character_(set);
  }

  Result<Expression> ParseCount(Expression item) {
    uint32_t min = 0;
    uint32_t max = kUnbounded;
    if (Take("?")) {
      max = 1;
    } else if (Take("+")) {
      min = 1;
    } else if (Take("{")) {
      PITH_ASSIGN_OR_RETURN(min, ParseNumber());
      max = min;
      if (Take(",")) {
        max = kUnbounded;
        if (Peek() != '}') {
          PITH_ASSIGN_OR_RETURN(max, ParseNumber());
        }
      }
      if (!Take("}")) return Wrong("expected \"}\"");
      if (max < min) return Wrong("a repetition from " + std::to_string(min) + " to " + std::to_string(max));
    } else if (!Take("*")) {
      return item;
    }
    Take("?");  // lazy: the same texts
    if (Peek() == '*' || Peek() == '+' || Peek() == '?' || Peek() == '{')
      return Wrong("a repetition of a repetition");
    return builder_.Repeat(item, min, max);
  }

  Result<uint32_t> ParseNumber() {
    const size_t begin = at_;
    uint32_t number = 0;
    while (IsDigit(Peek())) {
      number = number * 10 + static_cast<uint32_t>(Peek() - '0');
      if (number > kMaxRepetition)
        return NotSupported("a repetition of more than " + std::to_string(kMaxRepetition));
      ++at_;
    }
    if (at_ == begin) return Wrong("expected a number");
    return number;
  }

  // Behind the "[".
  Result<CodePointSet> ParseClass() {
    const bool is_complement = Take("^");
    std::vector<CodePointRange> ranges;
    while (!Take("]")) {
      if (AtEnd()) return Wrong("\"[\" without \"]\"");
      PITH_ASSIGN_OR_RETURN(const CodePointSet first, ParseCharacters(/*in_class=*/true));
      if (Peek() == '-' && at_ + 1 < text_.size() && text_[at_ + 1] != ']') {
        ++at_;
        PITH_ASSIGN_OR_RETURN(const CodePointSet last, ParseCharacters(/*in_class=*/true));
        if (!IsSingle(first) || !IsSingle(last)) return Wrong("a range between classes");
        if (last.ranges()[0].first < first.ranges()[0].first)
          return Wrong("a range that ends before it begins");
        ranges.push_back({first.ranges()[0].first, last.ranges()[0].first});
        continue;
      }
      ranges.insert(ranges.end(), first.ranges().begin(), first.ranges().end());
    }
    const CodePointSet set(std::move(ranges));
    return is_complement ? set.Complement() : set;
  }
  static bool IsSingle(const CodePointSet& set) {
    return set.ranges().size() == 1 && set.ranges()[0].first == set.ranges()[0].last;
  }

  // One character or escape.
  Result<CodePointSet> ParseCharacters(bool in_class) {
    const uint32_t c = TakeUtf8(text_, at_);
    if (c > kMaxCodePoint) return Wrong("expected valid UTF-8");
    if (c != '\\') return Single(c);
    if (AtEnd()) return Wrong("\"\\\" at the end");
    const char kind = text_[at_];
    if (std::optional<CodePointSet> known = ClassOf(kind)) {
      ++at_;
      return *std::move(known);
    }
    if (!IsLetter(kind) && !IsDigit(kind)) {
      const uint32_t escaped = TakeUtf8(text_, at_);
      return escaped > kMaxCodePoint ? Result<CodePointSet>(Wrong("expected valid UTF-8")) : Single(escaped);
    }
    ++at_;
    switch (kind) {
      case 't':
        return Single('\t');
      case 'n':
        return Single('\n');
      case 'v':
        return Single('\v');
      case 'f':
        return Single('\f');
      case 'r':
        return Single('\r');
      case '0':
        if (!IsDigit(Peek())) return Single(0);
        break;
      case 'c':
        if (IsLetter(Peek())) return Single(static_cast<uint32_t>(text_[at_++]) & 31);
        break;
      case 'b':
        if (in_class) return Single('\b');
        break;
      case 'x':
        return ParseHex(2);
      case 'u':
        return ParseUnicodeEscape();
      default:
        break;
    }
    return NotSupported(std::string("\"\\") + kind + "\"");
  }

  Result<CodePointSet> ParseUnicodeEscape() {
    if (Take("{")) {
      size_t n_digits = 0;
      while (at_ + n_digits < text_.size() && text_[at_ + n_digits] != '}') ++n_digits;
      if (n_digits == 0 || n_digits > 6) return Wrong("expected 1 to 6 hexadecimal digits and \"}\"");
      PITH_ASSIGN_OR_RETURN(CodePointSet set, ParseHex(n_digits));
      if (!Take("}")) return Wrong("expected \"}\"");
      return set;
    }
    return ParseHex(4);
  }

  Result<CodePointSet> ParseHex(size_t n_digits) {
    uint32_t value = 0;
    for (size_t i = 0; i < n_digits; ++i, ++at_) {
      const char c = Peek();
      const int digit = IsDigit(c)             ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0) return Wrong("expected " + std::to_string(n_digits) + " hexadecimal digits");
      value = value << 4 | static_cast<uint32_t>(digit);
    }
    if (value > kMaxCodePoint || IsSurrogate(value))
      return NotSupported("an escape that is no Unicode scalar value");
    return Single(value);
  }

  std::string_view text_;
  GrammarBuilder& builder_;
  const std::function<Expression(const CodePointSet&)>& character_;
  size_t at_ = 0;
  Expression anything_ = 0;
};

}  // namespace

Result<Expression> ParseRegex(std::string_view pattern, GrammarBuilder& builder,
                              const std::function<Expression(const CodePointSet&)>& character) {
  if (pattern.size() > kMaxRegexBytes) {
    return Unsupported("regular expression: " + std::to_string(pattern.size()) + " bytes, expected at most " +
                       std::to_string(kMaxRegexBytes));
  }
  return RegexParser(pattern, builder, character).Parse();
}

}  // namespace pith
