#include "convert/onnx_blocks.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "base/check.h"

namespace pith {
namespace {

// Below this a block counts as zeros: its scale would be no normal number.
constexpr float kSmallestBlockMax = 0x1p-100f;

// Sums go through this many lanes in fixed order: compilers may then use vectors, and the result is the same
// with any.
constexpr size_t kLanes = 8;
static_assert(kOnnxBlock % kLanes == 0);

using Block = std::array<float, kOnnxBlock>;

float SumLanes(const std::array<float, kLanes>& v) {
  return ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]));
}

// codes[i] = values[i] * factor, to nearest even, within [-top - 1, top]. REQUIRES: the products are below
// 2^22.
void Round(const Block& values, float factor, float top, Block& codes) {
  constexpr float kMagic = 0x1.8p23f;  // from there on floats are integers
  for (size_t i = 0; i < kOnnxBlock; ++i) {
    const float code = (values[i] * factor + kMagic) - kMagic;
    codes[i] = std::min(std::max(code, -top - 1), top);
  }
}

// What the value of largest magnitude is divided by, to try as the scale. -128 and -8 give each code a use;
// others happen to put more of a block's values near a code, and those beyond the range cut that value for
// the others' sake. On normal values the error is an eighth less than by the first alone with 8 bits, a
// sixteenth with 4; four times as many steps gain nothing more.
constexpr std::array<float, 32> kSteps8 = {-128, -127, -126, -125, -124, -123, -122, -121, -120, -119, -118,
                                           -117, -116, -115, -114, -113, 127,  126,  125,  124,  123,  122,
                                           121,  120,  119,  118,  117,  116,  115,  114,  113,  112};
constexpr std::array<float, 16> kSteps4 = {-8.0f, -8.25f, -8.5f, -8.75f, -9.0f, -9.5f, -7.75f, -7.5f,
                                           -7.0f, 7.0f,   7.25f, 7.5f,   7.75f, 8.0f,  8.5f,   6.5f};

// The scale with the least squared error of those that are the best for the codes of some step, and its
// codes. With codes c, the best scale is x.c / c.c, and the squared error then x.x - (x.c)^2 / c.c. x lies in
// [-1, 1] and reaches one of both.
float ChooseScale(const Block& x, std::span<const float> steps, float top, Block& codes) {
  float best = 0;
  float best_gain = 0;
  for (const float step : steps) {
    Round(x, step, top, codes);
    std::array<float, kLanes> dot{};
    std::array<float, kLanes> norm{};
    for (size_t i = 0; i < kOnnxBlock; i += kLanes) {
      for (size_t k = 0; k < kLanes; ++k) {
        dot[k] += x[i + k] * codes[i + k];
        norm[k] += codes[i + k] * codes[i + k];
      }
    }
    const float scale = SumLanes(dot) / SumLanes(norm);  // norm > 0: the largest has a code
    const float gain = SumLanes(dot) * scale;
    if (!(gain > best_gain)) continue;
    best_gain = gain;
    best = scale;
  }
  Round(x, 1 / best, top, codes);
  return best;
}

// Returns the scale.
float EncodeBlock(std::span<const float> row, int bits, Block& codes) {
  Block values{};
  std::copy(row.begin(), row.end(), values.begin());
  float extreme = 0;
  for (const float v : values) {
    if (std::fabs(v) > std::fabs(extreme)) extreme = v;
  }
  codes.fill(0);
  if (std::fabs(extreme) < kSmallestBlockMax) return 0;
  for (float& v : values) v /= extreme;
  return extreme *
         (bits == 8 ? ChooseScale(values, kSteps8, 127, codes) : ChooseScale(values, kSteps4, 7, codes));
}

}  // namespace

void EncodeOnnxRow(std::span<const float> row, int bits, uint8_t* codes, float* scales) {
  PITH_CHECK(bits == 8 || bits == 4);
  const int zero = 1 << (bits - 1);
  Block block{};
  for (size_t begin = 0; begin < row.size(); begin += kOnnxBlock) {
    *scales++ = EncodeBlock(row.subspan(begin, std::min(kOnnxBlock, row.size() - begin)), bits, block);
    for (size_t i = 0; i < kOnnxBlock; i += static_cast<size_t>(8 / bits)) {
      const int low = static_cast<int>(block[i]) + zero;
      const int high = bits == 4 ? static_cast<int>(block[i + 1]) + zero : 0;
      *codes++ = static_cast<uint8_t>(high << 4 | low);
    }
  }
}

void DecodeOnnxRow(const uint8_t* codes, const float* scales, int bits, std::span<float> row) {
  PITH_CHECK(bits == 8 || bits == 4);
  for (size_t i = 0; i < row.size(); ++i) {
    const int code = bits == 8 ? codes[i] - 128 : (codes[i / 2] >> (i % 2 * 4) & 15) - 8;
    row[i] = static_cast<float>(code) * scales[i / kOnnxBlock];
  }
}

}  // namespace pith
