// Stretch(p) = ln(p / (1 - p)), computed with + - * / in a fixed order: the same on every machine.
// docs/mixing.md section 1.
#pragma once

#include <bit>
#include <cstdint>

namespace pith {

// ln(x) for a positive normal double, error below 1e-11.
inline double ExactLog(double x) {
  const uint64_t bits = std::bit_cast<uint64_t>(x);
  int64_t exponent = static_cast<int64_t>(bits >> 52) - 1023;
  double m = std::bit_cast<double>((bits & 0x000fffffffffffffu) | 0x3ff0000000000000u);  // 1 .. 2
  if (m > 1.4142135623730951) {
    m = m * 0.5;
    ++exponent;
  }
  // ln m = 2 artanh(s), s in [-0.172, 0.172].
  const double s = (m - 1.0) / (m + 1.0);
  const double z = s * s;
  double p = 1.0 / 13.0;
  p = p * z + 1.0 / 11.0;
  p = p * z + 1.0 / 9.0;
  p = p * z + 1.0 / 7.0;
  p = p * z + 1.0 / 5.0;
  p = p * z + 1.0 / 3.0;
  p = p * z + 1.0;
  return static_cast<double>(exponent) * 0.69314718055994531 + 2.0 * s * p;
}

// p1 in units of 2^-32, 1 to 2^32 - 1. Between -22.2 and 22.2.
inline float Stretch(uint32_t p1) {
  return static_cast<float>(ExactLog(static_cast<double>(p1)) - ExactLog(4294967296.0 - static_cast<double>(p1)));
}

// The rate of weights that have learned so many times before (docs/mixing.md section 6).
inline float FallingRate(float first, float last, uint32_t times) {
  const float rate = first / (1.0f + 0.005f * static_cast<float>(times));
  return rate > last ? rate : last;
}

}  // namespace pith
