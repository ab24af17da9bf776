// What pith refuses, what it never does, and how it says so: one line, and nothing half done.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "process.h"
#include "tiny_checkpoint.h"

namespace pith::test {
namespace {

class Manners : public ::testing::Test {
 protected:
  Manners() {
    setting_.folder = folder_.path();
    setting_.environment = {"TINY=-T1 --model " + TinyModel()};
  }
  Ended Run(std::vector<std::string> args) const {
    args.insert(args.begin(), {"-T1", "--model", TinyModel()});
    return Pith(setting_, args);
  }
  Ended RunScript(const std::string& script) const { return Shell(setting_, script); }

  // Fails with this code and these words, in one line.
  static void ExpectError(const Ended& ended, int code, const std::string& words) {
    EXPECT_EQ(ended.code, code) << ended.err;
    EXPECT_EQ(ended.out, "");
    EXPECT_TRUE(ended.err.starts_with("pith: ")) << ended.err;
    EXPECT_NE(ended.err.find(words), std::string::npos) << ended.err;
    EXPECT_EQ(std::count(ended.err.begin(), ended.err.end(), '\n'), 1) << ended.err;
  }

  Folder folder_;
  Setting setting_;
};

TEST_F(Manners, ExistingTargetsStayUnlessForced) {
  WriteFile(folder_ / "a", "text");
  WriteFile(folder_ / "a.pith", "precious");
  ExpectError(Run({"a"}), 1, "a.pith: already exists; not overwritten (use -f)");
  EXPECT_EQ(ReadFile(folder_ / "a.pith"), "precious");
  EXPECT_EQ(Run({"-f", "a"}).code, 0);
  ExpectError(Run({"-d", "a.pith"}), 1, "a: already exists; not overwritten (use -f)");
  EXPECT_EQ(Run({"-df", "a.pith"}).code, 0);
  EXPECT_EQ(folder_.Names(), (std::vector<std::string>{"a", "a.pith"}));
}

TEST_F(Manners, NamesAreNotGuessed) {
  WriteFile(folder_ / "a", "text");
  ASSERT_EQ(Run({"a", "-o", "b"}).code, 0);
  ExpectError(Run({"-d", "b"}), 1, "b: does not end in .pith; say with -o FILE or -c where its content goes");
  WriteFile(folder_ / ".pith", ReadFile(folder_ / "b"));
  ExpectError(Run({"-d", ".pith"}), 1, ".pith: nothing is left of the name; say with -o FILE or -c");
  EXPECT_EQ(Run({"-d", "b", "-o", "c"}).code, 0);
  ExpectError(Run({""}), 1, "'': no such file");
}

TEST_F(Manners, AnArchiveIsNotCompressedAgainByAccident) {
  WriteFile(folder_ / "a", "text");
  ASSERT_EQ(Run({"a"}).code, 0);
  ExpectError(Run({"a.pith"}), 1, "a.pith: is a pith archive already; compress it once more with -f");
  EXPECT_FALSE(Exists(folder_ / "a.pith.pith"));
  EXPECT_EQ(Run({"-f", "a.pith"}).code, 0);
}

TEST_F(Manners, InputAndTargetAreNotTheSameFile) {
  WriteFile(folder_ / "a", "text");
  ASSERT_EQ(link((folder_ / "a").c_str(), (folder_ / "b").c_str()), 0);
  ExpectError(Run({"a", "-f", "-o", "a"}), 1, "a: is the target, too; nothing done");
  ExpectError(Run({"a", "-f", "-o", "b"}), 1, "a: is the target, too; nothing done");
  EXPECT_EQ(RunScript(R"("$PITH" -c a $TINY >>a)").code, 1);
  EXPECT_EQ(ReadFile(folder_ / "a"), "text");
}

TEST_F(Manners, LinksAndSpecialFilesNeedForce) {
  WriteFile(folder_ / "a", "text");
  ASSERT_EQ(symlink("a", (folder_ / "link").c_str()), 0);
  ASSERT_EQ(symlink("nowhere", (folder_ / "broken").c_str()), 0);
  ASSERT_EQ(mkfifo((folder_ / "pipe").c_str(), 0600), 0);
  ExpectError(Run({"link"}), 1, "link: is a symbolic link; left out (follow it with -f)");
  ExpectError(Run({"broken"}), 1, "broken: is a symbolic link to nothing");
  ExpectError(Run({"pipe"}), 1, "pipe: is not a regular file; left out");
  EXPECT_EQ(Run({"-f", "link"}).code, 0);
  EXPECT_EQ(Run({"-t", "link.pith"}).code, 0);
}

TEST_F(Manners, MistakesOnTheCommandLineDoNothing) {
  WriteFile(folder_ / "a", "text");
  for (const std::vector<std::string>& args : std::vector<std::vector<std::string>>{{"--nonsense", "a"},
                                                                                    {"-0", "a"},
                                                                                    {"-o"},
                                                                                    {"-o", "x", "a", "a"},
                                                                                    {"list"},
                                                                                    {"-d", "-t", "a"},
                                                                                    {"help", "nothing"},
                                                                                    {"completion", "csh"},
                                                                                    {"--rm", "-c", "a"},
                                                                                    {"eval"},
                                                                                    {"import", "a"},
                                                                                    {"--block", "x", "a"}}) {
    ExpectError(Pith(setting_, args), 2, "");
  }
  WriteFile(folder_ / "a", WalkText(3000));
  WriteFile(folder_ / "b", WalkText(3000));
  for (const char* option : {"--window=3", "--block=10", "--memory=10K", "--streams=100000"})
    ExpectError(Run({option, "a", "b"}), 2, "");
  EXPECT_EQ(folder_.Names(), (std::vector<std::string>{"a", "b"}));
}

TEST_F(Manners, AMisspelledCommandIsRecognised) {
  const Ended ended = Run({"decompres", "a.pith"});
  EXPECT_EQ(ended.code, 1);
  EXPECT_NE(ended.err.find("is decompres meant to be the command decompress?"), std::string::npos)
      << ended.err;
}

TEST_F(Manners, AFullDiskIsAnErrorAndLeavesNothing) {
  if (!Exists("/dev/full")) GTEST_SKIP() << "no /dev/full";
  WriteFile(folder_ / "a", WalkText(3000));
  for (const char* script : {R"("$PITH" -c a $TINY >/dev/full)", R"("$PITH" --help >/dev/full)",
                             R"("$PITH" a -o /dev/full $TINY)"}) {
    ExpectError(RunScript(script), 1, "No space left on device");
  }
  ASSERT_EQ(Run({"a"}).code, 0);
  ExpectError(RunScript(R"("$PITH" -l a.pith >/dev/full)"), 1,
              "standard output: cannot write: No space left on device");
  // A limit on the size of files acts like a full disk, on the target itself.
  WriteFile(folder_ / "b", WalkText(300000));
  for (const std::string trap : {"", "trap '' XFSZ; "}) {
    const Ended ended = RunScript(trap + R"(ulimit -f 8; "$PITH" b $TINY)");
    ExpectError(ended, 1, "b.pith: cannot write: File too large");
  }
  EXPECT_EQ(folder_.Names(), (std::vector<std::string>{"a", "a.pith", "b"}));
}

TEST_F(Manners, AClosedPipeEndsQuietly) {
  WriteFile(folder_ / "a", WalkText(500000));
  Ended ended = RunScript(R"("$PITH" -c a $TINY --block 4K | head -c 1 >/dev/null)");
  EXPECT_EQ(ended.err, "");
  // Where SIGPIPE is ignored, the write fails and says so.
  ended = RunScript(R"(trap '' PIPE; "$PITH" -c a $TINY --block 4K | head -c 1 >/dev/null)");
  EXPECT_EQ(ended.err, "pith: standard output: cannot write: Broken pipe\n");
}

TEST_F(Manners, MissingDescriptorsAreNoTrap) {
  WriteFile(folder_ / "a", "text");
  EXPECT_EQ(RunScript(R"("$PITH" a $TINY >&- 2>&-)").code, 0);
  EXPECT_EQ(RunScript(R"("$PITH" -t a.pith $TINY <&- >&- 2>&-)").code, 0);
  // Where they are needed, it fails.
  ExpectError(RunScript(R"("$PITH" -c a $TINY >&-)"), 1, "standard output: cannot write: Bad file descriptor");
  ExpectError(RunScript(R"("$PITH" list a.pith >&-)"), 1, "standard output");
  ExpectError(RunScript(R"("$PITH" -1 -c <&- >b)"), 1, "standard input: cannot read: Bad file descriptor");
}

TEST_F(Manners, ASourceIsRemovedOnlyForAFile) {
  WriteFile(folder_ / "a", "text");
  ExpectError(RunScript(R"("$PITH" -1 --rm -o /dev/null a)"), 1, "/dev/null: is not a regular file, and --rm removes");
  ExpectError(RunScript(R"(mkfifo f; "$PITH" -1 --rm -f -o f a)"), 1, "f: is not a regular file");
  EXPECT_EQ(folder_.Names(), (std::vector<std::string>{"a", "f"}));
}

TEST_F(Manners, AReadOnlyFolderIsAnError) {
  if (geteuid() == 0) GTEST_SKIP() << "root may write anywhere";
  WriteFile(folder_ / "a", "text");
  ASSERT_EQ(chmod(folder_.path().c_str(), 0555), 0);
  ExpectError(Run({"a"}), 1, "Permission denied");
  ASSERT_EQ(chmod(folder_.path().c_str(), 0755), 0);
}

TEST_F(Manners, MissingTargetsFolderIsAnError) {
  WriteFile(folder_ / "a", "text");
  ExpectError(Run({"a", "-o", "no/where/b"}), 1, "no/where/b: its folder does not exist");
}

class Interrupted : public Manners, public ::testing::WithParamInterface<int> {};

TEST_P(Interrupted, LeavesNothing) {
  WriteFile(folder_ / "big", WalkText(10'000'000));
  Background pith(setting_, {"big", "-T1", "--model", TinyModel(), "--block", "16K"});
  const auto begin = std::chrono::steady_clock::now();
  while (folder_.Names().size() < 2 && std::chrono::steady_clock::now() - begin < std::chrono::seconds(30)) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  ASSERT_EQ(folder_.Names().size(), 2u) << "a temporary file is at work";
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  pith.Signal(GetParam());
  EXPECT_EQ(pith.Wait().signal, GetParam()) << "the shell sees 128 + the signal";
  EXPECT_EQ(folder_.Names(), std::vector<std::string>{"big"});
}

// As `timeout` sends them: one to the process, one to its group. Two threads may take them at the same time.
TEST_P(Interrupted, TwiceLeavesNothing) {
  WriteFile(folder_ / "big", WalkText(10'000'000));
  for (int round = 0; round < 8; ++round) {
    Background pith(setting_, {"big", "-T2", "--model", TinyModel(), "--block", "16K"});
    const auto begin = std::chrono::steady_clock::now();
    while (folder_.Names().size() < 2 && std::chrono::steady_clock::now() - begin < std::chrono::seconds(30)) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    ASSERT_EQ(folder_.Names().size(), 2u) << "a temporary file is at work";
    for (int i = 0; i < 3; ++i) pith.Signal(GetParam());
    EXPECT_EQ(pith.Wait().signal, GetParam());
    ASSERT_EQ(folder_.Names(), std::vector<std::string>{"big"}) << "round " << round;
  }
}

INSTANTIATE_TEST_SUITE_P(BySignal, Interrupted, ::testing::Values(SIGINT, SIGTERM, SIGHUP));

TEST_F(Manners, ShellsSeeTheUsualCodeOfAnInterrupt) {
  WriteFile(folder_ / "big", WalkText(10'000'000));
  const Ended ended = RunScript(R"(timeout -s INT 0.5 "$PITH" -q big $TINY --block 16K; echo $?)");
  EXPECT_EQ(ended.out, "124\n");  // what timeout says; it kills itself otherwise
  EXPECT_EQ(folder_.Names(), std::vector<std::string>{"big"});
}

TEST_F(Manners, TwoWritersOfOneTarget) {
  WriteFile(folder_ / "a", WalkText(200000));
  for (const bool force : {false, true}) {
    std::vector<std::string> args = {"a", "-T1", "--model", TinyModel()};
    if (force) args.emplace_back("-f");
    Background first(setting_, args);
    Background second(setting_, args);
    const int codes = first.Wait().code + second.Wait().code;
    EXPECT_EQ(codes, force ? 0 : 1) << "without -f, the second to finish fails";
    EXPECT_EQ(folder_.Names(), (std::vector<std::string>{"a", "a.pith"}));
    EXPECT_EQ(Run({"-t", "a.pith"}).code, 0);
  }
}

}  // namespace
}  // namespace pith::test
