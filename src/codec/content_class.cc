#include "codec/content_class.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace pith {
namespace {

// Thresholds, tried on the corpus, on executables, pictures, archives, UTF-16, Latin-1 and KOI8-R (content_class_test.cc).
constexpr double kNoiseSlackBits = 0.12;       // below the entropy that random bytes would show
constexpr double kTextControlShare = 0.004;    // a log with a few escape codes is text
constexpr double kMixedPrintableShare = 0.75;  // an executable's data section lies below, an e-mail with a picture above
constexpr double kWideZeroShare = 0.25;        // UTF-16 of mostly ASCII or Latin: zeros in one half of the places

}  // namespace

const char* ContentClassName(ContentClass c) {
  switch (c) {
    case ContentClass::kText: return "text";
    case ContentClass::kMixed: return "mixed";
    case ContentClass::kBinary: return "binary";
    case ContentClass::kNoise: return "noise";
  }
  return "?";
}

ContentClass ClassifyContent(ByteSpan data) {
  if (data.empty()) return ContentClass::kText;
  // Even and odd places apart, for UTF-16.
  std::array<std::array<uint32_t, 256>, 2> count{};
  size_t i = 0;
  for (; i + 1 < data.size(); i += 2) {
    ++count[0][data[i]];
    ++count[1][data[i + 1]];
  }
  if (i < data.size()) ++count[0][data[i]];

  const double n = static_cast<double>(data.size());
  double sum_c_log_c = 0;
  uint64_t control = 0, high = 0;
  for (size_t b = 0; b < 256; ++b) {
    const uint32_t c = count[0][b] + count[1][b];
    if (c == 0) continue;
    sum_c_log_c += c * std::log2(static_cast<double>(c));
    const bool space = b >= '\t' && b <= '\r';
    if ((b < 0x20 && !space) || b == 0x7f) control += c;
    if (b >= 0x80) high += c;
  }
  // Order-0 entropy, and what n random bytes would show on average: 255 / (2 n ln 2) below 8.
  const double entropy = std::log2(n) - sum_c_log_c / n;
  const double random_entropy = std::max(0.0, std::min(8 - 255 / (2 * n * 0.6931), std::log2(n)));
  const double control_share = static_cast<double>(control) / n;
  if (control_share <= kTextControlShare && entropy < 7.5) return ContentClass::kText;
  if (data.size() >= 512 && entropy >= random_entropy - kNoiseSlackBits) return ContentClass::kNoise;

  const double even_zero = count[0][0] / n;
  const double odd_zero = count[1][0] / n;
  const bool wide = std::max(even_zero, odd_zero) >= kWideZeroShare && std::min(even_zero, odd_zero) <= 0.02;
  const double printable_share = 1 - static_cast<double>(control + high) / n;
  if (wide || printable_share >= kMixedPrintableShare) return ContentClass::kMixed;
  return ContentClass::kBinary;
}

}  // namespace pith
