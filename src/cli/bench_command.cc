// pith bench
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "base/file.h"
#include "bench/benchmark.h"
#include "cli/commands.h"
#include "cli/signals.h"

namespace pith::cli {
namespace {

constexpr const char* kDefaultFolder = "pith-bench";
constexpr double kSaveEverySeconds = 5;  // what a crash of the machine may cost; a large file takes some milliseconds

// The line that asked for it, as a shell reads it.
std::string CommandLine(const Arguments& arguments) {
  std::string line = "pith bench";
  const auto word = [&](const std::string& text) {
    const bool plain = !text.empty() && text.find_first_not_of(
                                            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                            "_-./:,=+@%") == std::string::npos;
    line += " " + (plain ? text : bench::ShellQuoted(text));
  };
  const auto option = [&](const std::string& name, const std::string& value) {
    line += " --" + name;
    word(value);
  };
  for (const std::string& list : arguments.codecs) option("codecs", list);
  for (const std::string& codec : arguments.command_codecs) option("codec", codec);
  option("repeat", std::to_string(arguments.repeats));
  if (arguments.warmups) option("warmup", std::to_string(*arguments.warmups));
  if (!arguments.slices.empty()) {
    std::string sizes;
    for (const uint64_t size : arguments.slices) sizes += (sizes.empty() ? "" : ",") + std::to_string(size);
    option("slice", sizes);
  }
  char seconds[32];
  std::snprintf(seconds, sizeof seconds, "%g", arguments.timeout_seconds);
  option("timeout", seconds);
  if (arguments.threads != 0) option("threads", std::to_string(arguments.threads));
  const auto like_an_option = [](const std::string& operand) { return operand.starts_with('-'); };
  if (std::any_of(arguments.operands.begin(), arguments.operands.end(), like_an_option)) line += " --";
  for (const std::string& operand : arguments.operands) word(operand);
  return line;
}

Result<bench::BenchmarkOptions> OptionsOf(const Arguments& arguments, const std::string& folder) {
  bench::BenchmarkOptions options;
  std::vector<std::string> names;
  for (const std::string& list : arguments.codecs) {
    for (std::string& name : bench::SplitCodecs(list)) names.push_back(std::move(name));
  }
  if (names.empty()) names = bench::DefaultCodecs();
  for (const std::string& name : names) {
    PITH_ASSIGN_OR_RETURN(bench::BenchCodec codec, bench::ParseCodec(name, arguments.threads));
    options.codecs.push_back(std::move(codec));
  }
  for (const std::string& text : arguments.command_codecs) {
    PITH_ASSIGN_OR_RETURN(bench::BenchCodec codec, bench::ParseCommandCodec(text));
    options.codecs.push_back(std::move(codec));
  }
  options.operands = arguments.operands;
  options.output_folder = folder;
  options.slices = arguments.slices;
  options.repeats = arguments.repeats;
  options.warmups = arguments.warmups;
  options.timeout_seconds = arguments.timeout_seconds;
  options.threads = arguments.threads;
  options.command = CommandLine(arguments);
  for (const std::string& operand : arguments.operands) {
    options.corpus += (options.corpus.empty() ? "" : " ") + operand;
  }
  PITH_RETURN_IF_ERROR(bench::CheckOptions(options));
  return options;
}

// Refuses what would be overwritten before anything is measured.
Status PrepareFolder(const std::string& folder, const std::string& file, bool force) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return IoError(folder + ": cannot make the folder: " + error.message());
  if (!force && access(file.c_str(), F_OK) == 0)
    return AlreadyExists(file + ": already exists; not overwritten (use -f)");
  if (access(folder.c_str(), W_OK) != 0) return IoError(folder + ": cannot write into this folder");
  return OkStatus();
}

Status Save(const bench::Results& results, const std::string& file) {
  PITH_ASSIGN_OR_RETURN(const std::unique_ptr<AtomicFile> out, AtomicFile::Create(file, /*replace=*/true));
  PITH_RETURN_IF_ERROR(out->Write(AsBytes(bench::WriteResults(results))));
  return out->Commit();
}

void ShowProgress(const bench::BenchmarkProgress& p, Console& console) {
  if (!console.ProgressDue()) return;
  std::string text = "(" + std::to_string(p.file_number) + "/" + std::to_string(p.n_files) + ") " + p.file;
  if (p.codec.empty()) {
    console.ShowProgress(text + " : reading");
    return;
  }
  char percent[16];
  std::snprintf(percent, sizeof percent, "%3.0f %%", 100 * p.done);
  text += " : " + p.codec + (p.compress ? " compress " : " decompress ") +
          (p.run == 0 ? "warm-up" : std::to_string(p.run)) + "  " + percent;
  if (p.seconds_left) text += "  ETA " + FormatDuration(*p.seconds_left);
  console.ShowProgress(text);
}

// Over the files that all codecs have got through, so that the lines can be compared.
std::string TotalsTable(const bench::Results& results) {
  std::vector<size_t> n_good(results.files.size());
  for (const bench::Row& row : results.rows) n_good[row.file] += row.error.empty() ? 1 : 0;
  const auto counts = [&](size_t file) {
    return n_good[file] == results.codecs.size() && !results.files[file].slice_bytes;
  };
  size_t n_files = 0;
  for (size_t file = 0; file < n_good.size(); ++file) n_files += counts(file) ? 1 : 0;
  std::string table;
  char line[160];
  for (size_t codec = 0; codec < results.codecs.size() && n_files > 0; ++codec) {
    uint64_t original = 0, compressed = 0, peak = 0;
    double compress_seconds = 0, decompress_seconds = 0;
    for (const bench::Row& row : results.rows) {
      if (row.codec != codec || !counts(row.file)) continue;
      original += results.files[row.file].bytes;
      compressed += row.compressed_bytes;
      compress_seconds += row.compress->seconds.median;
      decompress_seconds += row.decompress->seconds.median;
      peak = std::max({peak, row.compress->peak_bytes, row.decompress->peak_bytes});
    }
    if (codec == 0) {
      std::snprintf(line, sizeof line, "%s, %s\n%-20s %12s %8s %12s %12s %12s\n", Plural(n_files, "file").c_str(),
                    FormatBytes(original).c_str(), "codec", "bytes", "ratio", "compress", "decompress", "memory");
      table += line;
    }
    std::snprintf(line, sizeof line, "%-20s %12llu %8s %12s %12s %12s\n", results.codecs[codec].name.c_str(),
                  static_cast<unsigned long long>(compressed), FormatRatio(compressed, original).c_str(),
                  FormatRate(original, compress_seconds).c_str(), FormatRate(original, decompress_seconds).c_str(),
                  FormatBytes(peak).c_str());
    table += line;
  }
  return table;
}

std::string NameOf(const bench::FileEntry& file) {
  return file.path + (file.slice_bytes ? " (" + std::to_string(*file.slice_bytes) + " bytes of it)" : "");
}

int ExitCodeOf(const Status& status) {
  return status.code() == StatusCode::kInvalidArgument ? kExitUsage
         : status.code() == StatusCode::kNotFound      ? kExitModel
                                                       : kExitFailed;
}

}  // namespace

int RunBench(const Arguments& arguments, Console& console) {
  const std::string folder = arguments.output.value_or(kDefaultFolder);
  const std::string file = folder + (folder.ends_with('/') ? "" : "/") + "results.json";
  const Result<bench::BenchmarkOptions> options = OptionsOf(arguments, folder);
  if (!options.ok()) {
    console.Error(options.status().message());
    return ExitCodeOf(options.status());
  }
  if (const Status status = PrepareFolder(folder, file, arguments.force); !status.ok()) {
    console.Error(status.message());
    return kExitFailed;
  }

  std::optional<InterruptScope> interrupts(/*all=*/true);
  Stopwatch since_saved;
  bench::BenchmarkCallbacks callbacks;
  callbacks.interrupted = [&] { return interrupts->interrupted(); };
  callbacks.progress = [&](const bench::BenchmarkProgress& progress) { ShowProgress(progress, console); };
  callbacks.left_out = [&](const std::string& message) { console.Warning(message); };
  callbacks.files_listed = [&](const bench::Results& results) {
    for (const bench::FileEntry& entry : results.files) {
      if (HasFailed(entry)) {
        console.Error(NameOf(entry) + ": " + entry.error);
      } else if (!entry.error.empty()) {
        console.Warning(NameOf(entry) + ": " + entry.error);
      }
    }
  };
  callbacks.row_done = [&](const bench::Results& results) {
    const bench::Row& row = results.rows.back();
    const std::string what = NameOf(results.files[row.file]) + ": " + results.codecs[row.codec].name + ": ";
    if (!row.error.empty()) console.Error(what + row.error);
    if (!row.note.empty()) console.Warning(what + row.note);
    if (since_saved.seconds() < kSaveEverySeconds) return;
    bench::Results so_far = results;
    so_far.complete = false;
    if (const Status saved = Save(so_far, file); !saved.ok()) console.Warning(saved.message());
    since_saved = Stopwatch();
  };
  const Result<bench::Results> results = bench::RunBenchmark(*options, callbacks);
  console.ClearProgress();
  if (!results.ok()) {
    console.Error(results.status().message());
    return ExitCodeOf(results.status());
  }
  if (const Status saved = Save(*results, file); !saved.ok()) {
    console.Error(saved.message());
    return kExitFailed;
  }
  if (!results->complete) {
    console.Info(file + " : what was measured until the interruption, " + Plural(results->rows.size(), "row"));
    DieOfInterrupt(interrupts->signal_number());
  }
  interrupts.reset();
  const std::string text = arguments.json    ? bench::WriteResults(*results)
                           : console.quiet() ? ""
                                             : TotalsTable(*results);
  if (!PrintOut(console, text)) return kExitFailed;
  console.Info(file + " : " + Plural(results->rows.size(), "row"));
  return bench::HasFailed(*results) ? kExitFailed : kExitOk;
}

}  // namespace pith::cli
