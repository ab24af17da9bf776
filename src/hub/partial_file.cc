#include "hub/partial_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/check.h"

namespace pith::hub {
namespace {

constexpr std::string_view kMagic = "pithpart";
constexpr size_t kHeadBytes = 16;  // magic and part size

Status WriteAt(int fd, ByteSpan data, uint64_t offset, const std::string& path) {
  while (!data.empty()) {
    const ssize_t n = pwrite(fd, data.data(), data.size(), static_cast<off_t>(offset));
    if (n < 0) {
      if (errno == EINTR) continue;
      return IoError(path + ": cannot write: " + std::strerror(errno));
    }
    data = data.subspan(static_cast<size_t>(n));
    offset += static_cast<uint64_t>(n);
  }
  return OkStatus();
}

bool ReadAt(int fd, std::span<uint8_t> out, uint64_t offset) {
  while (!out.empty()) {
    const ssize_t n = pread(fd, out.data(), out.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    out = out.subspan(static_cast<size_t>(n));
    offset += static_cast<uint64_t>(n);
  }
  return true;
}

}  // namespace

Result<std::unique_ptr<PartialFile>> PartialFile::Open(const std::string& path, uint64_t size, uint64_t part_bytes) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (fd < 0) return IoError(path + ": cannot open: " + std::strerror(errno));
  std::unique_ptr<PartialFile> file(new PartialFile(path, fd, size));
  if (file->Load()) return file;
  struct stat info{};
  if (fstat(fd, &info) != 0) return IoError(path + ": cannot stat: " + std::strerror(errno));
  uint64_t there = static_cast<uint64_t>(info.st_size);
  if (there > size) {  // neither ours nor a beginning
    if (ftruncate(fd, 0) != 0) return IoError(path + ": cannot write: " + std::strerror(errno));
    there = 0;
  }
  file->Cut(part_bytes);
  for (Part& part : file->parts_) part.done = std::min(part.end, std::max(there, part.begin)) - part.begin;
  PITH_RETURN_IF_ERROR(file->WriteTrailer());
  return file;
}

PartialFile::~PartialFile() { close(fd_); }

void PartialFile::Cut(uint64_t part_bytes) {
  part_bytes_ = std::max({part_bytes, uint64_t{1}, (size_ + kMaxParts - 1) / kMaxParts});
  parts_.clear();
  for (uint64_t at = 0; at < size_;) {
    const uint64_t end = at + std::min(part_bytes_, size_ - at);
    parts_.push_back({at, end, 0});
    at = end;
  }
}

bool PartialFile::Load() {
  struct stat info{};
  uint8_t head[kHeadBytes];
  if (fstat(fd_, &info) != 0 || !ReadAt(fd_, head, size_)) return false;
  ByteReader reader(head);
  if (AsText(ByteSpan(head, kMagic.size())) != kMagic) return false;
  reader.U64();
  const uint64_t part_bytes = reader.U64();
  if (part_bytes == 0) return false;
  Cut(part_bytes);
  Bytes done(parts_.size() * 8);
  if (part_bytes_ != part_bytes || static_cast<uint64_t>(info.st_size) != size_ + kHeadBytes + done.size() ||
      !ReadAt(fd_, done, size_ + kHeadBytes)) {
    return false;
  }
  ByteReader values(done);
  for (Part& part : parts_) {
    part.done = values.U64();
    if (part.done > part.end - part.begin) return false;
  }
  return true;
}

Status PartialFile::WriteTrailer() {
  Bytes trailer;
  ByteWriter writer(trailer);
  writer.Raw(AsBytes(kMagic));
  writer.U64(part_bytes_);
  for (const Part& part : parts_) writer.U64(part.done);
  return WriteAt(fd_, trailer, size_, path_);
}

uint64_t PartialFile::done() const {
  uint64_t sum = 0;
  for (const Part& part : parts_) sum += part.done;
  return sum;
}

Status PartialFile::Append(size_t index, ByteSpan data) {
  Part& part = parts_[index];
  PITH_CHECK(data.size() <= part.end - part.begin - part.done);
  // The content first: what the trailer says is there is there, whenever the process ends.
  PITH_RETURN_IF_ERROR(WriteAt(fd_, data, part.begin + part.done, path_));
  part.done += data.size();
  Bytes done;
  ByteWriter(done).U64(part.done);
  return WriteAt(fd_, done, size_ + kHeadBytes + 8 * index, path_);
}

Status PartialFile::StartOver() {
  if (ftruncate(fd_, 0) != 0) return IoError(path_ + ": cannot write: " + std::strerror(errno));
  Cut(std::max(size_, uint64_t{1}));
  return WriteTrailer();
}

Status PartialFile::Finish() {
  PITH_CHECK(done() == size_);
  if (ftruncate(fd_, static_cast<off_t>(size_)) != 0) return IoError(path_ + ": cannot write: " + std::strerror(errno));
  if (fsync(fd_) != 0 && errno != EINVAL && errno != EROFS) {
    return IoError(path_ + ": cannot flush to disk: " + std::strerror(errno));
  }
  return OkStatus();
}

uint64_t PartialFile::DoneOf(const std::string& path, uint64_t size) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return 0;
  PartialFile file(path, fd, size);
  if (file.Load()) return file.done();
  struct stat info{};
  if (fstat(fd, &info) != 0) return 0;
  const auto there = static_cast<uint64_t>(info.st_size);
  return there <= size ? there : 0;
}

}  // namespace pith::hub
