// pith eval
#include <cstdio>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/commands.h"
#include "cli/files.h"
#include "cli/job.h"
#include "cli/model_finder.h"
#include "cli/npy_writer.h"
#include "pith/pith.h"

namespace pith::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Measured {
  std::string file;
  EvaluateResult result;
  double seconds = 0;
};

double PerUnit(double bits, uint64_t units) { return units == 0 ? 0 : bits / static_cast<double>(units); }

std::string Row(const Measured& m) {
  char text[160];
  std::snprintf(text, sizeof text, "%12llu %11llu %14.1f %10.4f %10.4f %11s  ",
                static_cast<unsigned long long>(m.result.bytes),
                static_cast<unsigned long long>(m.result.tokens), m.result.bits,
                PerUnit(m.result.bits, m.result.bytes), PerUnit(m.result.bits, m.result.tokens),
                FormatRate(m.result.bytes, m.seconds).c_str());
  return text + Printable(m.file) + "\n";
}

std::string Header() {
  char text[160];
  std::snprintf(text, sizeof text, "%12s %11s %14s %10s %10s %11s  %s", "Bytes", "Tokens", "Bits",
                "Bits/byte", "Bits/token", "Speed", "File");
  return text;
}

Json ToJson(const Measured& m, const ModelInfo& model) {
  return {{"file", m.file},
          {"model", model.name},
          {"fingerprint", model.fingerprint},
          {"bytes", m.result.bytes},
          {"tokens", m.result.tokens},
          {"bits", m.result.bits},
          {"bits_per_byte", PerUnit(m.result.bits, m.result.bytes)},
          {"streams", m.result.streams},
          {"seconds", m.seconds}};
}

Result<Measured> Measure(Model& model, const std::string& path, const Arguments& arguments,
                         Console& console) {
  PITH_ASSIGN_OR_RETURN(const Contents contents, Contents::Load(path));
  Measured m{.file = contents.name(), .result = {}, .seconds = 0};
  const Stopwatch watch;
  const ProgressCallback progress = [&](const Progress& p) {
    if (console.ProgressDue()) {
      console.ShowProgress(
          ProgressText(m.file, p.original_bytes, contents.bytes().size(), "", watch.seconds()));
    }
    return true;
  };
  const EvaluateOptions options{.streams = arguments.streams, .window = arguments.window};
  Result<EvaluateResult> result = Evaluate(model, contents.bytes(), options, progress);
  console.ClearProgress();
  if (!result.ok()) return result.status();
  m.result = *result;
  m.seconds = watch.seconds();
  return m;
}

int EvaluateFiles(Model& model, const Arguments& arguments, Console& console) {
  Outcome outcome;
  Json json = Json::array();
  Measured total;
  size_t n = 0;
  for (size_t i = 1; i < arguments.operands.size(); ++i) {
    const std::string& path = arguments.operands[i];
    const Result<Measured> m = Measure(model, path, arguments, console);
    if (!m.ok()) {
      console.Error(ErrorLine(m.status(), path == "-" ? std::string(kStandardInput) : path, ""));
      outcome.Failed();
      continue;
    }
    if (arguments.json) {
      json.push_back(ToJson(*m, model.info()));
    } else if (!PrintOut(console, (n == 0 ? console.Bold(Header()) + "\n" : std::string()) + Row(*m))) {
      return kExitFailed;
    }
    ++n;
    total.result.bytes += m->result.bytes;
    total.result.tokens += m->result.tokens;
    total.result.bits += m->result.bits;
    total.seconds += m->seconds;
  }
  total.file = Plural(n, "file");
  std::string end;
  if (arguments.json) {
    end = json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
  } else if (n > 1) {
    end = Row(total);
  }
  return PrintOut(console, end) ? outcome.ExitCode() : kExitFailed;
}

// One JSON list of token ids.
Result<std::vector<uint32_t>> ReadIds(const std::string& path) {
  PITH_ASSIGN_OR_RETURN(const Contents contents, Contents::Load(path));
  const Json json =
      Json::parse(contents.bytes().begin(), contents.bytes().end(), nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return Corrupt(path + ": is not JSON, expected one list of token ids");
  if (!json.is_array()) {
    return Corrupt(path + ": holds " + std::string(json.type_name()) + ", expected one list of token ids");
  }
  if (json.empty()) return InvalidArgument(path + ": the list is empty, expected token ids");
  std::vector<uint32_t> ids;
  ids.reserve(json.size());
  for (const Json& entry : json) {
    if (!entry.is_number_unsigned() || entry.get<uint64_t>() > std::numeric_limits<uint32_t>::max()) {
      return Corrupt(path + ": entry " + std::to_string(ids.size()) + " is no token id");
    }
    ids.push_back(entry.get<uint32_t>());
  }
  return ids;
}

Status WriteLogits(Model& model, const Arguments& arguments, Console& console) {
  PITH_ASSIGN_OR_RETURN(const std::vector<uint32_t> ids, ReadIds(arguments.ids));
  std::unique_ptr<Target> target;
  if (arguments.logits == "-") {
    target = Target::StandardOutput();
  } else {
    Result<std::unique_ptr<Target>> created = Target::Create(arguments.logits, arguments.force);
    if (created.status().code() == StatusCode::kAlreadyExists) {
      return AlreadyExists(created.status().message() + " (use -f)");
    }
    if (!created.ok()) return created.status();
    target = *std::move(created);
  }
  const Stopwatch watch;
  std::optional<NpyWriter> writer;
  const LogitsRow row = [&](size_t position, std::span<const float> logits) -> Status {
    if (!writer) {  // the width is known now
      writer.emplace(*target, ids.size(), logits.size());
      PITH_RETURN_IF_ERROR(writer->WriteHeader());
    }
    if (console.ProgressDue()) {
      console.ShowProgress("position " + std::to_string(position) + " of " + std::to_string(ids.size()));
    }
    return writer->WriteRow(logits);
  };
  PITH_RETURN_IF_ERROR(EvaluateLogits(model, ids, arguments.window, row));
  PITH_RETURN_IF_ERROR(target->Commit({}));
  if (target->is_new_file()) {
    char rate[32];
    std::snprintf(rate, sizeof rate, "%.0f",
                  static_cast<double>(ids.size()) / std::max(watch.seconds(), 1e-6));
    console.Info(arguments.ids + " : logits of " + Plural(ids.size(), "position") + " in " + target->name() +
                 " (" + rate + " tokens/s)");
  }
  return OkStatus();
}

}  // namespace

int RunEval(const Arguments& arguments, Console& console) {
  ModelFinder models(std::nullopt, {.threads = arguments.threads}, console);
  const Result<Model*> model = models.Open(arguments.operands[0]);
  if (!model.ok()) {
    console.Error(ErrorLine(model.status(), arguments.operands[0], "model"));
    models.ShowWayOut();
    return kExitModel;
  }
  if (arguments.ids.empty()) return EvaluateFiles(**model, arguments, console);
  const Status status = WriteLogits(**model, arguments, console);
  console.ClearProgress();
  if (status.ok()) return kExitOk;
  console.Error(ErrorLine(status, arguments.ids, arguments.logits));
  return kExitFailed;
}

}  // namespace pith::cli
