#include "convert/model_layout.h"

#include <bit>

#include "base/check.h"
#include "convert/quantize.h"

namespace pith {
namespace {

constexpr std::string_view kRecordMagic = "PITHMDL1";
constexpr uint32_t kArchitectureQwen3 = 1;

Status CheckTerms(const char* site, uint8_t terms) {
  if (terms >= 1 && terms <= 2) return OkStatus();
  return InvalidArgument(std::string("activation terms of ") + site + ": found " + std::to_string(terms) +
                         ", expected 1 or 2");
}

}  // namespace

bool TensorSpec::is_matrix() const {
  switch (role) {
    case TensorRole::kInputNorm:
    case TensorRole::kQNorm:
    case TensorRole::kKNorm:
    case TensorRole::kPostAttentionNorm:
    case TensorRole::kFinalNorm:
      return false;
    default:
      return true;
  }
}

std::vector<TensorSpec> CanonicalTensors(const ModelConfig& config) {
  const auto n = [](size_t v) { return static_cast<uint32_t>(v); };
  std::vector<TensorSpec> specs;
  specs.reserve(3 + 11 * config.n_layers);
  specs.push_back({TensorRole::kEmbedding, 0, n(config.vocab), n(config.hidden)});
  for (uint32_t l = 0; l < config.n_layers; ++l) {
    specs.push_back({TensorRole::kInputNorm, l, 1, n(config.hidden)});
    specs.push_back({TensorRole::kQ, l, n(config.q_rows()), n(config.hidden)});
    specs.push_back({TensorRole::kK, l, n(config.kv_rows()), n(config.hidden)});
    specs.push_back({TensorRole::kV, l, n(config.kv_rows()), n(config.hidden)});
    specs.push_back({TensorRole::kQNorm, l, 1, n(config.head_dim)});
    specs.push_back({TensorRole::kKNorm, l, 1, n(config.head_dim)});
    specs.push_back({TensorRole::kO, l, n(config.hidden), n(config.q_rows())});
    specs.push_back({TensorRole::kPostAttentionNorm, l, 1, n(config.hidden)});
    specs.push_back({TensorRole::kGate, l, n(config.ffn), n(config.hidden)});
    specs.push_back({TensorRole::kUp, l, n(config.ffn), n(config.hidden)});
    specs.push_back({TensorRole::kDown, l, n(config.hidden), n(config.ffn)});
  }
  specs.push_back({TensorRole::kFinalNorm, 0, 1, n(config.hidden)});
  if (!config.tied_head) specs.push_back({TensorRole::kHead, 0, n(config.vocab), n(config.hidden)});
  return specs;
}

TensorSlot SlotOf(ModelWeights& weights, const TensorSpec& spec) {
  switch (spec.role) {
    case TensorRole::kEmbedding:
      return {.matrix = &weights.embedding};
    case TensorRole::kHead:
      return {.matrix = &weights.head};
    case TensorRole::kFinalNorm:
      return {.norm = &weights.final_norm};
    default:
      break;
  }
  PITH_CHECK(spec.layer < weights.layers.size());
  LayerWeights& l = weights.layers[spec.layer];
  switch (spec.role) {
    case TensorRole::kInputNorm:
      return {.norm = &l.input_norm};
    case TensorRole::kQ:
      return {.matrix = &l.q};
    case TensorRole::kK:
      return {.matrix = &l.k};
    case TensorRole::kV:
      return {.matrix = &l.v};
    case TensorRole::kQNorm:
      return {.norm = &l.q_norm};
    case TensorRole::kKNorm:
      return {.norm = &l.k_norm};
    case TensorRole::kO:
      return {.matrix = &l.o};
    case TensorRole::kPostAttentionNorm:
      return {.norm = &l.post_attention_norm};
    case TensorRole::kGate:
      return {.matrix = &l.gate};
    case TensorRole::kUp:
      return {.matrix = &l.up};
    default:
      return {.matrix = &l.down};
  }
}

Status ValidateDescription(const ModelDescription& d) {
  PITH_RETURN_IF_ERROR(ValidateConfig(d.config));
  if (d.terms.layers.size() != d.config.n_layers) {
    return InvalidArgument("activation terms of " + std::to_string(d.terms.layers.size()) +
                           " layers, expected " + std::to_string(d.config.n_layers));
  }
  PITH_RETURN_IF_ERROR(CheckTerms("head", d.terms.head));
  PITH_RETURN_IF_ERROR(CheckTerms("attention query", d.terms.attention.query));
  PITH_RETURN_IF_ERROR(CheckTerms("attention key_value", d.terms.attention.key_value));
  PITH_RETURN_IF_ERROR(CheckTerms("attention weight", d.terms.attention.weight));
  for (const LayerTerms& l : d.terms.layers) {
    PITH_RETURN_IF_ERROR(CheckTerms("qkv", l.qkv));
    PITH_RETURN_IF_ERROR(CheckTerms("o", l.o));
    PITH_RETURN_IF_ERROR(CheckTerms("gate_up", l.gate_up));
    PITH_RETURN_IF_ERROR(CheckTerms("down", l.down));
  }
  if (d.start_token >= d.config.vocab) {
    return InvalidArgument("start token " + std::to_string(d.start_token) + ", expected below vocab_size, " +
                           std::to_string(d.config.vocab));
  }
  return OkStatus();
}

Bytes EncodeDescription(const ModelDescription& d) {
  const ModelConfig& c = d.config;
  Bytes out(kRecordMagic.begin(), kRecordMagic.end());
  ByteWriter w(out);
  w.U32(kArchitectureQwen3);
  for (const size_t size :
       {c.n_layers, c.hidden, c.n_heads, c.n_kv_heads, c.head_dim, c.ffn, c.vocab, c.max_positions}) {
    w.U32(static_cast<uint32_t>(size));
  }
  w.U32(c.tied_head ? 1 : 0);
  w.U64(std::bit_cast<uint64_t>(c.rope_theta));
  w.U32(std::bit_cast<uint32_t>(c.rms_eps));
  w.U32(d.start_token);
  w.U8(d.terms.head);
  w.U8(d.terms.attention.query);
  w.U8(d.terms.attention.key_value);
  w.U8(d.terms.attention.weight);
  for (const LayerTerms& l : d.terms.layers) {
    w.U8(l.qkv);
    w.U8(l.o);
    w.U8(l.gate_up);
    w.U8(l.down);
  }
  return out;
}

Result<ModelDescription> DecodeDescription(ByteReader& r) {
  const ByteSpan magic = r.Raw(kRecordMagic.size());
  if (AsText(magic) != kRecordMagic) return Corrupt("config record does not begin with PITHMDL1");
  const uint32_t architecture = r.U32();
  if (r.ok() && architecture != kArchitectureQwen3) {
    return Unsupported("architecture " + std::to_string(architecture) + "; this build knows 1 (Qwen3)");
  }
  ModelDescription d;
  ModelConfig& c = d.config;
  for (size_t* size :
       {&c.n_layers, &c.hidden, &c.n_heads, &c.n_kv_heads, &c.head_dim, &c.ffn, &c.vocab, &c.max_positions}) {
    *size = r.U32();
  }
  const uint32_t tied = r.U32();
  c.rope_theta = std::bit_cast<double>(r.U64());
  c.rms_eps = std::bit_cast<float>(r.U32());
  d.start_token = r.U32();
  d.terms.head = r.U8();
  d.terms.attention.query = r.U8();
  d.terms.attention.key_value = r.U8();
  d.terms.attention.weight = r.U8();
  if (!r.ok()) return Corrupt("config record ends early");
  if (tied > 1) return Corrupt("config record: tied head is " + std::to_string(tied) + ", expected 0 or 1");
  c.tied_head = tied == 1;
  if (c.n_layers > kMaxLayers || c.n_layers * 4 > r.remaining()) {
    return Corrupt("config record: " + std::to_string(c.n_layers) + " layers, more than it has terms for");
  }
  for (size_t i = 0; i < c.n_layers; ++i) {
    LayerTerms l;
    l.qkv = r.U8();
    l.o = r.U8();
    l.gate_up = r.U8();
    l.down = r.U8();
    d.terms.layers.push_back(l);
  }
  const Status valid = ValidateDescription(d);
  if (!valid.ok()) return Corrupt(valid.message());
  return d;
}

CanonicalHasher::CanonicalHasher(const ModelDescription& description, ByteSpan tokenizer) {
  hasher_.Update(EncodeDescription(description));
  Bytes size;
  ByteWriter(size).U64(tokenizer.size());
  hasher_.Update(size);
  hasher_.Update(tokenizer);
}

void CanonicalHasher::AddCodes(std::span<const int8_t> rows) {
  hasher_.Update({reinterpret_cast<const uint8_t*>(rows.data()), rows.size()});
}

void CanonicalHasher::AddFloats(std::span<const float> values) {
  hasher_.Update({reinterpret_cast<const uint8_t*>(values.data()), values.size() * sizeof(float)});
}

Fingerprint CanonicalFingerprint(const ModelWeights& weights, TokenId start_token, ByteSpan tokenizer) {
  ModelWeights w = weights;  // views only; SlotOf wants something it may point into
  CanonicalHasher hasher({w.config, w.terms, start_token}, tokenizer);
  std::vector<int8_t> rows;
  for (const TensorSpec& spec : CanonicalTensors(w.config)) {
    const TensorSlot slot = SlotOf(w, spec);
    if (slot.norm != nullptr) {
      hasher.AddFloats({*slot.norm, spec.cols});
      continue;
    }
    const PanelMatrixView& m = *slot.matrix;
    rows.resize(kPanelRows * m.cols);
    for (size_t p = 0; p < m.n_panels(); ++p) {
      const size_t n_rows = std::min(kPanelRows, m.rows - p * kPanelRows);
      UnpackPanel(m.panel(p), n_rows, m.cols, rows.data());
      hasher.AddCodes(std::span(rows).first(n_rows * m.cols));
    }
    hasher.AddFloats({m.scale, m.rows});
  }
  return hasher.Digest();
}

}  // namespace pith
