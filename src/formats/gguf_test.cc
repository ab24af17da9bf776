#include "formats/gguf.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace pith {
namespace {

// Files by hand, to be wrong in one place.
class Raw {
 public:
  Raw& U32(uint32_t v) { return w_.U32(v), *this; }
  Raw& U64(uint64_t v) { return w_.U64(v), *this; }
  Raw& U8(uint8_t v) { return w_.U8(v), *this; }
  Raw& Text(std::string_view t) {
    for (const char c : t) U8(static_cast<uint8_t>(c));  // ByteWriter::Raw here: a false warning of GCC 12
    return *this;
  }
  Raw& String(std::string_view t) { return U64(t.size()).Text(t); }
  Raw& Header(uint64_t n_tensors, uint64_t n_keys) { return Text("GGUF").U32(3).U64(n_tensors).U64(n_keys); }
  Raw& Tensor(std::string_view name, std::initializer_list<uint64_t> dims, uint32_t encoding,
              uint64_t offset) {
    String(name).U32(static_cast<uint32_t>(dims.size()));
    for (const uint64_t d : dims) U64(d);
    return U32(encoding).U64(offset);
  }
  Raw& Pad(size_t more = 0) {
    bytes_.resize((bytes_.size() + 31) / 32 * 32 + more);
    return *this;
  }
  const Bytes& bytes() const { return bytes_; }

 private:
  Bytes bytes_;
  ByteWriter w_{bytes_};
};

void ExpectError(const Bytes& file, StatusCode code, const std::string& part) {
  const auto opened = GgufFile::FromMemory(file, "f");
  ASSERT_FALSE(opened.ok()) << part;
  EXPECT_EQ(opened.status().code(), code) << opened.status().message();
  EXPECT_NE(opened.status().message().find(part), std::string::npos) << opened.status().message();
}
void ExpectError(const Raw& file, StatusCode code, const std::string& part) {
  ExpectError(file.bytes(), code, part);
}

class GgufTest : public ::testing::Test {
 protected:
  GgufTest() {
    folder_ = std::filesystem::temp_directory_path() / ("pith_gguf_test." + std::to_string(getpid()));
    std::filesystem::create_directories(folder_);
  }
  ~GgufTest() override { std::filesystem::remove_all(folder_); }
  std::string Path(const std::string& name) const { return (folder_ / name).string(); }

  static GgufHeader SmallHeader() {
    GgufHeader h;
    h.AddString("general.architecture", "toy");
    h.AddBool("b", true);
    h.AddU32("u32", 0xfffffffe);
    h.AddI32("i32", -7);
    h.AddU64("u64", uint64_t{1} << 63);
    h.AddF32("f32", 0.5f);
    h.AddStrings("strings", std::vector<std::string>{"", "a", std::string("\0\xff", 2)});
    h.AddI32s("i32s", std::vector<int32_t>{1, -2, 3});
    h.AddStrings("none", {});
    const uint64_t matrix[] = {2, 32};
    const uint64_t vector[] = {3};
    h.AddTensor("vector", GgufEncoding::kF32, vector);
    h.AddTensor("matrix", GgufEncoding::kQ8_0, matrix);
    h.AddTensor("scalar", GgufEncoding::kF16, {});
    return h;
  }
  // Data: the bytes 1, 2, 3, ..
  Bytes WriteSmall(const std::string& path, size_t piece) const {
    auto writer = GgufWriter::Create(path, true, SmallHeader());
    EXPECT_TRUE(writer.ok());
    uint8_t next = 1;
    for (size_t left : {size_t{12}, size_t{68}, size_t{2}}) {
      while (left > 0) {
        Bytes data(std::min(piece, left));
        for (uint8_t& b : data) b = next++;
        EXPECT_TRUE((*writer)->Append(data).ok());
        left -= data.size();
      }
    }
    EXPECT_TRUE((*writer)->Commit().ok());
    std::ifstream in(path, std::ios::binary);
    Bytes bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    EXPECT_EQ(bytes.size(), (*writer)->file_bytes());
    return bytes;
  }

  std::filesystem::path folder_;
};

TEST_F(GgufTest, WhatIsWrittenIsRead) {
  WriteSmall(Path("a"), 1000);
  const auto opened = GgufFile::Open(Path("a"));
  ASSERT_TRUE(opened.ok()) << opened.status().message();
  const GgufFile& f = **opened;
  EXPECT_EQ(f.alignment(), 32u);
  ASSERT_EQ(f.metadata().size(), 9u);
  EXPECT_EQ(f.metadata()[0].key, "general.architecture");
  EXPECT_EQ(f.Find("general.architecture")->AsString(), "toy");
  EXPECT_EQ(f.Find("b")->AsBool(), true);
  EXPECT_EQ(f.Find("b")->AsUnsigned(), std::nullopt);
  EXPECT_EQ(f.Find("u32")->AsUnsigned(), 0xfffffffeu);
  EXPECT_EQ(f.Find("u32")->AsNumber(), 4294967294.0);
  EXPECT_EQ(f.Find("i32")->AsInteger(), -7);
  EXPECT_EQ(f.Find("i32")->AsUnsigned(), std::nullopt);
  EXPECT_EQ(f.Find("u64")->AsUnsigned(), uint64_t{1} << 63);
  EXPECT_EQ(f.Find("u64")->AsInteger(), std::nullopt);
  EXPECT_EQ(f.Find("u64")->AsNumber(), 0x1p63);
  EXPECT_EQ(f.Find("f32")->AsNumber(), 0.5);
  EXPECT_EQ(f.Find("f32")->AsInteger(), std::nullopt);
  const GgufValue& strings = *f.Find("strings");
  EXPECT_EQ(strings.kind(), GgufKind::kArray);
  EXPECT_EQ(strings.element_kind(), GgufKind::kString);
  EXPECT_EQ(std::vector<std::string_view>(strings.AsStrings().begin(), strings.AsStrings().end()),
            (std::vector<std::string_view>{"", "a", std::string_view("\0\xff", 2)}));
  EXPECT_EQ(strings.AsString(), std::nullopt);
  EXPECT_EQ(strings.IntegerAt(0), std::nullopt);
  const GgufValue& numbers = *f.Find("i32s");
  EXPECT_EQ(numbers.size(), 3u);
  EXPECT_EQ(numbers.IntegerAt(1), -2);
  EXPECT_EQ(numbers.NumberAt(2), 3.0);
  EXPECT_EQ(f.Find("none")->size(), 0u);
  EXPECT_EQ(f.Find("other"), nullptr);

  ASSERT_EQ(f.tensors().size(), 3u);
  const GgufTensor& m = *f.FindTensor("matrix");
  EXPECT_EQ(m.encoding, GgufEncoding::kQ8_0);
  EXPECT_EQ(m.shape, (std::vector<uint64_t>{2, 32}));
  EXPECT_EQ(m.n_elements, 64u);
  ASSERT_EQ(m.data.size(), 68u);
  EXPECT_EQ(m.data[0], 13);
  EXPECT_EQ(m.data[67], 80);
  EXPECT_EQ(f.FindTensor("vector")->data.size(), 12u);
  EXPECT_EQ(f.FindTensor("scalar")->data.size(), 2u);
  EXPECT_TRUE(f.FindTensor("scalar")->shape.empty());
  for (const GgufTensor& t : f.tensors()) {
    EXPECT_EQ((t.data.data() - f.tensors()[0].data.data()) % 32, 0) << t.name;
  }
}

TEST_F(GgufTest, PiecesMakeNoDifference) {
  const Bytes whole = WriteSmall(Path("a"), 1000);
  EXPECT_EQ(WriteSmall(Path("b"), 1), whole);
  EXPECT_EQ(WriteSmall(Path("c"), 7), whole);
}

TEST_F(GgufTest, NothingAppearsWithoutCommitAndNothingIsReplacedUnasked) {
  {
    ASSERT_TRUE(GgufWriter::Create(Path("a"), false, SmallHeader()).ok());
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
  WriteSmall(Path("a"), 9);
  EXPECT_EQ(GgufWriter::Create(Path("a"), false, SmallHeader()).status().code(), StatusCode::kAlreadyExists);
}

TEST_F(GgufTest, EachPrefixIsRefusedAndEachFlippedByteReadsOrIsRefused) {
  const Bytes file = WriteSmall(Path("a"), 1000);
  const size_t end =
      file.size() - 30;  // the padding of the last tensor, two bytes, may be missing as a whole
  for (size_t n = 0; n < file.size(); ++n) {
    const auto opened = GgufFile::FromMemory(ByteSpan(file).first(n), "f");
    EXPECT_EQ(opened.ok(), n == end) << n;
    if (opened.ok()) continue;
    EXPECT_EQ(opened.status().code(), StatusCode::kCorrupt) << n;
  }
  for (size_t i = 0; i < file.size(); ++i) {
    for (const int flip : {0x01, 0x80, 0xff}) {
      Bytes damaged = file;
      damaged[i] ^= static_cast<uint8_t>(flip);
      const auto opened = GgufFile::FromMemory(damaged, "f");
      if (!opened.ok()) {
        EXPECT_TRUE(opened.status().message().starts_with("f: ")) << opened.status().message();
        continue;
      }
      size_t total = 0;
      for (const GgufTensor& t : (*opened)->tensors()) total += t.data.size();
      EXPECT_LE(total, file.size());
    }
  }
  Bytes longer = file;
  longer.push_back(0);
  ExpectError(longer, StatusCode::kCorrupt, "1 bytes follow the last tensor");
}

TEST(Gguf, AFileMayHoldNothing) {
  ExpectError(Bytes(), StatusCode::kCorrupt, "does not begin with \"GGUF\"");
  for (const bool padded : {false, true}) {
    Raw file;
    file.Header(0, 0);
    if (padded) file.Pad();
    const auto opened = GgufFile::FromMemory(file.bytes(), "f");
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    EXPECT_TRUE((*opened)->metadata().empty());
    EXPECT_TRUE((*opened)->tensors().empty());
  }
  EXPECT_EQ(GgufHeader().Encode().size(), 32u);
  EXPECT_EQ(GgufFile::Open("/nonexistent").status().code(), StatusCode::kNotFound);
}

TEST(Gguf, OtherVersionsAreNamed) {
  ExpectError(Raw().Text("GGUF").U32(2).U64(0).U64(0), StatusCode::kUnsupported, "version 0x00000002");
  ExpectError(Raw().Text("GGUF").U32(3u << 24).U64(0).U64(0), StatusCode::kUnsupported, "big-endian");
  ExpectError(Raw().Text("GGML").U32(3).U64(0).U64(0), StatusCode::kCorrupt, "no GGUF file");
}

TEST(Gguf, CountsAreCheckedBeforeAnythingIsAllocated) {
  const uint64_t huge = ~uint64_t{0};
  ExpectError(Raw().Header(0, huge), StatusCode::kCorrupt, "keys, more than 0 bytes hold");
  ExpectError(Raw().Header(huge, 0), StatusCode::kCorrupt, "tensors, more than 0 bytes hold");
  ExpectError(Raw().Header(0, 1).String("k").U32(9).U32(8).U64(huge), StatusCode::kCorrupt,
              "more than 0 bytes hold");
  ExpectError(Raw().Header(0, 1).String("k").U32(9).U32(4).U64(huge / 4), StatusCode::kCorrupt,
              "more than 0 bytes");
  ExpectError(Raw().Header(0, 1).String("k").U32(8).U64(huge), StatusCode::kCorrupt, "ends early");
  ExpectError(Raw().Header(0, 1).U64(huge).Pad(32), StatusCode::kCorrupt, "ends early");
  ExpectError(Raw().Header(0, kMaxGgufKeys + 1).Pad(14 * (kMaxGgufKeys + 1)), StatusCode::kUnsupported,
              "limit 65536");
  ExpectError(Raw().Header(kMaxGgufTensors + 1, 0).Pad(24 * (kMaxGgufTensors + 1)), StatusCode::kUnsupported,
              "limit 100000");
  ExpectError(Raw().Header(0, 1).String(std::string(kMaxGgufKeyBytes + 1, 'k')).U32(0).U8(0),
              StatusCode::kUnsupported, "65536 bytes, limit 65535");
  ExpectError(Raw().Header(0, 1).String("k").U32(9).U32(0).U64(kMaxGgufArray + 1).Pad(kMaxGgufArray + 1),
              StatusCode::kUnsupported, "limit 16777216");
}

TEST(Gguf, MetadataMakesSense) {
  ExpectError(Raw().Header(0, 2).String("k").U32(0).U8(1).String("k").U32(0).U8(1), StatusCode::kCorrupt,
              "key \"k\" occurs more than once");
  ExpectError(Raw().Header(0, 1).String("").U32(0).U8(1).U8(1), StatusCode::kCorrupt, "key 0 is empty");
  ExpectError(Raw().Header(0, 1).String("k").U32(13).U8(1), StatusCode::kCorrupt, "kind of value 13");
  ExpectError(Raw().Header(0, 1).String("k").U32(7).U8(2), StatusCode::kCorrupt, "found 2, expected a bool");
  ExpectError(Raw().Header(0, 1).String("k").U32(9).U32(7).U64(2).U8(1).U8(9), StatusCode::kCorrupt,
              "found 9");
  ExpectError(Raw().Header(0, 1).String("k").U32(9).U32(9).U64(0), StatusCode::kUnsupported,
              "array of arrays");
}

TEST(Gguf, AlignmentIsAPowerOfTwo) {
  for (const uint32_t bad : {0u, 1u, 4u, 33u, 48u}) {
    ExpectError(Raw().Header(0, 1).String("general.alignment").U32(4).U32(bad), StatusCode::kCorrupt,
                "found " + std::to_string(bad));
  }
  ExpectError(Raw().Header(0, 1).String("general.alignment").U32(4).U32(1u << 17), StatusCode::kUnsupported,
              "limit");
  ExpectError(Raw().Header(0, 1).String("general.alignment").U32(8).String("x"), StatusCode::kCorrupt,
              "found string");
  Raw file;  // 8: both tensors lie where 32 would not put them
  file.Header(2, 1).String("general.alignment").U32(4).U32(8);
  file.Tensor("a", {1}, 0, 0).Tensor("b", {1}, 0, 8);
  while (file.bytes().size() % 8 != 0) file.U8(0);
  file.U64(1).U64(2);
  const auto opened = GgufFile::FromMemory(file.bytes(), "f");
  ASSERT_TRUE(opened.ok()) << opened.status().message();
  EXPECT_EQ((*opened)->alignment(), 8u);
  EXPECT_EQ((*opened)->FindTensor("b")->data[0], 2);
}

TEST(Gguf, TensorsMakeSense) {
  const auto one = [](std::initializer_list<uint64_t> dims, uint32_t encoding, uint64_t offset = 0) {
    return Raw().Header(1, 0).Tensor("t", dims, encoding, offset).Pad(64).bytes();
  };
  EXPECT_TRUE(GgufFile::FromMemory(one({4, 4}, 0), "f").ok());
  ExpectError(one({1, 1, 1, 1, 1}, 0), StatusCode::kUnsupported, "rank 5, limit 4");
  ExpectError(one({4, 0}, 0), StatusCode::kCorrupt, "a dimension is 0");
  ExpectError(one({uint64_t{1} << 32, uint64_t{1} << 32}, 0), StatusCode::kCorrupt, "larger than any file");
  ExpectError(one({~uint64_t{0}}, 0), StatusCode::kCorrupt, "larger than any file");
  ExpectError(one({4, 5}, 0), StatusCode::kCorrupt, "ends early, within the data of tensor \"t\"");
  ExpectError(one({1000}, 0), StatusCode::kCorrupt, "4000 bytes in a file of");
  ExpectError(one({16, 2}, 8), StatusCode::kCorrupt, "rows of 16, expected a multiple of 32 for Q8_0");
  for (const uint32_t gone : {4u, 5u, 31u, 36u, 1000u}) {
    ExpectError(one({32}, gone), StatusCode::kUnsupported,
                "encoding " + std::to_string(gone) + " is not known");
  }
  ExpectError(one({4, 4}, 0, 32), StatusCode::kCorrupt, "offset 32, expected 0");
  ExpectError(Raw().Header(2, 0).Tensor("t", {8}, 0, 0).Tensor("t", {8}, 0, 32).Pad(64), StatusCode::kCorrupt,
              "tensor \"t\" occurs more than once");
  ExpectError(Raw().Header(1, 0).Tensor(std::string(64, 'n'), {8}, 0, 0).Pad(32), StatusCode::kUnsupported,
              "64 bytes, limit 63");
}

TEST(Gguf, NamesAndSizesOfEncodings) {
  EXPECT_EQ(GgufEncodingName(GgufEncoding::kQ4_0), "Q4_0");
  EXPECT_EQ(GgufEncodingName(static_cast<GgufEncoding>(4)), "?");
  EXPECT_EQ(GgufBlockValues(static_cast<GgufEncoding>(4)), 0u);
  EXPECT_EQ(GgufRowBytes(GgufEncoding::kQ8_0, 64), 68u);
  EXPECT_EQ(GgufRowBytes(GgufEncoding::kQ4_0, 64), 36u);
  EXPECT_EQ(GgufRowBytes(GgufEncoding::kBf16, 3), 6u);
  EXPECT_EQ(GgufKindName(GgufKind::kF64), "f64");
}

}  // namespace
}  // namespace pith
