#include "convert/ggml_decode.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/bytes.h"
#include "base/float_environment.h"
#include "base/hash.h"

namespace pith {
namespace {

// What gguf.quants.dequantize (the gguf Python package, 0.19.0) makes of 512 values whose bytes are
// EncodedBytes: XXH3-64 of the floats, and two of them.
constexpr struct {
  GgufEncoding encoding;
  uint64_t hash;
  float second;
  float last_but_one;
} kDequantized[] = {
    {GgufEncoding::kF32, 0x42edde9484d02426, 0x1.291ec40000000p-73f, -0x1.750ce20000000p-3f},
    {GgufEncoding::kF16, 0x247c8690298535df, 0x1.a9400p-7f, 0x1.a7800p-8f},
    {GgufEncoding::kBf16, 0x7d10aea468bb9e7b, -0x1.ca000p-76f, -0x1.b8000p-45f},
    {GgufEncoding::kQ4_0, 0xf04fcb6c77a9e9fe, -0x1.0ea00p-2f, -0x1.81a80p-2f},
    {GgufEncoding::kQ4_1, 0xe02037e2b98980bc, 0x1.7b000p-4f, 0x1.7d380p-1f},
    {GgufEncoding::kQ5_0, 0xb7d0ac9c7549cfc5, 0x1.09400p-3f, -0x1.45100p-1f},
    {GgufEncoding::kQ5_1, 0xdb222390f7d61ac2, -0x1.08e00p-3f, 0x1.349c0p-1f},
    {GgufEncoding::kQ8_0, 0x8cb04b653d2c5468, 0x1.7b560p+1f, 0x1.5e430p+2f},
    {GgufEncoding::kQ4_K, 0xcd880f7d9f65964c, -0x1.f0d00p+1f, -0x1.a8408p+2f},
    {GgufEncoding::kQ5_K, 0xbeff9c274a3ef7bd, 0x1.5fd55p+6f, 0x1.26634p+4f},
    {GgufEncoding::kQ6_K, 0xe1e3118ce01e7f2f, -0x1.dcee0p+1f, -0x1.9a478p+2f},
};
constexpr size_t kValues = 512;

// A linear congruential generator's upper bytes, with exponents of scales (or floats) that keep everything
// finite.
Bytes EncodedBytes(GgufEncoding encoding) {
  uint64_t state = static_cast<uint64_t>(encoding);
  Bytes bytes(GgufRowBytes(encoding, kValues));
  for (uint8_t& b : bytes) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    b = static_cast<uint8_t>(state >> 56);
  }
  const size_t block = GgufBlockBytes(encoding);
  std::vector<size_t> halves = {0};
  if (encoding == GgufEncoding::kQ6_K) halves = {208};
  for (const GgufEncoding with_min :
       {GgufEncoding::kQ4_1, GgufEncoding::kQ5_1, GgufEncoding::kQ4_K, GgufEncoding::kQ5_K}) {
    if (encoding == with_min) halves = {0, 2};
  }
  for (size_t b = 0; b < bytes.size(); b += block) {
    if (GgufBlockValues(encoding) == 1) {
      bytes[b + block - 1] &= 0xbf;
    } else {
      for (const size_t half : halves)
        bytes[b + half + 1] = static_cast<uint8_t>((bytes[b + half + 1] & 0x83) | 0x28);
    }
  }
  return bytes;
}

TEST(GgmlDecode, EveryEncodingStandsForTheValuesOfTheGgufPackage) {
  const ScopedFloatEnvironment environment;
  for (const auto& expected : kDequantized) {
    SCOPED_TRACE(GgufEncodingName(expected.encoding));
    ASSERT_TRUE(CanDecodeGgml(expected.encoding));
    const Bytes bytes = EncodedBytes(expected.encoding);
    std::vector<float> values(kValues);
    DecodeGgmlRow(expected.encoding, bytes.data(), values);
    EXPECT_EQ(values[1], expected.second);
    EXPECT_EQ(values[kValues - 2], expected.last_but_one);
    EXPECT_EQ(Hash64({reinterpret_cast<const uint8_t*>(values.data()), kValues * sizeof(float)}),
              expected.hash);
  }
}

// One value after another, as the blocks are described: the fast ones go through a block in another order.
TEST(GgmlDecode, SixBitsByHand) {
  Bytes block(210);
  const auto set = [&](size_t i, unsigned q) {  // value i of 256
    const size_t half = i / 128, part = i % 128 / 32, j = i % 32;
    block[half * 64 + part % 2 * 32 + j] |= static_cast<uint8_t>((q & 15) << (part < 2 ? 0 : 4));
    block[128 + half * 32 + j] |= static_cast<uint8_t>(q >> 4 << (2 * part));
  };
  for (size_t i = 0; i < 256; ++i) set(i, i % 64);
  for (size_t s = 0; s < 16; ++s) block[192 + s] = static_cast<uint8_t>(s - 8);
  block[209] = 0x3c;  // d = 1
  std::vector<float> values(256);
  DecodeGgmlRow(GgufEncoding::kQ6_K, block.data(), values);
  for (size_t i = 0; i < 256; ++i) {
    ASSERT_EQ(values[i], (static_cast<float>(i / 16) - 8) * (static_cast<float>(i % 64) - 32)) << i;
  }
}

TEST(GgmlDecode, ListsWhatItKnowsAndNothingElse) {
  EXPECT_EQ(DecodableGgmlNames(), "F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K, Q6_K");
  size_t n = 0;
  for (uint32_t id = 0; id < 64; ++id) n += CanDecodeGgml(static_cast<GgufEncoding>(id)) ? 1 : 0;
  EXPECT_EQ(n, std::size(kDequantized));
}

TEST(GgmlDecode, AnEmptyRowHasNoValues) {
  for (const auto& e : kDequantized) DecodeGgmlRow(e.encoding, nullptr, {});
}

}  // namespace
}  // namespace pith
