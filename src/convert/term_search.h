// Search for the cheapest choice of activation terms (contract 4) whose measured loss stays within a budget.
//
// Rounding errors of different places are nearly independent, and the divergence they cause is quadratic in
// the error: so losses of single places nearly add up. The search measures kinds of places alone, halves
// those worth halving until the few bad layers stand out, gives two terms where that removes most loss for
// its cost, and then measures the whole.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "model/weights.h"
#include "pith/status.h"

namespace pith {

// Mean loss that `auto` may add, in nat a token: 0.03 % of a code length of 3 nat. The tests' reference bound
// is 5e-3.
inline constexpr double kDefaultLossBudget = 1e-3;
inline constexpr size_t kMaxMeasurements = 40;

// One measured setting.
struct TermTrial {
  std::string setting;  // for people: "one term in down of layers 0 to 13, two elsewhere"
  double loss = 0;      // nat
  double cost = 0;      // of the whole setting: products of a token, relative to the fast setting's
};

struct TermChoice {
  ActivationTerms terms;
  double loss = 0;  // measured
  double cost = 0;
  double budget = 0;
  std::vector<TermTrial> trials;  // in the order in which they were measured
};

// Products of int8 values that one token takes with these terms; attention counted at a length of 1024.
double TermCost(const ModelConfig& config, const ActivationTerms& terms);

// Measures a setting's loss; `setting` is its name, for progress.
using LossFunction = std::function<Result<double>(const ActivationTerms& terms, const std::string& setting)>;

// Returns a setting with a loss within `budget` (the precise one has none, by definition), or the first
// failure of `measure`. At most kMaxMeasurements calls.
Result<TermChoice> SearchTerms(const ModelConfig& config, double budget, const LossFunction& measure);

}  // namespace pith
