#include "support/slow_model.h"

#include <bit>
#include <cmath>
#include <cstdlib>

#include "model/rope.h"

namespace pith::testing {
namespace {

float RoundEven(float x) { return std::nearbyint(x); }  // tests run in round-to-nearest

// Contract 1.
float LaneSum(const std::vector<float>& x) {
  float a[16] = {};
  for (size_t i = 0; i < x.size(); ++i) a[i % 16] = a[i % 16] + x[i];
  for (int h = 8; h >= 1; h /= 2) {
    for (int l = 0; l < h; ++l) a[l] = a[l] + a[l + h];
  }
  return a[0];
}

// Contract 2.
float Exp(float x) {
  if (x < -87.0f) return 0.0f;
  if (x > 88.0f) x = 88.0f;
  const float n = RoundEven(x * 1.44269504088896341f);
  const float r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  const float y = ((p * (r * r)) + r) + 1.0f;
  return std::bit_cast<float>(std::bit_cast<int32_t>(y) + static_cast<int32_t>(n) * (1 << 23));
}

// Contract 4, as whole numbers: the terms are cut off where they are needed.
struct Codes {
  std::vector<int> c;
  float scale = 0;
  int terms = 1;
  int Term(size_t i, int term) const {
    if (terms == 1) return c[i];
    const int hi = (c[i] + 64) >> 7;
    return term == 0 ? hi : c[i] - 128 * hi;
  }
};

Codes Quantize(const std::vector<float>& x, int terms) {
  float m = 0;
  for (const float v : x) m = std::max(m, std::fabs(v));
  Codes q;
  q.terms = terms;
  q.c.resize(x.size());
  if (m < 0x1p-100f) return q;
  const float top = terms == 1 ? 127.0f : 16256.0f;
  q.scale = m / top;
  const float inverse = top / m;
  for (size_t i = 0; i < x.size(); ++i) q.c[i] = static_cast<int>(RoundEven(x[i] * inverse));
  return q;
}

// v of contract 5 for one plane.
template <typename Weight>
float Value(const Codes& q, const Weight& w) {
  float v = 0;
  for (int term = 0; term < q.terms; ++term) {
    int64_t sum = 0;
    for (size_t k = 0; k < q.c.size(); ++k) sum += int64_t{q.Term(k, term)} * w(k);
    if (std::llabs(sum) > 0x7fffffff) std::abort();
    v = term == 0 ? static_cast<float>(static_cast<int32_t>(sum)) * (q.terms == 2 ? 128.0f : 1.0f)
                  : v + static_cast<float>(static_cast<int32_t>(sum));
  }
  return v;
}

int8_t At(const PanelMatrixView& m, size_t row, size_t col) {
  return m.plane[row / 16 * m.stride + col / 4 * 64 + row % 16 * 4 + col % 4];
}

std::vector<float> Multiply(const PanelMatrixView& m, const std::vector<float>& x, int terms) {
  const Codes q = Quantize(x, terms);
  std::vector<float> y(m.rows);
  for (size_t r = 0; r < m.rows; ++r) {
    y[r] = Value(q, [&](size_t k) { return At(m, r, k); }) * (m.scale[r] * q.scale);
  }
  return y;
}

std::vector<float> RmsNorm(const std::vector<float>& x, const float* w, float eps) {
  std::vector<float> squares;
  for (const float v : x) squares.push_back(v * v);
  const float inv = 1.0f / std::sqrt(LaneSum(squares) / static_cast<float>(x.size()) + eps);
  std::vector<float> y;
  for (size_t i = 0; i < x.size(); ++i) y.push_back((x[i] * inv) * w[i]);
  return y;
}

std::vector<float> Roped(const std::vector<float>& x, const RopeTable& table, size_t position) {
  const size_t half = x.size() / 2;
  std::vector<float> cosine(half), sine(half), y(x.size());
  table.Fill(position, cosine.data(), sine.data());
  for (size_t i = 0; i < half; ++i) {
    y[i] = x[i] * cosine[i] - x[i + half] * sine[i];
    y[i + half] = x[i + half] * cosine[i] + x[i] * sine[i];
  }
  return y;
}

std::vector<float> Part(const std::vector<float>& x, size_t begin, size_t n) {
  return {x.begin() + static_cast<ptrdiff_t>(begin), x.begin() + static_cast<ptrdiff_t>(begin + n)};
}

}  // namespace

std::vector<SlowOutput> SlowForward(const ModelWeights& weights, const std::vector<TokenId>& tokens,
                                    const SlowOptions& options) {
  const ModelConfig& c = weights.config;
  const ActivationTerms& terms = weights.terms;
  const size_t d = c.head_dim;
  RopeTable table(d, c.rope_theta);
  table.Reserve(tokens.size() + options.window);
  std::vector<std::vector<std::vector<Codes>>> keys(c.n_layers), values(c.n_layers);  // [layer][position][kv head]
  std::vector<SlowOutput> outputs;
  for (size_t t = 0; t < tokens.size(); ++t) {
    std::vector<float> x(c.hidden);
    for (size_t i = 0; i < c.hidden; ++i) {
      x[i] = static_cast<float>(At(weights.embedding, tokens[t], i)) * weights.embedding.scale[tokens[t]];
    }
    for (size_t layer = 0; layer < c.n_layers; ++layer) {
      const LayerWeights& w = weights.layers[layer];
      std::vector<float> h = RmsNorm(x, w.input_norm, c.rms_eps);
      const std::vector<float> q = Multiply(w.q, h, terms.layers[layer].qkv);
      const std::vector<float> k = Multiply(w.k, h, terms.layers[layer].qkv);
      const std::vector<float> v = Multiply(w.v, h, terms.layers[layer].qkv);
      keys[layer].emplace_back();
      values[layer].emplace_back();
      for (size_t g = 0; g < c.n_kv_heads; ++g) {
        const std::vector<float> key = Roped(RmsNorm(Part(k, g * d, d), w.k_norm, c.rms_eps), table, t);
        keys[layer][t].push_back(Quantize(key, terms.attention.key_value));
        values[layer][t].push_back(Quantize(Part(v, g * d, d), terms.attention.key_value));
      }
      std::vector<float> attention;
      for (size_t head = 0; head < c.n_heads; ++head) {
        const size_t g = head / (c.n_heads / c.n_kv_heads);
        const std::vector<float> normed = RmsNorm(Part(q, head * d, d), w.q_norm, c.rms_eps);
        const float factor = 1.0f / std::sqrt(static_cast<float>(d));
        std::vector<size_t> seen;
        std::vector<float> s;
        for (size_t j = 0; j <= t; ++j) {
          const bool sink = j < options.n_sinks;
          if (!sink && options.window != 0 && j + options.window <= t) continue;
          const size_t position = sink && options.window != 0 && t >= options.window ? options.window - 1 : t;
          const Codes query = Quantize(Roped(normed, table, position), terms.attention.query);
          const Codes& key = keys[layer][j][g];
          float value = Value(query, [&](size_t i) { return key.Term(i, 0); });
          if (key.terms == 2) value = value * 128.0f + Value(query, [&](size_t i) { return key.Term(i, 1); });
          seen.push_back(j);
          s.push_back(value * (key.scale * (query.scale * factor)));
        }
        float m = s[0];
        for (const float score : s) m = std::max(m, score);
        // The lane of a key is its position mod 16; what is not seen adds +0 to its lane.
        std::vector<float> e(t + 1, 0.0f), p;
        for (size_t i = 0; i < seen.size(); ++i) {
          e[seen[i]] = Exp(s[i] - m);
          p.push_back(e[seen[i]] * values[layer][seen[i]][g].scale);
        }
        const float total = LaneSum(e);
        const Codes weight = Quantize(p, terms.attention.weight);
        for (size_t i = 0; i < d; ++i) {
          float value = Value(weight, [&](size_t j) { return values[layer][seen[j]][g].Term(i, 0); });
          if (terms.attention.key_value == 2) {
            value = value * 128.0f + Value(weight, [&](size_t j) { return values[layer][seen[j]][g].Term(i, 1); });
          }
          attention.push_back(value * (1.0f * (weight.scale / total)));
        }
      }
      std::vector<float> y = Multiply(w.o, attention, terms.layers[layer].o);
      for (size_t i = 0; i < c.hidden; ++i) x[i] = x[i] + y[i];
      h = RmsNorm(x, w.post_attention_norm, c.rms_eps);
      const std::vector<float> gate = Multiply(w.gate, h, terms.layers[layer].gate_up);
      const std::vector<float> up = Multiply(w.up, h, terms.layers[layer].gate_up);
      std::vector<float> u;
      for (size_t i = 0; i < c.ffn; ++i) {
        const float sigmoid = 1.0f / (1.0f + Exp(0.0f - gate[i]));
        u.push_back((gate[i] * sigmoid) * up[i]);
      }
      y = Multiply(w.down, u, terms.layers[layer].down);
      for (size_t i = 0; i < c.hidden; ++i) x[i] = x[i] + y[i];
    }
    const std::vector<float> hidden = RmsNorm(x, weights.final_norm, c.rms_eps);
    outputs.push_back({Multiply(weights.head, hidden, terms.head), hidden});
  }
  return outputs;
}

std::vector<uint32_t> SlowFrequencies(std::vector<float> logits, const std::vector<bool>& codable) {
  float m = -INFINITY;
  for (size_t i = 0; i < logits.size(); ++i) {
    if (codable[i]) m = std::max(m, logits[i]);
  }
  std::vector<float> e(logits.size());
  for (size_t i = 0; i < logits.size(); ++i) e[i] = codable[i] ? Exp(logits[i] - m) : 0.0f;
  const float r = 1073741824.0f / LaneSum(e);
  std::vector<uint32_t> f(logits.size());
  for (size_t i = 0; i < logits.size(); ++i) {
    f[i] = codable[i] ? 1 + static_cast<uint32_t>(RoundEven(e[i] * r)) : 0;
  }
  return f;
}

float RandomModel::Normal() {  // sum of four uniforms, variance 1
  float sum = 0;
  for (int i = 0; i < 4; ++i) {
    state_ = state_ * 6364136223846793005ull + 1442695040888963407ull;
    sum += static_cast<float>(state_ >> 40) / 16777216.0f - 0.5f;
  }
  return sum * 1.7320508f;
}

PanelMatrixView RandomModel::Matrix(size_t rows, size_t cols) {
  planes_.emplace_back(PanelMatrixBytes(rows, cols));
  floats_.emplace_back(PanelCount(rows) * kPanelRows);
  int8_t* plane = planes_.back().data();
  float* scale = floats_.back().data();
  for (size_t r = 0; r < rows; ++r) {
    scale[r] = (1.0f + 0.2f * Normal()) / (48.0f * std::sqrt(static_cast<float>(cols)));
    for (size_t k = 0; k < cols; ++k) {
      const float v = std::fmin(127.0f, std::fmax(-127.0f, 40.0f * Normal()));
      plane[PanelIndex(r, k, cols)] = static_cast<int8_t>(v);
    }
  }
  return {.rows = rows,
          .cols = cols,
          .stride = PaddedDepth(cols) * kPanelRows,
          .plane = plane,
          .low = nullptr,
          .scale = scale};
}

const float* RandomModel::Norm(size_t n) {
  floats_.emplace_back(n);
  for (size_t i = 0; i < n; ++i) {
    floats_.back()[i] = 1.0f + 0.3f * Normal();
    if (outliers_ && i % 13 == 5) floats_.back()[i] *= 30.0f;
  }
  return floats_.back().data();
}

RandomModel::RandomModel(const ModelConfig& config, const ActivationTerms& terms, uint32_t seed, bool outliers)
    : state_(seed), outliers_(outliers) {
  const ModelConfig& c = config;
  weights_.config = c;
  weights_.terms = terms;
  weights_.embedding = Matrix(c.vocab, c.hidden);
  for (size_t l = 0; l < c.n_layers; ++l) {
    LayerWeights w;
    w.q = Matrix(c.q_rows(), c.hidden);
    w.k = Matrix(c.kv_rows(), c.hidden);
    w.v = Matrix(c.kv_rows(), c.hidden);
    w.o = Matrix(c.hidden, c.q_rows());
    w.gate = Matrix(c.ffn, c.hidden);
    w.up = Matrix(c.ffn, c.hidden);
    w.down = Matrix(c.hidden, c.ffn);
    w.input_norm = Norm(c.hidden);
    w.post_attention_norm = Norm(c.hidden);
    w.q_norm = Norm(c.head_dim);
    w.k_norm = Norm(c.head_dim);
    weights_.layers.push_back(w);
  }
  weights_.final_norm = Norm(c.hidden);
  weights_.head = c.tied_head ? weights_.embedding : Matrix(c.vocab, c.hidden);
}

ModelConfig OddConfig() {
  return {.n_layers = 2,
          .hidden = 37,
          .n_heads = 6,
          .n_kv_heads = 2,
          .head_dim = 10,
          .ffn = 51,
          .vocab = 101,
          .max_positions = 4096,
          .rope_theta = 10000,
          .rms_eps = 1e-6f,
          .tied_head = false};
}

ModelConfig EvenConfig() {
  return {.n_layers = 2,
          .hidden = 64,
          .n_heads = 3,
          .n_kv_heads = 1,
          .head_dim = 32,
          .ffn = 96,
          .vocab = 256,
          .max_positions = 512,
          .rope_theta = 10000,
          .rms_eps = 1e-6f,
          .tied_head = true};
}

}  // namespace pith::testing
