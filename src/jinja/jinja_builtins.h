// Everything that templates can call by name: filters, tests, functions, methods; and how they read
// arguments.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "jinja/jinja_interpreter.h"
#include "jinja/jinja_value.h"

namespace pith::jinja {

// Arguments by the names of the parameters.
class Bound {
 public:
  // Fails where there are too many, an unknown name, or fewer than `n_required`.
  Bound(std::string_view what, const Arguments& arguments, std::initializer_list<std::string_view> names,
        size_t n_required = 0);

  // Null: not given. Valid as long as the arguments.
  const Value* operator[](size_t i) const { return values_[i]; }
  bool Has(size_t i) const { return values_[i] != nullptr; }
  bool HasSome(size_t i) const { return Has(i) && !values_[i]->is_none(); }  // given, and not none
  bool Bool(size_t i, bool fallback) const;
  int64_t Integer(size_t i, int64_t fallback) const;
  size_t Count(size_t i, size_t fallback) const;  // fallback when negative, too
  const MarkedText& String(size_t i) const;       // fails where it is no string

 private:
  std::string_view what_;
  std::vector<std::string_view> names_;
  std::vector<const Value*> values_;
};

// Fail where there is no filter or test of that name.
Value ApplyFilter(Machine& machine, std::string_view name, const Value& input, const Arguments& arguments);
bool ApplyTest(Machine& machine, std::string_view name, const Value& input, const Arguments& arguments);

// range, dict, namespace, raise_exception, strftime_now; null when there is none of that name.
const Function* FindFunction(std::string_view name);

// A method of the value's type, by the name as it stands in a table; empty when there is none. Those that
// would change the value are found, too: calling them fails.
std::string_view FindMethod(const Value& receiver, std::string_view name);
Value CallMethod(Machine& machine, const Value& receiver, std::string_view name, const Arguments& arguments);

}  // namespace pith::jinja
