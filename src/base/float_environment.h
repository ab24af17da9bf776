// ScopedFloatEnvironment: the float environment that numeric_contract.md section 1 asks for, restored on exit.
#pragma once

#include <cfloat>
#include <cstdint>

#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#endif

static_assert(FLT_EVAL_METHOD == 0, "pith needs float arithmetic in float precision (no x87)");

namespace pith {

class ScopedFloatEnvironment {
 public:
#if defined(__x86_64__) || defined(__i386__)
  // Bits 13-14 rounding (0 = nearest even), 15 FTZ, 6 DAZ; exceptions masked.
  ScopedFloatEnvironment() : saved_(_mm_getcsr()) { _mm_setcsr(0x1f80); }
  ~ScopedFloatEnvironment() { _mm_setcsr(saved_); }

 private:
  uint32_t saved_;
#elif defined(__aarch64__)
  ScopedFloatEnvironment() {
    asm volatile("mrs %0, fpcr" : "=r"(saved_));
    asm volatile("msr fpcr, %0" : : "r"(uint64_t{0}));  // nearest even, no flush to zero, no traps
  }
  ~ScopedFloatEnvironment() { asm volatile("msr fpcr, %0" : : "r"(saved_)); }

 private:
  uint64_t saved_;
#else
#error "state the float environment of this architecture here"
#endif

 public:
  ScopedFloatEnvironment(const ScopedFloatEnvironment&) = delete;
  ScopedFloatEnvironment& operator=(const ScopedFloatEnvironment&) = delete;
};

}  // namespace pith
