// DecisionTree: a token as binary decisions, each with an integer probability (numeric_contract.md section
// 8).
//
// The tree is complete, over the bits of the id, highest first: depth = ceil(log2 vocab). Nodes are numbered
// as in a heap: the root is 1, the children of n are 2n (bit 0) and 2n + 1 (bit 1), a leaf is 2^depth + id.
// Frequencies are f[vocab], their total below 2^31 and above 0; ids from vocab on count 0.
//
// A probability is that of bit 1 in units of 2^-32; kCertain stands for a decision with only one possible
// outcome, which is not coded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace pith {

inline constexpr uint32_t kCertain = 0;
inline constexpr int kMaxTreeDepth = 20;  // vocab is at most 2^20

// P(bit = 1) of a decision between subtrees of total frequency a (bit 0) and b (bit 1).
// REQUIRES: a + b < 2^31.
constexpr uint32_t DecisionProbability(uint32_t a, uint32_t b) {
  if (a == 0 || b == 0) return kCertain;
  // In [2, 2^32 - 2], so the contract's clamp never acts.
  return static_cast<uint32_t>((uint64_t{b} << 32) / (uint64_t{a} + b));
}

// Sum of f[0..n), plainly; Kernels::sum_u32 is the fast one.
uint32_t SumFrequencies(const uint32_t* f, size_t n);

class DecisionTree {
 public:
  using SumFunction = uint32_t (*)(const uint32_t* f, size_t n);

  // REQUIRES: 1 <= vocab <= 2^20.
  explicit DecisionTree(uint32_t vocab, SumFunction sum = SumFrequencies);

  uint32_t vocab() const { return vocab_; }
  int depth() const { return depth_; }

  // Encoder: the probabilities of the decisions on the way to `token`, p1[depth()], from the root down. Each
  // frequency but the token's own is added once. REQUIRES: token < vocab(), f[token] > 0.
  void Path(const uint32_t* f, uint32_t token, std::span<uint32_t> p1) const;

  // Total frequency of ids [begin, begin + n), of which those from vocab() on count 0.
  uint32_t RangeSum(const uint32_t* f, uint32_t begin, uint32_t n) const {
    if (begin >= vocab_) return 0;
    return sum_(f + begin, n < vocab_ - begin ? n : vocab_ - begin);
  }

 private:
  uint32_t vocab_;
  int depth_;
  SumFunction sum_;
};

// Decoder: walks from the root to a token, one decision at a time.
//
//   Descent descent(tree, f);
//   while (descent.NextDecision()) descent.Take(decoder.Decode(descent.p1()));
//   token = descent.token();
class Descent {
 public:
  // Borrows both.
  Descent(const DecisionTree& tree, const uint32_t* f);

  // Passes over certain decisions. True: p1() waits for its outcome; false: a leaf is reached.
  bool NextDecision();
  uint32_t p1() const { return p1_; }
  int level() const { return level_; }     // 0 at the root
  uint32_t node() const { return node_; }  // heap number of the node that decides
  // REQUIRES: NextDecision() was true and nothing was taken since.
  void Take(int bit);

  // REQUIRES: NextDecision() was false.
  uint32_t token() const { return node_ - (uint32_t{1} << depth_); }

 private:
  const DecisionTree& tree_;
  const uint32_t* f_;
  int depth_;
  int level_ = 0;
  uint32_t node_ = 1;
  uint32_t total_ = 0;  // below node_
  uint32_t ones_ = 0;   // below its child of bit 1
  uint32_t p1_ = kCertain;
};

}  // namespace pith
