// AdaptiveMixer: a DecisionMixer that mixes the model's word with what the block itself has taught so far: counters of
// sixteen contexts in a hashed table, two match finders, what each node learns of the model's hidden state, four mixers and
// three final corrections. docs/mixing.md is the definition; the state is a function of the decisions and of what the model
// said alone, so encoder and decoder agree on every machine.
//
// Single-threaded; one mixer serves all streams of a block.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/bytes.h"
#include "kernels/kernels.h"
#include "predict/decision_mixer.h"
#include "predict/hidden_correction.h"
#include "predict/match_finder.h"
#include "predict/mixing_priors.h"
#include "predict/stream_history.h"

namespace pith {

// What a mixer mixes beside the model: all, but for measurements of what each part is worth (src/bench/mixing_ablation.cc).
struct MixingParts {
  bool contexts = true;
  bool matches = true;
  bool hidden = true;
  bool corrections = true;
};

class AdaptiveMixer {
 public:
  // What is mixed: decisions in a tree of `depth` levels, by a model whose hidden states have `hidden_width` numbers.
  struct Shape {
    int depth = 0;
    size_t hidden_width = 0;
  };

  // For a block of n_tokens tokens in n_streams streams. `kernels` must outlive the mixer.
  // table_tokens: as how many tokens' the table is made; 0: n_tokens.
  AdaptiveMixer(const Kernels& kernels, const Shape& shape, uint64_t n_tokens, uint64_t n_streams, uint64_t table_tokens = 0,
                const MixingPriors& priors = kMixingPriors, const MixingParts& parts = {});

  AdaptiveMixer& operator=(const AdaptiveMixer&) = delete;

  // A mixer for a block of n_tokens tokens that knows all that this one has learned; its own block, coded to the end, is
  // a dictionary there (docs/mixing.md section 8). REQUIRES: between tokens, the block is complete.
  AdaptiveMixer Continued(uint64_t n_tokens, uint64_t n_streams) const;

  // Of the table's size for a block of n_tokens after a dictionary: the same for all blocks up to the dictionary's size.
  static uint64_t TableTokens(uint64_t n_dictionary, uint64_t n_tokens) {
    return n_dictionary == 0 ? n_tokens : n_dictionary + std::max(n_dictionary, n_tokens);
  }

  // Memory that a mixer for so large a block takes.
  static uint64_t MemoryBytes(const Shape& shape, uint64_t table_tokens, uint64_t content_bytes);

  // DecisionMixer. The kernels' float environment is needed (ThreadPool, ScopedFloatEnvironment).
  void BeginToken(size_t stream, std::span<const float> hidden);
  uint32_t Probability(int level, uint32_t node, uint32_t p1);
  void Learn(int bit);
  void EndToken(uint32_t token, ByteSpan bytes);

  // What weights and maps have become on the average, of those that were used: for learning priors.
  MixingPriors Learned() const;

 private:
  static constexpr uint32_t kGroupLevels = 3;  // levels whose counters lie in one bucket
  static constexpr size_t kWays = 4;         // buckets that a context may lie in: a cache line
  static constexpr size_t kInputs = MixingPriors::kInputs;
  static constexpr size_t kMixers = MixingPriors::kMixers;
  static constexpr size_t kMatchers = 2;
  static constexpr size_t kKnots = MixingPriors::kKnots;  // of a map from stretched to true probability
  static constexpr size_t kMaps = 3;        // final corrections
  static constexpr size_t kCountClasses = MixingPriors::kCounts;

  // Counters of the seven nodes of three levels: probability of bit 1 in twelve bits, times 16, plus a count.
  struct Bucket {
    uint16_t check;
    uint16_t counters[7];
  };
  static_assert(sizeof(Bucket) == 16);

  // A place between two knots of a map.
  struct Place {
    float* knots;
    float upper;  // share of knots[1]; knots[0] has the rest
  };

  struct Matcher {
    bool live;
    int expected_bit;
    float* trust;  // probability that the expected bit is right
  };

  static size_t BucketCount(int depth, uint64_t n_tokens);
  void FindBuckets(uint32_t group, uint32_t group_node);
  uint16_t* FindBucket(uint64_t context);
  Place PlaceOf(float* map, float stretched) const;

  AdaptiveMixer(const AdaptiveMixer& other);

  const Kernels& kernels_;
  const MixingPriors& priors_;
  const MixingParts parts_;
  const int depth_;
  HiddenCorrection hidden_;
  BlockTokens tokens_;
  std::vector<StreamHistory> history_;              // [streams]
  std::array<MatchFinder, kMatchers> matchers_;
  AlignedBuffer<Bucket> buckets_;
  AlignedBuffer<float> context_maps_;               // [contexts, count classes, knots]
  std::vector<uint16_t> context_map_counts_;        // how often each knot has learned
  std::array<AlignedBuffer<float>, kMixers> weights_;  // [sets, inputs]
  std::array<std::vector<uint32_t>, kMixers> uses_;    // [sets]: how often each has learned
  std::vector<float> final_weights_;                // [levels, 3, mixers]
  std::array<std::vector<float>, kMaps> maps_;      // [contexts of the map, knots]
  std::vector<float> match_trust_;                  // [matchers, length classes, levels]
  std::vector<uint64_t> followers_;                 // hash of two tokens: the two that followed last
  uint64_t n_decisions_ = 0;

  // Of the token at hand.
  size_t stream_ = 0;
  std::array<uint64_t, kContexts> contexts_{};
  uint32_t group_ = 0;
  std::array<uint16_t*, kContexts> group_counters_{};
  uint32_t last_token_ = 0;
  std::array<uint32_t, kMatchers> expected_{};
  std::array<bool, kMatchers> has_expected_{};

  // Of the decision at hand.
  alignas(64) float inputs_[kInputs] = {};
  alignas(64) float squashed_[16] = {};  // probabilities: of the mixers, of the final mixer, of the corrected model
  std::array<float*, kMixers> weight_sets_{};
  std::array<uint32_t*, kMixers> set_uses_{};
  std::array<float, kMixers> dots_{};
  float* final_set_ = nullptr;
  std::array<uint16_t*, kContexts> counters_{};
  std::array<Place, kContexts> context_places_{};
  std::array<Place, kMaps> map_places_{};
  std::array<Matcher, kMatchers> match_{};
};
static_assert(DecisionMixer<AdaptiveMixer>);

// For predictors that bring no kernels of their own: those of the instruction set in use.
const Kernels& DefaultKernels();

}  // namespace pith
