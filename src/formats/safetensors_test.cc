#include "formats/safetensors.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <bit>
#include <cmath>
#include <filesystem>
#include <fstream>

#include "base/half.h"

namespace pith {
namespace {

namespace fs = std::filesystem;

std::string FileOf(std::string_view header, std::string_view data) {
  std::string file;
  for (int i = 0; i < 8; ++i) file += static_cast<char>(header.size() >> (8 * i));
  file += header;
  file += data;
  return file;
}

// Two tensors of 6 and 4 bytes.
std::string SmallFile() {
  return FileOf(R"({"__metadata__":{"format":"pt"},"b":{"dtype":"U8","shape":[2,2],"data_offsets":[6,10]},)"
                R"("a":{"dtype":"BF16","shape":[3,1],"data_offsets":[0,6]}}  )",
                std::string_view("\x80\x3f\x00\xc0\x01\x02tail", 10));
}

Result<std::unique_ptr<SafetensorsFile>> ParseFile(std::string_view file) {
  return SafetensorsFile::FromMemory(AsBytes(file), "t");
}

Status HeaderStatus(std::string_view header, size_t n_data) {
  const std::string file = FileOf(header, std::string(n_data, 'x'));
  return ParseFile(file).status();
}

class TemporaryFolder {
 public:
  TemporaryFolder()
      : path_(fs::temp_directory_path() / ("pith_safetensors_test." + std::to_string(getpid()))) {
    fs::remove_all(path_);
    fs::create_directories(path_);
  }
  ~TemporaryFolder() { fs::remove_all(path_); }
  std::string path() const { return path_.string(); }
  void Write(const std::string& name, std::string_view text) const {
    std::ofstream(path_ / name, std::ios::binary) << text;
  }

 private:
  fs::path path_;
};

TEST(Safetensors, ReadsNamesShapesAndValues) {
  const std::string file = SmallFile();
  const auto f = ParseFile(file);
  ASSERT_TRUE(f.ok()) << f.status().message();
  ASSERT_EQ((*f)->tensors().size(), 2u);
  const SafetensorsTensor* a = (*f)->Find("a");
  ASSERT_NE(a, nullptr);
  EXPECT_EQ(a->ShapeText(), "[3, 1]");
  EXPECT_EQ(a->n_elements, 3u);
  EXPECT_EQ(DataTypeName(a->type), "BF16");
  float v[3];
  ReadFloats(*a, 0, v);
  EXPECT_EQ(v[0], 1.0f);
  EXPECT_EQ(v[1], -2.0f);
  EXPECT_EQ(std::bit_cast<uint32_t>(v[2]), 0x02010000u);
  ReadFloats(*a, 1, std::span(v, 1));
  EXPECT_EQ(v[0], -2.0f);
  const SafetensorsTensor* b = (*f)->Find("b");
  EXPECT_EQ(AsText(b->data), "tail");
  EXPECT_FALSE(b->is_float());
  EXPECT_EQ(*(*f)->Metadata("format"), "pt");
  EXPECT_EQ((*f)->Metadata("other"), nullptr);
  EXPECT_EQ((*f)->Find("c"), nullptr);
}

TEST(Safetensors, EmptyFileScalarAndEmptyTensorAreLegal) {
  EXPECT_TRUE(HeaderStatus("{}", 0).ok());
  EXPECT_TRUE(HeaderStatus(R"({"s":{"dtype":"F32","shape":[],"data_offsets":[0,4]},)"
                           R"("e":{"dtype":"F32","shape":[0,7],"data_offsets":[4,4]},)"
                           R"("f":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}})",
                           4)
                  .ok());
}

TEST(Safetensors, EveryPrefixIsRefused) {
  const std::string file = SmallFile();
  for (size_t n = 0; n < file.size(); ++n) {
    const auto f = ParseFile(std::string_view(file).substr(0, n));
    EXPECT_FALSE(f.ok()) << n;
  }
  EXPECT_FALSE(ParseFile(file + "x").ok());
}

TEST(Safetensors, ContradictionsAreNamed) {
  const auto entry = [](std::string_view dtype, std::string_view shape, std::string_view offsets) {
    return "{\"a\":{\"dtype\":\"" + std::string(dtype) + "\",\"shape\":" + std::string(shape) +
           ",\"data_offsets\":" + std::string(offsets) + "}}";
  };
  struct Case {
    std::string header;
    size_t n_data;
    StatusCode code;
    std::string says;
  };
  const Case cases[] = {
      {entry("F32", "[1]", "[0,4]"), 4, StatusCode::kOk, ""},
      {entry("F32", "[1]", "[0,4]"), 5, StatusCode::kCorrupt, "tensors end at 4, the data at 5"},
      {entry("F32", "[1]", "[0,4]"), 3, StatusCode::kCorrupt, "do not lie within the 3 bytes"},
      {entry("F32", "[1]", "[1,5]"), 5, StatusCode::kCorrupt, "leaving a hole from 0"},
      {entry("F32", "[2]", "[0,4]"), 4, StatusCode::kCorrupt, "span 4 bytes, expected 8 for F32 [2]"},
      {entry("F32", "[1]", "[4,0]"), 4, StatusCode::kCorrupt, "do not lie within"},
      {entry("F32", "[1]", "[0,18446744073709551615]"), 4, StatusCode::kCorrupt, "do not lie within"},
      {entry("F32", "[4294967296,4294967296]", "[0,0]"), 0, StatusCode::kCorrupt, "larger than any file"},
      {entry("F32", "[2305843009213693952,2]", "[0,0]"), 0, StatusCode::kCorrupt, "larger than any file"},
      {entry("F32", "[18446744073709551615,0]", "[0,0]"), 0, StatusCode::kCorrupt, "larger than any file"},
      {entry("F32", "[-1]", "[0,4]"), 4, StatusCode::kCorrupt, "no size"},
      {entry("F32", "[1.0]", "[0,4]"), 4, StatusCode::kCorrupt, "no size"},
      {entry("F32", "4", "[0,4]"), 4, StatusCode::kCorrupt, "shape is missing or no array"},
      {entry("F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]"), 4, StatusCode::kUnsupported, "rank 9, limit 8"},
      {entry("F31", "[1]", "[0,4]"), 4, StatusCode::kUnsupported, "dtype \"F31\" is not known"},
      {entry("F32", "[1]", "[0,4,4]"), 4, StatusCode::kCorrupt, "no pair of offsets"},
      {entry("F32", "[1]", "\"0\""), 4, StatusCode::kCorrupt, "no pair of offsets"},
      {R"({"a":7})", 0, StatusCode::kCorrupt, "found integer, expected object"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"strides":[1]}})", 4, StatusCode::kUnsupported,
       "unknown field \"strides\""},
      {R"({"a":{"shape":[1],"data_offsets":[0,4]}})", 4, StatusCode::kCorrupt, "dtype is missing"},
      {R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})",
       3, StatusCode::kCorrupt, "overlapping the tensor up to 2"},
      {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})",
       2, StatusCode::kCorrupt, "key \"a\" occurs more than once"},
      {R"({"__metadata__":7})", 0, StatusCode::kCorrupt, "__metadata__ is no object"},
      {R"({"__metadata__":{"a":7}})", 0, StatusCode::kCorrupt, "\"a\" is no string"},
      {" {}", 0, StatusCode::kCorrupt, "does not begin with '{'"},
      {"[]", 0, StatusCode::kCorrupt, "does not begin with '{'"},
      {"", 0, StatusCode::kCorrupt, "does not begin with '{'"},
      {"{} x", 0, StatusCode::kCorrupt, "header: byte 3"},
  };
  for (const Case& c : cases) {
    const Status s = HeaderStatus(c.header, c.n_data);
    EXPECT_EQ(s.code(), c.code) << c.header << ": " << s.message();
    EXPECT_NE(s.message().find(c.says), std::string::npos) << c.header << ": " << s.message();
  }
}

TEST(Safetensors, HeaderSizesThatLieAreRefused) {
  std::string file = SmallFile();
  for (const uint64_t n :
       {uint64_t{0}, uint64_t{file.size() - 7}, uint64_t{kMaxSafetensorsHeaderBytes + 1}, UINT64_MAX}) {
    for (int i = 0; i < 8; ++i) file[static_cast<size_t>(i)] = static_cast<char>(n >> (8 * i));
    EXPECT_EQ(ParseFile(file).status().code(), StatusCode::kCorrupt) << n;
  }
}

TEST(Safetensors, EveryFlippedHeaderBitIsRefusedOrHarmless) {
  const std::string good = SmallFile();
  for (size_t i = 0; i < good.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string bad = good;
      bad[i] = static_cast<char>(bad[i] ^ (1 << bit));
      const auto f = ParseFile(bad);
      if (!f.ok()) continue;
      for (const SafetensorsTensor& t : (*f)->tensors()) {  // whatever it now says, it lies within the file
        EXPECT_EQ(t.data.size(), t.n_elements * DataTypeBytes(t.type));
        EXPECT_GE(t.data.data(), AsBytes(bad).data());
        EXPECT_LE(t.data.data() + t.data.size(), AsBytes(bad).data() + bad.size());
      }
    }
  }
}

TEST(Safetensors, EveryHalfBecomesTheFloatOfItsValue) {
  for (uint32_t h = 0; h < 65536; ++h) {
    const int exponent = (h >> 10) & 31;
    const int mantissa = h & 1023;
    const float f = HalfToFloat(static_cast<uint16_t>(h));
    EXPECT_EQ(std::signbit(f), (h & 0x8000) != 0) << h;
    if (exponent == 31) {
      EXPECT_EQ(std::isnan(f), mantissa != 0) << h;
      EXPECT_EQ(std::isinf(f), mantissa == 0) << h;
      continue;
    }
    const double value =
        exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
    EXPECT_EQ(std::fabs(static_cast<double>(f)), value) << h;
  }
}

TEST(Safetensors, UnalignedDataOfAllFloatTypesReadsExactly) {
  for (size_t shift = 0; shift < 5; ++shift) {
    std::string header = R"({"p":{"dtype":"U8","shape":[)" + std::to_string(shift) +
                         R"(],"data_offsets":[0,)" + std::to_string(shift) +
                         R"(]},"v":{"dtype":"F32","shape":[9],"data_offsets":[)" + std::to_string(shift) +
                         "," + std::to_string(shift + 36) + "]}}";
    std::string data(shift, 'p');
    float expected[9];
    for (int i = 0; i < 9; ++i) {
      expected[i] = static_cast<float>(i) * 1.1f - 3;
      char bytes[4];
      std::memcpy(bytes, &expected[i], 4);
      data.append(bytes, 4);
    }
    const std::string file = FileOf(header, data);
    const auto f = ParseFile(file);
    ASSERT_TRUE(f.ok()) << f.status().message();
    for (size_t first = 0; first <= 9; ++first) {
      for (size_t n = 0; first + n <= 9; ++n) {
        std::vector<float> got(n);
        ReadFloats(*(*f)->Find("v"), first, got);
        for (size_t i = 0; i < n; ++i) EXPECT_EQ(got[i], expected[first + i]);
      }
    }
  }
}

std::string ShardOf(const std::string& name, char value) {
  return FileOf("{\"" + name + R"(":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})",
                std::string(1, value));
}

TEST(SafetensorsFolder, ReadsShardsAndRefusesDisagreement) {
  const TemporaryFolder folder;
  EXPECT_EQ(SafetensorsFolder::Open(folder.path()).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(SafetensorsFolder::Open(folder.path() + "/none").status().code(), StatusCode::kNotFound);
  folder.Write("s1", ShardOf("a", 'A'));
  folder.Write("s2", ShardOf("b", 'B'));
  const auto open = [&](const std::string& map) {
    folder.Write("model.safetensors.index.json",
                 "{\"metadata\":{\"total_size\":2},\"weight_map\":" + map + "}");
    return SafetensorsFolder::Open(folder.path());
  };
  {
    const auto f = open(R"({"b":"s2","a":"s1"})");
    ASSERT_TRUE(f.ok()) << f.status().message();
    ASSERT_EQ((*f)->tensors().size(), 2u);
    EXPECT_EQ((*f)->tensors()[0].name, "a");
    EXPECT_EQ(AsText((*f)->Find("b")->data), "B");
    EXPECT_EQ((*f)->n_files(), 2u);
  }
  struct Case {
    std::string map;
    StatusCode code;
    std::string says;
  };
  const Case cases[] = {
      {R"({"a":"s1","b":"s1"})", StatusCode::kNotFound, "tensor \"b\" is not in shard \"s1\""},
      {R"({"a":"s1","b":"s3"})", StatusCode::kNotFound, "shard"},
      {R"({"a":"s1"})", StatusCode::kOk, ""},  // s2 is not named, so not looked at
      {R"({"a":"../s1"})", StatusCode::kCorrupt, "expected a plain file name"},
      {R"({"a":"/etc/passwd"})", StatusCode::kCorrupt, "expected a plain file name"},
      {R"({"a":".."})", StatusCode::kCorrupt, "expected a plain file name"},
      {R"({"a":""})", StatusCode::kCorrupt, "expected a plain file name"},
      {R"({"a":"s1\u0000"})", StatusCode::kCorrupt, "expected a plain file name"},
      {R"({"a":"x\\s1"})", StatusCode::kCorrupt, "expected a plain file name"},
      {R"({"a":1})", StatusCode::kCorrupt, "no string"},
      {R"({"a":"s1","a":"s2"})", StatusCode::kCorrupt, "more than once"},
      {"7", StatusCode::kCorrupt, "weight_map is missing"},
  };
  for (const Case& c : cases) {
    const auto f = open(c.map);
    EXPECT_EQ(f.status().code(), c.code) << c.map << ": " << f.status().message();
    EXPECT_NE(f.status().message().find(c.says), std::string::npos) << c.map << ": " << f.status().message();
  }
  folder.Write("s1", FileOf(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                            R"("z":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})",
                            "AZ"));
  const auto extra = open(R"({"a":"s1","b":"s2"})");
  EXPECT_EQ(extra.status().code(), StatusCode::kCorrupt);
  EXPECT_NE(extra.status().message().find("tensor \"z\" is not in this shard"), std::string::npos)
      << extra.status().message();
  // The single file wins over the index.
  folder.Write("model.safetensors", ShardOf("c", 'C'));
  const auto single = open(R"({"a":"s1","b":"s2"})");
  ASSERT_TRUE(single.ok());
  ASSERT_EQ((*single)->tensors().size(), 1u);
  EXPECT_EQ((*single)->tensors()[0].name, "c");
}

}  // namespace
}  // namespace pith
