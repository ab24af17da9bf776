// The AVX2 table.
//
// Products: vpmaddubsw multiplies unsigned by signed bytes and adds two products in a word. Magnitudes of
// codes are the unsigned bytes; the sign goes to the weights, as w ^ -1 = -w - 1 where the code is negative,
// and the sum of those codes' magnitudes comes back at the end. Nothing saturates: 127 * (128 + 128) < 32768.
// Then vpmaddwd by ones and vpaddd: 4 operations for 32 products. Where the magnitudes allow it, which is in
// nine tenths of the products of a model, two groups of columns are added as words before: 7 operations for
// 64 products. Weights of attention have no sign in their high terms, half of which are zero: 5 operations,
// or none.
//
// Before, bytes were split into words for vpmaddwd: 4.75 operations for 32 products. On Zen 3, in registers:
// 125 GOPS then, 141 and 178 now. Rejected: vpsignb instead of vpxor, which needs the ports of the
// multiplications (133); four groups at a time, which only a third of the products allow without knowing the
// weights; taking a panel for several tiles of rows while it is in the first-level cache (nothing gained).
#include "kernels/tables.h"

#include <type_traits>

#include "kernels/lanes_avx2.h"

#include "kernels/float_kernels.h"  // needs the lanes above

namespace pith {
namespace {

// 8 accumulators, 2 registers of weights, 5 for what is in between, 1 constant.
constexpr size_t kMaxTermRows = 4;
constexpr size_t kPairCodes = 2 * kPanelDepth;
// Sum of the magnitudes that meet in a word: 256 * -128 is the least word, 256 * 127 below the largest.
constexpr int16_t kMostInWord = 256;
constexpr size_t kChunkPairs = 512;  // pairs of groups of four columns that are prepared at a time
// No power of two, so that rows do not share the sets of the first-level cache.
constexpr size_t kRowPairs = kChunkPairs + 12;
// The first two tiles of rows to meet weights ask for them, since they come from further away than the
// hardware's prefetch expects. 8 KiB ahead (Zen 3, 3 and 7 rows, 12 MB of weights): 1.5 and 1.25 times as
// fast; 4 KiB the same, 24 KiB less. Later rows would pay 5 % for nothing.
constexpr ptrdiff_t kAheadBytes = 8192;

struct TileLimits {
  static constexpr size_t kPanels = 1;
  static constexpr size_t RowsOf(size_t) { return kMaxTermRows; }
  static size_t PanelsOf(size_t, size_t) { return 1; }

  // Codes of a pair of groups: |c|, and 255 where c < 0, else 0. It is narrow when no sum of its products
  // that meet in a word can leave the word, whatever the weights: when the four magnitudes add up to at most
  // kMostInWord.
  struct alignas(16) Pair {
    uint8_t magnitude[kPairCodes];
    uint8_t sign[kPairCodes];
  };
  struct Scratch {
    alignas(64) Pair pairs[kMaxTermRows * kRowPairs];  // pair i of row t at t * kRowPairs + i
    // The whole pairs that are not zero in every row. With two terms, those whose high terms are zero in
    // every row stand apart: low terms lie in [-64, 63], so they are narrow.
    uint16_t narrow[kChunkPairs], wide[kChunkPairs], low[kChunkPairs];
    size_t n_narrow, n_wide, n_low;
    int32_t negative[kMaxTermRows];  // sum of -c over c < 0
    bool positive;                   // no (high) term is negative, as in the weights of attention
  };
};

}  // namespace
}  // namespace pith

#include "kernels/tiled_matmul.h"  // needs TileLimits

namespace pith {
namespace {

using Scratch = TileLimits::Scratch;
using Pair = TileLimits::Pair;

// A bit for each of the four pairs whose lanes of 64 bits are not all zero.
PITH_INLINE uint32_t NonzeroPairs(__m256i x) {
  const __m256i zero = _mm256_cmpeq_epi64(x, _mm256_setzero_si256());
  return ~static_cast<uint32_t>(_mm256_movemask_pd(_mm256_castsi256_pd(zero)));
}

// Fills scratch from the codes of T term rows, n_groups groups of each. In one pass, over weights that are
// still far away, what is saved on high terms that are zero would be lost by waiting twice: then no pair
// stands apart.
template <size_t T, size_t kTerms>
PITH_INLINE void Prepare(const int8_t* codes, size_t code_stride, size_t n_groups, bool one_pass,
                         Scratch* scratch) {
  const size_t n_whole = n_groups / 2;
  const __m256i zero = _mm256_setzero_si256();
  const __m256i ones = _mm256_set1_epi8(1);
  size_t n_narrow = 0, n_wide = 0, n_low = 0;
  __m256i negative[T];
  PITH_UNROLL
  for (size_t t = 0; t < T; ++t) negative[t] = zero;
  // Four pairs at a time; codes are zero up to a whole cache line.
  for (size_t pair = 0; 2 * pair < n_groups; pair += 4) {
    __m256i largest = zero;  // in words: the sums of magnitudes that meet in one
    __m256i high = zero, low = zero;
    PITH_UNROLL
    for (size_t t = 0; t < T; ++t) {
      const __m256i c = _mm256_loadu_si256(Vector(codes + t * code_stride + pair * kPairCodes));
      const __m256i magnitude = _mm256_abs_epi8(c);
      const __m256i sign = _mm256_cmpgt_epi8(zero, c);
      Pair* out = &scratch->pairs[t * kRowPairs + pair];
      const __m256i even = _mm256_unpacklo_epi64(magnitude, sign);
      const __m256i odd = _mm256_unpackhi_epi64(magnitude, sign);
      _mm256_storeu_si256(Vector(out), _mm256_permute2x128_si256(even, odd, 0x20));
      _mm256_storeu_si256(Vector(out + 2), _mm256_permute2x128_si256(even, odd, 0x31));
      negative[t] = _mm256_add_epi64(negative[t], _mm256_sad_epu8(_mm256_and_si256(magnitude, sign), zero));
      const __m256i sums = _mm256_maddubs_epi16(magnitude, ones);
      largest = _mm256_max_epi16(largest, _mm256_add_epi16(sums, _mm256_srli_epi64(sums, 32)));
      (t % kTerms == 0 ? high : low) = _mm256_or_si256(t % kTerms == 0 ? high : low, c);
    }
    const uint32_t over = NonzeroPairs(_mm256_cmpgt_epi16(largest, _mm256_set1_epi16(kMostInWord)));
    const uint32_t any_low = kTerms == 1 ? 0 : NonzeroPairs(low);
    const uint32_t any_high = NonzeroPairs(high) | (one_pass ? any_low : 0);
    PITH_UNROLL
    for (size_t i = 0; i < 4; ++i) {
      if (pair + i >= n_whole) break;
      const uint16_t at = static_cast<uint16_t>(pair + i);
      scratch->narrow[n_narrow] = at;
      scratch->wide[n_wide] = at;
      n_narrow += any_high >> i & ~over >> i & 1;
      n_wide += any_high >> i & over >> i & 1;
      if constexpr (kTerms == 2) {
        scratch->low[n_low] = at;
        n_low += any_low >> i & ~any_high >> i & 1;
      }
    }
  }
  scratch->n_narrow = n_narrow;
  scratch->n_wide = n_wide;
  scratch->n_low = n_low;
  int32_t high_negative = 0;
  PITH_UNROLL
  for (size_t t = 0; t < T; ++t) {
    const __m128i sum =
        _mm_add_epi64(_mm256_castsi256_si128(negative[t]), _mm256_extracti128_si256(negative[t], 1));
    scratch->negative[t] = static_cast<int32_t>(_mm_cvtsi128_si64(sum) + _mm_extract_epi64(sum, 1));
    if (t % kTerms == 0) high_negative |= scratch->negative[t];
  }
  scratch->positive = high_negative == 0;
}

// The steps are not intrinsics: GCC 12 would keep all accumulators in memory (two thirds of the speed).
struct Word32 {
  int32_t v;
} __attribute__((may_alias));
PITH_INLINE const Word32& Four(const uint8_t* p) { return *reinterpret_cast<const Word32*>(p); }

// acc += the products of one term row's codes of a narrow pair and the pair's weights: w0 of its first group,
// w1 of its second.
PITH_INLINE void AddPair(const Pair& pair, const __m256i (&w0)[2], const __m256i* w1, __m256i one,
                         __m256i (&acc)[2]) {
  __m256i a, b, c, d, e;
  asm("vpbroadcastd %[s0], %[a]\n\t"
      "vpxor %[w01], %[a], %[b]\n\t"
      "vpxor %[w00], %[a], %[a]\n\t"
      "vpbroadcastd %[m0], %[e]\n\t"
      "vpmaddubsw %[a], %[e], %[a]\n\t"
      "vpmaddubsw %[b], %[e], %[b]\n\t"
      "vpbroadcastd %[s1], %[c]\n\t"
      "vpxor %[w10], %[c], %[d]\n\t"
      "vpxor %[w11], %[c], %[c]\n\t"
      "vpbroadcastd %[m1], %[e]\n\t"
      "vpmaddubsw %[d], %[e], %[d]\n\t"
      "vpmaddubsw %[c], %[e], %[c]\n\t"
      "vpaddw %[d], %[a], %[a]\n\t"
      "vpaddw %[c], %[b], %[b]\n\t"
      "vpmaddwd %[one], %[a], %[a]\n\t"
      "vpmaddwd %[one], %[b], %[b]\n\t"
      "vpaddd %[a], %[acc0], %[acc0]\n\t"
      "vpaddd %[b], %[acc1], %[acc1]"
      : [acc0] "+x"(acc[0]), [acc1] "+x"(acc[1]), [a] "=&x"(a), [b] "=&x"(b), [c] "=&x"(c), [d] "=&x"(d),
        [e] "=&x"(e)
      : [w00] "x"(w0[0]), [w01] "x"(w0[1]), [w10] "m"(w1[0]), [w11] "m"(w1[1]), [one] "x"(one),
        [m0] "m"(Four(pair.magnitude)), [m1] "m"(Four(pair.magnitude + 4)), [s0] "m"(Four(pair.sign)),
        [s1] "m"(Four(pair.sign + 4)));
}

// The same where no code is negative, as the weights of attention.
PITH_INLINE void AddPositivePair(const Pair& pair, const __m256i (&w0)[2], const __m256i* w1, __m256i one,
                                 __m256i (&acc)[2]) {
  __m256i a, b, c, d;
  asm("vpbroadcastd %[m0], %[b]\n\t"
      "vpmaddubsw %[w00], %[b], %[a]\n\t"
      "vpmaddubsw %[w01], %[b], %[b]\n\t"
      "vpbroadcastd %[m1], %[d]\n\t"
      "vpmaddubsw %[w10], %[d], %[c]\n\t"
      "vpmaddubsw %[w11], %[d], %[d]\n\t"
      "vpaddw %[c], %[a], %[a]\n\t"
      "vpaddw %[d], %[b], %[b]\n\t"
      "vpmaddwd %[one], %[a], %[a]\n\t"
      "vpmaddwd %[one], %[b], %[b]\n\t"
      "vpaddd %[a], %[acc0], %[acc0]\n\t"
      "vpaddd %[b], %[acc1], %[acc1]"
      : [acc0] "+x"(acc[0]), [acc1] "+x"(acc[1]), [a] "=&x"(a), [b] "=&x"(b), [c] "=&x"(c), [d] "=&x"(d)
      : [w00] "x"(w0[0]), [w01] "x"(w0[1]), [w10] "m"(w1[0]), [w11] "m"(w1[1]), [one] "x"(one),
        [m0] "m"(Four(pair.magnitude)), [m1] "m"(Four(pair.magnitude + 4)));
}

// acc += the products of one group of all rows: group g of each row's pair.
template <size_t T>
PITH_INLINE void AddGroup(const int8_t* w, const Pair* pairs, size_t g, __m256i one, __m256i (&acc)[T][2]) {
  const __m256i w0 = _mm256_loadu_si256(Vector(w));
  const __m256i w1 = _mm256_loadu_si256(Vector(w + 32));
  PITH_UNROLL
  for (size_t t = 0; t < T; ++t) {
    const Pair& pair = pairs[t * kRowPairs];
    __m256i a, b, c;
    asm("vpbroadcastd %[s], %[a]\n\t"
        "vpxor %[w1], %[a], %[b]\n\t"
        "vpxor %[w0], %[a], %[a]\n\t"
        "vpbroadcastd %[m], %[c]\n\t"
        "vpmaddubsw %[a], %[c], %[a]\n\t"
        "vpmaddubsw %[b], %[c], %[b]\n\t"
        "vpmaddwd %[one], %[a], %[a]\n\t"
        "vpmaddwd %[one], %[b], %[b]\n\t"
        "vpaddd %[a], %[acc0], %[acc0]\n\t"
        "vpaddd %[b], %[acc1], %[acc1]"
        : [acc0] "+x"(acc[t][0]), [acc1] "+x"(acc[t][1]), [a] "=&x"(a), [b] "=&x"(b), [c] "=&x"(c)
        : [w0] "x"(w0), [w1] "x"(w1), [one] "x"(one), [m] "m"(Four(pair.magnitude + 4 * g)),
          [s] "m"(Four(pair.sign + 4 * g)));
  }
}

// What is known of a list of pairs: that no (high) code is negative, or that no high code is other than zero.
enum class Rows { kAny, kPositiveHigh, kLowOnly };

template <size_t P, size_t kRows, size_t kTerms>
PITH_INLINE void Sums(const TileCall& c, I (&s)[P][kRows * kTerms]) {
  static_assert(P == 1);
  constexpr size_t T = kRows * kTerms;
  const __m256i one = _mm256_set1_epi16(1);
  __m256i acc[T][2];
  PITH_UNROLL
  for (size_t t = 0; t < T; ++t) acc[t][0] = acc[t][1] = _mm256_setzero_si256();
  const int8_t* w = c.w;
  Scratch* const scratch = c.scratch;
  const size_t n_groups = c.n_groups;
  int32_t negative[T] = {};
  for (size_t begin = 0; begin < n_groups; begin += 2 * kChunkPairs) {
    const size_t n = n_groups - begin < 2 * kChunkPairs ? n_groups - begin : 2 * kChunkPairs;
    if (c.new_codes || n_groups > 2 * kChunkPairs)
      Prepare<T, kTerms>(c.codes + begin * kPanelDepth, c.code_stride, n, c.first_rows, scratch);
    PITH_UNROLL
    for (size_t t = 0; t < T; ++t) negative[t] += scratch->negative[t];
    const Pair* const pairs = scratch->pairs;
    const auto add_pairs = [&](const uint16_t* order, size_t n_pairs, auto rows,
                               auto fetch) __attribute__((always_inline)) {
      for (size_t i = 0; i < n_pairs; ++i) {
        const size_t at = order[i];
        const __m256i* v = Vector(w + at * (2 * kPanelBytes));
        if constexpr (fetch.value) {
          _mm_prefetch(reinterpret_cast<const char*>(v) + kAheadBytes, _MM_HINT_T0);
          _mm_prefetch(reinterpret_cast<const char*>(v) + kAheadBytes + kPanelBytes, _MM_HINT_T0);
        }
        const __m256i w0[2] = {_mm256_loadu_si256(v), _mm256_loadu_si256(v + 1)};
        PITH_UNROLL
        for (size_t t = 0; t < T; ++t) {
          const Pair& pair = pairs[t * kRowPairs + at];
          if (t % kTerms != 0 || rows.value == Rows::kAny) {
            AddPair(pair, w0, v + 2, one, acc[t]);
          } else if (rows.value == Rows::kPositiveHigh) {
            AddPositivePair(pair, w0, v + 2, one, acc[t]);
          }
        }
      }
    };
    const auto add = [&](const uint16_t* order, size_t n_pairs, auto rows) __attribute__((always_inline)) {
      if (c.first_rows) {
        add_pairs(order, n_pairs, rows, std::true_type());
      } else {
        add_pairs(order, n_pairs, rows, std::false_type());
      }
    };
    if (scratch->positive) {
      add(scratch->narrow, scratch->n_narrow, std::integral_constant<Rows, Rows::kPositiveHigh>());
    } else {
      add(scratch->narrow, scratch->n_narrow, std::integral_constant<Rows, Rows::kAny>());
    }
    if constexpr (kTerms == 2) {
      add(scratch->low, scratch->n_low, std::integral_constant<Rows, Rows::kLowOnly>());
    }
    for (size_t i = 0; i < scratch->n_wide; ++i) {
      const size_t at = scratch->wide[i];
      AddGroup<T>(w + at * (2 * kPanelBytes), pairs + at, 0, one, acc);
      AddGroup<T>(w + at * (2 * kPanelBytes) + kPanelBytes, pairs + at, 1, one, acc);
    }
    if (n % 2 != 0) AddGroup<T>(w + (n - 1) * kPanelBytes, pairs + n / 2, 0, one, acc);
    w += n * kPanelBytes;
  }
  PITH_UNROLL
  for (size_t t = 0; t < T; ++t) {
    const __m256i n = _mm256_set1_epi32(negative[t]);
    s[0][t] = {_mm256_add_epi32(acc[t][0], n), _mm256_add_epi32(acc[t][1], n)};
  }
}

}  // namespace

const Kernels kAvx2Kernels = {Isa::kAvx2,    QuantizeRows, Matmul,      RmsNorm, Rope,     AddTo,    Swiglu,
                              DequantizeRow, Softmax,      Frequencies, Mix,     MixLearn, Sigmoids, SumU32};

}  // namespace pith
