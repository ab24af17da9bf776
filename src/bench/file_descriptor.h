// FileDescriptor: owns an open file and closes it.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "base/file.h"
#include "pith/status.h"

namespace pith::bench {

class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~FileDescriptor() { (void)Close(); }

  // kNotFound, kIo.
  static Result<FileDescriptor> OpenToRead(const std::string& path) { return Open(path, O_RDONLY); }
  // Empties the file if there is one.
  static Result<FileDescriptor> OpenToWrite(const std::string& path) {
    return Open(path, O_WRONLY | O_CREAT | O_TRUNC);
  }

  int fd() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }
  // 0, or what errno says: a full disk behind a network may be told only here.
  int Close() {
    const int fd = std::exchange(fd_, -1);
    return fd >= 0 && close(fd) != 0 ? errno : 0;
  }

 private:
  static Result<FileDescriptor> Open(const std::string& path, int flags) {
    constexpr int kMode = 0600;
    const int fd = open(path.c_str(), flags | O_CLOEXEC | O_NOCTTY, kMode);
    if (fd >= 0) return FileDescriptor(fd);
    if (errno == ENOENT || errno == ENOTDIR) return NotFound(path + ": no such file");
    return IoError(path + ": cannot open: " + std::strerror(errno));
  }

  int fd_ = -1;
};

}  // namespace pith::bench
