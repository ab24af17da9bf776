#include "grammar/grammar_constraint.h"

#include <algorithm>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/check.h"
#include "grammar/grammar_matcher.h"

namespace pith {
namespace {

class GrammarConstraint : public TokenConstraint {
 public:
  GrammarConstraint(std::shared_ptr<const Grammar> grammar, std::shared_ptr<const TokenTrie> trie)
      : matcher_(std::move(grammar), trie->max_token_bytes()),
        trie_(std::move(trie)),
        state_(matcher_.start()) {}

  void Reset() override { state_ = matcher_.start(); }

  void Mask(std::span<uint64_t> allowed) override {
    PITH_CHECK(allowed.size() == trie_->n_mask_words());
    if (matcher_.IsFull()) Collect({});
    StateId state = matcher_.Twin(state_);
    const auto found = masks_.find(state);
    if (found != masks_.end()) {
      std::ranges::copy(found->second, allowed.begin());
      return;
    }
    if (LoopsOnPlainText(state)) {
      std::ranges::copy(trie_->plain_tokens(), allowed.begin());
      Walk(trie_->nodes_without_plain(), state, allowed);
    } else {
      std::ranges::fill(allowed, 0);
      Walk(trie_->nodes(), state, allowed);
    }
    if ((masks_.size() + 1) * allowed.size_bytes() > kMaxMaskCacheBytes) masks_.clear();
    masks_.emplace(state, std::vector<uint64_t>(allowed.begin(), allowed.end()));
  }

  bool MayEnd() const override { return matcher_.MayEnd(state_); }

  Status Accept(TokenId id) override {
    const ByteSpan bytes = trie_->TokenBytes(id);
    if (bytes.empty()) {
      return InvalidArgument("constrained output: token " + std::to_string(id) +
                             " stands for no text, expected a data token");
    }
    if (matcher_.IsFull()) Collect({});
    StateId state = state_;
    for (const uint8_t byte : bytes) state = matcher_.Next(state, byte);
    if (state == GrammarMatcher::kDead) {
      return InvalidArgument("constrained output: token " + std::to_string(id) +
                             " breaks the grammar, expected one of the mask");
    }
    state_ = state;
    return OkStatus();
  }

 private:
  using StateId = GrammarMatcher::StateId;

  // Ids change: those in `path`, too, stay valid.
  void Collect(std::span<StateId> path) {
    std::vector<StateId> kept(path.begin(), path.end());
    kept.push_back(state_);
    matcher_.Collect(kept);
    std::copy(kept.begin(), kept.end() - 1, path.begin());
    state_ = kept.back();
    masks_.clear();
  }

  // Sets the bits of the tokens of `nodes` that may come next. `state` gets a new id when states are
  // collected.
  void Walk(std::span<const TokenTrie::Node> nodes, StateId& state, std::span<uint64_t> allowed) {
    path_.resize(trie_->max_token_bytes() + 1);  // [depth]: the state before the byte
    path_[0] = state;
    for (size_t i = 0; i < nodes.size();) {
      const TokenTrie::Node node = nodes[i];
      const StateId next = matcher_.Next(path_[node.depth], node.byte);
      if (next == GrammarMatcher::kDead) {
        i = node.end;
        continue;
      }
      path_[node.depth + size_t{1}] = next;
      if (node.token != TokenTrie::kNoToken) allowed[node.token / 64] |= uint64_t{1} << node.token % 64;
      if (matcher_.IsFull()) [[unlikely]]
        Collect(std::span(path_).first(node.depth + size_t{2}));
      ++i;
    }
    state = path_[0];
  }

  // Whether every plain character (token_trie.h) leads from the state back to it: then every plain token is
  // allowed.
  bool LoopsOnPlainText(StateId state) {
    std::set<std::pair<StateId, int>> known;  // a state and a number of bytes of UTF-8 that lead from it back
    // Whether all bytes low .. high, each with n_more bytes after it, lead back.
    const auto leads_back = [&](auto&& self, StateId from, int low, int high, int n_more) -> bool {
      for (int b = low; b <= high; ++b) {
        const StateId next = matcher_.Next(from, static_cast<uint8_t>(b));
        if (n_more == 0 ? next != state : next == GrammarMatcher::kDead) return false;
        if (n_more == 0 || known.contains({next, n_more})) continue;
        // After these the next byte has a range of its own (Unicode, table 3-7).
        int first = 0x80;
        int last = 0xbf;
        if (n_more == 2 && b == 0xe0) first = 0xa0;
        if (n_more == 2 && b == 0xed) last = 0x9f;
        if (n_more == 3 && b == 0xf0) first = 0x90;
        if (n_more == 3 && b == 0xf4) last = 0x8f;
        if (!self(self, next, first, last, n_more - 1)) return false;
        if (first == 0x80 && last == 0xbf) known.insert({next, n_more});
      }
      return true;
    };
    if (matcher_.Next(state, 'a') != state) return false;
    return leads_back(leads_back, state, ' ', '!', 0) && leads_back(leads_back, state, '#', '[', 0) &&
           leads_back(leads_back, state, ']', '~', 0) && leads_back(leads_back, state, 0xc2, 0xdf, 1) &&
           leads_back(leads_back, state, 0xe0, 0xef, 2) && leads_back(leads_back, state, 0xf0, 0xf4, 3);
  }

  GrammarMatcher matcher_;
  std::shared_ptr<const TokenTrie> trie_;
  StateId state_;
  std::vector<StateId> path_;
  std::unordered_map<StateId, std::vector<uint64_t>> masks_;  // by twin
};

}  // namespace

std::unique_ptr<TokenConstraint> MakeGrammarConstraint(std::shared_ptr<const Grammar> grammar,
                                                       std::shared_ptr<const TokenTrie> trie) {
  return std::make_unique<GrammarConstraint>(std::move(grammar), std::move(trie));
}

}  // namespace pith
