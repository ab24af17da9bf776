// Qwen3Graph: the TFLite graphs of a Qwen3 model as LiteRT-LM runs them: one signature for decoding, one a prefill length,
// over one set of weights.
//
// docs/litertlm.md section 2 describes the graphs and why they are so.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "convert/model_layout.h"
#include "formats/tflite.h"
#include "model/weights.h"
#include "pith/status.h"

namespace pith {

// How matrices are stored.
enum class WeightEncoding {
  kDynamicInt8,     // INT8 rows; activations are quantised at run time
  kWeightOnlyInt8,  // INT8 rows, made floats before the product
  kDynamicInt4,     // INT4 in blocks; activations are quantised at run time
  kFloat16,         // made floats before the product
  kFloat32,
};

inline constexpr size_t kMaxPrefillLengths = 64;  // each is a graph of its own: 1,900 operators for 36 layers

struct GraphOptions {
  WeightEncoding encoding = WeightEncoding::kDynamicInt8;
  int32_t block = 32;  // of kDynamicInt4: columns that share a scale; even
  int32_t cache_length = 1280;
  std::vector<int32_t> prefill_lengths = {8, 64, 128, 256, 512, 1024};
};

// One buffer of weights, external to the flatbuffer.
struct GraphWeight {
  std::string name;               // "layers.3.qkv"
  std::vector<TensorSpec> parts;  // canonical tensors whose rows follow each other
  uint32_t rows = 0;              // of all parts; 1 for a norm, which is always FLOAT32
  uint32_t cols = 0;
  uint32_t buffer = 0;        // its place in TfliteModel::buffers
  int32_t quantization = -1;  // its scales in TfliteModel::quantizations; -1: none
  uint32_t scales_buffer = 0;  // of kDynamicInt4: FLOAT16 [rows, cols / block]; 0: none

  bool is_matrix() const { return parts.front().is_matrix(); }
};

struct Qwen3Graph {
  TfliteModel model;  // scales are 1 and offsets 0: the writer of the weights fills them in
  std::vector<GraphWeight> weights;  // canonical order, which is that of their buffers
};

// kInvalidArgument for a length that is not from 1 to the cache's, lengths that repeat or are too many, or columns that
// blocks do not divide.
// REQUIRES: ValidateConfig(config) is ok.
Result<Qwen3Graph> BuildQwen3Graph(const ModelConfig& config, const GraphOptions& options);

// Inverse frequencies of rope as the graphs hold them: [head_dim / 2].
std::vector<float> RopeFrequencies(const ModelConfig& config);

inline constexpr std::string_view kRmsNormComposite = "odml.rms_norm";  // fused by delegates that know it
inline constexpr std::string_view kEpsilonAttribute = "epsilon";

}  // namespace pith
