// ThreadPool: runs independent tasks on a fixed set of threads. Work is split by outputs, never within a sum.
//
// Every thread, the caller's included while it is inside ParallelFor or RunTogether, runs in the float environment of
// numeric_contract.md section 1 (round to nearest even, no flush to zero).
// Thread-compatible: one caller at a time. A task may not call the same pool, and throws nothing.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

namespace pith {

class ThreadPool {
 public:
  // n_threads counts the calling thread; 1 starts no threads. 0 is taken as 1.
  explicit ThreadPool(size_t n_threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  size_t n_threads() const;

  // Calls task(i, thread) once for each i in [0, n_tasks), from any thread in any order, thread in
  // [0, n_threads()); returns when all are done. Tasks are handed out one at a time.
  void ParallelFor(size_t n_tasks, const std::function<void(size_t task, size_t thread)>& task);

  // Calls task(i) once for each i in [0, n_tasks), each on a thread of its own, so that tasks may wait for each other;
  // task(0) on the calling thread. Returns when all are done.
  // REQUIRES: n_tasks <= n_threads().
  void RunTogether(size_t n_tasks, const std::function<void(size_t task)>& task);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Threads that the machine offers to this process (affinity counts), at least 1.
size_t AvailableThreads();

}  // namespace pith
