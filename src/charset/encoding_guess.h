// Which character encoding a text is in. A guess: whoever uses it compares what comes back with the bytes.
#pragma once

#include <functional>
#include <string_view>

#include "base/bytes.h"
#include "charset/character_encoding.h"
#include "pith/status.h"

namespace pith {

// kUtf16Le or kUtf16Be where `data`, from its first byte on, looks like such a text, else kNone. Takes about a nanosecond a byte.
CharacterEncoding Utf16At(ByteSpan data);

// What a model makes of a text, in bytes.
using CodeBytes = std::function<Result<size_t>(ByteSpan text)>;

// kNone for UTF-8, for text without high bytes, and where no encoding makes sense of it. Otherwise, of the few encodings in
// which words look like words, the one in which the model makes least of a sample of `data`. Asks it for at most seven texts of
// some 400 to 1,200 bytes; fails as it does.
Result<CharacterEncoding> GuessEncoding(ByteSpan data, const CodeBytes& code_bytes);

}  // namespace pith
