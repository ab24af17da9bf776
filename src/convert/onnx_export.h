// ExportOnnx: a Qwen3 checkpoint as an ONNX model with external data. docs/onnx.md says what is written.
#pragma once

#include <cstdint>
#include <string>

#include "base/thread_pool.h"
#include "convert/export.h"
#include "convert/model_folder.h"
#include "pith/status.h"

namespace pith {

enum class OnnxWeights : uint8_t {
  kFloat32,
  kFloat16,  // stored so, computed with as float32; a value that is too large for it is an error
  kInt8,     // blocks of 32, operator MatMulNBits
  kInt4,     // the same in the layers; embedding and head as kInt8
};

struct OnnxOptions {
  OnnxWeights weights = OnnxWeights::kInt8;
  // With kInt8 and kInt4: allows the runtime to round activations to int8 per block. On CPUs onnxruntime has
  // a fast kernel for 8-bit weights only so; the divergence from float32 is then two to four times larger
  // (docs/onnx.md).
  bool int8_activations = false;
};

// The file with the tensors that belongs to the model file `out_path`; the model names it relative to itself.
std::string OnnxDataPath(const std::string& out_path);

// Writes out_path and OnnxDataPath(out_path), both or neither; replacing two files takes two renames, and who
// is killed between them leaves the old model with new data. Their bytes depend on the folder and the options
// alone. Memory grows with the scales of the largest matrix, not with the model. Errors name file and tensor:
// kCorrupt for a value that is not finite, or a tied model's own head that differs from its embedding;
// kUnsupported for a value too large for its encoding; kAlreadyExists, kIo; kCancelled when control.cancelled
// said so.
Result<ExportReport> ExportOnnx(const ModelFolder& folder, const std::string& out_path,
                                const OnnxOptions& options, const ExportControl& control, ThreadPool& pool);

}  // namespace pith
