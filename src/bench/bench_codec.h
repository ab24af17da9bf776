// BenchCodec: a compressor that `pith bench` measures, as its user names it.
//
//   zstd:19  zstd:22long  gzip:9  bzip2:9  xz:9e  brotli:11       through their libraries
//   pith  pith:7  pith:-7  pith:model=FILE_OR_NAME,plain,best-of  pith itself
//   NAME=COMPRESS COMMAND|DECOMPRESS COMMAND                      any program; {input} and {output} are the files
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "bench/library_codecs.h"
#include "report/results.h"
#include "pith/status.h"

namespace pith::bench {

inline constexpr size_t kMaxCodecs = 200;
inline constexpr size_t kMaxCodecName = 60;        // bytes, of --codec: a column of tables
inline constexpr size_t kMaxCodecText = 64 << 10;  // bytes of a --codec or --codecs

struct PithCodec {
  uint32_t contexts = 0;  // as in CompressOptions; then no model
  bool best_of = false;
  bool plain = false;
  std::string model_path;  // what FindModel gave: "builtin" or a path; empty: none needed
};

// Lines for sh -c. Where {input} or {output} does not occur, standard input or output is the file.
struct CommandCodec {
  std::string compress, decompress;
};

struct BenchCodec {
  CodecEntry entry;
  std::variant<LibraryCodec, PithCodec, CommandCodec> how;

  bool is_command() const { return std::holds_alternative<CommandCodec>(how); }
  bool is_pith() const { return std::holds_alternative<PithCodec>(how); }
};

// One of the first two kinds. Looks for the model, but loads none. kInvalidArgument says what a codec may be;
// kNotFound: the model. `threads` is for the command lines that repeat it (0: all).
Result<BenchCodec> ParseCodec(std::string_view text, size_t threads);

// --codec. kInvalidArgument.
Result<BenchCodec> ParseCommandCodec(std::string_view text);

// "pith,zstd:19": texts for ParseCodec. A comma before an option of pith ("pith:model=x,plain") belongs to it.
std::vector<std::string> SplitCodecs(std::string_view list);

// Every level of pith that differs from the others on this machine, and the usual others.
std::vector<std::string> DefaultCodecs();

// kInvalidArgument where there are none, too many, or two of one name.
Status CheckCodecs(const std::vector<BenchCodec>& codecs);

// `text` in single quotes, as sh reads it.
std::string ShellQuoted(std::string_view text);

// `line` with {input} and {output} replaced.
std::string FilledIn(std::string_view line, const std::string& input, const std::string& output);

}  // namespace pith::bench
