// Speed of every table on one thread: kernels_benchmark [--benchmark_filter=matmul/avx512]
//
// Each run is timed by itself and the counters tell the best of them, since machines are shared and noisy:
//   GOPS     10^9 multiplications and additions a second
//   of_peak  GOPS / that of the same instructions in registers, measured at the start of the same process
//   GBs      10^9 bytes of weights a second;  of_read: GBs / that of a plain read of 1 GiB in the same pages
//   Gelem    10^9 elements a second
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <functional>
#include <map>
#include <new>
#include <numeric>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>
#include <sys/mman.h>

#include "kernels/kernels.h"

namespace pith {
namespace {

double Seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Seconds of the fastest of `n` runs.
template <typename Work>
double Best(int n, const Work& work) {
  double best = 1e9;
  for (int i = 0; i < n; ++i) {
    const double begin = Seconds();
    work();
    best = std::min(best, Seconds() - begin);
  }
  return best;
}

// Long work is timed in parts, short enough to fall between two interruptions: the best time of each counts.
constexpr size_t kPartBytes = 4 << 20;
constexpr double kPartOps = 1e8;
class PartTimes {
 public:
  explicit PartTimes(size_t n_parts) : best_(n_parts, 1e9) {}
  template <typename Work>
  void Run(size_t part, const Work& work) {
    best_[part] = std::min(best_[part], Best(1, work));
  }
  double Sum() const { return std::accumulate(best_.begin(), best_.end(), 0.0); }

 private:
  std::vector<double> best_;
};

// Memory for weights in ordinary or, where the system has them, huge pages. It matters: with 4 KiB pages a
// read of more than the caches hold waits for address translation, above all in virtual machines.
class Pages {
 public:
  Pages(size_t bytes, bool huge)
      : size_(RoundUp(bytes, kHugePage)),
        data_(static_cast<int8_t*>(::operator new(size_, std::align_val_t{kHugePage}))) {
#if defined(MADV_HUGEPAGE)
    // A refusal is fine: the numbers will tell.
    (void)madvise(data_, size_, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
#else
    (void)huge;
#endif
    std::memset(data_, 1, size_);
  }
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;
  ~Pages() { ::operator delete(data_, std::align_val_t{kHugePage}); }
  int8_t* data() { return data_; }

 private:
  static constexpr size_t kHugePage = 2 << 20;
  size_t size_;
  int8_t* data_;
};

constexpr int kPeakSteps = 200'000;

#if defined(__x86_64__)

// clang-format off

// 24 accumulators as in a full tile.
__attribute__((noinline)) void PeakAvx512() {
#define PITH_DOT(n) "vpdpbusd %%zmm30, %%zmm31, %%zmm" #n "\n\t"
  for (int i = 0; i < kPeakSteps; ++i) {
    asm volatile(
        PITH_DOT(0) PITH_DOT(1) PITH_DOT(2) PITH_DOT(3) PITH_DOT(4) PITH_DOT(5) PITH_DOT(6) PITH_DOT(7)
        PITH_DOT(8) PITH_DOT(9) PITH_DOT(10) PITH_DOT(11) PITH_DOT(12) PITH_DOT(13) PITH_DOT(14) PITH_DOT(15)
        PITH_DOT(16) PITH_DOT(17) PITH_DOT(18) PITH_DOT(19) PITH_DOT(20) PITH_DOT(21) PITH_DOT(22) PITH_DOT(23)
        ::: "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
            "xmm12", "xmm13", "xmm14", "xmm15");  // code built for the baseline does not have the others
  }
#undef PITH_DOT
  asm volatile("vzeroupper");
}
constexpr double kPeakAvx512Ops = 24 * 64 * 2;

#if defined(PITH_HAS_AVXVNNI)
// 12 accumulators as in a full tile.
__attribute__((noinline)) void PeakAvxVnni() {
#define PITH_DOT(n) "%{vex%} vpdpbusd %%ymm14, %%ymm15, %%ymm" #n "\n\t"
  for (int i = 0; i < kPeakSteps; ++i) {
    asm volatile(
        PITH_DOT(0) PITH_DOT(1) PITH_DOT(2) PITH_DOT(3) PITH_DOT(4) PITH_DOT(5) PITH_DOT(6) PITH_DOT(7)
        PITH_DOT(8) PITH_DOT(9) PITH_DOT(10) PITH_DOT(11)
        ::: "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11");
  }
#undef PITH_DOT
  asm volatile("vzeroupper");
}
constexpr double kPeakAvxVnniOps = 12 * 32 * 2;
#endif

// A step of the AVX2 tile: the weights of a pair of groups (here one register) times four rows.
__attribute__((noinline)) void PeakAvx2() {
#define PITH_HALF(acc)                           \
  "vpxor %%ymm8, %%ymm9, %%ymm14\n\t"            \
  "vpmaddubsw %%ymm14, %%ymm10, %%ymm14\n\t"     \
  "vpxor %%ymm12, %%ymm9, %%ymm15\n\t"           \
  "vpmaddubsw %%ymm15, %%ymm10, %%ymm15\n\t"     \
  "vpaddw %%ymm14, %%ymm15, %%ymm14\n\t"         \
  "vpmaddwd %%ymm11, %%ymm14, %%ymm14\n\t"       \
  "vpaddd %%ymm14, %%ymm" #acc ", %%ymm" #acc "\n\t"
  for (int i = 0; i < kPeakSteps; ++i) {
    asm volatile(
        PITH_HALF(0) PITH_HALF(1) PITH_HALF(2) PITH_HALF(3) PITH_HALF(4) PITH_HALF(5) PITH_HALF(6) PITH_HALF(7)
        ::: "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
            "xmm12", "xmm14", "xmm15");
  }
#undef PITH_HALF
  asm volatile("vzeroupper");
}
constexpr double kPeakAvx2Ops = 8 * 64 * 2;

// clang-format on

#elif defined(__aarch64__)

// clang-format off

// 16 accumulators as in a full tile.
__attribute__((noinline)) void PeakNeon() {
#define PITH_DOT(n) "sdot v" #n ".4s, v30.16b, v31.4b[1]\n\t"
  for (int i = 0; i < kPeakSteps; ++i) {
    asm volatile(
        ".arch armv8.2-a+dotprod\n\t"
        PITH_DOT(0) PITH_DOT(1) PITH_DOT(2) PITH_DOT(3) PITH_DOT(4) PITH_DOT(5) PITH_DOT(6) PITH_DOT(7)
        PITH_DOT(16) PITH_DOT(17) PITH_DOT(18) PITH_DOT(19) PITH_DOT(20) PITH_DOT(21) PITH_DOT(22) PITH_DOT(23)
        ::: "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23");
  }
#undef PITH_DOT
}
constexpr double kPeakNeonOps = 16 * 16 * 2;

// clang-format on

#endif

// Operations a second in registers; 0 where there is no such loop.
double Peak(Isa isa) {
  static std::map<Isa, double> known;
  if (const auto found = known.find(isa); found != known.end()) return found->second;
  double peak = 0.0;
#if defined(__x86_64__)
  if (isa == Isa::kAvx512) peak = kPeakAvx512Ops * kPeakSteps / Best(30, PeakAvx512);
#if defined(PITH_HAS_AVXVNNI)
  if (isa == Isa::kAvxVnni) peak = kPeakAvxVnniOps * kPeakSteps / Best(30, PeakAvxVnni);
#endif
  if (isa == Isa::kAvx2) peak = kPeakAvx2Ops * kPeakSteps / Best(30, PeakAvx2);
#elif defined(__aarch64__)
  if (isa == Isa::kNeon) peak = kPeakNeonOps * kPeakSteps / Best(30, PeakNeon);
#endif
  return known[isa] = peak;
}

// Bytes a second of a plain read of 1 GiB.
double ReadBandwidth(bool huge_pages) {
  static std::map<bool, double> known;
  if (const auto found = known.find(huge_pages); found != known.end()) return found->second;
  constexpr size_t kBytes = size_t{1} << 30;
  Pages memory(kBytes, huge_pages);
  PartTimes times(kBytes / kPartBytes);
  for (int pass = 0; pass < 8; ++pass) {
    for (size_t part = 0; part < kBytes / kPartBytes; ++part) {
      const auto* p = reinterpret_cast<const uint64_t*>(memory.data() + part * kPartBytes);
      times.Run(part, [&] {
        uint64_t sum[8] = {};  // the compiler makes vectors of these
        for (size_t i = 0; i < kPartBytes / sizeof(uint64_t); i += 8) {
          for (size_t j = 0; j < 8; ++j) sum[j] += p[i + j];
        }
        for (uint64_t& x : sum) benchmark::DoNotOptimize(x);
      });
    }
  }
  return known[huge_pages] = static_cast<double>(kBytes) / times.Sum();
}

uint32_t NextRandom() {
  static uint32_t state = 12345;
  state = state * 1664525u + 1013904223u;
  return state >> 8;
}

AlignedBuffer<float> RandomFloats(size_t n, float low, float high) {
  AlignedBuffer<float> v(n);
  for (float& x : v.span()) x = low + (high - low) * (static_cast<float>(NextRandom()) / 16777216.0f);
  return v;
}

// Roughly normal, as activations and weights are, of which some tables make use: the largest of a thousand is some
// three standard deviations.
float RandomNormal() {
  float sum = 0.0f;
  for (int i = 0; i < 4; ++i) sum += static_cast<float>(NextRandom()) / 16777216.0f - 0.5f;
  return sum;  // in [-2, 2)
}

// Times single runs of `work` and gives the seconds of the fastest. Short work is repeated to about 50 us a
// run.
template <typename Work>
double BestOf(benchmark::State& state, const Work& work) {
  const double once = Best(3, work);
  const int repeats = std::max(1, static_cast<int>(50e-6 / once));
  double best = 1e9;
  for (auto _ : state) {
    best = std::min(best, Best(1, [&] {
                            for (int i = 0; i < repeats; ++i) work();
                          }) / repeats);
  }
  return best;
}

struct Shape {
  size_t cols, rows, n_rows;
  int terms, planes;
  const char* what;
  bool huge_pages = false;
};

void RunMatmul(benchmark::State& state, Isa isa, const Shape& s) {
  const Kernels& k = KernelsFor(isa);
  const size_t n_panels = PanelCount(s.rows), bytes = PanelMatrixBytes(s.rows, s.cols);
  Pages plane(bytes, s.huge_pages), low(s.planes == 2 ? bytes : 1, s.huge_pages);
  for (size_t i = 0; i < bytes; ++i) {
    plane.data()[i] = static_cast<int8_t>(RandomNormal() * 63.5f);
    if (s.planes == 2) low.data()[i] = static_cast<int8_t>(static_cast<int>(NextRandom() % 128) - 64);
  }
  const AlignedBuffer<float> scale = RandomFloats(n_panels * kPanelRows, 0.0f, 0.01f);
  AlignedBuffer<float> x(s.n_rows * s.cols);
  for (float& v : x.span()) v = RandomNormal();
  CodeRowsBuffer buffer(s.n_rows, s.cols);
  const CodeRowsView codes = buffer.View(s.n_rows, s.cols, s.terms);
  k.quantize_rows(x.data(), s.cols, codes);
  const PanelMatrixView w{s.rows,
                          s.cols,
                          PaddedDepth(s.cols) * kPanelRows,
                          plane.data(),
                          s.planes == 2 ? low.data() : nullptr,
                          scale.data()};
  AlignedBuffer<float> out(s.n_rows * n_panels * kPanelRows);
  const auto multiply = [&](size_t begin, size_t end) {
    k.matmul(codes, w, begin, end, out.data(), n_panels * kPanelRows);
  };
  double best = 0.0;
  const double ops = 2.0 * static_cast<double>(s.cols * s.rows * s.n_rows) * s.terms * s.planes;
  if (bytes <= kPartBytes && ops <= kPartOps) {
    best = BestOf(state, [&] { multiply(0, n_panels); });
  } else {
    const double n_parts = std::max(static_cast<double>(bytes) / kPartBytes, ops / kPartOps);
    const size_t n = std::max(size_t{2}, static_cast<size_t>(static_cast<double>(n_panels) / n_parts));
    PartTimes times((n_panels + n - 1) / n);
    for (auto _ : state) {
      for (size_t p = 0; p < n_panels; p += n)
        times.Run(p / n, [&] { multiply(p, std::min(p + n, n_panels)); });
    }
    best = times.Sum();
  }
  const double weights = static_cast<double>(bytes) * s.planes;
  state.counters["GOPS"] = ops / best * 1e-9;
  if (Peak(isa) > 0.0) state.counters["of_peak"] = ops / best / Peak(isa);
  state.counters["GBs"] = weights / best * 1e-9;
  if (bytes > 100'000'000) state.counters["of_read"] = weights / best / ReadBandwidth(s.huge_pages);
}

constexpr Shape kShapes[] = {
    {192, 192, 1, 1, 1, "small decode"},
    {192, 768, 16, 2, 1, "small"},
    {576, 1536, 24, 1, 1, "small"},
    {384, 1024, 3, 1, 1, "small lockstep"},
    {384, 1024, 7, 1, 1, "small lockstep"},
    {384, 1024, 96, 1, 1, "small prefill"},
    {384, 32768, 7, 1, 1, "small lockstep, weights from the last-level cache"},
    {576, 1536, 64, 2, 1, "small"},
    {1024, 3072, 1, 1, 1, "decode"},
    {1024, 3072, 4, 1, 1, "lockstep"},
    {1024, 3072, 8, 1, 1, "lockstep"},
    {1024, 3072, 13, 1, 1, "lockstep"},
    {1024, 3072, 64, 1, 1, "prefill"},
    {1024, 3072, 128, 2, 1, "prefill"},
    {2048, 1024, 128, 1, 1, "prefill"},
    {3072, 1024, 128, 1, 1, "prefill"},
    {64, 256, 64, 1, 1, "queries x keys"},
    {128, 1024, 64, 1, 1, "queries x keys"},
    {128, 1024, 1, 2, 2, "queries x keys"},
    {256, 64, 64, 1, 1, "weights x values"},
    {1024, 128, 64, 2, 2, "weights x values"},
    {1024, 151936, 1, 1, 1, "head"},
    {1024, 151936, 2, 1, 1, "head"},
    {1024, 151936, 4, 1, 1, "head"},
    {1024, 151936, 8, 1, 1, "head"},
    {1024, 151936, 16, 1, 1, "head"},
    {1024, 151936, 1, 1, 1, "head", true},
    {1024, 151936, 4, 1, 1, "head", true},
    {1024, 151936, 8, 1, 1, "head", true},
    {1024, 151936, 16, 1, 1, "head", true},
};

// One run of a float kernel over n elements, `work` as built by `make`.
void RunFloats(benchmark::State& state, size_t n, const std::function<void()>& work) {
  state.counters["Gelem"] = static_cast<double>(n) / BestOf(state, work) * 1e-9;
}

void RegisterFloats(Isa isa) {
  const Kernels& k = KernelsFor(isa);
  const auto name = [&](const char* kernel) { return std::string(kernel) + "/" + std::string(IsaName(isa)); };
  const auto add = [&](const char* kernel, size_t n, const std::function<void(benchmark::State&)>& run) {
    benchmark::RegisterBenchmark((name(kernel) + "/" + std::to_string(n)).c_str(), run);
  };
  for (int terms : {1, 2}) {
    add(terms == 1 ? "quantize_one_term" : "quantize_two_terms", 3072, [&k, terms](benchmark::State& state) {
      const AlignedBuffer<float> x = RandomFloats(3072, -1.0f, 1.0f);
      CodeRowsBuffer buffer(1, 3072);
      const CodeRowsView codes = buffer.View(1, 3072, terms);
      RunFloats(state, 3072, [&] { k.quantize_rows(x.data(), 3072, codes); });
    });
  }
  add("rms_norm", 1024, [&k](benchmark::State& state) {
    const AlignedBuffer<float> x = RandomFloats(1024, -1.0f, 1.0f), w = RandomFloats(1024, 0.0f, 1.0f);
    AlignedBuffer<float> out(1024);
    RunFloats(state, 1024, [&] { k.rms_norm(x.data(), w.data(), 1024, 1e-6f, out.data()); });
  });
  add("rope", 128, [&k](benchmark::State& state) {
    AlignedBuffer<float> x = RandomFloats(128, -1.0f, 1.0f);
    const AlignedBuffer<float> c = RandomFloats(64, 0.7f, 0.7f), s = RandomFloats(64, 0.7f, 0.7f);
    RunFloats(state, 128, [&] { k.rope(x.data(), c.data(), s.data(), 128); });
  });
  add("add", 1024, [&k](benchmark::State& state) {
    AlignedBuffer<float> x = RandomFloats(1024, -1.0f, 1.0f);
    const AlignedBuffer<float> y = RandomFloats(1024, -1e-9f, 1e-9f);
    RunFloats(state, 1024, [&] { k.add(x.data(), y.data(), 1024); });
  });
  add("swiglu", 3072, [&k](benchmark::State& state) {
    const AlignedBuffer<float> gate = RandomFloats(3072, -8.0f, 8.0f), up = RandomFloats(3072, -1.0f, 1.0f);
    AlignedBuffer<float> out(3072);
    RunFloats(state, 3072, [&] { k.swiglu(gate.data(), up.data(), 3072, out.data()); });
  });
  add("softmax", 1024, [&k](benchmark::State& state) {
    const AlignedBuffer<float> scores = RandomFloats(1024, -8.0f, 8.0f),
                               ones = RandomFloats(1024, 1.0f, 1.0f);
    AlignedBuffer<float> row(1024);
    RunFloats(state, 1024, [&] {
      std::copy(scores.data(), scores.data() + 1024, row.data());
      benchmark::DoNotOptimize(k.softmax(row.data(), 0, 0, 1024, 1024, ones.data()));
    });
  });
  add("frequencies", 151936, [&k](benchmark::State& state) {
    const AlignedBuffer<float> start = RandomFloats(151936, -15.0f, 5.0f);
    AlignedBuffer<float> logits(151936);
    AlignedBuffer<uint32_t> f(151936);
    const uint32_t excluded[1][2] = {{151643, 151936}};
    RunFloats(state, 151936, [&] {
      std::copy(start.data(), start.data() + 151936, logits.data());
      benchmark::DoNotOptimize(k.frequencies(logits.data(), 151936, excluded, 1, f.data()));
    });
  });
}

}  // namespace
}  // namespace pith

int main(int argc, char** argv) {
  using pith::Isa;
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  for (Isa isa : pith::AvailableIsas()) {
    const std::string name(pith::IsaName(isa));
    if (pith::Peak(isa) > 0.0)
      std::fprintf(stderr, "%s in registers: %.1f GOPS\n", name.c_str(), pith::Peak(isa) * 1e-9);
    for (const pith::Shape& s : pith::kShapes) {
      if (isa == Isa::kScalar && s.rows * s.cols * s.n_rows > 20'000'000) continue;  // seconds each
      const std::string label = "matmul/" + name + "/k:" + std::to_string(s.cols) +
                                "/rows:" + std::to_string(s.rows) + "/t:" + std::to_string(s.n_rows) +
                                "/terms:" + std::to_string(s.terms) + "/planes:" + std::to_string(s.planes) +
                                (s.huge_pages ? "/huge" : "");
      benchmark::RegisterBenchmark(label.c_str(), [isa, &s](benchmark::State& state) {
        state.SetLabel(s.what);
        pith::RunMatmul(state, isa, s);
      });
    }
    pith::RegisterFloats(isa);
  }
  for (bool huge : {false, true}) {
    std::fprintf(stderr, "read of 1 GiB in %s pages: %.1f GB/s\n", huge ? "huge" : "ordinary",
                 pith::ReadBandwidth(huge) * 1e-9);
  }
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
