#include "grammar/gbnf.h"

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/utf8.h"
#include "grammar/code_point_set.h"
#include "grammar/grammar_builder.h"

namespace pith {
namespace {

bool IsNameStart(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsNamePart(char c) { return IsNameStart(c) || IsDigit(c) || c == '-'; }

class GbnfParser {
 public:
  explicit GbnfParser(std::string_view text) : text_(text) {}

  Result<Grammar> Parse() {
    SkipSpace();
    while (!AtEnd()) PITH_RETURN_IF_ERROR(ParseRule());
    for (const auto& [name, rule] : rules_) {
      if (!builder_.IsDefined(rule.id))
        return ErrorAt(rule.first_use, "rule \"" + name + "\" is not defined");
    }
    const auto root = rules_.find("root");
    if (root == rules_.end())
      return InvalidArgument("grammar: no rule \"root\", expected one: texts begin there");
    return std::move(builder_).Build(root->second.id, GrammarBuilder::Barren::kRefuse);
  }

 private:
  using Expression = GrammarBuilder::Expression;
  struct NamedRule {
    GrammarBuilder::Rule id;
    size_t first_use;  // in the text
  };

  bool AtEnd() const { return at_ >= text_.size(); }
  char Peek() const { return AtEnd() ? '\0' : text_[at_]; }
  bool Take(std::string_view expected) {
    if (!text_.substr(at_).starts_with(expected)) return false;
    at_ += expected.size();
    return true;
  }

  // Spaces, line ends and comments.
  void SkipSpace() {
    while (!AtEnd()) {
      if (Peek() == '#') {
        while (!AtEnd() && Peek() != '\n' && Peek() != '\r') ++at_;
      } else if (Peek() == ' ' || Peek() == '\t' || Peek() == '\n' || Peek() == '\r') {
        ++at_;
      } else {
        return;
      }
    }
  }

  Status ErrorAt(size_t at, const std::string& what) const {
    size_t line = 1;
    size_t column = 1;
    for (size_t i = 0; i < at; ++i) {
      if (text_[i] == '\n') {
        ++line;
        column = 1;
      } else if ((text_[i] & 0xc0) != 0x80) {
        ++column;
      }
    }
    return InvalidArgument("grammar: line " + std::to_string(line) + ", column " + std::to_string(column) +
                           ": " + what);
  }
  Status Expected(const std::string& what) const {
    std::string found = "the end";
    if (!AtEnd()) {
      size_t after = at_;
      const uint32_t c = TakeUtf8(text_, after);
      found = c > kMaxCodePoint                     ? "invalid UTF-8"
              : c < 0x20 || (c >= 0x7f && c < 0xa0) ? "a control character"
                                                    : "'" + std::string(text_.substr(at_, after - at_)) + "'";
    }
    return ErrorAt(at_, "found " + found + ", expected " + what);
  }

  std::string_view TakeName() {
    const size_t begin = at_;
    if (IsNameStart(Peek())) {
      while (IsNamePart(Peek())) ++at_;
    }
    return text_.substr(begin, at_ - begin);
  }

  // A new rule begins here: a name and "::=".
  bool AtRule() {
    const size_t begin = at_;
    const bool named = !TakeName().empty();
    SkipSpace();
    const bool is_rule = named && text_.substr(at_).starts_with("::=");
    at_ = begin;
    return is_rule;
  }

  GrammarBuilder::Rule RuleNamed(std::string_view name, size_t used_at) {
    const auto found = rules_.find(name);
    if (found != rules_.end()) return found->second.id;
    const GrammarBuilder::Rule rule = builder_.AddRule(std::string(name));
    rules_.emplace(std::string(name), NamedRule{rule, used_at});
    return rule;
  }

  Status ParseRule() {
    const size_t begin = at_;
    const std::string name(TakeName());
    if (name.empty()) return Expected("the name of a rule");
    SkipSpace();
    if (!Take("::=")) return Expected("\"::=\"");
    const GrammarBuilder::Rule rule = RuleNamed(name, begin);
    if (builder_.IsDefined(rule)) return ErrorAt(begin, "rule \"" + name + "\" is defined twice");
    PITH_ASSIGN_OR_RETURN(const Expression body, ParseChoice(0));
    builder_.Define(rule, body);
    return OkStatus();
  }

  Result<Expression> ParseChoice(size_t depth) {
    std::vector<Expression> parts;
    do {
      PITH_ASSIGN_OR_RETURN(const Expression part, ParseSequence(depth));
      parts.push_back(part);
    } while (Take("|"));
    return builder_.Choice(parts);
  }

  // May be empty. Ends before "|", ")", a new rule and the end.
  Result<Expression> ParseSequence(size_t depth) {
    std::vector<Expression> parts;
    for (;;) {
      SkipSpace();
      if (AtEnd() || Peek() == '|') break;
      if (Peek() == ')') {
        if (depth == 0) return Expected("the end of the rule: no group is open");
        break;
      }
      if (depth == 0 && AtRule()) break;
      PITH_ASSIGN_OR_RETURN(Expression part, ParseItem(depth));
      for (;;) {
        SkipSpace();
        const size_t begin = at_;
        PITH_ASSIGN_OR_RETURN(const std::optional<Count> count, ParseCount());
        if (!count) break;
        if (count->max != GrammarBuilder::kUnbounded && count->min > count->max)
          return ErrorAt(begin, "found a repetition from " + std::to_string(count->min) + " to " +
                                    std::to_string(count->max));
        part = builder_.Repeat(part, count->min, count->max);
      }
      parts.push_back(part);
    }
    return builder_.Sequence(parts);
  }

  Result<Expression> ParseItem(size_t depth) {
    if (Peek() == '"') return ParseLiteral();
    if (Peek() == '[') return ParseClass();
    if (Take(".")) return builder_.Class(CodePointSet().Complement());
    if (Peek() == '(') {
      const size_t begin = at_++;
      if (depth >= kMaxGbnfGroupDepth) {
        return Unsupported(
            ErrorAt(begin, "groups nested deeper than " + std::to_string(kMaxGbnfGroupDepth)).message());
      }
      PITH_ASSIGN_OR_RETURN(const Expression group, ParseChoice(depth + 1));
      if (!Take(")")) return Expected("\")\" of the group that begins at byte " + std::to_string(begin));
      return group;
    }
    const size_t begin = at_;
    const std::string_view name = TakeName();
    if (name.empty()) return Expected("a rule, \"text\", [class], (group) or .");
    return builder_.Call(RuleNamed(name, begin));
  }

  struct Count {
    uint32_t min;
    uint32_t max;
  };
  // ? * + {m} {m,} {m,n}; nothing when none of these is here.
  Result<std::optional<Count>> ParseCount() {
    constexpr uint32_t kUnbounded = GrammarBuilder::kUnbounded;
    if (Take("?")) return std::optional(Count{0, 1});
    if (Take("*")) return std::optional(Count{0, kUnbounded});
    if (Take("+")) return std::optional(Count{1, kUnbounded});
    if (!Take("{")) return std::optional<Count>();
    PITH_ASSIGN_OR_RETURN(const uint32_t min, ParseNumber());
    Count count{min, min};
    if (Take(",")) {
      count.max = kUnbounded;
      SkipSpace();
      if (Peek() != '}') {
        PITH_ASSIGN_OR_RETURN(count.max, ParseNumber());
      }
    }
    if (!Take("}")) return Expected("\",\" or \"}\"");
    return std::optional(count);
  }

  Result<uint32_t> ParseNumber() {
    SkipSpace();
    const size_t begin = at_;
    uint32_t number = 0;
    while (IsDigit(Peek())) {
      number = number * 10 + static_cast<uint32_t>(Peek() - '0');
      ++at_;
      if (number > kMaxRepetition) {
        return Unsupported(
            ErrorAt(begin, "a repetition of more than " + std::to_string(kMaxRepetition)).message());
      }
    }
    if (at_ == begin) return Expected("a number");
    SkipSpace();
    return number;
  }

  Result<Expression> ParseLiteral() {
    const size_t begin = at_++;
    std::string bytes;
    while (!Take("\"")) {
      if (AtEnd() || Peek() == '\n') return ErrorAt(begin, "text without its second '\"' on the line");
      PITH_ASSIGN_OR_RETURN(const uint32_t c, ParseCharacter());
      AppendUtf8(c, bytes);
    }
    return builder_.Literal(bytes);
  }

  Result<Expression> ParseClass() {
    const size_t begin = at_++;
    const bool is_complement = Take("^");
    std::vector<CodePointRange> ranges;
    while (!Take("]")) {
      if (AtEnd() || Peek() == '\n') return ErrorAt(begin, "a class without its \"]\" on the line");
      const size_t range_begin = at_;
      CodePointRange range;
      PITH_ASSIGN_OR_RETURN(range.first, ParseCharacter());
      range.last = range.first;
      // A "-" before the end stands for itself.
      if (Peek() == '-' && at_ + 1 < text_.size() && text_[at_ + 1] != ']') {
        ++at_;
        PITH_ASSIGN_OR_RETURN(range.last, ParseCharacter());
        if (range.last < range.first) return ErrorAt(range_begin, "a range that ends before it begins");
      }
      ranges.push_back(range);
    }
    const CodePointSet set(std::move(ranges));
    const CodePointSet members = is_complement ? set.Complement() : set;
    if (members.empty()) return ErrorAt(begin, "a class without members");
    return builder_.Class(members);
  }

  // One code point, as it is or as an escape.
  Result<uint32_t> ParseCharacter() {
    const size_t begin = at_;
    const uint32_t c = TakeUtf8(text_, at_);
    if (c > kMaxCodePoint) return Expected("valid UTF-8");
    if (c != '\\') return c;
    const char kind = Peek();
    if (!AtEnd()) ++at_;
    switch (kind) {
      case 'n':
        return uint32_t{'\n'};
      case 'r':
        return uint32_t{'\r'};
      case 't':
        return uint32_t{'\t'};
      case 'x':
        return ParseHex(begin, 2);
      case 'u':
        return ParseHex(begin, 4);
      case 'U':
        return ParseHex(begin, 8);
      default:
        break;
    }
    const bool is_punctuation =
        kind > ' ' && kind < 0x7f && !IsDigit(kind) && (kind == '_' || !IsNameStart(kind));
    if (!is_punctuation)
      return ErrorAt(
          begin, R"(an unknown escape, expected \n \r \t \xHH \uHHHH \UHHHHHHHH or \ before punctuation)");
    return static_cast<uint32_t>(kind);
  }

  Result<uint32_t> ParseHex(size_t begin, size_t n_digits) {
    uint32_t value = 0;
    for (size_t i = 0; i < n_digits; ++i, ++at_) {
      const char c = Peek();
      const int digit = IsDigit(c)             ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0) return Expected(std::to_string(n_digits) + " hexadecimal digits");
      value = value << 4 | static_cast<uint32_t>(digit);
    }
    if (value > kMaxCodePoint || IsSurrogate(value))
      return ErrorAt(begin, "an escape that is no Unicode scalar value");
    return value;
  }

  std::string_view text_;
  size_t at_ = 0;
  GrammarBuilder builder_;
  std::map<std::string, NamedRule, std::less<>> rules_;
};

}  // namespace

Result<Grammar> ParseGbnf(std::string_view text) {
  if (text.size() > kMaxGbnfBytes) {
    return Unsupported("grammar: " + std::to_string(text.size()) + " bytes, expected at most " +
                       std::to_string(kMaxGbnfBytes));
  }
  return GbnfParser(text).Parse();
}

}  // namespace pith
