// TokenStream: the tokens that a model has seen, and the state they left in it; goes back to any earlier
// point for free.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "base/aligned_buffer.h"
#include "model/engine.h"
#include "pith/status.h"

namespace pith {

// Thread-compatible.
class TokenStream {
 public:
  // Room for as many tokens as the engine's window. `engine`, whose options have no sinks, must outlive the
  // stream.
  explicit TokenStream(Engine& engine);

  std::span<const TokenId> tokens() const { return tokens_; }
  size_t capacity() const { return engine_.window(); }
  size_t room() const { return capacity() - tokens_.size(); }

  // Forgets all but the first n tokens. REQUIRES: n <= tokens().size().
  void Rewind(size_t n);

  // Asked between passes of a long Append; false gives up: kCancelled, with the tokens so far kept.
  using GoOn = std::function<bool()>;

  // Appends tokens and keeps the logits of the last n_logits of them until the next call. kInvalidArgument
  // where they do not fit; errors of Engine::Forward. REQUIRES: n_logits <= tokens.size().
  Status Append(std::span<const TokenId> tokens, size_t n_logits, const GoOn& go_on = {});

  // [vocab of the embedding] of the i-th token whose logits were kept; may be overwritten.
  std::span<float> logits(size_t i) { return logits_.span().subspan(i * stride_, vocab_); }

 private:
  Engine& engine_;
  KvCache cache_;
  size_t vocab_;
  size_t stride_;
  std::vector<TokenId> tokens_;
  AlignedBuffer<float> logits_;  // [most that was asked for, stride]
};

}  // namespace pith
