// exact_math.h against the C library, which is good enough to judge 1e-13.
#include "model/exact_math.h"

#include <gtest/gtest.h>

#include <cmath>

#include "model/rope.h"

namespace pith {
namespace {

TEST(ExactMath, ExpAgreesWithTheLibrary) {
  for (double x = -600; x < 600; x += 0.37) EXPECT_NEAR(Exp64(x) / std::exp(x), 1.0, 1e-14) << x;
  EXPECT_EQ(Exp64(0), 1.0);
}

TEST(ExactMath, LogAgreesWithTheLibrary) {
  for (double x = 1e-9; x < 1e13; x *= 1.017) EXPECT_NEAR(Log64(x), std::log(x), 1e-14 + 4e-16 * std::fabs(std::log(x))) << x;
  EXPECT_EQ(Log64(1), 0.0);
}

TEST(ExactMath, SineAndCosineAgreeWithTheLibrary) {
  for (double step = 0.001; step < 2e6; step *= 1.01) {
    for (const double x : {step, -step}) {
    const SinCos sc = SinCos64(x);
    EXPECT_NEAR(sc.sine, std::sin(x), 1e-10) << x;
    EXPECT_NEAR(sc.cosine, std::cos(x), 1e-10) << x;
    }
  }
}

TEST(RopeTable, AnglesAreThoseOfTheFormula) {
  for (const size_t d : {2, 10, 64, 128}) {
    RopeTable table(d, 1e6);
    table.Reserve(100000);
    std::vector<float> cosine(d / 2), sine(d / 2);
    for (const size_t p : {0, 1, 255, 256, 257, 5000, 99999}) {
      table.Fill(p, cosine.data(), sine.data());
      for (size_t i = 0; i < d / 2; ++i) {
        const double angle = static_cast<double>(p) * std::pow(1e6, -2.0 * static_cast<double>(i) / static_cast<double>(d));
        EXPECT_NEAR(cosine[i], std::cos(angle), 1e-7) << d << " " << p << " " << i;
        EXPECT_NEAR(sine[i], std::sin(angle), 1e-7) << d << " " << p << " " << i;
      }
    }
  }
}

}  // namespace
}  // namespace pith
