#include "bench/input_list.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "bench/energy_meter.h"
#include "bench/file_digest.h"

namespace pith::bench {
namespace {

namespace fs = std::filesystem;

class InputList : public ::testing::Test {
 protected:
  InputList() {
    std::string pattern = (fs::temp_directory_path() / "pith_input_list_test.XXXXXX").string();
    EXPECT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  ~InputList() override {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }
  std::string Write(const std::string& name, const std::string& content) const {
    fs::create_directories(fs::path(folder_ + "/" + name).parent_path());
    std::ofstream(folder_ + "/" + name, std::ios::binary) << content;
    return folder_ + "/" + name;
  }
  std::vector<BenchInput> List(const std::vector<std::string>& operands, const std::string& excluded = "") {
    Result<std::vector<BenchInput>> list =
        ListInputs(operands, excluded, [this](const std::string& m) { left_out_.push_back(m); });
    EXPECT_TRUE(list.ok());
    return list.ok() ? *list : std::vector<BenchInput>();
  }
  static std::vector<std::string> Paths(const std::vector<BenchInput>& inputs) {
    std::vector<std::string> paths;
    for (const BenchInput& input : inputs) paths.push_back(input.entry.path);
    return paths;
  }
  BenchInput Examined(const std::string& path) {
    BenchInput input = List({path}).at(0);
    ExamineInput(input);
    return input;
  }

  std::string folder_;
  std::vector<std::string> left_out_;
};

TEST_F(InputList, FoldersAreReadInOrderAndNamesAreRelative) {
  Write("b", "1");
  Write("a/z", "1");
  Write("a/c/d", "1");
  Write("out/results.json", "1");
  fs::create_symlink("b", folder_ + "/link");
  ASSERT_EQ(mkfifo((folder_ + "/pipe").c_str(), 0600), 0);
  EXPECT_EQ(Paths(List({folder_}, folder_ + "/out")), (std::vector<std::string>{"a/c/d", "a/z", "b"}));
  EXPECT_EQ(left_out_, (std::vector<std::string>{folder_ + "/link: is a symbolic link; left out",
                                                 folder_ + "/pipe: is neither a file nor a folder; left out"}));
  EXPECT_EQ(Paths(List({folder_ + "/a", folder_ + "/b"})),
            (std::vector<std::string>{folder_ + "/a/c/d", folder_ + "/a/z", folder_ + "/b"}));
  EXPECT_EQ(Paths(List({folder_ + "/link"})), (std::vector<std::string>{folder_ + "/link"}));
}

TEST_F(InputList, WhatCannotBeMeasuredSaysWhy) {
  EXPECT_EQ(List({folder_ + "/none"}).at(0).entry.error, "no such file or folder");
  ASSERT_EQ(mkfifo((folder_ + "/pipe").c_str(), 0600), 0);
  EXPECT_EQ(List({folder_ + "/pipe"}).at(0).entry.error, "is neither a file nor a folder");
  const BenchInput empty = Examined(Write("empty", ""));
  EXPECT_EQ(empty.entry.error, "is empty: there is nothing to measure");
  EXPECT_EQ(empty.entry.sha256, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST_F(InputList, AFileIsHashedAndSorted) {
  const BenchInput input = Examined(Write("a.json", "{\"abc\": 1}"));
  EXPECT_EQ(input.entry.error, "");
  EXPECT_EQ(input.entry.bytes, 10u);
  EXPECT_EQ(input.entry.type, FileType::kJson);
  EXPECT_EQ(input.entry.sha256, DigestFile(input.path)->sha256);
  const BenchInput large = Examined(Write("large", std::string(700'000, 'x')));  // beyond the sample of its type
  EXPECT_EQ(large.entry.bytes, 700'000u);
  EXPECT_EQ(large.entry.sha256, DigestFile(large.path)->sha256);
}

TEST_F(InputList, EveryKindOfChangeIsSeen) {
  const std::string path = Write("a", "abc");
  const BenchInput input = Examined(path);
  EXPECT_TRUE(CheckUnchanged(input, true).ok());
  struct stat before;
  ASSERT_EQ(stat(path.c_str(), &before), 0);
  const auto restore_time = [&] {
    const timespec times[2] = {before.st_atim, before.st_mtim};
    ASSERT_EQ(utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
  };
  Write("a", "abd");
  restore_time();
  EXPECT_TRUE(CheckUnchanged(input, false).ok());
  EXPECT_EQ(CheckUnchanged(input, true).message(), "the file has changed: content");
  Write("a", "abc");
  const timespec times[2] = {{1, 0}, {1, 0}};
  ASSERT_EQ(utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
  EXPECT_EQ(CheckUnchanged(input, true).message(), "the file has changed: its time");
  Write("a", "abcd");
  EXPECT_EQ(CheckUnchanged(input, true).message(), "the file has changed: 4 bytes, expected 3");
  Write("b", "abc");
  fs::rename(folder_ + "/b", path);
  EXPECT_EQ(CheckUnchanged(input, true).message(), "the file has changed: it is another one");
  fs::remove(path);
  EXPECT_EQ(CheckUnchanged(input, true).message(), "the file has changed: No such file or directory");
}

TEST_F(InputList, ASliceIsFromTheMiddleAndBeginsALine) {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "line " + std::to_string(1000 + i) + "\n";
  const BenchInput input = Examined(Write("a", text));
  for (const uint64_t bytes : {uint64_t{1}, uint64_t{100}, uint64_t{5000}, uint64_t{9999}}) {
    const Result<BenchInput> slice = SliceOf(input, bytes);
    ASSERT_TRUE(slice.ok()) << slice.status().message();
    EXPECT_EQ(slice->entry.bytes, bytes);
    EXPECT_EQ(slice->entry.slice_bytes, bytes);
    EXPECT_LE(slice->entry.slice_begin + bytes, text.size());
    EXPECT_GE(slice->entry.slice_begin, (text.size() - bytes) / 2);
    if (bytes < 9999) {
      EXPECT_EQ(text[slice->entry.slice_begin - 1], '\n') << bytes;
    }
    const std::string path = folder_ + "/slice";
    ASSERT_TRUE(WriteSlice(*slice, path).ok());
    std::ifstream in(path, std::ios::binary);
    EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), {}), text.substr(slice->entry.slice_begin, bytes));
  }
  const BenchInput no_lines = Examined(Write("b", std::string(100, 'x')));
  EXPECT_EQ(SliceOf(no_lines, 10)->entry.slice_begin, 45u);
  const BenchInput slice = *SliceOf(input, 100);
  Write("a", std::string(text.size(), 'y'));
  EXPECT_EQ(WriteSlice(slice, folder_ + "/slice").message(), "the file has changed: content");
}

class Energy : public InputList {
 protected:
  void Zone(const std::string& zone, const std::string& name, const std::string& counter, const std::string& range) {
    Write(zone + "/name", name + "\n");
    Write(zone + "/energy_uj", counter + "\n");
    Write(zone + "/max_energy_range_uj", range + "\n");
  }
};

TEST_F(Energy, PackagesAreAddedAndCountersWrapAround) {
  Zone("intel-rapl:0", "package-0", "1000000", "10000000");
  Zone("intel-rapl:1", "package-1", "9000000", "10000000");
  Zone("intel-rapl:0:0", "core", "5", "10000000");
  Zone("intel-rapl:2", "psys", "5", "10000000");
  const EnergyMeter meter(folder_);
  ASSERT_TRUE(meter.available());
  const auto before = meter.Read();
  Write("intel-rapl:0/energy_uj", "3500000\n");
  Write("intel-rapl:1/energy_uj", "500000\n");  // 1.5 J on, beyond its range
  Write("intel-rapl:2/energy_uj", "99\n");
  EXPECT_DOUBLE_EQ(meter.JoulesBetween(before, meter.Read()).value(), 4.0);
  fs::remove(folder_ + "/intel-rapl:1/energy_uj");
  EXPECT_FALSE(meter.JoulesBetween(before, meter.Read()).has_value());
}

TEST_F(Energy, WithoutReadableCountersThereIsNone) {
  EXPECT_FALSE(EnergyMeter(folder_ + "/none").available());
  EXPECT_FALSE(EnergyMeter(folder_).available());
  Zone("intel-rapl:0", "package-0", "1000000", "10000000");
  Zone("intel-rapl:1", "package-1", "not a number", "10000000");
  const EnergyMeter meter(folder_);
  EXPECT_FALSE(meter.available());
  EXPECT_FALSE(meter.Read().has_value());
}

TEST(Sha256, IsTheOneOfTheStandard) {
  hub::ContentHash sha256(hub::EtagKind::kSha256);
  sha256.Update(AsBytes("a"));
  sha256.Update(AsBytes("bc"));
  // FIPS 180-2, appendix B.1.
  EXPECT_EQ(*sha256.Finish(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(DigestFile("/nowhere").status().code(), StatusCode::kNotFound);
}

}  // namespace
}  // namespace pith::bench
