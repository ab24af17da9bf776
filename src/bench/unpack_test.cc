#include "bench/unpack.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "bench/test_archive.h"
#include "hub/hub_test_folder.h"

namespace pith::bench {
namespace {

namespace fs = std::filesystem;
using hub::ContentOf;
using hub::TestFolder;
using hub::WriteContent;

class Unpacking : public ::testing::Test {
 protected:
  Unpacking() { fs::create_directories(Out("")); }
  std::string Out(const std::string& name) const { return folder_ / ("out/" + name); }
  std::string Archive() const { return folder_ / "archive"; }
  Status Unpack(const std::vector<WantedFile>& wanted, const UnpackLimits& limits = {}) {
    return UnpackFiles(Archive(), wanted, folder_ / "out", limits, {});
  }
  static void ExpectError(const Status& status, StatusCode code, const std::string& part) {
    EXPECT_EQ(status.code(), code) << status.message();
    EXPECT_NE(status.message().find(part), std::string::npos) << status.message();
  }
  // Nothing but what lies in out/ and the archive has come into being.
  void ExpectNothingOutside() const {
    size_t n = 0;
    for (const auto& entry : fs::directory_iterator(folder_.path())) {
      EXPECT_TRUE(entry.path().filename() == "out" || entry.path().filename() == "archive") << entry.path();
      ++n;
    }
    EXPECT_EQ(n, 2u);
  }

  TestFolder folder_;
};

TEST_F(Unpacking, WantedFilesOfBothFormatsAreWrittenAndOthersAreNot) {
  const std::string large(3'000'001, 'x');
  for (const bool zip : {false, true}) {
    MakeArchive(Archive(),
                {{"./", "", AE_IFDIR}, {"a", "first"}, {"folder/b", "not wanted"}, {"./c", large}, {"empty", ""}}, zip);
    const Status status = Unpack({{"a", 5}, {"c", large.size()}, {"empty", 0}});
    ASSERT_TRUE(status.ok()) << status.message();
    EXPECT_EQ(ContentOf(Out("a")), "first");
    EXPECT_EQ(ContentOf(Out("c")), large);
    EXPECT_EQ(ContentOf(Out("empty")), "");
    EXPECT_FALSE(fs::exists(Out("b")));
    EXPECT_FALSE(fs::exists(Out("folder")));
    fs::remove_all(Out(""));
    fs::create_directories(Out(""));
  }
}

TEST_F(Unpacking, NamesThatLeaveTheFolderAreRefused) {
  for (const char* const name : {"../evil", "/evil", "a/../../evil", "./../evil", "..", "..\\evil", "e\x01vil"}) {
    MakeArchive(Archive(), {{name, "evil"}, {"a", "first"}});
    ExpectError(Unpack({{"a", 5}}), StatusCode::kCorrupt, "is no name of a file inside a folder");
    // Even when somebody wants it.
    ExpectError(Unpack({{name, 4}}), StatusCode::kCorrupt, "is no name of a file inside a folder");
    ExpectNothingOutside();
  }
}

TEST_F(Unpacking, LinksAndDevicesAreRefused) {
  const std::vector<TestEntry> evil = {
      {"a", "", AE_IFLNK, "/etc/passwd"}, {"a", "", AE_IFLNK, "b"}, {"a", "", AE_IFREG, "b"}, {"a", "", AE_IFIFO}};
  for (const TestEntry& entry : evil) {
    MakeArchive(Archive(), {{"b", "target"}, entry});
    ExpectError(Unpack({{"a", 6}, {"b", 6}}), StatusCode::kCorrupt, "entry \"a\": is no plain file");
    EXPECT_FALSE(fs::exists(fs::symlink_status(Out("a"))));
    fs::remove(Out("b"));
  }
}

TEST_F(Unpacking, AFileMissingTwiceOrOfAnotherSizeIsAnError) {
  MakeArchive(Archive(), {{"a", "first"}});
  ExpectError(Unpack({{"a", 5}, {"b", 1}}), StatusCode::kCorrupt, "holds no file \"b\"");
  fs::remove(Out("a"));
  ExpectError(Unpack({{"a", 6}}), StatusCode::kCorrupt, "entry \"a\": 5 bytes, expected 6");
  ExpectError(Unpack({{"a", 4}}), StatusCode::kCorrupt, "entry \"a\": more than 4 bytes, expected 4");
  EXPECT_FALSE(fs::exists(Out("a")));
  MakeArchive(Archive(), {{"a", "first"}, {"./a", "second"}});
  ExpectError(Unpack({{"a", 5}}), StatusCode::kCorrupt, "entry \"a\": comes twice");
}

TEST_F(Unpacking, BombsStopAtTheLimits) {
  const std::string zeros(20'000'000, '\0');
  MakeArchive(Archive(), {{"other", zeros}, {"a", "first"}});
  EXPECT_LT(fs::file_size(Archive()), 100'000u) << "a bomb";
  ExpectError(Unpack({{"a", 5}}, {.max_bytes = 1'000'000}), StatusCode::kUnsupported,
              "unpacks to more than 1000000 bytes");
  MakeArchive(Archive(), {{"a", zeros}});
  ExpectError(Unpack({{"a", 5}}), StatusCode::kCorrupt, "more than 5 bytes");
  std::vector<TestEntry> many;
  for (int i = 0; i < 11; ++i) many.push_back({"n" + std::to_string(i), "x"});
  MakeArchive(Archive(), many);
  EXPECT_TRUE(Unpack({{"n1", 1}}, {.max_entries = 11}).ok());
  fs::remove(Out("n1"));
  ExpectError(Unpack({{"n1", 1}}, {.max_entries = 10}), StatusCode::kUnsupported, "more than 10 entries");
}

TEST_F(Unpacking, DamageIsAnErrorAndNeverACrash) {
  for (const bool zip : {false, true}) {
    std::string text;
    for (int i = 0; i < 300; ++i) text += std::to_string(i * 7919);
    MakeArchive(Archive(), {{"a", text}}, zip);
    const std::string good = ContentOf(Archive());
    for (size_t n = 0; n < good.size(); n += 7) {  // prefixes
      WriteContent(Archive(), good.substr(0, n));
      const Status status = Unpack({{"a", text.size()}});
      // A prefix without the directory at the end may be good enough.
      EXPECT_TRUE(!status.ok() || ContentOf(Out("a")) == text) << "prefix of " << n;
      fs::remove(Out("a"));
    }
    for (size_t n = 0; n < good.size(); n += 3) {
      std::string bad = good;
      bad[n] = static_cast<char>(bad[n] ^ 0x55);
      WriteContent(Archive(), bad);
      (void)Unpack({{"a", text.size()}});  // what it says is the sums' business, if it says anything
      fs::remove(Out("a"));
    }
  }
  WriteContent(Archive(), "plain text, no archive at all, and long enough to be looked at");
  EXPECT_EQ(Unpack({{"a", 5}}).code(), StatusCode::kCorrupt);
  WriteContent(Archive(), "");
  EXPECT_EQ(Unpack({{"a", 5}}).code(), StatusCode::kCorrupt);
  fs::remove(Archive());
  EXPECT_EQ(Unpack({{"a", 5}}).code(), StatusCode::kCorrupt);
}

TEST_F(Unpacking, CanBeCancelled) {
  MakeArchive(Archive(), {{"a", std::string(5'000'000, 'x')}});
  uint64_t last = 0;
  const Status status = UnpackFiles(Archive(), {{"a", 5'000'000}}, folder_ / "out", {}, [&](uint64_t done) {
    EXPECT_GT(done, last);
    last = done;
    return done < 2'000'000;
  });
  EXPECT_EQ(status.code(), StatusCode::kCancelled);
  EXPECT_FALSE(fs::exists(Out("a")));
}

}  // namespace
}  // namespace pith::bench
