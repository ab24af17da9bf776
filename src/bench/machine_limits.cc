#include "bench/machine_limits.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>

#include "base/aligned_buffer.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace pith {
namespace {

double Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::atomic<uint64_t> g_keep;  // results go here, so that no loop is left out

uint64_t SumWords(const uint64_t* words, size_t n) {
  uint64_t a[8] = {};
  for (size_t i = 0; i + 8 <= n; i += 8) {
    for (size_t j = 0; j < 8; ++j) a[j] += words[i + j];
  }
  return a[0] + a[1] + a[2] + a[3] + a[4] + a[5] + a[6] + a[7];
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) uint64_t SumWordsAvx2(const uint64_t* words, size_t n) {
  __m256i a[4] = {};
  for (size_t i = 0; i + 16 <= n; i += 16) {
    for (size_t j = 0; j < 4; ++j) {
      a[j] = _mm256_add_epi64(a[j], _mm256_loadu_si256(reinterpret_cast<const __m256i*>(words + i + 4 * j)));
    }
  }
  const __m256i s = _mm256_add_epi64(_mm256_add_epi64(a[0], a[1]), _mm256_add_epi64(a[2], a[3]));
  alignas(32) uint64_t v[4];
  _mm256_store_si256(reinterpret_cast<__m256i*>(v), s);
  return v[0] + v[1] + v[2] + v[3];
}

// Sixteen accumulators hide the latency of the products; operands change so that nothing can be hoisted.
__attribute__((target("avx512f,avx512bw,avx512vnni"))) uint64_t Vnni512(size_t n) {
  __m512i acc[16];
  for (int j = 0; j < 16; ++j) acc[j] = _mm512_set1_epi32(j);  // equal ones would be merged into one
  __m512i w = _mm512_set1_epi32(0x01020304);
  const __m512i x = _mm512_set1_epi32(0x01010101);
  for (size_t i = 0; i < n; ++i) {
    for (auto& a : acc) a = _mm512_dpbusd_epi32(a, w, x);
    asm volatile("" : "+v"(w));
  }
  __m512i sum = acc[0];
  for (int j = 1; j < 16; ++j) sum = _mm512_add_epi32(sum, acc[j]);
  alignas(64) uint64_t v[8];
  _mm512_store_si512(v, sum);
  return v[0] + v[7];
}

#if defined(PITH_HAS_AVXVNNI)
// Twelve accumulators, as in a full tile: more would not fit beside the operands.
__attribute__((target("avx2,avxvnni"))) uint64_t Vnni256(size_t n) {
  __m256i acc[12];
  for (int j = 0; j < 12; ++j) acc[j] = _mm256_set1_epi32(j);
  __m256i w = _mm256_set1_epi32(0x01020304);
  const __m256i x = _mm256_set1_epi32(0x01010101);
  for (size_t i = 0; i < n; ++i) {
    for (auto& a : acc) a = _mm256_dpbusd_avx_epi32(a, w, x);
    asm volatile("" : "+x"(w));
  }
  __m256i sum = acc[0];
  for (int j = 1; j < 12; ++j) sum = _mm256_add_epi32(sum, acc[j]);
  alignas(32) uint64_t v[4];
  _mm256_store_si256(reinterpret_cast<__m256i*>(v), sum);
  return v[0] + v[1] + v[2] + v[3];
}
#endif

// The AVX2 kernels' sign trick: sign, maddubs, madd, add for 32 products.
__attribute__((target("avx2"))) uint64_t SignTrick256(size_t n) {
  __m256i acc[8];
  for (int j = 0; j < 8; ++j) acc[j] = _mm256_set1_epi32(j);
  __m256i w = _mm256_set1_epi32(0x01020304), x = _mm256_set1_epi32(0x01010101);
  const __m256i ones = _mm256_set1_epi16(1);
  for (size_t i = 0; i < n; ++i) {
    for (auto& a : acc) {
      asm volatile("" : "+x"(x));
      a = _mm256_add_epi32(a, _mm256_madd_epi16(_mm256_maddubs_epi16(w, _mm256_sign_epi8(x, w)), ones));
    }
  }
  __m256i sum = acc[0];
  for (int j = 1; j < 8; ++j) sum = _mm256_add_epi32(sum, acc[j]);
  alignas(32) uint64_t v[4];
  _mm256_store_si256(reinterpret_cast<__m256i*>(v), sum);
  return v[0] + v[1] + v[2] + v[3];
}
#elif defined(__aarch64__)
__attribute__((target("arch=armv8.2-a+dotprod"))) uint64_t Dot128(size_t n) {
  int32x4_t acc[16];
  for (int j = 0; j < 16; ++j) acc[j] = vdupq_n_s32(j);
  int8x16_t w = vdupq_n_s8(3);
  const int8x16_t x = vdupq_n_s8(1);
  for (size_t i = 0; i < n; ++i) {
    for (auto& a : acc) a = vdotq_laneq_s32(a, w, x, 0);
    asm volatile("" : "+w"(w));
  }
  int32x4_t sum = acc[0];
  for (int j = 1; j < 16; ++j) sum = vaddq_s32(sum, acc[j]);
  return static_cast<uint64_t>(vaddvq_s32(sum));
}
#endif

uint64_t ScalarProducts(size_t n) {
  int32_t acc[4] = {0, 1, 2, 3};
  int32_t w = 3;
  for (size_t i = 0; i < n; ++i) {
    for (int32_t& a : acc) {
      asm volatile("" : "+r"(w));
      a += w * 5;
    }
  }
  return static_cast<uint64_t>(acc[0] + acc[1] + acc[2] + acc[3]);
}

struct PeakLoop {
  uint64_t (*run)(size_t);
  double ops_a_round;
};

PeakLoop LoopFor(Isa isa) {
  switch (isa) {
#if defined(__x86_64__)
    case Isa::kAvx512:
      return {Vnni512, 16 * 64 * 2};
#if defined(PITH_HAS_AVXVNNI)
    case Isa::kAvxVnni:
      return {Vnni256, 12 * 32 * 2};
#endif
    case Isa::kAvx2:
      return {SignTrick256, 8 * 32 * 2};
#elif defined(__aarch64__)
    case Isa::kNeon:
      return {Dot128, 16 * 16 * 2};
#endif
    default:
      return {ScalarProducts, 4 * 2};
  }
}

constexpr int kRuns = 7;

}  // namespace

double ReadBandwidth(ThreadPool& pool) {
  static constexpr size_t kWords = (size_t{1} << 30) / sizeof(uint64_t);
  AlignedBuffer<uint64_t> memory(kWords);  // zeroed, hence every page present
  auto* sum = SumWords;
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) sum = SumWordsAvx2;
#endif
  const size_t n = pool.n_threads();
  double best = 0;
  for (int run = 0; run < kRuns; ++run) {
    const double start = Now();
    pool.ParallelFor(n, [&](size_t i, size_t) { g_keep += sum(memory.data() + kWords / n * i, kWords / n); });
    best = std::max(best, static_cast<double>(kWords * sizeof(uint64_t)) / (Now() - start));
  }
  return best;
}

double Int8Peak(Isa isa, ThreadPool& pool) {
  const PeakLoop loop = LoopFor(isa);
  constexpr size_t kRounds = 2000000;
  double best = 0;
  for (int run = 0; run < kRuns; ++run) {
    const double start = Now();
    pool.ParallelFor(pool.n_threads(), [&](size_t, size_t) { g_keep += loop.run(kRounds); });
    best = std::max(best, static_cast<double>(pool.n_threads() * kRounds) * loop.ops_a_round / (Now() - start));
  }
  return best;
}

}  // namespace pith
