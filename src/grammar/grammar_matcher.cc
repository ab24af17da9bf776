#include "grammar/grammar_matcher.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "base/check.h"

namespace pith {

bool GrammarMatcher::NumberSet::Insert(uint64_t number) {
  const size_t slot = FindSlot(number);
  if (slots_[slot] == number) return false;
  slots_[slot] = number;
  used_.push_back(number);
  if (used_.size() * 2 > slots_.size()) {
    slots_.assign(slots_.size() * 2, kNone);
    for (const uint64_t n : used_) slots_[FindSlot(n)] = n;
  }
  return true;
}

void GrammarMatcher::NumberSet::Clear() {
  // Backwards, since a number's slot may lie behind those of earlier ones.
  for (size_t i = used_.size(); i-- > 0;) slots_[FindSlot(used_[i])] = kNone;
  used_.clear();
}

size_t GrammarMatcher::NumberSet::FindSlot(uint64_t number) const {
  const size_t mask = slots_.size() - 1;
  size_t i = static_cast<size_t>((number * 0x9e3779b97f4a7c15u) >> 20) & mask;
  while (slots_[i] != kNone && slots_[i] != number) i = (i + 1) & mask;
  return i;
}

GrammarMatcher::GrammarMatcher(std::shared_ptr<const Grammar> grammar, size_t horizon)
    : grammar_(std::move(grammar)),
      horizon_(horizon),
      n_classes_(grammar_->n_byte_classes()),
      returns_(grammar_->n_rules()) {
  Restart();
}

// Makes tables that know the dead state and the start.
void GrammarMatcher::Restart() {
  nodes_.Clear();
  node_twins_.clear();
  states_.Clear();
  may_end_.clear();
  steps_.clear();
  twins_.clear();
  items_.clear();
  PITH_CHECK(InternItems() == kDead);
  std::vector<uint64_t> none;
  const Node bottom = InternNode(none);
  if (grammar_->derives_empty(grammar_->root())) items_.push_back(Pair(grammar_->accept(), bottom));
  CallRule({.target = grammar_->accept(), .rule = grammar_->root(), .may_skip = false, .is_tail = false},
           bottom);
  EnterCalledRules();
  start_ = InternItems();
}

// Ends a step: its items become a state.
GrammarMatcher::StateId GrammarMatcher::InternItems() {
  std::sort(items_.begin(), items_.end());
  const StateId id = states_.Intern(items_);
  if (id == may_end_.size()) {
    const auto accept = std::lower_bound(items_.begin(), items_.end(), Pair(grammar_->accept(), 0));
    may_end_.push_back(accept != items_.end() && StateOf(*accept) == grammar_->accept());
    steps_.resize(steps_.size() + n_classes_, id == kDead ? kDead : kUnknown);
    twins_.push_back(id == kDead ? kDead : kUnknown);
    CountMemory();
  }
  items_.clear();
  seen_.Clear();
  nodes_seen_.Clear();
  return id;
}

void GrammarMatcher::CountMemory() {
  n_bytes_ = nodes_.n_bytes() + states_.n_bytes() + steps_.size() * sizeof(StateId);
}

uint64_t GrammarMatcher::TwinOf(uint64_t pair) const {
  const Grammar::Twin twin = grammar_->twin(StateOf(pair));
  const Node node = node_twins_[NodeOf(pair)];
  return Pair(twin.n_bytes >= horizon_ ? twin.state : StateOf(pair), node);
}

// Sorts `returns`, and makes a node of them.
GrammarMatcher::Node GrammarMatcher::InternNode(std::vector<uint64_t>& returns) {
  std::sort(returns.begin(), returns.end());
  returns.erase(std::unique(returns.begin(), returns.end()), returns.end());
  if (returns.size() > kMaxStacks) {
    NumberSet parents;
    std::erase_if(returns, [&](uint64_t pair) {
      if (parents.size() < kMaxStacks) parents.Insert(NodeOf(pair));
      return !parents.Contains(NodeOf(pair));
    });
  }
  const Node node = nodes_.Intern(returns);
  if (node != node_twins_.size()) return node;
  node_twins_.push_back(node);
  if (grammar_->has_twins()) {
    std::vector<uint64_t> twins;
    for (const uint64_t pair : returns) twins.push_back(TwinOf(pair));
    // A twin is its own twin, so this goes one deep.
    const Node twin = twins == returns ? node : InternNode(twins);
    node_twins_[node] = twin;
  }
  return node;
}

void GrammarMatcher::CallRule(const Grammar::CallEdge& call, Node node) {
  std::vector<uint64_t>& returns = returns_[call.rule];
  const size_t n_before = returns.size();
  if (call.is_tail) {
    const std::span<const uint64_t> own = nodes_.At(node);
    returns.insert(returns.end(), own.begin(), own.end());
  } else {
    returns.push_back(Pair(call.target, node));
  }
  if (n_before != 0) return;
  called_.push_back(call.rule);
  std::push_heap(called_.begin(), called_.end(), std::greater<>());
}

// Whether a step may go back to the node. What is admitted leads to a byte or the end of the text: places
// that nodes return to do, else the call would have been a tail. So the first node admitted is enough for the
// text to go on.
bool GrammarMatcher::Admit(Node node) {
  if (nodes_seen_.size() >= kMaxStacks) return nodes_seen_.Contains(node);
  nodes_seen_.Insert(node);
  return true;
}

// Adds all items that the state leads to without a byte. returning: its rule has taken bytes since it was
// called, so that it may return; for one just called, the caller has dealt with deriving nothing.
void GrammarMatcher::Expand(Grammar::State first_state, Node first_node, bool returning) {
  const auto visit = [&](uint64_t pair) {
    if (seen_.Insert(pair)) todo_.push_back(pair);
  };
  visit(Pair(first_state, first_node));
  while (!todo_.empty()) {
    const uint64_t pair = todo_.back();
    todo_.pop_back();
    const Grammar::State state = StateOf(pair);
    const Node node = NodeOf(pair);
    if (!grammar_->byte_edges(state).empty() || state == grammar_->accept()) items_.push_back(pair);
    for (const Grammar::State target : grammar_->empty_edges(state)) visit(Pair(target, node));
    for (const Grammar::CallEdge& call : grammar_->calls(state)) {
      CallRule(call, node);
      if (call.may_skip) visit(Pair(call.target, node));
    }
    if (!returning || !grammar_->is_final(state)) continue;
    for (const uint64_t place : nodes_.At(node)) {
      if (Admit(NodeOf(place))) visit(place);
    }
  }
}

// Rules begin only with calls of higher rules: when the lowest is entered, all its returns are known.
void GrammarMatcher::EnterCalledRules() {
  while (!called_.empty()) {
    std::pop_heap(called_.begin(), called_.end(), std::greater<>());
    const Grammar::Rule rule = called_.back();
    called_.pop_back();
    const Node node = InternNode(returns_[rule]);
    returns_[rule].clear();
    Expand(grammar_->start(rule), node, /*returning=*/false);
  }
}

GrammarMatcher::StateId GrammarMatcher::Step(StateId state, uint8_t byte) {
  for (const uint64_t item : states_.At(state)) {
    for (const Grammar::ByteEdge& edge : grammar_->byte_edges(StateOf(item))) {
      if (byte >= edge.low && byte <= edge.high && Admit(NodeOf(item)))
        Expand(edge.target, NodeOf(item), /*returning=*/true);
    }
  }
  EnterCalledRules();
  const StateId next = InternItems();
  steps_[state * n_classes_ + grammar_->byte_class(byte)] = next;
  return next;
}

GrammarMatcher::StateId GrammarMatcher::Twin(StateId state) {
  if (!grammar_->has_twins()) return state;
  if (twins_[state] != kUnknown) return twins_[state];
  for (const uint64_t item : states_.At(state)) items_.push_back(TwinOf(item));
  std::sort(items_.begin(), items_.end());
  items_.erase(std::unique(items_.begin(), items_.end()), items_.end());
  const StateId twin = InternItems();
  twins_[state] = twin;
  return twin;
}

void GrammarMatcher::Collect(std::span<StateId> kept) {
  std::vector<std::vector<uint64_t>> kept_items;
  std::vector<bool> is_kept(nodes_.size(), false);
  for (const StateId state : kept) {
    const std::span<const uint64_t> items = states_.At(state);
    kept_items.emplace_back(items.begin(), items.end());
    for (const uint64_t item : items) is_kept[NodeOf(item)] = true;
  }
  // A node's returns are older than the node.
  for (size_t node = nodes_.size(); node-- > 0;) {
    if (!is_kept[node]) continue;
    for (const uint64_t place : nodes_.At(static_cast<Node>(node))) is_kept[NodeOf(place)] = true;
  }
  const SequenceTable old_nodes = std::move(nodes_);
  Restart();
  std::vector<Node> new_ids(old_nodes.size(), 0);
  const auto renew = [&](std::vector<uint64_t>& pairs) {
    for (uint64_t& pair : pairs) pair = Pair(StateOf(pair), new_ids[NodeOf(pair)]);
  };
  for (size_t node = 0; node < old_nodes.size(); ++node) {
    if (!is_kept[node]) continue;
    const std::span<const uint64_t> old = old_nodes.At(static_cast<Node>(node));
    std::vector<uint64_t> returns(old.begin(), old.end());
    renew(returns);
    new_ids[node] = InternNode(returns);
  }
  for (size_t i = 0; i < kept.size(); ++i) {
    renew(kept_items[i]);
    items_ = std::move(kept_items[i]);
    kept[i] = InternItems();
  }
  CountMemory();
  // What deep stacks need by themselves must not make every step collect.
  max_bytes_ = std::max(kMaxBytes, 2 * n_bytes_);
}

}  // namespace pith
