// The tables of this build, one source file each. Everyone else asks KernelsFor().
//
// A file compiled for AVX or NEON must not emit functions that other files share (inline functions of
// headers, templates of std): the linker keeps one copy of each, and the copy with AVX instructions would
// then run on machines without them. So these files use only intrinsics, builtins and what lies in their
// anonymous namespace; check_objects.cmake looks for weak symbols in their object files.
#pragma once

#include "kernels/kernels.h"

namespace pith {

extern const Kernels kScalarKernels;
#if defined(__x86_64__)
extern const Kernels kAvx2Kernels;
extern const Kernels kAvxVnniKernels;  // with PITH_HAS_AVXVNNI only
extern const Kernels kAvx512Kernels;
#elif defined(__aarch64__)
extern const Kernels kNeonKernels;
#endif

}  // namespace pith
