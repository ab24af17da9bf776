// How a thread waits for another that is expected at once.
#pragma once

#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#endif

namespace pith {

// Rounds of CpuPause (20 to 50 us) before a thread sleeps: waking from sleep costs more than most such waits take.
inline constexpr int kSpins = 4000;

inline void CpuPause() {
#if defined(__x86_64__) || defined(__i386__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace pith
