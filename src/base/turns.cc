#include "base/turns.h"

#include "base/check.h"
#include "base/spin.h"

namespace pith {

Turns::Turns(size_t n_members) : members_(n_members) {
  PITH_CHECK(n_members >= 1);
  members_[0].has_turn.store(1, std::memory_order_relaxed);
}

void Turns::Await(size_t member) {
  std::atomic<int>& has_turn = members_[member].has_turn;
  for (int spin = 0; spin < kSpins && has_turn.load(std::memory_order_relaxed) == 0; ++spin) CpuPause();
  has_turn.wait(0, std::memory_order_acquire);  // returns at once where the turn has come
  has_turn.store(0, std::memory_order_relaxed);
}

void Turns::Pass(size_t member) {
  std::atomic<int>& next = members_[member + 1 == members_.size() ? 0 : member + 1].has_turn;
  next.store(1, std::memory_order_release);
  next.notify_one();
}

}  // namespace pith
