// TokenModel: what the codec asks of a predictor: tokens for bytes, and integer probabilities for tokens.
//
// A model runs S independent streams. A stream starts empty; it is fed the start token, then its own tokens
// one after another; after each it predicts the next. Predictions depend on the stream's tokens and the model
// alone, never on how calls cut them, on other streams, on threads or on the machine: encoder and decoder cut
// differently.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "archive/archive_format.h"
#include "base/bytes.h"
#include "pith/status.h"
#include "predict/adaptive_mixer.h"
#include "predict/decision_tree.h"

namespace pith {

// A token's number in the codec: models whose own ids are in another order than their tokens' bytes are numbered anew
// (LanguageModel).
using TokenId = uint32_t;

// Tokens that a stream is fed in one call, and the tokens that follow each of them.
struct PathRequest {
  size_t stream = 0;
  std::span<const TokenId> inputs;   // never empty
  std::span<const TokenId> targets;  // targets[i] follows inputs[i]; as many as inputs
  // paths[targets, depth]: P(bit = 1) of each decision on the way to targets[i], in units of 2^-32, highest
  // bit first; 0 where the decision is certain (numeric_contract.md section 8).
  std::span<uint32_t> paths;
  // Either empty or hidden[targets, hidden_width()]: the state that targets[i] is predicted from.
  std::span<float> hidden;
  // Either empty or one for each target: -log2 of its probability in double, before any rounding to integers.
  std::span<double> ideal_bits;
};

// One token for one stream.
struct StreamToken {
  size_t stream = 0;
  TokenId token = 0;
};

class TokenModel {
 public:
  virtual ~TokenModel() = default;

  virtual const ModelIdentity& identity() const = 0;
  virtual uint32_t vocab() const = 0;       // ids are below it; at most 2^20
  virtual TokenId start_token() const = 0;  // fed to every stream first

  // Memory of the model whatever the number of streams, and of one stream more.
  virtual uint64_t FixedBytes() const = 0;
  virtual uint64_t BytesPerStream() const = 0;
  // Tokens, of all streams together, that one Paths call had best be given: enough to be fast, few enough
  // that the call takes a fraction of a second where the machine allows it. Never changes a result.
  virtual size_t PreferredTokens() const = 0;
  // Of which one stream had best bring a multiple of so many, where there are enough. Never changes a result.
  virtual size_t PreferredRun() const { return 1; }

  // Numbers of the state that a token is predicted from (numeric_contract.md section 8), for what learns from it; 0: it
  // shows none.
  virtual size_t hidden_width() const { return 0; }

  // How to add up frequencies (DecisionTree); any function that adds.
  virtual DecisionTree::SumFunction sum_function() const { return SumFrequencies; }

  // The arithmetic of what adapts; any table gives the same.
  virtual const Kernels& kernels() const { return DefaultKernels(); }

  // Appends tokens whose bytes, one after another, are `text`: any bytes, without loss. Each id has bytes.
  virtual Status Tokenize(ByteSpan text, std::vector<TokenId>& tokens) = 0;
  // The bytes of an id that Frequencies can give more than 0; never empty. Valid as long as the model.
  // REQUIRES: id < vocab().
  virtual ByteSpan TokenBytes(TokenId id) const = 0;

  // Makes n streams, all empty; earlier ones are gone.
  virtual Status Start(size_t n_streams) = 0;

  // Encoder: feeds inputs and fills paths. A stream occurs at most once in a call. `beside`, unless empty, is called once,
  // by any thread, in the kernels' float environment, and has returned when Paths does; where there are threads for it, the
  // model works meanwhile. After a failure it may not have been called. REQUIRES: it throws nothing.
  virtual Status Paths(std::span<const PathRequest> requests, const std::function<void()>& beside) = 0;

  // Decoder: the streams that Start made go on in lanes, parts that the caller cuts them into, each on a thread of its
  // own. How many lanes there had best be: 1 to the number of streams. Never changes a result.
  virtual size_t n_lanes() const { return 1; }

  // Calls run(lane) for each lane in [0, n_lanes()), all at the same time, so that they may wait for each other;
  // run(0) on the calling thread, all in the float environment of the kernels if the caller is. Returns when all are
  // done. No stream is fed more than n_steps tokens meanwhile.
  // REQUIRES: `run` throws nothing.
  virtual void RunLanes(size_t /*n_steps*/, const std::function<void(size_t lane)>& run) { run(0); }

  // Inside RunLanes, by the lane itself: feeds one token to each stream named (each at most once, and by one lane only);
  // afterwards Frequencies(lane, i)[vocab()] is what follows inputs[i]. Frequencies sum below 2^31; ids that cannot occur
  // have 0. Hidden(lane, i)[hidden_width()] is the state they come from. Valid until the lane's next Step.
  virtual Status Step(size_t lane, std::span<const StreamToken> inputs) = 0;
  virtual std::span<const uint32_t> Frequencies(size_t lane, size_t i) const = 0;
  virtual std::span<const float> Hidden(size_t /*lane*/, size_t /*i*/) const { return {}; }
};

// What a mixer over the model's words has to know of it.
inline AdaptiveMixer::Shape MixerShape(const TokenModel& model) {
  return {DecisionTree(model.vocab()).depth(), model.hidden_width()};
}

}  // namespace pith
