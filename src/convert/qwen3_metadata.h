// What a .litertlm file says about talking to a Qwen3 model: made from its folder and the wishes of the user.
// docs/litertlm_metadata.md explains each field.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "convert/model_folder.h"
#include "formats/llm_metadata.h"
#include "pith/status.h"

namespace pith {

inline constexpr size_t kMaxSystemPromptBytes = 1u << 20;
inline constexpr size_t kMaxStopStrings = 64;
inline constexpr size_t kMaxStopStringBytes = 256;

enum class MetadataStyle : uint8_t {
  kQwen3,    // upstream's form for Qwen3: tools, thinking
  kGeneric,  // what litert-lm-cli writes: model type generic_model, ChatML without tools or thinking
};

struct MetadataOptions {
  MetadataStyle style = MetadataStyle::kQwen3;
  std::string system;                        // system message of conversations that bring none; empty: none
  std::vector<std::string> stop_strings;     // in addition to the model's own
  std::optional<std::string> chat_template;  // Jinja, taken as it is, in place of the template made here
  // Sampling; what is not set is generation_config.json's. greedy, or a temperature of 0, excludes the
  // others.
  bool greedy = false;
  std::optional<double> temperature;  // 0 or more
  std::optional<double> top_p;        // more than 0, at most 1
  std::optional<uint32_t> top_k;      // 1 or more
  std::optional<int32_t> seed;
};

struct ModelMetadata {
  LlmMetadata metadata;
  std::vector<std::string> notes;  // what the user should know: guesses made, fields that could not be filled
};

// For a model whose state holds `context_length` tokens, 1 to INT32_MAX.
//
// The chat format is ChatML (<|im_start|> and <|im_end|>) where the folder's chat template uses it, or where
// there is no template and tokenizer.json has both tokens. A template of another format is taken over as it
// is. A model with neither gets the texts of the messages and nothing else.
//
// kInvalidArgument: options out of range or against each other; no stop token is known (the runtime refuses
// such a file). kCorrupt: tokenizer.json or a template that makes no sense.
Result<ModelMetadata> BuildQwen3Metadata(const ModelFolder& model, uint32_t context_length,
                                         const MetadataOptions& options = {});

// `text` as a string literal of Jinja: in double quotes, and escaped such that the runtime, which searches
// templates for methods of Python's strings and replaces them, finds nothing in it.
std::string JinjaLiteral(std::string_view text);

}  // namespace pith
