// ConvertModel, InspectModel and .litertlm files in Model::Open.
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>

#include "base/file.h"
#include "convert/litertlm_test_files.h"
#include "pith/pith.h"

namespace pith {
namespace {

// A tokenizer for texts of "a", "b" and "c" is of no use to archives: the bytes and <|endoftext|>.
std::string ByteTokenizerJson() {
  std::string vocab;
  unsigned moved = 256;
  for (unsigned b = 0; b < 256; ++b) {
    const bool printable = (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
    const unsigned c = printable ? b : moved++;
    char escaped[8];
    std::snprintf(escaped, sizeof escaped, "\\u%04x", c);
    vocab += (b == 0 ? "\"" : ", \"") + std::string(escaped) + "\": " + std::to_string(b);
  }
  TestTokenizerJson json;
  json.vocab = "{" + vocab + "}";
  json.merges = "[]";
  json.added = R"([{"id": 256, "content": "<|endoftext|>", "special": true}])";
  return json.Text();
}

class Converted : public ::testing::Test {
 protected:
  Converted() {
    ModelConfig config = EncodingTestConfig(true);
    config.vocab = 257;
    const TestCheckpoint checkpoint = MakeCheckpoint(config, "BF16");
    checkpoint.Write(folder_);
    folder_.Write("config.json", checkpoint.ConfigText(",\"eos_token_id\":256"));
    folder_.Write("tokenizer.json", ByteTokenizerJson());
  }
  Result<ConvertModelResult> Convert(const std::string& name, ConvertModelOptions options = {},
                                     const ConvertModelProgressCallback& progress = {}) {
    if (options.format.empty() && !name.ends_with(".gguf") && !name.ends_with(".onnx")) options.kv_cache_max_len = 16;
    if (options.name.empty()) options.name = "test";
    return ConvertModel(folder_.path(), out_.File(name), options, progress);
  }
  void Import(const std::string& name) {
    const auto imported =
        ImportModel(folder_.path(), out_.File(name), {.name = "test", .activations = "precise"}, {});
    ASSERT_TRUE(imported.ok()) << imported.status().message();
  }
  Model Open(const std::string& name) {
    Result<Model> model = Model::Open(out_.File(name), {.threads = 2});
    EXPECT_TRUE(model.ok()) << model.status().message();
    return *std::move(model);
  }
  void ExpectRefused(const ConvertModelOptions& options, StatusCode code, const std::string& message) {
    const Status status = ConvertModel(folder_.path(), out_.File("x"), options, {}).status();
    EXPECT_EQ(status.code(), code);
    EXPECT_NE(status.message().find(message), std::string::npos) << status.message();
    EXPECT_EQ(out_.n_entries(), 0u);
  }

  TestFolder folder_;
  TestFolder out_;
};

TEST_F(Converted, ArgumentErrorsListWhatIsExpected) {
  const StatusCode invalid = StatusCode::kInvalidArgument;
  ExpectRefused({.quantize = "int8"}, invalid,
                "quantize 'int8', expected for litertlm: dynamic_int8, fp16, none, weight_only_int8, "
                "dynamic_int4_block32 "
                "or dynamic_int4_block128");
  ExpectRefused({.format = "gguf", .quantize = "dynamic_int8"}, invalid,
                "quantize 'dynamic_int8', expected for gguf: q8_0, f16 or q4_0");
  ExpectRefused({.format = "pmodel"}, invalid, "format 'pmodel', expected litertlm, gguf");
  ExpectRefused({.kv_cache_max_len = 0}, invalid, "kv-cache-max-len: 0, expected 1 to 1048576");
  ExpectRefused({.kv_cache_max_len = 16, .prefill = {17}}, invalid, "prefill length 17");
  ExpectRefused({.kv_cache_max_len = 16, .prefill = {0}}, invalid, "prefill length 0");
  ExpectRefused({.kv_cache_max_len = 16, .prefill = {4, 4}}, invalid, "prefill length 4 twice");
  ExpectRefused({.metadata = "gemma"}, invalid, "metadata 'gemma', expected qwen3 or generic");
  ExpectRefused({.activations = "quick"}, invalid, "activations: 'quick', expected fast, auto or precise");
  EXPECT_TRUE(ConvertEncodings("pmodel").empty());
  EXPECT_EQ(ConvertEncodings("litertlm").front(), "dynamic_int8");
  std::filesystem::remove(folder_.File("tokenizer.json"));
  ExpectRefused({}, StatusCode::kUnsupported,
                "no tokenizer.json, without which a .litertlm file is of no use");
}

TEST_F(Converted, TheEndingOfTheNameSaysTheFormat) {
  EXPECT_EQ(Convert("x.litertlm")->format, "litertlm");
  EXPECT_EQ(Convert("x.gguf")->format, "gguf");
  EXPECT_EQ(Convert("x")->format, "litertlm");
  EXPECT_EQ(Convert("x2.gguf", {.format = "litertlm"})->format, "litertlm");
  EXPECT_EQ(Convert("x.gguf").status().code(), StatusCode::kAlreadyExists);
  EXPECT_TRUE(Convert("x.gguf", {.replace = true}).ok());
}

TEST_F(Converted, IsTheModelThatImportMakes) {
  Import("m.pmodel");
  const Model imported = Open("m.pmodel");
  for (const char* quantize : {"dynamic_int8", "weight_only_int8", "none"}) {
    SCOPED_TRACE(quantize);
    const auto converted = Convert("m.litertlm", {.quantize = quantize, .replace = true});
    ASSERT_TRUE(converted.ok()) << converted.status().message();
    const Model model = Open("m.litertlm");
    EXPECT_EQ(model.info().fingerprint, imported.info().fingerprint);
    EXPECT_EQ(model.info().name, "test");
    EXPECT_EQ(model.info().max_positions, imported.info().max_positions);
    EXPECT_EQ(model.info().activations, "precise");
    const bool known = std::string(quantize) != "none";
    EXPECT_EQ(converted->fingerprint, known ? imported.info().fingerprint : "");
    const Result<std::string> read = ReadModelFingerprint(out_.File("m.litertlm"));
    ASSERT_TRUE(read.ok()) << read.status().message();
    EXPECT_EQ(*read, converted->fingerprint);
  }
}

TEST_F(Converted, GivesTheSameLogitsToTheBit) {
  Import("m.pmodel");
  ASSERT_TRUE(Convert("m.litertlm").ok());
  std::vector<uint32_t> ids(150);
  for (size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<uint32_t>(i * i % 257);
  std::vector<std::vector<float>> rows[2];
  for (const int which : {0, 1}) {
    Model model = Open(which == 0 ? "m.pmodel" : "m.litertlm");
    const Status status = EvaluateLogits(model, ids, 0, [&](size_t, std::span<const float> row) {
      rows[which].emplace_back(row.begin(), row.end());
      return OkStatus();
    });
    ASSERT_TRUE(status.ok()) << status.message();
  }
  ASSERT_EQ(rows[0].size(), ids.size());
  for (size_t i = 0; i < ids.size(); ++i) {
    ASSERT_EQ(std::memcmp(rows[0][i].data(), rows[1][i].data(), rows[0][i].size() * sizeof(float)), 0) << i;
  }
}

TEST_F(Converted, DecompressesWhatImportCompressed) {
  Import("m.pmodel");
  ASSERT_TRUE(Convert("m.litertlm").ok());
  ASSERT_TRUE(Convert("m.gguf", {.quantize = "f16"}).ok());
  const std::string text = "some text, and some more text of the same kind";
  for (const auto& [from, to] :
       {std::pair("m.pmodel", "m.litertlm"), std::pair("m.litertlm", "m.gguf"), std::pair("m.gguf", "m.pmodel")}) {
    Model compressor = Open(from);
    Model decompressor = Open(to);
    MemorySource source(AsBytes(text));
    MemorySink archive;
    const auto compressed = Compress(compressor, source, archive, {.allow_short = false}, nullptr);
    ASSERT_TRUE(compressed.ok()) << compressed.status().message();
    MemorySource again(archive.bytes);
    MemorySink sink;
    const auto restored =
        Decompress([&](const std::string&, const std::string&) -> Result<Model*> { return &decompressor; },
                   again, sink, {}, nullptr);
    ASSERT_TRUE(restored.ok()) << restored.status().message();
    EXPECT_EQ(AsText(sink.bytes), text);
  }
}

TEST_F(Converted, MeasuresTermsAsImportDoes) {
  const auto imported =
      ImportModel(folder_.path(), out_.File("m.pmodel"), {.name = "test", .activations = "auto"}, {});
  ASSERT_TRUE(imported.ok()) << imported.status().message();
  const auto converted = Convert("m.litertlm", {.activations = "auto"});
  ASSERT_TRUE(converted.ok()) << converted.status().message();
  EXPECT_EQ(converted->fingerprint, imported->model.fingerprint);
  EXPECT_EQ(Open("m.litertlm").info().fingerprint, imported->model.fingerprint);
}

TEST_F(Converted, CanBeCancelled) {
  const auto result = Convert("m.litertlm", {}, [](const ConvertModelProgress&) { return false; });
  EXPECT_EQ(result.status().code(), StatusCode::kCancelled);
  EXPECT_EQ(out_.n_entries(), 0u);
}

// The output would take the place of what it is made from.
TEST_F(Converted, NeverReplacesTheCheckpoint) {
  const std::string weights = ReadFileText(folder_.File("model.safetensors"));
  std::filesystem::create_symlink(folder_.File("model.safetensors"), out_.File("link.litertlm"));
  for (const std::string& output :
       {folder_.File("model.safetensors"), folder_.path() + "/./model.safetensors",
        folder_.File("config.json"), folder_.File("tokenizer.json"), out_.File("link.litertlm")}) {
    for (const bool replace : {false, true}) {
      const Status converted = ConvertModel(folder_.path(), output, {.replace = replace}, {}).status();
      EXPECT_EQ(converted.code(), StatusCode::kInvalidArgument) << converted.message();
      EXPECT_NE(converted.message().find("of the checkpoint itself; not replaced"), std::string::npos)
          << converted.message();
      EXPECT_EQ(ImportModel(folder_.path(), output, {.activations = "fast", .replace = replace}, {})
                    .status()
                    .code(),
                StatusCode::kInvalidArgument);
    }
  }
  EXPECT_EQ(ReadFileText(folder_.File("model.safetensors")), weights);
  // An earlier result in the same folder is no part of it.
  for (const bool replace : {false, true}) {
    EXPECT_TRUE(ConvertModel(folder_.path(), folder_.File("x.litertlm"), {.replace = replace}, {}).ok());
    EXPECT_TRUE(ConvertModel(folder_.path(), folder_.File("x.onnx"), {.replace = replace}, {}).ok());
  }
}

// ---- Model::Open

TEST_F(Converted, DamagedFilesAreNamed) {
  ASSERT_TRUE(Convert("m.litertlm").ok());
  std::string file = ReadFileText(out_.File("m.litertlm"));
  file[file.size() - 40] ^= 1;  // in the final norm
  out_.Write("damaged.litertlm", file);
  const Status status = Model::Open(out_.File("damaged.litertlm"), {}).status();
  EXPECT_EQ(status.code(), StatusCode::kCorrupt);
  EXPECT_TRUE(status.message().starts_with(out_.File("damaged.litertlm") + ": content has the fingerprint "))
      << status.message();
  out_.Write("short.litertlm", file.substr(0, file.size() - 1));
  EXPECT_NE(Model::Open(out_.File("short.litertlm"), {}).status().message().find("the file is cut short"),
            std::string::npos);
}

// ---- InspectModel

const std::string* FieldOf(const InspectedModel& m, const std::string& name) {
  for (const InspectedField& f : m.fields) {
    if (f.name == name) return &f.value;
  }
  return nullptr;
}

TEST_F(Converted, InspectShowsEachFormat) {
  Import("m.pmodel");
  ASSERT_TRUE(Convert("m.litertlm").ok());
  ASSERT_TRUE(Convert("m.gguf").ok());
  const auto litertlm = InspectModel(out_.File("m.litertlm"));
  ASSERT_TRUE(litertlm.ok()) << litertlm.status().message();
  EXPECT_EQ(litertlm->format, "litertlm");
  EXPECT_EQ(litertlm->not_loadable, "");
  EXPECT_EQ(litertlm->file_bytes, std::filesystem::file_size(out_.File("m.litertlm")));
  EXPECT_EQ(litertlm->sections.size(), 4u);
  ASSERT_EQ(litertlm->signatures.size(), 2u);  // prefill_8: longer ones do not fit the cache
  EXPECT_EQ(litertlm->signatures.back().name, "decode");
  EXPECT_EQ(litertlm->signatures.back().inputs[0].name, "input_pos");
  ASSERT_NE(FieldOf(*litertlm, "pith fingerprint"), nullptr);
  EXPECT_EQ(*FieldOf(*litertlm, "pith fingerprint"), Open("m.pmodel").info().fingerprint);
  EXPECT_EQ(*FieldOf(*litertlm, "layers"), "2");
  EXPECT_EQ(*FieldOf(*litertlm, "rope base"), "10000");
  EXPECT_FALSE(litertlm->operators.empty());
  EXPECT_FALSE(litertlm->tensors.empty());

  const auto pmodel = InspectModel(out_.File("m.pmodel"));
  ASSERT_TRUE(pmodel.ok()) << pmodel.status().message();
  EXPECT_EQ(pmodel->format, "pmodel");
  EXPECT_EQ(pmodel->not_loadable, "");
  EXPECT_EQ(*FieldOf(*pmodel, "pith fingerprint"), *FieldOf(*litertlm, "pith fingerprint"));

  const auto gguf = InspectModel(out_.File("m.gguf"));
  ASSERT_TRUE(gguf.ok()) << gguf.status().message();
  EXPECT_EQ(gguf->format, "gguf");
  EXPECT_EQ(gguf->not_loadable, "");

  const std::string file = ReadFileText(out_.File("m.litertlm"));
  const auto& section = litertlm->sections.back();
  out_.Write("m.tflite", file.substr(section.begin, section.end - section.begin));
  const auto tflite = InspectModel(out_.File("m.tflite"));
  ASSERT_TRUE(tflite.ok()) << tflite.status().message();
  EXPECT_EQ(tflite->format, "tflite");
  EXPECT_EQ(tflite->signatures.size(), litertlm->signatures.size());
  EXPECT_NE(tflite->not_loadable, "") << "Model::Open takes the container only";
  EXPECT_FALSE(Model::Open(out_.File("m.tflite"), {}).ok());
}

TEST_F(Converted, AGgufFileIsTheModelOfImport) {
  Import("m.pmodel");
  ASSERT_TRUE(Convert("m.gguf", {.quantize = "f16"}).ok());
  const Model model = Open("m.gguf");
  EXPECT_EQ(model.info().name, "test");
  EXPECT_EQ(model.info().fingerprint, Open("m.pmodel").info().fingerprint);  // F16 holds the values exactly
  EXPECT_EQ(model.info().activations, "precise");
  EXPECT_TRUE(model.info().has_tokenizer);
  EXPECT_EQ(model.info().vocab, 257u);
  EXPECT_EQ(model.info().file_bytes, std::filesystem::file_size(out_.File("m.gguf")));
  const Result<std::string> fingerprint = ReadModelFingerprint(out_.File("m.gguf"));
  ASSERT_TRUE(fingerprint.ok()) << fingerprint.status().message();
  EXPECT_EQ(*fingerprint, "");  // in the content alone
  const auto inspected = InspectModel(out_.File("m.gguf"));
  ASSERT_TRUE(inspected.ok()) << inspected.status().message();
  EXPECT_EQ(inspected->not_loadable, "");
}

TEST_F(Converted, GgufFilesThatCannotBeLoadedSayWhy) {
  ASSERT_TRUE(Convert("m.gguf").ok());
  const std::string file = ReadFileText(out_.File("m.gguf"));
  const auto replaced = [&](const std::string& from, const std::string& to) {
    std::string text = file;
    const size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos);
    return text.replace(at, to.size(), to);
  };
  for (const auto& [text, message] :
       {std::pair(replaced("qwen3", "llama"),
                  "general.architecture: found \"llama\", expected \"qwen3\": pith does not run others yet"),
        std::pair(replaced("qwen2", "qwen9"), "tokenizer.ggml.pre: found \"qwen9\", expected \"qwen2\"")}) {
    out_.Write("other.gguf", text);
    const auto inspected = InspectModel(out_.File("other.gguf"));
    ASSERT_TRUE(inspected.ok()) << inspected.status().message();
    EXPECT_EQ(inspected->not_loadable, message);
    EXPECT_EQ(Model::Open(out_.File("other.gguf"), {}).status().message(), out_.File("other.gguf") + ": " + message);
  }
  out_.Write("short.gguf", file.substr(0, file.size() - 40));
  EXPECT_EQ(Model::Open(out_.File("short.gguf"), {}).status().code(), StatusCode::kCorrupt);
}

// What inspect says of loading is what Model::Open finds.
TEST_F(Converted, InspectSaysWhyAFileCannotBeLoaded) {
  ASSERT_TRUE(Convert("m.litertlm").ok());
  std::vector<TestSection> sections = SectionsOf(ToBytes(ReadFileText(out_.File("m.litertlm"))));
  sections.push_back({LitertlmSectionType::kTfliteWeights, {}, {}});
  out_.Write("weights.litertlm", AsText(LitertlmFileOf(sections)));
  const auto inspected = InspectModel(out_.File("weights.litertlm"));
  ASSERT_TRUE(inspected.ok()) << inspected.status().message();
  EXPECT_EQ(inspected->not_loadable, "weights in a section of their own");
  EXPECT_FALSE(Model::Open(out_.File("weights.litertlm"), {}).ok());
}

TEST_F(Converted, InspectRefusesWhatIsNoModel) {
  EXPECT_EQ(InspectModel(out_.File("missing")).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(InspectModel(out_.path()).status().code(), StatusCode::kInvalidArgument);
  for (const std::string text : {"", "some text", "GGU"}) {
    out_.Write("x", text);
    const Status status = InspectModel(out_.File("x")).status();
    EXPECT_EQ(status.code(), StatusCode::kUnsupported);
    EXPECT_EQ(status.message(),
              out_.File("x") +
                  ": no model file that this build knows: expected .litertlm, .tflite, GGUF, .onnx or .pmodel");
  }
  ASSERT_TRUE(Convert("m.litertlm").ok());
  const std::string file = ReadFileText(out_.File("m.litertlm"));
  for (size_t n = 8; n < file.size(); n += 997) {
    out_.Write("x", file.substr(0, n));
    EXPECT_EQ(InspectModel(out_.File("x")).status().code(), StatusCode::kCorrupt) << n;
  }
}

}  // namespace
}  // namespace pith
