// One run of one codec in one direction in a process of its own, measured from outside.
//
// Wall time is from just before the process starts to the moment at which the system says that it has ended, as
// hyperfine takes it; CPU time what the system has counted; peak memory what the process read of itself at its end. Of
// a command line, all three are of `sh -c` alone, without the process around it that starts it.
//
// Not thread-safe: one run at a time.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "bench/energy_meter.h"
#include "bench/worker.h"
#include "pith/status.h"

namespace pith::bench {

struct RunOptions {
  std::string program = "/proc/self/exe";  // that RunWorker is in
  std::string folder;                      // for a file with what it says on standard error
  double timeout_seconds = 0;              // at most 1e8; then it is killed, and all that it has started
  const EnergyMeter* energy = nullptr;
  std::function<bool()> interrupted;  // asked often; may be empty
};

struct RunFigures {
  double seconds = 0, work_seconds = 0, cpu_seconds = 0;
  uint64_t peak_bytes = 0;
  std::optional<double> joules;
};

// kCancelled when interrupted; else a failure says what happened, with the last words on standard error. No process of
// the run is left.
Result<RunFigures> MeasureRun(const WorkerTask& task, const RunOptions& options);

}  // namespace pith::bench
