// PartialFile: a download in parts that can be interrupted at any moment and goes on where it was.
//
// While it grows, the file is its content and after that a trailer: 8 bytes "pithpart", the size of a part (u64), and
// for each part how many of its bytes are there (u64); all little-endian. A file without trailer that is not longer
// than the content is a beginning of it: what huggingface_hub leaves. After a crash of the machine the trailer may say
// more than is on disk; the check of the whole content finds that.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "pith/status.h"

namespace pith::hub {

inline constexpr uint64_t kMaxParts = 1u << 16;

// Thread-safe as long as no two threads write to one part.
class PartialFile {
 public:
  struct Part {
    uint64_t begin = 0;
    uint64_t end = 0;
    uint64_t done = 0;  // bytes from begin on
    bool complete() const { return begin + done == end; }
  };

  // Makes the file or goes on with what is there. `part_bytes` holds for new files.
  static Result<std::unique_ptr<PartialFile>> Open(const std::string& path, uint64_t size, uint64_t part_bytes);
  ~PartialFile();
  PartialFile(const PartialFile&) = delete;
  PartialFile& operator=(const PartialFile&) = delete;

  const std::vector<Part>& parts() const { return parts_; }
  uint64_t size() const { return size_; }
  uint64_t done() const;

  // Appends to a part. REQUIRES: it fits.
  Status Append(size_t part, ByteSpan data);
  // Forgets all of it; from now on there is one part.
  Status StartOver();
  // Cuts off the trailer and flushes to disk. REQUIRES: all parts are complete.
  Status Finish();

  // Bytes that Open would find done; 0 where there is no file. Opens nothing for writing.
  static uint64_t DoneOf(const std::string& path, uint64_t size);

 private:
  PartialFile(std::string path, int fd, uint64_t size) : path_(std::move(path)), fd_(fd), size_(size) {}
  void Cut(uint64_t part_bytes);
  bool Load();
  Status WriteTrailer();

  std::string path_;
  int fd_;
  uint64_t size_;
  uint64_t part_bytes_ = 0;
  std::vector<Part> parts_;
};

}  // namespace pith::hub
