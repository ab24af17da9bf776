// Grammar: a context-free language over bytes, compiled to one small automaton a rule. GrammarMatcher runs
// it.
//
// A rule's automaton has edges for a byte, edges for a call of a rule (taken by all that the rule derives),
// and empty edges; it ends in a final state without edges. Every state that can be reached can reach the end
// of the text: what derives nothing was cut away when the grammar was built (grammar_builder.h).
//
// Immutable: may be used in many threads at once.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace pith {

// Limits of a grammar, whatever it was made from. A state costs some 40 bytes, and some more while it is
// compiled.
inline constexpr size_t kMaxGrammarStates = 1u << 20;
inline constexpr size_t kMaxGrammarEdges = 1u << 22;
inline constexpr size_t kMaxGrammarRules = 1u << 17;
inline constexpr uint32_t kMaxRepetition = 1u << 17;  // a repetition up to n is a chain of n states

class Grammar {
 public:
  using State = uint32_t;
  using Rule = uint32_t;  // a rule begins only with calls of higher rules: no left recursion

  struct ByteEdge {
    State target;
    uint8_t low;
    uint8_t high;
  };
  struct CallEdge {
    State target;
    Rule rule;
    bool may_skip;  // the rule derives the empty text, and skipping it makes a difference
    bool is_tail;   // nothing but the end of the rule comes after it
  };

  Rule root() const { return root_; }
  size_t n_rules() const { return starts_.size(); }
  size_t n_states() const { return first_byte_edge_.size() - 1; }

  State start(Rule rule) const { return starts_[rule]; }
  bool derives_empty(Rule rule) const { return derives_empty_[rule]; }
  bool is_final(State state) const { return is_final_[state]; }
  std::span<const ByteEdge> byte_edges(State s) const { return Of(byte_edges_, first_byte_edge_, s); }
  std::span<const CallEdge> calls(State s) const { return Of(calls_, first_call_, s); }
  std::span<const State> empty_edges(State s) const { return Of(empty_edges_, first_empty_edge_, s); }

  // A state of the grammar's own, of no rule and without edges: the text is complete.
  State accept() const { return accept_; }

  // No edge tells apart bytes of one class.
  uint8_t byte_class(uint8_t byte) const { return byte_class_[byte]; }
  size_t n_byte_classes() const { return n_byte_classes_; }

  // In the midst of a long repetition the count makes no difference to the next few bytes. `twin` goes the
  // same way as the state for the next `n_bytes` bytes: many states share one twin, and so do the token masks
  // made for it.
  struct Twin {
    State state;
    uint32_t n_bytes;
  };
  // The state itself, for any number of bytes, where there is no better one.
  Twin twin(State state) const;
  bool has_twins() const { return !twins_.empty(); }

 private:
  friend class GrammarCompiler;
  struct TwinEntry {
    State of;
    Twin twin;
  };

  Grammar() = default;

  template <typename T>
  static std::span<const T> Of(const std::vector<T>& all, const std::vector<uint32_t>& first, State s) {
    return std::span<const T>(all).subspan(first[s], first[s + 1] - first[s]);
  }

  Rule root_ = 0;
  State accept_ = 0;
  std::vector<State> starts_;
  std::vector<bool> derives_empty_;
  std::vector<bool> is_final_;
  std::vector<ByteEdge> byte_edges_;
  std::vector<CallEdge> calls_;
  std::vector<State> empty_edges_;
  std::vector<uint32_t> first_byte_edge_;  // n_states + 1
  std::vector<uint32_t> first_call_;
  std::vector<uint32_t> first_empty_edge_;
  std::array<uint8_t, 256> byte_class_{};
  size_t n_byte_classes_ = 0;
  std::vector<TwinEntry> twins_;  // by ascending `of`
};

}  // namespace pith
