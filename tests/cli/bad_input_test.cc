// Archives that are damaged, cut off, too new, or made by another model.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/hash.h"
#include "process.h"
#include "tiny_checkpoint.h"

namespace pith::test {
namespace {

class BadInput : public ::testing::Test {
 protected:
  BadInput() {
    setting_.folder = folder_.path();
    WriteFile(folder_ / "a", WalkText(600));
    EXPECT_EQ(Pith(setting_, {"-q", "-N", "a", "-T1", "--model", TinyModel()}).code, 0);
    archive_ = ReadFile(folder_ / "a.pith");
  }

  // decompress fails with this code, in one line that names the file, and leaves nothing.
  void ExpectFailure(const std::string& archive, int code, const std::string& words,
                     const std::string& what) {
    WriteFile(folder_ / "bad.pith", archive);
    const Ended ended = Pith(setting_, {"-d", "bad.pith", "-T1", "--model", TinyModel()});
    EXPECT_EQ(ended.signal, 0) << what;
    EXPECT_EQ(ended.code, code) << what << ": " << ended.err;
    EXPECT_TRUE(ended.err.starts_with("pith: bad.pith: ")) << what << ": " << ended.err;
    EXPECT_NE(ended.err.find(words), std::string::npos) << what << ": " << ended.err;
    EXPECT_EQ(std::count(ended.err.begin(), ended.err.end(), '\n'), 1) << what << ": " << ended.err;
    EXPECT_EQ(folder_.Names(), (std::vector<std::string>{"a", "a.pith", "bad.pith"})) << what;
  }

  Folder folder_;
  Setting setting_;
  std::string archive_;
};

TEST_F(BadInput, CutOffAnywhere) {
  // Each process takes some milliseconds: a sample here, every byte in the codec's own tests.
  for (size_t n = 0; n < archive_.size(); n += std::max<size_t>(1, archive_.size() / 40)) {
    ExpectFailure(archive_.substr(0, n), 1, "", "first " + std::to_string(n) + " bytes");
  }
}

TEST_F(BadInput, AnyByteChanged) {
  for (size_t i = 0; i < archive_.size(); i += std::max<size_t>(1, archive_.size() / 40)) {
    std::string damaged = archive_;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x10);
    WriteFile(folder_ / "bad.pith", damaged);
    const Ended ended = Pith(setting_, {"-d", "bad.pith", "-T1", "--model", TinyModel()});
    EXPECT_TRUE(ended.code == 1 || ended.code == 3) << "byte " << i << ": " << ended.code << " " << ended.err;
    EXPECT_EQ(std::count(ended.err.begin(), ended.err.end(), '\n'), 1) << ended.err;
    EXPECT_FALSE(Exists(folder_ / "bad")) << "byte " << i;
  }
}

TEST_F(BadInput, SomethingElse) {
  ExpectFailure("This is no archive, but a text with enough bytes.", 1, "", "text");
  ExpectFailure(std::string("\x28\xb5\x2f\xfd", 4) + std::string(60, 'x'), 1, "", "zstd");
  std::string newer = archive_;
  newer[4] = 77;  // docs/format.md section 2: the format version; its check is right
  const uint64_t check = Hash64(AsBytes(newer).first(6));
  newer[6] = static_cast<char>(check);
  newer[7] = static_cast<char>(check >> 8);
  ExpectFailure(newer, 1, "77", "newer version");
  ExpectFailure(archive_ + "x", 1, "", "a byte too many");
}

TEST_F(BadInput, AFailureAmongSeveralFilesDoesNotStopTheOthers) {
  WriteFile(folder_ / "bad.pith", archive_.substr(0, archive_.size() / 2));
  const Ended ended =
      Pith(setting_, {"-t", "missing.pith", "bad.pith", "a.pith", "-T1", "--model", TinyModel()});
  EXPECT_EQ(ended.code, 1);
  EXPECT_NE(ended.err.find("pith: missing.pith: no such file\n"), std::string::npos) << ended.err;
  EXPECT_NE(ended.err.find("a.pith : "), std::string::npos) << ended.err;
}

TEST_F(BadInput, MissingModelsAreNamed) {
  Setting elsewhere = setting_;
  elsewhere.environment = {"HOME=" + folder_.path(), "XDG_DATA_HOME="};
  Ended ended = Pith(elsewhere, {"-t", "-T1", "a.pith"});
  EXPECT_EQ(ended.code, 3) << ended.err;
  EXPECT_NE(ended.err.find("pith: a.pith: made with model tiny1, fingerprint "), std::string::npos)
      << ended.err;
  EXPECT_NE(ended.err.find("give it with --model FILE or put it into " + folder_.path()), std::string::npos)
      << ended.err;

  ended = Pith(setting_, {"-t", "a.pith", "-T1", "--model", TinyModel(2)});
  EXPECT_EQ(ended.code, 3) << ended.err;
  EXPECT_NE(ended.err.find("; " + TinyModel(2) + " is tiny2, "), std::string::npos) << ended.err;

  ended = Pith(setting_, {"a", "-f", "--model", "nowhere.pmodel"});
  EXPECT_EQ(ended.code, 3);
  EXPECT_EQ(std::count(ended.err.begin(), ended.err.end(), '\n'), 1) << ended.err;
  EXPECT_EQ(ReadFile(folder_ / "a.pith"), archive_) << "an old target is untouched";
}

TEST_F(BadInput, ModelFoldersAreSearchedByFingerprint) {
  Setting setting = setting_;
  setting.environment = {"PITH_MODELS=/nowhere:" + TinyModel().substr(0, TinyModel().rfind('/'))};
  TinyModel(2);  // another one in the same folder
  EXPECT_EQ(Pith(setting, {"-t", "-T1", "a.pith"}).code, 0);
  EXPECT_EQ(Pith(setting, {"a", "-f", "-T1", "--model", "tiny2"}).code, 0)
      << "a name means a file in a model folder";
  EXPECT_EQ(Pith(setting, {"-t", "-T1", "a.pith"}).code, 0);
}

TEST_F(BadInput, DamagedModelsAreRefused) {
  std::string model = ReadFile(TinyModel());
  model[model.size() / 2] = static_cast<char>(model[model.size() / 2] ^ 1);
  WriteFile(folder_ / "damaged.pmodel", model);
  WriteFile(folder_ / "short.pmodel", model.substr(0, 100));
  WriteFile(folder_ / "empty.pmodel", "");
  for (const char* name : {"damaged.pmodel", "short.pmodel", "empty.pmodel", "a", "."}) {
    const Ended ended = Pith(setting_, {"-c", "a", "--model", name});
    EXPECT_EQ(ended.code, 3) << name << ": " << ended.err;
    EXPECT_EQ(std::count(ended.err.begin(), ended.err.end(), '\n'), 1) << ended.err;
    EXPECT_NE(ended.err.find(name), std::string::npos) << ended.err;
    EXPECT_EQ(ended.out, "");
  }
}

TEST_F(BadInput, TooLittleMemoryIsAnError) {
  const Ended ended = Pith(setting_, {"-t", "a.pith", "--memory", "1K", "-T1", "--model", TinyModel()});
  EXPECT_EQ(ended.code, 1) << ended.err;
  EXPECT_EQ(std::count(ended.err.begin(), ended.err.end(), '\n'), 1) << ended.err;
}

}  // namespace
}  // namespace pith::test
