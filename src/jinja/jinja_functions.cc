// Functions that templates find by name, and how all builtins read their arguments.
#include <algorithm>
#include <ctime>
#include <utility>

#include "jinja/jinja_builtins.h"
#include "jinja/jinja_format.h"

namespace pith::jinja {
namespace {

constexpr int64_t kMaxRange = 100'000;  // Jinja's sandbox has the same limit

// Elements from start to stop, exclusive.
uint64_t RangeLength(int64_t start, int64_t stop, int64_t step) {
  if (step > 0 ? start >= stop : start <= stop) return 0;
  const uint64_t distance = step > 0 ? static_cast<uint64_t>(stop) - static_cast<uint64_t>(start)
                                     : static_cast<uint64_t>(start) - static_cast<uint64_t>(stop);
  const uint64_t stride = step > 0 ? static_cast<uint64_t>(step) : 0 - static_cast<uint64_t>(step);
  return (distance - 1) / stride + 1;
}

Value Range(Machine& machine, const Arguments& arguments) {
  const Bound bound("range", arguments, {"start", "stop", "step"}, 1);
  const bool has_start = bound.Has(1);
  const int64_t start = has_start ? bound.Integer(0, 0) : 0;
  const int64_t stop = bound.Integer(has_start ? 1 : 0, 0);
  const int64_t step = bound.Integer(2, 1);
  if (step == 0) Fail("range: found step 0");
  const uint64_t n = RangeLength(start, stop, step);
  if (n > kMaxRange) FailLimit("range: more than " + std::to_string(kMaxRange) + " elements");
  std::vector<Value> items;
  int64_t value = start;
  for (uint64_t i = 0; i < n; ++i) {
    items.push_back(Value::OfInteger(value));
    if (i + 1 < n) value += step;
  }
  return MakeList(&machine.heap(), std::move(items));
}

// dict(), dict(other), dict([(key, value), ..]), with keywords added.
Value MakeDict(Machine& machine, const Arguments& arguments) {
  if (arguments.positional.size() > 1) Fail("dict: found more than one argument without name");
  DictBuilder dict(machine.heap());
  for (const Value& other : arguments.positional) {
    if (other.is_dict()) {
      for (const auto& [key, value] : other.dict().entries) dict.Set(key, value);
      continue;
    }
    const ListPtr all = Iterate(machine.heap(), other);
    for (const Value& pair : all->items) {
      const ListPtr two = Iterate(machine.heap(), pair);
      if (two->items.size() != 2) Fail("dict: found no pair of key and value");
      dict.Set(two->items[0], two->items[1]);
    }
  }
  for (const auto& [name, value] : arguments.keywords) {
    Value key = machine.heap().String(name, false);
    dict.Set(std::move(key), value);
  }
  return dict.Take();
}

Value MakeNamespace(Machine& machine, const Arguments& arguments) {
  std::vector<std::pair<std::string, Value>> members;
  const Value dict = MakeDict(machine, arguments);
  for (const auto& [key, value] : dict.dict().entries) {
    if (!key.is_string()) Fail("namespace: found a key that is no string");
    members.emplace_back(key.text(), value);
  }
  return machine.NewNamespace(std::move(members));
}

Value RaiseException(Machine& machine, const Arguments& arguments) {
  const Bound bound("raise_exception", arguments, {"message"}, 1);
  Fail("the template refuses: " + ToStr(machine.heap(), *bound[0]).text());
}

Value StrftimeNow(Machine& machine, const Arguments& arguments) {
  const Bound bound("strftime_now", arguments, {"format"}, 1);
  std::tm now{};
  if (machine.heap().limits().now) {
    now = *machine.heap().limits().now;
  } else {
    const std::time_t clock = std::time(nullptr);
    localtime_r(&clock, &now);
  }
  const MarkedText& format = bound.String(0);
  machine.heap().StepBytes(16 * format.text.size());
  return machine.heap().String(FormatTime(format.text, now), format.HasData(0, format.text.size()));
}

constexpr Function kFunctions[] = {{"range", Range},
                                   {"dict", MakeDict},
                                   {"namespace", MakeNamespace},
                                   {"raise_exception", RaiseException},
                                   {"strftime_now", StrftimeNow}};

}  // namespace

const Function* FindFunction(std::string_view name) {
  for (const Function& f : kFunctions) {
    if (f.name == name) return &f;
  }
  return nullptr;
}

Bound::Bound(std::string_view what, const Arguments& arguments, std::initializer_list<std::string_view> names,
             size_t n_required)
    : what_(what), names_(names), values_(names.size(), nullptr) {
  const std::string place(what);
  if (arguments.positional.size() > names_.size()) {
    Fail(place + ": found " + std::to_string(arguments.positional.size()) + " arguments, expected at most " +
         std::to_string(names_.size()));
  }
  for (size_t i = 0; i < arguments.positional.size(); ++i) values_[i] = &arguments.positional[i];
  for (const auto& [name, value] : arguments.keywords) {
    const auto found = std::find(names_.begin(), names_.end(), name);
    if (found == names_.end()) Fail(place + ": found an unknown argument '" + name + "'");
    const Value*& slot = values_[static_cast<size_t>(found - names_.begin())];
    if (slot != nullptr) Fail(place + ": found the argument '" + name + "' twice");
    slot = &value;
  }
  for (size_t i = 0; i < n_required; ++i) {
    if (values_[i] == nullptr) Fail(place + ": expected the argument '" + std::string(names_[i]) + "'");
  }
}

bool Bound::Bool(size_t i, bool fallback) const { return Has(i) ? Truth(*values_[i]) : fallback; }

int64_t Bound::Integer(size_t i, int64_t fallback) const {
  return Has(i) ? values_[i]->Integer(std::string(what_) + ": " + std::string(names_[i])) : fallback;
}

size_t Bound::Count(size_t i, size_t fallback) const {
  const int64_t n = HasSome(i) ? Integer(i, 0) : -1;
  return n < 0 ? fallback : static_cast<size_t>(n);
}

const MarkedText& Bound::String(size_t i) const {
  if (values_[i] == nullptr)
    Fail(std::string(what_) + ": expected the argument '" + std::string(names_[i]) + "'");
  if (values_[i]->is_undefined()) FailUndefined(*values_[i]);
  if (!values_[i]->is_string()) {
    Fail(std::string(what_) + ": " + std::string(names_[i]) + ": found '" +
         std::string(KindName(*values_[i])) + "', expected a string");
  }
  return values_[i]->marked();
}

}  // namespace pith::jinja
