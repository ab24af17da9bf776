// The float kernels of contract sections 2, 4, 6 and 8, written once in sixteen lanes.
//
// Include after one lanes_*.h. Operations and their order are those of the contract, lane by lane, so the
// results are equal for every lanes_*.h. Tails: lanes that hold no element load +0 and are not stored; +0
// does not change a lane sum, since its accumulators are never -0.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/code_rows.h"
#include "tensor/panel.h"

namespace pith {
namespace {

constexpr int32_t kInfinityBits = 0x7f800000;

// Contract 2 for x <= 88. Below -87 the formula may give anything, which is not selected. A NaN stays one, so
// that an attention score that is not finite ends as codes that quantize_rows refuses.
PITH_INLINE F ExpUpTo88(F x) {
  const I n = Round(Mul(x, Set(1.44269504088896341f)));
  const F nf = ToFloat(n);
  const F r = Sub(Sub(x, Mul(nf, Set(0.693359375f))), Mul(nf, Set(-2.12194440e-4f)));
  F p = Set(1.9875691500e-4f);
  p = Add(Mul(p, r), Set(1.3981999507e-3f));
  p = Add(Mul(p, r), Set(8.3334519073e-3f));
  p = Add(Mul(p, r), Set(4.1665795894e-2f));
  p = Add(Mul(p, r), Set(1.6666665459e-1f));
  p = Add(Mul(p, r), Set(5.0000001201e-1f));
  const F y = Add(Add(Mul(p, Mul(r, r)), r), Set(1.0f));
  return Select(Less(x, Set(-87.0f)), Set(0.0f), FromBits(AddI(Bits(y), ShiftLeft<23>(n))));
}

// 1 / (1 + Exp(0 - x)). A NaN gives something; it stays one in the product with x.
PITH_INLINE F Sigmoid(F x) {
  return Div(Set(1.0f), Add(Set(1.0f), ExpUpTo88(Min(Sub(Set(0.0f), x), Set(88.0f)))));
}

// One block of sixteen values to codes; the codes are added to the sums.
PITH_INLINE void StoreOneTerm(F x, F inverse, int8_t* codes, I* sum) {
  const I c = Round(Mul(x, inverse));
  StoreI8(codes, c);
  *sum = AddI(*sum, c);
}
PITH_INLINE void StoreTwoTerms(F x, F inverse, int8_t* hi_codes, int8_t* lo_codes, I* hi_sum, I* lo_sum) {
  const I c = Round(Mul(x, inverse));
  const I hi = ShiftRight<7>(AddI(c, SetI(64)));
  const I lo = SubI(c, ShiftLeft<7>(hi));
  StoreI8(hi_codes, hi);
  StoreI8(lo_codes, lo);
  *hi_sum = AddI(*hi_sum, hi);
  *lo_sum = AddI(*lo_sum, lo);
}

bool QuantizeRows(const float* x, size_t x_stride, const CodeRowsView& out) {
  const size_t n = out.cols;
  const size_t n_whole = n / 16 * 16;
  const size_t terms = static_cast<size_t>(out.terms);
  const float limit = terms == 1 ? kOneTermMax : kTwoTermMax;
  for (size_t t = 0; t < out.rows; ++t) {
    const float* row = x + t * x_stride;
    int8_t* hi = out.codes + t * terms * out.stride;
    int8_t* lo = hi + out.stride;  // used with two terms only
    int32_t* sum = out.sum + t * terms;

    // The largest |x| as an integer: order-free, and NaN and infinity come out on top.
    I top = SetI(0);
    for (size_t i = 0; i < n_whole; i += 16) top = MaxI(top, AbsBits(Load(row + i)));
    if (n_whole < n) top = MaxI(top, AbsBits(LoadPart(row + n_whole, n - n_whole)));
    const int32_t top_bits = ReduceMaxI(top);
    if (top_bits >= kInfinityBits) return false;
    const float m = FloatOfBits(top_bits);

    if (m < 0x1p-100f) {
      for (size_t i = 0; i < terms * out.stride; i += 16) StoreI8(hi + i, SetI(0));
      for (size_t j = 0; j < terms; ++j) sum[j] = 0;
      out.scale[t] = 0.0f;
      continue;
    }
    out.scale[t] = m / limit;
    const F inverse = Set(limit / m);
    I hi_sum = SetI(0);
    I lo_sum = SetI(0);
    size_t i = 0;
    if (terms == 1) {
      for (; i < n_whole; i += 16) StoreOneTerm(Load(row + i), inverse, hi + i, &hi_sum);
      if (i < n) StoreOneTerm(LoadPart(row + i, n - i), inverse, hi + i, &hi_sum);
    } else {
      for (; i < n_whole; i += 16) StoreTwoTerms(Load(row + i), inverse, hi + i, lo + i, &hi_sum, &lo_sum);
      if (i < n) StoreTwoTerms(LoadPart(row + i, n - i), inverse, hi + i, lo + i, &hi_sum, &lo_sum);
      sum[1] = ReduceSumI(lo_sum);
    }
    sum[0] = ReduceSumI(hi_sum);
    for (i = (n + 15) / 16 * 16; i < out.stride; i += 16) {
      StoreI8(hi + i, SetI(0));
      if (terms == 2) StoreI8(lo + i, SetI(0));
    }
  }
  return true;
}

void RmsNorm(const float* x, const float* weight, size_t n, float eps, float* out) {
  const size_t n_whole = n / 16 * 16;
  const size_t rest = n - n_whole;
  F acc = Set(0.0f);
  for (size_t i = 0; i < n_whole; i += 16) {
    const F v = Load(x + i);
    acc = Add(acc, Mul(v, v));
  }
  if (rest > 0) {
    const F v = LoadPart(x + n_whole, rest);
    acc = Add(acc, Mul(v, v));
  }
  const F inv = Set(1.0f / Sqrt(LaneSum(acc) / static_cast<float>(n) + eps));
  for (size_t i = 0; i < n_whole; i += 16) Store(out + i, Mul(Mul(Load(x + i), inv), Load(weight + i)));
  if (rest > 0) {
    const F v = Mul(Mul(LoadPart(x + n_whole, rest), inv), LoadPart(weight + n_whole, rest));
    StorePart(out + n_whole, v, rest);
  }
}

void Rope(float* x, const float* cosine, const float* sine, size_t head_dim) {
  const size_t half = head_dim / 2;
  float* y = x + half;
  size_t i = 0;
  for (; i + 16 <= half; i += 16) {
    const F a = Load(x + i), b = Load(y + i), c = Load(cosine + i), s = Load(sine + i);
    Store(x + i, Sub(Mul(a, c), Mul(b, s)));
    Store(y + i, Add(Mul(b, c), Mul(a, s)));
  }
  if (i < half) {
    const size_t n = half - i;
    const F a = LoadPart(x + i, n), b = LoadPart(y + i, n), c = LoadPart(cosine + i, n),
            s = LoadPart(sine + i, n);
    StorePart(x + i, Sub(Mul(a, c), Mul(b, s)), n);
    StorePart(y + i, Add(Mul(b, c), Mul(a, s)), n);
  }
}

void AddTo(float* x, const float* y, size_t n) {
  size_t i = 0;
  for (; i + 16 <= n; i += 16) Store(x + i, Add(Load(x + i), Load(y + i)));
  if (i < n) StorePart(x + i, Add(LoadPart(x + i, n - i), LoadPart(y + i, n - i)), n - i);
}

void Swiglu(const float* gate, const float* up, size_t n, float* out) {
  size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    const F g = Load(gate + i);
    Store(out + i, Mul(Mul(g, Sigmoid(g)), Load(up + i)));
  }
  if (i < n) {
    const F g = LoadPart(gate + i, n - i);
    StorePart(out + i, Mul(Mul(g, Sigmoid(g)), LoadPart(up + i, n - i)), n - i);
  }
}

void DequantizeRow(const PanelMatrixView& w, size_t row, float* out) {
  const F scale = Set(w.scale == nullptr ? 1.0f : w.scale[row]);
  const int8_t* group = w.plane + row / kPanelRows * w.stride + row % kPanelRows * kPanelDepth;
  for (size_t i = 0; i < w.cols; i += 16, group += 4 * kPanelBytes) {
    // Four columns lie together, the next four a group of 64 bytes later.
    int8_t codes[16] = {};
    for (size_t j = 0; j < 4; ++j) {
      if (i + j * kPanelDepth < w.cols)
        __builtin_memcpy(codes + j * kPanelDepth, group + j * kPanelBytes, kPanelDepth);
    }
    const F values = Mul(ToFloat(LoadI8(codes)), scale);
    if (i + 16 <= w.cols) {
      Store(out + i, values);
    } else {
      StorePart(out + i, values, w.cols - i);
    }
  }
}

// Calls visit(i, visible lanes) for each block row[i..i+16) that has a visible element, ascending; skip(i)
// for the rest.
template <typename Visit, typename Skip>
PITH_INLINE void VisitBlocks(size_t n_first, size_t begin, size_t end, size_t n, Visit visit, Skip skip) {
  const ptrdiff_t b = static_cast<ptrdiff_t>(begin);
  const ptrdiff_t e = static_cast<ptrdiff_t>(end);
  const M all = Range(0, 16);
  for (size_t i = 0; i < n; i += 16) {
    const ptrdiff_t at = static_cast<ptrdiff_t>(i);
    if (begin <= i && i + 16 <= end) {
      visit(i, all);
    } else if (i == 0) {
      visit(i, Or(Range(0, static_cast<ptrdiff_t>(n_first)), Range(b, e)));
    } else if (begin < i + 16 && i < end) {
      visit(i, Range(b - at, e - at));
    } else {
      skip(i);
    }
  }
}

float Softmax(float* row, size_t n_first, size_t begin, size_t end, size_t n, const float* value_scale) {
  const F lowest = Set(FloatOfBits(static_cast<int32_t>(0xff800000u)));  // -infinity
  // Invisible elements may hold anything, NaN too: selected away, never multiplied by 0.
  F top = lowest;
  VisitBlocks(
      n_first, begin, end, n,
      [&](size_t i, M visible)
          __attribute__((always_inline)) { top = Max(Select(visible, Load(row + i), lowest), top); },
      [](size_t) {});
  const F m = Set(ReduceMax(top));
  F sum = Set(0.0f);
  VisitBlocks(
      n_first, begin, end, n,
      [&](size_t i, M visible) __attribute__((always_inline)) {
        const F e = Select(visible, ExpUpTo88(Sub(Load(row + i), m)), Set(0.0f));
        sum = Add(sum, e);
        Store(row + i, Select(visible, Mul(e, Load(value_scale + i)), Set(0.0f)));
      },
      [&](size_t i) { Store(row + i, Set(0.0f)); });
  return LaneSum(sum);
}

PITH_INLINE void Fill(float* p, size_t begin, size_t end, float value) {
  const F v = Set(value);
  for (; begin + 16 <= end; begin += 16) Store(p + begin, v);
  if (begin < end) StorePart(p + begin, v, end - begin);
}

bool Frequencies(float* logits, size_t n_vocab, const uint32_t (*excluded)[2], size_t n_excluded,
                 uint32_t* f) {
  const size_t n_padded = (n_vocab + 15) / 16 * 16;
  const float lowest = FloatOfBits(static_cast<int32_t>(0xff800000u));  // -infinity: its exponential is 0

  // The maximum over what counts, then -infinity everywhere else.
  F top = Set(lowest);
  I top_bits = SetI(0);
  size_t counted = 0;
  size_t begin = 0;
  for (size_t range = 0; range <= n_excluded; ++range) {
    const size_t end = range < n_excluded ? excluded[range][0] : n_vocab;
    const size_t next = range < n_excluded ? excluded[range][1] : n_padded;
    counted += end - begin;
    for (; begin + 16 <= end; begin += 16) {
      const F v = Load(logits + begin);
      top = Max(v, top);
      top_bits = MaxI(top_bits, AbsBits(v));
    }
    if (begin < end) {
      const F v = LoadPart(logits + begin, end - begin);
      top = Max(Select(Range(0, static_cast<ptrdiff_t>(end - begin)), v, Set(lowest)), top);
      top_bits = MaxI(top_bits, AbsBits(v));
    }
    Fill(logits, end, next, lowest);
    begin = next;
  }
  if (counted == 0 || ReduceMaxI(top_bits) >= kInfinityBits) return false;

  const F m = Set(ReduceMax(top));
  F sum = Set(0.0f);
  for (size_t i = 0; i < n_padded; i += 16) {
    const F e = ExpUpTo88(Sub(Load(logits + i), m));
    sum = Add(sum, e);
    Store(logits + i, e);
  }
  const F r = Set(static_cast<float>(kFrequencyScale) / LaneSum(sum));
  for (size_t i = 0; i < n_padded; i += 16) StoreU32(f + i, AddI(SetI(1), Round(Mul(Load(logits + i), r))));
  for (size_t range = 0; range < n_excluded; ++range) {
    for (size_t i = excluded[range][0]; i < excluded[range][1]; ++i) f[i] = 0;
  }
  for (size_t i = n_vocab; i < n_padded; ++i) f[i] = 0;
  return true;
}

void Mix(const float* const* w, size_t n_w, const float* x, size_t n, float* out) {
  for (size_t k = 0; k < n_w; ++k) {
    F sum = Set(0.0f);
    for (size_t i = 0; i < n; i += 16) sum = Add(sum, Mul(Load(w[k] + i), Load(x + i)));
    out[k] = LaneSum(sum);
  }
}

void MixLearn(float* const* w, const float* step, size_t n_w, const float* x, size_t n) {
  for (size_t k = 0; k < n_w; ++k) {
    for (size_t i = 0; i < n; i += 16) Store(w[k] + i, Add(Load(w[k] + i), Mul(Set(step[k]), Load(x + i))));
  }
}

void Sigmoids(float* x) { Store(x, Sigmoid(Load(x))); }

uint32_t SumU32(const uint32_t* f, size_t n) {
  I sum = SetI(0);
  size_t i = 0;
  for (; i + 16 <= n; i += 16) sum = AddI(sum, LoadU32(f + i));
  uint32_t total = static_cast<uint32_t>(ReduceSumI(sum));
  for (; i < n; ++i) total += f[i];
  return total;
}

}  // namespace
}  // namespace pith
