// Filters of templates: what may stand behind a bar.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <limits>
#include <numeric>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "jinja/jinja_arithmetic.h"
#include "jinja/jinja_builtins.h"
#include "jinja/jinja_format.h"
#include "jinja/jinja_strings.h"
#include "formats/json.h"

namespace pith::jinja {
namespace {

constexpr size_t kAll = std::numeric_limits<size_t>::max();

using Filter = Value (*)(Machine&, const Value&, const Arguments&);

// ---- Attributes of elements: the parameter `attribute` of many filters ----------------------------------

// "a.b.0" as the keys to look up one after the other; `fallback` where the way ends in undefined.
class AttributePath {
 public:
  // `attribute`: a string, an integer, or null or none: the element itself.
  AttributePath(Machine& machine, const Value* attribute, const Value* fallback) : machine_(machine) {
    if (fallback != nullptr) fallback_ = *fallback;
    if (attribute == nullptr || attribute->is_none()) return;
    if (!attribute->is_string()) {
      keys_.push_back(*attribute);
      return;
    }
    const MarkedText& path = attribute->marked();
    for (const ByteRange& r : Split(path.text, ".", kAll, false)) {
      const std::string key = path.text.substr(r.begin, r.end - r.begin);
      const bool is_index = !key.empty() && key.find_first_not_of("0123456789") == std::string::npos;
      const std::optional<int64_t> index = is_index ? ParseInteger(key, 10) : std::nullopt;
      keys_.push_back(index ? Value::OfInteger(*index) : machine.heap().Part(path, r.begin, r.end));
    }
  }

  Value Of(const Value& element) const {
    Value v = element;
    for (const Value& key : keys_) {
      v = machine_.Item(v, key);
      if (v.is_undefined() && fallback_) v = *fallback_;
    }
    return v;
  }

 private:
  Machine& machine_;
  std::vector<Value> keys_;
  std::optional<Value> fallback_;
};

// Strings in lower case unless case counts.
Value SortKey(Machine& machine, const Value& v, bool case_sensitive) {
  return v.is_string() && !case_sensitive ? MapCase(machine.heap(), v.marked(), Case::kLower) : v;
}

Value PlainText(Machine& machine, std::string_view text) { return machine.heap().String(text, false); }

// ---- Text -----------------------------------------------------------------------------------------------

template <Case kTo>
Value ChangeCase(Machine& machine, const Value& input, const Arguments& arguments) {
  const Bound none("a filter for case", arguments, {});
  const Value text = ToStr(machine.heap(), input);
  return MapCase(machine.heap(), text.marked(), kTo);
}

Value Trim(Machine& machine, const Value& input, const Arguments& arguments) {
  const Bound bound("trim", arguments, {"chars"});
  const Value text = ToStr(machine.heap(), input);
  Arguments characters;
  if (bound.Has(0)) characters.positional.push_back(*bound[0]);
  return CallMethod(machine, text, "strip", characters);
}

// minijinja's; transformers' templates say text.split().
Value SplitFilter(Machine& machine, const Value& input, const Arguments& arguments) {
  const Value text = ToStr(machine.heap(), input);
  return CallMethod(machine, text, "split", arguments);
}

Value ReplaceFilter(Machine& machine, const Value& input, const Arguments& arguments) {
  const Bound bound("replace", arguments, {"old", "new", "count"}, 2);
  const Value text = ToStr(machine.heap(), input);
  const Value from = ToStr(machine.heap(), *bound[0]);
  const Value to = ToStr(machine.heap(), *bound[1]);
  return Replace(machine.heap(), text.marked(), from.text(), to.marked(), bound.Count(2, kAll));
}

Value Escape(Machine& machine, const Value& input, const Arguments& arguments) {
  const Bound none("escape", arguments, {});
  const Value value = ToStr(machine.heap(), input);
  const MarkedText& text = value.marked();
  TextBuilder out(machine.heap());
  size_t plain = 0;
  for (size_t at = 0; at < text.text.size(); ++at) {
    std::string_view escape;
    switch (text.text[at]) {
      case '&':
        escape = "&amp;";
        break;
      case '<':
        escape = "&lt;";
        break;
      case '>':
        escape = "&gt;";
        break;
      case '\'':
        escape = "&#39;";
        break;
      case '"':
        escape = "&#34;";
        break;
      default:
        continue;
    }
    out.Append(text, plain, at);
    out.Append(escape, text.IsData(at));
    plain = at + 1;
  }
  out.Append(text, plain, text.text.size());
  return machine.heap().String(out.Take());
}

Value String(Machine& machine, const Value& input, const Arguments& arguments) {
  const Bound none("string", arguments, {});
  return ToStr(machine.heap(), input);
}

Value Indent(Machine& machine, const Value& input, const Arguments& arguments) {
  const Bound bound("indent", arguments, {"width", "first", "blank"});
  Heap& heap = machine.heap();
  MarkedText indention;
  if (bound.Has(0) && bound[0]->is_string()) {
    indention = bound[0]->marked();
  } else {
    const size_t width = static_cast<size_t>(std::max<int64_t>(0, bound.Integer(0, 4)));
    heap.CheckString(width);
    indention = Marked(std::string(width, ' '), false);
  }
  const bool indents_blank = bound.Bool(2, false);
  const Value value = ToStr(heap, input);
  const MarkedText& text = value.marked();
  heap.StepBytes(text.text.size());
  std::vector<ByteRange> lines = SplitLines(text.text, false, kAll);
  // A newline at the end begins another line.
  if (lines.empty() || lines.back().end < text.text.size())
    lines.push_back({text.text.size(), text.text.size()});
  TextBuilder out(heap);
  for (size_t i = 0; i < lines.size(); ++i) {
    const ByteRange& line = lines[i];
    if (i > 0) out.Append("\n", text.IsData(lines[i - 1].end));
    if (i == 0 ? bound.Bool(1, false) : indents_blank || line.begin < line.end) out.Append(indention);
    out.Append(text, line.begin, line.end);
  }
  return heap.String(out.Take());
}

Value Center(Machine& machine, const Value& input, const Arguments& arguments) {
  const Bound bound("center", arguments, {"width"});
  const Value text = ToStr(machine.heap(), input);
  Arguments width;
  width.positional.push_back(Value::OfInteger(bound.Integer(0, 80)));
  return CallMethod(machine, text, "center", width);
}

Value Truncate(Machine& machine, const Value& input, const Arguments& arguments) {
  const Bound bound("truncate", arguments, {"length", "killwords", "end", "leeway"});
  Heap& heap = machine.heap();
  const Value value = ToStr(heap, input);
  const MarkedText& text = value.marked();
  const MarkedText end = bound.Has(2) ? bound.String(2) : Marked("...", false);
  heap.StepBytes(text.text.size() + end.text.size());
  const size_t length = bound.Count(0, 255);
  const size_t n_end = CountCharacters(end.text);
  if (length < n_end) Fail("truncate: length is below that of what is put at the end");
  heap.CheckString(length);
  const size_t leeway = bound.Count(3, 5);
  heap.CheckString(leeway);
  if (CountCharacters(text.text) <= length + leeway) return value;
  size_t cut = ByteOfCharacter(text.text, length - n_end);
  if (!bound.Bool(1, false)) {
    const size_t space = std::string_view(text.text).substr(0, cut).rfind(' ');
    if (space != std::string_view::npos) cut = space;
  }
  TextBuilder out(heap);
  out.Append(text, 0, cut);
  out.Append(end);
  return heap.String(out.Take());
}

Value WordCount(Machine& machine, const Value& input, const Arguments& arguments) {
  const Bound none("wordcount", arguments, {});
  const Value value = ToStr(machine.heap(), input);
  const std::string& text = value.text();
  machine.heap().StepBytes(8 * text.size());
  int64_t n = 0;
  bool in_word = false;
  for (size_t at = 0; at < text.size();) {
    const size_t length = CharacterAt(text, at).n_bytes;
    const std::string_view character = std::string_view(text).substr(at, length);
    const bool is_word = character == "_" || AllOfClass(character, "isalnum");
    n += is_word && !in_word ? 1 : 0;
    in_word = is_word;
    at += length;
  }
  return Value::OfInteger(n);
}

Value UrlEncode(Machine& machine, const Value& input, const Arguments& arguments) {
  const Bound none("urlencode", arguments, {});
  if (input.is_dict() || input.is_list())
    Fail("urlencode: found '" + std::string(KindName(input)) + "', expected a string");
  const Value value = ToStr(machine.heap(), input);
  const MarkedText& text = value.marked();
  TextBuilder out(machine.heap());
  for (size_t at = 0; at < text.text.size(); ++at) {
    const auto c = static_cast<unsigned char>(text.text[at]);
    const bool is_safe = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                         c == '_' || c == '.' || c == '-' || c == '~' || c == '/';
    if (is_safe) {
      out.Append(text, at, at + 1);
    } else {
      constexpr std::string_view kHex = "0123456789ABCDEF";
      const char escape[] = {'%', kHex[c >> 4], kHex[c & 15]};
      out.Append(std::string_view(escape, 3), text.IsData(at));
    }
  }
  return machine.heap().String(out.Take());
}

Value Format(Machine& machine, const Value& input, const Arguments& arguments) {
  if (!arguments.positional.empty() && !arguments.keywords.empty()) {
    Fail("format: found arguments with and without names");
  }
  const Value text = ToStr(machine.heap(), input);
  Value values;
  if (arguments.keywords.empty()) {
    values = MakeList(&machine.heap(), arguments.positional, List::Form::kTuple);
  } else {
    DictBuilder dict(machine.heap());
    for (const auto& [name, value] : arguments.keywords) {
      Value key = PlainText(machine, name);
      dict.Set(std::move(key), value);
    }
    values = dict.Take();
  }
  return PercentFormat(machine.heap(), text.marked(), values);
}

Value ToJson(Machine& machine, const Value& input, const Arguments& arguments) {
  const Bound bound("tojson", arguments, {"ensure_ascii", "indent", "separators", "sort_keys"});
  JsonStyle style;
  style.ascii_only = bound.Bool(0, false);
  style.sort_keys = bound.Bool(3, false);
  if (bound.HasSome(1)) {
    if (bound[1]->is_string()) {
      style.indent = bound[1]->marked();
    } else {
      const int64_t width = std::max<int64_t>(0, bound.Integer(1, 0));
      machine.heap().CheckString(static_cast<size_t>(width));
      style.indent = Marked(std::string(static_cast<size_t>(width), ' '), false);
    }
    style.between_items = Marked(",", false);
  }
  if (bound.HasSome(2)) {
    const ListPtr separators = Iterate(machine.heap(), *bound[2]);
    if (separators->items.size() != 2 || !separators->items[0].is_string() ||
        !separators->items[1].is_string()) {
      Fail("tojson: separators: expected two strings");
    }
    style.between_items = separators->items[0].marked();
    style.behind_key = separators->items[1].marked();
  }
  TextBuilder out(machine.heap());
  AppendJson(machine.heap(), out, input, style);
  return machine.heap().String(out.Take());
}

Value Join(Machine& machine, const Value& input, const Arguments& arguments) {
  const Bound bound("join", arguments, {"d", "attribute"});
  const AttributePath path(machine, bound[1], nullptr);
  const Value separator = bound.Has(0) ? ToStr(machine.heap(), *bound[0]) : PlainText(machine, "");
  TextBuilder out(machine.heap());
  bool is_first = true;
  const ListPtr all = Iterate(machine.heap(), input);
  for (const Value& item : all->items) {
    if (!std::exchange(is_first, false)) out.Append(separator.marked());
    const Value v = path.Of(item);
    AppendStr(machine.heap(), out, v);
  }
  return machine.heap().String(out.Take());
}

// ---- Numbers --------------------------------------------------------------------------------------------

Value ToInteger(Machine& machine, const Value& input, const Arguments& arguments) {
  const Bound bound("int", arguments, {"default", "base"});
  const Value fallback = bound.Has(0) ? *bound[0] : Value::OfInteger(0);
  const int64_t base = bound.Integer(1, 10);
  if (base != 0 && (base < 2 || base > 36))
    Fail("int: found base " + std::to_string(base) + ", expected 2 to 36");
  if (input.is_undefined()) FailUndefined(input);
  std::optional<double> number;
  if (input.is_string()) {
    machine.heap().StepBytes(input.text().size());
    if (const std::optional<int64_t> i = ParseInteger(input.text(), static_cast<int>(base))) {
      return Value::OfInteger(*i);
    }
    number = ParseFloat(input.text());
  } else if (input.kind() == Kind::kUnsigned) {
    return input;
  } else if (input.is_integral()) {
    return Value::OfInteger(input.Integer("int"));
  } else if (input.kind() == Kind::kFloat) {
    number = input.Number("int");
  }
  if (!number || !std::isfinite(*number)) return fallback;
  const double whole = std::trunc(*number);
  if (whole < -0x1p63 || whole >= 0x1p63) Fail("int: an integer beyond 64 bits");
  return Value::OfInteger(static_cast<int64_t>(whole));
}

Value ToFloat(Machine& machine, const Value& input, const Arguments& arguments) {
  const Bound bound("float", arguments, {"default"});
  if (input.is_undefined()) FailUndefined(input);
  if (input.is_number()) return Value::OfFloat(input.Number("float"));
  if (input.is_string()) {
    machine.heap().StepBytes(input.text().size());
    if (const std::optional<double> number = ParseFloat(input.text())) return Value::OfFloat(*number);
  }
  return bound.Has(0) ? *bound[0] : Value::OfFloat(0);
}

Value Absolute(Machine&, const Value& input, const Arguments& arguments) {
  const Bound none("abs", arguments, {});
  if (input.kind() == Kind::kFloat) return Value::OfFloat(std::abs(input.Number("abs")));
  if (input.kind() == Kind::kUnsigned) return input;
  const int64_t i = input.Integer("abs");
  return i < 0 ? Negate(input) : Value::OfInteger(i);
}

// As round(): to the nearest, ties to even, by the exact binary value.
double RoundTo(double d, int digits) {
  if (!std::isfinite(d) || digits > 300) return d;
  if (digits < 0) {
    const double unit = std::pow(10.0, -digits);
    return std::isinf(unit) ? std::copysign(0.0, d) : std::nearbyint(d / unit) * unit;
  }
  char buffer[700];
  std::snprintf(buffer, sizeof buffer, "%.*f", digits, d);
  return std::strtod(buffer, nullptr);
}

Value Round(Machine&, const Value& input, const Arguments& arguments) {
  const Bound bound("round", arguments, {"precision", "method"});
  const int digits = static_cast<int>(std::clamp<int64_t>(bound.Integer(0, 0), -400, 400));
  const std::string method = bound.Has(1) ? bound.String(1).text : "common";
  if (method != "common" && method != "ceil" && method != "floor") {
    Fail("round: method: found " + Quoted(method) + ", expected 'common', 'ceil' or 'floor'");
  }
  const double d = input.Number("round");
  if (method == "common") {
    if (input.is_integral() && digits >= 0)
      return input.kind() == Kind::kUnsigned ? input : Value::OfInteger(input.Integer(""));
    const double rounded = RoundTo(d, digits);
    if (input.is_integral() && std::abs(rounded) < 0x1p63)
      return Value::OfInteger(static_cast<int64_t>(rounded));
    return Value::OfFloat(rounded);
  }
  const double unit = std::pow(10.0, digits);
  return Value::OfFloat((method == "ceil" ? std::ceil(d * unit) : std::floor(d * unit)) / unit);
}

Value Sum(Machine& machine, const Value& input, const Arguments& arguments) {
  const Bound bound("sum", arguments, {"attribute", "start"});
  const AttributePath path(machine, bound[0], nullptr);
  Value sum = bound.Has(1) ? *bound[1] : Value::OfInteger(0);
  const ListPtr all = Iterate(machine.heap(), input);
  for (const Value& item : all->items) {
    sum = Calculate(machine.heap(), Operator::kAdd, sum, path.Of(item));
  }
  return sum;
}

// ---- Lists ----------------------------------------------------------------------------------------------

Value Length(Machine& machine, const Value& input, const Arguments& arguments) {
  const Bound none("length", arguments, {});
  const auto count = [](size_t n) { return Value::OfInteger(static_cast<int64_t>(n)); };
  if (input.is_undefined()) return count(0);
  if (input.is_string()) {
    machine.heap().StepBytes(input.text().size());
    return count(CountCharacters(input.text()));
  }
  if (input.is_dict()) return count(input.dict().entries.size());
  if (input.is_list() && input.list().form != List::Form::kGenerator) return count(input.list().items.size());
  Fail("length: object of type '" + std::string(KindName(input)) + "' has no length");
}

Value First(Machine& machine, const Value& input, const Arguments& arguments) {
  const Bound none("first", arguments, {});
  const ListPtr items = Iterate(machine.heap(), input);
  return items->items.empty()
             ? Value::OfUndefined(machine.heap(), "first: no first item, the sequence was empty")
             : items->items.front();
}

Value Last(Machine& machine, const Value& input, const Arguments& arguments) {
  const Bound none("last", arguments, {});
  const ListPtr items = Iterate(machine.heap(), input);
  return items->items.empty()
             ? Value::OfUndefined(machine.heap(), "last: no last item, the sequence was empty")
             : items->items.back();
}

Value ToList(Machine& machine, const Value& input, const Arguments& arguments) {
  const Bound none("list", arguments, {});
  return MakeList(&machine.heap(), Iterate(machine.heap(), input)->items);
}

Value Reverse(Machine& machine, const Value& input, const Arguments& arguments) {
  const Bound none("reverse", arguments, {});
  const Value step = Value::OfInteger(-1);
  if (input.is_string()) return Slice(machine.heap(), input, nullptr, nullptr, &step);
  std::vector<Value> items = Iterate(machine.heap(), input)->items;
  std::reverse(items.begin(), items.end());
  return MakeList(&machine.heap(), std::move(items), List::Form::kGenerator);
}

// Places of `keys` in ascending or descending order; equal ones keep theirs.
std::vector<size_t> SortedPlaces(Heap& heap, const std::vector<std::vector<Value>>& keys, bool descending) {
  std::vector<size_t> places(keys.size());
  std::iota(places.begin(), places.end(), size_t{0});
  const auto order = [&](const std::vector<Value>& a, const std::vector<Value>& b) {
    for (size_t i = 0; i < a.size(); ++i) {
      if (!Equal(heap, a[i], b[i])) return Order(heap, a[i], b[i], "<");
    }
    return 0;
  };
  std::sort(places.begin(), places.end(), [&](size_t a, size_t b) {
    const int c = order(keys[a], keys[b]);
    if (c == 0) return a < b;
    return descending ? c > 0 : c < 0;
  });
  return places;
}

Value Sort(Machine& machine, const Value& input, const Arguments& arguments) {
  const Bound bound("sort", arguments, {"reverse", "case_sensitive", "attribute"});
  std::vector<AttributePath> paths;
  if (bound.HasSome(2) && bound[2]->is_string()) {  // several, with commas between them
    const MarkedText& names = bound.String(2);
    for (const ByteRange& r : Split(names.text, ",", kAll, false)) {
      const Value name = machine.heap().Part(names, r.begin, r.end);
      paths.emplace_back(machine, &name, nullptr);
    }
  } else {
    paths.emplace_back(machine, bound[2], nullptr);
  }
  const ListPtr items = Iterate(machine.heap(), input);
  std::vector<std::vector<Value>> keys;
  for (const Value& item : items->items) {
    std::vector<Value>& key = keys.emplace_back();
    for (const AttributePath& path : paths)
      key.push_back(SortKey(machine, path.Of(item), bound.Bool(1, false)));
  }
  std::vector<Value> sorted;
  for (const size_t i : SortedPlaces(machine.heap(), keys, bound.Bool(0, false)))
    sorted.push_back(items->items[i]);
  return MakeList(&machine.heap(), std::move(sorted));
}

Value DictSort(Machine& machine, const Value& input, const Arguments& arguments) {
  const Bound bound("dictsort", arguments, {"case_sensitive", "by", "reverse"});
  const std::string by = bound.Has(1) ? bound.String(1).text : "key";
  if (by != "key" && by != "value") Fail("dictsort: by: found " + Quoted(by) + ", expected 'key' or 'value'");
  if (input.is_undefined()) FailUndefined(input);
  if (!input.is_dict()) Fail("dictsort: found '" + std::string(KindName(input)) + "', expected a dict");
  const std::vector<Dict::Entry>& entries = input.dict().entries;
  std::vector<std::vector<Value>> keys;
  for (const auto& [key, value] : entries) {
    keys.push_back({SortKey(machine, by == "key" ? key : value, bound.Bool(0, false))});
  }
  std::vector<Value> sorted;
  for (const size_t i : SortedPlaces(machine.heap(), keys, bound.Bool(2, false))) {
    sorted.push_back(MakeList(&machine.heap(), {entries[i].first, entries[i].second}, List::Form::kTuple));
  }
  return MakeList(&machine.heap(), std::move(sorted));
}

Value Unique(Machine& machine, const Value& input, const Arguments& arguments) {
  const Bound bound("unique", arguments, {"case_sensitive", "attribute"});
  const AttributePath path(machine, bound[1], nullptr);
  std::unordered_set<std::string> seen;
  std::vector<Value> items;
  const ListPtr all = Iterate(machine.heap(), input);
  for (const Value& item : all->items) {
    const Value key = SortKey(machine, path.Of(item), bound.Bool(0, false));
    if (seen.insert(KeyText(machine.heap(), key)).second) items.push_back(item);
  }
  return MakeList(&machine.heap(), std::move(items), List::Form::kGenerator);
}

// The first of the smallest or largest.
template <bool kLargest>
Value Extreme(Machine& machine, const Value& input, const Arguments& arguments) {
  const Bound bound(kLargest ? "max" : "min", arguments, {"case_sensitive", "attribute"});
  const AttributePath path(machine, bound[1], nullptr);
  const ListPtr items = Iterate(machine.heap(), input);
  if (items->items.empty())
    return Value::OfUndefined(machine.heap(), "min and max: no item, the sequence was empty");
  const Value* best = nullptr;
  Value best_key;
  for (const Value& item : items->items) {
    Value key = SortKey(machine, path.Of(item), bound.Bool(0, false));
    if (best != nullptr) {
      const int order = Order(machine.heap(), key, best_key, kLargest ? ">" : "<");
      if (kLargest ? order <= 0 : order >= 0) continue;
    }
    best = &item;
    best_key = std::move(key);
  }
  return *best;
}

Value Items(Machine& machine, const Value& input, const Arguments& arguments) {
  const Bound none("items", arguments, {});
  if (!input.is_dict() && !input.is_undefined()) {
    Fail("items: found '" + std::string(KindName(input)) + "', expected a dict");
  }
  std::vector<Value> items;
  if (input.is_dict()) {
    for (const auto& [key, value] : input.dict().entries) {
      items.push_back(MakeList(&machine.heap(), {key, value}, List::Form::kTuple));
    }
  }
  return MakeList(&machine.heap(), std::move(items), List::Form::kGenerator);
}

Value Batch(Machine& machine, const Value& input, const Arguments& arguments) {
  const Bound bound("batch", arguments, {"linecount", "fill_with"}, 1);
  const size_t n = bound.Count(0, 0);
  if (n == 0) Fail("batch: expected a positive number");
  machine.heap().CheckItems(n);
  const ListPtr all = Iterate(machine.heap(), input);
  std::vector<Value> batches;
  for (size_t i = 0; i < all->items.size(); i += n) {
    const size_t end = std::min(i + n, all->items.size());
    std::vector<Value> batch(all->items.begin() + static_cast<ptrdiff_t>(i),
                             all->items.begin() + static_cast<ptrdiff_t>(end));
    if (bound.HasSome(1)) batch.resize(n, *bound[1]);
    batches.push_back(MakeList(&machine.heap(), std::move(batch)));
  }
  return MakeList(&machine.heap(), std::move(batches), List::Form::kGenerator);
}

Value SliceFilter(Machine& machine, const Value& input, const Arguments& arguments) {
  const Bound bound("slice", arguments, {"slices", "fill_with"}, 1);
  const size_t n = bound.Count(0, 0);
  if (n == 0) Fail("slice: expected a positive number");
  machine.heap().CheckItems(n);
  const ListPtr all = Iterate(machine.heap(), input);
  const size_t each = all->items.size() / n;
  const size_t n_longer = all->items.size() % n;
  std::vector<Value> slices;
  auto begin = all->items.begin();
  for (size_t i = 0; i < n; ++i) {
    const auto end = begin + static_cast<ptrdiff_t>(each + (i < n_longer ? 1 : 0));
    std::vector<Value> slice(begin, end);
    if (bound.HasSome(1) && i >= n_longer) slice.push_back(*bound[1]);
    slices.push_back(MakeList(&machine.heap(), std::move(slice)));
    begin = end;
  }
  return MakeList(&machine.heap(), std::move(slices), List::Form::kGenerator);
}

// ---- Filters of elements by filters and tests -----------------------------------------------------------

// The arguments behind the first n.
Arguments Rest(const Arguments& arguments, size_t n) {
  Arguments rest;
  rest.positional.assign(arguments.positional.begin() + static_cast<ptrdiff_t>(n),
                         arguments.positional.end());
  rest.keywords = arguments.keywords;
  return rest;
}

const std::string& NameArgument(std::string_view filter, const Value& v) {
  if (!v.is_string())
    Fail(std::string(filter) + ": found '" + std::string(KindName(v)) + "', expected a name");
  return v.text();
}

// What these filters go through: nothing at all where the input is false, so that `tools | map(..)` takes
// none.
ListPtr ElementsOf(Heap& heap, const Value& input) { return Iterate(heap, Truth(input) ? input : Value()); }

Value Map(Machine& machine, const Value& input, const Arguments& arguments) {
  std::function<Value(const Value&)> change;
  if (arguments.positional.empty()) {
    const Bound bound("map", arguments, {"attribute", "default"}, 1);
    change = [path = AttributePath(machine, bound[0], bound[1])](const Value& item) { return path.Of(item); };
  } else {
    change = [&, rest = Rest(arguments, 1)](const Value& item) {
      return ApplyFilter(machine, NameArgument("map", arguments.positional[0]), item, rest);
    };
  }
  std::vector<Value> items;
  const ListPtr all = ElementsOf(machine.heap(), input);
  for (const Value& item : all->items) items.push_back(change(item));
  return MakeList(&machine.heap(), std::move(items), List::Form::kGenerator);
}

// select, reject: by a test of the element, or its truth; selectattr, rejectattr: by one of its attributes.
template <bool kWanted, bool kByAttribute>
Value Choose(Machine& machine, const Value& input, const Arguments& arguments) {
  constexpr size_t kTest = kByAttribute ? 1 : 0;
  const std::vector<Value>& given = arguments.positional;
  if (given.size() < kTest) Fail("selectattr and rejectattr: expected the name of an attribute");
  const AttributePath path(machine, kByAttribute ? &given[0] : nullptr, nullptr);
  const bool has_test = given.size() > kTest;
  if (!has_test && !arguments.keywords.empty())
    Fail("select and reject: found an argument with a name, but no test");
  const Arguments rest = has_test ? Rest(arguments, kTest + 1) : Arguments();
  std::vector<Value> items;
  const ListPtr all = ElementsOf(machine.heap(), input);
  for (const Value& item : all->items) {
    const Value v = path.Of(item);
    const bool holds =
        has_test ? ApplyTest(machine, NameArgument("select", given[kTest]), v, rest) : Truth(v);
    if (holds == kWanted) items.push_back(item);
  }
  return MakeList(&machine.heap(), std::move(items), List::Form::kGenerator);
}

// ---- The rest -------------------------------------------------------------------------------------------

Value Default(Machine& machine, const Value& input, const Arguments& arguments) {
  const Bound bound("default", arguments, {"default_value", "boolean"});
  if (!input.is_undefined() && (!bound.Bool(1, false) || Truth(input))) return input;
  return bound.Has(0) ? *bound[0] : PlainText(machine, "");
}

// What stands behind a point, but never an item of a dict.
Value AttributeFilter(Machine& machine, const Value& input, const Arguments& arguments) {
  const Bound bound("attr", arguments, {"name"}, 1);
  const std::string& name = bound.String(0).text;
  if (input.is_dict() && FindMethod(input, name).empty()) {
    return Value::OfUndefined(machine.heap(), "'dict object' has no attribute " + Quoted(name));
  }
  return machine.Attribute(input, name);
}

Value Safe(Machine& machine, const Value& input, const Arguments& arguments) {
  const Bound none("safe", arguments, {});
  return ToStr(machine.heap(), input);
}

const std::unordered_map<std::string_view, Filter>& Filters() {
  static const std::unordered_map<std::string_view, Filter> table = {
      {"abs", Absolute},
      {"attr", AttributeFilter},
      {"batch", Batch},
      {"capitalize", ChangeCase<Case::kCapitalize>},
      {"center", Center},
      {"count", Length},
      {"d", Default},
      {"default", Default},
      {"dictsort", DictSort},
      {"e", Escape},
      {"escape", Escape},
      {"first", First},
      {"float", ToFloat},
      {"forceescape", Escape},
      {"format", Format},
      {"indent", Indent},
      {"int", ToInteger},
      {"items", Items},
      {"join", Join},
      {"last", Last},
      {"length", Length},
      {"list", ToList},
      {"lower", ChangeCase<Case::kLower>},
      {"map", Map},
      {"max", Extreme<true>},
      {"min", Extreme<false>},
      {"reject", Choose<false, false>},
      {"rejectattr", Choose<false, true>},
      {"replace", ReplaceFilter},
      {"reverse", Reverse},
      {"round", Round},
      {"safe", Safe},
      {"select", Choose<true, false>},
      {"selectattr", Choose<true, true>},
      {"slice", SliceFilter},
      {"sort", Sort},
      {"split", SplitFilter},
      {"string", String},
      {"sum", Sum},
      {"title", ChangeCase<Case::kTitleWords>},
      {"tojson", ToJson},
      {"trim", Trim},
      {"truncate", Truncate},
      {"unique", Unique},
      {"upper", ChangeCase<Case::kUpper>},
      {"urlencode", UrlEncode},
      {"wordcount", WordCount},
  };
  return table;
}

}  // namespace

Value ApplyFilter(Machine& machine, std::string_view name, const Value& input, const Arguments& arguments) {
  machine.heap().Step();
  const auto found = Filters().find(name);
  if (found == Filters().end()) Fail("no filter '" + std::string(name) + "'");
  return found->second(machine, input, arguments);
}

}  // namespace pith::jinja
