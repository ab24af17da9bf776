#include "formats/safetensors.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <map>

#include "base/check.h"
#include "base/half.h"
#include "formats/json.h"

namespace pith {
namespace {

struct TypeInfo {
  std::string_view name;
  size_t bytes;
};
// In the order of DataType.
constexpr TypeInfo kTypes[] = {{"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E4M3", 1}, {"F8_E5M2", 1},
                               {"I16", 2},  {"U16", 2}, {"F16", 2}, {"BF16", 2},    {"I32", 4},
                               {"U32", 4},  {"F32", 4}, {"I64", 8}, {"U64", 8},     {"F64", 8}};

const SafetensorsTensor* FindByName(std::span<const SafetensorsTensor> sorted, std::string_view name) {
  const auto it = std::lower_bound(sorted.begin(), sorted.end(), name,
                                   [](const SafetensorsTensor& t, std::string_view n) { return t.name < n; });
  return it != sorted.end() && it->name == name ? &*it : nullptr;
}

constexpr std::string_view kMetadataKey = "__metadata__";

// Fills `t` from its entry; the data range is checked against the file, not yet against the other tensors.
Status ParseEntry(const Json& entry, ByteSpan buffer, SafetensorsTensor& t) {
  if (entry.kind() != Json::Kind::kObject)
    return Corrupt("found " + std::string(entry.KindName()) + ", expected object");
  for (const JsonMember& m : entry.members()) {
    if (m.key != "dtype" && m.key != "shape" && m.key != "data_offsets") {
      return Unsupported("unknown field " + Quoted(m.key));
    }
  }
  const Json* dtype = entry.Find("dtype");
  const std::string* type_name = dtype != nullptr ? dtype->AsString() : nullptr;
  if (type_name == nullptr) return Corrupt("dtype is missing or no string");
  const auto type = std::find_if(std::begin(kTypes), std::end(kTypes),
                                 [&](const TypeInfo& i) { return i.name == *type_name; });
  if (type == std::end(kTypes)) return Unsupported("dtype " + Quoted(*type_name) + " is not known");
  t.type = static_cast<DataType>(type - std::begin(kTypes));

  const Json* shape = entry.Find("shape");
  if (shape == nullptr || shape->kind() != Json::Kind::kArray) return Corrupt("shape is missing or no array");
  if (shape->items().size() > kMaxSafetensorsRank) {
    return Unsupported("rank " + std::to_string(shape->items().size()) + ", limit " +
                       std::to_string(kMaxSafetensorsRank));
  }
  t.n_elements = 1;
  bool overflow = false;
  for (const Json& dimension : shape->items()) {
    const auto d = dimension.AsUnsigned();
    if (!d) return Corrupt("a dimension of its shape is no size");
    t.shape.push_back(*d);
    // A later 0 makes the product 0 again, but no honest writer has such a shape.
    overflow = overflow || (*d != 0 && t.n_elements > std::numeric_limits<uint64_t>::max() / 8 / *d);
    if (!overflow) t.n_elements *= *d;
  }
  if (overflow) return Corrupt("shape " + t.ShapeText() + " is larger than any file");

  const Json* offsets = entry.Find("data_offsets");
  const std::span<const Json> range = offsets != nullptr ? offsets->items() : std::span<const Json>();
  const auto begin = range.size() == 2 ? range[0].AsUnsigned() : std::nullopt;
  const auto end = range.size() == 2 ? range[1].AsUnsigned() : std::nullopt;
  if (!begin || !end) return Corrupt("data_offsets is missing or no pair of offsets");
  const std::string found = "data_offsets [" + std::to_string(*begin) + ", " + std::to_string(*end) + "]";
  if (*begin > *end || *end > buffer.size()) {
    return Corrupt(found + " do not lie within the " + std::to_string(buffer.size()) + " bytes of data");
  }
  const uint64_t size = t.n_elements * type->bytes;
  if (*end - *begin != size) {
    return Corrupt(found + " span " + std::to_string(*end - *begin) + " bytes, expected " +
                   std::to_string(size) + " for " + std::string(type->name) + " " + t.ShapeText());
  }
  t.data = buffer.subspan(*begin, size);
  return OkStatus();
}

// Each byte of the data belongs to exactly one tensor.
Status CheckTiling(std::span<const SafetensorsTensor> tensors, ByteSpan buffer) {
  std::vector<const SafetensorsTensor*> order;
  order.reserve(tensors.size());
  for (const SafetensorsTensor& t : tensors) order.push_back(&t);
  std::sort(order.begin(), order.end(), [](const SafetensorsTensor* a, const SafetensorsTensor* b) {
    return std::pair(a->data.data(), a->data.size()) < std::pair(b->data.data(), b->data.size());
  });
  const uint8_t* position = buffer.data();
  for (const SafetensorsTensor* t : order) {
    if (t->data.data() != position) {
      const bool hole = t->data.data() > position;
      return Corrupt("tensor " + Quoted(t->name) + " begins at " +
                     std::to_string(t->data.data() - buffer.data()) + ", " +
                     (hole ? "leaving a hole from " : "overlapping the tensor up to ") +
                     std::to_string(position - buffer.data()));
    }
    position += t->data.size();
  }
  if (position != buffer.data() + buffer.size()) {
    return Corrupt("tensors end at " + std::to_string(position - buffer.data()) + ", the data at " +
                   std::to_string(buffer.size()));
  }
  return OkStatus();
}

template <typename T>
T LoadAt(const uint8_t* p) {
  T v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

}  // namespace

std::string_view DataTypeName(DataType type) { return kTypes[static_cast<size_t>(type)].name; }
size_t DataTypeBytes(DataType type) { return kTypes[static_cast<size_t>(type)].bytes; }

std::string SafetensorsTensor::ShapeText() const {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) text += (i > 0 ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

void ReadFloats(const SafetensorsTensor& tensor, uint64_t first, std::span<float> out) {
  PITH_CHECK(first <= tensor.n_elements && out.size() <= tensor.n_elements - first);
  const uint8_t* p = tensor.data.data() + first * DataTypeBytes(tensor.type);
  switch (tensor.type) {
    case DataType::kF32:
      if (!out.empty()) std::memcpy(out.data(), p, out.size() * sizeof(float));
      return;
    case DataType::kBf16:
      for (size_t i = 0; i < out.size(); ++i) {
        out[i] = std::bit_cast<float>(static_cast<uint32_t>(LoadAt<uint16_t>(p + 2 * i)) << 16);
      }
      return;
    case DataType::kF16:
      for (size_t i = 0; i < out.size(); ++i) out[i] = HalfToFloat(LoadAt<uint16_t>(p + 2 * i));
      return;
    default:
      PITH_CHECK(tensor.is_float());
  }
}

struct SafetensorsFile::Contents {
  std::string where;
  std::unique_ptr<MappedFile> file;  // null over memory
  ByteSpan bytes;
  Json header;  // names and metadata are borrowed from here
  std::vector<SafetensorsTensor> tensors;
  const Json* metadata = nullptr;
};

SafetensorsFile::SafetensorsFile(std::unique_ptr<Contents> contents) : contents_(std::move(contents)) {}
SafetensorsFile::~SafetensorsFile() = default;

const std::string& SafetensorsFile::where() const { return contents_->where; }
std::span<const SafetensorsTensor> SafetensorsFile::tensors() const { return contents_->tensors; }
const SafetensorsTensor* SafetensorsFile::Find(std::string_view name) const {
  return FindByName(contents_->tensors, name);
}
const std::string* SafetensorsFile::Metadata(std::string_view key) const {
  const Json* v = contents_->metadata != nullptr ? contents_->metadata->Find(key) : nullptr;
  return v != nullptr ? v->AsString() : nullptr;
}

Result<std::unique_ptr<SafetensorsFile>> SafetensorsFile::Open(const std::string& path) {
  auto contents = std::make_unique<Contents>();
  contents->where = path;
  PITH_ASSIGN_OR_RETURN(contents->file, MappedFile::Open(path));
  contents->bytes = contents->file->bytes();
  return Parse(std::move(contents));
}

Result<std::unique_ptr<SafetensorsFile>> SafetensorsFile::FromMemory(ByteSpan data,
                                                                     const std::string& where) {
  auto contents = std::make_unique<Contents>();
  contents->where = where;
  contents->bytes = data;
  return Parse(std::move(contents));
}

Result<std::unique_ptr<SafetensorsFile>> SafetensorsFile::Parse(std::unique_ptr<Contents> contents) {
  const std::string& where = contents->where;
  ByteReader reader(contents->bytes);
  const uint64_t header_bytes = reader.U64();
  if (!reader.ok()) {
    return Corrupt(where + ": " + std::to_string(contents->bytes.size()) +
                   " bytes, too short for a safetensors file");
  }
  if (header_bytes >
      reader.remaining()) {  // said first: a file of another kind ends here, with a huge number
    return Corrupt(where + ": header of " + std::to_string(header_bytes) + " bytes in a file of " +
                   std::to_string(contents->bytes.size()) + "; no safetensors file, or cut short");
  }
  if (header_bytes > kMaxSafetensorsHeaderBytes) {
    return Unsupported(where + ": header of " + std::to_string(header_bytes) + " bytes, limit " +
                       std::to_string(kMaxSafetensorsHeaderBytes));
  }
  const ByteSpan text = reader.Raw(header_bytes);
  if (text.empty() || text[0] != '{') return Corrupt(where + ": header does not begin with '{'");
  JsonLimits limits;
  limits.max_bytes = kMaxSafetensorsHeaderBytes;
  limits.max_depth = 3;                             // header, entry, shape
  limits.max_values = 16 * kMaxSafetensorsTensors;  // an entry of a matrix has 8
  PITH_ASSIGN_OR_RETURN(contents->header, Json::Parse(text, where + ": header", limits));

  const ByteSpan buffer = reader.Raw(reader.remaining());
  const std::span<const JsonMember> entries = contents->header.members();
  if (entries.size() > kMaxSafetensorsTensors + 1) {
    return Unsupported(where + ": " + std::to_string(entries.size()) + " tensors, limit " +
                       std::to_string(kMaxSafetensorsTensors));
  }
  contents->tensors.reserve(entries.size());
  for (const JsonMember& entry : entries) {  // ascending by name
    if (entry.key == kMetadataKey) {
      if (entry.value.kind() != Json::Kind::kObject) return Corrupt(where + ": __metadata__ is no object");
      for (const JsonMember& m : entry.value.members()) {
        if (m.value.AsString() == nullptr) {
          return Corrupt(where + ": __metadata__: " + Quoted(m.key) + " is no string");
        }
      }
      contents->metadata = &entry.value;
      continue;
    }
    SafetensorsTensor& t = contents->tensors.emplace_back();
    t.name = entry.key;
    t.where = where;
    PITH_RETURN_IF_ERROR(
        ParseEntry(entry.value, buffer, t).WithContext(where + ": tensor " + Quoted(entry.key)));
  }
  PITH_RETURN_IF_ERROR(CheckTiling(contents->tensors, buffer).WithContext(where));
  return std::unique_ptr<SafetensorsFile>(new SafetensorsFile(std::move(contents)));
}

Result<std::vector<ShardEntry>> ParseShardIndex(ByteSpan text, const std::string& where) {
  PITH_ASSIGN_OR_RETURN(const Json index, Json::Parse(text, where));
  const Json* map = index.Find("weight_map");
  if (map == nullptr || map->kind() != Json::Kind::kObject)
    return Corrupt(where + ": weight_map is missing or no object");
  if (map->members().size() > kMaxSafetensorsTensors) {
    return Unsupported(where + ": " + std::to_string(map->members().size()) + " tensors, limit " +
                       std::to_string(kMaxSafetensorsTensors));
  }
  std::vector<ShardEntry> entries;
  entries.reserve(map->members().size());
  for (const JsonMember& m : map->members()) {
    const std::string* shard = m.value.AsString();
    if (shard == nullptr) return Corrupt(where + ": shard of tensor " + Quoted(m.key) + " is no string");
    // A plain name: a downloaded index must not reach outside its folder.
    if (shard->empty() || *shard == "." || *shard == ".." || shard->size() > 255 ||
        shard->find_first_of(std::string_view("/\\\0", 3)) != std::string::npos) {
      return Corrupt(where + ": shard of tensor " + Quoted(m.key) + ": found " + Quoted(*shard) +
                     ", expected a plain file name");
    }
    entries.push_back({m.key, *shard});
  }
  return entries;
}

Result<std::unique_ptr<SafetensorsFolder>> SafetensorsFolder::Open(const std::string& directory) {
  const std::string single = directory + "/model.safetensors";
  const std::string index_path = directory + "/model.safetensors.index.json";
  auto folder = std::unique_ptr<SafetensorsFolder>(new SafetensorsFolder());
  // With both, the single file counts, as in transformers.
  Result<std::unique_ptr<SafetensorsFile>> file = SafetensorsFile::Open(single);
  if (file.ok()) {
    folder->tensors_.assign((*file)->tensors().begin(), (*file)->tensors().end());
    folder->files_.push_back(*std::move(file));
    return folder;
  }
  if (file.status().code() != StatusCode::kNotFound) return file.status();

  Result<std::unique_ptr<MappedFile>> text = MappedFile::Open(index_path);
  if (!text.ok()) {
    if (text.status().code() != StatusCode::kNotFound) return text.status();
    return NotFound(directory + ": found neither model.safetensors nor model.safetensors.index.json");
  }
  PITH_ASSIGN_OR_RETURN(const std::vector<ShardEntry> entries, ParseShardIndex((*text)->bytes(), index_path));
  std::map<std::string_view, const SafetensorsFile*> shards;
  for (const ShardEntry& e : entries) shards.emplace(e.shard, nullptr);
  if (shards.size() > kMaxSafetensorsShards) {
    return Unsupported(index_path + ": " + std::to_string(shards.size()) + " shards, limit " +
                       std::to_string(kMaxSafetensorsShards));
  }
  size_t n_stored = 0;
  for (auto& [name, shard] : shards) {
    auto opened = SafetensorsFile::Open(directory + "/" + std::string(name));
    if (!opened.ok()) return opened.status().WithContext(index_path + ": shard");
    n_stored += (*opened)->tensors().size();
    shard = opened->get();
    folder->files_.push_back(*std::move(opened));
  }
  folder->tensors_.reserve(entries.size());
  for (const ShardEntry& e : entries) {
    const SafetensorsTensor* t = shards.at(e.shard)->Find(e.name);
    if (t == nullptr) {
      return NotFound(index_path + ": tensor " + Quoted(e.name) + " is not in shard " + Quoted(e.shard));
    }
    folder->tensors_.push_back(*t);
  }
  if (n_stored == entries.size()) return folder;
  // Every entry was found in its shard, so some shard holds more than the index says: find one for the
  // message.
  for (const auto& [name, shard] : shards) {
    for (const SafetensorsTensor& t : shard->tensors()) {
      const auto e = std::lower_bound(entries.begin(), entries.end(), t.name,
                                      [](const ShardEntry& a, std::string_view n) { return a.name < n; });
      if (e == entries.end() || e->name != t.name || e->shard != name) {
        return Corrupt(std::string(t.where) + ": tensor " + Quoted(t.name) + " is not in this shard by " +
                       index_path);
      }
    }
  }
  return Corrupt(index_path + ": index and shards do not agree");
}

const SafetensorsTensor* SafetensorsFolder::Find(std::string_view name) const {
  return FindByName(tensors_, name);
}

}  // namespace pith
