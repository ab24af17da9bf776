// Files: byte sources and sinks, read-only mappings, and outputs that appear whole or not at all.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "pith/io.h"
#include "pith/status.h"

namespace pith {

// The public ByteSource and ByteSink (include/pith/io.h) under the names that the modules use.
using Source = ByteSource;
using Sink = ByteSink;

// Reads until `out` is full or the source ends; returns the number of bytes.
Result<size_t> ReadFully(Source& source, std::span<uint8_t> out);

class MemorySource : public Source {
 public:
  explicit MemorySource(ByteSpan data) : data_(data) {}  // borrows
  Result<size_t> Read(std::span<uint8_t> out) override;

 private:
  ByteSpan data_;
};

class MemorySink : public Sink {
 public:
  Status Write(ByteSpan data) override {
    bytes.insert(bytes.end(), data.begin(), data.end());
    return OkStatus();
  }
  Bytes bytes;
};

class NullSink : public Sink {
 public:
  Status Write(ByteSpan) override { return OkStatus(); }
};

// A whole file, mapped for reading. An empty file gives an empty span.
class MappedFile {
 public:
  // kNotFound, kInvalidArgument (a directory), kIo.
  static Result<std::unique_ptr<MappedFile>> Open(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  ByteSpan bytes() const { return bytes_; }  // valid as long as this object
  const std::string& path() const { return path_; }

 private:
  MappedFile(std::string path, ByteSpan bytes) : path_(std::move(path)), bytes_(bytes) {}
  std::string path_;
  ByteSpan bytes_;
};

// Tells the system that this part of a MappedFile is not needed soon, so that the memory it takes does not add up. It can
// still be read, from the file again.
void DropPages(ByteSpan mapped);

// A file descriptor as Source or Sink; retries on EINTR, names `name` in errors. Does not close the descriptor.
class FdSource : public Source {
 public:
  FdSource(int fd, std::string name) : fd_(fd), name_(std::move(name)) {}
  Result<size_t> Read(std::span<uint8_t> out) override;

 private:
  int fd_;
  std::string name_;
};

class FdSink : public Sink {
 public:
  FdSink(int fd, std::string name) : fd_(fd), name_(std::move(name)) {}
  Status Write(ByteSpan data) override;

 private:
  int fd_;
  std::string name_;
};

// What a finished file takes over from its source, where the system allows it.
struct FileAttributes {
  std::optional<int64_t> mtime_ns;  // nanoseconds since 1970
  std::optional<uint32_t> mode;     // permission bits
};

// Writes to a temporary file beside `path` and renames it to `path` in Commit(); without Commit nothing remains.
// The temporary name is unique to the process and the object: two writers of one target do not meet, the last rename
// wins (with replace) or the second fails (without).
class AtomicFile : public Sink {
 public:
  // kAlreadyExists when the target exists and !replace; kInvalidArgument for a directory; kIo.
  static Result<std::unique_ptr<AtomicFile>> Create(const std::string& path, bool replace);
  ~AtomicFile() override;

  Status Write(ByteSpan data) override;
  // Overwrites bytes already written (a header whose fields are known last).
  Status WriteAt(uint64_t offset, ByteSpan data);
  // Sets the attributes, flushes to disk, renames. At most once.
  Status Commit(const FileAttributes& attributes = {});

  // Where the bytes lie until Commit (to map them back in between).
  const std::string& temporary_path() const { return temporary_; }

  // Removes the temporary files of all unfinished AtomicFiles of this process. Async-signal-safe.
  static void RemoveUnfinished();

 private:
  AtomicFile(std::string path, std::string temporary, int fd, int slot, bool replace);
  std::string path_;
  std::string temporary_;
  int fd_;
  int slot_;
  bool replace_;
};

}  // namespace pith
