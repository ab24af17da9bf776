// ArchiveReader: one archive after another from a ByteSource, frame by frame, everything checked as it comes.
//
// Sizes are held against their limits before memory is taken; a payload is handed out only after its checksum
// matched. docs/format.md is the format; section 9 the reader's obligations.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "archive/archive_format.h"
#include "base/bytes.h"
#include "base/file.h"
#include "pith/status.h"

namespace pith {

// What the end of an archive says.
struct ArchiveEnd {
  uint64_t content_size = 0;
  uint64_t content_checksum = 0;  // XXH3-64 of the whole content, or the low bits of it
  int content_checksum_bits = 64;  // that are stored: 64, or 32, 16 or 0 in short archives
  std::string file_name;          // empty: none kept
  std::optional<int64_t> mtime_ns;
};

class ArchiveReader {
 public:
  // `source` must outlive the reader.
  explicit ArchiveReader(Source& source);
  ~ArchiveReader();

  // Begins the next archive, long or short: true, or false at the end of the source. An empty source is kCorrupt at the
  // first call. REQUIRES: at the first call, or NextBlock has returned false.
  Result<bool> NextArchive();

  // Reads the next block's header and payload: true, or false at the archive's end, when end() is set.
  // REQUIRES: NextArchive returned true.
  Result<bool> NextBlock(BlockHeader& header, Bytes& payload);

  // Tells the reader what the blocks decoded to, one after the other, for CheckContent; later blocks may have been read by then.
  void AddContent(ByteSpan content);
  // Compares the content with the archive's checksum of it. A short archive has none: what checks its block is in the block's
  // header. REQUIRES: NextBlock has returned false; the content of all blocks went through AddContent.
  Status CheckContent() const;

  bool is_short() const;
  int format_version() const;
  int contract_version() const;
  const std::optional<ModelIdentity>& model() const;  // of this archive, once its frame was read
  const std::optional<DictionaryIdentity>& dictionary() const;  // likewise
  const ArchiveEnd& end() const;
  uint64_t blocks() const;         // read so far in this archive
  uint64_t archive_bytes() const;  // of this archive so far
  uint64_t total_bytes() const;    // taken from the source so far, all archives
  std::string where() const;       // "block 3" or "archive 2: block 3": for messages

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// ---- Listing
// ------------------------------------------------------------------------------------------------------

struct BlockSummary {
  BlockKind kind = BlockKind::kRaw;
  uint32_t content_size = 0;
  uint32_t stored_size = 0;  // the whole frame
  uint32_t n_streams = 0;    // kModel only
  uint32_t n_tokens = 0;     // kModel only; 0: the archive does not say
  bool adaptive = false;     // kModel only
  uint8_t strength = 0;      // kContexts only
  uint8_t encoding = 0;      // kModel, kContexts: as in BlockHeader
};

struct ArchiveSummary {
  bool is_short = false;
  int format_version = 0;
  int contract_version = 0;
  uint64_t archive_bytes = 0;
  std::optional<ModelIdentity> model;
  std::optional<DictionaryIdentity> dictionary;
  ArchiveEnd end;
  std::vector<BlockSummary> blocks;
};

// Reads all of `source` and checks what can be checked without decoding. One entry for each archive.
Result<std::vector<ArchiveSummary>> DescribeArchives(Source& source);

// True when `head` begins with the magic number.
bool HasArchiveMagic(ByteSpan head);

}  // namespace pith
