// Sixteen lanes in four 128-bit registers, lane l in q[l / 4]. See lanes_scalar.h for what each function
// means.
#pragma once

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>

#define PITH_INLINE [[maybe_unused]] static inline __attribute__((always_inline))

namespace pith {
namespace {

struct F {
  float32x4_t q[4];
};
struct I {
  int32x4_t q[4];
};
struct M {
  uint32x4_t q[4];
};  // all bits of a lane set or none

#define PITH_EACH_Q _Pragma("GCC unroll 4") for (size_t i = 0; i < 4; ++i)

PITH_INLINE int32_t BitsOf(float x) { return __builtin_bit_cast(int32_t, x); }
PITH_INLINE float FloatOfBits(int32_t x) { return __builtin_bit_cast(float, x); }

PITH_INLINE F Load(const float* p) {
  F r;
  PITH_EACH_Q r.q[i] = vld1q_f32(p + 4 * i);
  return r;
}
PITH_INLINE void Store(float* p, F x) { PITH_EACH_Q vst1q_f32(p + 4 * i, x.q[i]); }
PITH_INLINE F LoadPart(const float* p, size_t n) {
  float lanes[16] = {};
  __builtin_memcpy(lanes, p, n * sizeof(float));
  return Load(lanes);
}
PITH_INLINE void StorePart(float* p, F x, size_t n) {
  float lanes[16];
  Store(lanes, x);
  __builtin_memcpy(p, lanes, n * sizeof(float));
}
PITH_INLINE I LoadU32(const uint32_t* p) {
  I r;
  PITH_EACH_Q r.q[i] = vreinterpretq_s32_u32(vld1q_u32(p + 4 * i));
  return r;
}
PITH_INLINE void StoreU32(uint32_t* p, I x) {
  PITH_EACH_Q vst1q_u32(p + 4 * i, vreinterpretq_u32_s32(x.q[i]));
}
PITH_INLINE I LoadI8(const int8_t* p) {
  const int8x16_t bytes = vld1q_s8(p);
  const int16x8_t low = vmovl_s8(vget_low_s8(bytes)), high = vmovl_s8(vget_high_s8(bytes));
  return {{vmovl_s16(vget_low_s16(low)), vmovl_s16(vget_high_s16(low)), vmovl_s16(vget_low_s16(high)),
           vmovl_s16(vget_high_s16(high))}};
}
PITH_INLINE void StoreI8(int8_t* p, I x) {
  const int16x8_t low = vcombine_s16(vmovn_s32(x.q[0]), vmovn_s32(x.q[1]));
  const int16x8_t high = vcombine_s16(vmovn_s32(x.q[2]), vmovn_s32(x.q[3]));
  vst1q_s8(p, vcombine_s8(vmovn_s16(low), vmovn_s16(high)));
}

PITH_INLINE F Set(float x) {
  F r;
  PITH_EACH_Q r.q[i] = vdupq_n_f32(x);
  return r;
}
PITH_INLINE F Add(F x, F y) {
  PITH_EACH_Q x.q[i] = vaddq_f32(x.q[i], y.q[i]);
  return x;
}
PITH_INLINE F Sub(F x, F y) {
  PITH_EACH_Q x.q[i] = vsubq_f32(x.q[i], y.q[i]);
  return x;
}
PITH_INLINE F Mul(F x, F y) {
  PITH_EACH_Q x.q[i] = vmulq_f32(x.q[i], y.q[i]);
  return x;
}
PITH_INLINE F Div(F x, F y) {
  PITH_EACH_Q x.q[i] = vdivq_f32(x.q[i], y.q[i]);
  return x;
}
// Not vminq and vmaxq: they treat NaN otherwise than x86.
PITH_INLINE F Min(F x, F y) {
  PITH_EACH_Q x.q[i] = vbslq_f32(vcltq_f32(x.q[i], y.q[i]), x.q[i], y.q[i]);
  return x;
}
PITH_INLINE F Max(F x, F y) {
  PITH_EACH_Q x.q[i] = vbslq_f32(vcgtq_f32(x.q[i], y.q[i]), x.q[i], y.q[i]);
  return x;
}
PITH_INLINE float Sqrt(float x) { return vget_lane_f32(vsqrt_f32(vdup_n_f32(x)), 0); }

PITH_INLINE I SetI(int32_t x) {
  I r;
  PITH_EACH_Q r.q[i] = vdupq_n_s32(x);
  return r;
}
PITH_INLINE I AddI(I x, I y) {
  PITH_EACH_Q x.q[i] = vaddq_s32(x.q[i], y.q[i]);
  return x;
}
PITH_INLINE I SubI(I x, I y) {
  PITH_EACH_Q x.q[i] = vsubq_s32(x.q[i], y.q[i]);
  return x;
}
PITH_INLINE I MaxI(I x, I y) {
  PITH_EACH_Q x.q[i] = vmaxq_s32(x.q[i], y.q[i]);
  return x;
}
template <int n>
PITH_INLINE I ShiftLeft(I x) {
  PITH_EACH_Q x.q[i] = vshlq_n_s32(x.q[i], n);
  return x;
}
template <int n>
PITH_INLINE I ShiftRight(I x) {
  PITH_EACH_Q x.q[i] = vshrq_n_s32(x.q[i], n);
  return x;
}

PITH_INLINE F ToFloat(I x) {
  F r;
  PITH_EACH_Q r.q[i] = vcvtq_f32_s32(x.q[i]);
  return r;
}
PITH_INLINE I Bits(F x) {
  I r;
  PITH_EACH_Q r.q[i] = vreinterpretq_s32_f32(x.q[i]);
  return r;
}
PITH_INLINE F FromBits(I x) {
  F r;
  PITH_EACH_Q r.q[i] = vreinterpretq_f32_s32(x.q[i]);
  return r;
}
PITH_INLINE I AbsBits(F x) {
  return Bits({{vabsq_f32(x.q[0]), vabsq_f32(x.q[1]), vabsq_f32(x.q[2]), vabsq_f32(x.q[3])}});
}
PITH_INLINE I Round(F x) {
  I r;
  PITH_EACH_Q r.q[i] = vcvtnq_s32_f32(x.q[i]);
  return r;
}

PITH_INLINE M Less(F x, F y) {
  M r;
  PITH_EACH_Q r.q[i] = vcltq_f32(x.q[i], y.q[i]);
  return r;
}
PITH_INLINE M Or(M x, M y) {
  PITH_EACH_Q x.q[i] = vorrq_u32(x.q[i], y.q[i]);
  return x;
}
PITH_INLINE M Range(ptrdiff_t begin, ptrdiff_t end) {
  const int32_t first = static_cast<int32_t>(begin < 0 ? 0 : begin > 16 ? 16 : begin);
  const int32_t last = static_cast<int32_t>(end < 0 ? 0 : end > 16 ? 16 : end);
  const int32_t numbers[4] = {0, 1, 2, 3};
  int32x4_t lanes = vld1q_s32(numbers);
  M r;
  PITH_EACH_Q {
    r.q[i] = vandq_u32(vcgeq_s32(lanes, vdupq_n_s32(first)), vcltq_s32(lanes, vdupq_n_s32(last)));
    lanes = vaddq_s32(lanes, vdupq_n_s32(4));
  }
  return r;
}
PITH_INLINE F Select(M m, F yes, F no) {
  PITH_EACH_Q yes.q[i] = vbslq_f32(m.q[i], yes.q[i], no.q[i]);
  return yes;
}

PITH_INLINE float LaneSum(F x) {
  const float32x4_t x4 = vaddq_f32(vaddq_f32(x.q[0], x.q[2]), vaddq_f32(x.q[1], x.q[3]));
  const float32x2_t x2 = vadd_f32(vget_low_f32(x4), vget_high_f32(x4));
  return vget_lane_f32(x2, 0) + vget_lane_f32(x2, 1);
}
PITH_INLINE float ReduceMax(F x) {
  float lanes[16];
  Store(lanes, x);
  for (size_t h = 8; h > 0; h /= 2) {
    for (size_t l = 0; l < h; ++l) lanes[l] = lanes[l] > lanes[l + h] ? lanes[l] : lanes[l + h];
  }
  return lanes[0];
}
PITH_INLINE int32_t ReduceMaxI(I x) {
  return vmaxvq_s32(vmaxq_s32(vmaxq_s32(x.q[0], x.q[1]), vmaxq_s32(x.q[2], x.q[3])));
}
PITH_INLINE int32_t ReduceSumI(I x) {
  return vaddvq_s32(vaddq_s32(vaddq_s32(x.q[0], x.q[1]), vaddq_s32(x.q[2], x.q[3])));
}

#undef PITH_EACH_Q

}  // namespace
}  // namespace pith
