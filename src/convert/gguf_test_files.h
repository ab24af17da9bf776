// Made-up GGUF files for the tests of this folder: a list of keys and tensors that can be changed before it
// is written.
#pragma once

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/aligned_buffer.h"
#include "convert/gguf_export.h"
#include "convert/test_checkpoint.h"
#include "formats/gguf.h"

namespace pith {

// Rows of whole blocks for Q8_0 and Q4_0.
inline ModelConfig GgufModelConfig(bool tied) {
  ModelConfig c = TestConfig(tied);
  c.hidden = 32;
  c.n_heads = 4;
  c.n_kv_heads = 2;
  c.head_dim = 8;
  c.ffn = 64;
  return c;
}

struct GgufFileOf {
  using Value =
      std::variant<bool, uint32_t, float, std::string, std::vector<std::string>, std::vector<int32_t>>;
  struct Tensor {
    std::string name;
    GgufEncoding encoding;
    std::vector<uint64_t> shape;
    Bytes data;
  };
  std::vector<std::pair<std::string, Value>> keys;
  std::vector<Tensor> tensors;

  // With the values of a checkpoint as F32, and no tokenizer.
  explicit GgufFileOf(const TestCheckpoint& checkpoint) {
    const ModelConfig& c = checkpoint.config;
    const auto u32 = [](size_t v) { return static_cast<uint32_t>(v); };
    keys = {{"general.architecture", std::string("qwen3")},
            {"general.name", std::string("made up")},
            {"qwen3.block_count", u32(c.n_layers)},
            {"qwen3.context_length", u32(c.max_positions)},
            {"qwen3.embedding_length", u32(c.hidden)},
            {"qwen3.feed_forward_length", u32(c.ffn)},
            {"qwen3.attention.head_count", u32(c.n_heads)},
            {"qwen3.attention.head_count_kv", u32(c.n_kv_heads)},
            {"qwen3.rope.freq_base", static_cast<float>(c.rope_theta)},
            {"qwen3.attention.layer_norm_rms_epsilon", c.rms_eps},
            {"qwen3.attention.key_length", u32(c.head_dim)},
            {"qwen3.attention.value_length", u32(c.head_dim)}};
    const std::vector<TensorSpec> specs = CanonicalTensors(c);
    for (size_t i = 0; i < specs.size(); ++i) {
      const TestTensor& t = checkpoint.tensors[i];
      Bytes data(t.values.size() * sizeof(float));
      std::memcpy(data.data(), t.values.data(), data.size());
      tensors.push_back({GgufTensorName(specs[i]), GgufEncoding::kF32, t.shape, std::move(data)});
    }
  }

  void Set(const std::string& key, Value value) {
    for (auto& [k, v] : keys) {
      if (k != key) continue;
      v = std::move(value);
      return;
    }
    keys.emplace_back(key, std::move(value));
  }
  void Remove(const std::string& key) {
    std::erase_if(keys, [&](const auto& entry) { return entry.first == key; });
  }
  Tensor& Find(const std::string& name) {
    return *std::find_if(tensors.begin(), tensors.end(), [&](const Tensor& t) { return t.name == name; });
  }

  Bytes Encode() const {
    GgufHeader header;
    for (const auto& [key, value] : keys) {
      if (const auto* b = std::get_if<bool>(&value)) header.AddBool(key, *b);
      if (const auto* u = std::get_if<uint32_t>(&value)) header.AddU32(key, *u);
      if (const auto* f = std::get_if<float>(&value)) header.AddF32(key, *f);
      if (const auto* s = std::get_if<std::string>(&value)) header.AddString(key, *s);
      if (const auto* list = std::get_if<std::vector<std::string>>(&value)) header.AddStrings(key, *list);
      if (const auto* list = std::get_if<std::vector<int32_t>>(&value)) header.AddI32s(key, *list);
    }
    for (const Tensor& t : tensors) header.AddTensor(t.name, t.encoding, t.shape);
    Bytes file = header.Encode();
    for (const Tensor& t : tensors) {
      file.insert(file.end(), t.data.begin(), t.data.end());
      file.resize(RoundUp(file.size(), kGgufAlignment));
    }
    return file;
  }
};

}  // namespace pith
