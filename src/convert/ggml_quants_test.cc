#include "convert/ggml_quants.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <vector>

namespace pith {
namespace {

TEST(GgmlQuants, F16NamesTheFirstValueThatIsTooLarge) {
  uint8_t out[8];
  EXPECT_EQ(EncodeF16(std::vector<float>{1, -65519, 65504, 0}, out), std::nullopt);
  EXPECT_EQ(EncodeF16(std::vector<float>{1, 65520, -1e9f, 0}, out), 1u);
  EXPECT_EQ(EncodeF16({}, out), std::nullopt);
}

std::vector<float> Block(std::initializer_list<float> first) {
  std::vector<float> block(first);
  block.resize(kGgmlBlock);
  return block;
}

TEST(GgmlQuants, Q8ByHand) {
  // d = 1: q is the value, halves away from zero.
  uint8_t out[kGgmlQ8Bytes];
  const std::vector<float> block = Block({127, 0.5f, -0.5f, 1.5f, -2.5f, 0.49f, -127, 3});
  ASSERT_EQ(EncodeQ8Row(block, out), std::nullopt);
  EXPECT_EQ(out[0], 0x00);
  EXPECT_EQ(out[1], 0x3c);
  const int8_t expected[] = {127, 1, -1, 2, -3, 0, -127, 3, 0};
  for (size_t i = 0; i < std::size(expected); ++i)
    EXPECT_EQ(static_cast<int8_t>(out[2 + i]), expected[i]) << i;
  std::vector<float> decoded(kGgmlBlock);
  DecodeQ8Row(out, decoded);
  EXPECT_EQ(decoded, Block({127, 1, -1, 2, -3, 0, -127, 3}));
}

TEST(GgmlQuants, Q4ByHand) {
  // The largest magnitude is -8, so d = 1: q = floor(x + 8.5), at most 15.
  uint8_t out[kGgmlQ4Bytes];
  std::vector<float> block = Block({1, -8, 7.4f, 7.5f, 0.49f, 0.5f, -0.5f, -0.51f, 8});
  block[16] = -7;
  block[31] = 5;
  ASSERT_EQ(EncodeQ4Row(block, out), std::nullopt);
  EXPECT_EQ(out[0], 0x00);
  EXPECT_EQ(out[1], 0x3c);
  const uint8_t low[16] = {9, 0, 15, 15, 8, 9, 8, 7, 15, 8, 8, 8, 8, 8, 8, 8};
  for (size_t j = 0; j < 16; ++j) {
    EXPECT_EQ(out[2 + j] & 15, low[j]) << j;
    EXPECT_EQ(out[2 + j] >> 4, j == 0 ? 1 : j == 15 ? 13 : 8) << j;
  }
  std::vector<float> decoded(kGgmlBlock);
  DecodeQ4Row(out, decoded);
  EXPECT_EQ(decoded[1], -8.0f);
  EXPECT_EQ(decoded[2], 7.0f);
  EXPECT_EQ(decoded[16], -7.0f);
  EXPECT_EQ(decoded[31], 5.0f);

  // The first of two equal magnitudes gives the sign of d: here d = -1.
  ASSERT_EQ(EncodeQ4Row(Block({8, -8}), out), std::nullopt);
  EXPECT_EQ(out[1], 0xbc);
  EXPECT_EQ(out[2] & 15, 0);
  EXPECT_EQ(out[3] & 15, 15);
}

TEST(GgmlQuants, ZeroAndTinyBlocks) {
  uint8_t q8[kGgmlQ8Bytes];
  uint8_t q4[kGgmlQ4Bytes];
  std::vector<float> decoded(kGgmlBlock);
  for (const float tiny : {0.0f, 1e-45f, -1e-40f, 1e-37f}) {
    ASSERT_EQ(EncodeQ8Row(Block({tiny}), q8), std::nullopt);
    DecodeQ8Row(q8, decoded);
    for (const float v : decoded) EXPECT_EQ(v, 0) << tiny;
    ASSERT_EQ(EncodeQ4Row(Block({tiny}), q4), std::nullopt);
    DecodeQ4Row(q4, decoded);
    for (const float v : decoded) EXPECT_EQ(v, 0) << tiny;
  }
  ASSERT_EQ(EncodeQ8Row(Block({0}), q8), std::nullopt);
  for (const uint8_t b : q8) EXPECT_EQ(b, 0);
  EXPECT_EQ(EncodeQ8Row({}, q8), std::nullopt);
}

TEST(GgmlQuants, AScaleBeyondF16IsNamed) {
  std::vector<float> row(2 * kGgmlBlock, 1.0f);
  std::vector<uint8_t> out(2 * kGgmlQ8Bytes);
  row[40] = 65519.0f * 127;
  EXPECT_EQ(EncodeQ8Row(row, out.data()), std::nullopt);
  row[40] = 65521.0f * 127;
  EXPECT_EQ(EncodeQ8Row(row, out.data()), 40u);
  row[40] = -65520.0f * 8;
  EXPECT_EQ(EncodeQ4Row(row, out.data()), 40u);
}

TEST(GgmlQuants, ErrorsStayWithinHalfAStep) {
  uint64_t state = 7;
  for (int n = 0; n < 2000; ++n) {
    std::vector<float> block(kGgmlBlock);
    float amax = 0;
    for (float& v : block) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      v = static_cast<float>(static_cast<int32_t>(state >> 32)) * 0x1p-31f;
      amax = std::max(amax, std::fabs(v));
    }
    uint8_t out[kGgmlQ8Bytes];
    std::vector<float> decoded(kGgmlBlock);
    ASSERT_EQ(EncodeQ8Row(block, out), std::nullopt);
    DecodeQ8Row(out, decoded);
    // Half a step, and the scale's own rounding, 2^-11 of the value.
    for (size_t i = 0; i < kGgmlBlock; ++i)
      EXPECT_LE(std::fabs(block[i] - decoded[i]), amax * (0.5f / 127 + 0x1p-10f));
    ASSERT_EQ(EncodeQ4Row(block, out), std::nullopt);
    DecodeQ4Row(out, decoded);
    // A whole step at the end away from the largest value: 8 becomes 7.
    for (size_t i = 0; i < kGgmlBlock; ++i)
      EXPECT_LE(std::fabs(block[i] - decoded[i]), amax * (1.0f / 8 + 0x1p-10f));
  }
}

}  // namespace
}  // namespace pith
