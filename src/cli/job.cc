#include "cli/job.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <string_view>
#include <utility>

namespace pith::cli {

std::string ErrorLine(const Status& status, const std::string& input, const std::string& target) {
  const std::string& message = status.message();
  for (const std::string& name : {input, target}) {
    // Also a file in the folder that was named.
    if (!name.empty() && (message.starts_with(name + ": ") || message.starts_with(name + "/")))
      return message;
  }
  // The codec says "archive: " where it has no better name; here the file's name stands for it.
  constexpr std::string_view kNameless = "archive: ";
  return input + ": " + (message.starts_with(kNameless) ? message.substr(kNameless.size()) : message);
}

std::string ProgressText(const std::string& label, uint64_t done, std::optional<uint64_t> total,
                         const std::string& ratio_text, double seconds) {
  std::string text = label + " : " + FormatBytes(done);
  if (total && *total >= done && *total > 0) {
    char percent[16];
    std::snprintf(percent, sizeof percent, "%3.0f %%",
                  100.0 * static_cast<double>(done) / static_cast<double>(*total));
    text += " of " + FormatBytes(*total) + "  " + percent;
  }
  if (!ratio_text.empty()) text += "  ratio " + ratio_text;
  text += "  " + FormatRate(done, seconds);
  if (total && *total > done && done > 0 && seconds > 1) {
    const double left = static_cast<double>(*total - done) * seconds / static_cast<double>(done);
    text += "  ETA " + FormatDuration(left);
  }
  return text;
}

Job::Job(const Arguments& arguments, Console& console)
    : arguments_(arguments),
      console_(console),
      models_(arguments.model, {.threads = arguments.threads}, console) {}

std::string Job::Label(const Input& input) const {
  if (inputs_.size() < 2) return input.name();
  return "(" + std::to_string(index_) + "/" + std::to_string(inputs_.size()) + ") " + input.name();
}

void Job::Report(const Target* target, const std::string& line) {
  const bool to_stdout = target != nullptr && !target->is_new_file();
  if (!to_stdout || console_.error_is_terminal() || console_.verbose()) console_.Info(line);
}

void Job::Count(uint64_t original_bytes, uint64_t archive_bytes) {
  ++totals_.files;
  totals_.original_bytes += original_bytes;
  totals_.archive_bytes += archive_bytes;
}

bool Job::ToStandardOutput(const std::string& input_path) const {
  if (arguments_.output) return *arguments_.output == "-";
  return arguments_.to_stdout || input_path == "-";
}

int Job::CheckTerminals(size_t n_operands) {
  const std::vector<std::string>& operands = arguments_.operands;
  bool from_stdin = n_operands == 0;
  bool to_stdout = n_operands == 0 && ToStandardOutput("-");
  for (const std::string& operand : operands) {
    from_stdin = from_stdin || operand == "-";
    to_stdout = to_stdout || ToStandardOutput(operand);
  }
  if (from_stdin && isatty(STDIN_FILENO) == 1 && !arguments_.force && (n_operands == 0 || reads_archive())) {
    console_.Error(reads_archive() ? "standard input is a terminal, which holds no archive; name a file"
                                   : "standard input is a terminal; name a file, or - to type the text");
    return kExitUsage;
  }
  if (writes_archive() && to_stdout && isatty(STDOUT_FILENO) == 1 && !arguments_.force) {
    console_.Error(
        "standard output is a terminal, and archives are binary; redirect it, use -o FILE, or force it with "
        "-f");
    return kExitUsage;
  }
  return kExitOk;
}

int Job::Run() {
  std::vector<std::string> operands = arguments_.operands;
  if (const int code = CheckTerminals(operands.size()); code != kExitOk) return code;
  if (operands.empty()) operands.emplace_back("-");

  size_t n_failed = 0;
  for (InputName& input : ExpandInputs(operands, arguments_.recursive, console_, n_failed)) {
    if (!input.from_folder || Wants(input)) inputs_.push_back(std::move(input));
  }
  outcome_.Add(n_failed);
  if (inputs_.empty() && n_failed == 0) console_.Warning("nothing to do: no fitting file in the folder");

  const Stopwatch watch;
  for (const InputName& input : inputs_) {
    ++index_;
    RunOne(input);
    // What would fail in the same way again and again.
    if (outcome_.bad_options() || (models_.failed() && arguments_.model)) break;
  }
  if (totals_.files > 1) console_.Info(Summary(totals_, watch.seconds()));
  if (writes()) {
    if (const Status status = CloseStandardOutput(); !status.ok()) {
      console_.Error(status.message());
      outcome_.Failed();
    }
  }
  return outcome_.ExitCode();
}

void Job::RunOne(const InputName& name) {
  std::string input_name = name.path == "-" ? std::string(kStandardInput) : name.path.empty() ? "''" : name.path;
  std::string target_name;
  const bool model_failed_before = models_.failed();
  const Status status = TryOne(name, input_name, target_name);
  console_.ClearProgress();
  if (status.ok()) return;
  if (outcome_.bad_options()) {
    console_.Error(status.message());
    return;
  }
  console_.Error(ErrorLine(status, input_name, target_name));
  if (status.code() == StatusCode::kWrongModel || (models_.failed() && !model_failed_before)) {
    if (models_.failed()) models_.ShowWayOut();
    outcome_.FailedForModel();
  } else {
    outcome_.Failed();
  }
}

Status Job::TryOne(const InputName& name, std::string& input_name, std::string& target_name) {
  PITH_ASSIGN_OR_RETURN(const std::unique_ptr<Input> input,
                        Input::Open(name.path, {.regular_only = RegularOnly(), .has_recursive = true}));
  input_name = input->name();
  std::unique_ptr<Target> target;
  if (writes()) {
    PITH_ASSIGN_OR_RETURN(target, OpenTarget(*input, target_name));
  }
  PITH_RETURN_IF_ERROR(Process(*input, target.get()));
  if (arguments_.remove) PITH_RETURN_IF_ERROR(input->Remove());
  return OkStatus();
}

Result<const Dictionary*> Job::GivenDictionary() {
  if (!arguments_.dictionary) return nullptr;
  if (!dictionary_) {
    PITH_ASSIGN_OR_RETURN(dictionary_, Dictionary::Open(*arguments_.dictionary));
  }
  return &*dictionary_;
}

Result<std::unique_ptr<Target>> Job::OpenTarget(const Input& input, std::string& target_name) {
  struct stat info;
  if (ToStandardOutput(input.path())) {
    target_name = std::string(kStandardOutput);
    if (input.is_regular() && fstat(STDOUT_FILENO, &info) == 0 && input.IsSameFile(info)) {
      return InvalidArgument(input.name() + ": is standard output, too; nothing done");
    }
    return Target::StandardOutput();
  }
  if (arguments_.output) {
    target_name = *arguments_.output;
  } else {
    PITH_ASSIGN_OR_RETURN(target_name, TargetFor(input.path()));
  }
  bool replace = arguments_.force;
  if (stat(target_name.c_str(), &info) == 0) {
    if (arguments_.remove && !S_ISREG(info.st_mode)) {
      return InvalidArgument(target_name + ": is not a regular file, and --rm removes a source only when its target is one; nothing done");
    }
    if (input.IsSameFile(info)) return InvalidArgument(input.name() + ": is the target, too; nothing done");
    if (S_ISREG(info.st_mode) && !replace) {
      if (input.is_stdin() || !console_.CanAsk()) {
        return AlreadyExists(target_name + ": already exists; not overwritten (use -f)");
      }
      if (!console_.Confirm(target_name + " exists; overwrite?"))
        return AlreadyExists(target_name + ": not overwritten");
      replace = true;
    }
  }
  return Target::Create(target_name, replace);
}

}  // namespace pith::cli
