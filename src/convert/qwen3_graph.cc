#include "convert/qwen3_graph.h"

#include <flatbuffers/flexbuffers.h>

#include <algorithm>
#include <cmath>
#include <flatbuffers/flexbuffers.h>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "base/check.h"
#include "model/exact_math.h"

namespace pith {
namespace {

using Shape = std::vector<int32_t>;

// Versions of operators are those that LiteRT's own exporter writes in every encoding: 5 for products, 1 for
// all else. By the rules of LiteRT's converter they would be higher (EMBEDDING_LOOKUP 5 and FULLY_CONNECTED 13
// for INT4 in blocks, DEQUANTIZE 3 and 5); but a delegate that asks for versions then takes both files or
// neither.
constexpr int32_t kProductVersion = 5;

Bytes Int32Bytes(const Shape& values) {
  Bytes out;
  ByteWriter w(out);
  for (const int32_t v : values) w.U32(static_cast<uint32_t>(v));
  return out;
}

Bytes FloatBytes(const std::vector<float>& values) {
  Bytes out;
  ByteWriter w(out);
  for (const float v : values) w.U32(std::bit_cast<uint32_t>(v));
  return out;
}

// Constants of all graphs: equal bytes are stored once.
class Constants {
 public:
  explicit Constants(TfliteModel& model) : model_(model) {}

  uint32_t Buffer(const Bytes& data) {
    const auto [found, is_new] = known_.try_emplace(std::string(AsText(data)), static_cast<uint32_t>(model_.buffers.size()));
    if (is_new) model_.buffers.push_back({data, 0, 0});
    return found->second;
  }

 private:
  TfliteModel& model_;
  std::map<std::string, uint32_t> known_;  // by their bytes
};

// One graph under construction. Tensors are named by their index.
class GraphWriter {
 public:
  GraphWriter(TfliteGraph& graph, Constants& constants) : graph_(graph), constants_(constants) {}

  int32_t Tensor(const std::string& name, const Shape& shape, TfliteType type = TfliteType::kFloat32, uint32_t buffer = 0,
                 int32_t quantization = -1) {
    graph_.tensors.push_back({name, type, shape, buffer, quantization});
    return static_cast<int32_t>(graph_.tensors.size()) - 1;
  }
  int32_t Input(const std::string& name, const Shape& shape, TfliteType type = TfliteType::kFloat32) {
    const int32_t t = Tensor(name, shape, type);
    graph_.inputs.push_back(t);
    return t;
  }
  int32_t Int32s(const Shape& values) {
    return Constant("int32", {static_cast<int32_t>(values.size())}, TfliteType::kInt32, Int32Bytes(values));
  }
  int32_t Floats(const std::string& name, const Shape& shape, const std::vector<float>& values) {
    return Constant(name, shape, TfliteType::kFloat32, FloatBytes(values));
  }

  int32_t Op(TfliteOp op, std::vector<int32_t> inputs, const std::string& name, const Shape& shape,
             TfliteOptions options = {}, int32_t version = 1, TfliteType type = TfliteType::kFloat32) {
    const int32_t out = Tensor(name, shape, type);
    graph_.operators.push_back({op, version, std::move(inputs), {out}, std::move(options), {}});
    return out;
  }
  int32_t Reshape(int32_t x, const Shape& shape, TfliteType type = TfliteType::kFloat32) {
    return Op(TfliteOp::kReshape, {x, Int32s(shape)}, NameOf(x) + ".reshaped", shape, {}, 1, type);
  }
  int32_t Transpose(int32_t x, const Shape& permutation) {
    const Shape from = ShapeOf(x);
    Shape to;
    for (const int32_t p : permutation) to.push_back(from[static_cast<size_t>(p)]);
    return Op(TfliteOp::kTranspose, {x, Int32s(permutation)}, NameOf(x) + ".transposed", to);
  }
  // Elements [begin, begin + size) of the dimension.
  int32_t Slice(int32_t x, size_t dimension, int32_t begin, int32_t size, const std::string& name) {
    Shape shape = ShapeOf(x);
    Shape start(shape.size(), 0);
    start[dimension] = begin;
    shape[dimension] = size;
    return Op(TfliteOp::kSlice, {x, Int32s(start), Int32s(shape)}, name, shape, {}, 1, TypeOf(x));
  }
  int32_t Binary(TfliteOp op, int32_t a, int32_t b, const std::string& name) {  // b may broadcast to a
    return Op(op, {a, b}, name, ShapeOf(a));
  }

  // By value: the list of tensors grows.
  Shape ShapeOf(int32_t t) const { return graph_.tensors[static_cast<size_t>(t)].shape; }
  TfliteType TypeOf(int32_t t) const { return graph_.tensors[static_cast<size_t>(t)].type; }
  std::string NameOf(int32_t t) const { return graph_.tensors[static_cast<size_t>(t)].name; }
  TfliteGraph& graph() { return graph_; }

 private:
  int32_t Constant(const std::string& name, const Shape& shape, TfliteType type, const Bytes& data) {
    const uint32_t buffer = constants_.Buffer(data);
    const auto [found, is_new] = known_.try_emplace({buffer, type, shape}, 0);
    if (is_new) found->second = Tensor(name, shape, type, buffer);
    return found->second;
  }

  TfliteGraph& graph_;
  Constants& constants_;
  std::map<std::tuple<uint32_t, TfliteType, Shape>, int32_t> known_;
};

class Builder {
 public:
  Builder(const ModelConfig& config, const GraphOptions& options) : c_(config), o_(options), constants_(out_.model) {}

  Result<Qwen3Graph> Build() {
    PITH_RETURN_IF_ERROR(CheckLengths());
    out_.model.description = "Qwen3, written by pith";
    out_.model.buffers.emplace_back();
    PITH_RETURN_IF_ERROR(ListWeights());
    // LiteRT finds the interpreter's version in it; the operators used are older.
    const std::string version("2.17.0\0\0\0\0\0\0\0\0\0\0", 16);
    out_.model.metadata.push_back({"min_runtime_version", constants_.Buffer(Bytes(version.begin(), version.end()))});
    const size_t n_signatures = o_.prefill_lengths.size() + 1;
    out_.model.graphs.resize(n_signatures);  // those of the composites follow
    for (size_t i = 0; i < n_signatures; ++i) {
      const bool decode = i + 1 == n_signatures;
      AddSignature(i, decode ? 1 : o_.prefill_lengths[i], decode);
    }
    return std::move(out_);
  }

 private:
  static int32_t N(size_t n) { return static_cast<int32_t>(n); }

  Status CheckLengths() const {
    if (o_.cache_length < 1) return InvalidArgument("length of the KV cache: " + std::to_string(o_.cache_length));
    std::set<int32_t> seen;
    for (const int32_t length : o_.prefill_lengths) {
      if (length < 1 || length > o_.cache_length) {
        return InvalidArgument("prefill length " + std::to_string(length) + ", expected 1 to the length of the KV cache, " +
                               std::to_string(o_.cache_length));
      }
      if (!seen.insert(length).second) return InvalidArgument("prefill length " + std::to_string(length) + " twice");
    }
    if (seen.empty()) return InvalidArgument("no prefill length: the runtime needs at least one");
    if (seen.size() > kMaxPrefillLengths) {
      return InvalidArgument(std::to_string(seen.size()) + " prefill lengths, expected at most " +
                             std::to_string(kMaxPrefillLengths));
    }
    if (o_.encoding == WeightEncoding::kDynamicInt4 && (o_.block < 2 || o_.block % 2 != 0)) {
      return InvalidArgument("blocks of " + std::to_string(o_.block) + " columns, expected an even number");
    }
    return OkStatus();
  }

  // ---- Weights

  bool is_int8() const {
    return o_.encoding == WeightEncoding::kDynamicInt8 || o_.encoding == WeightEncoding::kWeightOnlyInt8;
  }

  TfliteType MatrixType() const {
    switch (o_.encoding) {
      case WeightEncoding::kFloat16:
        return TfliteType::kFloat16;
      case WeightEncoding::kFloat32:
        return TfliteType::kFloat32;
      case WeightEncoding::kDynamicInt4:
        return TfliteType::kInt4;
      default:
        return TfliteType::kInt8;
    }
  }

  uint32_t ExternalBuffer(TfliteType type, const Shape& shape) {
    const auto bytes = TfliteDataBytes(type, shape);
    PITH_CHECK(bytes.has_value());
    out_.model.buffers.push_back({{}, 0, *bytes});
    return static_cast<uint32_t>(out_.model.buffers.size()) - 1;
  }

  Status AddWeight(std::string name, std::vector<TensorSpec> parts) {
    GraphWeight w;
    w.name = std::move(name);
    w.cols = parts[0].cols;
    for (const TensorSpec& part : parts) w.rows += part.rows;
    w.parts = std::move(parts);
    const int32_t rows = N(w.rows);
    const int32_t cols = N(w.cols);
    if (!w.is_matrix()) {
      w.buffer = ExternalBuffer(TfliteType::kFloat32, {cols});
    } else {
      w.buffer = ExternalBuffer(MatrixType(), {rows, cols});
      if (is_int8()) {
        w.quantization = N(out_.model.quantizations.size());
        out_.model.quantizations.push_back({std::vector<float>(w.rows, 1.0f)});
      }
      if (o_.encoding == WeightEncoding::kDynamicInt4) {
        if (cols % o_.block != 0) {
          return InvalidArgument(w.name + ": " + std::to_string(cols) + " columns, expected a multiple of the block of " +
                                 std::to_string(o_.block));
        }
        w.scales_buffer = ExternalBuffer(TfliteType::kFloat16, {rows, cols / o_.block});
      }
    }
    out_.weights.push_back(std::move(w));
    return OkStatus();
  }

  // Canonical order, q, k and v as one product: one call of the kernel, and activations are quantised once.
  Status ListWeights() {
    const std::vector<TensorSpec> specs = CanonicalTensors(c_);
    for (size_t i = 0; i < specs.size(); ++i) {
      const TensorSpec& spec = specs[i];
      const std::string layer = "layers." + std::to_string(spec.layer) + ".";
      switch (spec.role) {
        case TensorRole::kEmbedding:
          PITH_RETURN_IF_ERROR(AddWeight("embedding", {spec}));
          break;
        case TensorRole::kInputNorm:
          PITH_RETURN_IF_ERROR(AddWeight(layer + "input_norm", {spec}));
          break;
        case TensorRole::kQ:
          PITH_RETURN_IF_ERROR(AddWeight(layer + "qkv", {spec, specs[i + 1], specs[i + 2]}));
          i += 2;
          break;
        case TensorRole::kQNorm:
          PITH_RETURN_IF_ERROR(AddWeight(layer + "q_norm", {spec}));
          break;
        case TensorRole::kKNorm:
          PITH_RETURN_IF_ERROR(AddWeight(layer + "k_norm", {spec}));
          break;
        case TensorRole::kO:
          PITH_RETURN_IF_ERROR(AddWeight(layer + "o", {spec}));
          break;
        case TensorRole::kPostAttentionNorm:
          PITH_RETURN_IF_ERROR(AddWeight(layer + "post_attention_norm", {spec}));
          break;
        case TensorRole::kGate:
          PITH_RETURN_IF_ERROR(AddWeight(layer + "gate", {spec}));
          break;
        case TensorRole::kUp:
          PITH_RETURN_IF_ERROR(AddWeight(layer + "up", {spec}));
          break;
        case TensorRole::kDown:
          PITH_RETURN_IF_ERROR(AddWeight(layer + "down", {spec}));
          break;
        case TensorRole::kFinalNorm:
          PITH_RETURN_IF_ERROR(AddWeight("final_norm", {spec}));
          break;
        default:
          PITH_RETURN_IF_ERROR(AddWeight("head", {spec}));
      }
    }
    return OkStatus();
  }

  const GraphWeight& Weight(const std::string& name) const {
    const auto found = std::find_if(out_.weights.begin(), out_.weights.end(),
                                    [&](const GraphWeight& w) { return w.name == name; });
    PITH_CHECK(found != out_.weights.end());
    return *found;
  }

  // The tensor of a weight in this graph, as an operator takes it: floats where the encoding is no operator's input.
  int32_t Use(GraphWriter& g, const GraphWeight& w) {
    const auto [known, is_new] = used_.try_emplace(w.buffer, 0);
    if (!is_new) return known->second;
    if (!w.is_matrix()) return known->second = g.Tensor(w.name, {N(w.cols)}, TfliteType::kFloat32, w.buffer);
    const Shape shape = {N(w.rows), N(w.cols)};
    int32_t quantization = w.quantization;
    if (o_.encoding == WeightEncoding::kDynamicInt4) {
      // Blocks name the tensor of their scales, which belongs to a graph: so each graph has its own entry.
      const int32_t scales = g.Tensor(w.name + ".scales", {N(w.rows), N(w.cols) / o_.block}, TfliteType::kFloat16,
                                      w.scales_buffer);
      quantization = N(out_.model.quantizations.size());
      TfliteQuantization q;
      q.block_size = o_.block;
      q.block_scales = scales;
      out_.model.quantizations.push_back(q);
    }
    int32_t t = g.Tensor(w.name, shape, MatrixType(), w.buffer, quantization);
    if (o_.encoding == WeightEncoding::kFloat16 || o_.encoding == WeightEncoding::kWeightOnlyInt8) {
      t = g.Op(TfliteOp::kDequantize, {t}, w.name + ".float", shape);
    }
    return used_[w.buffer] = t;
  }

  // ---- Parts of a graph

  int32_t Product(GraphWriter& g, int32_t x, const GraphWeight& w) {
    Shape shape = g.ShapeOf(x);
    shape.back() = N(w.rows);
    return g.Op(TfliteOp::kFullyConnected, {x, Use(g, w), -1}, w.name + ".out", shape,
                TfliteFullyConnected{true}, kProductVersion);
  }

  // y = x / sqrt(mean(x^2) + eps) * weight over the last dimension.
  int32_t Norm(GraphWriter& g, int32_t x, const GraphWeight& w) {
    const Shape shape = g.ShapeOf(x);
    TfliteComposite composite;
    composite.name = kRmsNormComposite;
    composite.graph = NormGraph(shape);
    flexbuffers::Builder attributes;
    attributes.Map([&] { attributes.Float(kEpsilonAttribute.data(), c_.rms_eps); });
    attributes.Finish();
    composite.attributes = attributes.GetBuffer();
    return g.Op(TfliteOp::kStablehloComposite, {x, Use(g, w)}, w.name + ".out", shape, composite);
  }

  // The same in plain operators: one graph a shape.
  int32_t NormGraph(const Shape& shape) {
    const auto [known, is_new] = norm_graphs_.try_emplace(shape, N(out_.model.graphs.size()));
    if (!is_new) return known->second;
    TfliteGraph graph;
    graph.name = std::string(kRmsNormComposite) + ".impl_" + std::to_string(norm_graphs_.size() - 1);
    GraphWriter g(graph, constants_);
    Shape reduced(shape.begin(), shape.end() - 1);
    Shape one = reduced;
    one.push_back(1);
    const int32_t x = g.Input("x", shape);
    const int32_t weight = g.Input("weight", {shape.back()});
    const int32_t squares = g.Binary(TfliteOp::kMul, x, x, "squares");
    const int32_t axis = g.Int32s({N(shape.size()) - 1});
    const int32_t mean = g.Op(TfliteOp::kMean, {squares, axis}, "mean", reduced, TfliteMean{false});
    const int32_t sum = g.Binary(TfliteOp::kAdd, mean, g.Floats("epsilon", {}, {c_.rms_eps}), "mean_plus_epsilon");
    const int32_t rsqrt = g.Op(TfliteOp::kRsqrt, {g.Reshape(sum, one)}, "rsqrt", one);
    const int32_t scaled = g.Binary(TfliteOp::kMul, x, rsqrt, "scaled");
    graph.outputs = {g.Binary(TfliteOp::kMul, scaled, weight, "y")};
    out_.model.graphs.push_back(std::move(graph));
    return known->second;
  }

  // x [1, heads, length, head_dim] -> the same, its two halves turned by the angle of each position.
  int32_t Rope(GraphWriter& g, int32_t x, int32_t cosine, int32_t sine, const std::string& name) {
    const int32_t half = N(c_.head_dim / 2);
    const int32_t a = g.Slice(x, 3, 0, half, name + ".a");
    const int32_t b = g.Slice(x, 3, half, half, name + ".b");
    // One after another: arguments of one call would be made in an order that is the compiler's.
    const int32_t a_cosine = g.Binary(TfliteOp::kMul, a, cosine, name + ".a_cos");
    const int32_t b_sine = g.Binary(TfliteOp::kMul, b, sine, name + ".b_sin");
    const int32_t left = g.Binary(TfliteOp::kSub, a_cosine, b_sine, name + ".left");
    const int32_t b_cosine = g.Binary(TfliteOp::kMul, b, cosine, name + ".b_cos");
    const int32_t a_sine = g.Binary(TfliteOp::kMul, a, sine, name + ".a_sin");
    const int32_t right = g.Binary(TfliteOp::kAdd, b_cosine, a_sine, name + ".right");
    return g.Op(TfliteOp::kConcatenation, {left, right}, name + ".rope", g.ShapeOf(x), TfliteConcatenation{3});
  }

  // [1, length, heads, n] -> [1, heads, length, n], which for one position is the same order of values.
  int32_t HeadsFirst(GraphWriter& g, int32_t x) {
    const Shape s = g.ShapeOf(x);
    if (s[1] == 1) return g.Reshape(x, {1, s[2], 1, s[3]});
    return g.Transpose(x, {0, 2, 1, 3});
  }

  struct Signature {
    int32_t length = 0;
    bool decode = false;
    int32_t mask = 0;
    int32_t cosine = 0;
    int32_t sine = 0;
    int32_t key_start = 0;
    int32_t value_start = 0;
    std::vector<int32_t> keys;  // inputs, then outputs
    std::vector<int32_t> values;
  };

  // Returns the attention's output before the o product, or -1 where only keys and values were wanted.
  int32_t Attention(GraphWriter& g, Signature& s, int32_t x, size_t layer, bool cache_only) {
    const std::string prefix = "layers." + std::to_string(layer) + ".";
    const int32_t heads = N(c_.n_heads);
    const int32_t kv_heads = N(c_.n_kv_heads);
    const int32_t dim = N(c_.head_dim);
    const int32_t length = s.length;
    const int32_t group = heads / kv_heads;
    const int32_t cache = o_.cache_length;

    const int32_t qkv = g.Reshape(Product(g, x, Weight(prefix + "qkv")), {1, length, heads + 2 * kv_heads, dim});
    const int32_t k_rows = g.Slice(qkv, 2, heads, kv_heads, prefix + "k");
    const int32_t v_rows = g.Slice(qkv, 2, heads + kv_heads, kv_heads, prefix + "v");
    const int32_t k = Rope(g, HeadsFirst(g, Norm(g, k_rows, Weight(prefix + "k_norm"))), s.cosine, s.sine, prefix + "k");
    // Values lie with their dimension before the position: [1, kv_heads, head_dim, length].
    const int32_t v = length == 1 ? g.Reshape(v_rows, {1, kv_heads, dim, 1}) : g.Transpose(v_rows, {0, 2, 3, 1});
    const auto update = [&](int32_t& state, int32_t part, int32_t start, const std::string& name) {
      state = g.Op(TfliteOp::kDynamicUpdateSlice, {state, part, start}, prefix + name, g.ShapeOf(state));
    };
    update(s.keys[layer], k, s.key_start, "k_cache");
    update(s.values[layer], v, s.value_start, "v_cache");
    if (cache_only) return -1;

    const int32_t q_rows = g.Slice(qkv, 2, 0, heads, prefix + "q");
    int32_t q = Rope(g, HeadsFirst(g, Norm(g, q_rows, Weight(prefix + "q_norm"))), s.cosine, s.sine, prefix + "q");
    const float scale = 1.0f / std::sqrt(static_cast<float>(c_.head_dim));
    q = g.Binary(TfliteOp::kMul, q, g.Floats("attention_scale", {}, {scale}), prefix + "q_scaled");
    // The query heads that share keys are rows of one product.
    q = g.Reshape(q, {1, kv_heads, group * length, dim});
    int32_t scores = g.Op(TfliteOp::kBatchMatMul, {q, s.keys[layer]}, prefix + "scores",
                          {1, kv_heads, group * length, cache}, TfliteBatchMatMul{false, true});
    scores = g.Reshape(scores, {1, heads, length, cache});
    scores = g.Binary(TfliteOp::kAdd, scores, s.mask, prefix + "scores_masked");
    scores = g.Reshape(scores, {1, kv_heads, group * length, cache});
    const int32_t p = g.Op(TfliteOp::kSoftmax, {scores}, prefix + "weights", g.ShapeOf(scores), TfliteSoftmax{1});
    const int32_t mixed = g.Op(TfliteOp::kBatchMatMul, {p, s.values[layer]}, prefix + "mixed",
                               {1, kv_heads, group * length, dim}, TfliteBatchMatMul{false, true});
    if (length == 1) return g.Reshape(mixed, {1, 1, heads * dim});
    const int32_t by_position = g.Transpose(g.Reshape(mixed, {1, heads, length, dim}), {0, 2, 1, 3});
    return g.Reshape(by_position, {1, length, heads * dim});
  }

  int32_t FeedForward(GraphWriter& g, int32_t x, const std::string& prefix) {
    const int32_t gate = Product(g, x, Weight(prefix + "gate"));
    const int32_t sigmoid = g.Op(TfliteOp::kLogistic, {gate}, prefix + "sigmoid", g.ShapeOf(gate));
    const int32_t silu = g.Binary(TfliteOp::kMul, gate, sigmoid, prefix + "silu");
    const int32_t up = Product(g, x, Weight(prefix + "up"));
    return Product(g, g.Binary(TfliteOp::kMul, silu, up, prefix + "gated"), Weight(prefix + "down"));
  }

  // Token ids [1, length] -> rows of the embedding [1, length, hidden].
  int32_t Embed(GraphWriter& g, int32_t tokens, int32_t length) {
    const int32_t ids = g.Reshape(tokens, {length}, TfliteType::kInt32);
    const int32_t hidden = N(c_.hidden);
    const GraphWeight& w = Weight("embedding");
    const int32_t rows = g.Op(TfliteOp::kEmbeddingLookup, {ids, Use(g, w)}, "embedded", {length, hidden});
    return g.Reshape(rows, {1, length, hidden});
  }

  // Where the cache is written: [0, 0, position, 0] for keys, [0, 0, 0, position] for values. By way of floats, as the
  // exporter of LiteRT does: delegates take a concatenation of those.
  void StartVectors(GraphWriter& g, int32_t positions, Signature& s) {
    int32_t first = g.Op(TfliteOp::kCast, {positions}, "positions_float", g.ShapeOf(positions));
    if (s.length > 1) first = g.Slice(first, 0, 0, 1, "first_position");
    const int32_t zero = g.Floats("zero", {1}, {0.0f});
    const auto vector = [&](std::vector<int32_t> parts, const std::string& name) {
      const int32_t joined = g.Op(TfliteOp::kConcatenation, std::move(parts), name + "_float", {4}, TfliteConcatenation{0});
      return g.Op(TfliteOp::kCast, {joined}, name, {4}, {}, 1, TfliteType::kInt32);
    };
    s.key_start = vector({zero, zero, first, zero}, "key_start");
    s.value_start = vector({zero, zero, zero, first}, "value_start");
  }

  void AddSignature(size_t index, int32_t length, bool decode) {
    used_.clear();
    TfliteGraph graph;
    graph.name = decode ? "decode" : "prefill_" + std::to_string(length);
    GraphWriter g(graph, constants_);
    Signature s;
    s.length = length;
    s.decode = decode;
    const int32_t kv_heads = N(c_.n_kv_heads);
    const int32_t dim = N(c_.head_dim);
    const std::string prefix = graph.name + "_";
    const int32_t tokens = g.Input(prefix + "tokens", {1, length}, TfliteType::kInt32);
    const int32_t positions = g.Input(prefix + "input_pos", {length}, TfliteType::kInt32);
    for (size_t l = 0; l < c_.n_layers; ++l) {
      s.keys.push_back(g.Input(prefix + "kv_cache_k_" + std::to_string(l), {1, kv_heads, o_.cache_length, dim}));
      s.values.push_back(g.Input(prefix + "kv_cache_v_" + std::to_string(l), {1, kv_heads, dim, o_.cache_length}));
    }
    s.mask = g.Input(prefix + "mask", {1, 1, length, o_.cache_length});
    const std::vector<int32_t> cache_inputs = graph.inputs;

    int32_t x = Embed(g, tokens, length);
    const int32_t half = N(c_.head_dim / 2);
    const int32_t rows = g.Reshape(positions, {1, length, 1}, TfliteType::kInt32);
    const int32_t floats = g.Op(TfliteOp::kCast, {rows}, "positions_by_row", {1, length, 1});
    const int32_t frequencies = g.Floats("rope_frequencies", {1, 1, half}, RopeFrequencies(c_));
    const int32_t angles = g.Op(TfliteOp::kMul, {floats, frequencies}, "angles", {1, length, half});
    s.cosine = g.Op(TfliteOp::kCos, {angles}, "cosine", {1, length, half});
    s.sine = g.Op(TfliteOp::kSin, {angles}, "sine", {1, length, half});
    StartVectors(g, positions, s);

    for (size_t l = 0; l < c_.n_layers; ++l) {
      const std::string layer = "layers." + std::to_string(l) + ".";
      // Prefill gives no logits: of the last layer only keys and values are needed.
      const bool cache_only = !decode && l + 1 == c_.n_layers;
      const int32_t mixed = Attention(g, s, Norm(g, x, Weight(layer + "input_norm")), l, cache_only);
      if (cache_only) break;
      x = g.Binary(TfliteOp::kAdd, x, Product(g, mixed, Weight(layer + "o")), layer + "after_attention");
      const int32_t ff = FeedForward(g, Norm(g, x, Weight(layer + "post_attention_norm")), layer);
      x = g.Binary(TfliteOp::kAdd, x, ff, layer + "after_ff");
    }
    TfliteSignature signature;
    signature.key = graph.name;
    signature.graph = static_cast<uint32_t>(index);
    const auto entry = [](const std::string& name, int32_t t) {
      return TfliteSignature::Entry{name, static_cast<uint32_t>(t)};
    };
    for (const int32_t input : cache_inputs) signature.inputs.push_back(entry(g.NameOf(input).substr(prefix.size()), input));
    if (decode) {
      const GraphWeight& head = c_.tied_head ? Weight("embedding") : Weight("head");
      const int32_t logits = Product(g, Norm(g, x, Weight("final_norm")), head);
      graph.outputs.push_back(logits);
      signature.outputs.push_back(entry("logits", logits));
    }
    for (size_t l = 0; l < c_.n_layers; ++l) {
      graph.outputs.push_back(s.keys[l]);
      graph.outputs.push_back(s.values[l]);
      signature.outputs.push_back(entry("kv_cache_k_" + std::to_string(l), s.keys[l]));
      signature.outputs.push_back(entry("kv_cache_v_" + std::to_string(l), s.values[l]));
    }
    const auto by_name = [](const TfliteSignature::Entry& a, const TfliteSignature::Entry& b) { return a.name < b.name; };
    std::sort(signature.inputs.begin(), signature.inputs.end(), by_name);
    std::sort(signature.outputs.begin(), signature.outputs.end(), by_name);
    out_.model.signatures.push_back(std::move(signature));
    out_.model.graphs[index] = std::move(graph);
  }

  const ModelConfig& c_;
  const GraphOptions& o_;
  Qwen3Graph out_;
  Constants constants_;
  std::map<Shape, int32_t> norm_graphs_;
  std::map<uint32_t, int32_t> used_;  // buffer of a weight -> its tensor in the graph at hand
};

}  // namespace

std::vector<float> RopeFrequencies(const ModelConfig& config) {
  std::vector<float> out;
  const double log_theta = Log64(config.rope_theta);
  const auto dim = static_cast<double>(config.head_dim);
  for (size_t i = 0; i < config.head_dim / 2; ++i) {
    out.push_back(static_cast<float>(Exp64(-(static_cast<double>(2 * i) / dim) * log_theta)));
  }
  return out;
}

Result<Qwen3Graph> BuildQwen3Graph(const ModelConfig& config, const GraphOptions& options) {
  return Builder(config, options).Build();
}

}  // namespace pith
