// Engine: the Qwen3 forward pass of numeric_contract.md section 6, from tokens to logits, for any number of streams.
//
// Exact: logits of a token depend on the stream's earlier tokens and the model alone, never on how calls cut the
// tokens, on what else is in the batch, on threads or on the instruction set.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "kernels/kernels.h"
#include "model/kv_cache.h"
#include "model/rope.h"
#include "model/weights.h"
#include "pith/status.h"

namespace pith {

struct EngineOptions {
  size_t window = 0;   // W of contract 7, above kMaxSinks; 0: plain causal attention over max_positions tokens
  size_t n_sinks = 0;  // at most kMaxSinks
};

// Tokens to append to one stream. A stream may occur once in a call.
struct Segment {
  KvCache* cache = nullptr;
  std::span<const TokenId> tokens;
  size_t logits_from = 0;  // the consumer wants logits of tokens[logits_from] and those after it
};

// What the model says after token `index` of segment `segment` (contract 6). Both are gone when the consumer returns.
struct TokenOutput {
  size_t segment = 0;
  size_t index = 0;
  size_t thread = 0;
  float* logits = nullptr;        // [vocab padded to 16], padding ids included; may be overwritten
  const float* hidden = nullptr;  // [hidden]: the last layer's output, normalised: what the head multiplies
};

// Called from several threads at once, once for each token from the segment's logits_from on.
using LogitsConsumer = std::function<void(const TokenOutput& output)>;

class Engine {
 public:
  // `weights` (and the memory behind it) and `pool` must outlive the engine.
  Engine(const ModelWeights& weights, const Kernels& kernels, ThreadPool& pool, EngineOptions options);
  ~Engine();

  const ModelWeights& weights() const { return weights_; }
  const Kernels& kernels() const { return kernels_; }
  ThreadPool& pool() { return pool_; }
  size_t window() const { return options_.window; }
  size_t n_sinks() const { return options_.n_sinks; }

  // A new, empty stream.
  KvCache NewCache() const;

  // Appends each segment's tokens to its stream. Without a consumer no logits are computed.
  // kInvalidArgument: a token id is not below vocab. kCorrupt: a value became non-finite (the weights are broken);
  // the caches are then of no further use.
  // `beside`, unless empty, is called once meanwhile, by any thread, in the float environment of the pool; a small model
  // (kSmallModelWeights) with several segments goes on with the other threads, else it comes first. After a failure it may
  // not have been called. REQUIRES: it throws nothing.
  Status Forward(std::span<const Segment> segments, const LogitsConsumer& consumer,
                 const std::function<void()>& beside = nullptr);

  // Lanes: parts of the streams that go on side by side, each on one thread with passes of its own. For callers whose next
  // token takes work that all threads would wait for between two calls of Forward.
  // As many as threads for a small model (kSmallModelWeights); 1 for a larger one, whose weights lanes would read once
  // each.
  size_t n_lanes() const { return small() ? pool_.n_threads() : 1; }

  // Calls lane(i) for each i in [0, n), all at the same time, each on a thread of its own; lane(0) on the calling
  // thread. Their streams get n_positions tokens at most meanwhile, those before included.
  // REQUIRES: n <= n_lanes(), and that `lane` throws nothing.
  void RunLanes(size_t n, size_t n_positions, const std::function<void(size_t lane)>& lane);

  // Forward inside RunLanes, on the calling thread alone. The consumer gets `lane` as its thread.
  Status ForwardInLane(size_t lane, std::span<const Segment> segments, const LogitsConsumer& consumer);

  // Largest number of tokens that one pass works on at once; longer calls are cut. Memory grows with it.
  static constexpr size_t kMaxRows = 96;

  // Bytes of the workspaces of an engine with so many threads, and of one stream's cache.
  static size_t WorkspaceBytes(const ModelWeights& weights, size_t window, size_t n_threads);
  static size_t CacheBytes(const ModelWeights& weights, size_t window);

  // The weights are so few that each thread keeps all of them in its cache: streams are split among threads, each
  // thread running whole passes without a barrier. Larger models split every product instead.
  static constexpr size_t kSmallModelWeights = size_t{16} << 20;

 private:
  struct Workspace;
  class Pass;
  struct Extent {
    size_t n_tokens = 0;
    size_t end_position = 0;  // of the longest stream afterwards
  };

  bool small() const { return weights_.n_weights() <= kSmallModelWeights; }
  // kInvalidArgument: a token id is not below vocab.
  Result<Extent> Measure(std::span<const Segment> segments) const;
  void MakeWorkspaces(size_t n);

  const ModelWeights& weights_;
  const Kernels& kernels_;
  ThreadPool& pool_;
  EngineOptions options_;
  RopeTable rope_;
  std::vector<std::unique_ptr<Workspace>> workspaces_;  // [threads with passes of their own]; the first serves all
};

}  // namespace pith
