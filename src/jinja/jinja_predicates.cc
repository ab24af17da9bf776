// Tests of templates: what may stand behind `is`.
#include <string>
#include <unordered_map>

#include "jinja/jinja_arithmetic.h"
#include "jinja/jinja_builtins.h"
#include "jinja/jinja_format.h"
#include "jinja/jinja_strings.h"

namespace pith::jinja {
namespace {

using Predicate = bool (*)(Machine&, const Value&);
using Relation = bool (*)(Machine&, const Value&, const Value&);

bool IsSequence(const Value& v) {
  if (v.is_list()) return v.list().form == List::Form::kList || v.list().form == List::Form::kTuple;
  return v.is_string() || v.is_dict() || v.is_undefined();
}

bool IsCallable(const Value& v) {
  return v.kind() == Kind::kFunction || v.kind() == Kind::kMethod || v.kind() == Kind::kMacro;
}

bool IsInteger(const Value& v) { return v.kind() == Kind::kInteger || v.kind() == Kind::kUnsigned; }

// v % n == 0.
bool Divides(Machine& machine, const Value& v, const Value& n) {
  return Equal(machine.heap(), Calculate(machine.heap(), Operator::kModulo, v, n), Value::OfInteger(0));
}

bool IsRest(Machine& machine, const Value& v, int64_t rest) {
  const Value two = Value::OfInteger(2);
  return Equal(machine.heap(), Calculate(machine.heap(), Operator::kModulo, v, two), Value::OfInteger(rest));
}

bool IsCase(Machine& machine, const Value& v, std::string_view name) {
  const Value text = ToStr(machine.heap(), v);
  machine.heap().StepBytes(8 * text.text().size());  // a look at each character's class
  return AllOfClass(text.text(), name);
}

template <Operator kOp>
bool Is(Machine& machine, const Value& a, const Value& b) {
  return Compare(machine.heap(), kOp, a, b);
}

const std::unordered_map<std::string_view, Predicate>& Predicates() {
  static const std::unordered_map<std::string_view, Predicate> table = {
      {"defined", [](Machine&, const Value& v) { return !v.is_undefined(); }},
      {"undefined", [](Machine&, const Value& v) { return v.is_undefined(); }},
      {"none", [](Machine&, const Value& v) { return v.is_none(); }},
      {"string", [](Machine&, const Value& v) { return v.is_string(); }},
      {"number", [](Machine&, const Value& v) { return v.is_number(); }},
      {"integer", [](Machine&, const Value& v) { return IsInteger(v); }},
      {"float", [](Machine&, const Value& v) { return v.kind() == Kind::kFloat; }},
      {"boolean", [](Machine&, const Value& v) { return v.kind() == Kind::kBool; }},
      {"true", [](Machine&, const Value& v) { return v.kind() == Kind::kBool && v.as_bool(); }},
      {"false", [](Machine&, const Value& v) { return v.kind() == Kind::kBool && !v.as_bool(); }},
      {"mapping", [](Machine&, const Value& v) { return v.is_dict(); }},
      {"sequence", [](Machine&, const Value& v) { return IsSequence(v); }},
      {"iterable", [](Machine&, const Value& v) { return IsIterable(v); }},
      {"callable", [](Machine&, const Value& v) { return IsCallable(v); }},
      {"escaped", [](Machine&, const Value&) { return false; }},
      {"odd", [](Machine& machine, const Value& v) { return IsRest(machine, v, 1); }},
      {"even", [](Machine& machine, const Value& v) { return IsRest(machine, v, 0); }},
      {"lower", [](Machine& machine, const Value& v) { return IsCase(machine, v, "islower"); }},
      {"upper", [](Machine& machine, const Value& v) { return IsCase(machine, v, "isupper"); }},
  };
  return table;
}

const std::unordered_map<std::string_view, Relation>& Relations() {
  static const std::unordered_map<std::string_view, Relation> table = {
      {"divisibleby", Divides},
      {"sameas", [](Machine& machine, const Value& a, const Value& b) { return Same(machine.heap(), a, b); }},
      {"in", Is<Operator::kIn>},
      {"eq", Is<Operator::kEqual>},
      {"equalto", Is<Operator::kEqual>},
      {"==", Is<Operator::kEqual>},
      {"ne", Is<Operator::kNotEqual>},
      {"!=", Is<Operator::kNotEqual>},
      {"lt", Is<Operator::kLess>},
      {"lessthan", Is<Operator::kLess>},
      {"<", Is<Operator::kLess>},
      {"le", Is<Operator::kLessEqual>},
      {"<=", Is<Operator::kLessEqual>},
      {"gt", Is<Operator::kGreater>},
      {"greaterthan", Is<Operator::kGreater>},
      {">", Is<Operator::kGreater>},
      {"ge", Is<Operator::kGreaterEqual>},
      {">=", Is<Operator::kGreaterEqual>},
  };
  return table;
}

}  // namespace

bool ApplyTest(Machine& machine, std::string_view name, const Value& input, const Arguments& arguments) {
  machine.heap().Step();
  if (const auto found = Predicates().find(name); found != Predicates().end()) {
    const Bound none(name, arguments, {});
    return found->second(machine, input);
  }
  if (const auto found = Relations().find(name); found != Relations().end()) {
    const Bound bound(name, arguments, {"other"}, 1);
    return found->second(machine, input, *bound[0]);
  }
  Fail("no test '" + std::string(name) + "'");
}

}  // namespace pith::jinja
