// Machine: one run of a template. It owns everything that can change while the template runs.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "jinja/jinja_ast.h"
#include "jinja/jinja_value.h"

namespace pith::jinja {

// Names of a scope. Macros keep the scopes they were made in.
struct Frame {
  explicit Frame(std::shared_ptr<Frame> outer) : parent(std::move(outer)) {}

  std::vector<std::pair<std::string_view, Value>> names;  // the keys belong to the tree
  std::shared_ptr<Frame> parent;
};

struct Macro {
  std::string_view name;
  const Signature* signature;
  const Block* body;
  std::shared_ptr<Frame> frame;
};

// The variable `loop`. Elements are looked at one by one, since the condition may depend on what the body
// does.
struct Loop {
  // Element n of those that the condition accepts; null when there are fewer.
  const Value* At(Heap& heap, size_t n);
  size_t Length(Heap& heap);

  ListPtr source;                            // null when the loop is over
  std::function<bool(const Value&)> accept;  // empty: all
  std::vector<uint32_t> accepted;            // places in `source`; only with a condition
  size_t n_seen = 0;                         // elements of `source` that the condition has seen
  size_t index0 = 0;
  std::optional<std::vector<Value>> last_changed;
};

class Machine {
 public:
  explicit Machine(const JinjaLimits& limits) : heap_(limits) {}
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  // Adds the members of an object to the names that the template sees. `is_data`: whether strings are.
  void AddVariables(const nlohmann::ordered_json& object, std::string_view what, bool is_data);

  // Throws Failure. `body` must outlive the machine.
  MarkedText Run(const Block& body);

  Heap& heap() { return heap_; }
  uint32_t at() const { return at_; }  // byte of the source that is being evaluated

  // What the functions, filters and tests need.
  Value Attribute(const Value& object, std::string_view name);  // object.name
  Value Item(const Value& object, const Value& key);            // object[key]
  Value Call(const Value& callee, const Arguments& arguments);
  Value NewNamespace(std::vector<std::pair<std::string, Value>> members);

 private:
  enum class Flow : uint8_t { kGoOn, kBreak, kContinue };
  class Nested;
  class Captured;

  Value FromJson(const nlohmann::ordered_json& json, bool is_data, size_t depth);

  Flow Execute(const Block& block);
  Flow ExecuteOne(const Statement& s);
  Flow ExecuteIf(const Statement& s);
  Flow ExecuteFor(const Statement& s);
  Flow ExecuteWith(const Statement& s);
  void ExecuteSetBlock(const Statement& s);
  void ExecuteCallBlock(const Statement& s);
  // The body's output, through the filters.
  Value Capture(const Block& body, const std::vector<ExpressionPtr>& filters);

  Value Lookup(const std::string& name);
  void Assign(const Target& target, Value value);
  void SetName(Frame& frame, std::string_view name, Value value);
  Value NewMacro(const Statement& s);
  Value CallMacro(const Macro& macro, const Arguments& arguments);

  Value Evaluate(const Expression& e);
  std::vector<Value> EvaluateAll(const std::vector<ExpressionPtr>& expressions);
  Value EvaluateDict(const Expression& e);
  Value EvaluateSlice(const Expression& e);
  Value EvaluateArithmetic(const Expression& e);
  Value EvaluateConcatenation(const Expression& e);
  bool EvaluateComparison(const Expression& e);
  Value EvaluateFilter(const Expression& e, const Value& input);
  Arguments EvaluateArguments(const CallArguments& arguments);
  Value LoopAttribute(Loop& loop, std::string_view name);

  Heap heap_;
  std::unordered_map<std::string, Value> variables_;
  std::deque<Namespace> namespaces_;
  std::deque<Loop> loops_;
  std::deque<Macro> macros_;
  std::shared_ptr<Frame> frame_;
  TextBuilder* out_ = nullptr;
  size_t depth_ = 0;
  uint32_t at_ = 0;
};

}  // namespace pith::jinja
