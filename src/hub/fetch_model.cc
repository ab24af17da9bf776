#include "hub/fetch_model.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <memory>
#include <optional>
#include <set>
#include <system_error>
#include <utility>

#include "base/file.h"
#include "formats/json.h"
#include "hub/digest.h"
#include "hub/download.h"
#include "hub/http.h"
#include "hub/partial_file.h"

namespace pith::hub {
namespace {

namespace fs = std::filesystem;

constexpr size_t kShownNames = 8;  // in a message
constexpr std::string_view kIndexName = "model.safetensors.index.json";
constexpr std::string_view kWeightsName = "model.safetensors";
constexpr std::string_view kSideFiles[] = {"config.json", "generation_config.json", "tokenizer.json",
                                           "tokenizer_config.json", "chat_template.jinja"};
constexpr std::string_view kOldTokenizer[] = {"vocab.json", "merges.txt"};  // where there is no tokenizer.json

std::string Listed(const std::vector<std::string>& names) {
  std::string text;
  for (size_t i = 0; i < std::min(names.size(), kShownNames); ++i) text += (i == 0 ? "" : ", ") + Quoted(names[i]);
  return names.size() > kShownNames ? text + " and " + std::to_string(names.size() - kShownNames) + " more" : text;
}

std::vector<std::string> EndingIn(const std::vector<std::string>& names, std::string_view suffix) {
  std::vector<std::string> out;
  std::copy_if(names.begin(), names.end(), std::back_inserter(out),
               [&](const auto& name) { return name.ends_with(suffix); });
  return out;
}

bool Contains(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// An etag without quotes and the mark of weak ones, as huggingface_hub names blobs.
std::string NormalEtag(std::string etag) {
  if (etag.starts_with("W/")) etag.erase(0, 2);
  if (etag.size() >= 2 && etag.front() == '"' && etag.back() == '"') etag = etag.substr(1, etag.size() - 2);
  return etag;
}

// What is known of a file before it is fetched.
struct FileInfo {
  std::string file;  // in the repository
  std::string etag;
  RemoteFile remote;
};

class Fetcher {
 public:
  Fetcher(const ModelName& name, const HubSettings& settings, const FetchOptions& options,
          const FetchCallback& progress)
      : model_(name.full),
        revision_(name.revision.empty() ? "main" : name.revision),
        what_(name.full + (name.revision.empty() ? "" : "@" + name.revision)),
        settings_(settings),
        options_(options),
        progress_(progress),
        cache_(settings.cache),
        http_({.endpoint = settings.endpoint, .token = settings.token, .stall_seconds = settings.stall_seconds}),
        connection_(http_, &stop_) {}

  Result<FetchedModel> Run() {
    if (settings_.cache.empty()) {
      return InvalidArgument("no folder for the Hugging Face cache: HF_HUB_CACHE, HF_HOME and HOME are not set");
    }
    if (!options_.file.empty()) PITH_RETURN_IF_ERROR(CheckFileName(options_.file, what_));
    const bool offline = options_.offline || settings_.offline;
    if (offline && cache_.Snapshot(model_, revision_).empty()) {
      return NotFound(what_ + ": is not in the Hugging Face cache (" + cache_.root() +
                      "), and nothing is fetched offline: --offline or HF_HUB_OFFLINE says so");
    }
    Result<FileLock> lock = FileLock::Acquire(cache_.LockFolder(model_) + "/pith.lock", [&] {
      return Report({.stage = FetchProgress::Stage::kWaiting, .note = "another pith is pulling it"});
    });
    if (lock.ok()) {
      result_.lock = *std::move(lock);
    } else if (!offline || lock.status().code() == StatusCode::kCancelled) {
      return lock.status();  // offline, a cache that can only be read is good enough
    }
    PITH_RETURN_IF_ERROR(offline ? FindInCache() : Fetch());
    result_.folder = cache_.SnapshotPath(model_, result_.commit);
    if (!choice_.model_file.empty()) result_.model_file = result_.folder + "/" + choice_.model_file;
    result_.files = choice_.files;
    return std::move(result_);
  }

 private:
  bool Report(const FetchProgress& progress) {
    if (progress_ && !progress_(progress)) stop_.Stop();
    return !stop_.stopped();
  }

  // ---- Without asking anybody

  Status FindInCache() {
    const std::string folder = cache_.Snapshot(model_, revision_);
    result_.commit = fs::path(folder).filename().string();
    std::vector<std::string> names;
    std::error_code error;
    fs::recursive_directory_iterator it(folder, error);
    for (; !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
      if (IsFile(it->path().string())) names.push_back(it->path().lexically_relative(folder).generic_string());
    }
    std::sort(names.begin(), names.end());
    PITH_ASSIGN_OR_RETURN(choice_, ChooseFiles(names, options_.file, what_ + " in the cache"));
    if (!choice_.index.empty()) PITH_RETURN_IF_ERROR(AddShards(folder, names));
    for (const std::string& file : choice_.files) result_.total_bytes += FileBytes(folder + "/" + file);
    return OkStatus();
  }

  Status AddShards(const std::string& folder, const std::vector<std::string>& repository) {
    PITH_ASSIGN_OR_RETURN(const std::unique_ptr<MappedFile> index, MappedFile::Open(folder + "/" + choice_.index));
    PITH_ASSIGN_OR_RETURN(const std::vector<std::string> shards,
                          ShardsOf(index->bytes(), repository, what_ + ": " + choice_.index));
    choice_.files.insert(choice_.files.end(), shards.begin(), shards.end());
    return OkStatus();
  }

  // ---- From the hub

  Status Fetch() {
    PITH_ASSIGN_OR_RETURN(const std::vector<std::string> repository, AskForFiles());
    PITH_ASSIGN_OR_RETURN(choice_, ChooseFiles(repository, options_.file, what_));
    std::vector<FileInfo> infos;
    if (!choice_.index.empty()) {  // it says what else there is
      PITH_ASSIGN_OR_RETURN(const FileInfo index, Describe(choice_.index));
      PITH_RETURN_IF_ERROR(FetchFile(index));
      PITH_RETURN_IF_ERROR(AddShards(cache_.SnapshotPath(model_, result_.commit), repository));
    }
    uint64_t missing = 0;
    total_ = 0;
    finished_ = 0;
    for (const std::string& file : choice_.files) {
      PITH_ASSIGN_OR_RETURN(FileInfo info, Describe(file));
      total_ += info.remote.size;
      if (!IsThere(info)) missing += info.remote.size - PartialFile::DoneOf(PartialPath(info), info.remote.size);
      infos.push_back(std::move(info));
    }
    PITH_RETURN_IF_ERROR(CheckRoom(cache_.root(), missing, what_));
    for (const FileInfo& info : infos) {
      PITH_RETURN_IF_ERROR(FetchFile(info));
      finished_ += info.remote.size;
    }
    result_.total_bytes = total_;
    return cache_.WriteRef(model_, revision_, result_.commit);
  }

  // Repeats what fails for a while. `body` may be empty.
  Result<HttpReply> Ask(const HttpRequest& request, const std::function<void()>& begin, const Http::Body& body,
                        const std::string& what) {
    Backoff backoff(settings_.retry_seconds);
    while (true) {
      if (!Report({.stage = FetchProgress::Stage::kAsking, .file = what})) return Cancelled(what_ + ": cancelled");
      begin();
      HttpReply reply = connection_.Perform(request, body);
      if (reply.problem.empty() && !reply.transient()) return reply;
      const std::optional<double> wait = reply.transient() ? backoff.Next(reply) : std::nullopt;
      if (!wait) return ExplainReply(reply, what, http_);
      if (!Report({.stage = FetchProgress::Stage::kAsking,
                   .file = what,
                   .note = (reply.problem.empty() ? "answer " + std::to_string(reply.status) : reply.problem) +
                           "; trying again"})) {
        return Cancelled(what_ + ": cancelled");
      }
      (void)stop_.Sleep(*wait);
    }
  }

  // The commit of the revision, into result_, and the names of its files.
  Result<std::vector<std::string>> AskForFiles() {
    const std::string url = settings_.endpoint + "/api/models/" + model_ + "/revision/" + UrlEncoded(revision_, false);
    std::string text;
    bool too_long = false;
    const auto begin = [&] { text.clear(); };
    const auto body = [&](const HttpReply&, ByteSpan data) {
      too_long = text.size() + data.size() > kMaxInfoBytes;
      if (!too_long) text += AsText(data);
      return !too_long;
    };
    Result<HttpReply> reply = Ask({.url = url}, begin, body, what_);
    if (too_long)
      return Unsupported(what_ + ": the hub's description is longer than " + std::to_string(kMaxInfoBytes) + " bytes");
    if (!reply.ok()) return reply.status();
    if (!reply->good()) return ExplainReply(*reply, what_, http_);
    const std::string where = what_ + ": the hub's description";
    JsonLimits limits;
    limits.unique_keys = false;
    PITH_ASSIGN_OR_RETURN(const Json json, Json::Parse(AsBytes(text), where, limits));
    const Json* const commit = json.Find("sha");
    if (commit == nullptr || commit->AsString() == nullptr || !IsCommit(*commit->AsString())) {
      return Corrupt(where + ": \"sha\" is no commit of 40 digits");
    }
    result_.commit = *commit->AsString();
    if (IsCommit(revision_) && result_.commit != revision_) {
      return Corrupt(where + ": is of commit " + result_.commit + ", expected " + revision_);
    }
    const Json* const siblings = json.Find("siblings");
    if (siblings == nullptr || siblings->kind() != Json::Kind::kArray) return Corrupt(where + ": no list \"siblings\"");
    if (siblings->items().size() > kMaxRepositoryFiles) {
      return Unsupported(where + ": more than " + std::to_string(kMaxRepositoryFiles) + " files");
    }
    std::vector<std::string> names;
    for (const Json& sibling : siblings->items()) {
      const Json* const file = sibling.Find("rfilename");
      // A name that could leave the folder is no file that anybody needs.
      if (file != nullptr && file->AsString() != nullptr && CheckFileName(*file->AsString(), where).ok()) {
        names.push_back(*file->AsString());
      }
    }
    return names;
  }

  Result<FileInfo> Describe(const std::string& file) {
    FileInfo info{.file = file, .etag = {}, .remote = {}};
    info.remote.name = model_ + ": " + file;
    info.remote.url = settings_.endpoint + "/" + model_ + "/resolve/" + result_.commit + "/" + UrlEncoded(file, true);
    // Large files lie on another server; what the hub itself says of them comes first. Where it says nothing, the
    // other's word counts.
    for (const bool stop_at_description : {true, false}) {
      PITH_ASSIGN_OR_RETURN(const HttpReply reply,
                            Ask(
                                {.url = info.remote.url, .head = true, .stop_at_description = stop_at_description},
                                [] {}, {}, info.remote.name));
      if (reply.status >= 400) return ExplainReply(reply, info.remote.name, http_);
      const std::string commit = reply.Header("x-repo-commit");
      if (IsCommit(commit) && commit != result_.commit) {
        return Corrupt(info.remote.name + ": is of commit " + commit + ", expected " + result_.commit);
      }
      std::string size = reply.Header("x-linked-size");
      if (size.empty() && reply.good()) size = reply.Header("content-length");
      const std::string linked = reply.Header("x-linked-etag");
      info.etag = NormalEtag(linked.empty() ? reply.Header("etag") : linked);
      if (size.empty() || info.etag.empty()) continue;
      const auto [end, error] = std::from_chars(size.data(), size.data() + size.size(), info.remote.size);
      if (error != std::errc() || end != size.data() + size.size() || info.remote.size > kMaxFileBytes) {
        return Corrupt(info.remote.name + ": size " + Quoted(size) + " of the file, expected at most " +
                       std::to_string(kMaxFileBytes));
      }
      if (!IsFileEtag(info.etag))
        return Corrupt(info.remote.name + ": etag " + Quoted(info.etag) + " cannot name a file");
      return info;
    }
    return Corrupt(info.remote.name + ": the server gives neither size nor etag");
  }

  std::string PartialPath(const FileInfo& info) const {
    return cache_.BlobPath(model_, info.etag) + ".pith-incomplete";
  }
  std::string LinkPath(const FileInfo& info) const {
    return cache_.SnapshotPath(model_, result_.commit) + "/" + info.file;
  }

  // The blob, or, where there are no links, the file itself in the snapshot.
  bool IsThere(const FileInfo& info) const {
    const std::string blob = cache_.BlobPath(model_, info.etag);
    if (IsFile(blob)) return FileBytes(blob) == info.remote.size;
    std::error_code error;
    const std::string path = LinkPath(info);
    return fs::symlink_status(path, error).type() == fs::file_type::regular && FileBytes(path) == info.remote.size;
  }

  Status FetchFile(const FileInfo& info) {
    const std::string blob = cache_.BlobPath(model_, info.etag);
    PITH_RETURN_IF_ERROR(MakeFolders(fs::path(blob).parent_path().string()));
    if (!IsThere(info)) {
      // The lock that huggingface_hub takes for this blob.
      PITH_ASSIGN_OR_RETURN(
          const FileLock lock, FileLock::Acquire(cache_.LockFolder(model_) + "/" + info.etag + ".lock", [&] {
            return Report(
                {.stage = FetchProgress::Stage::kWaiting, .file = info.file, .note = "another program is fetching it"});
          }));
      if (!IsThere(info)) PITH_RETURN_IF_ERROR(FetchBlob(info, blob));
    }
    if (!IsFile(blob)) return OkStatus();  // a plain file in its place
    std::error_code error;
    if (fs::equivalent(LinkPath(info), blob, error) && !settings_.plain_files) return OkStatus();
    return cache_.Link(model_, result_.commit, info.file, info.etag, settings_.plain_files);
  }

  Status FetchBlob(const FileInfo& info, const std::string& blob) {
    const std::string partial = PartialPath(info);
    // What huggingface_hub has begun is a beginning for us, too.
    if (const std::string begun = blob + ".incomplete"; IsFile(begun) && !IsFile(partial)) {
      (void)std::rename(begun.c_str(), partial.c_str());
    }
    const DownloadOptions options{.http = http_,
                                  .retry_seconds = settings_.retry_seconds,
                                  .connections = options_.connections,
                                  .part_bytes = options_.part_bytes};
    for (int attempt = 0;; ++attempt) {
      const bool begun = FileBytes(partial) > 0;
      PITH_ASSIGN_OR_RETURN(const uint64_t fetched,
                            Download(info.remote, partial, options, [&](const DownloadProgress& p) {
                              return Report({.stage = FetchProgress::Stage::kFetching,
                                             .file = info.file,
                                             .done = finished_ + p.done,
                                             .total = total_,
                                             .note = p.note});
                            }));
      result_.fetched_bytes += fetched;
      const Status status = CheckContent(partial, info.etag, [&](uint64_t done) {
        return Report(
            {.stage = FetchProgress::Stage::kChecking, .file = info.file, .done = done, .total = info.remote.size});
      });
      if (status.ok()) break;
      if (status.code() != StatusCode::kCorrupt) return status;
      (void)unlink(partial.c_str());
      // What was there before may have been wrong, or a connection; a second time it is the server.
      if (attempt > 0 || !begun) return Corrupt(info.remote.name + ": what came has " + AfterPath(status, partial));
    }
    if (std::rename(partial.c_str(), blob.c_str()) != 0) {
      return IoError(blob + ": cannot rename from " + partial + ": " + std::strerror(errno));
    }
    return OkStatus();
  }

  static std::string AfterPath(const Status& status, const std::string& path) {
    return status.message().starts_with(path + ": ") ? status.message().substr(path.size() + 2) : status.message();
  }

  const std::string model_;
  const std::string revision_;
  const std::string what_;  // as the user wrote it
  const HubSettings& settings_;
  const FetchOptions& options_;
  const FetchCallback& progress_;
  HubCache cache_;
  HttpOptions http_;
  StopFlag stop_;
  Http connection_;
  FileChoice choice_;
  uint64_t total_ = 0;
  uint64_t finished_ = 0;
  FetchedModel result_;
};

}  // namespace

Result<FileChoice> ChooseFiles(const std::vector<std::string>& repository, const std::string& file,
                               const std::string& what) {
  FileChoice choice;
  if (!file.empty()) {
    if (!Contains(repository, file)) {
      return NotFound(what + ": has no file " + Quoted(file) + ", but " + Listed(repository));
    }
    choice.files = {file};
    choice.model_file = file;
    return choice;
  }
  const bool one_file = Contains(repository, kWeightsName);
  if (Contains(repository, "config.json") && (one_file || Contains(repository, kIndexName))) {
    for (const std::string_view name : kSideFiles) {
      if (Contains(repository, name)) choice.files.emplace_back(name);
    }
    for (const std::string_view name : kOldTokenizer) {
      if (!Contains(repository, "tokenizer.json") && Contains(repository, name)) choice.files.emplace_back(name);
    }
    if (!one_file) choice.index = kIndexName;
    choice.files.emplace_back(one_file ? kWeightsName : kIndexName);
    return choice;
  }
  for (const std::string_view suffix : {".litertlm", ".gguf"}) {
    const std::vector<std::string> found = EndingIn(repository, suffix);
    if (found.size() > 1) {
      return InvalidArgument(what + ": has " + std::to_string(found.size()) + " " + std::string(suffix) +
                             " files; choose one with --file: " + Listed(found));
    }
    if (found.size() == 1) {
      choice.files = found;
      choice.model_file = found[0];
      return choice;
    }
  }
  return NotFound(what + ": holds no model in safetensors, .litertlm or .gguf" +
                  (repository.empty() ? "" : ", but " + Listed(repository)));
}

Result<std::vector<std::string>> ShardsOf(ByteSpan index, const std::vector<std::string>& repository,
                                          const std::string& what) {
  PITH_ASSIGN_OR_RETURN(const Json json, Json::Parse(index, what));
  const Json* const map = json.Find("weight_map");
  if (map == nullptr || map->kind() != Json::Kind::kObject || map->members().empty()) {
    return Corrupt(what + ": no object \"weight_map\"");
  }
  std::set<std::string> shards;
  for (const JsonMember& member : map->members()) {
    const std::string* const name = member.value.AsString();
    if (name == nullptr) return Corrupt(what + ": " + Quoted(member.key) + ": expected the name of a file");
    if (!CheckFileName(*name, what).ok()) {
      return Corrupt(what + ": " + Quoted(member.key) + ": " + Quoted(*name) +
                     " is no name of a file inside a repository");
    }
    shards.insert(*name);
  }
  if (shards.size() > kMaxShards)
    return Unsupported(what + ": more than " + std::to_string(kMaxShards) + " files of weights");
  const std::set<std::string> there(repository.begin(), repository.end());
  for (const std::string& shard : shards) {
    if (there.count(shard) == 0) return Corrupt(what + ": names " + Quoted(shard) + ", which is not there");
  }
  return std::vector<std::string>(shards.begin(), shards.end());
}

Result<FetchedModel> FetchModel(const ModelName& name, const HubSettings& settings, const FetchOptions& options,
                                const FetchCallback& progress) {
  return Fetcher(name, settings, options, progress).Run();
}

}  // namespace pith::hub
