// How fast the engine runs a model on this machine, beside what the machine can do at most (--engine); and what other
// engines were measured to do.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "report/results.h"
#include "kernels/kernels.h"
#include "model/weights.h"
#include "pith/pith.h"
#include "pith/status.h"

namespace pith::bench {

// Names of EngineSpeed. MergePeer uses them, too, so that speeds of one kind stand side by side.
inline constexpr const char* kPrefillAllLogits = "prefill, all logits";  // what compressing needs
inline constexpr const char* kPrefillLastLogits =
    "prefill, last logits";  // what chatting needs; only others measure it
inline constexpr const char* kPrefillNoLogits = "prefill, no logits";
inline constexpr const char* kDecode = "decode";                      // one token after another, of one stream
inline constexpr const char* kDecodeLockstep = "decode, 16 streams";  // as an archive is decoded

struct EngineMeasurementOptions {
  std::vector<size_t> threads = {};  // each count once; empty: 1 and all
  size_t window = 0;                 // tokens that a token sees; 0: as archives have it, up to 1,024
  size_t prefill_tokens = 512;
  // Of each stream; a model so small that its weights stay in the cache decodes eight times as many.
  size_t decode_tokens = 64;
  size_t repeats = 3;  // the best counts: what disturbs only makes it slower
};

struct EngineProgress {
  std::string doing;  // "decode, 2 threads"
  size_t done = 0;    // of `total` equal steps
  size_t total = 0;
};
// Called between steps, from the calling thread; false ends it with kCancelled. A step of a large model on one thread
// can take a minute.
using EngineCallback = std::function<bool(const EngineProgress&)>;

// What one token costs at least. Attention is not counted: it grows with the context and stays small beside the
// weights.
struct TokenCost {
  double operations = 0;    // two for each weight and int8 term of its activations
  double weight_bytes = 0;  // int8 rows and scales, read once for all tokens of a step
};
TokenCost CostOfToken(const ModelWeights& weights, bool logits);

// The shares are of what as many threads can do: int8 operations everywhere; reading weights, where these do not stay
// in the cache. `name` is for people. kCorrupt where the weights are broken; kCancelled.
Result<EngineResults> MeasureEngine(const ModelWeights& weights, const Kernels& kernels, const std::string& name,
                                    const EngineMeasurementOptions& options, const EngineCallback& progress);
// The model as Model::Builtin or Model::Open gave it: a .pmodel, .litertlm or GGUF file.
Result<EngineResults> MeasureEngine(const Model& model, const EngineMeasurementOptions& options,
                                    const EngineCallback& progress);

inline constexpr size_t kMaxPeerLines = 1000;
inline constexpr size_t kMaxPeerNameBytes = 100;

// Speeds of other engines, one JSON object a line, as the script peer_bench prints them:
//   {"engine": "llama.cpp", "type": "Q8_0", "threads": 2, "prefill_all_logits": 250.1, "decode": 20.5, ...}
// "engine", "type" and "threads" must be there; of "prefill_all_logits", "prefill_last_logits", "prefill_no_logits",
// "decode" and "decode_16_streams" (tokens a second) those that are there and not null are taken, other members are
// not. A line with "error" says that the engine failed, and is passed over. One EngineResults for each engine and type,
// in the order of the lines. `name` is for messages. kCorrupt with the line, also where there is no speed at all;
// kUnsupported beyond the limits.
Result<std::vector<EngineResults>> MergePeer(ByteSpan text, const std::string& name);

}  // namespace pith::bench
