// The compressors that `pith bench` runs through their own libraries: zstd, zlib, bzip2, liblzma, brotli.
//
// Streams: memory is what the library needs, whatever the size of the input. One thread. The bytes are those of the
// tools' command lines in bench_codec.cc (gzip's excepted: the tool has a deflate of its own).
#pragma once

#include <cstdint>
#include <string>

#include "pith/io.h"
#include "pith/status.h"

namespace pith::bench {

enum class Library { kZstd, kGzip, kBzip2, kXz, kBrotli };
inline constexpr size_t kNLibraries = 5;

struct LibraryCodec {
  Library library = Library::kZstd;
  int level = 0;
  bool extra = false;  // zstd: long-distance matching in a window of 128 MiB; xz: "e", extreme
};

inline constexpr int kZstdLongWindowLog = 27;
inline constexpr int kBrotliWindowLog = 24;

// What the tool of that name takes.
struct LevelRange {
  int lowest, highest, usual;
};
LevelRange LevelsOf(Library library);

const char* LibraryName(Library library);     // "zstd", "gzip", "bzip2", "xz", "brotli"
std::string LibraryVersion(Library library);  // "libzstd 1.5.4"

// Reads all of `source`, which holds `bytes` bytes, and writes one stream. kIo, or what source and sink say.
Status CompressByLibrary(const LibraryCodec& codec, ByteSource& source, uint64_t bytes, ByteSink& sink);

// Reads one stream to its end. kCorrupt where the library says so, or where the source ends first or goes on.
Status DecompressByLibrary(const LibraryCodec& codec, ByteSource& source, ByteSink& sink);

}  // namespace pith::bench
