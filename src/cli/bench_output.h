// What `pith bench` leaves behind: results.json and index.html in a folder, and lines on standard output; and the modes that
// measure no files.
#pragma once

#include <string>

#include "cli/arguments.h"
#include "cli/console.h"
#include "pith/status.h"
#include "report/results.h"

namespace pith::cli {

inline constexpr const char* kBenchFolder = "pith-bench";

class BenchFolder {
 public:
  explicit BenchFolder(const std::string& path) : path_(path) {}

  const std::string& path() const { return path_; }
  std::string results() const { return path_ + (path_.ends_with('/') ? "" : "/") + "results.json"; }
  std::string page() const { return path_ + (path_.ends_with('/') ? "" : "/") + "index.html"; }

  // Makes it, and refuses what would be overwritten before anything is measured.
  Status Prepare(bool force) const;
  // Each whole or not at all; what stands there is replaced.
  Status SaveResults(const bench::Results& results) const;
  Status SavePage(const bench::Results& results) const;
  Status Save(const bench::Results& results) const;  // both

 private:
  std::string path_;
};

// Reports the failure and gives the exit code.
int FailBench(const Status& status, Console& console);

// Standard output as --json, --terminal and --quiet want it. False: could not be written, and was reported.
bool PrintBench(const bench::Results& results, const Arguments& arguments, Console& console);

int ShowBenchAgain(const Arguments& arguments, Console& console);      // --report
int CompareBench(const Arguments& arguments, Console& console);        // --compare
int MeasureBenchEngine(const Arguments& arguments, Console& console);  // --engine

}  // namespace pith::cli
