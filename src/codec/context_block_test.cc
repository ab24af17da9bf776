#include "codec/context_block.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <random>
#include <string>

#include "codec/block_cutter.h"
#include "codec/codec.h"

namespace pith {
namespace {

constexpr ContextStrength kStrengths[] = {ContextStrength::kFast, ContextStrength::kStrong, ContextStrength::kThorough,
                                          ContextStrength::kNumeric};
const AfterBytes kGoOn = [](uint64_t, uint64_t) -> Result<bool> { return true; };

Bytes Text(const std::string& s) { return Bytes(s.begin(), s.end()); }

Bytes DocumentOfThisProject() {
  std::ifstream in(std::string(PITH_SOURCE_DIR) + "/docs/format.md", std::ios::binary);
  return Bytes(std::istreambuf_iterator<char>(in), {});
}

Bytes Noise(size_t n) {
  std::mt19937_64 random(n);
  Bytes b(n);
  for (uint8_t& c : b) c = static_cast<uint8_t>(random());
  return b;
}

Bytes Code(ContextStrength strength, const Bytes& content) {
  Result<std::optional<Bytes>> code = EncodeByContexts(strength, content, kGoOn);
  EXPECT_TRUE(code.ok() && code->has_value());
  return **std::move(code);
}

void ExpectRoundTrip(const Bytes& content) {
  for (const ContextStrength strength : kStrengths) {
    const Bytes code = Code(strength, content);
    Bytes back;
    const Status status = DecodeByContexts(strength, code, content.size(), "here", back, kGoOn);
    ASSERT_TRUE(status.ok()) << status.message();
    ASSERT_EQ(back, content);
  }
}

TEST(ContextBlock, RoundTrips) {
  ExpectRoundTrip(Text("a"));
  for (const size_t n : {2u, 3u, 255u, 256u, 257u, 4095u, 4096u, 4097u, 65537u}) {
    ExpectRoundTrip(Bytes(n, 0));
    ExpectRoundTrip(Noise(n));
  }
  ExpectRoundTrip(DocumentOfThisProject());
}

TEST(ContextBlock, MakesTextSmall) {
  const Bytes text = DocumentOfThisProject();
  const double size = static_cast<double>(text.size());
  ASSERT_GT(size, 10000);
  EXPECT_LT(static_cast<double>(Code(ContextStrength::kFast, text).size()), 0.38 * size);
  EXPECT_LT(static_cast<double>(Code(ContextStrength::kStrong, text).size()), 0.36 * size);
}

TEST(ContextBlock, DamagedCodeNeverCrashesAndNeverGrows) {
  const Bytes content = Text("pith, pith and pith; 12,34\n12,35\n");
  for (const ContextStrength strength : kStrengths) {
    const Bytes code = Code(strength, content);
    for (size_t i = 0; i < code.size(); ++i) {
      for (const int change : {1, 0x80, 0xff}) {
        Bytes damaged = code;
        damaged[i] = static_cast<uint8_t>(damaged[i] ^ change);
        Bytes back;
        const Status status = DecodeByContexts(strength, damaged, content.size(), "here", back, kGoOn);
        EXPECT_LE(back.size(), content.size());
        // Another code may be a good one, of something else or, where only the last bits differ, of the same.
        EXPECT_TRUE(status.ok() || status.code() == StatusCode::kCorrupt) << i;
      }
      Bytes back;  // a prefix, too, unless its zeros are implied
      const Status status =
          DecodeByContexts(strength, ByteSpan(code).first(i), content.size(), "here", back, kGoOn);
      EXPECT_FALSE(status.ok() && back == content) << i;
    }
    Bytes longer = code;
    longer.insert(longer.end(), 9, 1);
    Bytes back;
    const Status status = DecodeByContexts(strength, longer, content.size(), "here", back, kGoOn);
    EXPECT_EQ(status.code(), StatusCode::kCorrupt);
    EXPECT_NE(status.message().find("goes on"), std::string::npos) << status.message();
  }
}

TEST(ContextBlock, ACodeThatEndsStopsTheDecoder) {
  Bytes back;
  uint64_t parts = 0;
  const AfterBytes count = [&](uint64_t, uint64_t) -> Result<bool> { return ++parts < 1000; };
  const Bytes code = Noise(50);
  const Status status = DecodeByContexts(ContextStrength::kFast, code, 16 << 20, "here", back, count);
  EXPECT_EQ(status.code(), StatusCode::kCorrupt) << status.message();
  EXPECT_LT(parts, 10u);
}

TEST(ContextBlock, StopsWhenTold) {
  const Bytes content = DocumentOfThisProject();
  const AfterBytes stop = [](uint64_t, uint64_t) -> Result<bool> { return false; };
  const Result<std::optional<Bytes>> none = EncodeByContexts(ContextStrength::kFast, content, stop);
  ASSERT_TRUE(none.ok());
  EXPECT_FALSE(none->has_value());
  Bytes back;
  EXPECT_EQ(DecodeByContexts(ContextStrength::kFast, Code(ContextStrength::kFast, content), content.size(), "here", back, stop)
                .code(),
            StatusCode::kCancelled);
}

// ---- Whole archives ------------------------------------------------------------------------------------------------

Bytes Archive(const Bytes& content, const EncodeOptions& options, EncodeResult* result = nullptr) {
  MemorySource source(content);
  MemorySink sink;
  const Result<EncodeResult> encoded = EncodeArchive(nullptr, source, sink, options, {});
  EXPECT_TRUE(encoded.ok()) << encoded.status().message();
  if (encoded.ok() && result != nullptr) *result = *encoded;
  return sink.bytes;
}

Result<Bytes> Restore(const Bytes& archive, const DecodeOptions& options = {}) {
  MemorySource source(archive);
  MemorySink sink;
  const auto no_model = [](const ModelIdentity&) -> Result<TokenModel*> { return NotFound("asked for a model"); };
  const Result<DecodeResult> decoded = DecodeArchives(no_model, source, sink, options, {});
  if (!decoded.ok()) return decoded.status();
  return sink.bytes;
}

TEST(ContextArchive, ComesBackWithoutAModel) {
  Bytes mixed = DocumentOfThisProject();
  const Bytes noise = Noise(200000);
  mixed.insert(mixed.end(), noise.begin(), noise.end());
  for (const ContextStrength strength : kStrengths) {
    for (const Bytes& content : {Bytes(), Text("a"), DocumentOfThisProject(), mixed, Bytes(300000, 'a')}) {
      EncodeResult result;
      const Bytes archive = Archive(content, {.contexts = strength}, &result);
      EXPECT_LE(archive.size(), content.size() + 64 + 16 * result.blocks);
      const Result<Bytes> back = Restore(archive);
      ASSERT_TRUE(back.ok()) << back.status().message();
      EXPECT_EQ(*back, content);
      // Of 'a' again and again zstd makes less than all but numeric.
      EXPECT_EQ(result.context_blocks > 0, content.size() > 10000 && (content.back() != 'a' || strength == ContextStrength::kNumeric))
          << content.size();
    }
  }
}

TEST(ContextArchive, ManyBlocksBeginAnewEachTime) {
  const Bytes content = DocumentOfThisProject();
  EncodeResult result;
  const Bytes archive =
      Archive(content, {.block_bytes = kMinBlockBytes, .contexts = ContextStrength::kStrong}, &result);
  EXPECT_GE(result.context_blocks, content.size() / kMinBlockBytes);
  const Result<Bytes> back = Restore(archive);
  ASSERT_TRUE(back.ok()) << back.status().message();
  EXPECT_EQ(*back, content);
}

TEST(ContextArchive, MemoryHasItsBoundInBothDirections) {
  const Bytes content = DocumentOfThisProject();
  constexpr uint64_t kMiB = 1 << 20;
  const EncodeOptions little{.memory_bytes = 8 * kMiB, .contexts = ContextStrength::kStrong};
  const Bytes archive = Archive(content, little);
  const Result<Bytes> back = Restore(archive, {.memory_bytes = 8 * kMiB});
  ASSERT_TRUE(back.ok()) << back.status().message();
  EXPECT_EQ(*back, content);
  EXPECT_EQ(Restore(archive, {.memory_bytes = kMiB / 2}).status().code(), StatusCode::kUnsupported);
  MemorySource source(content);
  MemorySink sink;
  const EncodeOptions too_little{.memory_bytes = kMiB / 2, .contexts = ContextStrength::kStrong};
  EXPECT_EQ(EncodeArchive(nullptr, source, sink, too_little, {}).status().code(), StatusCode::kInvalidArgument);
}

TEST(ContextArchive, EveryChangedByteAndEveryPrefixIsAnError) {
  const Bytes archive =
      Archive(Text("one two three one two three, and one two three again\n"), {.contexts = ContextStrength::kStrong});
  for (size_t i = 0; i < archive.size(); ++i) {
    Bytes damaged = archive;
    damaged[i] ^= 0x10;
    EXPECT_FALSE(Restore(damaged).ok()) << i;
    EXPECT_FALSE(Restore(Bytes(archive.begin(), archive.begin() + static_cast<ptrdiff_t>(i))).ok()) << i;
  }
}

}  // namespace
}  // namespace pith
