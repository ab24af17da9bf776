// A checkpoint as small as can be, and the model file that `pith import` makes of it: tests then need no
// other model.
#pragma once

#include <cstdint>
#include <string>

namespace pith::test {

// Writes config.json, model.safetensors and tokenizer.json: one layer, 257 tokens (the bytes and
// <|endoftext|>). Other seeds give other weights, so another fingerprint.
void WriteTinyCheckpoint(const std::string& folder, uint64_t seed = 1);

// Text that these models know: one bit a character, where zstd needs five.
std::string WalkText(size_t n);

// Path of a model file of that checkpoint, made once for all tests of this process and seed.
const std::string& TinyModel(uint64_t seed = 1);

}  // namespace pith::test
