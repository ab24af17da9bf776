// Weights in the blocks of the ONNX operator MatMulNBits (com.microsoft), and halves.
//
// A row of `cols` values becomes n = ceil(cols / kOnnxBlock) blocks, each kOnnxBlock codes of 8 or 4 bits (of
// two codes in a byte the first has the low half) and a float scale; value = (code - 2^(bits - 1)) * scale.
// Codes beyond the row's end stand for 0.
//
// Thread-safe: pure functions. They must run in the float environment of numeric_contract.md section 1.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace pith {

// The operator takes powers of two from 16 on; docs/onnx.md compares.
inline constexpr size_t kOnnxBlock = 32;

constexpr size_t OnnxBlocks(size_t cols) { return (cols + kOnnxBlock - 1) / kOnnxBlock; }

// Bytes of codes of a row.
constexpr size_t OnnxCodeBytes(size_t cols, int bits) {
  return OnnxBlocks(cols) * kOnnxBlock * static_cast<size_t>(bits) / 8;
}

// codes: OnnxCodeBytes(row.size(), bits); scales: OnnxBlocks(row.size()), each the one of a few with the
// least squared error; it may be negative, and 0 for a block of (nearly) zeros. REQUIRES: bits is 8 or 4;
// every value is finite.
void EncodeOnnxRow(std::span<const float> row, int bits, uint8_t* codes, float* scales);

// The values that codes and scales stand for.
void DecodeOnnxRow(const uint8_t* codes, const float* scales, int bits, std::span<float> row);

}  // namespace pith
