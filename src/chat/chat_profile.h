// ChatProfile: what a model's file says about talking with it.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "chat/answer_reader.h"
#include "chat/sampler.h"
#include "formats/llm_metadata.h"
#include "tokenizer/tokenizer.h"

namespace pith {

struct ChatProfile {
  std::string chat_template;  // Jinja; empty: the model continues text and knows no turns
  std::string bos_token;      // for the template; may be empty
  std::string eos_token;
  std::vector<TokenId> stop_tokens;
  std::vector<std::string> stop_strings;
  SamplerOptions sampling;  // the defaults
  bool has_seed = false;    // sampling.seed was given
  AnswerFormat format;      // markers that the template and the model use
  // Stands before a text without turns; none where the model was trained without.
  std::optional<TokenId> start_token;
};

// From the metadata of a .litertlm file. Prompt templates alone are turned into a Jinja template.
ChatProfile ProfileFromMetadata(const LlmMetadata& metadata, const Tokenizer& tokenizer);

// Where there is a template and nothing else: stop tokens are `eos` and those that ChatML ends a turn with,
// sampling is what Qwen3 recommends.
ChatProfile ProfileFromTemplate(std::string chat_template, std::span<const TokenId> eos,
                                const Tokenizer& tokenizer);

// For a model that continues text: only `start_token` and what ends a text.
ChatProfile ProfileOfBaseModel(TokenId start_token, const Tokenizer& tokenizer);

}  // namespace pith
