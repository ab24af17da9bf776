// GrammarMatcher: runs a Grammar over bytes, from state to state of an automaton that is made as it is
// needed.
//
// What a text may go on with is a set of items: a state of a rule's automaton, and the stack of what comes
// after the rule. Stacks are shared as nodes of a graph: a node is the set of places (state, node) where a
// rule called at one place of the text returns to. Equal sets are one node and equal sets of items one state,
// so that a state is a number, steps are remembered in a table, and a loop of the grammar is a loop of
// numbers. A rule that ends with a call passes its own node on, so lists written as recursion need no stack.
//
// Ambiguity makes sets grow, never without bound: of more than kMaxStacks nodes, the others are dropped. What
// is left then is a part of the language - each text it allows is still in it, and each can still be ended.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "grammar/grammar.h"
#include "grammar/sequence_table.h"

namespace pith {

// Thread-compatible.
class GrammarMatcher {
 public:
  using StateId = uint32_t;
  static constexpr StateId kDead = 0;  // no text of the language begins so

  // Nodes that one step goes back to, and that a node returns to. Grammars of practice stay below ten.
  static constexpr size_t kMaxStacks = 512;
  // Memory for what is remembered, beyond what the present stacks themselves need.
  static constexpr size_t kMaxBytes = 32u << 20;

  // horizon: twins (Twin) go the same way for so many bytes.
  GrammarMatcher(std::shared_ptr<const Grammar> grammar, size_t horizon);

  StateId start() const { return start_; }

  // The state after one more byte.
  StateId Next(StateId state, uint8_t byte) {
    const StateId next = steps_[state * n_classes_ + grammar_->byte_class(byte)];
    return next != kUnknown ? next : Step(state, byte);
  }

  // The text is complete.
  bool MayEnd(StateId state) const { return may_end_[state]; }

  // A state that goes the same way as this one for `horizon` bytes; many states have the same twin.
  StateId Twin(StateId state);

  // Whether Collect is due. Until then ids stay what they are.
  bool IsFull() const { return n_bytes_ > max_bytes_; }

  // Forgets all states but those in `kept` and the start; gives them new ids. Afterwards IsFull is false.
  void Collect(std::span<StateId> kept);

 private:
  using Node = uint32_t;
  static constexpr StateId kUnknown = ~StateId{0};

  // A state of the grammar and a node: an item, or a place that a node returns to.
  static uint64_t Pair(Grammar::State state, Node node) { return uint64_t{state} << 32 | node; }
  static Grammar::State StateOf(uint64_t pair) { return static_cast<Grammar::State>(pair >> 32); }
  static Node NodeOf(uint64_t pair) { return static_cast<Node>(pair); }

  // An open hash table of numbers that is quick to empty.
  class NumberSet {
   public:
    NumberSet() : slots_(64, kNone) {}
    bool Insert(uint64_t number);  // whether it is new
    bool Contains(uint64_t number) const { return slots_[FindSlot(number)] == number; }
    void Clear();
    size_t size() const { return used_.size(); }

   private:
    static constexpr uint64_t kNone = ~uint64_t{0};
    size_t FindSlot(uint64_t number) const;
    std::vector<uint64_t> slots_;
    std::vector<uint64_t> used_;
  };

  void Restart();
  StateId Step(StateId state, uint8_t byte);
  StateId InternItems();
  Node InternNode(std::vector<uint64_t>& returns);
  uint64_t TwinOf(uint64_t pair) const;
  bool Admit(Node node);
  void Expand(Grammar::State state, Node node, bool returning);
  void CallRule(const Grammar::CallEdge& call, Node node);
  void EnterCalledRules();
  void CountMemory();

  std::shared_ptr<const Grammar> grammar_;
  size_t horizon_;
  size_t n_classes_;
  size_t max_bytes_ = kMaxBytes;
  size_t n_bytes_ = 0;

  SequenceTable nodes_;           // 0: what comes after the text, without returns
  std::vector<Node> node_twins_;  // by node
  SequenceTable states_;          // of items; 0 has none: kDead
  std::vector<bool> may_end_;     // by state
  std::vector<StateId> steps_;    // [state, byte class]
  std::vector<StateId> twins_;    // by state; kUnknown until asked for
  StateId start_ = kDead;

  // Of the step in progress.
  std::vector<uint64_t> items_;
  std::vector<uint64_t> todo_;
  NumberSet seen_;
  NumberSet nodes_seen_;
  std::vector<std::vector<uint64_t>> returns_;  // by rule: where the calls of this step return to
  std::vector<Grammar::Rule> called_;           // a heap, lowest first: rules with returns
};

}  // namespace pith
