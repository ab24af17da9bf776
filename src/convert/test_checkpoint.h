// Made-up checkpoints for the tests of this folder: tiny, in every float type, whole or in shards.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <bit>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "convert/checkpoint.h"
#include "convert/model_layout.h"
#include "model/weights.h"

namespace pith {

// A folder that goes away with the object.
class TestFolder {
 public:
  TestFolder() {
    static std::atomic<int> counter{0};
    path_ = std::filesystem::temp_directory_path() /
            ("pith_convert_test." + std::to_string(getpid()) + "." + std::to_string(counter++));
    std::filesystem::create_directories(path_);
  }
  ~TestFolder() { std::filesystem::remove_all(path_); }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;

  std::string path() const { return path_.string(); }
  std::string File(const std::string& name) const { return (path_ / name).string(); }
  void Write(const std::string& name, std::string_view text) const {
    std::ofstream(path_ / name, std::ios::binary) << text;
  }
  size_t n_entries() const {
    return static_cast<size_t>(
        std::distance(std::filesystem::directory_iterator(path_), std::filesystem::directory_iterator()));
  }

 private:
  std::filesystem::path path_;
};

inline std::string ReadFileText(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

struct TestTensor {
  std::string name;
  std::string type;  // "F32", "F16" or "BF16"
  std::vector<uint64_t> shape;
  std::vector<float> values;  // must be representable in that type

  std::string Data() const {
    std::string data;
    for (const float v : values) {
      const uint32_t f = std::bit_cast<uint32_t>(v);
      uint32_t bits = f;
      size_t bytes = 4;
      if (type == "BF16") {
        bits = f >> 16;
        bytes = 2;
      } else if (type == "F16") {  // normal numbers, zero and infinity only
        const uint32_t exponent = (f >> 23) & 255;
        bits = (f >> 16 & 0x8000) |
               (exponent == 0     ? 0
                : exponent == 255 ? 0x7c00
                                  : (exponent - 112) << 10) |
               (f >> 13 & 0x3ff);
        bytes = 2;
      }
      for (size_t i = 0; i < bytes; ++i) data += static_cast<char>(bits >> (8 * i));
    }
    return data;
  }
};

inline std::string SafetensorsText(const std::vector<TestTensor>& tensors) {
  std::string header = "{";
  std::string data;
  for (const TestTensor& t : tensors) {
    const std::string bytes = t.Data();
    if (header.size() > 1) header += ",";
    header.append("\"").append(t.name).append("\":{\"dtype\":\"").append(t.type).append("\",\"shape\":[");
    for (size_t i = 0; i < t.shape.size(); ++i)
      header.append(i > 0 ? "," : "").append(std::to_string(t.shape[i]));
    header.append("],\"data_offsets\":[").append(std::to_string(data.size())).append(",");
    data += bytes;
    header.append(std::to_string(data.size())).append("]}");
  }
  header += "}";
  std::string file;
  for (int i = 0; i < 8; ++i) file += static_cast<char>(header.size() >> (8 * i));
  return file + header + data;
}

struct TestCheckpoint {
  ModelConfig config;
  std::vector<TestTensor> tensors;  // canonical order; a duplicate head last

  TestTensor& Tensor(const std::string& name) {
    for (TestTensor& t : tensors) {
      if (t.name == name) return t;
    }
    ADD_FAILURE() << name;
    return tensors[0];
  }

  // As published; `extra` is put before the closing brace.
  std::string ConfigText(const std::string& extra = "") const {
    const auto n = [](size_t v) { return std::to_string(v); };
    return std::string(
               "{\"architectures\":[\"Qwen3ForCausalLM\"],\"model_type\":\"qwen3\",\"attention_bias\":"
               "false,") +
           "\"hidden_act\":\"silu\",\"hidden_size\":" + n(config.hidden) +
           ",\"intermediate_size\":" + n(config.ffn) + ",\"num_hidden_layers\":" + n(config.n_layers) +
           ",\"num_attention_heads\":" + n(config.n_heads) +
           ",\"num_key_value_heads\":" + n(config.n_kv_heads) + ",\"head_dim\":" + n(config.head_dim) +
           ",\"vocab_size\":" + n(config.vocab) + ",\"max_position_embeddings\":" + n(config.max_positions) +
           ",\"rms_norm_eps\":1e-06,\"rope_theta\":10000,\"rope_scaling\":null,\"sliding_window\":null," +
           "\"torch_dtype\":\"bfloat16\",\"tie_word_embeddings\":" + (config.tied_head ? "true" : "false") +
           ",\"use_sliding_window\":false" + extra + "}";
  }

  void Write(const TestFolder& folder, size_t n_shards = 1) const {
    folder.Write("config.json", ConfigText());
    if (n_shards == 1) {
      folder.Write("model.safetensors", SafetensorsText(tensors));
      return;
    }
    std::string map;
    std::vector<std::vector<TestTensor>> shards(n_shards);
    for (size_t i = 0; i < tensors.size(); ++i) {
      const size_t shard = i * 7 % n_shards;
      shards[shard].push_back(tensors[i]);
      map.append(map.empty() ? "\"" : ",\"")
          .append(tensors[i].name)
          .append("\":\"shard-")
          .append(std::to_string(shard))
          .append("\"");
    }
    for (size_t i = 0; i < n_shards; ++i)
      folder.Write("shard-" + std::to_string(i), SafetensorsText(shards[i]));
    folder.Write("model.safetensors.index.json", "{\"weight_map\":{" + map + "}}");
  }
};

// Sizes with nothing even about them but head_dim.
inline ModelConfig TestConfig(bool tied) {
  ModelConfig c;
  c.n_layers = 2;
  c.hidden = 9;
  c.n_heads = 3;
  c.n_kv_heads = 1;
  c.head_dim = 6;
  c.ffn = 21;
  c.vocab = 37;
  c.max_positions = 100;
  c.rope_theta = 10000;
  c.rms_eps = 1e-6f;
  c.tied_head = tied;
  return c;
}

// Random values of seven bits and a few exponents: the same in F32, F16 and BF16.
inline TestCheckpoint MakeCheckpoint(const ModelConfig& config, const std::string& type, uint64_t seed = 1) {
  TestCheckpoint checkpoint{config, {}};
  uint64_t state = seed;
  const auto random = [&state] {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return static_cast<uint32_t>(state >> 33);
  };
  for (const TensorSpec& spec : CanonicalTensors(config)) {
    TestTensor t{CheckpointTensorName(spec), type, {}, {}};
    if (spec.is_matrix()) t.shape.push_back(spec.rows);
    t.shape.push_back(spec.cols);
    for (uint64_t i = 0; i < spec.n_elements(); ++i) {
      const float magnitude = static_cast<float>(random() % 128) / static_cast<float>(128u << (random() % 4));
      const float norm = 0.5f + static_cast<float>(random() % 128) / 256;
      t.values.push_back(!spec.is_matrix() ? norm : random() % 2 == 0 ? magnitude : -magnitude);
    }
    checkpoint.tensors.push_back(std::move(t));
  }
  return checkpoint;
}

}  // namespace pith
