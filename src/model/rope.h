// RopeTable: cosines and sines of rotary position embedding, in double until the last step.
#pragma once

#include <cstddef>
#include <vector>

namespace pith {

// Angle of pair i at position p: p * theta^(-2i / head_dim). With p = 256 a + b, the cosine and sine come from those of
// 256 a and of b by the addition theorem, so that memory stays small for streams of any length.
// Thread-compatible: Reserve changes the table, Fill only reads it.
class RopeTable {
 public:
  RopeTable(size_t head_dim, double theta);

  // Prepares positions [0, n_positions). Fast when they are prepared already.
  void Reserve(size_t n_positions);
  size_t n_positions() const { return coarse_.size() / frequency_.size() * kBlock; }  // that are prepared

  // cosine, sine [head_dim / 2] of a position that Reserve has prepared.
  void Fill(size_t position, float* cosine, float* sine) const;

 private:
  static constexpr size_t kBlock = 256;
  struct Pair {
    double cosine;
    double sine;
  };
  void AppendRow(std::vector<Pair>& rows, size_t position) const;

  std::vector<double> frequency_;  // [head_dim / 2]
  std::vector<Pair> fine_;         // [kBlock, head_dim / 2]: angles of b
  std::vector<Pair> coarse_;       // [a, head_dim / 2]: angles of 256 a
};

}  // namespace pith
