// The tree that the parser makes of a template. It borrows nothing and never changes after parsing.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "jinja/jinja_value.h"

namespace pith::jinja {

struct Expression;
struct Statement;
using ExpressionPtr = std::unique_ptr<Expression>;
using Block = std::vector<Statement>;

enum class ExpressionKind : uint8_t {
  kConstant,   // constant
  kName,       // name
  kList,       // operands
  kTuple,      // operands
  kDict,       // operands: key, value, key, value ..
  kAttribute,  // operands[0].name
  kItem,       // operands[0][operands[1]]
  kSlice,      // operands[0][operands[1]:operands[2]:operands[3]]; null where nothing stands
  kCall,       // operands[0](arguments)
  kFilter,     // operands[0] | name(arguments); operands[0] null in filter blocks
  kTest,       // operands[0] is name(arguments)
  kNot,
  kNegative,
  kPositive,
  kArithmetic,   // operands[0] operators[0] operands[1] operators[1] .., from left to right
  kConcatenate,  // operands joined by ~
  kCompare,      // operands[0] operators[0] operands[1] and operands[1] operators[1] operands[2] ..
  kAnd,
  kOr,
  kConditional,  // operands[0] if operands[1] else operands[2]; null where there is no else
};

enum class Operator : uint8_t {
  kAdd,
  kSubtract,
  kMultiply,
  kDivide,
  kFloorDivide,
  kModulo,
  kPower,
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kIn,
  kNotIn,
};

struct CallArguments {
  std::vector<ExpressionPtr> positional;
  std::vector<std::pair<std::string, ExpressionPtr>> keywords;
  ExpressionPtr more_positional;  // *args
  ExpressionPtr more_keywords;    // **kwargs
};

struct Expression {
  ExpressionKind kind = ExpressionKind::kConstant;
  uint32_t at = 0;     // byte of the source
  uint32_t depth = 1;  // of the tree below
  std::string name;
  Value constant;
  std::vector<ExpressionPtr> operands;
  std::vector<Operator> operators;
  std::unique_ptr<CallArguments> arguments;
};

// What {% set %} and {% for %} assign to.
struct Target {
  enum class Form : uint8_t { kName, kMember, kTuple };  // x; ns.x; a, b
  Form form = Form::kName;
  uint32_t at = 0;
  std::string name;
  std::string member;
  std::vector<Target> parts;
};

enum class StatementKind : uint8_t {
  kText,         // name
  kPrint,        // value
  kIf,           // branches, otherwise
  kFor,          // target in value if condition: body, otherwise
  kSet,          // target = value
  kSetBlock,     // target = body, through filters
  kMacro,        // name, signature, body
  kCallBlock,    // value (a call), signature and body of caller
  kFilterBlock,  // body, through filters
  kWith,         // assignments, body
  kScope,        // body with names of its own
  kBreak,
  kContinue,
};

struct Parameter {
  std::string name;
  ExpressionPtr fallback;  // null: none
};

struct Signature {
  std::vector<Parameter> parameters;
  // The body names them, so that a call may bring more than the parameters.
  bool uses_varargs = false;
  bool uses_kwargs = false;
  bool uses_caller = false;
};

struct Branch {
  ExpressionPtr condition;
  Block body;
};

struct Statement {
  StatementKind kind = StatementKind::kText;
  uint32_t at = 0;
  std::string name;
  ExpressionPtr value;
  ExpressionPtr condition;
  std::vector<Target> targets;  // kFor, kSet, kSetBlock: one; kWith: one for each of `values`
  std::vector<ExpressionPtr> values;
  std::vector<ExpressionPtr> filters;
  Signature signature;
  std::vector<Branch> branches;
  Block body;
  Block otherwise;
};

}  // namespace pith::jinja
