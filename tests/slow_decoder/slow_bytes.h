// docs/byte_mixing.md, written down as it stands there: nothing is fast, nothing is shared with src/.
#pragma once

#include <cstdint>
#include <memory>

namespace slow_decoder {

class SlowBytes {
 public:
  // strength: 1 fast, 2 strong, 3 thorough, 4 numeric.
  SlowBytes(int strength, uint64_t n_bytes);
  ~SlowBytes();

  uint64_t Probability();  // of bit 1, in units of 2^-32
  void Learn(int bit);     // after Probability

 private:
  struct State;
  std::unique_ptr<State> s_;
};

}  // namespace slow_decoder
