// What this machine can do at most, measured now: the yardsticks that benchmarks print beside their own numbers.
#pragma once

#include "base/cpu.h"
#include "base/thread_pool.h"

namespace pith {

// Bytes a second that all threads of `pool` together read from memory (each its part of 1 GiB, best of several runs).
double ReadBandwidth(ThreadPool& pool);

// Int8 operations (two a multiply-add) a second of all threads together, in a loop that never leaves the registers and
// consists of the instructions that the int8 kernels of `isa` use for one product.
double Int8Peak(Isa isa, ThreadPool& pool);

}  // namespace pith
