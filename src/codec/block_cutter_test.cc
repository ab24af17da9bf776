#include "codec/block_cutter.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

namespace pith {
namespace {

std::string Lines(size_t n) {
  std::string s;
  for (size_t i = 0; s.size() < n; ++i)
    s += "line " + std::to_string(i * i) + " of the text, as good as any other\n";
  s.resize(n);
  return s;
}

std::string Noise(size_t n, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::string s(n, '\0');
  for (char& c : s) c = static_cast<char>(random());
  return s;
}

// Gives a number of bytes a call that changes from call to call.
class UnevenSource : public Source {
 public:
  UnevenSource(ByteSpan data, uint64_t seed) : inner_(data), random_(seed) {}
  Result<size_t> Read(std::span<uint8_t> out) override {
    return inner_.Read(out.first(std::min<size_t>(out.size(), 1 + random_() % 30000)));
  }

 private:
  MemorySource inner_;
  std::mt19937_64 random_;
};

struct Piece {
  std::string content;
  ContentClass content_class;
  bool operator==(const Piece&) const = default;
};

std::vector<Piece> Cut(Source& source, size_t max_block, bool by_kind = true) {
  BlockCutter cutter(source, max_block);
  if (!by_kind) cutter.IgnoreKind();
  std::vector<Piece> pieces;
  while (true) {
    const Result<InputBlock> block = cutter.Next();
    EXPECT_TRUE(block.ok());
    if (!block.ok() || block->content.empty()) return pieces;
    pieces.push_back({std::string(AsText(block->content)), block->content_class});
  }
}

std::vector<Piece> Cut(const std::string& input, size_t max_block, bool by_kind = true) {
  MemorySource source(AsBytes(input));
  return Cut(source, max_block, by_kind);
}

std::string Join(const std::vector<Piece>& pieces) {
  std::string s;
  for (const Piece& p : pieces) s += p.content;
  return s;
}

TEST(BlockCutter, NothingGivesNoBlock) { EXPECT_TRUE(Cut("", kMinBlockBytes).empty()); }

TEST(BlockCutter, BlocksJoinToTheInputAndKeepTheLimit) {
  const std::string mixed =
      Lines(200000) + Noise(150000, 1) + Lines(70000) + std::string(100000, '\0') + Noise(3000, 2);
  for (const size_t n :
       {size_t{1}, size_t{4095}, size_t{4096}, size_t{4097}, size_t{4608}, size_t{4609}, size_t{65535},
        size_t{65536}, size_t{65537}, size_t{73728}, size_t{200000}, size_t{270000}, mixed.size()}) {
    for (const size_t max_block :
         {size_t{4096}, size_t{5000}, size_t{65536}, size_t{100000}, size_t{1} << 20}) {
      const std::string input = mixed.substr(0, n);
      const std::vector<Piece> pieces = Cut(input, max_block);
      EXPECT_EQ(Join(pieces), input) << n << " " << max_block;
      for (const Piece& p : pieces) {
        EXPECT_GE(p.content.size(), 1u);
        EXPECT_LE(p.content.size(), max_block);
      }
    }
  }
}

TEST(BlockCutter, CutsDoNotDependOnHowTheSourceReads) {
  const std::string input = Lines(200000) + Noise(150000, 1) + Lines(300000);
  for (const size_t max_block : {size_t{5000}, size_t{100000}, size_t{1} << 20}) {
    const std::vector<Piece> expected = Cut(input, max_block);
    for (uint64_t seed = 0; seed < 5; ++seed) {
      UnevenSource source(AsBytes(input), seed);
      EXPECT_EQ(Cut(source, max_block), expected);
    }
  }
}

TEST(BlockCutter, TextIsCutAtLineEnds) {
  const std::vector<Piece> pieces = Cut(Lines(1000000), 100000);
  for (size_t i = 0; i + 1 < pieces.size(); ++i) EXPECT_EQ(pieces[i].content.back(), '\n') << i;
  EXPECT_LE(pieces.size(), 11u);
}

std::string Wide(const std::string& text, bool big_endian) {
  std::string s;
  for (const char c : text) s += big_endian ? std::string{'\0', c} : std::string{c, '\0'};
  return s;
}

TEST(BlockCutter, Utf16IsCutAtLineEndsBetweenUnits) {
  for (const bool big_endian : {false, true}) {
    const std::string input = Wide(Lines(300000), big_endian);
    for (const size_t max_block : {size_t{4097}, size_t{100000}, size_t{99999}}) {
      const std::vector<Piece> pieces = Cut(input, max_block);
      EXPECT_EQ(Join(pieces), input);
      for (size_t i = 0; i + 1 < pieces.size(); ++i) {
        EXPECT_EQ(pieces[i].content_class, ContentClass::kWide);
        EXPECT_EQ(pieces[i].content.size() % 2, 0u);
        EXPECT_EQ(pieces[i].content.substr(pieces[i].content.size() - 2), Wide("\n", big_endian)) << i;
      }
    }
    std::string words;
    while (words.size() < 200000) words += "words and no line ";
    for (const Piece& p : Cut(Wide(words, big_endian), 99999)) EXPECT_EQ(p.content.size() % 2, 0u);
  }
}

TEST(BlockCutter, Utf16BesideOtherTextIsABlockOfItsOwn) {
  const std::string input = Lines(200000) + Wide(Lines(100000), false) + Lines(200000);
  const std::vector<Piece> pieces = Cut(input, 1 << 20);
  EXPECT_EQ(Join(pieces), input);
  ASSERT_EQ(pieces.size(), 3u);
  EXPECT_EQ(pieces[1].content_class, ContentClass::kWide);
  EXPECT_NEAR(static_cast<double>(pieces[1].content.size()), 200000, 2 * kGranuleBytes);
}

TEST(BlockCutter, TextWithoutLinesIsCutBetweenCharacters) {
  std::string input;
  while (input.size() < 300000) input += "\xe4\xb8\xad\xe5\x9b\xbd";
  for (const size_t max_block : {size_t{4096}, size_t{4097}, size_t{4098}, size_t{65536}}) {
    for (const Piece& p : Cut(input, max_block)) EXPECT_EQ(p.content.size() % 3, 0u);
  }
}

TEST(BlockCutter, TheLastTwoBlocksShareWhatIsALittleTooMuchForOne) {
  const std::vector<Piece> pieces = Cut(Lines(105000), 100000);
  ASSERT_EQ(pieces.size(), 2u);
  EXPECT_NEAR(static_cast<double>(pieces[0].content.size()), 52500, 200);
}

TEST(BlockCutter, KindsAreKeptApart) {
  const std::string input = Lines(200000) + Noise(200000, 1) + Lines(200000);
  const std::vector<Piece> pieces = Cut(input, 4u << 20);
  ASSERT_GE(pieces.size(), 3u);
  EXPECT_EQ(pieces.front().content_class, ContentClass::kText);
  EXPECT_EQ(pieces.back().content_class, ContentClass::kText);
  size_t text = 0;
  for (const Piece& p : pieces) {
    if (p.content_class == ContentClass::kText) text += p.content.size();
  }
  // No more than a piece of text at either change goes with the noise.
  EXPECT_GE(text, 400000 - 2 * kGranuleBytes);
  EXPECT_EQ(Cut(input, 4u << 20, false).size(), 1u);
}

TEST(BlockCutter, TextWithZerosInItStaysInOneBlock) {
  // As in a tar of texts: padding between files makes some pieces mixed.
  std::string tar;
  std::mt19937_64 random(1);
  while (tar.size() < 1000000) {
    tar += Lines(1000 + random() % 100000);
    tar += std::string(512 + random() % 4096, '\0');
  }
  const std::vector<Piece> pieces = Cut(tar, 4u << 20);
  ASSERT_EQ(pieces.size(), 1u);
  EXPECT_EQ(pieces[0].content_class, ContentClass::kText);
}

TEST(BlockCutter, ReadErrorsAreHandedOn) {
  class Failing : public Source {
    Result<size_t> Read(std::span<uint8_t>) override { return IoError("broken"); }
  } source;
  BlockCutter cutter(source, kMinBlockBytes);
  EXPECT_EQ(cutter.Next().status().code(), StatusCode::kIo);
}

}  // namespace
}  // namespace pith
