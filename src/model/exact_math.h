// Elementary functions in double from + - * / and exact conversions alone: the same bits on every machine.
//
// The C library's differ between systems, and between CPUs of one system. Errors stay below 1e-14 relative (Exp64, Log64)
// or absolute (SinCos64 for |x| < 2^24), far below the float that they end in (numeric_contract.md section 6).
#pragma once

namespace pith {

double Exp64(double x);  // |x| < 700
double Log64(double x);  // x > 0, normal
struct SinCos {
  double sine;
  double cosine;
};
SinCos SinCos64(double x);  // |x| < 2^24

}  // namespace pith
