#include "convert/litertlm_export.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstring>
#include <ctime>
#include <memory>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/file.h"
#include "base/float_environment.h"
#include "base/half.h"
#include "convert/calibrate.h"
#include "convert/litertlm_model.h"
#include "convert/package_format.h"
#include "convert/quantize.h"
#include "convert/tensor_stream.h"
#include "convert/term_search.h"
#include "formats/litertlm.h"
#include "formats/tflite.h"

namespace pith {
namespace {

// Scale of a row of zeros, which LiteRT's quantiser gives too: 0 is no scale to XNNPACK.
constexpr float kScaleOfZeros = 1e-9f / 127.0f;

// The scale of a block whose largest magnitude is given, as a half. Rounded to the 8 significant bits of bfloat16 first, as
// LiteRT's quantiser does: XNNPACK holds the scales of blocks so, and codes have to fit those. Infinite where no half is large
// enough.
uint16_t BlockScale(float largest) {
  uint32_t bits = std::bit_cast<uint32_t>(largest / 7.0f);
  bits += 0x7fff + (bits >> 16 & 1);  // nearest, ties to even; finite and not negative
  const uint16_t half = FloatToHalf(std::bit_cast<float>(bits & 0xffff0000));
  // LiteRT's quantiser writes 0 for a block of zeros, and XNNPACK then refuses the model.
  return half == 0 ? 1 : half;
}
constexpr uint16_t kInfiniteHalf = 0x7c00;

// Rows of one matrix in the encoding of the file.
class RowEncoder {
 public:
  RowEncoder(const GraphOptions& graph, bool measure) : graph_(graph), measure_(measure) {}

  size_t RowBytes(size_t cols) const {
    switch (graph_.encoding) {
      case WeightEncoding::kFloat32:
        return cols * 4;
      case WeightEncoding::kFloat16:
        return cols * 2;
      case WeightEncoding::kDynamicInt4:
        return cols / 2;  // blocks are even
      default:
        return cols;
    }
  }
  std::string Name() const {
    switch (graph_.encoding) {
      case WeightEncoding::kFloat32:
        return "FLOAT32";
      case WeightEncoding::kFloat16:
        return "FLOAT16";
      case WeightEncoding::kDynamicInt4:
        return "INT4 blocks of " + std::to_string(graph_.block);
      default:
        return "INT8 rows";
    }
  }

  // `scale` is that of the row (INT8), `scales` those of its blocks as halves (INT4). Returns the index of a value that the
  // encoding cannot hold.
  std::optional<size_t> Encode(std::span<const float> row, uint8_t* out, float* scale, uint16_t* scales,
                               RowError* error) const {
    switch (graph_.encoding) {
      case WeightEncoding::kFloat32:
        std::memcpy(out, row.data(), row.size() * sizeof(float));
        Measure(row, error, [&](size_t i) { return row[i]; });
        return std::nullopt;
      case WeightEncoding::kFloat16:
        for (size_t i = 0; i < row.size(); ++i) {
          const uint16_t half = FloatToHalf(row[i]);
          if ((half & 0x7fff) == kInfiniteHalf) return i;
          std::memcpy(out + 2 * i, &half, 2);
        }
        Measure(row, error, [&](size_t i) { return HalfToFloat(FloatToHalf(row[i])); });
        return std::nullopt;
      case WeightEncoding::kDynamicInt4:
        return EncodeInt4(row, out, scales, error);
      default: {
        auto* codes = reinterpret_cast<int8_t*>(out);
        *scale = QuantizeRow(row, codes);
        Measure(row, error, [&](size_t i) { return *scale * static_cast<float>(codes[i]); });
        return std::nullopt;
      }
    }
  }

 private:
  template <typename Stored>
  void Measure(std::span<const float> row, RowError* error, const Stored& stored) const {
    if (!measure_) return;
    *error = {};
    for (size_t i = 0; i < row.size(); ++i) error->Add(row[i], stored(i));
  }

  // Codes -8 to 7, two in a byte, the first in the low half.
  std::optional<size_t> EncodeInt4(std::span<const float> row, uint8_t* out, uint16_t* scales, RowError* error) const {
    const auto block = static_cast<size_t>(graph_.block);
    if (measure_) *error = {};
    for (size_t b = 0; b * block < row.size(); ++b) {
      const std::span<const float> values = row.subspan(b * block, block);
      size_t at = 0;
      for (size_t i = 1; i < block; ++i) {
        if (std::fabs(values[i]) > std::fabs(values[at])) at = i;
      }
      const uint16_t half = BlockScale(std::fabs(values[at]));
      if (half == kInfiniteHalf) return b * block + at;
      const float step = HalfToFloat(half);
      scales[b] = half;
      for (size_t i = 0; i < block; i += 2) {
        const int low = Code4(values[i], step);
        const int high = Code4(values[i + 1], step);
        out[(b * block + i) / 2] = static_cast<uint8_t>((low & 15) | (high & 15) << 4);
        if (measure_) {
          error->Add(values[i], step * static_cast<float>(low));
          error->Add(values[i + 1], step * static_cast<float>(high));
        }
      }
    }
    return std::nullopt;
  }
  static int Code4(float value, float step) {
    return static_cast<int>(std::clamp(std::nearbyint(value / step), -8.0f, 7.0f));
  }

  const GraphOptions& graph_;
  bool measure_;
};

std::string TimeText(int64_t seconds) {
  const auto t = static_cast<std::time_t>(seconds);
  std::tm parts{};
  char text[64];
  if (gmtime_r(&t, &parts) == nullptr || std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0) return "";
  return text;
}

}  // namespace

std::string ContentUuid(Fingerprint f) {
  f.bytes[6] = static_cast<uint8_t>((f.bytes[6] & 0x0f) | 0x80);
  f.bytes[8] = static_cast<uint8_t>((f.bytes[8] & 0x3f) | 0x80);
  const std::string hex = f.Text();
  return hex.substr(0, 8) + "-" + hex.substr(8, 4) + "-" + hex.substr(12, 4) + "-" + hex.substr(16, 4) + "-" +
         hex.substr(20);
}

namespace {

class Exporter {
 public:
  Exporter(const ModelFolder& folder, const LitertlmOptions& options, const ExportControl& control, ThreadPool& pool)
      : folder_(folder), o_(options), control_(control), pool_(pool), stream_(folder.checkpoint(), pool, control),
        encoder_(options.graph, options.measure_errors) {}

  Result<LitertlmReport> Run(const std::string& out_path) {
    const ScopedFloatEnvironment environment;
    const auto start = std::chrono::steady_clock::now();
    if (folder_.tokenizer_json().empty()) {
      return Unsupported(folder_.directory() + ": no tokenizer.json, without which a .litertlm file is of no use");
    }
    PITH_RETURN_IF_ERROR(ValidateModelName(o_.name));
    record_ = {{folder_.config(), o_.terms, o_.start_token}, o_.name, std::nullopt};
    PITH_RETURN_IF_ERROR(ValidateDescription(record_.description));
    PITH_ASSIGN_OR_RETURN(graph_, BuildQwen3Graph(folder_.config(), o_.graph));
    has_int8_rows_ = o_.graph.encoding == WeightEncoding::kDynamicInt8 ||
                     o_.graph.encoding == WeightEncoding::kWeightOnlyInt8;
    if (has_int8_rows_) {
      record_.fingerprint.emplace();
      canonical_ = std::make_unique<CanonicalHasher>(record_.description, o_.tokenizer);
    }
    PITH_ASSIGN_OR_RETURN(file_, AtomicFile::Create(out_path, control_.replace));
    PITH_RETURN_IF_ERROR(WriteFront());
    PITH_RETURN_IF_ERROR(WriteWeights());
    PITH_RETURN_IF_ERROR(stream_.CheckDuplicateHead());
    PITH_RETURN_IF_ERROR(WriteRest());
    if (!o_.calibration_tokens.empty()) PITH_RETURN_IF_ERROR(ChooseTerms());
    PITH_RETURN_IF_ERROR(file_->Commit());
    report_.source_bytes = folder_.checkpoint().data_bytes();
    report_.output_bytes = position_;
    report_.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return std::move(report_);
  }

 private:
  Status Write(ByteSpan data) {
    position_ += data.size();
    return file_->Write(data);
  }
  Status PadTo(uint64_t position) {
    PITH_CHECK(position >= position_ && position - position_ <= kLitertlmBlock);
    return Write(Bytes(position - position_));
  }

  Status WriteSection(LitertlmSectionType type, const std::string& model_type, ByteSpan content) {
    PITH_RETURN_IF_ERROR(BeginSection(type, model_type));
    content_hash_.Update(content);
    PITH_RETURN_IF_ERROR(Write(content));
    header_.sections.back().end = position_;
    return OkStatus();
  }
  Status BeginSection(LitertlmSectionType type, const std::string& model_type) {
    LitertlmSection section;
    section.type = type;
    if (!model_type.empty()) section.items.push_back({"model_type", model_type});
    PITH_RETURN_IF_ERROR(PadTo(RoundUp(position_, kLitertlmBlock)));
    section.begin = position_;
    header_.sections.push_back(std::move(section));
    return OkStatus();
  }

  // All sections before the weights, and room for what is known last: header, record, flatbuffer.
  Status WriteFront() {
    PITH_RETURN_IF_ERROR(PadTo(kLitertlmBlock));
    PITH_RETURN_IF_ERROR(WriteSection(LitertlmSectionType::kLlmMetadata, "", o_.llm_metadata));
    PITH_RETURN_IF_ERROR(WriteSection(LitertlmSectionType::kTokenizerZlib, "",
                                      EncodeTokenizerSection(folder_.tokenizer_json())));
    PITH_RETURN_IF_ERROR(BeginSection(LitertlmSectionType::kGeneric, std::string(kPithRecordItem)));
    record_at_ = position_;
    PITH_RETURN_IF_ERROR(Write(Bytes(EncodePithRecord(record_).size())));
    header_.sections.back().end = position_;
    PITH_RETURN_IF_ERROR(BeginSection(LitertlmSectionType::kTflite, "tf_lite_prefill_decode"));
    model_at_ = position_;
    const uint64_t size = EncodeTflite(graph_.model).size();
    if (size > kMaxFlatbufferBytes) return Unsupported("the graphs take more than 2 GiB");
    flatbuffer_bytes_ = size;
    // In parts: it may be larger than one block.
    for (uint64_t left = size; left > 0;) {
      const uint64_t n = std::min<uint64_t>(left, size_t{1} << 20);
      PITH_RETURN_IF_ERROR(Write(Bytes(n)));
      left -= n;
    }
    return OkStatus();
  }

  Status WriteWeights() {
    for (const GraphWeight& weight : graph_.weights) {
      PITH_RETURN_IF_ERROR(PadTo(RoundUp(position_, kTfliteDataAlignment)));
      TfliteBuffer& buffer = graph_.model.buffers[weight.buffer];
      buffer.offset = position_ - model_at_;
      size_t first_row = 0;
      if (weight.scales_buffer != 0) {
        block_scales_.assign(uint64_t{weight.rows} * (weight.cols / static_cast<size_t>(o_.graph.block)), 0);
      }
      for (const TensorSpec& part : weight.parts) {
        PITH_RETURN_IF_ERROR(part.is_matrix() ? WriteMatrix(weight, part, first_row) : WriteNorm(part));
        first_row += part.rows;
      }
      PITH_CHECK(position_ - model_at_ - buffer.offset == buffer.size);
      if (weight.scales_buffer != 0) {
        PITH_RETURN_IF_ERROR(PadTo(RoundUp(position_, kTfliteDataAlignment)));
        TfliteBuffer& scales = graph_.model.buffers[weight.scales_buffer];
        scales.offset = position_ - model_at_;
        const ByteSpan bytes{reinterpret_cast<const uint8_t*>(block_scales_.data()), block_scales_.size() * 2};
        PITH_CHECK(bytes.size() == scales.size);
        content_hash_.Update(bytes);
        PITH_RETURN_IF_ERROR(Write(bytes));
      }
    }
    return OkStatus();
  }

  Status WriteNorm(const TensorSpec& spec) {
    std::vector<float> norm;
    return stream_.ForEachRow(
        spec,
        [&](size_t, std::span<const float> values, size_t) {
          norm.assign(values.begin(), values.end());
          return std::nullopt;
        },
        [&](size_t, size_t) {
          const ByteSpan bytes{reinterpret_cast<const uint8_t*>(norm.data()), norm.size() * sizeof(float)};
          content_hash_.Update(bytes);
          if (canonical_ != nullptr) canonical_->AddFloats(norm);
          report_.tensors.push_back({.name = CheckpointTensorName(spec), .encoding = "FLOAT32", .rows = 1,
                                     .cols = spec.cols, .bytes = bytes.size()});
          return Write(bytes);
        });
  }

  Status WriteMatrix(const GraphWeight& weight, const TensorSpec& spec, size_t first_row) {
    const size_t row_bytes = encoder_.RowBytes(spec.cols);
    const size_t n_blocks = weight.scales_buffer != 0 ? spec.cols / static_cast<size_t>(o_.graph.block) : 0;
    const size_t n_batch = std::min<size_t>(stream_.BatchRows(spec.cols), RoundUp(spec.rows, 16));
    Bytes rows(n_batch * row_bytes);
    std::vector<float> scales(spec.rows);
    std::vector<RowError> errors(o_.measure_errors ? spec.rows : 0);
    PITH_RETURN_IF_ERROR(stream_.ForEachRow(
        spec,
        [&](size_t row, std::span<const float> values, size_t) {
          return encoder_.Encode(values, rows.data() + row % n_batch * row_bytes, &scales[row],
                                 block_scales_.data() + (first_row + row) * n_blocks,
                                 errors.empty() ? nullptr : &errors[row]);
        },
        [&](size_t begin, size_t end) -> Status {
          const ByteSpan bytes{rows.data(), (end - begin) * row_bytes};
          content_hash_.Update(bytes);
          if (canonical_ != nullptr) {
            canonical_->AddCodes({reinterpret_cast<const int8_t*>(bytes.data()), bytes.size()});
          }
          return Write(bytes);
        },
        ", beyond what " + encoder_.Name() + " can hold"));
    if (canonical_ != nullptr) canonical_->AddFloats(scales);
    if (weight.quantization >= 0) {
      std::vector<float>& out = graph_.model.quantizations[static_cast<size_t>(weight.quantization)].scale;
      for (size_t r = 0; r < scales.size(); ++r) out[first_row + r] = scales[r] == 0 ? kScaleOfZeros : scales[r];
    }
    TensorReport report{.name = CheckpointTensorName(spec), .encoding = encoder_.Name(), .rows = spec.rows,
                        .cols = spec.cols, .bytes = spec.rows * (row_bytes + n_blocks * 2 + (has_int8_rows_ ? 4 : 0))};
    if (o_.measure_errors) SummariseErrors(errors, report);
    report_.tensors.push_back(std::move(report));
    return OkStatus();
  }

  // What is known last: the flatbuffer with scales and offsets, the record with the fingerprint, the header.
  Status WriteRest() {
    header_.sections.back().end = position_;
    const Bytes flatbuffer = EncodeTflite(graph_.model);
    PITH_CHECK(flatbuffer.size() == flatbuffer_bytes_);
    PITH_RETURN_IF_ERROR(file_->WriteAt(model_at_, flatbuffer));
    content_hash_.Update(flatbuffer);
    content_hash_.Update(Bytes(RoundUp(flatbuffer.size(), kTfliteDataAlignment) - flatbuffer.size()));
    if (canonical_ != nullptr) record_.fingerprint = canonical_->Digest();
    return WriteRecord();
  }

  // Runs the model from the file as it is by now.
  Status ChooseTerms() {
    PITH_ASSIGN_OR_RETURN(const std::unique_ptr<LitertlmModel> model, LitertlmModel::Open(file_->temporary_path()));
    const ActivationTerms precise = ActivationTerms::Precise(folder_.config().n_layers);
    PITH_ASSIGN_OR_RETURN(const std::unique_ptr<Package> package,
                          model->ToPackage(Bytes(o_.tokenizer.begin(), o_.tokenizer.end()), o_.name, o_.start_token,
                                           precise, pool_));
    PITH_ASSIGN_OR_RETURN(const std::unique_ptr<LossMeter> meter,
                          LossMeter::Create(package->weights(), *o_.kernels, pool_, o_.calibration_tokens, o_.start_token));
    const uint64_t total = folder_.checkpoint().data_bytes();
    PITH_ASSIGN_OR_RETURN(const TermChoice choice,
                          SearchTerms(folder_.config(), kDefaultLossBudget,
                                      [&](const ActivationTerms& terms, const std::string& setting) -> Result<double> {
                                        if (control_.cancelled && control_.cancelled()) return Cancelled("cancelled");
                                        if (control_.progress) control_.progress({total, total, setting});
                                        return meter->Measure(terms);
                                      }));
    record_.description.terms = choice.terms;
    if (record_.fingerprint) {
      ModelWeights weights = package->weights();
      weights.terms = choice.terms;
      record_.fingerprint = CanonicalFingerprint(weights, o_.start_token, o_.tokenizer);
    }
    return WriteRecord();
  }

  // The record and, because it holds a hash of everything, the header.
  Status WriteRecord() {
    const Bytes record = EncodePithRecord(record_);
    PITH_RETURN_IF_ERROR(file_->WriteAt(record_at_, record));
    Hasher content = content_hash_;
    content.Update(record);
    report_.fingerprint = record_.fingerprint;
    report_.terms = record_.description.terms;
    header_.system = {{"Authors", std::string("pith")},
                      {"uuid", ContentUuid(content.Digest128())},
                      {"creation_timestamp", TimeText(o_.timestamp)}};
    PITH_ASSIGN_OR_RETURN(const Bytes header, EncodeLitertlmHeader(header_));
    return file_->WriteAt(0, header);
  }

  const ModelFolder& folder_;
  const LitertlmOptions& o_;
  const ExportControl& control_;
  ThreadPool& pool_;
  TensorStream stream_;
  RowEncoder encoder_;
  PithRecord record_;
  Qwen3Graph graph_;
  bool has_int8_rows_ = false;
  std::unique_ptr<CanonicalHasher> canonical_;
  std::unique_ptr<AtomicFile> file_;
  LitertlmHeader header_;
  Hasher content_hash_;
  std::vector<uint16_t> block_scales_;  // of the matrix at hand
  uint64_t position_ = 0;
  uint64_t record_at_ = 0;
  uint64_t model_at_ = 0;
  uint64_t flatbuffer_bytes_ = 0;
  LitertlmReport report_;
};

}  // namespace

Result<LitertlmReport> ExportLitertlm(const ModelFolder& folder, const std::string& out_path, const LitertlmOptions& options,
                                    const ExportControl& control, ThreadPool& pool) {
  return Exporter(folder, options, control, pool).Run(out_path);
}

Bytes EncodePithRecord(const PithRecord& record) {
  const Fingerprint fingerprint = record.fingerprint.value_or(Fingerprint());
  Bytes out(fingerprint.bytes.begin(), fingerprint.bytes.end());
  ByteWriter w(out);
  w.U32(record.fingerprint ? 1 : 0);
  w.Raw(EncodeConfigSection(record.description, record.name));
  return out;
}

Result<PithRecord> DecodePithRecord(ByteSpan section) {
  ByteReader r(section);
  PithRecord record;
  const ByteSpan fingerprint = r.Raw(16);
  const uint32_t has_fingerprint = r.U32();
  if (!r.ok() || has_fingerprint > 1) return Corrupt("the record of pith is damaged");
  if (has_fingerprint == 1) {
    record.fingerprint.emplace();
    std::copy(fingerprint.begin(), fingerprint.end(), record.fingerprint->bytes.begin());
  }
  PITH_ASSIGN_OR_RETURN(ConfigSection config, DecodeConfigSection(section.subspan(r.position())));
  record.description = std::move(config.description);
  record.name = std::move(config.name);
  return record;
}

Result<PithRecord> ReadPithRecord(ByteSpan file) {
  PITH_ASSIGN_OR_RETURN(const LitertlmHeader header, DecodeLitertlmHeader(file));
  for (const LitertlmSection& s : header.sections) {
    if (s.type == LitertlmSectionType::kGeneric && s.HasModelType(kPithRecordItem)) {
      return DecodePithRecord(file.subspan(s.begin, s.end - s.begin));
    }
  }
  return PithRecord();
}

}  // namespace pith
