#include "codec/context_block.h"

#include <algorithm>
#include <memory>

#include "base/check.h"
#include "coder/arithmetic_coder.h"

namespace pith {

Result<std::optional<Bytes>> EncodeByContexts(ContextStrength strength, ByteSpan content, const AfterBytes& go_on) {
  PITH_CHECK(!content.empty());
  const std::unique_ptr<ByteMixer> mixer = ByteMixer::Make(strength, static_cast<uint32_t>(content.size()));
  Bytes code;
  BinaryEncoder encoder(code);
  for (size_t done = 0; done < content.size();) {
    const size_t end = std::min(content.size(), done + kContextPartBytes);
    for (; done < end; ++done) {
      for (int i = 7; i >= 0; --i) {
        const int bit = content[done] >> i & 1;
        encoder.Encode(bit, mixer->Probability());
        mixer->Learn(bit);
      }
    }
    PITH_ASSIGN_OR_RETURN(const bool more, go_on(done, code.size()));
    if (!more) return std::optional<Bytes>();
  }
  encoder.Finish();
  return std::optional<Bytes>(std::move(code));
}

Status DecodeByContexts(ContextStrength strength, ByteSpan code, size_t content_size, const std::string& where,
                        Bytes& content, const AfterBytes& go_on) {
  PITH_CHECK(content_size != 0);
  const auto misfit = [&](const std::string& what) {
    return Corrupt(where + ": its code of " + std::to_string(code.size()) + " bytes " + what + " " +
                   std::to_string(content_size) + " bytes of content");
  };
  const std::unique_ptr<ByteMixer> mixer = ByteMixer::Make(strength, static_cast<uint32_t>(content_size));
  BinaryDecoder decoder(code);
  content.resize(content_size);
  for (size_t done = 0; done < content_size;) {
    const size_t end = std::min(content_size, done + kContextPartBytes);
    for (; done < end; ++done) {
      uint32_t byte = 1;
      while (byte < 256) {
        const int bit = decoder.Decode(mixer->Probability());
        mixer->Learn(bit);
        byte = 2 * byte + static_cast<uint32_t>(bit);
      }
      content[done] = static_cast<uint8_t>(byte);
      if (decoder.Exhausted()) return misfit("ends after " + std::to_string(done + 1) + " of");
    }
    PITH_ASSIGN_OR_RETURN(const bool more, go_on(done, code.size()));
    if (!more) return Cancelled("cancelled by the caller");
  }
  if (!decoder.AtEnd()) return misfit("goes on after");
  return OkStatus();
}

}  // namespace pith
