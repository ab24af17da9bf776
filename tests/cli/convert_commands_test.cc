// convert and inspect.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "process.h"
#include "tiny_checkpoint.h"

namespace pith::test {
namespace {

using Json = nlohmann::json;

class ConvertCommands : public ::testing::Test {
 protected:
  ConvertCommands() {
    setting_.folder = folder_.path();
    WriteTinyCheckpoint(folder_ / "tiny");
    WriteFile(folder_ / "tiny/generation_config.json", R"({"eos_token_id": 256})");
  }
  Ended Run(const std::vector<std::string>& args) const { return Pith(setting_, args); }
  void ExpectError(const Ended& ended, const std::string& part) const {
    EXPECT_EQ(ended.code, 1) << ended.err;
    EXPECT_NE(ended.err.find(part), std::string::npos) << ended.err;
    EXPECT_EQ(std::count(ended.err.begin(), ended.err.end(), '\n'), 1) << ended.err;
    EXPECT_TRUE(ended.err.starts_with("pith: ")) << ended.err;
  }
  // Nothing but the checkpoint is there.
  void ExpectNothingMade() const {
    EXPECT_EQ(folder_.Names(), std::vector<std::string>{"tiny"});
    EXPECT_EQ(TinyNames(), (std::vector<std::string>{"config.json", "generation_config.json",
                                                     "model.safetensors", "tokenizer.json"}));
  }
  std::vector<std::string> TinyNames() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder_ / "tiny")) {
      names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  Folder folder_;
  Setting setting_;
};

TEST_F(ConvertCommands, ConvertWritesAFileThatPithRuns) {
  Ended ended = Run({"convert", "tiny"});
  ASSERT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(folder_.Names(), (std::vector<std::string>{"tiny", "tiny.litertlm"}));
  EXPECT_NE(ended.err.find("tiny.litertlm : dynamic_int8 ("), std::string::npos) << ended.err;
  EXPECT_NE(ended.err.find("litert-lm run tiny.litertlm"), std::string::npos) << ended.err;
  const std::string file = ReadFile(folder_ / "tiny.litertlm");
  EXPECT_EQ(file.substr(0, 8), "LITERTLM");

  WriteFile(folder_ / "a", WalkText(3000));
  ASSERT_EQ(Run({"-q", "-T1", "-k", "a", "--model", "tiny.litertlm"}).code, 0);
  EXPECT_LT(ReadFile(folder_ / "a.pith").size(), 600u);
  ended = Run({"-dc", "-T1", "a.pith", "--model", "tiny.litertlm"});
  EXPECT_EQ(ended.out, WalkText(3000)) << ended.err;
}

TEST_F(ConvertCommands, ArchivesMadeWithAnImportedModelDecompress) {
  ASSERT_EQ(Run({"convert", "-q", "tiny"}).code, 0);
  ASSERT_EQ(Run({"import", "-q", "tiny", "-o", "tiny.pmodel", "--activations", "precise"}).code, 0);
  WriteFile(folder_ / "a", WalkText(2000));
  ASSERT_EQ(Run({"-q", "-T1", "-k", "a", "--model", "tiny.pmodel"}).code, 0);
  const Ended ended = Run({"-dc", "-T1", "a.pith", "--model", "tiny.litertlm"});
  EXPECT_EQ(ended.out, WalkText(2000)) << ended.err;
}

TEST_F(ConvertCommands, TheSameBytesEachTime) {
  ASSERT_EQ(Run({"convert", "-q", "tiny", "-o", "a.litertlm", "-T1"}).code, 0);
  ASSERT_EQ(Run({"convert", "-q", "tiny/", "-o", "b.litertlm", "-T2"}).code, 0);
  ASSERT_EQ(Run({"convert", "-q", "tiny/model.safetensors", "-o", "c.litertlm"}).code, 0);
  EXPECT_EQ(ReadFile(folder_ / "a.litertlm"), ReadFile(folder_ / "b.litertlm"));
  EXPECT_EQ(ReadFile(folder_ / "a.litertlm"), ReadFile(folder_ / "c.litertlm"));
  setting_.environment = {"SOURCE_DATE_EPOCH=1700000000"};
  ASSERT_EQ(Run({"convert", "-q", "tiny", "-o", "d.litertlm"}).code, 0);
  EXPECT_NE(ReadFile(folder_ / "d.litertlm").find("2023-11-14T22:13:20Z"), std::string::npos);
  setting_.environment = {"SOURCE_DATE_EPOCH=yesterday"};
  ExpectError(Run({"convert", "tiny", "-o", "e.litertlm"}), "SOURCE_DATE_EPOCH: 'yesterday'");
}

TEST_F(ConvertCommands, AnExistingTargetStays) {
  WriteFile(folder_ / "tiny.litertlm", "mine");
  ExpectError(Run({"convert", "tiny"}), "tiny.litertlm: already exists; not overwritten (use -f)");
  EXPECT_EQ(ReadFile(folder_ / "tiny.litertlm"), "mine");
  EXPECT_EQ(Run({"convert", "-q", "-f", "tiny"}).code, 0);
  EXPECT_NE(ReadFile(folder_ / "tiny.litertlm"), "mine");
}

TEST_F(ConvertCommands, TheCheckpointIsNeverReplaced) {
  const std::string weights = ReadFile(folder_ / "tiny/model.safetensors");
  for (const std::string name : {"model.safetensors", "config.json", "tokenizer.json"}) {
    ExpectError(Run({"convert", "tiny", "-o", "tiny/" + name}), "tiny/" + name);
    ExpectError(Run({"convert", "tiny", "-f", "-o", "tiny/" + name}),
                "tiny/" + name + ": is " + name + " of the checkpoint itself; not replaced");
    ExpectError(Run({"import", "tiny", "-f", "-o", "tiny/" + name}),
                "of the checkpoint itself; not replaced");
  }
  EXPECT_EQ(ReadFile(folder_ / "tiny/model.safetensors"), weights);
  ExpectNothingMade();
}

TEST_F(ConvertCommands, MistakesAreNamed) {
  ExpectError(Run({"convert", "tiny", "--quantize", "int8"}),
              "quantize 'int8', expected for litertlm: dynamic_int8, fp16, none, weight_only_int8, "
              "dynamic_int4_block32 or "
              "dynamic_int4_block128");
  ExpectError(Run({"convert", "tiny", "--prefill", "8,2000"}),
              "prefill length 2000, expected 1 to the length of the KV cache, 1280");
  ExpectError(Run({"convert", "tiny", "--quantize", "dynamic_int4_block128"}),
              "expected a multiple of the block of 128");
  EXPECT_NE(Run({"convert"}).code, 0);
  ExpectError(Run({"convert", "tiny", "-o", "x.gguf", "--prefill", "8"}),
              "prefill is kept in .litertlm files only; the format is gguf");
  EXPECT_NE(Run({"convert", "tiny", "--prefill", "8,,9"}).code, 0);
  EXPECT_NE(Run({"convert", "tiny", "--prefill", "-8"}).code, 0);
  ExpectError(Run({"convert", "nowhere"}), "nowhere: no such folder");
  ExpectError(Run({"convert", "Qwen/Nothing"}), "no such model in the Hugging Face cache");
  ExpectError(Run({"convert", "tiny/config.json"}), "is a file, expected a checkpoint folder");
  ExpectError(Run({"convert", "tiny", "-o", "no/such/folder/x.litertlm"}), "its folder does not exist");
  ExpectError(Run({"convert", "tiny", "-o", "tiny"}), "tiny: is a directory");
  ExpectNothingMade();
}

TEST_F(ConvertCommands, WithoutTokenizerThereIsNoFile) {
  std::filesystem::remove(folder_ / "tiny/tokenizer.json");
  ExpectError(Run({"convert", "tiny"}),
              "tiny: no tokenizer.json, without which a .litertlm file is of no use");
  EXPECT_EQ(folder_.Names(), std::vector<std::string>{"tiny"});
}

TEST_F(ConvertCommands, WithoutStopTokenThereIsNoFile) {
  std::filesystem::remove(folder_ / "tiny/generation_config.json");
  ExpectError(Run({"convert", "tiny"}), "no stop token");
  EXPECT_EQ(folder_.Names(), std::vector<std::string>{"tiny"});
  EXPECT_EQ(Run({"convert", "-q", "tiny", "--stop", "<|endoftext|>"}).code, 0);
}

TEST_F(ConvertCommands, OtherModelsAreRefusedByName) {
  Json config = Json::parse(ReadFile(folder_ / "tiny/config.json"));
  config["model_type"] = "llama";
  config["architectures"] = {"LlamaForCausalLM"};
  WriteFile(folder_ / "tiny/config.json", config.dump());
  ExpectError(Run({"convert", "tiny"}), "Llama is not yet supported");
  ExpectNothingMade();
}

TEST_F(ConvertCommands, TheReportIsATable) {
  const Ended ended = Run({"convert", "-q", "tiny", "--report"});
  ASSERT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(std::count(ended.out.begin(), ended.out.end(), '\n'), 15) << "a heading and 14 tensors\n"
                                                                      << ended.out;
  EXPECT_NE(ended.out.find("relative error"), std::string::npos);
  EXPECT_NE(ended.out.find("INT8 rows, [257, 32], model.embed_tokens.weight"), std::string::npos)
      << ended.out;
  EXPECT_NE(ended.out.find("FLOAT32, [32], model.norm.weight"), std::string::npos) << ended.out;
}

TEST_F(ConvertCommands, AFullDiskIsAnErrorAndLeavesNothing) {
  const Ended ended = Shell(setting_, R"(trap '' XFSZ; ulimit -f 8; "$PITH" convert tiny)");
  ExpectError(ended, "tiny.litertlm: cannot write: File too large");
  ExpectNothingMade();
  if (!Exists("/dev/full")) GTEST_SKIP() << "no /dev/full";
  ASSERT_EQ(Run({"convert", "-q", "tiny"}).code, 0);
  for (const char* script :
       {R"("$PITH" inspect tiny.litertlm >/dev/full)", R"("$PITH" inspect --json tiny.litertlm >/dev/full)",
        R"("$PITH" convert -q -f --report tiny >/dev/full)"}) {
    const Ended full = Shell(setting_, script);
    EXPECT_EQ(full.code, 1) << script;
    EXPECT_NE(full.err.find("No space left on device"), std::string::npos) << full.err;
  }
  ExpectError(Run({"convert", "-f", "tiny", "-o", "/dev/full"}),
              "/dev/full: is not a regular file; not replaced");
}

// ---- inspect

TEST_F(ConvertCommands, InspectShowsWhatIsInside) {
  ASSERT_EQ(Run({"convert", "-q", "tiny"}).code, 0);
  ASSERT_EQ(Run({"convert", "-q", "tiny", "--format", "gguf"}).code, 0);
  for (const std::string& file : {std::string("tiny.litertlm"), std::string("tiny.gguf"), TinyModel()}) {
    const Ended ended = Run({"inspect", file});
    EXPECT_EQ(ended.code, 0) << ended.err;
    EXPECT_EQ(ended.err, "");
    EXPECT_EQ(ended.out.substr(0, file.size()), file);
    const Ended more = Run({"inspect", "-v", file});
    EXPECT_GT(more.out.size(), ended.out.size());
  }
  const Ended ended = Run({"inspect", "tiny.litertlm"});
  for (const char* part :
       {"decode", "likewise prefill_", "FULLY_CONNECTED", "TFLite model", "<|endoftext|>", "INT8"}) {
    EXPECT_NE(ended.out.find(part), std::string::npos) << part << "\n" << ended.out;
  }
  EXPECT_EQ(ended.out.find("cannot run it"), std::string::npos);
  EXPECT_EQ(Run({"inspect", "tiny.gguf"}).out.find("cannot run it"), std::string::npos);
  ASSERT_EQ(Run({"convert", "-q", "tiny", "--format", "onnx"}).code, 0);
  EXPECT_NE(Run({"inspect", "tiny.onnx"}).out.find("pith cannot run it"), std::string::npos);
}

TEST_F(ConvertCommands, InspectWritesJson) {
  ASSERT_EQ(Run({"convert", "-q", "tiny", "--kv-cache-max-len", "20"}).code, 0);
  Ended ended = Run({"inspect", "--json", "tiny.litertlm", TinyModel()});
  ASSERT_EQ(ended.code, 0) << ended.err;
  const Json json = Json::parse(ended.out);
  ASSERT_EQ(json.size(), 2u);
  EXPECT_EQ(json[0]["file"], "tiny.litertlm");
  EXPECT_EQ(json[0]["format"], "litertlm");
  EXPECT_EQ(json[0]["loadable"], true);
  EXPECT_EQ(json[0]["bytes"], std::filesystem::file_size(folder_ / "tiny.litertlm"));
  EXPECT_EQ(json[0]["sections"].size(), 4u);
  std::vector<std::string> signatures;
  for (const Json& s : json[0]["signatures"]) signatures.push_back(s["name"]);
  EXPECT_EQ(signatures, (std::vector<std::string>{"prefill_8", "decode"}));
  EXPECT_EQ(json[1]["format"], "pmodel");

  // One that fails takes nothing from the others.
  ended = Run({"inspect", "--json", "missing", "tiny.litertlm"});
  EXPECT_EQ(ended.code, 1);
  EXPECT_EQ(ended.err, "pith: missing: no such file\n");
  EXPECT_EQ(Json::parse(ended.out).size(), 1u);
}

TEST_F(ConvertCommands, InspectOfOtherFiles) {
  ExpectError(Run({"inspect", "missing"}), "missing: no such file");
  WriteFile(folder_ / "text", "some text\n");
  ExpectError(Run({"inspect", "text"}),
              "text: no model file that this build knows: expected .litertlm, .tflite, GGUF, .onnx or .pmodel");
  WriteFile(folder_ / "empty", "");
  ExpectError(Run({"inspect", "empty"}), "empty: no model file");
  ExpectError(Run({"inspect", "tiny"}), "tiny");
  ASSERT_EQ(Run({"convert", "-q", "tiny"}).code, 0);
  const std::string file = ReadFile(folder_ / "tiny.litertlm");
  WriteFile(folder_ / "short", file.substr(0, file.size() - 1));
  ExpectError(Run({"inspect", "short"}), "short: section 3 (TFLite model): bytes");
  ExpectError(Run({"inspect", "short"}), "the file is cut short");
  std::string damaged = file;
  damaged[40] ^= 0x55;  // in the header
  WriteFile(folder_ / "damaged", damaged);
  const Ended ended = Run({"inspect", "damaged"});
  EXPECT_TRUE(ended.code == 0 || ended.err.starts_with("pith: damaged: ")) << ended.err;
}

// Names come from outside: what a terminal would obey is not printed.
TEST_F(ConvertCommands, InspectPrintsNoControlCharacters) {
  ExpectError(Run({"convert", "tiny", "--system", "a\x1b[31mred\x07"}), "control character");
  ASSERT_EQ(Run({"convert", "-q", "tiny"}).code, 0);
  std::string file = ReadFile(folder_ / "tiny.litertlm");
  for (const std::string text : {"1970-01-01T", "Authors", "decode"}) {
    for (size_t at = file.find(text); at != std::string::npos; at = file.find(text, at + 1)) {
      file.replace(at, 5, "\x1b[31m");
    }
  }
  file.replace(file.find("00:00:00Z"), 1, "\x07");
  WriteFile(folder_ / "other", file);
  for (const std::string option : {"-v", "--json"}) {
    const Ended ended = Run({"inspect", option, "other"});
    EXPECT_EQ(ended.code, 0) << ended.err;
    EXPECT_EQ(ended.out.find('\x1b'), std::string::npos);
    EXPECT_EQ(ended.out.find('\x07'), std::string::npos);
  }
}

}  // namespace
}  // namespace pith::test
