#include "predict/adaptive_mixer.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <span>

#include "predict/logistic.h"

namespace pith {
namespace {

// All measured on texts of every kind, 100 KB of each; none is critical: twice or half of any changes the total by less
// than 0.5 %.
constexpr float kFirstRate = 0.05f;      // of a set of a mixer's weights
constexpr float kLastRate = 0.0015f;
constexpr float kFinalRate = 0.0015f;    // of the final mixer
constexpr float kMapRate = 0.02f;        // of the final corrections
constexpr float kTrustRate = 0.01f;      // of match lengths
constexpr uint16_t kPriorTimes = 30;     // that a knot of a context's map has learned, to begin with
constexpr float kBias = 0.4f;
constexpr float kMapShare = 0.17f;       // of each correction in the final probability
constexpr uint32_t kMatchLengths[] = {12, 4};
constexpr float kMixerLimit = 14.0f;     // of a mixer's sum; the final mixer's is kFinalLimit
constexpr float kFinalLimit = 16.0f;
constexpr float kLeast = 0x1p-20f;       // of a probability that is coded

constexpr size_t kFewestBuckets = size_t{1} << 14;
constexpr size_t kMostBuckets = size_t{1} << 21;  // 32 MiB
constexpr size_t kNodeSets = 8192;
constexpr size_t kTokenSets = 4096;
constexpr size_t kPairMapSets = size_t{1} << 14;
constexpr size_t kMatchMapClasses = 16;
constexpr size_t kFollowersBits = 16;
constexpr size_t kFinalSets = 3;

// Input numbers.
constexpr size_t kMapped = 0;        // stretched probability of each context
constexpr size_t kConfident = 16;    // its counter, linearly
constexpr size_t kBiasInput = 32;
constexpr size_t kModelInput = 33;   // stretched, and linearly
constexpr size_t kMatchInput = 35;   // of each matcher, stretched
constexpr size_t kMatchLinear = 37;
constexpr size_t kHiddenInput = 39;  // the model's, corrected by its hidden state

// 65536 / (count + 1.6), and for the last ones slower than that.
constexpr int32_t kCounterRates[16] = {40960, 25206, 18204, 14247, 11703, 9929, 8623, 7620,
                                       6826,  6182,  5649,  5201,  4818,  4488, 4201, 1092};
constexpr int kSureCount = 12;  // counts from here on grow with every fourth decision only
constexpr int kMaxCount = 15;
constexpr uint16_t kNewCounter = 2048 << 4;

// Stretch of a counter's twelve bits and of a map's value to twelve bits.
struct StretchTable {
  StretchTable() {
    for (uint32_t i = 0; i < 4096; ++i) {
      value[i] = Stretch((2 * i + 1) << 19);
    }
  }
  float value[4096];
};

const StretchTable& Stretched() {
  static const StretchTable table;
  return table;
}

float Clamp(float x, float limit) { return x > -limit ? (x < limit ? x : limit) : -limit; }

// Of a probability between 0 and 1.
float StretchOf(float p) {
  const auto index = static_cast<int32_t>(p * 4096.0f);
  return Stretched().value[std::clamp<int32_t>(index, 0, 4095)];
}

float At(const float* knots, float upper) { return knots[0] * (1.0f - upper) + knots[1] * upper; }

void MoveTo(float target, float rate, float* knots, float upper) {
  knots[0] = knots[0] + (target - knots[0]) * (rate * (1.0f - upper));
  knots[1] = knots[1] + (target - knots[1]) * (rate * upper);
}

}  // namespace

const Kernels& DefaultKernels() {
  const Result<Isa> isa = ChooseIsa();
  return KernelsFor(isa.ok() ? *isa : Isa::kScalar);
}

size_t AdaptiveMixer::BucketCount(int depth, uint64_t n_tokens) {
  const uint64_t groups = (static_cast<uint64_t>(depth) + kGroupLevels - 1) / kGroupLevels;
  const uint64_t wanted = n_tokens * groups * (kContexts / 2);  // contexts of low order share theirs
  return static_cast<size_t>(std::bit_ceil(std::clamp<uint64_t>(wanted, kFewestBuckets, kMostBuckets)));
}

uint64_t AdaptiveMixer::MemoryBytes(const Shape& shape, uint64_t table_tokens, uint64_t content_bytes) {
  const uint64_t fixed = (kNodeSets + kTokenSets + 21 * 20 + 256 * 3) * (kInputs + 1) * sizeof(float) +
                         (kNodeSets + kPairMapSets + kMatchMapClasses * 32 * 3) * kKnots * sizeof(float) +
                         kMatchers * MatchFinder::Bytes() + (sizeof(uint64_t) << kFollowersBits);
  return BucketCount(shape.depth, table_tokens) * sizeof(Bucket) +
         HiddenCorrection::MemoryBytes(shape.depth, shape.hidden_width) + table_tokens * sizeof(uint32_t) + 2 * content_bytes + fixed;
}

AdaptiveMixer::AdaptiveMixer(const Kernels& kernels, const Shape& shape, uint64_t n_tokens, uint64_t n_streams,
                             uint64_t table_tokens, const MixingPriors& priors, const MixingParts& parts)
    : kernels_(kernels),
      priors_(priors),
      parts_(parts),
      depth_(shape.depth),
      hidden_(kernels, shape.depth, parts.hidden ? shape.hidden_width : 0),
      tokens_(n_tokens, n_streams),
      history_(n_streams),
      matchers_{MatchFinder(n_streams, kMatchLengths[0]), MatchFinder(n_streams, kMatchLengths[1])},
      buckets_(BucketCount(shape.depth, table_tokens != 0 ? table_tokens : n_tokens)),
      context_maps_(kContexts * kCountClasses * kKnots),
      context_map_counts_(kContexts * kCountClasses * kKnots, kPriorTimes),
      followers_(size_t{1} << kFollowersBits) {
  buckets_.PreferLargePages();
  for (Bucket& b : buckets_.span()) {
    b.check = 0;
    std::fill(std::begin(b.counters), std::end(b.counters), kNewCounter);
  }
  for (size_t i = 0; i < context_maps_.size(); ++i) {
    context_maps_.data()[i] = static_cast<float>(priors.maps[i / kKnots % kCountClasses][i % kKnots]) * 0x1p-16f;
  }
  // Every correction begins as the identity: its knots lie at -8, -7.5 .. 8.
  float identity[kKnots];
  for (size_t j = 0; j < kKnots; ++j) {
    alignas(64) float x[16] = {(static_cast<float>(j) - 16.0f) * 0.5f};
    kernels_.sigmoid(x);
    identity[j] = x[0];
  }
  const auto begin_maps = [&](std::span<float> maps) {
    for (size_t i = 0; i < maps.size(); i += kKnots) std::copy_n(identity, kKnots, maps.data() + i);
  };
  const size_t levels = static_cast<size_t>(depth_);
  const size_t map_sets[kMaps] = {kNodeSets, kPairMapSets, kMatchMapClasses * levels * 3};
  for (size_t m = 0; m < kMaps; ++m) {
    maps_[m].resize(map_sets[m] * kKnots);
    begin_maps(maps_[m]);
  }
  const size_t weight_sets[kMixers] = {kNodeSets, kTokenSets, (kContexts + 1) * levels, 256 * 3};
  for (size_t k = 0; k < kMixers; ++k) {
    weights_[k] = AlignedBuffer<float>(weight_sets[k] * kInputs);
    uses_[k].resize(weight_sets[k]);
    for (size_t i = 0; i < weights_[k].size(); ++i) {
      weights_[k].data()[i] = static_cast<float>(priors.weights[k][i % kInputs]) * 0x1p-10f;
    }
  }
  final_weights_.assign(levels * kFinalSets * kMixers, 1.0f / kMixers);
  match_trust_.resize(kMatchers * MatchFinder::kLengthClasses * levels);
  for (size_t i = 0; i < match_trust_.size(); ++i) {
    const size_t level = i % levels;
    const size_t length = i / levels % MatchFinder::kLengthClasses;
    match_trust_[i] = 1.0f - 0.3f / ((static_cast<float>(length) + 1.5f) * (1.0f + static_cast<float>(level) * 0.3f));
  }
}

// What belongs to the token and the decision at hand begins anew.
AdaptiveMixer::AdaptiveMixer(const AdaptiveMixer& other)
    : kernels_(other.kernels_),
      priors_(other.priors_),
      parts_(other.parts_),
      depth_(other.depth_),
      hidden_(other.hidden_.Copy()),
      tokens_(other.tokens_),
      matchers_(other.matchers_),
      buckets_(other.buckets_.Copy()),
      context_maps_(other.context_maps_.Copy()),
      context_map_counts_(other.context_map_counts_),
      uses_(other.uses_),
      final_weights_(other.final_weights_),
      maps_(other.maps_),
      match_trust_(other.match_trust_),
      followers_(other.followers_),
      n_decisions_(other.n_decisions_) {
  for (size_t k = 0; k < kMixers; ++k) weights_[k] = other.weights_[k].Copy();
}

AdaptiveMixer AdaptiveMixer::Continued(uint64_t n_tokens, uint64_t n_streams) const {
  AdaptiveMixer mixer(*this);
  mixer.tokens_.Append(n_tokens, n_streams);
  mixer.history_.resize(n_streams);
  for (MatchFinder& m : mixer.matchers_) m.Restart(n_streams);
  return mixer;
}

MixingPriors AdaptiveMixer::Learned() const {
  MixingPriors learned = priors_;
  for (size_t k = 0; k < kMixers; ++k) {
    double sum[kInputs] = {};
    double n = 0;
    for (size_t set = 0; set < weights_[k].size(); set += kInputs) {
      const float* const w = weights_[k].data() + set;
      bool changed = false;
      for (size_t i = 0; i < kInputs; ++i) changed |= w[i] != static_cast<float>(priors_.weights[k][i]) * 0x1p-10f;
      if (!changed) continue;
      ++n;
      for (size_t i = 0; i < kInputs; ++i) sum[i] += static_cast<double>(w[i]);
    }
    for (size_t i = 0; i < kInputs && n > 0; ++i) {
      learned.weights[k][i] = static_cast<int16_t>(std::clamp(std::lround(sum[i] / n * 1024), -32768l, 32767l));
    }
  }
  // Knots by how often they have learned, over all contexts.
  for (size_t j = 0; j < kCountClasses * kKnots; ++j) {
    double sum = 0;
    double times = 0;
    for (size_t c = 0; c < kContexts; ++c) {
      const size_t i = c * kCountClasses * kKnots + j;
      const double weight = context_map_counts_[i] - kPriorTimes;
      sum += weight * static_cast<double>(context_maps_.data()[i]);
      times += weight;
    }
    if (times < 1) continue;
    const double share = times / (times + 100);  // a knot that was hardly used keeps its value
    uint16_t& knot = learned.maps[j / kKnots][j % kKnots];
    knot = static_cast<uint16_t>(std::clamp(std::lround(knot + share * (sum / times * 65536 - knot)), 1l, 65535l));
  }
  return learned;
}

void AdaptiveMixer::BeginToken(size_t stream, std::span<const float> hidden) {
  stream_ = stream;
  hidden_.BeginToken(parts_.hidden ? hidden : std::span<const float>());
  const StreamHistory& h = history_[stream];
  last_token_ = static_cast<uint32_t>(h.Back(1));
  contexts_ = h.Contexts(followers_[MixHash(h.Back(1) * 70001 + h.Back(2)) >> (64 - kFollowersBits)]);
  for (size_t m = 0; m < kMatchers; ++m) has_expected_[m] = parts_.matches && matchers_[m].Expected(tokens_, stream, &expected_[m]);
  group_ = ~0u;
}

uint16_t* AdaptiveMixer::FindBucket(uint64_t hash) {
  Bucket* const line = buckets_.data() + (hash >> 20 & (buckets_.size() - 1) & ~(kWays - 1));
  const auto check = static_cast<uint16_t>(hash);
  const size_t first = hash >> 16 & (kWays - 1);
  Bucket* least = nullptr;
  for (size_t j = 0; j < kWays; ++j) {
    Bucket* const b = line + ((first + j) & (kWays - 1));
    if (b->check == check) return b->counters;
    // Where all are taken, the one whose first node was seen least goes.
    if (least == nullptr || (b->counters[0] & kMaxCount) < (least->counters[0] & kMaxCount)) least = b;
  }
  least->check = check;
  std::fill(std::begin(least->counters), std::end(least->counters), kNewCounter);
  return least->counters;
}

void AdaptiveMixer::FindBuckets(uint32_t group, uint32_t group_node) {
  group_ = group;
  uint64_t hashes[kContexts];
  for (size_t c = 0; c < kContexts; ++c) {
    hashes[c] = MixHash(contexts_[c] + group_node * 0x9E3779B97F4A7C15u);
    __builtin_prefetch(buckets_.data() + (hashes[c] >> 20 & (buckets_.size() - 1) & ~(kWays - 1)), 1);
  }
  for (size_t c = 0; c < kContexts; ++c) group_counters_[c] = FindBucket(hashes[c]);
}

AdaptiveMixer::Place AdaptiveMixer::PlaceOf(float* map, float stretched) const {
  // Knots lie half a unit apart, so that 32 - 2^-7 is the last place below the last knot.
  const float at = std::min(31.9921875f, std::max(0.0f, (stretched + 8.0f) * 2.0f));
  const auto j = static_cast<int32_t>(at);
  return {map + j, at - static_cast<float>(j)};
}

uint32_t AdaptiveMixer::Probability(int level, uint32_t node, uint32_t p1) {
  const auto depth_in_group = static_cast<uint32_t>(level) % kGroupLevels;
  const uint32_t group = static_cast<uint32_t>(level) / kGroupLevels;
  if (group != group_) FindBuckets(group, node >> depth_in_group);
  const uint32_t in_group = (1u << depth_in_group | (node & ((1u << depth_in_group) - 1))) - 1;

  // Contexts.
  const StretchTable& stretched = Stretched();
  size_t n_known = 0;
  for (size_t c = 0; c < kContexts; ++c) {
    uint16_t* const counter = group_counters_[c] + in_group;
    counters_[c] = counter;
    const uint32_t count = *counter & kMaxCount;
    const uint32_t p = *counter >> 4;
    if (count == 0 || !parts_.contexts) {
      inputs_[kMapped + c] = inputs_[kConfident + c] = 0.0f;
      context_places_[c].knots = nullptr;
      continue;
    }
    ++n_known;
    context_places_[c] =
        PlaceOf(context_maps_.data() + (c * kCountClasses + count) * kKnots, stretched.value[p]);
    inputs_[kMapped + c] = StretchOf(At(context_places_[c].knots, context_places_[c].upper));
    inputs_[kConfident + c] = static_cast<float>(static_cast<int32_t>(p) - 2048) * 0x1p-10f;
  }

  // Model.
  inputs_[kBiasInput] = kBias;
  const float model = Stretch(p1);
  inputs_[kModelInput] = Clamp(model, kFinalLimit);
  inputs_[kModelInput + 1] = (static_cast<float>(p1) * 0x1p-32f - 0.5f) * 2.0f;
  inputs_[kHiddenInput] = Clamp(model + hidden_.At(node), kFinalLimit);

  // Matches.
  const auto levels = static_cast<size_t>(depth_);
  for (size_t m = 0; m < kMatchers; ++m) {
    const uint32_t leaf = expected_[m] | 1u << depth_;
    Matcher& match = match_[m];
    match.live = has_expected_[m] && leaf >> (depth_ - level) == node;
    inputs_[kMatchInput + m] = inputs_[kMatchLinear + m] = 0.0f;
    if (!match.live) continue;
    match.expected_bit = static_cast<int>(leaf >> (depth_ - level - 1) & 1);
    match.trust = match_trust_.data() +
                  (m * MatchFinder::kLengthClasses + matchers_[m].LengthClass(stream_)) * levels +
                  static_cast<size_t>(level);
    const float sign = match.expected_bit != 0 ? 1.0f : -1.0f;
    inputs_[kMatchInput + m] = sign * StretchOf(*match.trust);
    inputs_[kMatchLinear + m] = sign * ((*match.trust - 0.5f) * 2.0f);
  }
  uint32_t match_class = 0;
  if (has_expected_[0]) {
    const uint32_t length = matchers_[0].Length(stream_);
    match_class = std::min<uint32_t>(kMatchMapClasses - 1, 1 + (length < 16 ? length / 2 : 8 + length / 16));
  } else if (has_expected_[1]) {
    match_class = std::min<uint32_t>(3, matchers_[1].Length(stream_));
  }
  const size_t expects = match_[0].live ? 1 + static_cast<size_t>(match_[0].expected_bit) : 0;

  // Mixers.
  const uint32_t node_set = node < kNodeSets ? node : 0;
  const size_t sets[kMixers] = {node_set, last_token_ & (kTokenSets - 1),
                                n_known * levels + static_cast<size_t>(level),
                                (history_[stream_].byte_classes() & 255) * 3 + expects};
  for (size_t k = 0; k < kMixers; ++k) {
    weight_sets_[k] = weights_[k].data() + sets[k] * kInputs;
    set_uses_[k] = &uses_[k][sets[k]];
  }
  kernels_.mix(weight_sets_.data(), kMixers, inputs_, kInputs, dots_.data());
  final_set_ = final_weights_.data() +
               (static_cast<size_t>(level) * kFinalSets + (match_[0].live ? 1 : 0) + (match_[1].live ? 1 : 0)) * kMixers;
  float final_dot = 0.0f;
  for (size_t k = 0; k < kMixers; ++k) {
    dots_[k] = Clamp(dots_[k], kMixerLimit);
    squashed_[k] = dots_[k];
    final_dot = final_dot + final_set_[k] * dots_[k];
  }
  final_dot = Clamp(final_dot, kFinalLimit);
  squashed_[kMixers] = final_dot;
  squashed_[kMixers + 1] = inputs_[kHiddenInput];
  kernels_.sigmoid(squashed_);

  // Corrections.
  const uint64_t pair = MixHash(uint64_t{last_token_} << 32 | node) >> 50;
  float* const maps[kMaps] = {
      maps_[0].data() + node_set * kKnots, maps_[1].data() + pair * kKnots,
      maps_[2].data() + ((match_class * levels + static_cast<size_t>(level)) * 3 + expects) * kKnots};
  float corrected = 0.0f;
  for (size_t m = 0; m < kMaps; ++m) {
    map_places_[m] = PlaceOf(maps[m], final_dot);
    corrected = corrected + At(map_places_[m].knots, map_places_[m].upper);
  }
  float p = squashed_[kMixers] * (1.0f - 3.0f * kMapShare) + corrected * kMapShare;
  if (!parts_.corrections) p = squashed_[kMixers];
  p = std::min(1.0f - kLeast, std::max(kLeast, p));
  return static_cast<uint32_t>(static_cast<int64_t>(p * 0x1p32f));
}

void AdaptiveMixer::Learn(int bit) {
  ++n_decisions_;
  hidden_.PrefetchNext(bit);
  const float target = bit != 0 ? 1.0f : 0.0f;
  for (const Place& place : map_places_) MoveTo(target, kMapRate, place.knots, place.upper);
  const float final_step = (target - squashed_[kMixers]) * kFinalRate;
  std::array<float, kMixers> steps;
  for (size_t k = 0; k < kMixers; ++k) {
    final_set_[k] = final_set_[k] + final_step * dots_[k];
    steps[k] = (target - squashed_[k]) * FallingRate(kFirstRate, kLastRate, *set_uses_[k]);
    ++*set_uses_[k];
  }
  kernels_.mix_learn(weight_sets_.data(), steps.data(), kMixers, inputs_, kInputs);
  hidden_.Learn(target - squashed_[kMixers + 1]);

  const bool every_fourth = (static_cast<uint32_t>(n_decisions_) * 2654435761u >> 20 & 3) == 0;
  const int32_t goal = bit != 0 ? 4095 : 0;
  for (size_t c = 0; c < kContexts; ++c) {
    const int32_t count = *counters_[c] & kMaxCount;
    int32_t p = *counters_[c] >> 4;
    // Not "if count != 0": two contexts may share a counter, which the first of them has just changed.
    if (const Place& place = context_places_[c]; place.knots != nullptr) {
      uint16_t& times = context_map_counts_[static_cast<size_t>(place.knots - context_maps_.data())];
      const float rate = times < 127 ? 0.5f / (static_cast<float>(times) + 1.5f) : 1.0f / 255.0f;
      if (times < 127) ++times;
      MoveTo(target, rate, place.knots, place.upper);
    }
    p = std::clamp<int32_t>(p + (goal - p) * kCounterRates[count] / 65536, 1, 4094);
    const int32_t more = count < kSureCount || (count < kMaxCount && every_fourth) ? 1 : 0;
    *counters_[c] = static_cast<uint16_t>(p << 4 | (count + more));
  }
  for (const Matcher& match : match_) {
    if (!match.live) continue;
    const float right = match.expected_bit == bit ? 1.0f : 0.0f;
    *match.trust = *match.trust + (right - *match.trust) * kTrustRate;
  }
}

void AdaptiveMixer::EndToken(uint32_t token, ByteSpan bytes) {
  StreamHistory& h = history_[stream_];
  if (h.Back(2) != 0) {
    uint64_t& followers = followers_[MixHash(h.Back(1) * 70001 + h.Back(2)) >> (64 - kFollowersBits)];
    followers = followers << 32 | token;
  }
  h.Append(token, bytes);
  tokens_.Set(stream_, token);
  for (MatchFinder& m : matchers_) m.Update(tokens_, stream_, token);
}

}  // namespace pith
