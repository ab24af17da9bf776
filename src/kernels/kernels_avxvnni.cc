// The AVX-VNNI table: AVX2 and vpdpbusd on its registers (Intel from Alder Lake on, AMD from Zen 5 on). The products are
// those of AVX-512 in half the width; all else is AVX2's.
#include "kernels/tables.h"

#include "kernels/lanes_avx2.h"

#include "kernels/float_kernels.h"  // needs the lanes above

namespace pith {
namespace {

// 6 term rows: 12 accumulators, 2 registers of weights, 1 of codes, 1 constant.
struct TileLimits {
  static constexpr size_t kPanels = 1;
  static constexpr size_t RowsOf(size_t) { return 6; }
  struct Scratch {};
  static size_t PanelsOf(size_t, size_t) { return 1; }
};

}  // namespace
}  // namespace pith

#include "kernels/tiled_matmul.h"  // needs TileLimits

namespace pith {
namespace {

using Codes = __m256i;
PITH_INLINE Codes Repeat(int32_t four) { return _mm256_set1_epi32(four); }
PITH_INLINE I LoadUnsigned(const int8_t* w) {
  const __m256i flip = _mm256_set1_epi8(-128);
  return {_mm256_xor_si256(_mm256_loadu_si256(Vector(w)), flip),
          _mm256_xor_si256(_mm256_loadu_si256(Vector(w + 32)), flip)};
}
// {vex}: without it assemblers take the encoding of AVX-512.
PITH_INLINE void DotAdd(I& acc, I weights, Codes codes) {
  asm("%{vex%} vpdpbusd %2, %1, %0" : "+x"(acc.a) : "x"(weights.a), "x"(codes));
  asm("%{vex%} vpdpbusd %2, %1, %0" : "+x"(acc.b) : "x"(weights.b), "x"(codes));
}

}  // namespace
}  // namespace pith

#include "kernels/vnni_sums.h"  // needs DotAdd and its operands

namespace pith {

const Kernels kAvxVnniKernels = {Isa::kAvxVnni, QuantizeRows,  Matmul,  RmsNorm,     Rope,  AddTo,
                                 Swiglu,        DequantizeRow, Softmax, Frequencies, Mix, MixLearn, Sigmoids, SumU32};

}  // namespace pith
