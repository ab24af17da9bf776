// GrammarBuilder: expressions and rules, and the Grammar that they make.
//
//   GrammarBuilder b;
//   const auto list = b.AddRule("list");
//   const auto part = b.Choice({b.Call(list), b.Literal("x")});
//   b.Define(list, b.Sequence({b.Literal("["), b.Repeat(part, 0, 3), b.Literal("]")}));
//   Result<Grammar> grammar = std::move(b).Build(list, GrammarBuilder::Barren::kRefuse);
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "grammar/code_point_set.h"
#include "grammar/grammar.h"
#include "pith/status.h"

namespace pith {

class GrammarBuilder {
 public:
  using Expression = uint32_t;
  using Rule = uint32_t;
  static constexpr uint32_t kUnbounded = ~uint32_t{0};

  // What becomes of rules and branches that derive no text at all, such as a ::= "x" a.
  enum class Barren {
    kRefuse,  // a rule of that kind is an error
    kCut,     // it counts as impossible; only a root of that kind is an error
  };

  // Stands in the message of kInvalidArgument about such a rule.
  static constexpr std::string_view kDerivesNothing = "derives no text";

  GrammarBuilder();

  Expression Empty() const { return kEmpty; }      // the empty text
  Expression Nothing() const { return kNothing; }  // no text
  Expression Literal(std::string_view bytes);
  Expression Class(CodePointSet set);  // one code point
  Expression Sequence(std::span<const Expression> parts);
  Expression Sequence(std::initializer_list<Expression> parts) {
    return Sequence(std::span(parts.begin(), parts.size()));
  }
  Expression Choice(std::span<const Expression> parts);
  Expression Choice(std::initializer_list<Expression> parts) {
    return Choice(std::span(parts.begin(), parts.size()));
  }
  // max: kUnbounded or at least min.
  Expression Repeat(Expression part, uint32_t min, uint32_t max);
  Expression Optional(Expression part) { return Repeat(part, 0, 1); }
  Expression Call(Rule rule);

  // A rule still to be defined. `name` is for messages.
  Rule AddRule(std::string name);
  // REQUIRES: not defined yet.
  void Define(Rule rule, Expression body);
  Rule AddRule(std::string name, Expression body);
  bool IsDefined(Rule rule) const { return rules_[rule].body != kUndefined; }
  // The first failure so far: Build will return it, so there is no use in going on.
  const Status& status() const { return failure_; }

  // kInvalidArgument for a rule that is used and not defined, for left recursion (a rule that begins with
  // itself), and for what Barren says; kUnsupported beyond a limit.
  Result<Grammar> Build(Rule root, Barren barren) &&;

 private:
  friend class GrammarCompiler;

  enum class Kind : uint8_t { kEmpty, kNothing, kLiteral, kClass, kSequence, kChoice, kRepeat, kCall };
  struct Node {
    Kind kind;
    uint16_t depth = 0;  // of expressions inside each other
    uint32_t first =
        0;           // literal: in bytes_; class: set; sequence, choice: in parts_; repeat: part; call: rule
    uint32_t n = 0;  // of bytes or parts
    uint32_t min = 0;
    uint32_t max = 0;
  };
  struct RuleEntry {
    std::string name;
    Expression body;
  };
  static constexpr Expression kEmpty = 0;
  static constexpr Expression kNothing = 1;
  static constexpr Expression kUndefined = ~Expression{0};
  // A compiler that recurses this deep needs some 200 KB of stack.
  static constexpr size_t kMaxDepth = 1000;
  static constexpr size_t kMaxExpressions = 1u << 21;

  Expression Add(Node node);
  Expression AddParts(Kind kind, std::span<const Expression> parts);

  std::vector<Node> nodes_;
  std::vector<Expression> parts_;
  std::string bytes_;
  std::vector<CodePointSet> sets_;
  std::vector<RuleEntry> rules_;
  Status failure_;  // the first
};

}  // namespace pith
