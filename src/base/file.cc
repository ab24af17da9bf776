#include "base/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdlib>

#include "base/check.h"

namespace pith {
namespace {

std::string ErrnoText() { return std::string(std::strerror(errno)); }

// read() and write() take at most this much at once on every system we know.
constexpr size_t kMaxTransfer = size_t{1} << 30;

// Names of temporary files, for RemoveUnfinished: fixed storage, because a signal handler may not allocate.
// A slot is free when its first byte is 0; `g_slots_used` guards the claim.
constexpr size_t kMaxUnfinished = 64;
std::array<std::array<char, PATH_MAX>, kMaxUnfinished> g_unfinished;
std::array<std::atomic<bool>, kMaxUnfinished> g_slot_taken;
std::array<std::atomic<bool>, kMaxUnfinished> g_slot_ready;

int ClaimSlot(const std::string& path) {
  if (path.size() + 1 > PATH_MAX) return -1;
  for (size_t i = 0; i < kMaxUnfinished; ++i) {
    bool expected = false;
    if (!g_slot_taken[i].compare_exchange_strong(expected, true)) continue;
    std::memcpy(g_unfinished[i].data(), path.c_str(), path.size() + 1);
    g_slot_ready[i].store(true);
    return static_cast<int>(i);
  }
  return -1;  // more at once than the table holds: such a file just is not removed on a signal
}

void ReleaseSlot(int slot) {
  if (slot < 0) return;
  g_slot_ready[static_cast<size_t>(slot)].store(false);
  g_slot_taken[static_cast<size_t>(slot)].store(false);
}

// Makes the directory entry durable. Best effort: not every file system lets a directory be synced.
void SyncDirectoryOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string dir = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
  const int fd = open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  (void)fsync(fd);
  close(fd);
}

Status WriteAll(int fd, ByteSpan data, const std::string& name) {
  while (!data.empty()) {
    const ssize_t n = write(fd, data.data(), std::min(data.size(), kMaxTransfer));
    if (n < 0) {
      if (errno == EINTR) continue;
      return IoError(name + ": cannot write: " + ErrnoText());
    }
    data = data.subspan(static_cast<size_t>(n));
  }
  return OkStatus();
}

}  // namespace

Result<size_t> ReadFully(Source& source, std::span<uint8_t> out) {
  size_t total = 0;
  while (total < out.size()) {
    PITH_ASSIGN_OR_RETURN(const size_t n, source.Read(out.subspan(total)));
    if (n == 0) break;
    total += n;
  }
  return total;
}

Result<size_t> MemorySource::Read(std::span<uint8_t> out) {
  const size_t n = std::min(out.size(), data_.size());
  std::copy_n(data_.begin(), n, out.begin());
  data_ = data_.subspan(n);
  return n;
}

Result<std::unique_ptr<MappedFile>> MappedFile::Open(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    if (errno == ENOENT || errno == ENOTDIR) return NotFound(path + ": no such file");
    return IoError(path + ": cannot open: " + ErrnoText());
  }
  struct stat info;
  if (fstat(fd, &info) != 0) {
    const std::string why = ErrnoText();
    close(fd);
    return IoError(path + ": cannot stat: " + why);
  }
  if (!S_ISREG(info.st_mode)) {
    close(fd);
    return InvalidArgument(path + ": " + (S_ISDIR(info.st_mode) ? "is a directory" : "is not a regular file") +
                           ", expected a file");
  }
  const size_t size = static_cast<size_t>(info.st_size);
  ByteSpan bytes;
  if (size != 0) {
    void* p = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED) {
      const std::string why = ErrnoText();
      close(fd);
      return IoError(path + ": cannot map: " + why);
    }
    bytes = {static_cast<const uint8_t*>(p), size};
  }
  close(fd);
  return std::unique_ptr<MappedFile>(new MappedFile(path, bytes));
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) munmap(const_cast<uint8_t*>(bytes_.data()), bytes_.size());
}

void DropPages(ByteSpan mapped) {
  // Whole pages inside the span: what is shared with a neighbour may still be wanted.
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<uintptr_t>(mapped.data());
  const uintptr_t first = (begin + page - 1) / page * page;
  const uintptr_t last = (begin + mapped.size()) / page * page;
  if (first < last) (void)madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
}

Result<size_t> FdSource::Read(std::span<uint8_t> out) {
  while (true) {
    const ssize_t n = read(fd_, out.data(), std::min(out.size(), kMaxTransfer));
    if (n >= 0) return static_cast<size_t>(n);
    if (errno != EINTR) return IoError(name_ + ": cannot read: " + ErrnoText());
  }
}

Status FdSink::Write(ByteSpan data) { return WriteAll(fd_, data, name_); }

Result<std::unique_ptr<AtomicFile>> AtomicFile::Create(const std::string& path, bool replace) {
  struct stat info;
  mode_t mode = 0666;  // umask applies
  if (lstat(path.c_str(), &info) == 0) {
    if (S_ISDIR(info.st_mode)) return InvalidArgument(path + ": is a directory, expected a file name");
    if (!replace) return AlreadyExists(path + ": already exists; not overwritten");
    if (stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode)) {
      return InvalidArgument(path + ": is not a regular file; not replaced");
    }
  }
  static std::atomic<uint64_t> counter{0};
  for (int attempt = 0; attempt < 100; ++attempt) {
    const std::string temporary =
        path + ".tmp-" + std::to_string(getpid()) + "-" + std::to_string(counter.fetch_add(1));
    const int slot = ClaimSlot(temporary);  // before the file exists, so that no signal finds it unlisted
    const int fd = open(temporary.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd >= 0) return std::unique_ptr<AtomicFile>(new AtomicFile(path, temporary, fd, slot, replace));
    const int error = errno;
    ReleaseSlot(slot);
    errno = error;
    if (errno == EEXIST) continue;  // left by a dead process of the same number
    if (errno == ENOENT) return NotFound(path + ": its folder does not exist");
    return IoError(path + ": cannot create " + temporary + ": " + ErrnoText());
  }
  return IoError(path + ": cannot create a temporary file beside it: all names are taken");
}

AtomicFile::AtomicFile(std::string path, std::string temporary, int fd, int slot, bool replace)
    : path_(std::move(path)), temporary_(std::move(temporary)), fd_(fd), slot_(slot), replace_(replace) {}

AtomicFile::~AtomicFile() {
  if (fd_ >= 0) {
    close(fd_);
    unlink(temporary_.c_str());
  }
  ReleaseSlot(slot_);
}

Status AtomicFile::Write(ByteSpan data) {
  PITH_CHECK(fd_ >= 0);
  return WriteAll(fd_, data, path_);
}

Status AtomicFile::WriteAt(uint64_t offset, ByteSpan data) {
  PITH_CHECK(fd_ >= 0);
  while (!data.empty()) {
    const ssize_t n = pwrite(fd_, data.data(), std::min(data.size(), kMaxTransfer), static_cast<off_t>(offset));
    if (n < 0) {
      if (errno == EINTR) continue;
      return IoError(path_ + ": cannot write: " + ErrnoText());
    }
    data = data.subspan(static_cast<size_t>(n));
    offset += static_cast<uint64_t>(n);
  }
  return OkStatus();
}

Status AtomicFile::Commit(const FileAttributes& attributes) {
  PITH_CHECK(fd_ >= 0);
  // Attributes are a courtesy: a file system that refuses them does not make the content worse.
  if (attributes.mode) (void)fchmod(fd_, static_cast<mode_t>(*attributes.mode & 07777));
  if (attributes.mtime_ns) {
    constexpr int64_t kNsPerS = 1000000000;
    int64_t seconds = *attributes.mtime_ns / kNsPerS;
    int64_t ns = *attributes.mtime_ns % kNsPerS;
    if (ns < 0) {
      ns += kNsPerS;
      --seconds;
    }
    timespec times[2];
    times[0].tv_sec = 0;
    times[0].tv_nsec = UTIME_OMIT;
    times[1].tv_sec = static_cast<time_t>(seconds);
    times[1].tv_nsec = static_cast<long>(ns);
    (void)futimens(fd_, times);
  }
  if (fsync(fd_) != 0 && errno != EINVAL && errno != EROFS) {
    return IoError(path_ + ": cannot flush to disk: " + ErrnoText());
  }
  if (close(std::exchange(fd_, -1)) != 0) {
    const std::string why = ErrnoText();
    unlink(temporary_.c_str());
    return IoError(path_ + ": cannot close: " + why);
  }
  if (!replace_) {
    // link() fails when the name is taken, also by a writer that came between Create and now.
    if (link(temporary_.c_str(), path_.c_str()) == 0) {
      unlink(temporary_.c_str());
      SyncDirectoryOf(path_);
      return OkStatus();
    }
    if (errno == EEXIST) {
      unlink(temporary_.c_str());
      return AlreadyExists(path_ + ": appeared while it was being made; not overwritten");
    }
    // No hard links on this file system: fall through to a check and a rename.
    struct stat info;
    if (lstat(path_.c_str(), &info) == 0) {
      unlink(temporary_.c_str());
      return AlreadyExists(path_ + ": appeared while it was being made; not overwritten");
    }
  }
  if (rename(temporary_.c_str(), path_.c_str()) != 0) {
    const std::string why = ErrnoText();
    unlink(temporary_.c_str());
    return IoError(path_ + ": cannot rename from " + temporary_ + ": " + why);
  }
  SyncDirectoryOf(path_);
  return OkStatus();
}

void AtomicFile::RemoveUnfinished() {
  for (size_t i = 0; i < kMaxUnfinished; ++i) {
    if (g_slot_ready[i].load()) unlink(g_unfinished[i].data());
  }
}

}  // namespace pith
