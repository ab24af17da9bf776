#include "convert/onnx_blocks.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "formats/safetensors.h"

namespace pith {
namespace {

std::vector<float> RandomRow(size_t n, uint64_t seed) {
  std::vector<float> row(n);
  for (float& v : row) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    v = static_cast<float>(static_cast<int32_t>(seed >> 32)) * 0x1p-31f;
  }
  return row;
}

struct Encoded {
  std::vector<uint8_t> codes;
  std::vector<float> scales;
  std::vector<float> values;
};
Encoded EncodeRow(const std::vector<float>& row, int bits) {
  Encoded e{std::vector<uint8_t>(OnnxCodeBytes(row.size(), bits)), std::vector<float>(OnnxBlocks(row.size())),
            std::vector<float>(row.size())};
  EncodeOnnxRow(row, bits, e.codes.data(), e.scales.data());
  DecodeOnnxRow(e.codes.data(), e.scales.data(), bits, e.values);
  return e;
}

TEST(OnnxBlocks, ValuesAreWithinAStepAndNearestToTheirScale) {
  for (const int bits : {8, 4}) {
    for (const size_t cols : {1u, 2u, 31u, 32u, 33u, 63u, 64u, 72u, 257u}) {
      const std::vector<float> row = RandomRow(cols, cols);
      const Encoded e = EncodeRow(row, bits);
      const float top = bits == 8 ? 127 : 7;
      for (size_t i = 0; i < cols; ++i) {
        const float scale = e.scales[i / kOnnxBlock];
        const float ratio = row[i] / scale;
        const float code = std::fmin(std::fmax(std::nearbyint(ratio), -top - 1), top);
        // Within rounding of the ratio itself.
        EXPECT_NEAR(e.values[i] / scale, code, std::fabs(ratio - std::trunc(ratio)) == 0.5f ? 1.001f : 0.001f)
            << bits << " bits, column " << i << " of " << cols;
      }
    }
  }
}

// Against the plain choice, the largest magnitude at the end of the range.
TEST(OnnxBlocks, TheChosenScaleIsNoWorseThanThePlainOne) {
  for (const int bits : {8, 4}) {
    double chosen = 0;
    double plain = 0;
    for (uint64_t seed = 0; seed < 200; ++seed) {
      const std::vector<float> row = RandomRow(kOnnxBlock, seed);
      const Encoded e = EncodeRow(row, bits);
      float extreme = 0;
      for (const float v : row) extreme = std::fabs(v) > std::fabs(extreme) ? v : extreme;
      const float top = bits == 8 ? 127 : 7;
      const float scale = extreme / (-top - 1);
      double error = 0;
      double plain_error = 0;
      for (size_t i = 0; i < row.size(); ++i) {
        error += std::pow(row[i] - e.values[i], 2);
        plain_error += std::pow(row[i] - scale * std::fmin(std::nearbyint(row[i] / scale), top), 2);
      }
      EXPECT_LE(error, plain_error * 1.0001) << seed;
      chosen += error;
      plain += plain_error;
    }
    EXPECT_LT(chosen, 0.9 * plain) << bits << " bits";
  }
}

TEST(OnnxBlocks, CodesLieAsTheOperatorReadsThem) {
  std::vector<float> row(kOnnxBlock + 1);
  for (int i = 0; i < 16; ++i)
    row[static_cast<size_t>(i)] = static_cast<float>(i - 8);  // each code of 4 bits once
  row[kOnnxBlock] = -3;
  const Encoded e = EncodeRow(row, 4);
  EXPECT_EQ(e.scales, (std::vector<float>{1, e.scales[1]}));
  EXPECT_EQ(e.values, row);
  ASSERT_EQ(e.codes.size(), 32u);
  for (size_t i = 0; i < 8; ++i)
    EXPECT_EQ(e.codes[i], (2 * i + 1) << 4 | 2 * i);             // the first in the low half
  for (size_t i = 8; i < 16; ++i) EXPECT_EQ(e.codes[i], 0x88);   // zeros
  for (size_t i = 17; i < 32; ++i) EXPECT_EQ(e.codes[i], 0x88);  // beyond the end
  const Encoded e8 = EncodeRow(row, 8);
  ASSERT_EQ(e8.codes.size(), 64u);
  for (size_t i = 33; i < 64; ++i) EXPECT_EQ(e8.codes[i], 128);
}

TEST(OnnxBlocks, ExtremeMagnitudesStayFinite) {
  for (const int bits : {8, 4}) {
    for (const float v : {0.0f, -0.0f, 1e-45f, 0x1p-126f, 0x1p-101f, 0x1p-100f, 0x1p-60f, 1.0f,
                          std::numeric_limits<float>::max() / 2}) {
      for (const float sign : {1.0f, -1.0f}) {
        std::vector<float> row = RandomRow(kOnnxBlock, 3);
        for (float& x : row) x *= v;
        row[5] = sign * v;
        const Encoded e = EncodeRow(row, bits);
        ASSERT_TRUE(std::isfinite(e.scales[0])) << v;
        for (size_t i = 0; i < row.size(); ++i) {
          EXPECT_NEAR(e.values[i] / (v + 0x1p-80f), row[i] / (v + 0x1p-80f), bits == 8 ? 0.02 : 0.2) << v;
        }
        EXPECT_EQ(e.scales[0] == 0, v < 0x1p-100f) << v;
      }
    }
  }
}

}  // namespace
}  // namespace pith
