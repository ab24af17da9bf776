// PITH_CHECK: an invariant of ours. A failure is a bug in pith, never a property of the input.
#pragma once

#include <cstdio>
#include <cstdlib>

#define PITH_CHECK(condition)                                                                     \
  do {                                                                                            \
    if (!(condition)) [[unlikely]] {                                                              \
      std::fprintf(stderr, "pith: bug: %s:%d: %s does not hold\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                               \
    }                                                                                             \
  } while (false)
