#include "codec/language_model.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <numeric>
#include <utility>

#include "base/aligned_buffer.h"
#include "base/check.h"

namespace pith {
namespace {

constexpr size_t kVectorPadding = 16;  // elements; what the kernels read and write beyond the vocabulary

// Multiplications that one Paths call may take: 0.8 s on one core of 2020, and long enough that what threads wait for each
// other at its end is little.
constexpr size_t kMultiplicationsPerCall = size_t{24} << 30;
constexpr size_t kMaxTokensPerCall = 2048;  // more gains nothing

}  // namespace

struct LanguageModel::Impl {
  Impl(Engine& e, const Tokenizer& t) : engine(e), tokenizer(t) {}

  // What one thread needs to turn logits into frequencies.
  struct Scratch {
    AlignedBuffer<uint32_t> by_id;        // [vocab]; empty if ids are numbers
    AlignedBuffer<uint32_t> frequencies;  // [vocab]
  };

  // What one lane needs for a step.
  struct Lane {
    std::vector<Segment> segments;
    std::vector<uint32_t> ids;                         // [streams of a step]
    std::vector<AlignedBuffer<uint32_t>> frequencies;  // [streams of a step][vocab]
    std::vector<std::vector<float>> hidden;            // [streams of a step][hidden width]
  };

  Engine& engine;
  const Tokenizer& tokenizer;
  ModelIdentity identity;
  TokenId start_token = 0;
  uint64_t weight_bytes = 0;
  size_t vocab = 0;
  size_t width = 0;  // of hidden states
  DecisionTree tree{1};
  std::vector<uint32_t> ids;       // [vocab]: of each number; empty if each is its own
  std::vector<TokenId> numbers;    // [vocab]: of each id; empty likewise
  std::vector<uint32_t> excluded;  // [ranges, 2]: ids that no data has, ascending
  std::vector<KvCache> caches;     // [streams]
  std::vector<Scratch> scratch;    // [threads]
  std::vector<Segment> segments;   // of Paths
  std::vector<uint32_t> fed;       // ids of the inputs of Paths
  std::vector<Lane> lanes;

  uint32_t IdOf(TokenId number) const { return ids.empty() ? number : ids[number]; }
  TokenId NumberOf(uint32_t id) const { return numbers.empty() ? id : numbers[id]; }

  // Puts data tokens in the order of their bytes (of equal ones, of their ids), after all others.
  void NumberTokens() {
    ids.resize(vocab);
    std::iota(ids.begin(), ids.end(), 0u);
    const auto is_data = [&](uint32_t id) { return id < tokenizer.vocab_size() && tokenizer.IsData(id); };
    std::stable_sort(ids.begin(), ids.end(), [&](uint32_t a, uint32_t b) {
      if (!is_data(a) || !is_data(b)) return !is_data(a) && is_data(b);
      const ByteSpan x = tokenizer.TokenBytes(a);
      const ByteSpan y = tokenizer.TokenBytes(b);
      return std::lexicographical_compare(x.begin(), x.end(), y.begin(), y.end());
    });
    if (std::is_sorted(ids.begin(), ids.end())) {
      ids.clear();
      return;
    }
    numbers.resize(vocab);
    for (size_t number = 0; number < vocab; ++number) numbers[ids[number]] = static_cast<TokenId>(number);
  }

  // Integer frequencies of what follows (numeric_contract.md section 8), by number. Overwrites the logits. Needs the
  // float environment of the engine's threads.
  bool Frequencies(float* logits, AlignedBuffer<uint32_t>& by_id, uint32_t* f) const {
    const auto* ranges = reinterpret_cast<const uint32_t(*)[2]>(excluded.data());
    uint32_t* const out = ids.empty() ? f : by_id.data();
    if (!engine.kernels().frequencies(logits, vocab, ranges, excluded.size() / 2, out)) return false;
    for (size_t number = 0; number < ids.size(); ++number) f[number] = out[ids[number]];
    return true;
  }

  // -log2 of the softmax of `logits` at id `target`, over the ids that data can have.
  double IdealBits(const float* logits, uint32_t target) const {
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
  impl->weight_bytes = origin.weight_bytes;
  impl->vocab = vocab;
  impl->width = engine.weights().config.hidden;
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
  impl->NumberTokens();
  impl->start_token = impl->NumberOf(origin.start_token);
  impl->scratch.resize(engine.pool().n_threads());
  for (Impl::Scratch& s : impl->scratch) {
    s.frequencies = AlignedBuffer<uint32_t>(RoundUp(vocab, kVectorPadding));
    if (!impl->ids.empty()) s.by_id = AlignedBuffer<uint32_t>(RoundUp(vocab, kVectorPadding));
  }
  return std::unique_ptr<LanguageModel>(new LanguageModel(std::move(impl)));
}

const ModelIdentity& LanguageModel::identity() const { return impl_->identity; }
uint32_t LanguageModel::vocab() const { return static_cast<uint32_t>(impl_->vocab); }
TokenId LanguageModel::start_token() const { return impl_->start_token; }
size_t LanguageModel::hidden_width() const { return impl_->width; }
DecisionTree::SumFunction LanguageModel::sum_function() const { return impl_->engine.kernels().sum_u32; }

const Kernels& LanguageModel::kernels() const { return impl_->engine.kernels(); }

uint64_t LanguageModel::FixedBytes() const {
  const Engine& e = impl_->engine;
  const size_t n_threads = impl_->scratch.size();
  return impl_->weight_bytes + Engine::WorkspaceBytes(e.weights(), e.window(), n_threads) +
         n_threads * impl_->vocab * sizeof(uint32_t) * (impl_->ids.empty() ? 1 : 2) +
         (impl_->ids.size() + impl_->numbers.size()) * sizeof(uint32_t);
}

uint64_t LanguageModel::BytesPerStream() const {
  return Engine::CacheBytes(impl_->engine.weights(), impl_->engine.window()) +
         impl_->vocab * sizeof(uint32_t) + impl_->width * sizeof(float);
}

size_t LanguageModel::PreferredRun() const { return Engine::kMaxRows; }

size_t LanguageModel::PreferredTokens() const {
  const size_t n = kMultiplicationsPerCall / std::max<size_t>(1, impl_->engine.weights().n_weights());
  return std::clamp(n, Engine::kMaxRows, kMaxTokensPerCall);
}

Status LanguageModel::Tokenize(ByteSpan text, std::vector<TokenId>& tokens) {
  const size_t before = tokens.size();
  impl_->tokenizer.Encode(text, tokens);
  for (size_t i = before; i < tokens.size(); ++i) tokens[i] = impl_->NumberOf(tokens[i]);
  return OkStatus();
}

ByteSpan LanguageModel::TokenBytes(TokenId number) const { return impl_->tokenizer.TokenBytes(impl_->IdOf(number)); }

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
  m.fed.clear();
  for (const PathRequest& r : requests) {
    PITH_CHECK(r.stream < m.caches.size() && r.targets.size() == r.inputs.size() &&
               r.paths.size() == r.targets.size() * depth &&
               (r.hidden.empty() || r.hidden.size() == r.targets.size() * m.width));
    for (const TokenId number : r.targets) PITH_CHECK(!TokenBytes(number).empty());
    if (!m.ids.empty()) {
      for (const TokenId number : r.inputs) m.fed.push_back(m.IdOf(number));
    }
  }
  size_t n_fed = 0;
  for (const PathRequest& r : requests) {
    const std::span<const uint32_t> inputs =
        m.ids.empty() ? r.inputs : std::span<const uint32_t>(m.fed).subspan(n_fed, r.inputs.size());
    m.segments.push_back({&m.caches[r.stream], inputs});
    n_fed += r.inputs.size();
  }
  std::atomic<bool> finite{true};
  // On the worker threads, while the logits are still in the cache.
  const auto consume = [&](const TokenOutput& o) {
    const PathRequest& r = requests[o.segment];
    const TokenId target = r.targets[o.index];
    if (!r.hidden.empty()) std::copy_n(o.hidden, m.width, r.hidden.data() + o.index * m.width);
    if (!r.ideal_bits.empty()) r.ideal_bits[o.index] = m.IdealBits(o.logits, m.IdOf(target));
    Impl::Scratch& scratch = m.scratch[o.thread];
    if (!m.Frequencies(o.logits, scratch.by_id, scratch.frequencies.data())) {
      finite = false;
      return;
    }
    m.tree.Path(scratch.frequencies.data(), target, r.paths.subspan(o.index * depth, depth));
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
  while (l.frequencies.size() < inputs.size()) {
    l.frequencies.emplace_back(RoundUp(m.vocab, kVectorPadding));
    l.hidden.emplace_back(m.width);
  }
  l.ids.clear();
  for (const StreamToken& input : inputs) {
    PITH_CHECK(input.stream < m.caches.size() && input.token < m.vocab);
    l.ids.push_back(m.IdOf(input.token));
  }
  l.segments.clear();
  for (size_t i = 0; i < inputs.size(); ++i) l.segments.push_back({&m.caches[inputs[i].stream], {&l.ids[i], 1}});
  std::atomic<bool> finite{true};
  const auto consume = [&](const TokenOutput& o) {
    std::copy_n(o.hidden, m.width, l.hidden[o.segment].data());
    if (!m.Frequencies(o.logits, m.scratch[o.thread].by_id, l.frequencies[o.segment].data())) finite = false;
  };
  PITH_RETURN_IF_ERROR(m.lanes.size() == 1 ? m.engine.Forward(l.segments, consume)
                                           : m.engine.ForwardInLane(lane, l.segments, consume));
  return finite ? OkStatus() : m.NotFinite();
}

std::span<const uint32_t> LanguageModel::Frequencies(size_t lane, size_t i) const {
  return impl_->lanes[lane].frequencies[i].span().first(impl_->vocab);
}

std::span<const float> LanguageModel::Hidden(size_t lane, size_t i) const { return impl_->lanes[lane].hidden[i]; }

}  // namespace pith
