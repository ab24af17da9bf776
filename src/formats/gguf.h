// GGUF version 3, the model files of ggml and llama.cpp: metadata by key, then tensors; read mapped, written
// front to back.
//
// Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. A little-endian file is "GGUF", u32 3,
// u64 count of tensors, u64 count of keys; the keys with their values; the tensors' names, shapes, types and
// offsets; zeros up to a multiple of the alignment; then the tensors' data, each padded with zeros to that
// multiple. Strings are a u64 size and bytes. This file knows fields; what a key means is the business of
// convert/.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/file.h"
#include "pith/status.h"

namespace pith {

inline constexpr uint32_t kGgufVersion = 3;
inline constexpr uint64_t kGgufAlignment = 32;  // where general.alignment says nothing; what is written
inline constexpr uint64_t kMaxGgufAlignment = 1u << 16;
inline constexpr size_t kMaxGgufKeys = 1u << 16;    // a file of llama.cpp has some 40
inline constexpr size_t kMaxGgufTensors = 100'000;  // Qwen3-235B has 36,945 in its checkpoint, fewer in GGUF
inline constexpr size_t kMaxGgufKeyBytes = 65'535;  // gguf.md
inline constexpr size_t kMaxGgufNameBytes = 63;     // ggml keeps 64 with the zero at the end
inline constexpr size_t kMaxGgufRank = 4;           // GGML_MAX_DIMS
inline constexpr uint64_t kMaxGgufStringBytes = 1u << 26;
inline constexpr uint64_t kMaxGgufArray = 1u << 24;  // elements; a vocabulary has some 2^18
inline constexpr uint64_t kMaxGgufTensorBytes = uint64_t{1} << 48;

// Kinds of values, as they stand in files.
enum class GgufKind : uint32_t {
  kU8 = 0,
  kI8 = 1,
  kU16 = 2,
  kI16 = 3,
  kU32 = 4,
  kI32 = 5,
  kF32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9,
  kU64 = 10,
  kI64 = 11,
  kF64 = 12
};
std::string_view GgufKindName(GgufKind kind);  // "u32"

// A value of the metadata. Borrows from the file.
class GgufValue {
 public:
  GgufKind kind() const { return kind_; }
  // Of an array: what it holds, and how many.
  GgufKind element_kind() const { return element_; }
  uint64_t size() const { return size_; }

  // Empty when the value is of another kind or out of the range of the type. AsNumber takes integers too.
  std::optional<bool> AsBool() const;
  std::optional<int64_t> AsInteger() const;
  std::optional<uint64_t> AsUnsigned() const;
  std::optional<double> AsNumber() const;
  std::optional<std::string_view> AsString() const;
  // Elements of an array of strings; empty for other values.
  std::span<const std::string_view> AsStrings() const;
  // Element `i` of an array of numbers. REQUIRES: i < size(). Empty as above.
  std::optional<int64_t> IntegerAt(uint64_t i) const;
  std::optional<double> NumberAt(uint64_t i) const;

 private:
  friend class GgufParser;
  GgufKind kind_ = GgufKind::kU8;
  GgufKind element_ = GgufKind::kU8;
  uint64_t size_ = 0;
  ByteSpan bytes_;                         // the number, or the array's numbers
  std::vector<std::string_view> strings_;  // the string, or the array's strings
};

struct GgufKeyValue {
  std::string_view key;
  GgufValue value;
};

// Encodings of tensors, as they stand in files; others are in the table of gguf.cc.
enum class GgufEncoding : uint32_t {
  kF32 = 0,
  kF16 = 1,
  kQ4_0 = 2,
  kQ4_1 = 3,
  kQ5_0 = 6,
  kQ5_1 = 7,
  kQ8_0 = 8,
  kQ4_K = 12,
  kQ5_K = 13,
  kQ6_K = 14,
  kBf16 = 30
};
std::string_view GgufEncodingName(GgufEncoding encoding);  // "Q8_0"; "?" for one that is not known
// Values that are encoded together, and their bytes. 0 for an encoding that is not known.
size_t GgufBlockValues(GgufEncoding encoding);
size_t GgufBlockBytes(GgufEncoding encoding);
// REQUIRES: `cols` is a multiple of the block.
uint64_t GgufRowBytes(GgufEncoding encoding, uint64_t cols);

struct GgufTensor {
  std::string_view name;
  GgufEncoding encoding = GgufEncoding::kF32;
  std::vector<uint64_t>
      shape;  // slowest dimension first: the reverse of the file's order; empty for a scalar
  uint64_t n_elements = 0;
  ByteSpan data;  // rows one after the other
};

// A file for reading. Thread-safe once opened; views live as long as it.
class GgufFile {
 public:
  // kNotFound, kIo; kCorrupt for what contradicts the format; kUnsupported for another version or byte order,
  // an unknown encoding, an array of arrays, and beyond a limit. What is allocated is a small multiple of the
  // header.
  static Result<std::unique_ptr<GgufFile>> Open(const std::string& path);
  // The same over memory that outlives the object.
  static Result<std::unique_ptr<GgufFile>> FromMemory(ByteSpan data, const std::string& where);

  std::span<const GgufKeyValue> metadata() const { return metadata_; }  // in the order of the file
  const GgufValue* Find(std::string_view key) const;                    // null when there is none
  std::span<const GgufTensor> tensors() const { return tensors_; }      // in the order of the file
  const GgufTensor* FindTensor(std::string_view name) const;            // null when there is none
  uint64_t alignment() const { return alignment_; }
  uint64_t size_bytes() const { return size_bytes_; }       // of the whole file
  const MappedFile* mapped() const { return file_.get(); }  // null over memory

 private:
  friend class GgufParser;
  GgufFile() = default;
  std::unique_ptr<MappedFile> file_;  // null over memory
  std::vector<GgufKeyValue> metadata_;
  std::vector<GgufTensor> tensors_;
  uint64_t alignment_ = kGgufAlignment;
  uint64_t size_bytes_ = 0;
};

// What stands before the data: put together in memory (some 6 MB for a vocabulary of 150,000), then written
// at once.
class GgufHeader {
 public:
  // REQUIRES for all: the key is new, not empty, and of at most kMaxGgufKeyBytes.
  void AddBool(std::string_view key, bool v);
  void AddU32(std::string_view key, uint32_t v);
  void AddI32(std::string_view key, int32_t v);
  void AddU64(std::string_view key, uint64_t v);
  void AddF32(std::string_view key, float v);
  void AddString(std::string_view key, std::string_view v);
  void AddStrings(std::string_view key, std::span<const std::string> v);
  void AddI32s(std::string_view key, std::span<const int32_t> v);

  // The next tensor of the data. `shape` is slowest dimension first.
  // REQUIRES: the name is new and of at most kMaxGgufNameBytes; at most kMaxGgufRank dimensions, none 0; rows
  // are whole blocks.
  void AddTensor(std::string_view name, GgufEncoding encoding, std::span<const uint64_t> shape);

  // Everything up to the data, padded.
  Bytes Encode() const;
  uint64_t n_tensors() const { return tensor_bytes_.size(); }
  uint64_t tensor_bytes(size_t i) const { return tensor_bytes_[i]; }  // without padding

 private:
  ByteWriter BeginValue(std::string_view key, GgufKind kind);

  Bytes metadata_;
  Bytes tensor_infos_;
  std::vector<std::string> keys_;   // sorted
  std::vector<std::string> names_;  // sorted
  std::vector<uint64_t> tensor_bytes_;
  uint64_t data_bytes_ = 0;  // padding included
};

// Writes a file front to back. Thread-compatible. After a failure the writer is of no further use.
class GgufWriter {
 public:
  // Starts a file beside `path`; nothing appears under that name before Commit. kAlreadyExists, kIo.
  static Result<std::unique_ptr<GgufWriter>> Create(const std::string& path, bool replace,
                                                    const GgufHeader& header);

  // Appends to the data of the tensor that is not yet whole; pads after its last byte.
  // REQUIRES: `data` does not go beyond that tensor.
  Status Append(ByteSpan data);
  // REQUIRES: all data has been appended.
  Status Commit();

  uint64_t file_bytes() const { return file_bytes_; }  // written so far

 private:
  GgufWriter() = default;
  std::unique_ptr<AtomicFile> file_;
  std::vector<uint64_t> tensor_bytes_;
  size_t next_ = 0;        // the tensor that is not yet whole
  uint64_t appended_ = 0;  // bytes of it
  uint64_t file_bytes_ = 0;
};

}  // namespace pith
