// Tokens of a text in which some bytes are data and others markup.
//
// A chat template writes <|im_start|> as markup; a user who writes it means these characters.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "jinja/marked_text.h"
#include "tokenizer/tokenizer.h"

namespace pith {

// Appends the tokens of the text from byte `begin` on. Added tokens are found where none of their bytes is
// data: the longest of those that begin first, as tokenizers of Hugging Face do it. What lies between them is
// encoded as a whole.
void EncodeMarked(const MarkedText& text, size_t begin, const Tokenizer& tokenizer,
                  std::vector<TokenId>& out);

// How many of `tokens` stand at the front of the text, as far as the last added token among them: their
// bytes, and markup for added ones, are the text's. `bytes`: where the text goes on after them. So what a
// model once wrote in tokens of its own choice need not be read again.
size_t CountTokensAtFront(const MarkedText& text, std::span<const TokenId> tokens, const Tokenizer& tokenizer,
                          size_t& bytes);

}  // namespace pith
