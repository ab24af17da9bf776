// Rows of weights in the encodings of ggml that the GGUF exporter writes: F16, Q8_0 and Q4_0, bit for bit as
// ggml's reference quantisers and the gguf Python package make them.
//
// Source: ggml/src/ggml-quants.c (quantize_row_q8_0_ref, quantize_row_q4_0_ref), gguf-py/gguf/quants.py.
// Thread-safe: pure functions, to be run in the float environment of numeric_contract.md section 1.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace pith {

inline constexpr size_t kGgmlBlock = 32;        // values that share a scale
inline constexpr size_t kGgmlQ8Bytes = 2 + 32;  // scale d as f16 LE, then 32 x int8; value = d * q
inline constexpr size_t kGgmlQ4Bytes = 2 + 16;  // scale d as f16 LE, then 16 bytes; value = d * (q - 8)

// All three encode row[0 .. row.size()) and return the index of the first value that does not fit, if any:
// one that rounds to an infinite f16, or the largest of a block whose scale does. `out` is then of no use.
// REQUIRES: every value is finite; for the Q types row.size() is a multiple of kGgmlBlock.

// out: 2 bytes a value.
std::optional<size_t> EncodeF16(std::span<const float> row, uint8_t* out);

// out: kGgmlQ8Bytes a block. d = max |x| / 127, q = x / d rounded half away from zero, by the d before it is
// an f16.
std::optional<size_t> EncodeQ8Row(std::span<const float> row, uint8_t* out);

// out: kGgmlQ4Bytes a block. d = x_max / -8, where x_max is the first value of largest magnitude, with its
// sign; q = min(15, floor(x / d + 8.5)); byte j holds q of x[j] in its low half and of x[j + 16] in its high
// half.
std::optional<size_t> EncodeQ4Row(std::span<const float> row, uint8_t* out);

// The values that encoded rows stand for. REQUIRES: as above.
void DecodeF16(const uint8_t* in, std::span<float> row);
void DecodeQ8Row(const uint8_t* in, std::span<float> row);
void DecodeQ4Row(const uint8_t* in, std::span<float> row);

}  // namespace pith
