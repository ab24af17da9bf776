#include "bench/corpora.h"

#include <stdio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <sstream>
#include <system_error>
#include <utility>

#include "base/file.h"
#include "bench/unpack.h"
#include "formats/json.h"
#include "hub/digest.h"
#include "hub/download.h"
#include "hub/hub_cache.h"
#include "hub/hub_settings.h"
#include "hub/partial_file.h"

namespace pith::bench {
namespace {

namespace fs = std::filesystem;
using Stage = CorpusProgress::Stage;

constexpr const char* kSumsName = "SHA256SUMS";
constexpr uint64_t kMaxSumsBytes = 64 << 10;
constexpr size_t kConnections = 2;  // servers of universities and of one person: no more than a browser would open

std::string Variable(const char* name) {
  const char* const value = std::getenv(name);
  return value != nullptr ? value : "";
}

bool IsAddress(const std::string& text) { return text.starts_with("http://") || text.starts_with("https://"); }

class Fetcher {
 public:
  Fetcher(const CorpusInfo& info, const CorpusSettings& settings, const CorpusCallback& progress)
      : info_(info),
        settings_(settings),
        progress_(progress),
        folder_(settings.cache + "/" + info.name),
        archive_name_(fs::path(info.url).filename().string()) {}

  Result<Corpus> Run() {
    // Without the lock first: a cache that can only be read is good enough.
    Status there = CheckFolder(folder_);
    bool was_fetched = false;
    if (!there.ok()) {
      if (there.code() == StatusCode::kCancelled) return there;
      PITH_ASSIGN_OR_RETURN(const hub::FileLock lock,
                            hub::FileLock::Acquire(settings_.cache + "/.locks/" + info_.name + ".lock", [&] {
                              return Report({.stage = Stage::kWaiting, .note = "another pith is fetching it"});
                            }));
      there = CheckFolder(folder_);  // somebody else may have fetched it meanwhile
      if (there.code() == StatusCode::kCancelled) return there;
      if (!there.ok()) {
        PITH_RETURN_IF_ERROR(Fetch(there));
        was_fetched = true;
      }
    }
    Corpus corpus{
        .name = info_.name, .folder = folder_, .files = {}, .bytes = info_.bytes(), .was_fetched = was_fetched};
    for (const CorpusFile& file : info_.files) corpus.files.push_back(folder_ + "/" + file.name);
    return corpus;
  }

 private:
  bool Report(const CorpusProgress& progress) const { return !progress_ || progress_(progress); }

  // kNotFound where there is no such folder, kCorrupt where its content is not the corpus.
  Status CheckFolder(const std::string& folder) const {
    if (!hub::IsFolder(folder)) return NotFound(folder + ": not there");
    const std::map<std::string, std::string> sums = ReadSums(folder);
    uint64_t before = 0;
    for (const CorpusFile& file : info_.files) {
      const std::string path = folder + "/" + file.name;
      if (!hub::IsFile(path)) return Corrupt(path + ": not there");
      if (hub::FileBytes(path) != file.bytes) return WrongSize(path, hub::FileBytes(path), file.bytes);
      std::string sum = file.sha256;
      if (const auto noted = sums.find(file.name); sum.empty() && noted != sums.end()) sum = noted->second;
      if (hub::KindOfEtag(sum) != hub::EtagKind::kSha256) return Corrupt(path + ": no SHA-256 is noted for it");
      PITH_RETURN_IF_ERROR(hub::CheckContent(path, sum, [&](uint64_t done) {
        return Report({.stage = Stage::kChecking, .file = file.name, .done = before + done, .total = info_.bytes()});
      }));
      before += file.bytes;
    }
    return OkStatus();
  }

  static Status WrongSize(const std::string& what, uint64_t found, uint64_t expected) {
    return Corrupt(what + ": " + std::to_string(found) + " bytes, expected " + std::to_string(expected));
  }

  // Sums by name, as sha256sum writes them. Lines that are none are passed over: a file without sum is an error later.
  static std::map<std::string, std::string> ReadSums(const std::string& folder) {
    std::map<std::string, std::string> sums;
    const std::string path = folder + "/" + kSumsName;
    if (hub::FileBytes(path) > kMaxSumsBytes) return sums;
    const Result<std::unique_ptr<MappedFile>> file = MappedFile::Open(path);
    if (!file.ok()) return sums;
    std::istringstream lines{std::string(AsText((*file)->bytes()))};
    for (std::string line; std::getline(lines, line);) {
      if (line.size() > 66 && line.compare(64, 2, "  ") == 0) sums[line.substr(66)] = line.substr(0, 64);
    }
    return sums;
  }

  // `why`: what is wrong with what is in the cache.
  Status Fetch(const Status& why) {
    const bool damaged = why.code() == StatusCode::kCorrupt;
    const std::string mirrored = MirrorFile();
    if (settings_.offline && mirrored.empty()) {
      return damaged ? why.WithContext(std::string(info_.name) + ": offline, and the cache is damaged")
                     : NotFound(std::string(info_.name) + ": offline, and " + settings_.cache + " does not have it");
    }
    PITH_RETURN_IF_ERROR(hub::MakeFolders(settings_.cache));
    const std::string partial = settings_.cache + "/.downloads/" + archive_name_;
    const uint64_t to_fetch =
        mirrored.empty() ? info_.archive_bytes - hub::PartialFile::DoneOf(partial, info_.archive_bytes) : 0;
    PITH_RETURN_IF_ERROR(hub::CheckRoom(settings_.cache, to_fetch + info_.bytes(), info_.name));
    if (!mirrored.empty()) {
      PITH_RETURN_IF_ERROR(CheckArchive(mirrored));
      return Unpack(mirrored);
    }
    PITH_RETURN_IF_ERROR(hub::MakeFolders(fs::path(partial).parent_path().string()));
    PITH_RETURN_IF_ERROR(DownloadArchive(partial));
    PITH_RETURN_IF_ERROR(Unpack(partial));
    (void)unlink(partial.c_str());
    return OkStatus();
  }

  // The archive in a mirror folder; empty where there is none.
  std::string MirrorFile() const {
    if (settings_.mirror.empty() || IsAddress(settings_.mirror)) return "";
    const std::string path = settings_.mirror + "/" + archive_name_;
    return hub::IsFile(path) ? path : "";
  }

  Status CheckArchive(const std::string& path) const {
    if (hub::FileBytes(path) != info_.archive_bytes) {
      return WrongSize(path, hub::FileBytes(path), info_.archive_bytes);
    }
    return hub::CheckContent(path, info_.archive_sha256, [&](uint64_t done) {
      return Report({.stage = Stage::kChecking, .file = archive_name_, .done = done, .total = info_.archive_bytes});
    });
  }

  Status DownloadArchive(const std::string& partial) const {
    std::string before;  // what the mirror said
    if (!settings_.mirror.empty()) {
      if (IsAddress(settings_.mirror)) {
        const Status status = DownloadFrom(settings_.mirror + "/" + archive_name_, partial);
        // A mirror that has other bytes under this name is a mistake to know of, one that lacks it or is away is none.
        if (status.ok() || (status.code() != StatusCode::kNotFound && status.code() != StatusCode::kIo)) return status;
        before = "; before that, from PITH_CORPUS_MIRROR: " + status.message();
      } else {
        before = "; PITH_CORPUS_MIRROR, " + settings_.mirror + ", has no such file";
      }
    }
    const Status status = DownloadFrom(info_.url, partial);
    if (status.ok() || status.code() == StatusCode::kCancelled) return status;
    return {status.code(), status.message() + before};
  }

  Status DownloadFrom(const std::string& url, const std::string& partial) const {
    const hub::RemoteFile remote{
        .url = url, .name = std::string(info_.name) + ": " + archive_name_, .size = info_.archive_bytes};
    hub::DownloadOptions options{.http = {.endpoint = url, .token = "", .stall_seconds = settings_.stall_seconds},
                                 .explain = hub::ExplainPlainReply};
    options.retry_seconds = settings_.retry_seconds;
    options.connections = kConnections;
    for (int attempt = 0;; ++attempt) {
      const bool begun = hub::FileBytes(partial) > 0;
      const Result<uint64_t> fetched = hub::Download(remote, partial, options, [&](const hub::DownloadProgress& p) {
        return Report({.stage = Stage::kFetching,
                       .file = archive_name_,
                       .done = p.done,
                       .total = info_.archive_bytes,
                       .note = p.note});
      });
      if (!fetched.ok()) return fetched.status();
      const Status status = CheckArchive(partial);
      if (status.code() != StatusCode::kCorrupt) return status;
      (void)unlink(partial.c_str());
      // What was there before may have been wrong; a second time it is the server.
      if (attempt > 0 || !begun) {
        return Corrupt(remote.name + ": what came from " + hub::OriginOf(url) + AfterPath(status, partial));
      }
    }
  }

  static std::string AfterPath(const Status& status, const std::string& path) {
    const std::string& message = status.message();
    return message.starts_with(path + ": ") ? " has " + message.substr(path.size() + 2) : ": " + message;
  }

  // Into a folder of another name first: the corpus is there whole or not at all.
  Status Unpack(const std::string& archive) const {
    const std::string fresh = settings_.cache + "/." + info_.name + ".unpacking";
    PITH_RETURN_IF_ERROR(Remove(fresh));  // left by a process that died
    PITH_RETURN_IF_ERROR(hub::MakeFolders(fresh));
    const Status status = FillFolder(archive, fresh);
    if (!status.ok()) {
      (void)Remove(fresh);
      return status;
    }
    PITH_RETURN_IF_ERROR(Remove(folder_));
    if (rename(fresh.c_str(), folder_.c_str()) != 0) {
      return IoError(folder_ + ": cannot rename from " + fresh + ": " + std::strerror(errno));
    }
    return OkStatus();
  }

  Status FillFolder(const std::string& archive, const std::string& folder) const {
    std::vector<WantedFile> wanted;
    for (const CorpusFile& file : info_.files) wanted.push_back({file.name, file.bytes});
    // The archive is the pinned one, so this bound is one against mistakes in the table.
    const UnpackLimits limits{.max_bytes = 2 * info_.bytes() + (1 << 20)};
    PITH_RETURN_IF_ERROR(UnpackFiles(archive, wanted, folder, limits, [&](uint64_t done) {
      return Report({.stage = Stage::kUnpacking, .file = archive_name_, .done = done, .total = info_.bytes()});
    }));
    std::string sums;
    for (const CorpusFile& file : info_.files) {
      const std::string path = folder + "/" + file.name;
      PITH_ASSIGN_OR_RETURN(const std::unique_ptr<MappedFile> content, MappedFile::Open(path));
      PITH_ASSIGN_OR_RETURN(const std::string sum, hub::EtagOf(hub::EtagKind::kSha256, content->bytes()));
      if (*file.sha256 != '\0' && sum != file.sha256) {
        return Corrupt(archive + ": " + file.name + " has SHA-256 " + sum + ", expected " + file.sha256);
      }
      sums += sum + "  " + file.name + "\n";
    }
    PITH_ASSIGN_OR_RETURN(const std::unique_ptr<AtomicFile> out, AtomicFile::Create(folder + "/" + kSumsName, false));
    PITH_RETURN_IF_ERROR(out->Write(AsBytes(sums)));
    return out->Commit();
  }

  static Status Remove(const std::string& folder) {
    std::error_code error;
    fs::remove_all(folder, error);
    return error ? IoError(folder + ": cannot remove: " + error.message()) : OkStatus();
  }

  const CorpusInfo& info_;
  const CorpusSettings& settings_;
  const CorpusCallback& progress_;
  const std::string folder_;
  const std::string archive_name_;
};

}  // namespace

Result<CorpusSettings> CorpusSettingsFromEnvironment() {
  PITH_ASSIGN_OR_RETURN(const hub::HubSettings hub, hub::SettingsFromEnvironment());
  CorpusSettings settings{.cache = Variable("PITH_CORPORA"),
                          .mirror = Variable("PITH_CORPUS_MIRROR"),
                          .offline = hub.offline,
                          .stall_seconds = hub.stall_seconds,
                          .retry_seconds = hub.retry_seconds};
  if (settings.cache.empty()) {
    if (const std::string cache = Variable("XDG_CACHE_HOME"); !cache.empty()) {
      settings.cache = cache + "/pith/corpora";
    } else if (const std::string home = Variable("HOME"); !home.empty()) {
      settings.cache = home + "/.cache/pith/corpora";
    } else {
      return NotFound("no folder for corpora: set PITH_CORPORA, or HOME");
    }
  }
  while (settings.mirror.size() > 1 && settings.mirror.ends_with('/')) settings.mirror.pop_back();
  if (!settings.mirror.empty() && !IsAddress(settings.mirror) && !hub::IsFolder(settings.mirror)) {
    return InvalidArgument("PITH_CORPUS_MIRROR: " + Quoted(settings.mirror) +
                           ", expected a folder, or a URL that begins with http:// or https://");
  }
  return settings;
}

Result<Corpus> FetchCorpus(std::string_view name, const CorpusSettings& settings, const CorpusCallback& progress) {
  std::string names;
  for (const CorpusInfo& info : Corpora()) {
    if (name == info.name) return FetchCorpus(info, settings, progress);
    names += (names.empty() ? "" : ", ") + std::string(info.name);
  }
  return InvalidArgument("no corpus is called " + Quoted(name) + "; there are " + names);
}

Result<Corpus> FetchCorpus(const CorpusInfo& corpus, const CorpusSettings& settings, const CorpusCallback& progress) {
  if (settings.cache.empty()) return InvalidArgument(std::string(corpus.name) + ": no folder to keep it in");
  return Fetcher(corpus, settings, progress).Run();
}

}  // namespace pith::bench
