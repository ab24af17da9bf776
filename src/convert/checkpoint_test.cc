#include "convert/checkpoint.h"

#include <gtest/gtest.h>

#include "convert/test_checkpoint.h"

namespace pith {
namespace {

Result<ModelConfig> ParseConfigText(const std::string& text) {
  return ParseCheckpointConfig(AsBytes(text), "config.json");
}

std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

TEST(CheckpointConfig, ReadsThePublishedStyleAndTheNewOne) {
  const TestCheckpoint c{TestConfig(true), {}};
  const auto published = ParseConfigText(c.ConfigText());
  ASSERT_TRUE(published.ok()) << published.status().message();
  EXPECT_EQ(*published, c.config);
  const std::string rope = "\"rope_theta\":10000,\"rope_scaling\":null";
  for (const char* other :
       {"\"rope_parameters\":{\"rope_theta\":10000.0,\"rope_type\":\"default\"},\"dtype\":\"bfloat16\"",
        "\"rope_parameters\":{\"rope_theta\":1e4},\"rope_theta\":10000",
        "\"rope_theta\":10000.0,\"rope_scaling\":{\"rope_type\":\"default\"}",
        "\"rope_theta\":10000,\"layer_types\":[\"full_attention\",\"full_attention\"]",
        "\"rope_parameters\":{\"partial_rotary_factor\":1.0},\"rope_theta\":10000"}) {
    const auto config = ParseConfigText(Replaced(c.ConfigText(), rope, other));
    ASSERT_TRUE(config.ok()) << other << ": " << config.status().message();
    EXPECT_EQ(*config, c.config) << other;
  }
  // Absent: false, as in transformers.
  const auto untied = ParseConfigText(Replaced(c.ConfigText(), "\"tie_word_embeddings\":true,", ""));
  ASSERT_TRUE(untied.ok());
  EXPECT_FALSE(untied->tied_head);
}

TEST(CheckpointConfig, WhatCannotBeComputedIsRefusedByName) {
  const std::string good = TestCheckpoint{TestConfig(true), {}}.ConfigText();
  struct Case {
    std::string from;
    std::string to;
    StatusCode code;
    std::string says;
  };
  const Case cases[] = {
      {"\"model_type\":\"qwen3\"", "\"model_type\":\"llama\"", StatusCode::kUnsupported,
       "Llama is not yet supported"},
      {"\"model_type\":\"qwen3\"", "\"model_type\":\"gemma3_text\"", StatusCode::kUnsupported,
       "Gemma 3 is not yet supported"},
      {"\"model_type\":\"qwen3\"", "\"model_type\":\"qwen3_moe\"", StatusCode::kUnsupported,
       "Qwen3 MoE is not yet supported"},
      {"\"model_type\":\"qwen3\"", "\"model_type\":\"x\\u001b\"", StatusCode::kUnsupported,
       "found \"x\\x1b\", expected \"qwen3\""},
      {"\"model_type\":\"qwen3\",", "", StatusCode::kCorrupt, "model_type: missing"},
      {"Qwen3ForCausalLM", "Qwen3ForSequenceClassification", StatusCode::kUnsupported, "architectures"},
      {"\"attention_bias\":false", "\"attention_bias\":true", StatusCode::kUnsupported, "attention_bias"},
      {"\"attention_bias\":false", "\"attention_bias\":0", StatusCode::kCorrupt,
       "found integer, expected true or false"},
      {"\"hidden_act\":\"silu\"", "\"hidden_act\":\"gelu\"", StatusCode::kUnsupported,
       "found \"gelu\", expected \"silu\""},
      {"\"use_sliding_window\":false", "\"use_sliding_window\":true", StatusCode::kUnsupported,
       "use_sliding_window"},
      {"\"rope_scaling\":null", "\"rope_scaling\":{\"rope_type\":\"yarn\",\"factor\":4}",
       StatusCode::kUnsupported, "rope_scaling: rope_type: found \"yarn\""},
      {"\"rope_scaling\":null", "\"rope_scaling\":{\"type\":\"linear\",\"factor\":4}",
       StatusCode::kUnsupported, "\"linear\""},
      {"\"rope_scaling\":null", "\"rope_parameters\":{\"rope_type\":\"llama3\",\"rope_theta\":10000}",
       StatusCode::kUnsupported, "rope_parameters: rope_type: found \"llama3\""},
      {"\"rope_scaling\":null", "\"rope_parameters\":{\"rope_theta\":5}", StatusCode::kCorrupt,
       "but rope_parameters says"},
      {"\"rope_scaling\":null", "\"rope_parameters\":{\"partial_rotary_factor\":0.5}",
       StatusCode::kUnsupported, "partial_rotary_factor"},
      {"\"rope_scaling\":null", "\"rope_parameters\":7", StatusCode::kCorrupt,
       "found integer, expected an object"},
      {"\"rope_theta\":10000,", "", StatusCode::kCorrupt, "rope_theta: missing"},
      {"\"rope_theta\":10000", "\"rope_theta\":\"x\"", StatusCode::kCorrupt,
       "found string, expected a number"},
      {"\"rope_theta\":10000", "\"rope_theta\":0", StatusCode::kInvalidArgument, "rope_theta"},
      {"\"head_dim\":6,", "", StatusCode::kCorrupt, "head_dim: missing"},
      {"\"head_dim\":6", "\"head_dim\":null", StatusCode::kCorrupt, "head_dim: missing"},
      {"\"head_dim\":6", "\"head_dim\":5", StatusCode::kInvalidArgument, "head_dim"},
      {"\"hidden_size\":9", "\"hidden_size\":9.5", StatusCode::kCorrupt,
       "found number, expected a non-negative integer"},
      {"\"hidden_size\":9", "\"hidden_size\":-9", StatusCode::kCorrupt, "expected a non-negative integer"},
      {"\"hidden_size\":9", "\"hidden_size\":0", StatusCode::kInvalidArgument, "hidden_size"},
      {"\"hidden_size\":9", "\"hidden_size\":99999999999", StatusCode::kInvalidArgument,
       "larger than any model"},
      {"\"num_hidden_layers\":2", "\"num_hidden_layers\":100000", StatusCode::kInvalidArgument,
       "num_hidden_layers"},
      {"\"num_key_value_heads\":1", "\"num_key_value_heads\":2", StatusCode::kInvalidArgument,
       "num_attention_heads"},
      {"\"rms_norm_eps\":1e-06", "\"rms_norm_eps\":1e300", StatusCode::kInvalidArgument, "rms_norm_eps"},
      {"\"rms_norm_eps\":1e-06", "\"rms_norm_eps\":-1", StatusCode::kInvalidArgument, "rms_norm_eps"},
      {"\"torch_dtype\":\"bfloat16\"", "\"quantization_config\":{}", StatusCode::kUnsupported,
       "quantised checkpoints"},
      {"\"torch_dtype\":\"bfloat16\"", "\"layer_types\":[\"full_attention\"]", StatusCode::kCorrupt,
       "expected an array of 2"},
      {"\"torch_dtype\":\"bfloat16\"", "\"layer_types\":[\"full_attention\",\"sliding_attention\"]",
       StatusCode::kUnsupported, "found \"sliding_attention\""},
      {"\"torch_dtype\":\"bfloat16\"", "\"hidden_size\":9", StatusCode::kCorrupt, "occurs more than once"},
      {"{\"arch", "[{\"arch", StatusCode::kCorrupt, "byte"},
  };
  for (const Case& c : cases) {
    const Status s = ParseConfigText(Replaced(good, c.from, c.to)).status();
    EXPECT_EQ(s.code(), c.code) << c.to << ": " << s.message();
    EXPECT_NE(s.message().find(c.says), std::string::npos) << c.to << ": " << s.message();
    EXPECT_EQ(s.message().rfind("config.json", 0), 0u) << s.message();
  }
  for (size_t n = 0; n < good.size(); ++n) EXPECT_FALSE(ParseConfigText(good.substr(0, n)).ok());
  EXPECT_EQ(ParseConfigText("[]").status().code(), StatusCode::kCorrupt);
  EXPECT_EQ(ParseConfigText(std::string(2 << 20, ' ')).status().code(), StatusCode::kUnsupported);
}

TEST(Checkpoint, FindsEveryTensorInItsRole) {
  for (const bool tied : {true, false}) {
    for (const size_t n_shards : {1u, 3u, 30u}) {
      const TestFolder folder;
      TestCheckpoint c = MakeCheckpoint(TestConfig(tied), "BF16");
      c.Write(folder, n_shards);
      const auto checkpoint = Checkpoint::Open(folder.path());
      ASSERT_TRUE(checkpoint.ok()) << checkpoint.status().message();
      EXPECT_EQ((*checkpoint)->config(), c.config);
      uint64_t bytes = 0;
      for (const TensorSpec& spec : CanonicalTensors(c.config)) {
        const SafetensorsTensor& t = (*checkpoint)->tensor(spec);
        EXPECT_EQ(t.n_elements, spec.n_elements());
        EXPECT_EQ(AsText(t.data), c.Tensor(CheckpointTensorName(spec)).Data());
        bytes += t.data.size();
      }
      EXPECT_EQ((*checkpoint)->data_bytes(), bytes);
    }
  }
}

TEST(Checkpoint, TensorsThatDoNotFitAreNamed) {
  const TestCheckpoint good = MakeCheckpoint(TestConfig(true), "F32");
  const auto status_of = [](const TestCheckpoint& c) {
    const TestFolder folder;
    c.Write(folder);
    return Checkpoint::Open(folder.path()).status();
  };
  const auto expect = [](const Status& s, StatusCode code, const std::string& says) {
    EXPECT_EQ(s.code(), code) << s.message();
    EXPECT_NE(s.message().find(says), std::string::npos) << s.message();
  };
  for (size_t i = 0; i < good.tensors.size(); ++i) {
    TestCheckpoint missing = good;
    missing.tensors.erase(missing.tensors.begin() + static_cast<ptrdiff_t>(i));
    expect(status_of(missing), StatusCode::kNotFound, "tensor \"" + good.tensors[i].name + "\" is missing");
    TestCheckpoint misshapen = good;
    misshapen.tensors[i].shape.push_back(1);
    expect(status_of(misshapen), StatusCode::kCorrupt, "tensor \"" + good.tensors[i].name + "\": shape");
  }
  TestCheckpoint extra = good;
  extra.tensors.push_back({"model.layers.2.mlp.up_proj.weight", "F32", {1}, {0}});
  expect(status_of(extra), StatusCode::kUnsupported,
         "tensor \"model.layers.2.mlp.up_proj.weight\" of shape [1] has no place");
  TestCheckpoint head = good;
  head.tensors.push_back({"lm_head.weight", "F32", {1, 2}, {0, 0}});
  expect(status_of(head), StatusCode::kCorrupt, "\"lm_head.weight\": shape [1, 2], expected [37, 9]");
  TestCheckpoint integers = good;
  integers.Tensor("model.norm.weight").type = "I32";
  expect(status_of(integers), StatusCode::kUnsupported,
         "\"model.norm.weight\": type I32, expected F32, F16 or BF16");
  TestCheckpoint untied = good;
  untied.config.tied_head = false;
  expect(status_of(untied), StatusCode::kNotFound,
         "tensor \"lm_head.weight\" is missing, expected with shape [37, 9]");
}

TEST(Checkpoint, MissingFilesAreNamed) {
  const TestFolder folder;
  EXPECT_EQ(Checkpoint::Open(folder.path()).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(Checkpoint::Open(folder.File("none")).status().code(), StatusCode::kNotFound);
  folder.Write("config.json", TestCheckpoint{TestConfig(true), {}}.ConfigText());
  const Status s = Checkpoint::Open(folder.path()).status();
  EXPECT_EQ(s.code(), StatusCode::kNotFound);
  EXPECT_NE(s.message().find("found neither model.safetensors nor"), std::string::npos) << s.message();
  EXPECT_FALSE(Checkpoint::Open(folder.File("config.json")).ok());  // a file
}

}  // namespace
}  // namespace pith
