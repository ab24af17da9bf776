// pith import
#include <cstdio>
#include <string>

#include "cli/commands.h"
#include "cli/files.h"
#include "cli/job.h"
#include "cli/model_finder.h"
#include "pith/pith.h"

namespace pith::cli {
namespace {

std::string Number(const char* format, double value) {
  char text[48];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

std::string FormatParameters(uint64_t n) {
  const auto value = static_cast<double>(n);
  if (value < 999.95e6) return Number("%.1f M parameters", value / 1e6);
  return Number("%.2f G parameters", value / 1e9);
}

// What was tried, in that order.
std::string TrialTable(const ImportModelResult& result) {
  std::string text = "  KL (nat)   cost  activations\n";
  for (const ImportTrial& trial : result.trials) {
    char line[64];
    std::snprintf(line, sizeof line, "  %8.6f  %5.3f  ", trial.kl, trial.cost);
    text += line + Printable(trial.setting) + "\n";
  }
  return text;
}

// As given, without slashes at the end.
std::string Folder(const Arguments& arguments) {
  std::string folder = arguments.operands[0];
  while (folder.size() > 1 && folder.back() == '/') folder.pop_back();
  return folder;
}

Status Import(const Arguments& arguments, Console& console) {
  const std::string folder = Folder(arguments);
  const std::string& output = *arguments.output;
  ImportModelOptions options;
  options.name = arguments.name;
  if (!arguments.activations.empty()) options.activations = arguments.activations;
  options.replace = arguments.force;
  options.threads = arguments.threads;
  if (!arguments.calibration.empty()) {
    PITH_ASSIGN_OR_RETURN(const Contents text, Contents::Load(arguments.calibration));
    options.calibration_text.assign(text.bytes().begin(), text.bytes().end());
    if (options.calibration_text.empty())
      return InvalidArgument(arguments.calibration + ": is empty, expected text");
  }
  const Stopwatch watch;
  const ImportModelProgressCallback progress = [&](const ImportModelProgress& p) {
    if (!console.ProgressDue()) return true;
    console.ShowProgress(p.calibrating
                             ? folder + " : measurement " + std::to_string(p.done + 1) + ": " + p.item
                             : ProgressText(folder, p.done, p.total, "", watch.seconds()) + "  " + p.item);
    return true;
  };
  const Result<ImportModelResult> result = ImportModel(folder, output, options, progress);
  console.ClearProgress();
  if (!result.ok()) {
    if (result.status().code() != StatusCode::kAlreadyExists) return result.status();
    return AlreadyExists(result.status().message() + " (use -f)");
  }
  const ModelInfo& model = result->model;
  console.Info(output + " : " + model.name + ", " + FormatParameters(model.parameters) + " (" +
               FormatBytes(result->source_bytes) + " => " + FormatBytes(model.file_bytes) + ", " +
               FormatDuration(watch.seconds()) + ")");
  console.Info("  fingerprint " + model.fingerprint);
  std::string activations = "  activations " + model.activations;
  if (!result->trials.empty()) {
    activations += ": loses " + Number("%.6f", result->kl) + " nat a token against precise, products " +
                   Number("%.2f", result->cost) + " times those of fast";
  }
  console.Info(activations);
  if (console.verbose() && !result->trials.empty() && !PrintOut(console, TrialTable(*result))) {
    return IoError("the model is complete, but its table could not be shown");
  }
  if (!model.has_tokenizer) {
    console.Warning(folder + ": no tokenizer.json; the model can do eval --ids and no more");
  }
  return OkStatus();
}

}  // namespace

int RunImport(const Arguments& arguments, Console& console) {
  const Status status = Import(arguments, console);
  if (status.ok()) return kExitOk;
  console.Error(ErrorLine(status, Folder(arguments), *arguments.output));
  return kExitFailed;
}

}  // namespace pith::cli
