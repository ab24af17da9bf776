#include "process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <utility>
#include <iterator>

namespace pith::test {
namespace {

namespace fs = std::filesystem;

// In the child: never returns.
[[noreturn]] void Become(const Setting& setting, const std::vector<std::string>& args) {
  if (!setting.folder.empty() && chdir(setting.folder.c_str()) != 0) _exit(99);
  setenv("PITH", PITH_PROGRAM, 1);
  setenv("TZ", "UTC", 1);
  setenv("TERM", "xterm", 1);
  setenv("XDG_DATA_DIRS", "none", 1);  // relative, so what is installed on this machine is not looked at
  unsetenv("NO_COLOR");
  for (const std::string& entry : setting.environment) {
    const size_t equals = entry.find('=');
    setenv(entry.substr(0, equals).c_str(), entry.substr(equals + 1).c_str(), 1);
  }
  // Test programs may have been started with signals ignored.
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) signal(number, SIG_DFL);
  std::vector<char*> argv;
  for (const std::string& arg : args) argv.push_back(const_cast<char*>(arg.c_str()));
  argv.push_back(nullptr);
  execv(argv[0], argv.data());
  _exit(98);
}

Ended WaitFor(pid_t pid) {
  Ended ended;
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status)) ended.code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) ended.signal = WTERMSIG(status);
  return ended;
}

std::vector<std::string> WithProgram(const std::vector<std::string>& args) {
  std::vector<std::string> all = {PITH_PROGRAM};
  all.insert(all.end(), args.begin(), args.end());
  return all;
}

// Output goes to files, so that no pipe can fill up.
Ended Run(const Setting& setting, const std::vector<std::string>& args) {
  const Folder streams;
  const std::string input = setting.input.empty() ? "/dev/null" : streams / "in";
  if (!setting.input.empty()) WriteFile(input, setting.input);
  const pid_t pid = fork();
  if (pid == 0) {
    const int in = open(input.c_str(), O_RDONLY);
    const int out = open((streams / "out").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    const int err = open((streams / "err").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0) _exit(97);
    Become(setting, args);
  }
  Ended ended = WaitFor(pid);
  ended.out = ReadFile(streams / "out");
  ended.err = ReadFile(streams / "err");
  return ended;
}

}  // namespace

Folder::Folder() {
  std::string pattern = (fs::temp_directory_path() / "pith_program_test.XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) ADD_FAILURE() << pattern << ": " << std::strerror(errno);
  path_ = pattern;
}

Folder::~Folder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

std::vector<std::string> Folder::Names() const {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(path_)) names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

void WriteFile(const std::string& path, const std::string& content) {
  std::ofstream out(path, std::ios::binary);
  out << content;
  if (!out.flush()) ADD_FAILURE() << "cannot write " << path;
}

std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) ADD_FAILURE() << "cannot read " << path;
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

bool Exists(const std::string& path) { return fs::exists(fs::symlink_status(path)); }

int64_t Mtime(const std::string& path) {
  struct stat info{};
  if (stat(path.c_str(), &info) != 0) ADD_FAILURE() << path << ": " << std::strerror(errno);
  return info.st_mtim.tv_sec;
}

void SetMtime(const std::string& path, int64_t seconds) {
  const timespec times[2] = {{seconds, 0}, {seconds, 0}};
  if (utimensat(AT_FDCWD, path.c_str(), times, 0) != 0) ADD_FAILURE() << path << ": " << std::strerror(errno);
}

Ended Pith(const Setting& setting, const std::vector<std::string>& args) {
  return Run(setting, WithProgram(args));
}

Ended Shell(const Setting& setting, const std::string& script) {
  return Run(setting, {"/bin/sh", "-c", script});
}

namespace {

pid_t StartOnTerminal(const Setting& setting, const std::vector<std::string>& args, int& terminal) {
  winsize size{};
  size.ws_row = 24;
  size.ws_col = 80;
  const pid_t pid = forkpty(&terminal, nullptr, nullptr, &size);
  if (pid == 0) Become(setting, WithProgram(args));
  return pid;
}

void Type(int terminal, const std::string& keys) {
  if (!keys.empty() && write(terminal, keys.data(), keys.size()) < 0) ADD_FAILURE() << std::strerror(errno);
}

// False when the last process has closed the terminal (read fails with EIO).
bool ReadSome(int terminal, std::string& out) {
  char buffer[4096];
  const ssize_t n = read(terminal, buffer, sizeof buffer);
  if (n > 0) out.append(buffer, static_cast<size_t>(n));
  return n > 0;
}

}  // namespace

Ended PithOnTerminal(const Setting& setting, const std::vector<std::string>& args, const std::string& keys) {
  int terminal = -1;
  const pid_t pid = StartOnTerminal(setting, args, terminal);
  Type(terminal, keys);
  std::string out;
  while (ReadSome(terminal, out)) {
  }
  Ended ended = WaitFor(pid);
  close(terminal);
  ended.out = out;
  return ended;
}

Ended PithInDialogue(const Setting& setting, const std::vector<std::string>& args, const std::vector<TerminalStep>& steps) {
  constexpr std::string_view kPasteOn = "\x1b[?2004h";
  constexpr int kPatience = 30'000;  // milliseconds
  int terminal = -1;
  const pid_t pid = StartOnTerminal(setting, args, terminal);
  std::string out;
  size_t seen = 0;  // of `out`, up to what the last step waited for
  for (size_t next = 0;;) {
    if (next < steps.size()) {
      const TerminalStep& step = steps[next];
      const bool prompt = step.wait_for.empty();
      size_t at = out.find(prompt ? kPasteOn : std::string_view(step.wait_for), seen);
      if (at != std::string::npos && prompt) at = out.find_first_of(">.", at + kPasteOn.size());
      if (at != std::string::npos && (!prompt || at + 1 < out.size())) {
        seen = at + 1;
        // A prompt comes a moment before the terminal passes on keys as they are.
        termios mode{};
        for (int ms = 0; prompt && ms < kPatience && tcgetattr(terminal, &mode) == 0 && (mode.c_lflag & ICANON) != 0; ++ms) usleep(1000);
        ++next;
        if (step.keys == kHangUp) break;
        Type(terminal, step.keys);
        continue;
      }
    }
    pollfd waiting{.fd = terminal, .events = POLLIN, .revents = 0};
    if (poll(&waiting, 1, kPatience) == 0) {
      ADD_FAILURE() << "nothing happens after step " << next << "; so far:\n" << out;
      kill(pid, SIGKILL);
      break;
    }
    if (!ReadSome(terminal, out)) break;
  }
  if (!steps.empty() && steps.back().keys == kHangUp) close(std::exchange(terminal, -1));
  Ended ended = WaitFor(pid);
  if (terminal >= 0) close(terminal);
  ended.out = out;
  return ended;
}

Background::Background(const Setting& setting, const std::vector<std::string>& args) : pid_(fork()) {
  if (pid_ == 0) {
    const int null = open("/dev/null", O_RDWR);
    if (dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0) _exit(97);
    Become(setting, WithProgram(args));
  }
}

Background::~Background() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    WaitFor(pid_);
  }
}

void Background::Signal(int number) { kill(pid_, number); }

Ended Background::Wait() {
  const Ended ended = WaitFor(pid_);
  pid_ = -1;
  return ended;
}

}  // namespace pith::test
