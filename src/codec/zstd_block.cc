#include "codec/zstd_block.h"

#include <zstd.h>
#include <zstd_errors.h>

#include <memory>
#include <string>

#include "base/check.h"

namespace pith {
namespace {

// Above this size level 19's own tables take 49 MiB. With these logarithms they take 21 MiB, run a tenth
// faster and lose 0.05 % (binaries) to 0.28 % (prose) on blocks of 4 MiB (measured with zstd 1.5.4).
constexpr size_t kTrimTablesAbove = 1u << 20;
constexpr int kTrimmedChainLog = 22;
constexpr int kTrimmedHashLog = 20;

struct FreeContext {
  void operator()(ZSTD_CCtx* c) const { ZSTD_freeCCtx(c); }
  void operator()(ZSTD_DCtx* c) const { ZSTD_freeDCtx(c); }
};

Status ZstdFailure(size_t code) {
  return Status(StatusCode::kIo, std::string("zstd: ") + ZSTD_getErrorName(code));
}

}  // namespace

Result<Bytes> ZstdCompress(ByteSpan content, int level) {
  PITH_CHECK(!content.empty());
  const std::unique_ptr<ZSTD_CCtx, FreeContext> context(ZSTD_createCCtx());
  if (context == nullptr) return IoError("zstd: out of memory");
  size_t code = ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, level);
  if (!ZSTD_isError(code)) code = ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, 0);
  if (!ZSTD_isError(code) && level >= kZstdBestLevel && content.size() > kTrimTablesAbove) {
    code = ZSTD_CCtx_setParameter(context.get(), ZSTD_c_chainLog, kTrimmedChainLog);
    if (!ZSTD_isError(code)) code = ZSTD_CCtx_setParameter(context.get(), ZSTD_c_hashLog, kTrimmedHashLog);
  }
  if (ZSTD_isError(code)) return ZstdFailure(code);
  Bytes frame(content.size() - 1);
  code = ZSTD_compress2(context.get(), frame.data(), frame.size(), content.data(), content.size());
  if (ZSTD_isError(code)) {
    // The only failure that an input can cause: the frame does not fit, so it is not smaller.
    if (ZSTD_getErrorCode(code) == ZSTD_error_dstSize_tooSmall) return Bytes();
    return ZstdFailure(code);
  }
  frame.resize(code);
  frame.shrink_to_fit();
  return frame;
}

Status ZstdDecompress(ByteSpan frame, size_t content_size, Bytes& content) {
  const auto bad = [](const std::string& what) { return Corrupt("zstd data: " + what); };
  const unsigned long long stated = ZSTD_getFrameContentSize(frame.data(), frame.size());
  if (stated == ZSTD_CONTENTSIZE_ERROR) return bad("no zstd frame");
  if (stated == ZSTD_CONTENTSIZE_UNKNOWN) return bad("the frame does not say its size");
  if (stated != content_size) {
    return bad("the frame has " + std::to_string(stated) + " bytes of content, expected " +
               std::to_string(content_size));
  }
  const size_t frame_size = ZSTD_findFrameCompressedSize(frame.data(), frame.size());
  if (ZSTD_isError(frame_size)) return bad(ZSTD_getErrorName(frame_size));
  if (frame_size != frame.size()) {
    return bad("the frame has " + std::to_string(frame_size) + " bytes, expected " +
               std::to_string(frame.size()));
  }
  const std::unique_ptr<ZSTD_DCtx, FreeContext> context(ZSTD_createDCtx());
  if (context == nullptr) return IoError("zstd: out of memory");
  content.resize(content_size);
  const size_t n =
      ZSTD_decompressDCtx(context.get(), content.data(), content.size(), frame.data(), frame.size());
  if (ZSTD_isError(n)) return bad(ZSTD_getErrorName(n));
  if (n != content_size)
    return bad(std::to_string(n) + " bytes of content, expected " + std::to_string(content_size));
  return OkStatus();
}

}  // namespace pith
