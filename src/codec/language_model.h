// LanguageModel: a TokenModel over the engine and the tokenizer of src/model and src/tokenizer.
//
// Its tokens are numbered in the order of their bytes, those that data cannot have first (numeric_contract.md section 8),
// whatever their ids are: what begins alike lies together in the tree of decisions, and shares what is learned there.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "codec/token_model.h"
#include "model/engine.h"
#include "pith/status.h"
#include "tokenizer/tokenizer.h"

namespace pith {

class LanguageModel : public TokenModel {
 public:
  // What the package knows and the engine does not.
  struct Origin {
    std::string name;           // Package::name()
    Fingerprint fingerprint;    // Package::fingerprint()
    TokenId start_token = 0;    // Package::start_token()
    uint64_t weight_bytes = 0;  // Package::size_bytes(): what --memory counts for the weights
  };

  // `engine` (whose window and sinks become the archive's) and `tokenizer` must outlive the model.
  // kInvalidArgument when tokenizer and weights do not fit together.
  static Result<std::unique_ptr<LanguageModel>> Create(Engine& engine, const Tokenizer& tokenizer,
                                                       Origin origin);
  ~LanguageModel() override;

  const ModelIdentity& identity() const override;
  uint32_t vocab() const override;
  TokenId start_token() const override;
  uint64_t FixedBytes() const override;
  uint64_t BytesPerStream() const override;
  size_t PreferredTokens() const override;
  size_t PreferredRun() const override;
  size_t hidden_width() const override;
  DecisionTree::SumFunction sum_function() const override;
  const Kernels& kernels() const override;
  Status Tokenize(ByteSpan text, std::vector<TokenId>& tokens) override;
  ByteSpan TokenBytes(TokenId id) const override;
  Status Start(size_t n_streams) override;
  Status Paths(std::span<const PathRequest> requests, const std::function<void()>& beside) override;
  size_t n_lanes() const override;
  void RunLanes(size_t n_steps, const std::function<void(size_t lane)>& run) override;
  Status Step(size_t lane, std::span<const StreamToken> inputs) override;
  std::span<const uint32_t> Frequencies(size_t lane, size_t i) const override;
  std::span<const float> Hidden(size_t lane, size_t i) const override;

 private:
  struct Impl;
  explicit LanguageModel(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace pith
