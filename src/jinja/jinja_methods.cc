// Methods of strings, lists, dicts and loops, as Python and Jinja have them.
#include <algorithm>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "jinja/jinja_arithmetic.h"
#include "jinja/jinja_builtins.h"
#include "jinja/jinja_format.h"
#include "jinja/jinja_strings.h"

namespace pith::jinja {
namespace {

constexpr size_t kAll = std::numeric_limits<size_t>::max();

constexpr std::string_view kStringMethods[] = {
    "capitalize", "casefold",    "center",       "count",        "endswith",  "find",       "format",
    "index",      "isalnum",     "isalpha",      "isascii",      "isdecimal", "isdigit",    "islower",
    "isnumeric",  "isprintable", "isspace",      "isupper",      "join",      "ljust",      "lower",
    "lstrip",     "partition",   "removeprefix", "removesuffix", "replace",   "rfind",      "rindex",
    "rjust",      "rpartition",  "rsplit",       "rstrip",       "split",     "splitlines", "startswith",
    "strip",      "swapcase",    "title",        "upper",        "zfill"};
constexpr std::string_view kListMethods[] = {"copy", "count", "index"};
constexpr std::string_view kTupleMethods[] = {"count", "index"};
constexpr std::string_view kDictMethods[] = {"copy", "get", "items", "keys", "values"};
constexpr std::string_view kLoopMethods[] = {"changed", "cycle"};
// What the sandbox that templates expect forbids: values never change.
constexpr std::string_view kListChanges[] = {"append", "clear",  "extend",  "insert",
                                             "pop",    "remove", "reverse", "sort"};
constexpr std::string_view kDictChanges[] = {"clear", "pop", "popitem", "setdefault", "update"};

template <size_t kN>
std::string_view In(const std::string_view (&names)[kN], std::string_view name) {
  const auto found = std::find(names, names + kN, name);
  return found == names + kN ? std::string_view() : *found;
}

bool IsPlainList(const Value& v) { return v.list().form == List::Form::kList; }

// start and end of find() and its kin, as bytes of the text.
ByteRange Window(Heap& heap, const std::string& text, const Bound& bound, size_t first) {
  heap.StepBytes(text.size());
  if (!bound.HasSome(first) && !bound.HasSome(first + 1)) return {0, text.size()};
  const auto n = static_cast<int64_t>(CountCharacters(text));
  const auto place = [&](size_t i, int64_t fallback) {
    if (!bound.HasSome(i)) return fallback;
    const int64_t at = bound.Integer(i, 0);
    return std::clamp<int64_t>(at < 0 ? at + n : at, 0, n + 1);
  };
  const int64_t begin = place(first, 0);
  const int64_t end = std::min(place(first + 1, n), n);
  if (begin > end) return {1, 0};  // nothing is found there, not even the empty string
  return {ByteOfCharacter(text, static_cast<size_t>(begin)), ByteOfCharacter(text, static_cast<size_t>(end))};
}

// startswith and endswith: with one string, or a tuple of them.
bool HasAffix(Heap& heap, const Value& receiver, const Bound& bound, bool at_start) {
  const ByteRange window = Window(heap, receiver.text(), bound, 1);
  if (window.begin > window.end) return false;
  const std::string_view text =
      std::string_view(receiver.text()).substr(window.begin, window.end - window.begin);
  const auto matches = [&](const Value& affix) {
    if (affix.is_undefined()) FailUndefined(affix);
    if (!affix.is_string())
      Fail("startswith and endswith: found '" + std::string(KindName(affix)) + "', expected a string");
    heap.StepBytes(affix.text().size());
    return at_start ? text.starts_with(affix.text()) : text.ends_with(affix.text());
  };
  const Value& affix = *bound[0];
  if (!affix.is_list() || affix.list().form != List::Form::kTuple) return matches(affix);
  return std::any_of(affix.list().items.begin(), affix.list().items.end(), matches);
}

Value FindIn(Heap& heap, const Value& receiver, std::string_view name, const Arguments& arguments) {
  const Bound bound(name, arguments, {"sub", "start", "end"}, 1);
  const ByteRange window = Window(heap, receiver.text(), bound, 1);
  const std::string& needle = bound.String(0).text;
  const bool backward = name[0] == 'r';
  std::optional<size_t> found;
  if (window.begin <= window.end) {
    const std::string_view text =
        std::string_view(receiver.text()).substr(window.begin, window.end - window.begin);
    size_t at = backward ? text.size() : 0;
    if (!needle.empty()) at = Searcher(needle, backward).Find(text);
    if (at != std::string_view::npos) found = window.begin + at;
  }
  if (found) {
    const std::string_view before = std::string_view(receiver.text()).substr(0, *found);
    return Value::OfInteger(static_cast<int64_t>(CountCharacters(before)));
  }
  if (name.ends_with("index")) Fail("substring not found");
  return Value::OfInteger(-1);
}

Value CountIn(Heap& heap, const Value& receiver, const Arguments& arguments) {
  const Bound bound("count", arguments, {"sub", "start", "end"}, 1);
  const ByteRange window = Window(heap, receiver.text(), bound, 1);
  const std::string& needle = bound.String(0).text;
  if (window.begin > window.end) return Value::OfInteger(0);
  const std::string_view text =
      std::string_view(receiver.text()).substr(window.begin, window.end - window.begin);
  if (needle.empty()) return Value::OfInteger(static_cast<int64_t>(CountCharacters(text)) + 1);
  const Searcher searcher(needle);
  int64_t n = 0;
  for (size_t at = 0;; ++n) {
    const size_t found = searcher.Find(text.substr(at));
    if (found == std::string_view::npos) return Value::OfInteger(n);
    at += found + needle.size();
  }
}

Value Parts(Heap& heap, const MarkedText& text, const std::vector<ByteRange>& ranges) {
  heap.CheckItems(ranges.size());
  std::vector<Value> items;
  items.reserve(ranges.size());
  for (const ByteRange& r : ranges) items.push_back(heap.Part(text, r.begin, r.end));
  return MakeList(&heap, std::move(items));
}

Value SplitText(Heap& heap, const Value& receiver, std::string_view name, const Arguments& arguments) {
  const Bound bound(name, arguments, {"sep", "maxsplit"});
  heap.StepBytes(receiver.text().size());
  std::optional<std::string_view> separator;
  if (bound.HasSome(0)) {
    separator = bound.String(0).text;
    if (separator->empty()) Fail(std::string(name) + ": found an empty separator");
  }
  // One piece too many is enough to fail.
  const size_t max_splits = std::min(bound.Count(1, kAll), heap.limits().list_items);
  return Parts(heap, receiver.marked(), Split(receiver.text(), separator, max_splits, name[0] == 'r'));
}

Value StripText(Heap& heap, const Value& receiver, std::string_view name, const Arguments& arguments) {
  const Bound bound(name, arguments, {"chars"});
  heap.StepBytes(receiver.text().size());
  std::optional<std::string_view> characters;
  if (bound.HasSome(0)) {
    characters = bound.String(0).text;
    heap.Step(characters->size());
  }
  const ByteRange rest = Strip(receiver.text(), characters, name != "rstrip", name != "lstrip");
  return heap.Part(receiver.marked(), rest.begin, rest.end);
}

Value Partition(Heap& heap, const Value& receiver, std::string_view name, const Arguments& arguments) {
  const Bound bound(name, arguments, {"sep"}, 1);
  const std::string& separator = bound.String(0).text;
  if (separator.empty()) Fail(std::string(name) + ": found an empty separator");
  const bool backward = name[0] == 'r';
  const MarkedText& text = receiver.marked();
  heap.StepBytes(text.text.size());
  const size_t found = Searcher(separator, backward).Find(text.text);
  std::vector<Value> parts;
  if (found == std::string_view::npos) {
    parts = {heap.String("", false), heap.String("", false)};
    parts.insert(backward ? parts.end() : parts.begin(), receiver);
  } else {
    const size_t behind = found + separator.size();
    parts = {heap.Part(text, 0, found), heap.Part(text, found, behind),
             heap.Part(text, behind, text.text.size())};
  }
  return MakeList(&heap, std::move(parts), List::Form::kTuple);
}

Value Pad(Heap& heap, const Value& receiver, std::string_view name, const Arguments& arguments) {
  const Bound bound(name, arguments, {"width", "fillchar"}, 1);
  const MarkedText fill = bound.Has(1) ? bound.String(1) : Marked(" ", false);
  heap.StepBytes(receiver.text().size() + fill.text.size());
  if (CountCharacters(fill.text) != 1) Fail(std::string(name) + ": expected one character to fill with");
  const size_t n = CountCharacters(receiver.text());
  const size_t width = bound.Count(0, 0);
  heap.CheckString(width);
  const size_t padding = width > n ? width - n : 0;
  size_t before = name == "rjust" ? padding : 0;
  if (name == "center") before = padding / 2 + (padding & width & 1);  // where Python puts the odd one
  TextBuilder out(heap);
  for (size_t i = 0; i < before; ++i) out.Append(fill);
  out.Append(receiver.marked());
  for (size_t i = before; i < padding; ++i) out.Append(fill);
  return heap.String(out.Take());
}

Value ZeroFill(Heap& heap, const Value& receiver, const Arguments& arguments) {
  const Bound bound("zfill", arguments, {"width"}, 1);
  const MarkedText& text = receiver.marked();
  heap.StepBytes(text.text.size());
  const size_t n = CountCharacters(text.text);
  const size_t width = bound.Count(0, 0);
  const size_t sign = !text.text.empty() && (text.text[0] == '-' || text.text[0] == '+') ? 1 : 0;
  TextBuilder out(heap);
  out.Append(text, 0, sign);
  out.Fill("0", width > n ? width - n : 0);
  out.Append(text, sign, text.text.size());
  return heap.String(out.Take());
}

Value JoinWith(Machine& machine, const Value& receiver, const Arguments& arguments) {
  const Bound bound("join", arguments, {"iterable"}, 1);
  TextBuilder out(machine.heap());
  bool is_first = true;
  const ListPtr all = Iterate(machine.heap(), *bound[0]);
  for (const Value& item : all->items) {
    if (!item.is_string()) Fail("join: found '" + std::string(KindName(item)) + "', expected strings");
    if (!std::exchange(is_first, false)) out.Append(receiver.marked());
    out.Append(item.marked());
  }
  return machine.heap().String(out.Take());
}

Value RemoveAffix(Heap& heap, const Value& receiver, std::string_view name, const Arguments& arguments) {
  const Bound bound(name, arguments, {"affix"}, 1);
  const std::string& affix = bound.String(0).text;
  const std::string& text = receiver.text();
  heap.StepBytes(text.size());
  if (name == "removeprefix" && text.starts_with(affix))
    return heap.Part(receiver.marked(), affix.size(), text.size());
  if (name == "removesuffix" && text.ends_with(affix))
    return heap.Part(receiver.marked(), 0, text.size() - affix.size());
  return receiver;
}

std::optional<Case> CaseOf(std::string_view name) {
  if (name == "lower" || name == "casefold") return Case::kLower;
  if (name == "upper") return Case::kUpper;
  if (name == "capitalize") return Case::kCapitalize;
  if (name == "swapcase") return Case::kSwap;
  if (name == "title") return Case::kTitle;
  return std::nullopt;
}

Value CallStringMethod(Machine& machine, const Value& receiver, std::string_view name,
                       const Arguments& arguments) {
  Heap& heap = machine.heap();
  if (const std::optional<Case> to = CaseOf(name)) {
    const Bound none(name, arguments, {});
    return MapCase(heap, receiver.marked(), *to);
  }
  if (IsClassTest(name)) {
    const Bound none(name, arguments, {});
    heap.StepBytes(8 * receiver.text().size());
    return Value::OfBool(AllOfClass(receiver.text(), name));
  }
  if (name == "startswith" || name == "endswith") {
    const Bound bound(name, arguments, {"affix", "start", "end"}, 1);
    return Value::OfBool(HasAffix(heap, receiver, bound, name == "startswith"));
  }
  if (name == "strip" || name == "lstrip" || name == "rstrip")
    return StripText(heap, receiver, name, arguments);
  if (name == "split" || name == "rsplit") return SplitText(heap, receiver, name, arguments);
  if (name == "splitlines") {
    const Bound bound(name, arguments, {"keepends"});
    heap.StepBytes(receiver.text().size());
    return Parts(heap, receiver.marked(),
                 SplitLines(receiver.text(), bound.Bool(0, false), heap.limits().list_items + 1));
  }
  if (name == "replace") {
    const Bound bound(name, arguments, {"old", "new", "count"}, 2);
    const MarkedText& to = bound.String(1);
    return Replace(heap, receiver.marked(), bound.String(0).text, to, bound.Count(2, kAll));
  }
  if (name == "find" || name == "rfind" || name == "index" || name == "rindex") {
    return FindIn(heap, receiver, name, arguments);
  }
  if (name == "count") return CountIn(heap, receiver, arguments);
  if (name == "partition" || name == "rpartition") return Partition(heap, receiver, name, arguments);
  if (name == "join") return JoinWith(machine, receiver, arguments);
  if (name == "format") return BraceFormat(machine, receiver.marked(), arguments);
  if (name == "removeprefix" || name == "removesuffix") return RemoveAffix(heap, receiver, name, arguments);
  if (name == "zfill") return ZeroFill(heap, receiver, arguments);
  return Pad(heap, receiver, name, arguments);
}

Value CallListMethod(Heap& heap, const Value& receiver, std::string_view name, const Arguments& arguments) {
  const List& list = receiver.list();
  if (name == "copy") {
    const Bound none(name, arguments, {});
    return MakeList(&heap, list.items);
  }
  const Bound bound(name, arguments, {"value"}, 1);
  int64_t n = 0;
  for (size_t i = 0; i < list.items.size(); ++i) {
    if (!Equal(heap, list.items[i], *bound[0])) continue;
    if (name == "index") return Value::OfInteger(static_cast<int64_t>(i));
    ++n;
  }
  if (name == "index") Fail("the value is not in the list");
  return Value::OfInteger(n);
}

Value CallDictMethod(Heap& heap, const Value& receiver, std::string_view name, const Arguments& arguments) {
  const Dict& dict = receiver.dict();
  if (name == "get") {
    const Bound bound(name, arguments, {"key", "default"}, 1);
    if (const Value* found = dict.Find(heap, *bound[0])) return *found;
    return bound.Has(1) ? *bound[1] : Value::OfNone();
  }
  const Bound none(name, arguments, {});
  if (name == "copy") return receiver;
  std::vector<Value> items;
  items.reserve(dict.entries.size());
  for (const auto& [key, value] : dict.entries) {
    if (name == "keys") items.push_back(key);
    if (name == "values") items.push_back(value);
    if (name == "items") items.push_back(MakeList(&heap, {key, value}, List::Form::kTuple));
  }
  const List::Form form = name == "keys"     ? List::Form::kKeys
                          : name == "values" ? List::Form::kValues
                                             : List::Form::kItems;
  return MakeList(&heap, std::move(items), form);
}

Value CallLoopMethod(Heap& heap, Loop& loop, std::string_view name, const Arguments& arguments) {
  if (!arguments.keywords.empty()) Fail("loop." + std::string(name) + ": found an argument with a name");
  const std::vector<Value>& values = arguments.positional;
  if (name == "cycle") {
    if (values.empty()) Fail("loop.cycle: expected at least one value");
    return values[loop.index0 % values.size()];
  }
  if (loop.source == nullptr) Fail("the loop is over");
  bool same = loop.last_changed && loop.last_changed->size() == values.size();
  for (size_t i = 0; same && i < values.size(); ++i) same = Equal(heap, (*loop.last_changed)[i], values[i]);
  if (!same) loop.last_changed = values;
  return Value::OfBool(!same);
}

}  // namespace

std::string_view FindMethod(const Value& receiver, std::string_view name) {
  std::string_view found;
  switch (receiver.kind()) {
    case Kind::kString:
      return In(kStringMethods, name);
    case Kind::kList:
      if (receiver.list().form == List::Form::kTuple) return In(kTupleMethods, name);
      if (!IsPlainList(receiver)) return {};
      found = In(kListMethods, name);
      return found.empty() ? In(kListChanges, name) : found;
    case Kind::kDict:
      found = In(kDictMethods, name);
      return found.empty() ? In(kDictChanges, name) : found;
    case Kind::kLoop:
      return In(kLoopMethods, name);
    default:
      return {};
  }
}

Value CallMethod(Machine& machine, const Value& receiver, std::string_view name, const Arguments& arguments) {
  Heap& heap = machine.heap();
  const bool changes = (receiver.is_list() && !In(kListChanges, name).empty()) ||
                       (receiver.is_dict() && !In(kDictChanges, name).empty());
  if (changes) {
    Fail("access to attribute '" + std::string(name) + "' of '" + std::string(KindName(receiver)) +
         "' object is unsafe: values of a template never change");
  }
  switch (receiver.kind()) {
    case Kind::kString:
      return CallStringMethod(machine, receiver, name, arguments);
    case Kind::kList:
      return CallListMethod(heap, receiver, name, arguments);
    case Kind::kDict:
      return CallDictMethod(heap, receiver, name, arguments);
    default:
      return CallLoopMethod(heap, *receiver.loop(), name, arguments);
  }
}

}  // namespace pith::jinja
