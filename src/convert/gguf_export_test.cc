#include "convert/gguf_export.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "convert/ggml_quants.h"
#include "convert/test_checkpoint.h"
#include "convert/test_tokenizer_json.h"
#include "formats/gguf.h"

namespace pith {
namespace {

// Rows of 32 but for down, whose 40 columns are no multiple of 32.
ModelConfig GgufTestConfig(bool tied) {
  ModelConfig c = TestConfig(tied);
  c.hidden = 32;
  c.n_heads = 4;
  c.n_kv_heads = 2;
  c.head_dim = 8;
  c.ffn = 40;
  c.rope_theta = 10000;
  return c;
}

class GgufExportTest : public ::testing::Test {
 protected:
  void WriteFolder(const TestCheckpoint& checkpoint, size_t n_shards = 1) {
    checkpoint.Write(in_, n_shards);
    in_.Write("tokenizer.json", TestTokenizerJson().Text());
  }
  Result<ExportReport> Export(GgufType type = GgufType::kQ8_0, size_t n_threads = 2,
                              const ExportControl& control = {}) {
    ThreadPool pool(n_threads);
    PITH_ASSIGN_OR_RETURN(const auto folder, ModelFolder::Open(in_.path()));
    return ExportGguf(*folder, out_.File("x.gguf"), {.type = type}, control, pool);
  }
  void ExpectError(StatusCode code, const std::string& part, GgufType type = GgufType::kQ8_0) {
    const auto report = Export(type);
    ASSERT_FALSE(report.ok());
    EXPECT_EQ(report.status().code(), code) << report.status().message();
    EXPECT_NE(report.status().message().find(part), std::string::npos) << report.status().message();
    EXPECT_EQ(out_.n_entries(), 0u);
  }
  std::unique_ptr<GgufFile> OpenOutput() {
    auto opened = GgufFile::Open(out_.File("x.gguf"));
    EXPECT_TRUE(opened.ok()) << opened.status().message();
    return *std::move(opened);
  }
  std::string TakeOutput() {
    std::string text = ReadFileText(out_.File("x.gguf"));
    std::filesystem::remove(out_.File("x.gguf"));
    return text;
  }

  TestFolder in_;
  TestFolder out_;
};

TEST_F(GgufExportTest, WritesEveryTensorUnderItsName) {
  const TestCheckpoint checkpoint = MakeCheckpoint(GgufTestConfig(false), "BF16");
  WriteFolder(checkpoint, 3);
  const auto report = Export(GgufType::kQ8_0);
  ASSERT_TRUE(report.ok()) << report.status().message();
  const auto file = OpenOutput();
  std::vector<std::string> names = {"token_embd.weight"};
  for (const std::string layer : {"blk.0.", "blk.1."}) {
    for (const char* name : {"attn_norm", "attn_q", "attn_k", "attn_v", "attn_q_norm", "attn_k_norm",
                             "attn_output", "ffn_norm", "ffn_gate", "ffn_up", "ffn_down"}) {
      names.push_back(layer + name + ".weight");
    }
  }
  names.insert(names.end(), {"output_norm.weight", "output.weight"});
  ASSERT_EQ(file->tensors().size(), names.size());
  ASSERT_EQ(report->tensors.size(), names.size());
  uint64_t total = 0;
  for (size_t i = 0; i < names.size(); ++i) {
    const GgufTensor& t = file->tensors()[i];
    const TestTensor& source = checkpoint.tensors[i];
    const TensorReport& r = report->tensors[i];
    EXPECT_EQ(t.name, names[i]);
    EXPECT_EQ(t.shape, source.shape);
    EXPECT_EQ(r.name, source.name);
    EXPECT_EQ(r.bytes, t.data.size());
    EXPECT_EQ(r.rows * r.cols, t.n_elements);
    total += t.data.size();
    const bool norm = source.shape.size() == 1;
    const bool down = source.name.find("down_proj") != std::string::npos;
    EXPECT_EQ(GgufEncodingName(t.encoding), norm ? "F32" : down ? "F16" : "Q8_0");
    EXPECT_EQ(r.encoding, norm ? "F32" : down ? "F16 (rows of 40, no multiple of 32 for Q8_0)" : "Q8_0");
    Bytes expected(t.data.size());
    if (norm)
      std::memcpy(expected.data(), source.values.data(), expected.size());
    else if (down)
      EXPECT_EQ(EncodeF16(source.values, expected.data()), std::nullopt);
    else
      EXPECT_EQ(EncodeQ8Row(source.values, expected.data()), std::nullopt);
    EXPECT_TRUE(std::equal(t.data.begin(), t.data.end(), expected.begin(), expected.end())) << t.name;
    EXPECT_EQ(r.relative_error == 0, norm || down) << r.name << r.relative_error;  // seven bits fit F16
    EXPECT_LT(r.relative_error, 0.01) << r.name;
    EXPECT_GT(r.outlier, 1.0);
  }
  EXPECT_GT(report->output_bytes, total);
  EXPECT_EQ(report->output_bytes, std::filesystem::file_size(out_.File("x.gguf")));
  EXPECT_GT(report->source_bytes, 0u);
}

TEST_F(GgufExportTest, ReportsTheErrorsOfEachEncoding) {
  TestCheckpoint checkpoint = MakeCheckpoint(GgufTestConfig(true), "F32");
  TestTensor& embedding = checkpoint.Tensor("model.embed_tokens.weight");
  std::fill(embedding.values.begin(), embedding.values.end(), 0.0f);
  embedding.values[0] = 127;
  embedding.values[1] = 0.5f;  // becomes 1
  WriteFolder(checkpoint);
  const auto report = Export(GgufType::kQ8_0);
  ASSERT_TRUE(report.ok()) << report.status().message();
  const TensorReport& r = report->tensors[0];
  EXPECT_EQ(r.largest_error, 0.5);
  const double squares = 127.0 * 127 + 0.25;
  EXPECT_DOUBLE_EQ(r.relative_error, 0.5 / std::sqrt(squares));
  EXPECT_DOUBLE_EQ(r.outlier, 127 / std::sqrt(squares / (37 * 32)));
  TakeOutput();
  std::fill(embedding.values.begin(), embedding.values.end(), 0.0f);
  WriteFolder(checkpoint);
  const auto zeros = Export(GgufType::kQ4_0);
  ASSERT_TRUE(zeros.ok()) << zeros.status().message();
  EXPECT_EQ(zeros->tensors[0].relative_error, 0);
  EXPECT_EQ(zeros->tensors[0].outlier, 0);
  EXPECT_GT(zeros->tensors[2].relative_error, 0.01);
}

TEST_F(GgufExportTest, WritesTheKeysOfQwen3) {
  WriteFolder(MakeCheckpoint(GgufTestConfig(true), "BF16"));
  in_.Write("chat_template.jinja", "{{ x }}");
  in_.Write(
      "generation_config.json",
      R"({"eos_token_id": [5, 3], "pad_token_id": 4, "bos_token_id": 2, "temperature": 0.5, "top_k": 20})");
  // A token of the tokenizer's own config goes before the ids; a text that is no added token does not count.
  in_.Write("tokenizer_config.json",
            R"({"eos_token": {"content": "<|fim|>"}, "pad_token": "none", "bos_token": null})");
  ASSERT_TRUE(Export(GgufType::kQ4_0).ok());
  const auto file = OpenOutput();
  const auto text = [&](const char* key) { return std::string(file->Find(key)->AsString().value_or("?")); };
  const auto number = [&](const char* key) { return file->Find(key)->AsNumber().value_or(-1); };
  EXPECT_EQ(text("general.architecture"), "qwen3");
  EXPECT_EQ(text("general.type"), "model");
  EXPECT_EQ(text("general.name"), in_.path().substr(in_.path().rfind('/') + 1));
  EXPECT_EQ(text("general.size_label"), "15K");
  EXPECT_EQ(number("general.file_type"), 2);
  EXPECT_EQ(number("general.quantization_version"), 2);
  EXPECT_EQ(number("general.sampling.top_k"), 20);
  EXPECT_EQ(number("general.sampling.temp"), 0.5);
  EXPECT_EQ(file->Find("general.sampling.top_p"), nullptr);
  EXPECT_EQ(number("qwen3.context_length"), 100);
  EXPECT_EQ(number("qwen3.embedding_length"), 32);
  EXPECT_EQ(number("qwen3.block_count"), 2);
  EXPECT_EQ(number("qwen3.feed_forward_length"), 40);
  EXPECT_EQ(number("qwen3.attention.head_count"), 4);
  EXPECT_EQ(number("qwen3.attention.head_count_kv"), 2);
  EXPECT_EQ(number("qwen3.attention.key_length"), 8);
  EXPECT_EQ(number("qwen3.attention.value_length"), 8);
  EXPECT_EQ(number("qwen3.attention.layer_norm_rms_epsilon"), double{1e-6f});
  EXPECT_EQ(number("qwen3.rope.freq_base"), 10000);
  EXPECT_EQ(text("tokenizer.ggml.model"), "gpt2");
  EXPECT_EQ(text("tokenizer.ggml.pre"), "qwen2");
  ASSERT_EQ(file->Find("tokenizer.ggml.tokens")->AsStrings().size(), 37u);
  EXPECT_EQ(file->Find("tokenizer.ggml.tokens")->AsStrings()[36], "[PAD36]");
  EXPECT_EQ(file->Find("tokenizer.ggml.token_type")->size(), 37u);
  EXPECT_EQ(file->Find("tokenizer.ggml.token_type")->IntegerAt(6), 4);
  EXPECT_EQ(file->Find("tokenizer.ggml.merges")->AsStrings()[1], "ab c");
  EXPECT_EQ(number("tokenizer.ggml.eos_token_id"), 7);
  EXPECT_EQ(number("tokenizer.ggml.padding_token_id"), 4);
  EXPECT_EQ(number("tokenizer.ggml.bos_token_id"), 2);
  EXPECT_EQ(file->Find("tokenizer.ggml.add_bos_token")->AsBool(), false);
  EXPECT_EQ(text("tokenizer.chat_template"), "{{ x }}");
  EXPECT_EQ(file->FindTensor("output.weight"), nullptr);
}

TEST_F(GgufExportTest, WhatTheFolderDoesNotSayIsLeftOut) {
  WriteFolder(MakeCheckpoint(GgufTestConfig(true), "BF16"));
  ASSERT_TRUE(Export(GgufType::kF16).ok());
  const auto file = OpenOutput();
  for (const char* key : {"general.sampling.temp", "tokenizer.chat_template", "tokenizer.ggml.eos_token_id",
                          "tokenizer.ggml.bos_token_id", "tokenizer.ggml.padding_token_id"}) {
    EXPECT_EQ(file->Find(key), nullptr) << key;
  }
  for (const GgufTensor& t : file->tensors()) EXPECT_NE(t.encoding, GgufEncoding::kQ8_0);
}

TEST_F(GgufExportTest, ThreadsShardsAndFloatTypesMakeNoDifference) {
  WriteFolder(MakeCheckpoint(GgufTestConfig(false), "BF16"));
  const auto report = Export(GgufType::kQ4_0, 1);
  ASSERT_TRUE(report.ok());
  const std::string first = TakeOutput();
  for (const size_t n_threads : {size_t{2}, size_t{5}}) {
    const auto other = Export(GgufType::kQ4_0, n_threads);
    ASSERT_TRUE(other.ok());
    EXPECT_EQ(TakeOutput(), first);
    for (size_t i = 0; i < report->tensors.size(); ++i) {
      EXPECT_EQ(other->tensors[i].relative_error, report->tensors[i].relative_error);
    }
  }
  for (const char* type : {"F32", "F16"}) {
    WriteFolder(MakeCheckpoint(GgufTestConfig(false), type));
    ASSERT_TRUE(Export(GgufType::kQ4_0).ok());
    EXPECT_EQ(TakeOutput(), first) << type;
  }
}

TEST_F(GgufExportTest, ManyBatchesOfRows) {
  ModelConfig c = GgufTestConfig(true);
  c.vocab = 200'001;  // more than a batch of 4 MiB, and no whole number of tasks
  const TestCheckpoint checkpoint = MakeCheckpoint(c, "BF16");
  WriteFolder(checkpoint);
  ASSERT_TRUE(Export(GgufType::kQ8_0, 3).ok());
  const auto file = OpenOutput();
  Bytes expected(size_t{200'001} * kGgmlQ8Bytes);
  ASSERT_EQ(EncodeQ8Row(checkpoint.tensors[0].values, expected.data()), std::nullopt);
  const ByteSpan found = file->tensors()[0].data;
  EXPECT_TRUE(std::equal(found.begin(), found.end(), expected.begin(), expected.end()));
}

TEST_F(GgufExportTest, ADuplicateHeadIsLeftOutIfItIsTheEmbedding) {
  TestCheckpoint checkpoint = MakeCheckpoint(GgufTestConfig(true), "BF16");
  TestTensor head = checkpoint.tensors[0];
  head.name = "lm_head.weight";
  checkpoint.tensors.push_back(head);
  WriteFolder(checkpoint);
  ASSERT_TRUE(Export().ok());
  EXPECT_EQ(OpenOutput()->FindTensor("output.weight"), nullptr);
  TakeOutput();
  checkpoint.tensors.back().values[2 * 32 + 5] = 3;
  WriteFolder(checkpoint);
  ExpectError(StatusCode::kCorrupt, "tensor \"lm_head.weight\": row 2, column 5: found 3.0");
}

TEST_F(GgufExportTest, SaysWhereAValueCannotBeWritten) {
  TestCheckpoint checkpoint = MakeCheckpoint(GgufTestConfig(true), "F32");
  float& value = checkpoint.Tensor("model.layers.1.self_attn.k_proj.weight").values[3 * 32 + 7];
  const std::string place =
      "model.safetensors: tensor \"model.layers.1.self_attn.k_proj.weight\": row 3, column 7: ";
  value = std::numeric_limits<float>::quiet_NaN();
  WriteFolder(checkpoint);
  ExpectError(StatusCode::kCorrupt, place + "found NaN, expected finite values");
  value = -std::numeric_limits<float>::infinity();
  WriteFolder(checkpoint);
  ExpectError(StatusCode::kCorrupt, place + "found infinity", GgufType::kQ4_0);
  value = 70000;
  WriteFolder(checkpoint);
  ExpectError(StatusCode::kUnsupported, place + "found 70000, beyond the largest F16, 65504", GgufType::kF16);
  EXPECT_TRUE(Export(GgufType::kQ8_0).ok());
  TakeOutput();
  value = -1e20f;
  WriteFolder(checkpoint);
  ExpectError(StatusCode::kUnsupported, place + "found -1e+20, whose block would need a scale",
              GgufType::kQ4_0);

  checkpoint = MakeCheckpoint(GgufTestConfig(true), "F32");
  checkpoint.Tensor("model.norm.weight").values[9] = std::numeric_limits<float>::infinity();
  WriteFolder(checkpoint);
  ExpectError(StatusCode::kCorrupt, "tensor \"model.norm.weight\": row 0, column 9: found infinity");
}

TEST_F(GgufExportTest, NeedsATokenizerThatFits) {
  MakeCheckpoint(GgufTestConfig(true), "BF16").Write(in_);
  ExpectError(StatusCode::kNotFound, "tokenizer.json: missing or empty");
  in_.Write("tokenizer.json", TestTokenizerJson{.model_type = "Unigram"}.Text());
  ExpectError(StatusCode::kUnsupported, "tokenizer.json: model.type: found \"Unigram\"");
  in_.Write("tokenizer.json", TestTokenizerJson{.added = R"([{"id": 37, "content": "<x>"}])"}.Text());
  ExpectError(StatusCode::kInvalidArgument, "has the id 37, but the embedding has 37 rows");
  in_.Write("tokenizer.json", TestTokenizerJson().Text());
  in_.Write("tokenizer_config.json", "{");
  ExpectError(StatusCode::kCorrupt, "tokenizer_config.json");
}

TEST_F(GgufExportTest, ReportsProgressAndCanBeCancelled) {
  WriteFolder(MakeCheckpoint(GgufTestConfig(true), "BF16"));
  ExportControl control;
  uint64_t done = 0;
  uint64_t total = 0;
  size_t n_calls = 0;
  control.progress = [&](const ExportProgress& p) {
    EXPECT_GT(p.done, done);
    EXPECT_FALSE(p.item.empty());
    done = p.done;
    total = p.total;
    ++n_calls;
  };
  ASSERT_TRUE(Export(GgufType::kF16, 1, control).ok());
  EXPECT_EQ(done, total);
  EXPECT_EQ(n_calls, 24u);
  EXPECT_EQ(Export().status().code(), StatusCode::kAlreadyExists);
  control.progress = nullptr;
  control.replace = true;
  EXPECT_TRUE(Export(GgufType::kF16, 1, control).ok());
  const std::string before = ReadFileText(out_.File("x.gguf"));
  for (int at = 0; at < 5; ++at) {
    int asked = 0;
    control.cancelled = [&] { return asked++ == at; };
    EXPECT_EQ(Export(GgufType::kQ8_0, 1, control).status().code(), StatusCode::kCancelled);
    EXPECT_EQ(ReadFileText(out_.File("x.gguf")), before);
    EXPECT_EQ(out_.n_entries(), 1u);
  }
}

TEST(GgufSizeLabel, IsThatOfTheGgufPackage) {
  EXPECT_EQ(GgufSizeLabel(596'049'920), "596M");
  EXPECT_EQ(GgufSizeLabel(4'022'468'096), "4.0B");
  EXPECT_EQ(GgufSizeLabel(4'876'384), "4.9M");
  EXPECT_EQ(GgufSizeLabel(1'000'000), "1000K");
  EXPECT_EQ(GgufSizeLabel(9'600'000), "10M");
  EXPECT_EQ(GgufSizeLabel(400), "0.40K");
}

}  // namespace
}  // namespace pith
