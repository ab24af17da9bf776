#include "grammar/code_point_set.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace pith {
namespace {

bool Matches(const Utf8Sequence& sequence, const std::string& text) {
  if (text.size() != sequence.n_bytes) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto b = static_cast<uint8_t>(text[i]);
    if (b < sequence.bytes[i].low || b > sequence.bytes[i].high) return false;
  }
  return true;
}

// Every code point near a boundary, and some between.
std::vector<uint32_t> Samples() {
  std::set<uint32_t> samples;
  for (const uint32_t edge : {0x0u, 0x40u, 0x80u, 0x7c0u, 0x800u, 0x1000u, 0xd800u, 0xe000u, 0x10000u,
                              0x10400u, 0x100000u, 0x110000u}) {
    for (uint32_t c = edge < 70 ? 0 : edge - 70; c <= edge + 70 && c <= kMaxCodePoint; ++c) samples.insert(c);
  }
  std::mt19937 random(1);
  for (int i = 0; i < 500; ++i) samples.insert(static_cast<uint32_t>(random() % (kMaxCodePoint + 1)));
  std::erase_if(samples, IsSurrogate);
  return {samples.begin(), samples.end()};
}

TEST(CodePointSet, SequencesAreTheUtf8FormsOfTheMembers) {
  const std::vector<uint32_t> samples = Samples();
  std::mt19937 random(2);
  for (int round = 0; round < 200; ++round) {
    std::vector<CodePointRange> ranges;
    for (size_t n = random() % 4; ranges.size() < n;) {
      const uint32_t a = samples[random() % samples.size()];
      const uint32_t b = samples[random() % samples.size()];
      ranges.push_back({std::min(a, b), std::max(a, b)});
    }
    const CodePointSet set(ranges);
    const std::vector<Utf8Sequence> sequences = Utf8Sequences(set);
    const CodePointSet others = set.Complement();
    for (const uint32_t c : samples) {
      bool expected = false;
      for (const CodePointRange& range : ranges) expected = expected || (c >= range.first && c <= range.last);
      std::string text;
      AppendUtf8(c, text);
      const auto n = std::count_if(sequences.begin(), sequences.end(),
                                   [&](const Utf8Sequence& s) { return Matches(s, text); });
      ASSERT_EQ(n, expected ? 1 : 0) << c;  // disjoint
      ASSERT_EQ(set.Contains(c), expected) << c;
      ASSERT_EQ(others.Contains(c), !expected) << c;
    }
    ASSERT_TRUE(set.Intersection(others).empty());
    ASSERT_TRUE(std::ranges::equal(others.Complement().ranges(), set.ranges()));
  }
}

TEST(CodePointSet, SurrogatesAreNeverMembers) {
  const CodePointSet all({{0, kMaxCodePoint}});
  EXPECT_FALSE(all.Contains(0xd800));
  EXPECT_FALSE(all.Contains(0xdfff));
  EXPECT_TRUE(all.Complement().empty());
  EXPECT_TRUE(CodePointSet({{0xd800, 0xdfff}}).empty());
  for (const Utf8Sequence& s : Utf8Sequences(all)) EXPECT_FALSE(Matches(s, "\xed\xa0\x80"));
}

}  // namespace
}  // namespace pith
