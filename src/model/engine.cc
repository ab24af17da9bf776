#include "model/engine.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>

#include "base/check.h"
#include "base/float_environment.h"

namespace pith {
namespace {

// Query rows (tokens x heads of a group) that one attention task works on: their scores over a window of 512 then
// fit the first-level cache twice over, and the products have enough rows to run at full speed.
constexpr size_t kAttentionTileRows = 12;

// Logits in flight at once; larger vocabularies get fewer rows, so that memory stays bounded.
constexpr size_t kLogitsBytes = size_t{24} << 20;
// A small model's logits should still lie in the second-level cache when the consumer reads them.
constexpr size_t kSmallLogitsBytes = size_t{256} << 10;

size_t LogitsRows(const ModelConfig& config, bool small) {
  const size_t row_bytes = RoundUp(config.vocab, kLanes) * sizeof(float);
  return std::clamp<size_t>((small ? kSmallLogitsBytes : kLogitsBytes) / row_bytes, 1, Engine::kMaxRows);
}

size_t MaxSlots(size_t window) { return 2 * kPanelRows + RoundUp(window + Engine::kMaxRows, kPanelRows); }

// Asks for the beginning of each page of memory that is read soon. Streams side by side have more keys and values than the
// second-level cache holds, and a lone query is through with them before the hardware's own prefetch, which begins anew on each
// page, is up to speed. To ask for all of it costs more than it gains: the requests themselves then wait for each other.
void Prefetch(const int8_t* data, size_t bytes) {
  constexpr size_t kPage = 4096;
  constexpr size_t kHead = 2 * kCacheLine;
  const size_t first_page = kPage - reinterpret_cast<uintptr_t>(data) % kPage;  // that begins within the data
  for (size_t page = 0; page < bytes; page = page == 0 ? first_page : page + kPage) {
    for (size_t i = page; i < std::min(bytes, page + kHead); i += kCacheLine) __builtin_prefetch(data + i, 0, 2);
  }
}

// Tokens of one stream in a pass: rows row .. row + n - 1 hold positions position .. position + n - 1.
struct Piece {
  KvCache* cache;
  size_t segment;
  size_t index;  // of the first token within the segment's tokens
  size_t row;
  size_t n;
  size_t position;
  const TokenId* tokens;
  size_t first_logits;  // token of the piece from which on logits are wanted; n: of none
};

struct AttentionTile {
  size_t piece;
  size_t kv_head;
  size_t begin;  // first token of the tile within the piece
  size_t n;
};

// Runs tasks on a pool, or one after another on the calling thread.
class Parallel {
 public:
  explicit Parallel(ThreadPool* pool) : pool_(pool) {}
  size_t n_threads() const { return pool_ == nullptr ? 1 : pool_->n_threads(); }

  template <typename Task>
  void For(size_t n, const Task& task) const {
    if (pool_ == nullptr || n <= 1) {
      for (size_t i = 0; i < n; ++i) task(i, size_t{0});
    } else {
      pool_->ParallelFor(n, task);
    }
  }

 private:
  ThreadPool* pool_;
};

Status NotFinite() {
  return Corrupt("model: a value became infinite or not a number; the weights are damaged or out of range");
}

}  // namespace

// Memory of one pass. Buffers are [rows, ...] with rows padded to whole panels.
struct Engine::Workspace {
  Workspace(const ModelConfig& c, size_t window, size_t n_threads, bool small)
      : hidden_stride(RoundUp(c.hidden, kPanelRows)),
        q_stride(RoundUp(c.q_rows(), kPanelRows)),
        kv_stride(RoundUp(c.kv_rows(), kPanelRows)),
        ffn_stride(RoundUp(c.ffn, kPanelRows)),
        head_rows(LogitsRows(c, small)),
        x(kMaxRows * hidden_stride),
        h(kMaxRows * hidden_stride),
        y(kMaxRows * hidden_stride),
        q(kMaxRows * q_stride),
        q_sink(kMaxRows * q_stride),
        k(kMaxRows * kv_stride),
        v(kMaxRows * kv_stride),
        attention(kMaxRows * q_stride),
        gate(kMaxRows * ffn_stride),
        up(kMaxRows * ffn_stride),
        rope(kMaxRows * 4 * (c.head_dim / 2)),
        logits(head_rows * RoundUp(c.vocab, kLanes)),
        codes(kMaxRows, std::max({c.hidden, c.q_rows(), c.ffn})) {
    for (size_t t = 0; t < n_threads; ++t) scratch.emplace_back(c, window);
  }

  // What one thread needs for attention.
  struct Scratch {
    Scratch(const ModelConfig& c, size_t window)
        : tile_rows(RoundUp(kAttentionTileRows, c.n_heads / c.n_kv_heads) + c.n_heads / c.n_kv_heads),
          score_stride(MaxSlots(window)),
          scores(tile_rows * score_stride),
          out(tile_rows * RoundUp(c.head_dim, kPanelRows)),
          query(tile_rows, c.head_dim),
          query_sink(tile_rows, c.head_dim),
          weight(tile_rows, score_stride),
          key(1, c.head_dim),
          value(1, c.head_dim) {}
    size_t tile_rows;
    size_t score_stride;
    AlignedBuffer<float> scores;  // [tile_rows, score_stride]
    AlignedBuffer<float> out;     // [tile_rows, head_dim padded]
    CodeRowsBuffer query;
    CodeRowsBuffer query_sink;
    CodeRowsBuffer weight;
    CodeRowsBuffer key;
    CodeRowsBuffer value;
  };

  size_t hidden_stride;
  size_t q_stride;
  size_t kv_stride;
  size_t ffn_stride;
  size_t head_rows;
  AlignedBuffer<float> x;          // residual stream
  AlignedBuffer<float> h;          // normalised
  AlignedBuffer<float> y;          // result of a product that goes back to x
  AlignedBuffer<float> q;          // roped at the true position
  AlignedBuffer<float> q_sink;     // roped for the sinks; only where it differs
  AlignedBuffer<float> k;
  AlignedBuffer<float> v;
  AlignedBuffer<float> attention;  // output over all heads
  AlignedBuffer<float> gate;
  AlignedBuffer<float> up;
  AlignedBuffer<float> rope;       // [rows, 4, head_dim / 2]: cosine, sine, and both for the sinks
  AlignedBuffer<float> logits;
  CodeRowsBuffer codes;
  std::vector<Scratch> scratch;    // [threads]
  std::vector<Piece> pieces;
  std::vector<AttentionTile> tiles;
  std::vector<size_t> logits_rows;  // rows of the pass whose logits are wanted
};

// One forward pass over the rows of a workspace.
class Engine::Pass {
 public:
  // Runs segments [begin, end) in as few passes as the rows allow, until all are done or `finite` is false, which it
  // becomes when a value became non-finite. `thread` is what the consumer is told when the passes run on one thread.
  static void RunAll(const Engine& engine, Workspace& ws, Parallel parallel, std::span<const Segment> segments,
                     size_t begin, size_t end, const LogitsConsumer& consumer, size_t thread,
                     std::atomic<bool>& finite) {
    size_t segment = begin;
    size_t done = 0;  // tokens of `segment`
    while (segment < end && finite) {
      ws.pieces.clear();
      size_t rows = 0;
      while (segment < end && rows < kMaxRows) {
        const Segment& s = segments[segment];
        const size_t n = std::min(s.tokens.size() - done, kMaxRows - rows);
        if (n != 0) {
          const size_t first_logits = std::clamp(s.logits_from, done, done + n) - done;
          ws.pieces.push_back({s.cache, segment, done, rows, n, 0, s.tokens.data() + done, first_logits});
        }
        rows += n;
        done += n;
        if (done < s.tokens.size()) break;
        ++segment;
        done = 0;
      }
      if (rows != 0 && !Pass(engine, ws, parallel).Run(consumer, thread)) finite = false;
    }
  }

 private:
  Pass(const Engine& engine, Workspace& ws, Parallel parallel)
      : e_(engine), c_(engine.weights_.config), kernels_(engine.kernels_), ws_(ws), parallel_(parallel) {}

  // REQUIRES: 1 to kMaxRows rows in the workspace's pieces. False when a value became non-finite.
  bool Run(const LogitsConsumer& consumer, size_t thread) {
    for (Piece& p : ws_.pieces) {
      p.cache->Prepare(p.n);
      p.position = p.cache->length();
      n_rows_ = p.row + p.n;
    }
    PlanTiles();
    Embed();
    for (size_t layer = 0; layer < c_.n_layers && ok_; ++layer) {
      Attention(layer);
      FeedForward(layer);
    }
    for (Piece& p : ws_.pieces) p.cache->Advance(p.n);
    if (ok_ && consumer) Head(consumer, thread);
    return ok_;
  }

  struct Product {
    const PanelMatrixView* matrix;
    float* out;
    size_t stride;
  };

  // Calls task(first row, number of rows, thread) over all rows.
  template <typename Task>
  void ForRows(const Task& task) {
    ForBlocks(n_rows_, task);
  }
  template <typename Task>
  void ForBlocks(size_t n_rows, const Task& task) {
    const size_t n_blocks = std::min(n_rows, parallel_.n_threads() == 1 ? size_t{1} : parallel_.n_threads() * 2);
    parallel_.For(n_blocks, [&](size_t b, size_t thread) {
      const size_t begin = n_rows * b / n_blocks;
      task(begin, n_rows * (b + 1) / n_blocks - begin, thread);
    });
  }

  // Codes of the rows of `in` into the workspace's code buffer.
  void Quantize(const float* in, size_t stride, const CodeRowsView& codes, size_t begin, size_t n) {
    if (!kernels_.quantize_rows(in + begin * stride, stride, codes.Slice(begin, n))) ok_ = false;
  }

  // All products with the same codes, split by panels.
  void Multiply(const CodeRowsView& codes, std::initializer_list<Product> products) {
    size_t total = 0;
    for (const Product& p : products) total += p.matrix->n_panels();
    // Several chunks a thread even out threads of different speed; an even number of panels suits the kernels.
    const size_t n_threads = parallel_.n_threads();
    const size_t chunk = n_threads == 1 ? total : std::clamp<size_t>(total / (n_threads * 6), 2, 64) / 2 * 2;
    parallel_.For((total + chunk - 1) / chunk, [&](size_t i, size_t) {
      size_t begin = i * chunk;
      size_t end = std::min(total, begin + chunk);
      for (const Product& p : products) {
        const size_t panels = p.matrix->n_panels();
        if (begin < panels) kernels_.matmul(codes, *p.matrix, begin, std::min(end, panels), p.out, p.stride);
        if (end <= panels) break;
        begin = begin > panels ? begin - panels : 0;
        end -= panels;
      }
    });
  }

  void PlanTiles() {
    const size_t group = c_.n_heads / c_.n_kv_heads;
    const size_t tile_tokens = std::max<size_t>(1, kAttentionTileRows / group);
    ws_.tiles.clear();
    for (size_t i = 0; i < ws_.pieces.size(); ++i) {
      for (size_t kv = 0; kv < c_.n_kv_heads; ++kv) {
        for (size_t t = 0; t < ws_.pieces[i].n; t += tile_tokens) {
          ws_.tiles.push_back({i, kv, t, std::min(tile_tokens, ws_.pieces[i].n - t)});
        }
      }
    }
  }

  // The sinks need queries of their own once a position has left the window.
  bool SinksDiffer(size_t position) const { return e_.options_.n_sinks != 0 && position >= e_.options_.window; }

  void Embed() {
    const size_t half = c_.head_dim / 2;
    for (const Piece& p : ws_.pieces) {
      for (size_t i = 0; i < p.n; ++i) {
        kernels_.dequantize_row(e_.weights_.embedding, p.tokens[i], ws_.x.data() + (p.row + i) * ws_.hidden_stride);
        float* rope = ws_.rope.data() + (p.row + i) * 4 * half;
        const size_t position = p.position + i;
        e_.rope_.Fill(position, rope, rope + half);
        if (SinksDiffer(position)) e_.rope_.Fill(e_.options_.window - 1, rope + 2 * half, rope + 3 * half);
      }
    }
  }

  void Attention(size_t layer) {
    const LayerWeights& w = e_.weights_.layers[layer];
    const LayerTerms& terms = e_.weights_.terms.layers[layer];
    CodeRowsView codes = ws_.codes.View(n_rows_, c_.hidden, terms.qkv);
    ForRows([&](size_t begin, size_t n, size_t) {
      for (size_t r = begin; r < begin + n; ++r) {
        kernels_.rms_norm(ws_.x.data() + r * ws_.hidden_stride, w.input_norm, c_.hidden, c_.rms_eps,
                          ws_.h.data() + r * ws_.hidden_stride);
      }
      Quantize(ws_.h.data(), ws_.hidden_stride, codes, begin, n);
    });
    Multiply(codes, {{&w.q, ws_.q.data(), ws_.q_stride},
                     {&w.k, ws_.k.data(), ws_.kv_stride},
                     {&w.v, ws_.v.data(), ws_.kv_stride}});
    ForRows([&](size_t begin, size_t n, size_t thread) {
      for (size_t r = begin; r < begin + n; ++r) PrepareHeads(layer, r, ws_.scratch[thread]);
    });
    parallel_.For(ws_.tiles.size(),
                  [&](size_t i, size_t thread) { AttentionOfTile(layer, i, ws_.scratch[thread]); });
    codes = ws_.codes.View(n_rows_, c_.q_rows(), terms.o);
    ForRows([&](size_t begin, size_t n, size_t) { Quantize(ws_.attention.data(), ws_.q_stride, codes, begin, n); });
    Multiply(codes, {{&w.o, ws_.y.data(), ws_.hidden_stride}});
  }

  const Piece& PieceOfRow(size_t row) const {
    const auto after = std::upper_bound(ws_.pieces.begin(), ws_.pieces.end(), row,
                                        [](size_t r, const Piece& p) { return r < p.row; });
    return *(after - 1);
  }

  // Norms and rope of a token's query and key heads; its keys and values go to the cache.
  void PrepareHeads(size_t layer, size_t row, Workspace::Scratch& scratch) {
    const LayerWeights& w = e_.weights_.layers[layer];
    const Piece& piece = PieceOfRow(row);
    const size_t position = piece.position + (row - piece.row);
    const size_t d = c_.head_dim;
    const float* rope = ws_.rope.data() + row * 4 * (d / 2);
    for (size_t head = 0; head < c_.n_heads; ++head) {
      float* q = ws_.q.data() + row * ws_.q_stride + head * d;
      kernels_.rms_norm(q, w.q_norm, d, c_.rms_eps, q);
      if (SinksDiffer(position)) {
        float* q_sink = ws_.q_sink.data() + row * ws_.q_stride + head * d;
        std::memcpy(q_sink, q, d * sizeof(float));
        kernels_.rope(q_sink, rope + 2 * (d / 2), rope + 3 * (d / 2), d);
      }
      kernels_.rope(q, rope, rope + d / 2, d);
    }
    const int terms = e_.weights_.terms.attention.key_value;
    for (size_t head = 0; head < c_.n_kv_heads; ++head) {
      float* k = ws_.k.data() + row * ws_.kv_stride + head * d;
      kernels_.rms_norm(k, w.k_norm, d, c_.rms_eps, k);
      kernels_.rope(k, rope, rope + d / 2, d);
      const CodeRowsView key = scratch.key.View(1, d, terms);
      const CodeRowsView value = scratch.value.View(1, d, terms);
      const bool finite = kernels_.quantize_rows(k, d, key) &&
                          kernels_.quantize_rows(ws_.v.data() + row * ws_.kv_stride + head * d, d, value);
      if (!finite) ok_ = false;
      piece.cache->Store(layer, head, position, key, value);
    }
  }

  void AttentionOfTile(size_t layer, size_t tile_index, Workspace::Scratch& scratch) {
    const AttentionTile& tile = ws_.tiles[tile_index];
    const Piece& piece = ws_.pieces[tile.piece];
    const KvCache& cache = *piece.cache;
    const AttentionTerms& terms = e_.weights_.terms.attention;
    const size_t group = c_.n_heads / c_.n_kv_heads;
    const size_t d = c_.head_dim;
    const size_t n_rows = tile.n * group;  // token by token, the group's heads within
    const size_t first_row = piece.row + tile.begin;
    const size_t first_token = piece.position + tile.begin;
    const size_t n_slots = cache.n_slots(first_token + tile.n - 1);
    const size_t stride = n_slots;
    const float q_factor = 1.0f / std::sqrt(static_cast<float>(d));
    const size_t n_sinks = e_.options_.n_sinks;

    // Scores: the sinks' panel first, with the queries made for it.
    const auto quantize_queries = [&](const AlignedBuffer<float>& q, CodeRowsBuffer& buffer) {
      const CodeRowsView codes = buffer.View(n_rows, d, terms.query);
      for (size_t t = 0; t < tile.n; ++t) {
        const float* token_q = q.data() + (first_row + t) * ws_.q_stride + tile.kv_head * group * d;
        if (!kernels_.quantize_rows(token_q, d, codes.Slice(t * group, group))) ok_ = false;
      }
      for (size_t r = 0; r < n_rows; ++r) codes.scale[r] = codes.scale[r] * q_factor;
      return codes;
    };
    const PanelMatrixView keys = cache.Keys(layer, tile.kv_head, n_slots);
    const PanelMatrixView values = cache.Values(layer, tile.kv_head, n_slots);
    if (tile.n == 1) {
      for (size_t p = 0; p < values.n_panels(); ++p) Prefetch(values.panel(p), n_slots * kPanelRows);
    }
    const CodeRowsView queries = quantize_queries(ws_.q, scratch.query);
    float* scores = scratch.scores.data();
    const bool sinks_differ = SinksDiffer(first_token + tile.n - 1);
    kernels_.matmul(queries, keys, n_sinks != 0 && !sinks_differ ? 0 : 1, n_slots / kPanelRows, scores, stride);
    if (sinks_differ) {
      // Tokens of the tile that are still inside the window have the same query for both.
      for (size_t t = 0; t < tile.n && !SinksDiffer(first_token + t); ++t) {
        const size_t at = (first_row + t) * ws_.q_stride + tile.kv_head * group * d;
        std::memcpy(ws_.q_sink.data() + at, ws_.q.data() + at, group * d * sizeof(float));
      }
      kernels_.matmul(quantize_queries(ws_.q_sink, scratch.query_sink), keys, 0, 1, scores, stride);
    }

    if (tile.n == 1 && parallel_.n_threads() == 1 && tile_index + 1 < ws_.tiles.size()) {
      const AttentionTile& next = ws_.tiles[tile_index + 1];
      const Piece& next_piece = ws_.pieces[next.piece];
      const size_t next_slots = next_piece.cache->n_slots(next_piece.position + next.begin + next.n - 1);
      const PanelMatrixView next_keys = next_piece.cache->Keys(layer, next.kv_head, next_slots);
      Prefetch(next_keys.plane, next_keys.n_panels() * next_keys.stride);
    }

    // Softmax, then codes of the weights; the total goes into their scale.
    const CodeRowsView weights = scratch.weight.View(n_rows, n_slots, terms.weight);
    const float* value_scale = cache.ValueScale(layer, tile.kv_head);
    const size_t first_position = cache.first_position();
    PITH_CHECK(n_rows <= scratch.tile_rows);
    for (size_t t = 0; t < tile.n; ++t) {
      const size_t position = first_token + t;
      const size_t oldest = position + 1 > e_.options_.window ? position + 1 - e_.options_.window : 0;
      const size_t begin = kPanelRows + std::max(oldest, n_sinks) - first_position;
      const size_t end = kPanelRows + position + 1 - first_position;
      for (size_t j = 0; j < group; ++j) {
        const size_t r = t * group + j;
        const float sum = kernels_.softmax(scores + r * stride, std::min(n_sinks, position + 1), begin, end, n_slots,
                                           value_scale);
        if (!kernels_.quantize_rows(scores + r * stride, stride, weights.Slice(r, 1))) ok_ = false;
        weights.scale[r] = weights.scale[r] / sum;
      }
    }
    const size_t out_stride = RoundUp(d, kPanelRows);
    kernels_.matmul(weights, values, 0, values.n_panels(), scratch.out.data(), out_stride);
    for (size_t r = 0; r < n_rows; ++r) {
      float* out = ws_.attention.data() + (first_row + r / group) * ws_.q_stride +
                   (tile.kv_head * group + r % group) * d;
      std::memcpy(out, scratch.out.data() + r * out_stride, d * sizeof(float));
    }
  }

  void FeedForward(size_t layer) {
    const LayerWeights& w = e_.weights_.layers[layer];
    const LayerTerms& terms = e_.weights_.terms.layers[layer];
    CodeRowsView codes = ws_.codes.View(n_rows_, c_.hidden, terms.gate_up);
    ForRows([&](size_t begin, size_t n, size_t) {
      AddToResidual(begin, n);
      for (size_t r = begin; r < begin + n; ++r) {
        kernels_.rms_norm(ws_.x.data() + r * ws_.hidden_stride, w.post_attention_norm, c_.hidden, c_.rms_eps,
                          ws_.h.data() + r * ws_.hidden_stride);
      }
      Quantize(ws_.h.data(), ws_.hidden_stride, codes, begin, n);
    });
    Multiply(codes, {{&w.gate, ws_.gate.data(), ws_.ffn_stride}, {&w.up, ws_.up.data(), ws_.ffn_stride}});
    codes = ws_.codes.View(n_rows_, c_.ffn, terms.down);
    ForRows([&](size_t begin, size_t n, size_t) {
      for (size_t r = begin; r < begin + n; ++r) {
        float* gate = ws_.gate.data() + r * ws_.ffn_stride;
        kernels_.swiglu(gate, ws_.up.data() + r * ws_.ffn_stride, c_.ffn, gate);
      }
      Quantize(ws_.gate.data(), ws_.ffn_stride, codes, begin, n);
    });
    Multiply(codes, {{&w.down, ws_.y.data(), ws_.hidden_stride}});
    ForRows([&](size_t begin, size_t n, size_t) { AddToResidual(begin, n); });
  }

  void AddToResidual(size_t begin, size_t n) {
    for (size_t r = begin; r < begin + n; ++r) {
      kernels_.add(ws_.x.data() + r * ws_.hidden_stride, ws_.y.data() + r * ws_.hidden_stride, c_.hidden);
    }
  }

  void Head(const LogitsConsumer& consumer, size_t thread_of_pass) {
    ws_.logits_rows.clear();
    for (const Piece& p : ws_.pieces) {
      for (size_t i = p.first_logits; i < p.n; ++i) ws_.logits_rows.push_back(p.row + i);
    }
    const size_t n_logits = ws_.logits_rows.size();
    if (n_logits == 0) return;
    const CodeRowsView codes = ws_.codes.View(n_logits, c_.hidden, e_.weights_.terms.head);
    ForBlocks(n_logits, [&](size_t begin, size_t n, size_t) {
      for (size_t i = begin; i < begin + n; ++i) {
        kernels_.rms_norm(ws_.x.data() + ws_.logits_rows[i] * ws_.hidden_stride, e_.weights_.final_norm, c_.hidden,
                          c_.rms_eps, ws_.h.data() + i * ws_.hidden_stride);
      }
      Quantize(ws_.h.data(), ws_.hidden_stride, codes, begin, n);
    });
    if (!ok_) return;
    const size_t stride = RoundUp(c_.vocab, kLanes);
    for (size_t begin = 0; begin < n_logits; begin += ws_.head_rows) {
      const size_t n = std::min(ws_.head_rows, n_logits - begin);
      Multiply(codes.Slice(begin, n), {{&e_.weights_.head, ws_.logits.data(), stride}});
      parallel_.For(n, [&](size_t i, size_t thread) {
        const size_t row = ws_.logits_rows[begin + i];
        const Piece& p = PieceOfRow(row);
        consumer({.segment = p.segment,
                  .index = p.index + (row - p.row),
                  .thread = parallel_.n_threads() == 1 ? thread_of_pass : thread,
                  .logits = ws_.logits.data() + i * stride,
                  .hidden = ws_.h.data() + (begin + i) * ws_.hidden_stride});
      });
    }
  }

  const Engine& e_;
  const ModelConfig& c_;
  const Kernels& kernels_;
  Workspace& ws_;
  Parallel parallel_;
  size_t n_rows_ = 0;
  std::atomic<bool> ok_{true};
};

Engine::Engine(const ModelWeights& weights, const Kernels& kernels, ThreadPool& pool, EngineOptions options)
    : weights_(weights),
      kernels_(kernels),
      pool_(pool),
      options_(options),
      rope_(weights.config.head_dim, weights.config.rope_theta) {
  if (options_.window == 0) {
    options_.window = weights.config.max_positions;
    options_.n_sinks = 0;
  }
  PITH_CHECK(options_.n_sinks <= kMaxSinks && options_.n_sinks < options_.window);
}

Engine::~Engine() = default;

KvCache Engine::NewCache() const {
  return KvCache(weights_.config, weights_.terms.attention, options_.window, options_.n_sinks, kMaxRows);
}

Result<Engine::Extent> Engine::Measure(std::span<const Segment> segments) const {
  Extent extent;
  for (const Segment& s : segments) {
    for (size_t i = 0; i < s.tokens.size(); ++i) {
      if (s.tokens[i] >= weights_.config.vocab) {
        return InvalidArgument("model: token " + std::to_string(i) + " is id " + std::to_string(s.tokens[i]) +
                               ", expected below " + std::to_string(weights_.config.vocab));
      }
    }
    extent.n_tokens += s.tokens.size();
    extent.end_position = std::max(extent.end_position, s.cache->length() + s.tokens.size());
  }
  return extent;
}

void Engine::MakeWorkspaces(size_t n) {
  while (workspaces_.size() < n) {
    const size_t n_threads = workspaces_.empty() ? pool_.n_threads() : 1;
    workspaces_.push_back(std::make_unique<Workspace>(weights_.config, options_.window, n_threads, small()));
  }
}

Status Engine::Forward(std::span<const Segment> segments, const LogitsConsumer& consumer,
                       const std::function<void()>& beside) {
  PITH_ASSIGN_OR_RETURN(const Extent extent, Measure(segments));
  const size_t n_tokens = extent.n_tokens;
  const ScopedFloatEnvironment environment;
  if (n_tokens == 0) {
    if (beside) beside();
    return OkStatus();
  }
  rope_.Reserve(std::max(extent.end_position, options_.window));

  const size_t n_threads = pool_.n_threads();
  const bool split = small() && n_threads > 1 && segments.size() > 1;
  MakeWorkspaces(split ? n_threads : 1);

  std::atomic<bool> finite{true};
  if (split) {
    // Groups of neighbours with about as many tokens each, and enough of them for whole passes.
    const size_t n_groups = std::min(segments.size(), std::max(n_threads, (n_tokens + kMaxRows - 1) / kMaxRows));
    std::vector<size_t> begin(n_groups + 1, segments.size());
    begin[0] = 0;
    size_t seen = 0;
    size_t group = 1;
    for (size_t i = 0; i < segments.size() && group < n_groups; ++i) {
      seen += segments[i].tokens.size();
      while (group < n_groups && seen * n_groups >= n_tokens * group) begin[group++] = i + 1;
    }
    const size_t n_beside = beside ? 1 : 0;
    pool_.ParallelFor(n_beside + n_groups, [&](size_t task, size_t thread) {
      if (task < n_beside) return beside();
      const size_t g = task - n_beside;
      Pass::RunAll(*this, *workspaces_[thread], Parallel(nullptr), segments, begin[g], begin[g + 1], consumer, thread,
                   finite);
    });
  } else {
    if (beside) beside();
    // A product that is over in a few microseconds is not worth a barrier: a pass has about six a layer. One row of so many
    // weights takes 20 to 30, most of it for reading them.
    constexpr size_t kMinProductsPerBarrier = size_t{256} << 10;
    const size_t pass_rows = std::min(n_tokens, kMaxRows);
    const bool share = pass_rows * (weights_.n_weights() / (6 * weights_.config.n_layers)) >= kMinProductsPerBarrier;
    Pass::RunAll(*this, *workspaces_[0], Parallel(n_threads > 1 && share ? &pool_ : nullptr), segments, 0,
                 segments.size(), consumer, 0, finite);
  }
  return finite ? OkStatus() : NotFinite();
}

void Engine::RunLanes(size_t n, size_t n_positions, const std::function<void(size_t)>& lane) {
  PITH_CHECK(n <= n_lanes());
  // What lanes share must not change under them.
  rope_.Reserve(std::max(n_positions, options_.window));
  MakeWorkspaces(n);
  pool_.RunTogether(n, lane);
}

Status Engine::ForwardInLane(size_t lane, std::span<const Segment> segments, const LogitsConsumer& consumer) {
  PITH_ASSIGN_OR_RETURN(const Extent extent, Measure(segments));
  if (extent.n_tokens == 0) return OkStatus();
  PITH_CHECK(lane < workspaces_.size() && extent.end_position <= rope_.n_positions());
  std::atomic<bool> finite{true};
  Pass::RunAll(*this, *workspaces_[lane], Parallel(nullptr), segments, 0, segments.size(), consumer, lane, finite);
  return finite ? OkStatus() : NotFinite();
}

size_t Engine::WorkspaceBytes(const ModelWeights& weights, size_t window, size_t n_threads) {
  const ModelConfig& c = weights.config;
  const bool small = weights.n_weights() <= kSmallModelWeights;
  const size_t floats = kMaxRows * (3 * c.hidden + 3 * c.q_rows() + 2 * c.kv_rows() + 2 * c.ffn + 2 * c.head_dim);
  const size_t codes = kMaxRows * kMaxTerms * std::max({c.hidden, c.q_rows(), c.ffn});
  const size_t tile_rows = kAttentionTileRows + 2 * (c.n_heads / c.n_kv_heads);
  const size_t scratch = tile_rows * MaxSlots(window) * (sizeof(float) + kMaxTerms);
  const size_t logits = LogitsRows(c, small) * RoundUp(c.vocab, kLanes) * sizeof(float);
  const size_t n_workspaces = small ? n_threads : 1;
  const size_t n_scratches = small ? 2 * n_threads - 1 : n_threads;  // the first workspace serves all threads
  return n_workspaces * (floats * sizeof(float) + codes + logits) + n_scratches * scratch;
}

size_t Engine::CacheBytes(const ModelWeights& weights, size_t window) {
  return KvCache::Bytes(weights.config, weights.terms.attention, window, kMaxRows);
}

}  // namespace pith
