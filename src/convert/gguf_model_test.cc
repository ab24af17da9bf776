#include "convert/gguf_model.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <set>
#include <thread>

#include "convert/ggml_quants.h"
#include "convert/gguf_test_files.h"
#include "convert/import.h"
#include "convert/test_tokenizer_json.h"

namespace pith {
namespace {

const Bytes kTokenizer = {'t', 'o', 'k'};

Result<std::unique_ptr<GgufModel>> ModelOf(ByteSpan file) {
  PITH_ASSIGN_OR_RETURN(std::unique_ptr<GgufFile> parsed, GgufFile::FromMemory(file, "file"));
  return GgufModel::FromFile(std::move(parsed));
}

Result<std::unique_ptr<Package>> PackageOf(const GgufModel& model, size_t n_threads = 2) {
  ThreadPool pool(n_threads);
  return model.ToPackage(kTokenizer, "test", 1, ActivationTerms::Precise(model.config().n_layers), pool);
}

// The fingerprint of the weights, or what is wrong.
std::string FingerprintOf(ByteSpan file) {
  const auto model = ModelOf(file);
  if (!model.ok()) return model.status().message();
  const auto package = PackageOf(**model);
  return package.ok() ? (*package)->fingerprint().Text() : package.status().message();
}

// That of `pith import --activations precise`.
std::string ImportedFingerprint(const std::string& folder) {
  const TestFolder out;
  ThreadPool pool(2);
  ImportOptions options;
  options.name = "test";
  options.activations = Activations::kPrecise;
  options.tokenizer = kTokenizer;
  options.start_token = 1;
  const auto report =
      ImportCheckpoint(folder, out.File("m.pmodel"), options, pool, KernelsFor(AvailableIsas().back()));
  return report.ok() ? report->fingerprint.Text() : report.status().message();
}

void Export(const std::string& folder_path, const std::string& out, GgufType type) {
  ThreadPool pool(2);
  const auto folder = ModelFolder::Open(folder_path);
  ASSERT_TRUE(folder.ok()) << folder.status().message();
  const auto report = ExportGguf(**folder, out, {.type = type}, {.name = "exported"}, pool);
  ASSERT_TRUE(report.ok()) << report.status().message();
}

void ExpectRefused(const GgufFileOf& file, StatusCode code, const std::string& message) {
  const Bytes bytes = file.Encode();
  const Status status = ModelOf(bytes).status();
  EXPECT_EQ(status.code(), code) << message;
  EXPECT_NE(status.message().find(message), std::string::npos) << status.message();
}

TEST(GgufModel, HoldsWhatWasExported) {
  for (const bool tied : {true, false}) {
    const TestFolder folder;
    const TestCheckpoint checkpoint = MakeCheckpoint(GgufModelConfig(tied), "BF16");
    checkpoint.Write(folder);
    folder.Write("tokenizer.json", TestTokenizerJson().Text());
    folder.Write("chat_template.jinja", "{{ x }}");
    folder.Write("generation_config.json",
                 R"({"eos_token_id": [5, 3], "pad_token_id": 4, "bos_token_id": 2})");
    Export(folder.path(), folder.File("x.gguf"), GgufType::kF16);
    const auto model = GgufModel::Open(folder.File("x.gguf"));
    ASSERT_TRUE(model.ok()) << model.status().message();
    EXPECT_EQ((*model)->config(), checkpoint.config);
    EXPECT_EQ((*model)->context_length(), 100u);
    EXPECT_EQ((*model)->name(), "exported");
    EXPECT_EQ((*model)->chat_template(), "{{ x }}");
    EXPECT_TRUE((*model)->has_tokenizer());
    EXPECT_EQ((*model)->special_tokens().bos, 2u);
    EXPECT_EQ((*model)->special_tokens().eos, 5u);
    EXPECT_EQ((*model)->special_tokens().padding, 4u);
    EXPECT_EQ((*model)->special_tokens().eot, std::nullopt);
    EXPECT_FALSE((*model)->special_tokens().add_bos);
    EXPECT_EQ((*model)->tensors().size(), CanonicalTensors(checkpoint.config).size());
    const auto package = PackageOf(**model);
    ASSERT_TRUE(package.ok()) << package.status().message();
    // Seven bits and few exponents: F16 holds them all.
    EXPECT_EQ((*package)->fingerprint().Text(), ImportedFingerprint(folder.path()));
    EXPECT_TRUE((*package)->VerifyFingerprint().ok());
    EXPECT_EQ((*package)->size_bytes(), std::filesystem::file_size(folder.File("x.gguf")));
    EXPECT_EQ(AsText((*package)->tokenizer()), "tok");
  }
}

TEST(GgufModel, ThreadsChangeNothing) {
  const Bytes file = GgufFileOf(MakeCheckpoint(GgufModelConfig(false), "F32")).Encode();
  const auto model = ModelOf(file);
  ASSERT_TRUE(model.ok()) << model.status().message();
  const auto one = PackageOf(**model, 1);
  ASSERT_TRUE(one.ok());
  for (const size_t n : {2, 3, 5}) {
    const auto package = PackageOf(**model, n);
    ASSERT_TRUE(package.ok());
    EXPECT_EQ((*package)->fingerprint(), (*one)->fingerprint());
  }
}

// 37 rows are no whole panel.
TEST(GgufModel, RowsAreThoseOfImportFromTheDecodedValues) {
  const TestCheckpoint checkpoint = MakeCheckpoint(GgufModelConfig(false), "F32");
  for (const GgufEncoding encoding : {GgufEncoding::kQ8_0, GgufEncoding::kQ4_0, GgufEncoding::kF16}) {
    GgufFileOf file(checkpoint);
    TestCheckpoint decoded = checkpoint;
    for (size_t i = 0; i < file.tensors.size(); ++i) {
      GgufFileOf::Tensor& t = file.tensors[i];
      std::vector<float>& values = decoded.tensors[i].values;
      if (t.shape.size() != 2) continue;
      t.encoding = encoding;
      t.data.assign(values.size() / t.shape[1] * GgufRowBytes(encoding, t.shape[1]), 0);
      if (encoding == GgufEncoding::kQ8_0) {
        ASSERT_EQ(EncodeQ8Row(values, t.data.data()), std::nullopt);
        DecodeQ8Row(t.data.data(), values);
      } else if (encoding == GgufEncoding::kQ4_0) {
        ASSERT_EQ(EncodeQ4Row(values, t.data.data()), std::nullopt);
        DecodeQ4Row(t.data.data(), values);
      } else {
        ASSERT_EQ(EncodeF16(values, t.data.data()), std::nullopt);
        DecodeF16(t.data.data(), values);
      }
    }
    const TestFolder folder;
    decoded.Write(folder);
    EXPECT_EQ(FingerprintOf(file.Encode()), ImportedFingerprint(folder.path())) << GgufEncodingName(encoding);
  }
}

// Panels are packed several at a time: 64 KiB, here of 144 bytes.
TEST(GgufModel, TheFingerprintIsThatOfTheContentForEveryNumberOfPanels) {
  for (const size_t vocab : {15, 16, 17, 455 * 16, 455 * 16 + 1, 3 * 455 * 16 - 1}) {
    ModelConfig config = TestConfig(false);
    config.vocab = vocab;
    const Bytes file = GgufFileOf(MakeCheckpoint(config, "F32")).Encode();
    const auto model = ModelOf(file);
    ASSERT_TRUE(model.ok()) << model.status().message();
    for (const size_t n_threads : {1, 3}) {
      const auto package = PackageOf(**model, n_threads);
      ASSERT_TRUE(package.ok()) << package.status().message();
      EXPECT_TRUE((*package)->VerifyFingerprint().ok()) << vocab << " rows, " << n_threads << " threads";
    }
  }
}

TEST(GgufModel, TheContentMayBeHashedWhileItIsPacked) {
  const Bytes file = GgufFileOf(MakeCheckpoint(GgufModelConfig(false), "F32")).Encode();
  const auto model = ModelOf(file);
  ASSERT_TRUE(model.ok()) << model.status().message();
  const std::string expected = FingerprintOf(file);
  ThreadPool pool(2);
  const ActivationTerms terms = ActivationTerms::Precise((*model)->config().n_layers);
  for (int i = 0; i < 20; ++i) {
    const auto packer = (*model)->NewPacker(terms, pool);
    ASSERT_TRUE(packer.ok());
    std::thread hashing([&] { EXPECT_TRUE((*packer)->Hash(1, kTokenizer).ok()); });
    const Status packed = (*model)->Pack(**packer);
    hashing.join();
    ASSERT_TRUE(packed.ok()) << packed.message();
    const auto package = (*model)->Finish(**packer, kTokenizer, "test", 1);
    ASSERT_TRUE(package.ok()) << package.status().message();
    EXPECT_EQ((*package)->fingerprint().Text(), expected);
  }
}

TEST(GgufModel, AHashOfWhatDoesNotComeEnds) {
  const Bytes file = GgufFileOf(MakeCheckpoint(GgufModelConfig(false), "F32")).Encode();
  const auto model = ModelOf(file);
  ASSERT_TRUE(model.ok()) << model.status().message();
  ThreadPool pool(1);
  const auto packer = (*model)->NewPacker(ActivationTerms::Precise(2), pool);
  ASSERT_TRUE(packer.ok());
  EXPECT_EQ((*packer)->Hash(37, kTokenizer).code(), StatusCode::kInvalidArgument) << "no token of the model";
  std::thread hashing([&] { EXPECT_TRUE((*packer)->Hash(1, kTokenizer).ok()); });
  (*packer)->Abandon();
  hashing.join();
}

TEST(GgufModel, KeysThatLlamaCppDoesNotNeedMayBeMissing) {
  ModelConfig config = GgufModelConfig(true);
  config.n_kv_heads = config.n_heads;
  config.rope_theta = 10000;
  GgufFileOf file(MakeCheckpoint(config, "F32"));
  for (const char* key : {"qwen3.attention.head_count_kv", "qwen3.attention.key_length",
                          "qwen3.attention.value_length", "qwen3.rope.freq_base"}) {
    file.Remove(key);
  }
  const Bytes bytes = file.Encode();
  const auto model = ModelOf(bytes);
  ASSERT_TRUE(model.ok()) << model.status().message();
  EXPECT_EQ((*model)->config(), config);
  EXPECT_FALSE((*model)->has_tokenizer());
  EXPECT_EQ((*model)->chat_template(), "");
  EXPECT_EQ((*model)->special_tokens().eos, std::nullopt);
}

TEST(GgufModel, HasANameThatArchivesCanHold) {
  const TestFolder folder;
  GgufFileOf file(MakeCheckpoint(GgufModelConfig(true), "F32"));
  const auto name = [&](const std::string& path) {
    folder.Write(path, AsText(file.Encode()));
    const auto model = GgufModel::Open(folder.File(path));
    return model.ok() ? (*model)->name() : model.status().message();
  };
  EXPECT_EQ(name("a.gguf"), "made up");
  for (const std::string& bad : {std::string("\x01"), std::string(), std::string(5000, 'x')}) {
    file.Set("general.name", bad);
    EXPECT_EQ(name("b.c.gguf"), "b.c");
    EXPECT_EQ(name(".gguf"), "model");
  }
  file.Remove("general.name");
  EXPECT_EQ(name("d"), "d");
}

TEST(GgufModel, OtherArchitecturesAreNamed) {
  for (const std::string architecture : {"llama", "gemma3", "qwen2", "qwen3moe"}) {
    GgufFileOf file(MakeCheckpoint(GgufModelConfig(true), "F32"));
    file.Set("general.architecture", architecture);
    ExpectRefused(file, StatusCode::kUnsupported,
                  "general.architecture: found \"" + architecture +
                      "\", expected \"qwen3\": pith does not run others yet");
  }
  GgufFileOf file(MakeCheckpoint(GgufModelConfig(true), "F32"));
  file.Remove("general.architecture");
  ExpectRefused(file, StatusCode::kUnsupported, "general.architecture: found nothing");
}

TEST(GgufModel, PartsAndAdaptersAreNoModels) {
  GgufFileOf file(MakeCheckpoint(GgufModelConfig(true), "F32"));
  file.Set("split.count", uint32_t{1});
  EXPECT_TRUE(ModelOf(file.Encode()).ok());
  file.Set("split.count", uint32_t{3});
  ExpectRefused(file, StatusCode::kUnsupported, "one of 3 parts of a model");
  file.Remove("split.count");
  file.Set("general.type", std::string("adapter"));
  ExpectRefused(file, StatusCode::kUnsupported, "general.type: found \"adapter\", expected \"model\"");
}

TEST(GgufModel, SettingsThatTheEngineDoesNotHaveAreRefused) {
  const auto with = [](const std::string& key, GgufFileOf::Value value) {
    GgufFileOf file(MakeCheckpoint(GgufModelConfig(true), "F32"));
    file.Set(key, std::move(value));
    return file;
  };
  const StatusCode unsupported = StatusCode::kUnsupported;
  ExpectRefused(with("qwen3.rope.scaling.type", std::string("yarn")), unsupported,
                "qwen3.rope.scaling.type: found \"yarn\"");
  ExpectRefused(with("qwen3.rope.scaling.factor", 4.0f), unsupported, "qwen3.rope.scaling.factor: found 4.0");
  ExpectRefused(with("qwen3.rope.scale_linear", 2.0f), unsupported, "qwen3.rope.scale_linear: found 2.0");
  ExpectRefused(with("qwen3.rope.dimension_count", uint32_t{4}), unsupported,
                "qwen3.rope.dimension_count: found 4, expected 8");
  ExpectRefused(with("qwen3.attention.value_length", uint32_t{16}), unsupported,
                "qwen3.attention.value_length: found 16, expected 8");
  ExpectRefused(with("qwen3.attention.sliding_window", uint32_t{64}), unsupported,
                "qwen3.attention.sliding_window: found 64");
  ExpectRefused(with("qwen3.expert_count", uint32_t{8}), unsupported, "qwen3.expert_count: found 8");
  ExpectRefused(with("qwen3.attention.causal", false), unsupported, "qwen3.attention.causal: found false");
  ExpectRefused(with("qwen3.rope.freq_base", 0.5f), unsupported, "rope_theta is 0.5");
  ExpectRefused(with("qwen3.block_count", uint32_t{2000}), unsupported, "num_hidden_layers is 2000");
  ExpectRefused(with("qwen3.attention.head_count", uint32_t{0}), unsupported, "num_attention_heads is 0");
  EXPECT_TRUE(ModelOf(with("qwen3.rope.scaling.type", std::string("none")).Encode()).ok());
  EXPECT_TRUE(ModelOf(with("qwen3.rope.scaling.factor", 1.0f).Encode()).ok());
  EXPECT_TRUE(ModelOf(with("qwen3.rope.dimension_count", uint32_t{8}).Encode()).ok());
}

TEST(GgufModel, KeysOfAnotherKindAndMissingKeysAreNamed) {
  const TestCheckpoint checkpoint = MakeCheckpoint(GgufModelConfig(true), "F32");
  for (const char* key :
       {"qwen3.block_count", "qwen3.context_length", "qwen3.embedding_length", "qwen3.feed_forward_length",
        "qwen3.attention.head_count", "qwen3.attention.layer_norm_rms_epsilon"}) {
    GgufFileOf file(checkpoint);
    file.Remove(key);
    ExpectRefused(file, StatusCode::kCorrupt, std::string(key) + ": missing");
    file.Set(key, std::string("text"));
    ExpectRefused(file, StatusCode::kCorrupt, std::string(key) + ": found \"text\", expected ");
    file.Set(key, std::vector<int32_t>{2, 2});  // one a layer
    ExpectRefused(file, StatusCode::kCorrupt, std::string(key) + ": found a value of kind array");
  }
  GgufFileOf file(checkpoint);
  file.Set("tokenizer.ggml.eos_token_id", uint32_t{37});
  ExpectRefused(file, StatusCode::kCorrupt, "tokenizer.ggml.eos_token_id: found 37, expected an id below 37");
  file.Set("tokenizer.ggml.eos_token_id", uint32_t{36});
  file.Set("tokenizer.ggml.add_bos_token", uint32_t{1});
  ExpectRefused(file, StatusCode::kCorrupt, "tokenizer.ggml.add_bos_token: found 1, expected a bool");
  file.Set("tokenizer.ggml.add_bos_token", true);
  file.Set("tokenizer.ggml.eot_token_id", uint32_t{7});
  file.Set("tokenizer.ggml.eom_token_id", uint32_t{8});
  const Bytes bytes = file.Encode();
  const auto model = ModelOf(bytes);
  ASSERT_TRUE(model.ok()) << model.status().message();
  EXPECT_EQ((*model)->special_tokens().eos, 36u);
  EXPECT_EQ((*model)->special_tokens().eot, 7u);
  EXPECT_EQ((*model)->special_tokens().eom, 8u);
  EXPECT_TRUE((*model)->special_tokens().add_bos);
}

TEST(GgufModel, EveryTensorMustBeThereInItsShapeAndNoOther) {
  const TestCheckpoint checkpoint = MakeCheckpoint(GgufModelConfig(true), "F32");
  const size_t n_tensors = GgufFileOf(checkpoint).tensors.size();
  for (size_t i = 0; i < n_tensors; ++i) {
    GgufFileOf missing(checkpoint);
    const std::string name = missing.tensors[i].name;
    missing.tensors.erase(missing.tensors.begin() + static_cast<std::ptrdiff_t>(i));
    ExpectRefused(missing, StatusCode::kCorrupt, "tensor \"" + name + "\": missing");
    GgufFileOf turned(checkpoint);
    GgufFileOf::Tensor& t = turned.tensors[i];
    if (t.shape.size() == 2 && t.shape[0] == t.shape[1]) continue;  // q and o
    t.shape.size() == 2 ? std::swap(t.shape[0], t.shape[1]) : t.shape.push_back(1);
    // Of the embedding only the columns are known.
    ExpectRefused(turned, StatusCode::kCorrupt, "tensor \"" + name + "\": shape [");
  }
  GgufFileOf more(checkpoint);
  more.tensors.push_back({"blk.0.attn_q.bias", GgufEncoding::kF32, {32}, Bytes(128)});
  ExpectRefused(more, StatusCode::kUnsupported, "tensor \"blk.0.attn_q.bias\": none of a Qwen3 model");
}

TEST(GgufModel, EncodingsThatAreNotReadAreNamed) {
  ModelConfig config = GgufModelConfig(true);
  config.ffn = 256;
  GgufFileOf file(MakeCheckpoint(config, "F32"));
  GgufFileOf::Tensor& t = file.Find("blk.1.ffn_down.weight");
  for (const uint32_t id : {10u, 11u, 16u, 35u - 1u}) {  // Q2_K, Q3_K, IQ2_XXS, TQ1_0
    t.encoding = static_cast<GgufEncoding>(id);
    t.data.assign(32 * GgufRowBytes(t.encoding, 256), 0);
    ExpectRefused(file, StatusCode::kUnsupported,
                  "tensor \"blk.1.ffn_down.weight\": encoding " + std::string(GgufEncodingName(t.encoding)) +
                      ", expected one of F32, F16, BF16, Q4_0,");
  }
}

TEST(GgufModel, WeightsThatAreNotFiniteAreRefused) {
  const float bad[] = {std::nanf(""), std::numeric_limits<float>::infinity()};
  for (const float value : bad) {
    for (const std::string name : {"output_norm.weight", "blk.1.ffn_up.weight", "token_embd.weight"}) {
      GgufFileOf file(MakeCheckpoint(GgufModelConfig(true), "F32"));
      Bytes& data = file.Find(name).data;
      std::memcpy(data.data() + data.size() - 4, &value, 4);
      EXPECT_EQ(FingerprintOf(file.Encode()), "tensor \"" + name + "\": values that are not finite");
    }
  }
}

// The file has no checksums: damage of weights gives another fingerprint, damage elsewhere an error or other
// metadata.
TEST(GgufModel, DamageIsAnErrorOrShowsInTheFingerprint) {
  ModelConfig config = TestConfig(false);
  config.n_layers = 1;
  config.hidden = 4;
  config.head_dim = 4;
  config.ffn = 5;
  config.vocab = 7;
  const Bytes file = GgufFileOf(MakeCheckpoint(config, "F32")).Encode();
  const auto original = ModelOf(file);
  ASSERT_TRUE(original.ok()) << original.status().message();
  const std::string fingerprint = FingerprintOf(file);
  std::set<size_t> norms;  // floats as they are: each bit shows, unless the value is not finite
  for (const GgufTensor* t : (*original)->tensors()) {
    const auto first = static_cast<size_t>(t->data.data() - file.data());
    for (size_t i = 0; i < t->data.size() && t->shape.size() == 1; ++i) norms.insert(first + i);
  }
  ASSERT_FALSE(norms.empty());
  size_t n_errors = 0;
  for (size_t i = 0; i < file.size(); ++i) {
    const Bytes prefix(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(i));
    const Status cut = ModelOf(prefix).status();
    EXPECT_TRUE(!cut.ok() || i + kGgufAlignment > file.size()) << i;  // the last padding may be missing
    for (const uint8_t mask : {uint8_t{1}, uint8_t{0x80}}) {
      Bytes damaged = file;
      damaged[i] ^= mask;
      const auto model = ModelOf(damaged);
      if (!model.ok()) {
        EXPECT_FALSE(model.status().message().empty());
        ++n_errors;
        continue;
      }
      const auto package = PackageOf(**model, 1);
      if (!package.ok()) continue;
      EXPECT_TRUE((*package)->VerifyFingerprint().ok());
      if (norms.contains(i)) {
        EXPECT_NE((*package)->fingerprint().Text(), fingerprint) << i;
      }
    }
  }
  EXPECT_GT(n_errors, 1000u);
}

TEST(GgufModel, OpenNamesTheFile) {
  const TestFolder folder;
  EXPECT_EQ(GgufModel::Open(folder.File("x.gguf")).status().code(), StatusCode::kNotFound);
  for (const bool damaged : {true, false}) {
    GgufFileOf file(MakeCheckpoint(GgufModelConfig(true), "F32"));
    file.Set("general.architecture", std::string("llama"));
    const Bytes bytes = file.Encode();
    folder.Write("x.gguf", AsText(bytes).substr(0, damaged ? 100 : bytes.size()));
    const std::string message = GgufModel::Open(folder.File("x.gguf")).status().message();
    EXPECT_TRUE(message.starts_with(folder.File("x.gguf") + ": ")) << message;
    EXPECT_EQ(message.find(folder.path(), 1), std::string::npos) << message;
  }
}

// Seeds of tests/fuzz: every matrix whose rows are whole blocks in that encoding, and a small tokenizer.
TEST(GgufModel, DISABLED_WritesFuzzSeeds) {
  const std::string corpus = std::string(PITH_SOURCE_DIR) + "/tests/fuzz/corpus/gguf_model/";
  for (const GgufEncoding encoding :
       {GgufEncoding::kF32, GgufEncoding::kQ8_0, GgufEncoding::kQ4_0, GgufEncoding::kQ6_K}) {
    const size_t block = GgufBlockValues(encoding);
    ModelConfig config = TestConfig(encoding == GgufEncoding::kF32);
    config.n_layers = 1;
    config.vocab = 8;
    config.hidden = block == 1 ? 2 : block;
    config.n_heads = 1;
    config.head_dim = 2;
    config.ffn = 1;
    GgufFileOf file(MakeCheckpoint(config, "F32"));
    for (GgufFileOf::Tensor& t : file.tensors) {
      if (t.shape.size() != 2 || t.shape[1] % block != 0 || encoding == GgufEncoding::kF32) continue;
      t.encoding = encoding;
      t.data.assign(t.shape[0] * GgufRowBytes(encoding, t.shape[1]), 0x11);
    }
    file.Set("tokenizer.ggml.model", std::string("gpt2"));
    file.Set("tokenizer.ggml.pre", std::string("qwen2"));
    file.Set("tokenizer.ggml.tokens", std::vector<std::string>{"a", "b", "ab", "\xc4\xa0", "<|x|>"});
    file.Set("tokenizer.ggml.token_type", std::vector<int32_t>{1, 1, 1, 1, 3});
    file.Set("tokenizer.ggml.merges", std::vector<std::string>{"a b"});
    std::ofstream(corpus + std::string(GgufEncodingName(encoding)), std::ios::binary)
        << AsText(file.Encode());
  }
}

}  // namespace
}  // namespace pith
