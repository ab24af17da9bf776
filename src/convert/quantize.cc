#include "convert/quantize.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace pith {
namespace {

constexpr uint32_t kMagnitude = 0x7fffffff;
constexpr int32_t kInfinity = 0x7f800000;

// Largest magnitude as bits: for finite values their order is the order of the floats, NaN and infinity come
// above.
int32_t MaxMagnitude(std::span<const float> values) {
  int32_t m = 0;
  for (const float v : values) m = std::max(m, static_cast<int32_t>(std::bit_cast<uint32_t>(v) & kMagnitude));
  return m;
}

// A square of 4 x 4 groups of four codes is turned round in registers: 16 bytes at a time are read and written instead of 4.
// (Vector types of GCC and Clang; every x86-64 and AArch64 has registers of this size.)
constexpr size_t kSquare = 4;
using Groups = uint32_t __attribute__((vector_size(16)));

// to[i][j] = from[j][i] for groups i, j < 4; strides are bytes between rows.
void Transpose(const int8_t* from, size_t from_stride, int8_t* to, size_t to_stride) {
  Groups a, b, c, d;
  std::memcpy(&a, from, sizeof a);
  std::memcpy(&b, from + from_stride, sizeof b);
  std::memcpy(&c, from + 2 * from_stride, sizeof c);
  std::memcpy(&d, from + 3 * from_stride, sizeof d);
  const Groups ab_low = __builtin_shufflevector(a, b, 0, 4, 1, 5);
  const Groups cd_low = __builtin_shufflevector(c, d, 0, 4, 1, 5);
  const Groups ab_high = __builtin_shufflevector(a, b, 2, 6, 3, 7);
  const Groups cd_high = __builtin_shufflevector(c, d, 2, 6, 3, 7);
  a = __builtin_shufflevector(ab_low, cd_low, 0, 1, 4, 5);
  b = __builtin_shufflevector(ab_low, cd_low, 2, 3, 6, 7);
  c = __builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5);
  d = __builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7);
  std::memcpy(to, &a, sizeof a);
  std::memcpy(to + to_stride, &b, sizeof b);
  std::memcpy(to + 2 * to_stride, &c, sizeof c);
  std::memcpy(to + 3 * to_stride, &d, sizeof d);
}

}  // namespace

std::optional<size_t> FindNonFinite(std::span<const float> values) {
  if (MaxMagnitude(values) < kInfinity) return std::nullopt;
  for (size_t i = 0;; ++i) {
    if ((std::bit_cast<uint32_t>(values[i]) & kMagnitude) >= static_cast<uint32_t>(kInfinity)) return i;
  }
}

float QuantizeRow(std::span<const float> row, int8_t* codes) {
  const float m = std::bit_cast<float>(MaxMagnitude(row));
  if (m < kSmallestRowMax) {
    std::fill_n(codes, row.size(), int8_t{0});
    return 0;
  }
  const float scale = m / 127.0f;
  // Adding 1.5 * 2^23 rounds to an integer, ties to even, and leaves it in the low bits: |v / scale| <= 127
  // (1 + 2^-23).
  constexpr float kShift = 12582912.0f;
  for (size_t i = 0; i < row.size(); ++i) {
    codes[i] = static_cast<int8_t>(static_cast<uint8_t>(std::bit_cast<uint32_t>(row[i] / scale + kShift)));
  }
  return scale;
}

void PackPanel(const int8_t* rows, size_t n_rows, size_t cols, int8_t* panel) {
  const size_t whole = cols / kPanelDepth;
  if (n_rows < kPanelRows || cols % kPanelDepth != 0) std::memset(panel, 0, PaddedDepth(cols) * kPanelRows);
  // Group by group, so that the panel is written in order; 16 source rows are few enough to stay in the
  // cache.
  size_t g = 0;
  for (; n_rows == kPanelRows && g + kSquare <= whole; g += kSquare) {
    for (size_t r = 0; r < kPanelRows; r += kSquare) {
      Transpose(rows + r * cols + g * kPanelDepth, cols, panel + g * kPanelBytes + r * kPanelDepth, kPanelBytes);
    }
  }
  for (; g < whole; ++g) {
    for (size_t r = 0; r < n_rows; ++r) {
      std::memcpy(panel + g * kPanelBytes + r * kPanelDepth, rows + r * cols + g * kPanelDepth, kPanelDepth);
    }
  }
  for (size_t c = whole * kPanelDepth; c < cols; ++c) {
    for (size_t r = 0; r < n_rows; ++r) panel[PanelIndex(r, c, cols)] = rows[r * cols + c];
  }
}

void UnpackPanel(const int8_t* panel, size_t n_rows, size_t cols, int8_t* rows) {
  const size_t whole = cols / kPanelDepth;
  size_t g = 0;
  for (; n_rows == kPanelRows && g + kSquare <= whole; g += kSquare) {
    for (size_t r = 0; r < kPanelRows; r += kSquare) {
      Transpose(panel + g * kPanelBytes + r * kPanelDepth, kPanelBytes, rows + r * cols + g * kPanelDepth, cols);
    }
  }
  for (; g < whole; ++g) {
    for (size_t r = 0; r < n_rows; ++r) {
      std::memcpy(rows + r * cols + g * kPanelDepth, panel + g * kPanelBytes + r * kPanelDepth, kPanelDepth);
    }
  }
  for (size_t c = whole * kPanelDepth; c < cols; ++c) {
    for (size_t r = 0; r < n_rows; ++r) rows[r * cols + c] = panel[PanelIndex(r, c, cols)];
  }
}

const char* FindPanelFault(const int8_t* panel, size_t n_rows, size_t cols) {
  const size_t n_groups = PaddedDepth(cols) / kPanelDepth;
  unsigned forbidden = 0;
  for (size_t g = 0; g < n_groups; ++g) {
    const int8_t* group = panel + g * kPanelBytes;
    unsigned char found = 0;
    for (size_t i = 0; i < kPanelBytes; ++i) found |= static_cast<unsigned char>(group[i] == -128);
    forbidden |= found;
  }
  if (forbidden != 0) return "the code -128";
  int padding = 0;
  for (size_t g = 0; g < n_groups && n_rows < kPanelRows; ++g) {
    for (size_t i = n_rows * kPanelDepth; i < kPanelBytes; ++i) padding |= panel[g * kPanelBytes + i];
  }
  for (size_t c = cols; c < n_groups * kPanelDepth; ++c) {
    for (size_t r = 0; r < kPanelRows; ++r) padding |= panel[PanelIndex(r, c, cols)];
  }
  return padding != 0 ? "padding that is not 0" : nullptr;
}

}  // namespace pith
