// Benchmark: every codec on every file, each run in a process of its own, and what came of it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "bench/bench_codec.h"
#include "report/results.h"
#include "pith/status.h"

namespace pith::bench {

// What a codec may write: so many times the input and a bit more for small ones, or what the disk has left beyond the
// reserve. A codec that needs more is stopped.
inline constexpr uint64_t kMaxGrowth = 4;
inline constexpr uint64_t kGrowthSlackBytes = 1 << 20;
inline constexpr uint64_t kFreeSpaceReserveBytes = 64 << 20;
inline constexpr size_t kMaxRows = 200'000;
inline constexpr uint32_t kMaxRepeats = 10'000;
inline constexpr size_t kMaxSlices = 16;
inline constexpr double kMaxTimeoutSeconds = 1e8;
// Without BenchmarkOptions::warmups, a first run that took less is not counted: what it waits for - the program and the
// file to come into memory - would show. Beyond, it would not, and takes long.
inline constexpr double kWarmupBelowSeconds = 1;

struct BenchmarkOptions {
  std::vector<BenchCodec> codecs;
  std::vector<std::string> operands;  // files and folders
  std::string output_folder;          // left out where it lies in a folder of these
  std::vector<uint64_t> slices;       // bytes
  uint32_t repeats = 3;
  std::optional<uint32_t> warmups;
  double timeout_seconds = 3600;                      // of one run
  size_t threads = 0;                                 // of pith; 0: all
  std::string program = "/proc/self/exe";             // that RunWorker is in
  std::string energy_folder = "/sys/class/powercap";  // see EnergyMeter
  std::string command, corpus;                        // for the results
};

struct BenchmarkProgress {
  std::string file, codec;  // codec: empty while files are hashed
  size_t file_number = 0, n_files = 0;
  bool compress = true;
  uint32_t run = 0;                    // from 1; of a warm-up 0
  double done = 0;                     // 0 to 1, by the bytes
  std::optional<double> seconds_left;  // once every codec has been seen
};

struct BenchmarkCallbacks {
  std::function<bool()> interrupted;
  std::function<void(const BenchmarkProgress&)> progress;
  std::function<void(const std::string&)> left_out;
  std::function<void(const Results&)> files_listed;  // before the first row
  std::function<void(const Results&)> row_done;      // the last row is the new one
};

// kInvalidArgument for options without meaning. Touches no file.
Status CheckOptions(const BenchmarkOptions& options);

// Where the benchmark has to stop early, because it was interrupted, the results have complete = false and the rows
// that were finished. What goes wrong with a file or a codec is in its entry or row. As CheckOptions, or kIo where
// there is no place for temporary files; those are gone at the end. All callbacks are required.
Result<Results> RunBenchmark(const BenchmarkOptions& options, const BenchmarkCallbacks& callbacks);

// An error that says that the file could not be read; not that it is empty.
inline bool HasFailed(const FileEntry& file) { return !file.error.empty() && file.sha256.empty(); }
bool HasFailed(const Results& results);  // any file or row

}  // namespace pith::bench
