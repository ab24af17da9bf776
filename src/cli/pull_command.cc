// pith pull
#include <algorithm>
#include <cstdio>
#include <iterator>
#include <optional>
#include <string>

#include "cli/commands.h"
#include "cli/job.h"
#include "cli/pull_command.h"
#include "pith/hub.h"

namespace pith::cli {
namespace {

// What the stages of a pull look like. On a terminal as one line that changes; elsewhere only what one should know.
class PullDisplay {
 public:
  PullDisplay(std::string name, Console& console) : name_(std::move(name)), console_(console) {}

  void Show(const PullProgress& p) {
    if (p.stage == PullProgress::Stage::kWaiting && !told_to_wait_) {
      console_.Info(name_ + " : waiting: " + p.note);
      told_to_wait_ = true;
    }
    if (p.note != note_) {
      note_ = p.note;
      if (!note_.empty()) console_.Detail(name_ + " : " + (p.file.empty() ? "" : p.file + ": ") + note_);
    }
    if (p.stage == PullProgress::Stage::kFetching && !start_) {
      start_ = p.done;
      watch_ = Stopwatch();
    }
    if (!console_.ProgressDue()) return;
    std::string text = name_ + " : " + StageText(p);
    if (!note_.empty()) text += "  (" + note_ + ")";
    console_.ShowProgress(text);
  }

 private:
  std::string StageText(const PullProgress& p) const {
    const std::string file = p.file.substr(p.file.rfind('/') + 1);
    switch (p.stage) {
      case PullProgress::Stage::kWaiting:
        return "waiting";
      case PullProgress::Stage::kAsking:
        return "asking the hub";
      case PullProgress::Stage::kFetching:
        break;
      case PullProgress::Stage::kChecking:
        return "checking " + file + ", " + FormatBytes(p.done) + " of " + FormatBytes(p.total);
    }
    std::string text = FormatBytes(p.done);
    if (p.total == 0) return text + "  " + file;
    char percent[16];
    std::snprintf(percent, sizeof percent, "%3.0f %%",
                  100.0 * static_cast<double>(p.done) / static_cast<double>(p.total));
    // What an earlier pull has fetched says nothing of this connection's speed.
    const uint64_t fetched = p.done - std::min(p.done, start_.value_or(0));
    text += " of " + FormatBytes(p.total) + "  " + percent + "  " + FormatRate(fetched, watch_.seconds());
    if (fetched > 0 && watch_.seconds() > 1) {
      const double left =
          static_cast<double>(p.total - std::min(p.done, p.total)) * watch_.seconds() / static_cast<double>(fetched);
      text += "  ETA " + FormatDuration(left);
    }
    return text + "  " + file;
  }

  std::string name_;
  Console& console_;
  Stopwatch watch_;
  std::optional<uint64_t> start_;  // bytes that were there when fetching began
  std::string note_;
  bool told_to_wait_ = false;
};

// What `what` means if it means `path`, else the path: for the lines that say how to use a model.
std::string ShortestName(const std::string& what, const std::string& path) {
  const Result<FoundModel> found = FindModel(what);
  return found.ok() && found->path == path ? what : path;
}

std::string HowToUse(const std::string& name) { return "  use it: pith run " + name + "; pith --model " + name + " FILE"; }

Status ConvertPulled(const Arguments& arguments, const PulledModel& pulled, const std::string& full, Console& console) {
  ConvertModelOptions options;
  options.threads = arguments.threads;
  options.replace = arguments.force;
  options.activations = arguments.activations;
  const Stopwatch watch;
  const Result<ConvertedModel> converted = ConvertPulledModel(pulled, options, [&](const ConvertModelProgress& p) {
    if (console.ProgressDue()) {
      console.ShowProgress(ProgressText("converting " + full, p.done, p.total, "", watch.seconds()) + "  " + p.item);
    }
    return true;
  });
  console.ClearProgress();
  if (!converted.ok()) {
    const std::string hint = converted.status().code() == StatusCode::kAlreadyExists
                                 ? " (use -f)"
                                 : "; it is fetched, but not converted: " + pulled.folder;
    return {converted.status().code(), converted.status().message() + hint};
  }
  for (const std::string& note : converted->result.notes) console.Warning(note);
  if (converted->is_new) {
    console.Info(converted->path + " : " + converted->result.quantize + " (" +
                 FormatBytes(converted->result.source_bytes) + " => " + FormatBytes(converted->result.output_bytes) +
                 ", " + FormatDuration(watch.seconds()) + ")");
    if (!converted->result.fingerprint.empty()) console.Detail("fingerprint " + converted->result.fingerprint);
  } else {
    console.Info(converted->path + " : converted already");
  }
  console.Info(HowToUse(ShortestName(full, converted->path)));
  return OkStatus();
}

}  // namespace

Status Pull(const Arguments& arguments, Console& console) {
  const std::string& what = arguments.operands[0];
  const Stopwatch watch;
  PullDisplay display(what, console);
  const PullOptions options{.revision = arguments.revision, .file = arguments.file, .offline = arguments.offline};
  const Result<PulledModel> pulled = PullModel(what, options, [&](const PullProgress& p) {
    display.Show(p);
    return true;
  });
  console.ClearProgress();
  if (!pulled.ok()) return pulled.status();
  const std::string full = pulled->name + (pulled->revision.empty() ? "" : "@" + pulled->revision);
  const std::string commit = ", commit " + pulled->commit.substr(0, 12) + ")";
  if (pulled->fetched_bytes > 0) {
    console.Info(full + " : " + FormatBytes(pulled->fetched_bytes) + " fetched (" + FormatBytes(pulled->total_bytes) +
                 ", " + FormatDuration(watch.seconds()) + commit);
  } else {
    console.Info(full + " : is there (" + FormatBytes(pulled->total_bytes) + commit);
  }
  if (!pulled->model_file.empty()) {
    const bool is_model = std::any_of(std::begin(kModelSuffixes), std::end(kModelSuffixes),
                                      [&](std::string_view suffix) { return pulled->model_file.ends_with(suffix); });
    console.Info(is_model ? HowToUse(ShortestName(full, pulled->model_file)) : "  in " + pulled->model_file);
    return OkStatus();
  }
  if (!arguments.convert) {
    console.Info("  in " + pulled->folder);
    return OkStatus();
  }
  return ConvertPulled(arguments, *pulled, full, console);
}

int RunPull(const Arguments& arguments, Console& console) {
  const Status status = Pull(arguments, console);
  if (status.ok()) return kExitOk;
  console.Error(status.message());
  return kExitFailed;
}

}  // namespace pith::cli
