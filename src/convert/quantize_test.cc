#include "convert/quantize.h"

#include <gtest/gtest.h>

#include <bit>
#include <cfloat>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace pith {
namespace {

TEST(Quantize, RowsFollowTheContract) {
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  for (size_t n = 1; n <= 70; ++n) {
    for (const float size : {1e-20f, 1e-3f, 1.0f, 3e30f}) {
      std::vector<float> row(n);
      for (float& v : row) v = normal(random) * size;
      std::vector<int8_t> codes(n);
      const float scale = QuantizeRow(row, codes.data());
      float m = 0;
      for (const float v : row) m = std::max(m, std::fabs(v));
      EXPECT_EQ(scale, m / 127.0f);
      for (size_t i = 0; i < n; ++i)
        EXPECT_EQ(codes[i], static_cast<int>(std::nearbyintf(row[i] / scale))) << n << " " << i;
    }
  }
}

TEST(Quantize, TiesGoToEven) {
  const float row[] = {127, 0.5f, 1.5f, 2.5f, -0.5f, -1.5f, -2.5f, 126.5f, -125.5f, 0.49999997f};  // scale 1
  int8_t codes[10];
  EXPECT_EQ(QuantizeRow(row, codes), 1.0f);
  const int expected[] = {127, 0, 2, 2, 0, -2, -2, 126, -126, 0};
  for (size_t i = 0; i < 10; ++i) EXPECT_EQ(codes[i], expected[i]) << i;
}

TEST(Quantize, CodesStayIn127ForEveryLargestValue) {
  std::mt19937 random(3);
  for (int i = 0; i < 200000; ++i) {
    float m = 0;
    while (!(m >= kSmallestRowMax && m <= FLT_MAX))
      m = std::bit_cast<float>(static_cast<uint32_t>(random()) & 0x7fffffffu);
    const float row[] = {m, -m};
    int8_t codes[2];
    const float scale = QuantizeRow(row, codes);
    EXPECT_TRUE(std::isnormal(scale));
    EXPECT_EQ(codes[0], 127) << m;
    EXPECT_EQ(codes[1], -127) << m;
  }
}

TEST(Quantize, RowsOfNextToNothingAreZero) {
  for (const float m : {0.0f, -0.0f, FLT_TRUE_MIN, FLT_MIN, std::nextafter(kSmallestRowMax, 0.0f)}) {
    const float row[] = {m, 0, -m};
    int8_t codes[3] = {1, 1, 1};
    EXPECT_EQ(QuantizeRow(row, codes), 0.0f);
    for (const int8_t c : codes) EXPECT_EQ(c, 0);
  }
}

TEST(Quantize, NonFiniteValuesAreFound) {
  std::vector<float> v(40, -1.0f);
  EXPECT_EQ(FindNonFinite(v), std::nullopt);
  EXPECT_EQ(FindNonFinite({}), std::nullopt);
  v[7] = FLT_MAX;
  v[8] = -FLT_MAX;
  EXPECT_EQ(FindNonFinite(v), std::nullopt);
  for (const float bad :
       {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
        std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::quiet_NaN()}) {
    for (size_t i = 0; i < v.size(); ++i) {
      std::vector<float> w = v;
      w[i] = bad;
      EXPECT_EQ(FindNonFinite(w), i);
      w.back() = bad;
      EXPECT_EQ(FindNonFinite(w), i);
    }
  }
}

TEST(Panel, PackingIsTheLayoutOfPanelIndexAndUnpackingItsInverse) {
  std::mt19937 random(5);
  for (size_t cols = 1; cols <= 21; ++cols) {
    for (size_t n_rows = 1; n_rows <= kPanelRows; ++n_rows) {
      std::vector<int8_t> rows(n_rows * cols);
      for (int8_t& c : rows) c = static_cast<int8_t>(static_cast<int>(random() % 255) - 127);
      std::vector<int8_t> panel(PaddedDepth(cols) * kPanelRows, 99);
      PackPanel(rows.data(), n_rows, cols, panel.data());
      std::vector<int8_t> expected(panel.size());
      for (size_t r = 0; r < n_rows; ++r) {
        for (size_t c = 0; c < cols; ++c) expected[PanelIndex(r, c, cols)] = rows[r * cols + c];
      }
      EXPECT_EQ(panel, expected);
      std::vector<int8_t> back(rows.size(), 99);
      UnpackPanel(panel.data(), n_rows, cols, back.data());
      EXPECT_EQ(back, rows);
      EXPECT_EQ(FindPanelFault(panel.data(), n_rows, cols), nullptr);
    }
  }
}

TEST(Panel, ForbiddenCodeAndDirtyPaddingAreFound) {
  for (const size_t cols : {1u, 4u, 7u}) {
    for (const size_t n_rows : {1u, 5u, 16u}) {
      std::vector<int8_t> panel(PaddedDepth(cols) * kPanelRows);
      for (size_t i = 0; i < panel.size(); ++i) {
        panel[i] = -128;
        EXPECT_NE(FindPanelFault(panel.data(), n_rows, cols), nullptr);
        panel[i] = 1;
        const size_t row = i % kPanelBytes / kPanelDepth;
        const size_t col = i / kPanelBytes * kPanelDepth + i % kPanelDepth;
        EXPECT_EQ(FindPanelFault(panel.data(), n_rows, cols) == nullptr, row < n_rows && col < cols)
            << row << " " << col;
        panel[i] = 0;
      }
    }
  }
}

}  // namespace
}  // namespace pith
