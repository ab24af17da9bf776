// What import and convert take from a checkpoint folder for pith's own engine: tokenizer and start token.
#pragma once

#include <optional>
#include <string>

#include "model/weights.h"
#include "pith/status.h"
#include "tokenizer/tokenizer.h"

namespace pith {

// The folder's tokenizer.json; none when there is no such file.
Result<std::optional<Tokenizer>> ReadFolderTokenizer(const std::string& folder);

// What stands before every stream: the token that stood before every document in training, as far as one can know.
// `tokenizer` may be null.
Result<TokenId> ReadStartToken(const std::string& folder, const Tokenizer* tokenizer);

}  // namespace pith
