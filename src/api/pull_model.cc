// PullModel and ConvertPulledModel of include/pith/hub.h.
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "api/boundary.h"
#include "api/model_store.h"
#include "base/file.h"
#include "hub/fetch_model.h"
#include "hub/hub_cache.h"
#include "hub/hub_names.h"
#include "hub/hub_settings.h"
#include "pith/hub.h"

namespace pith {
namespace {

namespace fs = std::filesystem;

// Tokenizer, graphs and metadata beside the weights, generously.
constexpr uint64_t kRoomBesideWeights = uint64_t{64} << 20;

PullProgress::Stage StageOf(hub::FetchProgress::Stage stage) {
  switch (stage) {
    case hub::FetchProgress::Stage::kWaiting:
      return PullProgress::Stage::kWaiting;
    case hub::FetchProgress::Stage::kAsking:
      return PullProgress::Stage::kAsking;
    case hub::FetchProgress::Stage::kFetching:
      return PullProgress::Stage::kFetching;
    case hub::FetchProgress::Stage::kChecking:
      return PullProgress::Stage::kChecking;
  }
  return PullProgress::Stage::kAsking;
}

Result<PulledModel> Pull(const std::string& text, const PullOptions& options, const PullProgressCallback& progress) {
  PITH_ASSIGN_OR_RETURN(hub::ModelName name, hub::ParseModelName(text));
  if (!options.revision.empty()) {
    if (!name.revision.empty() && name.revision != options.revision) {
      return InvalidArgument(text + ": names another revision than " + options.revision);
    }
    PITH_RETURN_IF_ERROR(hub::CheckRevision(options.revision));
    name.revision = options.revision;
  }
  if (name.revision == "main") name.revision.clear();
  PITH_ASSIGN_OR_RETURN(const hub::HubSettings settings, hub::SettingsFromEnvironment());
  hub::FetchOptions fetch;
  fetch.file = options.file;
  fetch.offline = options.offline;
  hub::FetchCallback callback;
  if (progress) {
    callback = [&](const hub::FetchProgress& p) {
      return progress({.stage = StageOf(p.stage), .file = p.file, .done = p.done, .total = p.total, .note = p.note});
    };
  }
  PITH_ASSIGN_OR_RETURN(hub::FetchedModel fetched, hub::FetchModel(name, settings, fetch, callback));
  return PulledModel{.name = name.full,
                     .revision = name.revision,
                     .commit = std::move(fetched.commit),
                     .folder = std::move(fetched.folder),
                     .model_file = std::move(fetched.model_file),
                     .total_bytes = fetched.total_bytes,
                     .fetched_bytes = fetched.fetched_bytes,
                     .lock = std::make_shared<hub::FileLock>(std::move(fetched.lock))};
}

// The first line; empty where there is no such file.
std::string ReadCommit(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

Status WriteCommit(const std::string& path, const std::string& commit) {
  PITH_ASSIGN_OR_RETURN(const std::unique_ptr<AtomicFile> file, AtomicFile::Create(path, true));
  PITH_RETURN_IF_ERROR(file->Write(AsBytes(commit + "\n")));
  return file->Commit();
}

Result<ConvertedModel> Convert(const PulledModel& pulled, ConvertModelOptions options,
                               const ConvertModelProgressCallback& progress) {
  if (!pulled.model_file.empty()) return InvalidArgument(pulled.name + ": is no checkpoint, and needs no converting");
  const std::vector<std::string> folders = UserModelFolders();
  if (folders.empty()) return InvalidArgument("no model folder: PITH_MODELS, XDG_DATA_HOME and HOME are not set");
  ConvertedModel converted;
  const std::string full = pulled.name + (pulled.revision.empty() ? "" : "@" + pulled.revision);
  converted.path = folders[0] + "/" + StoreName(full) + ".litertlm";
  const std::string record = CommitRecord(converted.path);
  if (hub::IsFile(converted.path) && !options.replace) {
    const std::string commit = ReadCommit(record);
    if (commit == pulled.commit) return converted;
    if (commit.empty())
      return AlreadyExists(converted.path + ": already exists, and not from pith pull; not overwritten");
  }
  PITH_RETURN_IF_ERROR(hub::MakeFolders(fs::path(converted.path).parent_path().string()));
  // int8 rows take half of bf16, and less of what is wider; what came as int8 would not be a checkpoint.
  PITH_RETURN_IF_ERROR(hub::CheckRoom(converted.path, pulled.total_bytes / 2 + kRoomBesideWeights, full));
  // An end in the middle must not make the file look like somebody else's the next time.
  PITH_RETURN_IF_ERROR(WriteCommit(record, "converting " + pulled.commit));
  options.format = "litertlm";
  options.replace = true;
  if (options.name.empty()) options.name = pulled.name.substr(pulled.name.find('/') + 1);
  const bool chosen_here = options.activations.empty();
  if (chosen_here) options.activations = "auto";
  Result<ConvertModelResult> result = ConvertModel(pulled.folder, converted.path, options, progress);
  if (chosen_here && result.status().code() == StatusCode::kUnsupported) {
    options.activations = "precise";
    result = ConvertModel(pulled.folder, converted.path, options, progress);
  }
  if (!result.ok()) {
    if (!hub::IsFile(converted.path)) {
      (void)unlink(record.c_str());
      (void)rmdir(fs::path(converted.path).parent_path().c_str());  // fails while other models are there
    }
    return result.status();
  }
  PITH_RETURN_IF_ERROR(WriteCommit(record, pulled.commit));
  converted.is_new = true;
  converted.result = *std::move(result);
  return converted;
}

}  // namespace

Result<PulledModel> PullModel(const std::string& name, const PullOptions& options,
                              const PullProgressCallback& progress) {
  return AtBoundary([&] { return Pull(name, options, progress); });
}

Result<ConvertedModel> ConvertPulledModel(const PulledModel& pulled, ConvertModelOptions options,
                                          const ConvertModelProgressCallback& progress) {
  return AtBoundary([&] { return Convert(pulled, std::move(options), progress); });
}

}  // namespace pith
