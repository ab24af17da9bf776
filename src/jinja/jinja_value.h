// Values of a running template, with the kinds and rules of Python's: what they are, cost, equal and order.
//
// Strings, lists and dicts never change once made, so they are shared and cannot hold themselves. What can
// change (namespaces, loops) belongs to the machine that runs the template.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "jinja/jinja.h"
#include "jinja/marked_text.h"

namespace pith::jinja {

// Why a template failed. Thrown inside this module only; Parse and Render turn it into a Status.
struct Failure {
  static constexpr uint32_t kHere = UINT32_MAX;

  Status status;
  uint32_t at = kHere;  // byte of the source; kHere: where the machine is
};

[[noreturn]] void Fail(const std::string& message);
[[noreturn]] void FailLimit(const std::string& message);  // kUnsupported: beyond a limit

class Value;
class Machine;
struct Arguments;
struct Loop;
struct Macro;
struct Function;
struct Namespace;

// Counts what a run costs against its limits. Everything made through a heap must be gone before it.
class Heap {
 public:
  explicit Heap(const JinjaLimits& limits) : limits_(limits), steps_left_(limits.steps) {}
  Heap(const Heap&) = delete;
  Heap& operator=(const Heap&) = delete;

  void Step(uint64_t n = 1) {
    if (n > steps_left_) FailSteps();
    steps_left_ -= n;
  }
  void StepBytes(size_t n) { Step(1 + n / 16); }

  void Take(size_t n_bytes);
  void Give(size_t n_bytes) { bytes_ -= n_bytes; }
  void CheckString(size_t n_bytes) const;
  void CheckItems(size_t n) const;

  // Values whose memory is counted.
  Value String(MarkedText text);
  Value String(std::string_view text, bool is_data);
  Value Part(const MarkedText& text, size_t begin, size_t end);

  const JinjaLimits& limits() const { return limits_; }

 private:
  [[noreturn]] void FailSteps() const;

  const JinjaLimits& limits_;
  uint64_t steps_left_;
  size_t bytes_ = 0;
};

// Memory of a value, given back with it. Without a heap (constants of a template) it is not counted.
class Share {
 public:
  Share(Heap* heap, size_t n_bytes) : heap_(heap), n_bytes_(n_bytes) {
    if (heap_ != nullptr) heap_->Take(n_bytes_);
  }
  Share(const Share&) = delete;
  Share& operator=(const Share&) = delete;
  ~Share() {
    if (heap_ != nullptr) heap_->Give(n_bytes_);
  }

 private:
  Heap* heap_;
  size_t n_bytes_;
};

struct Text;
struct List;
struct Dict;
struct Method;
using TextPtr = std::shared_ptr<const Text>;
using ListPtr = std::shared_ptr<const List>;
using DictPtr = std::shared_ptr<const Dict>;
using MethodPtr = std::shared_ptr<const Method>;

// In the order of Value's variant.
enum class Kind : uint8_t {
  kUndefined,
  kNone,
  kBool,
  kInteger,
  kUnsigned,  // an integer above the largest int64_t: it can be shown and compared, not computed with
  kFloat,
  kString,
  kList,  // and tuples, generators, views
  kDict,
  kNamespace,
  kLoop,
  kMacro,
  kFunction,
  kMethod,
};

// Why a value is undefined: "'x' is undefined".
struct Reason {
  Reason(std::string why, Heap& heap);

  std::string text;
  Share share;
};

struct Undefined {
  std::shared_ptr<const Reason> reason;  // null where nothing more is known
};
struct None {};

class Value {
 public:
  Value() = default;  // undefined

  static Value OfUndefined(Heap& heap, std::string why);
  static Value OfNone() { return Value(Storage(None{})); }
  static Value OfBool(bool b) { return Value(Storage(b)); }
  static Value OfInteger(int64_t i) { return Value(Storage(i)); }
  static Value OfUnsigned(uint64_t u);
  static Value OfFloat(double d) { return Value(Storage(d)); }
  static Value Of(TextPtr p) { return Value(Storage(std::move(p))); }
  static Value Of(ListPtr p) { return Value(Storage(std::move(p))); }
  static Value Of(DictPtr p) { return Value(Storage(std::move(p))); }
  static Value Of(Namespace* p) { return Value(Storage(p)); }
  static Value Of(Loop* p) { return Value(Storage(p)); }
  static Value Of(const Macro* p) { return Value(Storage(p)); }
  static Value Of(const Function* p) { return Value(Storage(p)); }
  static Value Of(MethodPtr p) { return Value(Storage(std::move(p))); }

  Kind kind() const { return static_cast<Kind>(storage_.index()); }
  bool is_undefined() const { return kind() == Kind::kUndefined; }
  bool is_none() const { return kind() == Kind::kNone; }
  bool is_string() const { return kind() == Kind::kString; }
  bool is_list() const { return kind() == Kind::kList; }
  bool is_dict() const { return kind() == Kind::kDict; }
  bool is_number() const;    // bools too, as in Python
  bool is_integral() const;  // likewise

  // REQUIRES: the kind of that name.
  std::string why_undefined() const;
  bool as_bool() const { return std::get<bool>(storage_); }
  uint64_t as_unsigned() const { return std::get<uint64_t>(storage_); }
  const MarkedText& marked() const;
  const std::string& text() const { return marked().text; }
  const List& list() const { return *std::get<ListPtr>(storage_); }
  const ListPtr& list_pointer() const { return std::get<ListPtr>(storage_); }
  const Dict& dict() const { return *std::get<DictPtr>(storage_); }
  Namespace* as_namespace() const { return std::get<Namespace*>(storage_); }
  Loop* loop() const { return std::get<Loop*>(storage_); }
  const Macro* macro() const { return std::get<const Macro*>(storage_); }
  const Function* function() const { return std::get<const Function*>(storage_); }
  const Method& method() const { return *std::get<MethodPtr>(storage_); }

  // Fails where this is no int, bool or float, or an integer beyond int64_t. `what` names the value in the
  // error.
  int64_t Integer(std::string_view what) const;
  double Number(std::string_view what) const;

  size_t depth() const;          // containers inside each other; 0 for what is none
  const void* identity() const;  // of what is shared; else null

 private:
  using Storage = std::variant<Undefined, None, bool, int64_t, uint64_t, double, TextPtr, ListPtr, DictPtr,
                               Namespace*, Loop*, const Macro*, const Function*, MethodPtr>;
  explicit Value(Storage storage) : storage_(std::move(storage)) {}

  Storage storage_;
};

struct Text {
  Text(MarkedText text, Heap* heap);

  MarkedText marked;
  Share share;
};

struct List {
  enum class Form : uint8_t { kList, kTuple, kGenerator, kKeys, kValues, kItems };

  List(std::vector<Value> values, Form f, Heap* heap);

  std::vector<Value> items;
  Form form;
  size_t depth;
  Share share;
};

// Insertion order is kept; a key that comes again gives the first one a new value.
struct Dict {
  using Entry = std::pair<Value, Value>;
  using Index = std::unordered_map<std::string, size_t>;

  Dict(std::vector<Entry> pairs, Index places, Heap& heap);

  // The value of a key; null when it is not there.
  const Value* Find(Heap& heap, const Value& key) const;
  const Value* Find(Heap& heap, std::string_view key) const;

  std::vector<Entry> entries;
  Index index;  // by KeyText; only of larger dicts
  size_t depth;
  Share share;
};

// A method of a value, not yet called.
struct Method {
  Method(Value object, std::string_view method, Heap& heap);

  Value receiver;
  std::string_view name;  // of the tables in jinja_methods.cc
  size_t depth;
  Share share;
};

// Arguments of a call.
struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> keywords;
};

// A function that templates can call. Machine gives it everything else it needs.
struct Function {
  std::string_view name;
  Value (*call)(Machine&, const Arguments&);
};

// {% set ns.x = .. %} changes it.
struct Namespace {
  Value* Find(std::string_view name);

  std::vector<std::pair<std::string, Value>> members;
};

// heap: null for constants of a template. kGenerator: what a filter returns lazily in Jinja; true however
// empty.
Value MakeList(Heap* heap, std::vector<Value> items, List::Form form = List::Form::kList);
Value MakeText(Heap* heap, MarkedText text);
Value MakeMethod(Heap& heap, Value receiver, std::string_view name);

class DictBuilder {
 public:
  explicit DictBuilder(Heap& heap) : heap_(heap) {}
  void Set(Value key, Value value);
  Value Take();

 private:
  Heap& heap_;
  std::vector<Dict::Entry> entries_;
  Dict::Index index_;
};

// Grows a text within the heap's limits.
class TextBuilder {
 public:
  explicit TextBuilder(Heap& heap) : heap_(heap) {}

  void Plain(std::string_view text) { Append(text, false); }
  void Append(std::string_view text, bool is_data) {
    Charge(text.size());
    out_.Append(text, is_data);
  }
  void Append(const MarkedText& from, size_t begin, size_t end) {
    Charge(end - begin);
    out_.Append(from, begin, end);
  }
  void Append(const MarkedText& from) { Append(from, 0, from.text.size()); }
  void Fill(std::string_view unit, size_t n);  // n times `unit`, not data

  const MarkedText& marked() const { return out_; }
  MarkedText Take() { return std::move(out_); }

 private:
  void Charge(size_t n_bytes) {
    pending_ += n_bytes + kCall;
    if (pending_ >= kBatch) Settle(n_bytes);
  }
  void Settle(size_t n_bytes);

  static constexpr size_t kBatch = 256;  // bytes before the heap is asked again
  static constexpr size_t kCall = 8;     // a piece takes time, however short
  Heap& heap_;
  MarkedText out_;
  size_t pending_ = 0;
};

std::string_view KindName(const Value& v);  // Python's: "int", "str", "NoneType"
bool Truth(const Value& v);
[[noreturn]] void FailUndefined(const Value& v);  // "'x' is undefined"

// Python's ==, and identity as far as a template can see it.
bool Equal(Heap& heap, const Value& a, const Value& b);
bool Same(Heap& heap, const Value& a, const Value& b);
// -1, 0, 1. `op` is for the error where the two have no order.
int Order(Heap& heap, const Value& a, const Value& b, std::string_view op);
// The form under which dicts find a key: equal for equal keys. Fails for lists and dicts.
std::string KeyText(Heap& heap, const Value& key);

// Elements of what can be iterated: characters, keys, none of an undefined value. Fails for the rest. Charges
// for a look at each.
ListPtr Iterate(Heap& heap, const Value& v);
bool IsIterable(const Value& v);

}  // namespace pith::jinja
