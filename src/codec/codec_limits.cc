#include "codec/codec_limits.h"

#include <algorithm>
#include <cstdio>

#include "codec/block_text.h"

namespace pith {

std::string MebibytesText(uint64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f MiB", static_cast<double>(bytes) / (1 << 20));
  return text;
}

uint64_t ModelBytes(const TokenModel& model, uint64_t n_streams) {
  return model.FixedBytes() + n_streams * model.BytesPerStream();
}

uint64_t AdaptiveBytes(const TokenModel& model, uint64_t n_tokens, uint64_t n_dictionary, uint64_t content_size) {
  const uint64_t once =
      AdaptiveMixer::MemoryBytes(MixerShape(model), AdaptiveMixer::TableTokens(n_dictionary, n_tokens), content_size);
  return n_dictionary != 0 ? 2 * once : once;
}

uint64_t ModelBlockBytes(const TokenModel& model, const BlockHeader& header, uint64_t n_dictionary) {
  return 2 * uint64_t{header.content_size} + header.payload_size +
         sizeof(TokenId) * uint64_t{header.n_tokens} * (header.lean ? 2 : 1) +
         BlockTextBytes(static_cast<CharacterEncoding>(header.encoding), header.content_size) +
         (header.adaptive ? AdaptiveBytes(model, header.TokensForTables(), n_dictionary, header.content_size) : 0);
}

Status CheckModelFitsFormat(const TokenModel& model) {
  const ModelIdentity& identity = model.identity();
  if (identity.window == 0 || identity.window > kMaxCachedTokens) {
    return InvalidArgument("a window of " + std::to_string(identity.window) + " tokens, expected 1 to " +
                           std::to_string(kMaxCachedTokens));
  }
  if (identity.n_sinks >= identity.window || identity.n_sinks > kMaxSinkTokens) {
    return InvalidArgument(std::to_string(identity.n_sinks) + " sinks in a window of " +
                           std::to_string(identity.window) + " tokens");
  }
  if (!IsStorableModelName(identity.name)) {
    return InvalidArgument("the model's name has more than " + std::to_string(kMaxModelNameBytes) +
                           " bytes or control characters");
  }
  return OkStatus();
}

Result<uint32_t> ChooseStreams(const TokenModel& model, uint64_t n_tokens, uint32_t wanted,
                               uint64_t memory_bytes, uint64_t buffer_bytes) {
  uint64_t n =
      wanted != 0 ? wanted : std::clamp<uint64_t>(n_tokens / kTokensPerStream, 1, kDefaultMaxStreams);
  n = std::min({n, n_tokens, uint64_t{kMaxStreams}, uint64_t{kMaxCachedTokens} / model.identity().window});
  if (memory_bytes != 0) {
    const uint64_t fixed = model.FixedBytes() + buffer_bytes;
    const uint64_t room =
        memory_bytes > fixed ? (memory_bytes - fixed) / std::max<uint64_t>(1, model.BytesPerStream()) : 0;
    if (room == 0) {
      return InvalidArgument("memory: " + MebibytesText(memory_bytes) + " allowed, but the model '" +
                             model.identity().name + "' needs at least " +
                             MebibytesText(ModelBytes(model, 1) + buffer_bytes));
    }
    n = std::min(n, room);
  }
  return static_cast<uint32_t>(n);
}

}  // namespace pith
