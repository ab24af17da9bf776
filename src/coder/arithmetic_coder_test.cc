#include "coder/arithmetic_coder.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

namespace pith {
namespace {

struct Decision {
  int bit;
  uint32_t p1;
};

Bytes EncodeAll(const std::vector<Decision>& decisions) {
  Bytes code;
  BinaryEncoder encoder(code);
  for (const Decision& d : decisions) encoder.Encode(d.bit, d.p1);
  encoder.Finish();
  return code;
}

// Number of decisions that decode as they were, up to the first that does not.
size_t DecodeMatches(ByteSpan code, const std::vector<Decision>& decisions, bool* at_end = nullptr) {
  BinaryDecoder decoder(code);
  size_t n = 0;
  while (n < decisions.size() && decoder.Decode(decisions[n].p1) == decisions[n].bit) ++n;
  if (at_end != nullptr) *at_end = decoder.AtEnd();
  return n;
}

void ExpectRoundTrip(const std::vector<Decision>& decisions) {
  const Bytes code = EncodeAll(decisions);
  bool at_end = false;
  ASSERT_EQ(DecodeMatches(code, decisions, &at_end), decisions.size());
  EXPECT_TRUE(at_end);
}

double IdealBits(const std::vector<Decision>& decisions) {
  double bits = 0;
  for (const Decision& d : decisions) {
    const double p1 = d.p1 / 4294967296.0;
    bits -= d.bit != 0 ? std::log2(p1) : std::log1p(-p1) / std::log(2.0);
  }
  return bits;
}

// Decisions as their probabilities say; p1 is drawn by `draw`.
template <typename Draw>
std::vector<Decision> RandomDecisions(size_t n, uint64_t seed, Draw draw) {
  std::mt19937_64 random(seed);
  std::vector<Decision> decisions(n);
  for (Decision& d : decisions) {
    d.p1 = draw(random);
    d.bit = static_cast<uint32_t>(random() >> 32) < d.p1;
  }
  return decisions;
}

TEST(ArithmeticCoder, NothingBecomesNoBytes) {
  EXPECT_TRUE(EncodeAll({}).empty());
  ExpectRoundTrip({});
}

TEST(ArithmeticCoder, OneDecisionTakesOneByteAtMostWhenEven) {
  for (const int bit : {0, 1}) {
    ExpectRoundTrip({{bit, 1u << 31}});
    EXPECT_LE(EncodeAll({{bit, 1u << 31}}).size(), 1u);
  }
}

TEST(ArithmeticCoder, EveryExtremeProbabilityRoundTripsWithEveryOutcome) {
  const uint32_t extremes[] = {1, 2, 255, 256, (1u << 24) - 1, 1u << 24, 1u << 31, 0xfffffffe, 0xffffffff};
  std::vector<Decision> decisions;
  for (const uint32_t a : extremes) {
    for (const uint32_t b : extremes) {
      for (int bits = 0; bits < 4; ++bits) {
        ExpectRoundTrip({{bits & 1, a}, {bits >> 1, b}});
        decisions.push_back({bits & 1, a});
        decisions.push_back({bits >> 1, b});
      }
    }
  }
  ExpectRoundTrip(decisions);
}

TEST(ArithmeticCoder, RandomDecisionsRoundTripAtEveryLength) {
  const auto any = [](auto& random) { return static_cast<uint32_t>(random() >> (random() % 32)) | 1; };
  for (size_t n = 0; n < 300; ++n) ExpectRoundTrip(RandomDecisions(n, n, any));
  ExpectRoundTrip(RandomDecisions(200000, 7, any));
}

TEST(ArithmeticCoder, CarryRunsThroughAllOnes) {
  // Bit 0 moves low up by the bound. Staying just below a power of two for long makes bytes 0xff; the last
  // step carries.
  for (size_t n = 1; n < 200; ++n) {
    std::vector<Decision> decisions = {{1, 1u << 31}};
    for (size_t i = 0; i < n; ++i) decisions.push_back({0, 0xff000000});
    for (int i = 0; i < 40; ++i) decisions.push_back({0, 0xffffffff});
    ExpectRoundTrip(decisions);
  }
}

TEST(ArithmeticCoder, AppendsAfterWhatIsThere) {
  Bytes code = {1, 2, 0xff};
  const std::vector<Decision> decisions =
      RandomDecisions(1000, 3, [](auto& r) { return static_cast<uint32_t>(r()) | 1; });
  BinaryEncoder encoder(code);
  for (const Decision& d : decisions) encoder.Encode(d.bit, d.p1);
  encoder.Finish();
  EXPECT_EQ(Bytes(code.begin(), code.begin() + 3), (Bytes{1, 2, 0xff}));
  EXPECT_EQ(DecodeMatches(ByteSpan(code).subspan(3), decisions), decisions.size());
  EXPECT_EQ(encoder.size(), code.size() - 3);
}

TEST(ArithmeticCoder, NoShorterCodeDecodes) {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    const std::vector<Decision> decisions = RandomDecisions(
        1 + seed % 12, seed, [](auto& random) { return static_cast<uint32_t>(random()) | 1; });
    const Bytes code = EncodeAll(decisions);
    if (code.empty() || code.size() > 3) continue;
    for (uint32_t v = 0; v < 1u << (8 * (code.size() - 1)); ++v) {
      Bytes shorter(code.size() - 1);
      for (size_t i = 0; i < shorter.size(); ++i) shorter[i] = static_cast<uint8_t>(v >> (8 * i));
      ASSERT_LT(DecodeMatches(shorter, decisions), decisions.size()) << "seed " << seed;
    }
  }
}

TEST(ArithmeticCoder, DecoderSeesAnEndThatIsFarTooEarly) {
  const std::vector<Decision> decisions =
      RandomDecisions(4000, 11, [](auto& random) { return static_cast<uint32_t>(random()) | 1; });
  const Bytes code = EncodeAll(decisions);
  for (size_t n = 0; n + kMaxImpliedZeros < code.size(); ++n) {
    BinaryDecoder decoder(ByteSpan(code).first(n));
    for (const Decision& d : decisions) (void)decoder.Decode(d.p1);
    // A wrong decode may eat fewer bytes than a right one; an empty code says 1 for ever.
    if (decoder.Exhausted()) continue;
    EXPECT_LT(DecodeMatches(ByteSpan(code).first(n), decisions), decisions.size());
  }
}

TEST(ArithmeticCoder, DecoderSeesBytesThatNobodyAskedFor) {
  const std::vector<Decision> decisions =
      RandomDecisions(1000, 12, [](auto& random) { return static_cast<uint32_t>(random()) | 1; });
  Bytes code = EncodeAll(decisions);
  code.insert(code.end(), 5, 0);
  bool at_end = true;
  EXPECT_EQ(DecodeMatches(code, decisions, &at_end), decisions.size());
  EXPECT_FALSE(at_end);
}

TEST(ArithmeticCoder, CertainZerosAreImpliedOnlyUpToTheLimit) {
  // All ones: low stays 0 and every byte is 0. The decoder must still not run more than the limit past the
  // end.
  for (int n = 0; n < 300; ++n) {
    const std::vector<Decision> decisions(static_cast<size_t>(n), {1, 1u << 31});
    ExpectRoundTrip(decisions);
    EXPECT_EQ(EncodeAll(decisions).size(), static_cast<size_t>(std::max(0, n / 8 + 4 - 8))) << n;
  }
}

TEST(ArithmeticCoder, AnyBytesDecodeWithoutHarm) {
  std::mt19937_64 random(5);
  for (int round = 0; round < 200; ++round) {
    Bytes code(random() % 40);
    for (uint8_t& b : code) b = static_cast<uint8_t>(random());
    if (round == 0) code.assign(40, 0xff);  // beyond every range
    BinaryDecoder decoder(code);
    for (int i = 0; i < 2000; ++i)
      (void)decoder.Decode(static_cast<uint32_t>(random() >> (random() % 32)) | 1);
    EXPECT_FALSE(decoder.AtEnd() && decoder.Exhausted());
  }
}

TEST(ArithmeticCoder, CodeIsWithinFourBytesAndAMillionthOfTheIdeal) {
  struct Case {
    const char* name;
    std::vector<Decision> decisions;
  };
  const size_t n = 400000;
  const Case cases[] = {
      {"uniform", RandomDecisions(n, 1, [](auto& random) { return static_cast<uint32_t>(random()) | 1; })},
      {"skewed",
       RandomDecisions(
           n, 2, [](auto& random) { return static_cast<uint32_t>(random() >> (32 + random() % 20)) | 1; })},
      {"confident", RandomDecisions(n, 3, [](auto&) { return 1u << 12; })},  // 2^-20
  };
  for (const Case& c : cases) {
    const double ideal = IdealBits(c.decisions);
    const double actual = 8.0 * static_cast<double>(EncodeAll(c.decisions).size());
    RecordProperty(c.name, std::to_string(actual / ideal));
    EXPECT_LE(actual, ideal * (1 + 1e-6) + static_cast<double>(n) * 0x1p-24 + 32) << c.name;
    EXPECT_GE(actual, ideal - 64) << c.name;
  }
}

}  // namespace
}  // namespace pith
