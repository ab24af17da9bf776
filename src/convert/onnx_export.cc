#include "convert/onnx_export.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/file.h"
#include "base/half.h"
#include "base/float_environment.h"
#include "convert/model_layout.h"
#include "convert/onnx_blocks.h"
#include "convert/onnx_graph.h"
#include "convert/quantize.h"
#include "formats/json.h"
#include "formats/onnx.h"

namespace pith {
namespace {

// Values converted between two writes, in bytes of the output.
constexpr size_t kBatchBytes = size_t{4} << 20;

template <typename T>
ByteSpan BytesOf(const std::vector<T>& values) {
  return {reinterpret_cast<const uint8_t*>(values.data()), values.size() * sizeof(T)};
}

OnnxForms FormsOf(const OnnxOptions& options) {
  const auto forms = [&](OnnxForm embedding_and_head, OnnxForm layers) {
    return OnnxForms{embedding_and_head, layers, embedding_and_head, options.int8_activations};
  };
  switch (options.weights) {
    case OnnxWeights::kFloat32:
      return forms(OnnxForm::kFloat32, OnnxForm::kFloat32);
    case OnnxWeights::kFloat16:
      return forms(OnnxForm::kFloat16, OnnxForm::kFloat16);
    case OnnxWeights::kInt8:
      return forms(OnnxForm::kInt8, OnnxForm::kInt8);
    case OnnxWeights::kInt4:
      return forms(OnnxForm::kInt8, OnnxForm::kInt4);
  }
  PITH_CHECK(false);
}

OnnxForm FormOf(const OnnxForms& forms, TensorRole role) {
  return role == TensorRole::kEmbedding ? forms.embedding
         : role == TensorRole::kHead    ? forms.head
                                        : forms.layers;
}

const char* EncodingName(OnnxForm form) {
  switch (form) {
    case OnnxForm::kFloat32:
      return "FLOAT";
    case OnnxForm::kFloat16:
      return "FLOAT16";
    case OnnxForm::kInt8:
      return "INT8 blocks of 32";
    case OnnxForm::kInt4:
      return "INT4 blocks of 32";
  }
  PITH_CHECK(false);
}
static_assert(kOnnxBlock == 32);

int BitsOf(OnnxForm form) { return form == OnnxForm::kInt8 ? 8 : form == OnnxForm::kInt4 ? 4 : 0; }

size_t RowBytes(OnnxForm form, size_t cols) {
  return form == OnnxForm::kFloat32   ? 4 * cols
         : form == OnnxForm::kFloat16 ? 2 * cols
                                      : OnnxCodeBytes(cols, BitsOf(form));
}

// Sums over a row, for the report.
struct RowErrors {
  double squares = 0;
  double error_squares = 0;
  float largest = 0;
  float largest_error = 0;

  void Add(std::span<const float> values, std::span<const float> written) {
    for (size_t i = 0; i < values.size(); ++i) {
      const double v = values[i];
      const double e = v - static_cast<double>(written[i]);
      squares += v * v;
      error_squares += e * e;
      largest = std::max(largest, std::fabs(values[i]));
      largest_error = std::max(largest_error, static_cast<float>(std::fabs(e)));
    }
  }
  void Add(const RowErrors& o) {
    squares += o.squares;
    error_squares += o.error_squares;
    largest = std::max(largest, o.largest);
    largest_error = std::max(largest_error, o.largest_error);
  }
  void Fill(TensorReport& report) const {
    const auto n = static_cast<double>(report.rows * report.cols);
    report.relative_error = squares > 0 ? std::sqrt(error_squares / squares) : 0;
    report.largest_error = static_cast<double>(largest_error);
    report.outlier = squares > 0 ? static_cast<double>(largest) / std::sqrt(squares / n) : 0;
  }
};

// Converts a row at a time; one for each thread.
class RowEncoder {
 public:
  static constexpr uint64_t kNone = UINT64_MAX;

  // Row `row` of t to `out` and `scales`. Returns the index of a value that is not finite, or becomes
  // infinite; kNone if there is none.
  uint64_t Encode(const SafetensorsTensor& t, size_t row, size_t cols, OnnxForm form, uint8_t* out,
                  float* scales, RowErrors& errors) {
    const uint64_t first = uint64_t{row} * cols;
    values_.resize(cols);
    ReadFloats(t, first, values_);
    if (const auto bad = FindNonFinite(values_)) return first + *bad;
    written_.assign(values_.begin(), values_.end());
    if (form == OnnxForm::kFloat32) {
      std::memcpy(out, values_.data(), cols * sizeof(float));
    } else if (form == OnnxForm::kFloat16) {
      for (size_t i = 0; i < cols; ++i) {
        const uint16_t half = FloatToHalf(values_[i]);
        written_[i] = HalfToFloat(half);
        std::memcpy(out + 2 * i, &half, sizeof half);
      }
    } else {
      EncodeOnnxRow(values_, BitsOf(form), out, scales);
      DecodeOnnxRow(out, scales, BitsOf(form), written_);
    }
    if (const auto bad = FindNonFinite(written_)) return first + *bad;
    errors.Add(values_, written_);
    return kNone;
  }

 private:
  std::vector<float> values_;
  std::vector<float> written_;  // what `out` stands for
};

Status BadValue(const SafetensorsTensor& t, uint64_t element, size_t cols, OnnxForm form) {
  float value = 0;
  ReadFloats(t, element, {&value, 1});
  const std::string place = std::string(t.where) + ": tensor " + Quoted(t.name) + ": row " +
                            std::to_string(element / cols) + ", column " + std::to_string(element % cols) +
                            ": found ";
  if (std::isfinite(value)) {
    return Unsupported(place + std::to_string(value) + ", which is too large for " + EncodingName(form));
  }
  return Corrupt(place + (value != value ? "NaN" : "infinity") + ", expected finite values");
}

class Exporter {
 public:
  Exporter(const ModelFolder& folder, const OnnxOptions& options, const ExportControl& control,
           ThreadPool& pool)
      : checkpoint_(folder.checkpoint()),
        folder_(folder),
        forms_(FormsOf(options)),
        control_(control),
        pool_(pool) {}

  Result<ExportReport> Run(const std::string& out_path) {
    const ScopedFloatEnvironment environment;
    const auto start = std::chrono::steady_clock::now();
    const std::string data_path = OnnxDataPath(out_path);
    // Both are created first: what cannot be written is said before the work.
    PITH_ASSIGN_OR_RETURN(const std::unique_ptr<AtomicFile> file,
                          AtomicFile::Create(out_path, control_.replace));
    PITH_ASSIGN_OR_RETURN(const std::unique_ptr<AtomicFile> data,
                          AtomicFile::Create(data_path, control_.replace));
    const size_t slash = data_path.find_last_of('/');
    OnnxDataWriter writer(*data, slash == std::string::npos ? data_path : data_path.substr(slash + 1));

    OnnxModel model = BuildOnnxGraph(checkpoint_.config(), forms_);
    model.metadata = {{"model", folder_.name()}};
    for (const TensorSpec& spec : CanonicalTensors(checkpoint_.config())) {
      PITH_RETURN_IF_ERROR(spec.is_matrix() ? AddMatrix(spec, writer, model) : AddNorm(spec, model));
    }
    if (checkpoint_.duplicate_head() != nullptr) PITH_RETURN_IF_ERROR(CompareHead());
    const std::string text = EncodeOnnx(model);
    PITH_RETURN_IF_ERROR(file->Write(AsBytes(text)));
    PITH_RETURN_IF_ERROR(CheckCancelled());
    // The data first, for a model must not appear without. If the model then cannot, its data goes, too.
    PITH_RETURN_IF_ERROR(data->Commit());
    if (Status status = file->Commit(); !status.ok()) {
      std::remove(data_path.c_str());
      return status;
    }

    report_.source_bytes = checkpoint_.data_bytes();
    report_.output_bytes = text.size() + writer.size();
    report_.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return std::move(report_);
  }

 private:
  Status CheckCancelled() const {
    return control_.cancelled && control_.cancelled() ? Cancelled("export: cancelled") : OkStatus();
  }

  Status Advance(const SafetensorsTensor& t, uint64_t n_elements) {
    done_bytes_ += n_elements * DataTypeBytes(t.type);
    if (control_.progress) control_.progress({done_bytes_, checkpoint_.data_bytes(), t.name});
    return CheckCancelled();
  }

  void Report(const TensorSpec& spec, const std::string& name, const char* encoding, uint64_t bytes,
              const RowErrors& errors) {
    TensorReport r;
    r.name = name;
    r.encoding = encoding;
    r.rows = spec.rows;
    r.cols = spec.cols;
    r.bytes = bytes;
    errors.Fill(r);
    report_.tensors.push_back(std::move(r));
  }

  // Norms are small, and stand in the model file.
  Status AddNorm(const TensorSpec& spec, OnnxModel& model) {
    const SafetensorsTensor& t = checkpoint_.tensor(spec);
    OnnxTensor tensor{
        std::string(t.name), OnnxType::kFloat, {int64_t{spec.cols}}, std::string(spec.cols * 4, '\0'), {}};
    RowErrors errors;
    const uint64_t bad = RowEncoder().Encode(t, 0, spec.cols, OnnxForm::kFloat32,
                                             reinterpret_cast<uint8_t*>(tensor.raw.data()), nullptr, errors);
    if (bad != RowEncoder::kNone) return BadValue(t, bad, spec.cols, OnnxForm::kFloat32);
    Report(spec, tensor.name, EncodingName(OnnxForm::kFloat32), tensor.raw.size(), errors);
    model.initializers.push_back(std::move(tensor));
    return Advance(t, spec.cols);
  }

  Status AddMatrix(const TensorSpec& spec, OnnxDataWriter& writer, OnnxModel& model) {
    const SafetensorsTensor& t = checkpoint_.tensor(spec);
    const OnnxForm form = FormOf(forms_, spec.role);
    const size_t n_blocks = BitsOf(form) != 0 ? OnnxBlocks(spec.cols) : 0;
    std::vector<float> scales(spec.rows * n_blocks);
    RowErrors errors;
    PITH_RETURN_IF_ERROR(writer.Begin());
    PITH_RETURN_IF_ERROR(WriteRows(t, spec, form, writer, scales, errors));

    const std::string name(t.name);
    OnnxTensor tensor{OnnxWeightName(name, form), OnnxType::kFloat, {int64_t{spec.rows}}, "", writer.End()};
    uint64_t bytes = tensor.external->length;
    if (n_blocks == 0) {
      tensor.type = form == OnnxForm::kFloat16 ? OnnxType::kFloat16 : OnnxType::kFloat;
      tensor.dims.push_back(spec.cols);
    } else {
      tensor.type = OnnxType::kUint8;
      tensor.dims.push_back(static_cast<int64_t>(n_blocks));
      tensor.dims.push_back(static_cast<int64_t>(OnnxCodeBytes(kOnnxBlock, BitsOf(form))));
    }
    model.initializers.push_back(std::move(tensor));
    if (n_blocks != 0) {
      PITH_RETURN_IF_ERROR(writer.Begin());
      PITH_RETURN_IF_ERROR(writer.Write(BytesOf(scales)));
      model.initializers.push_back({OnnxScalesName(name),
                                    OnnxType::kFloat,
                                    {int64_t{spec.rows}, static_cast<int64_t>(n_blocks)},
                                    "",
                                    writer.End()});
      bytes += writer.End().length;
    }
    Report(spec, name, EncodingName(form), bytes, errors);
    return OkStatus();
  }

  // The rows of a matrix, a batch at a time; scales [rows, blocks].
  Status WriteRows(const SafetensorsTensor& t, const TensorSpec& spec, OnnxForm form, OnnxDataWriter& writer,
                   std::vector<float>& scales, RowErrors& errors) {
    const size_t row_bytes = RowBytes(form, spec.cols);
    const size_t n_blocks = scales.size() / spec.rows;
    const size_t batch = std::clamp<size_t>(kBatchBytes / row_bytes, 1, spec.rows);
    std::vector<uint8_t> out(batch * row_bytes);
    std::vector<uint64_t> bad(batch);
    std::vector<RowErrors> row_errors(batch);
    std::vector<RowEncoder> encoders(pool_.n_threads());
    for (size_t begin = 0; begin < spec.rows; begin += batch) {
      const size_t n = std::min<size_t>(batch, spec.rows - begin);
      pool_.ParallelFor(n, [&](size_t i, size_t thread) {
        row_errors[i] = RowErrors();
        bad[i] = encoders[thread].Encode(t, begin + i, spec.cols, form, out.data() + i * row_bytes,
                                         scales.data() + (begin + i) * n_blocks, row_errors[i]);
      });
      for (size_t i = 0; i < n; ++i) {
        if (bad[i] != RowEncoder::kNone) return BadValue(t, bad[i], spec.cols, form);
        errors.Add(row_errors[i]);
      }
      PITH_RETURN_IF_ERROR(writer.Write(ByteSpan(out).first(n * row_bytes)));
      PITH_RETURN_IF_ERROR(Advance(t, uint64_t{n} * spec.cols));
    }
    return OkStatus();
  }

  // As in import: if a tied model's own head differs from its embedding, the file contradicts its config.
  Status CompareHead() {
    const TensorSpec spec = CanonicalTensors(checkpoint_.config())[0];
    const SafetensorsTensor& embedding = checkpoint_.tensor(spec);
    const SafetensorsTensor& head = *checkpoint_.duplicate_head();
    const size_t batch = std::clamp<size_t>(kBatchBytes / (spec.cols * sizeof(float)), 1, spec.rows);
    std::vector<float> a(batch * spec.cols);
    std::vector<float> b(batch * spec.cols);
    for (size_t row = 0; row < spec.rows; row += batch) {
      const uint64_t first = uint64_t{row} * spec.cols;
      const size_t n = std::min<size_t>(batch, spec.rows - row) * spec.cols;
      ReadFloats(embedding, first, std::span(a).first(n));
      ReadFloats(head, first, std::span(b).first(n));
      for (size_t i = 0; i < n; ++i) {
        if (a[i] == b[i]) continue;
        return Corrupt(std::string(head.where) + ": tensor " + Quoted(head.name) + ": row " +
                       std::to_string((first + i) / spec.cols) + ", column " +
                       std::to_string((first + i) % spec.cols) + ": found " + std::to_string(b[i]) +
                       ", expected " + std::to_string(a[i]) + " as in " + Quoted(embedding.name) +
                       ", because config.json says tie_word_embeddings");
      }
      PITH_RETURN_IF_ERROR(Advance(head, n));
    }
    return OkStatus();
  }

  const Checkpoint& checkpoint_;
  const ModelFolder& folder_;
  const OnnxForms forms_;
  const ExportControl& control_;
  ThreadPool& pool_;
  uint64_t done_bytes_ = 0;
  ExportReport report_;
};

}  // namespace

std::string OnnxDataPath(const std::string& out_path) { return out_path + "_data"; }

Result<ExportReport> ExportOnnx(const ModelFolder& folder, const std::string& out_path,
                                const OnnxOptions& options, const ExportControl& control, ThreadPool& pool) {
  return Exporter(folder, options, control, pool).Run(out_path);
}

}  // namespace pith
