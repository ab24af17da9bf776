// Safetensors: tensors by name in one file, or in shards listed by model.safetensors.index.json; mapped, read
// only.
//
// Format: https://github.com/huggingface/safetensors (README, "Format"). A file is a little-endian u64 N, N
// bytes of JSON {"name": {"dtype", "shape", "data_offsets": [begin, end)}, "__metadata__": {..}}, then the
// data, which the tensors must tile: sorted by offset they follow each other without overlap, hole or rest.
// Tensor data need not be aligned. This file knows fields; what a tensor is for is the business of convert/.
//
// Thread-safe once opened.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/file.h"
#include "pith/status.h"

namespace pith {

inline constexpr uint64_t kMaxSafetensorsHeaderBytes = 100'000'000;  // the reference implementation's limit
inline constexpr size_t kMaxSafetensorsTensors = 100'000;            // Qwen3-235B has 36,945
inline constexpr size_t kMaxSafetensorsRank = 8;
inline constexpr size_t kMaxSafetensorsShards = 1000;

enum class DataType : uint8_t {
  kBool,
  kU8,
  kI8,
  kF8E4M3,
  kF8E5M2,
  kI16,
  kU16,
  kF16,
  kBf16,
  kI32,
  kU32,
  kF32,
  kI64,
  kU64,
  kF64
};
std::string_view DataTypeName(DataType type);  // as the files spell it: "BF16"
size_t DataTypeBytes(DataType type);

struct SafetensorsTensor {
  std::string_view name;  // valid as long as the file object
  DataType type = DataType::kF32;
  std::vector<uint64_t> shape;  // slowest dimension first; empty for a scalar
  uint64_t n_elements = 0;      // product of shape
  ByteSpan data;           // n_elements * DataTypeBytes(type) bytes; any alignment; valid as the file object
  std::string_view where;  // path of the file, for messages

  std::string ShapeText() const;  // "[3, 5]"
  bool is_float() const {         // whether ReadFloats can read it
    return type == DataType::kF32 || type == DataType::kF16 || type == DataType::kBf16;
  }
};

// Elements [first, first + out.size()) of a tensor as floats. Exact: every f16 and bf16 value is a float; NaN
// stays NaN. REQUIRES: tensor.is_float(); the range lies within n_elements.
void ReadFloats(const SafetensorsTensor& tensor, uint64_t first, std::span<float> out);

// One file.
class SafetensorsFile {
 public:
  // kNotFound, kIo; kCorrupt for anything that contradicts the format; kUnsupported beyond a limit.
  static Result<std::unique_ptr<SafetensorsFile>> Open(const std::string& path);
  // The same over memory that outlives the object.
  static Result<std::unique_ptr<SafetensorsFile>> FromMemory(ByteSpan data, const std::string& where);
  ~SafetensorsFile();

  const std::string& where() const;
  std::span<const SafetensorsTensor> tensors() const;          // ascending by name
  const SafetensorsTensor* Find(std::string_view name) const;  // null when there is none
  // Text of an entry of "__metadata__"; null when there is none.
  const std::string* Metadata(std::string_view key) const;

 private:
  struct Contents;
  explicit SafetensorsFile(std::unique_ptr<Contents> contents);
  static Result<std::unique_ptr<SafetensorsFile>> Parse(std::unique_ptr<Contents> contents);
  std::unique_ptr<Contents> contents_;
};

// All tensors of a checkpoint folder.
class SafetensorsFolder {
 public:
  // Opens directory/model.safetensors or, where that is missing, the shards of
  // directory/model.safetensors.index.json. Index and shards must agree: each tensor lies in exactly the
  // shard that the index names. kNotFound: neither file is there, or a shard or tensor that the index names.
  static Result<std::unique_ptr<SafetensorsFolder>> Open(const std::string& directory);

  std::span<const SafetensorsTensor> tensors() const { return tensors_; }  // ascending by name
  const SafetensorsTensor* Find(std::string_view name) const;              // null when there is none
  size_t n_files() const { return files_.size(); }

 private:
  SafetensorsFolder() = default;
  std::vector<std::unique_ptr<SafetensorsFile>> files_;
  std::vector<SafetensorsTensor> tensors_;
};

// One entry of an index: tensor `name` lies in the file `shard` beside the index.
struct ShardEntry {
  std::string name;
  std::string shard;  // a plain file name
};

// Reads the text of a model.safetensors.index.json; entries ascend by name. A shard name with a path is
// kCorrupt.
Result<std::vector<ShardEntry>> ParseShardIndex(ByteSpan text, const std::string& where);

}  // namespace pith
