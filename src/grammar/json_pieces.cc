#include "grammar/json_pieces.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/utf8.h"

namespace pith {
namespace {

constexpr uint32_t kUnbounded = GrammarBuilder::kUnbounded;

// The escape of a character that a string does not hold as it is.
std::string Escape(uint32_t c) {
  switch (c) {
    case '"':
      return "\\\"";
    case '\\':
      return "\\\\";
    case '\b':
      return "\\b";
    case '\f':
      return "\\f";
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    default:
      break;
  }
  std::string escape = "\\u00";
  escape += "0123456789abcdef"[c >> 4];
  escape += "0123456789abcdef"[c & 15];
  return escape;
}

bool NeedsEscape(uint32_t c) { return c < 0x20 || c == '"' || c == '\\'; }

CodePointSet Unescaped() { return CodePointSet({{0, 0x1f}, {'"', '"'}, {'\\', '\\'}}).Complement(); }
CodePointSet NonAscii() { return CodePointSet({{0x80, kMaxCodePoint}}); }

}  // namespace

JsonPieces::JsonPieces(GrammarBuilder& builder) : builder_(builder) {
  GrammarBuilder& b = builder;
  const auto ascii = [&](std::string_view members) {
    std::vector<CodePointRange> ranges;
    for (const char c : members) ranges.push_back({static_cast<uint32_t>(c), static_cast<uint32_t>(c)});
    return b.Class(CodePointSet(std::move(ranges)));
  };
  digit_ = b.Class(CodePointSet({{'0', '9'}}));
  quote_ = b.Literal("\"");
  null_ = b.Literal("null");
  boolean_ = b.Choice({b.Literal("true"), b.Literal("false")});

  const Expression space = b.Literal(" ");
  const Expression indent =
      b.Choice({b.Repeat(space, 0, kMaxIndentSpaces), b.Repeat(b.Literal("\t"), 1, kMaxIndentTabs)});
  break_ = b.AddRule("break", b.Choice({b.Empty(), space, b.Sequence({b.Literal("\n"), indent})}));
  colon_ = b.Sequence({b.Literal(":"), b.Optional(space)});
  comma_ = b.Sequence({b.Literal(","), Break()});

  // \u of a code point that is no surrogate, or of a pair: halves of pairs are no text.
  const Expression hex = b.Class(CodePointSet({{'0', '9'}, {'a', 'f'}, {'A', 'F'}}));
  const Expression two_hex = b.Sequence({hex, hex});
  const Expression low_half =
      b.Sequence({b.Literal("\\u"), ascii("dD"), b.Class(CodePointSet({{'c', 'f'}, {'C', 'F'}})), two_hex});
  const Expression code_unit = b.Choice({
      b.Sequence({b.Class(CodePointSet({{'0', '9'}, {'a', 'c'}, {'A', 'C'}, {'e', 'f'}, {'E', 'F'}})), hex,
                  two_hex}),
      b.Sequence({ascii("dD"), b.Class(CodePointSet({{'0', '7'}})), two_hex}),
      b.Sequence({ascii("dD"), ascii("89abAB"), two_hex, low_half}),
  });
  const Expression escaped = b.Choice({ascii("\"\\/bfnrt"), b.Sequence({b.Literal("u"), code_unit})});
  any_character_ =
      b.AddRule("character", b.Choice({b.Class(Unescaped()), b.Sequence({b.Literal("\\"), escaped})}));
  std::vector<Expression> escapes;
  for (uint32_t c = 0; c <= '\\'; ++c) {
    if (NeedsEscape(c)) escapes.push_back(b.Literal(Escape(c)));
  }
  escape_ = b.AddRule("escape", b.Choice(escapes));
  non_ascii_ = b.AddRule("character", b.Class(NonAscii()));
  any_character_in_one_form_ = b.AddRule("character", Character(CodePointSet().Complement()));
  string_ = b.AddRule("string", b.Sequence({quote_, b.Repeat(AnyCharacter(), 0, kUnbounded), quote_}));
  AddValues();
}

void JsonPieces::AddValues() {
  GrammarBuilder& b = builder_;
  const Expression minus = b.Optional(b.Literal("-"));
  const Expression positive = b.Sequence({Digit(1, 9), Digits(0, kMaxIntegerDigits - 1)});
  integer_ = b.AddRule("integer", b.Choice({b.Literal("0"), b.Sequence({minus, positive})}));
  const Expression fraction = b.Sequence({b.Literal("."), Digits(1, kMaxFractionDigits)});
  const Expression sign = b.Optional(b.Choice({b.Literal("+"), b.Literal("-")}));
  const Expression e = b.Choice({b.Literal("e"), b.Literal("E")});
  const Expression exponent = b.Sequence({e, sign, Digits(1, kMaxExponentDigits)});
  number_ = b.AddRule("number", b.Sequence({minus, b.Choice({b.Literal("0"), positive}), b.Optional(fraction),
                                            b.Optional(exponent)}));
  object_ = b.AddRule("object");
  array_ = b.AddRule("array");
  value_ = b.AddRule("value", b.Choice({Object(), Array(), b.Call(string_), Number(), boolean_, null_}));
  const Expression member = b.Sequence({b.Call(string_), colon_, Value()});
  const auto list = [&](std::string_view open, Expression part, std::string_view close) {
    const Expression more = b.Repeat(b.Sequence({comma_, part}), 0, kUnbounded);
    const Expression parts = b.Sequence({Break(), part, more, Break()});
    return b.Sequence({b.Literal(open), b.Optional(parts), b.Literal(close)});
  };
  b.Define(object_, list("{", member, "}"));
  b.Define(array_, list("[", Value(), "]"));
}

JsonPieces::Expression JsonPieces::Digit(int first, int last) {
  if (first > last) return builder_.Nothing();
  return builder_.Class(
      CodePointSet({{static_cast<uint32_t>('0' + first), static_cast<uint32_t>('0' + last)}}));
}

JsonPieces::Expression JsonPieces::Character(const CodePointSet& set) {
  // All escapes, and all that is not ASCII, are the parts of many sets: once in the grammar.
  std::vector<Expression> parts;
  CodePointSet own = set.Intersection(Unescaped());
  const CodePointSet non_ascii = NonAscii();
  if (std::ranges::equal(set.Intersection(non_ascii).ranges(), non_ascii.ranges())) {
    own = own.Intersection(non_ascii.Complement());
    parts.push_back(builder_.Call(non_ascii_));
  }
  parts.push_back(builder_.Class(own));
  const CodePointSet escaped = Unescaped().Complement();
  if (std::ranges::equal(set.Intersection(escaped).ranges(), escaped.ranges())) {
    parts.push_back(builder_.Call(escape_));
    return builder_.Choice(parts);
  }
  for (uint32_t c = 0; c <= '\\'; ++c) {
    if (NeedsEscape(c) && set.Contains(c)) parts.push_back(builder_.Literal(Escape(c)));
  }
  return builder_.Choice(parts);
}

JsonPieces::Expression JsonPieces::String(uint32_t min, uint32_t max) {
  if (min > max) return builder_.Nothing();
  if (min == 0 && max == kUnbounded) return builder_.Call(string_);
  return builder_.Sequence({quote_, builder_.Repeat(AnyCharacter(), min, max), quote_});
}

std::optional<std::string> JsonPieces::Quote(std::string_view text) {
  std::string quoted = "\"";
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    const uint32_t c = TakeUtf8(text, at);
    if (c > kMaxCodePoint) return std::nullopt;
    quoted += NeedsEscape(c) ? Escape(c) : text.substr(begin, at - begin);
  }
  return quoted + '"';
}

JsonPieces::Expression JsonPieces::StringExcept(std::vector<std::string> names) {
  std::vector<std::u32string> code_points;
  for (const std::string& name : names) {
    std::u32string points;
    for (size_t at = 0; at < name.size();) points += static_cast<char32_t>(TakeUtf8(name, at));
    code_points.push_back(std::move(points));
  }
  std::sort(code_points.begin(), code_points.end());
  code_points.erase(std::unique(code_points.begin(), code_points.end()), code_points.end());
  return builder_.Sequence({quote_, Except(code_points, 0), quote_});
}

// What may follow after the first `depth` characters, which all of `names` (sorted) have in common, so that
// the text is none of them.
JsonPieces::Expression JsonPieces::Except(std::span<const std::u32string> names, size_t depth) {
  const Expression any_rest = builder_.Repeat(builder_.Call(any_character_in_one_form_), 0, kUnbounded);
  std::vector<Expression> parts;
  std::vector<CodePointRange> begun;
  size_t i = 0;
  if (!names.empty() && names[0].size() == depth) {
    ++i;
  } else {
    parts.push_back(builder_.Empty());
  }
  while (i < names.size()) {
    const char32_t c = names[i][depth];
    const size_t first = i;
    while (i < names.size() && names[i][depth] == c) ++i;
    begun.push_back({c, c});
    const GrammarBuilder::Rule rest = builder_.AddRule("name");  // a rule, since names may be long
    builder_.Define(rest, Except(names.subspan(first, i - first), depth + 1));
    parts.push_back(builder_.Sequence({Character(CodePointSet({{c, c}})), builder_.Call(rest)}));
  }
  const Expression other = Character(CodePointSet(std::move(begun)).Complement());
  parts.push_back(builder_.Sequence({other, any_rest}));
  return builder_.Choice(parts);
}

JsonPieces::Expression JsonPieces::Constant(const nlohmann::ordered_json& value) {
  GrammarBuilder& b = builder_;
  if (value.is_string()) {
    const std::optional<std::string> quoted = Quote(value.get_ref<const std::string&>());
    return quoted ? b.Literal(*quoted) : b.Nothing();
  }
  if (!value.is_structured()) return b.Literal(value.dump());
  if (value.empty()) return b.Literal(value.is_object() ? "{}" : "[]");
  std::vector<Expression> parts = {b.Literal(value.is_object() ? "{" : "["), Break()};
  for (const auto& [key, part] : value.items()) {
    if (parts.size() > 2) parts.push_back(comma_);
    if (value.is_object()) {
      const std::optional<std::string> quoted = Quote(key);
      if (!quoted) return b.Nothing();
      parts.push_back(b.Literal(*quoted));
      parts.push_back(colon_);
    }
    parts.push_back(Constant(part));
  }
  parts.push_back(Break());
  parts.push_back(b.Literal(value.is_object() ? "}" : "]"));
  return b.Sequence(parts);
}

}  // namespace pith
