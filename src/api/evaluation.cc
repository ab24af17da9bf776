// Evaluate and EvaluateLogits of include/pith/pith.h.
#include <algorithm>
#include <vector>

#include "api/boundary.h"
#include "api/model_impl.h"
#include "base/bytes.h"
#include "codec/codec.h"
#include "pith/pith.h"

namespace pith {
namespace {

// Tokens whose logits are kept at once, so that rows can be given out in order: at most 64 MiB of them.
size_t RowsAtOnce(size_t vocab) {
  return std::clamp<size_t>((size_t{64} << 20) / (vocab * sizeof(float)), 1, Engine::kMaxRows);
}

}  // namespace

Result<EvaluateResult> Evaluate(Model& model, std::span<const uint8_t> data, const EvaluateOptions& options,
                                const ProgressCallback& progress) {
  return AtBoundary([&]() -> Result<EvaluateResult> {
    PITH_ASSIGN_OR_RETURN(TokenModel * token_model,
                          model.impl().ForContext(model.impl().ContextFor(options.window)));
    CodecProgressCallback forward;
    if (progress) {
      forward = [&progress](const CodecProgress& p) {
        return progress(
            {.bytes_in = p.bytes_in, .bytes_out = p.bytes_out, .original_bytes = p.original_bytes});
      };
    }
    PITH_ASSIGN_OR_RETURN(
        const CodeLength length,
        EvaluateCodeLength(*token_model, data, {.streams = options.streams, .block_bytes = 0}, forward));
    return EvaluateResult{
        .bytes = length.bytes, .tokens = length.tokens, .bits = length.ideal_bits, .streams = length.streams};
  });
}

Status EvaluateLogits(Model& model, std::span<const uint32_t> ids, uint32_t window, const LogitsRow& row) {
  return AtBoundary([&]() -> Status {
    if (ids.empty()) return OkStatus();
    const size_t vocab = model.impl().package->weights().config.vocab;
    for (size_t i = 0; i < ids.size(); ++i) {
      if (ids[i] >= vocab) {
        return InvalidArgument("id " + std::to_string(ids[i]) + " at position " + std::to_string(i) +
                               " is out of range, expected less than " + std::to_string(vocab));
      }
    }
    if (window != 0 && window <= kMaxSinks) {
      return InvalidArgument("window: " + std::to_string(window) + " tokens, expected at least " +
                             std::to_string(kMaxSinks + 1));
    }
    // A window that covers the whole stream is plain causal attention.
    const size_t all = std::max(ids.size(), kMaxSinks + 1);
    const size_t seen = window == 0 ? all : std::min<size_t>(window, all);
    const std::unique_ptr<Engine> engine =
        model.impl().NewEngine({.window = static_cast<uint32_t>(seen), .n_sinks = kDefaultSinks});
    KvCache cache = engine->NewCache();
    const size_t step = RowsAtOnce(vocab);
    std::vector<float> rows(step * vocab);  // [step, vocab]
    for (size_t begin = 0; begin < ids.size(); begin += step) {
      const std::span<const uint32_t> part = ids.subspan(begin, std::min(step, ids.size() - begin));
      const Segment segment{.cache = &cache, .tokens = part};
      PITH_RETURN_IF_ERROR(engine->Forward({&segment, 1}, [&](const TokenOutput& o) {
        std::copy_n(o.logits, vocab, rows.begin() + static_cast<ptrdiff_t>(o.index * vocab));
      }));
      for (size_t i = 0; i < part.size(); ++i) {
        PITH_RETURN_IF_ERROR(row(begin + i, std::span<const float>(rows).subspan(i * vocab, vocab)));
      }
    }
    return OkStatus();
  });
}

}  // namespace pith
