// Model::Impl: what the other files of the API need of a model.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/open_model.h"
#include "base/thread_pool.h"
#include "chat/chat_profile.h"
#include "codec/language_model.h"
#include "convert/package.h"
#include "kernels/kernels.h"
#include "model/engine.h"
#include "pith/pith.h"
#include "tokenizer/tokenizer.h"

namespace pith {

// What a token sees (numeric_contract.md section 7).
struct Context {
  uint32_t window = 0;
  uint32_t n_sinks = 0;
  bool operator==(const Context&) const = default;
};

// Of new archives. Longer windows than this cost more time than they save space; sinks keep a rolling window
// from losing the start token, which models lean on. Measured: docs/performance.md.
inline constexpr uint32_t kDefaultMaxWindow = 1024;
inline constexpr uint32_t kDefaultSinks = 4;

struct Model::Impl {
  // `threads` as in ModelOptions.
  static Result<std::unique_ptr<Impl>> Create(OpenedModel opened, size_t threads);
  // With the tokenizer that the package holds.
  static Result<std::unique_ptr<Impl>> Create(std::unique_ptr<Package> package, size_t threads);

  // The model as the codec sees it, with this context. The last one is kept: valid until the next call with
  // another context. kInvalidArgument for one that is out of range; kUnsupported without a tokenizer.
  Result<TokenModel*> ForContext(const Context& context);

  // The context that new archives get; window 0 stands for the default.
  Context ContextFor(uint32_t window) const;

  // For EvaluateLogits.
  std::unique_ptr<Engine> NewEngine(const Context& context) const;

  std::unique_ptr<Package> package;
  std::optional<Tokenizer> tokenizer;  // none: the model can give logits of ids and no more
  const Kernels* kernels = nullptr;
  std::unique_ptr<ThreadPool> pool;
  ModelInfo info;
  ChatProfile chat;  // empty without a tokenizer

 private:
  Context context_;  // of what follows
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<LanguageModel> language_model_;
};

// `tokenizer` may be null.
ModelInfo DescribePackage(const Package& package, const Tokenizer* tokenizer);

}  // namespace pith
