#include "jinja/jinja_value.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/check.h"
#include "jinja/jinja_strings.h"

namespace pith::jinja {
namespace {

// What a value costs beside its text and elements: control block, share, the object itself.
constexpr size_t kObjectBytes = 96;
constexpr size_t kIndexEntryBytes = 80;
// Dicts up to this size are searched one by one.
constexpr size_t kSmallDict = 8;

size_t Deeper(const std::vector<Value>& items) {
  size_t depth = 0;
  for (const Value& v : items) depth = std::max(depth, v.depth());
  return depth + 1;
}

void CheckDepth(const Heap* heap, size_t depth) {
  const size_t limit = heap != nullptr ? heap->limits().value_depth : kMaxTemplateDepth;
  if (depth > limit) FailLimit("lists and dicts inside each other deeper than " + std::to_string(limit));
}

// Whether an integer and a float are one number; exact.
int CompareIntegerFloat(int64_t i, double d) {
  if (std::isnan(d)) return 1;  // callers ask for nan before
  if (d >= 0x1p63) return -1;
  if (d < -0x1p63) return 1;
  const int64_t whole = static_cast<int64_t>(d);
  if (i != whole) return i < whole ? -1 : 1;
  const double rest = d - static_cast<double>(whole);
  return rest > 0 ? -1 : rest < 0 ? 1 : 0;
}

// REQUIRES: both numbers, none of them nan.
int CompareNumbers(const Value& a, const Value& b) {
  const bool a_float = a.kind() == Kind::kFloat;
  const bool b_float = b.kind() == Kind::kFloat;
  if (a_float && b_float) {
    const double x = a.Number("");
    const double y = b.Number("");
    return x < y ? -1 : x > y ? 1 : 0;
  }
  if (a_float) return -CompareNumbers(b, a);
  if (a.kind() == Kind::kUnsigned) {
    const uint64_t x = a.as_unsigned();
    if (b_float) {
      const double y = b.Number("");
      if (y >= 0x1p64) return -1;
      if (y < 0x1p63) return 1;
      const uint64_t whole = static_cast<uint64_t>(y);  // y is whole: above 2^53
      return x < whole ? -1 : x > whole ? 1 : 0;
    }
    if (b.kind() != Kind::kUnsigned) return 1;
    return x < b.as_unsigned() ? -1 : x > b.as_unsigned() ? 1 : 0;
  }
  if (b_float) return CompareIntegerFloat(a.Integer(""), b.Number(""));
  if (b.kind() == Kind::kUnsigned) return -1;
  const int64_t x = a.Integer("");
  const int64_t y = b.Integer("");
  return x < y ? -1 : x > y ? 1 : 0;
}

bool IsNan(const Value& v) { return v.kind() == Kind::kFloat && std::isnan(v.Number("")); }

// Lists, views and generators are of one type each for ==, but templates see generators only through filters.
bool IsTuple(const List& l) { return l.form == List::Form::kTuple; }

bool EqualDicts(Heap& heap, const Dict& a, const Dict& b) {
  if (a.entries.size() != b.entries.size()) return false;
  for (const auto& [key, value] : a.entries) {
    const Value* other = b.Find(heap, key);
    if (other == nullptr || !Equal(heap, value, *other)) return false;
  }
  return true;
}

}  // namespace

void Fail(const std::string& message) { throw Failure{InvalidArgument(message)}; }
void FailLimit(const std::string& message) { throw Failure{Unsupported(message)}; }

void Heap::FailSteps() const {
  FailLimit("the template takes more than " + std::to_string(limits_.steps) + " steps");
}

void Heap::Take(size_t n_bytes) {
  if (n_bytes > limits_.memory_bytes || bytes_ > limits_.memory_bytes - n_bytes) {
    FailLimit("the values of the template take more than " + std::to_string(limits_.memory_bytes) + " bytes");
  }
  bytes_ += n_bytes;
}

void Heap::CheckString(size_t n_bytes) const {
  if (n_bytes > limits_.output_bytes) {
    FailLimit("a text of more than " + std::to_string(limits_.output_bytes) + " bytes");
  }
}

void Heap::CheckItems(size_t n) const {
  if (n > limits_.list_items)
    FailLimit("a list or dict of more than " + std::to_string(limits_.list_items) + " items");
}

Value Heap::String(MarkedText text) {
  StepBytes(text.text.size());
  return MakeText(this, std::move(text));
}

Value Heap::String(std::string_view text, bool is_data) { return String(Marked(std::string(text), is_data)); }

Value Heap::Part(const MarkedText& text, size_t begin, size_t end) {
  MarkedText part;
  part.Append(text, begin, end);
  return String(std::move(part));
}

Text::Text(MarkedText text, Heap* heap)
    : marked(std::move(text)),
      share(heap, kObjectBytes + marked.text.size() + marked.data.size() * sizeof(ByteRange)) {}

List::List(std::vector<Value> values, Form f, Heap* heap)
    : items(std::move(values)),
      form(f),
      depth(Deeper(items)),
      share(heap, kObjectBytes + items.size() * sizeof(Value)) {
  CheckDepth(heap, depth);
}

Dict::Dict(std::vector<Entry> pairs, Index places, Heap& heap)
    : entries(std::move(pairs)),
      index(std::move(places)),
      depth(1),
      share(&heap, kObjectBytes + entries.size() * sizeof(Entry) + index.size() * kIndexEntryBytes) {
  for (const Entry& e : entries) depth = std::max({depth, e.first.depth() + 1, e.second.depth() + 1});
  CheckDepth(&heap, depth);
}

Method::Method(Value object, std::string_view method, Heap& heap)
    : receiver(std::move(object)), name(method), depth(receiver.depth() + 1), share(&heap, kObjectBytes) {
  CheckDepth(&heap, depth);
}

Value MakeText(Heap* heap, MarkedText text) {
  if (heap != nullptr) heap->CheckString(text.text.size());
  return Value::Of(std::make_shared<const Text>(std::move(text), heap));
}

Value MakeList(Heap* heap, std::vector<Value> items, List::Form form) {
  if (heap != nullptr) {
    heap->Step(items.size());
    heap->CheckItems(items.size());
  }
  return Value::Of(std::make_shared<const List>(std::move(items), form, heap));
}

Value MakeMethod(Heap& heap, Value receiver, std::string_view name) {
  return Value::Of(std::make_shared<const Method>(std::move(receiver), name, heap));
}

Reason::Reason(std::string why, Heap& heap)
    : text(std::move(why)), share(&heap, kObjectBytes + text.size()) {}

Value Value::OfUndefined(Heap& heap, std::string why) {
  return Value(Storage(Undefined{std::make_shared<const Reason>(std::move(why), heap)}));
}

std::string Value::why_undefined() const {
  const Undefined& undefined = std::get<Undefined>(storage_);
  return undefined.reason != nullptr ? undefined.reason->text : "the value is undefined";
}

Value Value::OfUnsigned(uint64_t u) {
  if (u <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
    return OfInteger(static_cast<int64_t>(u));
  return Value(Storage(u));
}

bool Value::is_integral() const {
  return kind() == Kind::kBool || kind() == Kind::kInteger || kind() == Kind::kUnsigned;
}
bool Value::is_number() const { return is_integral() || kind() == Kind::kFloat; }

const MarkedText& Value::marked() const { return std::get<TextPtr>(storage_)->marked; }

int64_t Value::Integer(std::string_view what) const {
  if (kind() == Kind::kInteger) return std::get<int64_t>(storage_);
  if (kind() == Kind::kBool) return as_bool() ? 1 : 0;
  if (is_undefined()) FailUndefined(*this);
  if (kind() == Kind::kUnsigned) Fail(std::string(what) + ": integer beyond 64 bits");
  Fail(std::string(what) + ": found '" + std::string(KindName(*this)) + "', expected an integer");
}

double Value::Number(std::string_view what) const {
  if (kind() == Kind::kFloat) return std::get<double>(storage_);
  if (kind() == Kind::kUnsigned) return static_cast<double>(as_unsigned());
  if (!is_number() && !is_undefined()) {
    Fail(std::string(what) + ": found '" + std::string(KindName(*this)) + "', expected a number");
  }
  return static_cast<double>(Integer(what));
}

size_t Value::depth() const {
  switch (kind()) {
    case Kind::kList:
      return list().depth;
    case Kind::kDict:
      return dict().depth;
    case Kind::kMethod:
      return method().depth;
    default:
      return 0;
  }
}

const void* Value::identity() const {
  switch (kind()) {
    case Kind::kString:
      return std::get<TextPtr>(storage_).get();
    case Kind::kList:
      return std::get<ListPtr>(storage_).get();
    case Kind::kDict:
      return std::get<DictPtr>(storage_).get();
    case Kind::kNamespace:
      return as_namespace();
    case Kind::kLoop:
      return loop();
    case Kind::kMacro:
      return macro();
    case Kind::kFunction:
      return function();
    default:
      return nullptr;
  }
}

const Value* Dict::Find(Heap& heap, const Value& key) const {
  if (index.empty() && key.is_string()) return Find(heap, std::string_view(key.text()));
  const std::string wanted = KeyText(heap, key);
  if (!index.empty()) {
    const auto found = index.find(wanted);
    return found == index.end() ? nullptr : &entries[found->second].second;
  }
  for (const Entry& e : entries) {
    if (KeyText(heap, e.first) == wanted) return &e.second;
  }
  return nullptr;
}

const Value* Dict::Find(Heap& heap, std::string_view key) const {
  heap.StepBytes(key.size());
  if (!index.empty()) {
    const auto found = index.find("s" + std::string(key));
    return found == index.end() ? nullptr : &entries[found->second].second;
  }
  for (const Entry& e : entries) {
    if (e.first.is_string() && e.first.text() == key) return &e.second;
  }
  return nullptr;
}

Value* Namespace::Find(std::string_view name) {
  for (auto& [member, value] : members) {
    if (member == name) return &value;
  }
  return nullptr;
}

void DictBuilder::Set(Value key, Value value) {
  heap_.Step();
  const auto [place, is_new] = index_.emplace(KeyText(heap_, key), entries_.size());
  if (!is_new) {
    entries_[place->second].second = std::move(value);
    return;
  }
  heap_.CheckItems(entries_.size() + 1);
  entries_.emplace_back(std::move(key), std::move(value));
}

Value DictBuilder::Take() {
  if (entries_.size() <= kSmallDict) index_.clear();
  return Value::Of(std::make_shared<const Dict>(std::move(entries_), std::move(index_), heap_));
}

void TextBuilder::Fill(std::string_view unit, size_t n) {
  if (unit.empty()) return;
  heap_.CheckString(n);  // before the loop, and before the product overflows
  heap_.CheckString(out_.text.size() + n * unit.size());
  for (size_t i = 0; i < n; ++i) Plain(unit);
}

void TextBuilder::Settle(size_t n_bytes) {
  heap_.StepBytes(pending_);
  pending_ = 0;
  heap_.CheckString(out_.text.size() + n_bytes);
}

std::string_view KindName(const Value& v) {
  switch (v.kind()) {
    case Kind::kUndefined:
      return "Undefined";
    case Kind::kNone:
      return "NoneType";
    case Kind::kBool:
      return "bool";
    case Kind::kInteger:
    case Kind::kUnsigned:
      return "int";
    case Kind::kFloat:
      return "float";
    case Kind::kString:
      return "str";
    case Kind::kDict:
      return "dict";
    case Kind::kNamespace:
      return "Namespace";
    case Kind::kLoop:
      return "LoopContext";
    case Kind::kMacro:
      return "Macro";
    case Kind::kFunction:
    case Kind::kMethod:
      return "function";
    case Kind::kList:
      break;
  }
  switch (v.list().form) {
    case List::Form::kList:
      return "list";
    case List::Form::kTuple:
      return "tuple";
    case List::Form::kGenerator:
      return "generator";
    case List::Form::kKeys:
      return "dict_keys";
    case List::Form::kValues:
      return "dict_values";
    case List::Form::kItems:
      return "dict_items";
  }
  return "";
}

bool Truth(const Value& v) {
  switch (v.kind()) {
    case Kind::kUndefined:
    case Kind::kNone:
      return false;
    case Kind::kBool:
      return v.as_bool();
    case Kind::kInteger:
      return v.Integer("") != 0;
    case Kind::kFloat:
      return v.Number("") != 0;
    case Kind::kString:
      return !v.text().empty();
    case Kind::kList:
      return v.list().form == List::Form::kGenerator || !v.list().items.empty();
    case Kind::kDict:
      return !v.dict().entries.empty();
    default:
      return true;
  }
}

void FailUndefined(const Value& v) {
  PITH_CHECK(v.is_undefined());
  Fail(v.why_undefined());
}

bool Equal(Heap& heap, const Value& a, const Value& b) {
  heap.Step();
  if (a.is_number() && b.is_number()) return !IsNan(a) && !IsNan(b) && CompareNumbers(a, b) == 0;
  if (a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case Kind::kUndefined:
    case Kind::kNone:
      return true;
    case Kind::kString:
      if (a.text().size() != b.text().size()) return false;
      heap.StepBytes(a.text().size());
      return a.text() == b.text();
    case Kind::kList: {
      const List& x = a.list();
      const List& y = b.list();
      if (IsTuple(x) != IsTuple(y) || x.items.size() != y.items.size()) return false;
      for (size_t i = 0; i < x.items.size(); ++i) {
        if (!Equal(heap, x.items[i], y.items[i])) return false;
      }
      return true;
    }
    case Kind::kDict:
      return EqualDicts(heap, a.dict(), b.dict());
    case Kind::kMethod:
      return a.method().name == b.method().name && Same(heap, a.method().receiver, b.method().receiver);
    default:
      return a.identity() == b.identity();
  }
}

bool Same(Heap& heap, const Value& a, const Value& b) {
  if (a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case Kind::kUndefined:
    case Kind::kNone:
      return true;
    case Kind::kBool:
      return a.as_bool() == b.as_bool();
    case Kind::kInteger:
    case Kind::kUnsigned:
    case Kind::kFloat:
    case Kind::kString:
      return Equal(heap, a, b);
    default:
      return a.identity() != nullptr && a.identity() == b.identity();
  }
}

int Order(Heap& heap, const Value& a, const Value& b, std::string_view op) {
  heap.Step();
  if (a.is_number() && b.is_number() && !IsNan(a) && !IsNan(b)) return CompareNumbers(a, b);
  if (a.is_undefined()) FailUndefined(a);
  if (b.is_undefined()) FailUndefined(b);
  if (a.is_string() && b.is_string()) {
    heap.StepBytes(std::min(a.text().size(), b.text().size()));
    const int c = a.text().compare(b.text());  // UTF-8 has the order of code points
    return c < 0 ? -1 : c > 0 ? 1 : 0;
  }
  if (a.is_list() && b.is_list() && IsTuple(a.list()) == IsTuple(b.list())) {
    const std::vector<Value>& x = a.list().items;
    const std::vector<Value>& y = b.list().items;
    for (size_t i = 0; i < std::min(x.size(), y.size()); ++i) {
      if (!Equal(heap, x[i], y[i])) return Order(heap, x[i], y[i], op);
    }
    return x.size() < y.size() ? -1 : x.size() > y.size() ? 1 : 0;
  }
  if (IsNan(a) || IsNan(b)) Fail("nan has no order");
  Fail("'" + std::string(op) + "' not supported between instances of '" + std::string(KindName(a)) +
       "' and '" + std::string(KindName(b)) + "'");
}

std::string KeyText(Heap& heap, const Value& key) {
  switch (key.kind()) {
    case Kind::kNone:
      return "n";
    case Kind::kBool:
    case Kind::kInteger:
      return "i" + std::to_string(key.Integer(""));
    case Kind::kUnsigned:
      return "i" + std::to_string(key.as_unsigned());
    case Kind::kFloat: {
      const double d = key.Number("");
      if (d == std::floor(d) && std::abs(d) < 0x1p63) return "i" + std::to_string(static_cast<int64_t>(d));
      return "f" + FloatText(d);
    }
    case Kind::kString:
      heap.StepBytes(key.text().size());
      return "s" + key.text();
    case Kind::kList:
      if (IsTuple(key.list())) {
        std::string text = "t";
        for (const Value& v : key.list().items) {
          const std::string part = KeyText(heap, v);
          text += std::to_string(part.size()) + ":" + part;
          heap.StepBytes(part.size());
          heap.CheckString(text.size());
        }
        return text;
      }
      break;
    case Kind::kUndefined:
      return "u";
    case Kind::kDict:
      break;
    default:
      if (key.identity() != nullptr) return "p" + std::to_string(reinterpret_cast<uintptr_t>(key.identity()));
  }
  Fail("unhashable type: '" + std::string(KindName(key)) + "'");
}

ListPtr Iterate(Heap& heap, const Value& v) {
  std::vector<Value> items;
  switch (v.kind()) {
    case Kind::kList:
      heap.Step(1 + v.list().items.size());
      return v.list_pointer();
    case Kind::kDict:
      for (const Dict::Entry& e : v.dict().entries) items.push_back(e.first);
      break;
    case Kind::kString: {
      heap.StepBytes(v.text().size());
      size_t n = 0;
      for (size_t at = 0; at < v.text().size();) {
        heap.CheckItems(++n);
        const size_t next = at + CharacterAt(v.text(), at).n_bytes;
        items.push_back(heap.Part(v.marked(), at, next));
        at = next;
      }
      break;
    }
    case Kind::kUndefined:
      break;
    default:
      Fail("'" + std::string(KindName(v)) + "' object is not iterable");
  }
  return MakeList(&heap, std::move(items)).list_pointer();
}

bool IsIterable(const Value& v) { return v.is_list() || v.is_dict() || v.is_string() || v.is_undefined(); }

}  // namespace pith::jinja
