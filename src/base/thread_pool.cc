#include "base/thread_pool.h"

#include <sched.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

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

}  // namespace

struct ThreadPool::Impl {
  explicit Impl(size_t n) {
    for (size_t i = 1; i < n; ++i) threads.emplace_back([this, i] { Work(i); });
  }

  ~Impl() {
    {
      const std::lock_guard<std::mutex> lock(mutex);
      stop.store(true);
      generation.fetch_add(1);
    }
    wake.notify_all();
    for (std::thread& t : threads) t.join();
  }

  void Work(size_t index) {
    const ScopedFloatEnvironment environment;
    uint64_t seen = 0;
    while (true) {
      uint64_t now = generation.load(std::memory_order_acquire);
      for (int spin = 0; now == seen && spin < kSpins; ++spin) {
        Pause();
        now = generation.load(std::memory_order_acquire);
      }
      if (now == seen) {
        std::unique_lock<std::mutex> lock(mutex);
        sleeping.fetch_add(1);
        wake.wait(lock, [&] { return generation.load() != seen; });
        sleeping.fetch_sub(1);
        now = generation.load();
      }
      seen = now;
      if (stop.load()) return;
      Drain(index);
      running.fetch_sub(1, std::memory_order_release);
    }
  }

  void Drain(size_t index) {
    for (size_t i = next.fetch_add(1); i < n_tasks; i = next.fetch_add(1)) (*task)(i, index);
  }

  std::vector<std::thread> threads;
  std::mutex mutex;
  std::condition_variable wake;
  std::atomic<uint64_t> generation{0};
  std::atomic<size_t> running{0};  // workers that have not finished the current generation
  std::atomic<size_t> sleeping{0};
  std::atomic<size_t> next{0};
  std::atomic<bool> stop{false};
  size_t n_tasks = 0;
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
  Impl& p = *impl_;
  p.task = &task;
  p.n_tasks = n_tasks;
  p.next.store(0);
  p.running.store(p.threads.size());
  p.generation.fetch_add(1);
  if (p.sleeping.load() != 0) {
    { const std::lock_guard<std::mutex> lock(p.mutex); }  // a thread between its check and its wait holds the mutex
    p.wake.notify_all();
  }
  p.Drain(0);
  for (int spin = 0; p.running.load(std::memory_order_acquire) != 0; ++spin) {
    if (spin < kSpins) {
      Pause();
    } else {
      std::this_thread::yield();  // more threads than cores: let the worker run
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
