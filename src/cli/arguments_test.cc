#include "cli/arguments.h"

#include <gtest/gtest.h>

#include <array>

namespace pith::cli {
namespace {

Result<Arguments> Parse(const std::vector<std::string>& args) { return ParseArguments(args); }

Arguments Good(const std::vector<std::string>& args) {
  Result<Arguments> parsed = Parse(args);
  EXPECT_TRUE(parsed.ok()) << parsed.status().message();
  return parsed.ok() ? *parsed : Arguments();
}

std::string ErrorOf(const std::vector<std::string>& args) {
  const Result<Arguments> parsed = Parse(args);
  EXPECT_FALSE(parsed.ok());
  EXPECT_EQ(parsed.status().message().find('\n'), std::string::npos);
  return parsed.status().message();
}

TEST(Arguments, WithoutCommandPithCompresses) {
  const Arguments a = Good({"report.txt"});
  EXPECT_EQ(a.command, CommandId::kCompress);
  EXPECT_EQ(a.operands, std::vector<std::string>{"report.txt"});
}

TEST(Arguments, TheFirstOperandMayBeACommand) {
  EXPECT_EQ(Good({"decompress", "x.pith"}).command, CommandId::kDecompress);
  EXPECT_EQ(Good({"-q", "test", "x.pith"}).command, CommandId::kTest);
  const Arguments a = Good({"compress", "test", "list"});
  EXPECT_EQ(a.command, CommandId::kCompress);
  EXPECT_EQ(a.operands, (std::vector<std::string>{"test", "list"}));
}

TEST(Arguments, AFlagOrDashesMakeACommandWordAFile) {
  EXPECT_EQ(Good({"-d", "test"}).operands, std::vector<std::string>{"test"});
  EXPECT_EQ(Good({"--", "test"}).operands, std::vector<std::string>{"test"});
  EXPECT_EQ(Good({"./test"}).operands, std::vector<std::string>{"./test"});
}

TEST(Arguments, ZstdFlagsNameCommands) {
  EXPECT_EQ(Good({"-d", "x"}).command, CommandId::kDecompress);
  EXPECT_EQ(Good({"x", "-t"}).command, CommandId::kTest);
  EXPECT_EQ(Good({"-l", "x"}).command, CommandId::kList);
  EXPECT_EQ(Good({"-z", "x"}).command, CommandId::kCompress);
  EXPECT_EQ(Good({"--decompress", "x"}).command, CommandId::kDecompress);
  EXPECT_NE(ErrorOf({"-d", "-t", "x"}).find("two commands"), std::string::npos);
  EXPECT_NE(ErrorOf({"list", "-d", "x"}).find("two commands"), std::string::npos);
  EXPECT_EQ(Good({"decompress", "-d", "x"}).command, CommandId::kDecompress);
}

TEST(Arguments, ShortOptionsMayStandTogether) {
  const Arguments a = Good({"-dcfqT3", "x", "-"});
  EXPECT_EQ(a.command, CommandId::kDecompress);
  EXPECT_TRUE(a.to_stdout && a.force);
  EXPECT_EQ(a.verbosity, 0);
  EXPECT_EQ(a.threads, 3u);
  EXPECT_EQ(a.operands, (std::vector<std::string>{"x", "-"}));
}

TEST(Arguments, ValuesMayBeAttachedOrNot) {
  EXPECT_EQ(Good({"-T4", "x"}).threads, 4u);
  EXPECT_EQ(Good({"-T", "4", "x"}).threads, 4u);
  EXPECT_EQ(Good({"--threads=4", "x"}).threads, 4u);
  EXPECT_EQ(Good({"--threads", "4", "x"}).threads, 4u);
  EXPECT_EQ(Good({"-oy", "x"}).output, "y");
  EXPECT_EQ(Good({"x", "-o", "-y"}).output, "-y");
  EXPECT_EQ(Good({"--memory", "512M", "x"}).memory_bytes, uint64_t{512} << 20);
}

TEST(Arguments, PullTakesAModelAndModelsAVerb) {
  const Arguments pull = Good({"pull", "Qwen/Qwen3-0.6B", "--revision", "v1", "--file=x.gguf", "--offline", "--no-convert"});
  EXPECT_EQ(pull.command, CommandId::kPull);
  EXPECT_EQ(pull.revision, "v1");
  EXPECT_EQ(pull.file, "x.gguf");
  EXPECT_TRUE(pull.offline);
  EXPECT_FALSE(pull.convert);
  EXPECT_TRUE(Good({"pull", "a"}).convert);
  EXPECT_NE(ErrorOf({"pull"}).find("pull takes the name of one model"), std::string::npos);
  EXPECT_NE(ErrorOf({"pull", "a", "b"}).find("found 2"), std::string::npos);
  EXPECT_TRUE(Good({"models", "rm", "x", "--cache"}).cache);
  EXPECT_EQ(Good({"models", "path", "x"}).operands, (std::vector<std::string>{"path", "x"}));
  EXPECT_TRUE(Good({"models", "--json"}).json);
  EXPECT_NE(ErrorOf({"models", "x"}).find("models lists, or takes rm NAME or path NAME; found x"), std::string::npos);
  EXPECT_NE(ErrorOf({"models", "rm"}).find("takes one name, found 0"), std::string::npos);
  EXPECT_NE(ErrorOf({"models", "path", "x", "--cache"}).find("--cache goes with models rm"), std::string::npos);
  EXPECT_NE(ErrorOf({"models", "rm", "x", "--json"}).find("--json goes with the list"), std::string::npos);
  EXPECT_NE(ErrorOf({"convert", "x", "--offline"}).find("does not go with convert"), std::string::npos);
}

TEST(Arguments, FileNamesComeThroughUnchanged) {
  const std::vector<std::string> names = {"[draft]", "[a,b]", "{}", "%%", "a=b", "ä\n", "-"};
  EXPECT_EQ(Good(names).operands, names);
  EXPECT_EQ(Good({"--", "-x", "--", "-"}).operands, (std::vector<std::string>{"-x", "--", "-"}));
}

TEST(Arguments, TheLastOfKeepAndRemoveAndOfQuietAndVerboseWins) {
  EXPECT_TRUE(Good({"-k", "--rm", "x"}).remove);
  EXPECT_FALSE(Good({"--rm", "-k", "x"}).remove);
  EXPECT_EQ(Good({"-q", "-v", "x"}).verbosity, 2);
}

TEST(Arguments, LevelsAreDigitsAmongTheShortOptions) {
  EXPECT_EQ(Good({"x"}).level, 0u);
  EXPECT_EQ(Good({"-1", "x"}).level, 1u);
  EXPECT_EQ(Good({"-c2f", "x"}).level, 2u);
  EXPECT_EQ(Good({"--level=2", "-2", "x"}).level, 2u);
  EXPECT_EQ(Good({"-9", "--model", "m", "x"}).level, 9u);
  EXPECT_FALSE(Good({"-3", "x"}).uses_model());
  EXPECT_TRUE(Good({"-4", "x"}).uses_model());
  EXPECT_TRUE(Good({"x"}).uses_model());
  EXPECT_TRUE(Good({"--best-of", "x"}).best_of);
}

TEST(Arguments, MistakesAreNamed) {
  EXPECT_EQ(ErrorOf({"--forse", "x"}), "unknown option --forse; did you mean --force?");
  EXPECT_EQ(ErrorOf({"--qwertz", "x"}), "unknown option --qwertz; see pith --help");
  EXPECT_EQ(ErrorOf({"-0", "x"}), "-0: expected 1 (fast) to 9 (small); 6 is the default");
  EXPECT_EQ(ErrorOf({"--level", "12", "x"}),
            "--level: expected 1 (fast) to 9 (small); 6 is the default");
  EXPECT_EQ(ErrorOf({"-12", "x"}), "-2: two levels; one at a time");
  EXPECT_EQ(ErrorOf({"-1", "--model", "m", "x"}), "--model does not go with level 1, which uses no model");
  EXPECT_EQ(ErrorOf({"--plain", "-2", "x"}), "--plain does not go with level 2, which uses no model");
  EXPECT_EQ(ErrorOf({"-d1", "x"}), "-1 does not go with decompress");
  EXPECT_EQ(ErrorOf({"-y", "x"}), "unknown option -y; see pith --help");
  EXPECT_EQ(ErrorOf({"x", "-o"}), "-o needs a value: FILE");
  EXPECT_EQ(ErrorOf({"x", "--output="}), "--output: the value is empty, expected FILE");
  EXPECT_EQ(ErrorOf({"x", "--force=1"}), "--force takes no value");
  EXPECT_EQ(ErrorOf({"-T", "many", "x"}), "-T: 'many' is not a number from 0 to 65535");
  EXPECT_EQ(ErrorOf({"-T-1", "x"}), "-T: '-1' is not a number from 0 to 65535");
  EXPECT_EQ(ErrorOf({"--block", "8G", "x"}), "--block: 8G is above the limit of 4294967295 bytes");
  EXPECT_EQ(ErrorOf({"import", "d", "-o", "x", "--activations", "slow"}),
            "--activations: 'slow' is none of: fast auto precise");
}

TEST(Arguments, OptionsOfOtherCommandsAreRefused) {
  EXPECT_EQ(ErrorOf({"list", "--rm", "x"}), "--rm does not go with list");
  EXPECT_EQ(ErrorOf({"-d", "--streams", "4", "x"}), "--streams does not go with decompress");
  EXPECT_EQ(ErrorOf({"compress", "--json", "x"}), "--json does not go with compress");
}

TEST(Arguments, CombinationsWithoutMeaningAreRefused) {
  ErrorOf({"-o", "y", "a", "b"});
  ErrorOf({"-c", "-o", "y", "a"});
  ErrorOf({"-c", "--rm", "a"});
  ErrorOf({"--rm"});
  ErrorOf({"--rm", "-"});
  ErrorOf({"--verify", "-c", "a"});
  ErrorOf({"list"});
  ErrorOf({"eval"});
  ErrorOf({"eval", "builtin"});
  ErrorOf({"eval", "builtin", "--ids", "i.json"});
  ErrorOf({"eval", "builtin", "x", "--ids", "i.json", "--logits", "o.npy"});
  ErrorOf({"import", "d"});
  ErrorOf({"import", "-o", "x"});
  Good({"-c", "-o", "-", "a"});
  Good({"eval", "builtin", "--ids", "i.json", "--logits", "o.npy"});
}

TEST(Arguments, BenchDoesOneThingAtATime) {
  Good({"bench", "x", "--slice", "4K,1M", "--terminal"});
  Good({"bench", "--corpus", "calgary", "--codecs", "pith"});
  Good({"bench", "--report", "r.json", "-o", "d"});
  Good({"bench", "--compare", "a.json", "b.json"});
  Good({"bench", "--engine", "--model", "m", "--peers", "p"});
  EXPECT_EQ(ErrorOf({"bench"}), "bench needs files or folders: pith bench FILE...");
  EXPECT_EQ(ErrorOf({"bench", "--corpus", "foo"}), "--corpus: 'foo' is none of: canterbury calgary silesia enwik8 text8");
  EXPECT_EQ(ErrorOf({"bench", "--corpus", "calgary", "x"}), "x: --corpus and --engine take no files beside");
  EXPECT_EQ(ErrorOf({"bench", "--engine", "--compare", "a", "b"}),
            "--corpus, --report, --compare and --engine: one at a time");
  EXPECT_EQ(ErrorOf({"bench", "--compare", "a"}), "--compare takes two files, found 1: pith bench --compare A.json B.json");
  EXPECT_EQ(ErrorOf({"bench", "--report"}), "--report takes one file, found 0: pith bench --report results.json");
  EXPECT_EQ(ErrorOf({"bench", "--report", "r", "--repeat", "2"}), "--repeat does not go with --report");
  EXPECT_EQ(ErrorOf({"bench", "x", "--model", "m"}),
            "--model does not go with files; --codecs pith:model=FILE measures it on files");
}

TEST(Arguments, HelpAndVersionWinOverMistakesOfCombination) {
  EXPECT_TRUE(Good({"--help"}).help);
  EXPECT_FALSE(Good({"-h"}).named);
  const Arguments a = Good({"list", "--help"});
  EXPECT_TRUE(a.help);
  EXPECT_EQ(a.command, CommandId::kList);
  EXPECT_EQ(Good({"--version"}).command, CommandId::kVersion);
  EXPECT_EQ(Good({"-V"}).command, CommandId::kVersion);
}

TEST(ParseSize, KnowsUnits) {
  const std::array<std::pair<const char*, uint64_t>, 8> good = {{{"0", 0},
                                                                 {"1000", 1000},
                                                                 {"7B", 7},
                                                                 {"64k", 65536},
                                                                 {"64KiB", 65536},
                                                                 {"3M", 3u << 20},
                                                                 {"2GB", uint64_t{2} << 30},
                                                                 {"1T", uint64_t{1} << 40}}};
  for (const auto& [text, value] : good) {
    const Result<uint64_t> size = ParseSize(text);
    ASSERT_TRUE(size.ok()) << text;
    EXPECT_EQ(*size, value) << text;
  }
  for (const char* text :
       {"", "M", "-1", "1.5G", "1X", "1 M", "1MM", "99999999999999999999", "99999999999G"}) {
    EXPECT_FALSE(ParseSize(text).ok()) << text;
  }
}

TEST(NearestWord, FindsSlipsAndNothingElse) {
  const std::array<std::string_view, 3> words = {"compress", "decompress", "list"};
  EXPECT_EQ(NearestWord("compres", words), "compress");
  EXPECT_EQ(NearestWord("decompres", words), "decompress");
  EXPECT_EQ(NearestWord("lsit", words), "");
  EXPECT_EQ(NearestWord("lis", words), "list");
  EXPECT_EQ(NearestWord("report.txt", words), "");
}

}  // namespace
}  // namespace pith::cli
