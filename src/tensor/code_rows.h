// CodeRows: activations as integer codes, one or two int8 terms a value (numeric_contract.md section 4).
//
//   one term:  value = scale * c0,               c0 in [-127, 127]
//   two terms: value = scale * (128 * c0 + c1),  c0 in [-127, 127], c1 in [-64, 63], |128 c0 + c1| <= 16256
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/aligned_buffer.h"
#include "tensor/panel.h"

namespace pith {

inline constexpr int kMaxTerms = 2;
inline constexpr float kOneTermMax = 127.0f;
inline constexpr float kTwoTermMax = 16256.0f;  // 127 * 128

// Borrows. Term j of row t: codes + (t * terms + j) * stride, `cols` codes, then zeros up to `stride`.
struct CodeRowsView {
  size_t rows = 0;
  size_t cols = 0;
  int terms = 1;
  size_t stride = 0;      // bytes from one term row to the next; a multiple of 64, at least PaddedDepth(cols)
  int8_t* codes = nullptr;
  float* scale = nullptr;   // [rows]
  int32_t* sum = nullptr;   // [rows * terms]: sum of the codes of each term row (what unsigned products subtract)

  CodeRowsView Slice(size_t begin, size_t n) const {
    CodeRowsView v = *this;
    v.rows = n;
    v.codes = codes + begin * static_cast<size_t>(terms) * stride;
    v.scale = scale + begin;
    v.sum = sum + begin * static_cast<size_t>(terms);
    return v;
  }
};

// Owns the memory of a CodeRowsView of at most max_rows x max_cols with kMaxTerms terms.
class CodeRowsBuffer {
 public:
  CodeRowsBuffer() = default;
  CodeRowsBuffer(size_t max_rows, size_t max_cols)
      : stride_(RoundUp(max_cols, kCacheLine)),
        codes_(max_rows * kMaxTerms * stride_),
        scale_(max_rows),
        sum_(max_rows * kMaxTerms) {}

  // REQUIRES: rows and cols within the maxima given at construction.
  CodeRowsView View(size_t rows, size_t cols, int terms) {
    return {rows, cols, terms, RoundUp(cols, kCacheLine), codes_.data(), scale_.data(), sum_.data()};
  }

 private:
  size_t stride_ = 0;
  AlignedBuffer<int8_t> codes_;
  AlignedBuffer<float> scale_;
  AlignedBuffer<int32_t> sum_;
};

}  // namespace pith
