// Reads the tokenizer of a GGUF file (tokenizer.ggml.*): only byte-level BPE with the pattern of Qwen2, as
// llama.cpp's converter and pith write it for Qwen3.
#pragma once

#include "formats/gguf.h"
#include "pith/status.h"
#include "tokenizer/vocabulary.h"

namespace pith {

// The vocabulary of the tokenizer.json that the file was made from: control and user-defined tokens become
// added tokens, unused ones are holes. kCorrupt for lists that are missing or contradict each other;
// kUnsupported for another model, another pattern, and types of tokens that byte-level BPE does not have.
Result<Vocabulary> ReadGgufTokenizer(const GgufFile& file);

}  // namespace pith
