#include "convert/ggml_quants.h"

#include <bit>
#include <cmath>

#include "base/check.h"
#include "base/half.h"

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

std::optional<size_t> EncodeF16(std::span<const float> row, uint8_t* out) {
  for (size_t i = 0; i < row.size(); ++i) {
    const uint16_t half = FloatToHalf(row[i]);
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
    const uint16_t half = FloatToHalf(d);
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
    const uint16_t half = FloatToHalf(d);
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
