// The scalar table: numeric_contract.md as plain code, built without vectorisation.
#include "kernels/tables.h"

#include "kernels/lanes_scalar.h"

#include "kernels/float_kernels.h"  // needs the lanes above

namespace pith {
namespace {

// v of contract 5 for sixteen rows: one panel of one plane and the codes of one row of `a`.
void PanelProducts(const CodeRowsView& a, size_t t, const int8_t* panel, float v[kPanelRows]) {
  const size_t n_groups = (a.cols + kPanelDepth - 1) / kPanelDepth;
  const size_t terms = static_cast<size_t>(a.terms);
  for (size_t j = 0; j < terms; ++j) {
    const int8_t* codes = a.codes + (t * terms + j) * a.stride;
    int32_t s[kPanelRows] = {};
    for (size_t g = 0; g < n_groups; ++g) {
      for (size_t row = 0; row < kPanelRows; ++row) {
        for (size_t k = 0; k < kPanelDepth; ++k) {
          s[row] +=
              int32_t{panel[g * kPanelBytes + row * kPanelDepth + k]} * int32_t{codes[g * kPanelDepth + k]};
        }
      }
    }
    for (size_t row = 0; row < kPanelRows; ++row) {
      const float term = static_cast<float>(s[row]);
      v[row] = j == 0 ? term : v[row] * 128.0f + term;
    }
  }
}

void Matmul(const CodeRowsView& a, const PanelMatrixView& w, size_t panel_begin, size_t panel_end, float* out,
            size_t out_stride) {
  for (size_t p = panel_begin; p < panel_end; ++p) {
    for (size_t t = 0; t < a.rows; ++t) {
      float v[kPanelRows] = {};
      PanelProducts(a, t, w.plane + p * w.stride, v);
      if (w.low != nullptr) {
        float low[kPanelRows] = {};
        PanelProducts(a, t, w.low + p * w.stride, low);
        for (size_t row = 0; row < kPanelRows; ++row) v[row] = v[row] * 128.0f + low[row];
      }
      for (size_t row = 0; row < kPanelRows; ++row) {
        const float row_scale = w.scale == nullptr ? 1.0f : w.scale[p * kPanelRows + row];
        out[t * out_stride + p * kPanelRows + row] = v[row] * (row_scale * a.scale[t]);
      }
    }
  }
}

}  // namespace

const Kernels kScalarKernels = {Isa::kScalar, QuantizeRows,  Matmul,  RmsNorm,     Rope,  AddTo,
                                Swiglu,       DequantizeRow, Softmax, Frequencies, Mix, MixLearn, Sigmoids, SumU32};

}  // namespace pith
