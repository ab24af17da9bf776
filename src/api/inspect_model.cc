// InspectModel of include/pith/pith.h: what a model file of any kind that pith reads says of itself.
#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/boundary.h"
#include "base/file.h"
#include "convert/checkpoint.h"
#include "convert/gguf_model.h"
#include "convert/litertlm_export.h"
#include "convert/litertlm_model.h"
#include "convert/package.h"
#include "convert/package_format.h"
#include "formats/gguf.h"
#include "formats/litertlm.h"
#include "formats/llm_metadata.h"
#include "formats/onnx.h"
#include "formats/tflite.h"
#include "pith/pith.h"
#include "tokenizer/tokenizer.h"

namespace pith {
namespace {

// Values that go into one line of text; longer ones are cut, with their size.
constexpr size_t kMaxValueBytes = 4096;
constexpr size_t kSmallConstant = 1024;  // bytes: shapes, axes and the like, no weights

template <typename T>
std::string ShapeText(const std::vector<T>& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) text += (i > 0 ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

std::string Number(double value) {
  std::string text = std::to_string(value);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.ends_with(".")) text.pop_back();
  return text;
}

class Inspector {
 public:
  explicit Inspector(InspectedModel& out) : out_(out) {}

  Status Inspect(const std::string& path) {
    PITH_ASSIGN_OR_RETURN(const std::unique_ptr<MappedFile> file, MappedFile::Open(path));
    const ByteSpan bytes = file->bytes();
    out_.file_bytes = bytes.size();
    const auto begins = [&](std::string_view magic) {
      return bytes.size() >= magic.size() && AsText(bytes.first(magic.size())) == magic;
    };
    if (LooksLikeLitertlm(bytes)) return Litertlm(bytes).WithContext(path);
    if (begins("GGUF")) return Gguf(bytes, path);
    if (begins(kPackageMagic)) return Pmodel(path);
    if (bytes.size() >= 8 && AsText(bytes.subspan(4, 4)) == "TFL3") {
      out_.format = "tflite";
      out_.not_loadable = "pith's engine reads .litertlm files, not the graph alone";
      return Tflite(bytes).WithContext(path);
    }
    // ONNX has no magic number: a protocol buffer that begins with the version of the format.
    if (begins("\x08") && path.ends_with(".onnx")) return Onnx(bytes, path);
    return Unsupported(path + ": no model file that this build knows: expected .litertlm, .tflite, GGUF, .onnx or .pmodel");
  }

 private:
  void Field(const std::string& name, std::string value) {
    if (value.size() > kMaxValueBytes) {
      value = value.substr(0, kMaxValueBytes) + "... (" + std::to_string(value.size()) + " bytes)";
    }
    out_.fields.push_back({name, std::move(value)});
  }

  // ---- .litertlm and .tflite

  Status Litertlm(ByteSpan file) {
    out_.format = "litertlm";
    PITH_ASSIGN_OR_RETURN(const LitertlmHeader header, DecodeLitertlmHeader(file));
    Field("version", std::to_string(header.version[0]) + "." + std::to_string(header.version[1]) + "." +
                         std::to_string(header.version[2]));
    for (const LitertlmItem& item : header.system) Field(item.key, item.ValueText());
    for (const LitertlmSection& s : header.sections) {
      InspectedSection section{LitertlmSectionName(s.type), s.begin, s.end, {}};
      for (const LitertlmItem& item : s.items) section.items.push_back({item.key, item.ValueText()});
      out_.sections.push_back(std::move(section));
      const ByteSpan content = file.subspan(s.begin, s.end - s.begin);
      const std::string at = "section " + LitertlmSectionName(s.type);
      if (s.type == LitertlmSectionType::kLlmMetadata) {
        PITH_ASSIGN_OR_RETURN(const LlmMetadata metadata, DecodeLlmMetadata(content, at));
        Metadata(metadata);
      } else if (s.type == LitertlmSectionType::kTokenizerZlib) {
        PITH_ASSIGN_OR_RETURN(const Bytes json, DecodeTokenizerSection(content));
        Field("tokenizer.json", std::to_string(json.size()) + " bytes");
      } else if (s.type == LitertlmSectionType::kGeneric && s.HasModelType(kPithRecordItem)) {
        PITH_ASSIGN_OR_RETURN(const PithRecord record, DecodePithRecord(content));
        Field("pith name", record.name);
        if (record.fingerprint) Field("pith fingerprint", record.fingerprint->Text());
      } else if (s.type == LitertlmSectionType::kTflite) {
        PITH_RETURN_IF_ERROR(Tflite(content).WithContext(at));
      }
    }
    const Result<std::unique_ptr<LitertlmModel>> model = LitertlmModel::FromMemory(file);
    if (model.ok()) {
      ConfigFields((*model)->config());
      if (const Result<Bytes> json = (*model)->ReadTokenizerJson(); !json.ok()) out_.not_loadable = json.status().message();
    } else {
      out_.not_loadable = model.status().message();
    }
    return OkStatus();
  }

  static std::string TokenText(const LlmToken& token) {
    if (const auto* text = std::get_if<std::string>(&token)) return *text;
    std::string list;
    if (const auto* ids = std::get_if<std::vector<int32_t>>(&token)) {
      for (const int32_t id : *ids) list += (list.empty() ? "id " : ",") + std::to_string(id);
    }
    return list;
  }

  void Metadata(const LlmMetadata& m) {
    if (m.model_type) Field("model type", std::string(m.model_type->KindName()));
    Field("max tokens", std::to_string(m.max_num_tokens));
    if (m.start_token) Field("start token", TokenText(*m.start_token));
    for (const LlmToken& stop : m.stop_tokens) Field("stop token", TokenText(stop));
    if (m.sampler) {
      const LlmSampler& s = *m.sampler;
      Field("sampler", "type " + std::to_string(static_cast<int>(s.type)) + ", k " + std::to_string(s.k) + ", p " +
                           Number(static_cast<double>(s.p)) + ", temperature " + Number(static_cast<double>(s.temperature)) +
                           (s.seed ? ", seed " + std::to_string(*s.seed) : ""));
    }
    if (m.prompt_templates) {
      const auto affix = [&](const std::string& name, const std::optional<LlmAffixes>& a) {
        if (!a) return;
        Field(name + " prefix", a->prefix);
        Field(name + " suffix", a->suffix);
      };
      affix("user", m.prompt_templates->user);
      affix("model", m.prompt_templates->model);
      affix("system", m.prompt_templates->system);
    }
    for (const LlmChannel& channel : m.channels) {
      Field("channel", channel.name + ": " + channel.start + " ... " + channel.end);
    }
    if (m.supports_thinking) Field("thinking", *m.supports_thinking ? "yes" : "no");
    if (m.supports_function_calling) Field("tools", *m.supports_function_calling ? "yes" : "no");
    if (m.jinja_template) out_.fields.push_back({"chat template", *m.jinja_template});  // whole
  }

  Status Tflite(ByteSpan content) {
    PITH_ASSIGN_OR_RETURN(const TfliteFile file, TfliteFile::Parse(content));
    const TfliteModel& model = file.model();
    if (!model.description.empty()) Field("description", model.description);
    for (const TfliteModel::Metadata& m : model.metadata) {
      const std::string_view text = AsText(file.Data(m.buffer));
      Field(m.name, std::string(text.substr(0, text.find('\0'))));
    }
    for (const TfliteSignature& s : model.signatures) {
      InspectedSignature signature{s.key, {}, {}};
      const TfliteGraph& graph = model.graphs[s.graph];
      const auto list = [&](const std::vector<TfliteSignature::Entry>& entries, std::vector<InspectedValue>& values) {
        for (const TfliteSignature::Entry& e : entries) {
          const TfliteTensor& t = graph.tensors[e.tensor];
          values.push_back({e.name, TfliteTypeName(t.type), ShapeText(t.shape)});
        }
      };
      list(s.inputs, signature.inputs);
      list(s.outputs, signature.outputs);
      out_.signatures.push_back(std::move(signature));
    }
    std::map<std::string, uint64_t> operators;
    std::set<uint32_t> seen;
    for (const TfliteGraph& graph : model.graphs) {
      for (const TfliteOperator& op : graph.operators) {
        ++operators[!op.custom.empty() ? "custom " + op.custom
                                       : TfliteOpName(op.op) + " v" + std::to_string(op.version)];
      }
      for (const TfliteTensor& t : graph.tensors) {
        const ByteSpan data = file.Data(t.buffer);
        if (data.size() <= kSmallConstant || !seen.insert(t.buffer).second) continue;
        InspectedTensor tensor{t.name, TfliteTypeName(t.type), ShapeText(t.shape), "", data.size()};
        if (t.quantization >= 0) {
          const TfliteQuantization& q = model.quantizations[static_cast<size_t>(t.quantization)];
          tensor.quantization = q.block_size != 0   ? "blocks of " + std::to_string(q.block_size)
                                : q.scale.size() > 1 ? "a scale a row"
                                                     : "one scale";
          if (!q.zero_points_are_zero) tensor.quantization += ", zero points";
        }
        out_.tensors.push_back(std::move(tensor));
      }
    }
    for (const auto& [name, count] : operators) out_.operators.push_back({name, count});
    return OkStatus();
  }

  void ConfigFields(const ModelConfig& c) {
    Field("layers", std::to_string(c.n_layers));
    Field("hidden", std::to_string(c.hidden));
    Field("heads", std::to_string(c.n_heads) + ", " + std::to_string(c.n_kv_heads) + " for keys and values, of " +
                       std::to_string(c.head_dim));
    Field("feed-forward", std::to_string(c.ffn));
    Field("vocabulary", std::to_string(c.vocab));
    Field("rope base", Number(c.rope_theta));
    Field("head", c.tied_head ? "tied to the embedding" : "of its own");
  }

  // ---- GGUF

  Status Gguf(ByteSpan bytes, const std::string& path) {
    out_.format = "gguf";
    PITH_ASSIGN_OR_RETURN(std::unique_ptr<GgufFile> file, GgufFile::FromMemory(bytes, path));
    for (const GgufKeyValue& entry : file->metadata()) Field(std::string(entry.key), GgufText(entry.value));
    for (const GgufTensor& t : file->tensors()) {
      out_.tensors.push_back({std::string(t.name), std::string(GgufEncodingName(t.encoding)), ShapeText(t.shape), "",
                              t.data.size()});
    }
    out_.not_loadable = GgufFault(std::move(file)).message();
    return OkStatus();
  }

  // Why the engine does not take the file; ok where it does.
  static Status GgufFault(std::unique_ptr<GgufFile> file) {
    PITH_ASSIGN_OR_RETURN(const std::unique_ptr<GgufModel> model, GgufModel::FromFile(std::move(file)));
    return model->has_tokenizer() ? Tokenizer::FromGguf(model->file()).status() : OkStatus();
  }

  static std::string GgufText(const GgufValue& v) {
    if (const auto flag = v.AsBool()) return *flag ? "true" : "false";
    if (const auto text = v.AsString()) return std::string(*text);
    if (const auto number = v.AsUnsigned()) return std::to_string(*number);
    if (const auto integer = v.AsInteger()) return std::to_string(*integer);
    if (const auto real = v.AsNumber()) return Number(*real);
    if (v.kind() == GgufKind::kArray) {
      return std::to_string(v.size()) + " x " + std::string(GgufKindName(v.element_kind()));
    }
    return "";
  }

  // ---- ONNX

  Status Onnx(ByteSpan bytes, const std::string& path) {
    out_.format = "onnx";
    PITH_ASSIGN_OR_RETURN(const OnnxSummary summary, ReadOnnx(bytes, path));
    Field("IR version", std::to_string(summary.ir_version));
    Field("producer", summary.producer + (summary.producer_version.empty() ? "" : " " + summary.producer_version));
    for (const auto& [domain, version] : summary.opsets) {
      Field("opset", (domain.empty() ? "ai.onnx" : domain) + " " + std::to_string(version));
    }
    for (const auto& [key, value] : summary.metadata) Field(key, value);
    InspectedSignature graph{summary.graph_name, {}, {}};
    const auto list = [](const std::vector<OnnxSummary::Value>& values, std::vector<InspectedValue>& out) {
      for (const OnnxSummary::Value& v : values) {
        std::string shape;
        for (const OnnxDimension& d : v.dims) {
          shape += (shape.empty() ? "[" : ", ") + (d.size >= 0 ? std::to_string(d.size) : d.name.empty() ? "?" : d.name);
        }
        out.push_back({v.name, OnnxTypeName(v.type), shape.empty() ? "[]" : shape + "]"});
      }
    };
    list(summary.inputs, graph.inputs);
    list(summary.outputs, graph.outputs);
    out_.signatures.push_back(std::move(graph));
    for (const OnnxSummary::Tensor& t : summary.initializers) {
      if (t.bytes <= kSmallConstant && !t.external) continue;
      out_.tensors.push_back({t.name, OnnxTypeName(t.type), ShapeText(t.dims),
                              t.external ? "in " + t.external->location : "", t.bytes});
    }
    for (const auto& [name, count] : summary.ops) out_.operators.push_back({name, count});
    out_.not_loadable = "pith's engine reads .litertlm, GGUF and .pmodel files, not ONNX";
    return OkStatus();
  }

  // ---- pith's own

  Status Pmodel(const std::string& path) {
    out_.format = "pmodel";
    PITH_ASSIGN_OR_RETURN(const std::unique_ptr<Package> package, Package::Open(path));
    Field("pith name", package->name());
    Field("pith fingerprint", package->fingerprint().Text());
    Field("tokenizer", std::to_string(package->tokenizer().size()) + " bytes");
    const ModelConfig& config = package->weights().config;
    ConfigFields(config);
    for (const TensorSpec& spec : CanonicalTensors(config)) {
      const bool matrix = spec.is_matrix();
      const std::vector<uint32_t> shape = matrix ? std::vector<uint32_t>{spec.rows, spec.cols} : std::vector<uint32_t>{spec.cols};
      out_.tensors.push_back({CheckpointTensorName(spec), matrix ? "INT8" : "FLOAT32", ShapeText(shape),
                              matrix ? "a scale a row" : "", spec.n_elements() * (matrix ? 1 : 4)});
    }
    return OkStatus();
  }

  InspectedModel& out_;
};

}  // namespace

Result<InspectedModel> InspectModel(const std::string& path) {
  return AtBoundary([&]() -> Result<InspectedModel> {
    InspectedModel out;
    PITH_RETURN_IF_ERROR(Inspector(out).Inspect(path));
    return out;
  });
}

}  // namespace pith
