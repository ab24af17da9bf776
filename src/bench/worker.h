// The process that is measured: the program starts itself as `pith bench --worker ...`, once for each codec, file,
// direction and repeat. The other side is measured_run.h.
//
// A worker says what it found on descriptor 3; where that is not open, only what went wrong, on standard error.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "bench/bench_codec.h"
#include "pith/status.h"

namespace pith::bench {

inline constexpr int kReportDescriptor = 3;
inline constexpr size_t kMaxReportBytes = 16 << 10;

struct WorkerTask {
  bool compress = true;
  std::variant<LibraryCodec, PithCodec, CommandCodec> how;
  std::string input, output;  // paths
  uint64_t limit_bytes = 0;   // of the output, and of any file that a command writes
  size_t threads = 0;         // of pith; 0: all
};

// What stands behind the program's name, "bench" and "--worker" included.
std::vector<std::string> WorkerArguments(const WorkerTask& task);

struct WorkerReport {
  double work_seconds = 0;
  uint64_t peak_bytes = 0;
  // Of the command alone, without the worker around it.
  std::optional<double> command_seconds, command_cpu_seconds;
  std::string error;  // empty: all went well
};
std::string WriteReport(const WorkerReport& report);
// kCorrupt.
Result<WorkerReport> ParseReport(const std::string& text);

// True when `args`, without the program's name, start a worker.
bool IsWorker(std::span<const std::string> args);
// REQUIRES: IsWorker(args). Returns the exit code.
int RunWorker(std::span<const std::string> args);

}  // namespace pith::bench
