// LlmMetadata: the section of a .litertlm file that says how to talk to the model (stop tokens, sampling,
// chat template). A protocol buffer, read and written by field number.
//
// Fields as in LiteRT-LM's llm_metadata.proto of version 0.18.1; docs/litertlm_metadata.md says what is in
// them. std::optional is a field whose presence protocol buffers record; of the others a default (0, "",
// false) is not written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "pith/status.h"

namespace pith {

inline constexpr size_t kMaxLlmMetadataBytes = 16u << 20;  // templates have some 10 KB
inline constexpr size_t kMaxLlmStopTokens = 1024;
inline constexpr size_t kMaxLlmChannels = 64;
inline constexpr size_t kMaxLlmTokenIds = 1u << 20;  // in one list

// One token, or several in a row: by id, or as text that the runtime looks up as one token, else tokenizes.
using LlmToken = std::variant<std::monostate, std::vector<int32_t>, std::string>;

struct LlmAffixes {
  std::string prefix;
  std::string suffix;
  friend bool operator==(const LlmAffixes&, const LlmAffixes&) = default;
};

// What a session without chat template puts around each text.
struct LlmPromptTemplates {
  std::optional<LlmAffixes> user;
  std::optional<LlmAffixes> model;
  std::optional<LlmAffixes> system;
  friend bool operator==(const LlmPromptTemplates&, const LlmPromptTemplates&) = default;
};

struct LlmSampler {
  // Numbers of SamplerParameters.Type. The CPU sampler of 0.18.1 refuses kTopK and kGreedy: greedy is kTopP
  // with k 1.
  static constexpr int32_t kUnspecified = 0;
  static constexpr int32_t kTopK = 1;
  static constexpr int32_t kTopP = 2;
  static constexpr int32_t kGreedy = 3;

  int32_t type = kUnspecified;
  int32_t k = 0;
  float p = 0;
  float temperature = 0;
  std::optional<int32_t> seed;
  int32_t backend = 0;  // 1 CPU, 2 GPU
  bool exact_log_probs = false;
  friend bool operator==(const LlmSampler&, const LlmSampler&) = default;
};

// Text between start and end goes to message.channels[name] instead of the content.
struct LlmChannel {
  std::string name;
  std::string start;
  std::string end;
  std::optional<bool> is_reasoning;
  friend bool operator==(const LlmChannel&, const LlmChannel&) = default;
};

struct LlmModelType {
  static constexpr uint32_t kGeneric = 1;
  static constexpr uint32_t kQwen3 = 5;

  uint32_t kind = 0;  // field number within LlmModelType
  Bytes settings;     // the message of that kind as it stands, not looked into; empty: the runtime's defaults

  std::string_view KindName() const;  // "qwen3"; "unknown" for a number that has no name here
  friend bool operator==(const LlmModelType&, const LlmModelType&) = default;
};

struct LlmMetadata {
  std::optional<LlmToken> start_token;                  // 1
  std::vector<LlmToken> stop_tokens;                    // 2
  std::optional<LlmPromptTemplates> prompt_templates;   // 3
  std::optional<LlmSampler> sampler;                    // 4
  int32_t max_num_tokens = 0;                           // 5, prompt and answer together
  std::optional<LlmModelType> model_type;               // 6
  std::optional<std::string> jinja_template;            // 7
  std::vector<LlmChannel> channels;                     // 8
  std::optional<std::vector<int32_t>> suppress_tokens;  // 9
  std::optional<int64_t> kv_cache_init_value;           // 10
  std::optional<bool> supports_thinking;                // 11
  std::optional<bool> supports_function_calling;        // 12
  std::optional<LlmToken> pad_token;                    // 13
  std::optional<std::string> min_runtime_version;       // 14

  // How many fields DecodeLlmMetadata did not know, at any depth. Not encoded.
  size_t n_unknown_fields = 0;

  friend bool operator==(const LlmMetadata&, const LlmMetadata&) = default;
};

// Follows protocol buffers: of a field given twice the last one counts, messages given twice are merged. A
// known number of another wire type counts as unknown. `where` names the data in errors. kCorrupt: cut short
// or no protocol buffer; kUnsupported: beyond a limit above.
Result<LlmMetadata> DecodeLlmMetadata(ByteSpan data, const std::string& where);

// The bytes that the reference implementation writes for the same content: fields in the order of their
// numbers, lists of ids packed. Equal content gives equal bytes.
Bytes EncodeLlmMetadata(const LlmMetadata& metadata);

}  // namespace pith
