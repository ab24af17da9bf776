// BuildOnnxGraph: a Qwen3 decoder as ONNX nodes, without its weights.
//
// docs/onnx.md says which inputs, outputs and operators it has, and why.
#pragma once

#include <cstdint>
#include <string>

#include "convert/model_layout.h"
#include "formats/onnx.h"
#include "model/weights.h"

namespace pith {

// How a matrix [rows, cols] stands in an ONNX file.
enum class OnnxForm : uint8_t {
  kFloat32,  // FLOAT [rows, cols]
  kFloat16,  // FLOAT16 [rows, cols]; computed with as FLOAT
  kInt8,     // convert/onnx_blocks.h: UINT8 [rows, blocks, 32], and FLOAT scales [rows, blocks]
  kInt4,     // the same with UINT8 [rows, blocks, 16]
};

struct OnnxForms {
  OnnxForm embedding = OnnxForm::kFloat32;  // of a tied head, too; not kInt4
  OnnxForm layers = OnnxForm::kFloat32;
  OnnxForm head = OnnxForm::kFloat32;
  bool int8_activations =
      false;  // let kInt8 and kInt4 round what they multiply with to int8 (accuracy_level 4)
};

// Names of the initializers of a weight, from its name in the checkpoint. A norm has that name itself.
std::string OnnxWeightName(const std::string& tensor, OnnxForm form);
std::string OnnxScalesName(const std::string& tensor);

// A model complete but for the initializers named above.
// REQUIRES: ValidateConfig(config) is ok.
OnnxModel BuildOnnxGraph(const ModelConfig& config, const OnnxForms& forms);

}  // namespace pith
