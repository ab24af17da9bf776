// ImportCheckpoint: a Hugging Face folder to a pith model file. Both are mapped; what is allocated does not
// grow with the model, but for the scales of one matrix.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/thread_pool.h"
#include "convert/term_search.h"
#include "model/engine.h"
#include "model/weights.h"
#include "pith/status.h"

namespace pith {

// How many int8 terms activations get (numeric contract 4).
enum class Activations {
  kFast,     // one everywhere (softmax weights: two)
  kAuto,     // one where calibration finds that it costs next to nothing
  kPrecise,  // two everywhere
};

struct ImportProgress {
  enum class Phase { kQuantise, kCalibrate, kFinish };
  Phase phase = Phase::kQuantise;
  uint64_t done = 0;      // bytes of the checkpoint, or measurements
  uint64_t total = 0;     // of measurements: the most there can be
  std::string_view item;  // name of the tensor or of the setting; valid during the call
};

struct ImportOptions {
  std::string name;  // for people, e.g. "Qwen3-0.6B"
  Activations activations = Activations::kAuto;
  bool replace = false;  // whether an existing file may be replaced
  ByteSpan tokenizer;    // serialised; kept as it is
  TokenId start_token = 0;
  std::span<const TokenId>
      calibration_tokens;  // needed for kAuto; a few thousand of the kind of text to be coded
  double loss_budget = kDefaultLossBudget;              // nat a token, for kAuto
  std::function<void(const ImportProgress&)> progress;  // called on the calling thread; may be empty
  std::function<bool()> cancelled;                      // asked often; may be empty
};

struct ImportReport {
  ModelConfig config;
  ActivationTerms terms;
  Fingerprint fingerprint;
  uint64_t n_parameters = 0;  // values in the file: codes and norms, without padding
  uint64_t source_bytes = 0;  // tensors of the checkpoint
  size_t n_source_files = 0;
  uint64_t package_bytes = 0;
  double quantise_seconds = 0;
  double calibrate_seconds = 0;
  double total_seconds = 0;
  std::optional<TermChoice> calibration;  // with kAuto: what was tried
  size_t calibration_tokens = 0;          // tokens a measurement
};

// Writes `out_path`; it appears whole or not at all. The result depends on the checkpoint and the options
// only, not on threads, kernels or machine. Errors name file and tensor; kCancelled when `cancelled` said so.
Result<ImportReport> ImportCheckpoint(const std::string& directory, const std::string& out_path,
                                      const ImportOptions& options, ThreadPool& pool, const Kernels& kernels);

}  // namespace pith
