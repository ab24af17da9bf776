// Sixteen lanes in two 256-bit registers (a: lanes 0..7, b: 8..15). See lanes_scalar.h for what each function
// means.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#define PITH_INLINE [[maybe_unused]] static inline __attribute__((always_inline))

namespace pith {
namespace {

struct F {
  __m256 a, b;
};
struct I {
  __m256i a, b;
};
struct M {
  __m256 a, b;
};  // all bits of a lane set or none

PITH_INLINE int32_t BitsOf(float x) { return __builtin_bit_cast(int32_t, x); }
PITH_INLINE float FloatOfBits(int32_t x) { return __builtin_bit_cast(float, x); }
PITH_INLINE __m256i* Vector(void* p) { return static_cast<__m256i*>(p); }
PITH_INLINE const __m256i* Vector(const void* p) { return static_cast<const __m256i*>(p); }

// Lanes l with begin <= l < end, as integers; begin and end may lie anywhere.
PITH_INLINE I LanesBetween(ptrdiff_t begin, ptrdiff_t end) {
  const int32_t first = static_cast<int32_t>(begin < 0 ? 0 : begin > 16 ? 16 : begin) - 1;
  const int32_t last = static_cast<int32_t>(end < 0 ? 0 : end > 16 ? 16 : end);
  const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  const __m256i f = _mm256_set1_epi32(first), l = _mm256_set1_epi32(last), eight = _mm256_set1_epi32(8);
  const __m256i high = _mm256_add_epi32(lanes, eight);
  return {_mm256_and_si256(_mm256_cmpgt_epi32(lanes, f), _mm256_cmpgt_epi32(l, lanes)),
          _mm256_and_si256(_mm256_cmpgt_epi32(high, f), _mm256_cmpgt_epi32(l, high))};
}

PITH_INLINE F Load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
PITH_INLINE F LoadPart(const float* p, size_t n) {
  const I mask = LanesBetween(0, static_cast<ptrdiff_t>(n));
  return {_mm256_maskload_ps(p, mask.a), _mm256_maskload_ps(p + 8, mask.b)};
}
PITH_INLINE void Store(float* p, F x) {
  _mm256_storeu_ps(p, x.a);
  _mm256_storeu_ps(p + 8, x.b);
}
PITH_INLINE void StorePart(float* p, F x, size_t n) {
  const I mask = LanesBetween(0, static_cast<ptrdiff_t>(n));
  _mm256_maskstore_ps(p, mask.a, x.a);
  _mm256_maskstore_ps(p + 8, mask.b, x.b);
}
PITH_INLINE I LoadU32(const uint32_t* p) {
  return {_mm256_loadu_si256(Vector(p)), _mm256_loadu_si256(Vector(p + 8))};
}
PITH_INLINE void StoreU32(uint32_t* p, I x) {
  _mm256_storeu_si256(Vector(p), x.a);
  _mm256_storeu_si256(Vector(p + 8), x.b);
}
PITH_INLINE I LoadI8(const int8_t* p) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return {_mm256_cvtepi8_epi32(bytes), _mm256_cvtepi8_epi32(_mm_srli_si128(bytes, 8))};
}
PITH_INLINE void StoreI8(int8_t* p, I x) {
  // Packs work within 128-bit halves, so the order of 64-bit parts is put right in between.
  const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(x.a, x.b), 0xd8);
  const __m128i bytes = _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), bytes);
}

PITH_INLINE F Set(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
PITH_INLINE F Add(F x, F y) { return {_mm256_add_ps(x.a, y.a), _mm256_add_ps(x.b, y.b)}; }
PITH_INLINE F Sub(F x, F y) { return {_mm256_sub_ps(x.a, y.a), _mm256_sub_ps(x.b, y.b)}; }
PITH_INLINE F Mul(F x, F y) { return {_mm256_mul_ps(x.a, y.a), _mm256_mul_ps(x.b, y.b)}; }
PITH_INLINE F Div(F x, F y) { return {_mm256_div_ps(x.a, y.a), _mm256_div_ps(x.b, y.b)}; }
PITH_INLINE F Min(F x, F y) { return {_mm256_min_ps(x.a, y.a), _mm256_min_ps(x.b, y.b)}; }
PITH_INLINE F Max(F x, F y) { return {_mm256_max_ps(x.a, y.a), _mm256_max_ps(x.b, y.b)}; }
PITH_INLINE float Sqrt(float x) { return _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(x))); }

PITH_INLINE I SetI(int32_t x) { return {_mm256_set1_epi32(x), _mm256_set1_epi32(x)}; }
PITH_INLINE I AddI(I x, I y) { return {_mm256_add_epi32(x.a, y.a), _mm256_add_epi32(x.b, y.b)}; }
PITH_INLINE I SubI(I x, I y) { return {_mm256_sub_epi32(x.a, y.a), _mm256_sub_epi32(x.b, y.b)}; }
PITH_INLINE I MaxI(I x, I y) { return {_mm256_max_epi32(x.a, y.a), _mm256_max_epi32(x.b, y.b)}; }
template <int n>
PITH_INLINE I ShiftLeft(I x) {
  return {_mm256_slli_epi32(x.a, n), _mm256_slli_epi32(x.b, n)};
}
template <int n>
PITH_INLINE I ShiftRight(I x) {
  return {_mm256_srai_epi32(x.a, n), _mm256_srai_epi32(x.b, n)};
}

PITH_INLINE F ToFloat(I x) { return {_mm256_cvtepi32_ps(x.a), _mm256_cvtepi32_ps(x.b)}; }
PITH_INLINE I Bits(F x) { return {_mm256_castps_si256(x.a), _mm256_castps_si256(x.b)}; }
PITH_INLINE F FromBits(I x) { return {_mm256_castsi256_ps(x.a), _mm256_castsi256_ps(x.b)}; }
PITH_INLINE I AbsBits(F x) {
  const __m256i mask = _mm256_set1_epi32(0x7fffffff);
  return {_mm256_and_si256(_mm256_castps_si256(x.a), mask), _mm256_and_si256(_mm256_castps_si256(x.b), mask)};
}
PITH_INLINE I Round(F x) { return {_mm256_cvtps_epi32(x.a), _mm256_cvtps_epi32(x.b)}; }

PITH_INLINE M Less(F x, F y) {
  return {_mm256_cmp_ps(x.a, y.a, _CMP_LT_OQ), _mm256_cmp_ps(x.b, y.b, _CMP_LT_OQ)};
}
PITH_INLINE M Or(M x, M y) { return {_mm256_or_ps(x.a, y.a), _mm256_or_ps(x.b, y.b)}; }
PITH_INLINE M Range(ptrdiff_t begin, ptrdiff_t end) {
  const I lanes = LanesBetween(begin, end);
  return {_mm256_castsi256_ps(lanes.a), _mm256_castsi256_ps(lanes.b)};
}
PITH_INLINE F Select(M m, F yes, F no) {
  return {_mm256_blendv_ps(no.a, yes.a, m.a), _mm256_blendv_ps(no.b, yes.b, m.b)};
}

PITH_INLINE float LaneSum(F x) {
  const __m256 x8 = _mm256_add_ps(x.a, x.b);
  const __m128 x4 = _mm_add_ps(_mm256_castps256_ps128(x8), _mm256_extractf128_ps(x8, 1));
  const __m128 x2 = _mm_add_ps(x4, _mm_movehl_ps(x4, x4));
  return _mm_cvtss_f32(_mm_add_ss(x2, _mm_movehdup_ps(x2)));
}
PITH_INLINE float ReduceMax(F x) {
  const __m256 x8 = _mm256_max_ps(x.a, x.b);
  const __m128 x4 = _mm_max_ps(_mm256_castps256_ps128(x8), _mm256_extractf128_ps(x8, 1));
  const __m128 x2 = _mm_max_ps(x4, _mm_movehl_ps(x4, x4));
  return _mm_cvtss_f32(_mm_max_ss(x2, _mm_movehdup_ps(x2)));
}
PITH_INLINE int32_t ReduceMaxI(I x) {
  const __m256i x8 = _mm256_max_epi32(x.a, x.b);
  const __m128i x4 = _mm_max_epi32(_mm256_castsi256_si128(x8), _mm256_extracti128_si256(x8, 1));
  const __m128i x2 = _mm_max_epi32(x4, _mm_shuffle_epi32(x4, 0x4e));
  return _mm_cvtsi128_si32(_mm_max_epi32(x2, _mm_shuffle_epi32(x2, 0xb1)));
}
PITH_INLINE int32_t ReduceSumI(I x) {
  const __m256i x8 = _mm256_add_epi32(x.a, x.b);
  const __m128i x4 = _mm_add_epi32(_mm256_castsi256_si128(x8), _mm256_extracti128_si256(x8, 1));
  const __m128i x2 = _mm_add_epi32(x4, _mm_shuffle_epi32(x4, 0x4e));
  return _mm_cvtsi128_si32(_mm_add_epi32(x2, _mm_shuffle_epi32(x2, 0xb1)));
}

}  // namespace
}  // namespace pith
