#include "bench/measured_run.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fstream>
#include <vector>

#include "bench/file_descriptor.h"

extern char** environ;

namespace pith::bench {
namespace {

constexpr std::chrono::milliseconds kLook(100);  // between two looks at `interrupted`; a signal wakes us earlier
constexpr size_t kMaxLastWords = 300;            // bytes of standard error that are shown
constexpr size_t kLastWordsWindow = 4096;        // bytes of its end that are looked at
constexpr size_t kMaxLastLines = 3;

using Clock = std::chrono::steady_clock;

// The last lines of a file, in one, without control characters.
std::string LastWords(const std::string& path) {
  std::ifstream in(path, std::ios::binary | std::ios::ate);
  if (!in) return "";
  const auto size = static_cast<size_t>(in.tellg());
  std::string text(std::min(size, kLastWordsWindow), '\0');
  in.seekg(static_cast<std::streamoff>(size - text.size()));
  in.read(text.data(), static_cast<std::streamsize>(text.size()));

  std::vector<std::string> lines(1);
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\n' || c == '\r') {
      if (!lines.back().empty()) lines.emplace_back();
    } else if (c == '\t') {
      lines.back() += ' ';
    } else if (byte >= 0x20 && byte != 0x7f) {
      lines.back() += c;
    }
  }
  if (lines.back().empty()) lines.pop_back();
  std::string words;
  for (size_t i = lines.size() - std::min(lines.size(), kMaxLastLines); i < lines.size(); ++i) {
    words += (words.empty() ? "" : "; ") + lines[i];
  }
  return words.size() <= kMaxLastWords ? words : ".." + words.substr(words.size() - kMaxLastWords);
}

Result<pid_t> Start(const WorkerTask& task, const RunOptions& options, const std::string& messages, int report) {
  std::vector<std::string> args = WorkerArguments(task);
  args.insert(args.begin(), "pith");
  std::vector<char*> argv;
  for (std::string& arg : args) argv.push_back(arg.data());
  argv.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, messages.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND,
                                   0600);
  posix_spawn_file_actions_adddup2(&actions, report, kReportDescriptor);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  // A group of its own: so that all of it can be killed, and so that Ctrl-C reaches only us, who know what to do.
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  posix_spawnattr_setpgroup(&attributes, 0);
  pid_t pid = -1;
  const int error = posix_spawn(&pid, options.program.c_str(), &actions, &attributes, argv.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return IoError(options.program + ": cannot start: " + std::strerror(error));
  return pid;
}

enum class Ending { kByItself, kTimeout, kInterrupted };

// Until the process has ended, or should: its end closes the only writing end of the pipe.
Ending Listen(int pipe, Clock::time_point deadline, const RunOptions& options, std::string& report) {
  for (;;) {
    if (options.interrupted && options.interrupted()) return Ending::kInterrupted;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    if (left.count() <= 0) return Ending::kTimeout;
    pollfd waiting{.fd = pipe, .events = POLLIN, .revents = 0};
    const int n_ready = poll(&waiting, 1, static_cast<int>(std::min(left, kLook).count()));
    if (n_ready <= 0) continue;  // nothing yet, or a signal
    char buffer[4096];
    const ssize_t n = read(pipe, buffer, sizeof buffer);
    if (n == 0 || (n < 0 && errno != EINTR)) return Ending::kByItself;
    const size_t room = kMaxReportBytes - std::min(report.size(), kMaxReportBytes);
    if (n > 0) report.append(buffer, std::min(static_cast<size_t>(n), room));
  }
}

double Seconds(const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6; }

Status Failure(const std::string& what, const std::string& messages) {
  const std::string words = LastWords(messages);
  return IoError(what + (words.empty() ? "" : ": " + words));
}

std::string SecondsText(double seconds) {
  char text[32];
  std::snprintf(text, sizeof text, "%g s", seconds);
  return text;
}

}  // namespace

Result<RunFigures> MeasureRun(const WorkerTask& task, const RunOptions& options) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return IoError(std::string("cannot make a pipe: ") + std::strerror(errno));
  const FileDescriptor from_worker(ends[0]);
  FileDescriptor to_us(ends[1]);
  const std::string messages = options.folder + "/messages";
  const auto patience =
      std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(options.timeout_seconds));

  const auto energy_before = options.energy != nullptr ? options.energy->Read() : std::nullopt;
  const Clock::time_point start = Clock::now();
  PITH_ASSIGN_OR_RETURN(const pid_t pid, Start(task, options, messages, to_us.fd()));
  (void)to_us.Close();
  std::string report_text;
  const Ending ending = Listen(from_worker.fd(), start + patience, options, report_text);
  if (ending != Ending::kByItself) kill(-pid, SIGKILL);
  // The process stays as a zombie until the last line below, so that its number and group are nobody else's yet.
  siginfo_t info{};
  while (waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT) != 0 && errno == EINTR) {
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  const auto energy_after = options.energy != nullptr ? options.energy->Read() : std::nullopt;
  kill(-pid, SIGKILL);  // what a command has left in the background
  int status = 0;
  rusage usage{};
  while (wait4(pid, &status, 0, &usage) < 0 && errno == EINTR) {
  }

  if (ending == Ending::kInterrupted) return Cancelled("interrupted");
  if (ending == Ending::kTimeout) {
    return Failure("killed after " + SecondsText(options.timeout_seconds) + ", the limit of --timeout", messages);
  }
  if (WIFSIGNALED(status)) {
    return Failure("killed by signal " + std::to_string(WTERMSIG(status)) + " (" + strsignal(WTERMSIG(status)) + ")",
                   messages);
  }
  const Result<WorkerReport> report = ParseReport(report_text);
  if (!report.ok()) return Failure("exit code " + std::to_string(WEXITSTATUS(status)), messages);
  if (!report->error.empty()) return Failure(report->error, messages);

  RunFigures figures;
  figures.seconds = report->command_seconds.value_or(seconds);
  figures.work_seconds = report->work_seconds;
  figures.cpu_seconds = report->command_cpu_seconds.value_or(Seconds(usage.ru_utime) + Seconds(usage.ru_stime));
  figures.peak_bytes = report->peak_bytes;
  if (options.energy != nullptr) figures.joules = options.energy->JoulesBetween(energy_before, energy_after);
  return figures;
}

}  // namespace pith::bench
