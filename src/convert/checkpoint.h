// Checkpoint: a Hugging Face model folder (config.json and safetensors) with each tensor in its role.
//
// Reads Qwen3 as published (rope_theta at top level, torch_dtype) and as transformers 5 writes it
// (rope_parameters, dtype). What the engine does not compute is refused, not ignored: other architectures,
// scaled rope, biases, sliding windows, quantised checkpoints.
#pragma once

#include <memory>
#include <string>

#include "base/bytes.h"
#include "convert/model_layout.h"
#include "formats/safetensors.h"
#include "model/weights.h"
#include "pith/status.h"

namespace pith {

// Reads the text of a config.json. kUnsupported for what is well-formed and cannot be computed, by name;
// kCorrupt for JSON that is none, a missing field or one of another type; kInvalidArgument for a size beyond
// a limit.
Result<ModelConfig> ParseCheckpointConfig(ByteSpan text, const std::string& where);

// The name that a tensor has in a checkpoint: "model.layers.3.self_attn.q_proj.weight".
std::string CheckpointTensorName(const TensorSpec& spec);

// Thread-safe once opened.
class Checkpoint {
 public:
  // Checks the config, and that the tensors are those of the config: none missing (kNotFound), none extra
  // (kUnsupported), each of the right shape (kCorrupt) and of type F32, F16 or BF16 (kUnsupported). Values
  // are not read.
  static Result<std::unique_ptr<Checkpoint>> Open(const std::string& directory);

  const ModelConfig& config() const { return config_; }
  // The stored tensor of a canonical spec.
  const SafetensorsTensor& tensor(const TensorSpec& spec) const;
  // A tied model's own lm_head.weight, which must equal the embedding; null when there is none.
  const SafetensorsTensor* duplicate_head() const { return duplicate_head_; }
  uint64_t data_bytes() const { return data_bytes_; }  // of all tensors
  size_t n_files() const { return folder_->n_files(); }

 private:
  Checkpoint() = default;
  ModelConfig config_;
  std::unique_ptr<SafetensorsFolder> folder_;
  const SafetensorsTensor* duplicate_head_ = nullptr;
  uint64_t data_bytes_ = 0;
};

}  // namespace pith
