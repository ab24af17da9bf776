// A block by the model: tokens of S streams in lockstep, one arithmetic code. docs/format.md section 6.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "archive/archive_format.h"
#include "base/bytes.h"
#include "codec/text_dictionary.h"
#include "codec/token_model.h"
#include "pith/status.h"

namespace pith {

// Asked on the calling thread after each part of a block. A failure ends the work and is handed on; false ends it
// without one. Of a lean block that is decoded, tokens_done are bytes of its text: how many tokens there are is not known.
using AfterTokens = std::function<Result<bool>(uint64_t tokens_done, uint64_t code_bytes)>;

struct CodedTokens {
  uint32_t n_tokens = 0;
  uint32_t n_streams = 0;
  uint32_t probe = 0;
  Bytes code;
};

// Codes `tokens`, mixed with what they themselves teach where `adaptive`, and what `dictionary` (or null) has taught
// before; nothing when `go_on` said false. table_tokens: BlockHeader::TokensForTables() of the block.
// REQUIRES: 1 <= n_streams <= tokens.size(), tokens from model.Tokenize; a dictionary only where adaptive.
Result<std::optional<CodedTokens>> EncodeTokens(TokenModel& model, std::vector<TokenId> tokens,
                                                size_t n_streams, bool adaptive, uint64_t table_tokens,
                                                const TextDictionary* dictionary, const AfterTokens& go_on);

// Memory that EncodeTokens takes for what the model says of the tokens that it is ahead of the coder.
uint64_t EncoderBytes(const TokenModel& model, uint64_t n_tokens);

// A mixer that has coded `tokens` as one stream, to be continued: see AdaptiveMixer. Needs the kernels' float environment.
Result<std::unique_ptr<AdaptiveMixer>> LearnTokens(TokenModel& model, const std::vector<TokenId>& tokens,
                                                   uint64_t table_tokens);

// Decodes a block whose header the archive reader has accepted; content.size() becomes header.content_size.
// kWrongModel, since the payload is what its writer wrote: the probe or the content differ, or what decodes
// does not fit the sizes given. `where` begins the message.
Status DecodeModelBlock(TokenModel& model, const BlockHeader& header, ByteSpan code, const TextDictionary* dictionary,
                        const std::string& where, Bytes& content, const AfterTokens& go_on);

// A block to be decoded together with others.
struct ModelBlock {
  BlockHeader header;
  ByteSpan code;
  std::optional<Bytes> content;
};

// Decodes blocks of different archives at the same time: a model reads its weights once for a token of each, so that
// many small blocks take hardly longer than the streams of a large one. Sets the content of those with which nothing was
// wrong; the others stay as they are, and DecodeModelBlock says why. Takes the memory of all at once.
// REQUIRES: headers are adaptive and such as the archive reader accepts; all were made with `dictionary`, or all without any.
void DecodeModelBlocksTogether(TokenModel& model, std::span<ModelBlock> blocks, const TextDictionary* dictionary);

struct TokenCodeLength {
  double ideal_bits = 0;    // from the model's exact probabilities
  double integer_bits = 0;  // from the integer ones
};

// What EncodeTokens would have to write by the model alone. False from `go_on` is kCancelled.
Result<TokenCodeLength> MeasureTokens(TokenModel& model, std::vector<TokenId> tokens, size_t n_streams,
                                      const AfterTokens& go_on);

}  // namespace pith
