#include "kernels/kernels.h"

#include "base/check.h"
#include "kernels/tables.h"

namespace pith {

const Kernels& KernelsFor(Isa isa) {
  switch (isa) {
#if defined(__x86_64__)
    case Isa::kAvx2:
      return kAvx2Kernels;
#if defined(PITH_HAS_AVXVNNI)
    case Isa::kAvxVnni:
      return kAvxVnniKernels;
#endif
    case Isa::kAvx512:
      return kAvx512Kernels;
#elif defined(__aarch64__)
    case Isa::kNeon:
      return kNeonKernels;
#endif
    default:
      break;
  }
  PITH_CHECK(isa == Isa::kScalar);  // not part of this build
  return kScalarKernels;
}

}  // namespace pith
