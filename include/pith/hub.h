// Models on this machine and on the Hugging Face hub: find, list, pull, convert once, remove.
//
// A name is "ORG/NAME" as on the hub, perhaps with "@REVISION", or NAME alone where that is clear. Like all of the
// library, nothing here prints or throws; the environment is read at each call (docs/hub.md lists the variables).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "pith/pith.h"
#include "pith/status.h"

namespace pith {

// ---- Finding ------------------------------------------------------------------------------------------------------

// Model files end in one of them; the first goes first.
inline constexpr std::string_view kModelSuffixes[] = {".pmodel", ".litertlm", ".gguf"};

// Folders of model files, first wins: $PITH_MODELS (several, with ':'), then $XDG_DATA_HOME/pith/models
// (~/.local/share/pith/models), then pith/models in each of $XDG_DATA_DIRS (/usr/local/share, /usr/share). Files lie in them
// or in a folder ORG in them.
std::vector<std::string> ModelFolders();
// Those of them that are the user's own: of the first two.
std::vector<std::string> UserModelFolders();

struct ModelFile {
  std::string name;  // "Qwen/Qwen3-0.6B": below the model folder, without ending
  std::string path;
  uint64_t bytes = 0;
};
// All files in the model folders, folder by folder, sorted by path.
std::vector<ModelFile> ModelFiles();

enum class ModelKind : uint8_t {
  kBuiltin,
  kFile,        // Model::Open takes its path
  kCheckpoint,  // a folder: ConvertModel and ImportModel take it
};

struct FoundModel {
  ModelKind kind = ModelKind::kBuiltin;
  std::string path;  // "builtin" for that
  std::string name;  // for people: "Qwen3-0.6B"
};

// What a user means by `what`, the first of: "builtin"; a file or checkpoint folder of that path; that path with an
// ending of kModelSuffixes; a file in the model folders; the Hugging Face cache. kNotFound, or kInvalidArgument where a
// name means several.
Result<FoundModel> FindModel(const std::string& what);

// A checkpoint only: a folder, a .safetensors file in it, or a name in the Hugging Face cache. kNotFound,
// kInvalidArgument.
Result<FoundModel> FindCheckpoint(const std::string& what);

// Two lines to show below the error that FindModel gave: how to get a model. None where `what` can only be a path.
std::vector<std::string> HowToGetModel(const std::string& what);

// ---- Listing and removing -----------------------------------------------------------------------------------------

struct ListedModel {
  std::string name;  // as FindModel takes it
  ModelKind kind = ModelKind::kBuiltin;
  std::string format;  // "pmodel", "litertlm", "gguf", "safetensors"
  std::string path;
  uint64_t bytes = 0;
  bool cached = false;     // lies in the Hugging Face cache
  bool converted = false;  // a checkpoint of which there is a file in the model folders
};
// The built-in model, those in the model folders, those in the Hugging Face cache.
Result<std::vector<ListedModel>> ListModels();

struct RemovedModel {
  std::vector<std::string> paths;
  uint64_t bytes = 0;
};
// Removes the file of that name from the model folders and, with `cache`, all of the model from the Hugging Face cache,
// every revision. kInvalidArgument lists what a name could mean where that is more than one; nothing is removed then.
Result<RemovedModel> RemoveModel(const std::string& name, bool cache);

// ---- Pulling ------------------------------------------------------------------------------------------------------

struct PullOptions {
  std::string revision = {};  // branch, tag or commit; empty: that of the name, else main
  std::string file = {};      // of a repository with several .litertlm or .gguf files
  bool offline = false;       // only what is in the Hugging Face cache
};

struct PullProgress {
  enum class Stage : uint8_t { kWaiting, kAsking, kFetching, kChecking };  // waiting: for another process
  Stage stage = Stage::kAsking;
  std::string file;    // may be empty
  uint64_t done = 0;   // bytes of all files; of one file while it is checked
  uint64_t total = 0;  // 0: not known yet
  std::string note;    // why it stands still: "Connection reset; again in 2.0 s"; empty where it does not
};
// Called ten times a second, from the calling thread. Returning false cancels: kCancelled.
using PullProgressCallback = std::function<bool(const PullProgress&)>;

struct PulledModel {
  std::string name;        // "Qwen/Qwen3-0.6B"
  std::string revision;    // empty: main
  std::string commit;      // that it was
  std::string folder;      // in the Hugging Face cache, as transformers takes it
  std::string model_file;  // where the repository holds a .litertlm or .gguf file: its path; empty: a checkpoint
  uint64_t total_bytes = 0;
  uint64_t fetched_bytes = 0;  // this time
  // Keeps other processes from pulling this model as long as it lives: until it is converted, too.
  std::shared_ptr<void> lock;
};

// Fetches what pith needs of a model into the Hugging Face cache, where transformers and huggingface-cli find it. Goes
// on where an earlier pull was interrupted, fetches nothing twice, checks SHA-256 and git's SHA-1. kNotFound, kCorrupt,
// kIo.
Result<PulledModel> PullModel(const std::string& name, const PullOptions& options,
                              const PullProgressCallback& progress);

struct ConvertedModel {
  std::string path;
  bool is_new = false;        // else it was there from an earlier time
  ConvertModelResult result;  // if it is new
};

// Makes a .litertlm file of a pulled checkpoint in the first model folder: ORG/NAME.litertlm, with @REVISION before the
// ending where one was asked for. Once for a commit, unless options.replace. options.activations may be empty: "auto",
// or "precise" for a model that cannot be measured. kAlreadyExists where a file is there that PullModel has not to do
// with.
Result<ConvertedModel> ConvertPulledModel(const PulledModel& pulled, ConvertModelOptions options,
                                          const ConvertModelProgressCallback& progress);

}  // namespace pith
