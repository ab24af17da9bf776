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
#include "base/float_environment.h"
#include "base/half.h"
#include "convert/model_layout.h"
#include "convert/onnx_blocks.h"
#include "convert/onnx_graph.h"
#include "convert/quantize.h"
#include "convert/tensor_stream.h"
#include "formats/onnx.h"

namespace pith {
namespace {

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

// One row, and in `written` what it then stands for. Returns the index of a value that becomes infinite.
std::optional<size_t> EncodeRow(OnnxForm form, std::span<const float> values, uint8_t* out, float* scales,
                                std::vector<float>& written) {
  written.assign(values.begin(), values.end());
  if (form == OnnxForm::kFloat32) {
    std::memcpy(out, values.data(), values.size() * sizeof(float));
  } else if (form == OnnxForm::kFloat16) {
    for (size_t i = 0; i < values.size(); ++i) {
      const uint16_t half = FloatToHalf(values[i]);
      written[i] = HalfToFloat(half);
      std::memcpy(out + 2 * i, &half, sizeof half);
    }
  } else {
    EncodeOnnxRow(values, BitsOf(form), out, scales);
    DecodeOnnxRow(out, scales, BitsOf(form), written);
  }
  return FindNonFinite(written);
}

class Exporter {
 public:
  Exporter(const ModelFolder& folder, const OnnxOptions& options, const ExportControl& control,
           ThreadPool& pool)
      : checkpoint_(folder.checkpoint()),
        folder_(folder),
        forms_(FormsOf(options)),
        control_(control),
        pool_(pool),
        stream_(checkpoint_, pool, control) {}

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
    model.metadata = {{"model", control_.name.empty() ? folder_.name() : control_.name}};
    for (const TensorSpec& spec : CanonicalTensors(checkpoint_.config())) {
      PITH_RETURN_IF_ERROR(spec.is_matrix() ? AddMatrix(spec, writer, model) : AddNorm(spec, model));
    }
    PITH_RETURN_IF_ERROR(stream_.CheckDuplicateHead());
    const std::string text = EncodeOnnx(model);
    PITH_RETURN_IF_ERROR(file->Write(AsBytes(text)));
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
  void Report(const TensorSpec& spec, const std::string& name, const char* encoding, uint64_t bytes,
              std::span<const RowError> errors) {
    TensorReport r;
    r.name = name;
    r.encoding = encoding;
    r.rows = spec.rows;
    r.cols = spec.cols;
    r.bytes = bytes;
    SummariseErrors(errors, r);
    report_.tensors.push_back(std::move(r));
  }

  // Norms are small, and stand in the model file.
  Status AddNorm(const TensorSpec& spec, OnnxModel& model) {
    const SafetensorsTensor& t = checkpoint_.tensor(spec);
    OnnxTensor tensor{
        std::string(t.name), OnnxType::kFloat, {int64_t{spec.cols}}, std::string(spec.cols * 4, '\0'), {}};
    PITH_RETURN_IF_ERROR(stream_.ForEachRow(
        spec,
        [&](size_t, std::span<const float> values, size_t) {
          std::memcpy(tensor.raw.data(), values.data(), values.size() * sizeof(float));
          return std::nullopt;
        },
        [](size_t, size_t) { return OkStatus(); }));
    Report(spec, tensor.name, EncodingName(OnnxForm::kFloat32), tensor.raw.size(), {});
    model.initializers.push_back(std::move(tensor));
    return OkStatus();
  }

  Status AddMatrix(const TensorSpec& spec, OnnxDataWriter& writer, OnnxModel& model) {
    const SafetensorsTensor& t = checkpoint_.tensor(spec);
    const OnnxForm form = FormOf(forms_, spec.role);
    const size_t n_blocks = BitsOf(form) != 0 ? OnnxBlocks(spec.cols) : 0;
    std::vector<float> scales(spec.rows * n_blocks);
    std::vector<RowError> errors(spec.rows);
    PITH_RETURN_IF_ERROR(writer.Begin());
    PITH_RETURN_IF_ERROR(WriteRows(spec, form, writer, scales, errors));

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
  Status WriteRows(const TensorSpec& spec, OnnxForm form, OnnxDataWriter& writer, std::vector<float>& scales,
                   std::vector<RowError>& errors) {
    const size_t row_bytes = RowBytes(form, spec.cols);
    const size_t n_blocks = scales.size() / spec.rows;
    const size_t batch = stream_.BatchRows(spec.cols);
    std::vector<uint8_t> out(std::min<size_t>(batch, RoundUp(spec.rows, 16)) * row_bytes);
    std::vector<std::vector<float>> written(pool_.n_threads());
    return stream_.ForEachRow(
        spec,
        [&](size_t row, std::span<const float> values, size_t thread) {
          const auto unfit = EncodeRow(form, values, out.data() + row % batch * row_bytes, scales.data() + row * n_blocks,
                                       written[thread]);
          if (!unfit) errors[row].Add(values, written[thread]);
          return unfit;
        },
        [&](size_t begin, size_t end) { return writer.Write(ByteSpan(out).first((end - begin) * row_bytes)); },
        ", which is too large for " + std::string(EncodingName(form)));
  }

  const Checkpoint& checkpoint_;
  const ModelFolder& folder_;
  const OnnxForms forms_;
  const ExportControl& control_;
  ThreadPool& pool_;
  TensorStream stream_;
  ExportReport report_;
};

}  // namespace

std::string OnnxDataPath(const std::string& out_path) { return out_path + "_data"; }

Result<ExportReport> ExportOnnx(const ModelFolder& folder, const std::string& out_path,
                                const OnnxOptions& options, const ExportControl& control, ThreadPool& pool) {
  return Exporter(folder, options, control, pool).Run(out_path);
}

}  // namespace pith
