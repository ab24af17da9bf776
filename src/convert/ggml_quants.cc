#include "convert/ggml_quants.h"

#include <bit>
#include <cmath>

#include "base/check.h"
#include "formats/safetensors.h"

namespace pith {
namespace {

constexpr uint16_t kHalfInfinity = 0x7c00;

bool IsInfiniteHalf(uint16_t half) { return (half & 0x7fff) == kHalfInfinity; }

void StoreHalf(uint16_t half, uint8_t* out) {
  out[0] = static_cast<uint8_t>(half);
  out[1] = static_cast<uint8_t>(half >> 8);
}
float LoadHalf(const uint8_t* in) { return HalfToFloat(static_cast<uint16_t>(in[0] | in[1] << 8)); }

// Index of the first value of largest magnitude.
size_t LargestAt(std::span<const float> block) {
  size_t at = 0;
  for (size_t i = 1; i < block.size(); ++i) {
    if (std::fabs(block[i]) > std::fabs(block[at])) at = i;
  }
  return at;
}

// 1 / d; 0 for no scale, and where the inverse overflows (d below 2^-128): all codes are then those of zero,
// as is what they stand for, because such a d is 0 as an f16. The reference converts NaN and infinity to int8
// there, which C leaves undefined.
float Inverse(float d) {
  if (d == 0) return 0;
  const float inverse = 1.0f / d;
  return std::isinf(inverse) ? 0 : inverse;
}

// roundf: half away from zero. REQUIRES: |v| < 2^23.
int RoundHalfAway(float v) {
  const int whole = static_cast<int>(v);             // towards zero
  const float rest = v - static_cast<float>(whole);  // exact
  return whole + (rest >= 0.5f ? 1 : rest <= -0.5f ? -1 : 0);
}

}  // namespace

uint16_t RoundToHalf(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const auto sign = static_cast<uint16_t>(bits >> 16 & 0x8000);
  const uint32_t magnitude = bits & 0x7fffffff;
  uint32_t half = 0;
  if (magnitude > 0x7f800000) {
    half = kHalfInfinity | 0x200 | (magnitude >> 13 & 0x3ff);  // a quiet NaN
  } else if (magnitude >= 0x477ff000) {  // 65520: half way between the largest f16 and 2^16
    half = kHalfInfinity;
  } else if (magnitude >= 0x38800000) {  // 2^-14, the smallest normal f16
    const uint32_t odd = magnitude >> 13 & 1;
    half = (magnitude - (112u << 23) + 0xfff + odd) >> 13;  // a carry moves into the exponent, as it should
  } else if (magnitude > 0x33000000) {                      // above 2^-25, half of the smallest subnormal f16
    const uint32_t shift = 126 - (magnitude >> 23);         // 14 .. 24
    const uint32_t mantissa = (magnitude & 0x7fffff) | 0x800000;
    const uint32_t odd = mantissa >> shift & 1;
    half = (mantissa + (1u << (shift - 1)) - 1 + odd) >> shift;
  }
  return static_cast<uint16_t>(sign | half);
}

std::optional<size_t> EncodeF16(std::span<const float> row, uint8_t* out) {
  for (size_t i = 0; i < row.size(); ++i) {
    const uint16_t half = RoundToHalf(row[i]);
    if (IsInfiniteHalf(half)) return i;
    StoreHalf(half, out + 2 * i);
  }
  return std::nullopt;
}

std::optional<size_t> EncodeQ8Row(std::span<const float> row, uint8_t* out) {
  PITH_CHECK(row.size() % kGgmlBlock == 0);
  for (size_t b = 0; b < row.size(); b += kGgmlBlock, out += kGgmlQ8Bytes) {
    const std::span<const float> block = row.subspan(b, kGgmlBlock);
    const size_t largest = LargestAt(block);
    const float d = std::fabs(block[largest]) / 127.0f;
    const uint16_t half = RoundToHalf(d);
    if (IsInfiniteHalf(half)) return b + largest;
    StoreHalf(half, out);
    const float inverse = Inverse(d);
    for (size_t j = 0; j < kGgmlBlock; ++j)
      out[2 + j] = static_cast<uint8_t>(RoundHalfAway(block[j] * inverse));
  }
  return std::nullopt;
}

std::optional<size_t> EncodeQ4Row(std::span<const float> row, uint8_t* out) {
  PITH_CHECK(row.size() % kGgmlBlock == 0);
  constexpr size_t kHalf = kGgmlBlock / 2;
  for (size_t b = 0; b < row.size(); b += kGgmlBlock, out += kGgmlQ4Bytes) {
    const std::span<const float> block = row.subspan(b, kGgmlBlock);
    const size_t largest = LargestAt(block);
    const float d = block[largest] / -8.0f;
    const uint16_t half = RoundToHalf(d);
    if (IsInfiniteHalf(half)) return b + largest;
    StoreHalf(half, out);
    const float inverse = Inverse(d);
    const auto code = [&](size_t j) {
      const int q = static_cast<int>(block[j] * inverse + 8.5f);  // 0.5 .. 16.5, but for rounding
      return static_cast<unsigned>(q > 15 ? 15 : q);
    };
    for (size_t j = 0; j < kHalf; ++j) out[2 + j] = static_cast<uint8_t>(code(j) | code(j + kHalf) << 4);
  }
  return std::nullopt;
}

void DecodeF16(const uint8_t* in, std::span<float> row) {
  for (size_t i = 0; i < row.size(); ++i) row[i] = LoadHalf(in + 2 * i);
}

void DecodeQ8Row(const uint8_t* in, std::span<float> row) {
  for (size_t b = 0; b < row.size(); b += kGgmlBlock, in += kGgmlQ8Bytes) {
    const float d = LoadHalf(in);
    for (size_t j = 0; j < kGgmlBlock; ++j)
      row[b + j] = d * static_cast<float>(static_cast<int8_t>(in[2 + j]));
  }
}

void DecodeQ4Row(const uint8_t* in, std::span<float> row) {
  constexpr size_t kHalf = kGgmlBlock / 2;
  for (size_t b = 0; b < row.size(); b += kGgmlBlock, in += kGgmlQ4Bytes) {
    const float d = LoadHalf(in);
    for (size_t j = 0; j < kHalf; ++j) {
      row[b + j] = d * static_cast<float>((in[2 + j] & 15) - 8);
      row[b + kHalf + j] = d * static_cast<float>((in[2 + j] >> 4) - 8);
    }
  }
}

}  // namespace pith
