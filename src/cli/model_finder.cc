#include "cli/model_finder.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>

namespace pith::cli {
namespace {

namespace fs = std::filesystem;

bool IsModelFile(const std::string& path) {
  return std::any_of(std::begin(kModelSuffixes), std::end(kModelSuffixes),
                     [&](std::string_view suffix) { return path.ends_with(suffix); });
}

bool IsFile(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode);
}

}  // namespace

std::vector<std::string> ModelFolders() {
  std::vector<std::string> folders;
  if (const char* list = std::getenv("PITH_MODELS")) {
    std::string_view rest = list;
    while (!rest.empty()) {
      const size_t colon = std::min(rest.find(':'), rest.size());
      if (colon > 0) folders.emplace_back(rest.substr(0, colon));
      rest.remove_prefix(std::min(colon + 1, rest.size()));
    }
  }
  const char* data = std::getenv("XDG_DATA_HOME");
  const char* home = std::getenv("HOME");
  if (data != nullptr && data[0] == '/') {
    folders.push_back(std::string(data) + "/pith/models");
  } else if (home != nullptr && home[0] != '\0') {
    folders.push_back(std::string(home) + "/.local/share/pith/models");
  }
  return folders;
}

Result<Model*> ModelFinder::Load(const std::string& path) {
  if (const auto it = loaded_.find(path); it != loaded_.end()) return &it->second;
  const Stopwatch watch;
  PITH_ASSIGN_OR_RETURN(Model model,
                        path == "builtin" ? Model::Builtin(options_) : Model::Open(path, options_));
  console_.Detail("model " + model.info().name + ", fingerprint " + model.info().fingerprint + ", from " +
                  path + ", " + Plural(model.threads(), "thread") + ", " + InstructionSet() + ", loaded in " +
                  std::to_string(static_cast<int>(watch.seconds() * 1000)) + " ms");
  Model* const kept = &loaded_.emplace(path, std::move(model)).first->second;
  by_fingerprint_[kept->info().fingerprint] = kept;
  return kept;
}

Result<Model*> ModelFinder::Open(const std::string& what) {
  std::string path = what;
  if (what != "builtin" && what.find('/') == std::string::npos && !IsFile(what)) {
    for (const std::string& folder : ModelFolders()) {
      for (const std::string_view suffix : kModelSuffixes) {
        std::string candidate = folder + "/" + what + std::string(suffix);
        if (path == what && IsFile(candidate)) path = std::move(candidate);
      }
      if (path != what) break;
    }
  }
  Result<Model*> model = Load(path);
  failed_ = failed_ || !model.ok();
  return model;
}

Result<Model*> ModelFinder::Largest() {
  if (choice_) return Open(*choice_);
  std::string largest = "builtin";
  uint64_t most = 0;
  if (const Result<ModelInfo> builtin = BuiltinModelInfo(); builtin.ok()) most = builtin->file_bytes;
  for (const std::string& folder : ModelFolders()) {
    std::error_code error;
    fs::directory_iterator it(folder, error);
    for (; !error && it != fs::directory_iterator(); it.increment(error)) {
      const std::string path = it->path().string();
      struct stat info;
      if (!IsModelFile(path) || stat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) continue;
      const auto size = static_cast<uint64_t>(info.st_size);
      if (size > most || (size == most && path < largest)) {
        most = size;
        largest = path;
      }
    }
  }
  return Open(largest);
}

Result<Model*> ModelFinder::ForArchive(const std::string& name, const std::string& fingerprint) {
  // The first that begins so: a short archive gives only eight digits.
  if (const auto it = by_fingerprint_.lower_bound(fingerprint);
      it != by_fingerprint_.end() && it->first.starts_with(fingerprint)) {
    return it->second;
  }
  Result<Model*> model = FindFor(name, fingerprint);
  failed_ = failed_ || !model.ok();
  return model;
}

Result<Model*> ModelFinder::FindFor(const std::string& name, const std::string& fingerprint) {
  if (BuiltinFingerprint().starts_with(fingerprint)) return Load("builtin");
  const std::string wanted =
      (name.empty() ? "made with the model of" : "made with model " + name + ",") + std::string(" fingerprint ") +
      fingerprint + (fingerprint.size() < 32 ? ".." : "");
  if (choice_) {
    PITH_ASSIGN_OR_RETURN(Model * model, Open(*choice_));
    if (model->info().fingerprint.starts_with(fingerprint)) return model;
    return WrongModel(wanted + "; " + *choice_ + " is " + model->info().name + ", " +
                      model->info().fingerprint);
  }
  if (const std::optional<std::string> path = SearchFolders(name, fingerprint)) return Load(*path);
  const std::vector<std::string> folders = ModelFolders();
  std::string way_out = "give it with --model FILE";
  if (!folders.empty()) way_out += " or put it into " + folders.back();
  return NotFound(wanted + ", which is not here; " + way_out);
}

std::optional<std::string> ModelFinder::SearchFolders(const std::string& name,
                                                      const std::string& fingerprint) {
  for (const std::string& folder : ModelFolders()) {
    std::vector<std::string> paths;
    std::error_code error;
    fs::directory_iterator it(folder, error);
    for (; !error && it != fs::directory_iterator(); it.increment(error)) {
      std::string path = it->path().string();
      if (IsModelFile(path) && IsFile(path)) paths.push_back(std::move(path));
    }
    // The file of that name first: it is most likely the one, and reading the others may take long.
    const auto unlikely = [&](const std::string& path) {
      return path.substr(0, path.rfind('.')) != folder + "/" + name;
    };
    std::sort(paths.begin(), paths.end(), [&](const std::string& a, const std::string& b) {
      return std::pair(unlikely(a), std::string_view(a)) < std::pair(unlikely(b), std::string_view(b));
    });
    for (const std::string& path : paths) {
      const Result<std::string> found = ReadModelFingerprint(path);
      if (!found.ok()) {
        console_.Detail(found.status().message());
      } else if (found->starts_with(fingerprint)) {
        return path;
      }
    }
  }
  return std::nullopt;
}

}  // namespace pith::cli
