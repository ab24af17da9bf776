// Sampler: which token comes next, from its logits. The same on every machine for the same logits, seed and
// place.
//
// Doubles in a fixed order, with the exponential of model/exact_math.h; no state but the seed, so that it
// does not matter how often or in which order a place is asked for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "pith/status.h"
#include "tokenizer/vocabulary.h"

namespace pith {

// Applied in this order, as transformers does: penalties, temperature, top_k, top_p, min_p.
struct SamplerOptions {
  double temperature = 1;  // 0: the likeliest token (of equal ones the lowest id), whatever the rest says
  uint32_t top_k = 0;      // only the k likeliest; 0: all
  double top_p = 1;        // only the likeliest that together have probability p
  double min_p = 0;        // only those with at least min_p of the likeliest one's probability
  // Of tokens that came before, prompt included: positive logits are divided by it, negative ones multiplied
  // (Keskar et al. 2019, "CTRL", as transformers has it). 1: off.
  double repetition_penalty = 1;
  double presence_penalty = 0;   // taken from the logits of tokens that the answer has
  double frequency_penalty = 0;  // the same for each time it has them
  uint64_t seed = 0;
};

// kInvalidArgument, naming the option and its range.
Status CheckSamplerOptions(const SamplerOptions& options);

// The random number in [0, 1) for place n of a text: 53 bits of SplitMix64 (Steele et al. 2014) of the seed,
// jumped to its n-th output.
double UniformAt(uint64_t seed, uint64_t n);

// What the penalties look at. Rebuilt for each answer.
class TokenCounts {
 public:
  void Clear();
  void AddPrompt(std::span<const TokenId> tokens);
  void AddAnswer(TokenId token);

  struct Count {
    bool prompt = false;
    uint32_t answer = 0;
  };
  const std::unordered_map<TokenId, Count>& counts() const { return counts_; }

 private:
  std::unordered_map<TokenId, Count> counts_;
};

class Sampler {
 public:
  // REQUIRES: CheckSamplerOptions(options) is ok.
  explicit Sampler(const SamplerOptions& options) : options_(options) {}

  const SamplerOptions& options() const { return options_; }
  bool uses_counts() const;

  // The token for place n. logits[id]: overwritten. allowed: bit id % 64 of word id / 64 for each id that may
  // come; empty: all may. REQUIRES: at least one is allowed; logits are finite.
  TokenId Sample(std::span<float> logits, const TokenCounts& counts, std::span<const uint64_t> allowed,
                 uint64_t n);

 private:
  struct Candidate {
    float logit;
    TokenId id;
  };
  void Penalise(std::span<float> logits, const TokenCounts& counts) const;
  // The likeliest candidates, likeliest first.
  void Collect(std::span<const float> logits, std::span<const uint64_t> allowed);

  SamplerOptions options_;
  std::vector<Candidate> candidates_;
  std::vector<double> weights_;
};

}  // namespace pith
