// Sixteen lanes as plain arrays: the definition of what the other lanes_*.h do with registers.
//
// All of them offer the same types and functions, which float_kernels.h is written in:
//   F sixteen floats, I sixteen int32 (wrapping), M sixteen truth values. ...Part functions touch the first n
//   lanes only.
#pragma once

#include <cstddef>
#include <cstdint>

// The other lanes_*.h force inlining; sixteen-fold code would only be large here.
#define PITH_INLINE [[maybe_unused]] static inline

namespace pith {
namespace {

struct F {
  float v[16];
};
struct I {
  int32_t v[16];
};
struct M {
  bool v[16];
};

#define PITH_EACH_LANE for (size_t l = 0; l < 16; ++l)

PITH_INLINE int32_t BitsOf(float x) { return __builtin_bit_cast(int32_t, x); }
PITH_INLINE float FloatOfBits(int32_t x) { return __builtin_bit_cast(float, x); }

// Memory. LoadPart gives 0 in the other lanes; StoreI8 is given lanes that fit.
PITH_INLINE F Load(const float* p) {
  F r;
  PITH_EACH_LANE r.v[l] = p[l];
  return r;
}
PITH_INLINE F LoadPart(const float* p, size_t n) {
  F r;
  PITH_EACH_LANE r.v[l] = l < n ? p[l] : 0.0f;
  return r;
}
PITH_INLINE void Store(float* p, F a) { PITH_EACH_LANE p[l] = a.v[l]; }
PITH_INLINE void StorePart(float* p, F a, size_t n) { PITH_EACH_LANE if (l < n) p[l] = a.v[l]; }
PITH_INLINE I LoadU32(const uint32_t* p) {
  I r;
  PITH_EACH_LANE r.v[l] = static_cast<int32_t>(p[l]);
  return r;
}
PITH_INLINE void StoreU32(uint32_t* p, I a) { PITH_EACH_LANE p[l] = static_cast<uint32_t>(a.v[l]); }
PITH_INLINE I LoadI8(const int8_t* p) {
  I r;
  PITH_EACH_LANE r.v[l] = int32_t{p[l]};
  return r;
}
PITH_INLINE void StoreI8(int8_t* p, I a) { PITH_EACH_LANE p[l] = static_cast<int8_t>(a.v[l]); }

// Floats, each operation rounded on its own. Min and Max as x86 has them: the second operand unless the first
// is strictly smaller (larger), so a NaN in the first operand gives the second on every machine.
PITH_INLINE F Set(float x) {
  F r;
  PITH_EACH_LANE r.v[l] = x;
  return r;
}
PITH_INLINE F Add(F a, F b) {
  F r;
  PITH_EACH_LANE r.v[l] = a.v[l] + b.v[l];
  return r;
}
PITH_INLINE F Sub(F a, F b) {
  F r;
  PITH_EACH_LANE r.v[l] = a.v[l] - b.v[l];
  return r;
}
PITH_INLINE F Mul(F a, F b) {
  F r;
  PITH_EACH_LANE r.v[l] = a.v[l] * b.v[l];
  return r;
}
PITH_INLINE F Div(F a, F b) {
  F r;
  PITH_EACH_LANE r.v[l] = a.v[l] / b.v[l];
  return r;
}
PITH_INLINE F Min(F a, F b) {
  F r;
  PITH_EACH_LANE r.v[l] = a.v[l] < b.v[l] ? a.v[l] : b.v[l];
  return r;
}
PITH_INLINE F Max(F a, F b) {
  F r;
  PITH_EACH_LANE r.v[l] = a.v[l] > b.v[l] ? a.v[l] : b.v[l];
  return r;
}
PITH_INLINE float Sqrt(float x) { return __builtin_sqrtf(x); }  // an instruction: built with -fno-math-errno

// Integers.
PITH_INLINE I SetI(int32_t x) {
  I r;
  PITH_EACH_LANE r.v[l] = x;
  return r;
}
PITH_INLINE int32_t Wrap(uint32_t x) { return static_cast<int32_t>(x); }
PITH_INLINE uint32_t Unsigned(int32_t x) { return static_cast<uint32_t>(x); }
PITH_INLINE I AddI(I a, I b) {
  I r;
  PITH_EACH_LANE r.v[l] = Wrap(Unsigned(a.v[l]) + Unsigned(b.v[l]));
  return r;
}
PITH_INLINE I SubI(I a, I b) {
  I r;
  PITH_EACH_LANE r.v[l] = Wrap(Unsigned(a.v[l]) - Unsigned(b.v[l]));
  return r;
}
PITH_INLINE I MaxI(I a, I b) {
  I r;
  PITH_EACH_LANE r.v[l] = a.v[l] > b.v[l] ? a.v[l] : b.v[l];
  return r;
}
template <int n>
PITH_INLINE I ShiftLeft(I a) {
  I r;
  PITH_EACH_LANE r.v[l] = Wrap(Unsigned(a.v[l]) << n);
  return r;
}
template <int n>
PITH_INLINE I ShiftRight(I a) {
  I r;
  PITH_EACH_LANE r.v[l] = a.v[l] >> n;
  return r;
}  // arithmetic

// Between the two.
PITH_INLINE F ToFloat(I a) {
  F r;
  PITH_EACH_LANE r.v[l] = static_cast<float>(a.v[l]);
  return r;
}
PITH_INLINE I Bits(F a) {
  I r;
  PITH_EACH_LANE r.v[l] = BitsOf(a.v[l]);
  return r;
}
PITH_INLINE F FromBits(I a) {
  F r;
  PITH_EACH_LANE r.v[l] = FloatOfBits(a.v[l]);
  return r;
}
PITH_INLINE I AbsBits(F a) {
  I r;
  PITH_EACH_LANE r.v[l] = BitsOf(a.v[l]) & 0x7fffffff;
  return r;
}
// rne(x) for |x| < 2^31; anything else gives something. At 1.5 * 2^52 the last place of a double is 1, so
// that the addition itself rounds to nearest even, and the low bits are the integer.
PITH_INLINE int32_t RoundOne(float x) {
  return Wrap(static_cast<uint32_t>(__builtin_bit_cast(uint64_t, double{x} + 0x1.8p52)));
}
PITH_INLINE I Round(F a) {
  I r;
  PITH_EACH_LANE r.v[l] = RoundOne(a.v[l]);
  return r;
}

// Truth values. Range: lanes l with begin <= l < end; a negative begin counts as 0.
PITH_INLINE M Less(F a, F b) {
  M r;
  PITH_EACH_LANE r.v[l] = a.v[l] < b.v[l];
  return r;
}
PITH_INLINE M Or(M a, M b) {
  M r;
  PITH_EACH_LANE r.v[l] = a.v[l] || b.v[l];
  return r;
}
PITH_INLINE M Range(ptrdiff_t begin, ptrdiff_t end) {
  M r;
  PITH_EACH_LANE r.v[l] = static_cast<ptrdiff_t>(l) >= begin && static_cast<ptrdiff_t>(l) < end;
  return r;
}
PITH_INLINE F Select(M m, F yes, F no) {
  F r;
  PITH_EACH_LANE r.v[l] = m.v[l] ? yes.v[l] : no.v[l];
  return r;
}

// Over the lanes. LaneSum and ReduceMax: the tree of contract 1, l with l + h for h = 8, 4, 2, 1.
PITH_INLINE float LaneSum(F a) {
  for (size_t h = 8; h > 0; h /= 2) {
    for (size_t l = 0; l < h; ++l) a.v[l] = a.v[l] + a.v[l + h];
  }
  return a.v[0];
}
PITH_INLINE float ReduceMax(F a) {
  for (size_t h = 8; h > 0; h /= 2) {
    for (size_t l = 0; l < h; ++l) a.v[l] = a.v[l] > a.v[l + h] ? a.v[l] : a.v[l + h];
  }
  return a.v[0];
}
PITH_INLINE int32_t ReduceMaxI(I a) {
  int32_t m = a.v[0];
  PITH_EACH_LANE m = a.v[l] > m ? a.v[l] : m;
  return m;
}
PITH_INLINE int32_t ReduceSumI(I a) {
  uint32_t sum = 0;
  PITH_EACH_LANE sum += Unsigned(a.v[l]);
  return Wrap(sum);
}

#undef PITH_EACH_LANE

}  // namespace
}  // namespace pith
