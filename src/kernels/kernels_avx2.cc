// The AVX2 table.
//
// Products: bytes are split into words, even and odd columns apart, and vpmaddwd adds two columns exactly in
// 32 bits: 4 operations for 32 products. The usual sign trick (vpsignb, vpmaddubsw, vpmaddwd, vpaddd) takes 4
// as well, but three of them compete for two ports: 145 against 175 GOPS on Zen 4 at 3.65 GHz, and equal on
// Intel by its port counts. Weights are split in registers, for all rows of a tile; codes in memory, once for
// all panels that a tile meets. Rejected: vpmaddubsw of w + 128 and the low terms, which lie in [-64, 63] and
// cannot saturate. It takes 3 operations, but then each of the two kinds of rows has fewer rows to share the
// preparation of the weights: no gain.
#include "kernels/tables.h"

#include "kernels/lanes_avx2.h"

#include "kernels/float_kernels.h"  // needs the lanes above

namespace pith {
namespace {

// 8 accumulators, 4 registers of weights, 2 of codes, 2 for what is in between.
constexpr size_t kMaxTermRows = 4;
constexpr size_t kChunkGroups = 1024;  // groups of four columns that are split at a time
// Words of a split row. Not a power of two, so that rows do not share the sets of the first-level cache.
constexpr size_t kSplitStride = kChunkGroups * kPanelDepth + 96;

struct TileLimits {
  static constexpr size_t kPanels = 1;
  static constexpr size_t RowsOf(size_t) { return kMaxTermRows; }
  static constexpr size_t kScratch = kMaxTermRows * kSplitStride;
  static size_t PanelsOf(size_t, size_t) { return 1; }
};

}  // namespace
}  // namespace pith

#include "kernels/tiled_matmul.h"  // needs TileLimits

namespace pith {
namespace {

PITH_INLINE __m256i Broadcast32(const void* p) {
  int32_t x;
  __builtin_memcpy(&x, p, sizeof(x));
  return _mm256_set1_epi32(x);
}

// Codes of n groups as words, each group c0 c1 c2 c3 as c0 c2 c1 c3. Reads and writes whole runs of four
// groups.
PITH_INLINE void SplitCodes(const int8_t* codes, size_t n_groups, int16_t* words) {
  for (size_t k = 0; k < n_groups * kPanelDepth; k += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(codes + k));
    const __m256i wide = _mm256_cvtepi8_epi16(bytes);
    _mm256_storeu_si256(Vector(words + k), _mm256_shufflehi_epi16(_mm256_shufflelo_epi16(wide, 0xd8), 0xd8));
  }
}

template <size_t P, size_t kRows, size_t kTerms>
PITH_INLINE void Sums(const TileCall& c, I (&s)[P][kRows * kTerms]) {
  static_assert(P == 1);
  constexpr size_t T = kRows * kTerms;
  __m256i acc[T][2];
  PITH_UNROLL
  for (size_t t = 0; t < T; ++t) acc[t][0] = acc[t][1] = _mm256_setzero_si256();
  const int8_t* w = c.w;
  for (size_t begin = 0; begin < c.n_groups; begin += kChunkGroups) {
    const size_t n = c.n_groups - begin < kChunkGroups ? c.n_groups - begin : kChunkGroups;
    if (c.new_codes || c.n_groups > kChunkGroups) {
      const int8_t* codes = c.codes + begin * kPanelDepth;
      for (size_t t = 0; t < T; ++t) SplitCodes(codes + t * c.code_stride, n, c.scratch + t * kSplitStride);
    }
    const int16_t* words = c.scratch;
    for (size_t g = 0; g < n; ++g, w += kPanelBytes, words += kPanelDepth) {
      const __m256i w0 = _mm256_loadu_si256(Vector(w));
      const __m256i w1 = _mm256_loadu_si256(Vector(w + 32));
      const __m256i odd0 = _mm256_srai_epi16(w0, 8);
      const __m256i odd1 = _mm256_srai_epi16(w1, 8);
      const __m256i even0 = _mm256_srai_epi16(_mm256_slli_epi16(w0, 8), 8);
      const __m256i even1 = _mm256_srai_epi16(_mm256_slli_epi16(w1, 8), 8);
      PITH_UNROLL
      for (size_t t = 0; t < T; ++t) {
        const __m256i e = Broadcast32(words + t * kSplitStride);
        const __m256i o = Broadcast32(words + t * kSplitStride + 2);
        acc[t][0] = _mm256_add_epi32(
            acc[t][0], _mm256_add_epi32(_mm256_madd_epi16(even0, e), _mm256_madd_epi16(odd0, o)));
        acc[t][1] = _mm256_add_epi32(
            acc[t][1], _mm256_add_epi32(_mm256_madd_epi16(even1, e), _mm256_madd_epi16(odd1, o)));
      }
    }
  }
  PITH_UNROLL
  for (size_t t = 0; t < T; ++t) s[0][t] = {acc[t][0], acc[t][1]};
}

}  // namespace

const Kernels kAvx2Kernels = {Isa::kAvx2, QuantizeRows,  Matmul,  RmsNorm,     Rope,  AddTo,
                              Swiglu,     DequantizeRow, Softmax, Frequencies, Mix, MixLearn, Sigmoids, SumU32};

}  // namespace pith
