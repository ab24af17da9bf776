#include "convert/import.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <memory>
#include <optional>
#include <vector>

#include "base/float_environment.h"
#include "convert/calibrate.h"
#include "convert/checkpoint.h"
#include "convert/model_layout.h"
#include "convert/package.h"
#include "convert/package_writer.h"
#include "convert/quantize.h"
#include "convert/tensor_stream.h"

namespace pith {
namespace {

class Timer {
 public:
  double Seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

class Importer {
 public:
  Importer(const ImportOptions& options, ThreadPool& pool, const Kernels& kernels)
      : options_(options), pool_(pool), kernels_(kernels) {
    control_.cancelled = options.cancelled;
    if (options.progress) {
      control_.progress = [this](const ExportProgress& p) {
        Progress(ImportProgress::Phase::kQuantise, p.done, p.total, p.item);
      };
    }
  }

  Result<ImportReport> Run(const std::string& directory, const std::string& out_path) {
    const ScopedFloatEnvironment environment;
    const Timer total;
    if (options_.activations == Activations::kAuto && options_.calibration_tokens.empty()) {
      return InvalidArgument("import: calibration needs tokens");
    }
    PITH_ASSIGN_OR_RETURN(checkpoint_, Checkpoint::Open(directory));
    stream_.emplace(*checkpoint_, pool_, control_);
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
      PITH_RETURN_IF_ERROR(place.spec.is_matrix() ? WriteMatrix(place.spec) : WriteNorm(place.spec));
      report_.n_parameters += place.spec.n_elements();
    }
    return stream_->CheckDuplicateHead();
  }

  Status WriteNorm(const TensorSpec& spec) {
    std::vector<float> norm;
    return stream_->ForEachRow(
        spec,
        [&](size_t, std::span<const float> values, size_t) {
          norm.assign(values.begin(), values.end());
          return std::nullopt;
        },
        [&](size_t, size_t) { return writer_->AppendNorm(norm); });
  }

  // The rows of a panel come one after another on one thread: its codes are packed when the last one is there.
  Status WriteMatrix(const TensorSpec& spec) {
    const size_t cols = spec.cols;
    const size_t panel_bytes = PaddedDepth(cols) * kPanelRows;
    const size_t batch = stream_->BatchRows(cols);
    std::vector<int8_t> panels(std::min(batch / kPanelRows, PanelCount(spec.rows)) * panel_bytes);
    std::vector<float> scales(spec.rows);
    std::vector<std::vector<int8_t>> codes(pool_.n_threads(), std::vector<int8_t>(kPanelRows * cols));
    PITH_RETURN_IF_ERROR(stream_->ForEachRow(
        spec,
        [&](size_t row, std::span<const float> values, size_t thread) {
          int8_t* const rows = codes[thread].data();
          scales[row] = QuantizeRow(values, rows + row % kPanelRows * cols);
          if (row % kPanelRows == kPanelRows - 1 || row + 1 == spec.rows) {
            PackPanel(rows, row % kPanelRows + 1, cols, panels.data() + row % batch / kPanelRows * panel_bytes);
          }
          return std::nullopt;
        },
        [&](size_t begin, size_t end) {
          return writer_->AppendPanels(std::span(panels).first(PanelCount(end - begin) * panel_bytes));
        }));
    return writer_->FinishMatrix(scales);
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
  ExportControl control_;
  std::optional<TensorStream> stream_;
  std::unique_ptr<PackageWriter> writer_;
  ImportReport report_;
};

}  // namespace

Result<ImportReport> ImportCheckpoint(const std::string& directory, const std::string& out_path,
                                      const ImportOptions& options, ThreadPool& pool,
                                      const Kernels& kernels) {
  return Importer(options, pool, kernels).Run(directory, out_path);
}

}  // namespace pith
