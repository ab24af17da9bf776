#include "base/thread_pool.h"

#include <sched.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

#include "base/check.h"
#include "base/float_environment.h"
#include "base/spin.h"

namespace pith {
namespace {

// What is left to do, in one word, so that a thread takes a task and knows that it belongs to the present section with
// a single compare-and-swap: a thread that wakes late finds nothing to take and can hold up nobody. (Waiting until every
// thread has reported would stop the program for a scheduler's time slice whenever other programs want the cores.)
struct Ticket {
  static constexpr int kBits = 20;
  static constexpr uint64_t kMask = (uint64_t{1} << kBits) - 1;
  static uint64_t Make(uint64_t section, uint64_t n_tasks) { return section << (2 * kBits) | n_tasks << kBits; }
  static uint64_t n_tasks(uint64_t t) { return t >> kBits & kMask; }
  static uint64_t next(uint64_t t) { return t & kMask; }
  static bool HasWork(uint64_t t) { return next(t) < n_tasks(t); }
};

}  // namespace

struct ThreadPool::Impl {
  explicit Impl(size_t n) {
    for (size_t i = 1; i < n; ++i) threads.emplace_back([this, i] { Work(i); });
  }

  ~Impl() {
    {
      const std::lock_guard<std::mutex> lock(mutex);
      stop.store(true);
    }
    wake.notify_all();
    for (std::thread& t : threads) t.join();
  }

  // A forward pass has hundreds of short parallel sections, so a thread that finds nothing to do spins first.
  void Work(size_t index) {
    const ScopedFloatEnvironment environment;
    while (!stop.load(std::memory_order_relaxed)) {
      Drain(index);
      int spin = 0;
      while (spin < kSpins && !Ticket::HasWork(ticket.load(std::memory_order_acquire))) {
        CpuPause();
        ++spin;
      }
      if (spin < kSpins) continue;
      std::unique_lock<std::mutex> lock(mutex);
      sleeping.fetch_add(1);
      wake.wait(lock, [&] { return stop.load() || Ticket::HasWork(ticket.load()); });
      sleeping.fetch_sub(1);
    }
  }

  // Starts a section whose first `n_taken` tasks are the caller's.
  void Begin(size_t n_tasks, size_t n_taken, const std::function<void(size_t, size_t)>& section_task) {
    PITH_CHECK(n_tasks < Ticket::kMask);
    task = &section_task;
    done.store(0, std::memory_order_relaxed);
    ticket.store(Ticket::Make(++section, n_tasks) + n_taken);
    if (sleeping.load() != 0) {
      { const std::lock_guard<std::mutex> lock(mutex); }  // a thread between its check and its wait holds the mutex
      wake.notify_all();
    }
  }

  // The caller's part of a section, up to its end.
  void Finish(size_t n_tasks) {
    Drain(0);
    for (int spin = 0; done.load(std::memory_order_acquire) != n_tasks; ++spin) {
      if (spin < kSpins) {
        CpuPause();
      } else {
        std::this_thread::yield();  // the thread that has the last task was descheduled: let it run
      }
    }
  }

  // Takes tasks until none is left. `task` and `done` belong to the section of the ticket, because a section ends only
  // when all its tasks are done.
  void Drain(size_t index) {
    uint64_t t = ticket.load(std::memory_order_acquire);
    while (Ticket::HasWork(t)) {
      if (!ticket.compare_exchange_weak(t, t + 1, std::memory_order_acq_rel)) continue;
      (*task)(Ticket::next(t), index);
      done.fetch_add(1, std::memory_order_release);
      t = ticket.load(std::memory_order_acquire);
    }
  }

  std::vector<std::thread> threads;
  std::mutex mutex;
  std::condition_variable wake;
  std::atomic<uint64_t> ticket{0};
  std::atomic<uint64_t> done{0};  // tasks of the present section
  std::atomic<size_t> sleeping{0};
  std::atomic<bool> stop{false};
  uint64_t section = 0;
  const std::function<void(size_t, size_t)>* task = nullptr;
};

ThreadPool::ThreadPool(size_t n_threads) : impl_(std::make_unique<Impl>(n_threads == 0 ? 1 : n_threads)) {}
ThreadPool::~ThreadPool() = default;

size_t ThreadPool::n_threads() const { return impl_->threads.size() + 1; }

void ThreadPool::ParallelFor(size_t n_tasks, const std::function<void(size_t, size_t)>& task) {
  const ScopedFloatEnvironment environment;
  if (impl_->threads.empty() || n_tasks <= 1) {
    for (size_t i = 0; i < n_tasks; ++i) task(i, 0);
    return;
  }
  impl_->Begin(n_tasks, 0, task);
  impl_->Finish(n_tasks);
}

// The caller takes the first task before any other thread can. Of the others, as many threads as tasks at least, one
// that has no task looks for one before it sleeps, and Begin wakes those that sleep: so no task stays without a thread.
void ThreadPool::RunTogether(size_t n_tasks, const std::function<void(size_t)>& task) {
  PITH_CHECK(n_tasks <= n_threads());
  if (n_tasks == 0) return;
  const ScopedFloatEnvironment environment;
  const std::function<void(size_t, size_t)> on_any_thread = [&task](size_t i, size_t) { task(i); };
  impl_->Begin(n_tasks, 1, on_any_thread);
  task(0);
  impl_->done.fetch_add(1, std::memory_order_release);
  impl_->Finish(n_tasks);
}

size_t AvailableThreads() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) {
    const int n = CPU_COUNT(&set);
    if (n > 0) return static_cast<size_t>(n);
  }
  const unsigned n = std::thread::hardware_concurrency();
  return n == 0 ? 1 : n;
}

}  // namespace pith
