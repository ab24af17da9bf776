// Finding, listing and removing of include/pith/hub.h: what is on this machine.
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "api/boundary.h"
#include "api/builtin_model.h"
#include "api/model_store.h"
#include "formats/json.h"
#include "hub/hub_cache.h"
#include "hub/hub_names.h"
#include "hub/hub_settings.h"
#include "pith/hub.h"

namespace pith {
namespace {

namespace fs = std::filesystem;
using hub::HubCache;
using hub::IsFile;
using hub::IsFolder;

constexpr size_t kShownNames = 6;  // in a message

// The ending of kModelSuffixes; empty for other files.
std::string_view SuffixOf(std::string_view path) {
  for (const std::string_view suffix : kModelSuffixes) {
    if (path.size() > suffix.size() && path.ends_with(suffix)) return suffix;
  }
  return "";
}

std::string BaseOf(const std::string& name) { return name.substr(name.rfind('/') + 1); }

std::string Joined(const std::vector<std::string>& words) {
  std::string text;
  for (size_t i = 0; i < std::min(words.size(), kShownNames); ++i) text += (i == 0 ? "" : ", ") + words[i];
  return words.size() > kShownNames ? text + " and " + std::to_string(words.size() - kShownNames) + " more" : text;
}

// Paths in a folder, sorted; those below it, too, if `deep`. Empty for what is none.
std::vector<std::string> PathsIn(const std::string& folder, bool deep) {
  std::vector<std::string> paths;
  std::error_code error;
  if (deep) {
    fs::recursive_directory_iterator it(folder, error);
    for (; !error && it != fs::recursive_directory_iterator(); it.increment(error))
      paths.push_back(it->path().string());
  } else {
    fs::directory_iterator it(folder, error);
    for (; !error && it != fs::directory_iterator(); it.increment(error)) paths.push_back(it->path().string());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

void AddModelFiles(const std::string& folder, const std::string& organisation, std::vector<ModelFile>& out) {
  for (const std::string& path : PathsIn(folder, false)) {
    const std::string file = path.substr(folder.size() + 1);
    const std::string_view suffix = SuffixOf(file);
    if (!suffix.empty() && IsFile(path)) {
      out.push_back({organisation + file.substr(0, file.size() - suffix.size()), path, hub::FileBytes(path)});
    } else if (organisation.empty() && !file.starts_with('.') && IsFolder(path)) {
      AddModelFiles(path, file + "/", out);
    }
  }
}

// A name means itself; without organisation, also one of any.
bool IsMeant(const std::string& name, const std::string& meant) {
  return name == meant || (meant.find('/') == std::string::npos && BaseOf(name) == meant);
}

// Those of `names` that `meant` means: exactly that one if it is there.
std::set<std::string> Matching(const std::set<std::string>& names, const std::string& meant) {
  if (names.count(meant) != 0) return {meant};
  std::set<std::string> matching;
  for (const std::string& name : names) {
    if (IsMeant(name, meant)) matching.insert(name);
  }
  return matching;
}

Status Ambiguous(const std::string& what, const std::set<std::string>& names) {
  return InvalidArgument(what + ": means " + std::to_string(names.size()) + " models: " +
                         Joined(std::vector<std::string>(names.begin(), names.end())) + "; give the whole name");
}

// What a snapshot of the cache holds.
struct SnapshotContent {
  std::vector<std::string> model_files;  // paths
  bool checkpoint = false;
};

SnapshotContent ContentOf(const std::string& snapshot) {
  SnapshotContent content;
  bool weights = false;
  for (const std::string& path : PathsIn(snapshot, true)) {
    if (!IsFile(path)) continue;
    weights = weights || path.ends_with(".safetensors");
    if (!SuffixOf(path).empty()) content.model_files.push_back(path);
  }
  content.checkpoint = weights && IsFile(snapshot + "/config.json");
  return content;
}

// ---- Finding

Result<FoundModel> FindInFolders(const std::string& what) {
  const std::vector<ModelFile> files = ModelFiles();
  const std::string meant = StoreName(what);
  for (const std::string& folder : ModelFolders()) {
    std::set<std::string> names;
    for (const ModelFile& file : files) {
      if (file.path.starts_with(folder + "/")) names.insert(file.name);
    }
    const std::set<std::string> matching = Matching(names, meant);
    if (matching.size() > 1) return Ambiguous(what, matching);
    if (matching.empty()) continue;
    for (const std::string_view suffix : kModelSuffixes) {
      std::string path = folder + "/" + *matching.begin() + std::string(suffix);
      if (IsFile(path)) return FoundModel{ModelKind::kFile, std::move(path), BaseOf(*matching.begin())};
    }
  }
  return NotFound(what + ": no such model");
}

// The name on the hub that `what` means in the cache, and its snapshot folder. kNotFound, kInvalidArgument.
struct CachedModel {
  std::string name;
  std::string folder;
};
Result<CachedModel> FindSnapshot(const std::string& what) {
  const Status not_found = NotFound(what + ": no such model");
  const Result<hub::ModelName> name = hub::ParseModelName(what);
  if (!name.ok()) return not_found;
  const HubCache cache(hub::HubCacheFolder());
  std::set<std::string> names;
  for (const std::string& model : cache.Models()) {
    if (!cache.Snapshot(model, name->revision).empty()) names.insert(model);
  }
  const std::set<std::string> matching = Matching(names, name->full);
  if (matching.size() > 1) return Ambiguous(what, matching);
  if (matching.empty()) return not_found;
  return CachedModel{*matching.begin(), cache.Snapshot(*matching.begin(), name->revision)};
}

Result<FoundModel> FindInCache(const std::string& what) {
  PITH_ASSIGN_OR_RETURN(const CachedModel cached, FindSnapshot(what));
  const SnapshotContent content = ContentOf(cached.folder);
  if (content.checkpoint) return FoundModel{ModelKind::kCheckpoint, cached.folder, BaseOf(cached.name)};
  if (content.model_files.size() > 1) {
    return InvalidArgument(what + ": means " + std::to_string(content.model_files.size()) +
                           " files: " + Joined(content.model_files) + "; give the path of one");
  }
  if (content.model_files.empty()) return NotFound(what + ": no such model");
  return FoundModel{ModelKind::kFile, content.model_files[0], BaseOf(cached.name)};
}

std::string WithoutSlashes(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

// "DIR/model.safetensors" -> "DIR"; others as they are.
std::string CheckpointFolder(const std::string& path) {
  if (!path.ends_with(".safetensors")) return path;
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, std::max<size_t>(slash, 1));
}

FoundModel FolderFound(const std::string& path) {
  // The real name where it is "." or a link.
  std::error_code error;
  const std::string given = fs::path(path).filename().string();
  const bool nameless = given.empty() || given == "." || given == "..";
  return {ModelKind::kCheckpoint, path, nameless ? fs::weakly_canonical(path, error).filename().string() : given};
}

Result<FoundModel> Find(const std::string& given) {
  if (IsBuiltinModel(given)) return FoundModel{ModelKind::kBuiltin, given, given};
  const std::string what = WithoutSlashes(given);
  if (what.empty()) return NotFound("the name of a model is empty");
  if (const std::string folder = CheckpointFolder(what); IsFolder(folder) && IsFile(folder + "/config.json")) {
    return FolderFound(folder);
  }
  std::error_code error;
  const bool is_there = fs::exists(what, error);
  if (is_there && !IsFolder(what)) return FoundModel{ModelKind::kFile, what, fs::path(what).stem().string()};
  for (const std::string_view suffix : kModelSuffixes) {
    if (IsFile(what + std::string(suffix)))
      return FoundModel{ModelKind::kFile, what + std::string(suffix), BaseOf(what)};
  }
  Result<FoundModel> found = FindInFolders(what);
  if (found.status().code() == StatusCode::kNotFound) found = FindInCache(what);
  if (found.status().code() != StatusCode::kNotFound) return found;
  if (is_there) return NotFound(what + ": is a folder without config.json, expected a model file or a checkpoint");
  return NotFound(what +
                  (HowToGetModel(what).empty() ? ": no such file" : ": no such model, neither here nor in the cache"));
}

Result<FoundModel> FindFolder(const std::string& given) {
  const std::string what = CheckpointFolder(WithoutSlashes(given));
  if (IsFolder(what)) return FolderFound(what);
  Result<CachedModel> cached = FindSnapshot(what);
  if (cached.ok() && ContentOf(cached->folder).checkpoint) {
    return FoundModel{ModelKind::kCheckpoint, cached->folder, BaseOf(cached->name)};
  }
  if (cached.status().code() == StatusCode::kInvalidArgument) return cached.status();
  std::error_code error;
  if (fs::exists(what, error)) return InvalidArgument(what + ": is a file, expected a checkpoint folder");
  std::string text = what + ": no such folder";
  if (hub::ParseModelName(what).ok() && what.find('/') != std::string::npos) {
    text += ", and no such model in the Hugging Face cache (" + hub::HubCacheFolder() + "); pith pull fetches it";
  }
  return NotFound(text);
}

// ---- Listing

Result<std::vector<ListedModel>> List() {
  std::vector<ListedModel> models;
  for (const BuiltinFile& builtin : BuiltinModelFiles()) {
    models.push_back({.name = builtin.name,
                      .kind = ModelKind::kBuiltin,
                      .format = "pmodel",
                      .path = {},
                      .bytes = builtin.file.size()});
  }
  std::set<std::string> stored;
  for (ModelFile& file : ModelFiles()) {
    stored.insert(file.name);
    models.push_back({.name = file.name,
                      .kind = ModelKind::kFile,
                      .format = std::string(SuffixOf(file.path).substr(1)),
                      .path = file.path,
                      .bytes = file.bytes});
  }
  const HubCache cache(hub::HubCacheFolder());
  for (const std::string& name : cache.Models()) {
    // Each revision that has a name here; main first.
    const std::string refs = cache.ModelFolder(name) + "/refs";
    std::vector<std::string> revisions = {""};
    for (const std::string& path : PathsIn(refs, true)) {
      if (IsFile(path) && path != refs + "/main") revisions.push_back(path.substr(refs.size() + 1));
    }
    for (const std::string& revision : revisions) {
      const std::string folder = cache.Snapshot(name, revision);
      if (folder.empty()) continue;
      const std::string full = name + (revision.empty() ? "" : "@" + revision);
      const SnapshotContent content = ContentOf(folder);
      ListedModel model{.name = full, .kind = ModelKind::kFile, .cached = true};
      if (content.checkpoint) {
        model.kind = ModelKind::kCheckpoint;
        model.format = "safetensors";
        model.path = folder;
        model.converted = stored.count(StoreName(full)) != 0;
        for (const std::string& path : PathsIn(folder, true)) model.bytes += hub::FileBytes(path);
        models.push_back(std::move(model));
        continue;
      }
      for (const std::string& path : content.model_files) {
        model.format = std::string(SuffixOf(path).substr(1));
        model.path = path;
        model.bytes = hub::FileBytes(path);
        models.push_back(model);
      }
    }
  }
  return models;
}

// ---- Removing

Result<RemovedModel> Remove(const std::string& given, bool with_cache) {
  if (IsBuiltinModel(given)) return InvalidArgument(given + ": is part of the program");
  const std::string name = StoreName(given);
  const HubCache cache(hub::HubCacheFolder());
  const std::vector<ModelFile> files = ModelFiles();
  std::set<std::string> stored;
  for (const ModelFile& file : files) stored.insert(file.name);
  std::set<std::string> cached;
  for (const std::string& model : cache.Models()) cached.insert(model);

  std::set<std::string> all = stored;
  all.insert(cached.begin(), cached.end());
  const std::set<std::string> meant = Matching(all, name);
  if (meant.size() > 1) return Ambiguous(given, meant);
  if (meant.empty()) return NotFound(given + ": no such model in the model folders or the Hugging Face cache");
  const std::string& model = *meant.begin();

  std::vector<std::string> paths;
  for (const ModelFile& file : files) {
    if (file.name == model) paths.push_back(file.path);
  }
  if (paths.size() > 1) {
    return InvalidArgument(given + ": means " + std::to_string(paths.size()) + " files: " + Joined(paths) +
                           "; remove those you do not want yourself");
  }
  const bool in_cache = cached.count(model) != 0;
  if (paths.empty() && !with_cache) {
    return NotFound(given +
                    ": has no file in the model folders; its copy in the Hugging Face cache, which other programs "
                    "use, too, goes with --cache");
  }
  RemovedModel removed;
  hub::FileLock lock;  // nobody pulls or converts it meanwhile
  if (in_cache) {
    Result<hub::FileLock> taken = hub::FileLock::Acquire(cache.LockFolder(model) + "/pith.lock", [] { return false; });
    if (taken.status().code() == StatusCode::kCancelled) return IoError(given + ": another pith is pulling it");
    if (!taken.ok()) return taken.status();
    lock = *std::move(taken);
  }
  for (const std::string& path : paths) {
    const uint64_t bytes = hub::FileBytes(path);
    if (unlink(path.c_str()) != 0) return IoError(path + ": cannot remove: " + std::strerror(errno));
    (void)unlink(CommitRecord(path).c_str());
    if (model.find('/') != std::string::npos) {
      (void)rmdir(fs::path(path).parent_path().c_str());  // fails while other models are there
    }
    removed.paths.push_back(path);
    removed.bytes += bytes;
  }
  if (in_cache && with_cache) {
    const std::string folder = cache.ModelFolder(model);
    const uint64_t bytes = hub::FolderBytes(folder);
    std::error_code error;
    fs::remove_all(folder, error);
    if (error) return IoError(folder + ": cannot remove: " + error.message());
    fs::remove_all(cache.LockFolder(model), error);
    removed.paths.push_back(folder);
    removed.bytes += bytes;
  }
  return removed;
}

}  // namespace

std::string StoreName(const std::string& name) {
  const size_t at = name.find('@');
  if (name.ends_with("@main")) return name.substr(0, at);
  std::string out = name;
  for (size_t slash = at; slash != std::string::npos && (slash = out.find('/', slash)) != std::string::npos;) {
    out.replace(slash, 1, "--");
  }
  return out;
}

std::string CommitRecord(const std::string& path) { return path + ".commit"; }

namespace {

// Of a list with colons between; empty ones are left out.
void ForEachOf(std::string_view list, const std::function<void(const std::string&)>& use) {
  while (!list.empty()) {
    const size_t colon = std::min(list.find(':'), list.size());
    if (colon > 0) use(std::string(list.substr(0, colon)));
    list.remove_prefix(std::min(colon + 1, list.size()));
  }
}

// A folder that is named twice holds each file once.
void AddFolder(const std::string& folder, std::vector<std::string>& folders) {
  if (std::find(folders.begin(), folders.end(), folder) == folders.end()) folders.push_back(folder);
}

}  // namespace

std::vector<std::string> UserModelFolders() {
  std::vector<std::string> folders;
  const auto add = [&](const std::string& folder) { AddFolder(folder, folders); };
  if (const char* list = std::getenv("PITH_MODELS")) {
    ForEachOf(list, [&](const std::string& folder) { add(WithoutSlashes(folder)); });
  }
  // Of the user, then of the machine: https://specifications.freedesktop.org/basedir-spec.
  const char* data = std::getenv("XDG_DATA_HOME");
  const char* home = std::getenv("HOME");
  if (data != nullptr && data[0] == '/') {
    add(WithoutSlashes(data) + "/pith/models");
  } else if (home != nullptr && home[0] != '\0') {
    add(WithoutSlashes(home) + "/.local/share/pith/models");
  }
  return folders;
}

std::vector<std::string> ModelFolders() {
  std::vector<std::string> folders = UserModelFolders();
  const char* shared = std::getenv("XDG_DATA_DIRS");
  ForEachOf(shared != nullptr && shared[0] != '\0' ? shared : "/usr/local/share:/usr/share", [&](const std::string& folder) {
    if (folder[0] == '/') AddFolder(WithoutSlashes(folder) + "/pith/models", folders);
  });
  return folders;
}

std::vector<ModelFile> ModelFiles() {
  std::vector<ModelFile> files;
  for (const std::string& folder : ModelFolders()) AddModelFiles(folder, "", files);
  return files;
}

Result<FoundModel> FindModel(const std::string& what) {
  return AtBoundary([&] { return Find(what); });
}

Result<FoundModel> FindCheckpoint(const std::string& what) {
  return AtBoundary([&] { return FindFolder(what); });
}

std::vector<std::string> HowToGetModel(const std::string& what) {
  const Result<hub::ModelName> name = hub::ParseModelName(what);
  std::error_code error;
  if (!name.ok() || !SuffixOf(what).empty() || fs::exists(what, error)) return {};
  const bool whole = name->full.find('/') != std::string::npos;
  return {whole
              ? "  pith pull " + what + " fetches it, if the Hugging Face hub has it"
              : std::string("  pith pull ORG/NAME fetches a model from the Hugging Face hub, such as Qwen/Qwen3-0.6B"),
          "  pith models lists what is here; a model file's path will do, too, or builtin"};
}

Result<std::vector<ListedModel>> ListModels() {
  return AtBoundary([] { return List(); });
}

Result<RemovedModel> RemoveModel(const std::string& name, bool cache) {
  return AtBoundary([&] { return Remove(name, cache); });
}

}  // namespace pith
