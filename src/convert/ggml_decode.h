// Rows of weights in the encodings of ggml that pith's engine takes: what ggml's own dequantisers make of
// them, bit for bit.
//
// Source: ggml/src/ggml-common.h (the blocks), ggml/src/ggml-quants.c (dequantize_row_*). ggml_quants.h has
// the way there. Thread-safe: pure functions, to be run in the float environment of numeric_contract.md
// section 1.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "formats/gguf.h"

namespace pith {

// F32, F16, BF16; Q4_0, Q4_1, Q5_0, Q5_1, Q8_0; Q4_K, Q5_K, Q6_K.
bool CanDecodeGgml(GgufEncoding encoding);
std::string DecodableGgmlNames();  // of those, for messages: "F32, F16, .."

// The values of one row. `in`: GgufRowBytes(encoding, row.size()) bytes.
// REQUIRES: CanDecodeGgml(encoding); row.size() is a multiple of its block.
void DecodeGgmlRow(GgufEncoding encoding, const uint8_t* in, std::span<float> row);

}  // namespace pith
