// ModelFolder: a Hugging Face model folder as the exporters need it: the checkpoint, and what stands beside it about
// text (tokenizer, chat template, sampling).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/file.h"
#include "convert/checkpoint.h"
#include "pith/status.h"

namespace pith {

// generation_config.json; where it is missing, the token ids of config.json.
struct GenerationSettings {
  std::vector<uint32_t> eos_ids;  // any of them ends a turn
  std::optional<uint32_t> bos_id;
  std::optional<uint32_t> pad_id;
  bool do_sample = false;  // else greedy
  std::optional<double> temperature;
  std::optional<uint32_t> top_k;
  std::optional<double> top_p;
};

// The folder's own name: "Qwen3-0.6B" for "models/Qwen3-0.6B/"; "model" where it has none.
std::string FolderName(std::string path);

// Immutable, hence thread-safe.
class ModelFolder {
 public:
  // What Checkpoint::Open says; kCorrupt for a side file that is there and makes no sense (JSON that is none, a token
  // id that is no number, ids beyond vocab_size).
  static Result<std::unique_ptr<ModelFolder>> Open(const std::string& directory);

  const std::string& directory() const { return directory_; }
  const std::string& name() const { return name_; }  // the folder's own: "Qwen3-0.6B"; "model" where it has none
  const Checkpoint& checkpoint() const { return *checkpoint_; }
  const ModelConfig& config() const { return checkpoint_->config(); }
  // Text of tokenizer.json; empty where there is none. Not parsed here.
  ByteSpan tokenizer_json() const { return tokenizer_ != nullptr ? tokenizer_->bytes() : ByteSpan(); }
  // Jinja: chat_template.jinja, else "chat_template" of tokenizer_config.json; empty where there is neither.
  const std::string& chat_template() const { return chat_template_; }
  const GenerationSettings& generation() const { return generation_; }

 private:
  ModelFolder() = default;
  std::string directory_;
  std::string name_;
  std::unique_ptr<Checkpoint> checkpoint_;
  std::unique_ptr<MappedFile> tokenizer_;
  std::string chat_template_;
  GenerationSettings generation_;
};

// kInvalidArgument where `output` is one of the folder's own files, by whatever name: to replace it would lose what the
// output is made from. Models that were written there before (by their endings) are none of them.
Status CheckOutputIsNoInput(const std::string& directory, const std::string& output);

}  // namespace pith
