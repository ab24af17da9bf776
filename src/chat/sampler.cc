#include "chat/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "base/check.h"
#include "model/exact_math.h"

namespace pith {
namespace {

// A token less likely than the likeliest by e^-40 (4e-18) is never drawn: 53 random bits cannot hit it.
// Leaving such tokens out is part of the definition, and saves sorting the whole vocabulary.
constexpr double kNegligible = 40;

Status OutOfRange(const char* name, double value, const char* expected) {
  return InvalidArgument(std::string(name) + ": " + std::to_string(value) + ", expected " + expected);
}

}  // namespace

Status CheckSamplerOptions(const SamplerOptions& o) {
  const auto in = [](double x, double low, double high) { return x >= low && x <= high; };  // false for NaN
  if (!in(o.temperature, 0, 100)) return OutOfRange("temperature", o.temperature, "0 to 100");
  if (!in(o.top_p, 0, 1) || o.top_p == 0) return OutOfRange("top_p", o.top_p, "more than 0, at most 1");
  if (!in(o.min_p, 0, 1)) return OutOfRange("min_p", o.min_p, "0 to 1");
  if (!in(o.repetition_penalty, 0.01, 100))
    return OutOfRange("repetition_penalty", o.repetition_penalty, "0.01 to 100");
  if (!in(o.presence_penalty, -100, 100))
    return OutOfRange("presence_penalty", o.presence_penalty, "-100 to 100");
  if (!in(o.frequency_penalty, -100, 100))
    return OutOfRange("frequency_penalty", o.frequency_penalty, "-100 to 100");
  return OkStatus();
}

double UniformAt(uint64_t seed, uint64_t n) {
  uint64_t z = seed + (n + 1) * 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  z ^= z >> 31;
  return static_cast<double>(z >> 11) * 0x1p-53;
}

void TokenCounts::Clear() { counts_.clear(); }

void TokenCounts::AddPrompt(std::span<const TokenId> tokens) {
  for (const TokenId id : tokens) counts_[id].prompt = true;
}

void TokenCounts::AddAnswer(TokenId token) { ++counts_[token].answer; }

bool Sampler::uses_counts() const {
  return options_.repetition_penalty != 1 || options_.presence_penalty != 0 ||
         options_.frequency_penalty != 0;
}

void Sampler::Penalise(std::span<float> logits, const TokenCounts& counts) const {
  // Each logit depends on its own count alone, so the map's order does not matter.
  for (const auto& [id, count] : counts.counts()) {
    if (id >= logits.size()) continue;
    double logit = logits[id];
    logit = logit > 0 ? logit / options_.repetition_penalty : logit * options_.repetition_penalty;
    if (count.answer != 0) logit -= options_.presence_penalty + options_.frequency_penalty * count.answer;
    logits[id] = static_cast<float>(logit);
  }
}

void Sampler::Collect(std::span<const float> logits, std::span<const uint64_t> allowed) {
  const auto may_come = [&](size_t id) {
    return allowed.empty() || (allowed[id / 64] >> (id % 64) & 1) != 0;
  };
  const auto likelier = [](const Candidate& a, const Candidate& b) {
    return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
  };
  const size_t k = options_.temperature == 0 ? 1 : options_.top_k == 0 ? logits.size() : options_.top_k;
  candidates_.clear();
  if (k == 1) {
    Candidate best{-std::numeric_limits<float>::infinity(), 0};
    bool found = false;
    for (size_t id = 0; id < logits.size(); ++id) {
      if ((logits[id] > best.logit || !found) && may_come(id)) {
        best = {logits[id], static_cast<TokenId>(id)};
        found = true;
      }
    }
    PITH_CHECK(found);
    candidates_.push_back(best);
    return;
  }
  // The k likeliest so far are within the first 2 k; what falls below the k-th of them is thrown away now and
  // then.
  float floor = -std::numeric_limits<float>::infinity();
  if (k >= logits.size()) {
    float largest = floor;
    for (size_t id = 0; id < logits.size(); ++id) {
      if (logits[id] > largest && may_come(id)) largest = logits[id];
    }
    floor = static_cast<float>(largest - kNegligible * options_.temperature);
  }
  for (size_t id = 0; id < logits.size(); ++id) {
    if (!(logits[id] >= floor) || !may_come(id)) continue;
    candidates_.push_back({logits[id], static_cast<TokenId>(id)});
    if (k < logits.size() && candidates_.size() >= 2 * k + 64) {
      std::nth_element(candidates_.begin(), candidates_.begin() + static_cast<ptrdiff_t>(k - 1),
                       candidates_.end(), likelier);
      candidates_.resize(k);
      floor = candidates_[k - 1].logit;
    }
  }
  PITH_CHECK(!candidates_.empty());
  std::sort(candidates_.begin(), candidates_.end(), likelier);
  if (candidates_.size() > k) candidates_.resize(k);
}

TokenId Sampler::Sample(std::span<float> logits, const TokenCounts& counts, std::span<const uint64_t> allowed,
                        uint64_t n) {
  if (uses_counts()) Penalise(logits, counts);
  Collect(logits, allowed);
  if (candidates_.size() == 1) return candidates_[0].id;

  // Weights relative to the likeliest. top_k is done; what is kept is always a beginning of the list.
  weights_.clear();
  double total = 0;
  for (const Candidate& c : candidates_) {
    const double below = (static_cast<double>(c.logit) - candidates_[0].logit) / options_.temperature;
    if (below < -kNegligible) break;
    weights_.push_back(Exp64(below));
    total += weights_.back();
  }
  size_t n_kept = weights_.size();
  double kept = total;
  if (options_.top_p < 1) {
    kept = 0;
    n_kept = 0;
    while (n_kept < weights_.size() && (n_kept == 0 || kept < options_.top_p * total))
      kept += weights_[n_kept++];
  }
  if (options_.min_p > 0) {
    while (n_kept > 1 && weights_[n_kept - 1] < options_.min_p) kept -= weights_[--n_kept];
  }
  double left = UniformAt(options_.seed, n) * kept;
  for (size_t i = 0; i < n_kept; ++i) {
    left -= weights_[i];
    if (left < 0) return candidates_[i].id;
  }
  return candidates_[n_kept - 1].id;
}

}  // namespace pith
