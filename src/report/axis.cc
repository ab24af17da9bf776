#include "report/axis.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>

namespace pith::bench {
namespace {

constexpr double kLeast = 1e-30, kMost = 1e30;  // beyond any measurement, and the range still has a logarithm
constexpr double kRoom = 0.07;                  // of the range, at each end
constexpr double kLeastRange = 1.35;            // highest over lowest: a single value still gets an axis

// The shortest text of six digits at most: 0.3 for 0.1 + 0.2.
std::string Shortest(double value) {
  char text[40];
  const auto [end, error] = std::to_chars(text, text + sizeof text, value, std::chars_format::general, 6);
  return error == std::errc() ? std::string(text, end) : std::string("?");
}

}  // namespace

LogAxis::LogAxis(const std::vector<double>& values, double first, double last) : first_(first), last_(last) {
  bool any = false;
  for (const double given : values) {
    if (!(given > 0) || !std::isfinite(given)) continue;
    const double value = std::clamp(given, kLeast, kMost);
    low_ = any ? std::min(low_, value) : value;
    high_ = any ? std::max(high_, value) : value;
    any = true;
  }
  if (!any) return;
  if (high_ / low_ < kLeastRange) {
    const double middle = std::sqrt(low_) * std::sqrt(high_);
    low_ = middle / std::sqrt(kLeastRange);
    high_ = middle * std::sqrt(kLeastRange);
  }
  const double room = std::pow(high_ / low_, kRoom);
  low_ /= room;
  high_ *= room;
}

double LogAxis::Map(double value) const {
  const double at = std::log(std::clamp(value, low_, high_) / low_) / std::log(high_ / low_);
  return first_ + at * (last_ - first_);
}

std::vector<double> LogAxis::Ticks(size_t most) const {
  static const std::vector<double> kSteps[] = {{1, 1.2, 1.4, 1.6, 1.8, 2, 2.5, 3, 3.5, 4, 4.5, 5, 6, 7, 8, 9},
                                               {1, 1.5, 2, 3, 4, 5, 6, 8},
                                               {1, 1.5, 2, 3, 5, 7},
                                               {1, 2, 5},
                                               {1, 3},
                                               {1}};
  std::vector<double> ticks;
  for (const std::vector<double>& steps : kSteps) {
    ticks.clear();
    const int last_decade = static_cast<int>(std::floor(std::log10(high_)));
    for (int exponent = static_cast<int>(std::floor(std::log10(low_))); exponent <= last_decade; ++exponent) {
      const double decade = std::pow(10, exponent);
      for (const double step : steps) {
        if (decade * step >= low_ && decade * step <= high_) ticks.push_back(decade * step);
      }
    }
    if (ticks.size() <= most) break;
  }
  // More decades than ticks: every second, third, ... of them.
  if (ticks.size() > most && most > 0) {
    const size_t every = (ticks.size() + most - 1) / most;
    for (size_t i = 0; i * every < ticks.size(); ++i) ticks[i] = ticks[i * every];
    ticks.resize((ticks.size() + every - 1) / every);
  }
  if (ticks.size() < 2) ticks = {low_, high_};
  return ticks;
}

std::string ShareTick(double share) { return Shortest(100 * share) + " %"; }

std::string SpeedTick(double bytes_per_second) {
  const char* const units[] = {"B/s", "KB/s", "MB/s", "GB/s", "TB/s"};
  size_t unit = 0;
  // A little less than 1000, as powers of ten are rounded.
  for (; bytes_per_second >= 999.9999 && unit + 1 < std::size(units); bytes_per_second /= 1000) ++unit;
  return Shortest(bytes_per_second) + " " + units[unit];
}

}  // namespace pith::bench
