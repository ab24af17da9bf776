// Axes of charts: where a value lies, and which values get a tick.
#pragma once

#include <string>
#include <vector>

namespace pith::bench {

// From values to pixels, by logarithm. Values must be positive.
class LogAxis {
 public:
  // Covers the values with some room around them, from pixel `first` to pixel `last` (which may be the
  // smaller one). With no positive value: 1 to 10.
  LogAxis(const std::vector<double>& values, double first, double last);

  double Map(double value) const;

  // Round values, rising; at least two, and about as many as `most` allows.
  std::vector<double> Ticks(size_t most) const;

  double low() const { return low_; }
  double high() const { return high_; }

 private:
  double low_ = 1, high_ = 10;
  double first_, last_;
};

// Labels of ticks: no digits that say nothing.
std::string ShareTick(double share);             // "8 %", "0.5 %"
std::string SpeedTick(double bytes_per_second);  // "200 KB/s"

}  // namespace pith::bench
