#include "convert/onnx_graph.h"

#include <cfloat>
#include <cmath>
#include <cstring>
#include <utility>
#include <vector>

#include "base/check.h"
#include "convert/checkpoint.h"
#include "convert/onnx_blocks.h"
#include "model/exact_math.h"

namespace pith {
namespace {

constexpr const char* kContrib = "com.microsoft";
constexpr int64_t kOpset =
    17;  // the last with ReduceMean's axes as an attribute; runtimes since 2022 read it
constexpr int64_t kIrVersion = 8;

using Ints = std::vector<int64_t>;
using Names = std::vector<std::string>;

template <typename T>
std::string RawBytes(const std::vector<T>& values) {
  std::string raw(values.size() * sizeof(T), '\0');
  if (!values.empty()) std::memcpy(raw.data(), values.data(), raw.size());
  return raw;
}

int64_t Signed(size_t n) { return static_cast<int64_t>(n); }

// B = batch, S = sequence (new tokens), T = total (past and new), N = B * S, H = heads, G = kv heads, D =
// head_dim.
class GraphBuilder {
 public:
  GraphBuilder(const ModelConfig& config, const OnnxForms& forms) : c_(config), forms_(forms) {}

  OnnxModel Build() {
    PITH_CHECK(forms_.embedding != OnnxForm::kInt4);
    model_.ir_version = kIrVersion;
    model_.producer = "pith";
    model_.graph_name = "qwen3";
    model_.opsets.emplace_back("", kOpset);
    if (UsesBlocks(forms_.embedding) || UsesBlocks(forms_.layers) || UsesBlocks(forms_.head))
      model_.opsets.emplace_back(kContrib, 1);
    DeclareInputs();
    ReadShapes();
    BuildMask();
    BuildRope();

    std::string x = Embed();  // [N, hidden]
    for (size_t layer = 0; layer < c_.n_layers; ++layer) x = Layer(layer, x);
    x = Norm("final_norm", x, NameOf(TensorRole::kFinalNorm, 0));
    const TensorRole head = c_.tied_head ? TensorRole::kEmbedding : TensorRole::kHead;
    x = Linear("lm_head", x, NameOf(head, 0), c_.tied_head ? forms_.embedding : forms_.head, c_.vocab,
               c_.hidden);
    const std::string shape =
        Node("Concat", "logits_shape", {batch_, sequence_, Constant({Signed(c_.vocab)})}, {{"axis", 0}});
    Emit("Reshape", "logits_reshape", {x, shape}, {"logits"});
    model_.outputs.push_back({"logits", OnnxType::kFloat, {Batch(), Sequence(), {Signed(c_.vocab), ""}}});
    for (size_t layer = 0; layer < c_.n_layers; ++layer) {
      for (const char* part : {"key", "value"})
        model_.outputs.push_back({CacheName("present", layer, part), OnnxType::kFloat, CacheDims(Total())});
    }
    return std::move(model_);
  }

 private:
  static bool UsesBlocks(OnnxForm form) { return form == OnnxForm::kInt8 || form == OnnxForm::kInt4; }
  static OnnxDimension Batch() { return {-1, "batch_size"}; }
  static OnnxDimension Sequence() { return {-1, "sequence_length"}; }
  static OnnxDimension Past() { return {-1, "past_sequence_length"}; }
  static OnnxDimension Total() { return {-1, "total_sequence_length"}; }
  std::vector<OnnxDimension> CacheDims(OnnxDimension length) const {
    return {Batch(), {Signed(c_.n_kv_heads), ""}, std::move(length), {Signed(c_.head_dim), ""}};
  }
  static std::string CacheName(const char* prefix, size_t layer, const char* part) {
    return std::string(prefix) + "." + std::to_string(layer) + "." + part;
  }
  static std::string NameOf(TensorRole role, size_t layer) {
    return CheckpointTensorName({role, static_cast<uint32_t>(layer), 0, 0});
  }

  // ---- Pieces of a graph.

  void Emit(std::string op, std::string name, Names inputs, Names outputs,
            std::vector<OnnxAttribute> attributes = {}, const char* domain = "") {
    model_.nodes.push_back({std::move(op), domain, std::move(name), std::move(inputs), std::move(outputs),
                            std::move(attributes)});
  }
  // A node whose one output has its name.
  std::string Node(const char* op, const std::string& name, Names inputs,
                   std::vector<OnnxAttribute> attributes = {}) {
    Emit(op, name, std::move(inputs), {name}, std::move(attributes));
    return name;
  }
  // Constants; one initializer for each value.
  std::string Constant(const Ints& values) {
    std::string name = "ints";
    for (const int64_t v : values) name.append(".").append(std::to_string(v));
    return Constant(std::move(name), OnnxType::kInt64, {Signed(values.size())}, RawBytes(values));
  }
  std::string Scalar(const char* name, float value) {
    return Constant(name, OnnxType::kFloat, {}, RawBytes(std::vector<float>{value}));
  }
  std::string Scalar(const char* name, int64_t value) {
    return Constant(name, OnnxType::kInt64, {}, RawBytes(Ints{value}));
  }
  std::string Constant(std::string name, OnnxType type, Ints dims, std::string raw) {
    for (const OnnxTensor& t : model_.initializers) {
      if (t.name == name) return name;
    }
    model_.initializers.push_back({name, type, std::move(dims), std::move(raw), std::nullopt});
    return name;
  }

  // y[N, rows] = x[N, cols] * w[rows, cols]^T. Gemm takes the weights as the checkpoint has them, so that a
  // tied head and the embedding are one tensor.
  std::string Linear(const std::string& name, const std::string& x, const std::string& tensor, OnnxForm form,
                     size_t rows, size_t cols) {
    const std::string weight = OnnxWeightName(tensor, form);
    if (UsesBlocks(form)) {
      std::vector<OnnxAttribute> attributes = {{"K", Signed(cols)},
                                               {"N", Signed(rows)},
                                               {"bits", int64_t{form == OnnxForm::kInt8 ? 8 : 4}},
                                               {"block_size", Signed(kOnnxBlock)}};
      if (forms_.int8_activations) attributes.push_back({"accuracy_level", 4});
      Emit("MatMulNBits", name, {x, weight, OnnxScalesName(tensor)}, {name}, std::move(attributes), kContrib);
      return name;
    }
    return Node("Gemm", name, {x, form == OnnxForm::kFloat16 ? ToFloat(name + ".float", weight) : weight},
                {{"transB", 1}});
  }

  std::string ToFloat(const std::string& name, const std::string& x) {
    return Node("Cast", name, {x}, {{"to", static_cast<int64_t>(OnnxType::kFloat)}});
  }

  // In the steps that runtimes know as one.
  std::string Norm(const std::string& name, const std::string& x, const std::string& weight) {
    const std::string square = Node("Pow", name + ".square", {x, Scalar("two", 2.0f)});
    const std::string mean =
        Node("ReduceMean", name + ".mean", {square}, {{"axes", Ints{-1}}, {"keepdims", 1}});
    const std::string above = Node("Add", name + ".add_eps", {mean, Scalar("rms_norm_eps", c_.rms_eps)});
    const std::string root = Node("Sqrt", name + ".root", {above});
    const std::string unit = Node("Div", name + ".unit", {x, root});
    return Node("Mul", name, {unit, weight});
  }

  // ---- What all layers share.

  void DeclareInputs() {
    model_.inputs.push_back({"input_ids", OnnxType::kInt64, {Batch(), Sequence()}});
    model_.inputs.push_back({"attention_mask", OnnxType::kInt64, {Batch(), Total()}});
    model_.inputs.push_back({"position_ids", OnnxType::kInt64, {Batch(), Sequence()}});
    for (size_t layer = 0; layer < c_.n_layers; ++layer) {
      for (const char* part : {"key", "value"})
        model_.inputs.push_back(
            {CacheName("past_key_values", layer, part), OnnxType::kFloat, CacheDims(Past())});
    }
  }

  void ReadShapes() {
    batch_ = Node("Shape", "batch", {"input_ids"}, {{"start", 0}, {"end", 1}});
    sequence_ = Node("Shape", "sequence", {"input_ids"}, {{"start", 1}, {"end", 2}});
    total_ = Node("Shape", "total", {"attention_mask"}, {{"start", 1}, {"end", 2}});
    const auto concat = [&](const char* name, Names parts) {
      return Node("Concat", name, std::move(parts), {{"axis", 0}});
    };
    const std::string heads = Constant({Signed(c_.n_heads)});
    const std::string kv_heads = Constant({Signed(c_.n_kv_heads)});
    const std::string depth = Constant({Signed(c_.head_dim)});
    q_shape_ = concat("q_shape", {batch_, sequence_, heads, depth});
    kv_shape_ = concat("kv_shape", {batch_, sequence_, kv_heads, depth});
    scores_shape_ = concat("scores_shape", {batch_, heads, sequence_, total_});
    grouped_shape_ = concat("grouped_shape", {batch_, kv_heads, Constant({-1}), total_});
  }

  // [B, 1, S, T]: 0 where a query sees a key. The lowest float elsewhere, not -infinity: a row of padding,
  // which sees nothing, then stays finite.
  void BuildMask() {
    const std::string axis0 = Constant({0});
    const std::string total = Node("Squeeze", "total_scalar", {total_, axis0});
    const std::string sequence = Node("Squeeze", "sequence_scalar", {sequence_, axis0});
    const std::string past = Node("Sub", "past_scalar", {total, sequence});
    const std::string zero = Scalar("zero_int", int64_t{0});
    const std::string one = Scalar("one_int", int64_t{1});
    const std::string keys = Node("Range", "mask.keys", {zero, total, one});        // [T]
    const std::string queries = Node("Range", "mask.queries", {past, total, one});  // [S]
    const std::string column = Node("Unsqueeze", "mask.column", {queries, Constant({1})});
    const std::string causal = Node("LessOrEqual", "mask.causal", {keys, column});  // [S, T]
    const std::string real =
        Node("Cast", "mask.real", {"attention_mask"}, {{"to", static_cast<int64_t>(OnnxType::kBool)}});
    const std::string real4 = Node("Unsqueeze", "mask.real4", {real, Constant({1, 2})});  // [B, 1, 1, T]
    const std::string seen = Node("And", "mask.seen", {causal, real4});
    mask_ = Node("Where", "mask", {seen, Scalar("zero", 0.0f), Scalar("lowest", -FLT_MAX)});
  }

  // cos and sin [B, S, 1, D/2] of position * theta^(-2i/D).
  void BuildRope() {
    const double log_theta = Log64(c_.rope_theta);
    std::vector<float> frequency;
    for (size_t i = 0; i < c_.head_dim / 2; ++i) {
      const double exponent = static_cast<double>(2 * i) / static_cast<double>(c_.head_dim);
      frequency.push_back(static_cast<float>(Exp64(-exponent * log_theta)));
    }
    const std::string frequencies =
        Constant("rope.frequency", OnnxType::kFloat, {Signed(frequency.size())}, RawBytes(frequency));
    const std::string position = ToFloat("rope.position", "position_ids");
    const std::string column =
        Node("Unsqueeze", "rope.column", {position, Constant({2, 3})});  // [B, S, 1, 1]
    const std::string angle = Node("Mul", "rope.angle", {column, frequencies});
    cos_ = Node("Cos", "rope.cos", {angle});
    sin_ = Node("Sin", "rope.sin", {angle});
  }

  std::string Embed() {
    const std::string tensor = NameOf(TensorRole::kEmbedding, 0);
    const std::string weight = OnnxWeightName(tensor, forms_.embedding);
    const std::string ids = Node("Reshape", "flat_ids", {"input_ids", Constant({-1})});  // [N]
    const std::string rows = Node("Gather", "embed.rows", {weight, ids}, {{"axis", 0}});
    if (forms_.embedding == OnnxForm::kFloat32) return rows;
    if (forms_.embedding == OnnxForm::kFloat16) return ToFloat("embed", rows);
    // The codes of MatMulNBits by standard operators: rows is [N, blocks, 32].
    const std::string codes =
        Node("Sub", "embed.centred", {ToFloat("embed.codes", rows), Scalar("code_zero", 128.0f)});
    const std::string scales = Node("Gather", "embed.scales", {OnnxScalesName(tensor), ids}, {{"axis", 0}});
    const std::string scales3 = Node("Unsqueeze", "embed.scales3", {scales, Constant({2})});
    const std::string blocks = Node("Mul", "embed.blocks", {codes, scales3});
    const size_t width = OnnxBlocks(c_.hidden) * kOnnxBlock;
    const std::string flat = Node("Reshape", "embed.flat", {blocks, Constant({-1, Signed(width)})});
    if (width == c_.hidden) return flat;
    return Node("Slice", "embed", {flat, Constant({0}), Constant({Signed(c_.hidden)}), Constant({1})});
  }

  // ---- One layer.

  // x[B, S, heads, D]: (a, b) -> (a cos - b sin, b cos + a sin) for its halves a and b.
  std::string Rotate(const std::string& name, const std::string& x) {
    const std::string a = name + ".first_half";
    const std::string b = name + ".second_half";
    const int64_t half = Signed(c_.head_dim / 2);
    Emit("Split", name + ".split", {x, Constant({half, half})}, {a, b}, {{"axis", 3}});
    const std::string a_cos = Node("Mul", name + ".a_cos", {a, cos_});
    const std::string b_sin = Node("Mul", name + ".b_sin", {b, sin_});
    const std::string b_cos = Node("Mul", name + ".b_cos", {b, cos_});
    const std::string a_sin = Node("Mul", name + ".a_sin", {a, sin_});
    const std::string first = Node("Sub", name + ".first", {a_cos, b_sin});
    const std::string second = Node("Add", name + ".second", {b_cos, a_sin});
    return Node("Concat", name, {first, second}, {{"axis", 3}});
  }

  std::string HeadsFirst(const std::string& name, const std::string& x) {
    return Node("Transpose", name, {x}, {{"perm", Ints{0, 2, 1, 3}}});
  }

  // Softmax(q k^T / sqrt(D) + mask) v. Query heads of one group lie one after the other as rows of one
  // product, so that keys and values need not be repeated. q [B, H, S, D]; k, v [B, G, T, D]; returns [N, H *
  // D].
  std::string Attend(const std::string& name, const std::string& q, const std::string& k,
                     const std::string& v) {
    const Ints grouped = {0, Signed(c_.n_kv_heads), -1, Signed(c_.head_dim)};
    const Ints by_head = {0, Signed(c_.n_heads), -1, Signed(c_.head_dim)};
    const std::string rows = Node("Reshape", name + ".rows", {q, Constant(grouped)});  // [B, G, H/G * S, D]
    const std::string k_t = Node("Transpose", name + ".k_t", {k}, {{"perm", Ints{0, 1, 3, 2}}});
    const std::string products = Node("MatMul", name + ".products", {rows, k_t});
    const std::string scores = Node("Reshape", name + ".scores", {products, scores_shape_});
    const std::string masked = Node("Add", name + ".masked", {scores, mask_});
    const std::string p = Node("Softmax", name + ".softmax", {masked}, {{"axis", -1}});
    const std::string p_rows = Node("Reshape", name + ".p_rows", {p, grouped_shape_});
    const std::string sums = Node("MatMul", name + ".sums", {p_rows, v});
    const std::string heads = Node("Reshape", name + ".heads", {sums, Constant(by_head)});
    const std::string tokens = HeadsFirst(name + ".tokens", heads);  // [B, S, H, D]
    return Node("Reshape", name, {tokens, Constant({-1, Signed(c_.q_rows())})});
  }

  // Appends to the cache; the output is the model's.
  std::string Append(size_t layer, const char* part, const std::string& x) {
    const std::string present = CacheName("present", layer, part);
    Emit("Concat", present, {CacheName("past_key_values", layer, part), x}, {present}, {{"axis", 2}});
    return present;
  }

  std::string Layer(size_t layer, const std::string& x) {
    const std::string at = "layers." + std::to_string(layer) + ".";
    const auto linear = [&](const char* name, const std::string& in, TensorRole role, size_t rows,
                            size_t cols) {
      return Linear(at + name, in, NameOf(role, layer), forms_.layers, rows, cols);
    };
    const std::string h = Norm(at + "input_norm", x, NameOf(TensorRole::kInputNorm, layer));
    std::string q = linear("q_proj", h, TensorRole::kQ, c_.q_rows(), c_.hidden);
    std::string k = linear("k_proj", h, TensorRole::kK, c_.kv_rows(), c_.hidden);
    std::string v = linear("v_proj", h, TensorRole::kV, c_.kv_rows(), c_.hidden);
    q = Node("Reshape", at + "q", {q, q_shape_});
    k = Node("Reshape", at + "k", {k, kv_shape_});
    v = Node("Reshape", at + "v", {v, kv_shape_});
    q = Rotate(at + "q_rope", Norm(at + "q_norm", q, NameOf(TensorRole::kQNorm, layer)));
    k = Rotate(at + "k_rope", Norm(at + "k_norm", k, NameOf(TensorRole::kKNorm, layer)));
    const auto scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(c_.head_dim)));
    q = Node("Mul", at + "q_scaled", {q, Scalar("score_scale", scale)});
    const std::string keys = Append(layer, "key", HeadsFirst(at + "k_heads", k));
    const std::string values = Append(layer, "value", HeadsFirst(at + "v_heads", v));
    const std::string attended = Attend(at + "attention", HeadsFirst(at + "q_heads", q), keys, values);
    const std::string o = linear("o_proj", attended, TensorRole::kO, c_.hidden, c_.q_rows());
    const std::string middle = Node("Add", at + "attention_sum", {x, o});

    const std::string m = Norm(at + "post_norm", middle, NameOf(TensorRole::kPostAttentionNorm, layer));
    const std::string gate = linear("gate_proj", m, TensorRole::kGate, c_.ffn, c_.hidden);
    const std::string up = linear("up_proj", m, TensorRole::kUp, c_.ffn, c_.hidden);
    const std::string sigmoid = Node("Sigmoid", at + "sigmoid", {gate});
    const std::string silu = Node("Mul", at + "silu", {gate, sigmoid});
    const std::string product = Node("Mul", at + "gated", {silu, up});
    const std::string down = linear("down_proj", product, TensorRole::kDown, c_.hidden, c_.ffn);
    return Node("Add", at + "ffn_sum", {middle, down});
  }

  const ModelConfig& c_;
  const OnnxForms forms_;
  OnnxModel model_;
  // Outputs that all layers use: [B], [S], [T] as vectors of one number, and shapes.
  std::string batch_, sequence_, total_, q_shape_, kv_shape_, scores_shape_, grouped_shape_;
  std::string mask_, cos_, sin_;
};

}  // namespace

std::string OnnxWeightName(const std::string& tensor, OnnxForm form) {
  switch (form) {
    case OnnxForm::kFloat32:
    case OnnxForm::kFloat16:
      return tensor;
    case OnnxForm::kInt8:
      return tensor + "_Q8";
    case OnnxForm::kInt4:
      return tensor + "_Q4";
  }
  PITH_CHECK(false);
}

std::string OnnxScalesName(const std::string& tensor) { return tensor + "_scales"; }

OnnxModel BuildOnnxGraph(const ModelConfig& config, const OnnxForms& forms) {
  return GraphBuilder(config, forms).Build();
}

}  // namespace pith
