// BlocksBeside: blocks that are coded side by side, each on a thread of its own, and whose results come in the order in
// which they were begun.
//
// One thread owns it; only the work runs on others.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <system_error>
#include <utility>

#include "base/check.h"
#include "codec/block_encoder.h"
#include "pith/status.h"

namespace pith {

// Memory of the blocks that are coded side by side where no bound is given.
inline constexpr uint64_t kMemoryOfBlocksBeside = uint64_t{1} << 30;

template <typename T>
class BlocksBeside {
 public:
  // Its progress is to be asked from time to time, and a failure of it handed on: that is how work ends early.
  using Work = std::function<Result<T>(const BlockProgress& progress)>;

  // most: blocks that may run at the same time, at least 1.
  explicit BlocksBeside(size_t most) : most_(std::max<size_t>(1, most)) {}
  BlocksBeside(const BlocksBeside&) = delete;
  BlocksBeside& operator=(const BlocksBeside&) = delete;

  // Waits for what still runs, which ends at its next question for progress.
  ~BlocksBeside() { cancelled_ = true; }

  // How many blocks of so many bytes of memory may run; memory_bytes 0: kMemoryOfBlocksBeside.
  static size_t Most(size_t threads, uint64_t memory_bytes, uint64_t block_memory) {
    const uint64_t room = (memory_bytes != 0 ? memory_bytes : kMemoryOfBlocksBeside) / std::max<uint64_t>(1, block_memory);
    return static_cast<size_t>(std::clamp<uint64_t>(room, 1, std::max<size_t>(1, threads)));
  }

  size_t most() const { return most_; }
  bool empty() const { return running_.empty(); }
  bool full() const { return running_.size() >= most_; }

  // REQUIRES: not full().
  void Begin(Work work) {
    PITH_CHECK(!full());
    Running& block = running_.emplace_back();
    const auto run = [this, done = block.done, work = std::make_shared<Work>(std::move(work))]() -> Result<T> {
      const BlockProgress progress = [&](uint64_t content_done) {
        *done = content_done;
        return cancelled_ ? Cancelled("cancelled by the caller") : OkStatus();
      };
      return (*work)(progress);
    };
    try {
      block.result = std::async(std::launch::async, run);
    } catch (const std::system_error&) {  // no thread to be had: the block is coded when it is its turn
      block.result = std::async(std::launch::deferred, run);
    }
  }

  // The result of the block that was begun first. Meanwhile `report` is asked again and again, on the calling thread, about
  // the bytes of content that all running blocks have done; a failure of it is the result. What work throws is thrown here.
  // REQUIRES: not empty().
  Result<T> FinishFirst(const BlockProgress& report) {
    PITH_CHECK(!empty());
    while (running_.front().result.wait_for(kWait) == std::future_status::timeout) {
      uint64_t done = 0;
      for (const Running& block : running_) done += *block.done;
      PITH_RETURN_IF_ERROR(report(done));
    }
    Running first = std::move(running_.front());
    running_.pop_front();
    return first.result.get();
  }

 private:
  static constexpr std::chrono::milliseconds kWait{50};

  struct Running {
    std::shared_ptr<std::atomic<uint64_t>> done = std::make_shared<std::atomic<uint64_t>>(0);  // bytes of content
    std::future<Result<T>> result;
  };

  const size_t most_;
  std::atomic<bool> cancelled_{false};
  std::deque<Running> running_;  // the last member: its futures wait
};

}  // namespace pith
