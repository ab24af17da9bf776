// eval, import, version, help and completion.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <regex>

#include "process.h"
#include "tiny_checkpoint.h"

namespace pith::test {
namespace {

using Json = nlohmann::json;

class ModelCommands : public ::testing::Test {
 protected:
  ModelCommands() { setting_.folder = folder_.path(); }
  Ended Run(const std::vector<std::string>& args) const { return Pith(setting_, args); }

  Folder folder_;
  Setting setting_;
};

TEST_F(ModelCommands, EvalPrintsTheCodeLength) {
  const std::string text = WalkText(20000);
  WriteFile(folder_ / "a", text);
  WriteFile(folder_ / "b", WalkText(5000));
  Ended ended = Run({"eval", "-T1", TinyModel(), "a", "b"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(std::count(ended.out.begin(), ended.out.end(), '\n'), 4) << ended.out;

  ended = Run({"eval", "-T1", TinyModel(), "--json", "a"});
  const Json json = Json::parse(ended.out);
  ASSERT_EQ(json.size(), 1u);
  EXPECT_EQ(json[0]["file"], "a");
  EXPECT_EQ(json[0]["bytes"], 20000);
  EXPECT_EQ(json[0]["tokens"], 20000);
  EXPECT_NEAR(json[0]["bits_per_byte"].get<double>(), 1.0, 0.1) << "one of two at each step";
  ASSERT_EQ(Run({"-q", "-T1", "a", "--model", TinyModel()}).code, 0);
  const auto archive_bits = 8.0 * static_cast<double>(ReadFile(folder_ / "a.pith").size());
  EXPECT_NEAR(archive_bits, json[0]["bits"].get<double>() * 1.0005, 8 * 150) << "code length and header";

  ended = Run({"eval", "-T1", TinyModel(), "missing", "b"});
  EXPECT_EQ(ended.code, 1);
  EXPECT_EQ(ended.err, "pith: missing: no such file\n");
  EXPECT_NE(ended.out.find(" b\n"), std::string::npos);
  EXPECT_EQ(Run({"eval", "missing.pmodel", "a"}).code, 3);
}

TEST_F(ModelCommands, EvalWritesLogitsAsNumpyReadsThem) {
  WriteFile(folder_ / "ids.json", "[97, 99, 103,\n 256, 0]");
  Ended ended = Run({"eval", "-T1", TinyModel(), "--ids", "ids.json", "--logits", "out.npy"});
  ASSERT_EQ(ended.code, 0) << ended.err;
  const std::string npy = ReadFile(folder_ / "out.npy");
  ASSERT_EQ(npy.substr(0, 8), std::string("\x93NUMPY\x01\x00", 8));
  const size_t header = static_cast<unsigned char>(npy[8]) + 256u * static_cast<unsigned char>(npy[9]);
  EXPECT_EQ((10 + header) % 64, 0u);
  EXPECT_TRUE(std::regex_match(
      npy.substr(10, header),
      std::regex(R"(\{'descr': '<f4', 'fortran_order': False, 'shape': \(5, 257\), \} *\n)")))
      << npy.substr(10, header);
  ASSERT_EQ(npy.size(), 10 + header + 5 * 257 * 4);
  const auto logit = [&](size_t row, size_t id) {
    float value = 0;
    std::memcpy(&value, npy.data() + 10 + header + (row * 257 + id) * 4, 4);
    return value;
  };
  // After 'a' (state 0) come 'a' and 'b', after 'c' (state 2) 'e' and 'f', nothing else.
  for (size_t id = 0; id < 257; ++id) {
    EXPECT_EQ(logit(0, id) > 5, id == 'a' || id == 'b') << id << " " << logit(0, id);
    EXPECT_EQ(logit(1, id) > 5, id == 'e' || id == 'f') << id << " " << logit(1, id);
    EXPECT_FALSE(std::isnan(logit(4, id)));
  }

  ended = Run({"eval", "-T1", TinyModel(), "--ids", "ids.json", "--logits", "out.npy"});
  EXPECT_EQ(ended.code, 1);
  EXPECT_EQ(ended.err, "pith: out.npy: already exists; not overwritten (use -f)\n");
  EXPECT_EQ(
      Run({"eval", "-T1", TinyModel(), "--ids", "ids.json", "--logits", "out.npy", "-f", "--window", "20"})
          .code,
      0);
  EXPECT_EQ(ReadFile(folder_ / "out.npy"), npy);
}

TEST_F(ModelCommands, EvalRefusesIdsThatAreNone) {
  for (const char* ids :
       {"", "{", "{}", "3", "[]", "[-1]", "[1.5]", "[\"a\"]", "[257]", "[4294967296]", "[[1]]", "[1] [2]"}) {
    WriteFile(folder_ / "ids.json", ids);
    const Ended ended = Run({"eval", "-T1", TinyModel(), "--ids", "ids.json", "--logits", "out.npy"});
    EXPECT_EQ(ended.code, 1) << ids;
    EXPECT_TRUE(ended.err.starts_with("pith: ids.json: ")) << ended.err;
    EXPECT_EQ(std::count(ended.err.begin(), ended.err.end(), '\n'), 1) << ended.err;
    EXPECT_FALSE(Exists(folder_ / "out.npy"));
  }
}

TEST_F(ModelCommands, ImportMakesAModelThatWorks) {
  WriteTinyCheckpoint(folder_ / "checkpoint");
  Ended ended = Run({"import", "checkpoint", "-o", "m.pmodel", "-v", "--name", "my model"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_NE(ended.err.find("m.pmodel : my model, "), std::string::npos) << ended.err;
  EXPECT_NE(ended.err.find("fingerprint "), std::string::npos) << ended.err;
  EXPECT_NE(ended.out.find("one term everywhere"), std::string::npos) << ended.out;
  const std::string model = ReadFile(folder_ / "m.pmodel");

  ended = Run({"import", "checkpoint", "-o", "m.pmodel"});
  EXPECT_EQ(ended.code, 1);
  EXPECT_EQ(ended.err, "pith: m.pmodel: already exists; not overwritten (use -f)\n");
  EXPECT_EQ(
      Run({"import", "checkpoint/", "-o", "m.pmodel", "-f", "-q", "--activations", "precise", "-T1"}).code,
      0);
  EXPECT_NE(ReadFile(folder_ / "m.pmodel"), model) << "precise is another model";
  WriteFile(folder_ / "calibration", WalkText(1000));
  EXPECT_EQ(Run({"import", "checkpoint", "-o", "n.pmodel", "--calibration", "calibration"}).code, 0);

  WriteFile(folder_ / "a", WalkText(1000));
  ASSERT_EQ(Run({"-T1", "-N", "a", "--model", "m.pmodel"}).code, 0);
  EXPECT_NE(Run({"list", "a.pith"}).out.find("checkpoint, fingerprint"), std::string::npos)
      << "named after its folder";
  EXPECT_EQ(Run({"-t", "-T1", "a.pith", "--model", "m.pmodel"}).code, 0);
}

TEST_F(ModelCommands, ImportWithoutTokenizerGivesLogitsOnly) {
  WriteTinyCheckpoint(folder_ / "checkpoint");
  ASSERT_EQ(std::remove((folder_ / "checkpoint/tokenizer.json").c_str()), 0);
  std::string config = ReadFile(folder_ / "checkpoint/config.json");
  config.insert(1, "\"eos_token_id\": 256,");
  WriteFile(folder_ / "checkpoint/config.json", config);
  Ended ended = Run({"import", "checkpoint", "-o", "m.pmodel"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_NE(ended.err.find("no tokenizer.json"), std::string::npos) << ended.err;
  WriteFile(folder_ / "ids.json", "[1, 2]");
  EXPECT_EQ(Run({"eval", "m.pmodel", "--ids", "ids.json", "--logits", "out.npy"}).code, 0);
  ended = Run({"-c", "ids.json", "--model", "m.pmodel"});
  EXPECT_NE(ended.code, 0);
  EXPECT_NE(ended.err.find("has no tokenizer"), std::string::npos) << ended.err;
}

TEST_F(ModelCommands, ImportOfABadCheckpointLeavesNothing) {
  WriteTinyCheckpoint(folder_ / "good");
  const auto try_with = [&](const std::string& file, const std::string& content) {
    WriteTinyCheckpoint(folder_ / "bad");
    if (content.empty()) {
      std::remove((folder_ / ("bad/" + file)).c_str());
    } else {
      WriteFile(folder_ / ("bad/" + file), content);
    }
    const Ended ended = Run({"import", "bad", "-o", "m.pmodel"});
    EXPECT_EQ(ended.code, 1) << file << ": " << ended.err;
    EXPECT_TRUE(ended.err.starts_with("pith: bad")) << ended.err;
    EXPECT_EQ(std::count(ended.err.begin(), ended.err.end(), '\n'), 1) << ended.err;
    EXPECT_EQ(folder_.Names(), (std::vector<std::string>{"bad", "good"}));
  };
  const std::string weights = ReadFile(folder_ / "good/model.safetensors");
  try_with("config.json", "");
  try_with("config.json", "{}");
  try_with("config.json", "not JSON");
  try_with("tokenizer.json", "[]");
  try_with("model.safetensors", "");
  try_with("model.safetensors", weights.substr(0, weights.size() / 2));
  const Ended ended = Run({"import", "nowhere", "-o", "m.pmodel"});
  EXPECT_EQ(ended.code, 1);
  EXPECT_TRUE(ended.err.starts_with("pith: nowhere")) << ended.err;
}

TEST_F(ModelCommands, VersionSaysWhatMatters) {
  for (const std::vector<std::string>& args : {std::vector<std::string>{"--version"}, {"-V"}, {"version"}}) {
    const Ended ended = Run(args);
    EXPECT_EQ(ended.code, 0);
    EXPECT_TRUE(ended.out.starts_with("pith ")) << ended.out;
    for (const char* field : {"archive format", "arithmetic", "built-in model", "instruction set"}) {
      EXPECT_NE(ended.out.find(field), std::string::npos) << field;
    }
  }
}

TEST_F(ModelCommands, TheInstructionSetCanBeForced) {
  Setting setting = setting_;
  setting.environment = {"PITH_ISA=scalar"};
  EXPECT_NE(Pith(setting, {"--version"}).out.find("scalar"), std::string::npos);
  setting.environment = {"PITH_ISA=abacus"};
  WriteFile(folder_ / "a", WalkText(1000));
  const Ended ended = Pith(setting, {"-c", "a", "--model", TinyModel()});
  EXPECT_EQ(ended.code, 3) << ended.err;
  EXPECT_NE(ended.err.find("abacus"), std::string::npos) << ended.err;
}

TEST_F(ModelCommands, HelpGoesToStandardOutput) {
  for (const char* command :
       {"compress", "decompress", "test", "list", "eval", "import", "completion", "help", "version"}) {
    const Ended help = Run({"help", command});
    EXPECT_EQ(help.code, 0);
    EXPECT_EQ(help.err, "");
    EXPECT_TRUE(help.out.starts_with(std::string("Usage: pith ") + command)) << help.out;
    EXPECT_EQ(Run({command, "--help"}).out, help.out);
    EXPECT_EQ(Run({command, "-h"}).out, help.out);
  }
  EXPECT_EQ(Run({"help"}).out, Run({"--help"}).out);
  EXPECT_TRUE(Run({"help", "--man"}).out.find(".TH PITH 1") != std::string::npos);
}

TEST_F(ModelCommands, BashCompletesCommandsOptionsAndFiles) {
  if (Shell(setting_, "command -v bash").code != 0) GTEST_SKIP() << "no bash";
  WriteFile(folder_ / "a b.pith", "");
  WriteFile(folder_ / "c.txt", "");
  WriteFile(folder_ / "m.pmodel", "");
  const Folder script_folder;
  const auto complete = [&](const std::string& words) {
    const std::string script = "set -u; eval \"$($PITH completion bash)\"; COMP_WORDS=(" + words +
                               "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMPREPLY=(); _pith; "
                               "printf '%s|' \"${COMPREPLY[@]}\"";
    WriteFile(script_folder / "script", script);
    const Ended ended = Shell(setting_, "bash " + (script_folder / "script"));
    EXPECT_EQ(ended.code, 0) << ended.err;
    return "|" + ended.out;
  };
  EXPECT_EQ(complete("pith decomp"), "|decompress|");
  EXPECT_EQ(complete("pith decompress a"), "|a b.pith|");
  EXPECT_EQ(complete("pith -d \"\""), "|a b.pith|");
  EXPECT_EQ(complete("pith compress c"), "|c.txt|");
  EXPECT_EQ(complete("pith compress --ver"), "|--verify|--verbose|--version|");
  EXPECT_EQ(complete("pith list --"), "|--recursive|--json|--quiet|--verbose|--help|--version|");
  EXPECT_EQ(complete("pith compress --model m"), "|m.pmodel|");
  EXPECT_EQ(complete("pith compress --model b"), "|builtin|");
  EXPECT_EQ(complete("pith import x --activations p"), "|precise|");
  EXPECT_EQ(complete("pith completion z"), "|zsh|");
}

}  // namespace
}  // namespace pith::test
