#include "bench/energy_meter.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <system_error>

namespace pith::bench {
namespace {

namespace fs = std::filesystem;

std::optional<uint64_t> ReadNumber(const std::string& path) {
  std::ifstream in(path);
  uint64_t value = 0;
  if (!(in >> value)) return std::nullopt;
  return value;
}

std::string ReadWord(const std::string& path) {
  std::ifstream in(path);
  std::string word;
  in >> word;
  return word;
}

}  // namespace

EnergyMeter::EnergyMeter(const std::string& folder) {
  std::error_code error;
  std::vector<std::string> zones;
  fs::directory_iterator it(folder, error);
  for (; !error && it != fs::directory_iterator(); it.increment(error)) zones.push_back(it->path().string());
  std::sort(zones.begin(), zones.end());
  for (const std::string& zone : zones) {
    // Other zones are parts of a package ("core", "dram") or more than all of them ("psys"): they would count twice.
    if (!ReadWord(zone + "/name").starts_with("package")) continue;
    const std::string counter = zone + "/energy_uj";
    const std::optional<uint64_t> range = ReadNumber(zone + "/max_energy_range_uj");
    if (!range || *range == 0 || !ReadNumber(counter)) {
      packages_.clear();
      return;  // a part of the energy would look like all of it
    }
    packages_.push_back({counter, *range});
  }
}

std::optional<EnergyMeter::Reading> EnergyMeter::Read() const {
  if (!available()) return std::nullopt;
  Reading reading;
  for (const Package& package : packages_) {
    const std::optional<uint64_t> value = ReadNumber(package.counter);
    if (!value) return std::nullopt;
    reading.push_back(*value);
  }
  return reading;
}

std::optional<double> EnergyMeter::JoulesBetween(const std::optional<Reading>& before,
                                                 const std::optional<Reading>& after) const {
  if (!before || !after || before->size() != packages_.size() || after->size() != packages_.size()) return std::nullopt;
  double joules = 0;
  for (size_t i = 0; i < packages_.size(); ++i) {
    const uint64_t b = (*before)[i], a = (*after)[i];
    const uint64_t microjoules = a >= b ? a - b : a + (packages_[i].range - std::min(b, packages_[i].range));
    joules += static_cast<double>(microjoules) * 1e-6;
  }
  return joules;
}

}  // namespace pith::bench
