// FetchModel: the files of a model, from the hub into the Hugging Face cache.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "hub/hub_cache.h"
#include "hub/hub_names.h"
#include "hub/hub_settings.h"
#include "pith/status.h"

namespace pith::hub {

inline constexpr size_t kMaxInfoBytes = 32u << 20;  // JSON that describes a repository
inline constexpr size_t kMaxRepositoryFiles = 100'000;
inline constexpr size_t kMaxShards = 10'000;
inline constexpr uint64_t kMaxFileBytes = uint64_t{1} << 42;  // 4 TiB

// What of a repository is needed, by the names of its files.
struct FileChoice {
  std::vector<std::string> files;
  std::string index;       // model.safetensors.index.json, whose shards are needed, too; empty: none
  std::string model_file;  // a .litertlm or .gguf file that is all there is to fetch; empty: a checkpoint
};

// `file`: the one that the user names; empty: a checkpoint if there is one, else the only .litertlm file, else the only
// .gguf file. kInvalidArgument lists what there is to choose from, kNotFound says that there is nothing of use.
Result<FileChoice> ChooseFiles(const std::vector<std::string>& repository, const std::string& file,
                               const std::string& what);

// The shards that the text of a model.safetensors.index.json names, sorted; all are in `repository`. kCorrupt.
Result<std::vector<std::string>> ShardsOf(ByteSpan index, const std::vector<std::string>& repository,
                                          const std::string& what);

struct FetchOptions {
  std::string file;      // see ChooseFiles
  bool offline = false;  // ask nobody: what the cache has, or kNotFound
  size_t connections = 4;
  uint64_t part_bytes = uint64_t{64} << 20;
};

struct FetchProgress {
  enum class Stage { kWaiting, kAsking, kFetching, kChecking };  // waiting: for another process
  Stage stage = Stage::kAsking;
  std::string file;
  uint64_t done = 0;   // bytes of all files that are there; while checking, those checked of this one
  uint64_t total = 0;  // 0: not known yet
  std::string note;    // why it stands still; empty where it does not
};
// False ends it with kCancelled.
using FetchCallback = std::function<bool(const FetchProgress&)>;

struct FetchedModel {
  std::string commit;
  std::string folder;      // the snapshot
  std::string model_file;  // path of the .litertlm or .gguf file; empty: the folder is a checkpoint
  std::vector<std::string> files;
  uint64_t total_bytes = 0;
  uint64_t fetched_bytes = 0;  // this time
  FileLock lock;               // keeps others from fetching this model
};

// Files that are there already are not fetched again, interrupted ones go on. Nothing has its final name before it is
// complete and its checksum is right, and the revision names a snapshot only when all of it is there.
Result<FetchedModel> FetchModel(const ModelName& name, const HubSettings& settings, const FetchOptions& options,
                                const FetchCallback& progress);

}  // namespace pith::hub
