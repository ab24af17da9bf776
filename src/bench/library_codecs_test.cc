#include "bench/library_codecs.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "base/file.h"

namespace pith::bench {
namespace {

Bytes Text(size_t n) {
  std::mt19937 generator(static_cast<uint32_t>(n));
  Bytes bytes(n);
  for (uint8_t& b : bytes) b = static_cast<uint8_t>("etaoin shrdlu\n"[generator() % 14]);
  return bytes;
}

// A source that gives little at a time, as pipes do.
class Trickle : public ByteSource {
 public:
  explicit Trickle(ByteSpan data) : data_(data) {}
  Result<size_t> Read(std::span<uint8_t> out) override {
    const size_t n = std::min({out.size(), data_.size(), size_t{777}});
    std::copy_n(data_.begin(), n, out.begin());
    data_ = data_.subspan(n);
    return n;
  }

 private:
  ByteSpan data_;
};

std::vector<LibraryCodec> LowestAndHighest() {
  std::vector<LibraryCodec> codecs;
  for (size_t i = 0; i < kNLibraries; ++i) {
    const auto library = static_cast<Library>(i);
    codecs.push_back({library, LevelsOf(library).lowest, false});
    codecs.push_back({library, LevelsOf(library).usual, false});
    codecs.push_back({library, LevelsOf(library).highest, library == Library::kZstd || library == Library::kXz});
  }
  return codecs;
}

Bytes Compressed(const LibraryCodec& codec, ByteSpan data) {
  MemorySource source(data);
  MemorySink sink;
  const Status status = CompressByLibrary(codec, source, data.size(), sink);
  EXPECT_TRUE(status.ok()) << LibraryName(codec.library) << codec.level << ": " << status.message();
  return sink.bytes;
}

TEST(LibraryCodecs, EveryLengthAroundTheBuffersComesBack) {
  for (const LibraryCodec& codec : LowestAndHighest()) {
    for (const size_t n : {size_t{0}, size_t{1}, size_t{2}, size_t{1000}, (size_t{128} << 10) - 1, size_t{128} << 10,
                           (size_t{128} << 10) + 1, size_t{200000}}) {
      const Bytes data = Text(n);
      const Bytes archive = Compressed(codec, data);
      if (n > 1000) {
        EXPECT_LT(archive.size(), n * 6 / 10) << LibraryName(codec.library);
      }
      Trickle source(archive);
      MemorySink sink;
      const Status status = DecompressByLibrary(codec, source, sink);
      ASSERT_TRUE(status.ok()) << LibraryName(codec.library) << codec.level << ", " << n << ": " << status.message();
      EXPECT_EQ(sink.bytes, data) << LibraryName(codec.library) << codec.level << ", " << n;
    }
  }
}

TEST(LibraryCodecs, EveryPrefixAndWhatFollowsIsRefused) {
  const Bytes data = Text(500);
  for (const LibraryCodec& codec : LowestAndHighest()) {
    Bytes archive = Compressed(codec, data);
    for (size_t n = 0; n < archive.size(); ++n) {
      MemorySource source(ByteSpan(archive).first(n));
      MemorySink sink;
      EXPECT_FALSE(DecompressByLibrary(codec, source, sink).ok()) << LibraryName(codec.library) << ", " << n;
    }
    archive.push_back(0);
    MemorySource source(archive);
    MemorySink sink;
    EXPECT_EQ(DecompressByLibrary(codec, source, sink).message(), "data follows after the end")
        << LibraryName(codec.library);
  }
}

TEST(LibraryCodecs, AFullDiskStopsThem) {
  class FullDisk : public ByteSink {
   public:
    Status Write(std::span<const uint8_t>) override { return IoError("no space"); }
  };
  const Bytes data = Text(5000);
  for (const LibraryCodec& codec : LowestAndHighest()) {
    MemorySource source(data);
    FullDisk sink;
    EXPECT_EQ(CompressByLibrary(codec, source, data.size(), sink).message(), "no space");
  }
}

TEST(LibraryCodecs, LongDistanceFindsWhatLiesFarBack) {
  std::mt19937 generator(1);
  Bytes data(4 << 20);
  for (size_t i = 0; i < data.size() / 2; ++i) data[i] = static_cast<uint8_t>(generator());
  std::copy_n(data.begin(), data.size() / 2, data.begin() + static_cast<ptrdiff_t>(data.size() / 2));
  const LibraryCodec far{Library::kZstd, 1, true};
  const Bytes archive = Compressed(far, data);
  EXPECT_LT(archive.size(), data.size() * 6 / 10);
  EXPECT_GT(Compressed({Library::kZstd, 1, false}, data).size(), data.size() * 9 / 10);
  MemorySource source(archive);
  MemorySink sink;
  ASSERT_TRUE(DecompressByLibrary(far, source, sink).ok());
  EXPECT_EQ(sink.bytes, data);
}

TEST(LibraryCodecs, VersionsAreSaid) {
  for (size_t i = 0; i < kNLibraries; ++i) {
    const std::string version = LibraryVersion(static_cast<Library>(i));
    EXPECT_TRUE(version.find_first_of("0123456789") != std::string::npos && version.find('.') != std::string::npos)
        << version;
  }
}

}  // namespace
}  // namespace pith::bench
