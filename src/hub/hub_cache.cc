#include "hub/hub_cache.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <system_error>
#include <thread>
#include <utility>

#include "base/file.h"
#include "hub/hub_names.h"

namespace pith::hub {
namespace {

namespace fs = std::filesystem;

constexpr auto kLockPoll = std::chrono::milliseconds(100);
constexpr std::string_view kModelPrefix = "models--";

std::string FlatName(std::string model) {
  if (const size_t slash = model.find('/'); slash != std::string::npos) model.replace(slash, 1, "--");
  return std::string(kModelPrefix) + model;
}

// "1.50 GB"
std::string Amount(uint64_t bytes) {
  char text[32];
  const auto value = static_cast<double>(bytes);
  if (value < 1e6) {
    std::snprintf(text, sizeof text, "%.1f KB", value / 1e3);
  } else if (value < 1e9) {
    std::snprintf(text, sizeof text, "%.1f MB", value / 1e6);
  } else {
    std::snprintf(text, sizeof text, "%.2f GB", value / 1e9);
  }
  return text;
}

}  // namespace

// ---- FileLock -----------------------------------------------------------------------------------------------------

FileLock::~FileLock() {
  if (fd_ >= 0) close(fd_);
}

FileLock::FileLock(FileLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

FileLock& FileLock::operator=(FileLock&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

Result<FileLock> FileLock::Acquire(const std::string& path, const std::function<bool()>& waiting) {
  while (true) {
    PITH_RETURN_IF_ERROR(MakeFolders(fs::path(path).parent_path().string()));
    const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0) return IoError(path + ": cannot open the lock: " + std::strerror(errno));
    FileLock lock(fd);
    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
      if (errno == EINTR) continue;
      // A network drive without locks: better none than no model; checksums find what two writers have done to a file.
      if (errno == ENOLCK || errno == EOPNOTSUPP || errno == ENOSYS) return lock;
      if (errno != EWOULDBLOCK) return IoError(path + ": cannot lock: " + std::strerror(errno));
      if (!waiting()) return Cancelled("cancelled while waiting for another process");
      std::this_thread::sleep_for(kLockPoll);
    }
    // Whoever held it may have removed the file: then the next one to come would lock another.
    struct stat locked{};
    struct stat named{};
    if (fstat(fd, &locked) == 0 && stat(path.c_str(), &named) == 0 && locked.st_ino == named.st_ino &&
        locked.st_dev == named.st_dev) {
      return lock;
    }
  }
}

// ---- HubCache -----------------------------------------------------------------------------------------------------

std::string HubCache::ModelFolder(const std::string& model) const { return root_ + "/" + FlatName(model); }
std::string HubCache::LockFolder(const std::string& model) const { return root_ + "/.locks/" + FlatName(model); }
std::string HubCache::BlobPath(const std::string& model, const std::string& etag) const {
  return ModelFolder(model) + "/blobs/" + etag;
}
std::string HubCache::SnapshotPath(const std::string& model, const std::string& commit) const {
  return ModelFolder(model) + "/snapshots/" + commit;
}

std::string HubCache::CommitOf(const std::string& model, const std::string& revision) const {
  if (IsCommit(revision)) return revision;
  std::ifstream ref(ModelFolder(model) + "/refs/" + (revision.empty() ? "main" : revision));
  std::string commit;
  std::getline(ref, commit);
  return IsCommit(commit) ? commit : "";
}

std::string HubCache::Snapshot(const std::string& model, const std::string& revision) const {
  if (root_.empty()) return "";
  const std::string commit = CommitOf(model, revision);
  if (commit.empty()) return "";
  std::string folder = SnapshotPath(model, commit);
  return IsFolder(folder) ? folder : "";
}

std::vector<std::string> HubCache::Models() const {
  std::vector<std::string> models;
  std::error_code error;
  fs::directory_iterator it(root_, error);
  for (; !error && it != fs::directory_iterator(); it.increment(error)) {
    std::string name = it->path().filename().string();
    if (!name.starts_with(kModelPrefix) || !IsFolder(it->path().string())) continue;
    name.erase(0, kModelPrefix.size());
    if (const size_t dashes = name.find("--"); dashes != std::string::npos) name.replace(dashes, 2, "/");
    if (ParseModelName(name).ok()) models.push_back(std::move(name));
  }
  std::sort(models.begin(), models.end());
  return models;
}

Status HubCache::Link(const std::string& model, const std::string& commit, const std::string& file,
                      const std::string& etag, bool plain) const {
  const std::string path = SnapshotPath(model, commit) + "/" + file;
  PITH_RETURN_IF_ERROR(MakeFolders(fs::path(path).parent_path().string()));
  std::string target = "../../blobs/" + etag;
  for (const char c : file) {
    if (c == '/') target.insert(0, "../");
  }
  // Under another name first: where the name is taken, it changes its meaning at once and is never missing.
  const std::string temporary = path + ".tmp-" + std::to_string(getpid());
  (void)unlink(temporary.c_str());  // left by a dead process of the same number
  const bool linked = !plain && symlink(target.c_str(), temporary.c_str()) == 0;
  if (linked && rename(temporary.c_str(), path.c_str()) == 0) return OkStatus();
  // FAT answers EPERM, network drives one of the others.
  if (!plain && (linked || (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS))) {
    const std::string why = std::strerror(errno);
    (void)unlink(temporary.c_str());
    return IoError(path + ": cannot make the link: " + why);
  }
  if (rename(BlobPath(model, etag).c_str(), path.c_str()) == 0) return OkStatus();
  return IoError(path + ": cannot move the file there: " + std::strerror(errno));
}

Status HubCache::WriteRef(const std::string& model, const std::string& revision, const std::string& commit) const {
  if (revision == commit) return OkStatus();
  const std::string path = ModelFolder(model) + "/refs/" + (revision.empty() ? "main" : revision);
  if (CommitOf(model, revision) == commit) return OkStatus();
  PITH_RETURN_IF_ERROR(MakeFolders(fs::path(path).parent_path().string()));
  PITH_ASSIGN_OR_RETURN(const std::unique_ptr<AtomicFile> ref, AtomicFile::Create(path, true));
  PITH_RETURN_IF_ERROR(ref->Write(AsBytes(commit)));  // no line end: huggingface_hub takes all of the file
  return ref->Commit();
}

// ---- Files --------------------------------------------------------------------------------------------------------

bool IsFolder(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

bool IsFile(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode);
}

uint64_t FileBytes(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) ? static_cast<uint64_t>(info.st_size) : 0;
}

uint64_t FolderBytes(const std::string& path) {
  uint64_t bytes = 0;
  std::error_code error;
  fs::recursive_directory_iterator it(path, error);
  for (; !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
    std::error_code ignored;
    if (it->symlink_status(ignored).type() == fs::file_type::regular) bytes += FileBytes(it->path().string());
  }
  return bytes;
}

Status MakeFolders(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error && !IsFolder(path)) return IoError(path + ": cannot make the folder: " + error.message());
  return OkStatus();
}

Status CheckRoom(const std::string& path, uint64_t bytes, const std::string& what) {
  std::error_code error;
  fs::path there = fs::absolute(path, error);
  while (!fs::exists(there, error) && there.has_relative_path()) there = there.parent_path();
  const fs::space_info space = fs::space(there, error);
  if (error || space.available >= bytes) return OkStatus();
  return IoError(what + ": needs " + Amount(bytes) + ", but " + there.string() + " has only " +
                 Amount(space.available) + " free");
}

}  // namespace pith::hub
