// Integer part of the kernels: codes (contract 4) and products (contract 5). Floats: float_kernels_test.cc.
#include "kernels/kernels.h"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <memory>
#include <string>

#include "kernels/kernels_test_util.h"

namespace pith {
namespace {

// The codes of some rows with their scales and sums, in guarded memory.
struct Codes {
  Codes(size_t rows, size_t cols, int terms, size_t extra_stride = 0)
      : n_terms(rows * static_cast<size_t>(terms)),
        stride(RoundUp(cols, kCacheLine) + extra_stride),
        codes(n_terms * stride),
        scale(rows),
        sum(n_terms),
        view{rows, cols, terms, stride, codes.data(), scale.data(), sum.data()} {}

  void Set(size_t term_row, size_t col, int value) {
    view.codes[term_row * stride + col] = static_cast<int8_t>(value);
  }
  int Get(size_t term_row, size_t col) const { return view.codes[term_row * stride + col]; }
  // Zeros beyond cols and the sums, from the codes.
  void Finish() {
    for (size_t t = 0; t < n_terms; ++t) {
      view.sum[t] = 0;
      for (size_t i = 0; i < stride; ++i) {
        if (i >= view.cols) Set(t, i, 0);
        view.sum[t] += Get(t, i);
      }
    }
  }

  size_t n_terms;
  size_t stride;
  Guarded<int8_t> codes;
  Guarded<float> scale;
  Guarded<int32_t> sum;
  CodeRowsView view;
};

std::unique_ptr<Codes> RandomCodes(Random& random, size_t rows, size_t cols, int terms) {
  auto c = std::make_unique<Codes>(rows, cols, terms);
  const bool positive = random.Below(3) == 0;  // high terms, as those of the weights of attention
  for (size_t t = 0; t < c->n_terms; ++t) {
    const bool low = terms == 2 && t % 2 == 1;
    // Runs of large codes, of small ones and of zeros: some tables add small ones in fewer bits, leave zeros out.
    int most = 127;
    for (size_t i = 0; i < cols; ++i) {
      if (i % 8 == 0) {
        const uint32_t kind = random.Below(8);
        most = kind < 4 ? 127 : kind < 6 ? static_cast<int>(random.Below(90)) : 0;
      }
      const int code = static_cast<int>(random.Below(static_cast<uint32_t>(2 * most + 1))) - most;
      c->Set(t, i, low ? std::clamp(code, -64, 63) : positive ? std::abs(code) : code);
    }
  }
  for (size_t t = 0; t < rows; ++t) c->view.scale[t] = random.Uniform(0.0f, 1.0f);
  c->Finish();
  return c;
}

// A packed matrix of one or two planes, padding zero.
struct Matrix {
  Matrix(size_t rows, size_t cols, int planes)
      : bytes(PanelMatrixBytes(rows, cols)),
        plane(bytes),
        low(planes == 2 ? bytes : 0),
        scale(PanelCount(rows) * kPanelRows) {
    plane.Fill(0);
    low.Fill(0);
    scale.Fill(0.0f);
    view = {
        rows,        cols, PaddedDepth(cols) * kPanelRows, plane.data(), planes == 2 ? low.data() : nullptr,
        scale.data()};
  }

  size_t bytes;
  Guarded<int8_t> plane;
  Guarded<int8_t> low;
  Guarded<float> scale;
  PanelMatrixView view;
};

std::unique_ptr<Matrix> RandomMatrix(Random& random, size_t rows, size_t cols, int planes) {
  auto m = std::make_unique<Matrix>(rows, cols, planes);
  for (size_t r = 0; r < rows; ++r) {
    m->scale[r] = random.Uniform(0.0f, 0.1f);
    for (size_t k = 0; k < cols; ++k) {
      m->plane[PanelIndex(r, k, cols)] = static_cast<int8_t>(static_cast<int>(random.Below(255)) - 127);
      if (planes == 2)
        m->low[PanelIndex(r, k, cols)] = static_cast<int8_t>(static_cast<int>(random.Below(128)) - 64);
    }
  }
  return m;
}

// All of `a` times panels [begin, end); what is not written stays kUnwritten.
constexpr float kUnwritten = -12345.0f;
std::vector<float> Product(Isa isa, const CodeRowsView& a, const PanelMatrixView& w, size_t begin,
                           size_t end) {
  const size_t out_stride = w.n_panels() * kPanelRows + 5;
  Guarded<float> out((a.rows - 1) * out_stride + w.n_panels() * kPanelRows);
  out.Fill(kUnwritten);
  KernelsFor(isa).matmul(a, w, begin, end, out.data(), out_stride);
  return out.Copy();
}
std::vector<float> Product(Isa isa, const CodeRowsView& a, const PanelMatrixView& w) {
  return Product(isa, a, w, 0, w.n_panels());
}

// Contract 5, element by element.
float NaiveElement(const Codes& a, const PanelMatrixView& w, const int8_t* low, size_t t, size_t row) {
  const auto product = [&](const int8_t* plane, size_t term_row) {
    int64_t sum = 0;
    for (size_t k = 0; k < w.cols; ++k)
      sum += a.Get(term_row, k) * int64_t{plane[PanelIndex(row, k, w.cols)]};
    EXPECT_LT(std::abs(sum), int64_t{1} << 31);
    return static_cast<float>(static_cast<int32_t>(sum));
  };
  const auto value = [&](const int8_t* plane) {
    if (a.view.terms == 1) return product(plane, t);
    const float hi = product(plane, 2 * t) * 128.0f;
    return hi + product(plane, 2 * t + 1);
  };
  float v = value(w.plane);
  if (low != nullptr) {
    v = v * 128.0f;
    v = v + value(low);
  }
  const float row_scale = w.scale == nullptr ? 1.0f : w.scale[row];
  const float scale = row_scale * a.view.scale[t];
  return v * scale;
}

TEST(Matmul, ScalarIsTheFormulaOfTheContract) {
  Random random(1);
  for (size_t cols : {1, 2, 3, 4, 5, 16, 33, 200}) {
    for (size_t rows : {1, 15, 16, 17, 40}) {
      for (int terms : {1, 2}) {
        for (int planes : {1, 2}) {
          const auto a = RandomCodes(random, 3, cols, terms);
          const auto w = RandomMatrix(random, rows, cols, planes);
          for (bool scaled : {true, false}) {
            if (!scaled) w->view.scale = nullptr;
            const std::vector<float> out = Product(Isa::kScalar, a->view, w->view);
            const size_t n = w->view.n_panels() * kPanelRows;
            for (size_t t = 0; t < 3; ++t) {
              for (size_t r = 0; r < n; ++r) {
                const float expected = r < rows ? NaiveElement(*a, w->view, w->view.low, t, r) : 0.0f;
                ASSERT_EQ(out[t * (n + 5) + r], expected) << "cols " << cols << " t " << t << " row " << r;
              }
            }
          }
        }
      }
    }
  }
}

TEST(Matmul, EveryIsaEqualsScalarForAllTileSizes) {
  Random random(2);
  for (size_t cols : {1, 3, 4, 7, 15, 16, 17, 21, 31, 32, 63, 64, 65, 97, 127, 128, 199}) {
    for (size_t n_rows = 1; n_rows <= 40; n_rows += n_rows < 14 ? 1 : 13) {
      for (size_t rows : {1, 17, 47, 64, 65, 97}) {  // 1 to 5 panels, and 7
        for (int mode = 0; mode < 4; ++mode) {
          const auto a = RandomCodes(random, n_rows, cols, 1 + mode % 2);
          const auto w = RandomMatrix(random, rows, cols, 1 + mode / 2);
          const std::vector<float> expected = Product(Isa::kScalar, a->view, w->view);
          for (Isa isa : VectorIsas()) {
            ASSERT_TRUE(SameBits(expected, Product(isa, a->view, w->view)))
                << IsaName(isa) << " cols " << cols << " rows " << rows << " n_rows " << n_rows << " mode "
                << mode;
          }
        }
      }
    }
  }
}

// Many panels (several cache blocks, prefetch across them) and many columns (several chunks of AVX2's split
// codes).
TEST(Matmul, EveryIsaEqualsScalarAcrossBlocks) {
  Random random(3);
  struct Shape {
    size_t cols, rows, n_rows;
    int terms;
  };
  for (const Shape& s : {Shape{1024, 500, 5, 1}, Shape{1024, 333, 13, 1}, Shape{576, 400, 7, 2},
                         Shape{4096, 33, 5, 1}, Shape{4100, 50, 3, 2}, Shape{12300, 20, 9, 1}}) {
    const auto a = RandomCodes(random, s.n_rows, s.cols, s.terms);
    const auto w = RandomMatrix(random, s.rows, s.cols, 1);
    const std::vector<float> expected = Product(Isa::kScalar, a->view, w->view);
    for (Isa isa : VectorIsas()) {
      EXPECT_TRUE(SameBits(expected, Product(isa, a->view, w->view))) << IsaName(isa) << " cols " << s.cols;
    }
  }
}

TEST(Matmul, ExtremeCodesAndWeightsStayExact) {
  for (size_t cols : {3072, 131072}) {
    for (int weight_sign : {1, -1, 0}) {  // 0: alternating within a group
      for (int terms : {1, 2}) {
        Codes a(2, cols, terms);
        Matrix w(17, cols, 1);
        for (size_t k = 0; k < cols; ++k) {
          for (size_t t = 0; t < a.n_terms; ++t) {
            const bool low = terms == 2 && t % 2 == 1;
            a.Set(t, k, t / static_cast<size_t>(terms) == 0 ? (low ? 63 : 127) : (low ? -64 : -127));
          }
          const int value = weight_sign != 0 ? 127 * weight_sign : k % 2 == 0 ? 127 : -127;
          for (size_t r = 0; r < 17; ++r) w.plane[PanelIndex(r, k, cols)] = static_cast<int8_t>(value);
        }
        a.Finish();
        a.scale.Fill(0.5f);
        w.scale.Fill(0.25f);
        for (Isa isa : AvailableIsas()) {
          const std::vector<float> out = Product(isa, a.view, w.view);
          for (size_t t = 0; t < 2; ++t) {
            const float expected = NaiveElement(a, w.view, nullptr, t, 16);
            EXPECT_EQ(out[t * 37 + 16], expected) << IsaName(isa) << " cols " << cols << " terms " << terms;
            EXPECT_EQ(out[t * 37], expected);
          }
        }
      }
    }
  }
}

// AVX2 adds the products of columns k, k + 1, k + 4 and k + 5 in a word where the codes are small enough: up to that
// edge and beyond, with the largest weights of both signs and with codes of every pattern of signs.
TEST(Matmul, SumsAtTheEdgeOfAWordStayExact) {
  constexpr size_t kCols = 8;
  constexpr int kMagnitudes[][4] = {{64, 64, 64, 64}, {127, 127, 1, 1},  {127, 127, 2, 0},   {127, 127, 1, 2},
                                    {127, 1, 127, 2}, {0, 127, 3, 127}, {65, 64, 64, 64},   {127, 127, 127, 127},
                                    {0, 0, 127, 127}, {126, 127, 1, 1}, {127, 127, 127, 0}, {85, 86, 85, 0}};
  for (const auto& magnitudes : kMagnitudes) {
    for (int signs = 0; signs < 256; ++signs) {
      Codes a(1, kCols, 1);
      Matrix w(16, kCols, 1);
      for (size_t k = 0; k < kCols; ++k) {
        const int magnitude = magnitudes[k % 2 + k / 4 * 2];
        const bool negative = (signs >> k & 1) != 0;
        a.Set(0, k, negative ? -magnitude : magnitude);
        // Rows of one sign, then rows whose products are all positive or all negative.
        for (size_t r = 0; r < 16; ++r) {
          const int sign = (r % 2 == 0 ? 1 : -1) * (r >= 8 && negative ? -1 : 1);
          w.plane[PanelIndex(r, k, kCols)] = static_cast<int8_t>(127 * sign);
        }
      }
      a.Finish();
      a.scale.Fill(1.0f);
      w.scale.Fill(1.0f);
      for (Isa isa : AvailableIsas()) {
        const std::vector<float> out = Product(isa, a.view, w.view);
        for (size_t r = 0; r < 16; ++r) {
          ASSERT_EQ(out[r], NaiveElement(a, w.view, nullptr, 0, r))
              << IsaName(isa) << " row " << r << " signs " << signs;
        }
      }
    }
  }
}

TEST(Matmul, WritesOnlyTheGivenPanels) {
  Random random(5);
  for (int planes : {1, 2}) {
    const size_t n_panels = 6, rows = n_panels * kPanelRows;
    const auto a = RandomCodes(random, 7, 68, 1);
    const auto w = RandomMatrix(random, rows, 68, planes);
    const std::vector<float> whole = Product(Isa::kScalar, a->view, w->view);
    const size_t out_stride = rows + 5;
    for (Isa isa : AvailableIsas()) {
      for (size_t begin = 0; begin <= n_panels; ++begin) {
        for (size_t end = begin; end <= n_panels; ++end) {
          const std::vector<float> part = Product(isa, a->view, w->view, begin, end);
          for (size_t i = 0; i < part.size(); ++i) {
            const size_t panel = i % out_stride / kPanelRows;
            const bool inside = panel >= begin && panel < end && i % out_stride < rows;
            ASSERT_EQ(part[i], inside ? whole[i] : kUnwritten) << IsaName(isa) << " " << begin << ".." << end;
          }
        }
      }
    }
  }
}

// Attention multiplies with columns [begin, begin + n) of values stored with more columns.
TEST(Matmul, ColumnSubRangeOfALargerMatrix) {
  Random random(6);
  const size_t stored = 256;
  const auto w = RandomMatrix(random, 64, stored, 2);
  w->view.scale = nullptr;
  for (size_t begin : {0, 16, 100}) {
    for (size_t n : {1, 4, 16, 37, 156}) {
      PanelMatrixView part = w->view;
      part.cols = n;
      part.plane += begin / kPanelDepth * kPanelBytes;
      part.low += begin / kPanelDepth * kPanelBytes;
      for (int terms : {1, 2}) {
        const auto a = RandomCodes(random, 5, n, terms);
        const std::vector<float> expected = Product(Isa::kScalar, a->view, part);
        // The same as all columns with zeros outside the range.
        Codes wide(5, stored, terms);
        wide.codes.Fill(0);
        for (size_t t = 0; t < a->n_terms; ++t) {
          for (size_t k = 0; k < n; ++k) wide.Set(t, begin + k, a->Get(t, k));
        }
        wide.Finish();
        for (size_t t = 0; t < 5; ++t) wide.view.scale[t] = a->view.scale[t];
        EXPECT_TRUE(SameBits(expected, Product(Isa::kScalar, wide.view, w->view)));
        for (Isa isa : VectorIsas())
          EXPECT_TRUE(SameBits(expected, Product(isa, a->view, part))) << IsaName(isa);
      }
    }
  }
}

// Codes between PaddedDepth(cols) and the stride do not count: a view of some columns of wider rows is legal.
TEST(Matmul, IgnoresCodesBeyondThePaddedDepth) {
  Random random(7);
  for (size_t cols : {1, 5, 20, 33}) {
    const auto a = RandomCodes(random, 9, cols, 1);
    const auto w = RandomMatrix(random, 33, cols, 1);
    const std::vector<float> expected = Product(Isa::kScalar, a->view, w->view);
    for (size_t t = 0; t < 9; ++t) {
      for (size_t i = PaddedDepth(cols); i < a->stride; ++i) a->Set(t, i, 77);
    }
    for (Isa isa : AvailableIsas())
      EXPECT_TRUE(SameBits(expected, Product(isa, a->view, w->view))) << IsaName(isa);
  }
}

TEST(Matmul, NoRowsAndNoPanelsAreNoWork) {
  Random random(8);
  const auto a = RandomCodes(random, 2, 8, 1);
  const auto w = RandomMatrix(random, 16, 8, 1);
  for (Isa isa : AvailableIsas()) {
    for (float x : Product(isa, a->view, w->view, 1, 1)) EXPECT_EQ(x, kUnwritten);
    CodeRowsView none = a->view;
    none.rows = 0;
    KernelsFor(isa).matmul(none, w->view, 0, 1, nullptr, 16);
  }
}

// Contract 4, element by element.
bool NaiveQuantize(const std::vector<float>& x, size_t x_stride, Codes* out) {
  const CodeRowsView& v = out->view;
  for (size_t t = 0; t < v.rows; ++t) {
    float m = 0.0f;
    for (size_t i = 0; i < v.cols; ++i) {
      const float a = std::fabs(x[t * x_stride + i]);
      if (!std::isfinite(a)) return false;
      m = std::max(m, a);
    }
    const bool zero = m < std::ldexp(1.0f, -100);
    const float limit = v.terms == 1 ? 127.0f : 16256.0f;
    v.scale[t] = zero ? 0.0f : m / limit;
    const float inverse = limit / m;
    for (size_t i = 0; i < v.cols; ++i) {
      const int c = zero ? 0 : static_cast<int>(std::nearbyint(x[t * x_stride + i] * inverse));
      EXPECT_LE(std::abs(c), v.terms == 1 ? 127 : 16256);
      if (v.terms == 1) {
        out->Set(t, i, c);
      } else {
        const int hi = (c + 64) >> 7;
        out->Set(2 * t, i, hi);
        out->Set(2 * t + 1, i, c - 128 * hi);
      }
    }
  }
  out->Finish();
  return true;
}

// Quantises `rows` rows of `cols` with every set and compares everything with the formula.
void ExpectContractCodes(const std::vector<float>& data, size_t rows, size_t cols, size_t x_stride) {
  Guarded<float> x(data.size());
  x.Assign(data);
  for (int terms : {1, 2}) {
    for (size_t extra : {0, 64}) {
      Codes expected(rows, cols, terms, extra);
      const bool finite = NaiveQuantize(data, x_stride, &expected);
      for (Isa isa : AvailableIsas()) {
        Codes out(rows, cols, terms, extra);
        ASSERT_EQ(KernelsFor(isa).quantize_rows(x.data(), x_stride, out.view), finite) << IsaName(isa);
        if (!finite) continue;
        ASSERT_EQ(out.codes.Copy(), expected.codes.Copy())
            << IsaName(isa) << " cols " << cols << " terms " << terms;
        ASSERT_EQ(out.sum.Copy(), expected.sum.Copy()) << IsaName(isa);
        ASSERT_TRUE(SameBits(out.scale.Copy(), expected.scale.Copy())) << IsaName(isa);
      }
    }
  }
}

TEST(QuantizeRows, IsTheFormulaOfTheContractForEveryIsa) {
  Random random(10);
  for (size_t cols : Sizes()) {
    for (size_t rows : {1, 3}) {
      const size_t x_stride = cols + 3;
      std::vector<float> x = random.AnyFloats((rows - 1) * x_stride + cols);
      // What lies between rows is not looked at.
      for (size_t i = 0; i < x.size(); ++i) {
        if (i % x_stride >= cols) x[i] = std::numeric_limits<float>::quiet_NaN();
      }
      ExpectContractCodes(x, rows, cols, x_stride);
    }
  }
}

TEST(QuantizeRows, TiesGoToEven) {
  std::vector<float> x;
  for (int i = -253; i <= 253; ++i) x.push_back(static_cast<float>(i) * 0.5f);
  x.push_back(127.0f);  // one term: inverse = 1
  ExpectContractCodes(x, 1, x.size(), x.size());
  for (float& v : x) v = v * 128.0f + 0.5f;
  x.back() = 16256.0f;  // two terms: inverse = 1
  ExpectContractCodes(x, 1, x.size(), x.size());
}

TEST(QuantizeRows, SmallLargeAndZeroRows) {
  const float tiny = std::ldexp(1.0f, -100);
  const float largest = std::numeric_limits<float>::max();
  for (float m : {0.0f, -0.0f, 1e-45f, 1e-38f, std::nextafter(tiny, 0.0f), tiny, std::nextafter(tiny, 1.0f),
                  1e30f, largest}) {
    for (size_t n : {1, 17, 33}) {
      std::vector<float> x(n, m);
      x[0] = -m;
      ExpectContractCodes(x, 1, n, n);
      for (size_t i = 1; i < n; ++i) x[i] = m * 0.3f;
      ExpectContractCodes(x, 1, n, n);
    }
  }
  Random random(11);
  std::vector<float> x = random.Floats(192, -1.0f, 1.0f);
  x[100] = 1e30f;
  ExpectContractCodes(x, 1, 192, 192);
}

TEST(QuantizeRows, FindsWhatIsNotFiniteEverywhere) {
  const float inf = std::numeric_limits<float>::infinity();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (size_t n : {1, 2, 16, 17, 40}) {
    for (size_t at = 0; at < n; ++at) {
      for (float bad : {inf, -inf, nan, -nan}) {
        Guarded<float> x(2 * n);
        x.Fill(1.0f);
        x[n + at] = bad;  // in the second row
        for (Isa isa : AvailableIsas()) {
          for (int terms : {1, 2}) {
            Codes out(2, n, terms);
            EXPECT_FALSE(KernelsFor(isa).quantize_rows(x.data(), n, out.view))
                << IsaName(isa) << " at " << at << " of " << n;
          }
        }
      }
    }
  }
}

TEST(Isas, ScalarIsFirstAndEveryTableKnowsItsName) {
  ASSERT_EQ(AvailableIsas().front(), Isa::kScalar);
  for (Isa isa : AvailableIsas()) EXPECT_EQ(KernelsFor(isa).isa, isa);
}

TEST(Isas, TheEnvironmentChooses) {
  const char* before = std::getenv("PITH_ISA");
  const std::string saved = before == nullptr ? "" : before;
  for (Isa isa : AvailableIsas()) {
    setenv("PITH_ISA", std::string(IsaName(isa)).c_str(), 1);
    ASSERT_TRUE(ChooseIsa().ok());
    EXPECT_EQ(*ChooseIsa(), isa);
  }
  setenv("PITH_ISA", "", 1);
  ASSERT_TRUE(ChooseIsa().ok());
  EXPECT_EQ(*ChooseIsa(), AvailableIsas().back());
  setenv("PITH_ISA", "sse9", 1);
  EXPECT_EQ(ChooseIsa().status().code(), StatusCode::kInvalidArgument);
#if defined(__x86_64__)
  setenv("PITH_ISA", "neon", 1);
  EXPECT_EQ(ChooseIsa().status().code(), StatusCode::kUnsupported);
#elif defined(__aarch64__)
  setenv("PITH_ISA", "avx2", 1);
  EXPECT_EQ(ChooseIsa().status().code(), StatusCode::kUnsupported);
#endif
  if (before == nullptr) {
    unsetenv("PITH_ISA");
  } else {
    setenv("PITH_ISA", saved.c_str(), 1);
  }
}

}  // namespace
}  // namespace pith
