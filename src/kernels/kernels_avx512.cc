// The AVX-512 table (F, BW, VL, DQ, VNNI).
//
// Products: vpdpbusd multiplies unsigned by signed bytes, so the weights go in as w + 128 (their top bit
// flipped) and 128 * sum of the codes comes off at the end. Sums wrap in 32 bits on the way; the result fits
// (contract 5).
#include "kernels/tables.h"

#include "kernels/lanes_avx512.h"

#include "kernels/float_kernels.h"  // needs the lanes above

namespace pith {
namespace {

// 2 panels x 12 term rows: 24 accumulators, 2 registers of weights, 1 of codes, 1 constant.
// 4 panels x 6 term rows, and 1 panel x 24, likewise.
struct TileLimits {
  static constexpr size_t kPanels = 4;
  static constexpr size_t kScratch = 1;
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

// acc + u[4] . s[4] per lane. Not the intrinsic: GCC 12 copies and spills the accumulators of a large tile
// around it (half the speed).
PITH_INLINE void DotAdd(__m512i& acc, __m512i u, __m512i s) {
  asm("vpdpbusd %2, %1, %0" : "+v"(acc) : "v"(u), "v"(s));
}

template <size_t P, size_t kRows, size_t kTerms>
PITH_INLINE void Sums(const TileCall& c, I (&s)[P][kRows * kTerms]) {
  constexpr size_t T = kRows * kTerms;
  // A product takes four cycles, so there must be four at once at least: small tiles split the columns.
  constexpr size_t kSplit = P * T >= 4 ? 1 : P * T == 1 ? 4 : 2;
  constexpr bool kPrefetch = P == 2;  // two streams: the hardware's own prefetch does not keep up
  // Many rows on one panel: the weights come slower than the hardware expects and its prefetch lags. 8 KiB ahead (Zen 5,
  // 16 rows, weights from memory): 0.86 of the peak; 4 KiB 0.76, 1.5 KiB 0.62, none 0.57, 12 and 16 KiB 0.85.
  constexpr bool kPrefetchNext = P == 1 && T > 8;
  constexpr ptrdiff_t kAheadBytes = 8192;
  const __m512i flip = _mm512_set1_epi8(-128);
  __m512i acc[kSplit][P][T];
  PITH_UNROLL
  for (size_t u = 0; u < kSplit; ++u) {
    PITH_UNROLL
    for (size_t p = 0; p < P; ++p) {
      PITH_UNROLL
      for (size_t t = 0; t < T; ++t) acc[u][p][t] = _mm512_setzero_si512();
    }
  }
  // Every fourth term row has a pointer, the others are offsets to it. The compiler must not see the
  // relation: it would make twelve pointers and spill.
  constexpr size_t kBases = (T + 3) / 4;
  const int8_t* base[kBases];
  PITH_UNROLL
  for (size_t b = 0; b < kBases; ++b) {
    base[b] = c.codes + 4 * b * c.code_stride;
    asm("" : "+r"(base[b]));
  }
  const int8_t* w = c.w;
  const int8_t* ahead = c.w_ahead;
  const auto step = [&](__m512i(&sums)[P][T]) __attribute__((always_inline)) {
    __m512i weights[P];
    PITH_UNROLL
    for (size_t p = 0; p < P; ++p) {
      if constexpr (kPrefetchNext) _mm_prefetch(reinterpret_cast<const char*>(w + kAheadBytes), _MM_HINT_T0);
      if constexpr (kPrefetch)
        _mm_prefetch(reinterpret_cast<const char*>(ahead + p * c.w_stride), _MM_HINT_T1);
      weights[p] = _mm512_xor_si512(_mm512_loadu_si512(w + p * c.w_stride), flip);
    }
    w += kPanelBytes;
    if constexpr (kPrefetch) ahead += c.ahead_step;
    PITH_UNROLL
    for (size_t t = 0; t < T; ++t) {
      int32_t four;
      __builtin_memcpy(&four, base[t / 4] + t % 4 * c.code_stride, sizeof(four));
      const __m512i codes = _mm512_set1_epi32(four);
      PITH_UNROLL
      for (size_t p = 0; p < P; ++p) DotAdd(sums[p][t], weights[p], codes);
    }
    PITH_UNROLL
    for (size_t b = 0; b < kBases; ++b) base[b] += kPanelDepth;
  };
  size_t n = c.n_groups;
  for (; n >= kSplit; n -= kSplit) {
    PITH_UNROLL
    for (size_t u = 0; u < kSplit; ++u) step(acc[u]);
  }
  if constexpr (kSplit > 1) {
    for (; n > 0; --n) step(acc[0]);
  }
  PITH_UNROLL
  for (size_t p = 0; p < P; ++p) {
    PITH_UNROLL
    for (size_t t = 0; t < T; ++t) {
      __m512i sum = acc[0][p][t];
      PITH_UNROLL
      for (size_t u = 1; u < kSplit; ++u) sum = _mm512_add_epi32(sum, acc[u][p][t]);
      s[p][t].v = _mm512_sub_epi32(sum, _mm512_slli_epi32(_mm512_set1_epi32(c.code_sum[t]), 7));
    }
  }
}

}  // namespace

const Kernels kAvx512Kernels = {Isa::kAvx512, QuantizeRows,  Matmul,  RmsNorm,     Rope,  AddTo,
                                Swiglu,       DequantizeRow, Softmax, Frequencies, Mix, MixLearn, Sigmoids, SumU32};

}  // namespace pith
