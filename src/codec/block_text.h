// BlockText: what a model is given of a block: its bytes, or, where they are text in another encoding, that text in UTF-8.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "charset/character_encoding.h"
#include "codec/token_model.h"
#include "pith/status.h"

namespace pith {

struct BlockText {
  CharacterEncoding encoding = CharacterEncoding::kNone;
  uint64_t n_bytes = 0;  // of the text
  std::vector<TokenId> tokens;
};

struct EncodedText {
  CharacterEncoding encoding = CharacterEncoding::kNone;
  std::string text;
};

// Content in another encoding as the text that the model is given of it; nothing where it is given the bytes. Without a model only
// UTF-16 is seen.
Result<std::optional<EncodedText>> TextOfContent(TokenModel* model, ByteSpan content);

// The same of UTF-16 alone, where the text is no longer than the content. Contexts over bytes have half as many to go through then, and
// say them better. (Of encodings of one byte a letter they make less as they are.)
std::optional<EncodedText> WideTextOf(ByteSpan content);

// The content that a block's text stands for. kCorrupt unless that is content_size bytes.
Result<Bytes> ContentOf(CharacterEncoding encoding, ByteSpan text, uint64_t content_size);

// The tokens of a block's content. An encoding only where the content comes back from its text byte for byte.
Result<BlockText> TokenizeBlock(TokenModel& model, ByteSpan content);

// Memory beside the content and the tokens that TokenizeBlock takes, and a decoder of the block.
uint64_t BlockTextBytes(CharacterEncoding encoding, uint64_t content_size);

}  // namespace pith
