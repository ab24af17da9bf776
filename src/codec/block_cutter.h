// BlockCutter: reads a source and cuts it into blocks of one kind of data each, in bounded memory.
//
// Cuts depend on the content alone, not on how the source hands it out.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "base/file.h"
#include "codec/content_class.h"
#include "pith/status.h"

namespace pith {

inline constexpr uint32_t kDefaultBlockBytes =
    4u << 20;  // a stream's first tokens cost more: fewer, longer blocks
inline constexpr uint32_t kMinBlockBytes = 4096;
inline constexpr size_t kGranuleBytes = 64 << 10;    // the kind of data is looked at in pieces of this size
inline constexpr size_t kMinGranuleBytes = 8 << 10;  // a shorter rest goes with the piece before
inline constexpr size_t kMaxCutSearch =
    64 << 10;  // how far back from its limit a block may end, at a line's end

struct InputBlock {
  ByteSpan content;  // valid until the next call
  ContentClass content_class = ContentClass::kText;
  bool is_last = false;  // nothing follows
};

class BlockCutter {
 public:
  // `source` must outlive the cutter. REQUIRES: kMinBlockBytes <= max_block <= kMaxBlockContent.
  BlockCutter(Source& source, size_t max_block);

  // The next block: 1 .. max_block bytes; empty at the end of the source.
  Result<InputBlock> Next();

  // From now on blocks end only where they are full: for inputs with more changes than an archive has room
  // for.
  void IgnoreKind() { by_kind_ = false; }

 private:
  Status Fill();
  size_t BlockSize(ContentClass* content_class) const;
  size_t CutAtLimit(size_t limit, ContentClass content_class) const;
  size_t CutNear(size_t position, size_t search, ContentClass content_class) const;
  ByteSpan Ahead() const { return ByteSpan(buffer_).subspan(begin_, end_ - begin_); }

  Source& source_;
  size_t max_block_;
  size_t ahead_bytes_;  // read so far ahead, a little more than a block: the last two blocks are then of
                        // equal size
  bool by_kind_ = true;
  bool at_end_ = false;
  Bytes buffer_;
  size_t begin_ = 0;
  size_t end_ = 0;
};

}  // namespace pith
