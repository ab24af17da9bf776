#include "predict/decision_tree.h"

#include <bit>

#include "base/check.h"

namespace pith {

uint32_t SumFrequencies(const uint32_t* f, size_t n) {
  uint32_t sum = 0;
  for (size_t i = 0; i < n; ++i) sum += f[i];
  return sum;
}

DecisionTree::DecisionTree(uint32_t vocab, SumFunction sum)
    : vocab_(vocab), depth_(std::bit_width(vocab - 1)), sum_(sum) {
  PITH_CHECK(vocab >= 1 && depth_ <= kMaxTreeDepth);
}

void DecisionTree::Path(const uint32_t* f, uint32_t token, std::span<uint32_t> p1) const {
  PITH_CHECK(token < vocab_ && f[token] != 0 && p1.size() == static_cast<size_t>(depth_));
  // From the leaf up: the subtree that the token is in grows by its sibling at each level.
  uint32_t inside = f[token];
  for (int level = depth_ - 1; level >= 0; --level) {
    const uint32_t n = uint32_t{1} << (depth_ - 1 - level);  // ids below a child of this level's node
    const uint32_t begin = token & ~(n - 1);
    const uint32_t sibling = RangeSum(f, begin ^ n, n);
    const bool bit = (token & n) != 0;
    p1[static_cast<size_t>(level)] =
        bit ? DecisionProbability(sibling, inside) : DecisionProbability(inside, sibling);
    inside += sibling;
  }
}

Descent::Descent(const DecisionTree& tree, const uint32_t* f)
    : tree_(tree), f_(f), depth_(tree.depth()), total_(tree.RangeSum(f, 0, tree.vocab())) {}

bool Descent::NextDecision() {
  for (; level_ < depth_; ++level_) {
    const uint32_t n = uint32_t{1} << (depth_ - 1 - level_);
    const uint32_t first = (node_ << (depth_ - level_)) - (uint32_t{1} << depth_);
    ones_ = tree_.RangeSum(f_, first + n, n);
    p1_ = DecisionProbability(total_ - ones_, ones_);
    if (p1_ != kCertain) return true;
    node_ = 2 * node_ + (ones_ != 0 ? 1 : 0);  // the whole total lies on one side
  }
  return false;
}

void Descent::Take(int bit) {
  node_ = 2 * node_ + static_cast<uint32_t>(bit);
  total_ = bit != 0 ? ones_ : total_ - ones_;
  ++level_;
}

}  // namespace pith
