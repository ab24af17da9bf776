// A block by contexts over bytes: no model, one arithmetic code. docs/format.md section 5, docs/byte_mixing.md.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "pith/status.h"
#include "predict/byte_mixer.h"

namespace pith {

// Asked after each kContextPartBytes of a block. A failure ends the work and is handed on; false ends it without one.
using AfterBytes = std::function<Result<bool>(uint64_t bytes_done, uint64_t code_bytes)>;
inline constexpr size_t kContextPartBytes = 64 << 10;

// The code of `content`; nothing when `go_on` said false. REQUIRES: content is not empty and within the format's limit.
Result<std::optional<Bytes>> EncodeByContexts(ContextStrength strength, ByteSpan content, const AfterBytes& go_on);

// REQUIRES: content_size is within the format's limit and not 0.
// kCorrupt, `where` before it, unless `code` is exactly the code of content_size bytes.
Status DecodeByContexts(ContextStrength strength, ByteSpan code, size_t content_size, const std::string& where,
                        Bytes& content, const AfterBytes& go_on);

}  // namespace pith
