// Model::Impl: what the other files of the API need of a model.
#pragma once

#include <memory>
#include <optional>

#include "base/thread_pool.h"
#include "codec/language_model.h"
#include "convert/package.h"
#include "kernels/kernels.h"
#include "model/engine.h"
#include "pith/pith.h"
#include "tokenizer/tokenizer.h"

namespace pith {

struct Model::Impl {
  // `threads` as in ModelOptions.
  static Result<std::unique_ptr<Impl>> Create(std::unique_ptr<Package> package, size_t threads);

  // The model as the codec sees it, for this window; 0 is DefaultWindow. The last one is kept: valid until the next
  // call with another window. kInvalidArgument for a window that is out of range; kUnsupported without a tokenizer.
  Result<TokenModel*> ForWindow(uint32_t window);

  // For EvaluateLogits.
  std::unique_ptr<Engine> NewEngine(uint32_t window) const;

  std::unique_ptr<Package> package;
  std::optional<Tokenizer> tokenizer;  // none: the model can give logits of ids and no more
  const Kernels* kernels = nullptr;
  std::unique_ptr<ThreadPool> pool;
  ModelInfo info;

 private:
  uint32_t window_ = 0;  // of what follows
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<LanguageModel> language_model_;
};

// Tokens that a token sees in an archive unless the user says otherwise.
uint32_t DefaultWindow(const ModelConfig& config);

// `tokenizer` may be null.
ModelInfo DescribePackage(const Package& package, const Tokenizer* tokenizer);

}  // namespace pith
