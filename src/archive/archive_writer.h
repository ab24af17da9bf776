// ArchiveWriter: one archive to a ByteSink, front to back, nothing rewritten. docs/format.md is the format.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "archive/archive_format.h"
#include "base/bytes.h"
#include "base/file.h"
#include "base/hash.h"
#include "pith/status.h"

namespace pith {

class ArchiveWriter {
 public:
  // `sink` must outlive the writer.
  explicit ArchiveWriter(Sink& sink) : sink_(sink) {}

  // Says which model the model blocks need.
  // REQUIRES: before the first model block, directly before it, once; the name is storable.
  Status WriteModelInfo(const ModelIdentity& model);

  // Says which dictionary the adaptive blocks need. REQUIRES: once, before the first of them.
  Status WriteDictionary(uint64_t id);

  // REQUIRES: header is within the format's limits; payload.size() == header.payload_size;
  // content.size() == header.content_size; payload is content where the block is raw; blocks() < kMaxBlocks.
  Status WriteBlock(const BlockHeader& header, ByteSpan payload, ByteSpan content);

  // Writes a short archive, which is complete then, instead of all else. `model` is null but for a model block,
  // `dictionary` but for an adaptive one that needs it.
  // REQUIRES: nothing was written; header and payload as in WriteBlock.
  Status WriteShort(const BlockHeader& header, const ModelIdentity* model, const uint64_t* dictionary,
                    ByteSpan payload);

  // Ends the archive. The name is kept if it is storable and the archive then still has at most
  // content + kMaxArchiveOverhead + kMaxBlockOverhead * blocks bytes.
  Status Finish(const std::string& file_name, std::optional<int64_t> mtime_ns);

  uint64_t blocks() const { return n_blocks_; }
  uint64_t content_bytes() const { return content_bytes_; }
  uint64_t archive_bytes() const { return archive_bytes_; }

  // What a frame takes in the archive, its line in the index included: to choose between kinds.
  static size_t BlockCost(const BlockHeader& header);
  static size_t ModelInfoCost(const ModelIdentity& model);
  // Whether a short archive can leave out the header of this zstd frame of so many bytes of content (BlockHeader::bare).
  static bool HasUsualZstdHeader(ByteSpan frame, uint32_t content_size);
  // Of a whole short archive.
  static size_t ShortCost(const BlockHeader& header, const ModelIdentity* model, const uint64_t* dictionary);

 private:
  Status WriteHeader();
  Status Emit(ByteSpan data);

  Sink& sink_;
  Bytes index_;  // its entries as they will be written
  uint64_t n_frames_ = 0;
  uint64_t n_blocks_ = 0;
  uint64_t content_bytes_ = 0;
  uint64_t archive_bytes_ = 0;
  bool has_model_ = false;
  Hasher64 content_hash_;
};

}  // namespace pith
