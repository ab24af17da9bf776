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

namespace pith {
namespace {

// A forward pass has hundreds of short parallel sections, so a thread that finds nothing to do spins for a while
// (about 20 us) before it sleeps: waking from sleep costs more than most sections take.
constexpr int kSpins = 4000;

inline void Pause() {
#if defined(__x86_64__) || defined(__i386__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

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

  void Work(size_t index) {
    const ScopedFloatEnvironment environment;
    while (!stop.load(std::memory_order_relaxed)) {
      Drain(index);
      int spin = 0;
      while (spin < kSpins && !Ticket::HasWork(ticket.load(std::memory_order_acquire))) {
        Pause();
        ++spin;
      }
      if (spin < kSpins) continue;
      std::unique_lock<std::mutex> lock(mutex);
      sleeping.fetch_add(1);
      wake.wait(lock, [&] { return stop.load() || Ticket::HasWork(ticket.load()); });
      sleeping.fetch_sub(1);
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
  PITH_CHECK(n_tasks < Ticket::kMask);
  Impl& p = *impl_;
  p.task = &task;
  p.done.store(0, std::memory_order_relaxed);
  p.ticket.store(Ticket::Make(++p.section, n_tasks));
  if (p.sleeping.load() != 0) {
    { const std::lock_guard<std::mutex> lock(p.mutex); }  // a thread between its check and its wait holds the mutex
    p.wake.notify_all();
  }
  p.Drain(0);
  for (int spin = 0; p.done.load(std::memory_order_acquire) != n_tasks; ++spin) {
    if (spin < kSpins) {
      Pause();
    } else {
      std::this_thread::yield();  // the thread that has the last task was descheduled: let it run
    }
  }
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
