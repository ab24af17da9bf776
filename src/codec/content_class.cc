#include "codec/content_class.h"

#include <algorithm>
#include <array>
#include <bit>

#include "charset/encoding_guess.h"

namespace pith {
namespace {

// Thresholds, tried on the corpus, on executables, pictures, archives, UTF-16, Latin-1 and KOI8-R
// (content_class_test.cc).
constexpr double kNoiseSlackBits = 0.12;     // below the entropy that random bytes would show
constexpr double kTextControlShare = 0.004;  // a log with a few escape codes is text
constexpr double kMixedPrintableShare =
    0.75;  // an executable's data section lies below, an e-mail with a picture above

// log2(x) for x >= 1 in units of 2^-16, rounded down. Integers, because what is chosen here shapes the
// archive, which must be the same on machines whose libraries round logarithms differently.
uint64_t Log2Fixed(uint64_t x) {
  const int whole = static_cast<int>(std::bit_width(x)) - 1;
  uint64_t log = static_cast<uint64_t>(whole);
  // The mantissa in [1, 2) as a multiple of 2^-31: its square is at least 2 where the next bit of the
  // logarithm is 1.
  uint64_t mantissa = whole <= 31 ? x << (31 - whole) : x >> (whole - 31);
  for (int i = 0; i < 16; ++i) {
    mantissa = mantissa * mantissa >> 31;
    const uint64_t bit = mantissa >> 32;
    mantissa >>= bit;
    log = log << 1 | bit;
  }
  return log;
}

// Bits a byte of n bytes with these counts.
double EntropyOf(const std::array<uint32_t, 256>& count, uint64_t n) {
  uint64_t sum = 0;  // at most 2^24 * 24 * 2^16 for a block of the largest size
  for (const uint32_t c : count) {
    if (c != 0) sum += c * Log2Fixed(c);
  }
  const uint64_t total = n * Log2Fixed(n);
  return total <= sum ? 0 : static_cast<double>(total - sum) / static_cast<double>(n) * 0x1p-16;
}

}  // namespace

const char* ContentClassName(ContentClass c) {
  switch (c) {
    case ContentClass::kText:
      return "text";
    case ContentClass::kWide:
      return "UTF-16";
    case ContentClass::kMixed:
      return "mixed";
    case ContentClass::kBinary:
      return "binary";
    case ContentClass::kNoise:
      return "noise";
  }
  return "?";
}

ContentClass ClassifyContent(ByteSpan data) {
  if (data.empty()) return ContentClass::kText;
  std::array<uint32_t, 256> count{};
  for (const uint8_t b : data) ++count[b];

  const double n = static_cast<double>(data.size());
  uint64_t control = 0, high = 0;
  for (size_t b = 0; b < 256; ++b) {
    const uint32_t c = count[b];
    const bool space = b >= '\t' && b <= '\r';
    if ((b < 0x20 && !space) || b == 0x7f) control += c;
    if (b >= 0x80) high += c;
  }
  const double entropy = EntropyOf(count, data.size());
  // What n random bytes show on average: 255 / (2 n ln 2) below 8.
  const double random_entropy = std::max(0.0, 8 - 255 / (2 * n * 0.6931));
  const double control_share = static_cast<double>(control) / n;
  if (control_share <= kTextControlShare && entropy < 7.5) return ContentClass::kText;
  if (Utf16At(data) != CharacterEncoding::kNone) return ContentClass::kWide;
  if (data.size() >= 512 && entropy >= random_entropy - kNoiseSlackBits) return ContentClass::kNoise;

  const double printable_share = 1 - static_cast<double>(control + high) / n;
  if (printable_share >= kMixedPrintableShare) return ContentClass::kMixed;
  return ContentClass::kBinary;
}

double OrderZeroBits(ByteSpan data) {
  if (data.empty()) return 0;
  std::array<uint32_t, 256> count{};
  for (const uint8_t b : data) ++count[b];
  return EntropyOf(count, data.size());
}

}  // namespace pith
