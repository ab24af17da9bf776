// RecogniseQwen3: finds the weights of a Qwen3 model in the decode graph of a TFLite file, whoever wrote it.
#pragma once

#include <cstdint>
#include <vector>

#include "convert/model_layout.h"
#include "formats/tflite.h"
#include "model/weights.h"
#include "pith/status.h"

namespace pith {

// Rows [first_row, first_row + spec.rows) of a tensor of the decode graph.
struct FoundTensor {
  TensorSpec spec;
  int32_t tensor = 0;
  uint32_t first_row = 0;
};

struct RecognisedModel {
  ModelConfig config;  // max_positions: the length of the KV cache
  uint32_t graph = 0;  // of the decode signature
  std::vector<FoundTensor> tensors;  // canonical order
};

// How far the base of rope that is computed from a graph's frequencies, which are floats, may be off.
inline constexpr double kRopeBaseTolerance = 0x1p-18;

// Follows the data from the signature's names: keys and values to their products and norms, the mixed values to the rest of
// the layer, the logits to the head. kUnsupported, naming what was looked for, where the graph is of another kind.
Result<RecognisedModel> RecogniseQwen3(const TfliteFile& file);

}  // namespace pith
