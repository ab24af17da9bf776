#include "report/number_text.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace pith::bench {
namespace {

constexpr double kLeastFixed = 1e-6, kMostFixed = 1e7;  // beyond, zeros would have to be counted

}  // namespace

std::string FixedText(double value, int decimals) {
  char text[400];  // the largest double has 309 digits
  const auto [end, error] =
      std::to_chars(text, text + sizeof text, value, std::chars_format::fixed, decimals);
  return error == std::errc() ? std::string(text, end) : std::string("?");
}

std::string ThreeDigits(double value) {
  const double size = std::fabs(value);
  if (size == 0) return "0";
  if (!std::isfinite(size)) return "–";
  if (size >= kMostFixed || size < kLeastFixed) {
    char text[40];
    const auto [end, error] =
        std::to_chars(text, text + sizeof text, value, std::chars_format::scientific, 2);
    return error == std::errc() ? std::string(text, end) : std::string("?");
  }
  // 9.995 is shown as 10.0, so the digits before the point are those of the rounded number.
  int decimals = 2 - static_cast<int>(std::floor(std::log10(size)));
  if (size * std::pow(10, decimals) >= 999.5) --decimals;
  return FixedText(value, std::clamp(decimals, 0, 9));
}

std::string BytesText(double bytes) {
  if (bytes < 999.5) return bytes >= 0.5 && bytes < 1.5 ? "1 byte" : FixedText(bytes, 0) + " bytes";
  const char* const units[] = {"KB", "MB", "GB", "TB", "PB", "EB"};
  size_t unit = 0;
  for (bytes /= 1000; bytes >= 999.5 && unit + 1 < std::size(units); bytes /= 1000) ++unit;
  return ThreeDigits(bytes) + " " + units[unit];
}

std::string SpeedText(double bytes_per_second) { return BytesText(bytes_per_second) + "/s"; }

std::string ShareText(double share) { return ThreeDigits(100 * share) + " %"; }

std::string WholeText(uint64_t number) {
  std::string text = std::to_string(number);
  for (size_t at = text.size(); at > 3;) text.insert(at -= 3, ",");
  return text;
}

std::string SliceText(uint64_t bytes) {
  const char* const units[] = {"bytes", "KiB", "MiB", "GiB"};
  size_t unit = 0;
  for (; bytes >= 1024 && bytes % 1024 == 0 && unit + 1 < std::size(units); bytes /= 1024) ++unit;
  return unit == 0 ? BytesText(static_cast<double>(bytes)) : std::to_string(bytes) + " " + units[unit];
}

std::string CountText(size_t n, std::string_view one) {
  return WholeText(n) + " " + std::string(one) + (n == 1 ? "" : "s");
}

std::string ListText(const std::vector<std::string>& items) {
  std::string out;
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0) out += i + 1 == items.size() ? " and " : ", ";
    out += items[i];
  }
  return out;
}

const char* FileTypeLabel(FileType type) {
  switch (type) {
    case FileType::kProse:
      return "prose";
    case FileType::kSource:
      return "source code";
    case FileType::kJson:
      return "JSON";
    case FileType::kMarkup:
      return "XML and HTML";
    case FileType::kCsv:
      return "CSV";
    case FileType::kLog:
      return "logs";
    case FileType::kOtherText:
      return "other text";
    case FileType::kBinary:
      return "binary";
  }
  return "unknown";
}

}  // namespace pith::bench
