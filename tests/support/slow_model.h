// Test support: a model of random weights, and the forward pass of numeric_contract.md written a second time, plainly.
//
// SlowForward shares no code with src/model or src/kernels beyond the data structures: one token after another,
// one number after another, in the order that the document gives.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/aligned_buffer.h"
#include "model/weights.h"

namespace pith::testing {

struct SlowOptions {
  size_t window = 0;  // 0: all
  size_t n_sinks = 0;
};

struct SlowOutput {
  std::vector<float> logits;  // [vocab]
  std::vector<float> hidden;  // [hidden]
};

// What the model says after each token of one stream.
std::vector<SlowOutput> SlowForward(const ModelWeights& weights, const std::vector<TokenId>& tokens,
                                            const SlowOptions& options);

// Frequencies of contract section 8.
std::vector<uint32_t> SlowFrequencies(std::vector<float> logits, const std::vector<bool>& codable);

// Owns the memory of a model with random weights.
class RandomModel {
 public:
  // Weights of about the size that keeps activations near 1; `outliers` makes a few channels 30 times larger.
  RandomModel(const ModelConfig& config, const ActivationTerms& terms, uint32_t seed, bool outliers = false);
  const ModelWeights& weights() const { return weights_; }

 private:
  PanelMatrixView Matrix(size_t rows, size_t cols);
  const float* Norm(size_t n);
  float Normal();

  uint64_t state_;
  bool outliers_;
  ModelWeights weights_;
  std::vector<AlignedBuffer<int8_t>> planes_;
  std::vector<AlignedBuffer<float>> floats_;
};

// Small sizes none of which is a multiple of a vector.
ModelConfig OddConfig();
// The starter's proportions, smaller.
ModelConfig EvenConfig();

}  // namespace pith::testing
