#include "model/rope.h"

#include "model/exact_math.h"

namespace pith {

RopeTable::RopeTable(size_t head_dim, double theta) {
  const double log_theta = Log64(theta);
  for (size_t i = 0; i < head_dim / 2; ++i) {
    frequency_.push_back(Exp64(-(static_cast<double>(2 * i) / static_cast<double>(head_dim)) * log_theta));
  }
  for (size_t b = 0; b < kBlock; ++b) AppendRow(fine_, b);
}

void RopeTable::AppendRow(std::vector<Pair>& rows, size_t position) const {
  for (const double f : frequency_) {
    const SinCos sc = SinCos64(static_cast<double>(position) * f);
    rows.push_back({sc.cosine, sc.sine});
  }
}

void RopeTable::Reserve(size_t n_positions) {
  const size_t n = (n_positions + kBlock - 1) / kBlock;
  for (size_t a = coarse_.size() / frequency_.size(); a < n; ++a) AppendRow(coarse_, a * kBlock);
}

void RopeTable::Fill(size_t position, float* cosine, float* sine) const {
  const size_t n = frequency_.size();
  const Pair* coarse = coarse_.data() + position / kBlock * n;
  const Pair* fine = fine_.data() + position % kBlock * n;
  for (size_t i = 0; i < n; ++i) {
    cosine[i] = static_cast<float>(coarse[i].cosine * fine[i].cosine - coarse[i].sine * fine[i].sine);
    sine[i] = static_cast<float>(coarse[i].sine * fine[i].cosine + coarse[i].cosine * fine[i].sine);
  }
}

}  // namespace pith
