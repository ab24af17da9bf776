// A block by zstd: one frame, in bounded memory. docs/format.md section 5.
#pragma once

#include "base/bytes.h"
#include "pith/status.h"

namespace pith {

inline constexpr int kZstdBestLevel = 19;
inline constexpr int kZstdTrialLevel = 3;

// `content` as one zstd frame, or an empty result where that would not be smaller than `content`.
// REQUIRES: content is not empty.
Result<Bytes> ZstdCompress(ByteSpan content, int level);

// REQUIRES: content_size is within the format's limit.
// kCorrupt unless `frame` is exactly one frame that says, and has, content_size bytes.
Status ZstdDecompress(ByteSpan frame, size_t content_size, Bytes& content);

}  // namespace pith
