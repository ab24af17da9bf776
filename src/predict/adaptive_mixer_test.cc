// AdaptiveMixer: that it learns what it should, the same for every instruction set. That it is docs/mixing.md, bit for bit,
// is shown by tests/slow_decoder.
#include "predict/adaptive_mixer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "base/float_environment.h"
#include "predict/decision_tree.h"
#include "predict/logistic.h"

namespace pith {
namespace {

constexpr int kDepth = 8;  // tokens are bytes

// A hidden state that tells the next byte's low bits, loudly, in numbers of any size.
std::vector<float> Telling(uint8_t next) {
  std::vector<float> hidden(19);
  for (size_t i = 0; i < hidden.size(); ++i) hidden[i] = (next >> i % 3 & 1) != 0 ? 0.01f * static_cast<float>(1 + i * i) : -0.5f;
  return hidden;
}

// Bits that `text` takes as bytes in n_streams parts, when the model says one half to everything, and its hidden state
// nothing, or which byte comes.
double MixedBits(const std::string& text, size_t n_streams, Isa isa = AvailableIsas().back(),
                 std::vector<uint32_t>* said = nullptr, bool hidden_tells = false) {
  const ScopedFloatEnvironment environment;
  AdaptiveMixer mixer(KernelsFor(isa), {kDepth, hidden_tells ? Telling(0).size() : 0}, text.size(), n_streams);
  double bits = 0;
  const auto begin = [&](size_t i) { return i * text.size() / n_streams; };
  for (size_t step = 0; step < (text.size() + n_streams - 1) / n_streams; ++step) {
    for (size_t i = 0; i < n_streams; ++i) {
      if (begin(i) + step >= begin(i + 1)) continue;
      const auto token = static_cast<uint8_t>(text[begin(i) + step]);
      mixer.BeginToken(i, hidden_tells ? Telling(token) : std::vector<float>());
      uint32_t node = 1;
      for (int level = 0; level < kDepth; ++level) {
        const int bit = token >> (kDepth - 1 - level) & 1;
        const uint32_t p = mixer.Probability(level, node, 1u << 31);
        if (said != nullptr) said->push_back(p);
        bits -= std::log2(bit != 0 ? p * 0x1p-32 : 1 - p * 0x1p-32);
        mixer.Learn(bit);
        node = 2 * node + static_cast<uint32_t>(bit);
      }
      mixer.EndToken(token, {&token, 1});
    }
  }
  return bits;
}

std::string Repeat(const std::string& s, size_t n) {
  std::string text;
  for (size_t i = 0; i < n; ++i) text += s;
  return text;
}

std::string Noise(size_t n) {
  std::string text;
  uint32_t x = 1;
  for (size_t i = 0; i < n; ++i) text += static_cast<char>('a' + ((x = x * 1664525 + 1013904223) >> 27) % 16);
  return text;
}

TEST(Stretch, IsTheLogarithmOfTheOdds) {
  for (uint32_t p = 1; p < 0xf0000000; p += p / 3 + 1) {
    const double x = p * 0x1p-32;
    EXPECT_NEAR(Stretch(p), std::log(x / (1 - x)), 2e-6) << p;
    EXPECT_EQ(Stretch(0u - p), -Stretch(p)) << p;
  }
}

TEST(AdaptiveMixer, WhatRepeatsCostsNextToNothing) {
  const std::string text = Repeat("The quick brown fox jumps over the lazy dog. ", 100);
  const double first = MixedBits(text.substr(0, 45), 1);
  const double all = MixedBits(text, 1);
  EXPECT_GT(first, 45 * 4.0);
  EXPECT_LT(all, 1.3 * first);
}

TEST(AdaptiveMixer, NoiseCostsItsEntropyAndLittleMore) {
  const std::string text = Noise(20000);
  EXPECT_LT(MixedBits(text, 1), 20000 * 4.0 * 1.1);
  EXPECT_GT(MixedBits(text, 1), 20000 * 4.0 * 0.999);
}

TEST(AdaptiveMixer, StreamsLearnFromEachOther) {
  const std::string text = Repeat(Noise(200), 16);
  const double one = MixedBits(text, 1);
  const double eight = MixedBits(text, 8);
  // Eight streams say the same at once: nobody is ahead, but each decision is seen eight times.
  EXPECT_LT(eight, 3 * one);
}

TEST(AdaptiveMixer, ColumnsAreSeen) {
  // The third field is that of the line above; nothing else tells it.
  std::string text;
  const std::string noise = Noise(8000);
  for (size_t i = 0; i < 800; ++i) text += noise.substr(10 * i, 6) + "," + noise.substr(i / 100 * 20, 8) + "\n";
  EXPECT_LT(MixedBits(text, 1), 800 * (6 * 4.0 + 8));
}

TEST(AdaptiveMixer, WhatTheHiddenStateTellsIsLearned) {
  const std::string text = Noise(8000);
  const double without = MixedBits(text, 4);
  const double with = MixedBits(text, 4, AvailableIsas().back(), nullptr, true);
  EXPECT_LT(with, 0.45 * without);  // three of the four bits of each byte
}

TEST(AdaptiveMixer, EveryInstructionSetSaysTheSame) {
  const std::string text = Repeat("key=12, value=0x3f;\n", 20) + Noise(300) + Repeat("\xe4\xb8\xad\xe6\x96\x87", 30);
  for (const bool hidden_tells : {false, true}) {
    std::vector<uint32_t> expected;
    MixedBits(text, 3, Isa::kScalar, &expected, hidden_tells);
    for (const Isa isa : AvailableIsas()) {
      std::vector<uint32_t> found;
      MixedBits(text, 3, isa, &found, hidden_tells);
      EXPECT_EQ(found, expected) << IsaName(isa);
    }
  }
}

TEST(BlockTokens, KnowsWhatIsDecodedAndNothingElse) {
  for (uint64_t n = 1; n < 40; ++n) {
    for (uint64_t s = 1; s <= n; ++s) {
      for (const uint64_t n_before : {0, 1, 5}) {
        BlockTokens tokens(n, s);
        if (n_before != 0) {
          tokens = BlockTokens(n_before, 1);
          for (uint64_t i = 0; i < n_before; ++i) tokens.Set(0, 3);
          tokens.Append(n, s);
        }
        for (uint64_t step = 0; step < n; ++step) {
          for (size_t i = 0; i < s; ++i) {
            if (tokens.Begin(i) + step < tokens.Begin(i + 1)) tokens.Set(i, 7);
          }
          for (uint32_t at = 0; at < n_before + n + 2; ++at) {
            bool known = at < n_before;
            for (size_t i = 0; i < s; ++i) known |= at >= tokens.Begin(i) && at < tokens.Next(i);
            ASSERT_EQ(tokens.Knows(at), known) << n << " " << s << " " << n_before << " " << at;
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace pith
