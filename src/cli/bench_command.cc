// pith bench: measures files; or what --report, --compare and --engine say.
#include <algorithm>
#include <cstdio>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "bench/benchmark.h"
#include "bench/corpora.h"
#include "cli/bench_output.h"
#include "cli/commands.h"
#include "cli/signals.h"

namespace pith::cli {
namespace {

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
  if (arguments.corpus) option("corpus", *arguments.corpus);
  const auto like_an_option = [](const std::string& operand) { return operand.starts_with('-'); };
  if (std::any_of(arguments.operands.begin(), arguments.operands.end(), like_an_option)) line += " --";
  for (const std::string& operand : arguments.operands) word(operand);
  return line;
}

std::string TextOf(const bench::CorpusProgress& p) {
  using Stage = bench::CorpusProgress::Stage;
  std::string text = p.file + (p.stage == Stage::kWaiting    ? " : waiting for another process"
                               : p.stage == Stage::kFetching ? " : fetching"
                               : p.stage == Stage::kUnpacking ? " : unpacking"
                                                              : " : checking");
  if (p.total > 0) text += "  " + FormatBytes(p.done) + " of " + FormatBytes(p.total);
  return p.note.empty() ? text : text + "  " + p.note;
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
  options.output_folder = folder;
  options.slices = arguments.slices;
  options.repeats = arguments.repeats;
  options.warmups = arguments.warmups;
  options.timeout_seconds = arguments.timeout_seconds;
  options.threads = arguments.threads;
  options.command = CommandLine(arguments);
  PITH_RETURN_IF_ERROR(bench::CheckOptions(options));
  return options;
}

// The files to measure, and what they are in words.
Status SetOperands(const Arguments& arguments, Console& console, const std::function<bool()>& interrupted,
                   bench::BenchmarkOptions& options) {
  if (!arguments.corpus) {
    options.operands = arguments.operands;
    for (const std::string& operand : arguments.operands) {
      options.corpus += (options.corpus.empty() ? "" : " ") + operand;
    }
    return OkStatus();
  }
  PITH_ASSIGN_OR_RETURN(const bench::CorpusSettings settings, bench::CorpusSettingsFromEnvironment());
  PITH_ASSIGN_OR_RETURN(const bench::Corpus corpus,
                        bench::FetchCorpus(*arguments.corpus, settings, [&](const bench::CorpusProgress& p) {
                          if (console.ProgressDue()) console.ShowProgress(TextOf(p));
                          return !interrupted();
                        }));
  console.ClearProgress();
  if (corpus.was_fetched) console.Info(corpus.name + " : " + FormatBytes(corpus.bytes) + " in " + corpus.folder);
  options.operands = corpus.files;
  for (const bench::CorpusInfo& info : bench::Corpora()) {
    if (corpus.name == info.name) options.corpus = info.title;
  }
  return OkStatus();
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

std::string NameOf(const bench::FileEntry& file) {
  return file.path + (file.slice_bytes ? " (" + std::to_string(*file.slice_bytes) + " bytes of it)" : "");
}

int MeasureFiles(const Arguments& arguments, Console& console) {
  const BenchFolder folder(arguments.output.value_or(kBenchFolder));
  Result<bench::BenchmarkOptions> options = OptionsOf(arguments, folder.path());
  if (!options.ok()) return FailBench(options.status(), console);
  if (const Status status = folder.Prepare(arguments.force); !status.ok()) return FailBench(status, console);

  const InterruptScope interrupts(/*all=*/true);
  const auto interrupted = [&] { return interrupts.interrupted(); };
  if (const Status status = SetOperands(arguments, console, interrupted, *options); !status.ok()) {
    console.ClearProgress();
    if (interrupts.interrupted()) DieOfInterrupt(interrupts.signal_number());
    return FailBench(status, console);
  }
  Stopwatch since_saved;
  bench::BenchmarkCallbacks callbacks;
  callbacks.interrupted = interrupted;
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
    if (const Status saved = folder.SaveResults(so_far); !saved.ok()) console.Warning(saved.message());
    since_saved = Stopwatch();
  };
  const Result<bench::Results> results = bench::RunBenchmark(*options, callbacks);
  console.ClearProgress();
  if (!results.ok()) return FailBench(results.status(), console);
  if (const Status saved = folder.Save(*results); !saved.ok()) return FailBench(saved, console);
  if (!results->complete) {
    console.Info(folder.results() + " : what was measured until the interruption, " + Plural(results->rows.size(), "row"));
    DieOfInterrupt(interrupts.signal_number());
  }
  if (!PrintBench(*results, arguments, console)) return kExitFailed;
  console.Info(folder.page() + " shows " + Plural(results->rows.size(), "row") + " of " + folder.results());
  return bench::HasFailed(*results) ? kExitFailed : kExitOk;
}

}  // namespace

int RunBench(const Arguments& arguments, Console& console) {
  if (arguments.report) return ShowBenchAgain(arguments, console);
  if (arguments.compare) return CompareBench(arguments, console);
  if (arguments.engine) return MeasureBenchEngine(arguments, console);
  return MeasureFiles(arguments, console);
}

}  // namespace pith::cli
