#include "codec/language_model.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <utility>

#include "base/aligned_buffer.h"
#include "base/check.h"

namespace pith {
namespace {

constexpr size_t kVectorPadding = 16;  // elements; what the kernels read and write beyond the vocabulary

// Multiplications that one Paths call may take: a fifth of a second on one core of 2020.
constexpr size_t kMultiplicationsPerCall = size_t{6} << 30;
constexpr size_t kMaxTokensPerCall = 2048;  // more gains nothing

}  // namespace

struct LanguageModel::Impl {
  Impl(Engine& e, const Tokenizer& t) : engine(e), tokenizer(t) {}

  // What one thread needs to turn logits into frequencies.
  struct Scratch {
    AlignedBuffer<uint32_t> frequencies;  // [vocab]
  };

  // What one lane needs for a step.
  struct Lane {
    std::vector<Segment> segments;
    std::vector<AlignedBuffer<uint32_t>> frequencies;  // [streams of a step][vocab]
  };

  Engine& engine;
  const Tokenizer& tokenizer;
  ModelIdentity identity;
  TokenId start_token = 0;
  uint64_t weight_bytes = 0;
  size_t vocab = 0;
  DecisionTree tree{1};
  std::vector<uint32_t> excluded;  // [ranges, 2]: ids that no data has, ascending
  std::vector<KvCache> caches;     // [streams]
  std::vector<Scratch> scratch;    // [threads]
  std::vector<Segment> segments;   // of Paths
  std::vector<Lane> lanes;

  // Integer frequencies of what follows (numeric_contract.md section 8). Overwrites the logits. Needs the
  // float environment of the engine's threads.
  bool Frequencies(float* logits, uint32_t* f) const {
    const auto* ranges = reinterpret_cast<const uint32_t(*)[2]>(excluded.data());
    return engine.kernels().frequencies(logits, vocab, ranges, excluded.size() / 2, f);
  }

  // -log2 of the softmax of `logits` at `target`, over the ids that data can have.
  double IdealBits(const float* logits, TokenId target) const {
    double top = -INFINITY;
    ForEachDataRange([&](size_t begin, size_t end) {
      top = std::max<double>(top, *std::max_element(logits + begin, logits + end));
    });
    double z = 0;
    ForEachDataRange([&](size_t begin, size_t end) {
      for (size_t i = begin; i < end; ++i) z += std::exp(logits[i] - top);
    });
    return (std::log(z) - (logits[target] - top)) / std::log(2.0);
  }

  template <typename Visit>
  void ForEachDataRange(const Visit& visit) const {
    size_t begin = 0;
    for (size_t k = 0; k < excluded.size(); k += 2) {
      if (begin < excluded[k]) visit(begin, size_t{excluded[k]});
      begin = excluded[k + 1];
    }
    if (begin < vocab) visit(begin, vocab);
  }

  Status NotFinite() const {
    return Corrupt("model '" + identity.name +
                   "': a logit is infinite or not a number; the weights are damaged or out of range");
  }
};

LanguageModel::LanguageModel(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
LanguageModel::~LanguageModel() = default;

Result<std::unique_ptr<LanguageModel>> LanguageModel::Create(Engine& engine, const Tokenizer& tokenizer,
                                                             Origin origin) {
  const size_t vocab = engine.weights().config.vocab;
  if (vocab == 0 || vocab > kMaxVocab || tokenizer.vocab_size() > vocab) {
    return InvalidArgument("model '" + origin.name + "': the tokenizer has " +
                           std::to_string(tokenizer.vocab_size()) + " ids, the embedding " +
                           std::to_string(vocab));
  }
  if (origin.start_token >= vocab) {
    return InvalidArgument("model '" + origin.name + "': start token " + std::to_string(origin.start_token) +
                           ", expected below " + std::to_string(vocab));
  }
  auto impl = std::make_unique<Impl>(engine, tokenizer);
  impl->identity = {std::move(origin.name), origin.fingerprint, static_cast<uint32_t>(engine.window()),
                    static_cast<uint32_t>(engine.n_sinks())};
  impl->start_token = origin.start_token;
  impl->weight_bytes = origin.weight_bytes;
  impl->vocab = vocab;
  impl->tree = DecisionTree(static_cast<uint32_t>(vocab), engine.kernels().sum_u32);
  for (size_t id = 0; id < vocab;) {
    size_t end = id;
    while (end < vocab && (end >= tokenizer.vocab_size() || !tokenizer.IsData(static_cast<TokenId>(end))))
      ++end;
    if (end > id) {
      impl->excluded.push_back(static_cast<uint32_t>(id));
      impl->excluded.push_back(static_cast<uint32_t>(end));
    }
    id = end + 1;
  }
  if (impl->excluded.size() == 2 && impl->excluded[0] == 0 && impl->excluded[1] == vocab) {
    return InvalidArgument("model '" + impl->identity.name + "': the tokenizer has no tokens for data");
  }
  impl->scratch.resize(engine.pool().n_threads());
  for (Impl::Scratch& s : impl->scratch)
    s.frequencies = AlignedBuffer<uint32_t>(RoundUp(vocab, kVectorPadding));
  return std::unique_ptr<LanguageModel>(new LanguageModel(std::move(impl)));
}

const ModelIdentity& LanguageModel::identity() const { return impl_->identity; }
uint32_t LanguageModel::vocab() const { return static_cast<uint32_t>(impl_->vocab); }
TokenId LanguageModel::start_token() const { return impl_->start_token; }
DecisionTree::SumFunction LanguageModel::sum_function() const { return impl_->engine.kernels().sum_u32; }

const Kernels& LanguageModel::kernels() const { return impl_->engine.kernels(); }

uint64_t LanguageModel::FixedBytes() const {
  const Engine& e = impl_->engine;
  const size_t n_threads = impl_->scratch.size();
  return impl_->weight_bytes + Engine::WorkspaceBytes(e.weights(), e.window(), n_threads) +
         n_threads * impl_->vocab * sizeof(uint32_t);
}

uint64_t LanguageModel::BytesPerStream() const {
  return Engine::CacheBytes(impl_->engine.weights(), impl_->engine.window()) +
         impl_->vocab * sizeof(uint32_t);
}

size_t LanguageModel::PreferredTokens() const {
  const size_t n = kMultiplicationsPerCall / std::max<size_t>(1, impl_->engine.weights().n_weights());
  return std::clamp(n, Engine::kMaxRows, kMaxTokensPerCall);
}

Status LanguageModel::Tokenize(ByteSpan text, std::vector<TokenId>& tokens) {
  impl_->tokenizer.Encode(text, tokens);
  return OkStatus();
}

ByteSpan LanguageModel::TokenBytes(TokenId id) const { return impl_->tokenizer.TokenBytes(id); }

Status LanguageModel::Start(size_t n_streams) {
  std::vector<KvCache>& caches = impl_->caches;
  while (caches.size() > n_streams) caches.pop_back();
  for (KvCache& c : caches) c.Clear();
  while (caches.size() < n_streams) caches.push_back(impl_->engine.NewCache());
  impl_->lanes.resize(std::clamp<size_t>(n_streams, 1, impl_->engine.n_lanes()));
  return OkStatus();
}

Status LanguageModel::Paths(std::span<const PathRequest> requests, const std::function<void()>& beside) {
  Impl& m = *impl_;
  const size_t depth = static_cast<size_t>(m.tree.depth());
  m.segments.clear();
  for (const PathRequest& r : requests) {
    PITH_CHECK(r.stream < m.caches.size() && r.targets.size() == r.inputs.size() &&
               r.paths.size() == r.targets.size() * depth);
    for (const TokenId id : r.targets) PITH_CHECK(!m.tokenizer.TokenBytes(id).empty());
    m.segments.push_back({&m.caches[r.stream], r.inputs});
  }
  std::atomic<bool> finite{true};
  // On the worker threads, while the logits are still in the cache.
  const auto consume = [&](size_t segment, size_t index, size_t thread, float* logits) {
    const PathRequest& r = requests[segment];
    const TokenId target = r.targets[index];
    if (!r.ideal_bits.empty()) r.ideal_bits[index] = m.IdealBits(logits, target);
    uint32_t* f = m.scratch[thread].frequencies.data();
    if (!m.Frequencies(logits, f)) {
      finite = false;
      return;
    }
    m.tree.Path(f, target, r.paths.subspan(index * depth, depth));
  };
  PITH_RETURN_IF_ERROR(m.engine.Forward(m.segments, consume, beside));
  return finite ? OkStatus() : m.NotFinite();
}

size_t LanguageModel::n_lanes() const { return impl_->lanes.size(); }

void LanguageModel::RunLanes(size_t n_steps, const std::function<void(size_t)>& run) {
  if (n_lanes() == 1) return run(0);  // Step then has all threads
  size_t length = 0;
  for (const KvCache& c : impl_->caches) length = std::max(length, c.length());
  impl_->engine.RunLanes(n_lanes(), length + n_steps, run);
}

Status LanguageModel::Step(size_t lane, std::span<const StreamToken> inputs) {
  Impl& m = *impl_;
  PITH_CHECK(lane < m.lanes.size());
  Impl::Lane& l = m.lanes[lane];
  while (l.frequencies.size() < inputs.size()) l.frequencies.emplace_back(RoundUp(m.vocab, kVectorPadding));
  l.segments.clear();
  for (const StreamToken& input : inputs) {
    PITH_CHECK(input.stream < m.caches.size());
    l.segments.push_back({&m.caches[input.stream], {&input.token, 1}});
  }
  std::atomic<bool> finite{true};
  const auto consume = [&](size_t segment, size_t, size_t, float* logits) {
    if (!m.Frequencies(logits, l.frequencies[segment].data())) finite = false;
  };
  PITH_RETURN_IF_ERROR(m.lanes.size() == 1 ? m.engine.Forward(l.segments, consume)
                                           : m.engine.ForwardInLane(lane, l.segments, consume));
  return finite ? OkStatus() : m.NotFinite();
}

std::span<const uint32_t> LanguageModel::Frequencies(size_t lane, size_t i) const {
  return impl_->lanes[lane].frequencies[i].span().first(impl_->vocab);
}

}  // namespace pith
