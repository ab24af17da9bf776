#include "codec/content_class.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <iterator>
#include <random>
#include <string>

#include "base/random_bytes.h"
#include "codec/zstd_block.h"

namespace pith {
namespace {

std::string English(size_t n) {
  static const std::string kLine =
      "It was the best of times, it was the worst of times; 42 \"quoted\" words (and some\nnumbers like "
      "3.14) follow.\n";
  std::string s;
  while (s.size() < n) s += kLine;
  s.resize(n);
  return s;
}

ContentClass Classify(const std::string& s) { return ClassifyContent(AsBytes(s)); }

TEST(ContentClass, TextIsTextAtEverySize) {
  EXPECT_EQ(Classify(""), ContentClass::kText);
  for (const size_t n : {1, 2, 3, 15, 16, 17, 100, 255, 256, 257, 1000, 4096, 65535, 65536}) {
    EXPECT_EQ(Classify(English(n)), ContentClass::kText) << n;
  }
}

TEST(ContentClass, TextInOtherEncodingsIsText) {
  std::string utf8, latin1, koi8;
  for (int i = 0; i < 2000; ++i) {
    utf8 +=
        "Gr\xc3\xbc\xc3\x9f"
        "e \xd0\xb8\xd0\xb7 \xe4\xb8\xad\xe5\x9b\xbd\n";
    latin1 +=
        "Gr\xfc\xdf"
        "e aus K\xf6ln, M\xfcnchen\r\n";
    koi8 += "\xf7\xd3\xc5 \xd3\xde\xc1\xd3\xd4\xcc\xc9\xd7\xd9\xc5 \xd3\xc5\xcd\xd8\xc9\n";
  }
  EXPECT_EQ(Classify(utf8), ContentClass::kText);
  EXPECT_EQ(Classify(latin1), ContentClass::kText);
  EXPECT_EQ(Classify(koi8), ContentClass::kText);
}

TEST(ContentClass, TextWithFewControlCharactersIsText) {
  std::string log;
  for (int i = 0; i < 500; ++i)
    log += i % 10 == 0 ? "\x1b[31mERROR\x1b[0m something went wrong in module 17\n" : English(80);
  EXPECT_EQ(Classify(log), ContentClass::kText);
}

TEST(ContentClass, RandomAndCompressedBytesAreNoise) {
  for (const size_t n : {512, 1000, 4096, 65535, 65536, 1 << 20}) {
    for (uint64_t seed = 0; seed < 20; ++seed) {
      EXPECT_EQ(ClassifyContent(RandomBytes(n, seed)), ContentClass::kNoise) << n << " seed " << seed;
      if (n > 65536) break;
    }
  }
  std::string numbers;
  std::mt19937_64 random(1);
  for (int i = 0; i < 100000; ++i) numbers += std::to_string(random() % 100000) + " ";
  const Result<Bytes> frame = ZstdCompress(AsBytes(numbers), kZstdBestLevel);
  ASSERT_TRUE(frame.ok());
  EXPECT_EQ(ClassifyContent(ByteSpan(*frame).first(65536)), ContentClass::kNoise);
}

TEST(ContentClass, TextInUtf16IsWide) {
  std::string little, big;
  for (const char c : English(10000)) {
    little += {c, '\0'};
    big += {'\0', c};
  }
  EXPECT_EQ(Classify(little), ContentClass::kWide);
  EXPECT_EQ(Classify(big), ContentClass::kWide);
}

TEST(ContentClass, TablesAndProgramsAreBinary) {
  std::string floats;
  for (int i = 0; i < 20000; ++i) {
    const float v = std::sin(static_cast<float>(i) * 0.01f);
    floats.append(reinterpret_cast<const char*>(&v), sizeof v);
  }
  EXPECT_NE(Classify(floats), ContentClass::kText);
  EXPECT_NE(Classify(floats), ContentClass::kMixed);
  EXPECT_EQ(Classify(std::string(100000, '\0')), ContentClass::kBinary);
  std::ifstream self("/proc/self/exe", std::ios::binary);
  std::string program(65536, '\0');
  self.seekg(65536);
  if (self.read(program.data(), static_cast<std::streamsize>(program.size()))) {
    EXPECT_NE(Classify(program), ContentClass::kText);
    EXPECT_NE(Classify(program), ContentClass::kNoise);
  }
}

TEST(OrderZeroBits, IsTheEntropyOfTheBytes) {
  EXPECT_EQ(OrderZeroBits({}), 0);
  EXPECT_EQ(OrderZeroBits(AsBytes("aaaa")), 0);
  EXPECT_DOUBLE_EQ(OrderZeroBits(AsBytes("abab")), 1);
  EXPECT_NEAR(OrderZeroBits(AsBytes("aab")), 0.9183, 1e-4);
  EXPECT_NEAR(OrderZeroBits(RandomBytes(1 << 20, 1)), 8, 0.001);
}

}  // namespace
}  // namespace pith
