// Onnx: models as ONNX files. The structs below are written whole (EncodeOnnx), with large tensors in a file
// of their own (OnnxDataWriter); of any file, the contents can be listed (ReadOnnx).
//
// Format: https://github.com/onnx/onnx (onnx/onnx.proto, docs/IR.md, docs/ExternalData.md), a protocol
// buffer. This file knows fields; what a node computes is the business of convert/.
//
// Thread-compatible: pure functions and one writer per thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/file.h"
#include "pith/status.h"

namespace pith {

// TensorProto.DataType: numbers as they stand in files. A file may hold others.
enum class OnnxType : int32_t {
  kUndefined = 0,
  kFloat = 1,
  kUint8 = 2,
  kInt8 = 3,
  kInt32 = 6,
  kInt64 = 7,
  kBool = 9,
  kFloat16 = 10,
};
std::string OnnxTypeName(OnnxType type);  // "FLOAT16"; "type 99" for a number that has no name here
size_t OnnxTypeBits(OnnxType type);       // of one element; 0 where that is not fixed or not known

// Place of a tensor's bytes in another file beside the model.
struct OnnxDataPlace {
  std::string location;  // a file name relative to the model's folder
  uint64_t offset = 0;
  uint64_t length = 0;
};

// A constant: its bytes are in `raw` (elements little-endian, last dimension fastest), or lie at `external`.
struct OnnxTensor {
  std::string name;
  OnnxType type = OnnxType::kFloat;
  std::vector<int64_t> dims;  // slowest dimension first; empty for a scalar
  std::string raw;
  std::optional<OnnxDataPlace> external;
};

// An input or output. A dimension that is known only when the model runs has a name and no size.
struct OnnxDimension {
  int64_t size = -1;  // -1: see name
  std::string name;   // "batch_size"; may be empty: then nothing is said
};
struct OnnxValue {
  std::string name;
  OnnxType type = OnnxType::kFloat;
  std::vector<OnnxDimension> dims;
};

struct OnnxAttribute {
  std::string name;
  std::variant<int64_t, float, std::string, std::vector<int64_t>, OnnxTensor> value;
};

struct OnnxNode {
  std::string op;
  std::string domain;  // empty: the standard's
  std::string name;
  std::vector<std::string> inputs;
  std::vector<std::string> outputs;
  std::vector<OnnxAttribute> attributes;
};

struct OnnxModel {
  int64_t ir_version = 8;
  std::string producer;
  std::string producer_version;
  std::vector<std::pair<std::string, int64_t>> opsets;  // domain, version
  std::vector<std::pair<std::string, std::string>> metadata;
  std::string graph_name;
  std::vector<OnnxNode> nodes;  // each after those whose outputs it takes
  std::vector<OnnxTensor> initializers;
  std::vector<OnnxValue> inputs;
  std::vector<OnnxValue> outputs;
};

// The bytes of a .onnx file: a function of `model` alone.
// REQUIRES: the inline tensors are together far below 2 GiB, the largest protocol buffer there is.
std::string EncodeOnnx(const OnnxModel& model);

// Appends tensors to the data file of a model.
class OnnxDataWriter {
 public:
  // Page-aligned tensors can be mapped (docs/ExternalData.md).
  static constexpr uint64_t kAlignment = 4096;

  // Writes to `out`, which must outlive the writer; `location` is the name the model gives that file.
  OnnxDataWriter(Sink& out, std::string location) : out_(out), location_(std::move(location)) {}

  // Begins a tensor: pads to its alignment.
  Status Begin();
  Status Write(ByteSpan data);
  // Where the bytes since Begin lie.
  OnnxDataPlace End() const { return {location_, begin_, position_ - begin_}; }

  uint64_t size() const { return position_; }  // bytes written

 private:
  Sink& out_;
  std::string location_;
  uint64_t position_ = 0;
  uint64_t begin_ = 0;
};

// Limits of what ReadOnnx accepts. 10^6 nodes: an export of a model of 100 layers has 10^4.
inline constexpr size_t kMaxOnnxNodes = 1'000'000;
inline constexpr size_t kMaxOnnxInitializers = 200'000;
inline constexpr size_t kMaxOnnxValues = 100'000;  // inputs and outputs, each
inline constexpr size_t kMaxOnnxEntries = 10'000;  // opsets, metadata, kinds of nodes, each
inline constexpr size_t kMaxOnnxRank = 64;
inline constexpr size_t kMaxOnnxNameBytes = 4096;
inline constexpr size_t kMaxOnnxMetadataBytes = 1u << 20;  // of one entry

// What a file holds, without the values. Texts are as they stand in the file: any bytes.
struct OnnxSummary {
  struct Tensor {
    std::string name;
    OnnxType type = OnnxType::kUndefined;
    std::vector<int64_t> dims;  // none is negative
    uint64_t bytes = 0;         // of its data, wherever it lies
    std::optional<OnnxDataPlace> external;
  };
  struct Value {
    std::string name;
    OnnxType type = OnnxType::kUndefined;  // kUndefined: no tensor, or not said
    bool has_shape = false;
    std::vector<OnnxDimension> dims;
  };
  int64_t ir_version = 0;
  std::string producer;
  std::string producer_version;
  std::vector<std::pair<std::string, int64_t>> opsets;
  std::vector<std::pair<std::string, std::string>> metadata;
  std::string graph_name;
  size_t n_nodes = 0;                 // of the graph itself, not of the bodies of loops and branches
  std::map<std::string, size_t> ops;  // how many of a kind: "MatMul", "com.microsoft.MatMulNBits"
  std::vector<Tensor> initializers;
  std::vector<Value> inputs;
  std::vector<Value> outputs;
  uint64_t data_bytes = 0;  // of all initializers
};

// Reads the bytes of a .onnx file; the data files it names are not looked at. `where` names it in errors.
// kCorrupt for what is no protocol buffer or contradicts itself or the format, kUnsupported beyond a limit.
Result<OnnxSummary> ReadOnnx(ByteSpan file, const std::string& where);

}  // namespace pith
