#include "bench/input_list.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "bench/file_descriptor.h"
#include "bench/file_type.h"
#include "bench/file_digest.h"

namespace pith::bench {
namespace {

namespace fs = std::filesystem;

constexpr size_t kBufferBytes = 256 << 10;
constexpr uint64_t kLineSearchBytes = 4 << 10;  // how far a slice looks for the beginning of a line

BenchInput Failed(const std::string& shown, const std::string& error) {
  BenchInput input{.path = shown};
  input.entry.path = shown;
  input.entry.error = error;
  return input;
}

class Lister {
 public:
  Lister(const std::string& excluded, const std::function<void(const std::string&)>& left_out) : left_out_(left_out) {
    struct stat info;
    if (!excluded.empty() && stat(excluded.c_str(), &info) == 0) excluded_ = info;
  }

  Status Operand(const std::string& path, bool alone) {
    struct stat info;
    if (stat(path.c_str(), &info) != 0) {
      return Add(Failed(path, errno == ENOENT ? "no such file or folder" : std::strerror(errno)));
    }
    if (S_ISREG(info.st_mode)) return AddFile(path, path);
    if (!S_ISDIR(info.st_mode)) return Add(Failed(path, "is neither a file nor a folder"));
    return Folder(path, alone ? "" : path + (path.ends_with('/') ? "" : "/"), 0);
  }

  std::vector<BenchInput> Take() { return std::move(inputs_); }

 private:
  Status Add(BenchInput input) {
    if (inputs_.size() == kMaxInputs) return Unsupported("more than " + std::to_string(kMaxInputs) + " files");
    inputs_.push_back(std::move(input));
    return OkStatus();
  }

  Status AddFile(const std::string& path, const std::string& shown) {
    BenchInput input{.path = path};
    input.entry.path = shown;
    return Add(std::move(input));
  }

  // `prefix` is put before names in the results.
  Status Folder(const std::string& folder, const std::string& prefix, int depth) {
    const std::string shown = prefix.empty() ? folder : prefix.substr(0, prefix.size() - 1);
    if (depth == kMaxFolderDepth) return Add(Failed(shown, "folders lie too deep in each other"));
    std::error_code error;
    std::vector<std::string> names;
    fs::directory_iterator it(folder, error);
    for (; !error && it != fs::directory_iterator(); it.increment(error))
      names.push_back(it->path().filename().string());
    if (error) return Add(Failed(shown, "cannot read the folder: " + error.message()));
    std::sort(names.begin(), names.end());
    for (const std::string& name : names) {
      const std::string path = folder + (folder.ends_with('/') ? "" : "/") + name;
      struct stat info;
      if (lstat(path.c_str(), &info) != 0) {
        PITH_RETURN_IF_ERROR(Add(Failed(prefix + name, std::strerror(errno))));
      } else if (S_ISDIR(info.st_mode)) {
        if (excluded_ && excluded_->st_dev == info.st_dev && excluded_->st_ino == info.st_ino) continue;
        PITH_RETURN_IF_ERROR(Folder(path, prefix + name + "/", depth + 1));
      } else if (S_ISREG(info.st_mode)) {
        PITH_RETURN_IF_ERROR(AddFile(path, prefix + name));
      } else {
        left_out_(path + (S_ISLNK(info.st_mode) ? ": is a symbolic link; left out"
                                                : ": is neither a file nor a folder; left out"));
      }
    }
    return OkStatus();
  }

  const std::function<void(const std::string&)>& left_out_;
  std::optional<struct stat> excluded_;
  std::vector<BenchInput> inputs_;
};

Status Examine(BenchInput& input) {
  PITH_ASSIGN_OR_RETURN(const FileDescriptor file, FileDescriptor::OpenToRead(input.path));
  if (fstat(file.fd(), &input.info) != 0) return IoError(input.path + ": cannot stat: " + std::strerror(errno));
  if (!S_ISREG(input.info.st_mode)) return InvalidArgument(input.path + ": is not a regular file any more");
  FdSource source(file.fd(), input.path);
  std::vector<uint8_t> head(kTypeSampleBytes);
  PITH_ASSIGN_OR_RETURN(const size_t n_head, ReadFully(source, head));
  head.resize(n_head);
  hub::ContentHash sha256(hub::EtagKind::kSha256);
  sha256.Update(head);
  uint64_t bytes = n_head;
  std::vector<uint8_t> buffer(kBufferBytes);
  while (n_head == kTypeSampleBytes) {
    PITH_ASSIGN_OR_RETURN(const size_t n, source.Read(buffer));
    if (n == 0) break;
    sha256.Update(ByteSpan(buffer).first(n));
    bytes += n;
  }
  if (bytes != static_cast<uint64_t>(input.info.st_size)) return Corrupt(input.path + ": changed while it was read");
  input.entry.bytes = bytes;
  input.entry.type = ClassifyFile(head, bytes == n_head, input.entry.path);
  PITH_ASSIGN_OR_RETURN(input.entry.sha256, sha256.Finish());
  return OkStatus();
}

Status Seek(const FileDescriptor& file, uint64_t offset, const std::string& path) {
  if (lseek(file.fd(), static_cast<off_t>(offset), SEEK_SET) >= 0) return OkStatus();
  return IoError(path + ": cannot seek: " + std::strerror(errno));
}

// Gives the bytes of a slice to `take`.
template <typename Take>
Status ReadSlice(const std::string& path, uint64_t begin, uint64_t bytes, Take&& take) {
  PITH_ASSIGN_OR_RETURN(const FileDescriptor file, FileDescriptor::OpenToRead(path));
  PITH_RETURN_IF_ERROR(Seek(file, begin, path));
  FdSource source(file.fd(), path);
  std::vector<uint8_t> buffer(kBufferBytes);
  while (bytes > 0) {
    const size_t wanted = std::min<uint64_t>(bytes, buffer.size());
    PITH_ASSIGN_OR_RETURN(const size_t n, source.Read(std::span<uint8_t>(buffer).first(wanted)));
    if (n == 0) return Corrupt(path + ": is shorter than it was");
    PITH_RETURN_IF_ERROR(take(ByteSpan(buffer).first(n)));
    bytes -= n;
  }
  return OkStatus();
}

std::string WithoutPath(const std::string& message, const std::string& path) {
  return message.starts_with(path + ": ") ? message.substr(path.size() + 2) : message;
}

}  // namespace

Result<std::vector<BenchInput>> ListInputs(const std::vector<std::string>& operands, const std::string& excluded,
                                           const std::function<void(const std::string&)>& left_out) {
  Lister lister(excluded, left_out);
  for (const std::string& operand : operands) PITH_RETURN_IF_ERROR(lister.Operand(operand, operands.size() == 1));
  return lister.Take();
}

void ExamineInput(BenchInput& input) {
  const Status status = Examine(input);
  if (!status.ok()) {
    input.entry.error = WithoutPath(status.message(), input.path);
  } else if (input.entry.bytes == 0) {
    input.entry.error = "is empty: there is nothing to measure";
  }
}

Result<BenchInput> SliceOf(const BenchInput& input, uint64_t bytes) {
  BenchInput slice = input;
  const uint64_t middle = (input.entry.bytes - bytes) / 2;
  uint64_t begin = middle, at = middle;
  bool found = false;
  // Not beyond the last place where `bytes` bytes follow.
  const uint64_t search = std::min(kLineSearchBytes, input.entry.bytes - bytes - middle);
  PITH_RETURN_IF_ERROR(ReadSlice(input.path, middle, search, [&](ByteSpan data) {
    const auto newline = std::find(data.begin(), data.end(), '\n');
    if (!found && newline != data.end()) {
      found = true;
      begin = at + static_cast<uint64_t>(newline - data.begin()) + 1;
    }
    at += data.size();
    return OkStatus();
  }));
  slice.entry.bytes = bytes;
  slice.entry.slice_bytes = bytes;
  slice.entry.slice_begin = begin;
  hub::ContentHash sha256(hub::EtagKind::kSha256);
  PITH_RETURN_IF_ERROR(ReadSlice(input.path, begin, bytes, [&](ByteSpan data) {
    sha256.Update(data);
    return OkStatus();
  }));
  PITH_ASSIGN_OR_RETURN(slice.entry.sha256, sha256.Finish());
  return slice;
}

Status WriteSlice(const BenchInput& input, const std::string& path) {
  PITH_ASSIGN_OR_RETURN(FileDescriptor out, FileDescriptor::OpenToWrite(path));
  FdSink sink(out.fd(), path);
  hub::ContentHash sha256(hub::EtagKind::kSha256);
  PITH_RETURN_IF_ERROR(ReadSlice(input.path, input.entry.slice_begin, input.entry.bytes, [&](ByteSpan data) {
    sha256.Update(data);
    return sink.Write(data);
  }));
  if (const int error = out.Close(); error != 0) return IoError(path + ": cannot close: " + std::strerror(error));
  PITH_ASSIGN_OR_RETURN(const std::string found, sha256.Finish());
  if (found != input.entry.sha256) return Corrupt("the file has changed: content");
  return OkStatus();
}

Status CheckUnchanged(const BenchInput& input, bool content) {
  struct stat now;
  if (stat(input.path.c_str(), &now) != 0) return Corrupt("the file has changed: " + std::string(std::strerror(errno)));
  const struct stat& then = input.info;
  if (now.st_size != then.st_size) {
    return Corrupt("the file has changed: " + std::to_string(now.st_size) + " bytes, expected " +
                   std::to_string(then.st_size));
  }
  if (now.st_dev != then.st_dev || now.st_ino != then.st_ino) return Corrupt("the file has changed: it is another one");
  if (now.st_mtim.tv_sec != then.st_mtim.tv_sec || now.st_mtim.tv_nsec != then.st_mtim.tv_nsec) {
    return Corrupt("the file has changed: its time");
  }
  if (!content) return OkStatus();
  PITH_ASSIGN_OR_RETURN(const FileDigest digest, DigestFile(input.path));
  return digest.sha256 == input.entry.sha256 ? OkStatus() : Corrupt("the file has changed: content");
}

}  // namespace pith::bench
