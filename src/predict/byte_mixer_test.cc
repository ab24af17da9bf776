#include "predict/byte_mixer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <random>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/hash.h"
#include "predict/mixer_lanes.h"

namespace pith {
namespace {

constexpr ContextStrength kStrengths[] = {ContextStrength::kFast, ContextStrength::kStrong, ContextStrength::kThorough,
                                          ContextStrength::kNumeric};

std::string SomeText(size_t n) {
  std::string text;
  std::mt19937_64 random(5);
  const char* const words[] = {"level", "Time", "error", "12,", "of", "the", "request", "\n", "\"id\":", "<a>", "\xc3\xa9t"};
  while (text.size() < n) text += std::string(words[random() % std::size(words)]) + " ";
  text.resize(n);
  return text;
}

// A table: a number of the line, one that changes slowly, a float32 and a float64 written out. No arithmetic that machines
// might round differently.
std::string SomeNumbers(size_t n) {
  std::string text;
  std::mt19937_64 random(6);
  int32_t slow = 43500000;
  for (int line = 1; text.size() < n; ++line) {
    slow += static_cast<int32_t>(random() % 4000) - 2000;
    const float single = static_cast<float>(random() >> 40) * 0x1p-20F;
    const double full = static_cast<double>(random() >> 11) * 0x1p-50;
    char row[100];
    std::snprintf(row, sizeof row, "%d,%d.%06d,%.17g,%.17g\n", line, slow / 1000000, slow % 1000000, double{single}, full);
    text += row;
  }
  text.resize(n);
  return text;
}

// Bits that `text` costs.
double CodeBits(ContextStrength strength, const std::string& text) {
  const std::unique_ptr<ByteMixer> mixer = ByteMixer::Make(strength, static_cast<uint32_t>(text.size()));
  double bits = 0;
  for (const char c : text) {
    for (int i = 7; i >= 0; --i) {
      const int bit = static_cast<uint8_t>(c) >> i & 1;
      const double p1 = mixer->Probability() * 0x1p-32;
      bits -= std::log2(bit != 0 ? p1 : 1 - p1);
      mixer->Learn(bit);
    }
  }
  return bits;
}

TEST(ByteMixer, LearnsWhatRepeats) {
  for (const ContextStrength strength : kStrengths) {
    const std::string text = SomeText(3000);
    const double once = CodeBits(strength, text);
    EXPECT_LT(once, 3.5 * 3000);  // eleven words
    EXPECT_LT(CodeBits(strength, text + text) - once, 0.1 * once);
    EXPECT_LT(CodeBits(strength, std::string(100000, 'x')), 400);
  }
}

TEST(ByteMixer, NumericKnowsWhichFloatsThereAre) {
  // 24 and 53 bits of each line are random, and the slow one has some 12.
  const std::string text = SomeNumbers(60000);
  const auto lines = static_cast<double>(std::count(text.begin(), text.end(), '\n'));
  EXPECT_LT(CodeBits(ContextStrength::kNumeric, text), 100 * lines);
  EXPECT_GT(CodeBits(ContextStrength::kThorough, text), 120 * lines);
}

TEST(ByteMixer, NoiseCostsLittleMoreThanItself) {
  std::mt19937_64 random(3);
  std::string noise(20000, ' ');
  for (char& c : noise) c = static_cast<char>(random());
  for (const ContextStrength strength : kStrengths) EXPECT_LT(CodeBits(strength, noise), 1.06 * 8 * 20000);
}

TEST(ByteMixer, ProbabilitiesAreNeverNoneOrCertain) {
  // Runs that end: what is surest, then what was least expected.
  std::mt19937_64 random(7);
  for (const ContextStrength strength : kStrengths) {
    const std::unique_ptr<ByteMixer> mixer = ByteMixer::Make(strength, 20000);
    for (int i = 0; i < 8 * 20000; ++i) {
      const uint32_t p1 = mixer->Probability();
      ASSERT_GE(p1, 1u << 16) << i;
      ASSERT_LE(p1, 65535u << 16) << i;
      // The opposite of what is expected drives all weights as far as they go.
      mixer->Learn(i % 4096 < 2048 ? p1 < 1u << 31 : random() % 64 == 0);
    }
  }
}

TEST(ByteMixer, EverySizeOfABlockWorks) {
  for (const ContextStrength strength : kStrengths) {
    for (const uint32_t size : {1u, 2u, 3u, 4u, 5u, 6u, 11u, 12u, 13u, 255u, 256u, 257u, 1023u, 1024u, 1025u}) {
      EXPECT_GT(CodeBits(strength, SomeText(size)), 0) << size;
    }
  }
}

TEST(ByteMixer, MemoryFollowsTheSizeAndHasABound) {
  constexpr uint64_t kMiB = 1 << 20;
  for (const ContextStrength strength : kStrengths) {
    EXPECT_LT(ByteMixer::MemoryBytes(strength, 4096), (strength == ContextStrength::kNumeric ? 13 : 10) * kMiB);
    EXPECT_LE(ByteMixer::MemoryBytes(strength, 4096), ByteMixer::MemoryBytes(strength, 8192));
  }
  EXPECT_LT(ByteMixer::MemoryBytes(ContextStrength::kFast, 16 << 20), (42 + 16) * kMiB);
  EXPECT_LT(ByteMixer::MemoryBytes(ContextStrength::kStrong, 16 << 20), (64 + 16) * kMiB);
  EXPECT_LT(ByteMixer::MemoryBytes(ContextStrength::kThorough, 16 << 20), (120 + 16) * kMiB);
  EXPECT_LT(ByteMixer::MemoryBytes(ContextStrength::kNumeric, 16 << 20), (140 + 16) * kMiB);
}

// What every machine must compute. The text is part of the test.
TEST(ByteMixer, ProbabilitiesAreTheSameOnEveryMachine) {
  std::string seen;
  for (const ContextStrength strength : kStrengths) {
    const std::string text = strength == ContextStrength::kNumeric ? SomeText(5000) + SomeNumbers(10000) : SomeText(5000);
    const std::unique_ptr<ByteMixer> mixer = ByteMixer::Make(strength, static_cast<uint32_t>(text.size()));
    Bytes probabilities;
    for (const char c : text) {
      for (int i = 7; i >= 0; --i) {
        const uint32_t p1 = mixer->Probability();
        probabilities.push_back(static_cast<uint8_t>(p1 >> 16));
        probabilities.push_back(static_cast<uint8_t>(p1 >> 24));
        mixer->Learn(static_cast<uint8_t>(c) >> i & 1);
      }
    }
    seen += Hex(Hash64(probabilities), 16) + " ";
  }
  EXPECT_EQ(seen, "0xaa11dea1ee53f094 0x9c53bcf88839ec7a 0x27152e86e1d79f83 0xce46b2b272dfad94 ");
}

TEST(MixerLanes, AreTheNaiveFormulas) {
  std::mt19937_64 random(9);
  for (const size_t n : {8u, 16u, 56u}) {
    alignas(64) int16_t x[56];
    alignas(64) int32_t w[56];
    int32_t expected[56];
    for (int round = 0; round < 200; ++round) {
      for (size_t i = 0; i < n; ++i) {
        x[i] = static_cast<int16_t>(static_cast<int>(random() % 4095) - 2047);
        w[i] = static_cast<int32_t>(random());
        if (round == 0) x[i] = 2047, w[i] = INT32_MAX;
        if (round == 1) x[i] = -2047, w[i] = INT32_MIN;
      }
      const int16_t error = static_cast<int16_t>(round < 2 ? 32767 : random());
      int64_t sum = 0;
      for (size_t i = 0; i < n; ++i) {
        sum += int64_t{x[i]} * (w[i] >> 16);
        expected[i] = static_cast<int32_t>(static_cast<uint32_t>(w[i] + int64_t{x[i]} * error * 4));
      }
      EXPECT_EQ(mixer_lanes::Dot(x, w, n), static_cast<int32_t>(static_cast<uint32_t>(sum)));
      mixer_lanes::Train(x, w, n, error);
      for (size_t i = 0; i < n; ++i) ASSERT_EQ(w[i], expected[i]) << i;
    }
  }
}

}  // namespace
}  // namespace pith
