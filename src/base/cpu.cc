#include "base/cpu.h"

#include <cstdlib>
#include <string>

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#elif defined(__aarch64__) && defined(__APPLE__)
#include <sys/sysctl.h>
#endif

namespace pith {
namespace {

constexpr Isa kAllIsas[] = {Isa::kScalar, Isa::kAvx2, Isa::kAvxVnni, Isa::kAvx512, Isa::kNeon};

#if defined(__x86_64__)

// The builtin asks the operating system too (XGETBV): it answers no where the registers are not saved.
bool HasAvx2() { return __builtin_cpu_supports("avx2"); }
#if defined(PITH_HAS_AVXVNNI)
// Not the builtin: some compilers that know the instructions do not know this name. Registers are AVX2's, whose
// check asks the operating system.
bool HasAvxVnni() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (!HasAvx2() || __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 0 || eax < 1) return false;
  constexpr unsigned kBit = 1u << 4;  // leaf 7, subleaf 1, EAX
  return __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) != 0 && (eax & kBit) != 0;
}
#endif
bool HasAvx512() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vnni");
}

#elif defined(__aarch64__)

bool HasDotProduct() {
#if defined(__linux__)
  constexpr unsigned long kHwcapAsimdDp = 1ul
                                          << 20;  // HWCAP_ASIMDDP of <asm/hwcap.h>, absent from older headers
  return (getauxval(AT_HWCAP) & kHwcapAsimdDp) != 0;
#elif defined(__APPLE__)
  int has = 0;
  size_t size = sizeof(has);
  return sysctlbyname("hw.optional.arm.FEAT_DotProd", &has, &size, nullptr, 0) == 0 && has != 0;
#else
  return false;
#endif
}

#endif

std::string Names(const std::vector<Isa>& isas) {
  std::string names;
  for (Isa isa : isas) names += (names.empty() ? "" : ", ") + std::string(IsaName(isa));
  return names;
}

}  // namespace

std::string_view IsaName(Isa isa) {
  switch (isa) {
    case Isa::kScalar:
      return "scalar";
    case Isa::kAvx2:
      return "avx2";
    case Isa::kAvxVnni:
      return "avxvnni";
    case Isa::kAvx512:
      return "avx512";
    case Isa::kNeon:
      return "neon";
  }
  return "unknown";
}

std::vector<Isa> AvailableIsas() {
  std::vector<Isa> isas = {Isa::kScalar};
#if defined(__x86_64__)
  if (HasAvx2()) isas.push_back(Isa::kAvx2);
#if defined(PITH_HAS_AVXVNNI)
  if (HasAvxVnni()) isas.push_back(Isa::kAvxVnni);
#endif
  if (HasAvx512()) isas.push_back(Isa::kAvx512);
#elif defined(__aarch64__)
  if (HasDotProduct()) isas.push_back(Isa::kNeon);
#endif
  return isas;
}

Result<Isa> ChooseIsa() {
  const std::vector<Isa> available = AvailableIsas();
  const char* variable = std::getenv("PITH_ISA");
  if (variable == nullptr || *variable == '\0') return available.back();  // set but empty counts as not set
  const std::string_view name = variable;
  for (Isa isa : available) {
    if (IsaName(isa) == name) return isa;
  }
  const std::string found = "PITH_ISA: found \"" + std::string(name) + "\", ";
  for (Isa isa : kAllIsas) {
    if (IsaName(isa) == name) return Unsupported(found + "this machine or build has " + Names(available));
  }
  return InvalidArgument(found + "expected one of " + Names({std::begin(kAllIsas), std::end(kAllIsas)}));
}

}  // namespace pith
