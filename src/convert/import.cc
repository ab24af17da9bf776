#include "convert/import.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <memory>
#include <vector>

#include "base/float_environment.h"
#include "convert/calibrate.h"
#include "convert/checkpoint.h"
#include "convert/model_layout.h"
#include "convert/package.h"
#include "convert/package_writer.h"
#include "convert/quantize.h"
#include "formats/json.h"

namespace pith {
namespace {

// Codes made between two writes.
constexpr size_t kBatchBytes = size_t{4} << 20;

class Timer {
 public:
  double Seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

Status NonFinite(const SafetensorsTensor& t, uint64_t element, float value, size_t cols) {
  return Corrupt(std::string(t.where) + ": tensor " + Quoted(t.name) + ": row " +
                 std::to_string(element / cols) + ", column " + std::to_string(element % cols) + ": found " +
                 (value != value ? "NaN" : "infinity") + ", expected finite values");
}

class Importer {
 public:
  Importer(const ImportOptions& options, ThreadPool& pool, const Kernels& kernels)
      : options_(options), pool_(pool), kernels_(kernels) {}

  Result<ImportReport> Run(const std::string& directory, const std::string& out_path) {
    const ScopedFloatEnvironment environment;
    const Timer total;
    if (options_.activations == Activations::kAuto && options_.calibration_tokens.empty()) {
      return InvalidArgument("import: calibration needs tokens");
    }
    PITH_ASSIGN_OR_RETURN(checkpoint_, Checkpoint::Open(directory));
    ModelDescription description;
    description.config = checkpoint_->config();
    description.start_token = options_.start_token;
    const size_t n_layers = description.config.n_layers;
    description.terms = options_.activations == Activations::kFast ? ActivationTerms::Fast(n_layers)
                                                                   : ActivationTerms::Precise(n_layers);
    PITH_ASSIGN_OR_RETURN(writer_, PackageWriter::Create(out_path, options_.replace, description,
                                                         options_.name, options_.tokenizer));
    PITH_RETURN_IF_ERROR(QuantiseAll());
    report_.quantise_seconds = total.Seconds();
    PITH_RETURN_IF_ERROR(Finish(description));

    report_.config = description.config;
    report_.terms = description.terms;
    report_.source_bytes = checkpoint_->data_bytes();
    report_.n_source_files = checkpoint_->n_files();
    report_.package_bytes = writer_->file_bytes();
    PITH_RETURN_IF_ERROR(writer_->Commit());
    report_.total_seconds = total.Seconds();
    return report_;
  }

 private:
  Status CheckCancelled() const {
    return options_.cancelled && options_.cancelled() ? Cancelled("import: cancelled") : OkStatus();
  }
  void Progress(ImportProgress::Phase phase, uint64_t done, uint64_t total, std::string_view item) const {
    if (options_.progress) options_.progress({phase, done, total, item});
  }

  Status QuantiseAll() {
    for (const TensorPlace& place : writer_->places()) {
      const SafetensorsTensor& t = checkpoint_->tensor(place.spec);
      PITH_RETURN_IF_ERROR(place.spec.is_matrix() ? WriteMatrix(t, place.spec) : WriteNorm(t, place.spec));
      report_.n_parameters += place.spec.n_elements();
    }
    if (checkpoint_->duplicate_head() != nullptr) PITH_RETURN_IF_ERROR(CompareHead());
    return OkStatus();
  }

  Status Advance(const SafetensorsTensor& t, uint64_t n_elements) {
    done_bytes_ += n_elements * DataTypeBytes(t.type);
    Progress(ImportProgress::Phase::kQuantise, done_bytes_, checkpoint_->data_bytes(), t.name);
    return CheckCancelled();
  }

  Status WriteNorm(const SafetensorsTensor& t, const TensorSpec& spec) {
    std::vector<float> norm(spec.cols);
    ReadFloats(t, 0, norm);
    if (const auto bad = FindNonFinite(norm)) return NonFinite(t, *bad, norm[*bad], spec.cols);
    PITH_RETURN_IF_ERROR(writer_->AppendNorm(norm));
    return Advance(t, spec.cols);
  }

  // One panel of rows [row, row + n): floats, codes and packing in this thread's buffers.
  struct Scratch {
    std::vector<float> row;
    std::vector<int8_t> codes;  // [16, cols]
  };
  static constexpr uint64_t kNone = UINT64_MAX;

  // Returns the index of a value that is not finite, kNone if there is none.
  static uint64_t QuantisePanel(const SafetensorsTensor& t, size_t row, size_t n, size_t cols,
                                Scratch& scratch, int8_t* panel, float* scales) {
    scratch.row.resize(cols);
    scratch.codes.resize(kPanelRows * cols);
    for (size_t r = 0; r < n; ++r) {
      const uint64_t first = uint64_t{row + r} * cols;
      ReadFloats(t, first, scratch.row);
      if (const auto bad = FindNonFinite(scratch.row)) return first + *bad;
      scales[r] = QuantizeRow(scratch.row, scratch.codes.data() + r * cols);
    }
    PackPanel(scratch.codes.data(), n, cols, panel);
    return kNone;
  }

  Status WriteMatrix(const SafetensorsTensor& t, const TensorSpec& spec) {
    const size_t panel_bytes = PaddedDepth(spec.cols) * kPanelRows;
    const size_t n_panels = PanelCount(spec.rows);
    const size_t batch =
        std::clamp<size_t>(kBatchBytes / panel_bytes, pool_.n_threads(), n_panels + pool_.n_threads());
    std::vector<int8_t> panels(std::min(batch, n_panels) * panel_bytes);
    std::vector<float> scales(spec.rows);
    std::vector<uint64_t> bad(std::min(batch, n_panels));
    std::vector<Scratch> scratch(pool_.n_threads());
    for (size_t begin = 0; begin < n_panels; begin += batch) {
      const size_t n = std::min(batch, n_panels - begin);
      pool_.ParallelFor(n, [&](size_t i, size_t thread) {
        const size_t row = (begin + i) * kPanelRows;
        bad[i] = QuantisePanel(t, row, std::min(kPanelRows, spec.rows - row), spec.cols, scratch[thread],
                               panels.data() + i * panel_bytes, scales.data() + row);
      });
      for (size_t i = 0; i < n; ++i) {
        if (bad[i] == kNone) continue;
        float value = 0;
        ReadFloats(t, bad[i], {&value, 1});
        return NonFinite(t, bad[i], value, spec.cols);
      }
      PITH_RETURN_IF_ERROR(writer_->AppendPanels(std::span(panels).first(n * panel_bytes)));
      const size_t rows = std::min<size_t>(spec.rows, (begin + n) * kPanelRows) - begin * kPanelRows;
      PITH_RETURN_IF_ERROR(Advance(t, uint64_t{rows} * spec.cols));
    }
    return writer_->FinishMatrix(scales);
  }

  // A tied model may store its head again. If it differs, the file contradicts its config: transformers 4
  // would take the embedding and transformers 5 the head, so neither is taken.
  Status CompareHead() {
    const TensorSpec spec = writer_->places()[0].spec;
    const SafetensorsTensor& embedding = checkpoint_->tensor(spec);
    const SafetensorsTensor& head = *checkpoint_->duplicate_head();
    const size_t rows_per_batch = std::max<size_t>(1, kBatchBytes / (spec.cols * sizeof(float)));
    std::vector<float> a;
    std::vector<float> b;
    for (size_t row = 0; row < spec.rows; row += rows_per_batch) {
      const uint64_t first = uint64_t{row} * spec.cols;
      const size_t n = std::min<size_t>(rows_per_batch, spec.rows - row) * spec.cols;
      const size_t width = DataTypeBytes(head.type);
      const bool same =
          embedding.type == head.type && std::memcmp(embedding.data.data() + first * width,
                                                     head.data.data() + first * width, n * width) == 0;
      if (!same) {
        a.resize(n);
        b.resize(n);
        ReadFloats(embedding, first, a);
        ReadFloats(head, first, b);
        for (size_t i = 0; i < n; ++i) {
          if (a[i] == b[i]) continue;
          return Corrupt(std::string(head.where) + ": tensor " + Quoted(head.name) + ": row " +
                         std::to_string((first + i) / spec.cols) + ", column " +
                         std::to_string((first + i) % spec.cols) + ": found " + std::to_string(b[i]) +
                         ", expected " + std::to_string(a[i]) + " as in " + Quoted(embedding.name) +
                         ", because config.json says tie_word_embeddings");
        }
      }
      PITH_RETURN_IF_ERROR(Advance(head, n));
    }
    return OkStatus();
  }

  // Calibrates over the written file, then completes it.
  Status Finish(ModelDescription& description) {
    PITH_RETURN_IF_ERROR(writer_->Seal(description.terms, {}));
    PITH_ASSIGN_OR_RETURN(const std::unique_ptr<Package> package, Package::Open(writer_->temporary_path()));
    if (options_.activations == Activations::kAuto) {
      PITH_RETURN_IF_ERROR(Calibrate(package->weights(), description));
    }
    Progress(ImportProgress::Phase::kFinish, 0, 1, "fingerprint");
    PITH_RETURN_IF_ERROR(CheckCancelled());
    ModelWeights weights = package->weights();
    weights.terms = description.terms;
    report_.fingerprint = CanonicalFingerprint(weights, options_.start_token, options_.tokenizer);
    PITH_RETURN_IF_ERROR(writer_->Seal(description.terms, report_.fingerprint));
    Progress(ImportProgress::Phase::kFinish, 1, 1, "fingerprint");
    return OkStatus();
  }

  Status Calibrate(const ModelWeights& weights, ModelDescription& description) {
    const Timer timer;
    Progress(ImportProgress::Phase::kCalibrate, 0, kMaxMeasurements, "two terms everywhere");
    PITH_ASSIGN_OR_RETURN(
        const std::unique_ptr<LossMeter> meter,
        LossMeter::Create(weights, kernels_, pool_, options_.calibration_tokens, options_.start_token));
    size_t n_done = 0;
    PITH_ASSIGN_OR_RETURN(
        TermChoice choice,
        SearchTerms(weights.config, options_.loss_budget,
                    [&](const ActivationTerms& terms, const std::string& setting) -> Result<double> {
                      PITH_RETURN_IF_ERROR(CheckCancelled());
                      Progress(ImportProgress::Phase::kCalibrate, ++n_done, kMaxMeasurements, setting);
                      return meter->Measure(terms);
                    }));
    description.terms = choice.terms;
    report_.calibration = std::move(choice);
    report_.calibration_tokens = meter->n_tokens();
    report_.calibrate_seconds = timer.Seconds();
    return OkStatus();
  }

  const ImportOptions& options_;
  ThreadPool& pool_;
  const Kernels& kernels_;
  std::unique_ptr<Checkpoint> checkpoint_;
  std::unique_ptr<PackageWriter> writer_;
  uint64_t done_bytes_ = 0;
  ImportReport report_;
};

}  // namespace

Result<ImportReport> ImportCheckpoint(const std::string& directory, const std::string& out_path,
                                      const ImportOptions& options, ThreadPool& pool,
                                      const Kernels& kernels) {
  return Importer(options, pool, kernels).Run(directory, out_path);
}

}  // namespace pith
