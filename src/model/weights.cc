#include "model/weights.h"

namespace pith {
namespace {

Status CheckRange(const char* field, size_t value, size_t low, size_t high) {
  if (value >= low && value <= high) return OkStatus();
  return InvalidArgument(std::string("config: ") + field + " is " + std::to_string(value) + ", expected " +
                         std::to_string(low) + " to " + std::to_string(high));
}

}  // namespace

Status ValidateConfig(const ModelConfig& c) {
  PITH_RETURN_IF_ERROR(CheckRange("num_hidden_layers", c.n_layers, 1, kMaxLayers));
  PITH_RETURN_IF_ERROR(CheckRange("hidden_size", c.hidden, 1, kMaxDepth));
  PITH_RETURN_IF_ERROR(CheckRange("num_attention_heads", c.n_heads, 1, kMaxDepth));
  PITH_RETURN_IF_ERROR(CheckRange("num_key_value_heads", c.n_kv_heads, 1, c.n_heads));
  PITH_RETURN_IF_ERROR(CheckRange("head_dim", c.head_dim, 2, kMaxHeadDim));
  PITH_RETURN_IF_ERROR(CheckRange("num_attention_heads * head_dim", c.q_rows(), 2, kMaxDepth));
  PITH_RETURN_IF_ERROR(CheckRange("intermediate_size", c.ffn, 1, kMaxDepth));
  PITH_RETURN_IF_ERROR(CheckRange("vocab_size", c.vocab, 2, kMaxVocab));
  PITH_RETURN_IF_ERROR(CheckRange("max_position_embeddings", c.max_positions, 1, size_t{1} << 24));
  if (c.head_dim % 2 != 0) {
    return InvalidArgument("config: head_dim is " + std::to_string(c.head_dim) + ", expected an even number");
  }
  if (c.n_heads % c.n_kv_heads != 0) {
    return InvalidArgument("config: num_attention_heads is " + std::to_string(c.n_heads) +
                           ", expected a multiple of num_key_value_heads, " + std::to_string(c.n_kv_heads));
  }
  if (!(c.rope_theta >= 1.0 && c.rope_theta <= 1e12)) {
    return InvalidArgument("config: rope_theta is " + std::to_string(c.rope_theta) + ", expected 1 to 1e12");
  }
  if (!(c.rms_eps >= 0.0f && c.rms_eps <= 1.0f)) {
    return InvalidArgument("config: rms_norm_eps is " + std::to_string(c.rms_eps) + ", expected 0 to 1");
  }
  return OkStatus();
}

ActivationTerms ActivationTerms::Fast(size_t n_layers) {
  ActivationTerms t;
  t.layers.resize(n_layers);
  return t;
}

ActivationTerms ActivationTerms::Precise(size_t n_layers) {
  ActivationTerms t;
  t.layers.resize(n_layers, LayerTerms{.qkv = 2, .o = 2, .gate_up = 2, .down = 2});
  t.head = 2;
  t.attention = {.query = 2, .key_value = 2, .weight = 2};
  return t;
}

size_t ModelWeights::n_weights() const {
  const auto size = [](const PanelMatrixView& m) { return m.rows * m.cols; };
  size_t n = size(head);
  for (const LayerWeights& l : layers) {
    n += size(l.q) + size(l.k) + size(l.v) + size(l.o) + size(l.gate) + size(l.up) + size(l.down);
  }
  return n;
}

}  // namespace pith
