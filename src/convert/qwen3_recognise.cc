#include "convert/qwen3_recognise.h"

#include <flatbuffers/flexbuffers.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <flatbuffers/flexbuffers.h>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "convert/qwen3_graph.h"
#include "model/exact_math.h"

namespace pith {
namespace {

// A Qwen3 of 36 layers has 1,900 operators, and between two landmarks of a layer lie some twenty tensors. Bounds, so that no
// file makes the search long.
constexpr size_t kMaxDecodeOperators = 100'000;
constexpr size_t kMaxSteps = 1000;            // of one search
constexpr size_t kMaxStepsInAll = 20'000'000;  // 100 layers take 700,000

Status NoQwen3(const std::string& what) {
  return Unsupported("the decode graph is none of a Qwen3 model: " + what);
}

class Recogniser {
 public:
  explicit Recogniser(const TfliteFile& file) : file_(file), model_(file.model()) {}

  Result<RecognisedModel> Run() {
    Result<RecognisedModel> model = Recognise();
    if (n_steps_ >= kMaxStepsInAll) return NoQwen3("its operators hang together in more ways than this build follows");
    return model;
  }

 private:
  using Op = TfliteOperator;

  Result<RecognisedModel> Recognise() {
    PITH_RETURN_IF_ERROR(FindDecode());
    const std::optional<uint32_t> logits = Output("logits");
    if (!logits) return NoQwen3("the signature has no output \"logits\"");
    PITH_RETURN_IF_ERROR(ReadEmbedding());
    for (size_t layer = 0;; ++layer) {
      const std::optional<uint32_t> keys = Output("kv_cache_k_" + std::to_string(layer));
      const std::optional<uint32_t> values = Output("kv_cache_v_" + std::to_string(layer));
      if (!keys || !values) break;
      if (layer >= kMaxLayers) return NoQwen3("too many layers");
      PITH_RETURN_IF_ERROR(
          ReadLayer(static_cast<uint32_t>(layer), *keys, *values).WithContext("layer " + std::to_string(layer)));
    }
    if (out_.config.n_layers == 0) return NoQwen3("no outputs \"kv_cache_k_0\" and \"kv_cache_v_0\"");
    PITH_RETURN_IF_ERROR(ReadHead(static_cast<int32_t>(*logits)));
    PITH_RETURN_IF_ERROR(ReadRope());
    PITH_RETURN_IF_ERROR(ValidateConfig(out_.config));
    return Collect();
  }

  Status FindDecode() {
    for (const TfliteSignature& s : model_.signatures) {
      if (s.key == "decode") signature_ = &s;
    }
    if (signature_ == nullptr) return Unsupported("no signature \"decode\": not a model that LiteRT-LM runs");
    out_.graph = signature_->graph;
    graph_ = &model_.graphs[out_.graph];
    if (graph_->operators.size() > kMaxDecodeOperators) return NoQwen3("too many operators");
    for (const TfliteSignature::Entry& e : signature_->outputs) outputs_[e.name] = e.tensor;
    producer_.assign(graph_->tensors.size(), nullptr);
    for (const Op& op : graph_->operators) {
      for (const int32_t t : op.outputs) {
        if (t >= 0) producer_[static_cast<size_t>(t)] = &op;
      }
    }
    return OkStatus();
  }

  std::optional<uint32_t> Output(const std::string& name) const {
    const auto found = outputs_.find(name);
    return found != outputs_.end() ? std::optional(found->second) : std::nullopt;
  }

  const TfliteTensor& Tensor(int32_t t) const { return graph_->tensors[static_cast<size_t>(t)]; }
  const Op* Producer(int32_t t) const { return t < 0 ? nullptr : producer_[static_cast<size_t>(t)]; }
  // -1: none
  static int32_t InputOf(const Op& op, size_t i) { return i < op.inputs.size() ? op.inputs[i] : -1; }
  static int32_t OutputOf(const Op& op) { return op.outputs.empty() ? -1 : op.outputs.front(); }

  static bool IsNorm(const Op& op) {
    const auto* composite = std::get_if<TfliteComposite>(&op.options);
    return op.op == TfliteOp::kStablehloComposite && composite != nullptr && composite->name == kRmsNormComposite;
  }
  static bool IsProduct(const Op& op) { return op.op == TfliteOp::kFullyConnected; }

  // The nearest products, norms and batch products that a value comes from; constants and inputs count for nothing.
  std::set<const Op*> Sources(int32_t t) const {
    std::set<const Op*> found;
    std::set<int32_t> seen;
    std::vector<int32_t> open = {t};
    while (!open.empty() && seen.size() < kMaxSteps && n_steps_ < kMaxStepsInAll) {
      ++n_steps_;
      const int32_t at = open.back();
      open.pop_back();
      if (at < 0 || !seen.insert(at).second) continue;
      const Op* op = Producer(at);
      if (op == nullptr) continue;
      if (IsNorm(*op) || IsProduct(*op) || op->op == TfliteOp::kBatchMatMul) {
        found.insert(op);
      } else {
        n_steps_ += op->inputs.size();
        open.insert(open.end(), op->inputs.begin(), op->inputs.end());
      }
    }
    return found;
  }

  // The only source of a value, of that kind.
  Result<const Op*> OnlySource(int32_t t, bool (*is_kind)(const Op&), const std::string& what) const {
    const std::set<const Op*> sources = Sources(t);
    if (sources.size() != 1 || !is_kind(**sources.begin())) return NoQwen3("no " + what);
    return *sources.begin();
  }

  // The tensor with the data of a weight: behind a DEQUANTIZE, if there is one.
  Result<int32_t> Weight(const Op& op, size_t rank, const std::string& what) const {
    int32_t t = InputOf(op, 1);
    if (const Op* dequantize = Producer(t); dequantize != nullptr && dequantize->op == TfliteOp::kDequantize) {
      t = InputOf(*dequantize, 0);
    }
    if (t < 0 || Tensor(t).shape.size() != rank || file_.Data(Tensor(t).buffer).empty()) {
      return NoQwen3(what + " has no weights in the file");
    }
    for (const int32_t n : Tensor(t).shape) {
      if (n < 1) return NoQwen3(what + " has weights of no fixed shape");
    }
    return t;
  }
  size_t Rows(int32_t t) const { return static_cast<size_t>(Tensor(t).shape[0]); }
  size_t Cols(int32_t t) const { return static_cast<size_t>(Tensor(t).shape[1]); }

  void Found(TensorRole role, uint32_t layer, int32_t tensor, size_t first_row = 0) {
    found_[{layer, role}] = {tensor, static_cast<uint32_t>(first_row)};
  }

  Status ReadEmbedding() {
    for (const Op& op : graph_->operators) {
      if (op.op != TfliteOp::kEmbeddingLookup) continue;
      PITH_ASSIGN_OR_RETURN(embedding_, Weight(op, 2, "the embedding"));
      out_.config.vocab = Rows(embedding_);
      out_.config.hidden = Cols(embedding_);
      Found(TensorRole::kEmbedding, 0, embedding_);
      return OkStatus();
    }
    return NoQwen3("no EMBEDDING_LOOKUP");
  }

  // The epsilon of the first norm counts; the others must have the same.
  Status ReadEpsilon(const Op& norm) {
    const Bytes& attributes = std::get<TfliteComposite>(norm.options).attributes;
    std::vector<uint8_t> reuse;
    if (attributes.empty() || !flexbuffers::VerifyBuffer(attributes.data(), attributes.size(), &reuse)) {
      return NoQwen3("a norm without attributes");
    }
    const flexbuffers::Reference root = flexbuffers::GetRoot(attributes);
    if (!root.IsMap()) return NoQwen3("a norm without attributes");
    const flexbuffers::Reference epsilon = root.AsMap()[kEpsilonAttribute.data()];
    if (!epsilon.IsFloat()) return NoQwen3("a norm without its epsilon");
    const float value = epsilon.AsFloat();
    if (out_.config.rms_eps != 0 && out_.config.rms_eps != value) return NoQwen3("norms of different epsilons");
    out_.config.rms_eps = value;
    return OkStatus();
  }

  Status FoundNorm(TensorRole role, uint32_t layer, const Op& norm, size_t n, const std::string& what) {
    PITH_ASSIGN_OR_RETURN(const int32_t t, Weight(norm, 1, what));
    if (Rows(t) != n || Tensor(t).type != TfliteType::kFloat32) {
      return NoQwen3(what + " has " + std::to_string(Rows(t)) + " weights, expected " + std::to_string(n) + " floats");
    }
    Found(role, layer, t);
    return ReadEpsilon(norm);
  }

  Status FoundMatrix(TensorRole role, uint32_t layer, const Op& product, size_t rows, size_t cols,
                     const std::string& what) {
    PITH_ASSIGN_OR_RETURN(const int32_t t, Weight(product, 2, what));
    if (Rows(t) != rows || Cols(t) != cols) {
      return NoQwen3(what + " is [" + std::to_string(Rows(t)) + ", " + std::to_string(Cols(t)) + "], expected [" +
                     std::to_string(rows) + ", " + std::to_string(cols) + "]");
    }
    if (InputOf(product, 2) >= 0) return NoQwen3(what + " has a bias");
    Found(role, layer, t);
    return OkStatus();
  }

  const Op* BatchProductWith(int32_t second) const {
    for (const Op& op : graph_->operators) {
      if (op.op == TfliteOp::kBatchMatMul && InputOf(op, 1) == second) return &op;
    }
    return nullptr;
  }

  static Status SetSize(size_t& size, size_t value, const std::string& what) {
    if (size != 0 && size != value) return NoQwen3("layers with different " + what);
    size = value;
    return OkStatus();
  }

  Status ReadLayer(uint32_t layer, uint32_t keys, uint32_t values) {
    ModelConfig& c = out_.config;
    const Op* update_k = Producer(static_cast<int32_t>(keys));
    const Op* update_v = Producer(static_cast<int32_t>(values));
    if (update_k == nullptr || update_v == nullptr || update_k->op != TfliteOp::kDynamicUpdateSlice ||
        update_v->op != TfliteOp::kDynamicUpdateSlice) {
      return NoQwen3("the cache is not written by DYNAMIC_UPDATE_SLICE");
    }
    const std::vector<int32_t>& shape = Tensor(static_cast<int32_t>(keys)).shape;
    if (shape.size() != 4 || *std::min_element(shape.begin(), shape.end()) < 1) {
      return NoQwen3("the cache of keys is not [1, kv heads, length, head_dim]");
    }
    PITH_RETURN_IF_ERROR(SetSize(c.n_kv_heads, static_cast<size_t>(shape[1]), "KV heads"));
    PITH_RETURN_IF_ERROR(SetSize(c.max_positions, static_cast<size_t>(shape[2]), "cache lengths"));
    PITH_RETURN_IF_ERROR(SetSize(c.head_dim, static_cast<size_t>(shape[3]), "head dimensions"));

    // Attention: from the caches back to norms and products.
    const Op* scores = BatchProductWith(static_cast<int32_t>(keys));
    const Op* mixed = BatchProductWith(static_cast<int32_t>(values));
    if (scores == nullptr || mixed == nullptr) return NoQwen3("no BATCH_MATMUL over the cache");
    PITH_ASSIGN_OR_RETURN(const Op* k_norm, OnlySource(InputOf(*update_k, 1), IsNorm, "norm of the keys"));
    PITH_ASSIGN_OR_RETURN(const Op* q_norm, OnlySource(InputOf(*scores, 0), IsNorm, "norm of the queries"));
    PITH_ASSIGN_OR_RETURN(const Op* k, OnlySource(InputOf(*k_norm, 0), IsProduct, "product of the keys"));
    PITH_ASSIGN_OR_RETURN(const Op* q, OnlySource(InputOf(*q_norm, 0), IsProduct, "product of the queries"));
    PITH_ASSIGN_OR_RETURN(const Op* v, OnlySource(InputOf(*update_v, 1), IsProduct, "product of the values"));
    PITH_RETURN_IF_ERROR(FoundNorm(TensorRole::kQNorm, layer, *q_norm, c.head_dim, "the norm of the queries"));
    PITH_RETURN_IF_ERROR(FoundNorm(TensorRole::kKNorm, layer, *k_norm, c.head_dim, "the norm of the keys"));
    PITH_RETURN_IF_ERROR(ReadProducts(layer, *q, *k, *v, InputOf(*q_norm, 0), InputOf(*k_norm, 0), InputOf(*update_v, 1)));
    PITH_ASSIGN_OR_RETURN(const Op* input_norm, OnlySource(InputOf(*q, 0), IsNorm, "norm before attention"));
    PITH_RETURN_IF_ERROR(FoundNorm(TensorRole::kInputNorm, layer, *input_norm, c.hidden, "the norm before attention"));

    // What follows: the product of the mixed values, then in the order of the graph a norm, and the products of its output.
    const Op* o = nullptr;
    const Op* post_norm = nullptr;
    std::vector<const Op*> after;  // products of the norm's output
    const Op* down = nullptr;
    for (const Op& op : graph_->operators) {
      if (o == nullptr) {
        if (IsProduct(op) && Sources(InputOf(op, 0)) == std::set<const Op*>{mixed}) o = &op;
      } else if (post_norm == nullptr) {
        if (IsNorm(op)) post_norm = &op;
      } else if (IsProduct(op)) {
        if (InputOf(op, 0) >= 0 && InputOf(op, 0) == OutputOf(*post_norm)) {
          after.push_back(&op);
        } else {
          down = &op;
          break;
        }
      }
    }
    if (o == nullptr || post_norm == nullptr || after.size() != 2 || down == nullptr) {
      return NoQwen3("no feed-forward part with gate, up and down");
    }
    const Op* gate = after[0];
    const Op* up = after[1];
    if (!FeedsLogistic(OutputOf(*gate))) std::swap(gate, up);
    if (!FeedsLogistic(OutputOf(*gate)) || Sources(InputOf(*down, 0)) != std::set<const Op*>{gate, up}) {
      return NoQwen3("no feed-forward part of the form down(silu(gate) * up)");
    }
    PITH_ASSIGN_OR_RETURN(const int32_t gate_weight, Weight(*gate, 2, "gate"));
    PITH_RETURN_IF_ERROR(SetSize(c.ffn, Rows(gate_weight), "widths of the feed-forward part"));
    PITH_RETURN_IF_ERROR(FoundMatrix(TensorRole::kO, layer, *o, c.hidden, c.q_rows(), "o"));
    PITH_RETURN_IF_ERROR(FoundNorm(TensorRole::kPostAttentionNorm, layer, *post_norm, c.hidden, "the norm after attention"));
    PITH_RETURN_IF_ERROR(FoundMatrix(TensorRole::kGate, layer, *gate, c.ffn, c.hidden, "gate"));
    PITH_RETURN_IF_ERROR(FoundMatrix(TensorRole::kUp, layer, *up, c.ffn, c.hidden, "up"));
    PITH_RETURN_IF_ERROR(FoundMatrix(TensorRole::kDown, layer, *down, c.hidden, c.ffn, "down"));
    ++c.n_layers;
    return OkStatus();
  }

  bool FeedsLogistic(int32_t t) const {
    return t >= 0 && std::any_of(graph_->operators.begin(), graph_->operators.end(), [&](const Op& op) {
             return op.op == TfliteOp::kLogistic && InputOf(op, 0) == t;
           });
  }

  // Where the nearest SLICE, behind changes of shape, begins: the only number of its start that is not 0.
  std::optional<size_t> CutFrom(int32_t t) const {
    for (size_t step = 0; step < 8; ++step) {
      const Op* op = Producer(t);
      if (op == nullptr) return std::nullopt;
      if (op->op == TfliteOp::kSlice) {
        const int32_t start = InputOf(*op, 1);
        if (start < 0 || Tensor(start).type != TfliteType::kInt32) return std::nullopt;
        const ByteSpan data = file_.Data(Tensor(start).buffer);
        ByteReader r(data);
        size_t begin = 0;
        while (r.remaining() >= 4) begin = std::max<size_t>(begin, r.U32());
        return begin;
      }
      if (op->op != TfliteOp::kReshape && op->op != TfliteOp::kTranspose) return std::nullopt;
      t = InputOf(*op, 0);
    }
    return std::nullopt;
  }

  // One product each, or one for all three with the rows of q, k and v in that order.
  Status ReadProducts(uint32_t layer, const Op& q, const Op& k, const Op& v, int32_t query_heads, int32_t key_heads,
                      int32_t value_heads) {
    ModelConfig& c = out_.config;
    const size_t kv = c.kv_rows();
    PITH_ASSIGN_OR_RETURN(const int32_t weight, Weight(q, 2, "the product of the queries"));
    const bool fused = &q == &k && &k == &v;
    if (!fused && (&q == &k || &k == &v || &q == &v)) return NoQwen3("two of q, k and v share a product");
    const size_t rows = Rows(weight);
    const size_t q_rows = fused ? rows - std::min(rows, 2 * kv) : rows;
    if (q_rows == 0 || q_rows % c.head_dim != 0) {
      return NoQwen3("queries of " + std::to_string(q_rows) + " rows with a head_dim of " + std::to_string(c.head_dim));
    }
    PITH_RETURN_IF_ERROR(SetSize(c.n_heads, q_rows / c.head_dim, "query heads"));
    if (!fused) {
      PITH_RETURN_IF_ERROR(FoundMatrix(TensorRole::kQ, layer, q, q_rows, c.hidden, "q"));
      PITH_RETURN_IF_ERROR(FoundMatrix(TensorRole::kK, layer, k, kv, c.hidden, "k"));
      return FoundMatrix(TensorRole::kV, layer, v, kv, c.hidden, "v");
    }
    PITH_RETURN_IF_ERROR(FoundMatrix(TensorRole::kQ, layer, q, q_rows + 2 * kv, c.hidden, "qkv"));
    // Which rows are whose: by where each part is cut out, in heads or in rows.
    const size_t begins[] = {0, q_rows, q_rows + kv};
    const int32_t parts[] = {query_heads, key_heads, value_heads};
    for (size_t i = 0; i < 3; ++i) {
      const std::optional<size_t> begin = CutFrom(parts[i]);
      if (begin && *begin != begins[i] && *begin * c.head_dim != begins[i]) {
        return NoQwen3("the rows of qkv are not those of q, k and v in that order");
      }
    }
    Found(TensorRole::kK, layer, weight, q_rows);
    Found(TensorRole::kV, layer, weight, q_rows + kv);
    return OkStatus();
  }

  Status ReadHead(int32_t logits) {
    ModelConfig& c = out_.config;
    PITH_ASSIGN_OR_RETURN(const Op* head, OnlySource(logits, IsProduct, "product that gives the logits"));
    PITH_ASSIGN_OR_RETURN(const Op* norm, OnlySource(InputOf(*head, 0), IsNorm, "norm before the head"));
    PITH_RETURN_IF_ERROR(FoundNorm(TensorRole::kFinalNorm, 0, *norm, c.hidden, "the norm before the head"));
    PITH_RETURN_IF_ERROR(FoundMatrix(TensorRole::kHead, 0, *head, c.vocab, c.hidden, "the head"));
    // Tied where both are the same bytes.
    c.tied_head = Tensor(found_[{0u, TensorRole::kHead}].first).buffer == Tensor(embedding_).buffer;
    return OkStatus();
  }

  // The base of the rotary angles from their frequencies, which are base^(-2i / head_dim).
  Status ReadRope() {
    ModelConfig& c = out_.config;
    for (const Op& op : graph_->operators) {
      if (op.op != TfliteOp::kCos) continue;
      const Op* product = Producer(InputOf(op, 0));
      if (product == nullptr || product->op != TfliteOp::kMul) break;
      ByteSpan data;
      for (const int32_t t : product->inputs) {
        if (t >= 0 && Tensor(t).type == TfliteType::kFloat32) {
          if (const ByteSpan d = file_.Data(Tensor(t).buffer); !d.empty()) data = d;
        }
      }
      const size_t n = c.head_dim / 2;
      if (n == 0 || data.size() != n * sizeof(float)) break;
      std::vector<float> found(n);
      std::memcpy(found.data(), data.data(), data.size());
      const float last = found.back();
      if (!(last > 0) || !(last <= 1)) break;
      if (n == 1) {  // base^0: any base gives the same
        c.rope_theta = 10000;
        return OkStatus();
      }
      const double base = Exp64(-Log64(last) * static_cast<double>(c.head_dim) / static_cast<double>(2 * (n - 1)));
      if (!(base <= 1e13)) break;  // ValidateConfig takes less
      // Floats leave its last digits open. Published ones are round: the shortest decimal number that fits.
      for (int n_digits = 1; n_digits <= 17; ++n_digits) {
        char text[32];
        const auto end = std::to_chars(text, text + sizeof text, base, std::chars_format::scientific, n_digits - 1).ptr;
        std::from_chars(text, end, c.rope_theta, std::chars_format::scientific);
        if (std::fabs(c.rope_theta - base) <= base * kRopeBaseTolerance && HasFrequencies(found)) return OkStatus();
      }
      return NoQwen3("rotary frequencies that are no powers of one base");
    }
    return NoQwen3("no COS of positions times frequencies");
  }

  // Exporters compute them in single precision: a few units in the last place.
  bool HasFrequencies(const std::vector<float>& found) const {
    const std::vector<float> expected = RopeFrequencies(out_.config);
    return std::equal(found.begin(), found.end(), expected.begin(), expected.end(), [](float a, float b) {
      return std::fabs(a - b) <= b * 0x1p-20f;
    });
  }

  Result<RecognisedModel> Collect() {
    for (const TensorSpec& spec : CanonicalTensors(out_.config)) {
      const auto found = found_.find({spec.layer, spec.role});
      if (found == found_.end()) return NoQwen3("a weight is missing");
      out_.tensors.push_back({spec, found->second.first, found->second.second});
    }
    return std::move(out_);
  }

  const TfliteFile& file_;
  const TfliteModel& model_;
  const TfliteSignature* signature_ = nullptr;
  const TfliteGraph* graph_ = nullptr;
  std::map<std::string, uint32_t, std::less<>> outputs_;  // of the signature; of one name, the last
  mutable size_t n_steps_ = 0;                             // of all searches
  std::vector<const Op*> producer_;                        // of each tensor
  int32_t embedding_ = -1;
  std::map<std::pair<uint32_t, TensorRole>, std::pair<int32_t, uint32_t>> found_;  // tensor and first row
  RecognisedModel out_;
};

}  // namespace

Result<RecognisedModel> RecogniseQwen3(const TfliteFile& file) { return Recogniser(file).Run(); }

}  // namespace pith
