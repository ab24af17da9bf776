// ModelConfig and ModelWeights: what the forward pass needs to know of a model, as views on packed memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "pith/status.h"
#include "tensor/panel.h"

namespace pith {

using TokenId = uint32_t;

// Limits of what is accepted, so that sizes from a file cannot overflow or exhaust anything.
inline constexpr size_t kMaxLayers = 1024;
inline constexpr size_t kMaxDepth = 131072;      // columns of a matrix (contract 3)
inline constexpr size_t kMaxVocab = 1u << 20;    // contract 8
inline constexpr size_t kMaxHeadDim = 1024;

// Sizes of a Qwen3 decoder.
struct ModelConfig {
  size_t n_layers = 0;
  size_t hidden = 0;      // width of the residual stream
  size_t n_heads = 0;     // query heads; a multiple of n_kv_heads
  size_t n_kv_heads = 0;
  size_t head_dim = 0;    // even; n_heads * head_dim need not be hidden
  size_t ffn = 0;         // width between gate/up and down
  size_t vocab = 0;       // rows of the embedding, padding ids included
  size_t max_positions = 0;  // length that the model was trained for
  double rope_theta = 0;
  float rms_eps = 0;
  bool tied_head = false;  // the head is the embedding

  bool operator==(const ModelConfig&) const = default;
  size_t q_rows() const { return n_heads * head_dim; }
  size_t kv_rows() const { return n_kv_heads * head_dim; }
};

// kInvalidArgument naming the field, its value and the limit.
Status ValidateConfig(const ModelConfig& config);

// How many int8 terms the codes have that enter each product (contract 4): 1 is fast, 2 loses nothing.
struct LayerTerms {
  uint8_t qkv = 1;    // input of q, k, v
  uint8_t o = 1;      // attention output
  uint8_t gate_up = 1;
  uint8_t down = 1;
  bool operator==(const LayerTerms&) const = default;
};
struct AttentionTerms {
  uint8_t query = 1;
  uint8_t key_value = 1;  // 2: keys and values are kept as two planes
  uint8_t weight = 2;     // the softmax weights p; 1 rounds small weights beside a large one to 0
  bool operator==(const AttentionTerms&) const = default;
};
struct ActivationTerms {
  std::vector<LayerTerms> layers;  // [n_layers]
  uint8_t head = 1;
  AttentionTerms attention;
  bool operator==(const ActivationTerms&) const = default;

  static ActivationTerms Fast(size_t n_layers);     // one term everywhere (softmax weights: two)
  static ActivationTerms Precise(size_t n_layers);  // two everywhere
};

// Weights of one layer. Matrices [d_out, d_in] in panel layout with a scale a row; norms are float.
struct LayerWeights {
  PanelMatrixView q;     // [n_heads * head_dim, hidden]
  PanelMatrixView k;     // [n_kv_heads * head_dim, hidden]
  PanelMatrixView v;     // [n_kv_heads * head_dim, hidden]
  PanelMatrixView o;     // [hidden, n_heads * head_dim]
  PanelMatrixView gate;  // [ffn, hidden]
  PanelMatrixView up;    // [ffn, hidden]
  PanelMatrixView down;  // [hidden, ffn]
  const float* input_norm = nullptr;           // [hidden]
  const float* post_attention_norm = nullptr;  // [hidden]
  const float* q_norm = nullptr;               // [head_dim]
  const float* k_norm = nullptr;               // [head_dim]
};

// A whole model. The views borrow from memory that the owner (convert/package.h) keeps.
struct ModelWeights {
  ModelConfig config;
  ActivationTerms terms;
  PanelMatrixView embedding;  // [vocab, hidden]
  PanelMatrixView head;       // [vocab, hidden]; the embedding's view when tied
  const float* final_norm = nullptr;  // [hidden]
  std::vector<LayerWeights> layers;

  size_t n_weights() const;  // int8 weights that one token's forward pass multiplies with (head included)
};

}  // namespace pith
