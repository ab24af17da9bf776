#include "bench/engine_measurement.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <utility>

#include "api/model_impl.h"
#include "archive/archive_format.h"
#include "base/thread_pool.h"
#include "bench/machine_limits.h"
#include "formats/json.h"
#include "model/engine.h"

namespace pith::bench {
namespace {

constexpr size_t kLockstepStreams = 16;
constexpr size_t kContextBeforeDecode = 64;  // tokens that a decoding stream has behind it
constexpr size_t kSmallModelFactor = 8;      // a step of a small model is too short to be timed well
constexpr uint64_t kMaxThreads = 4096;
constexpr double kMaxTokensPerSecond = 1e9;

double Now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

// One number to find out.
struct Task {
  const char* name;
  size_t streams;
  size_t before;  // tokens of context
  size_t tokens;  // of each stream in a call
  size_t calls;
  bool logits;
};

std::vector<Task> TasksFor(const EngineMeasurementOptions& options, bool small) {
  const size_t decode = options.decode_tokens * (small ? kSmallModelFactor : 1);
  std::vector<Task> tasks;
  // A small model runs over several streams at once, as the codec runs it.
  tasks.push_back({kPrefillAllLogits, small ? kLockstepStreams : 1, 0, options.prefill_tokens, 1, true});
  tasks.push_back({kPrefillNoLogits, small ? kLockstepStreams : 1, 0, options.prefill_tokens, 1, false});
  tasks.push_back({kDecode, 1, kContextBeforeDecode, 1, decode, true});
  tasks.push_back({kDecodeLockstep, kLockstepStreams, kContextBeforeDecode, 1, decode, true});
  return tasks;
}

// Tokens a second.
Result<double> RunTask(Engine& engine, const Task& task) {
  const size_t vocab = engine.weights().config.vocab;
  std::vector<TokenId> tokens(std::max(task.before, task.tokens * task.calls));
  for (size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<TokenId>((i * 7919 + 13) % vocab);
  std::vector<KvCache> caches;
  std::vector<Segment> segments;
  for (size_t s = 0; s < task.streams; ++s) caches.push_back(engine.NewCache());
  for (KvCache& cache : caches) segments.push_back({&cache, std::span(tokens).first(task.before)});
  if (task.before > 0) PITH_RETURN_IF_ERROR(engine.Forward(segments, nullptr));
  // The consumer touches nothing: what is done with logits is measured elsewhere.
  const LogitsConsumer consumer = [](const TokenOutput&) {};
  const double start = Now();
  for (size_t call = 0; call < task.calls; ++call) {
    for (Segment& s : segments) s.tokens = std::span(tokens).subspan(call * task.tokens, task.tokens);
    PITH_RETURN_IF_ERROR(engine.Forward(segments, task.logits ? consumer : nullptr));
  }
  return static_cast<double>(task.streams * task.tokens * task.calls) / (Now() - start);
}

std::string Megabytes(double bytes) {
  char text[32];
  std::snprintf(text, sizeof text, bytes < 1e8 ? "%.1f MB" : "%.0f MB", bytes / 1e6);
  return text;
}

// Beside a limit that was itself measured, a share can come out a little above 1, or far where a large cache holds
// part of the weights: then all that memory gives is used.
double Share(double used, double limit) { return std::min(used / limit, 1.0); }

std::string Threads(size_t n) { return std::to_string(n) + (n == 1 ? " thread" : " threads"); }

}  // namespace

TokenCost CostOfToken(const ModelWeights& weights, bool logits) {
  TokenCost cost;
  const auto add = [&cost](const PanelMatrixView& m, uint8_t terms) {
    cost.operations += 2.0 * static_cast<double>(m.rows) * static_cast<double>(m.cols) * terms;
    cost.weight_bytes += static_cast<double>(PanelMatrixBytes(m.rows, m.cols)) +
                         static_cast<double>(m.n_panels() * kPanelRows * sizeof(float));
  };
  for (size_t l = 0; l < weights.layers.size(); ++l) {
    const LayerWeights& layer = weights.layers[l];
    const LayerTerms& terms = weights.terms.layers[l];
    for (const PanelMatrixView* m : {&layer.q, &layer.k, &layer.v}) add(*m, terms.qkv);
    add(layer.o, terms.o);
    for (const PanelMatrixView* m : {&layer.gate, &layer.up}) add(*m, terms.gate_up);
    add(layer.down, terms.down);
  }
  if (logits) add(weights.head, weights.terms.head);
  return cost;
}

Result<EngineResults> MeasureEngine(const ModelWeights& weights, const Kernels& kernels, const std::string& name,
                                    const EngineMeasurementOptions& options, const EngineCallback& progress) {
  const ModelConfig& config = weights.config;
  EngineResults results;
  results.engine = "pith " + VersionString();
  const TokenCost whole = CostOfToken(weights, true);
  results.weight_bytes = static_cast<uint64_t>(whole.weight_bytes);
  results.model = name + ": " + std::to_string(config.n_layers) + " layers of " + std::to_string(config.hidden) + ", " +
                  std::to_string(config.vocab) + " tokens, " + Megabytes(whole.weight_bytes) + " of int8 weights";

  std::vector<size_t> counts = options.threads;
  if (counts.empty()) counts = {1, AvailableThreads()};
  std::sort(counts.begin(), counts.end());
  counts.erase(std::unique(counts.begin(), counts.end()), counts.end());
  if (counts.front() == 0 || counts.back() > kMaxThreads) {
    return InvalidArgument("threads: expected 1 to " + std::to_string(kMaxThreads));
  }
  if (options.prefill_tokens == 0 || options.decode_tokens == 0 || options.repeats == 0) {
    return InvalidArgument("engine: nothing to measure: tokens and repeats must be above 0");
  }
  const size_t window =
      options.window != 0 ? options.window : std::clamp<size_t>(config.max_positions, kMaxSinks + 1, kDefaultMaxWindow);
  if (window <= kMaxSinks || window > kMaxCachedTokens) {
    return InvalidArgument("window: " + std::to_string(window) + " tokens, expected " + std::to_string(kMaxSinks + 1) +
                           " to " + std::to_string(kMaxCachedTokens));
  }
  const bool small = weights.n_weights() <= Engine::kSmallModelWeights;
  const std::vector<Task> tasks = TasksFor(options, small);
  EngineProgress now{.doing = {}, .done = 0, .total = counts.size() * (tasks.size() * options.repeats + 1)};
  const auto step = [&](const std::string& doing) {
    now.doing = doing;
    const bool go_on = !progress || progress(now);
    ++now.done;
    return go_on;
  };

  for (const size_t n_threads : counts) {
    ThreadPool pool(n_threads);
    if (!step("limits of the machine, " + Threads(n_threads))) return Cancelled("engine: cancelled");
    const double bandwidth = ReadBandwidth(pool);
    const double peak = Int8Peak(kernels.isa, pool);
    results.read_bytes_per_second = bandwidth;  // the last, with the most threads, stay
    results.int8_operations_per_second = peak;
    Engine engine(weights, kernels, pool, {.window = window, .n_sinks = kDefaultSinks});
    std::vector<double> best(tasks.size());
    // All tasks before the next repeat, so that a slow second does not hit all repeats of one of them.
    for (size_t repeat = 0; repeat < options.repeats; ++repeat) {
      for (size_t i = 0; i < tasks.size(); ++i) {
        if (!step(std::string(tasks[i].name) + ", " + Threads(n_threads))) return Cancelled("engine: cancelled");
        PITH_ASSIGN_OR_RETURN(const double speed, RunTask(engine, tasks[i]));
        best[i] = std::max(best[i], speed);
      }
    }
    for (size_t i = 0; i < tasks.size(); ++i) {
      const TokenCost cost = CostOfToken(weights, tasks[i].logits);
      EngineSpeed speed{.name = tasks[i].name,
                        .threads = static_cast<uint32_t>(n_threads),
                        .streams = static_cast<uint32_t>(tasks[i].streams),
                        .tokens_per_second = best[i]};
      speed.int8_share = Share(best[i] * cost.operations, peak);
      // One reading of the weights serves all rows of a pass.
      const size_t rows = std::min(tasks[i].streams * tasks[i].tokens, Engine::kMaxRows);
      if (!small) speed.bandwidth_share = Share(best[i] / static_cast<double>(rows) * cost.weight_bytes, bandwidth);
      results.speeds.push_back(std::move(speed));
    }
  }
  return results;
}

Result<EngineResults> MeasureEngine(const Model& model, const EngineMeasurementOptions& options,
                                    const EngineCallback& progress) {
  const Model::Impl& impl = model.impl();
  return MeasureEngine(impl.package->weights(), *impl.kernels, impl.info.name, options, progress);
}

// ---- Other engines --------------------------------------------------------------------------------------------------

namespace {

struct PeerSpeed {
  const char* member;
  const char* name;
  uint32_t streams;
};
constexpr PeerSpeed kPeerSpeeds[] = {
    {"prefill_all_logits", kPrefillAllLogits, 1},
    {"prefill_last_logits", kPrefillLastLogits, 1},
    {"prefill_no_logits", kPrefillNoLogits, 1},
    {"decode", kDecode, 1},
    {"decode_16_streams", kDecodeLockstep, kLockstepStreams},
};

Result<std::string> PeerName(const Json& line, const char* member, const std::string& where) {
  const Json* const value = line.Find(member);
  const std::string* const text = value != nullptr ? value->AsString() : nullptr;
  if (text == nullptr || text->empty() || text->size() > kMaxPeerNameBytes || !IsPrintableUtf8(*text)) {
    return Corrupt(where + ": \"" + member + "\": expected a text of 1 to " + std::to_string(kMaxPeerNameBytes) +
                   " bytes");
  }
  return *text;
}

// Of one line into `results`. Sets `failure` to what an engine that failed said.
Status MergeLine(const Json& line, const std::string& where, std::vector<EngineResults>& results,
                 std::string& failure) {
  if (line.kind() != Json::Kind::kObject) {
    return Corrupt(where + ": found " + std::string(line.KindName()) + ", expected an object");
  }
  PITH_ASSIGN_OR_RETURN(std::string engine, PeerName(line, "engine", where));
  PITH_ASSIGN_OR_RETURN(std::string type, PeerName(line, "type", where));
  const Json* const threads = line.Find("threads");
  const std::optional<uint64_t> n = threads != nullptr ? threads->AsUnsigned() : std::nullopt;
  if (!n || *n == 0 || *n > kMaxThreads) {
    return Corrupt(where + ": \"threads\": expected 1 to " + std::to_string(kMaxThreads));
  }
  if (const Json* const error = line.Find("error"); error != nullptr) {
    const std::string* const text = error->AsString();
    failure = engine + ", " + type + ": " + Quoted(text != nullptr ? *text : "");
    return OkStatus();
  }
  std::vector<EngineSpeed> speeds;
  for (const PeerSpeed& peer : kPeerSpeeds) {
    const Json* const value = line.Find(peer.member);
    if (value == nullptr || value->is_null()) continue;
    const std::optional<double> speed = value->AsNumber();
    if (!speed || !(*speed >= 0 && *speed <= kMaxTokensPerSecond)) {
      return Corrupt(where + ": \"" + peer.member + "\": expected a number of tokens a second");
    }
    speeds.push_back({.name = peer.name,
                      .threads = static_cast<uint32_t>(*n),
                      .streams = peer.streams,
                      .tokens_per_second = *speed});
  }
  auto same = std::find_if(results.begin(), results.end(),
                           [&](const EngineResults& r) { return r.engine == engine && r.model == type; });
  if (same == results.end()) {
    if (speeds.empty()) return OkStatus();
    results.push_back({.engine = std::move(engine), .model = std::move(type)});
    same = results.end() - 1;
  }
  for (EngineSpeed& speed : speeds) {
    const bool again = std::any_of(same->speeds.begin(), same->speeds.end(), [&](const EngineSpeed& s) {
      return s.name == speed.name && s.threads == speed.threads;
    });
    if (again) {
      return Corrupt(where + ": " + same->engine + ", " + same->model + ", " + Threads(speed.threads) +
                     ": the second time");
    }
    same->speeds.push_back(std::move(speed));
  }
  return OkStatus();
}

}  // namespace

Result<std::vector<EngineResults>> MergePeer(ByteSpan text, const std::string& name) {
  std::vector<EngineResults> results;
  std::string failure;
  size_t n = 0;
  for (std::string_view rest = AsText(text); !rest.empty();) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    const std::string where = name + ": line " + std::to_string(++n);
    if (n > kMaxPeerLines) return Unsupported(name + ": more than " + std::to_string(kMaxPeerLines) + " lines");
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    PITH_ASSIGN_OR_RETURN(const Json json, Json::Parse(AsBytes(line), where));
    PITH_RETURN_IF_ERROR(MergeLine(json, where, results, failure));
  }
  if (results.empty()) {
    return Corrupt(name + ": no speeds of any engine" + (failure.empty() ? "" : "; " + failure));
  }
  return results;
}

}  // namespace pith::bench
