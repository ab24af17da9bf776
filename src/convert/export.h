// What the exporters (.litertlm, GGUF, ONNX) have in common: progress, and what they report.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace pith {

struct ExportProgress {
  uint64_t done = 0;      // bytes of the checkpoint
  uint64_t total = 0;
  std::string_view item;  // name of the tensor; valid during the call
};

// The same for every exporter.
struct ExportControl {
  std::function<void(const ExportProgress&)> progress;  // called on the calling thread; may be empty
  std::function<bool()> cancelled;                      // asked often; may be empty
  bool replace = false;                                 // whether an existing output may be replaced
  std::string name;  // of the model, for people; empty: the folder's
};

// What became of one tensor of the checkpoint.
struct TensorReport {
  std::string name;      // in the checkpoint
  std::string encoding;  // in the output: "INT8 rows", "Q8_0", "F16"
  uint64_t rows = 0;     // 1 for a norm
  uint64_t cols = 0;
  uint64_t bytes = 0;    // in the output, scales included
  // Of the values that the output stands for against those of the checkpoint: root of the mean square of the
  // differences, over that of the values; and the largest difference. 0 where the encoding is exact.
  double relative_error = 0;
  double largest_error = 0;
  double outlier = 0;  // largest magnitude over root mean square: above about 30 a row's int8 steps are coarse
};

struct ExportReport {
  std::vector<TensorReport> tensors;  // in the order of the output
  uint64_t source_bytes = 0;          // tensors of the checkpoint
  uint64_t output_bytes = 0;          // of all files written
  double seconds = 0;
};

}  // namespace pith
