// Job: what compress, decompress and test have in common: inputs one after another, where each goes, what
// went wrong.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cli/arguments.h"
#include "cli/console.h"
#include "cli/files.h"
#include "cli/model_finder.h"
#include "pith/pith.h"

namespace pith::cli {

// A failure as one line about `input`: its name in front, unless the message begins with it or with
// `target`'s.
std::string ErrorLine(const Status& status, const std::string& input, const std::string& target);

// Counts what failed and turns that into the exit code.
class Outcome {
 public:
  void Failed() { ++failed_; }
  void FailedForModel() { ++failed_for_model_; }
  void FailedForOptions() { bad_options_ = true; }
  void Add(size_t n_failed) { failed_ += n_failed; }
  bool bad_options() const { return bad_options_; }
  // kExitModel only when nothing but models was wrong.
  int ExitCode() const {
    if (bad_options_) return kExitUsage;
    return failed_ != 0 ? kExitFailed : failed_for_model_ != 0 ? kExitModel : kExitOk;
  }

 private:
  size_t failed_ = 0;
  size_t failed_for_model_ = 0;
  bool bad_options_ = false;
};

class Job {
 public:
  Job(const Arguments& arguments, Console& console);
  virtual ~Job() = default;

  int Run();

 protected:
  struct Totals {
    size_t files = 0;
    uint64_t original_bytes = 0;
    uint64_t archive_bytes = 0;
  };

  // False when the input is to be left out without a word of failure.
  virtual bool Wants(const InputName& input) = 0;
  virtual bool writes() const = 0;          // a target at all
  virtual bool writes_archive() const = 0;  // binary: not to a terminal
  virtual bool reads_archive() const = 0;
  // The target's name beside the input; kInvalidArgument when there is none.
  virtual Result<std::string> TargetFor(const std::string& input_path) = 0;
  // Does the work; `target` is null unless writes(). Reports success itself.
  virtual Status Process(Input& input, Target* target) = 0;
  virtual std::string Summary(const Totals& totals, double seconds) = 0;

  // That of -D, read at the first call; null without -D.
  Result<const Dictionary*> GivenDictionary();

  // The inputs after the one at hand.
  std::span<const InputName> Upcoming() const { return std::span(inputs_).subspan(index_); }
  // Whether an input must be a regular file: neither link nor pipe. A link or a pipe is fine where the user says where the
  // result goes; the name beside a link would be a guess.
  bool RegularOnly() const {
    return writes() && !arguments_.output && !arguments_.to_stdout && !arguments_.force;
  }

  // "report.txt" or "(3/10) report.txt".
  std::string Label(const Input& input) const;
  // Work on what goes to standard output is reported on a terminal only: scripts and cron want silence.
  void Report(const Target* target, const std::string& line);
  // Called by Process at the end of each success.
  void Count(uint64_t original_bytes, uint64_t archive_bytes);

  const Arguments& arguments_;
  Console& console_;
  ModelFinder models_;
  Outcome outcome_;

 private:
  int CheckTerminals(size_t n_operands);
  void RunOne(const InputName& name);
  Status TryOne(const InputName& name, std::string& input_name, std::string& target_name);
  Result<std::unique_ptr<Target>> OpenTarget(const Input& input, std::string& target_name);
  bool ToStandardOutput(const std::string& input_path) const;

  Totals totals_;
  std::vector<InputName> inputs_;
  size_t index_ = 0;  // inputs begun
  std::optional<Dictionary> dictionary_;
};

// "12.3 of 45.0 MB  27 %  => 24.1 %  92 KB/s  ETA 1:23". `total` and `ratio_text` may be missing.
std::string ProgressText(const std::string& label, uint64_t done, std::optional<uint64_t> total,
                         const std::string& ratio_text, double seconds);

}  // namespace pith::cli
