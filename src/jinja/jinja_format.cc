#include "jinja/jinja_format.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <utility>

#include "jinja/jinja_strings.h"
#include "formats/json.h"

namespace pith::jinja {
namespace {

constexpr int kMaxPrecision = 100;  // of numbers; more digits than any double has say nothing

void AppendHex(std::string& out, std::string_view prefix, uint32_t value, int digits) {
  char buffer[16];
  std::snprintf(buffer, sizeof buffer, "%0*x", digits, value);
  out += prefix;
  out += buffer;
}

// A string as Python writes it in a list: 'it' or "it's".
void AppendQuoted(TextBuilder& out, const MarkedText& text) {
  const bool has_single = text.text.find('\'') != std::string::npos;
  const char quote = has_single && text.text.find('"') == std::string::npos ? '"' : '\'';
  out.Plain(std::string(1, quote));
  size_t plain = 0;  // begin of what needs no escape
  for (size_t at = 0; at < text.text.size();) {
    const Character c = CharacterAt(text.text, at);
    std::string escape;
    switch (c.code_point) {
      case '\n':
        escape = "\\n";
        break;
      case '\r':
        escape = "\\r";
        break;
      case '\t':
        escape = "\\t";
        break;
      case '\\':
        escape = "\\\\";
        break;
      case -1:
        AppendHex(escape, "\\x", static_cast<unsigned char>(text.text[at]), 2);
        break;
      default:
        if (c.code_point == quote) {
          escape = std::string("\\") + quote;
        } else if (!IsPrintable(c.code_point)) {
          const auto code = static_cast<uint32_t>(c.code_point);
          if (code < 0x100) {
            AppendHex(escape, "\\x", code, 2);
          } else {
            AppendHex(escape, code < 0x10000 ? "\\u" : "\\U", code, code < 0x10000 ? 4 : 8);
          }
        }
    }
    if (!escape.empty()) {
      out.Append(text, plain, at);
      out.Append(escape, text.IsData(at));
      plain = at + c.n_bytes;
    }
    at += c.n_bytes;
  }
  out.Append(text, plain, text.text.size());
  out.Plain(std::string(1, quote));
}

void AppendReprList(Heap& heap, TextBuilder& out, const List& list) {
  std::string_view open = "[";
  std::string_view close = "]";
  switch (list.form) {
    case List::Form::kTuple:
      open = "(", close = list.items.size() == 1 ? ",)" : ")";
      break;
    case List::Form::kKeys:
      open = "dict_keys([", close = "])";
      break;
    case List::Form::kValues:
      open = "dict_values([", close = "])";
      break;
    case List::Form::kItems:
      open = "dict_items([", close = "])";
      break;
    default:
      break;
  }
  out.Plain(open);
  for (size_t i = 0; i < list.items.size(); ++i) {
    if (i > 0) out.Plain(", ");
    AppendRepr(heap, out, list.items[i]);
  }
  out.Plain(close);
}

std::string NumberText(const Value& v) {
  switch (v.kind()) {
    case Kind::kBool:
      return v.as_bool() ? "True" : "False";
    case Kind::kUnsigned:
      return std::to_string(v.as_unsigned());
    case Kind::kFloat:
      return FloatText(v.Number(""));
    default:
      return std::to_string(v.Integer(""));
  }
}

void AppendJsonString(TextBuilder& out, const MarkedText& text, bool ascii_only) {
  out.Plain("\"");
  size_t plain = 0;
  for (size_t at = 0; at < text.text.size();) {
    const auto byte = static_cast<unsigned char>(text.text[at]);
    if (byte >= 0x20 && byte != '"' && byte != '\\' && (byte < 0x80 || !ascii_only)) {
      ++at;
      continue;
    }
    const Character c = CharacterAt(text.text, at);
    std::string escape;
    switch (c.code_point) {
      case '"':
        escape = "\\\"";
        break;
      case '\\':
        escape = "\\\\";
        break;
      case '\n':
        escape = "\\n";
        break;
      case '\r':
        escape = "\\r";
        break;
      case '\t':
        escape = "\\t";
        break;
      case '\f':
        escape = "\\f";
        break;
      case '\b':
        escape = "\\b";
        break;
      case -1:
        escape = "\\ufffd";
        break;  // no character: only with ascii_only
      default: {
        const auto code = static_cast<uint32_t>(c.code_point);
        if (code < 0x10000) {
          AppendHex(escape, "\\u", code, 4);
        } else {
          AppendHex(escape, "\\u", 0xD800 + ((code - 0x10000) >> 10), 4);
          AppendHex(escape, "\\u", 0xDC00 + ((code - 0x10000) & 0x3FF), 4);
        }
      }
    }
    out.Append(text, plain, at);
    out.Append(escape, text.IsData(at));
    at += c.n_bytes;
    plain = at;
  }
  out.Append(text, plain, text.text.size());
  out.Plain("\"");
}

void AppendJsonNumber(TextBuilder& out, const Value& v) {
  if (v.kind() == Kind::kBool) return out.Plain(v.as_bool() ? "true" : "false");
  const std::string text = NumberText(v);
  if (text == "nan") return out.Plain("NaN");
  if (text == "inf" || text == "-inf") return out.Plain(text == "inf" ? "Infinity" : "-Infinity");
  out.Plain(text);
}

void AppendJsonKey(TextBuilder& out, const Value& key, const JsonStyle& style) {
  if (key.is_string()) return AppendJsonString(out, key.marked(), style.ascii_only);
  if (!key.is_number() && !key.is_none()) {
    Fail("tojson: a key is '" + std::string(KindName(key)) + "', expected a string or number");
  }
  out.Plain("\"");
  if (key.is_none()) {
    out.Plain("null");
  } else {
    AppendJsonNumber(out, key);
  }
  out.Plain("\"");
}

void AppendJsonNewline(TextBuilder& out, const JsonStyle& style, size_t level) {
  if (!style.indent) return;
  out.Plain("\n");
  for (size_t i = 0; i < level; ++i) out.Append(*style.indent);
}

void AppendJsonList(Heap& heap, TextBuilder& out, const Value& v, const JsonStyle& style, size_t level) {
  const List& list = v.list();
  if (list.form != List::Form::kList && list.form != List::Form::kTuple) {
    Fail("tojson: object of type " + std::string(KindName(v)) + " is not JSON serializable");
  }
  if (list.items.empty()) return out.Plain("[]");
  out.Plain("[");
  for (size_t i = 0; i < list.items.size(); ++i) {
    if (i > 0) out.Append(style.between_items);
    AppendJsonNewline(out, style, level + 1);
    AppendJson(heap, out, list.items[i], style, level + 1);
  }
  AppendJsonNewline(out, style, level);
  out.Plain("]");
}

void AppendJsonDict(Heap& heap, TextBuilder& out, const Dict& dict, const JsonStyle& style, size_t level) {
  if (dict.entries.empty()) return out.Plain("{}");
  std::vector<const Dict::Entry*> entries;
  for (const Dict::Entry& e : dict.entries) entries.push_back(&e);
  if (style.sort_keys) {
    std::sort(entries.begin(), entries.end(), [&](const Dict::Entry* a, const Dict::Entry* b) {
      return Order(heap, a->first, b->first, "<") < 0;
    });
  }
  out.Plain("{");
  for (size_t i = 0; i < entries.size(); ++i) {
    if (i > 0) out.Append(style.between_items);
    AppendJsonNewline(out, style, level + 1);
    AppendJsonKey(out, entries[i]->first, style);
    out.Append(style.behind_key);
    AppendJson(heap, out, entries[i]->second, style, level + 1);
  }
  AppendJsonNewline(out, style, level);
  out.Plain("}");
}

// ---- Directives of % and format() -----------------------------------------------------------------------

// What both mini-languages can say.
struct Directive {
  bool left = false;
  bool center = false;
  bool zero = false;
  bool plus = false;
  bool space = false;
  bool alternate = false;
  bool grouped = false;
  MarkedText fill = Marked(" ", false);
  size_t width = 0;
  std::optional<size_t> precision;
  char type = '\0';
};

// Digits at `at`, which moves behind them; none when there are none.
std::optional<size_t> TakeNumber(Heap& heap, std::string_view text, size_t& at) {
  if (at >= text.size() || text[at] < '0' || text[at] > '9') return std::nullopt;
  size_t n = 0;
  for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
    n = n * 10 + static_cast<size_t>(text[at] - '0');
    heap.CheckString(n);
  }
  return n;
}

std::string FloatDigits(double d, char type, size_t precision, bool alternate) {
  if (std::isnan(d)) return "nan";
  if (std::isinf(d)) return "inf";
  if (precision > kMaxPrecision)
    FailLimit("a number with more than " + std::to_string(kMaxPrecision) + " digits");
  char buffer[512];
  const std::string format = std::string("%") + (alternate ? "#" : "") + ".*" + type;
  const int n = std::snprintf(buffer, sizeof buffer, format.c_str(), static_cast<int>(precision), d);
  return std::string(buffer, static_cast<size_t>(n));
}

std::string IntegerDigits(uint64_t magnitude, int base, bool upper) {
  char buffer[72];
  std::string digits(buffer, std::to_chars(buffer, buffer + sizeof buffer, magnitude, base).ptr);
  if (upper)
    std::transform(digits.begin(), digits.end(), digits.begin(),
                   [](char c) { return c >= 'a' && c <= 'f' ? static_cast<char>(c - 0x20) : c; });
  return digits;
}

void GroupThousands(std::string& digits) {
  size_t end = digits.find_first_not_of("0123456789");
  if (end == std::string::npos) end = digits.size();
  while (end > 3) {
    end -= 3;
    digits.insert(end, ",");
  }
}

// `sign`, `prefix` and `digits` in a field.
void AppendNumberField(TextBuilder& out, const Directive& d, bool negative, std::string_view prefix,
                       std::string digits) {
  if (d.grouped) GroupThousands(digits);
  std::string head = negative ? "-" : d.plus ? "+" : d.space ? " " : "";
  head += prefix;
  const size_t n = head.size() + digits.size();
  const size_t padding = d.width > n ? d.width - n : 0;
  if (d.zero && !d.left) {
    out.Plain(head);
    out.Fill("0", padding);
    out.Plain(digits);
    return;
  }
  const size_t before = d.left ? 0 : d.center ? padding / 2 : padding;
  for (size_t i = 0; i < before; ++i) out.Append(d.fill);
  out.Plain(head);
  out.Plain(digits);
  for (size_t i = before; i < padding; ++i) out.Append(d.fill);
}

void AppendTextField(Heap& heap, TextBuilder& out, const Directive& d, const MarkedText& text, bool left) {
  heap.StepBytes(text.text.size());
  size_t end = text.text.size();
  if (d.precision) end = ByteOfCharacter(text.text, *d.precision);
  const size_t n = CountCharacters(std::string_view(text.text).substr(0, end));
  const size_t padding = d.width > n ? d.width - n : 0;
  const size_t before = d.center ? padding / 2 : left ? 0 : padding;
  for (size_t i = 0; i < before; ++i) out.Append(d.fill);
  out.Append(text, 0, end);
  for (size_t i = before; i < padding; ++i) out.Append(d.fill);
}

// The types of numbers: d i u x X o b, e E f F g G %.
void AppendNumber(TextBuilder& out, const Directive& d, const Value& v) {
  const char lower = static_cast<char>(d.type | 0x20);
  if (lower == 'e' || lower == 'f' || lower == 'g' || d.type == '%') {
    double number = v.Number("a format");
    if (d.type == '%') number *= 100;
    const size_t precision = d.precision.value_or(6);
    std::string digits = FloatDigits(std::abs(number), d.type == '%' ? 'f' : d.type, precision, d.alternate);
    if (d.type == '%') digits += '%';
    return AppendNumberField(out, d, std::signbit(number) && !std::isnan(number), "", std::move(digits));
  }
  bool negative = false;
  uint64_t magnitude = 0;
  if (v.kind() == Kind::kUnsigned) {
    magnitude = v.as_unsigned();
  } else {
    const double truncated = v.kind() == Kind::kFloat ? std::trunc(v.Number("")) : 0;
    if (!(std::abs(truncated) < 0x1p63)) Fail("a format: an integer beyond 64 bits");
    const int64_t i = v.kind() == Kind::kFloat ? static_cast<int64_t>(truncated) : v.Integer("a format");
    negative = i < 0;
    magnitude = negative ? 0 - static_cast<uint64_t>(i) : static_cast<uint64_t>(i);
  }
  const int base = lower == 'x' ? 16 : lower == 'o' ? 8 : lower == 'b' ? 2 : 10;
  const std::string prefix = d.alternate && base != 10 ? std::string("0") + d.type : "";
  std::string digits = IntegerDigits(magnitude, base, d.type == 'X');
  if (d.precision) {
    if (*d.precision > kMaxPrecision)
      FailLimit("a number with more than " + std::to_string(kMaxPrecision) + " digits");
    if (digits.size() < *d.precision) digits.insert(0, *d.precision - digits.size(), '0');
  }
  AppendNumberField(out, d, negative, prefix, std::move(digits));
}

// ---- %  -------------------------------------------------------------------------------------------------

// The values of a %, one after the other or by name.
class PercentValues {
 public:
  PercentValues(Heap& heap, const Value& values) : heap_(heap), values_(values) {
    is_tuple_ = values.is_list() && values.list().form == List::Form::kTuple;
  }
  const Value& Next() {
    if (!is_tuple_ && n_used_ == 0) {
      ++n_used_;
      return values_;
    }
    if (!is_tuple_ || n_used_ >= values_.list().items.size()) Fail("not enough arguments for format string");
    return values_.list().items[n_used_++];
  }
  const Value& Named(std::string_view name) {
    if (!values_.is_dict()) Fail("format requires a mapping");
    by_name_ = true;
    const Value* v = values_.dict().Find(heap_, name);
    if (v == nullptr) Fail("format: no value for " + Quoted(name));
    return *v;
  }
  void CheckAllUsed() const {
    const bool has_items = values_.is_dict() || values_.is_list() || values_.is_undefined();
    const size_t n = is_tuple_ ? values_.list().items.size() : has_items ? 0 : 1;
    if (!by_name_ && n_used_ < n) Fail("not all arguments converted during string formatting");
  }

 private:
  Heap& heap_;
  const Value& values_;
  bool is_tuple_;
  bool by_name_ = false;
  size_t n_used_ = 0;
};

// Flags, width, precision and type behind a %; `at` moves behind them.
Directive ParsePercent(Heap& heap, std::string_view format, size_t& at, PercentValues& values) {
  Directive d;
  for (; at < format.size(); ++at) {
    const char c = format[at];
    if (c == '-')
      d.left = true;
    else if (c == '0')
      d.zero = true;
    else if (c == '+')
      d.plus = true;
    else if (c == ' ')
      d.space = true;
    else if (c == '#')
      d.alternate = true;
    else
      break;
  }
  if (at < format.size() && format[at] == '*') {
    ++at;
    const int64_t width = values.Next().Integer("a format's width");
    d.left |= width < 0;
    d.width = static_cast<size_t>(width < 0 ? -std::max<int64_t>(width, INT32_MIN) : width);
    heap.CheckString(d.width);
  } else {
    d.width = TakeNumber(heap, format, at).value_or(0);
  }
  if (at < format.size() && format[at] == '.') {
    ++at;
    d.precision = TakeNumber(heap, format, at).value_or(0);
  }
  while (at < format.size() && (format[at] == 'l' || format[at] == 'h' || format[at] == 'L')) ++at;
  if (at >= format.size()) Fail("incomplete format");
  d.type = format[at++];
  return d;
}

// ---- format() -------------------------------------------------------------------------------------------

// What stands behind the colon of a field.
Directive ParseFieldFormat(Heap& heap, const MarkedText& spec, bool& has_alignment) {
  Directive d;
  const std::string_view text = spec.text;
  size_t at = 0;
  const auto is_align = [&](size_t i) {
    return i < text.size() && (text[i] == '<' || text[i] == '>' || text[i] == '^');
  };
  const size_t first = text.empty() ? 0 : CharacterAt(text, 0).n_bytes;
  if (first > 0 && is_align(first)) {
    d.fill = MarkedText();
    d.fill.Append(spec, 0, first);
    at = first;
  }
  has_alignment = is_align(at);
  if (has_alignment) {
    d.left = text[at] == '<';
    d.center = text[at] == '^';
    ++at;
  }
  const auto take = [&](char c) {
    const bool found = at < text.size() && text[at] == c;
    at += found ? 1 : 0;
    return found;
  };
  d.plus = take('+');
  if (!d.plus && !take('-')) d.space = take(' ');
  d.alternate = take('#');
  d.zero = take('0') && !has_alignment;
  d.width = TakeNumber(heap, text, at).value_or(0);
  d.grouped = take(',');
  if (take('.')) {
    d.precision = TakeNumber(heap, text, at);
    if (!d.precision) Fail("a format: found '.' without digits");
  }
  if (at < text.size()) d.type = text[at++];
  if (at != text.size()) Fail("a format: found " + Quoted(text));
  return d;
}

void AppendFormatted(Heap& heap, TextBuilder& out, const Value& v, const MarkedText& spec) {
  bool has_alignment = false;
  Directive d = ParseFieldFormat(heap, spec, has_alignment);
  const bool is_number = v.is_number() && !(v.kind() == Kind::kBool && d.type == '\0');
  if (!is_number) {
    if (d.type != '\0' && d.type != 's')
      Fail("a format: unknown type " + Quoted(spec.text) + " for '" + std::string(KindName(v)) + "'");
    const Value text = ToStr(heap, v);
    return AppendTextField(heap, out, d, text.marked(), d.left || !has_alignment);
  }
  if (d.type == '\0' && v.kind() == Kind::kFloat) {
    const double number = v.Number("");
    std::string digits = FloatText(std::abs(number));
    if (d.precision) {
      digits = FloatDigits(std::abs(number), 'g', *d.precision, d.alternate);
      if (digits.find_first_of(".en") == std::string::npos) digits += ".0";  // unlike 'g'
    }
    return AppendNumberField(out, d, std::signbit(number) && !std::isnan(number), "", std::move(digits));
  }
  if (d.type == '\0' || d.type == 'n') d.type = 'd';
  if (std::string_view("dxXobeEfFgG%").find(d.type) == std::string_view::npos) {
    Fail("a format: unknown type " + Quoted(spec.text) + " for '" + std::string(KindName(v)) + "'");
  }
  const bool for_integers = std::string_view("dxXob").find(d.type) != std::string_view::npos;
  if (for_integers && !v.is_integral()) Fail("a format: found a float, expected an integer");
  AppendNumber(out, d, v);
}

class BraceFormatter {
 public:
  BraceFormatter(Machine& machine, const MarkedText& format, const Arguments& arguments)
      : machine_(machine), format_(format), arguments_(arguments), out_(machine.heap()) {}

  Value Run() {
    const std::string& text = format_.text;
    size_t at = 0;
    while (at < text.size()) {
      const size_t brace = std::min(text.find_first_of("{}", at), text.size());
      out_.Append(format_, at, brace);
      if (brace == text.size()) break;
      if (brace + 1 < text.size() && text[brace + 1] == text[brace]) {
        out_.Append(format_, brace, brace + 1);
        at = brace + 2;
      } else if (text[brace] == '}') {
        Fail("format(): found '}' without '{'");
      } else {
        at = Field(brace + 1);
      }
    }
    return machine_.heap().String(out_.Take());
  }

 private:
  // The field whose name begins at `at`; returns where its '}' ends.
  size_t Field(size_t at) {
    const std::string& text = format_.text;
    const size_t end = text.find_first_of("{}", at);
    if (end == std::string::npos || text[end] == '{') Fail("format(): found '{' inside or without '}'");
    const size_t colon = std::min(text.find(':', at), end);
    const size_t bang = std::min(text.find('!', at), colon);
    Value v = Find(std::string_view(text).substr(at, bang - at));
    if (bang < colon) {
      const std::string_view conversion = std::string_view(text).substr(bang + 1, colon - bang - 1);
      if (conversion != "r" && conversion != "s") Fail("format(): unknown conversion " + Quoted(conversion));
      TextBuilder converted(machine_.heap());
      if (conversion == "r") {
        AppendRepr(machine_.heap(), converted, v);
      } else {
        AppendStr(machine_.heap(), converted, v);
      }
      v = machine_.heap().String(converted.Take());
    }
    MarkedText spec;
    if (colon < end) spec.Append(format_, colon + 1, end);
    AppendFormatted(machine_.heap(), out_, v, spec);
    return end + 1;
  }

  // name, number or nothing, then .attribute and [item].
  Value Find(std::string_view path) {
    size_t at = std::min(path.find_first_of(".["), path.size());
    Value v = First(path.substr(0, at));
    while (at < path.size()) {
      if (path[at] == '.') {
        const size_t end = std::min(path.find_first_of(".[", at + 1), path.size());
        v = machine_.Attribute(v, path.substr(at + 1, end - at - 1));
        at = end;
        continue;
      }
      const size_t end = path.find(']', at);
      if (path[at] != '[' || end == std::string_view::npos) Fail("format(): found " + Quoted(path));
      const std::string_view key = path.substr(at + 1, end - at - 1);
      const std::optional<int64_t> index = ParseInteger(key, 10);
      v = machine_.Item(v, index ? Value::OfInteger(*index) : machine_.heap().String(key, false));
      at = end + 1;
    }
    return v;
  }

  Value First(std::string_view name) {
    const bool is_number = !name.empty() && name.find_first_not_of("0123456789") == std::string_view::npos;
    if (name.empty() || is_number) {
      const size_t i =
          is_number ? static_cast<size_t>(ParseInteger(name, 10).value_or(INT32_MAX)) : n_automatic_++;
      if (i >= arguments_.positional.size()) Fail("format(): no argument " + std::to_string(i));
      return arguments_.positional[i];
    }
    for (const auto& [keyword, value] : arguments_.keywords) {
      if (keyword == name) return value;
    }
    Fail("format(): no argument " + Quoted(name));
  }

  Machine& machine_;
  const MarkedText& format_;
  const Arguments& arguments_;
  TextBuilder out_;
  size_t n_automatic_ = 0;
};

constexpr std::array<std::string_view, 7> kDays = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                   "Thursday", "Friday", "Saturday"};
constexpr std::array<std::string_view, 12> kMonths = {"January",   "February", "March",    "April",
                                                      "May",       "June",     "July",     "August",
                                                      "September", "October",  "November", "December"};

std::string Digits(int value, int width, bool trimmed) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%0*d", trimmed ? 1 : width, value);
  return buffer;
}

}  // namespace

void AppendStr(Heap& heap, TextBuilder& out, const Value& v) {
  if (v.is_string()) {
    out.Append(v.marked());
  } else if (!v.is_undefined()) {
    AppendRepr(heap, out, v);
  }
}

void AppendRepr(Heap& heap, TextBuilder& out, const Value& v) {
  heap.Step();
  switch (v.kind()) {
    case Kind::kUndefined:
      out.Plain("Undefined");
      break;
    case Kind::kNone:
      out.Plain("None");
      break;
    case Kind::kString:
      AppendQuoted(out, v.marked());
      break;
    case Kind::kList:
      AppendReprList(heap, out, v.list());
      break;
    case Kind::kDict: {
      out.Plain("{");
      bool is_first = true;
      for (const auto& [key, value] : v.dict().entries) {
        if (!std::exchange(is_first, false)) out.Plain(", ");
        AppendRepr(heap, out, key);
        out.Plain(": ");
        AppendRepr(heap, out, value);
      }
      out.Plain("}");
      break;
    }
    case Kind::kNamespace:
    case Kind::kLoop:
    case Kind::kMacro:
    case Kind::kFunction:
    case Kind::kMethod:
      out.Plain("<" + std::string(KindName(v)) + ">");
      break;
    default:
      out.Plain(NumberText(v));
  }
}

Value ToStr(Heap& heap, const Value& v) {
  if (v.is_string()) return v;
  TextBuilder out(heap);
  AppendStr(heap, out, v);
  return heap.String(out.Take());
}

void AppendJson(Heap& heap, TextBuilder& out, const Value& v, const JsonStyle& style, size_t level) {
  heap.Step();
  switch (v.kind()) {
    case Kind::kNone:
      return out.Plain("null");
    case Kind::kString:
      return AppendJsonString(out, v.marked(), style.ascii_only);
    case Kind::kList:
      return AppendJsonList(heap, out, v, style, level);
    case Kind::kDict:
      return AppendJsonDict(heap, out, v.dict(), style, level);
    case Kind::kUndefined:
      Fail("tojson: " + v.why_undefined());
    default:
      break;
  }
  if (!v.is_number())
    Fail("tojson: object of type " + std::string(KindName(v)) + " is not JSON serializable");
  AppendJsonNumber(out, v);
}

Value PercentFormat(Heap& heap, const MarkedText& format, const Value& values) {
  TextBuilder out(heap);
  PercentValues arguments(heap, values);
  const std::string& text = format.text;
  size_t at = 0;
  while (at < text.size()) {
    const size_t percent = std::min(text.find('%', at), text.size());
    out.Append(format, at, percent);
    if (percent == text.size()) break;
    at = percent + 1;
    if (at < text.size() && text[at] == '%') {
      out.Append(format, at, at + 1);
      ++at;
      continue;
    }
    const Value* named = nullptr;
    if (at < text.size() && text[at] == '(') {
      const size_t close = text.find(')', at);
      if (close == std::string::npos) Fail("incomplete format key");
      named = &arguments.Named(std::string_view(text).substr(at + 1, close - at - 1));
      at = close + 1;
    }
    const Directive d = ParsePercent(heap, text, at, arguments);
    const Value& v = named != nullptr ? *named : arguments.Next();
    if (d.type == 's' || d.type == 'r') {
      TextBuilder field(heap);
      if (d.type == 's') {
        AppendStr(heap, field, v);
      } else {
        AppendRepr(heap, field, v);
      }
      AppendTextField(heap, out, d, field.marked(), d.left);
    } else if (std::string_view("diuxXoeEfFgG").find(d.type) != std::string_view::npos) {
      if (v.is_undefined()) FailUndefined(v);
      if (!v.is_number())
        Fail(std::string("%") + d.type + " format: a number is required, not " + std::string(KindName(v)));
      AppendNumber(out, d, v);
    } else {
      Fail("a format: unknown type " + Quoted(std::string_view(&d.type, 1)));
    }
  }
  arguments.CheckAllUsed();
  return heap.String(out.Take());
}

Value BraceFormat(Machine& machine, const MarkedText& format, const Arguments& arguments) {
  return BraceFormatter(machine, format, arguments).Run();
}

std::string FormatTime(std::string_view format, const std::tm& time) {
  // The fields may come from anywhere: names are looked up only inside their tables.
  const std::string_view day = kDays[static_cast<size_t>(std::clamp(time.tm_wday, 0, 6))];
  const std::string_view month = kMonths[static_cast<size_t>(std::clamp(time.tm_mon, 0, 11))];
  const int hour12 = time.tm_hour % 12 == 0 ? 12 : time.tm_hour % 12;
  std::string out;
  for (size_t at = 0; at < format.size(); ++at) {
    if (format[at] != '%') {
      out += format[at];
      continue;
    }
    const bool trimmed = at + 1 < format.size() && format[at + 1] == '-';  // %-d: without zeros in front
    if (trimmed) ++at;
    const char directive = ++at < format.size() ? format[at] : '\0';
    switch (directive) {
      case 'Y':
        out += std::to_string(int64_t{1900} + time.tm_year);
        break;
      case 'y':
        out += Digits(time.tm_year % 100, 2, trimmed);
        break;
      case 'm':
        out += Digits(time.tm_mon + 1, 2, trimmed);
        break;
      case 'd':
        out += Digits(time.tm_mday, 2, trimmed);
        break;
      case 'e':
        out += (time.tm_mday < 10 && !trimmed ? " " : "") + std::to_string(time.tm_mday);
        break;
      case 'H':
        out += Digits(time.tm_hour, 2, trimmed);
        break;
      case 'I':
        out += Digits(hour12, 2, trimmed);
        break;
      case 'M':
        out += Digits(time.tm_min, 2, trimmed);
        break;
      case 'S':
        out += Digits(time.tm_sec, 2, trimmed);
        break;
      case 'j':
        out += Digits(time.tm_yday + 1, 3, trimmed);
        break;
      case 'p':
        out += time.tm_hour < 12 ? "AM" : "PM";
        break;
      case 'A':
        out += day;
        break;
      case 'a':
        out += day.substr(0, 3);
        break;
      case 'B':
        out += month;
        break;
      case 'b':
        out += month.substr(0, 3);
        break;
      case 'F':
        out += FormatTime("%Y-%m-%d", time);
        break;
      case 'T':
        out += FormatTime("%H:%M:%S", time);
        break;
      case 'u':
        out += std::to_string(time.tm_wday == 0 ? 7 : time.tm_wday);
        break;
      case 'w':
        out += std::to_string(time.tm_wday);
        break;
      case '%':
        out += '%';
        break;
      default:
        Fail("strftime_now: unknown directive in " + Quoted(format));
    }
  }
  return out;
}

}  // namespace pith::jinja
