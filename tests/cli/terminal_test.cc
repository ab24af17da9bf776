// pith on a terminal: colours, progress, questions, and what must not go there.
#include <gtest/gtest.h>

#include <algorithm>

#include "process.h"
#include "tiny_checkpoint.h"

namespace pith::test {
namespace {

class Terminal : public ::testing::Test {
 protected:
  Terminal() { setting_.folder = folder_.path(); }
  Ended Run(std::vector<std::string> args, const std::string& keys = "") const {
    args.insert(args.begin(), {"-T1", "--model", TinyModel()});
    return PithOnTerminal(setting_, args, keys);
  }

  Folder folder_;
  Setting setting_;
};

TEST_F(Terminal, ArchivesDoNotGoThereUnlessForced) {
  WriteFile(folder_ / "a", "text");
  Ended ended = Run({"-c", "a"});
  EXPECT_EQ(ended.code, 2);
  EXPECT_NE(ended.out.find("standard output is a terminal"), std::string::npos) << ended.out;
  ended = Run({"-cf", "a"});
  EXPECT_EQ(ended.code, 0);
  EXPECT_NE(ended.out.find("\x89pt"), std::string::npos);
  ASSERT_EQ(Run({"a"}).code, 0);
  ended = Run({"-dc", "a.pith"});
  EXPECT_EQ(ended.code, 0);
  EXPECT_TRUE(ended.out.starts_with("text")) << "content may";
}

TEST_F(Terminal, ArchivesAndNamelessInputDoNotComeFromThere) {
  EXPECT_EQ(Run({"compress"}).code, 2);
  EXPECT_EQ(Run({"-d"}).code, 2);
  EXPECT_EQ(Run({"-t", "-"}).code, 2);
  const Ended ended = PithOnTerminal(setting_, {});
  EXPECT_EQ(ended.code, 0);
  EXPECT_NE(ended.out.find("Usage: pith"), std::string::npos) << "pith alone shows its help";
}

TEST_F(Terminal, AsksBeforeItOverwrites) {
  WriteFile(folder_ / "a", "text");
  WriteFile(folder_ / "a.pith", "precious");
  Ended ended = Run({"a"}, "n\n");
  EXPECT_EQ(ended.code, 1);
  EXPECT_NE(ended.out.find("pith: a.pith exists; overwrite? [y/N] "), std::string::npos) << ended.out;
  EXPECT_EQ(ReadFile(folder_ / "a.pith"), "precious");
  EXPECT_EQ(Run({"a"}, "\n").code, 1);
  EXPECT_EQ(ReadFile(folder_ / "a.pith"), "precious");
  EXPECT_EQ(Run({"a"}, "y\n").code, 0);
  EXPECT_NE(ReadFile(folder_ / "a.pith"), "precious");
}

TEST_F(Terminal, ShowsProgressAndCleansItUp) {
  WriteFile(folder_ / "a", WalkText(400'000));
  Ended ended = Run({"a", "--block", "16K"});
  EXPECT_EQ(ended.code, 0);
  EXPECT_NE(ended.out.find(" of 400.0 KB"), std::string::npos) << ended.out.substr(0, 500);
  EXPECT_NE(ended.out.find(" KB/s"), std::string::npos);
  EXPECT_NE(ended.out.find("ratio "), std::string::npos);
  EXPECT_NE(ended.out.find("\r\x1b[Ka : "), std::string::npos) << "the result replaces the progress line";
  ended = Run({"-t", "a.pith"});
  EXPECT_NE(ended.out.find(" of 400.0 KB"), std::string::npos) << "the size is known from the archive";
  ended = Run({"-tq", "a.pith"});
  EXPECT_EQ(ended.out, "");
}

TEST_F(Terminal, ColoursErrorsUnlessToldNotTo) {
  EXPECT_TRUE(Run({"-t", "missing"}).out.starts_with("\x1b[1;31mpith:\x1b[0m missing: "));
  setting_.environment = {"NO_COLOR=1"};
  EXPECT_TRUE(Run({"-t", "missing"}).out.starts_with("pith: missing: "));
  setting_.environment = {"TERM=dumb"};
  EXPECT_TRUE(Run({"-t", "missing"}).out.starts_with("pith: missing: "));
}

TEST_F(Terminal, HostileNamesCannotDriveIt) {
  const Ended ended = Run({"-t", "x\x1b[2Jy\n"});
  EXPECT_EQ(ended.out.find("\x1b[2J"), std::string::npos);
  EXPECT_NE(ended.out.find("x\\x1b[2Jy\\x0a: no such file"), std::string::npos) << ended.out;
}

}  // namespace
}  // namespace pith::test
