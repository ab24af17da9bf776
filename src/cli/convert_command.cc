// pith convert
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/files.h"
#include "cli/job.h"
#include "pith/hub.h"
#include "pith/pith.h"

namespace pith::cli {
namespace {

// Seconds since 1970; 0 where the variable is not set.
Result<int64_t> SourceDateEpoch() {
  const char* text = std::getenv("SOURCE_DATE_EPOCH");
  if (text == nullptr || *text == 0) return 0;
  int64_t seconds = 0;
  const std::string_view value = text;
  const auto [end, problem] = std::from_chars(value.data(), value.data() + value.size(), seconds);
  if (problem != std::errc() || end != value.data() + value.size() || seconds < 0 || seconds > 253402300799) {
    return InvalidArgument("SOURCE_DATE_EPOCH: '" + std::string(value) + "' is no number of seconds since 1970");
  }
  return seconds;
}

std::string ReportTable(const ConvertModelResult& result) {
  std::string text = "  relative error  largest  outlier        bytes  encoding, shape, tensor\n";
  for (const ConvertedTensor& t : result.tensors) {
    char line[128];
    std::snprintf(line, sizeof line, "  %14.6f  %7.4f  %7.1f  %11llu  ", t.relative_error, t.largest_error, t.outlier,
                  static_cast<unsigned long long>(t.bytes));
    const std::string shape = t.rows == 1 ? "[" + std::to_string(t.cols) + "]"
                                          : "[" + std::to_string(t.rows) + ", " + std::to_string(t.cols) + "]";
    text += line + t.encoding + ", " + shape + ", " + Printable(t.name) + "\n";
  }
  return text;
}

std::string HowToRun(const ConvertModelResult& result, const std::string& file) {
  if (result.format == "gguf") return "pith run " + file + "; llama-cli -m " + file;
  if (result.format == "onnx") return "";
  return "pith run " + file + "; litert-lm run " + file + " --prompt \"Hello\"";
}

Status Convert(const Arguments& arguments, Console& console) {
  PITH_ASSIGN_OR_RETURN(const FoundModel checkpoint, FindCheckpoint(arguments.operands[0]));
  ConvertModelOptions options;
  PITH_ASSIGN_OR_RETURN(options.timestamp, SourceDateEpoch());
  options.format = arguments.format;
  options.quantize = arguments.quantize;
  options.name = arguments.name.empty() ? checkpoint.name : arguments.name;
  options.report = arguments.report;
  options.replace = arguments.force;
  options.threads = arguments.threads;
  options.kv_cache_max_len = arguments.cache_length;
  options.prefill = arguments.prefill;
  options.metadata = arguments.metadata;
  options.system = arguments.system;
  options.stop = arguments.stop;
  options.greedy = arguments.greedy;
  options.temperature = arguments.temperature;
  options.top_p = arguments.top_p;
  options.top_k = arguments.top_k;
  if (arguments.seed) {
    if (*arguments.seed > INT32_MAX) {
      return InvalidArgument("--seed: " + std::to_string(*arguments.seed) + ", expected at most 2147483647: a .litertlm file holds no larger one");
    }
    options.seed = static_cast<int32_t>(*arguments.seed);
  }
  if (!arguments.activations.empty()) options.activations = arguments.activations;
  const std::string output =
      arguments.output.value_or(checkpoint.name + "." + (arguments.format.empty() ? "litertlm" : arguments.format));

  const Stopwatch watch;
  const std::string& shown = arguments.operands[0];
  const Result<ConvertModelResult> result =
      ConvertModel(checkpoint.path, output, options, [&](const ConvertModelProgress& p) {
        if (console.ProgressDue()) {
          console.ShowProgress(ProgressText(shown, p.done, p.total, "", watch.seconds()) + "  " + p.item);
        }
        return true;
      });
  console.ClearProgress();
  if (!result.ok()) {
    if (result.status().code() != StatusCode::kAlreadyExists) return result.status();
    return AlreadyExists(result.status().message() + " (use -f)");
  }
  for (const std::string& note : result->notes) console.Warning(note);
  std::string files;
  for (const std::string& file : result->files) files += (files.empty() ? "" : " and ") + file;
  console.Info(files + " : " + result->quantize + " (" + FormatBytes(result->source_bytes) + " => " +
               FormatBytes(result->output_bytes) + ", " + FormatDuration(watch.seconds()) + ")");
  if (!result->fingerprint.empty()) console.Detail("fingerprint " + result->fingerprint);
  if (const std::string how = HowToRun(*result, output); !how.empty()) console.Info("  run it: " + how);
  if (arguments.report && !PrintOut(console, ReportTable(*result))) {
    return IoError("the file is complete, but its report could not be shown");
  }
  return OkStatus();
}

}  // namespace

int RunConvert(const Arguments& arguments, Console& console) {
  const Status status = Convert(arguments, console);
  if (status.ok()) return kExitOk;
  console.Error(ErrorLine(status, arguments.operands[0], arguments.output.value_or("")));
  return kExitFailed;
}

}  // namespace pith::cli
