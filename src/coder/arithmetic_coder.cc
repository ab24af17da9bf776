#include "coder/arithmetic_coder.h"

#include "base/check.h"

namespace pith {

void BinaryEncoder::Carry() {
  low_ &= 0xffffffff;
  // The whole code is a number below 1, so a byte below 0xff comes before the code's first byte is passed. A
  // run of 0xff becomes zeros: each byte is visited at most once for every time that it was written, so this
  // is linear.
  size_t i = out_.size();
  do {
    PITH_CHECK(i > begin_);
    --i;
    out_[i] = static_cast<uint8_t>(out_[i] + 1);
  } while (out_[i] == 0);
}

void BinaryEncoder::Finish() {
  // The shortest run of bytes that gives a number in [low, low + range) when zeros follow.
  for (int n_bytes = 0; n_bytes <= 4; ++n_bytes) {
    const uint64_t unit = uint64_t{1} << (32 - 8 * n_bytes);
    const uint64_t value = (low_ + unit - 1) & ~(unit - 1);
    if (value - low_ >= range_) continue;
    low_ = value;
    if (low_ >> 32 != 0) Carry();
    for (int i = 0; i < n_bytes; ++i) out_.push_back(static_cast<uint8_t>(low_ >> (24 - 8 * i)));
    // The decoder will ask for 4 - n_bytes bytes that are not there, and for each zero left out here.
    for (int implied = 4 - n_bytes; implied < static_cast<int>(kMaxImpliedZeros); ++implied) {
      if (out_.size() == begin_ || out_.back() != 0) break;
      out_.pop_back();
    }
    return;
  }
  PITH_CHECK(false);  // n_bytes = 4 always fits: low itself
}

}  // namespace pith
