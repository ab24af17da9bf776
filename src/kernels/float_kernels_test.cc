// Float part of the kernels (contract 2, 3, 6, 8): each set against formulas written here from the contract,
// equal bits.
#include <algorithm>
#include <limits>
#include <utility>

#include "kernels/kernels_test_util.h"

namespace pith {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

// Runs `kernel(table, out)` on a guarded copy of `start` for each set and compares with `expected`.
template <typename Kernel>
void ExpectAll(const std::vector<float>& start, const std::vector<float>& expected, Kernel kernel) {
  for (Isa isa : AvailableIsas()) {
    Guarded<float> out(start.size());
    out.Assign(start);
    kernel(KernelsFor(isa), out.data());
    ASSERT_TRUE(SameBits(out.Copy(), expected)) << IsaName(isa);
  }
}

TEST(RmsNorm, IsTheFormulaOfTheContractForEveryIsa) {
  Random random(20);
  for (size_t n : Sizes()) {
    const std::vector<float> x = random.AnyFloats(n), weight = random.AnyFloats(n);
    const float eps = 1e-6f;
    std::vector<float> squares(n), expected(n);
    for (size_t i = 0; i < n; ++i) squares[i] = x[i] * x[i];
    const float mean = NaiveLaneSum(squares) / static_cast<float>(n);
    const float inv = 1.0f / std::sqrt(mean + eps);
    for (size_t i = 0; i < n; ++i) expected[i] = (x[i] * inv) * weight[i];
    Guarded<float> gx(n), gw(n);
    gx.Assign(x);
    gw.Assign(weight);
    ExpectAll(std::vector<float>(n), expected,
              [&](const Kernels& k, float* out) { k.rms_norm(gx.data(), gw.data(), n, eps, out); });
    ExpectAll(x, expected, [&](const Kernels& k, float* out) { k.rms_norm(out, gw.data(), n, eps, out); });
  }
}

TEST(Rope, IsTheFormulaOfTheContractForEveryIsa) {
  Random random(21);
  for (size_t half : Sizes()) {
    const std::vector<float> x = random.AnyFloats(2 * half);
    const std::vector<float> c = random.Floats(half, -1.0f, 1.0f), s = random.Floats(half, -1.0f, 1.0f);
    std::vector<float> expected(2 * half);
    for (size_t i = 0; i < half; ++i) {
      const float xc = x[i] * c[i], ys = x[i + half] * s[i], yc = x[i + half] * c[i], xs = x[i] * s[i];
      expected[i] = xc - ys;
      expected[i + half] = yc + xs;
    }
    Guarded<float> gc(half), gs(half);
    gc.Assign(c);
    gs.Assign(s);
    ExpectAll(x, expected, [&](const Kernels& k, float* v) { k.rope(v, gc.data(), gs.data(), 2 * half); });
  }
}

TEST(Add, AddsForEveryIsa) {
  Random random(22);
  for (size_t n : Sizes()) {
    const std::vector<float> x = random.AnyFloats(n), y = random.AnyFloats(n);
    std::vector<float> expected(n);
    for (size_t i = 0; i < n; ++i) expected[i] = x[i] + y[i];
    Guarded<float> gy(n);
    gy.Assign(y);
    ExpectAll(x, expected, [&](const Kernels& k, float* v) { k.add(v, gy.data(), n); });
  }
}

TEST(Swiglu, IsTheFormulaOfTheContractForEveryIsa) {
  Random random(23);
  for (size_t n : Sizes()) {
    std::vector<float> gate = random.AnyFloats(n), up = random.AnyFloats(n);
    if (n > 20) {
      const float edges[] = {
          -87.0f, 87.0f, 88.0f, -88.0f, 100.0f, -100.0f, 3e38f, -3e38f, std::nextafter(-87.0f, -88.0f)};
      std::copy(std::begin(edges), std::end(edges), gate.begin() + 5);
    }
    std::vector<float> expected(n);
    for (size_t i = 0; i < n; ++i) expected[i] = (gate[i] * NaiveSigmoid(gate[i])) * up[i];
    Guarded<float> gg(n), gu(n);
    gg.Assign(gate);
    gu.Assign(up);
    ExpectAll(std::vector<float>(n), expected,
              [&](const Kernels& k, float* out) { k.swiglu(gg.data(), gu.data(), n, out); });
    ExpectAll(gate, expected, [&](const Kernels& k, float* out) { k.swiglu(out, gu.data(), n, out); });
  }
}

// Whatever is not finite stays so, and quantize_rows finds it.
TEST(Swiglu, KeepsNanAndInfinityVisible) {
  for (Isa isa : AvailableIsas()) {
    float gate[20], up[20];
    for (float bad : {kNan, kInf}) {
      std::fill(std::begin(gate), std::end(gate), 1.0f);
      std::fill(std::begin(up), std::end(up), 1.0f);
      gate[3] = bad;
      up[18] = bad;
      KernelsFor(isa).swiglu(gate, up, 20, gate);
      EXPECT_FALSE(std::isfinite(gate[3])) << IsaName(isa);
      EXPECT_FALSE(std::isfinite(gate[18])) << IsaName(isa);
    }
  }
}

TEST(DequantizeRow, IsCodeTimesScaleForEveryIsa) {
  Random random(24);
  for (size_t cols : Sizes()) {
    const size_t rows = 35;
    Guarded<int8_t> plane(PanelMatrixBytes(rows, cols));
    for (size_t i = 0; i < plane.size(); ++i)
      plane[i] = static_cast<int8_t>(static_cast<int>(random.Below(255)) - 127);
    Guarded<float> scale(PanelCount(rows) * kPanelRows);
    for (size_t i = 0; i < scale.size(); ++i) scale[i] = random.Uniform(0.0f, 1.0f);
    PanelMatrixView w{rows, cols, PaddedDepth(cols) * kPanelRows, plane.data(), nullptr, scale.data()};
    for (bool scaled : {true, false}) {
      if (!scaled) w.scale = nullptr;
      for (size_t row : {0, 1, 15, 16, 34}) {
        std::vector<float> expected(cols);
        for (size_t i = 0; i < cols; ++i) {
          expected[i] = static_cast<float>(plane[PanelIndex(row, i, cols)]) * (scaled ? scale[row] : 1.0f);
        }
        ExpectAll(std::vector<float>(cols), expected,
                  [&](const Kernels& k, float* out) { k.dequantize_row(w, row, out); });
      }
    }
  }
}

// Contract 6, attention. Invisible elements hold NaN.
struct SoftmaxCase {
  size_t n_first, begin, end, n;
};
void ExpectContractSoftmax(const SoftmaxCase& c, const std::vector<float>& scores,
                           const std::vector<float>& value_scale) {
  std::vector<float> row = scores, expected(c.n), e(c.n, 0.0f);
  float m = -kInf;
  for (size_t j = 0; j < c.n; ++j) {
    const bool visible = j < c.n_first || (j >= c.begin && j < c.end);
    if (visible) m = std::max(m, row[j]);
    if (!visible) row[j] = j % 3 == 0 ? kNan : j % 3 == 1 ? kInf : 1e9f;
  }
  for (size_t j = 0; j < c.n; ++j) {
    const bool visible = j < c.n_first || (j >= c.begin && j < c.end);
    if (visible) e[j] = NaiveExp(row[j] - m);
    expected[j] = visible ? e[j] * value_scale[j] : 0.0f;
  }
  const float total = NaiveLaneSum(e);
  Guarded<float> scale(c.n);
  scale.Assign(value_scale);
  for (Isa isa : AvailableIsas()) {
    Guarded<float> out(c.n);
    out.Assign(row);
    const float found = KernelsFor(isa).softmax(out.data(), c.n_first, c.begin, c.end, c.n, scale.data());
    ASSERT_TRUE(SameBits(&found, &total, 1))
        << IsaName(isa) << " first " << c.n_first << " " << c.begin << ".." << c.end << " of " << c.n;
    ASSERT_TRUE(SameBits(out.Copy(), expected))
        << IsaName(isa) << " first " << c.n_first << " " << c.begin << ".." << c.end << " of " << c.n;
  }
}

TEST(Softmax, IsTheFormulaOfTheContractForEveryMask) {
  Random random(25);
  for (size_t n : {16, 32, 48, 80}) {
    const std::vector<float> scores = random.Floats(n, -20.0f, 5.0f),
                             value_scale = random.Floats(n, 0.0f, 2.0f);
    for (size_t n_first : {0, 1, 4, 15, 16}) {
      for (size_t begin = 0; begin <= n; begin += begin % 16 > 1 && begin % 16 < 14 ? 4 : 1) {
        for (size_t end = begin; end <= n; end += end % 16 > 1 && end % 16 < 14 ? 3 : 1) {
          if (n_first == 0 && begin == end) continue;
          ExpectContractSoftmax({n_first, begin, end, n}, scores, value_scale);
        }
      }
    }
  }
}

TEST(Softmax, ExtremeScores) {
  Random random(26);
  const std::vector<float> ones(160, 1.0f);
  ExpectContractSoftmax({0, 0, 160, 160}, random.Floats(160, -200.0f, 0.0f), ones);
  ExpectContractSoftmax({4, 50, 150, 160}, random.AnyFloats(160), ones);
  ExpectContractSoftmax({0, 0, 160, 160}, random.Floats(160, -1.5e38f, 1.5e38f), ones);
  ExpectContractSoftmax({0, 7, 8, 160}, std::vector<float>(160, -3e38f), ones);
  std::vector<float> zeros(160, 0.0f);
  for (size_t i = 0; i < zeros.size(); i += 2) zeros[i] = -0.0f;
  ExpectContractSoftmax({2, 30, 160, 160}, zeros, ones);
}

// Exp is reached through softmax: with a maximum of 0 the elements become Exp(x).
TEST(Exp, IsTheExponentialTo2e7) {
  for (Isa isa : AvailableIsas()) {
    double worst = 0.0;
    for (int block = 0; block < 2000; ++block) {
      std::vector<float> row(256), ones(256, 1.0f);
      for (size_t i = 0; i < 256; ++i)
        row[i] = -87.0f * static_cast<float>(block * 256 + static_cast<int>(i)) / 512000.0f;
      row[0] = 0.0f;
      const std::vector<float> x = row;
      KernelsFor(isa).softmax(row.data(), 0, 0, 256, 256, ones.data());
      for (size_t i = 0; i < 256; ++i) {
        const double exact = std::exp(double{x[i]});
        worst = std::max(worst, std::abs(double{row[i]} - exact) / exact);
      }
    }
    EXPECT_LT(worst, 2e-7) << IsaName(isa);
  }
}

TEST(Exp, IsOneAtZeroAndZeroFarBelow) {
  for (Isa isa : AvailableIsas()) {
    std::vector<float> row = {0.0f, -0.0f, -87.0f, std::nextafter(-87.0f, -88.0f), -1000.0f, -kInf};
    row.resize(16, -1.0f);
    const std::vector<float> ones(16, 1.0f);
    KernelsFor(isa).softmax(row.data(), 0, 0, 16, 16, ones.data());
    EXPECT_EQ(row[0], 1.0f);
    EXPECT_EQ(row[1], 1.0f);
    EXPECT_GE(row[2], std::numeric_limits<float>::min()) << "a normal number";
    for (size_t i = 3; i < 6; ++i) EXPECT_EQ(row[i], 0.0f) << IsaName(isa) << " " << i;
  }
}

using Ranges = std::vector<std::pair<uint32_t, uint32_t>>;

// Contract 8. Excluded logits hold NaN.
void ExpectContractFrequencies(const std::vector<float>& logits, const Ranges& excluded) {
  const size_t n = logits.size(), n_padded = RoundUp(n, kLanes);
  std::vector<bool> counts(n, true);
  uint32_t ranges[16][2];
  for (size_t i = 0; i < excluded.size(); ++i) {
    ranges[i][0] = excluded[i].first;
    ranges[i][1] = excluded[i].second;
    for (uint32_t id = excluded[i].first; id < excluded[i].second; ++id) counts[id] = false;
  }
  std::vector<float> l = logits, e(n, 0.0f);
  float m = -kInf;
  for (size_t i = 0; i < n; ++i) {
    if (counts[i]) m = std::max(m, l[i]);
    if (!counts[i]) l[i] = i % 2 == 0 ? kNan : kInf;
  }
  for (size_t i = 0; i < n; ++i) {
    if (counts[i]) e[i] = NaiveExp(l[i] - m);
  }
  const float r = 1073741824.0f / NaiveLaneSum(e);
  std::vector<uint32_t> expected(n_padded, 0);
  uint64_t total = 0;
  for (size_t i = 0; i < n; ++i) {
    if (counts[i]) expected[i] = 1 + static_cast<uint32_t>(std::nearbyint(e[i] * r));
    total += expected[i];
  }
  EXPECT_LT(total, uint64_t{1} << 31);
  for (Isa isa : AvailableIsas()) {
    Guarded<float> in(n, n_padded - n);
    Guarded<uint32_t> f(n_padded);
    in.Assign(l);
    ASSERT_TRUE(KernelsFor(isa).frequencies(in.data(), n, ranges, excluded.size(), f.data()))
        << IsaName(isa) << " " << n;
    ASSERT_EQ(f.Copy(), expected) << IsaName(isa) << " " << n;
    ASSERT_EQ(KernelsFor(isa).sum_u32(f.data(), n_padded), static_cast<uint32_t>(total)) << IsaName(isa);
  }
}

TEST(Frequencies, IsTheFormulaOfTheContractForEveryIsa) {
  Random random(27);
  for (size_t n : Sizes()) {
    const std::vector<float> logits = random.Floats(n, -30.0f, 10.0f);
    ExpectContractFrequencies(logits, {});
    ExpectContractFrequencies(random.AnyFloats(n), {});
    const uint32_t size = static_cast<uint32_t>(n);
    if (n > 1) ExpectContractFrequencies(logits, {{0, 1}});
    if (n > 1) ExpectContractFrequencies(logits, {{size - 1, size}});
    if (n > 4) ExpectContractFrequencies(logits, {{0, 2}, {3, size - 1}});
    if (n > 40) ExpectContractFrequencies(logits, {{5, 16}, {16, 17}, {20, 37}, {size - 3, size}});
    if (n > 40) ExpectContractFrequencies(logits, {{7, 7}, {8, 8}, {9, size}});
  }
}

TEST(Frequencies, ALargeVocabularyAndExtremeLogits) {
  Random random(28);
  ExpectContractFrequencies(random.Floats(151669, -15.0f, 15.0f), {{151643, 151669}});
  ExpectContractFrequencies(std::vector<float>(151669, 3.0f), {});
  std::vector<float> peak(50000, -1e30f);
  peak[49999] = 1e30f;
  ExpectContractFrequencies(peak, {{0, 3}});
  ExpectContractFrequencies({3.4e38f, -3.4e38f, 0.0f, -0.0f, 1e-45f}, {});
}

TEST(Frequencies, WhatCountsMustBeFinite) {
  for (Isa isa : AvailableIsas()) {
    for (size_t n : {1, 2, 16, 33}) {
      for (size_t at = 0; at < n; ++at) {
        for (float bad : {kNan, -kNan, kInf, -kInf}) {
          std::vector<float> logits(RoundUp(n, kLanes), kNan);  // padding may hold anything
          std::fill(logits.begin(), logits.begin() + static_cast<ptrdiff_t>(n), 1.0f);
          logits[at] = bad;
          std::vector<uint32_t> f(logits.size());
          EXPECT_FALSE(KernelsFor(isa).frequencies(logits.data(), n, nullptr, 0, f.data()))
              << IsaName(isa) << " " << at;
        }
      }
    }
  }
}

TEST(Frequencies, NoIdThatCountsIsAFailure) {
  const uint32_t all[1][2] = {{0, 20}};
  for (Isa isa : AvailableIsas()) {
    std::vector<float> logits(32, 1.0f);
    std::vector<uint32_t> f(32);
    EXPECT_FALSE(KernelsFor(isa).frequencies(logits.data(), 20, all, 1, f.data())) << IsaName(isa);
  }
}

TEST(SumU32, AddsForEveryIsaAndSize) {
  Random random(29);
  for (size_t n = 0; n < 70; ++n) {
    Guarded<uint32_t> f(n);
    uint32_t expected = 0;
    for (size_t i = 0; i < n; ++i) {
      f[i] = random.Below(60'000'000);
      expected += f[i];
    }
    for (Isa isa : AvailableIsas())
      EXPECT_EQ(KernelsFor(isa).sum_u32(f.data(), n), expected) << IsaName(isa) << " " << n;
  }
}

}  // namespace
}  // namespace pith
