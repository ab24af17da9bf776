// Which instruction sets this machine has, and which one to use.
#pragma once

#include <string_view>
#include <vector>

#include "pith/status.h"

namespace pith {

// kAvxVnni is AVX2 with vpdpbusd in 256 bits; kAvx512 means F, BW, VL, DQ and VNNI; kNeon includes dot product.
enum class Isa { kScalar, kAvx2, kAvxVnni, kAvx512, kNeon };

std::string_view IsaName(Isa isa);  // "scalar", "avx2", "avxvnni", "avx512", "neon"

// Every set that this build contains and this machine runs, slowest first; kScalar is always there.
std::vector<Isa> AvailableIsas();

// The fastest available set, or the one that the environment variable PITH_ISA names.
// kInvalidArgument for an unknown name, kUnsupported where the machine lacks it.
Result<Isa> ChooseIsa();

}  // namespace pith
