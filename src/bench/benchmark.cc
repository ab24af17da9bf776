#include "bench/benchmark.h"

#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <map>
#include <memory>
#include <system_error>
#include <utility>

#include "bench/energy_meter.h"
#include "bench/file_descriptor.h"
#include "bench/input_list.h"
#include "bench/measured_run.h"
#include "bench/file_digest.h"
#include "bench/this_machine.h"
#include "pith/pith.h"

namespace pith::bench {
namespace {

namespace fs = std::filesystem;

constexpr size_t kCompareBytes = 256 << 10;

double Now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

// A private folder in TMPDIR that goes away with everything in it.
class TemporaryFolder {
 public:
  static Result<std::unique_ptr<TemporaryFolder>> Create() {
    const char* const parent = std::getenv("TMPDIR");
    std::string pattern = std::string(parent != nullptr && parent[0] != '\0' ? parent : "/tmp") + "/pith-bench.XXXXXX";
    if (mkdtemp(pattern.data()) == nullptr) {
      return IoError(pattern + ": cannot make a folder for temporary files: " + std::strerror(errno));
    }
    return std::unique_ptr<TemporaryFolder>(new TemporaryFolder(pattern));
  }
  ~TemporaryFolder() { Remove(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::string& path() const { return path_; }
  static void Remove(const std::string& path) {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }

 private:
  explicit TemporaryFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

// OK where both files hold the same bytes.
Status Compare(const std::string& path, const std::string& original) {
  PITH_ASSIGN_OR_RETURN(const FileDescriptor a, FileDescriptor::OpenToRead(path));
  PITH_ASSIGN_OR_RETURN(const FileDescriptor b, FileDescriptor::OpenToRead(original));
  FdSource from_a(a.fd(), "output"), from_b(b.fd(), "input");
  std::vector<uint8_t> buffer_a(kCompareBytes), buffer_b(kCompareBytes);
  for (uint64_t at = 0;;) {
    PITH_ASSIGN_OR_RETURN(const size_t n_a, ReadFully(from_a, buffer_a));
    PITH_ASSIGN_OR_RETURN(const size_t n_b, ReadFully(from_b, buffer_b));
    const size_t n = std::min(n_a, n_b);
    const auto different =
        std::mismatch(buffer_a.begin(), buffer_a.begin() + static_cast<ptrdiff_t>(n), buffer_b.begin());
    const auto same = static_cast<size_t>(different.first - buffer_a.begin());
    if (same < n) return Corrupt("byte " + std::to_string(at + same) + " differs");
    at += n;
    if (n_a < n_b) return Corrupt("the output ends after " + std::to_string(at) + " bytes");
    if (n_a > n_b) return Corrupt("the output goes on after the " + std::to_string(at) + " bytes of the input");
    if (n == 0) return OkStatus();
  }
}

// A pipe by that name would let us wait for ever, a link read what is not the codec's.
Status CheckOutput(const std::string& path) {
  struct stat info;
  if (lstat(path.c_str(), &info) != 0) return IoError("there is no output");
  if (!S_ISREG(info.st_mode)) return IoError("the output is not a regular file");
  return OkStatus();
}

Spread SpreadOf(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t n = values.size();
  return {.median = n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2,
          .min = values.front(),
          .max = values.back()};
}

Direction DirectionOf(const std::vector<RunFigures>& runs) {
  std::vector<double> seconds, work, cpu, joules;
  Direction direction;
  for (const RunFigures& run : runs) {
    seconds.push_back(run.seconds);
    work.push_back(run.work_seconds);
    cpu.push_back(run.cpu_seconds);
    if (run.joules) joules.push_back(*run.joules);
    direction.peak_bytes = std::max(direction.peak_bytes, run.peak_bytes);
  }
  direction.seconds = SpreadOf(std::move(seconds));
  direction.work_seconds = SpreadOf(std::move(work));
  direction.cpu_seconds = SpreadOf(std::move(cpu));
  if (joules.size() == runs.size()) direction.joules = SpreadOf(std::move(joules)).median;
  return direction;
}

// Of the largest block; 0 where no model was at work.
Result<uint32_t> StreamsOf(const std::string& archive) {
  PITH_ASSIGN_OR_RETURN(const FileDescriptor file, FileDescriptor::OpenToRead(archive));
  FdSource source(file.fd(), "output");
  PITH_ASSIGN_OR_RETURN(const std::vector<ArchiveInfo> archives, ListArchive(source));
  uint32_t streams = 0;
  uint64_t largest = 0;
  for (const ArchiveInfo& info : archives) {
    for (const ArchiveBlock& block : info.blocks) {
      if (block.original_bytes <= largest) continue;
      largest = block.original_bytes;
      streams = block.streams;
    }
  }
  return streams;
}

class Benchmark {
 public:
  Benchmark(const BenchmarkOptions& options, const BenchmarkCallbacks& callbacks)
      : options_(options), callbacks_(callbacks), energy_(options.energy_folder), pace_(options.codecs.size()) {}

  Result<Results> Run() {
    PITH_RETURN_IF_ERROR(CheckOptions(options_));
    PITH_ASSIGN_OR_RETURN(temporary_, TemporaryFolder::Create());
    Describe();
    PITH_RETURN_IF_ERROR(ListAndExamine());
    callbacks_.files_listed(results_);
    for (size_t file = 0; file < inputs_.size() && results_.complete; ++file) {
      if (inputs_[file].entry.error.empty()) MeasureFile(file);
    }
    return std::move(results_);
  }

 private:
  void Describe() {
    results_ = ResultsOfThisMachine();
    results_.command = options_.command;
    results_.corpus = options_.corpus;
    results_.repeats = options_.repeats;
    results_.warmups = options_.warmups.value_or(1);
    results_.timeout_seconds = options_.timeout_seconds;
    results_.machine.energy = energy_.available();
    results_.threads = options_.threads != 0 ? static_cast<uint32_t>(options_.threads) : results_.machine.n_processors;
    for (const BenchCodec& codec : options_.codecs) results_.codecs.push_back(codec.entry);
  }

  Status ListAndExamine() {
    PITH_ASSIGN_OR_RETURN(const std::vector<BenchInput> listed,
                          ListInputs(options_.operands, options_.output_folder, callbacks_.left_out));
    std::vector<uint64_t> slices = options_.slices;
    std::sort(slices.begin(), slices.end());
    for (const BenchInput& found : listed) {
      if (Interrupted()) break;
      BenchInput input = found;
      progress_ = {.file = input.entry.path, .file_number = inputs_.size() + 1, .n_files = listed.size()};
      callbacks_.progress(progress_);
      if (input.entry.error.empty()) ExamineInput(input);
      inputs_.push_back(input);
      for (const uint64_t bytes : slices) {
        if (!input.entry.error.empty() || bytes >= input.entry.bytes) continue;
        const Result<BenchInput> slice = SliceOf(input, bytes);
        if (slice.ok()) {
          inputs_.push_back(*slice);
        } else {
          inputs_.push_back(input);
          inputs_.back().entry.slice_bytes = bytes;
          inputs_.back().entry.sha256.clear();
          inputs_.back().entry.error = slice.status().message();
        }
      }
    }
    for (const BenchInput& input : inputs_) {
      results_.files.push_back(input.entry);
      if (!input.entry.error.empty()) continue;
      bytes_to_do_ += input.entry.bytes;
      for (Pace& pace : pace_) {
        pace.bytes_left += input.entry.bytes;
        ++pace.files_left;
      }
    }
    if (inputs_.size() * options_.codecs.size() > kMaxRows) {
      return Unsupported(std::to_string(inputs_.size()) + " files and " + std::to_string(options_.codecs.size()) +
                         " codecs: expected at most " + std::to_string(kMaxRows) + " rows");
    }
    return OkStatus();
  }

  bool Interrupted() {
    if (results_.complete && callbacks_.interrupted()) results_.complete = false;
    return !results_.complete;
  }

  void MeasureFile(size_t file) {
    const BenchInput& input = inputs_[file];
    const bool is_slice = input.entry.slice_bytes.has_value();
    measured_path_ = is_slice ? temporary_->path() + "/slice" : input.path;
    Status ready = CheckUnchanged(input, false);
    if (ready.ok() && is_slice) ready = WriteSlice(input, measured_path_);
    for (size_t codec = 0; codec < options_.codecs.size(); ++codec) {
      if (Interrupted()) return;
      progress_ = {.file = input.entry.path,
                   .codec = options_.codecs[codec].entry.name,
                   .file_number = file + 1,
                   .n_files = inputs_.size()};
      Row row;
      row.codec = codec;
      row.file = file;
      const double start = Now();
      Status status = ready.ok() ? MeasureRow(row) : ready;
      // First of all, since all else may follow from it.
      const Status unchanged = ready.ok() ? CheckUnchanged(input, !is_slice) : ready;
      if (!unchanged.ok()) {
        status = unchanged;
        row.compress.reset();
        row.decompress.reset();
        row.repeats = 0;
      }
      if (Interrupted()) return;  // a row that was killed in the middle says nothing
      row.error = status.message();
      bytes_done_ += input.entry.bytes;
      pace_[codec].Add(input.entry.bytes, Now() - start);
      results_.rows.push_back(std::move(row));
      callbacks_.row_done(results_);
    }
    if (is_slice) TemporaryFolder::Remove(measured_path_);
  }

  // What a run may write. kIo: the disk is full.
  Result<uint64_t> OutputLimit(uint64_t wanted) const {
    struct statvfs space;
    if (statvfs(temporary_->path().c_str(), &space) != 0) return wanted;
    const uint64_t free = uint64_t{space.f_bavail} * space.f_frsize;
    if (free < kFreeSpaceReserveBytes) {
      return IoError(temporary_->path() + ": the disk is full: " + std::to_string(free) + " bytes free, expected " +
                     std::to_string(kFreeSpaceReserveBytes));
    }
    return std::min(wanted, free - kFreeSpaceReserveBytes);
  }

  Status MeasureRow(Row& row) {
    const BenchCodec& codec = options_.codecs[row.codec];
    const uint64_t bytes = inputs_[row.file].entry.bytes;
    const std::string archive = temporary_->path() + "/archive";
    const std::string copy = temporary_->path() + "/copy";

    WorkerTask task{
        .compress = true, .how = codec.how, .input = measured_path_, .output = archive, .threads = options_.threads};
    PITH_ASSIGN_OR_RETURN(task.limit_bytes, OutputLimit(bytes * kMaxGrowth + kGrowthSlackBytes));
    const auto check_archive = [&]() -> Status {
      PITH_ASSIGN_OR_RETURN(const FileDigest digest, DigestFile(archive));
      if (row.compressed_sha256.empty()) {
        row.compressed_sha256 = digest.sha256;
        row.compressed_bytes = digest.bytes;
      } else if (row.compressed_sha256 != digest.sha256) {
        const std::string what = "archives of two runs differ: " + std::to_string(row.compressed_bytes) +
                                 " bytes, then " + std::to_string(digest.bytes);
        if (!codec.is_command()) return Corrupt(what);
        row.note = what;
      }
      return OkStatus();
    };
    PITH_ASSIGN_OR_RETURN(row.compress, MeasureDirection(task, check_archive));
    row.repeats = options_.repeats;
    if (codec.is_pith()) {
      PITH_ASSIGN_OR_RETURN(row.streams, StreamsOf(archive));
    }

    task.compress = false;
    task.input = archive;
    task.output = copy;
    PITH_ASSIGN_OR_RETURN(task.limit_bytes, OutputLimit(bytes + kGrowthSlackBytes));
    PITH_ASSIGN_OR_RETURN(row.decompress, MeasureDirection(task, [&] { return Compare(copy, measured_path_); }));
    TemporaryFolder::Remove(archive);
    TemporaryFolder::Remove(copy);
    return OkStatus();
  }

  // Warm-up and repeats of one direction; `check` looks at the output after each, outside the time.
  template <typename Check>
  Result<Direction> MeasureDirection(const WorkerTask& task, Check&& check) {
    const std::string name = task.compress ? "compress" : "decompress";
    const RunOptions run_options{.program = options_.program,
                                 .folder = temporary_->path(),
                                 .timeout_seconds = options_.timeout_seconds,
                                 .energy = energy_.available() ? &energy_ : nullptr,
                                 .interrupted = callbacks_.interrupted};
    std::vector<RunFigures> runs;
    uint32_t n_warmups = options_.warmups.value_or(1);
    while (runs.size() < options_.repeats) {
      ShowProgress(task.compress, n_warmups > 0 ? 0 : static_cast<uint32_t>(runs.size()) + 1);
      TemporaryFolder::Remove(task.output);
      const Result<RunFigures> figures = MeasureRun(task, run_options);
      if (!figures.ok()) return figures.status().WithContext(name);
      PITH_RETURN_IF_ERROR(CheckOutput(task.output).WithContext(name));
      PITH_RETURN_IF_ERROR(check().WithContext(name));
      const bool counts = n_warmups == 0 || (!options_.warmups && figures->seconds >= kWarmupBelowSeconds);
      if (n_warmups > 0) --n_warmups;
      if (counts) runs.push_back(*figures);
    }
    return DirectionOf(runs);
  }

  void ShowProgress(bool compress, uint32_t run) {
    progress_.compress = compress;
    progress_.run = run;
    const auto all = static_cast<double>(bytes_to_do_) * static_cast<double>(options_.codecs.size());
    progress_.done = all > 0 ? static_cast<double>(bytes_done_) / all : 0;
    progress_.seconds_left = SecondsLeft();
    callbacks_.progress(progress_);
  }

  // What one codec has done, and what is before it.
  struct Pace {
    uint64_t bytes = 0, bytes_left = 0;
    size_t files_left = 0;
    double seconds = 0, shortest = 0;  // shortest: of a file, however small
    void Add(uint64_t n, double s) {
      shortest = bytes == 0 ? s : std::min(shortest, s);
      bytes += n;
      seconds += s;
      bytes_left -= n;
      --files_left;
    }
  };

  // From how long each codec has taken for a byte so far; nothing where one has not been seen yet.
  std::optional<double> SecondsLeft() const {
    double left = 0;
    for (const Pace& pace : pace_) {
      if (pace.files_left == 0) continue;
      if (pace.bytes == 0) return std::nullopt;
      left += std::max(pace.shortest * static_cast<double>(pace.files_left),
                       pace.seconds / static_cast<double>(pace.bytes) * static_cast<double>(pace.bytes_left));
    }
    return left;
  }

  const BenchmarkOptions& options_;
  const BenchmarkCallbacks& callbacks_;
  const EnergyMeter energy_;
  std::unique_ptr<TemporaryFolder> temporary_;
  std::vector<BenchInput> inputs_;             // as results_.files
  std::string measured_path_;                  // of the file that is at work: the file itself, or a slice of it
  std::vector<Pace> pace_;                     // by codec
  uint64_t bytes_to_do_ = 0, bytes_done_ = 0;  // done: once a codec
  BenchmarkProgress progress_;
  Results results_;
};

}  // namespace

Status CheckOptions(const BenchmarkOptions& options) {
  PITH_RETURN_IF_ERROR(CheckCodecs(options.codecs));
  if (options.repeats < 1 || options.repeats > kMaxRepeats || options.warmups.value_or(0) > kMaxRepeats) {
    return InvalidArgument("expected 1 to " + std::to_string(kMaxRepeats) + " repeats and at most as many warm-ups");
  }
  if (!(options.timeout_seconds > 0 && options.timeout_seconds <= kMaxTimeoutSeconds)) {
    return InvalidArgument("the timeout: expected more than 0 seconds and at most 100000000");
  }
  if (options.slices.size() > kMaxSlices) {
    return InvalidArgument(std::to_string(options.slices.size()) + " slices, expected at most " +
                           std::to_string(kMaxSlices));
  }
  for (const uint64_t slice : options.slices) {
    if (slice == 0 || std::count(options.slices.begin(), options.slices.end(), slice) > 1) {
      return InvalidArgument("slices: expected different sizes above 0, found " + std::to_string(slice) +
                             (slice != 0 ? " twice" : ""));
    }
  }
  return OkStatus();
}

Result<Results> RunBenchmark(const BenchmarkOptions& options, const BenchmarkCallbacks& callbacks) {
  return Benchmark(options, callbacks).Run();
}

bool HasFailed(const Results& results) {
  return std::any_of(results.files.begin(), results.files.end(), [](const FileEntry& f) { return HasFailed(f); }) ||
         std::any_of(results.rows.begin(), results.rows.end(), [](const Row& r) { return !r.error.empty(); });
}

}  // namespace pith::bench
