// Generate: tokens one after another, from logits to the sampler and back, until something says stop.
//
// Guessed tokens (draft_finder.h) are checked several at once. That cannot change the text: the engine gives
// the same logits for a token whatever it is batched with, and the sampler the same choice for a place
// whenever it is asked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "chat/sampler.h"
#include "chat/token_stream.h"
#include "grammar/token_constraint.h"
#include "pith/status.h"

namespace pith {

// Receives the tokens of an answer.
class TokenSink {
 public:
  virtual ~TokenSink() = default;
  // False: enough, no more tokens.
  virtual bool Put(TokenId token) = 0;
  // Asked before each token: whether the constraint holds for it (it does not while a model thinks).
  virtual bool IsConstrained() const { return true; }
  // Asked often; false gives up.
  virtual bool GoOn() { return true; }
};

struct GenerateRequest {
  std::span<const TokenId>
      prompt;  // the whole text so far; at least one token, and fewer than the stream's capacity
  std::span<const TokenId> stop_tokens;  // end the answer and are no part of it
  size_t max_tokens = 0;                 // of the answer; 0: what fits
  size_t n_ids = 0;                      // ids below it may come: those that the tokenizer knows
  bool draft = true;
  TokenConstraint* constraint = nullptr;  // at the start of its text
};

enum class GenerateEnd : uint8_t {
  kStopToken,  // or a constrained text that is complete
  kSink,       // the sink had enough
  kMaxTokens,
  kContextFull,
  kCancelled,  // GoOn said so
};

struct GenerateCounts {
  GenerateEnd end = GenerateEnd::kStopToken;
  size_t reused = 0;           // tokens of the prompt that the stream knew
  size_t prefilled = 0;        // those that it did not
  size_t generated = 0;        // given to the sink
  size_t passes = 0;           // through the model, after the prompt's
  size_t drafted = 0;          // guesses
  size_t accepted = 0;         // that were right
  double prefill_seconds = 0;  // up to the first token
  double decode_seconds = 0;   // from then on
};

// Rewinds `stream` to what it has in common with the prompt, appends the rest, then samples. Afterwards the
// stream holds the prompt and the answer, but perhaps for its last token. kInvalidArgument for a prompt that
// does not fit; errors of the engine. `counts` is right even where it fails.
Status Generate(TokenStream& stream, Sampler& sampler, const GenerateRequest& request, TokenSink& sink,
                GenerateCounts& counts);

}  // namespace pith
