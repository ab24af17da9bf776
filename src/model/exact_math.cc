#include "model/exact_math.h"

#include <bit>
#include <cstdint>

namespace pith {
namespace {

// Nearest integer, ties to even, for |x| < 2^51: adding 1.5 * 2^52 leaves no bits for a fraction.
double RoundToInteger(double x) {
  constexpr double kShift = 6755399441055744.0;
  return (x + kShift) - kShift;
}

double ScaleByPowerOf2(double x, int64_t n) {  // x normal, result normal
  return std::bit_cast<double>(std::bit_cast<int64_t>(x) + n * (int64_t{1} << 52));
}

// ln 2 in two parts; the first has 21 trailing zero bits, so that n * kLn2High is exact for |n| < 2^21 (fdlibm).
constexpr double kLn2High = 6.93147180369123816490e-01;
constexpr double kLn2Low = 1.90821492927058770002e-10;

// pi / 2 in three parts of 33 bits and a rest (fdlibm): k * kHalfPi1 is exact for |k| < 2^20.
constexpr double kHalfPi1 = 1.57079632673412561417e+00;
constexpr double kHalfPi2 = 6.07710050630396597660e-11;
constexpr double kHalfPi3 = 2.02226624879595063154e-21;
constexpr double kTwoOverPi = 6.36619772367581382433e-01;

}  // namespace

double Exp64(double x) {
  const double n = RoundToInteger(x * 1.44269504088896338700e+00);
  const double r = (x - n * kLn2High) - n * kLn2Low;  // |r| <= ln 2 / 2
  // Taylor series to r^14 / 14!, whose first left-out term is 1e-19.
  double sum = 1.0;
  for (int k = 14; k >= 1; --k) sum = 1.0 + sum * r / static_cast<double>(k);
  return ScaleByPowerOf2(sum, static_cast<int64_t>(n));
}

double Log64(double x) {
  const int64_t bits = std::bit_cast<int64_t>(x);
  int64_t exponent = (bits >> 52) - 1023;
  double m = ScaleByPowerOf2(x, -exponent);  // [1, 2)
  if (m > 1.41421356237309514547) {
    m = m * 0.5;
    ++exponent;
  }
  // ln m = 2 atanh(f), f = (m - 1) / (m + 1), |f| < 0.172; f^2 < 0.0295, so 12 terms leave less than 1e-19.
  const double f = (m - 1.0) / (m + 1.0);
  const double s = f * f;
  double sum = 0.0;
  for (int k = 12; k >= 0; --k) sum = sum * s + 1.0 / static_cast<double>(2 * k + 1);
  const double e = static_cast<double>(exponent);
  return e * kLn2High + (2.0 * f * sum + e * kLn2Low);
}

SinCos SinCos64(double x) {
  const double k = RoundToInteger(x * kTwoOverPi);
  const double r = ((x - k * kHalfPi1) - k * kHalfPi2) - k * kHalfPi3;  // |r| <= pi / 4
  const double s = r * r;
  double sine = 1.0;
  double cosine = 1.0;
  for (int n = 8; n >= 1; --n) {
    sine = 1.0 - sine * s / static_cast<double>(2 * n * (2 * n + 1));
    cosine = 1.0 - cosine * s / static_cast<double>((2 * n - 1) * 2 * n);
  }
  sine = sine * r;
  switch (static_cast<int64_t>(k) & 3) {
    case 0:
      return {sine, cosine};
    case 1:
      return {cosine, -sine};
    case 2:
      return {-sine, -cosine};
    default:
      return {-cosine, sine};
  }
}

}  // namespace pith
