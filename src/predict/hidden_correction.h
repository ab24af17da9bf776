// HiddenCorrection: each node of the tree learns, while a block is coded, how its decision depends on the model's hidden state:
// a logistic regression that starts from the model's own logit. docs/mixing.md section 4; the idea is that of dynamic
// evaluation (Krause et al. 2018, "Dynamic Evaluation of Neural Sequence Models") for the last layer alone, in another basis.
//
// Single-threaded. Everything is binary32 in a fixed order, so encoder and decoder agree on every machine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/aligned_buffer.h"
#include "kernels/kernels.h"

namespace pith {

class HiddenCorrection {
 public:
  // Of a tree of `depth` levels and states of `width` numbers; 0: the model has none, and nothing is corrected.
  // `kernels` must outlive it.
  HiddenCorrection(const Kernels& kernels, int depth, size_t width);

  HiddenCorrection Copy() const;
  static uint64_t MemoryBytes(int depth, size_t width);

  // The state that the next token is predicted from, [width]. Needs the kernels' float environment, as do the others.
  void BeginToken(std::span<const float> hidden);

  // What to add to the model's logit of a decision at `node` (decision_tree.h).
  float At(uint32_t node);

  // The decision asked about last came out as `bit`: the weights of the node that probably comes next, a kilobyte or more,
  // are asked for from memory.
  void PrefetchNext(int bit) const {
    const size_t node = 2 * size_t{node_} + static_cast<size_t>(bit);
    if (node >= uses_.size()) return;
    const float* const row = weights_.data() + node * stride_;
    for (size_t i = 0; i < stride_; i += kCacheLine / sizeof(float)) __builtin_prefetch(row + i, 1, 2);
  }

  // The outcome of the decision asked about last: 1 or 0 minus the probability that the corrected logit means.
  void Learn(float error);

 private:
  // Nodes below these, of large vocabularies, are seen too rarely.
  static constexpr size_t kMaxNodes = 8192;

  static size_t NodeCount(int depth);

  const Kernels& kernels_;
  size_t width_;
  size_t stride_;                  // width padded to 16; what is beyond the width stays 0
  AlignedBuffer<float> weights_;   // [nodes, stride]
  std::vector<uint32_t> uses_;     // [nodes]: decisions learned
  AlignedBuffer<float> squares_;   // [stride]: mean square of each number so far
  AlignedBuffer<float> direction_; // [stride]: the state, each number by its usual size, of length 1
  uint32_t n_tokens_ = 0;
  uint32_t node_ = 0;     // asked about last
  float* row_ = nullptr;  // of node_; null: it has none
};

}  // namespace pith
