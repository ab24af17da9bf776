// Tflite: the graph file of LiteRT (.tflite) as plain structs, written and read. Fields, not meaning: what the graphs
// of a language model look like is the business of convert/.
//
// Format: src/formats/tflite.fbs, a FlatBuffers schema with the fields of LiteRT's own. Tensor data of more than a few
// bytes lies outside the flatbuffer, at offsets from its start ("external"), as current exporters write it: so a file can
// be larger than 2 GiB, and weights can be streamed.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/bytes.h"
#include "pith/status.h"

namespace pith {

// Limits of what is read. A Qwen3 of 36 layers with seven signatures has 40,000 operators and 75,000 tensors.
inline constexpr size_t kMaxTfliteGraphs = 100'000;
inline constexpr size_t kMaxTfliteTensors = 4'000'000;    // of all graphs; also buffers, signatures and other lists
inline constexpr size_t kMaxTfliteOperators = 2'000'000;  // of all graphs
inline constexpr size_t kMaxTfliteRank = 8;
// Of names and lists of numbers. They need a limit of their own: a small file can name one long list a million times.
inline constexpr size_t kMaxTfliteTextBytes = size_t{256} << 20;
// What FlatBuffers' 32-bit offsets reach.
inline constexpr uint64_t kMaxFlatbufferBytes = (uint64_t{1} << 31) - 16;
inline constexpr size_t kTfliteDataAlignment = 16;

// Numbers as in the file. Others than these are kept as they are.
enum class TfliteType : uint8_t { kFloat32 = 0, kFloat16 = 1, kInt32 = 2, kInt64 = 4, kBool = 6, kInt8 = 9, kInt4 = 17 };
std::string TfliteTypeName(TfliteType type);  // "FLOAT32"; "type 77" for one we have no name for
// Bytes of so many values, two INT4 in a byte; empty for a type that we cannot measure, or beyond 2^62.
std::optional<uint64_t> TfliteDataBytes(TfliteType type, const std::vector<int32_t>& shape);

// Builtin operator codes as in the file.
enum class TfliteOp : int32_t {
  kAdd = 0,
  kConcatenation = 2,
  kDequantize = 6,
  kEmbeddingLookup = 7,
  kFullyConnected = 9,
  kLogistic = 14,
  kMul = 18,
  kReshape = 22,
  kSoftmax = 25,
  kTranspose = 39,
  kMean = 40,
  kSub = 41,
  kCast = 53,
  kSlice = 65,
  kSin = 66,
  kRsqrt = 76,
  kCos = 108,
  kBatchMatMul = 126,
  kDynamicUpdateSlice = 151,
  kStablehloComposite = 206,
};
std::string TfliteOpName(TfliteOp op);  // "FULLY_CONNECTED"; "builtin 300" for one we have no name for

// Options that an operator may carry; others are not read.
struct TfliteFullyConnected {
  bool keep_num_dims = true;
};
struct TfliteSoftmax {
  float beta = 1;
};
struct TfliteConcatenation {
  int32_t axis = 0;
};
struct TfliteMean {
  bool keep_dims = false;
};
struct TfliteBatchMatMul {
  bool adj_x = false;
  bool adj_y = false;
};
// A part that some delegates run whole; `graph` is what it stands for.
struct TfliteComposite {
  std::string name;  // "odml.rms_norm"
  int32_t graph = 0;
  Bytes attributes;  // a FlexBuffers map
};
using TfliteOptions = std::variant<std::monostate, TfliteFullyConnected, TfliteSoftmax, TfliteConcatenation, TfliteMean,
                                   TfliteBatchMatMul, TfliteComposite>;

struct TfliteOperator {
  TfliteOp op = TfliteOp::kAdd;
  int32_t version = 1;
  std::vector<int32_t> inputs;  // tensors of the graph; -1: an optional one that is not there
  std::vector<int32_t> outputs;
  TfliteOptions options;
  std::string custom;  // name of a custom operator; empty for a builtin one
};

// value = scale * (code - zero point); the zero points that pith knows are 0.
struct TfliteQuantization {
  std::vector<float> scale;      // one, or one a slice of `dimension`
  int32_t dimension = 0;
  bool zero_points_are_zero = true;
  int32_t block_size = 0;        // INT4 in blocks along the last dimension; 0: none
  int32_t block_scales = -1;     // tensor [rows, blocks a row] of FLOAT16
};

struct TfliteTensor {
  std::string name;
  TfliteType type = TfliteType::kFloat32;
  std::vector<int32_t> shape;  // slowest dimension first; -1 where it is not fixed
  uint32_t buffer = 0;         // 0: no data
  int32_t quantization = -1;   // in TfliteModel::quantizations
};

struct TfliteGraph {
  std::string name;
  std::vector<TfliteTensor> tensors;
  std::vector<int32_t> inputs;
  std::vector<int32_t> outputs;
  std::vector<TfliteOperator> operators;
};

struct TfliteSignature {
  struct Entry {
    std::string name;
    uint32_t tensor = 0;
  };
  std::string key;  // "decode"
  uint32_t graph = 0;
  std::vector<Entry> inputs;
  std::vector<Entry> outputs;
};

struct TfliteBuffer {
  Bytes data;             // to write: small, inside the flatbuffer; read: see TfliteFile::Data
  uint64_t offset = 0;    // external: from the start of the flatbuffer; 0: inside
  uint64_t size = 0;      // of external data
};

struct TfliteModel {
  std::string description;
  std::vector<TfliteGraph> graphs;
  std::vector<TfliteBuffer> buffers;  // the first is empty
  std::vector<TfliteQuantization> quantizations;  // shared by the tensors that name them
  std::vector<TfliteSignature> signatures;
  struct Metadata {
    std::string name;
    uint32_t buffer = 0;
  };
  std::vector<Metadata> metadata;
};

// The flatbuffer of `model`. Its size depends on neither the values of scales nor external offsets: so it can be made
// once to know the size, and again when the numbers are known. Deterministic.
// REQUIRES: indices are in range; every quantisation without blocks has at least one scale.
Bytes EncodeTflite(const TfliteModel& model);

// A model read from memory that outlives the object. Thread-safe once opened.
class TfliteFile {
 public:
  // Every index, shape and range is checked. kCorrupt for what contradicts the format, kUnsupported beyond a limit or for
  // another schema version. `file` may lie at any address: where that is no multiple of 8, which FlatBuffers needs, it is
  // copied whole.
  static Result<TfliteFile> Parse(ByteSpan file);

  const TfliteModel& model() const { return model_; }  // `data` of its buffers is empty: see Data
  // Content of a buffer, wherever it lies. REQUIRES: buffer < model().buffers.size().
  ByteSpan Data(uint32_t buffer) const { return data_[buffer]; }

 private:
  std::shared_ptr<const AlignedBuffer<uint8_t>> copy_;  // where the file is not aligned
  TfliteModel model_;
  std::vector<ByteSpan> data_;
};

}  // namespace pith
