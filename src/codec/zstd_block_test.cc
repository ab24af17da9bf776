#include "codec/zstd_block.h"

#include <gtest/gtest.h>
#include <zstd.h>

#include <random>

namespace pith {
namespace {

Bytes Compressible(size_t n, uint64_t seed) {
  std::mt19937_64 random(seed);
  Bytes b(n);
  for (uint8_t& v : b) v = static_cast<uint8_t>('a' + random() % 4);
  return b;
}

TEST(ZstdBlock, EverySizeRoundTrips) {
  for (const size_t n : {size_t{200}, size_t{1000}, size_t{65535}, size_t{65536}, size_t{65537},
                         (size_t{1} << 20) + 1, size_t{3} << 20}) {
    const Bytes content = Compressible(n, n);
    for (const int level : {kZstdTrialLevel, kZstdBestLevel}) {
      if (n > 100000 && level == kZstdBestLevel && n % 2 == 0) continue;
      const Result<Bytes> frame = ZstdCompress(content, level);
      ASSERT_TRUE(frame.ok());
      ASSERT_FALSE(frame->empty()) << n;
      EXPECT_LT(frame->size(), n);
      Bytes back;
      ASSERT_TRUE(ZstdDecompress(*frame, n, back).ok());
      EXPECT_EQ(back, content);
    }
  }
}

TEST(ZstdBlock, WhatDoesNotShrinkGivesNothing) {
  std::mt19937_64 random(1);
  for (const size_t n : {1, 2, 3, 10, 1000, 100000}) {
    Bytes noise(static_cast<size_t>(n));
    for (uint8_t& v : noise) v = static_cast<uint8_t>(random());
    const Result<Bytes> frame = ZstdCompress(noise, kZstdBestLevel);
    ASSERT_TRUE(frame.ok());
    EXPECT_TRUE(frame->empty()) << n;
  }
}

TEST(ZstdBlock, EveryPrefixAndEveryOtherSizeIsCorrupt) {
  const Bytes content = Compressible(1000, 1);
  const Result<Bytes> frame = ZstdCompress(content, kZstdBestLevel);
  ASSERT_TRUE(frame.ok());
  Bytes back;
  for (size_t n = 0; n < frame->size(); ++n) {
    EXPECT_EQ(ZstdDecompress(ByteSpan(*frame).first(n), 1000, back).code(), StatusCode::kCorrupt) << n;
  }
  for (const size_t n : {0, 1, 999, 1001, 1 << 24}) {
    EXPECT_EQ(ZstdDecompress(*frame, n, back).code(), StatusCode::kCorrupt) << n;
  }
  Bytes longer = *frame;
  longer.push_back(0);
  EXPECT_EQ(ZstdDecompress(longer, 1000, back).code(), StatusCode::kCorrupt);
  longer = *frame;
  longer.insert(longer.end(), frame->begin(), frame->end());
  EXPECT_EQ(ZstdDecompress(longer, 1000, back).code(), StatusCode::kCorrupt);
}

TEST(ZstdBlock, FramesOfUnknownSizeAreRefused) {
  const Bytes content = Compressible(1000, 1);
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0);
  Bytes frame(2000);
  frame.resize(ZSTD_compress2(context, frame.data(), frame.size(), content.data(), content.size()));
  ZSTD_freeCCtx(context);
  Bytes back;
  EXPECT_EQ(ZstdDecompress(frame, 1000, back).code(), StatusCode::kCorrupt);
}

TEST(ZstdBlock, DamagedFramesNeverCrash) {
  const Bytes content = Compressible(3000, 1);
  const Result<Bytes> frame = ZstdCompress(content, kZstdBestLevel);
  ASSERT_TRUE(frame.ok());
  std::mt19937_64 random(2);
  Bytes back;
  for (int round = 0; round < 3000; ++round) {
    Bytes damaged = *frame;
    damaged[random() % damaged.size()] ^= static_cast<uint8_t>(1 + random() % 255);
    (void)ZstdDecompress(damaged, 3000, back);
  }
}

}  // namespace
}  // namespace pith
