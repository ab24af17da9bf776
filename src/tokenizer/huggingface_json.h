// Reads the tokenizer.json of Hugging Face tokenizers: only byte-level BPE with Qwen's pattern.
#pragma once

#include <string_view>

#include "pith/status.h"
#include "tokenizer/vocabulary.h"

namespace pith {

inline constexpr size_t kMaxTokenizerJsonBytes = 1u << 28;  // Qwen3's has 11 MB, Gemma 3's 33 MB

// What does not bear on bytes and data tokens is not looked at: NFC, the post-processor, truncation, padding,
// and how added tokens are found in text (lstrip, rstrip, single_word, normalized).
Result<Vocabulary> ReadHuggingFaceJson(std::string_view json);

}  // namespace pith
