// The AVX-512 table (F, BW, VL, DQ, VNNI).
#include "kernels/tables.h"

#include "kernels/lanes_avx512.h"

#include "kernels/float_kernels.h"  // needs the lanes above

namespace pith {
namespace {

// 2 panels x 12 term rows: 24 accumulators, 2 registers of weights, 1 of codes, 1 constant.
// 4 panels x 6 term rows, and 1 panel x 24, likewise.
struct TileLimits {
  static constexpr size_t kPanels = 4;
  struct Scratch {};
  static constexpr size_t RowsOf(size_t panels) { return panels == 1 ? 24 : panels == 2 ? 12 : 6; }
  // The keys of one head have few columns and lie in cache: with few rows, four panels at once keep the
  // multipliers busy and make tiles that are worth their call. Other matrices with few rows are bound by
  // memory, and one panel at a time is one sequential stream: the fastest way to read.
  static constexpr size_t kShortGroups = 64;
  static size_t PanelsOf(size_t term_rows, size_t n_groups) {
    if (term_rows <= 6 && n_groups <= kShortGroups) return 4;
    return term_rows <= 4 || (term_rows > 12 && term_rows <= 24) ? 1 : 2;
  }
};

}  // namespace
}  // namespace pith

#include "kernels/tiled_matmul.h"  // needs TileLimits

namespace pith {
namespace {

using Codes = __m512i;
PITH_INLINE Codes Repeat(int32_t four) { return _mm512_set1_epi32(four); }
PITH_INLINE I LoadUnsigned(const int8_t* w) {
  return {_mm512_xor_si512(_mm512_loadu_si512(w), _mm512_set1_epi8(-128))};
}
// Not the intrinsic: GCC 12 copies and spills the accumulators of a large tile around it (half the speed).
PITH_INLINE void DotAdd(I& acc, I weights, Codes codes) {
  asm("vpdpbusd %2, %1, %0" : "+v"(acc.v) : "v"(weights.v), "v"(codes));
}

}  // namespace
}  // namespace pith

#include "kernels/vnni_sums.h"  // needs DotAdd and its operands

namespace pith {

const Kernels kAvx512Kernels = {Isa::kAvx512, QuantizeRows,  Matmul,  RmsNorm,     Rope,  AddTo,
                                Swiglu,       DequantizeRow, Softmax, Frequencies, Mix, MixLearn, Sigmoids, SumU32};

}  // namespace pith
