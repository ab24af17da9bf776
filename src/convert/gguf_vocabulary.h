// GgufVocabulary: a tokenizer.json as GGUF files hold it, token by token, for llama.cpp's "qwen2" tokenizer.
//
// What llama.cpp would tokenise otherwise than the stock tokenizer is refused, not ignored; but NFC, which
// llama.cpp does not do: text that is not in NFC may get other tokens there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "formats/json.h"
#include "pith/status.h"

namespace pith {

// Types of tokens, as they stand in files (llama.h: enum llama_token_type).
enum class GgufTokenType : int32_t { kNormal = 1, kControl = 3, kUserDefined = 4, kUnused = 5 };

struct GgufVocabulary {
  std::vector<std::string> tokens;  // in the byte-level alphabet of GPT-2; added tokens as they are
  std::vector<int32_t> types;       // GgufTokenType, one for each token
  std::vector<std::string> merges;  // "left right", by rank
  size_t n_padding = 0;             // tokens that stand for ids the tokenizer does not have

  // The id of the added token with this text.
  std::optional<uint32_t> FindAdded(std::string_view text) const;
};

// Reads the text of a tokenizer.json for a model with `n_rows` embedding rows. Ids that the tokenizer does
// not use become "[PADn]" of type kUnused, as in llama.cpp's converter. kCorrupt: JSON that is none, or that
// contradicts itself; kUnsupported: another model than byte-level BPE, another pattern than Qwen2's, other
// steps; kInvalidArgument: ids from n_rows on.
Result<GgufVocabulary> ReadGgufVocabulary(ByteSpan json, const std::string& where, size_t n_rows);

}  // namespace pith
