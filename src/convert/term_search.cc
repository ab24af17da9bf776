#include "convert/term_search.h"

#include <algorithm>
#include <cmath>

namespace pith {
namespace {

// A length that attention's cost is counted at; chat and compression windows lie around it.
constexpr size_t kNominalContext = 1024;
// Halving a group whose second term costs less than this share of a fast pass is not worth a measurement.
constexpr double kSmallShare = 0.01;
// Part of the budget that the sum of losses measured alone may fill before the whole is measured.
constexpr double kFirstTarget = 0.8;
// Measurements kept back for whole settings.
constexpr size_t kWholeMeasurements = 8;

enum class Kind { kQkv, kO, kGateUp, kDown, kHead, kQuery, kKeyValue };
constexpr Kind kKinds[] = {Kind::kQkv,  Kind::kO,     Kind::kGateUp,  Kind::kDown,
                           Kind::kHead, Kind::kQuery, Kind::kKeyValue};

bool IsLayered(Kind kind) { return kind <= Kind::kDown; }

// Places of one kind, decided together: layers [begin, end), or the whole model (one place).
struct Group {
  Kind kind;
  size_t begin;
  size_t end;
  double loss;            // when these places have one term and all others two
  double cost;            // of their second term
  bool inferred = false;  // the loss is what a large loss of a larger group leaves: a guess, on the low side
  bool two = true;
};

void SetTerms(const Group& g, uint8_t n, ActivationTerms& terms) {
  switch (g.kind) {
    case Kind::kHead:
      terms.head = n;
      return;
    case Kind::kQuery:
      terms.attention.query = n;
      return;
    case Kind::kKeyValue:
      terms.attention.key_value = n;
      return;
    default:
      break;
  }
  for (size_t l = g.begin; l < g.end; ++l) {
    LayerTerms& t = terms.layers[l];
    (g.kind == Kind::kQkv      ? t.qkv
     : g.kind == Kind::kO      ? t.o
     : g.kind == Kind::kGateUp ? t.gate_up
                               : t.down) = n;
  }
}

std::string NameOf(const Group& g) {
  std::string name;
  switch (g.kind) {
    case Kind::kQkv:
      name = "qkv";
      break;
    case Kind::kO:
      name = "o";
      break;
    case Kind::kGateUp:
      name = "gate_up";
      break;
    case Kind::kDown:
      name = "down";
      break;
    case Kind::kHead:
      return "head";
    case Kind::kQuery:
      return "query";
    case Kind::kKeyValue:
      return "key_value";
  }
  name += g.end - g.begin == 1 ? " of layer " : " of layers ";
  name += std::to_string(g.begin);
  return g.end - g.begin == 1 ? name : name + " to " + std::to_string(g.end - 1);
}

class Search {
 public:
  Search(const ModelConfig& config, double budget, const LossFunction& measure)
      : config_(config),
        measure_(measure),
        fast_cost_(TermCost(config, ActivationTerms::Fast(config.n_layers))) {
    choice_.budget = budget;
  }

  Result<TermChoice> Run() {
    const ActivationTerms fast = ActivationTerms::Fast(config_.n_layers);
    PITH_ASSIGN_OR_RETURN(const double fast_loss, Measure(fast, "one term everywhere"));
    if (fast_loss <= choice_.budget) {
      Accept(fast, fast_loss);
      return choice_;
    }
    for (const Kind kind : kKinds) {
      Group g{kind, 0, IsLayered(kind) ? config_.n_layers : 1, 0, 0};
      PITH_RETURN_IF_ERROR(MeasureAlone(g));
      groups_.push_back(g);
    }
    PITH_RETURN_IF_ERROR(Refine());
    PITH_RETURN_IF_ERROR(Settle());
    return choice_;
  }

 private:
  Result<double> Measure(const ActivationTerms& terms, const std::string& setting) {
    Result<double> loss = measure_(terms, setting);
    if (loss.ok()) choice_.trials.push_back({setting, *loss, TermCost(config_, terms) / fast_cost_});
    return loss;
  }

  void Accept(const ActivationTerms& terms, double loss) {
    choice_.terms = terms;
    choice_.loss = loss;
    choice_.cost = TermCost(config_, terms) / fast_cost_;
  }

  Status MeasureAlone(Group& g) {
    ActivationTerms terms = ActivationTerms::Precise(config_.n_layers);
    const double precise_cost = TermCost(config_, terms);
    SetTerms(g, 1, terms);
    g.cost = (precise_cost - TermCost(config_, terms)) / fast_cost_;
    PITH_ASSIGN_OR_RETURN(g.loss, Measure(terms, "one term in " + NameOf(g) + ", two elsewhere"));
    g.inferred = false;
    return OkStatus();
  }

  // One term for the groups that save most together with losses that add up to at most `target`; two for the
  // others. A knapsack problem, solved exactly but for losses being rounded up to a share of the target.
  void Plan(double target) {
    constexpr size_t kShares = 1000;
    std::vector<double> saved(kShares + 1, 0.0);  // [shares spent]: most that the groups so far can save
    std::vector<std::vector<bool>> taken(groups_.size(), std::vector<bool>(kShares + 1));
    const auto shares = [&](const Group& g) {
      if (g.loss <= 0) return size_t{0};
      return g.loss < target ? static_cast<size_t>(std::ceil(g.loss / target * kShares)) : kShares + 1;
    };
    for (size_t i = 0; i < groups_.size(); ++i) {
      const size_t need = shares(groups_[i]);
      for (size_t s = kShares + 1; s-- > need;) {
        if (saved[s - need] + groups_[i].cost <= saved[s]) continue;
        saved[s] = saved[s - need] + groups_[i].cost;
        taken[i][s] = true;
      }
    }
    size_t left = kShares;
    for (size_t i = groups_.size(); i-- > 0;) {
      groups_[i].two = !taken[i][left];
      if (taken[i][left]) left -= shares(groups_[i]);
    }
  }

  ActivationTerms Planned() const {
    ActivationTerms terms = ActivationTerms::Precise(config_.n_layers);
    for (const Group& g : groups_) SetTerms(g, g.two ? 2 : 1, terms);
    return terms;
  }

  // Halves the dearest groups that seem to need two terms: it may be few of their layers that do.
  Status Refine() {
    while (choice_.trials.size() + kWholeMeasurements < kMaxMeasurements) {
      Plan(choice_.budget * kFirstTarget);
      Group* dearest = nullptr;
      for (Group& g : groups_) {
        if (g.two && g.end - g.begin > 1 && (dearest == nullptr || g.cost > dearest->cost)) dearest = &g;
      }
      if (dearest == nullptr || dearest->cost < kSmallShare) break;
      const Group whole = *dearest;
      Group& first = *dearest;
      first.end = (whole.begin + whole.end) / 2;
      PITH_RETURN_IF_ERROR(MeasureAlone(first));
      Group second = whole;
      second.begin = first.end;
      second.cost = whole.cost - first.cost;
      second.loss = std::max(whole.loss - first.loss, 0.0);
      second.inferred = whole.inferred || whole.loss > choice_.budget;
      groups_.push_back(second);
    }
    return OkStatus();
  }

  // What the measured losses of the planned one-term places add up to.
  double Expected() const {
    double sum = 0;
    for (const Group& g : groups_) sum += g.two ? 0 : g.loss;
    return sum;
  }

  // A planned setting lost `surprise` more than its parts: measures the parts that were guessed until that is
  // explained.
  Status ExplainSurprise(double surprise) {
    for (Group& g : groups_) {
      if (g.two || !g.inferred || surprise < 0.1 * choice_.budget ||
          choice_.trials.size() >= kMaxMeasurements)
        continue;
      const double guess = g.loss;
      PITH_RETURN_IF_ERROR(MeasureAlone(g));
      surprise -= g.loss - guess;
    }
    return OkStatus();
  }

  // Measures planned settings, with a target that follows what was measured, and accepts the cheapest that
  // fits.
  Status Settle() {
    const double budget = choice_.budget;
    Accept(ActivationTerms::Precise(config_.n_layers), 0);
    double target = budget * kFirstTarget;
    double too_high = -1;  // smallest target whose setting did not fit
    ActivationTerms last;
    while (choice_.trials.size() < kMaxMeasurements) {
      Plan(target);
      const ActivationTerms terms = Planned();
      if (terms == last) break;
      last = terms;
      if (TermCost(config_, terms) / fast_cost_ >= choice_.cost)
        break;  // no cheaper than what is known to fit
      PITH_ASSIGN_OR_RETURN(const double loss, Measure(terms, "two terms where they pay"));
      if (loss <= budget) {
        Accept(terms, loss);
        if (loss > 0.9 * budget) break;
        const double next = target * std::min(2.0, 0.95 * budget / std::max(loss, budget * 1e-3));
        target = too_high > 0 ? std::min(next, (target + too_high) / 2) : next;
        continue;
      }
      const double surprise = loss - Expected();
      const size_t n_before = choice_.trials.size();
      if (surprise > 0.2 * budget) PITH_RETURN_IF_ERROR(ExplainSurprise(surprise));
      if (choice_.trials.size() > n_before) continue;  // the same target, knowing more
      too_high = target;
      target = target * std::max(0.1, 0.85 * budget / loss);
    }
    return OkStatus();
  }

  const ModelConfig& config_;
  const LossFunction& measure_;
  double fast_cost_;
  std::vector<Group> groups_;
  TermChoice choice_;
};

}  // namespace

double TermCost(const ModelConfig& c, const ActivationTerms& t) {
  const auto product = [](size_t rows, size_t cols, int terms) {
    return static_cast<double>(rows) * static_cast<double>(cols) * terms;
  };
  double cost = product(c.vocab, c.hidden, t.head);
  for (const LayerTerms& l : t.layers) {
    cost += product(c.q_rows() + 2 * c.kv_rows(), c.hidden, l.qkv) + product(c.hidden, c.q_rows(), l.o) +
            product(2 * c.ffn, c.hidden, l.gate_up) + product(c.hidden, c.ffn, l.down);
  }
  const AttentionTerms& a = t.attention;
  const size_t context = std::min(c.max_positions, kNominalContext);
  return cost + product(c.n_layers * c.q_rows(), context, (a.query + a.weight) * a.key_value);
}

Result<TermChoice> SearchTerms(const ModelConfig& config, double budget, const LossFunction& measure) {
  return Search(config, budget, measure).Run();
}

}  // namespace pith
