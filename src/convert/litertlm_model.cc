#include "convert/litertlm_model.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <utility>

#include "base/check.h"
#include "base/float_environment.h"
#include "base/half.h"
#include "convert/package_format.h"
#include "convert/quantize.h"
#include "convert/qwen3_recognise.h"

namespace pith {
namespace {

Status CheckEncoding(const StoredTensor& t, const std::string& name) {
  switch (t.type) {
    case TfliteType::kFloat32:
    case TfliteType::kFloat16:
      return OkStatus();
    case TfliteType::kInt8:
      if (t.scales.size() != t.spec.rows) {
        return Unsupported(name + ": " + std::to_string(t.scales.size()) + " scales, expected one a row, " +
                           std::to_string(t.spec.rows));
      }
      for (const float s : t.scales) {
        if (!(s > 0) || !std::isfinite(s)) return Corrupt(name + ": a scale of " + std::to_string(s));
      }
      return OkStatus();
    case TfliteType::kInt4:
      return t.block != 0 ? OkStatus() : Unsupported(name + ": INT4 without blocks");
    default:
      return Unsupported(name + ": weights of type " + TfliteTypeName(t.type));
  }
}

// The rows of a tensor found in the graph.
Result<StoredTensor> Locate(const TfliteFile& file, const TfliteGraph& graph, const FoundTensor& found) {
  const TfliteTensor& tensor = graph.tensors[static_cast<size_t>(found.tensor)];
  const std::string name = tensor.name.empty() ? "tensor " + std::to_string(found.tensor) : tensor.name;
  StoredTensor out;
  out.spec = found.spec;
  out.type = tensor.type;
  const ByteSpan data = file.Data(tensor.buffer);
  const uint64_t first = found.first_row;
  const uint64_t rows = found.spec.rows;
  const uint64_t cols = found.spec.cols;
  const auto part = [&](ByteSpan all, uint64_t row_bytes) -> Result<ByteSpan> {
    if (all.size() < (first + rows) * row_bytes) return Corrupt(name + ": less data than its shape needs");
    return all.subspan(first * row_bytes, rows * row_bytes);
  };
  if (tensor.type == TfliteType::kInt4 && cols % 2 != 0) return Unsupported(name + ": INT4 rows of odd length");
  const auto row_bytes = TfliteDataBytes(tensor.type, {static_cast<int32_t>(cols)});
  if (!row_bytes) return Unsupported(name + ": weights of type " + TfliteTypeName(tensor.type));
  PITH_ASSIGN_OR_RETURN(out.data, part(data, *row_bytes));
  if (tensor.quantization >= 0 && (tensor.type == TfliteType::kInt8 || tensor.type == TfliteType::kInt4)) {
    const TfliteQuantization& q = file.model().quantizations[static_cast<size_t>(tensor.quantization)];
    if (!q.zero_points_are_zero) return Unsupported(name + ": zero points other than 0");
    if (q.block_size != 0) {
      const auto block = static_cast<uint64_t>(q.block_size);
      if (cols % block != 0) return Corrupt(name + ": blocks that do not divide its columns");
      const TfliteTensor& scales = graph.tensors[static_cast<size_t>(q.block_scales)];
      if (scales.type != TfliteType::kFloat16) return Unsupported(name + ": block scales of type " + TfliteTypeName(scales.type));
      PITH_ASSIGN_OR_RETURN(out.block_scales, part(file.Data(scales.buffer), cols / block * 2));
      out.block = block;
    } else if (q.scale.size() >= first + rows && q.dimension == 0) {
      out.scales = std::span(q.scale).subspan(first, rows);
    }
  }
  if (!found.spec.is_matrix() && tensor.type != TfliteType::kFloat32) return Unsupported(name + ": a norm that is no float");
  PITH_RETURN_IF_ERROR(CheckEncoding(out, name));
  return out;
}

// Values of one row. Not for INT8, which is packed as it is.
void ReadRow(const StoredTensor& t, size_t row, std::span<float> out) {
  const size_t n = out.size();
  if (t.type == TfliteType::kFloat32) {
    std::memcpy(out.data(), t.data.data() + row * n * 4, n * 4);
  } else if (t.type == TfliteType::kFloat16) {
    for (size_t i = 0; i < n; ++i) {
      uint16_t half;
      std::memcpy(&half, t.data.data() + (row * n + i) * 2, 2);
      out[i] = HalfToFloat(half);
    }
  } else {
    PITH_CHECK(t.type == TfliteType::kInt4);
    const size_t n_blocks = n / t.block;
    for (size_t i = 0; i < n; ++i) {
      uint16_t half;
      std::memcpy(&half, t.block_scales.data() + (row * n_blocks + i / t.block) * 2, 2);
      const uint8_t byte = t.data[(row * n + i) / 2];
      const int nibble = i % 2 == 0 ? byte & 15 : byte >> 4;
      out[i] = HalfToFloat(half) * static_cast<float>(nibble < 8 ? nibble : nibble - 16);
    }
  }
}

}  // namespace

Result<std::unique_ptr<LitertlmModel>> LitertlmModel::Open(const std::string& path) {
  PITH_ASSIGN_OR_RETURN(std::unique_ptr<MappedFile> file, MappedFile::Open(path));
  std::unique_ptr<LitertlmModel> model(new LitertlmModel);
  const Status status = model->Read(file->bytes());
  if (!status.ok()) return status.WithContext(path);
  model->file_ = std::move(file);
  return model;
}

Result<std::unique_ptr<LitertlmModel>> LitertlmModel::FromMemory(ByteSpan file) {
  std::unique_ptr<LitertlmModel> model(new LitertlmModel);
  PITH_RETURN_IF_ERROR(model->Read(file));
  return model;
}

std::string LitertlmModel::name() const {
  if (record_) return record_->name;
  std::string name = file_ != nullptr ? file_->path() : "";
  name = name.substr(name.rfind('/') + 1);
  name = name.substr(0, name.rfind('.'));
  return ValidateModelName(name).ok() ? name : "model";
}

Result<Bytes> LitertlmModel::ReadTokenizerJson() const {
  return tokenizer_section_.empty() ? Bytes() : DecodeTokenizerSection(tokenizer_section_);
}

Status LitertlmModel::Read(ByteSpan file) {
  bytes_ = file;
  PITH_ASSIGN_OR_RETURN(header_, DecodeLitertlmHeader(file));
  const LitertlmSection* tflite = nullptr;
  for (const LitertlmSection& s : header_.sections) {
    const ByteSpan content = file.subspan(s.begin, s.end - s.begin);
    if (s.type == LitertlmSectionType::kLlmMetadata) {
      PITH_ASSIGN_OR_RETURN(metadata_, DecodeLlmMetadata(content, "section " + LitertlmSectionName(s.type)));
    } else if (s.type == LitertlmSectionType::kTokenizerZlib) {
      tokenizer_section_ = content;
    } else if (s.type == LitertlmSectionType::kGeneric && s.HasModelType(kPithRecordItem)) {
      PITH_ASSIGN_OR_RETURN(record_, DecodePithRecord(content));
    } else if (s.type == LitertlmSectionType::kTfliteWeights) {
      return Unsupported("weights in a section of their own");
    } else if (s.type == LitertlmSectionType::kTflite &&
               (s.Find("model_type") == nullptr || s.HasModelType("tf_lite_prefill_decode"))) {
      tflite = &s;  // a later one wins, as in LiteRT-LM
    }
  }
  if (tflite == nullptr) return Unsupported("no section with a TFLite model of type tf_lite_prefill_decode");
  tflite_ = file.subspan(tflite->begin, tflite->end - tflite->begin);
  Result<TfliteFile> graphs = TfliteFile::Parse(tflite_);
  if (!graphs.ok()) return graphs.status().WithContext("section TFLite model");
  graphs_ = *std::move(graphs);
  PITH_ASSIGN_OR_RETURN(const RecognisedModel found, RecogniseQwen3(graphs_));
  config_ = found.config;
  if (record_) {
    // The record knows two things better: the length that the model was trained for, and the base of rope to the last bit.
    ModelConfig expected = record_->description.config;
    expected.max_positions = config_.max_positions;
    if (config_.head_dim == 2 ||  // one frequency, the same for every base
        std::fabs(expected.rope_theta - config_.rope_theta) <= expected.rope_theta * kRopeBaseTolerance) {
      expected.rope_theta = config_.rope_theta;
    }
    if (!(expected == config_)) return Corrupt("the record of pith and the graph are of different models");
    config_ = record_->description.config;
  }
  uint64_t n_used = 0;
  for (const FoundTensor& f : found.tensors) {
    PITH_ASSIGN_OR_RETURN(StoredTensor t, Locate(graphs_, graphs_.model().graphs[found.graph], f));
    n_used += t.data.size();
    tensors_.push_back(std::move(t));
  }
  // Then the weights in memory would be as large as they like, however small the file.
  if (n_used > file.size()) return Unsupported("a graph in which layers share weights");
  return OkStatus();
}

// Of files that pith wrote and nobody packed anew: others write uuids of version 4.
Status LitertlmModel::CheckUuid() const {
  const std::string* uuid = nullptr;
  for (const LitertlmItem& item : header_.system) {
    if (item.key == "uuid") uuid = std::get_if<std::string>(&item.value);
  }
  if (uuid == nullptr || uuid->size() != 36 || (*uuid)[14] != '8') return OkStatus();
  Hasher hasher;
  ByteSpan record;
  for (const LitertlmSection& s : header_.sections) {
    const ByteSpan content = bytes_.subspan(s.begin, s.end - s.begin);
    if (s.type == LitertlmSectionType::kGeneric && s.HasModelType(kPithRecordItem)) record = content;
    if (s.type == LitertlmSectionType::kLlmMetadata || s.type == LitertlmSectionType::kTokenizerZlib) hasher.Update(content);
  }
  uint64_t flatbuffer_end = 0;
  const std::vector<TfliteBuffer>& buffers = graphs_.model().buffers;
  for (size_t i = 0; i < buffers.size(); ++i) {
    if (buffers[i].size == 0) continue;
    if (flatbuffer_end == 0) flatbuffer_end = buffers[i].offset;
    hasher.Update(graphs_.Data(static_cast<uint32_t>(i)));
  }
  hasher.Update(tflite_.first(std::min<uint64_t>(flatbuffer_end, tflite_.size())));
  hasher.Update(record);
  const std::string found = ContentUuid(hasher.Digest128());
  if (found == *uuid) return OkStatus();
  return Corrupt("content has the uuid " + found + ", the header says " + *uuid + ": the data is damaged");
}

Result<std::unique_ptr<WeightPacker>> LitertlmModel::NewPacker(const ActivationTerms& terms, ThreadPool& pool) const {
  PITH_RETURN_IF_ERROR(ValidateDescription({config_, terms, 0}));
  return std::make_unique<WeightPacker>(config_, terms, pool);
}

Status LitertlmModel::Pack(WeightPacker& packer) const {
  const ScopedFloatEnvironment environment;
  if (record_ && !record_->fingerprint) PITH_RETURN_IF_ERROR(CheckUuid());
  for (const StoredTensor& t : tensors_) {
    const std::string name = CheckpointTensorName(t.spec);
    // Only of the mapping: dropped pages of memory would come back as zeros.
    const bool mapped = file_ != nullptr && !std::less<>()(t.data.data(), file_->bytes().data()) &&
                        std::less<>()(t.data.data(), file_->bytes().data() + file_->bytes().size());
    if (!t.spec.is_matrix()) {
      PITH_RETURN_IF_ERROR(packer.AddNorm(t.spec, name, [&](std::span<float> norm) { ReadRow(t, 0, norm); }));
    } else if (t.type == TfliteType::kInt8) {
      const std::span codes(reinterpret_cast<const int8_t*>(t.data.data()), t.data.size());
      PITH_RETURN_IF_ERROR(packer.AddInt8Matrix(t.spec, name, codes, t.scales, mapped));
    } else {
      PITH_RETURN_IF_ERROR(
          packer.AddMatrix(t.spec, name, [&](size_t row, std::span<float> values, int8_t* codes, float* scale) {
            ReadRow(t, row, values);
            if (FindNonFinite(values)) return false;
            *scale = QuantizeRow(values, codes);
            return true;
          }));
      if (mapped) DropPages(t.data);
    }
  }
  return OkStatus();
}

Result<std::unique_ptr<Package>> LitertlmModel::Finish(WeightPacker& packer, Bytes tokenizer, const std::string& name,
                                                       TokenId start_token) const {
  std::unique_ptr<Package> package = packer.Finish(std::move(tokenizer), name, start_token, bytes_.size());
  if (record_ && record_->fingerprint && *record_->fingerprint != package->fingerprint() &&
      package->weights().terms == record_->description.terms && start_token == record_->description.start_token) {
    return Corrupt("content has the fingerprint " + package->fingerprint().Text() + ", the file says " +
                   record_->fingerprint->Text());
  }
  return package;
}

Result<std::unique_ptr<Package>> LitertlmModel::ToPackage(Bytes tokenizer, const std::string& name, TokenId start_token,
                                                          const ActivationTerms& terms, ThreadPool& pool) const {
  PITH_ASSIGN_OR_RETURN(const std::unique_ptr<WeightPacker> packer, NewPacker(terms, pool));
  PITH_RETURN_IF_ERROR(Pack(*packer));
  PITH_RETURN_IF_ERROR(packer->Hash(start_token, tokenizer));
  return Finish(*packer, std::move(tokenizer), name, start_token);
}

}  // namespace pith
