#include "convert/ggml_decode.h"

#include <algorithm>
#include <bit>
#include <cstddef>

#include "base/check.h"
#include "base/half.h"
#include "convert/ggml_quants.h"

namespace pith {
namespace {

constexpr GgufEncoding kDecodable[] = {GgufEncoding::kF32,  GgufEncoding::kF16,  GgufEncoding::kBf16,
                                       GgufEncoding::kQ4_0, GgufEncoding::kQ4_1, GgufEncoding::kQ5_0,
                                       GgufEncoding::kQ5_1, GgufEncoding::kQ8_0, GgufEncoding::kQ4_K,
                                       GgufEncoding::kQ5_K, GgufEncoding::kQ6_K};

constexpr size_t kHalfBlock = kGgmlBlock / 2;
constexpr size_t kSuperBlock = 256;  // values of a block of the K types: eight parts of 32

float LoadHalf(const uint8_t* in) { return HalfToFloat(static_cast<uint16_t>(in[0] | in[1] << 8)); }

uint32_t LoadU32(const uint8_t* in) {
  return in[0] | static_cast<uint32_t>(in[1]) << 8 | static_cast<uint32_t>(in[2]) << 16 |
         static_cast<uint32_t>(in[3]) << 24;
}

void DecodeF32(const uint8_t* in, std::span<float> row) {
  for (size_t i = 0; i < row.size(); ++i) row[i] = std::bit_cast<float>(LoadU32(in + 4 * i));
}

void DecodeBf16(const uint8_t* in, std::span<float> row) {
  for (size_t i = 0; i < row.size(); ++i) {
    row[i] = std::bit_cast<float>(static_cast<uint32_t>(in[2 * i]) << 16 |
                                  static_cast<uint32_t>(in[2 * i + 1]) << 24);
  }
}

// A block: d f16, m f16, 16 bytes; value = d * q + m. The low halves of the bytes are the first 16 values.
void DecodeQ4_1(const uint8_t* in, std::span<float> row) {
  for (size_t b = 0; b < row.size(); b += kGgmlBlock, in += 20) {
    const float d = LoadHalf(in);
    const float m = LoadHalf(in + 2);
    for (size_t j = 0; j < kHalfBlock; ++j) {
      row[b + j] = static_cast<float>(in[4 + j] & 15) * d + m;
      row[b + kHalfBlock + j] = static_cast<float>(in[4 + j] >> 4) * d + m;
    }
  }
}

// The q of one block of Q5: bit i of `high` is the fifth bit of q[i].
void LoadQ5(const uint8_t* low, uint32_t high, int* q) {
  for (size_t j = 0; j < kHalfBlock; ++j) {
    q[j] = static_cast<int>((low[j] & 15) | (high >> j & 1) << 4);
    q[kHalfBlock + j] = static_cast<int>(low[j] >> 4 | (high >> (kHalfBlock + j) & 1) << 4);
  }
}

// A block: d f16, u32 of fifth bits, 16 bytes; value = d * (q - 16).
void DecodeQ5_0(const uint8_t* in, std::span<float> row) {
  int q[kGgmlBlock];
  for (size_t b = 0; b < row.size(); b += kGgmlBlock, in += 22) {
    const float d = LoadHalf(in);
    LoadQ5(in + 6, LoadU32(in + 2), q);
    for (size_t j = 0; j < kGgmlBlock; ++j) row[b + j] = static_cast<float>(q[j] - 16) * d;
  }
}

// A block: d f16, m f16, u32 of fifth bits, 16 bytes; value = d * q + m.
void DecodeQ5_1(const uint8_t* in, std::span<float> row) {
  int q[kGgmlBlock];
  for (size_t b = 0; b < row.size(); b += kGgmlBlock, in += 24) {
    const float d = LoadHalf(in);
    const float m = LoadHalf(in + 2);
    LoadQ5(in + 8, LoadU32(in + 4), q);
    for (size_t j = 0; j < kGgmlBlock; ++j) row[b + j] = static_cast<float>(q[j]) * d + m;
  }
}

// Scale and minimum, six bits each, of part i of eight, out of 12 bytes: those of parts 4 to 7 have their
// upper two bits above those of parts 0 to 3.
struct ScaleAndMin {
  unsigned scale;
  unsigned min;
};
ScaleAndMin UnpackScale(const uint8_t* packed, size_t i) {
  if (i < 4) return {packed[i] & 63u, packed[i + 4] & 63u};
  return {(packed[i + 4] & 15u) | packed[i - 4] >> 6 << 4, packed[i + 4] / 16u | packed[i] >> 6 << 4};
}

// A block: d f16, dmin f16, 12 bytes of scales, for Q5_K 32 bytes of fifth bits (bit i for part i), 128 bytes
// of low bits (two parts in 32 bytes). Value = (d * scale) * q - dmin * min.
void DecodeQ45K(const uint8_t* in, std::span<float> row, bool five) {
  constexpr size_t kScales = 4;
  constexpr size_t kScaleBytes = 12;
  const size_t low_at = kScales + kScaleBytes + (five ? kGgmlBlock : 0);
  for (size_t b = 0; b < row.size(); b += kSuperBlock, in += low_at + kSuperBlock / 2) {
    const float d = LoadHalf(in);
    const float d_min = LoadHalf(in + 2);
    const uint8_t* const high = in + kScales + kScaleBytes;
    for (size_t part = 0; part < kSuperBlock / kGgmlBlock; ++part) {
      const ScaleAndMin s = UnpackScale(in + kScales, part);
      const float scale = d * static_cast<float>(s.scale);
      const float min = d_min * static_cast<float>(s.min);
      const uint8_t* const low = in + low_at + part / 2 * kGgmlBlock;
      float* const out = row.data() + b + part * kGgmlBlock;
      for (size_t j = 0; j < kGgmlBlock; ++j) {
        unsigned q = part % 2 == 0 ? low[j] & 15u : low[j] >> 4;
        if (five) q += (high[j] >> part & 1u) << 4;
        out[j] = scale * static_cast<float>(static_cast<int>(q)) - min;
      }
    }
  }
}

// A block: 128 bytes of low four bits, 64 of upper two, 16 x int8 scales (one for 16 values), d f16. Value =
// (d * scale) * (q - 32). Each half of 128 values: 32 bytes of upper bits and 64 of lower for its four parts.
void DecodeQ6K(const uint8_t* in, std::span<float> row) {
  constexpr size_t kPart = 32;
  for (size_t b = 0; b < row.size(); b += kSuperBlock, in += 210) {
    const float d = LoadHalf(in + 208);
    for (size_t half = 0; half < 2; ++half) {
      const uint8_t* const low = in + half * 64;
      const uint8_t* const high = in + 128 + half * 32;
      const uint8_t* const scales = in + 192 + half * 8;
      float* const out = row.data() + b + half * 128;
      for (size_t part = 0; part < 4; ++part) {
        for (size_t j = 0; j < kPart; ++j) {
          const unsigned byte = low[part % 2 * kPart + j];
          const unsigned q = (part < 2 ? byte & 15 : byte >> 4) | (high[j] >> 2 * part & 3u) << 4;
          const float scale = d * static_cast<float>(static_cast<int8_t>(scales[2 * part + j / 16]));
          out[part * kPart + j] = scale * static_cast<float>(static_cast<int>(q) - 32);
        }
      }
    }
  }
}

}  // namespace

bool CanDecodeGgml(GgufEncoding encoding) {
  return std::find(std::begin(kDecodable), std::end(kDecodable), encoding) != std::end(kDecodable);
}

std::string DecodableGgmlNames() {
  std::string names;
  for (const GgufEncoding e : kDecodable) names.append(names.empty() ? "" : ", ").append(GgufEncodingName(e));
  return names;
}

void DecodeGgmlRow(GgufEncoding encoding, const uint8_t* in, std::span<float> row) {
  PITH_CHECK(CanDecodeGgml(encoding) && row.size() % GgufBlockValues(encoding) == 0);
  switch (encoding) {
    case GgufEncoding::kF32:
      return DecodeF32(in, row);
    case GgufEncoding::kF16:
      return DecodeF16(in, row);
    case GgufEncoding::kBf16:
      return DecodeBf16(in, row);
    case GgufEncoding::kQ4_0:
      return DecodeQ4Row(in, row);
    case GgufEncoding::kQ4_1:
      return DecodeQ4_1(in, row);
    case GgufEncoding::kQ5_0:
      return DecodeQ5_0(in, row);
    case GgufEncoding::kQ5_1:
      return DecodeQ5_1(in, row);
    case GgufEncoding::kQ8_0:
      return DecodeQ8Row(in, row);
    case GgufEncoding::kQ4_K:
      return DecodeQ45K(in, row, false);
    case GgufEncoding::kQ5_K:
      return DecodeQ45K(in, row, true);
    case GgufEncoding::kQ6_K:
      return DecodeQ6K(in, row);
  }
}

}  // namespace pith
