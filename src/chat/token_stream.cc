#include "chat/token_stream.h"

#include <algorithm>
#include <string>

#include "base/check.h"

namespace pith {

TokenStream::TokenStream(Engine& engine)
    : engine_(engine),
      cache_(engine.NewCache()),
      vocab_(engine.weights().config.vocab),
      stride_(RoundUp(vocab_, kCacheLine / sizeof(float))) {
  PITH_CHECK(engine.n_sinks() == 0);
}

void TokenStream::Rewind(size_t n) {
  cache_.Truncate(n);
  tokens_.resize(n);
}

Status TokenStream::Append(std::span<const TokenId> tokens, size_t n_logits, const GoOn& go_on) {
  PITH_CHECK(n_logits <= tokens.size());
  if (tokens.size() > room()) {
    return InvalidArgument("context: " + std::to_string(tokens_.size()) + " tokens and " +
                           std::to_string(tokens.size()) + " more, expected at most " +
                           std::to_string(capacity()));
  }
  if (logits_.size() < n_logits * stride_) logits_ = AlignedBuffer<float>(n_logits * stride_);
  const size_t first = tokens.size() - n_logits;
  for (size_t begin = 0; begin < tokens.size();) {
    const size_t n = std::min(tokens.size() - begin, Engine::kMaxRows);
    const size_t from = std::clamp(first, begin, begin + n);
    const Segment segment{.cache = &cache_, .tokens = tokens.subspan(begin, n), .logits_from = from - begin};
    PITH_RETURN_IF_ERROR(
        engine_.Forward({&segment, 1}, [&](const TokenOutput& o) {
          std::copy_n(o.logits, vocab_, logits_.data() + (begin + o.index - first) * stride_);
        }));
    tokens_.insert(tokens_.end(), segment.tokens.begin(), segment.tokens.end());
    begin += n;
    if (begin < tokens.size() && go_on && !go_on()) return Cancelled("the prompt was given up");
  }
  return OkStatus();
}

}  // namespace pith
