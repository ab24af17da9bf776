// EvaluateCodeLength: what the model alone makes of some data.
#include "codec/block_cutter.h"
#include "codec/block_text.h"
#include "codec/codec.h"
#include "codec/codec_limits.h"
#include "codec/model_block.h"
#include "codec/progress_meter.h"

namespace pith {

Result<CodeLength> EvaluateCodeLength(TokenModel& model, ByteSpan data, const EvaluateCodecOptions& options,
                                      const CodecProgressCallback& progress) {
  const uint32_t block_bytes = options.block_bytes != 0 ? options.block_bytes : kDefaultBlockBytes;
  if (block_bytes < kMinBlockBytes || block_bytes > kMaxBlockContent || options.streams > kMaxStreams) {
    return InvalidArgument("blocks of " + std::to_string(block_bytes) + " bytes and " +
                           std::to_string(options.streams) + " streams, expected at most " +
                           std::to_string(kMaxBlockContent) + " and " + std::to_string(kMaxStreams));
  }
  PITH_RETURN_IF_ERROR(CheckModelFitsFormat(model));
  MemorySource source(data);
  BlockCutter cutter(source, block_bytes);
  ProgressMeter meter(progress);
  CodeLength total;
  while (true) {
    PITH_ASSIGN_OR_RETURN(const InputBlock block, cutter.Next());
    if (block.content.empty()) break;
    PITH_ASSIGN_OR_RETURN(BlockText text, TokenizeBlock(model, block.content));
    const uint64_t n_tokens = text.tokens.size();
    PITH_ASSIGN_OR_RETURN(const uint32_t n_streams, ChooseStreams(model, n_tokens, options.streams, 0, 0));
    const auto go_on = [&](uint64_t tokens_done, uint64_t) -> Result<bool> {
      const double part = static_cast<double>(tokens_done) / static_cast<double>(n_tokens);
      const uint64_t done =
          total.bytes + static_cast<uint64_t>(part * static_cast<double>(block.content.size()));
      PITH_RETURN_IF_ERROR(meter.Report({done, 0, done}));
      return true;
    };
    PITH_ASSIGN_OR_RETURN(const TokenCodeLength length,
                          MeasureTokens(model, std::move(text.tokens), n_streams, go_on));
    if (total.blocks++ == 0) total.streams = n_streams;
    total.bytes += block.content.size();
    total.tokens += n_tokens;
    total.ideal_bits += length.ideal_bits;
    total.integer_bits += length.integer_bits;
  }
  PITH_RETURN_IF_ERROR(meter.ReportLast({total.bytes, 0, total.bytes}));
  return total;
}

}  // namespace pith
