// Results: what `pith bench` measured, as it is written to results.json (docs/results_format.md) and read again.
//
// Plain data. Times are seconds, sizes bytes. What was not measured is absent (std::optional), never 0.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "pith/status.h"

namespace pith::bench {

inline constexpr int kResultsVersion = 1;
inline constexpr size_t kMaxResultsBytes = size_t{256} << 20;

// The machine and the programs, so that a number can be repeated.
struct Machine {
  std::string processor;  // "AMD EPYC 9B45"
  std::string instruction_set;  // the kernels that pith chose: "avx512vnni"
  uint32_t n_processors = 0;    // that this process may use
  uint64_t memory_bytes = 0;
  std::string system;  // "Debian GNU/Linux 12 (bookworm), Linux 6.1.0"
  bool energy = false;  // whether joules could be read
};

// A compressor at one level.
struct CodecEntry {
  std::string name;                // unique: "pith -6", "zstd -19", "xz -9e", or the name of --codec
  std::string version;             // of the library: "libzstd 1.5.4"; empty for command lines
  std::string compress_command;    // a line that repeats it by hand, {input} and {output} being the files
  std::string decompress_command;
  bool is_pith = false;
  // What the decoder needs beside the program: pith's model, inside the program or not. 0: nothing. Never part of the archive.
  uint64_t model_bytes = 0;
  std::string model;  // its name and fingerprint; empty: none
};

enum class FileType { kProse, kSource, kJson, kMarkup, kCsv, kLog, kOtherText, kBinary };
inline constexpr size_t kNFileTypes = 8;

// A file, or `slice_bytes` bytes of it, from `slice_begin` on (--slice).
struct FileEntry {
  std::string path;  // as given, or relative to the folder given
  FileType type = FileType::kOtherText;
  uint64_t bytes = 0;
  std::string sha256;  // lower-case hexadecimal; empty where it could not be read
  std::optional<uint64_t> slice_bytes;
  uint64_t slice_begin = 0;  // meaningless without slice_bytes
  std::string error;  // why it was not measured; empty: it was
};

// Over the repeats.
struct Spread {
  double median = 0, min = 0, max = 0;
};

struct Direction {
  Spread seconds;       // wall time of the whole process, start and end included, as hyperfine shows it
  Spread work_seconds;  // from opening the input to closing the output, inside the process; for a command line the same as seconds
  Spread cpu_seconds;   // user and system, all threads
  uint64_t peak_bytes = 0;  // resident memory, largest of the repeats
  std::optional<double> joules;  // of the processor package, median
};

// One codec on one file.
struct Row {
  size_t codec = 0, file = 0;  // indices
  uint32_t repeats = 0;        // completed ones; warm-up not counted
  uint64_t compressed_bytes = 0;
  std::string compressed_sha256;
  uint32_t streams = 0;  // pith: of the largest block; 0: not pith or none
  std::optional<Direction> compress, decompress;
  std::string error;  // "decompress: byte 17 differs"; empty: round trip is right
  std::string note;   // what is odd but no failure: "archives of two runs differ"
};

// One speed of the engine (--engine) beside what the machine can do.
struct EngineSpeed {
  std::string name;  // "prefill, all logits"
  uint32_t threads = 0;
  uint32_t streams = 1;
  double tokens_per_second = 0;
  std::optional<double> int8_share, bandwidth_share;  // of what as many threads can do; 0 to 1
};

struct EngineResults {
  std::string engine;  // "pith 0.1.0", or another program's, merged in
  std::string model;   // name, shape, bytes of weights
  uint64_t weight_bytes = 0;
  std::optional<double> int8_operations_per_second, read_bytes_per_second;  // of the machine, with the most threads measured
  std::vector<EngineSpeed> speeds;
};

struct Results {
  std::string created;  // UTC: "2026-11-26T05:30:00Z"
  std::string program;  // "pith 0.1.0"
  std::string command;  // the line that made it
  std::string corpus;   // what was measured, in words: --corpus's name, or the operands
  bool complete = true;  // false: interrupted
  uint32_t repeats = 0, warmups = 0, threads = 0;
  double timeout_seconds = 0;
  Machine machine;
  std::vector<CodecEntry> codecs;
  std::vector<FileEntry> files;
  std::vector<Row> rows;
  std::vector<EngineResults> engines;
};

// "prose", "source", "json", "markup", "csv", "log", "text", "binary": as in results.json.
const char* FileTypeName(FileType type);
std::optional<FileType> FileTypeNamed(std::string_view name);

std::string WriteResults(const Results& results);  // JSON, indented by one space, ends with a newline

// kUnsupported for another version (found, expected), kCorrupt with the JSON pointer of what is wrong. `name` is for messages.
// Indices of rows are in range, names of codecs unique, and numbers finite and not negative.
Result<Results> ReadResults(ByteSpan json, const std::string& name);

}  // namespace pith::bench
