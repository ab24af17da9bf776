// The NEON table (AArch64 with dot product, ARMv8.2).
#include "kernels/tables.h"

#include "kernels/lanes_neon.h"

#include "kernels/float_kernels.h"  // needs the lanes above

namespace pith {
namespace {

// 16 accumulators, 4 registers of weights, 4 of codes; at six rows all 32 registers would be taken.
struct TileLimits {
  static constexpr size_t kPanels = 1;
  static constexpr size_t RowsOf(size_t) { return 4; }
  struct Scratch {};
  static size_t PanelsOf(size_t, size_t) { return 1; }
};

}  // namespace
}  // namespace pith

#include "kernels/tiled_matmul.h"  // needs TileLimits

namespace pith {
namespace {

// One group of four columns, which lies in 32-bit lane `kLane` of each register of codes.
template <int kLane, size_t T>
PITH_INLINE void Step(const int8_t* w, const int8x16_t (&codes)[T], int32x4_t (&acc)[T][4]) {
  PITH_UNROLL
  for (size_t i = 0; i < 4; ++i) {
    const int8x16_t weights = vld1q_s8(w + 16 * i);
    PITH_UNROLL
    for (size_t t = 0; t < T; ++t) acc[t][i] = vdotq_laneq_s32(acc[t][i], weights, codes[t], kLane);
  }
}

template <size_t P, size_t kRows, size_t kTerms>
PITH_INLINE void Sums(const TileCall& c, I (&s)[P][kRows * kTerms]) {
  static_assert(P == 1);
  constexpr size_t T = kRows * kTerms;
  int32x4_t acc[T][4];
  PITH_UNROLL
  for (size_t t = 0; t < T; ++t) {
    PITH_UNROLL
    for (size_t i = 0; i < 4; ++i) acc[t][i] = vdupq_n_s32(0);
  }
  const int8_t* w = c.w;
  const int8_t* codes = c.codes;
  int8x16_t sixteen[T];
  size_t n = c.n_groups;
  for (; n >= 4; n -= 4) {
    PITH_UNROLL
    for (size_t t = 0; t < T; ++t) sixteen[t] = vld1q_s8(codes + t * c.code_stride);
    Step<0, T>(w, sixteen, acc);
    Step<1, T>(w + kPanelBytes, sixteen, acc);
    Step<2, T>(w + 2 * kPanelBytes, sixteen, acc);
    Step<3, T>(w + 3 * kPanelBytes, sixteen, acc);
    w += 4 * kPanelBytes;
    codes += 4 * kPanelDepth;
  }
  for (; n > 0; --n) {
    PITH_UNROLL
    for (size_t t = 0; t < T; ++t) {
      int32_t four;
      __builtin_memcpy(&four, codes + t * c.code_stride, sizeof(four));
      sixteen[t] = vreinterpretq_s8_s32(vdupq_n_s32(four));
    }
    Step<0, T>(w, sixteen, acc);
    w += kPanelBytes;
    codes += kPanelDepth;
  }
  PITH_UNROLL
  for (size_t t = 0; t < T; ++t) {
    PITH_UNROLL
    for (size_t i = 0; i < 4; ++i) s[0][t].q[i] = acc[t][i];
  }
}

}  // namespace

const Kernels kNeonKernels = {Isa::kNeon, QuantizeRows,  Matmul,  RmsNorm,     Rope,  AddTo,
                              Swiglu,     DequantizeRow, Softmax, Frequencies, Mix, MixLearn, Sigmoids, SumU32};

}  // namespace pith
