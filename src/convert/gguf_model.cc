#include "convert/gguf_model.h"

#include <algorithm>
#include <span>
#include <unordered_set>
#include <utility>

#include "base/file.h"
#include "base/float_environment.h"
#include "convert/ggml_decode.h"
#include "convert/gguf_export.h"
#include "convert/package_format.h"
#include "convert/quantize.h"
#include "formats/json.h"

namespace pith {
namespace {

constexpr std::string_view kArchitecture = "qwen3";

std::string Show(const GgufValue& value) {
  if (const auto text = value.AsString()) return Quoted(*text);
  if (const auto b = value.AsBool()) return *b ? "true" : "false";
  if (const auto integer = value.AsInteger()) return std::to_string(*integer);
  if (const auto number = value.AsNumber()) return std::to_string(*number);
  return "a value of kind " + std::string(GgufKindName(value.kind()));
}

std::string ShapeText(std::span<const uint64_t> shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) text += (i > 0 ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

// Keys of a file, with errors that name them. Keys without a dot at the front are whole; ".x" stands for
// "qwen3.x".
class Keys {
 public:
  explicit Keys(const GgufFile& file) : file_(file) {}

  static std::string Name(std::string_view key) {
    return (key.starts_with('.') ? std::string(kArchitecture) : std::string()) + std::string(key);
  }
  const GgufValue* Find(std::string_view key) const { return file_.Find(Name(key)); }

  // kCorrupt where the key is there and of another kind; `out` stays as it is where the key is missing.
  Status Read(std::string_view key, std::optional<uint64_t>& out) const {
    const GgufValue* v = Find(key);
    if (v == nullptr) return OkStatus();
    out = v->AsUnsigned();
    return out ? OkStatus() : Wrong(key, *v, "an integer from 0 on");
  }
  Status Read(std::string_view key, std::optional<double>& out) const {
    const GgufValue* v = Find(key);
    if (v == nullptr) return OkStatus();
    out = v->AsNumber();
    return out ? OkStatus() : Wrong(key, *v, "a number");
  }
  Status Read(std::string_view key, std::string_view& out) const {
    const GgufValue* v = Find(key);
    if (v == nullptr) return OkStatus();
    if (!v->AsString()) return Wrong(key, *v, "a string");
    out = *v->AsString();
    return OkStatus();
  }
  Status Read(std::string_view key, bool& out) const {
    const GgufValue* v = Find(key);
    if (v == nullptr) return OkStatus();
    if (!v->AsBool()) return Wrong(key, *v, "a bool");
    out = *v->AsBool();
    return OkStatus();
  }

  // The same for a key that must be there.
  Status ReadSize(std::string_view key, size_t& out) const {
    std::optional<uint64_t> value;
    PITH_RETURN_IF_ERROR(Read(key, value));
    if (!value) return Corrupt(Name(key) + ": missing");
    out = *value;
    return OkStatus();
  }

  // kUnsupported for a setting that changes the arithmetic, unless it has this value.
  Status ExpectIfSet(std::string_view key, uint64_t expected) const {
    std::optional<uint64_t> value;
    PITH_RETURN_IF_ERROR(Read(key, value));
    if (!value || *value == expected) return OkStatus();
    return Unsupported(Name(key) + ": found " + std::to_string(*value) + ", expected " +
                       std::to_string(expected));
  }

 private:
  static Status Wrong(std::string_view key, const GgufValue& found, const std::string& expected) {
    return Corrupt(Name(key) + ": found " + Show(found) + ", expected " + expected);
  }
  const GgufFile& file_;
};

// What kind of file it is: one whole Qwen3 model.
Status CheckKind(const Keys& keys) {
  std::string_view architecture;
  PITH_RETURN_IF_ERROR(keys.Read("general.architecture", architecture));
  if (architecture != kArchitecture) {
    return Unsupported("general.architecture: found " +
                       (architecture.empty() ? "nothing" : Quoted(architecture)) +
                       ", expected \"qwen3\": pith does not run others yet");
  }
  std::string_view type = "model";
  PITH_RETURN_IF_ERROR(keys.Read("general.type", type));
  if (type != "model") return Unsupported("general.type: found " + Quoted(type) + ", expected \"model\"");
  std::optional<uint64_t> n_parts;
  PITH_RETURN_IF_ERROR(keys.Read("split.count", n_parts));
  if (n_parts.value_or(1) > 1) {
    return Unsupported("one of " + std::to_string(*n_parts) +
                       " parts of a model, expected a whole one: llama-gguf-split --merge makes it");
  }
  return OkStatus();
}

// Rope other than plain, windows, and heads that are not all alike would need another engine.
Status CheckSettings(const Keys& keys, const ModelConfig& c) {
  std::string_view scaling = "none";
  PITH_RETURN_IF_ERROR(keys.Read(".rope.scaling.type", scaling));
  if (scaling != "none") {
    return Unsupported(Keys::Name(".rope.scaling.type") + ": found " + Quoted(scaling) +
                       ", expected \"none\"");
  }
  for (const std::string_view key : {".rope.scaling.factor", ".rope.scale_linear"}) {
    std::optional<double> factor;
    PITH_RETURN_IF_ERROR(keys.Read(key, factor));
    // 0 says "not set", as in llama.cpp.
    if (factor && *factor != 0 && *factor != 1) {
      return Unsupported(Keys::Name(key) + ": found " + std::to_string(*factor) + ", expected 1");
    }
  }
  PITH_RETURN_IF_ERROR(keys.ExpectIfSet(".rope.dimension_count", c.head_dim));
  PITH_RETURN_IF_ERROR(keys.ExpectIfSet(".attention.value_length", c.head_dim));
  PITH_RETURN_IF_ERROR(keys.ExpectIfSet(".attention.sliding_window", 0));
  PITH_RETURN_IF_ERROR(keys.ExpectIfSet(".expert_count", 0));
  bool causal = true;
  PITH_RETURN_IF_ERROR(keys.Read(".attention.causal", causal));
  return causal ? OkStatus() : Unsupported(Keys::Name(".attention.causal") + ": found false, expected true");
}

// `vocab` and `tied_head` come from the tensors.
Result<ModelConfig> ReadConfig(const Keys& keys, uint64_t vocab, bool tied_head) {
  ModelConfig c;
  c.vocab = vocab;
  c.tied_head = tied_head;
  PITH_RETURN_IF_ERROR(keys.ReadSize(".block_count", c.n_layers));
  PITH_RETURN_IF_ERROR(keys.ReadSize(".context_length", c.max_positions));
  PITH_RETURN_IF_ERROR(keys.ReadSize(".embedding_length", c.hidden));
  PITH_RETURN_IF_ERROR(keys.ReadSize(".feed_forward_length", c.ffn));
  PITH_RETURN_IF_ERROR(keys.ReadSize(".attention.head_count", c.n_heads));
  std::optional<uint64_t> n_kv_heads;
  PITH_RETURN_IF_ERROR(keys.Read(".attention.head_count_kv", n_kv_heads));
  c.n_kv_heads = n_kv_heads.value_or(c.n_heads);
  std::optional<uint64_t> head_dim;
  PITH_RETURN_IF_ERROR(keys.Read(".attention.key_length", head_dim));
  c.head_dim = head_dim ? *head_dim : c.n_heads != 0 ? c.hidden / c.n_heads : 0;
  std::optional<double> base;
  PITH_RETURN_IF_ERROR(keys.Read(".rope.freq_base", base));
  c.rope_theta = base.value_or(10000);  // llama.cpp's default
  std::optional<double> epsilon;
  PITH_RETURN_IF_ERROR(keys.Read(".attention.layer_norm_rms_epsilon", epsilon));
  if (!epsilon) return Corrupt(Keys::Name(".attention.layer_norm_rms_epsilon") + ": missing");
  c.rms_eps = static_cast<float>(*epsilon);
  const Status valid = ValidateConfig(c);
  if (!valid.ok()) return Unsupported(valid.message());
  PITH_RETURN_IF_ERROR(CheckSettings(keys, c));
  return c;
}

Result<GgufSpecialTokens> ReadSpecialTokens(const Keys& keys, size_t vocab) {
  GgufSpecialTokens out;
  for (const auto& [name, id] : {std::pair("bos_token_id", &out.bos), std::pair("eos_token_id", &out.eos),
                                 std::pair("eot_token_id", &out.eot), std::pair("eom_token_id", &out.eom),
                                 std::pair("padding_token_id", &out.padding)}) {
    const std::string key = std::string("tokenizer.ggml.") + name;
    std::optional<uint64_t> value;
    PITH_RETURN_IF_ERROR(keys.Read(key, value));
    if (!value) continue;
    if (*value >= vocab) {
      return Corrupt(key + ": found " + std::to_string(*value) + ", expected an id below " +
                     std::to_string(vocab));
    }
    *id = static_cast<TokenId>(*value);
  }
  PITH_RETURN_IF_ERROR(keys.Read("tokenizer.ggml.add_bos_token", out.add_bos));
  PITH_RETURN_IF_ERROR(keys.Read("tokenizer.ggml.add_eos_token", out.add_eos));
  return out;
}

// The tensor that a spec stands for, of exactly its shape.
Result<const GgufTensor*> FindTensor(const GgufFile& file, const TensorSpec& spec) {
  const std::string name = GgufTensorName(spec);
  const GgufTensor* t = file.FindTensor(name);
  if (t == nullptr) return Corrupt("tensor " + Quoted(name) + ": missing");
  const uint64_t shape[2] = {spec.rows, spec.cols};
  const auto expected = std::span(shape).last(spec.is_matrix() ? 2 : 1);
  if (!std::equal(t->shape.begin(), t->shape.end(), expected.begin(), expected.end())) {
    return Corrupt("tensor " + Quoted(name) + ": shape " + ShapeText(t->shape) + ", expected " +
                   ShapeText(expected));
  }
  if (!CanDecodeGgml(t->encoding)) {
    return Unsupported("tensor " + Quoted(name) + ": encoding " + std::string(GgufEncodingName(t->encoding)) +
                       ", expected one of " + DecodableGgmlNames());
  }
  return t;
}

}  // namespace

bool LooksLikeGguf(ByteSpan file) { return AsText(file.first(std::min<size_t>(file.size(), 4))) == "GGUF"; }

Result<std::unique_ptr<GgufModel>> GgufModel::Open(const std::string& path) {
  PITH_ASSIGN_OR_RETURN(std::unique_ptr<GgufFile> file, GgufFile::Open(path));
  Result<std::unique_ptr<GgufModel>> model = FromFile(std::move(file));
  return model.ok() ? std::move(model) : model.status().WithContext(path);
}

Result<std::unique_ptr<GgufModel>> GgufModel::FromFile(std::unique_ptr<GgufFile> file) {
  std::unique_ptr<GgufModel> model(new GgufModel);
  model->file_ = std::move(file);
  PITH_RETURN_IF_ERROR(model->Read());
  return model;
}

Status GgufModel::Read() {
  const Keys keys(*file_);
  PITH_RETURN_IF_ERROR(CheckKind(keys));
  const GgufTensor* embedding = file_->FindTensor(GgufTensorName({.role = TensorRole::kEmbedding}));
  if (embedding == nullptr || embedding->shape.size() != 2) {
    return Corrupt("tensor \"token_embd.weight\": missing, or no matrix");
  }
  const uint64_t vocab = embedding->shape[0];
  const bool tied = file_->FindTensor(GgufTensorName({.role = TensorRole::kHead})) == nullptr;
  PITH_ASSIGN_OR_RETURN(config_, ReadConfig(keys, vocab, tied));
  PITH_ASSIGN_OR_RETURN(special_, ReadSpecialTokens(keys, vocab));
  PITH_RETURN_IF_ERROR(keys.Read("tokenizer.chat_template", chat_template_));
  std::unordered_set<const GgufTensor*> known;
  for (const TensorSpec& spec : CanonicalTensors(config_)) {
    PITH_ASSIGN_OR_RETURN(const GgufTensor* t, FindTensor(*file_, spec));
    tensors_.push_back(t);
    known.insert(t);
  }
  // Biases, factors of rope and the like would change the results: nothing is left out silently.
  for (const GgufTensor& t : file_->tensors()) {
    if (!known.contains(&t)) return Unsupported("tensor " + Quoted(t.name) + ": none of a Qwen3 model");
  }
  return OkStatus();
}

bool GgufModel::has_tokenizer() const {
  const GgufValue* model = file_->Find("tokenizer.ggml.model");
  return model != nullptr && model->AsString() != "no_vocab" && model->AsString() != "none";
}

std::string GgufModel::name() const {
  const GgufValue* given = file_->Find("general.name");
  if (given != nullptr && given->AsString() && ValidateModelName(*given->AsString()).ok())
    return std::string(*given->AsString());
  std::string name = file_->mapped() != nullptr ? file_->mapped()->path() : "";
  name = name.substr(name.rfind('/') + 1);
  name = name.substr(0, name.rfind('.'));
  return ValidateModelName(name).ok() ? name : "model";
}

Result<std::unique_ptr<WeightPacker>> GgufModel::NewPacker(const ActivationTerms& terms,
                                                           ThreadPool& pool) const {
  PITH_RETURN_IF_ERROR(ValidateDescription({config_, terms, 0}));
  return std::make_unique<WeightPacker>(config_, terms, pool);
}

Status GgufModel::Pack(WeightPacker& packer) const {
  const ScopedFloatEnvironment environment;
  const std::vector<TensorSpec> specs = CanonicalTensors(config_);
  for (size_t i = 0; i < specs.size(); ++i) {
    const GgufTensor& t = *tensors_[i];
    const std::string place = "tensor " + Quoted(t.name);
    if (!specs[i].is_matrix()) {
      PITH_RETURN_IF_ERROR(packer.AddNorm(
          specs[i], place, [&](std::span<float> norm) { DecodeGgmlRow(t.encoding, t.data.data(), norm); }));
      continue;
    }
    const uint64_t row_bytes = GgufRowBytes(t.encoding, specs[i].cols);
    PITH_RETURN_IF_ERROR(packer.AddMatrix(
        specs[i], place, [&](size_t row, std::span<float> values, int8_t* codes, float* scale) {
          DecodeGgmlRow(t.encoding, t.data.data() + row * row_bytes, values);
          if (FindNonFinite(values)) return false;
          *scale = QuantizeRow(values, codes);
          return true;
        }));
    if (file_->mapped() != nullptr) DropPages(t.data);
  }
  return OkStatus();
}

Result<std::unique_ptr<Package>> GgufModel::Finish(WeightPacker& packer, Bytes tokenizer,
                                                   const std::string& name, TokenId start_token) const {
  return packer.Finish(std::move(tokenizer), name, start_token, file_->size_bytes());
}

Result<std::unique_ptr<Package>> GgufModel::ToPackage(Bytes tokenizer, const std::string& name,
                                                      TokenId start_token, const ActivationTerms& terms,
                                                      ThreadPool& pool) const {
  PITH_ASSIGN_OR_RETURN(const std::unique_ptr<WeightPacker> packer, NewPacker(terms, pool));
  PITH_RETURN_IF_ERROR(Pack(*packer));
  PITH_RETURN_IF_ERROR(packer->Hash(start_token, tokenizer));
  return Finish(*packer, std::move(tokenizer), name, start_token);
}

}  // namespace pith
