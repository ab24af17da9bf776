// RandomBytes, for tests: the same for the same seed, everywhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>

#include "base/bytes.h"

namespace pith {

inline Bytes RandomBytes(size_t n, uint64_t seed) {
  std::mt19937_64 random(seed);
  Bytes b(n);
  for (uint8_t& v : b) v = static_cast<uint8_t>(random());
  return b;
}

}  // namespace pith
