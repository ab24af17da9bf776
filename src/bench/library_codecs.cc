#include "bench/library_codecs.h"

#include <brotli/decode.h>
#include <brotli/encode.h>
#include <bzlib.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <memory>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/check.h"

namespace pith::bench {
namespace {

constexpr size_t kBufferBytes = 128 << 10;  // zstd's own recommendation, and more than the others need

// What a step of a library is given and leaves behind.
struct Step {
  const uint8_t* in;
  size_t n_in;
  uint8_t* out;
  size_t n_out;
};

// The loop that all of them share. `step(s, last)` takes input from s.in and gives output to s.out, moving both on;
// `last` says that no input follows. It returns true at the end of the stream.
template <typename StepFunction>
Status Pump(ByteSource& source, ByteSink& sink, StepFunction&& step) {
  std::vector<uint8_t> in(kBufferBytes), out(kBufferBytes);
  Step s{in.data(), 0, out.data(), out.size()};
  bool last = false, ended = false;
  while (!ended) {
    if (s.n_in == 0 && !last) {
      PITH_ASSIGN_OR_RETURN(s.n_in, source.Read(in));
      s.in = in.data();
      last = s.n_in == 0;
    }
    s.out = out.data();
    s.n_out = out.size();
    const size_t n_in = s.n_in;
    PITH_ASSIGN_OR_RETURN(ended, step(s, last));
    const size_t made = out.size() - s.n_out;
    if (made > 0) PITH_RETURN_IF_ERROR(sink.Write(std::span<const uint8_t>(out).first(made)));
    if (!ended && last && made == 0 && s.n_in == n_in) return Corrupt("the data ends in the middle");
  }
  if (s.n_in > 0) return Corrupt("data follows after the end");
  PITH_ASSIGN_OR_RETURN(const size_t more, source.Read(in));
  if (more > 0) return Corrupt("data follows after the end");
  return OkStatus();
}

// ---- zstd ---------------------------------------------------------------------------------------------------------

struct FreeZstd {
  void operator()(ZSTD_CCtx* c) const { ZSTD_freeCCtx(c); }
  void operator()(ZSTD_DCtx* d) const { ZSTD_freeDCtx(d); }
};

Status ZstdStatus(size_t code) {
  if (!ZSTD_isError(code)) return OkStatus();
  return Corrupt(std::string("libzstd: ") + ZSTD_getErrorName(code));
}

Status CompressZstd(const LibraryCodec& codec, ByteSource& source, uint64_t bytes, ByteSink& sink) {
  const std::unique_ptr<ZSTD_CCtx, FreeZstd> context(ZSTD_createCCtx());
  if (context == nullptr) return IoError("libzstd: no memory");
  const auto set = [&](ZSTD_cParameter parameter, int value) {
    return ZstdStatus(ZSTD_CCtx_setParameter(context.get(), parameter, value));
  };
  PITH_RETURN_IF_ERROR(set(ZSTD_c_compressionLevel, codec.level));
  PITH_RETURN_IF_ERROR(set(ZSTD_c_checksumFlag, 1));  // as the tool does
  if (codec.extra) {
    PITH_RETURN_IF_ERROR(set(ZSTD_c_windowLog, kZstdLongWindowLog));
    PITH_RETURN_IF_ERROR(set(ZSTD_c_enableLongDistanceMatching, 1));
  }
  PITH_RETURN_IF_ERROR(ZstdStatus(ZSTD_CCtx_setPledgedSrcSize(context.get(), bytes)));
  return Pump(source, sink, [&](Step& s, bool last) -> Result<bool> {
    ZSTD_inBuffer in{s.in, s.n_in, 0};
    ZSTD_outBuffer out{s.out, s.n_out, 0};
    const size_t left = ZSTD_compressStream2(context.get(), &out, &in, last ? ZSTD_e_end : ZSTD_e_continue);
    PITH_RETURN_IF_ERROR(ZstdStatus(left));
    s = {s.in + in.pos, s.n_in - in.pos, s.out + out.pos, s.n_out - out.pos};
    return last && left == 0;
  });
}

Status DecompressZstd(const LibraryCodec& codec, ByteSource& source, ByteSink& sink) {
  const std::unique_ptr<ZSTD_DCtx, FreeZstd> context(ZSTD_createDCtx());
  if (context == nullptr) return IoError("libzstd: no memory");
  if (codec.extra) {
    PITH_RETURN_IF_ERROR(ZstdStatus(ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, kZstdLongWindowLog)));
  }
  return Pump(source, sink, [&](Step& s, bool) -> Result<bool> {
    ZSTD_inBuffer in{s.in, s.n_in, 0};
    ZSTD_outBuffer out{s.out, s.n_out, 0};
    const size_t left = ZSTD_decompressStream(context.get(), &out, &in);
    PITH_RETURN_IF_ERROR(ZstdStatus(left));
    s = {s.in + in.pos, s.n_in - in.pos, s.out + out.pos, s.n_out - out.pos};
    return left == 0;
  });
}

// ---- zlib and bzip2: two interfaces of one shape ------------------------------------------------------------------

constexpr int kGzipFormat = 15 + 16;  // window of 32 KiB; 16: a gzip header in place of zlib's
constexpr int kZlibMemory = 8;        // the default, as deflateInit has it

Status CompressGzip(const LibraryCodec& codec, ByteSource& source, ByteSink& sink) {
  z_stream z{};
  if (deflateInit2(&z, codec.level, Z_DEFLATED, kGzipFormat, kZlibMemory, Z_DEFAULT_STRATEGY) != Z_OK) {
    return IoError("zlib: cannot start");
  }
  const Status status = Pump(source, sink, [&](Step& s, bool last) -> Result<bool> {
    z.next_in = const_cast<Bytef*>(s.in);
    z.avail_in = static_cast<uInt>(s.n_in);
    z.next_out = s.out;
    z.avail_out = static_cast<uInt>(s.n_out);
    const int code = deflate(&z, last ? Z_FINISH : Z_NO_FLUSH);
    s = {z.next_in, z.avail_in, z.next_out, z.avail_out};
    if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR)
      return IoError("zlib: error " + std::to_string(code));
    return code == Z_STREAM_END;
  });
  deflateEnd(&z);
  return status;
}

Status DecompressGzip(ByteSource& source, ByteSink& sink) {
  z_stream z{};
  if (inflateInit2(&z, kGzipFormat) != Z_OK) return IoError("zlib: cannot start");
  const Status status = Pump(source, sink, [&](Step& s, bool) -> Result<bool> {
    z.next_in = const_cast<Bytef*>(s.in);
    z.avail_in = static_cast<uInt>(s.n_in);
    z.next_out = s.out;
    z.avail_out = static_cast<uInt>(s.n_out);
    const int code = inflate(&z, Z_NO_FLUSH);
    s = {z.next_in, z.avail_in, z.next_out, z.avail_out};
    if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR) {
      return Corrupt(std::string("zlib: ") + (z.msg != nullptr ? z.msg : "damaged data"));
    }
    return code == Z_STREAM_END;
  });
  inflateEnd(&z);
  return status;
}

Status CompressBzip2(const LibraryCodec& codec, ByteSource& source, ByteSink& sink) {
  bz_stream b{};
  if (BZ2_bzCompressInit(&b, codec.level, 0, 0) != BZ_OK) return IoError("libbz2: cannot start");
  const Status status = Pump(source, sink, [&](Step& s, bool last) -> Result<bool> {
    b.next_in = reinterpret_cast<char*>(const_cast<uint8_t*>(s.in));
    b.avail_in = static_cast<unsigned>(s.n_in);
    b.next_out = reinterpret_cast<char*>(s.out);
    b.avail_out = static_cast<unsigned>(s.n_out);
    const int code = BZ2_bzCompress(&b, last ? BZ_FINISH : BZ_RUN);
    s = {s.in + (s.n_in - b.avail_in), b.avail_in, s.out + (s.n_out - b.avail_out), b.avail_out};
    if (code < 0) return IoError("libbz2: error " + std::to_string(code));
    return code == BZ_STREAM_END;
  });
  BZ2_bzCompressEnd(&b);
  return status;
}

Status DecompressBzip2(ByteSource& source, ByteSink& sink) {
  bz_stream b{};
  if (BZ2_bzDecompressInit(&b, 0, 0) != BZ_OK) return IoError("libbz2: cannot start");
  const Status status = Pump(source, sink, [&](Step& s, bool) -> Result<bool> {
    b.next_in = reinterpret_cast<char*>(const_cast<uint8_t*>(s.in));
    b.avail_in = static_cast<unsigned>(s.n_in);
    b.next_out = reinterpret_cast<char*>(s.out);
    b.avail_out = static_cast<unsigned>(s.n_out);
    const int code = BZ2_bzDecompress(&b);
    s = {s.in + (s.n_in - b.avail_in), b.avail_in, s.out + (s.n_out - b.avail_out), b.avail_out};
    if (code < 0) return Corrupt("libbz2: error " + std::to_string(code));
    return code == BZ_STREAM_END;
  });
  BZ2_bzDecompressEnd(&b);
  return status;
}

// ---- xz -----------------------------------------------------------------------------------------------------------

Status PumpXz(lzma_stream& x, ByteSource& source, ByteSink& sink) {
  const Status status = Pump(source, sink, [&](Step& s, bool last) -> Result<bool> {
    x.next_in = s.in;
    x.avail_in = s.n_in;
    x.next_out = s.out;
    x.avail_out = s.n_out;
    const lzma_ret code = lzma_code(&x, last ? LZMA_FINISH : LZMA_RUN);
    s = {x.next_in, x.avail_in, x.next_out, x.avail_out};
    if (code != LZMA_OK && code != LZMA_STREAM_END && code != LZMA_BUF_ERROR) {
      return Corrupt("liblzma: error " + std::to_string(code));
    }
    return code == LZMA_STREAM_END;
  });
  lzma_end(&x);
  return status;
}

Status CompressXz(const LibraryCodec& codec, ByteSource& source, ByteSink& sink) {
  lzma_stream x = LZMA_STREAM_INIT;
  const uint32_t preset = static_cast<uint32_t>(codec.level) | (codec.extra ? LZMA_PRESET_EXTREME : 0);
  if (lzma_easy_encoder(&x, preset, LZMA_CHECK_CRC64) != LZMA_OK) return IoError("liblzma: cannot start");
  return PumpXz(x, source, sink);
}

Status DecompressXz(ByteSource& source, ByteSink& sink) {
  lzma_stream x = LZMA_STREAM_INIT;
  if (lzma_stream_decoder(&x, UINT64_MAX, 0) != LZMA_OK) return IoError("liblzma: cannot start");
  return PumpXz(x, source, sink);
}

// ---- brotli -------------------------------------------------------------------------------------------------------

struct FreeBrotli {
  void operator()(BrotliEncoderState* e) const { BrotliEncoderDestroyInstance(e); }
  void operator()(BrotliDecoderState* d) const { BrotliDecoderDestroyInstance(d); }
};

Status CompressBrotli(const LibraryCodec& codec, ByteSource& source, uint64_t bytes, ByteSink& sink) {
  const std::unique_ptr<BrotliEncoderState, FreeBrotli> state(BrotliEncoderCreateInstance(nullptr, nullptr, nullptr));
  if (state == nullptr) return IoError("libbrotli: no memory");
  constexpr uint64_t kMaxSizeHint = uint64_t{1} << 30;  // as the tool does
  const std::pair<BrotliEncoderParameter, uint32_t> parameters[] = {
      {BROTLI_PARAM_QUALITY, static_cast<uint32_t>(codec.level)},
      {BROTLI_PARAM_LGWIN, kBrotliWindowLog},
      {BROTLI_PARAM_SIZE_HINT, static_cast<uint32_t>(std::min(bytes, kMaxSizeHint))}};
  for (const auto& [parameter, value] : parameters) {
    if (BrotliEncoderSetParameter(state.get(), parameter, value) != BROTLI_TRUE) {
      return IoError("libbrotli: refuses parameter " + std::to_string(parameter));
    }
  }
  return Pump(source, sink, [&](Step& s, bool last) -> Result<bool> {
    const BrotliEncoderOperation operation = last ? BROTLI_OPERATION_FINISH : BROTLI_OPERATION_PROCESS;
    if (BrotliEncoderCompressStream(state.get(), operation, &s.n_in, &s.in, &s.n_out, &s.out, nullptr) != BROTLI_TRUE) {
      return IoError("libbrotli: cannot compress");
    }
    return BrotliEncoderIsFinished(state.get()) == BROTLI_TRUE;
  });
}

Status DecompressBrotli(ByteSource& source, ByteSink& sink) {
  const std::unique_ptr<BrotliDecoderState, FreeBrotli> state(BrotliDecoderCreateInstance(nullptr, nullptr, nullptr));
  if (state == nullptr) return IoError("libbrotli: no memory");
  return Pump(source, sink, [&](Step& s, bool) -> Result<bool> {
    const BrotliDecoderResult result =
        BrotliDecoderDecompressStream(state.get(), &s.n_in, &s.in, &s.n_out, &s.out, nullptr);
    if (result == BROTLI_DECODER_RESULT_ERROR) {
      return Corrupt(std::string("libbrotli: ") + BrotliDecoderErrorString(BrotliDecoderGetErrorCode(state.get())));
    }
    return result == BROTLI_DECODER_RESULT_SUCCESS;
  });
}

std::string BrotliVersion() {
  const uint32_t v = BrotliEncoderVersion();  // 0xMMMmmmppp, by its header
  return std::to_string(v >> 24) + "." + std::to_string(v >> 12 & 0xfff) + "." + std::to_string(v & 0xfff);
}

}  // namespace

LevelRange LevelsOf(Library library) {
  switch (library) {
    case Library::kZstd:
      return {1, 22, 3};
    case Library::kGzip:
      return {1, 9, 6};
    case Library::kBzip2:
      return {1, 9, 9};
    case Library::kXz:
      return {0, 9, 6};
    case Library::kBrotli:
      return {0, 11, 11};
  }
  PITH_CHECK(false);
}

const char* LibraryName(Library library) {
  constexpr const char* kNames[kNLibraries] = {"zstd", "gzip", "bzip2", "xz", "brotli"};
  return kNames[static_cast<size_t>(library)];
}

std::string LibraryVersion(Library library) {
  switch (library) {
    case Library::kZstd:
      return std::string("libzstd ") + ZSTD_versionString();
    case Library::kGzip:
      return std::string("zlib ") + zlibVersion();
    case Library::kBzip2: {
      const std::string version = BZ2_bzlibVersion();  // "1.0.8, 13-Jul-2019"
      return "libbz2 " + version.substr(0, version.find(','));
    }
    case Library::kXz:
      return std::string("liblzma ") + lzma_version_string();
    case Library::kBrotli:
      return "libbrotli " + BrotliVersion();
  }
  PITH_CHECK(false);
}

Status CompressByLibrary(const LibraryCodec& codec, ByteSource& source, uint64_t bytes, ByteSink& sink) {
  switch (codec.library) {
    case Library::kZstd:
      return CompressZstd(codec, source, bytes, sink);
    case Library::kGzip:
      return CompressGzip(codec, source, sink);
    case Library::kBzip2:
      return CompressBzip2(codec, source, sink);
    case Library::kXz:
      return CompressXz(codec, source, sink);
    case Library::kBrotli:
      return CompressBrotli(codec, source, bytes, sink);
  }
  PITH_CHECK(false);
}

Status DecompressByLibrary(const LibraryCodec& codec, ByteSource& source, ByteSink& sink) {
  switch (codec.library) {
    case Library::kZstd:
      return DecompressZstd(codec, source, sink);
    case Library::kGzip:
      return DecompressGzip(source, sink);
    case Library::kBzip2:
      return DecompressBzip2(source, sink);
    case Library::kXz:
      return DecompressXz(source, sink);
    case Library::kBrotli:
      return DecompressBrotli(source, sink);
  }
  PITH_CHECK(false);
}

}  // namespace pith::bench
