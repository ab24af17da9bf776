#include "convert/calibrate.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <limits>

#include "base/aligned_buffer.h"
#include "model/exact_math.h"

namespace pith {
namespace {

constexpr size_t kSumLanes = 16;

// Exp of contract section 2 for x <= 0: 1e-7 relative is far more than a mean divergence needs, and it
// vectorises.
inline float ExpNonPositive(float x) {
  constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
  const float clamped = x < -87.0f ? -87.0f : x;
  const float shifted = clamped * 1.44269504088896341f + kRound;
  const float n = shifted - kRound;
  const float r = (clamped - n * 0.693359375f) - n * -2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  const float y = ((p * (r * r)) + r) + 1.0f;
  const float e = std::bit_cast<float>(std::bit_cast<uint32_t>(y) + (std::bit_cast<uint32_t>(shifted) << 23));
  return x < -87.0f ? 0.0f : e;
}

double SumOf(const double (&lanes)[kSumLanes]) {
  double sum = 0;
  for (const double l : lanes) sum += l;
  return sum;
}

float MaxOf(std::span<const float> v) {
  float lanes[kSumLanes];
  std::fill(std::begin(lanes), std::end(lanes), v[0]);
  size_t i = 0;
  for (; i + kSumLanes <= v.size(); i += kSumLanes) {
    for (size_t l = 0; l < kSumLanes; ++l) lanes[l] = v[i + l] > lanes[l] ? v[i + l] : lanes[l];
  }
  for (; i < v.size(); ++i) lanes[0] = v[i] > lanes[0] ? v[i] : lanes[0];
  return *std::max_element(std::begin(lanes), std::end(lanes));
}

// KL(p || q) of the distributions with logits p and q: sum of P (p - q), less the difference of the log sums.
double Divergence(std::span<const float> p, std::span<const float> q) {
  const float p_max = MaxOf(p);
  const float q_max = MaxOf(q);
  double p_total[kSumLanes] = {};
  double q_total[kSumLanes] = {};
  double weighted[kSumLanes] = {};  // sum of e^(p - p_max) ((p - p_max) - (q - q_max))
  const auto add = [&](size_t i, size_t l) {
    const float dp = p[i] - p_max;
    const float dq = q[i] - q_max;
    const float e = ExpNonPositive(dp);
    p_total[l] += static_cast<double>(e);
    q_total[l] += static_cast<double>(ExpNonPositive(dq));
    weighted[l] += static_cast<double>(e) * static_cast<double>(dp - dq);
  };
  size_t i = 0;
  for (; i + kSumLanes <= p.size(); i += kSumLanes) {
    for (size_t l = 0; l < kSumLanes; ++l) add(i + l, l);
  }
  for (; i < p.size(); ++i) add(i, 0);
  const double kl = SumOf(weighted) / SumOf(p_total) - Log64(SumOf(p_total)) + Log64(SumOf(q_total));
  return std::max(kl, 0.0);  // rounding may leave -1e-8
}

// A part of the calibration text, after a start token.
struct Stream {
  std::vector<TokenId> tokens;
  size_t first_position;  // number of positions in the streams before
};

}  // namespace

struct LossMeter::Data {
  Data(const ModelWeights& w, const Kernels& k, ThreadPool& p) : weights(w), kernels(k), pool(p) {}

  // Runs the text with some terms; consumer(position, logits) is called once for each position, from any
  // thread.
  Status Run(const ActivationTerms& terms, const std::function<void(size_t, const float*)>& consumer) {
    ModelWeights with_terms = weights;  // views
    with_terms.terms = terms;
    EngineOptions options;
    options.window = window;
    Engine engine(with_terms, kernels, pool, options);
    std::vector<KvCache> caches;
    caches.reserve(streams.size());
    std::vector<Segment> segments;
    for (const Stream& s : streams) {
      caches.push_back(engine.NewCache());
      segments.push_back({&caches.back(), s.tokens});
    }
    return engine.Forward(segments, [&](const TokenOutput& o) {
      consumer(streams[o.segment].first_position + o.index, o.logits);
    });
  }

  // Where a position's reference lies; none for a position that is not compared.
  size_t ReferenceIndex(size_t position) const {
    return position % stride == 0 ? position / stride : std::numeric_limits<size_t>::max();
  }

  const ModelWeights& weights;
  const Kernels& kernels;
  ThreadPool& pool;
  std::vector<Stream> streams;
  size_t window = 0;
  size_t n_tokens = 0;
  size_t stride = 1;  // every stride-th position is compared
  size_t n_positions = 0;
  AlignedBuffer<float> reference;  // [n_positions, vocab]
  std::vector<double> losses;      // [n_positions]
};

LossMeter::LossMeter(std::unique_ptr<Data> data) : data_(std::move(data)) {}
LossMeter::~LossMeter() = default;
size_t LossMeter::n_tokens() const { return data_->n_tokens; }
size_t LossMeter::n_positions() const { return data_->n_positions; }

Result<std::unique_ptr<LossMeter>> LossMeter::Create(const ModelWeights& weights, const Kernels& kernels,
                                                     ThreadPool& pool, std::span<const TokenId> tokens,
                                                     TokenId start_token) {
  const size_t vocab = weights.config.vocab;
  if (tokens.empty()) return InvalidArgument("calibration: no tokens");
  for (const TokenId t : tokens) {
    if (t >= vocab) {
      return InvalidArgument("calibration: token " + std::to_string(t) + ", expected below vocab_size, " +
                             std::to_string(vocab));
    }
  }
  auto data = std::make_unique<Data>(weights, kernels, pool);
  const double affordable = kMeasurementWork / static_cast<double>(weights.n_weights());
  const size_t wanted = affordable > static_cast<double>(kMaxCalibrationTokens)
                            ? kMaxCalibrationTokens
                            : std::max(static_cast<size_t>(affordable), kMinCalibrationTokens);
  const size_t n = std::min(wanted, tokens.size());
  // The text is cut into as many parts as there are streams, and each stream takes the beginning of its part.
  const size_t longest = std::clamp<size_t>(weights.config.max_positions - 1, 1, kCalibrationStream - 1);
  const size_t n_streams = (n + longest - 1) / longest;
  for (size_t i = 0; i < n_streams; ++i) {
    const size_t length = n * (i + 1) / n_streams - n * i / n_streams;
    const size_t begin = tokens.size() * i / n_streams;
    Stream s{{start_token}, data->n_tokens};
    s.tokens.insert(s.tokens.end(), tokens.begin() + static_cast<ptrdiff_t>(begin),
                    tokens.begin() + static_cast<ptrdiff_t>(begin + length));
    data->n_tokens += s.tokens.size();
    data->window = std::max(data->window, s.tokens.size());
    data->streams.push_back(std::move(s));
  }
  data->window = std::max(data->window, 2 * kMaxSinks);  // the engine wants more than its sinks
  const size_t room = std::max<size_t>(1, kMaxReferenceBytes / (vocab * sizeof(float)));
  data->stride = (data->n_tokens + room - 1) / room;
  data->n_positions = (data->n_tokens + data->stride - 1) / data->stride;
  data->reference = AlignedBuffer<float>(data->n_positions * vocab);
  data->losses.resize(data->n_positions);

  Data& d = *data;
  PITH_RETURN_IF_ERROR(
      d.Run(ActivationTerms::Precise(weights.config.n_layers), [&](size_t position, const float* logits) {
        const size_t i = d.ReferenceIndex(position);
        if (i < d.n_positions) std::copy_n(logits, vocab, d.reference.data() + i * vocab);
      }));
  return std::unique_ptr<LossMeter>(new LossMeter(std::move(data)));
}

Result<double> LossMeter::Measure(const ActivationTerms& terms) {
  Data& d = *data_;
  const size_t vocab = d.weights.config.vocab;
  PITH_RETURN_IF_ERROR(d.Run(terms, [&](size_t position, const float* logits) {
    const size_t i = d.ReferenceIndex(position);
    if (i < d.n_positions) d.losses[i] = Divergence({d.reference.data() + i * vocab, vocab}, {logits, vocab});
  }));
  double sum = 0;
  for (const double l : d.losses) sum += l;
  return sum / static_cast<double>(d.n_positions);
}

}  // namespace pith
