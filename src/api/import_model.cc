// ImportModel of include/pith/pith.h: ties tokenizer, start token, calibration text and converter together.
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/boundary.h"
#include "api/calibration_text.h"
#include "api/folder_tokenizer.h"
#include "api/model_impl.h"
#include "base/cpu.h"
#include "base/file.h"
#include "convert/calibrate.h"
#include "convert/checkpoint.h"
#include "convert/import.h"
#include "convert/model_folder.h"
#include "pith/pith.h"
#include "tokenizer/tokenizer.h"

namespace pith {
namespace {

// Without a tokenizer no text can be measured: ids without meaning, the same on every machine (splitmix64).
std::vector<TokenId> ArbitraryTokens(size_t vocab) {
  std::vector<TokenId> tokens(kMaxCalibrationTokens);
  uint64_t state = 0;
  for (TokenId& token : tokens) {
    uint64_t z = state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    token = static_cast<TokenId>((z ^ (z >> 31)) % vocab);
  }
  return tokens;
}

Result<Activations> ParseActivations(const std::string& word) {
  if (word == "fast") return Activations::kFast;
  if (word == "auto") return Activations::kAuto;
  if (word == "precise") return Activations::kPrecise;
  return InvalidArgument("activations: '" + word + "', expected fast, auto or precise");
}

Result<ImportModelResult> Import(const std::string& folder, const std::string& output_path,
                                 const ImportModelOptions& options,
                                 const ImportModelProgressCallback& progress) {
  PITH_ASSIGN_OR_RETURN(const Activations activations, ParseActivations(options.activations));
  PITH_ASSIGN_OR_RETURN(const Isa isa, ChooseIsa());

  PITH_RETURN_IF_ERROR(CheckOutputIsNoInput(folder, output_path));
  const std::string config_path = folder + "/config.json";
  PITH_ASSIGN_OR_RETURN(const std::unique_ptr<MappedFile> config_file, MappedFile::Open(config_path));
  PITH_ASSIGN_OR_RETURN(const ModelConfig sizes, ParseCheckpointConfig(config_file->bytes(), config_path));

  PITH_ASSIGN_OR_RETURN(const std::optional<Tokenizer> tokenizer, ReadFolderTokenizer(folder));
  Bytes serialized;
  std::vector<TokenId> calibration;
  if (tokenizer) {
    serialized = tokenizer->Serialize();
    const std::string_view text =
        options.calibration_text.empty() ? CalibrationText() : options.calibration_text;
    tokenizer->Encode(AsBytes(text), calibration);
  } else {
    calibration = ArbitraryTokens(sizes.vocab);
  }
  PITH_ASSIGN_OR_RETURN(const TokenId start_token, ReadStartToken(folder, tokenizer ? &*tokenizer : nullptr));

  bool cancelled = false;
  ImportOptions import;
  import.name = options.name.empty() ? FolderName(folder) : options.name;
  import.activations = activations;
  import.replace = options.replace;
  import.tokenizer = serialized;
  import.start_token = start_token;
  import.calibration_tokens = calibration;
  if (progress) {
    import.progress = [&](const ImportProgress& p) {
      cancelled = cancelled || !progress({.done = p.done,
                                          .total = p.total,
                                          .calibrating = p.phase == ImportProgress::Phase::kCalibrate,
                                          .item = std::string(p.item)});
    };
    import.cancelled = [&] { return cancelled; };
  }
  ThreadPool pool(options.threads == 0 ? AvailableThreads() : options.threads);
  PITH_ASSIGN_OR_RETURN(const ImportReport report,
                        ImportCheckpoint(folder, output_path, import, pool, KernelsFor(isa)));

  PITH_ASSIGN_OR_RETURN(const std::unique_ptr<Package> package, Package::Open(output_path));
  ImportModelResult result;
  result.model = DescribePackage(*package, tokenizer ? &*tokenizer : nullptr);
  result.source_bytes = report.source_bytes;
  if (report.calibration) {
    result.kl = report.calibration->loss;
    result.cost = report.calibration->cost;
    for (const TermTrial& trial : report.calibration->trials) {
      result.trials.push_back({.setting = trial.setting, .kl = trial.loss, .cost = trial.cost});
    }
  }
  return result;
}

}  // namespace

Result<ImportModelResult> ImportModel(const std::string& checkpoint_dir, const std::string& output_path,
                                      const ImportModelOptions& options,
                                      const ImportModelProgressCallback& progress) {
  return AtBoundary([&] { return Import(checkpoint_dir, output_path, options, progress); });
}

}  // namespace pith
