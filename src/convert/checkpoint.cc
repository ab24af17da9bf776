#include "convert/checkpoint.h"

#include <algorithm>

#include "base/check.h"
#include "base/file.h"
#include "formats/json.h"

namespace pith {
namespace {

constexpr size_t kMaxConfigBytes = 1u << 20;
constexpr std::string_view kHeadName = "lm_head.weight";

// Architectures that later issues bring; named so that the message helps.
constexpr struct {
  std::string_view type;
  std::string_view name;
} kNotYet[] = {{"llama", "Llama"},        {"gemma", "Gemma"},         {"gemma2", "Gemma 2"},
               {"gemma3", "Gemma 3"},     {"gemma3_text", "Gemma 3"}, {"qwen2", "Qwen2"},
               {"qwen3_moe", "Qwen3 MoE"}};

// Members of config.json by type. A member that is null counts as absent, as in transformers.
class Fields {
 public:
  Fields(const Json& object, std::string where) : object_(object), where_(std::move(where)) {}

  const Json* Find(std::string_view key) const {
    const Json* v = object_.Find(key);
    return v != nullptr && !v->is_null() ? v : nullptr;
  }
  std::string At(std::string_view key) const { return where_ + ": " + std::string(key); }

  Status Size(std::string_view key, size_t& out) const {
    const Json* v = Find(key);
    if (v == nullptr) return Missing(key);
    const auto n = v->AsUnsigned();
    if (!n) return WrongType(key, *v, "a non-negative integer");
    if (*n > UINT32_MAX)
      return InvalidArgument(At(key) + ": found " + std::to_string(*n) + ", larger than any model");
    out = *n;
    return OkStatus();
  }
  Status Number(std::string_view key, double& out) const {
    const Json* v = Find(key);
    if (v == nullptr) return Missing(key);
    const auto n = v->AsNumber();
    if (!n) return WrongType(key, *v, "a number");
    out = *n;
    return OkStatus();
  }
  // Leaves `out` where the field is absent.
  Status OptionalBool(std::string_view key, bool& out) const {
    const Json* v = Find(key);
    if (v == nullptr) return OkStatus();
    const auto b = v->AsBool();
    if (!b) return WrongType(key, *v, "true or false");
    out = *b;
    return OkStatus();
  }
  Status OptionalString(std::string_view key, std::string& out) const {
    const Json* v = Find(key);
    if (v == nullptr) return OkStatus();
    if (v->AsString() == nullptr) return WrongType(key, *v, "a string");
    out = *v->AsString();
    return OkStatus();
  }
  // Refuses a feature unless it is absent or false.
  Status RefuseIfTrue(std::string_view key) const {
    bool on = false;
    PITH_RETURN_IF_ERROR(OptionalBool(key, on));
    return on ? Unsupported(At(key) + ": found true; not supported, expected false") : OkStatus();
  }

  Status Missing(std::string_view key) const { return Corrupt(At(key) + ": missing"); }
  Status WrongType(std::string_view key, const Json& found, const std::string& expected) const {
    return Corrupt(At(key) + ": found " + std::string(found.KindName()) + ", expected " + expected);
  }

 private:
  const Json& object_;
  std::string where_;
};

Status CheckArchitecture(const Fields& fields) {
  std::string type;
  PITH_RETURN_IF_ERROR(fields.OptionalString("model_type", type));
  if (type.empty()) return fields.Missing("model_type");
  for (const auto& other : kNotYet) {
    if (type == other.type) {
      return Unsupported(fields.At("model_type") + ": " + Quoted(type) + ": " + std::string(other.name) +
                         " is not yet supported; expected \"qwen3\"");
    }
  }
  if (type != "qwen3")
    return Unsupported(fields.At("model_type") + ": found " + Quoted(type) + ", expected \"qwen3\"");
  const Json* architectures = fields.Find("architectures");
  if (architectures == nullptr) return OkStatus();
  for (const Json& a : architectures->items()) {
    if (a.AsString() != nullptr && *a.AsString() == "Qwen3ForCausalLM") return OkStatus();
  }
  return Unsupported(fields.At("architectures") + ": expected Qwen3ForCausalLM among them");
}

// What the engine does not compute must be off.
Status CheckFeatures(const Fields& fields, size_t n_layers) {
  PITH_RETURN_IF_ERROR(fields.RefuseIfTrue("attention_bias"));
  PITH_RETURN_IF_ERROR(fields.RefuseIfTrue("mlp_bias"));
  PITH_RETURN_IF_ERROR(fields.RefuseIfTrue("use_sliding_window"));  // sliding_window alone has no effect
  std::string act = "silu";
  PITH_RETURN_IF_ERROR(fields.OptionalString("hidden_act", act));
  if (act != "silu")
    return Unsupported(fields.At("hidden_act") + ": found " + Quoted(act) + ", expected \"silu\"");
  if (fields.Find("quantization_config") != nullptr) {
    return Unsupported(fields.At("quantization_config") +
                       ": quantised checkpoints are not supported; use the original one");
  }
  const Json* types = fields.Find("layer_types");
  if (types == nullptr) return OkStatus();
  if (types->kind() != Json::Kind::kArray || types->items().size() != n_layers) {
    return Corrupt(fields.At("layer_types") + ": expected an array of " + std::to_string(n_layers));
  }
  for (const Json& t : types->items()) {
    if (t.AsString() == nullptr) return fields.WrongType("layer_types", t, "strings");
    if (*t.AsString() != "full_attention") {
      return Unsupported(fields.At("layer_types") + ": found " + Quoted(*t.AsString()) +
                         ", expected \"full_attention\"");
    }
  }
  return OkStatus();
}

// A rope description in the old place (rope_scaling) or the new one (rope_parameters) must be of the plain
// kind.
Status CheckRope(const Fields& fields, std::string_view key) {
  const Json* rope = fields.Find(key);
  if (rope == nullptr) return OkStatus();
  if (rope->kind() != Json::Kind::kObject) return fields.WrongType(key, *rope, "an object");
  const Fields inner(*rope, fields.At(key));
  for (const std::string_view type_key : {"rope_type", "type"}) {
    std::string type = "default";
    PITH_RETURN_IF_ERROR(inner.OptionalString(type_key, type));
    if (type != "default") {
      return Unsupported(inner.At(type_key) + ": found " + Quoted(type) +
                         ": scaled rope is not supported; expected \"default\"");
    }
  }
  if (inner.Find("partial_rotary_factor") != nullptr) {
    double factor = 1;
    PITH_RETURN_IF_ERROR(inner.Number("partial_rotary_factor", factor));
    if (factor != 1) return Unsupported(inner.At("partial_rotary_factor") + ": expected 1");
  }
  return OkStatus();
}

Status ReadRopeTheta(const Fields& fields, double& theta) {
  PITH_RETURN_IF_ERROR(CheckRope(fields, "rope_scaling"));
  PITH_RETURN_IF_ERROR(CheckRope(fields, "rope_parameters"));
  const Json* parameters = fields.Find("rope_parameters");
  if (parameters == nullptr || parameters->Find("rope_theta") == nullptr)
    return fields.Number("rope_theta", theta);
  PITH_RETURN_IF_ERROR(Fields(*parameters, fields.At("rope_parameters")).Number("rope_theta", theta));
  if (fields.Find("rope_theta") == nullptr) return OkStatus();
  double top = 0;
  PITH_RETURN_IF_ERROR(fields.Number("rope_theta", top));
  if (top != theta) {
    return Corrupt(fields.At("rope_theta") + ": found " + std::to_string(top) +
                   ", but rope_parameters says " + std::to_string(theta));
  }
  return OkStatus();
}

std::string ShapeOf(const TensorSpec& spec) {
  std::string text = "[";
  if (spec.is_matrix()) text.append(std::to_string(spec.rows)).append(", ");
  return text.append(std::to_string(spec.cols)).append("]");
}

Status CheckTensor(const SafetensorsTensor& t, const TensorSpec& spec) {
  const std::string place = std::string(t.where) + ": tensor " + Quoted(t.name);
  const bool fits = spec.is_matrix()
                        ? t.shape.size() == 2 && t.shape[0] == spec.rows && t.shape[1] == spec.cols
                        : t.shape.size() == 1 && t.shape[0] == spec.cols;
  if (!fits)
    return Corrupt(place + ": shape " + t.ShapeText() + ", expected " + ShapeOf(spec) + " by config.json");
  if (!t.is_float()) {
    return Unsupported(place + ": type " + std::string(DataTypeName(t.type)) + ", expected F32, F16 or BF16");
  }
  return OkStatus();
}

}  // namespace

Result<ModelConfig> ParseCheckpointConfig(ByteSpan text, const std::string& where) {
  JsonLimits limits;
  limits.max_bytes = kMaxConfigBytes;
  limits.max_values = 100'000;
  PITH_ASSIGN_OR_RETURN(const Json json, Json::Parse(text, where, limits));
  if (json.kind() != Json::Kind::kObject) {
    return Corrupt(where + ": found " + std::string(json.KindName()) + ", expected an object");
  }
  const Fields fields(json, where);
  PITH_RETURN_IF_ERROR(CheckArchitecture(fields));
  ModelConfig c;
  PITH_RETURN_IF_ERROR(fields.Size("num_hidden_layers", c.n_layers));
  PITH_RETURN_IF_ERROR(fields.Size("hidden_size", c.hidden));
  PITH_RETURN_IF_ERROR(fields.Size("num_attention_heads", c.n_heads));
  PITH_RETURN_IF_ERROR(fields.Size("num_key_value_heads", c.n_kv_heads));
  PITH_RETURN_IF_ERROR(fields.Size("head_dim", c.head_dim));
  PITH_RETURN_IF_ERROR(fields.Size("intermediate_size", c.ffn));
  PITH_RETURN_IF_ERROR(fields.Size("vocab_size", c.vocab));
  PITH_RETURN_IF_ERROR(fields.Size("max_position_embeddings", c.max_positions));
  double eps = 0;
  PITH_RETURN_IF_ERROR(fields.Number("rms_norm_eps", eps));
  if (!(eps >= 0 && eps <= 1)) {  // before it becomes a float, which it might not fit
    return InvalidArgument(fields.At("rms_norm_eps") + ": found " + std::to_string(eps) +
                           ", expected 0 to 1");
  }
  c.rms_eps = static_cast<float>(eps);
  PITH_RETURN_IF_ERROR(ReadRopeTheta(fields, c.rope_theta));
  PITH_RETURN_IF_ERROR(
      fields.OptionalBool("tie_word_embeddings", c.tied_head));  // absent: false, as in transformers
  PITH_RETURN_IF_ERROR(ValidateConfig(c).WithContext(where));
  PITH_RETURN_IF_ERROR(CheckFeatures(fields, c.n_layers));
  return c;
}

std::string CheckpointTensorName(const TensorSpec& spec) {
  const auto in_layer = [&](std::string_view name) {
    return std::string("model.layers.")
        .append(std::to_string(spec.layer))
        .append(".")
        .append(name)
        .append(".weight");
  };
  switch (spec.role) {
    case TensorRole::kEmbedding:
      return "model.embed_tokens.weight";
    case TensorRole::kHead:
      return std::string(kHeadName);
    case TensorRole::kFinalNorm:
      return "model.norm.weight";
    case TensorRole::kInputNorm:
      return in_layer("input_layernorm");
    case TensorRole::kQ:
      return in_layer("self_attn.q_proj");
    case TensorRole::kK:
      return in_layer("self_attn.k_proj");
    case TensorRole::kV:
      return in_layer("self_attn.v_proj");
    case TensorRole::kQNorm:
      return in_layer("self_attn.q_norm");
    case TensorRole::kKNorm:
      return in_layer("self_attn.k_norm");
    case TensorRole::kO:
      return in_layer("self_attn.o_proj");
    case TensorRole::kPostAttentionNorm:
      return in_layer("post_attention_layernorm");
    case TensorRole::kGate:
      return in_layer("mlp.gate_proj");
    case TensorRole::kUp:
      return in_layer("mlp.up_proj");
    case TensorRole::kDown:
      return in_layer("mlp.down_proj");
  }
  PITH_CHECK(false);
}

Result<std::unique_ptr<Checkpoint>> Checkpoint::Open(const std::string& directory) {
  auto checkpoint = std::unique_ptr<Checkpoint>(new Checkpoint());
  const std::string config_path = directory + "/config.json";
  {
    PITH_ASSIGN_OR_RETURN(const std::unique_ptr<MappedFile> text, MappedFile::Open(config_path));
    PITH_ASSIGN_OR_RETURN(checkpoint->config_, ParseCheckpointConfig(text->bytes(), config_path));
  }
  PITH_ASSIGN_OR_RETURN(checkpoint->folder_, SafetensorsFolder::Open(directory));
  const SafetensorsFolder& folder = *checkpoint->folder_;
  const std::vector<TensorSpec> specs = CanonicalTensors(checkpoint->config_);
  std::vector<std::string> known;
  for (const TensorSpec& spec : specs) {
    known.push_back(CheckpointTensorName(spec));
    const SafetensorsTensor* t = folder.Find(known.back());
    if (t == nullptr) {
      return NotFound(directory + ": tensor " + Quoted(known.back()) + " is missing, expected with shape " +
                      ShapeOf(spec));
    }
    PITH_RETURN_IF_ERROR(CheckTensor(*t, spec));
  }
  if (checkpoint->config_.tied_head) {
    known.emplace_back(kHeadName);
    checkpoint->duplicate_head_ = folder.Find(kHeadName);
    if (checkpoint->duplicate_head_ != nullptr)
      PITH_RETURN_IF_ERROR(CheckTensor(*checkpoint->duplicate_head_, specs[0]));
  }
  std::sort(known.begin(), known.end());
  for (const SafetensorsTensor& t : folder.tensors()) {
    if (!std::binary_search(known.begin(), known.end(), t.name)) {
      return Unsupported(std::string(t.where) + ": tensor " + Quoted(t.name) + " of shape " + t.ShapeText() +
                         " has no place in a Qwen3 model of this config");
    }
    checkpoint->data_bytes_ += t.data.size();
  }
  return checkpoint;
}

const SafetensorsTensor& Checkpoint::tensor(const TensorSpec& spec) const {
  const SafetensorsTensor* t = folder_->Find(CheckpointTensorName(spec));
  PITH_CHECK(t != nullptr);
  return *t;
}

}  // namespace pith
