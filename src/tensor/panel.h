// PanelMatrix: an int8 matrix in the one packed layout that every kernel reads, in memory and in the model file.
//
// Rows are grouped in panels of 16, columns in groups of 4:
//   w[row, col] lies at byte ((row / 16) * (cols_padded / 4) + col / 4) * 64 + (row % 16) * 4 + col % 4
// so that 64 bytes are 16 rows x 4 columns: one 512-bit register, two of 256, four of 128. Rows are padded to
// 16 and columns to 4, with zeros. Values lie in [-127, 127]; -128 never occurs (numeric_contract.md section 3).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/aligned_buffer.h"

namespace pith {

inline constexpr size_t kPanelRows = 16;
inline constexpr size_t kPanelDepth = 4;
inline constexpr size_t kPanelBytes = kPanelRows * kPanelDepth;

constexpr size_t PanelCount(size_t rows) { return (rows + kPanelRows - 1) / kPanelRows; }
constexpr size_t PaddedDepth(size_t cols) { return RoundUp(cols, kPanelDepth); }
constexpr size_t PanelMatrixBytes(size_t rows, size_t cols) {
  return PanelCount(rows) * kPanelRows * PaddedDepth(cols);
}

// Borrows. value[row, col] = scale[row] * w[row, col], where w = plane or, with two planes, 128 * plane + low.
struct PanelMatrixView {
  size_t rows = 0;
  size_t cols = 0;
  size_t stride = 0;             // bytes from one panel to the next; PaddedDepth(cols) * 16 when stored alone
  const int8_t* plane = nullptr;  // n_panels() * stride bytes, 64-byte aligned
  const int8_t* low = nullptr;   // second plane of two-term keys and values, same layout; null for weights
  const float* scale = nullptr;  // [n_panels() * 16], padding 0; null means 1 for every row

  size_t n_panels() const { return PanelCount(rows); }
  const int8_t* panel(size_t p) const { return plane + p * stride; }
};

// Byte index of [row, col] in a matrix with this many columns.
constexpr size_t PanelIndex(size_t row, size_t col, size_t cols) {
  return (row / kPanelRows) * PaddedDepth(cols) * kPanelRows + col / kPanelDepth * kPanelBytes +
         row % kPanelRows * kPanelDepth + col % kPanelDepth;
}

}  // namespace pith
