#include "grammar/grammar_builder.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace pith {

GrammarBuilder::GrammarBuilder() {
  nodes_.push_back({.kind = Kind::kEmpty});
  nodes_.push_back({.kind = Kind::kNothing});
}

GrammarBuilder::Expression GrammarBuilder::Add(Node node) {
  if (nodes_.size() >= kMaxExpressions || node.depth > kMaxDepth) {
    if (failure_.ok()) {
      failure_ = node.depth > kMaxDepth
                     ? Unsupported("grammar: expressions nested deeper than " + std::to_string(kMaxDepth))
                     : Unsupported("grammar: more than " + std::to_string(kMaxExpressions) + " expressions");
    }
    return kNothing;
  }
  nodes_.push_back(node);
  return static_cast<Expression>(nodes_.size() - 1);
}

GrammarBuilder::Expression GrammarBuilder::Literal(std::string_view bytes) {
  if (bytes.empty()) return kEmpty;
  const size_t first = bytes_.size();
  if (bytes.size() > kMaxGrammarStates - std::min<size_t>(first, kMaxGrammarStates)) {
    if (failure_.ok())
      failure_ =
          Unsupported("grammar: literals of more than " + std::to_string(kMaxGrammarStates) + " bytes");
    return kNothing;
  }
  bytes_ += bytes;
  return Add({.kind = Kind::kLiteral,
              .first = static_cast<uint32_t>(first),
              .n = static_cast<uint32_t>(bytes.size())});
}

GrammarBuilder::Expression GrammarBuilder::Class(CodePointSet set) {
  if (set.empty()) return kNothing;
  sets_.push_back(std::move(set));
  return Add({.kind = Kind::kClass, .first = static_cast<uint32_t>(sets_.size() - 1)});
}

GrammarBuilder::Expression GrammarBuilder::AddParts(Kind kind, std::span<const Expression> parts) {
  Node node{
      .kind = kind, .first = static_cast<uint32_t>(parts_.size()), .n = static_cast<uint32_t>(parts.size())};
  for (const Expression part : parts) {
    node.depth = std::max(node.depth, static_cast<uint16_t>(nodes_[part].depth + 1));
    parts_.push_back(part);
  }
  return Add(node);
}

GrammarBuilder::Expression GrammarBuilder::Sequence(std::span<const Expression> parts) {
  std::vector<Expression> kept;
  for (const Expression part : parts) {
    if (part == kNothing) return kNothing;
    if (part != kEmpty) kept.push_back(part);
  }
  if (kept.empty()) return kEmpty;
  return kept.size() == 1 ? kept[0] : AddParts(Kind::kSequence, kept);
}

GrammarBuilder::Expression GrammarBuilder::Choice(std::span<const Expression> parts) {
  std::vector<Expression> kept;
  for (const Expression part : parts) {
    if (part != kNothing) kept.push_back(part);
  }
  if (kept.empty()) return kNothing;
  return kept.size() == 1 ? kept[0] : AddParts(Kind::kChoice, kept);
}

GrammarBuilder::Expression GrammarBuilder::Repeat(Expression part, uint32_t min, uint32_t max) {
  PITH_CHECK(min <= max);
  if (max == 0 || part == kEmpty) return kEmpty;
  if (part == kNothing) return min == 0 ? kEmpty : kNothing;
  if (min == 1 && max == 1) return part;
  const uint32_t longest = max == kUnbounded ? min : max;
  if (longest > kMaxRepetition) {
    if (failure_.ok()) {
      failure_ = Unsupported("grammar: a repetition of " + std::to_string(longest) + ", expected at most " +
                             std::to_string(kMaxRepetition));
    }
    return kNothing;
  }
  const auto depth = static_cast<uint16_t>(nodes_[part].depth + 1);
  return Add({.kind = Kind::kRepeat, .depth = depth, .first = part, .min = min, .max = max});
}

GrammarBuilder::Expression GrammarBuilder::Call(Rule rule) {
  return Add({.kind = Kind::kCall, .first = rule});
}

GrammarBuilder::Rule GrammarBuilder::AddRule(std::string name) {
  if (rules_.size() >= kMaxGrammarRules && failure_.ok())
    failure_ = Unsupported("grammar: more than " + std::to_string(kMaxGrammarRules) + " rules");
  rules_.push_back({std::move(name), kUndefined});
  return static_cast<Rule>(rules_.size() - 1);
}

void GrammarBuilder::Define(Rule rule, Expression body) {
  PITH_CHECK(!IsDefined(rule));
  rules_[rule].body = body;
}

GrammarBuilder::Rule GrammarBuilder::AddRule(std::string name, Expression body) {
  const Rule rule = AddRule(std::move(name));
  Define(rule, body);
  return rule;
}

}  // namespace pith
