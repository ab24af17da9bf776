// BlockText: what a model is given of a block: its bytes, or, where they are text in another encoding, that text in UTF-8.
#pragma once

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

// The tokens of a block's content. An encoding only where the content comes back from its text byte for byte.
Result<BlockText> TokenizeBlock(TokenModel& model, ByteSpan content);

// Memory beside the content and the tokens that TokenizeBlock takes, and a decoder of the block.
uint64_t BlockTextBytes(CharacterEncoding encoding, uint64_t content_size);

}  // namespace pith
