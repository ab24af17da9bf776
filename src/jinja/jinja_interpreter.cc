#include "jinja/jinja_interpreter.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "base/check.h"
#include "jinja/jinja_arithmetic.h"
#include "jinja/jinja_builtins.h"
#include "jinja/jinja_format.h"
#include "formats/json.h"

namespace pith::jinja {
namespace {

// What a namespace, loop or macro costs; they live as long as the machine.
constexpr size_t kOwnedBytes = 256;

std::string ObjectName(const Value& v) {
  return v.is_none() ? "'None'" : "'" + std::string(KindName(v)) + " object'";
}

}  // namespace

// Counts evaluations inside each other.
class Machine::Nested {
 public:
  explicit Nested(Machine& machine) : machine_(machine) {
    if (machine_.depth_ >= machine_.heap_.limits().depth) {
      FailLimit("evaluations inside each other deeper than " + std::to_string(machine_.heap_.limits().depth));
    }
    ++machine_.depth_;
  }
  Nested(const Nested&) = delete;
  Nested& operator=(const Nested&) = delete;
  ~Nested() { --machine_.depth_; }

 private:
  Machine& machine_;
};

// Sends output elsewhere for a while.
class Machine::Captured {
 public:
  explicit Captured(Machine& machine) : machine_(machine), text_(machine.heap_), outer_(machine.out_) {
    machine_.out_ = &text_;
  }
  Captured(const Captured&) = delete;
  Captured& operator=(const Captured&) = delete;
  ~Captured() { machine_.out_ = outer_; }
  MarkedText Take() { return text_.Take(); }

 private:
  Machine& machine_;
  TextBuilder text_;
  TextBuilder* outer_;
};

namespace {

// Another scope for a while.
class Scope {
 public:
  Scope(std::shared_ptr<Frame>& current, std::shared_ptr<Frame> inner)
      : current_(current), outer_(std::exchange(current, std::move(inner))) {}
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;
  ~Scope() { current_ = std::move(outer_); }

 private:
  std::shared_ptr<Frame>& current_;
  std::shared_ptr<Frame> outer_;
};

// However a loop ends, what it holds goes: the variable `loop` may live on, but not the call that ran the
// loop.
struct LoopEnd {
  Loop& loop;
  ~LoopEnd() {
    loop.accept = nullptr;
    loop.accepted = {};
    loop.last_changed.reset();
    loop.source = nullptr;
  }
};

}  // namespace

// ---- Loops ----------------------------------------------------------------------------------------------

const Value* Loop::At(Heap& heap, size_t n) {
  if (source == nullptr) Fail("the loop is over");
  const std::vector<Value>& items = source->items;
  if (!accept) return n < items.size() ? &items[n] : nullptr;
  while (accepted.size() <= n && n_seen < items.size()) {
    heap.Step();
    const size_t place = n_seen++;
    if (accept(items[place])) accepted.push_back(static_cast<uint32_t>(place));
  }
  return n < accepted.size() ? &items[accepted[n]] : nullptr;
}

size_t Loop::Length(Heap& heap) {
  (void)At(heap, SIZE_MAX - 1);  // looks at all elements
  return accept ? accepted.size() : source->items.size();
}

Value Machine::LoopAttribute(Loop& loop, std::string_view name) {
  const auto integer = [](size_t n) { return Value::OfInteger(static_cast<int64_t>(n)); };
  const auto element = [&](const Value* v, const char* missing) {
    return v != nullptr ? *v : Value::OfUndefined(heap_, missing);
  };
  const size_t i = loop.index0;
  if (name == "index") return integer(i + 1);
  if (name == "index0") return integer(i);
  if (name == "first") return Value::OfBool(i == 0);
  if (name == "last") return Value::OfBool(loop.At(heap_, i + 1) == nullptr);
  if (name == "length") return integer(loop.Length(heap_));
  if (name == "revindex") return integer(loop.Length(heap_) - i);
  if (name == "revindex0") return integer(loop.Length(heap_) - i - 1);
  if (name == "previtem")
    return element(i > 0 ? loop.At(heap_, i - 1) : nullptr, "there is no previous item");
  if (name == "nextitem") return element(loop.At(heap_, i + 1), "there is no next item");
  if (name == "depth") return integer(1);
  if (name == "depth0") return integer(0);
  return Value::OfUndefined(heap_, "'LoopContext object' has no attribute " + Quoted(name));
}

// ---- Variables ------------------------------------------------------------------------------------------

void Machine::AddVariables(const nlohmann::ordered_json& object, std::string_view what, bool is_data) {
  if (object.is_null()) return;
  if (!object.is_object()) Fail(std::string(what) + ": found " + object.type_name() + ", expected an object");
  for (const auto& [name, value] : object.items()) variables_[name] = FromJson(value, is_data, 1);
}

Value Machine::FromJson(const nlohmann::ordered_json& json, bool is_data, size_t depth) {
  heap_.Step();
  if (depth > heap_.limits().value_depth) {
    FailLimit("variables: lists and objects inside each other deeper than " +
              std::to_string(heap_.limits().value_depth));
  }
  using Type = nlohmann::ordered_json::value_t;
  switch (json.type()) {
    case Type::null:
      return Value::OfNone();
    case Type::boolean:
      return Value::OfBool(json.get<bool>());
    case Type::number_integer:
      return Value::OfInteger(json.get<int64_t>());
    case Type::number_unsigned:
      return Value::OfUnsigned(json.get<uint64_t>());
    case Type::number_float:
      return Value::OfFloat(json.get<double>());
    case Type::string:
      return heap_.String(json.get_ref<const std::string&>(), is_data);
    case Type::array: {
      heap_.CheckItems(json.size());
      std::vector<Value> items;
      items.reserve(json.size());
      for (const auto& item : json) items.push_back(FromJson(item, is_data, depth + 1));
      return MakeList(&heap_, std::move(items));
    }
    case Type::object: {
      DictBuilder dict(heap_);
      for (const auto& [name, value] : json.items()) {
        Value key = heap_.String(name, is_data);
        dict.Set(std::move(key), FromJson(value, is_data, depth + 1));
      }
      return dict.Take();
    }
    default:
      Fail(std::string("variables: found JSON of type ") + json.type_name());
  }
}

Value Machine::Lookup(const std::string& name) {
  for (const Frame* frame = frame_.get(); frame != nullptr; frame = frame->parent.get()) {
    heap_.Step(1 + frame->names.size() / 16);
    for (const auto& [known, value] : frame->names) {
      if (known == name) return value;
    }
  }
  if (const auto found = variables_.find(name); found != variables_.end()) return found->second;
  if (const Function* function = FindFunction(name)) return Value::Of(function);
  return Value::OfUndefined(heap_, "'" + name + "' is undefined");
}

void Machine::SetName(Frame& frame, std::string_view name, Value value) {
  heap_.Step(1 + frame.names.size() / 16);
  for (auto& [known, old] : frame.names) {
    if (known != name) continue;
    old = std::move(value);
    return;
  }
  frame.names.emplace_back(name, std::move(value));
}

void Machine::Assign(const Target& target, Value value) {
  switch (target.form) {
    case Target::Form::kName:
      return SetName(*frame_, target.name, std::move(value));
    case Target::Form::kMember: {
      const Value owner = Lookup(target.name);
      at_ = target.at;
      if (owner.kind() != Kind::kNamespace) {
        Fail("cannot assign to an attribute of '" + target.name + "': found '" +
             std::string(KindName(owner)) + "', expected a namespace");
      }
      Namespace& space = *owner.as_namespace();
      heap_.Step(1 + space.members.size() / 16);
      if (Value* member = space.Find(target.member)) {
        *member = std::move(value);
      } else {
        space.members.emplace_back(target.member, std::move(value));
      }
      return;
    }
    case Target::Form::kTuple: {
      at_ = target.at;
      const ListPtr items = Iterate(heap_, value);
      if (items->items.size() != target.parts.size()) {
        Fail("cannot unpack: found " + std::to_string(items->items.size()) + " values, expected " +
             std::to_string(target.parts.size()));
      }
      for (size_t i = 0; i < target.parts.size(); ++i) Assign(target.parts[i], items->items[i]);
    }
  }
}

Value Machine::NewNamespace(std::vector<std::pair<std::string, Value>> members) {
  heap_.Take(kOwnedBytes);
  namespaces_.push_back({std::move(members)});
  return Value::Of(&namespaces_.back());
}

Value Machine::Attribute(const Value& object, std::string_view name) {
  heap_.Step();
  if (object.is_undefined()) FailUndefined(object);
  if (const std::string_view method = FindMethod(object, name); !method.empty()) {
    return MakeMethod(heap_, object, method);
  }
  if (object.is_dict()) {
    if (const Value* found = object.dict().Find(heap_, name)) return *found;
  } else if (object.kind() == Kind::kNamespace) {
    heap_.Step(object.as_namespace()->members.size() / 16);
    if (const Value* found = object.as_namespace()->Find(name)) return *found;
  } else if (object.kind() == Kind::kLoop) {
    return LoopAttribute(*object.loop(), name);
  }
  return Value::OfUndefined(heap_, ObjectName(object) + " has no attribute " + Quoted(name));
}

Value Machine::Item(const Value& object, const Value& key) {
  heap_.Step();
  if (object.is_undefined()) FailUndefined(object);
  if (object.is_dict() && !key.is_list() && !key.is_dict()) {
    if (const Value* found = object.dict().Find(heap_, key)) return *found;
  } else if (key.is_integral() && (object.is_list() || object.is_string())) {
    return ElementAt(heap_, object, key.Integer("an index"));
  } else if (object.is_dict() && key.is_list() && key.list().form == List::Form::kTuple) {
    if (const Value* found = object.dict().Find(heap_, key)) return *found;
  }
  if (!key.is_string()) return Value::OfUndefined(heap_, ObjectName(object) + " has no such element");
  if (const std::string_view method = FindMethod(object, key.text()); !method.empty()) {
    return MakeMethod(heap_, object, method);
  }
  if (object.kind() == Kind::kNamespace || object.kind() == Kind::kLoop) return Attribute(object, key.text());
  return Value::OfUndefined(heap_, ObjectName(object) + " has no attribute " + Quoted(key.text()));
}

// ---- Calls ----------------------------------------------------------------------------------------------

Value Machine::Call(const Value& callee, const Arguments& arguments) {
  heap_.Step();
  switch (callee.kind()) {
    case Kind::kFunction:
      return callee.function()->call(*this, arguments);
    case Kind::kMethod:
      return CallMethod(*this, callee.method().receiver, callee.method().name, arguments);
    case Kind::kMacro:
      return CallMacro(*callee.macro(), arguments);
    case Kind::kUndefined:
      FailUndefined(callee);
    default:
      Fail("'" + std::string(KindName(callee)) + "' object is not callable");
  }
}

Value Machine::NewMacro(const Statement& s) {
  heap_.Take(kOwnedBytes);
  macros_.push_back({s.name, &s.signature, &s.body, frame_});
  return Value::Of(&macros_.back());
}

Value Machine::CallMacro(const Macro& macro, const Arguments& arguments) {
  const Nested nested(*this);
  const Signature& signature = *macro.signature;
  const std::string what = "macro '" + std::string(macro.name) + "'";
  const size_t n = signature.parameters.size();
  const Scope scope(frame_, std::make_shared<Frame>(macro.frame));

  std::vector<bool> is_given(n, false);
  for (size_t i = 0; i < std::min(n, arguments.positional.size()); ++i) {
    SetName(*frame_, signature.parameters[i].name, arguments.positional[i]);
    is_given[i] = true;
  }
  if (arguments.positional.size() > n && !signature.uses_varargs) {
    Fail(what + " takes not more than " + std::to_string(n) + " arguments");
  }
  DictBuilder others(heap_);
  for (const auto& [name, value] : arguments.keywords) {
    size_t i = 0;
    while (i < n && signature.parameters[i].name != name) ++i;
    if (i < n) {
      if (is_given[i]) Fail(what + " got the argument '" + name + "' twice");
      SetName(*frame_, signature.parameters[i].name, value);
      is_given[i] = true;
    } else if (name == "caller" && signature.uses_caller) {
      SetName(*frame_, "caller", value);
    } else if (signature.uses_kwargs) {
      Value key = heap_.String(name, false);
      others.Set(std::move(key), value);
    } else {
      Fail(what + " takes no argument '" + name + "'");
    }
  }
  for (size_t i = 0; i < n; ++i) {
    if (is_given[i]) continue;
    const Parameter& p = signature.parameters[i];
    Value value = p.fallback != nullptr
                      ? Evaluate(*p.fallback)
                      : Value::OfUndefined(heap_, "parameter '" + p.name + "' was not provided");
    SetName(*frame_, p.name, std::move(value));
  }
  if (signature.uses_varargs) {
    std::vector<Value> more;
    for (size_t i = n; i < arguments.positional.size(); ++i) more.push_back(arguments.positional[i]);
    SetName(*frame_, "varargs", MakeList(&heap_, std::move(more), List::Form::kTuple));
  }
  if (signature.uses_kwargs) SetName(*frame_, "kwargs", others.Take());
  return Capture(*macro.body, {});
}

Value Machine::Capture(const Block& body, const std::vector<ExpressionPtr>& filters) {
  Captured captured(*this);
  const Flow flow = Execute(body);
  PITH_CHECK(flow == Flow::kGoOn);  // the parser lets none out of such a body
  Value value = heap_.String(captured.Take());
  for (const ExpressionPtr& filter : filters) value = EvaluateFilter(*filter, value);
  return value;
}

// ---- Statements -----------------------------------------------------------------------------------------

MarkedText Machine::Run(const Block& body) {
  TextBuilder out(heap_);
  out_ = &out;
  frame_ = std::make_shared<Frame>(nullptr);
  (void)Execute(body);
  MarkedText text = out.Take();
  heap_.CheckString(text.text.size());
  return text;
}

Machine::Flow Machine::Execute(const Block& block) {
  const Nested nested(*this);
  for (const Statement& s : block) {
    heap_.Step();
    const Flow flow = ExecuteOne(s);
    if (flow != Flow::kGoOn) return flow;
  }
  return Flow::kGoOn;
}

Machine::Flow Machine::ExecuteOne(const Statement& s) {
  at_ = s.at;
  switch (s.kind) {
    case StatementKind::kText:
      out_->Plain(s.name);
      break;
    case StatementKind::kPrint:
      AppendStr(heap_, *out_, Evaluate(*s.value));
      break;
    case StatementKind::kIf:
      return ExecuteIf(s);
    case StatementKind::kFor:
      return ExecuteFor(s);
    case StatementKind::kSet:
      Assign(s.targets[0], Evaluate(*s.value));
      break;
    case StatementKind::kSetBlock:
      ExecuteSetBlock(s);
      break;
    case StatementKind::kMacro:
      SetName(*frame_, s.name, NewMacro(s));
      break;
    case StatementKind::kCallBlock:
      ExecuteCallBlock(s);
      break;
    case StatementKind::kFilterBlock: {
      const Scope scope(frame_, std::make_shared<Frame>(frame_));
      const Value text = Capture(s.body, s.filters);
      AppendStr(heap_, *out_, text);
      break;
    }
    case StatementKind::kWith:
      return ExecuteWith(s);
    case StatementKind::kScope: {
      const Scope scope(frame_, std::make_shared<Frame>(frame_));
      return Execute(s.body);
    }
    case StatementKind::kBreak:
      return Flow::kBreak;
    case StatementKind::kContinue:
      return Flow::kContinue;
  }
  return Flow::kGoOn;
}

Machine::Flow Machine::ExecuteIf(const Statement& s) {
  for (const Branch& branch : s.branches) {
    const Value condition = Evaluate(*branch.condition);
    if (Truth(condition)) return Execute(branch.body);
  }
  return Execute(s.otherwise);
}

Machine::Flow Machine::ExecuteFor(const Statement& s) {
  const Value source = Evaluate(*s.value);
  at_ = s.value->at;
  ListPtr items = Iterate(heap_, source);

  heap_.Take(kOwnedBytes);
  Loop& loop = loops_.emplace_back();
  loop.source = std::move(items);
  const LoopEnd at_end{loop};
  const std::shared_ptr<Frame> outer = frame_;
  if (s.condition != nullptr) {
    loop.accept = [this, &s, outer](const Value& item) {
      const Scope scope(frame_, std::make_shared<Frame>(outer));
      Assign(s.targets[0], item);
      return Truth(Evaluate(*s.condition));
    };
  }

  std::shared_ptr<Frame> frame;
  for (size_t i = 0;; ++i) {
    const Value* item = loop.At(heap_, i);
    if (item == nullptr) {
      if (i == 0) return Execute(s.otherwise);
      return Flow::kGoOn;
    }
    loop.index0 = i;
    heap_.Step();
    // A frame for each round, since macros may keep one; the last one is used again if none has.
    if (frame == nullptr || frame.use_count() > 1) frame = std::make_shared<Frame>(outer);
    frame->names.clear();
    const Scope scope(frame_, frame);
    SetName(*frame, "loop", Value::Of(&loop));
    Assign(s.targets[0], *item);
    if (Execute(s.body) == Flow::kBreak) return Flow::kGoOn;
  }
}

Machine::Flow Machine::ExecuteWith(const Statement& s) {
  const std::shared_ptr<Frame> inner = std::make_shared<Frame>(frame_);
  std::vector<Value> values = EvaluateAll(s.values);
  const Scope scope(frame_, inner);
  for (size_t i = 0; i < values.size(); ++i) Assign(s.targets[i], std::move(values[i]));
  return Execute(s.body);
}

void Machine::ExecuteSetBlock(const Statement& s) {
  Value text;
  {
    const Scope scope(frame_, std::make_shared<Frame>(frame_));
    text = Capture(s.body, s.filters);
  }
  Assign(s.targets[0], std::move(text));
}

void Machine::ExecuteCallBlock(const Statement& s) {
  const Expression& call = *s.value;
  const Value callee = Evaluate(*call.operands[0]);
  Arguments arguments = EvaluateArguments(*call.arguments);
  arguments.keywords.emplace_back("caller", NewMacro(s));
  at_ = call.at;
  const Value text = Call(callee, arguments);
  AppendStr(heap_, *out_, text);
}

// ---- Expressions ----------------------------------------------------------------------------------------

Value Machine::Evaluate(const Expression& e) {
  const Nested nested(*this);
  heap_.Step();
  at_ = e.at;
  // A position is set again once the parts have been evaluated, so that errors of the operation point at it.
  const auto operand = [&](size_t i) {
    Value v = Evaluate(*e.operands[i]);
    at_ = e.at;
    return v;
  };
  switch (e.kind) {
    case ExpressionKind::kConstant:
      return e.constant;
    case ExpressionKind::kName:
      return Lookup(e.name);
    case ExpressionKind::kList:
      return MakeList(&heap_, EvaluateAll(e.operands));
    case ExpressionKind::kTuple:
      return MakeList(&heap_, EvaluateAll(e.operands), List::Form::kTuple);
    case ExpressionKind::kDict:
      return EvaluateDict(e);
    case ExpressionKind::kAttribute:
      return Attribute(operand(0), e.name);
    case ExpressionKind::kItem: {
      const Value object = operand(0);
      const Value key = operand(1);
      return Item(object, key);
    }
    case ExpressionKind::kSlice:
      return EvaluateSlice(e);
    case ExpressionKind::kCall: {
      const Value callee = operand(0);
      const Arguments arguments = EvaluateArguments(*e.arguments);
      at_ = e.at;
      return Call(callee, arguments);
    }
    case ExpressionKind::kFilter:
      return EvaluateFilter(e, operand(0));
    case ExpressionKind::kTest: {
      const Value input = operand(0);
      const Arguments arguments = EvaluateArguments(*e.arguments);
      at_ = e.at;
      return Value::OfBool(ApplyTest(*this, e.name, input, arguments));
    }
    case ExpressionKind::kNot:
      return Value::OfBool(!Truth(operand(0)));
    case ExpressionKind::kNegative:
      return Negate(operand(0));
    case ExpressionKind::kPositive: {
      const Value v = operand(0);
      return v.kind() == Kind::kFloat ? v : Value::OfInteger(v.Integer("+"));
    }
    case ExpressionKind::kArithmetic:
      return EvaluateArithmetic(e);
    case ExpressionKind::kConcatenate:
      return EvaluateConcatenation(e);
    case ExpressionKind::kCompare:
      return Value::OfBool(EvaluateComparison(e));
    case ExpressionKind::kAnd:
    case ExpressionKind::kOr: {
      for (size_t i = 0; i + 1 < e.operands.size(); ++i) {
        Value v = operand(i);
        if (Truth(v) == (e.kind == ExpressionKind::kOr)) return v;
      }
      return operand(e.operands.size() - 1);
    }
    case ExpressionKind::kConditional:
      if (Truth(operand(1))) return operand(0);
      if (e.operands[2] != nullptr) return operand(2);
      return Value::OfUndefined(heap_, "the inline if-expression evaluated to false and has no else");
  }
  return Value();
}

std::vector<Value> Machine::EvaluateAll(const std::vector<ExpressionPtr>& expressions) {
  std::vector<Value> values;
  values.reserve(expressions.size());
  for (const ExpressionPtr& e : expressions) values.push_back(Evaluate(*e));
  return values;
}

Value Machine::EvaluateDict(const Expression& e) {
  DictBuilder dict(heap_);
  for (size_t i = 0; i < e.operands.size(); i += 2) {
    Value key = Evaluate(*e.operands[i]);
    Value value = Evaluate(*e.operands[i + 1]);
    at_ = e.operands[i]->at;
    dict.Set(std::move(key), std::move(value));
  }
  return dict.Take();
}

Value Machine::EvaluateSlice(const Expression& e) {
  const Value object = Evaluate(*e.operands[0]);
  std::optional<Value> parts[3];
  for (size_t i = 0; i < 3; ++i) {
    if (e.operands[i + 1] != nullptr) parts[i] = Evaluate(*e.operands[i + 1]);
  }
  const auto part = [&](size_t i) { return parts[i] ? &*parts[i] : nullptr; };
  at_ = e.at;
  return Slice(heap_, object, part(0), part(1), part(2));
}

Value Machine::EvaluateArithmetic(const Expression& e) {
  Value v = Evaluate(*e.operands[0]);
  for (size_t i = 0; i < e.operators.size(); ++i) {
    const Value right = Evaluate(*e.operands[i + 1]);
    at_ = e.at;
    v = Calculate(heap_, e.operators[i], v, right);
  }
  return v;
}

Value Machine::EvaluateConcatenation(const Expression& e) {
  TextBuilder text(heap_);
  for (const ExpressionPtr& part : e.operands) {
    const Value v = Evaluate(*part);
    AppendStr(heap_, text, v);
  }
  return heap_.String(text.Take());
}

bool Machine::EvaluateComparison(const Expression& e) {
  Value left = Evaluate(*e.operands[0]);
  for (size_t i = 0; i < e.operators.size(); ++i) {
    Value right = Evaluate(*e.operands[i + 1]);
    at_ = e.at;
    if (!Compare(heap_, e.operators[i], left, right)) return false;
    left = std::move(right);
  }
  return true;
}

Value Machine::EvaluateFilter(const Expression& e, const Value& input) {
  const Arguments arguments = EvaluateArguments(*e.arguments);
  at_ = e.at;
  return ApplyFilter(*this, e.name, input, arguments);
}

Arguments Machine::EvaluateArguments(const CallArguments& given) {
  Arguments arguments;
  arguments.positional = EvaluateAll(given.positional);
  if (given.more_positional != nullptr) {
    const Value more = Evaluate(*given.more_positional);
    const ListPtr all = Iterate(heap_, more);
    for (const Value& v : all->items) arguments.positional.push_back(v);
  }
  for (const auto& [name, expression] : given.keywords)
    arguments.keywords.emplace_back(name, Evaluate(*expression));
  if (given.more_keywords != nullptr) {
    const Value more = Evaluate(*given.more_keywords);
    if (!more.is_dict()) Fail("behind **: found '" + std::string(KindName(more)) + "', expected a dict");
    for (const auto& [key, value] : more.dict().entries) {
      if (!key.is_string()) Fail("behind **: found a key that is no string");
      for (const auto& [name, expression] : given.keywords) {
        if (name == key.text()) Fail("found the argument '" + name + "' twice");
      }
      heap_.StepBytes(key.text().size());
      arguments.keywords.emplace_back(key.text(), value);
    }
  }
  return arguments;
}

}  // namespace pith::jinja
