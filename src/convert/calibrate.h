// Calibration: measures on a text what one int8 activation term costs at each place of a model, and decides.
//
// The loss of a setting is the mean over positions of the Kullback-Leibler divergence, in nat, between the
// model's distributions with two terms everywhere and with the setting: the extra code length if the precise
// model is right. Only + - * / and own elementary functions are used, in fixed order: the same choice on
// every machine.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "model/engine.h"
#include "model/weights.h"
#include "pith/status.h"

namespace pith {

// Arithmetic that one measurement may take, in products of a weight: 100 tokens of a model of 0.6 B weights,
// about a second on two cores, so that the some forty measurements of a search stay within a minute.
inline constexpr double kMeasurementWork = 6e10;
inline constexpr size_t kMinCalibrationTokens = 64;
inline constexpr size_t kMaxCalibrationTokens = 2048;
inline constexpr size_t kCalibrationStream = 512;  // longest stream: attention must see real distances
// Reference logits kept in memory; beyond this, positions are left out evenly (152 k ids: 110 positions).
inline constexpr size_t kMaxReferenceBytes = size_t{64} << 20;

// Measures settings of one model on one text.
class LossMeter {
 public:
  // Borrows everything but the tokens. Uses an evenly spread selection of `tokens`, in streams that begin
  // with start_token. kInvalidArgument: no tokens, or one that is not below vocab. kCorrupt: see
  // Engine::Forward.
  static Result<std::unique_ptr<LossMeter>> Create(const ModelWeights& weights, const Kernels& kernels,
                                                   ThreadPool& pool, std::span<const TokenId> tokens,
                                                   TokenId start_token);
  ~LossMeter();

  // Mean KL divergence from the precise setting, in nat; 0 for the precise setting itself.
  Result<double> Measure(const ActivationTerms& terms);

  size_t n_tokens() const;     // tokens of a measurement
  size_t n_positions() const;  // of them compared

 private:
  struct Data;
  explicit LossMeter(std::unique_ptr<Data> data);
  std::unique_ptr<Data> data_;
};

}  // namespace pith
