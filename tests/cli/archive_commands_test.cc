// compress, decompress, test and list as they are meant to be used.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <nlohmann/json.hpp>
#include <regex>

#include "process.h"
#include "tiny_checkpoint.h"

namespace pith::test {
namespace {

using Json = nlohmann::json;
using ::testing::Test;

class ArchiveCommands : public Test {
 protected:
  ArchiveCommands() { setting_.folder = folder_.path(); }

  Ended Run(std::vector<std::string> args) const { return Pith(setting_, args); }
  // With the tiny model.
  Ended RunTiny(std::vector<std::string> args) const {
    // One thread: a step of this model is shorter than waking a second one. First, so that a test may say
    // otherwise.
    args.insert(args.begin(), {"-T1", "--model", TinyModel()});
    return Pith(setting_, args);
  }
  // $PITH is the program, $TINY options for the tiny model.
  Ended RunScript(const std::string& script) const {
    Setting setting = setting_;
    setting.environment.push_back("TINY=-T1 --model " + TinyModel());
    return Shell(setting, "set -e; " + script);
  }

  Folder folder_;
  Setting setting_;
};

TEST_F(ArchiveCommands, LevelsOneToThreeNeedNoModel) {
  std::string text;
  for (int i = 0; i < 300; ++i) text += "line " + std::to_string(i * i) + " of a file that a level makes small\n";
  setting_.environment.push_back("PITH_MODELS=" + (folder_ / "none"));
  for (const std::string level : {"1", "2", "3"}) {
    WriteFile(folder_ / "a.txt", text);
    Ended ended = Run({"-" + level, "-fv", "--verify", "--rm", "a.txt"});
    ASSERT_EQ(ended.code, 0) << ended.err;
    EXPECT_NE(ended.err.find("1 block, 1 by contexts"), std::string::npos) << ended.err;
    ended = Run({"list", "a.txt.pith"});
    EXPECT_EQ(ended.code, 0);
    EXPECT_NE(ended.out.find("by contexts   1 block, "), std::string::npos) << ended.out;
    const char* const strength = level == "1" ? ", fast\n" : level == "2" ? ", strong\n" : ", numeric\n";
    EXPECT_NE(ended.out.find(strength), std::string::npos) << ended.out;
    EXPECT_EQ(ended.out.find("fingerprint"), std::string::npos) << ended.out;
    ended = Run({"list", "--json", "a.txt.pith"});
    const Json block = Json::parse(ended.out)[0]["archives"][0]["blocks"][0];
    EXPECT_EQ(block["kind"], "contexts");
    EXPECT_EQ(block["strength"], level == "3" ? 4 : std::stoi(level));
    ended = Run({"-d", "a.txt.pith"});
    ASSERT_EQ(ended.code, 0) << ended.err;
    EXPECT_EQ(ReadFile(folder_ / "a.txt"), text);
  }
  const Ended ended = Run({"-0", "a.txt"});
  EXPECT_EQ(ended.code, 2);
  EXPECT_NE(ended.err.find("expected 1 (fast) to 9 (small)"), std::string::npos) << ended.err;
}

// The model reads what is written in them: they come to what the same text in UTF-8 does.
TEST_F(ArchiveCommands, OtherCharacterEncodingsAreAsSmallAsUtf8) {
  std::string text;
  for (const char* const line :
       {"Все счастливые семьи похожи друг на друга, каждая несчастливая семья несчастлива по-своему.",
        "Все смешалось в доме Облонских. Жена узнала, что муж был в связи с бывшею в их доме француженкою-гувернанткой,",
        "и объявила мужу, что не может жить с ним в одном доме. Положение это продолжалось уже третий день",
        "и мучительно чувствовалось и самими супругами, и всеми членами семьи, и домочадцами."}) {
    text += line + std::string("\r\n");
  }
  WriteFile(folder_ / "utf8.txt", text);
  const int code = Run({"utf8.txt"}).code;
  if (code == 3) GTEST_SKIP() << "no built-in model";
  ASSERT_EQ(code, 0);
  const size_t size = ReadFile(folder_ / "utf8.txt.pith").size();
  for (const auto& [encoding, iconv] : {std::pair{"UTF-16LE", "UTF-16LE"}, {"UTF-16BE", "UTF-16BE"}, {"windows-1251", "CP1251"},
                                        {"KOI8-R", "KOI8-R"}, {"IBM866", "CP866"}}) {
    const std::string name = std::string(encoding) + ".txt";
    ASSERT_EQ(RunScript("iconv -f UTF-8 -t " + std::string(iconv) + " utf8.txt >" + name).code, 0);
    const std::string content = ReadFile(folder_ / name);
    ASSERT_EQ(Run({"--rm", name}).code, 0);
    EXPECT_LE(ReadFile(folder_ / (name + ".pith")).size(), size + 4) << encoding;
    Ended ended = Run({"list", "-v", name + ".pith"});
    EXPECT_NE(ended.out.find(", " + std::string(encoding) + "\n"), std::string::npos) << ended.out;
    ended = Run({"list", "--json", name + ".pith"});
    EXPECT_EQ(Json::parse(ended.out)[0]["archives"][0]["blocks"][0]["encoding"], encoding);
    ASSERT_EQ(Run({"-d", name + ".pith"}).code, 0);
    EXPECT_EQ(ReadFile(folder_ / name), content) << encoding;
  }
  // Without a model UTF-16 is read, too.
  const std::string wide = ReadFile(folder_ / "UTF-16LE.txt");
  ASSERT_EQ(Run({"-2", "-f", "--rm", "UTF-16LE.txt"}).code, 0);
  EXPECT_NE(Run({"list", "-v", "UTF-16LE.txt.pith"}).out.find(", strong, UTF-16LE\n"), std::string::npos);
  ASSERT_EQ(Run({"-d", "UTF-16LE.txt.pith"}).code, 0);
  EXPECT_EQ(ReadFile(folder_ / "UTF-16LE.txt"), wide);
}

TEST_F(ArchiveCommands, LevelNineTakesTheLargestModel) {
  ASSERT_EQ(RunScript("mkdir models; head -c 20000000 /dev/zero >models/large.pmodel; cp " + TinyModel() +
                      " models/small.pmodel")
                .code,
            0);
  setting_.environment.push_back("PITH_MODELS=" + (folder_ / "models"));
  WriteFile(folder_ / "a", WalkText(2000));
  const Ended ended = Run({"-9", "a"});
  EXPECT_EQ(ended.code, 3) << "the largest file is no model";
  EXPECT_NE(ended.err.find("large.pmodel"), std::string::npos) << ended.err;
  ASSERT_EQ(RunTiny({"-9", "a"}).code, 0) << "--model goes first";
  ASSERT_EQ(RunTiny({"-t", "a.pith"}).code, 0);
}

TEST_F(ArchiveCommands, DictionariesMakeSmallFilesOfOneKindSmaller) {
  const auto record = [](int i) {
    return "<entry id=\"" + std::to_string(i * 7919 % 1000) + "\"><state>waiting for the operator</state><line>" +
           std::to_string(i * 31 % 97) + "</line></entry>\n";
  };
  ASSERT_EQ(RunScript("mkdir samples").code, 0);
  for (int i = 0; i < 30; ++i) WriteFile(folder_ / ("samples/" + std::to_string(i)), record(i) + record(i + 100));
  Ended ended = Run({"train", "-r", "samples", "-o", "d.dict"});
  ASSERT_EQ(ended.code, 0) << ended.err;
  EXPECT_NE(ended.err.find("of 30 samples"), std::string::npos) << ended.err;
  EXPECT_EQ(Run({"train", "-r", "samples", "-o", "d.dict"}).code, 1) << "not overwritten";
  EXPECT_EQ(Run({"train", "-r", "samples"}).code, 2);

  WriteFile(folder_ / "a", record(500));
  ASSERT_EQ(RunTiny({"a"}).code, 0);
  const size_t without = ReadFile(folder_ / "a.pith").size();
  ended = RunTiny({"-D", "d.dict", "--verify", "-f", "a"});
  ASSERT_EQ(ended.code, 0) << ended.err;
  EXPECT_LT(ReadFile(folder_ / "a.pith").size() * 2, without);
  EXPECT_NE(Run({"list", "a.pith"}).out.find("dictionary    id .."), std::string::npos);
  ended = RunTiny({"-d", "-f", "a.pith"});
  EXPECT_EQ(ended.code, 3);
  EXPECT_NE(ended.err.find("made with dictionary 0x"), std::string::npos) << ended.err;
  ASSERT_EQ(RunTiny({"-d", "-f", "-D", "d.dict", "a.pith"}).code, 0);
  EXPECT_EQ(ReadFile(folder_ / "a"), record(500));

  WriteFile(folder_ / "no.dict", "this is no dictionary");
  EXPECT_EQ(RunTiny({"-D", "no.dict", "-f", "a"}).code, 1);
  EXPECT_EQ(RunTiny({"-D", "missing.dict", "-f", "a"}).code, 1);
  EXPECT_EQ(RunTiny({"-D", "d.dict", "--plain", "-f", "a"}).code, 2);
  EXPECT_EQ(Run({"-1", "-D", "d.dict", "-f", "a"}).code, 2);
}

TEST_F(ArchiveCommands, TheTranscriptOfTheReadmeIsTrue) {
  if (Run({"--version"}).out.find("built-in model   none") != std::string::npos)
    GTEST_SKIP() << "no built-in model";
  const std::string text =
      "The sun was low when they came to the river, and the ferry had gone. \"We shall have to wait,\" "
      "said the old man, and sat down on a stone to look at the water.\n";
  WriteFile(folder_ / "report.txt", text);

  Ended ended = Run({"compress", "report.txt"});
  EXPECT_EQ(ended.code, 0);
  EXPECT_EQ(ended.out, "");
  EXPECT_TRUE(std::regex_match(
      ended.err,
      std::regex(R"(report\.txt : \d+\.\d %  \(\d+ => \d+ bytes, [\d.]+ KB/s, report\.txt\.pith\)\n)")))
      << ended.err;
  EXPECT_EQ(ReadFile(folder_ / "report.txt"), text) << "the source is kept";

  ended = Run({"list", "report.txt.pith"});
  EXPECT_EQ(ended.code, 0);
  for (const char* field :
       {"original", "archive", "checksum", "by model", "model", "fingerprint", "format"}) {
    EXPECT_NE(ended.out.find(field), std::string::npos) << field << " in\n" << ended.out;
  }

  ended = Run({"test", "report.txt.pith"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(folder_.Names(), (std::vector<std::string>{"report.txt", "report.txt.pith"}));

  ended = Run({"decompress", "report.txt.pith", "-o", "copy.txt"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(ReadFile(folder_ / "copy.txt"), text);

  ended = RunScript(
      R"(cat report.txt | "$PITH" compress -c >r.pith; "$PITH" decompress -c r.pith | cmp - report.txt)");
  EXPECT_EQ(ended.code, 0) << ended.out << ended.err;
  EXPECT_EQ(ended.err, "") << "a pipe says nothing unless it fails";
}

TEST_F(ArchiveCommands, EveryWayToNameThemComesToTheSame) {
  const std::string text = WalkText(3000);
  WriteFile(folder_ / "a", text);
  ASSERT_EQ(RunTiny({"a"}).code, 0);
  const std::string archive = ReadFile(folder_ / "a.pith");
  EXPECT_LT(archive.size(), text.size() / 5) << "the model is used";

  for (const char* way :
       {"-z a", "compress a", "-k a", "-f a", "--compress a", "-o a.pith a", "-T1 a", "a -T 2",
        "-c a >a.pith", "-c <a >a.pith", "- <a >a.pith", "-o a.pith <a", "-q -- a", "--verify a"}) {
    const Ended ended = RunScript("rm -f a.pith; \"$PITH\" $TINY " + std::string(way));
    ASSERT_EQ(ended.code, 0) << way << ": " << ended.err;
    EXPECT_EQ(ReadFile(folder_ / "a.pith"), archive) << way;
  }
  // Long archives keep name and time, where they are known.
  ASSERT_EQ(RunTiny({"a", "-fN"}).code, 0);
  ASSERT_EQ(RunScript("\"$PITH\" $TINY -N <a >b.pith").code, 0);
  EXPECT_LT(archive.size() + 60, ReadFile(folder_ / "b.pith").size());
  EXPECT_LT(ReadFile(folder_ / "b.pith").size(), ReadFile(folder_ / "a.pith").size());
  for (const char* way : {"-d a.pith", "decompress a.pith", "--decompress a.pith", "-dk a.pith",
                          "-dc a.pith >a", "-d <a.pith >a", "-dcf a.pith >a", "-d -o a a.pith",
                          "-d - <a.pith >a", "-d -T1 a.pith", "decompress -c - <a.pith >a"}) {
    const Ended ended = RunScript("rm -f a; \"$PITH\" $TINY " + std::string(way));
    ASSERT_EQ(ended.code, 0) << way << ": " << ended.err;
    EXPECT_EQ(ReadFile(folder_ / "a"), text) << way;
  }
  for (const char* way : {"-t a.pith", "test a.pith", "-tv a.pith", "-t <a.pith", "-tq - <a.pith"}) {
    EXPECT_EQ(RunScript("\"$PITH\" $TINY " + std::string(way)).code, 0) << way;
  }
  for (const char* way : {"-l a.pith", "list a.pith", "-lv a.pith", "-l - <a.pith"}) {
    const Ended ended = RunScript("\"$PITH\" " + std::string(way));
    EXPECT_EQ(ended.code, 0) << way;
    EXPECT_NE(ended.out.find("fingerprint"), std::string::npos) << way;
  }
}

TEST_F(ArchiveCommands, SourcesAreRemovedOnlyWithRmAndOnlyOnSuccess) {
  WriteFile(folder_ / "a", "some text");
  ASSERT_EQ(RunTiny({"--rm", "--verify", "a"}).code, 0);
  EXPECT_EQ(folder_.Names(), std::vector<std::string>{"a.pith"});
  ASSERT_EQ(RunTiny({"-d", "--rm", "a.pith"}).code, 0);
  EXPECT_EQ(folder_.Names(), std::vector<std::string>{"a"});
  WriteFile(folder_ / "a.pith", "in the way");
  EXPECT_EQ(RunTiny({"--rm", "a"}).code, 1);
  EXPECT_EQ(ReadFile(folder_ / "a"), "some text");
  EXPECT_EQ(ReadFile(folder_ / "a.pith"), "in the way");
}

// Small archives are decoded together; nothing of that shows.
TEST_F(ArchiveCommands, ManySmallArchives) {
  std::string names;
  for (int i = 10; i < 50; ++i) {
    const std::string name = std::to_string(i);
    WriteFile(folder_ / name, WalkText(static_cast<size_t>(20 + i * i % 700)) + name);
    names += " " + name;
  }
  ASSERT_EQ(RunScript("\"$PITH\" $TINY" + names).code, 0);
  ASSERT_EQ(RunScript("\"$PITH\" -1 10 -o 50.pith; mkdir o; mv 1? 2? 3? 4? o; \"$PITH\" -t $TINY *.pith").code, 0);
  ASSERT_EQ(RunScript("\"$PITH\" -d $TINY *.pith; rm 50 50.pith; for i in" + names + "; do cmp $i o/$i; done").code, 0);
  // What is wrong with one is said in its turn, and is the matter of that one.
  std::string archive = ReadFile(folder_ / "23.pith");
  archive[archive.size() / 2] = static_cast<char>(archive[archive.size() / 2] ^ 4);
  WriteFile(folder_ / "23.pith", archive);
  WriteFile(folder_ / "24.pith", "no archive");
  ASSERT_EQ(RunScript("rm 1? 2? 3? 4?").code, 0);
  WriteFile(folder_ / "26", "here already");
  const Ended ended = RunScript(R"("$PITH" -d -v $TINY *.pith || echo failed $?)");
  EXPECT_EQ(ended.out, "failed 1\n");
  EXPECT_NE(ended.err.find("23.pith: "), std::string::npos) << ended.err;
  EXPECT_NE(ended.err.find("24.pith: this is not a pith archive"), std::string::npos) << ended.err;
  EXPECT_NE(ended.err.find("26: already exists"), std::string::npos) << ended.err;
  EXPECT_EQ(ReadFile(folder_ / "26"), "here already");
  ASSERT_EQ(RunScript("for i in 10 22 25 27 49; do cmp $i o/$i; done; test ! -e 23; test ! -e 24").code, 0);
  ASSERT_EQ(RunScript(R"("$PITH" -dc $TINY 10.pith 11.pith 12.pith >c; cat o/10 o/11 o/12 | cmp - c)").code, 0);
}

TEST_F(ArchiveCommands, CompressingAFolderLeavesOutArchives) {
  ASSERT_EQ(mkdir((folder_ / "d").c_str(), 0755), 0);
  WriteFile(folder_ / "d/a", "text");
  ASSERT_EQ(RunScript(R"("$PITH" -1 d/a; cp d/a.pith d/b)").code, 0);
  const Ended ended = Run({"-1", "-frv", "--rm", "d"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_NE(ended.err.find("d/a.pith: ends in .pith; left out"), std::string::npos) << ended.err;
  WriteFile(folder_ / "d/a", "text");
  ASSERT_EQ(RunScript("rm d/*.pith; \"$PITH\" -1 d/a; cp d/a.pith d/b").code, 0);
  const Ended again = Run({"-1", "-rv", "d", "-q", "-v"});
  EXPECT_NE(again.err.find("d/b: is an archive already; left out"), std::string::npos) << again.err;
  EXPECT_EQ(ReadFile(folder_ / "d/b"), ReadFile(folder_ / "d/a.pith"));
}

TEST_F(ArchiveCommands, TimeAndPermissionsComeBack) {
  WriteFile(folder_ / "a", "some text");
  ASSERT_EQ(chmod((folder_ / "a").c_str(), 0640), 0);
  SetMtime(folder_ / "a", 1000000000);
  ASSERT_EQ(RunTiny({"a"}).code, 0);
  EXPECT_EQ(Mtime(folder_ / "a.pith"), 1000000000);
  ASSERT_EQ(RunTiny({"-d", "a.pith", "-o", "c"}).code, 0);
  EXPECT_EQ(Mtime(folder_ / "c"), 1000000000) << "a short archive: from its file";
  ASSERT_EQ(RunTiny({"a", "-f", "--names"}).code, 0);
  EXPECT_EQ(Mtime(folder_ / "a.pith"), 1000000000);
  SetMtime(folder_ / "a.pith", 1500000000);
  ASSERT_EQ(RunTiny({"-d", "a.pith", "-o", "b"}).code, 0);
  EXPECT_EQ(Mtime(folder_ / "b"), 1000000000) << "from the archive, not from its file";
  struct stat info{};
  ASSERT_EQ(stat((folder_ / "b").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0640u);
  const Json json = Json::parse(Run({"list", "--json", "a.pith"}).out);
  EXPECT_EQ(json[0]["archives"][0]["file_name"], "a");
  EXPECT_EQ(json[0]["archives"][0]["mtime_ns"], 1000000000000000000);
}

TEST_F(ArchiveCommands, SeveralFilesAndFolders) {
  ASSERT_EQ(RunScript("mkdir -p d/e; echo one >d/1; echo two >d/e/2; echo three >3; ln -s 1 d/link").code, 0);
  Ended ended = RunTiny({"-r", "d", "3"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_NE(ended.err.find("3 files : "), std::string::npos) << ended.err;
  EXPECT_TRUE(Exists(folder_ / "d/1.pith") && Exists(folder_ / "d/e/2.pith") && Exists(folder_ / "3.pith"));
  EXPECT_FALSE(Exists(folder_ / "d/link.pith"));

  ended = RunTiny({"-r", "d", "-f"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_FALSE(Exists(folder_ / "d/1.pith.pith")) << "archives in folders are left out";

  EXPECT_EQ(RunScript("rm d/1 d/e/2").code, 0);
  EXPECT_EQ(RunTiny({"-dr", "d"}).code, 0);
  EXPECT_EQ(ReadFile(folder_ / "d/e/2"), "two\n");
  EXPECT_EQ(RunTiny({"-tr", "d"}).code, 0);
  ended = Run({"-lr", "d", "3.pith"});
  EXPECT_EQ(ended.code, 0);
  EXPECT_EQ(std::count(ended.out.begin(), ended.out.end(), '\n'), 5) << "head, three lines, total\n"
                                                                     << ended.out;

  ended = RunTiny({"d", "3", "-f"});
  EXPECT_EQ(ended.code, 1);
  EXPECT_NE(ended.err.find("pith: d: is a folder (take the files in it with -r)\n"), std::string::npos)
      << ended.err;
  EXPECT_NE(ended.err.find("3 : "), std::string::npos) << "the others are done";
}

TEST_F(ArchiveCommands, ArchivesOneAfterAnotherGiveTheirContentsOneAfterAnother) {
  const std::string a = WalkText(2000), b = "other text";
  WriteFile(folder_ / "a", a);
  WriteFile(folder_ / "b", b);
  ASSERT_EQ(RunTiny({"a", "b"}).code, 0);
  Ended ended = RunScript(R"(cat a.pith b.pith a.pith >all.pith; "$PITH" -c a b a $TINY | "$PITH" -d $TINY)");
  EXPECT_EQ(ended.out, a + b + a);
  ended = RunTiny({"-dc", "all.pith"});
  EXPECT_EQ(ended.out, a + b + a);
  EXPECT_EQ(Json::parse(Run({"list", "--json", "all.pith"}).out)[0]["archives"].size(), 3u);
}

TEST_F(ArchiveCommands, EmptyBinaryAndStrangelyNamedFiles) {
  std::string binary;
  uint32_t random = 1;
  for (int i = 0; i < 5000; ++i) binary += static_cast<char>((random = random * 1664525 + 1013904223) >> 24);
  const std::vector<std::pair<std::string, std::string>> files = {{"empty", ""},
                                                                  {"one", "x"},
                                                                  {"binary", binary},
                                                                  {"na\xc3\xafve \xe6\x96\x87.txt", "text"},
                                                                  {"a b", "c"},
                                                                  {"[draft]", "draft"},
                                                                  {"new\nline", "newline"},
                                                                  {"-dash", "dash"},
                                                                  {"\xff\xfe", "not UTF-8"}};
  std::vector<std::string> args = {"-T1", "--model", TinyModel(), "-k", "--"};
  for (const auto& [name, content] : files) {
    WriteFile(folder_ / name, content);
    args.push_back(name);
  }
  Ended ended = Run(args);
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(std::count(ended.err.begin(), ended.err.end(), '\n'), static_cast<long>(files.size() + 1))
      << ended.err;
  args[3] = "-dfq";
  for (const auto& [name, content] : files) {
    EXPECT_LE(ReadFile(folder_ / (name + ".pith")).size(), content.size() + 64 + 16 + 16 /* name */) << name;
    ASSERT_EQ(rename((folder_ / (name + ".pith")).c_str(), (folder_ / ("x" + name + ".pith")).c_str()), 0);
  }
  for (size_t i = 0; i < files.size(); ++i) args[5 + i] = "x" + files[i].first + ".pith";
  ended = Run(args);
  EXPECT_EQ(ended.code, 0) << ended.err;
  for (const auto& [name, content] : files) EXPECT_EQ(ReadFile(folder_ / ("x" + name)), content) << name;
}

TEST_F(ArchiveCommands, InputOfUnknownSizeAndSpecialFiles) {
  const std::string text = WalkText(50000);
  WriteFile(folder_ / "a", text);
  // From a pipe to a file, from a named pipe and from /dev/stdin, which is a link, where the target is given.
  EXPECT_EQ(RunScript(R"(cat a | "$PITH" -o 1 $TINY; "$PITH" -d 1 -o 2 $TINY; cmp a 2)").code, 0);
  EXPECT_EQ(RunScript(R"(mkfifo p; cat a >p & "$PITH" -c p $TINY >3; cmp 1 3)").code, 0);
  EXPECT_EQ(RunScript(R"(cat a | "$PITH" -c /dev/stdin $TINY | "$PITH" -d $TINY | cmp - a)").code, 0);
  EXPECT_EQ(RunScript(R"("$PITH" a -o /dev/null $TINY)").code, 0);
  EXPECT_TRUE(Exists("/dev/null"));
  EXPECT_EQ(RunScript(R"("$PITH" -d 1 -o /dev/stdout $TINY | cmp - a)").code, 0);
}

TEST_F(ArchiveCommands, BlocksAndStreamsAsAsked) {
  WriteFile(folder_ / "a", WalkText(40000));
  ASSERT_EQ(
      RunTiny({"a", "--block", "8K", "--streams", "3", "--window", "64", "--memory", "200M", "-T2"}).code, 0);
  const Json archive = Json::parse(Run({"-l", "--json", "a.pith"}).out)[0]["archives"][0];
  EXPECT_EQ(archive["window"], 64);
  EXPECT_GE(archive["blocks"].size(), 5u);
  EXPECT_EQ(archive["blocks"][0]["kind"], "model");
  EXPECT_EQ(archive["blocks"][0]["streams"], 3);
  EXPECT_EQ(archive["original_bytes"], 40000);
  EXPECT_EQ(RunTiny({"-t", "a.pith"}).code, 0);
}

TEST_F(ArchiveCommands, WithoutAdaptingTheModelStandsAlone) {
  std::string text;
  for (int i = 0; i < 200; ++i) text += "a line that comes again and again, number " + std::to_string(i % 7) + "\n";
  WriteFile(folder_ / "a", text);
  ASSERT_EQ(RunTiny({"a", "-o", "mixed.pith"}).code, 0);
  ASSERT_EQ(RunTiny({"a", "--plain", "--block", "4K", "-o", "alone.pith"}).code, 0);
  EXPECT_EQ(RunTiny({"-dc", "mixed.pith"}).out, text);
  EXPECT_EQ(RunTiny({"-dc", "alone.pith"}).out, text);
  EXPECT_EQ(RunTiny({"list", "alone.pith"}).out.find("adaptive"), std::string::npos);
  EXPECT_EQ(RunTiny({"list", "a", "--plain"}).code, 2);
}

TEST_F(ArchiveCommands, ThreadsDoNotShowInTheArchive) {
  WriteFile(folder_ / "a", WalkText(20000));
  for (const char* threads : {"1", "2", "4"}) {
    ASSERT_EQ(RunTiny({"-T", threads, "a", "-o", threads}).code, 0);
    EXPECT_EQ(ReadFile(folder_ / threads), ReadFile(folder_ / "1"));
  }
}

TEST_F(ArchiveCommands, QuietAndVerbose) {
  WriteFile(folder_ / "a", WalkText(2000));
  EXPECT_EQ(RunTiny({"-q", "a"}).err, "");
  const Ended ended = RunTiny({"-vf", "a"});
  EXPECT_NE(ended.err.find("fingerprint"), std::string::npos) << ended.err;
  EXPECT_NE(ended.err.find("bits a byte"), std::string::npos) << ended.err;
  EXPECT_EQ(RunTiny({"-tq", "a.pith"}).err, "");
}

}  // namespace
}  // namespace pith::test
