#include "formats/tflite.h"

#include <flatbuffers/flatbuffers.h>

#include <algorithm>
#include <flatbuffers/flatbuffers.h>
#include <map>
#include <utility>

#include "base/check.h"
#include "formats/tflite_generated.h"

namespace pith {
namespace {

namespace fb = tflite_schema;
using flatbuffers::Offset;

// ---- Writing --------------------------------------------------------------------------------------------------------

// Parts are made one after another, never as arguments of one call: the order of those is the compiler's, and the bytes would
// be, too.
class Encoder {
 public:
  explicit Encoder(const TfliteModel& model) : model_(model), builder_(size_t{1} << 20) {
    builder_.ForceDefaults(false);
  }

  Bytes Encode() {
    for (const TfliteQuantization& q : model_.quantizations) quantizations_.push_back(Quantization(q));
    std::vector<Offset<fb::SubGraph>> graphs;
    for (const TfliteGraph& graph : model_.graphs) graphs.push_back(Graph(graph));
    std::vector<Offset<fb::Buffer>> buffers;
    for (const TfliteBuffer& buffer : model_.buffers) buffers.push_back(Buffer(buffer));
    std::vector<Offset<fb::SignatureDef>> signatures;
    for (const TfliteSignature& signature : model_.signatures) signatures.push_back(Signature(signature));
    std::vector<Offset<fb::Metadata>> metadata;
    for (const TfliteModel::Metadata& m : model_.metadata) {
      metadata.push_back(fb::CreateMetadata(builder_, builder_.CreateSharedString(m.name), m.buffer));
    }
    std::vector<Offset<fb::OperatorCode>> codes;
    for (const auto& [op, version] : codes_) {
      const auto code = static_cast<int32_t>(op);
      codes.push_back(fb::CreateOperatorCode(builder_, static_cast<int8_t>(std::min(code, 127)), 0, version,
                                             static_cast<fb::BuiltinOperator>(code)));
    }
    const auto code_list = builder_.CreateVector(codes);
    const auto graph_list = builder_.CreateVector(graphs);
    const auto description = builder_.CreateString(model_.description);
    const auto buffer_list = builder_.CreateVector(buffers);
    const auto metadata_list = builder_.CreateVector(metadata);
    const auto signature_list = builder_.CreateVector(signatures);
    const auto root = fb::CreateModel(builder_, 3, code_list, graph_list, description, buffer_list, 0, metadata_list,
                                      signature_list);
    fb::FinishModelBuffer(builder_, root);
    return {builder_.GetBufferPointer(), builder_.GetBufferPointer() + builder_.GetSize()};
  }

 private:
  Offset<fb::QuantizationParameters> Quantization(const TfliteQuantization& q) {
    if (q.block_size != 0) {
      const auto blocks = fb::CreateBlockwiseQuantization(builder_, q.block_scales, -1, q.block_size);
      return fb::CreateQuantizationParameters(builder_, 0, 0, 0, 0, fb::QuantizationDetails_BlockwiseQuantization,
                                              blocks.Union(), q.dimension);
    }
    PITH_CHECK(!q.scale.empty());
    const auto scale = builder_.CreateVector(q.scale);
    // As many zero points as scales, or LiteRT refuses the tensor. All are zero: vectors of one length are one.
    auto& zeros = zero_points_[q.scale.size()];
    if (zeros.IsNull()) zeros = builder_.CreateVector(std::vector<int64_t>(q.scale.size(), 0));
    return fb::CreateQuantizationParameters(builder_, 0, 0, scale, zeros, fb::QuantizationDetails_NONE, 0, q.dimension);
  }

  // Lists of numbers that occur again and again (shapes, mostly) are written once.
  Offset<flatbuffers::Vector<int32_t>> Numbers(const std::vector<int32_t>& values) {
    auto& offset = numbers_[values];
    if (offset.IsNull()) offset = builder_.CreateVector(values);
    return offset;
  }

  Offset<fb::SubGraph> Graph(const TfliteGraph& graph) {
    std::vector<Offset<fb::Tensor>> tensors;
    for (const TfliteTensor& t : graph.tensors) {
      const auto quantization = t.quantization < 0 ? Offset<fb::QuantizationParameters>()
                                                   : quantizations_[static_cast<size_t>(t.quantization)];
      const auto shape = Numbers(t.shape);
      const auto name = builder_.CreateSharedString(t.name);
      tensors.push_back(fb::CreateTensor(builder_, shape, static_cast<fb::TensorType>(t.type), t.buffer, name, quantization,
                                         false, 0, 0, true));
    }
    std::vector<Offset<fb::Operator>> operators;
    for (const TfliteOperator& op : graph.operators) operators.push_back(Operator(op));
    const auto tensor_list = builder_.CreateVector(tensors);
    const auto operator_list = builder_.CreateVector(operators);
    const auto inputs = Numbers(graph.inputs);
    const auto outputs = Numbers(graph.outputs);
    const auto name = builder_.CreateString(graph.name);
    return fb::CreateSubGraph(builder_, tensor_list, inputs, outputs, operator_list, name);
  }

  Offset<fb::Operator> Operator(const TfliteOperator& op) {
    const std::pair<TfliteOp, int32_t> code(op.op, op.version);
    const auto found = std::find(codes_.begin(), codes_.end(), code);
    const auto index = static_cast<uint32_t>(found - codes_.begin());
    if (found == codes_.end()) codes_.push_back(code);
    fb::BuiltinOptions type = fb::BuiltinOptions_NONE;
    fb::BuiltinOptions2 type2 = fb::BuiltinOptions2_NONE;
    Offset<void> options;
    Offset<void> options2;
    if (const auto* fc = std::get_if<TfliteFullyConnected>(&op.options)) {
      type = fb::BuiltinOptions_FullyConnectedOptions;
      options = fb::CreateFullyConnectedOptions(builder_, 0, 0, fc->keep_num_dims, false).Union();
    } else if (const auto* softmax = std::get_if<TfliteSoftmax>(&op.options)) {
      type = fb::BuiltinOptions_SoftmaxOptions;
      options = fb::CreateSoftmaxOptions(builder_, softmax->beta).Union();
    } else if (const auto* concatenation = std::get_if<TfliteConcatenation>(&op.options)) {
      type = fb::BuiltinOptions_ConcatenationOptions;
      options = fb::CreateConcatenationOptions(builder_, concatenation->axis, 0).Union();
    } else if (const auto* mean = std::get_if<TfliteMean>(&op.options)) {
      type = fb::BuiltinOptions_ReducerOptions;
      options = fb::CreateReducerOptions(builder_, mean->keep_dims).Union();
    } else if (const auto* product = std::get_if<TfliteBatchMatMul>(&op.options)) {
      type = fb::BuiltinOptions_BatchMatMulOptions;
      options = fb::CreateBatchMatMulOptions(builder_, product->adj_x, product->adj_y, false).Union();
    } else if (const auto* composite = std::get_if<TfliteComposite>(&op.options)) {
      type2 = fb::BuiltinOptions2_StableHLOCompositeOptions;
      const auto name = builder_.CreateSharedString(composite->name);
      const auto attributes = builder_.CreateVector(composite->attributes);
      options2 = fb::CreateStableHLOCompositeOptions(builder_, name, composite->graph, attributes, 0, 0).Union();
    } else if (op.op == TfliteOp::kAdd) {
      type = fb::BuiltinOptions_AddOptions;
      options = fb::CreateAddOptions(builder_).Union();
    } else if (op.op == TfliteOp::kSub) {
      type = fb::BuiltinOptions_SubOptions;
      options = fb::CreateSubOptions(builder_).Union();
    } else if (op.op == TfliteOp::kMul) {
      type = fb::BuiltinOptions_MulOptions;
      options = fb::CreateMulOptions(builder_).Union();
    }
    const auto inputs = Numbers(op.inputs);
    const auto outputs = Numbers(op.outputs);
    return fb::CreateOperator(builder_, index, inputs, outputs, type, options, 0, 0, 0, 0, 0, 0, type2, options2);
  }

  Offset<fb::Buffer> Buffer(const TfliteBuffer& buffer) {
    if (buffer.size == 0 && buffer.data.empty()) return fb::CreateBuffer(builder_);
    if (buffer.size == 0) {
      builder_.ForceVectorAlignment(buffer.data.size(), 1, kTfliteDataAlignment);
      const auto data = builder_.CreateVector(buffer.data);
      return fb::CreateBuffer(builder_, data);
    }
    // Offsets 0 and 1 would be left out and mean "inside": what is unknown yet is written as 2.
    return fb::CreateBuffer(builder_, 0, std::max<uint64_t>(buffer.offset, 2), buffer.size);
  }

  Offset<fb::SignatureDef> Signature(const TfliteSignature& signature) {
    const auto list = [&](const std::vector<TfliteSignature::Entry>& entries) {
      std::vector<Offset<fb::TensorMap>> maps;
      for (const TfliteSignature::Entry& e : entries) {
        maps.push_back(fb::CreateTensorMap(builder_, builder_.CreateSharedString(e.name), e.tensor));
      }
      return builder_.CreateVector(maps);
    };
    const auto inputs = list(signature.inputs);
    const auto outputs = list(signature.outputs);
    return fb::CreateSignatureDef(builder_, inputs, outputs, builder_.CreateString(signature.key), 0, signature.graph);
  }

  const TfliteModel& model_;
  flatbuffers::FlatBufferBuilder builder_;
  std::vector<Offset<fb::QuantizationParameters>> quantizations_;
  std::map<size_t, Offset<flatbuffers::Vector<int64_t>>> zero_points_;
  std::map<std::vector<int32_t>, Offset<flatbuffers::Vector<int32_t>>> numbers_;
  std::vector<std::pair<TfliteOp, int32_t>> codes_;
};

// ---- Reading --------------------------------------------------------------------------------------------------------

template <typename T>
size_t Count(const flatbuffers::Vector<T>* v) {
  return v == nullptr ? 0 : v->size();
}

Status OutOfRange(const std::string& what, int64_t found, uint64_t limit) {
  return Corrupt(what + ": found " + std::to_string(found) + ", expected below " + std::to_string(limit));
}

class Decoder {
 public:
  Decoder(ByteSpan file, TfliteModel& model, std::vector<ByteSpan>& data) : file_(file), model_(model), data_(data) {}

  Status Decode() {
    if (file_.size() < 8 || !fb::ModelBufferHasIdentifier(file_.data())) {
      return Corrupt("no TFLite model: the identifier TFL3 is missing");
    }
    // The flatbuffer comes first; where it ends only it knows.
    const size_t reach = std::min<uint64_t>(file_.size(), kMaxFlatbufferBytes);
    flatbuffers::Verifier verifier(file_.data(), reach, 64, 40'000'000);
    if (!fb::VerifyModelBuffer(verifier)) return Corrupt("the flatbuffer of the TFLite model is damaged");
    const fb::Model& model = *fb::GetModel(file_.data());
    if (model.version() != 3) {
      return Unsupported("TFLite schema version " + std::to_string(model.version()) + ", expected 3");
    }
    model_.description = Text(model.description());
    PITH_RETURN_IF_ERROR(ReadBuffers(model));
    PITH_RETURN_IF_ERROR(ReadCodes(model));
    PITH_RETURN_IF_ERROR(ReadGraphs(model));
    PITH_RETURN_IF_ERROR(ReadSignatures(model));
    PITH_RETURN_IF_ERROR(CheckCount("metadata entries", Count(model.metadata())));
    for (size_t i = 0; i < Count(model.metadata()); ++i) {
      const fb::Metadata* m = model.metadata()->Get(static_cast<uint32_t>(i));
      if (m->buffer() >= model_.buffers.size()) return OutOfRange("metadata: buffer", m->buffer(), model_.buffers.size());
      model_.metadata.push_back({Text(m->name()), m->buffer()});
    }
    return CheckCopied();
  }

 private:
  // Names and lists are copied out of the file, as often as it names them: CheckCopied says when that is too much.
  std::string Text(const flatbuffers::String* s) {
    n_copied_ += s == nullptr ? 0 : s->size();
    return s == nullptr || n_copied_ > kMaxTfliteTextBytes ? std::string() : s->str();
  }
  std::vector<int32_t> Values(const flatbuffers::Vector<int32_t>* v) {
    n_copied_ += Count(v) * sizeof(int32_t);
    return v == nullptr || n_copied_ > kMaxTfliteTextBytes ? std::vector<int32_t>()
                                                           : std::vector<int32_t>(v->begin(), v->end());
  }
  Status CheckCopied() const {
    if (n_copied_ <= kMaxTfliteTextBytes) return OkStatus();
    return Unsupported("names and lists of more than " + std::to_string(kMaxTfliteTextBytes >> 20) + " MiB");
  }
  static Status CheckCount(const std::string& what, size_t n) {
    if (n <= kMaxTfliteTensors) return OkStatus();
    return Unsupported(std::to_string(n) + " " + what + ", expected at most " + std::to_string(kMaxTfliteTensors));
  }

  Status ReadBuffers(const fb::Model& model) {
    PITH_RETURN_IF_ERROR(CheckCount("buffers", Count(model.buffers())));
    for (size_t i = 0; i < Count(model.buffers()); ++i) {
      const fb::Buffer* b = model.buffers()->Get(static_cast<uint32_t>(i));
      TfliteBuffer buffer;
      if (b->offset() > 1) {
        if (b->offset() > file_.size() || b->size() > file_.size() - b->offset()) {
          return Corrupt("buffer " + std::to_string(i) + ": " + std::to_string(b->size()) + " bytes from byte " +
                         std::to_string(b->offset()) + ", expected within the " + std::to_string(file_.size()) +
                         " bytes of the model");
        }
        buffer.offset = b->offset();
        buffer.size = b->size();
        data_.push_back(file_.subspan(b->offset(), b->size()));
      } else if (b->data() != nullptr) {
        data_.emplace_back(b->data()->data(), b->data()->size());
      } else {
        data_.emplace_back();
      }
      model_.buffers.push_back(std::move(buffer));
    }
    return OkStatus();
  }

  Status ReadCodes(const fb::Model& model) {
    PITH_RETURN_IF_ERROR(CheckCount("operator codes", Count(model.operator_codes())));
    for (size_t i = 0; i < Count(model.operator_codes()); ++i) {
      const fb::OperatorCode* c = model.operator_codes()->Get(static_cast<uint32_t>(i));
      TfliteOperator code;
      code.op = static_cast<TfliteOp>(std::max<int32_t>(c->builtin_code(), c->deprecated_builtin_code()));
      code.version = c->version();
      code.custom = Text(c->custom_code());
      codes_.push_back(std::move(code));
    }
    return CheckCopied();
  }

  Status ReadGraphs(const fb::Model& model) {
    const size_t n_graphs = Count(model.subgraphs());
    if (n_graphs > kMaxTfliteGraphs) return Unsupported(std::to_string(n_graphs) + " graphs, more than this build takes");
    for (size_t i = 0; i < n_graphs; ++i) {
      const fb::SubGraph* g = model.subgraphs()->Get(static_cast<uint32_t>(i));
      TfliteGraph graph;
      graph.name = Text(g->name());
      where_ = "graph " + std::to_string(i);
      PITH_RETURN_IF_ERROR(ReadTensors(*g, graph));
      graph.inputs = Values(g->inputs());
      graph.outputs = Values(g->outputs());
      PITH_RETURN_IF_ERROR(CheckCopied());
      PITH_RETURN_IF_ERROR(CheckTensors("inputs", graph.inputs, graph, false));
      PITH_RETURN_IF_ERROR(CheckTensors("outputs", graph.outputs, graph, false));
      PITH_RETURN_IF_ERROR(ReadOperators(*g, graph, n_graphs));
      model_.graphs.push_back(std::move(graph));
    }
    return OkStatus();
  }

  Status ReadTensors(const fb::SubGraph& g, TfliteGraph& graph) {
    n_tensors_ += Count(g.tensors());
    if (n_tensors_ > kMaxTfliteTensors) return Unsupported("more tensors than this build takes");
    for (size_t i = 0; i < Count(g.tensors()); ++i) {
      const fb::Tensor* t = g.tensors()->Get(static_cast<uint32_t>(i));
      TfliteTensor tensor;
      tensor.name = Text(t->name());
      tensor.type = static_cast<TfliteType>(t->type());
      tensor.shape = Values(t->shape());
      tensor.buffer = t->buffer();
      PITH_RETURN_IF_ERROR(CheckCopied());
      const std::string at = where_ + ": tensor " + std::to_string(i);
      if (tensor.buffer >= data_.size()) return OutOfRange(at + ": buffer", tensor.buffer, data_.size());
      if (tensor.shape.size() > kMaxTfliteRank) return Unsupported(at + ": rank above " + std::to_string(kMaxTfliteRank));
      for (const int32_t n : tensor.shape) {
        if (n < -1) return Corrupt(at + ": dimension " + std::to_string(n));
      }
      const ByteSpan data = data_[tensor.buffer];
      const auto expected = TfliteDataBytes(tensor.type, tensor.shape);
      if (!data.empty() && expected && *expected != data.size()) {
        return Corrupt(at + ": found " + std::to_string(data.size()) + " bytes of data, expected " +
                       std::to_string(*expected) + " for its shape");
      }
      if (t->sparsity() != nullptr) return Unsupported(at + ": sparse tensors");
      PITH_RETURN_IF_ERROR(ReadQuantization(t->quantization(), at, Count(g.tensors()), tensor));
      graph.tensors.push_back(std::move(tensor));
    }
    return OkStatus();
  }

  Status ReadQuantization(const fb::QuantizationParameters* q, const std::string& at, size_t n_tensors,
                          TfliteTensor& tensor) {
    const fb::BlockwiseQuantization* blocks = q != nullptr ? q->details_as_BlockwiseQuantization() : nullptr;
    if (q == nullptr || (Count(q->scale()) == 0 && blocks == nullptr)) return OkStatus();
    // Tensors that name one table share one entry: every graph names all weights.
    const auto [known, is_new] = quantizations_.try_emplace(q, static_cast<int32_t>(model_.quantizations.size()));
    tensor.quantization = known->second;
    if (!is_new) return OkStatus();
    TfliteQuantization out;
    out.dimension = q->quantized_dimension();
    n_scales_ += Count(q->scale()) + Count(q->zero_point());
    if (n_scales_ > file_.size()) return Corrupt(at + ": more scales than the file has bytes");
    if (q->scale() != nullptr) out.scale.assign(q->scale()->begin(), q->scale()->end());
    if (q->zero_point() != nullptr) {
      out.zero_points_are_zero = std::all_of(q->zero_point()->begin(), q->zero_point()->end(), [](int64_t z) { return z == 0; });
    }
    if (blocks != nullptr) {
      out.block_size = blocks->block_size();
      out.block_scales = blocks->scales();
      if (out.block_size <= 0) return Corrupt(at + ": block size " + std::to_string(out.block_size));
      if (out.block_scales < 0 || static_cast<size_t>(out.block_scales) >= n_tensors) {
        return OutOfRange(at + ": tensor of block scales", out.block_scales, n_tensors);
      }
      out.zero_points_are_zero = out.zero_points_are_zero && blocks->zero_points() < 0;
    }
    model_.quantizations.push_back(std::move(out));
    return OkStatus();
  }

  Status CheckTensors(const std::string& what, const std::vector<int32_t>& indices, const TfliteGraph& graph,
                      bool optional) const {
    for (const int32_t i : indices) {
      if (i == -1 && optional) continue;
      if (i < 0 || static_cast<size_t>(i) >= graph.tensors.size()) {
        return OutOfRange(where_ + ": " + what + ": tensor", i, graph.tensors.size());
      }
    }
    return OkStatus();
  }

  Status ReadOperators(const fb::SubGraph& g, TfliteGraph& graph, size_t n_graphs) {
    n_operators_ += Count(g.operators());
    if (n_operators_ > kMaxTfliteOperators) return Unsupported("more operators than this build takes");
    for (size_t i = 0; i < Count(g.operators()); ++i) {
      const fb::Operator* o = g.operators()->Get(static_cast<uint32_t>(i));
      if (o->opcode_index() >= codes_.size()) {
        return OutOfRange(where_ + ": operator " + std::to_string(i) + ": code", o->opcode_index(), codes_.size());
      }
      TfliteOperator op = codes_[o->opcode_index()];
      op.inputs = Values(o->inputs());
      op.outputs = Values(o->outputs());
      n_copied_ += op.custom.size();
      PITH_RETURN_IF_ERROR(CheckCopied());
      PITH_RETURN_IF_ERROR(CheckTensors("operator " + std::to_string(i), op.inputs, graph, true));
      PITH_RETURN_IF_ERROR(CheckTensors("operator " + std::to_string(i), op.outputs, graph, true));
      if (const auto* fc = o->builtin_options_as_FullyConnectedOptions()) {
        op.options = TfliteFullyConnected{fc->keep_num_dims()};
      } else if (const auto* softmax = o->builtin_options_as_SoftmaxOptions()) {
        op.options = TfliteSoftmax{softmax->beta()};
      } else if (const auto* concatenation = o->builtin_options_as_ConcatenationOptions()) {
        op.options = TfliteConcatenation{concatenation->axis()};
      } else if (const auto* mean = o->builtin_options_as_ReducerOptions()) {
        op.options = TfliteMean{mean->keep_dims()};
      } else if (const auto* product = o->builtin_options_as_BatchMatMulOptions()) {
        op.options = TfliteBatchMatMul{product->adj_x(), product->adj_y()};
      } else if (const auto* composite = o->builtin_options_2_as_StableHLOCompositeOptions()) {
        const int32_t target = composite->decomposition_subgraph_index();
        if (target < 0 || static_cast<size_t>(target) >= n_graphs) {
          return OutOfRange(where_ + ": operator " + std::to_string(i) + ": graph", target, n_graphs);
        }
        Bytes attributes;
        n_copied_ += Count(composite->composite_attributes());
        PITH_RETURN_IF_ERROR(CheckCopied());
        if (const auto* a = composite->composite_attributes()) attributes.assign(a->begin(), a->end());
        op.options = TfliteComposite{Text(composite->name()), target, std::move(attributes)};
      }
      graph.operators.push_back(std::move(op));
    }
    return OkStatus();
  }

  Status ReadSignatures(const fb::Model& model) {
    PITH_RETURN_IF_ERROR(CheckCount("signatures", Count(model.signature_defs())));
    for (size_t i = 0; i < Count(model.signature_defs()); ++i) {
      const fb::SignatureDef* s = model.signature_defs()->Get(static_cast<uint32_t>(i));
      TfliteSignature signature;
      signature.key = Text(s->signature_key());
      signature.graph = s->subgraph_index();
      const std::string at = "signature " + std::to_string(i);
      PITH_RETURN_IF_ERROR(CheckCopied());
      if (signature.graph >= model_.graphs.size()) return OutOfRange(at + ": graph", signature.graph, model_.graphs.size());
      const size_t n_tensors = model_.graphs[signature.graph].tensors.size();
      for (const bool is_input : {true, false}) {
        const auto* maps = is_input ? s->inputs() : s->outputs();
        n_maps_ += Count(maps);
        PITH_RETURN_IF_ERROR(CheckCount("inputs and outputs of signatures", n_maps_));
        for (size_t j = 0; j < Count(maps); ++j) {
          const fb::TensorMap* m = maps->Get(static_cast<uint32_t>(j));
          if (m->tensor_index() >= n_tensors) return OutOfRange(at + ": tensor", m->tensor_index(), n_tensors);
          (is_input ? signature.inputs : signature.outputs).push_back({Text(m->name()), m->tensor_index()});
        }
      }
      model_.signatures.push_back(std::move(signature));
    }
    return OkStatus();
  }

  ByteSpan file_;
  TfliteModel& model_;
  std::vector<ByteSpan>& data_;
  std::vector<TfliteOperator> codes_;
  std::map<const fb::QuantizationParameters*, int32_t> quantizations_;
  std::string where_;
  size_t n_tensors_ = 0;
  size_t n_operators_ = 0;
  size_t n_scales_ = 0;  // and zero points
  size_t n_maps_ = 0;
  size_t n_copied_ = 0;  // bytes of names and lists
};

}  // namespace

std::string TfliteTypeName(TfliteType type) {
  const char* name = fb::EnumNameTensorType(static_cast<fb::TensorType>(type));
  return *name != 0 ? name : "type " + std::to_string(static_cast<int>(type));
}

std::string TfliteOpName(TfliteOp op) {
  const auto code = static_cast<fb::BuiltinOperator>(op);
  for (const fb::BuiltinOperator known : fb::EnumValuesBuiltinOperator()) {
    if (known == code) return fb::EnumNameBuiltinOperator(code);
  }
  return "builtin " + std::to_string(static_cast<int32_t>(op));
}

std::optional<uint64_t> TfliteDataBytes(TfliteType type, const std::vector<int32_t>& shape) {
  constexpr uint64_t kMost = uint64_t{1} << 58;
  uint64_t n = 1;
  for (const int32_t d : shape) {
    if (d < 0) return std::nullopt;
    if (d != 0 && n > kMost / static_cast<uint64_t>(d)) return std::nullopt;
    n *= static_cast<uint64_t>(d);
  }
  switch (type) {
    case TfliteType::kFloat32:
    case TfliteType::kInt32:
      return n * 4;
    case TfliteType::kFloat16:
      return n * 2;
    case TfliteType::kInt64:
      return n * 8;
    case TfliteType::kBool:
    case TfliteType::kInt8:
      return n;
    case TfliteType::kInt4:
      return (n + 1) / 2;
  }
  return std::nullopt;
}

Bytes EncodeTflite(const TfliteModel& model) { return Encoder(model).Encode(); }

Result<TfliteFile> TfliteFile::Parse(ByteSpan file) {
  TfliteFile out;
  constexpr uintptr_t kAlignment = 8;
  if (reinterpret_cast<uintptr_t>(file.data()) % kAlignment != 0) {
    auto copy = std::make_shared<AlignedBuffer<uint8_t>>(file.size());
    std::copy(file.begin(), file.end(), copy->data());
    file = copy->span();
    out.copy_ = std::move(copy);
  }
  PITH_RETURN_IF_ERROR(Decoder(file, out.model_, out.data_).Decode());
  return out;
}

}  // namespace pith
