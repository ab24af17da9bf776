// From expressions to automata: Thompson's construction, then what derives nothing is cut away, and rules are
// put in an order in which each begins only with calls of later ones.
#include <algorithm>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "base/check.h"
#include "grammar/grammar_builder.h"

namespace pith {

class GrammarCompiler {
 public:
  explicit GrammarCompiler(GrammarBuilder builder) : builder_(std::move(builder)) {}

  Result<Grammar> Compile(GrammarBuilder::Rule root, GrammarBuilder::Barren barren) {
    PITH_RETURN_IF_ERROR(builder_.failure_);
    PITH_RETURN_IF_ERROR(CompileRules());
    accept_ = NewState(kNoRule);
    if (overflow_) return TooLarge();
    IndexByTarget();
    const std::vector<bool> derives_empty = ReachesEnd(/*through_bytes=*/false);
    derives_empty_.resize(rules_.size());
    for (size_t r = 0; r < rules_.size(); ++r) derives_empty_[r] = derives_empty[rules_[r].start];
    ResolveExits();
    PITH_RETURN_IF_ERROR(CutBarren(root, barren));
    CutUnreachable(root);
    PassOverEmptyRules(root);
    FindTails();
    PITH_RETURN_IF_ERROR(OrderRules(root));
    return Emit(root);
  }

 private:
  using State = Grammar::State;
  using Rule = Grammar::Rule;
  using Kind = GrammarBuilder::Kind;
  using Expression = GrammarBuilder::Expression;
  static constexpr Rule kNoRule = ~Rule{0};

  // A chain of repetitions gets a twin (grammar.h) from so many on: the longest token of Qwen3 has 128 bytes.
  static constexpr uint32_t kTwinFrom = 128;

  enum class EdgeKind : uint8_t {
    kCut,
    kByte,
    kEmpty,
    kCall,
    // A call in a chain of repetitions; never skipped, since then each state of the chain would lead to all
    // others.
    kIterate,
    // Leaves such a chain before its minimum: what is repeated may be empty. Becomes kEmpty or kCut.
    kExitIfEmpty,
  };
  struct Edge {
    State from;
    State target;
    Rule rule = kNoRule;
    EdgeKind kind;
    uint8_t low = 0;
    uint8_t high = 0;
  };
  struct RuleEntry {
    State start;
    State final;
    std::string name;
    bool is_part;  // made here, from a part of an expression
  };

  static Status TooLarge() {
    return Unsupported("grammar: more than " + std::to_string(kMaxGrammarStates) + " states or " +
                       std::to_string(kMaxGrammarEdges) + " edges");
  }

  State NewState(Rule rule) {
    if (rule_of_.size() >= kMaxGrammarStates) {
      overflow_ = true;
      return 0;
    }
    rule_of_.push_back(rule);
    return static_cast<State>(rule_of_.size() - 1);
  }
  void AddEdge(const Edge& edge) {
    if (edges_.size() >= kMaxGrammarEdges) {
      overflow_ = true;
    } else {
      edges_.push_back(edge);
    }
  }
  void AddEmpty(State from, State target) {
    AddEdge({.from = from, .target = target, .kind = EdgeKind::kEmpty});
  }

  Status CompileRules() {
    for (const auto& rule : builder_.rules_) {
      if (rule.body == GrammarBuilder::kUndefined)
        return InvalidArgument("grammar: rule \"" + rule.name + "\" is used, and not defined");
      AddRule(rule.name, rule.body, /*is_part=*/false);
    }
    // Grows while it runs: parts of expressions become rules.
    for (size_t r = 0; r < rules_.size() && !overflow_; ++r) {
      const auto rule = static_cast<Rule>(r);
      const State end = CompileExpression(bodies_[r], rules_[r].start, rule);
      AddEmpty(end, rules_[r].final);
    }
    return overflow_ ? TooLarge() : OkStatus();
  }

  Rule AddRule(std::string name, Expression body, bool is_part) {
    const auto rule = static_cast<Rule>(rules_.size());
    const State start = NewState(rule);
    const State final = NewState(rule);
    rules_.push_back({start, final, std::move(name), is_part});
    bodies_.push_back(body);
    return rule;
  }

  // Adds the automaton of an expression that begins in `from`; returns the state where it ends. Adds no edge
  // into `from`, so that alternatives may share it.
  State CompileExpression(Expression expression, State from, Rule rule) {
    if (overflow_) return from;
    const GrammarBuilder::Node node = builder_.nodes_[expression];
    switch (node.kind) {
      case Kind::kEmpty:
        return from;
      case Kind::kNothing:
        return NewState(rule);  // no edge leads there
      case Kind::kLiteral:
        for (uint32_t i = 0; i < node.n; ++i) {
          const auto byte = static_cast<uint8_t>(builder_.bytes_[node.first + i]);
          const State next = NewState(rule);
          AddEdge({.from = from, .target = next, .kind = EdgeKind::kByte, .low = byte, .high = byte});
          from = next;
        }
        return from;
      case Kind::kClass: {
        const State end = NewState(rule);
        CompileClass(builder_.sets_[node.first], from, end, rule);
        return end;
      }
      case Kind::kSequence:
        for (uint32_t i = 0; i < node.n; ++i)
          from = CompileExpression(builder_.parts_[node.first + i], from, rule);
        return from;
      case Kind::kChoice: {
        const State end = NewState(rule);
        for (uint32_t i = 0; i < node.n; ++i)
          AddEmpty(CompileExpression(builder_.parts_[node.first + i], from, rule), end);
        return end;
      }
      case Kind::kCall: {
        const State end = NewState(rule);
        AddEdge({.from = from, .target = end, .rule = node.first, .kind = EdgeKind::kCall});
        return end;
      }
      case Kind::kRepeat:
        return CompileRepeat(node, from, rule);
    }
    return from;
  }

  void CompileClass(const CodePointSet& set, State from, State end, Rule rule) {
    std::map<std::string, State> shared;  // the state before these last bytes
    for (const Utf8Sequence& sequence : Utf8Sequences(set)) {
      State target = end;
      std::string suffix;
      for (size_t i = sequence.n_bytes; i-- > 1;) {
        suffix += static_cast<char>(sequence.bytes[i].low);
        suffix += static_cast<char>(sequence.bytes[i].high);
        const auto [place, is_new] = shared.emplace(suffix, 0);
        if (is_new) {
          place->second = NewState(rule);
          AddEdge({.from = place->second,
                   .target = target,
                   .kind = EdgeKind::kByte,
                   .low = sequence.bytes[i].low,
                   .high = sequence.bytes[i].high});
        }
        target = place->second;
      }
      AddEdge({.from = from,
               .target = target,
               .kind = EdgeKind::kByte,
               .low = sequence.bytes[0].low,
               .high = sequence.bytes[0].high});
    }
  }

  State CompileRepeat(const GrammarBuilder::Node& node, State from, Rule rule) {
    constexpr uint32_t kUnbounded = GrammarBuilder::kUnbounded;
    if (node.min <= 1 && node.max == kUnbounded) return CompileLoop(node.first, from, node.min == 0, rule);
    if (node.max == 1) {
      const State end = NewState(rule);
      AddEmpty(CompileExpression(node.first, from, rule), end);
      AddEmpty(from, end);
      return end;
    }
    // A chain: state i has seen i repetitions. What is repeated is a rule, so that it is there once.
    const GrammarBuilder::Node& part = builder_.nodes_[node.first];
    const Rule repeated =
        part.kind == Kind::kCall ? part.first : AddRule(rules_[rule].name, node.first, /*is_part=*/true);
    const auto iterate = [&](State a, State b) {
      AddEdge({.from = a, .target = b, .rule = repeated, .kind = EdgeKind::kIterate});
    };
    const State end = NewState(rule);
    const State first = NewState(rule);
    AddEmpty(from, first);
    State at = first;
    const uint32_t length = node.max == kUnbounded ? node.min : node.max;
    // Where the count is far from the maximum, this loop goes the same way as the chain.
    State loop = 0;
    if (node.max != kUnbounded && node.max - node.min >= kTwinFrom) {
      loop = NewState(rule);
      iterate(loop, loop);
      AddEmpty(loop, end);
    }
    for (uint32_t i = 0; i < length && !overflow_; ++i) {
      if (i < node.min) {
        AddEdge({.from = at, .target = end, .rule = repeated, .kind = EdgeKind::kExitIfEmpty});
        // All states that are far from the minimum (and thus the maximum) are alike.
        if (node.min >= kTwinFrom && i > 0) AddTwin(at, first, node.min - i - 1);
      } else {
        AddEmpty(at, end);
        if (loop != 0) AddTwin(at, loop, node.max - i);
      }
      const State next = NewState(rule);
      iterate(at, next);
      at = next;
    }
    AddEmpty(at, end);
    if (node.max == kUnbounded) iterate(at, at);
    return end;
  }

  State CompileLoop(Expression part, State from, bool may_be_empty, Rule rule) {
    const State loop = NewState(rule);
    AddEmpty(from, loop);
    const State end = CompileExpression(part, loop, rule);
    AddEmpty(end, loop);
    if (may_be_empty) {
      const State out = NewState(rule);
      AddEmpty(loop, out);
      return out;
    }
    const State out = NewState(rule);
    AddEmpty(end, out);
    return out;
  }

  void AddTwin(State of, State twin, uint32_t n_bytes) { twins_.push_back({of, {twin, n_bytes}}); }

  // edges_ by target, as places in by_target_.
  void IndexByTarget() {
    first_to_.assign(rule_of_.size() + 1, 0);
    for (const Edge& edge : edges_) ++first_to_[edge.target + 1];
    for (size_t s = 0; s < rule_of_.size(); ++s) first_to_[s + 1] += first_to_[s];
    by_target_.resize(edges_.size());
    std::vector<uint32_t> next(first_to_.begin(), first_to_.end() - 1);
    for (size_t e = 0; e < edges_.size(); ++e)
      by_target_[next[edges_[e].target]++] = static_cast<uint32_t>(e);
  }

  // The states from which the end of their rule can be reached: by bytes and calls of rules whose end can be
  // reached, or without any byte.
  std::vector<bool> ReachesEnd(bool through_bytes) const {
    std::vector<bool> reaches(rule_of_.size(), false);
    std::vector<bool> rule_reaches(rules_.size(), false);
    std::vector<std::vector<State>> waiting(rules_.size());  // until the rule reaches its end
    std::vector<State> todo;
    const auto mark = [&](State s) {
      if (reaches[s]) return;
      reaches[s] = true;
      todo.push_back(s);
    };
    for (const RuleEntry& rule : rules_) mark(rule.final);
    while (!todo.empty()) {
      const State state = todo.back();
      todo.pop_back();
      const Rule own = rule_of_[state];
      if (own != kNoRule && rules_[own].start == state && !rule_reaches[own]) {
        rule_reaches[own] = true;
        for (const State s : waiting[own]) mark(s);
      }
      for (uint32_t i = first_to_[state]; i < first_to_[state + 1]; ++i) {
        const Edge& edge = edges_[by_target_[i]];
        switch (edge.kind) {
          case EdgeKind::kCut:
            break;
          case EdgeKind::kEmpty:
            mark(edge.from);
            break;
          case EdgeKind::kByte:
            if (through_bytes) mark(edge.from);
            break;
          case EdgeKind::kIterate:
            if (!through_bytes) break;
            [[fallthrough]];
          case EdgeKind::kCall:
          case EdgeKind::kExitIfEmpty:
            if (rule_reaches[edge.rule]) {
              mark(edge.from);
            } else {
              waiting[edge.rule].push_back(edge.from);
            }
            break;
        }
      }
    }
    return reaches;
  }

  void ResolveExits() {
    for (Edge& edge : edges_) {
      if (edge.kind == EdgeKind::kExitIfEmpty)
        edge.kind = derives_empty_[edge.rule] ? EdgeKind::kEmpty : EdgeKind::kCut;
    }
  }

  Status CutBarren(Rule root, GrammarBuilder::Barren barren) {
    const std::vector<bool> reaches = ReachesEnd(/*through_bytes=*/true);
    for (size_t r = 0; r < rules_.size(); ++r) {
      if (reaches[rules_[r].start] || rules_[r].is_part) continue;
      if (r == root || barren == GrammarBuilder::Barren::kRefuse) {
        return InvalidArgument("grammar: rule \"" + rules_[r].name + "\" " +
                               std::string(GrammarBuilder::kDerivesNothing) +
                               ", expected at least one (does it always come to itself again?)");
      }
    }
    for (Edge& edge : edges_) {
      const bool calls = edge.kind == EdgeKind::kCall || edge.kind == EdgeKind::kIterate;
      if (!reaches[edge.from] || !reaches[edge.target] || (calls && !reaches[rules_[edge.rule].start]))
        edge.kind = EdgeKind::kCut;
    }
    return OkStatus();
  }

  // edges_ without the cut ones, by state that they leave.
  void SortByFrom() {
    std::erase_if(edges_, [](const Edge& e) { return e.kind == EdgeKind::kCut; });
    // By all that edges differ in, so that the order does not depend on the library's sort.
    std::sort(edges_.begin(), edges_.end(), [](const Edge& a, const Edge& b) {
      return std::tie(a.from, a.target, a.rule, a.kind, a.low, a.high) <
             std::tie(b.from, b.target, b.rule, b.kind, b.low, b.high);
    });
    first_from_.assign(rule_of_.size() + 1, 0);
    for (const Edge& edge : edges_) ++first_from_[edge.from + 1];
    for (size_t s = 0; s < rule_of_.size(); ++s) first_from_[s + 1] += first_from_[s];
  }
  std::span<const Edge> EdgesFrom(State s) const {
    return std::span<const Edge>(edges_).subspan(first_from_[s], first_from_[s + 1] - first_from_[s]);
  }
  static bool IsCall(const Edge& edge) {
    return edge.kind == EdgeKind::kCall || edge.kind == EdgeKind::kIterate;
  }

  void CutUnreachable(Rule root) {
    SortByFrom();
    std::vector<bool> reached(rule_of_.size(), false);
    std::vector<State> todo;
    const auto mark = [&](State s) {
      if (reached[s]) return;
      reached[s] = true;
      todo.push_back(s);
    };
    std::vector<State> twin_of(rule_of_.size(),
                               0);  // twins have no edge into them; no twin is state 0, a start
    for (const auto& [of, twin] : twins_) twin_of[of] = twin.state;
    mark(rules_[root].start);
    while (!todo.empty()) {
      const State state = todo.back();
      todo.pop_back();
      if (twin_of[state] != 0) mark(twin_of[state]);
      for (const Edge& edge : EdgesFrom(state)) {
        mark(edge.target);
        if (IsCall(edge)) mark(rules_[edge.rule].start);
      }
    }
    for (Edge& edge : edges_) {
      if (!reached[edge.from]) edge.kind = EdgeKind::kCut;
    }
    std::erase_if(twins_, [&](const Grammar::TwinEntry& e) { return !reached[e.of]; });
    SortByFrom();
    reached_ = std::move(reached);
  }

  // Calls of rules that derive nothing but the empty text become empty edges: each call that is left leads to
  // a byte, which the limits of GrammarMatcher rest on.
  void PassOverEmptyRules(Rule root) {
    std::vector<std::vector<Rule>> callers(rules_.size());
    std::vector<bool> has_bytes(rules_.size(), false);
    std::vector<Rule> todo;
    const auto mark = [&](Rule r) {
      if (has_bytes[r]) return;
      has_bytes[r] = true;
      todo.push_back(r);
    };
    for (const Edge& edge : edges_) {
      if (IsCall(edge)) callers[edge.rule].push_back(rule_of_[edge.from]);
      if (edge.kind == EdgeKind::kByte) mark(rule_of_[edge.from]);
    }
    while (!todo.empty()) {
      const Rule rule = todo.back();
      todo.pop_back();
      for (const Rule caller : callers[rule]) mark(caller);
    }
    for (Edge& edge : edges_) {
      if (IsCall(edge) && !has_bytes[edge.rule]) edge.kind = EdgeKind::kEmpty;
    }
    called_ = std::move(has_bytes);
    called_[root] = true;
  }

  // tails_: the states from which empty edges lead only to the end of the rule.
  void FindTails() {
    tails_.assign(rule_of_.size(), true);
    std::vector<std::vector<State>> before(rule_of_.size());
    std::vector<State> todo;
    const auto mark = [&](State s) {
      if (!tails_[s]) return;
      tails_[s] = false;
      todo.push_back(s);
    };
    for (const Edge& edge : edges_) {
      if (edge.kind == EdgeKind::kEmpty) {
        before[edge.target].push_back(edge.from);
      } else {
        mark(edge.from);
      }
    }
    while (!todo.empty()) {
      const State state = todo.back();
      todo.pop_back();
      for (const State s : before[state]) mark(s);
    }
  }

  // The rules that `rule` may begin with.
  std::vector<Rule> FirstCalls(Rule rule, std::vector<uint32_t>& seen, uint32_t mark) const {
    std::vector<Rule> rules;
    std::vector<State> todo = {rules_[rule].start};
    seen[todo[0]] = mark;
    const auto visit = [&](State s) {
      if (seen[s] == mark) return;
      seen[s] = mark;
      todo.push_back(s);
    };
    while (!todo.empty()) {
      const State state = todo.back();
      todo.pop_back();
      for (const Edge& edge : EdgesFrom(state)) {
        if (edge.kind == EdgeKind::kEmpty) visit(edge.target);
        if (!IsCall(edge)) continue;
        rules.push_back(edge.rule);
        if (edge.kind == EdgeKind::kCall && derives_empty_[edge.rule]) visit(edge.target);
      }
    }
    std::sort(rules.begin(), rules.end());
    rules.erase(std::unique(rules.begin(), rules.end()), rules.end());
    return rules;
  }

  // order_: the called rules, each before those that it may begin with.
  Status OrderRules(Rule root) {
    enum class Color : uint8_t { kWhite, kGrey, kBlack };
    struct Level {
      Rule rule;
      std::vector<Rule> calls;
      size_t next = 0;
    };
    std::vector<Color> colors(rules_.size(), Color::kWhite);
    std::vector<uint32_t> seen(rule_of_.size(), 0);
    std::vector<Level> path;
    uint32_t n_opened = 0;
    const auto open = [&](Rule rule) {
      colors[rule] = Color::kGrey;
      path.push_back({rule, FirstCalls(rule, seen, ++n_opened)});
    };
    for (size_t first = 0; first < rules_.size(); ++first) {
      const auto start = static_cast<Rule>(first);
      if (!IsInUse(start, root) || colors[start] != Color::kWhite) continue;
      open(start);
      while (!path.empty()) {
        Level& level = path.back();
        if (level.next == level.calls.size()) {
          colors[level.rule] = Color::kBlack;
          order_.push_back(level.rule);
          path.pop_back();
          continue;
        }
        const Rule called = level.calls[level.next++];
        if (colors[called] == Color::kGrey) {
          std::string names;
          bool in_cycle = false;
          for (const Level& l : path) {
            in_cycle = in_cycle || l.rule == called;
            if (in_cycle && !rules_[l.rule].is_part) names += "\"" + rules_[l.rule].name + "\" -> ";
          }
          return InvalidArgument("grammar: left recursion: " + names + "\"" + rules_[called].name +
                                 "\"; expected that a rule takes a byte before it comes to itself again");
        }
        if (colors[called] == Color::kWhite) open(called);
      }
    }
    std::reverse(order_.begin(), order_.end());
    return OkStatus();
  }

  bool IsInUse(Rule rule, Rule root) const {
    return rule == root || (called_[rule] && reached_[rules_[rule].start]);
  }

  Grammar Emit(Rule root) {
    Grammar g;
    std::vector<Rule> new_ids(rules_.size(), kNoRule);
    for (const Rule rule : order_) {
      new_ids[rule] = static_cast<Rule>(g.starts_.size());
      g.starts_.push_back(rules_[rule].start);
      g.derives_empty_.push_back(derives_empty_[rule]);
    }
    g.root_ = new_ids[root];
    g.accept_ = accept_;
    const size_t n_states = rule_of_.size();
    g.is_final_.resize(n_states);
    for (const RuleEntry& rule : rules_) g.is_final_[rule.final] = true;
    std::array<bool, 257> begins_class{};
    const auto end_state = [&] {
      g.first_byte_edge_.push_back(static_cast<uint32_t>(g.byte_edges_.size()));
      g.first_call_.push_back(static_cast<uint32_t>(g.calls_.size()));
      g.first_empty_edge_.push_back(static_cast<uint32_t>(g.empty_edges_.size()));
    };
    SortByFrom();
    end_state();
    for (size_t s = 0; s < n_states; ++s) {
      for (const Edge& edge : EdgesFrom(static_cast<State>(s))) {
        if (edge.kind == EdgeKind::kByte) {
          g.byte_edges_.push_back({edge.target, edge.low, edge.high});
          begins_class[edge.low] = true;
          begins_class[edge.high + 1u] = true;
        } else if (edge.kind == EdgeKind::kEmpty) {
          g.empty_edges_.push_back(edge.target);
        } else {
          const bool skips = edge.kind == EdgeKind::kCall && derives_empty_[edge.rule];
          g.calls_.push_back({edge.target, new_ids[edge.rule], skips, tails_[edge.target]});
        }
      }
      end_state();
    }
    uint8_t byte_class = 0;
    for (size_t b = 0; b < 256; ++b) {
      if (b > 0 && begins_class[b]) ++byte_class;
      g.byte_class_[b] = byte_class;
    }
    g.n_byte_classes_ = byte_class + size_t{1};
    g.twins_ = std::move(twins_);
    std::sort(g.twins_.begin(), g.twins_.end(),
              [](const Grammar::TwinEntry& a, const Grammar::TwinEntry& b) { return a.of < b.of; });
    return g;
  }

  GrammarBuilder builder_;
  bool overflow_ = false;
  std::vector<Rule> rule_of_;  // by state
  std::vector<Edge> edges_;
  std::vector<RuleEntry> rules_;
  std::vector<Expression> bodies_;  // by rule
  std::vector<Grammar::TwinEntry> twins_;
  State accept_ = 0;
  std::vector<uint32_t> first_to_, by_target_, first_from_;
  std::vector<bool> derives_empty_;  // by rule
  std::vector<bool> reached_;        // by state, from the root
  std::vector<bool> called_;         // by rule: some call of it is left
  std::vector<bool> tails_;          // by state
  std::vector<Rule> order_;
};

Result<Grammar> GrammarBuilder::Build(Rule root, Barren barren) && {
  PITH_CHECK(root < rules_.size());
  return GrammarCompiler(std::move(*this)).Compile(root, barren);
}

Grammar::Twin Grammar::twin(State state) const {
  const auto at = std::lower_bound(twins_.begin(), twins_.end(), state,
                                   [](const TwinEntry& e, State s) { return e.of < s; });
  if (at == twins_.end() || at->of != state) return {state, ~uint32_t{0}};
  return at->twin;
}

}  // namespace pith
