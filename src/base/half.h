// IEEE 754 binary16 ("half", F16): to float exactly, from float rounded to nearest even.
#pragma once

#include <bit>
#include <cstdint>

namespace pith {

inline constexpr float kLargestHalf = 65504.0f;

// The float of the same value; NaN stays NaN.
inline float HalfToFloat(uint16_t bits) {
  const uint32_t sign = static_cast<uint32_t>(bits & 0x8000) << 16;
  const uint32_t exponent = (bits >> 10) & 31;
  const uint32_t mantissa = bits & 0x3ff;
  // Subnormal (and 0): mantissa * 2^-24, exact. Else the exponent moves from bias 15 to 127; 31 (Inf, NaN) to 255.
  const uint32_t subnormal = std::bit_cast<uint32_t>(static_cast<float>(static_cast<int32_t>(mantissa)) * 0x1p-24f);
  const uint32_t rebased = exponent + (exponent == 31 ? 224u : 112u);
  const uint32_t normal = rebased << 23 | mantissa << 13;
  return std::bit_cast<float>(sign | (exponent == 0 ? subnormal : normal));
}

// The nearest half, ties to even; what rounds beyond kLargestHalf becomes infinite, NaN a quiet NaN.
inline uint16_t FloatToHalf(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const auto sign = static_cast<uint16_t>(bits >> 16 & 0x8000);
  const uint32_t magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;   // NaN
  if (magnitude >= 0x477ff000) return sign | 0x7c00;  // 65520 and above, infinity among them
  if (magnitude < 0x38800000) {                       // below 2^-14: subnormal or 0
    if (magnitude < 0x33000000) return sign;          // below 2^-25
    const uint32_t shift = 126 - (magnitude >> 23);   // 14 to 24: what separates the mantissa from units of 2^-24
    const uint32_t mantissa = (magnitude & 0x7fffff) | 0x800000;
    const uint32_t kept = mantissa >> shift;
    const uint32_t rest = mantissa & ((uint32_t{1} << shift) - 1);
    const uint32_t half = uint32_t{1} << (shift - 1);
    return static_cast<uint16_t>(sign + kept + (rest > half || (rest == half && (kept & 1) != 0) ? 1 : 0));
  }
  const uint32_t rebased = magnitude - 0x38000000;  // exponent from bias 127 to 15
  const uint32_t rounded = rebased + 0xfff + (rebased >> 13 & 1);
  return static_cast<uint16_t>(sign | rounded >> 13);
}

}  // namespace pith
