// DecisionMixer: what stands between the model's probability of a decision and the coder.
//
// Encoder and decoder ask a mixer about each decision that is not certain, in the same order: by step, then
// stream, then from the root down; and tell it the outcome before they ask about the next. One mixer serves
// all streams of a block, so whatever it learns is learned from every earlier step of every stream (facts:
// separate states cost 7 to 80 % on repetitive data). A mixer is a template parameter of the loops, so that a
// decision costs no virtual call.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/bytes.h"

namespace pith {

template <typename T>
concept DecisionMixer =
    requires(T mixer, size_t stream, int level, uint32_t node, uint32_t p1, int bit, uint32_t token, ByteSpan bytes,
             std::span<const float> hidden) {
      // Before the decisions of a token: the model's state that it is predicted from (TokenModel::hidden_width).
      mixer.BeginToken(stream, hidden);
      // The probability of bit 1 to code with, in units of 2^-32, from 1 to 2^32 - 1, given the model's.
      // `level` counts from the root, 0; `node` is the heap number of the deciding node (decision_tree.h).
      { mixer.Probability(level, node, p1) } -> std::same_as<uint32_t>;
      // The outcome of the decision asked about last.
      mixer.Learn(bit);
      // The token, whose bytes are `bytes`, is complete (also when all its decisions were certain).
      mixer.EndToken(token, bytes);
    };

// The model's word is final.
class PassThroughMixer {
 public:
  void BeginToken(size_t /*stream*/, std::span<const float> /*hidden*/) {}
  uint32_t Probability(int /*level*/, uint32_t /*node*/, uint32_t model_p1) { return model_p1; }
  void Learn(int /*bit*/) {}
  void EndToken(uint32_t /*token*/, ByteSpan /*bytes*/) {}
};
static_assert(DecisionMixer<PassThroughMixer>);

}  // namespace pith
