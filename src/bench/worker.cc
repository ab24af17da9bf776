#include "bench/worker.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <utility>

#include "bench/file_descriptor.h"
#include "pith/pith.h"

extern char** environ;

namespace pith::bench {
namespace {

constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;
constexpr int kShellSignalBase = 128;  // sh's exit code for "the command died of signal n" is 128 + n
constexpr int kShellNotFound = 127;

double Now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

double Seconds(const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6; }

// ---- Arguments ----------------------------------------------------------------------------------------------------

// bench --worker DIRECTION INPUT OUTPUT LIMIT THREADS KIND ...
constexpr size_t kKindAt = 7;

template <typename T>
bool ParseInto(const std::string& text, T& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

Result<WorkerTask> ParseTask(std::span<const std::string> args) {
  const Status bad = InvalidArgument("bench --worker: arguments that this program did not make");
  if (args.size() <= kKindAt) return bad;
  WorkerTask task;
  task.compress = args[2] == "compress";
  task.input = args[3];
  task.output = args[4];
  if (!ParseInto(args[5], task.limit_bytes) || !ParseInto(args[6], task.threads)) return bad;
  const std::string& kind = args[kKindAt];
  const std::span<const std::string> rest = args.subspan(kKindAt + 1);
  if (kind == "library" && rest.size() == 3) {
    LibraryCodec codec;
    unsigned library = 0;
    if (!ParseInto(rest[0], library) || library >= kNLibraries || !ParseInto(rest[1], codec.level)) return bad;
    codec.library = static_cast<Library>(library);
    codec.extra = rest[2] == "1";
    task.how = codec;
    return task;
  }
  if (kind == "pith" && rest.size() == 4) {
    PithCodec codec{.best_of = rest[1] == "1", .plain = rest[2] == "1", .model_path = rest[3]};
    if (!ParseInto(rest[0], codec.contexts)) return bad;
    task.how = std::move(codec);
    return task;
  }
  if (kind == "command" && rest.size() == 1) {
    CommandCodec codec;
    (task.compress ? codec.compress : codec.decompress) = rest[0];
    task.how = std::move(codec);
    return task;
  }
  return bad;
}

// ---- Work in this process -----------------------------------------------------------------------------------------

// Stops what would fill the disk.
class LimitedSink : public ByteSink {
 public:
  LimitedSink(ByteSink& sink, uint64_t limit) : sink_(sink), left_(limit), limit_(limit) {}
  Status Write(std::span<const uint8_t> data) override {
    if (data.size() > left_) {
      return IoError("the output is larger than the limit of " + std::to_string(limit_) + " bytes");
    }
    left_ -= data.size();
    return sink_.Write(data);
  }

 private:
  ByteSink& sink_;
  uint64_t left_;
  uint64_t limit_;
};

Status CompressByPith(const PithCodec& codec, size_t threads, ByteSource& source, uint64_t bytes, ByteSink& sink) {
  CompressOptions options;
  options.contexts = codec.contexts;
  options.best_of = codec.best_of;
  options.adaptive = !codec.plain;
  options.size_hint = bytes;
  options.threads = threads;
  if (codec.contexts != 0) return Compress(source, sink, options, nullptr).status();
  PITH_ASSIGN_OR_RETURN(Model model, IsBuiltinModel(codec.model_path) ? Model::Builtin({.threads = threads}, codec.model_path)
                                                                   : Model::Open(codec.model_path, {.threads = threads}));
  return Compress(model, source, sink, options, nullptr).status();
}

Status DecompressByPith(const PithCodec& codec, size_t threads, ByteSource& source, ByteSink& sink) {
  std::optional<Model> model;  // loaded by the first block that asks for it, as pith -d does
  const ModelProvider models = [&](const std::string& name, const std::string& fingerprint) -> Result<Model*> {
    if (codec.model_path.empty()) return NotFound("the archive asks for model " + name + ", though made without one");
    if (!model) {
      PITH_ASSIGN_OR_RETURN(model, IsBuiltinModel(codec.model_path) ? Model::Builtin({.threads = threads}, codec.model_path)
                                                                 : Model::Open(codec.model_path, {.threads = threads}));
    }
    if (!model->info().fingerprint.starts_with(fingerprint)) {
      return WrongModel("the archive asks for a model of fingerprint " + fingerprint + ", found " +
                        model->info().fingerprint);
    }
    return &*model;
  };
  return Decompress(models, source, sink, {.threads = threads}, nullptr).status();
}

Status WorkHere(const WorkerTask& task) {
  PITH_ASSIGN_OR_RETURN(FileDescriptor in, FileDescriptor::OpenToRead(task.input));
  struct stat info;
  if (fstat(in.fd(), &info) != 0) return IoError("input: cannot stat: " + std::string(std::strerror(errno)));
  const auto bytes = static_cast<uint64_t>(info.st_size);
  PITH_ASSIGN_OR_RETURN(FileDescriptor out, FileDescriptor::OpenToWrite(task.output));
  FdSource source(in.fd(), "input");
  FdSink file(out.fd(), "output");
  LimitedSink sink(file, task.limit_bytes);
  if (const auto* library = std::get_if<LibraryCodec>(&task.how)) {
    PITH_RETURN_IF_ERROR(task.compress ? CompressByLibrary(*library, source, bytes, sink)
                                       : DecompressByLibrary(*library, source, sink));
  } else {
    const auto& codec = std::get<PithCodec>(task.how);
    PITH_RETURN_IF_ERROR(task.compress ? CompressByPith(codec, task.threads, source, bytes, sink)
                                       : DecompressByPith(codec, task.threads, source, sink));
  }
  if (const int error = out.Close(); error != 0)
    return IoError("output: cannot close: " + std::string(std::strerror(error)));
  return OkStatus();
}

// The largest resident memory so far. Not getrusage: what it says includes the process that this one was forked from.
uint64_t PeakBytes() {
  constexpr std::string_view kKey = "VmHWM:";
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(kKey)) return std::strtoull(line.c_str() + kKey.size(), nullptr, 10) << 10;  // in KiB
  }
  return 0;
}

// ---- Work in a command --------------------------------------------------------------------------------------------

std::string SignalText(int number, uint64_t limit_bytes) {
  if (number == SIGXFSZ) return "the output is larger than the limit of " + std::to_string(limit_bytes) + " bytes";
  return "killed by signal " + std::to_string(number) + " (" + strsignal(number) + ")";
}

std::string HowItEnded(int status, uint64_t limit_bytes) {
  if (WIFSIGNALED(status)) return SignalText(WTERMSIG(status), limit_bytes);
  const int code = WEXITSTATUS(status);
  if (code > kShellSignalBase && code < kShellSignalBase + 65) return SignalText(code - kShellSignalBase, limit_bytes);
  if (code == kShellNotFound) return "command not found (exit code 127)";
  return code == 0 ? "" : "exit code " + std::to_string(code);
}

WorkerReport RunCommand(const WorkerTask& task) {
  const auto& codec = std::get<CommandCodec>(task.how);
  const std::string& line = task.compress ? codec.compress : codec.decompress;
  const std::string filled = FilledIn(line, task.input, task.output);
  WorkerReport report;
  const rlimit limit{task.limit_bytes, task.limit_bytes};
  if (setrlimit(RLIMIT_FSIZE, &limit) != 0) {
    report.error = std::string("cannot limit the output: ") + std::strerror(errno);
    return report;
  }
  // What a command leaves in its temporary folder goes with ours.
  if (const size_t slash = task.output.rfind('/'); slash != std::string::npos) {
    setenv("TMPDIR", task.output.substr(0, slash).c_str(), 1);
  }

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  if (line.find("{input}") == std::string::npos) {
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, task.input.c_str(), O_RDONLY, 0);
  }
  if (line.find("{output}") == std::string::npos) {
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, task.output.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  } else {
    posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);  // what it says, rather than makes
  }
  std::string sh = "sh", c = "-c", text = filled;
  char* const argv[] = {sh.data(), c.data(), text.data(), nullptr};
  pid_t pid = -1;
  const double start = Now();
  const int error = posix_spawn(&pid, "/bin/sh", &actions, nullptr, argv, environ);
  int status = 0;
  rusage usage{};
  if (error == 0) {
    while (wait4(pid, &status, 0, &usage) < 0 && errno == EINTR) {
    }
  }
  const double seconds = Now() - start;
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    report.error = std::string("cannot start sh: ") + std::strerror(error);
    return report;
  }
  report.work_seconds = seconds;
  report.command_seconds = seconds;
  report.command_cpu_seconds = Seconds(usage.ru_utime) + Seconds(usage.ru_stime);
  report.peak_bytes = static_cast<uint64_t>(usage.ru_maxrss) << 10;
  report.error = HowItEnded(status, task.limit_bytes);
  return report;
}

// ---- A worker's life ----------------------------------------------------------------------------------------------

extern "C" void EndGroup(int) { kill(0, SIGKILL); }

// Nothing goes on when the process that measures is gone, not even what a command has started.
void DieWithParent() {
  if (getpgrp() != getpid()) return;  // started by hand: the group is somebody else's
  std::signal(SIGTERM, EndGroup);
  (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
}

std::string OneLine(std::string text) {
  for (char& c : text) {
    if (c == '\n') c = ' ';
  }
  return text;
}

}  // namespace

std::vector<std::string> WorkerArguments(const WorkerTask& task) {
  std::vector<std::string> args = {"bench",
                                   "--worker",
                                   task.compress ? "compress" : "decompress",
                                   task.input,
                                   task.output,
                                   std::to_string(task.limit_bytes),
                                   std::to_string(task.threads)};
  const auto flag = [](bool set) { return std::string(set ? "1" : "0"); };
  if (const auto* library = std::get_if<LibraryCodec>(&task.how)) {
    for (std::string arg : {std::string("library"), std::to_string(static_cast<unsigned>(library->library)),
                            std::to_string(library->level), flag(library->extra)}) {
      args.push_back(std::move(arg));
    }
  } else if (const auto* codec = std::get_if<PithCodec>(&task.how)) {
    for (std::string arg : {std::string("pith"), std::to_string(codec->contexts), flag(codec->best_of),
                            flag(codec->plain), codec->model_path}) {
      args.push_back(std::move(arg));
    }
  } else {
    const auto& command = std::get<CommandCodec>(task.how);
    args.emplace_back("command");
    args.push_back(task.compress ? command.compress : command.decompress);
  }
  return args;
}

std::string WriteReport(const WorkerReport& report) {
  char number[64];
  std::string text;
  const auto add = [&](const char* name, double value) {
    std::snprintf(number, sizeof number, "%s %.9f\n", name, value);
    text += number;
  };
  add("work_seconds", report.work_seconds);
  text += "peak_bytes " + std::to_string(report.peak_bytes) + "\n";
  if (report.command_seconds) add("command_seconds", *report.command_seconds);
  if (report.command_cpu_seconds) add("command_cpu_seconds", *report.command_cpu_seconds);
  if (!report.error.empty()) text += "error " + OneLine(report.error).substr(0, kMaxReportBytes / 2) + "\n";
  return text + "end\n";
}

Result<WorkerReport> ParseReport(const std::string& text) {
  WorkerReport report;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    const size_t space = std::min(line.find(' '), line.size());
    const std::string name = line.substr(0, space);
    const std::string value = line.substr(std::min(space + 1, line.size()));
    double seconds = 0;
    if (name == "end") return report;
    if (name == "error") {
      report.error = value;
    } else if (name == "peak_bytes") {
      if (!ParseInto(value, report.peak_bytes)) break;
    } else {
      if (!ParseInto(value, seconds) || !(seconds >= 0)) break;
      if (name == "work_seconds") report.work_seconds = seconds;
      if (name == "command_seconds") report.command_seconds = seconds;
      if (name == "command_cpu_seconds") report.command_cpu_seconds = seconds;
    }
  }
  return Corrupt("the report of the measured process is incomplete");
}

bool IsWorker(std::span<const std::string> args) {
  return args.size() >= 2 && args[0] == "bench" && args[1] == "--worker";
}

int RunWorker(std::span<const std::string> args) {
  // Looked at first: otherwise a file of ours would get the number.
  const bool reports = fcntl(kReportDescriptor, F_SETFD, FD_CLOEXEC) == 0;
  DieWithParent();
  const Result<WorkerTask> task = ParseTask(args);
  WorkerReport report;
  if (!task.ok()) {
    report.error = task.status().message();
  } else if (std::holds_alternative<CommandCodec>(task->how)) {
    report = RunCommand(*task);
  } else {
    const double start = Now();
    const Status status = WorkHere(*task);
    report.work_seconds = Now() - start;
    report.peak_bytes = PeakBytes();
    report.error = status.message();
  }
  if (reports) {
    FdSink sink(kReportDescriptor, "report");
    (void)sink.Write(AsBytes(WriteReport(report)));  // a report that does not arrive is a failure over there
  } else if (!report.error.empty()) {
    FdSink sink(STDERR_FILENO, "standard error");
    (void)sink.Write(AsBytes("pith: " + report.error + "\n"));
  }
  return report.error.empty() ? 0 : task.ok() ? kExitFailed : kExitUsage;
}

}  // namespace pith::bench
