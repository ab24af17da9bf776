// Sixteen lanes in one 512-bit register. See lanes_scalar.h for what each function means.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#define PITH_INLINE [[maybe_unused]] static inline __attribute__((always_inline))

namespace pith {
namespace {

struct F {
  __m512 v;
};
struct I {
  __m512i v;
};
struct M {
  __mmask16 v;
};

PITH_INLINE int32_t BitsOf(float x) { return __builtin_bit_cast(int32_t, x); }
PITH_INLINE float FloatOfBits(int32_t x) { return __builtin_bit_cast(float, x); }
PITH_INLINE __mmask16 FirstLanes(size_t n) { return static_cast<__mmask16>((1u << n) - 1); }

PITH_INLINE F Load(const float* p) { return {_mm512_loadu_ps(p)}; }
PITH_INLINE F LoadPart(const float* p, size_t n) { return {_mm512_maskz_loadu_ps(FirstLanes(n), p)}; }
PITH_INLINE void Store(float* p, F a) { _mm512_storeu_ps(p, a.v); }
PITH_INLINE void StorePart(float* p, F a, size_t n) { _mm512_mask_storeu_ps(p, FirstLanes(n), a.v); }
PITH_INLINE I LoadU32(const uint32_t* p) { return {_mm512_loadu_si512(p)}; }
PITH_INLINE void StoreU32(uint32_t* p, I a) { _mm512_storeu_si512(p, a.v); }
PITH_INLINE I LoadI8(const int8_t* p) {
  return {_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
}
PITH_INLINE void StoreI8(int8_t* p, I a) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(a.v));
}

PITH_INLINE F Set(float x) { return {_mm512_set1_ps(x)}; }
PITH_INLINE F Add(F a, F b) { return {_mm512_add_ps(a.v, b.v)}; }
PITH_INLINE F Sub(F a, F b) { return {_mm512_sub_ps(a.v, b.v)}; }
PITH_INLINE F Mul(F a, F b) { return {_mm512_mul_ps(a.v, b.v)}; }
PITH_INLINE F Div(F a, F b) { return {_mm512_div_ps(a.v, b.v)}; }
PITH_INLINE F Min(F a, F b) { return {_mm512_min_ps(a.v, b.v)}; }
PITH_INLINE F Max(F a, F b) { return {_mm512_max_ps(a.v, b.v)}; }
PITH_INLINE float Sqrt(float x) { return _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(x))); }

PITH_INLINE I SetI(int32_t x) { return {_mm512_set1_epi32(x)}; }
PITH_INLINE I AddI(I a, I b) { return {_mm512_add_epi32(a.v, b.v)}; }
PITH_INLINE I SubI(I a, I b) { return {_mm512_sub_epi32(a.v, b.v)}; }
PITH_INLINE I MaxI(I a, I b) { return {_mm512_max_epi32(a.v, b.v)}; }
template <int n>
PITH_INLINE I ShiftLeft(I a) {
  return {_mm512_slli_epi32(a.v, n)};
}
template <int n>
PITH_INLINE I ShiftRight(I a) {
  return {_mm512_srai_epi32(a.v, n)};
}

PITH_INLINE F ToFloat(I a) { return {_mm512_cvtepi32_ps(a.v)}; }
PITH_INLINE I Bits(F a) { return {_mm512_castps_si512(a.v)}; }
PITH_INLINE F FromBits(I a) { return {_mm512_castsi512_ps(a.v)}; }
PITH_INLINE I AbsBits(F a) {
  return {_mm512_and_si512(_mm512_castps_si512(a.v), _mm512_set1_epi32(0x7fffffff))};
}
PITH_INLINE I Round(F a) { return {_mm512_cvtps_epi32(a.v)}; }  // nearest even: the float environment says so

PITH_INLINE M Less(F a, F b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ)}; }
PITH_INLINE M Or(M a, M b) { return {static_cast<__mmask16>(a.v | b.v)}; }
PITH_INLINE M Range(ptrdiff_t begin, ptrdiff_t end) {
  const size_t b = begin < 0 ? 0 : begin > 16 ? 16 : static_cast<size_t>(begin);
  const size_t e = end < 0 ? 0 : end > 16 ? 16 : static_cast<size_t>(end);
  return {static_cast<__mmask16>(FirstLanes(e) & ~FirstLanes(b))};
}
PITH_INLINE F Select(M m, F yes, F no) { return {_mm512_mask_blend_ps(m.v, no.v, yes.v)}; }

PITH_INLINE float LaneSum(F a) {
  const __m256 a8 = _mm256_add_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
  const __m128 a4 = _mm_add_ps(_mm256_castps256_ps128(a8), _mm256_extractf128_ps(a8, 1));
  const __m128 a2 = _mm_add_ps(a4, _mm_movehl_ps(a4, a4));
  return _mm_cvtss_f32(_mm_add_ss(a2, _mm_movehdup_ps(a2)));
}
PITH_INLINE float ReduceMax(F a) {
  const __m256 a8 = _mm256_max_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
  const __m128 a4 = _mm_max_ps(_mm256_castps256_ps128(a8), _mm256_extractf128_ps(a8, 1));
  const __m128 a2 = _mm_max_ps(a4, _mm_movehl_ps(a4, a4));
  return _mm_cvtss_f32(_mm_max_ss(a2, _mm_movehdup_ps(a2)));
}
PITH_INLINE int32_t ReduceMaxI(I a) { return _mm512_reduce_max_epi32(a.v); }
// Not _mm512_reduce_add_epi32: GCC 12 writes its last addition in int, where wrapping is undefined.
PITH_INLINE int32_t ReduceSumI(I a) {
  const __m256i a8 = _mm256_add_epi32(_mm512_castsi512_si256(a.v), _mm512_extracti32x8_epi32(a.v, 1));
  const __m128i a4 = _mm_add_epi32(_mm256_castsi256_si128(a8), _mm256_extracti128_si256(a8, 1));
  const __m128i a2 = _mm_add_epi32(a4, _mm_shuffle_epi32(a4, 0x4e));
  return _mm_cvtsi128_si32(_mm_add_epi32(a2, _mm_shuffle_epi32(a2, 0xb1)));
}

}  // namespace
}  // namespace pith
