// Sums of tiled_matmul.h for the tables that have vpdpbusd.
//
// It multiplies unsigned by signed bytes, so the weights go in as w + 128 (their top bit flipped) and 128 * sum
// of the codes comes off at the end. Sums wrap in 32 bits on the way; the result fits (contract 5).
//
// Include after tiled_matmul.h and, on the lanes of the table,
//   Codes;                                        // what multiplies four columns of one term row
//   Codes Repeat(int32_t four);                   // these four bytes, in every lane
//   I LoadUnsigned(const int8_t* w);              // the 64 bytes of a group of a panel, plus 128
//   void DotAdd(I& acc, I weights, Codes codes);  // acc + weights[4] . codes[4] in each lane
#pragma once

#include <cstddef>
#include <cstdint>

namespace pith {
namespace {

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
  I acc[kSplit][P][T];
  PITH_UNROLL
  for (size_t u = 0; u < kSplit; ++u) {
    PITH_UNROLL
    for (size_t p = 0; p < P; ++p) {
      PITH_UNROLL
      for (size_t t = 0; t < T; ++t) acc[u][p][t] = SetI(0);
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
  const auto step = [&](I(&sums)[P][T]) __attribute__((always_inline)) {
    I weights[P];
    PITH_UNROLL
    for (size_t p = 0; p < P; ++p) {
      if constexpr (kPrefetchNext) _mm_prefetch(reinterpret_cast<const char*>(w + kAheadBytes), _MM_HINT_T0);
      if constexpr (kPrefetch)
        _mm_prefetch(reinterpret_cast<const char*>(ahead + p * c.w_stride), _MM_HINT_T1);
      weights[p] = LoadUnsigned(w + p * c.w_stride);
    }
    w += kPanelBytes;
    if constexpr (kPrefetch) ahead += c.ahead_step;
    PITH_UNROLL
    for (size_t t = 0; t < T; ++t) {
      int32_t four;
      __builtin_memcpy(&four, base[t / 4] + t % 4 * c.code_stride, sizeof(four));
      const Codes codes = Repeat(four);
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
      I sum = acc[0][p][t];
      PITH_UNROLL
      for (size_t u = 1; u < kSplit; ++u) sum = AddI(sum, acc[u][p][t]);
      s[p][t] = SubI(sum, ShiftLeft<7>(SetI(c.code_sum[t])));
    }
  }
}

}  // namespace
}  // namespace pith
