#include "cli/bench_output.h"

#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>
#include <vector>

#include "base/file.h"
#include "bench/engine_measurement.h"
#include "bench/this_machine.h"
#include "cli/commands.h"
#include "cli/model_finder.h"
#include "cli/signals.h"
#include "report/comparison.h"
#include "report/page.h"
#include "report/summary.h"
#include "report/summary_text.h"
#include "report/terminal_report.h"

namespace pith::cli {
namespace {

Status WriteWhole(const std::string& file, const std::string& text) {
  PITH_ASSIGN_OR_RETURN(const std::unique_ptr<AtomicFile> out, AtomicFile::Create(file, /*replace=*/true));
  PITH_RETURN_IF_ERROR(out->Write(AsBytes(text)));
  return out->Commit();
}

Result<bench::Results> LoadResults(const std::string& path) {
  PITH_ASSIGN_OR_RETURN(const std::unique_ptr<MappedFile> file, MappedFile::Open(path));
  return bench::ReadResults(file->bytes(), path);
}

// One line a codec, smallest archives first, over the files that all of them have got through.
std::string TotalsTable(const bench::Results& results) {
  const bench::Summary summary = bench::Summarize(results);
  const bench::Group& total = summary.total;
  std::string table;
  char line[160];
  if (!total.codecs.empty()) {
    std::snprintf(line, sizeof line, "%s, %s\n%-20s %12s %8s %12s %12s %12s\n", Plural(total.n_files, "file").c_str(),
                  FormatBytes(total.bytes).c_str(), "codec", "bytes", "ratio", "compress", "decompress", "memory");
    table += line;
  }
  const auto rate = [&](const std::optional<double>& speed) {
    return speed ? FormatRate(total.bytes, static_cast<double>(total.bytes) / *speed) : "-";
  };
  for (const bench::Totals& totals : total.codecs) {
    std::snprintf(line, sizeof line, "%-20s %12llu %8s %12s %12s %12s\n",
                  Printable(results.codecs[totals.codec].name).substr(0, 60).c_str(),
                  static_cast<unsigned long long>(totals.compressed_bytes),
                  FormatRatio(totals.compressed_bytes, total.bytes).c_str(), rate(totals.compress_speed).c_str(),
                  rate(totals.decompress_speed).c_str(), FormatBytes(totals.PeakBytes()).c_str());
    table += line;
  }
  for (const std::string& note : bench::SummaryNotes(results, summary)) table += Printable(note) + "\n";
  return table;
}

// One line for each speed of an engine.
std::string EngineLines(const bench::Results& results) {
  std::string text;
  char line[200];
  for (const bench::EngineResults& engine : results.engines) {
    text += Printable(engine.engine) + ", " + Printable(engine.model) + "\n";
    for (const bench::EngineSpeed& speed : engine.speeds) {
      std::snprintf(line, sizeof line, "  %-22s %2u %-7s %10.1f tokens/s", Printable(speed.name).substr(0, 60).c_str(), speed.threads,
                    speed.threads == 1 ? "thread" : "threads", speed.tokens_per_second);
      text += line;
      if (speed.int8_share) {
        std::snprintf(line, sizeof line, "  %3.0f %% of the int8 peak", 100 * *speed.int8_share);
        text += line;
      }
      if (speed.bandwidth_share) {
        std::snprintf(line, sizeof line, "  %3.0f %% of the read bandwidth", 100 * *speed.bandwidth_share);
        text += line;
      }
      text += "\n";
    }
  }
  return text;
}

size_t TerminalColumns() {
  winsize size = {};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 100;
}

bool TerminalShowsUnicode() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* const value = std::getenv(name);
    if (value == nullptr || value[0] == '\0') continue;
    const std::string text = value;
    return text.find("UTF-8") != std::string::npos || text.find("utf8") != std::string::npos;
  }
  return false;
}

}  // namespace

Status BenchFolder::Prepare(bool force) const {
  std::error_code error;
  std::filesystem::create_directories(path_, error);
  if (error) return IoError(path_ + ": cannot make the folder: " + error.message());
  for (const std::string& file : {results(), page()}) {
    if (!force && access(file.c_str(), F_OK) == 0) return AlreadyExists(file + ": already exists; not overwritten (use -f)");
  }
  if (access(path_.c_str(), W_OK) != 0) return IoError(path_ + ": cannot write into this folder");
  return OkStatus();
}

Status BenchFolder::SaveResults(const bench::Results& results) const {
  return WriteWhole(this->results(), bench::WriteResults(results));
}

Status BenchFolder::SavePage(const bench::Results& results) const { return WriteWhole(page(), bench::HtmlPage(results)); }

Status BenchFolder::Save(const bench::Results& results) const {
  PITH_RETURN_IF_ERROR(SaveResults(results));
  return SavePage(results);
}

int FailBench(const Status& status, Console& console) {
  console.Error(status.message());
  return status.code() == StatusCode::kInvalidArgument ? kExitUsage
         : status.code() == StatusCode::kNotFound      ? kExitModel
                                                       : kExitFailed;
}

bool PrintBench(const bench::Results& results, const Arguments& arguments, Console& console) {
  if (arguments.json) return PrintOut(console, bench::WriteResults(results));
  if (arguments.terminal) {
    const bool colour = isatty(STDOUT_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr;
    return PrintOut(console, bench::TerminalReport(results, TerminalColumns(), colour, TerminalShowsUnicode()));
  }
  if (console.quiet()) return true;
  return PrintOut(console, TotalsTable(results) + EngineLines(results));
}

int ShowBenchAgain(const Arguments& arguments, Console& console) {
  const Result<bench::Results> results = LoadResults(arguments.operands[0]);
  if (!results.ok()) {
    console.Error(results.status().message());
    return kExitFailed;
  }
  const size_t slash = arguments.operands[0].rfind('/');
  const BenchFolder folder(arguments.output.value_or(slash == std::string::npos ? "." : arguments.operands[0].substr(0, slash + 1)));
  // The page beside its own data may always be made again; elsewhere it could be anybody's.
  if (arguments.output && !arguments.force && access(folder.page().c_str(), F_OK) == 0) {
    console.Error(folder.page() + ": already exists; not overwritten (use -f)");
    return kExitFailed;
  }
  std::error_code error;
  std::filesystem::create_directories(folder.path(), error);
  if (const Status saved = folder.SavePage(*results); !saved.ok()) {
    console.Error(saved.message());
    return kExitFailed;
  }
  if ((arguments.json || arguments.terminal) && !PrintBench(*results, arguments, console)) return kExitFailed;
  console.Info(folder.page() + " shows " + Plural(results->rows.size(), "row") + " of " + arguments.operands[0]);
  return kExitOk;
}

int CompareBench(const Arguments& arguments, Console& console) {
  std::vector<bench::Results> sides;
  for (const std::string& path : arguments.operands) {
    Result<bench::Results> results = LoadResults(path);
    if (!results.ok()) {
      console.Error(results.status().message());
      return kExitFailed;
    }
    sides.push_back(*std::move(results));
  }
  const bench::Comparison comparison = bench::CompareResults(sides[0], sides[1]);
  if (!PrintOut(console, bench::ComparisonText(comparison, arguments.operands[0], arguments.operands[1]))) return kExitFailed;
  return std::any_of(comparison.changes.begin(), comparison.changes.end(),
                     [](const bench::Change& change) { return change.kind == bench::ChangeKind::kBroken; })
             ? kExitFailed
             : kExitOk;
}

int MeasureBenchEngine(const Arguments& arguments, Console& console) {
  const BenchFolder folder(arguments.output.value_or(kBenchFolder));
  std::vector<bench::EngineResults> peers;
  if (arguments.peers) {
    const Result<std::unique_ptr<MappedFile>> file = MappedFile::Open(*arguments.peers);
    if (!file.ok()) return FailBench(file.status(), console);
    Result<std::vector<bench::EngineResults>> merged = bench::MergePeer((*file)->bytes(), *arguments.peers);
    if (!merged.ok()) return FailBench(merged.status(), console);
    peers = *std::move(merged);
  }
  ModelFinder models(arguments.model, {.threads = arguments.threads}, console);
  const Result<Model*> model = models.Default();
  if (!model.ok()) {
    console.Error(model.status().message());
    models.ShowWayOut();
    return kExitModel;
  }
  if (const Status status = folder.Prepare(arguments.force); !status.ok()) return FailBench(status, console);

  const InterruptScope interrupts(/*all=*/true);
  bench::EngineMeasurementOptions options;
  if (arguments.threads != 0) options.threads = {arguments.threads};
  Result<bench::EngineResults> engine = bench::MeasureEngine(**model, options, [&](const bench::EngineProgress& p) {
    if (console.ProgressDue()) {
      console.ShowProgress(p.doing + "  " + std::to_string(p.done * 100 / std::max<size_t>(p.total, 1)) + " %");
    }
    return !interrupts.interrupted();
  });
  console.ClearProgress();
  if (!engine.ok()) {
    if (interrupts.interrupted()) DieOfInterrupt(interrupts.signal_number());
    console.Error(engine.status().message());
    return kExitFailed;
  }
  bench::Results results = bench::ResultsOfThisMachine();
  results.command = "pith bench --engine" + (arguments.model ? " --model " + *arguments.model : std::string());
  results.threads = static_cast<uint32_t>(arguments.threads);
  results.repeats = static_cast<uint32_t>(options.repeats);
  results.engines.push_back(*std::move(engine));
  results.engines.insert(results.engines.end(), peers.begin(), peers.end());
  if (const Status saved = folder.Save(results); !saved.ok()) return FailBench(saved, console);
  if (!PrintBench(results, arguments, console)) return kExitFailed;
  console.Info(folder.page() + " shows it");
  return kExitOk;
}

}  // namespace pith::cli
