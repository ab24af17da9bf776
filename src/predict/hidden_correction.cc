#include "predict/hidden_correction.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "predict/logistic.h"

namespace pith {
namespace {

constexpr size_t kPadding = 16;  // what kernels work in
constexpr float kFirstRate = 2.0f;
constexpr float kLastRate = 0.3f;
constexpr float kLeastSquare = 0.001f;  // of a number that the model hardly uses

}  // namespace

size_t HiddenCorrection::NodeCount(int depth) { return std::min(kMaxNodes, size_t{1} << depth); }

uint64_t HiddenCorrection::MemoryBytes(int depth, size_t width) {
  if (width == 0) return 0;
  const uint64_t stride = RoundUp(width, kPadding);
  return NodeCount(depth) * (stride * sizeof(float) + sizeof(uint32_t)) + 2 * stride * sizeof(float);
}

HiddenCorrection::HiddenCorrection(const Kernels& kernels, int depth, size_t width)
    : kernels_(kernels), width_(width), stride_(RoundUp(width, kPadding)) {
  if (width == 0) return;
  weights_ = AlignedBuffer<float>(NodeCount(depth) * stride_);
  uses_.resize(NodeCount(depth));
  squares_ = AlignedBuffer<float>(stride_);
  direction_ = AlignedBuffer<float>(stride_);
}

HiddenCorrection HiddenCorrection::Copy() const {
  HiddenCorrection copy(kernels_, 0, 0);
  copy.width_ = width_;
  copy.stride_ = stride_;
  copy.weights_ = weights_.Copy();
  copy.uses_ = uses_;
  copy.squares_ = squares_.Copy();
  copy.direction_ = direction_.Copy();
  copy.n_tokens_ = n_tokens_;
  return copy;
}

void HiddenCorrection::BeginToken(std::span<const float> hidden) {
  PITH_CHECK(hidden.size() == width_);
  if (width_ == 0) return;
  ++n_tokens_;
  const auto n = static_cast<float>(n_tokens_);
  float* const squares = squares_.data();
  float* const direction = direction_.data();
  for (size_t i = 0; i < width_; ++i) {
    squares[i] = squares[i] + (hidden[i] * hidden[i] - squares[i]) / n;
    direction[i] = hidden[i] / std::sqrt(squares[i] + kLeastSquare);
  }
  float length = 0;
  kernels_.mix(&direction, 1, direction, stride_, &length);
  const float scale = 1.0f / std::sqrt(length + 1e-9f);
  for (size_t i = 0; i < width_; ++i) direction[i] = direction[i] * scale;
}

float HiddenCorrection::At(uint32_t node) {
  node_ = node;
  row_ = nullptr;
  if (node >= uses_.size()) return 0;
  row_ = weights_.data() + node * stride_;
  float sum = 0;
  kernels_.mix(&row_, 1, direction_.data(), stride_, &sum);
  return sum;
}

void HiddenCorrection::Learn(float error) {
  if (row_ == nullptr) return;
  const float step = error * FallingRate(kFirstRate, kLastRate, uses_[node_]);
  kernels_.mix_learn(&row_, &step, 1, direction_.data(), stride_);
  ++uses_[node_];
}

}  // namespace pith
