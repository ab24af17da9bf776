// EnergyMeter: joules of the processor packages, by Linux's powercap files (intel-rapl, which AMD's processors fill,
// too).
//
// Counts what the whole machine does. Most systems let only root read it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace pith::bench {

class EnergyMeter {
 public:
  using Reading = std::vector<uint64_t>;  // microjoules, one counter a package

  // `folder` holds intel-rapl:0, intel-rapl:1 ..
  explicit EnergyMeter(const std::string& folder = "/sys/class/powercap");

  // At least one package, and all can be read.
  bool available() const { return !packages_.empty(); }

  // Nothing where it is not available (any more).
  std::optional<Reading> Read() const;
  // Counters begin again at 0 after their range: once between the two readings is told from never.
  std::optional<double> JoulesBetween(const std::optional<Reading>& before, const std::optional<Reading>& after) const;

 private:
  struct Package {
    std::string counter;  // path
    uint64_t range;       // microjoules
  };
  std::vector<Package> packages_;
};

}  // namespace pith::bench
