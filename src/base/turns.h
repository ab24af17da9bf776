// Turns: threads that work one after another, in a ring, on what they share.
//
// Member 0 has the first turn. What a member writes while it has the turn, those after it see.
#pragma once

#include <atomic>
#include <cstddef>
#include <vector>

#include "base/aligned_buffer.h"

namespace pith {

class Turns {
 public:
  // REQUIRES: n_members >= 1.
  explicit Turns(size_t n_members);

  // Waits until it is `member`'s turn: spins for a while, then sleeps, so that others may have the core.
  void Await(size_t member);

  // Hands the turn to the member after `member`, which has it; to itself where there is one member only.
  void Pass(size_t member);

 private:
  // On a cache line of its own: a member that spins does not disturb the others, and a turn wakes one thread alone.
  struct alignas(kCacheLine) Member {
    std::atomic<int> has_turn{0};  // int: what a futex waits on without a detour
  };
  std::vector<Member> members_;
};

}  // namespace pith
