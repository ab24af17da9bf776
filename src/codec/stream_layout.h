// How a block's tokens are cut into streams. docs/format.md section 6.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pith {

// Stream i of n_streams gets tokens [StreamBegin(i), StreamBegin(i + 1)). Lengths differ by one at most.
constexpr uint64_t StreamBegin(uint64_t n_tokens, uint64_t n_streams, uint64_t i) {
  return i * n_tokens / n_streams;
}

// The longest stream's length: the number of steps.
constexpr uint64_t StepCount(uint64_t n_tokens, uint64_t n_streams) {
  return (n_tokens + n_streams - 1) / n_streams;
}

}  // namespace pith
