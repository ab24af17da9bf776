#include "formats/onnx.h"

#include <array>
#include <limits>
#include <protozero/pbf_reader.hpp>
#include <protozero/pbf_writer.hpp>

#include "base/check.h"
#include "formats/json.h"

namespace pith {
namespace {

// Field numbers of onnx.proto.
namespace model_field {
enum : uint32_t {
  kIrVersion = 1,
  kProducer = 2,
  kProducerVersion = 3,
  kGraph = 7,
  kOpset = 8,
  kMetadata = 14
};
}
namespace opset_field {
enum : uint32_t { kDomain = 1, kVersion = 2 };
}
namespace entry_field {
enum : uint32_t { kKey = 1, kValue = 2 };
}
namespace graph_field {
enum : uint32_t { kNode = 1, kName = 2, kInitializer = 5, kInput = 11, kOutput = 12 };
}
namespace node_field {
enum : uint32_t { kInput = 1, kOutput = 2, kName = 3, kOp = 4, kAttribute = 5, kDomain = 7 };
}
namespace attribute_field {
enum : uint32_t { kName = 1, kFloat = 2, kInt = 3, kString = 4, kTensor = 5, kInts = 8, kType = 20 };
// AttributeProto.AttributeType, in the order of OnnxAttribute's alternatives.
constexpr std::array<int32_t, 5> kTypes = {2 /* INT */, 1 /* FLOAT */, 3 /* STRING */, 7 /* INTS */,
                                           4 /* TENSOR */};
}  // namespace attribute_field
namespace value_field {
enum : uint32_t { kName = 1, kType = 2 };
}
namespace type_field {
enum : uint32_t { kTensor = 1 };
}
namespace tensor_type_field {
enum : uint32_t { kElement = 1, kShape = 2 };
}
namespace shape_field {
enum : uint32_t { kDimension = 1, kSize = 1, kName = 2 };
}
namespace tensor_field {
enum : uint32_t { kDims = 1, kType = 2, kSegment = 3, kName = 8, kRaw = 9, kExternal = 13, kLocation = 14 };
}
constexpr int32_t kExternalLocation = 1;

struct TypeInfo {
  std::string_view name;
  uint8_t bits;
};
// By number.
constexpr std::array<TypeInfo, 27> kTypes = {
    {{"UNDEFINED", 0},      {"FLOAT", 32},    {"UINT8", 8},        {"INT8", 8},           {"UINT16", 16},
     {"INT16", 16},         {"INT32", 32},    {"INT64", 64},       {"STRING", 0},         {"BOOL", 8},
     {"FLOAT16", 16},       {"DOUBLE", 64},   {"UINT32", 32},      {"UINT64", 64},        {"COMPLEX64", 64},
     {"COMPLEX128", 128},   {"BFLOAT16", 16}, {"FLOAT8E4M3FN", 8}, {"FLOAT8E4M3FNUZ", 8}, {"FLOAT8E5M2", 8},
     {"FLOAT8E5M2FNUZ", 8}, {"UINT4", 4},     {"INT4", 4},         {"FLOAT4E2M1", 4},     {"FLOAT8E8M0", 8},
     {"UINT2", 2},          {"INT2", 2}}};

const TypeInfo* FindType(OnnxType type) {
  const auto i = static_cast<int32_t>(type);
  return i >= 0 && static_cast<size_t>(i) < kTypes.size() ? &kTypes[static_cast<size_t>(i)] : nullptr;
}

// ---- Writing. Protocol buffers leave out a number that is 0 and a text that is empty; onnx.proto has
// explicit presence, so that what is given is written.

using Writer = protozero::pbf_writer;

void WriteTensor(const OnnxTensor& tensor, Writer w) {
  for (const int64_t d : tensor.dims) w.add_int64(tensor_field::kDims, d);
  w.add_int32(tensor_field::kType, static_cast<int32_t>(tensor.type));
  if (!tensor.name.empty()) w.add_string(tensor_field::kName, tensor.name);
  if (!tensor.external) {
    w.add_bytes(tensor_field::kRaw, tensor.raw);
    return;
  }
  const auto entry = [&w](const char* key, const std::string& value) {
    Writer e(w, tensor_field::kExternal);
    e.add_string(entry_field::kKey, key);
    e.add_string(entry_field::kValue, value);
  };
  entry("location", tensor.external->location);
  entry("offset", std::to_string(tensor.external->offset));
  entry("length", std::to_string(tensor.external->length));
  w.add_int32(tensor_field::kLocation, kExternalLocation);
}

struct AttributeWriter {
  Writer& w;
  void operator()(int64_t v) const { w.add_int64(attribute_field::kInt, v); }
  void operator()(float v) const { w.add_float(attribute_field::kFloat, v); }
  void operator()(const std::string& v) const { w.add_bytes(attribute_field::kString, v); }
  void operator()(const std::vector<int64_t>& v) const {
    for (const int64_t i : v) w.add_int64(attribute_field::kInts, i);
  }
  void operator()(const OnnxTensor& v) const { WriteTensor(v, Writer(w, attribute_field::kTensor)); }
};

void WriteNode(const OnnxNode& node, Writer w) {
  for (const std::string& name : node.inputs) w.add_string(node_field::kInput, name);
  for (const std::string& name : node.outputs) w.add_string(node_field::kOutput, name);
  if (!node.name.empty()) w.add_string(node_field::kName, node.name);
  w.add_string(node_field::kOp, node.op);
  for (const OnnxAttribute& attribute : node.attributes) {
    Writer a(w, node_field::kAttribute);
    a.add_string(attribute_field::kName, attribute.name);
    std::visit(AttributeWriter{a}, attribute.value);
    a.add_int32(attribute_field::kType, attribute_field::kTypes[attribute.value.index()]);
  }
  if (!node.domain.empty()) w.add_string(node_field::kDomain, node.domain);
}

void WriteValue(const OnnxValue& value, Writer w) {
  w.add_string(value_field::kName, value.name);
  Writer type(w, value_field::kType);
  Writer tensor(type, type_field::kTensor);
  tensor.add_int32(tensor_type_field::kElement, static_cast<int32_t>(value.type));
  // protozero leaves out a submessage that turns out empty; these two say something by being there.
  if (value.dims.empty()) {
    tensor.add_message(tensor_type_field::kShape, std::string());
    return;
  }
  Writer shape(tensor, tensor_type_field::kShape);
  for (const OnnxDimension& d : value.dims) {
    if (d.size < 0 && d.name.empty()) {
      shape.add_message(shape_field::kDimension, std::string());
      continue;
    }
    Writer dimension(shape, shape_field::kDimension);
    if (d.size >= 0) {
      dimension.add_int64(shape_field::kSize, d.size);
    } else {
      dimension.add_string(shape_field::kName, d.name);
    }
  }
}

void WriteGraph(const OnnxModel& model, Writer w) {
  for (const OnnxNode& node : model.nodes) WriteNode(node, Writer(w, graph_field::kNode));
  w.add_string(graph_field::kName, model.graph_name);
  for (const OnnxTensor& t : model.initializers) WriteTensor(t, Writer(w, graph_field::kInitializer));
  for (const OnnxValue& v : model.inputs) WriteValue(v, Writer(w, graph_field::kInput));
  for (const OnnxValue& v : model.outputs) WriteValue(v, Writer(w, graph_field::kOutput));
}

// ---- Reading. protozero says by exception when a field goes beyond its message; ReadOnnx catches them. It
// takes on trust that a field has the wire type that is asked for, so that is checked here first.

using Reader = protozero::pbf_reader;
using Wire = protozero::pbf_wire_type;

class Parser {
 public:
  explicit Parser(const std::string& where) : where_(where) {}

  Status Model(Reader m, OnnxSummary& out) {
    bool has_graph = false;
    while (m.next()) {
      switch (m.tag()) {
        case model_field::kIrVersion:
          PITH_RETURN_IF_ERROR(Int(m, "ir_version", out.ir_version));
          break;
        case model_field::kProducer:
          PITH_RETURN_IF_ERROR(Text(m, "producer_name", kMaxOnnxNameBytes, out.producer));
          break;
        case model_field::kProducerVersion:
          PITH_RETURN_IF_ERROR(Text(m, "producer_version", kMaxOnnxNameBytes, out.producer_version));
          break;
        case model_field::kOpset: {
          PITH_RETURN_IF_ERROR(Count(out.opsets.size(), kMaxOnnxEntries, "operator sets"));
          PITH_RETURN_IF_ERROR(Expect(m, "opset_import", Wire::length_delimited));
          PITH_RETURN_IF_ERROR(Opset(m.get_message(), out.opsets.emplace_back()));
          break;
        }
        case model_field::kMetadata: {
          PITH_RETURN_IF_ERROR(Count(out.metadata.size(), kMaxOnnxEntries, "entries of metadata"));
          PITH_RETURN_IF_ERROR(Expect(m, "metadata_props", Wire::length_delimited));
          PITH_RETURN_IF_ERROR(
              Entry(m.get_message(), "metadata_props", kMaxOnnxMetadataBytes, out.metadata.emplace_back()));
          break;
        }
        case model_field::kGraph:
          if (has_graph) return Bad("a second graph");
          has_graph = true;
          PITH_RETURN_IF_ERROR(Expect(m, "graph", Wire::length_delimited));
          PITH_RETURN_IF_ERROR(Graph(m.get_message(), out));
          break;
        default:
          m.skip();
      }
    }
    // Any bytes may happen to be a protocol buffer; these are what every model has.
    if (!has_graph) return Bad("no graph; no ONNX file, or cut short");
    if (out.opsets.empty()) return Bad("no opset_import; no ONNX file, or cut short");
    return OkStatus();
  }

 private:
  Status Bad(const std::string& what) const { return Corrupt(where_ + ": " + place_ + what); }

  Status Expect(const Reader& m, const char* field, Wire wire) const {
    if (m.has_wire_type(wire)) return OkStatus();
    return Bad(std::string(field) + ": wire type " + std::to_string(static_cast<uint32_t>(m.wire_type())) +
               ", expected " + std::to_string(static_cast<uint32_t>(wire)));
  }
  Status Count(size_t n, size_t limit, const char* what) const {
    if (n < limit) return OkStatus();
    return Unsupported(where_ + ": " + place_ + "more than " + std::to_string(limit) + " " + what);
  }
  Status Int(Reader& m, const char* field, int64_t& out) const {
    PITH_RETURN_IF_ERROR(Expect(m, field, Wire::varint));
    out = m.get_int64();
    return OkStatus();
  }
  Status Text(Reader& m, const char* field, size_t limit, std::string& out) const {
    PITH_RETURN_IF_ERROR(Expect(m, field, Wire::length_delimited));
    const auto view = m.get_view();
    if (view.size() > limit) {
      return Unsupported(where_ + ": " + place_ + field + " of " + std::to_string(view.size()) +
                         " bytes, limit " + std::to_string(limit));
    }
    out.assign(view.data(), view.size());
    return OkStatus();
  }
  Status Type(Reader& m, const char* field, OnnxType& out) const {
    int64_t v = 0;
    PITH_RETURN_IF_ERROR(Int(m, field, v));
    if (v < 0 || v > std::numeric_limits<int32_t>::max()) return Bad(std::string(field) + ": no type");
    out = static_cast<OnnxType>(v);
    return OkStatus();
  }

  Status Opset(Reader m, std::pair<std::string, int64_t>& out) const {
    while (m.next()) {
      if (m.tag() == opset_field::kDomain) {
        PITH_RETURN_IF_ERROR(Text(m, "opset_import: domain", kMaxOnnxNameBytes, out.first));
      } else if (m.tag() == opset_field::kVersion) {
        PITH_RETURN_IF_ERROR(Int(m, "opset_import: version", out.second));
      } else {
        m.skip();
      }
    }
    return OkStatus();
  }

  Status Entry(Reader m, const char* field, size_t limit, std::pair<std::string, std::string>& out) const {
    while (m.next()) {
      if (m.tag() == entry_field::kKey) {
        PITH_RETURN_IF_ERROR(Text(m, field, kMaxOnnxNameBytes, out.first));
      } else if (m.tag() == entry_field::kValue) {
        PITH_RETURN_IF_ERROR(Text(m, field, limit, out.second));
      } else {
        m.skip();
      }
    }
    return OkStatus();
  }

  Status Graph(Reader m, OnnxSummary& out) {
    while (m.next()) {
      switch (m.tag()) {
        case graph_field::kNode:
          PITH_RETURN_IF_ERROR(Expect(m, "node", Wire::length_delimited));
          PITH_RETURN_IF_ERROR(Count(out.n_nodes, kMaxOnnxNodes, "nodes"));
          place_ = "node " + std::to_string(out.n_nodes++) + ": ";
          PITH_RETURN_IF_ERROR(Node(m.get_message(), out));
          break;
        case graph_field::kName:
          PITH_RETURN_IF_ERROR(Text(m, "graph name", kMaxOnnxNameBytes, out.graph_name));
          break;
        case graph_field::kInitializer:
          PITH_RETURN_IF_ERROR(Expect(m, "initializer", Wire::length_delimited));
          PITH_RETURN_IF_ERROR(Count(out.initializers.size(), kMaxOnnxInitializers, "initializers"));
          place_ = "initializer " + std::to_string(out.initializers.size()) + ": ";
          PITH_RETURN_IF_ERROR(Tensor(m.get_message(), out.initializers.emplace_back()));
          if (out.initializers.back().bytes > std::numeric_limits<uint64_t>::max() - out.data_bytes)
            return Bad("larger than any file");
          out.data_bytes += out.initializers.back().bytes;
          break;
        case graph_field::kInput:
        case graph_field::kOutput: {
          const bool input = m.tag() == graph_field::kInput;
          auto& values = input ? out.inputs : out.outputs;
          PITH_RETURN_IF_ERROR(Expect(m, input ? "input" : "output", Wire::length_delimited));
          PITH_RETURN_IF_ERROR(Count(values.size(), kMaxOnnxValues, input ? "inputs" : "outputs"));
          place_ = (input ? "input " : "output ") + std::to_string(values.size()) + ": ";
          PITH_RETURN_IF_ERROR(Value(m.get_message(), values.emplace_back()));
          break;
        }
        default:
          m.skip();
      }
      place_.clear();
    }
    return OkStatus();
  }

  Status Node(Reader m, OnnxSummary& out) const {
    std::string op;
    std::string domain;
    while (m.next()) {
      if (m.tag() == node_field::kOp) {
        PITH_RETURN_IF_ERROR(Text(m, "op_type", kMaxOnnxNameBytes, op));
      } else if (m.tag() == node_field::kDomain) {
        PITH_RETURN_IF_ERROR(Text(m, "domain", kMaxOnnxNameBytes, domain));
      } else {
        m.skip();
      }
    }
    if (op.empty()) return Bad("no op_type");
    std::string kind = domain.empty() || domain == "ai.onnx" ? op : domain + "." + op;
    const auto it = out.ops.find(kind);
    if (it != out.ops.end()) {
      ++it->second;
      return OkStatus();
    }
    PITH_RETURN_IF_ERROR(Count(out.ops.size(), kMaxOnnxEntries, "kinds of nodes"));
    out.ops.emplace(std::move(kind), 1);
    return OkStatus();
  }

  Status Value(Reader m, OnnxSummary::Value& out) const {
    while (m.next()) {
      if (m.tag() == value_field::kName) {
        PITH_RETURN_IF_ERROR(Text(m, "name", kMaxOnnxNameBytes, out.name));
      } else if (m.tag() == value_field::kType) {
        PITH_RETURN_IF_ERROR(Expect(m, "type", Wire::length_delimited));
        Reader type = m.get_message();
        while (type.next()) {
          if (type.tag() == type_field::kTensor) {
            PITH_RETURN_IF_ERROR(Expect(type, "tensor_type", Wire::length_delimited));
            PITH_RETURN_IF_ERROR(TensorType(type.get_message(), out));
          } else {
            type.skip();
          }
        }
      } else {
        m.skip();
      }
    }
    return OkStatus();
  }

  Status TensorType(Reader m, OnnxSummary::Value& out) const {
    while (m.next()) {
      if (m.tag() == tensor_type_field::kElement) {
        PITH_RETURN_IF_ERROR(Type(m, "elem_type", out.type));
      } else if (m.tag() == tensor_type_field::kShape) {
        PITH_RETURN_IF_ERROR(Expect(m, "shape", Wire::length_delimited));
        out.has_shape = true;
        Reader shape = m.get_message();
        while (shape.next()) {
          if (shape.tag() != shape_field::kDimension) {
            shape.skip();
            continue;
          }
          PITH_RETURN_IF_ERROR(Expect(shape, "dim", Wire::length_delimited));
          PITH_RETURN_IF_ERROR(Count(out.dims.size(), kMaxOnnxRank, "dimensions"));
          PITH_RETURN_IF_ERROR(Dimension(shape.get_message(), out.dims.emplace_back()));
        }
      } else {
        m.skip();
      }
    }
    return OkStatus();
  }

  Status Dimension(Reader m, OnnxDimension& out) const {
    while (m.next()) {
      if (m.tag() == shape_field::kSize) {
        PITH_RETURN_IF_ERROR(Int(m, "dim_value", out.size));
        if (out.size < 0)
          return Bad("dim_value: found " + std::to_string(out.size) + ", expected no negative size");
      } else if (m.tag() == shape_field::kName) {
        PITH_RETURN_IF_ERROR(Text(m, "dim_param", kMaxOnnxNameBytes, out.name));
      } else {
        m.skip();
      }
    }
    return OkStatus();
  }

  // The dims field may stand as one number or as several in one (packed).
  Status Dims(Reader& m, std::vector<int64_t>& out) const {
    const auto append = [&](int64_t d) {
      if (d < 0) return Bad("dims: found " + std::to_string(d) + ", expected no negative size");
      PITH_RETURN_IF_ERROR(Count(out.size(), kMaxOnnxRank, "dimensions"));
      out.push_back(d);
      return OkStatus();
    };
    if (m.has_wire_type(Wire::varint)) return append(m.get_int64());
    PITH_RETURN_IF_ERROR(Expect(m, "dims", Wire::length_delimited));
    for (const int64_t d : m.get_packed_int64()) PITH_RETURN_IF_ERROR(append(d));
    return OkStatus();
  }

  Status Tensor(Reader m, OnnxSummary::Tensor& out) const {
    std::optional<uint64_t> raw;
    bool external = false;
    bool has_type = false;
    OnnxDataPlace place;
    std::optional<uint64_t> length;
    while (m.next()) {
      switch (m.tag()) {
        case tensor_field::kDims:
          PITH_RETURN_IF_ERROR(Dims(m, out.dims));
          break;
        case tensor_field::kType:
          has_type = true;
          PITH_RETURN_IF_ERROR(Type(m, "data_type", out.type));
          break;
        case tensor_field::kSegment:
          return Unsupported(where_ + ": " + place_ + "a tensor in segments");
        case tensor_field::kName:
          PITH_RETURN_IF_ERROR(Text(m, "name", kMaxOnnxNameBytes, out.name));
          break;
        case tensor_field::kRaw:
          PITH_RETURN_IF_ERROR(Expect(m, "raw_data", Wire::length_delimited));
          raw = m.get_view().size();
          break;
        case tensor_field::kExternal: {
          PITH_RETURN_IF_ERROR(Expect(m, "external_data", Wire::length_delimited));
          std::pair<std::string, std::string> entry;
          PITH_RETURN_IF_ERROR(Entry(m.get_message(), "external_data", kMaxOnnxNameBytes, entry));
          PITH_RETURN_IF_ERROR(ExternalEntry(entry, place, length));
          break;
        }
        case tensor_field::kLocation: {
          int64_t location = 0;
          PITH_RETURN_IF_ERROR(Int(m, "data_location", location));
          external = location == kExternalLocation;
          break;
        }
        default:
          m.skip();
      }
    }
    if (!has_type) return Bad("no data_type");
    return Size(out, raw, external, std::move(place), length);
  }

  Status ExternalEntry(const std::pair<std::string, std::string>& entry, OnnxDataPlace& place,
                       std::optional<uint64_t>& length) const {
    const auto& [key, value] = entry;
    if (key == "location") place.location = value;
    if (key != "offset" && key != "length") return OkStatus();
    uint64_t n = 0;
    bool ok = !value.empty() && value.size() <= 19;  // 10^19 - 1 < 2^64
    for (const char c : value) {
      ok = ok && c >= '0' && c <= '9';
      if (ok) n = n * 10 + static_cast<uint64_t>(c - '0');
    }
    if (!ok)
      return Bad("external_data: " + key + ": found " + Quoted(value) + ", expected a number of bytes");
    if (key == "offset") {
      place.offset = n;
    } else {
      length = n;
    }
    return OkStatus();
  }

  // The size by type and shape, compared with what is there.
  Status Size(OnnxSummary::Tensor& out, std::optional<uint64_t> raw, bool external, OnnxDataPlace place,
              std::optional<uint64_t> length) const {
    const uint64_t bits = OnnxTypeBits(out.type);
    uint64_t n = 1;
    bool overflow = false;
    for (const int64_t d : out.dims) {
      const auto size = static_cast<uint64_t>(d);
      overflow = overflow || (size != 0 && n > std::numeric_limits<uint64_t>::max() / 256 / size);
      if (!overflow) n *= size;
    }
    if (overflow) return Bad("its shape is larger than any file");
    const uint64_t expected = (n * bits + 7) / 8;
    const std::optional<uint64_t> found = external ? length : raw;
    if (bits != 0 && found && *found != expected) {
      return Bad("found " + std::to_string(*found) + " bytes of data, expected " + std::to_string(expected) +
                 " by type " + OnnxTypeName(out.type) + " and shape");
    }
    out.bytes = bits != 0 ? expected : found.value_or(0);
    if (!external) return OkStatus();
    if (place.location.empty()) return Bad("external_data: no location");
    place.length = out.bytes;
    if (place.offset > std::numeric_limits<uint64_t>::max() - place.length)
      return Bad("external_data: ends beyond any file");
    out.external = std::move(place);
    return OkStatus();
  }

  const std::string& where_;
  std::string place_;  // "node 5: "; empty outside
};

}  // namespace

std::string OnnxTypeName(OnnxType type) {
  const TypeInfo* info = FindType(type);
  return info != nullptr ? std::string(info->name) : "type " + std::to_string(static_cast<int32_t>(type));
}

size_t OnnxTypeBits(OnnxType type) {
  const TypeInfo* info = FindType(type);
  return info != nullptr ? info->bits : 0;
}

std::string EncodeOnnx(const OnnxModel& model) {
  std::string out;
  Writer w(out);
  w.add_int64(model_field::kIrVersion, model.ir_version);
  if (!model.producer.empty()) w.add_string(model_field::kProducer, model.producer);
  if (!model.producer_version.empty()) w.add_string(model_field::kProducerVersion, model.producer_version);
  WriteGraph(model, Writer(w, model_field::kGraph));
  for (const auto& [domain, version] : model.opsets) {
    Writer opset(w, model_field::kOpset);
    opset.add_string(opset_field::kDomain, domain);
    opset.add_int64(opset_field::kVersion, version);
  }
  for (const auto& [key, value] : model.metadata) {
    Writer entry(w, model_field::kMetadata);
    entry.add_string(entry_field::kKey, key);
    entry.add_string(entry_field::kValue, value);
  }
  PITH_CHECK(out.size() < uint64_t{1} << 31);
  return out;
}

Status OnnxDataWriter::Begin() {
  static constexpr std::array<uint8_t, kAlignment> kZeros{};
  const uint64_t padding = (kAlignment - position_ % kAlignment) % kAlignment;
  PITH_RETURN_IF_ERROR(Write(ByteSpan(kZeros).first(padding)));
  begin_ = position_;
  return OkStatus();
}

Status OnnxDataWriter::Write(ByteSpan data) {
  if (data.empty()) return OkStatus();
  PITH_RETURN_IF_ERROR(out_.Write(data));
  position_ += data.size();
  return OkStatus();
}

Result<OnnxSummary> ReadOnnx(ByteSpan file, const std::string& where) {
  OnnxSummary summary;
  try {
    const Reader reader(reinterpret_cast<const char*>(file.data()), file.size());
    PITH_RETURN_IF_ERROR(Parser(where).Model(reader, summary));
  } catch (const protozero::exception& e) {
    return Corrupt(where + ": no protocol buffer of a model, or cut short: " + e.what());
  }
  return summary;
}

}  // namespace pith
