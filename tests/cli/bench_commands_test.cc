// pith bench as its users meet it: results of tiny files, and every way in which a file or a codec can fail.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <thread>

#include "process.h"

namespace pith::test {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

// Whether a process of "sleep `seconds`" is there.
bool Sleeps(const std::string& seconds) {
  const std::string wanted = std::string("sleep") + '\0' + seconds + '\0';
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    std::ifstream in(entry.path() / "cmdline", std::ios::binary);
    if (std::string(std::istreambuf_iterator<char>(in), {}) == wanted) return true;
  }
  return false;
}

class Bench : public ::testing::Test {
 protected:
  Bench() {
    setting_.folder = folder_.path();
    setting_.environment = {"TMPDIR=" + temporary_.path()};
    WriteFile(folder_ / "a.txt", "Some words, and then some more words, and some more words.\n");
    WriteFile(folder_ / "b.json", R"({"a": [1, 2, 3], "b": [1, 2, 3]})");
  }
  ~Bench() override {
    EXPECT_EQ(temporary_.Names(), std::vector<std::string>());
  }  // nothing is left, whatever happened

  Ended Run(std::vector<std::string> args) const {
    args.insert(args.begin(), {"bench", "--repeat", "1", "--warmup", "0"});
    return Pith(setting_, args);
  }
  json Results(const std::string& folder = "pith-bench") const {
    return json::parse(ReadFile(folder_ / folder + "/results.json"));
  }
  // Measures a.txt by this codec, which fails in a row and in the exit code.
  std::string ErrorOfCodec(const std::string& codec, std::vector<std::string> more = {}) const {
    std::vector<std::string> args = {"a.txt", "-f", "--codecs", "gzip:1", "--codec", codec};
    args.insert(args.end(), more.begin(), more.end());
    const Ended ended = Run(args);
    EXPECT_EQ(ended.code, 1) << ended.err;
    const json results = Results();
    EXPECT_EQ(results["rows"].size(), 2u);
    EXPECT_TRUE(results["complete"]);
    EXPECT_EQ(results["rows"][0]["error"], "");  // the rest goes on
    const std::string error = results["rows"][1]["error"];
    EXPECT_NE(ended.err.find(error), std::string::npos) << ended.err;
    return error;
  }

  Folder folder_, temporary_;
  Setting setting_;
};

TEST_F(Bench, EveryCodecOnEveryFileComesBack) {
  const Ended ended = Pith(setting_, {"bench", ".", "--codecs", "pith:1,zstd:19,gzip,bzip2,xz:9e,brotli:5", "--codec",
                                      "cat=cat|cat", "--repeat", "2"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_NE(ended.out.find("xz -9e"), std::string::npos) << ended.out;
  const json results = Results();
  EXPECT_EQ(results["version"], 1);
  EXPECT_TRUE(results["complete"]);
  EXPECT_EQ(results["repeats"], 2);
  EXPECT_EQ(results["warmups"], 1);
  ASSERT_EQ(results["files"].size(), 2u);
  EXPECT_EQ(results["files"][0]["path"], "a.txt");
  EXPECT_EQ(results["files"][0]["type"], "prose");
  EXPECT_EQ(results["files"][1]["type"], "json");
  ASSERT_EQ(results["rows"].size(), 14u);
  for (const json& row : results["rows"]) {
    EXPECT_EQ(row["error"], "");
    EXPECT_EQ(row["repeats"], 2);
    EXPECT_EQ(row["compressed_sha256"].get<std::string>().size(), 64u);
    for (const char* way : {"compress", "decompress"}) {
      const json& direction = row[way];
      EXPECT_GT(direction["peak_bytes"], 1000);
      EXPECT_GT(direction["seconds"]["min"], 0);
      EXPECT_LE(direction["work_seconds"]["median"], direction["seconds"]["max"]);
    }
  }
  EXPECT_EQ(results["rows"][6]["compressed_bytes"], results["files"][0]["bytes"]);  // cat
  EXPECT_EQ(results["rows"][6]["compressed_sha256"], results["files"][0]["sha256"]);
}

TEST_F(Bench, ModelsSayWhatTheyAreAndHowManyStreamsTheyUsed) {
  WriteFile(folder_ / "a.txt", ReadFile(PITH_SOURCE_DIR "/README.md").substr(0, 4000));
  const Ended ended = Run({"a.txt", "--codecs", "pith:plain", "-T1"});
  if (ended.code == 3) GTEST_SKIP() << "no built-in model";
  ASSERT_EQ(ended.code, 0) << ended.err;
  const json results = Results();
  EXPECT_EQ(results["threads"], 1);
  EXPECT_GT(results["codecs"][0]["model_bytes"], 1000);
  EXPECT_EQ(results["codecs"][0]["compress_command"], "pith -6 --plain -T1 -c < {input} > {output}");
  EXPECT_GE(results["rows"][0]["streams"], 1);
  // The line in the results does the same.
  EXPECT_EQ(Shell(setting_, R"("$PITH" -6 --plain -T1 -c <a.txt >by_hand)").code, 0);
  EXPECT_EQ(ReadFile(folder_ / "by_hand").size(), results["rows"][0]["compressed_bytes"]);
}

TEST_F(Bench, SlicesAreFurtherEntries) {
  WriteFile(folder_ / "large", std::string(5000, 'x'));
  ASSERT_EQ(Run({"large", "a.txt", "--codecs", "gzip", "--slice", "4K,100"}).code, 0);
  const json results = Results();
  ASSERT_EQ(results["files"].size(), 4u);
  EXPECT_EQ(results["files"][1]["slice_bytes"], 100);
  EXPECT_EQ(results["files"][2]["slice_bytes"], 4096);
  EXPECT_EQ(results["files"][2]["slice_begin"], 452);
  EXPECT_EQ(results["files"][2]["bytes"], 4096);
  EXPECT_FALSE(results["files"][3].contains("slice_bytes"));
  EXPECT_EQ(results["rows"].size(), 4u);
}

TEST_F(Bench, ResultsAreNotOverwrittenUnlessForced) {
  ASSERT_EQ(Run({"a.txt", "--codecs", "gzip", "-o", "deep/out"}).code, 0);
  const std::string before = ReadFile(folder_ / "deep/out/results.json");
  const Ended ended = Run({"a.txt", "--codecs", "gzip", "-o", "deep/out"});
  EXPECT_EQ(ended.code, 1);
  EXPECT_EQ(ended.err, "pith: deep/out/results.json: already exists; not overwritten (use -f)\n");
  EXPECT_EQ(ReadFile(folder_ / "deep/out/results.json"), before);
  EXPECT_EQ(Run({"a.txt", "--codecs", "gzip,xz", "-o", "deep/out", "-f"}).code, 0);
  EXPECT_EQ(Results("deep/out")["codecs"].size(), 2u);
}

TEST_F(Bench, JsonGoesToStandardOutputOnRequest) {
  const Ended ended = Run({"a.txt", "--codecs", "gzip", "--json", "-q"});
  EXPECT_EQ(ended.code, 0);
  EXPECT_EQ(ended.err, "");
  EXPECT_EQ(ended.out, ReadFile(folder_ / "pith-bench/results.json"));
}

TEST_F(Bench, EarlierResultsInTheFolderAreNotMeasured) {
  ASSERT_EQ(Run({".", "--codecs", "gzip"}).code, 0);
  ASSERT_EQ(Run({".", "--codecs", "gzip", "-f"}).code, 0);
  EXPECT_EQ(Results()["files"].size(), 2u);
}

TEST_F(Bench, UnreadableAndEmptyFilesHaveAnEntryWithTheReason) {
  WriteFile(folder_ / "empty", "");
  const Ended ended = Run({"empty", "none", "a.txt", "--codecs", "gzip"});
  EXPECT_EQ(ended.code, 1);
  EXPECT_NE(ended.err.find("pith: none: no such file or folder\n"), std::string::npos) << ended.err;
  EXPECT_NE(ended.err.find("pith: empty: is empty: there is nothing to measure\n"), std::string::npos) << ended.err;
  const json results = Results();
  EXPECT_EQ(results["files"][0]["error"], "is empty: there is nothing to measure");
  EXPECT_EQ(results["files"][1]["error"], "no such file or folder");
  ASSERT_EQ(results["rows"].size(), 1u);
  EXPECT_EQ(results["rows"][0]["file"], 2);
  EXPECT_EQ(Run({"empty", "a.txt", "--codecs", "gzip", "-f"}).code, 0);  // empty is no failure
  if (geteuid() == 0) return;                                            // root reads everything
  ASSERT_EQ(chmod((folder_ / "a.txt").c_str(), 0), 0);
  EXPECT_EQ(Run({"a.txt", "--codecs", "gzip", "-f"}).code, 1);
  EXPECT_EQ(Results()["files"][0]["error"], "cannot open: Permission denied");
}

TEST_F(Bench, AFileThatChangesIsReportedInItsRow) {
  const Ended ended = Run({"a.txt", "b.json", "--codec", "meddler=echo x >>a.txt; cat|cat", "--codecs", "gzip:1"});
  EXPECT_EQ(ended.code, 1);
  const json results = Results();
  ASSERT_EQ(results["rows"].size(), 4u);
  EXPECT_EQ(results["rows"][0]["error"], "");
  EXPECT_EQ(results["rows"][1]["error"], "the file has changed: 61 bytes, expected 59");
  EXPECT_FALSE(results["rows"][1].contains("compress"));
  EXPECT_EQ(results["rows"][2]["error"], "");
  EXPECT_EQ(results["rows"][3]["error"], "");
}

TEST_F(Bench, ACrashIsASignalAndTheLastWords) {
  EXPECT_EQ(ErrorOfCodec("crash=echo one >&2; echo two >&2; kill -SEGV $$|cat"),
            "compress: killed by signal 11 (Segmentation fault): one; two");
  EXPECT_EQ(ErrorOfCodec("crash=cat|(kill -ABRT $$)"), "decompress: killed by signal 6 (Aborted)");
}

TEST_F(Bench, AFailingOrMissingCommandIsReported) {
  EXPECT_EQ(ErrorOfCodec("fail=cat; echo no luck >&2; exit 3|cat"), "compress: exit code 3: no luck");
  const std::string error = ErrorOfCodec("none=pith-no-such-program -c|cat");
  EXPECT_TRUE(error.starts_with("compress: command not found (exit code 127): ")) << error;
  EXPECT_EQ(ErrorOfCodec("idle=true {output}|cat"), "compress: there is no output");
  EXPECT_EQ(ErrorOfCodec("pipe=mkfifo {output}|cat"), "compress: the output is not a regular file");
}

TEST_F(Bench, TheTableOfTheOthersStandsWhereACodecFails) {
  const Ended ended = Run({"a.txt", "b.json", "--codecs", "gzip:1", "--codec", "bad=false|cat"});
  EXPECT_EQ(ended.code, 1);
  EXPECT_NE(ended.out.find("\ngzip -1 "), std::string::npos) << ended.out;
  EXPECT_NE(ended.out.find("\nbad completed no file of 2 and is not compared.\n"), std::string::npos) << ended.out;
}

TEST_F(Bench, AHangingCodecIsKilledWithAllItHasStarted) {
  const Clock::time_point start = Clock::now();
  EXPECT_EQ(ErrorOfCodec("hang=sleep 1234567 & sleep 1234567|cat", {"--timeout", "0.5"}),
            "compress: killed after 0.5 s, the limit of --timeout");
  EXPECT_LT(Clock::now() - start, std::chrono::seconds(60));
  EXPECT_FALSE(Sleeps("1234567"));
}

TEST_F(Bench, WhatACommandLeavesBehindEndsWithIt) {
  EXPECT_EQ(
      Run({"a.txt", "--codecs", "gzip:1", "--codec", "leaver=sleep 1234568 & echo x >\"$TMPDIR/mess\"; cat|cat"}).code,
      0);
  EXPECT_FALSE(Sleeps("1234568"));
}

TEST_F(Bench, ACodecThatFillsTheDiskIsStopped) {
  // 4 times 59 bytes and 1 MiB.
  EXPECT_EQ(ErrorOfCodec("fill=exec cat /dev/zero|cat"),
            "compress: the output is larger than the limit of 1048812 bytes");
  EXPECT_EQ(ErrorOfCodec("fill=cat|exec cat /dev/zero"),
            "decompress: the output is larger than the limit of 1048635 bytes");
  EXPECT_EQ(ErrorOfCodec("fill=exec cat /dev/zero >{output}|cat"),
            "compress: the output is larger than the limit of 1048812 bytes");
}

TEST_F(Bench, WrongBytesBackAreAFailure) {
  EXPECT_EQ(ErrorOfCodec("wrong=cat|sed s/some/sOme/"), "decompress: byte 22 differs");
  EXPECT_EQ(ErrorOfCodec("short=cat|head -c 5"), "decompress: the output ends after 5 bytes");
  EXPECT_EQ(ErrorOfCodec("long=cat|cat; echo"), "decompress: the output goes on after the 59 bytes of the input");
}

TEST_F(Bench, ArchivesThatDifferFromRunToRunAreNoted) {
  ASSERT_EQ(Run({"a.txt", "--repeat", "3", "--codecs", "gzip:1", "--codec", "clock=cat; date +%N|head -n 1"}).code, 0);
  EXPECT_FALSE(Results()["rows"][0].contains("note"));
  const std::string note = Results()["rows"][1]["note"];
  EXPECT_TRUE(note.starts_with("archives of two runs differ: ")) << note;
}

TEST_F(Bench, NamesOfFilesAreQuotedForTheShell) {
  WriteFile(folder_ / "it's $HOME; `x`", "text");
  EXPECT_EQ(
      Run({"it's $HOME; `x`", "--codecs", "gzip:1", "--codec", "copy=cp {input} {output}|cp {input} {output}"}).code,
      0);
  EXPECT_EQ(Results()["rows"][1]["compressed_bytes"], 4);
}

TEST_F(Bench, CommandsStandInTheCallersFolder) {
  WriteFile(folder_ / "tool", "#!/bin/sh\ncat\n");
  ASSERT_EQ(chmod((folder_ / "tool").c_str(), 0700), 0);
  EXPECT_EQ(Run({"a.txt", "--codecs", "gzip:1", "--codec", "tool=./tool|./tool"}).code, 0);
}

TEST_F(Bench, MistakesOnTheCommandLineDoNothing) {
  const std::pair<std::vector<std::string>, const char*> mistakes[] = {
      {{}, "bench needs files or folders"},
      {{"a.txt", "--codecs", "rar"}, "codec rar: expected pith, zstd"},
      {{"a.txt", "--codecs", "xz,xz"}, "codec xz -6 is named twice"},
      {{"a.txt", "--codec", "x"}, "--codec: expected NAME=COMPRESS COMMAND|DECOMPRESS COMMAND"},
      {{"a.txt", "--repeat", "0"}, "expected 1 to 10000 repeats"},
      {{"a.txt", "--timeout", "0"}, "expected more than 0 seconds"},
      {{"a.txt", "--timeout", "nan"}, "expected more than 0 seconds"},
      {{"a.txt", "--timeout", "inf"}, "expected more than 0 seconds"},
      {{"a.txt", "--slice", "4K,x"}, "--slice: 'x' is not a size"},
      {{"a.txt", "--slice", "4K,4096"}, "found 4096 twice"},
      {{"a.txt", "-o", "-"}, "bench writes into a folder"},
  };
  for (const auto& [args, words] : mistakes) {
    std::vector<std::string> all = {"bench"};
    all.insert(all.end(), args.begin(), args.end());
    const Ended ended = Pith(setting_, all);
    EXPECT_EQ(ended.code, 2) << words;
    EXPECT_NE(ended.err.find(words), std::string::npos) << ended.err;
    EXPECT_FALSE(Exists(folder_ / "pith-bench")) << words;
  }
  const Ended model = Pith(setting_, {"bench", "a.txt", "--codecs", "pith:model=./none.pmodel"});
  EXPECT_EQ(model.code, 3) << model.err;
}

TEST_F(Bench, AnInterruptionWritesWhatIsMeasuredAndLeavesNothing) {
  for (const int number : {SIGINT, SIGTERM, SIGPIPE}) {
    Background bench(setting_, {"bench", "a.txt", "-f", "--codecs", "gzip", "--codec",
                                "hang=touch started; sleep 1234569|cat", "--repeat", "1", "--warmup", "0"});
    for (int ms = 0; ms < 30'000 && !Exists(folder_ / "started"); ++ms)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    ASSERT_TRUE(Exists(folder_ / "started"));
    for (int ms = 0; ms < 30'000 && !Sleeps("1234569"); ++ms) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    ASSERT_TRUE(Sleeps("1234569"));
    bench.Signal(number);
    EXPECT_EQ(bench.Wait().signal, number);  // of which the shell makes 130 and 143
    const json results = Results();
    EXPECT_FALSE(results["complete"]);
    ASSERT_EQ(results["rows"].size(), 1u);  // gzip's
    EXPECT_EQ(results["rows"][0]["error"], "");
    EXPECT_FALSE(Sleeps("1234569"));
    EXPECT_EQ(temporary_.Names(), std::vector<std::string>());
    ASSERT_EQ(unlink((folder_ / "started").c_str()), 0);
  }
}

TEST_F(Bench, WorkersEndWithTheOneWhoMeasures) {
  Background bench(setting_,
                   {"bench", "a.txt", "--codecs", "gzip:1", "--codec", "hang=touch started; sleep 1234560|cat"});
  for (int ms = 0; ms < 30'000 && !Exists(folder_ / "started"); ++ms)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  bench.Signal(SIGKILL);
  EXPECT_EQ(bench.Wait().signal, SIGKILL);
  for (int ms = 0; ms < 10'000 && Sleeps("1234560"); ms += 10) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_FALSE(Sleeps("1234560"));
  // Nobody could remove the files.
  EXPECT_EQ(Shell({.folder = temporary_.path()}, "rm -r pith-bench.*").code, 0);
}

TEST_F(Bench, WorkersRefuseWhatTheProgramDidNotWrite) {
  for (const std::vector<std::string>& args : std::vector<std::vector<std::string>>{
           {"bench", "--worker"},
           {"bench", "--worker", "compress", "a", "b", "x", "0", "library", "0", "3", "0"},
           {"bench", "--worker", "compress", "a", "b", "9", "0", "library", "9", "3", "0"},
           {"bench", "--worker", "compress", "a", "b", "9", "0", "other"}}) {
    EXPECT_EQ(Pith(setting_, args).code, 2);
  }
  EXPECT_EQ(folder_.Names(), (std::vector<std::string>{"a.txt", "b.json"}));
}

TEST_F(Bench, ThereMustBeAPlaceForTemporaryFiles) {
  Setting setting = setting_;
  setting.environment = {"TMPDIR=" + (folder_ / "none")};
  const Ended ended = Pith(setting, {"bench", "a.txt", "--codecs", "gzip"});
  EXPECT_EQ(ended.code, 1);
  EXPECT_NE(ended.err.find("cannot make a folder for temporary files: No such file or directory"), std::string::npos)
      << ended.err;
}

TEST_F(Bench, ProgressIsShownOnATerminal) {
  const Ended ended = PithOnTerminal(setting_, {"bench", "a.txt", "b.json", "--codecs", "gzip:1", "--codec",
                                                "slow=sleep 0.4; cat|cat", "--repeat", "1", "--warmup", "0"});
  EXPECT_EQ(ended.code, 0) << ended.out;
  EXPECT_NE(ended.out.find("(2/2) b.json : slow decompress 1"), std::string::npos) << ended.out;
  EXPECT_NE(ended.out.find("ETA "), std::string::npos) << ended.out;
}

TEST_F(Bench, ThePageIsMadeWithTheResultsAndAgainFromThem) {
  ASSERT_EQ(Run({"a.txt", "--codecs", "gzip:1"}).code, 0);
  const std::string page = ReadFile(folder_ / "pith-bench/index.html");
  EXPECT_TRUE(page.starts_with("<!DOCTYPE html>")) << page.substr(0, 100);
  ASSERT_EQ(unlink((folder_ / "pith-bench/index.html").c_str()), 0);
  EXPECT_EQ(Pith(setting_, {"bench", "--report", "pith-bench/results.json"}).code, 0);
  EXPECT_EQ(ReadFile(folder_ / "pith-bench/index.html"), page);

  EXPECT_EQ(Pith(setting_, {"bench", "--report", "pith-bench/results.json", "-o", "other"}).code, 0);
  EXPECT_EQ(ReadFile(folder_ / "other/index.html"), page);
  const Ended again = Pith(setting_, {"bench", "--report", "pith-bench/results.json", "-o", "other"});
  EXPECT_EQ(again.code, 1) << "another folder's page may be anybody's";
  EXPECT_NE(again.err.find("other/index.html: already exists"), std::string::npos) << again.err;

  const Ended terminal = Pith(setting_, {"bench", "--report", "pith-bench/results.json", "--terminal"});
  EXPECT_EQ(terminal.code, 0);
  EXPECT_NE(terminal.out.find("gzip -1"), std::string::npos) << terminal.out;
}

TEST_F(Bench, ResultsOfAnotherVersionAreNotShownAndNotCompared) {
  ASSERT_EQ(Run({"a.txt", "--codecs", "gzip:1"}).code, 0);
  json results = Results();
  results["version"] = 99;
  WriteFile(folder_ / "new.json", results.dump());
  for (const std::vector<std::string>& args :
       {std::vector<std::string>{"bench", "--report", "new.json"},
        std::vector<std::string>{"bench", "--compare", "pith-bench/results.json", "new.json"}}) {
    const Ended ended = Pith(setting_, args);
    EXPECT_EQ(ended.code, 1);
    EXPECT_NE(ended.err.find("new.json: "), std::string::npos) << ended.err;
    EXPECT_NE(ended.err.find("/version: 99, expected 1"), std::string::npos) << ended.err;
  }
  EXPECT_FALSE(std::filesystem::exists(folder_ / "index.html"));
}

TEST_F(Bench, ComparingFailsWhereWhatWasRightIsWrongNow) {
  ASSERT_EQ(Run({"a.txt", "--codecs", "gzip:1"}).code, 0);
  json results = Results();
  results["rows"][0]["error"] = "decompress: byte 3 differs";
  WriteFile(folder_ / "broken.json", results.dump());
  const Ended same = Pith(setting_, {"bench", "--compare", "pith-bench/results.json", "pith-bench/results.json"});
  EXPECT_EQ(same.code, 0);
  EXPECT_NE(same.out.find("None of 1 row changed."), std::string::npos) << same.out;
  const Ended broken = Pith(setting_, {"bench", "--compare", "pith-bench/results.json", "broken.json"});
  EXPECT_EQ(broken.code, 1);
  EXPECT_NE(broken.out.find("byte 3 differs"), std::string::npos) << broken.out;
}

TEST_F(Bench, TheEngineIsMeasuredBesideOthers) {
  WriteFile(folder_ / "peers.jsonl", "{\"engine\": \"other\", \"type\": \"Q8_0\", \"threads\": 1, \"decode\": 20.5}\n");
  const Ended ended =
      Pith(setting_, {"bench", "--engine", "--model", "nano", "-T", "1", "--peers", "peers.jsonl", "-o", "e"});
  if (ended.code == 3) GTEST_SKIP() << "built without a model inside";
  ASSERT_EQ(ended.code, 0) << ended.err;
  const json engines = Results("e")["engines"];
  ASSERT_EQ(engines.size(), 2u);
  EXPECT_GT(engines[0]["speeds"].size(), 3u);
  EXPECT_EQ(engines[1]["speeds"][0]["tokens_per_second"], 20.5);
  EXPECT_NE(ReadFile(folder_ / "e/index.html").find("Q8_0"), std::string::npos);
}

}  // namespace
}  // namespace pith::test
