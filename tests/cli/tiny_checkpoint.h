// A checkpoint as small as can be, and the model file that `pith import` makes of it: tests then need no
// other model.
#pragma once

#include <cstdint>
#include <string>

namespace pith::test {

// Writes config.json, model.safetensors and tokenizer.json: one layer, 257 tokens (the bytes and
// <|endoftext|>). Other seeds give other weights, so another fingerprint.
void WriteTinyCheckpoint(const std::string& folder, uint64_t seed = 1);

// The same for a chat: 262 tokens, ChatML and thoughts. Whatever it is asked, it thinks "hm" and says "Yes.", or says
// "Yes." at once where thinking is off.
void WriteTinyChatCheckpoint(const std::string& folder);

// Text that the walking models know: one bit a character, where zstd needs five.
std::string WalkText(size_t n);

// Path of a model file of that checkpoint, made once for all tests of this process and seed.
const std::string& TinyModel(uint64_t seed = 1);

}  // namespace pith::test
