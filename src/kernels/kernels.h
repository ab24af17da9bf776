// The arithmetic of docs/numeric_contract.md as pure functions on memory, one table per instruction set.
//
// The scalar table is the definition; every other table gives the same bits, for any split of the work.
// All functions are thread-safe. They must run in the float environment of contract section 1
// (ThreadPool and ScopedFloatEnvironment set it). Pointers need the alignment of their element type only,
// unless stated. "padded" buffers may be read and written up to the next multiple of 16 elements.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/cpu.h"
#include "tensor/code_rows.h"
#include "tensor/panel.h"

namespace pith {

inline constexpr size_t kLanes = 16;                   // virtual lanes of a lane sum (contract 1)
inline constexpr uint32_t kFrequencyScale = 1u << 30;  // contract 8

struct Kernels {
  Isa isa;

  // Contract 4. Codes of x[rows, cols] (row t at x + t * x_stride) into `out`, whose rows, cols, terms and
  // stride are set; fills codes (zeros from cols to stride), scale and sum. False when a value is not finite;
  // what `out` holds then is unspecified.
  bool (*quantize_rows)(const float* x, size_t x_stride, const CodeRowsView& out);

  // Contract 5. out[t * out_stride + row] for each row of `a` and the rows of panels [panel_begin, panel_end)
  // of `w`, padding rows included (they become 0 because their scale and codes are 0).
  // REQUIRES: a.cols == w.cols; codes beyond cols up to PaddedDepth(cols) are 0; a.sum is their sum.
  void (*matmul)(const CodeRowsView& a, const PanelMatrixView& w, size_t panel_begin, size_t panel_end,
                 float* out, size_t out_stride);

  // Contract 6. out may be x. n need not be a multiple of 16; nothing beyond n is read or written.
  void (*rms_norm)(const float* x, const float* weight, size_t n, float eps, float* out);

  // Contract 6, one head: x[head_dim] in place, cosine and sine [head_dim / 2]. head_dim is even, any size.
  void (*rope)(float* x, const float* cosine, const float* sine, size_t head_dim);

  // x[i] = x[i] + y[i].
  void (*add)(float* x, const float* y, size_t n);

  // out[i] = (gate[i] * Sigmoid(gate[i])) * up[i]. out may be gate.
  void (*swiglu)(const float* gate, const float* up, size_t n, float* out);

  // Contract 3: out[i] = float(code[i]) * scale for row `row` of `w` (an embedding).
  void (*dequantize_row)(const PanelMatrixView& w, size_t row, float* out);

  // Contract 6, attention: scores row[n], n a multiple of 16, row[j] belongs to lane j mod 16. Element j is
  // visible when j < n_first or begin <= j < end; n_first <= 16; at least one is visible. Visible elements
  // become Exp(row[j] - max) * value_scale[j], the others 0. Returns the lane sum of Exp(row[j] - max) over
  // the visible ones.
  float (*softmax)(float* row, size_t n_first, size_t begin, size_t end, size_t n, const float* value_scale);

  // Contract 8: frequencies f[n_vocab] of logits[n_vocab] (both padded to 16; logits are overwritten).
  // Ids in `excluded` (n_excluded pairs [begin, end), ascending, disjoint) get frequency 0, padding too.
  // False when a logit that counts is not finite, or when none counts.
  bool (*frequencies)(float* logits, size_t n_vocab, const uint32_t (*excluded)[2], size_t n_excluded,
                      uint32_t* f);

  // docs/mixing.md section 5. out[k] = lane sum of w[k][i] * x[i] over i < n, for k < n_w. n is a multiple of 16.
  void (*mix)(const float* const* w, size_t n_w, const float* x, size_t n, float* out);

  // w[k][i] = w[k][i] + step[k] * x[i] for i < n, k ascending (rows may be the same memory). n is a multiple of 16.
  void (*mix_learn)(float* const* w, const float* step, size_t n_w, const float* x, size_t n);

  // x[i] = Sigmoid(x[i]), sixteen of them.
  void (*sigmoid)(float* x);

  // Sum of f[0..n), which the caller knows to lie below 2^32.
  uint32_t (*sum_u32)(const uint32_t* f, size_t n);
};

// The table of an available set (base/cpu.h).
// REQUIRES: `isa` is in AvailableIsas().
const Kernels& KernelsFor(Isa isa);

}  // namespace pith
