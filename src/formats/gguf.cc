#include "formats/gguf.h"

#include <algorithm>
#include <array>
#include <bit>
#include <limits>
#include <unordered_set>

#include "base/check.h"
#include "formats/json.h"

namespace pith {
namespace {

constexpr std::string_view kMagic = "GGUF";
constexpr std::string_view kAlignmentKey = "general.alignment";
constexpr std::array<uint8_t, kGgufAlignment> kZeros{};

// By GgufKind; 0 bytes for what has no fixed size.
constexpr struct {
  std::string_view name;
  size_t bytes;
} kKinds[] = {{"u8", 1},   {"i8", 1},     {"u16", 2},   {"i16", 2}, {"u32", 4}, {"i32", 4}, {"f32", 4},
              {"bool", 1}, {"string", 0}, {"array", 0}, {"u64", 8}, {"i64", 8}, {"f64", 8}};

// ggml.h (enum ggml_type) and ggml-common.h (the blocks). Types that left the format have no entry.
struct EncodingInfo {
  uint32_t id;
  std::string_view name;
  uint16_t values;
  uint16_t bytes;
};
constexpr EncodingInfo kEncodings[] = {
    {0, "F32", 1, 4},         {1, "F16", 1, 2},         {2, "Q4_0", 32, 18},      {3, "Q4_1", 32, 20},
    {6, "Q5_0", 32, 22},      {7, "Q5_1", 32, 24},      {8, "Q8_0", 32, 34},      {9, "Q8_1", 32, 36},
    {10, "Q2_K", 256, 84},    {11, "Q3_K", 256, 110},   {12, "Q4_K", 256, 144},   {13, "Q5_K", 256, 176},
    {14, "Q6_K", 256, 210},   {15, "Q8_K", 256, 292},   {16, "IQ2_XXS", 256, 66}, {17, "IQ2_XS", 256, 74},
    {18, "IQ3_XXS", 256, 98}, {19, "IQ1_S", 256, 50},   {20, "IQ4_NL", 32, 18},   {21, "IQ3_S", 256, 110},
    {22, "IQ2_S", 256, 82},   {23, "IQ4_XS", 256, 136}, {24, "I8", 1, 1},         {25, "I16", 1, 2},
    {26, "I32", 1, 4},        {27, "I64", 1, 8},        {28, "F64", 1, 8},        {29, "IQ1_M", 256, 56},
    {30, "BF16", 1, 2},       {34, "TQ1_0", 256, 54},   {35, "TQ2_0", 256, 66},   {39, "MXFP4", 32, 17},
    {40, "NVFP4", 64, 36},    {41, "Q1_0", 128, 18},    {42, "Q2_0", 64, 18},
};

const EncodingInfo* FindEncoding(uint32_t id) {
  const auto it = std::find_if(std::begin(kEncodings), std::end(kEncodings),
                               [id](const EncodingInfo& e) { return e.id == id; });
  return it != std::end(kEncodings) ? it : nullptr;
}

uint64_t Padding(uint64_t size, uint64_t alignment) { return (alignment - size % alignment) % alignment; }

// Signed integers below zero come as their two's complement.
std::optional<int64_t> LoadInteger(GgufKind kind, ByteSpan bytes) {
  ByteReader r(bytes);
  switch (kind) {
    case GgufKind::kU8:
      return r.U8();
    case GgufKind::kI8:
      return static_cast<int8_t>(r.U8());
    case GgufKind::kU16:
      return r.U16();
    case GgufKind::kI16:
      return static_cast<int16_t>(r.U16());
    case GgufKind::kU32:
      return r.U32();
    case GgufKind::kI32:
      return static_cast<int32_t>(r.U32());
    case GgufKind::kI64:
      return static_cast<int64_t>(r.U64());
    case GgufKind::kU64: {
      const uint64_t v = r.U64();
      if (v > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) return std::nullopt;
      return static_cast<int64_t>(v);
    }
    default:
      return std::nullopt;
  }
}

std::optional<double> LoadNumber(GgufKind kind, ByteSpan bytes) {
  ByteReader r(bytes);
  if (kind == GgufKind::kF32) return std::bit_cast<float>(r.U32());
  if (kind == GgufKind::kF64) return std::bit_cast<double>(r.U64());
  if (kind == GgufKind::kU64) return static_cast<double>(r.U64());
  const std::optional<int64_t> v = LoadInteger(kind, bytes);
  return v ? std::optional<double>(static_cast<double>(*v)) : std::nullopt;
}

// Puts `text` into a sorted list; whether it was new.
bool InsertSorted(std::vector<std::string>& sorted, std::string_view text) {
  const auto it = std::lower_bound(sorted.begin(), sorted.end(), text);
  if (it != sorted.end() && *it == text) return false;
  sorted.emplace(it, text);
  return true;
}

void WriteString(ByteWriter& w, std::string_view text) {
  w.U64(text.size());
  w.Raw(AsBytes(text));
}

}  // namespace

std::string_view GgufKindName(GgufKind kind) {
  const auto i = static_cast<size_t>(kind);
  return i < std::size(kKinds) ? kKinds[i].name : "?";
}
std::string_view GgufEncodingName(GgufEncoding encoding) {
  const EncodingInfo* e = FindEncoding(static_cast<uint32_t>(encoding));
  return e != nullptr ? e->name : "?";
}
size_t GgufBlockValues(GgufEncoding encoding) {
  const EncodingInfo* e = FindEncoding(static_cast<uint32_t>(encoding));
  return e != nullptr ? e->values : 0;
}
size_t GgufBlockBytes(GgufEncoding encoding) {
  const EncodingInfo* e = FindEncoding(static_cast<uint32_t>(encoding));
  return e != nullptr ? e->bytes : 0;
}
uint64_t GgufRowBytes(GgufEncoding encoding, uint64_t cols) {
  const size_t values = GgufBlockValues(encoding);
  PITH_CHECK(values != 0 && cols % values == 0);
  return cols / values * GgufBlockBytes(encoding);
}

std::optional<bool> GgufValue::AsBool() const {
  return kind_ == GgufKind::kBool ? std::optional<bool>(bytes_[0] != 0) : std::nullopt;
}
std::optional<int64_t> GgufValue::AsInteger() const { return LoadInteger(kind_, bytes_); }
std::optional<uint64_t> GgufValue::AsUnsigned() const {
  if (kind_ == GgufKind::kU64) return ByteReader(bytes_).U64();
  const std::optional<int64_t> v = AsInteger();
  return v && *v >= 0 ? std::optional<uint64_t>(static_cast<uint64_t>(*v)) : std::nullopt;
}
std::optional<double> GgufValue::AsNumber() const { return LoadNumber(kind_, bytes_); }
std::optional<std::string_view> GgufValue::AsString() const {
  return kind_ == GgufKind::kString ? std::optional<std::string_view>(strings_[0]) : std::nullopt;
}
std::span<const std::string_view> GgufValue::AsStrings() const {
  return kind_ == GgufKind::kArray ? std::span<const std::string_view>(strings_)
                                   : std::span<const std::string_view>();
}
std::optional<int64_t> GgufValue::IntegerAt(uint64_t i) const {
  if (kind_ != GgufKind::kArray) return std::nullopt;
  PITH_CHECK(i < size_);
  const size_t bytes = kKinds[static_cast<size_t>(element_)].bytes;
  return LoadInteger(element_, bytes_.subspan(bytes == 0 ? 0 : i * bytes, bytes));
}
std::optional<double> GgufValue::NumberAt(uint64_t i) const {
  if (kind_ != GgufKind::kArray) return std::nullopt;
  PITH_CHECK(i < size_);
  const size_t bytes = kKinds[static_cast<size_t>(element_)].bytes;
  return LoadNumber(element_, bytes_.subspan(bytes == 0 ? 0 : i * bytes, bytes));
}

// Takes a file apart from front to back.
class GgufParser {
 public:
  GgufParser(ByteSpan bytes, const std::string& where, GgufFile& file)
      : bytes_(bytes), where_(where), reader_(bytes), file_(file) {}

  Status Parse() {
    file_.size_bytes_ = bytes_.size();
    const ByteSpan magic = reader_.Raw(kMagic.size());
    const uint32_t version = reader_.U32();
    const uint64_t n_tensors = reader_.U64();
    const uint64_t n_keys = reader_.U64();
    if (AsText(magic) != kMagic) return Corrupt(where_ + ": does not begin with \"GGUF\"; no GGUF file");
    if (!reader_.ok()) return EndsEarly("its header");
    if (version != kGgufVersion) {
      const bool big_endian = version == kGgufVersion << 24;
      return Unsupported(where_ + ": version " + Hex(version) +
                         (big_endian ? ", which is 3 in big-endian order" : "") +
                         "; expected 3, little-endian");
    }
    // An entry has at least a size, a character, a kind and a byte; a tensor a size, a rank, an encoding, an
    // offset.
    PITH_RETURN_IF_ERROR(CheckCount("keys", n_keys, kMaxGgufKeys, 8 + 1 + 4 + 1));
    PITH_RETURN_IF_ERROR(CheckCount("tensors", n_tensors, kMaxGgufTensors, 8 + 4 + 4 + 8));
    PITH_RETURN_IF_ERROR(ParseMetadata(n_keys));
    PITH_RETURN_IF_ERROR(ReadAlignment());
    return ParseTensors(n_tensors);
  }

 private:
  Status EndsEarly(const std::string& within) const {
    return Corrupt(where_ + ": ends early, within " + within + "; the file has " +
                   std::to_string(bytes_.size()) + " bytes");
  }
  Status CheckCount(const std::string& what, uint64_t n, uint64_t limit, uint64_t least_bytes) const {
    if (n > reader_.remaining() / least_bytes) {
      return Corrupt(where_ + ": " + std::to_string(n) + " " + what + ", more than " +
                     std::to_string(reader_.remaining()) + " bytes hold");
    }
    if (n <= limit) return OkStatus();
    return Unsupported(where_ + ": " + std::to_string(n) + " " + what + ", limit " + std::to_string(limit));
  }
  // `limit` beyond what a string may have by the format or by our limit.
  Status ReadString(uint64_t limit, const std::string& what, std::string_view& out) {
    const uint64_t size = reader_.U64();
    if (!reader_.ok() || size > reader_.remaining()) return EndsEarly(what);
    if (size > limit) {
      return Unsupported(where_ + ": " + what + " has " + std::to_string(size) + " bytes, limit " +
                         std::to_string(limit));
    }
    out = AsText(reader_.Raw(size));
    return OkStatus();
  }

  Status ParseMetadata(uint64_t n) {
    std::unordered_set<std::string_view> seen;
    for (uint64_t i = 0; i < n; ++i) {
      GgufKeyValue entry;
      PITH_RETURN_IF_ERROR(ReadString(kMaxGgufKeyBytes, "key " + std::to_string(i), entry.key));
      if (entry.key.empty()) return Corrupt(where_ + ": key " + std::to_string(i) + " is empty");
      const std::string what = "key " + Quoted(entry.key);
      if (!seen.insert(entry.key).second) return Corrupt(where_ + ": " + what + " occurs more than once");
      PITH_RETURN_IF_ERROR(ReadKind(what, entry.value.kind_));
      PITH_RETURN_IF_ERROR(entry.value.kind_ == GgufKind::kArray ? ReadArray(what, entry.value)
                                                                 : ReadScalar(what, entry.value));
      file_.metadata_.push_back(std::move(entry));
    }
    return OkStatus();
  }

  Status ReadKind(const std::string& what, GgufKind& kind) {
    const uint32_t v = reader_.U32();
    if (!reader_.ok()) return EndsEarly(what);
    if (v >= std::size(kKinds)) {
      return Corrupt(where_ + ": " + what + ": kind of value " + std::to_string(v) + ", expected 0 to 12");
    }
    kind = static_cast<GgufKind>(v);
    return OkStatus();
  }

  Status CheckBools(const std::string& what, ByteSpan bools) const {
    for (const uint8_t b : bools) {
      if (b > 1)
        return Corrupt(where_ + ": " + what + ": found " + std::to_string(b) + ", expected a bool, 0 or 1");
    }
    return OkStatus();
  }

  Status ReadScalar(const std::string& what, GgufValue& value) {
    if (value.kind_ == GgufKind::kString) {
      std::string_view text;
      PITH_RETURN_IF_ERROR(ReadString(kMaxGgufStringBytes, what, text));
      value.strings_.push_back(text);
      return OkStatus();
    }
    value.bytes_ = reader_.Raw(kKinds[static_cast<size_t>(value.kind_)].bytes);
    if (!reader_.ok()) return EndsEarly(what);
    return value.kind_ == GgufKind::kBool ? CheckBools(what, value.bytes_) : OkStatus();
  }

  Status ReadArray(const std::string& what, GgufValue& value) {
    PITH_RETURN_IF_ERROR(ReadKind(what, value.element_));
    value.size_ = reader_.U64();
    if (!reader_.ok()) return EndsEarly(what);
    if (value.element_ == GgufKind::kArray) return Unsupported(where_ + ": " + what + ": an array of arrays");
    const bool strings = value.element_ == GgufKind::kString;
    const size_t bytes = strings ? sizeof(uint64_t) : kKinds[static_cast<size_t>(value.element_)].bytes;
    PITH_RETURN_IF_ERROR(CheckCount("elements of " + what, value.size_, kMaxGgufArray, bytes));
    if (!strings) {
      value.bytes_ = reader_.Raw(value.size_ * bytes);
      return value.element_ == GgufKind::kBool ? CheckBools(what, value.bytes_) : OkStatus();
    }
    value.strings_.resize(value.size_);
    for (std::string_view& text : value.strings_)
      PITH_RETURN_IF_ERROR(ReadString(kMaxGgufStringBytes, what, text));
    return OkStatus();
  }

  Status ReadAlignment() {
    const GgufValue* v = file_.Find(kAlignmentKey);
    if (v == nullptr) return OkStatus();
    const std::optional<uint64_t> n = v->AsUnsigned();
    if (!n || v->kind() != GgufKind::kU32 || *n < 8 || !std::has_single_bit(*n)) {
      return Corrupt(where_ + ": " + std::string(kAlignmentKey) + ": found " +
                     (n ? std::to_string(*n) : std::string(GgufKindName(v->kind()))) +
                     ", expected a u32 that is a power of two from 8 on");
    }
    if (*n > kMaxGgufAlignment) {
      return Unsupported(where_ + ": " + std::string(kAlignmentKey) + ": found " + std::to_string(*n) +
                         ", limit " + std::to_string(kMaxGgufAlignment));
    }
    file_.alignment_ = *n;
    return OkStatus();
  }

  // One entry of the tensors' list. `n_bytes`: of its data.
  Status ParseTensorInfo(uint64_t i, GgufTensor& t, uint64_t& offset, uint64_t& n_bytes) {
    PITH_RETURN_IF_ERROR(ReadString(kMaxGgufNameBytes, "name of tensor " + std::to_string(i), t.name));
    const std::string what = "tensor " + Quoted(t.name);
    const uint32_t rank = reader_.U32();
    if (!reader_.ok()) return EndsEarly(what);
    if (rank > kMaxGgufRank) {
      return Unsupported(where_ + ": " + what + ": rank " + std::to_string(rank) + ", limit " +
                         std::to_string(kMaxGgufRank));
    }
    t.shape.resize(rank);
    for (size_t d = rank; d-- > 0;) t.shape[d] = reader_.U64();
    const uint32_t id = reader_.U32();
    offset = reader_.U64();
    if (!reader_.ok()) return EndsEarly(what);
    const EncodingInfo* encoding = FindEncoding(id);
    if (encoding == nullptr) {
      return Unsupported(where_ + ": " + what + ": encoding " + std::to_string(id) + " is not known");
    }
    t.encoding = static_cast<GgufEncoding>(id);
    t.n_elements = 1;
    for (const uint64_t d : t.shape) {
      if (d == 0) return Corrupt(where_ + ": " + what + ": a dimension is 0");
      if (d > kMaxGgufTensorBytes / t.n_elements)
        return Corrupt(where_ + ": " + what + ": larger than any file");
      t.n_elements *= d;
    }
    const uint64_t cols = rank == 0 ? 1 : t.shape.back();
    if (cols % encoding->values != 0) {
      return Corrupt(where_ + ": " + what + ": rows of " + std::to_string(cols) +
                     ", expected a multiple of " + std::to_string(encoding->values) + " for " +
                     std::string(encoding->name));
    }
    n_bytes = t.n_elements / encoding->values * encoding->bytes;  // below 2^51
    return OkStatus();
  }

  // The tensors follow each other in the order of the list, as ggml's own reader demands (gguf.cpp).
  Status ParseTensors(uint64_t n) {
    std::unordered_set<std::string_view> seen;
    std::vector<uint64_t> sizes;
    uint64_t end = 0;
    for (uint64_t i = 0; i < n; ++i) {
      GgufTensor t;
      uint64_t offset = 0;
      uint64_t n_bytes = 0;
      PITH_RETURN_IF_ERROR(ParseTensorInfo(i, t, offset, n_bytes));
      const std::string what = "tensor " + Quoted(t.name);
      if (!seen.insert(t.name).second) return Corrupt(where_ + ": " + what + " occurs more than once");
      if (offset != end) {
        return Corrupt(where_ + ": " + what + ": offset " + std::to_string(offset) + ", expected " +
                       std::to_string(end));
      }
      if (n_bytes > bytes_.size()) {
        return Corrupt(where_ + ": " + what + ": " + std::to_string(n_bytes) + " bytes in a file of " +
                       std::to_string(bytes_.size()));
      }
      end += n_bytes +
             Padding(n_bytes, file_.alignment_);  // 10^5 tensors, each no larger than a file: no overflow
      sizes.push_back(n_bytes);
      file_.tensors_.push_back(std::move(t));
    }
    // A file without tensors may end before the padding.
    const uint64_t padding = Padding(reader_.position(), file_.alignment_);
    reader_.Raw(n == 0 ? std::min<uint64_t>(padding, reader_.remaining()) : padding);
    if (!reader_.ok()) return EndsEarly("the padding before its data");
    for (size_t i = 0; i < sizes.size(); ++i) {
      GgufTensor& t = file_.tensors_[i];
      t.data = reader_.Raw(sizes[i]);
      // The padding of the last tensor may be missing.
      const bool at_end = i + 1 == sizes.size() && reader_.remaining() == 0;
      if (!at_end) reader_.Raw(Padding(sizes[i], file_.alignment_));
      if (!reader_.ok()) return EndsEarly("the data of tensor " + Quoted(t.name));
    }
    if (reader_.remaining() != 0) {
      return Corrupt(where_ + ": " + std::to_string(reader_.remaining()) + " bytes follow the last tensor");
    }
    return OkStatus();
  }

  ByteSpan bytes_;
  const std::string& where_;
  ByteReader reader_;
  GgufFile& file_;
};

Result<std::unique_ptr<GgufFile>> GgufFile::Open(const std::string& path) {
  std::unique_ptr<GgufFile> file(new GgufFile);
  PITH_ASSIGN_OR_RETURN(file->file_, MappedFile::Open(path));
  PITH_RETURN_IF_ERROR(GgufParser(file->file_->bytes(), path, *file).Parse());
  return file;
}

Result<std::unique_ptr<GgufFile>> GgufFile::FromMemory(ByteSpan data, const std::string& where) {
  std::unique_ptr<GgufFile> file(new GgufFile);
  PITH_RETURN_IF_ERROR(GgufParser(data, where, *file).Parse());
  return file;
}

const GgufValue* GgufFile::Find(std::string_view key) const {
  const auto it =
      std::find_if(metadata_.begin(), metadata_.end(), [&](const GgufKeyValue& e) { return e.key == key; });
  return it != metadata_.end() ? &it->value : nullptr;
}

const GgufTensor* GgufFile::FindTensor(std::string_view name) const {
  const auto it =
      std::find_if(tensors_.begin(), tensors_.end(), [&](const GgufTensor& t) { return t.name == name; });
  return it != tensors_.end() ? &*it : nullptr;
}

ByteWriter GgufHeader::BeginValue(std::string_view key, GgufKind kind) {
  PITH_CHECK(!key.empty() && key.size() <= kMaxGgufKeyBytes && InsertSorted(keys_, key));
  ByteWriter w(metadata_);
  WriteString(w, key);
  w.U32(static_cast<uint32_t>(kind));
  return w;
}

void GgufHeader::AddBool(std::string_view key, bool v) { BeginValue(key, GgufKind::kBool).U8(v ? 1 : 0); }
void GgufHeader::AddU32(std::string_view key, uint32_t v) { BeginValue(key, GgufKind::kU32).U32(v); }
void GgufHeader::AddI32(std::string_view key, int32_t v) {
  BeginValue(key, GgufKind::kI32).U32(static_cast<uint32_t>(v));
}
void GgufHeader::AddU64(std::string_view key, uint64_t v) { BeginValue(key, GgufKind::kU64).U64(v); }
void GgufHeader::AddF32(std::string_view key, float v) {
  BeginValue(key, GgufKind::kF32).U32(std::bit_cast<uint32_t>(v));
}
void GgufHeader::AddString(std::string_view key, std::string_view v) {
  ByteWriter w = BeginValue(key, GgufKind::kString);
  WriteString(w, v);
}
void GgufHeader::AddStrings(std::string_view key, std::span<const std::string> v) {
  ByteWriter w = BeginValue(key, GgufKind::kArray);
  w.U32(static_cast<uint32_t>(GgufKind::kString));
  w.U64(v.size());
  for (const std::string& text : v) WriteString(w, text);
}
void GgufHeader::AddI32s(std::string_view key, std::span<const int32_t> v) {
  ByteWriter w = BeginValue(key, GgufKind::kArray);
  w.U32(static_cast<uint32_t>(GgufKind::kI32));
  w.U64(v.size());
  for (const int32_t n : v) w.U32(static_cast<uint32_t>(n));
}

void GgufHeader::AddTensor(std::string_view name, GgufEncoding encoding, std::span<const uint64_t> shape) {
  PITH_CHECK(name.size() <= kMaxGgufNameBytes && InsertSorted(names_, name));
  PITH_CHECK(shape.size() <= kMaxGgufRank);
  uint64_t n_bytes = GgufRowBytes(encoding, shape.empty() ? 1 : shape.back());
  for (size_t d = 0; d < shape.size(); ++d) {
    PITH_CHECK(shape[d] != 0);
    if (d + 1 == shape.size()) break;
    PITH_CHECK(shape[d] <= kMaxGgufTensorBytes / n_bytes);
    n_bytes *= shape[d];
  }
  ByteWriter w(tensor_infos_);
  WriteString(w, name);
  w.U32(static_cast<uint32_t>(shape.size()));
  for (size_t d = shape.size(); d-- > 0;) w.U64(shape[d]);
  w.U32(static_cast<uint32_t>(encoding));
  w.U64(data_bytes_);
  tensor_bytes_.push_back(n_bytes);
  data_bytes_ += n_bytes + Padding(n_bytes, kGgufAlignment);
}

Bytes GgufHeader::Encode() const {
  Bytes out(kMagic.begin(), kMagic.end());
  ByteWriter w(out);
  w.U32(kGgufVersion);
  w.U64(tensor_bytes_.size());
  w.U64(keys_.size());
  w.Raw(metadata_);
  w.Raw(tensor_infos_);
  w.Raw(ByteSpan(kZeros).first(Padding(out.size(), kGgufAlignment)));
  return out;
}

Result<std::unique_ptr<GgufWriter>> GgufWriter::Create(const std::string& path, bool replace,
                                                       const GgufHeader& header) {
  std::unique_ptr<GgufWriter> writer(new GgufWriter);
  PITH_ASSIGN_OR_RETURN(writer->file_, AtomicFile::Create(path, replace));
  const Bytes head = header.Encode();
  PITH_RETURN_IF_ERROR(writer->file_->Write(head));
  writer->file_bytes_ = head.size();
  for (size_t i = 0; i < header.n_tensors(); ++i) writer->tensor_bytes_.push_back(header.tensor_bytes(i));
  return writer;
}

Status GgufWriter::Append(ByteSpan data) {
  PITH_CHECK(next_ < tensor_bytes_.size() && data.size() <= tensor_bytes_[next_] - appended_);
  PITH_RETURN_IF_ERROR(file_->Write(data));
  file_bytes_ += data.size();
  appended_ += data.size();
  if (appended_ < tensor_bytes_[next_]) return OkStatus();
  const ByteSpan padding = ByteSpan(kZeros).first(Padding(appended_, kGgufAlignment));
  PITH_RETURN_IF_ERROR(file_->Write(padding));
  file_bytes_ += padding.size();
  ++next_;
  appended_ = 0;
  return OkStatus();
}

Status GgufWriter::Commit() {
  PITH_CHECK(next_ == tensor_bytes_.size());
  return file_->Commit();
}

}  // namespace pith
