// FileType of a file, from its content first and its name second.
//
// Own rules, not libmagic: that tells formats apart by their first bytes, but not prose from a log or a table.
#pragma once

#include <string_view>

#include "base/bytes.h"
#include "report/results.h"

namespace pith::bench {

// Bytes of a file's beginning that are looked at.
inline constexpr size_t kTypeSampleBytes = 256 << 10;

// `sample` is the beginning of the file, or all of it (`whole`). Only the last part of `name` counts.
FileType ClassifyFile(ByteSpan sample, bool whole, std::string_view name);

}  // namespace pith::bench
