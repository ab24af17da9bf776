// OpenModelFile: a model file of any kind as Model needs it: packed weights, tokenizer, and what it says
// about turns.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "convert/package.h"
#include "formats/llm_metadata.h"
#include "pith/status.h"
#include "tokenizer/tokenizer.h"

namespace pith {

// All empty for a .pmodel, which says nothing.
struct ChatSource {
  std::optional<LlmMetadata> metadata;
  std::string chat_template;
  std::vector<TokenId> stop_tokens;
};

struct OpenedModel {
  std::unique_ptr<Package> package;
  std::optional<Tokenizer> tokenizer;  // none: the model can give logits of ids and no more
  ChatSource chat;
};

// `threads` as in ModelOptions.
Result<OpenedModel> OpenModelFile(const std::string& path, size_t threads);

// The model inside the program. kNotFound when this build has none.
Result<std::unique_ptr<Package>> OpenBuiltinPackage(const std::string& name);

// The tokenizer that a package holds.
Result<std::optional<Tokenizer>> ReadTokenizer(const Package& package);

}  // namespace pith
