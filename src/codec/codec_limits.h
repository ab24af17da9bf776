// The choices that encoder and evaluation share: streams of a block, memory, when to leave the model.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "codec/token_model.h"
#include "pith/status.h"

namespace pith {

// A stream costs the tokens before its context has grown; a step of many streams costs hardly more than one
// of few.
inline constexpr uint64_t kTokensPerStream = 3500;
inline constexpr uint32_t kDefaultMaxStreams = 32;

// How many streams a block of so many tokens gets. `wanted` 0: by size; memory_bytes 0: no bound.
// `buffer_bytes`: what the codec itself holds meanwhile.
// kInvalidArgument, saying how much is needed, when not even one stream fits.
Result<uint32_t> ChooseStreams(const TokenModel& model, uint64_t n_tokens, uint32_t wanted,
                               uint64_t memory_bytes, uint64_t buffer_bytes);

// Bytes that model and n streams take.
uint64_t ModelBytes(const TokenModel& model, uint64_t n_streams);

// Memory of what adapts while a block is coded.
// n_dictionary: tokens of a dictionary, 0 without; what it has taught is kept twice.
uint64_t AdaptiveBytes(const TokenModel& model, uint64_t n_tokens, uint64_t n_dictionary, uint64_t content_size);

// Memory that decoding a block by the model takes, beside the model and its streams.
uint64_t ModelBlockBytes(const TokenModel& model, const BlockHeader& header, uint64_t n_dictionary);

// kInvalidArgument when the format cannot record this model (its window or name).
Status CheckModelFitsFormat(const TokenModel& model);

// "12.3 MiB", for messages.
std::string MebibytesText(uint64_t bytes);

}  // namespace pith
