// ImportModel of include/pith/pith.h: ties tokenizer, start token, calibration text and converter together.
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/boundary.h"
#include "api/calibration_text.h"
#include "api/model_impl.h"
#include "base/cpu.h"
#include "base/file.h"
#include "convert/calibrate.h"
#include "convert/checkpoint.h"
#include "convert/import.h"
#include "formats/json.h"
#include "pith/pith.h"
#include "tokenizer/tokenizer.h"

namespace pith {
namespace {

// The folder's own name: "Qwen3-0.6B" for "models/Qwen3-0.6B/".
std::string FolderName(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  path = path.substr(path.rfind('/') + 1);
  return path.empty() || path == "." || path == ".." ? "model" : path;
}

// A token id in config.json: a number, or a list whose first number counts (several end tokens).
std::optional<TokenId> IdField(const Json& config, std::string_view name) {
  const Json* value = config.Find(name);
  if (value != nullptr && !value->items().empty()) value = &value->items().front();
  const std::optional<uint64_t> id = value != nullptr ? value->AsUnsigned() : std::nullopt;
  if (!id || *id > std::numeric_limits<TokenId>::max()) return std::nullopt;
  return static_cast<TokenId>(*id);
}

// What stands before every stream: the token that stood before every document in training, as far as one can
// know.
Result<TokenId> StartToken(const Json& config, const Tokenizer* tokenizer) {
  if (const std::optional<TokenId> id = IdField(config, "bos_token_id")) return *id;
  if (tokenizer != nullptr) {
    if (const std::optional<TokenId> id = tokenizer->FindAddedToken("<|endoftext|>")) return *id;
  }
  if (const std::optional<TokenId> id = IdField(config, "eos_token_id")) return *id;
  return Unsupported(
      "no token can begin a stream: neither bos_token_id, nor <|endoftext|>, nor eos_token_id");
}

// The folder's tokenizer.json; none when there is no such file.
Result<std::optional<Tokenizer>> ReadTokenizer(const std::string& folder) {
  const std::string path = folder + "/tokenizer.json";
  const Result<std::unique_ptr<MappedFile>> file = MappedFile::Open(path);
  if (file.status().code() == StatusCode::kNotFound) return std::optional<Tokenizer>();
  if (!file.ok()) return file.status();
  Result<Tokenizer> tokenizer = Tokenizer::FromHuggingFaceJson(AsText((*file)->bytes()));
  if (!tokenizer.ok()) return tokenizer.status().WithContext(path);
  return std::optional<Tokenizer>(*std::move(tokenizer));
}

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

  const std::string config_path = folder + "/config.json";
  PITH_ASSIGN_OR_RETURN(const std::unique_ptr<MappedFile> config_file, MappedFile::Open(config_path));
  PITH_ASSIGN_OR_RETURN(const Json config, Json::Parse(config_file->bytes(), config_path));
  PITH_ASSIGN_OR_RETURN(const ModelConfig sizes, ParseCheckpointConfig(config_file->bytes(), config_path));

  PITH_ASSIGN_OR_RETURN(const std::optional<Tokenizer> tokenizer, ReadTokenizer(folder));
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
  const Result<TokenId> start_token = StartToken(config, tokenizer ? &*tokenizer : nullptr);
  if (!start_token.ok()) return start_token.status().WithContext(config_path);

  bool cancelled = false;
  ImportOptions import;
  import.name = options.name.empty() ? FolderName(folder) : options.name;
  import.activations = activations;
  import.replace = options.replace;
  import.tokenizer = serialized;
  import.start_token = *start_token;
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
