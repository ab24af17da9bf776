// The two inner loops of an integer mixer, for the instruction sets that every machine of an architecture has. All sums
// are modulo 2^32, so the order of additions is free and results are equal. docs/byte_mixing.md section 3.
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

namespace pith::mixer_lanes {

inline constexpr size_t kLanes = 8;  // n of the functions below is a multiple of this

// x[0 .. 2n) = the pairs of 16 bits, lower halves first; n is a multiple of kLanes / 2. Put together in registers: a vector
// that was written number by number would be waited for when it is read.
inline void StorePairs(const uint32_t* pairs, size_t n, int16_t* x) {
#if defined(__SSE2__)
  for (size_t i = 0; i < n; i += kLanes / 2) {
    const __m128i four = _mm_setr_epi32(static_cast<int>(pairs[i]), static_cast<int>(pairs[i + 1]),
                                        static_cast<int>(pairs[i + 2]), static_cast<int>(pairs[i + 3]));
    _mm_store_si128(reinterpret_cast<__m128i*>(x + 2 * i), four);
  }
#else
  for (size_t i = 0; i < n; ++i) {
    x[2 * i] = static_cast<int16_t>(pairs[i]);
    x[2 * i + 1] = static_cast<int16_t>(pairs[i] >> 16);
  }
#endif
}

// Sum of x[i] * (w[i] >> 16).
inline int32_t Dot(const int16_t* x, const int32_t* w, size_t n) {
#if defined(__SSE2__)
  __m128i sum = _mm_setzero_si128();
  for (size_t i = 0; i < n; i += kLanes) {
    const __m128i* at = reinterpret_cast<const __m128i*>(w + i);
    const __m128i high = _mm_packs_epi32(_mm_srai_epi32(_mm_load_si128(at), 16),
                                         _mm_srai_epi32(_mm_load_si128(at + 1), 16));
    const __m128i inputs = _mm_load_si128(reinterpret_cast<const __m128i*>(x + i));
    sum = _mm_add_epi32(sum, _mm_madd_epi16(inputs, high));
  }
  sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0x4e));
  sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0xb1));
  return _mm_cvtsi128_si32(sum);
#elif defined(__ARM_NEON)
  int32x4_t sum = vdupq_n_s32(0);
  for (size_t i = 0; i < n; i += kLanes) {
    sum = vmlal_s16(sum, vld1_s16(x + i), vshrn_n_s32(vld1q_s32(w + i), 16));
    sum = vmlal_s16(sum, vld1_s16(x + i + 4), vshrn_n_s32(vld1q_s32(w + i + 4), 16));
  }
  return vaddvq_s32(sum);
#else
  uint32_t sum = 0;
  for (size_t i = 0; i < n; ++i) sum += static_cast<uint32_t>(int32_t{x[i]} * (w[i] >> 16));
  return static_cast<int32_t>(sum);
#endif
}

// w[i] = w[i] + x[i] * error * 4.
inline void Train(const int16_t* x, int32_t* w, size_t n, int16_t error) {
#if defined(__SSE2__)
  const __m128i e = _mm_set1_epi16(error);
  for (size_t i = 0; i < n; i += kLanes) {
    __m128i* at = reinterpret_cast<__m128i*>(w + i);
    const __m128i inputs = _mm_load_si128(reinterpret_cast<const __m128i*>(x + i));
    const __m128i low = _mm_mullo_epi16(inputs, e);
    const __m128i high = _mm_mulhi_epi16(inputs, e);
    const __m128i first = _mm_slli_epi32(_mm_unpacklo_epi16(low, high), 2);
    const __m128i second = _mm_slli_epi32(_mm_unpackhi_epi16(low, high), 2);
    _mm_store_si128(at, _mm_add_epi32(_mm_load_si128(at), first));
    _mm_store_si128(at + 1, _mm_add_epi32(_mm_load_si128(at + 1), second));
  }
#elif defined(__ARM_NEON)
  for (size_t i = 0; i < n; i += kLanes / 2) {
    const int32x4_t step = vshlq_n_s32(vmull_n_s16(vld1_s16(x + i), error), 2);
    vst1q_s32(w + i, vaddq_s32(vld1q_s32(w + i), step));
  }
#else
  for (size_t i = 0; i < n; ++i) {
    const uint32_t step = static_cast<uint32_t>(int32_t{x[i]} * error) << 2;
    w[i] = static_cast<int32_t>(static_cast<uint32_t>(w[i]) + step);
  }
#endif
}

}  // namespace pith::mixer_lanes
