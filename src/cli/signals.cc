#include "cli/signals.h"

#include <unistd.h>

#include <cerrno>

#include "base/file.h"

namespace pith::cli {

volatile std::sig_atomic_t g_progress_line_shown = 0;

namespace {

// Async-signal-safe throughout.
extern "C" void OnSignal(int signal_number) {
  const int saved_errno = errno;
  AtomicFile::RemoveUnfinished();
  if (g_progress_line_shown != 0 && signal_number != SIGPIPE) {
    const char clear[] = "\r\x1b[K";
    const ssize_t ignored = write(STDERR_FILENO, clear, sizeof clear - 1);
    (void)ignored;
  }
  // Die of the signal, not with an exit code: the shell then knows that it was interrupted and stops its
  // loop, too. The default action comes back only now, when the files are gone: signals often come in twos (one
  // from the terminal, one from `timeout`), and another thread would die of the second while this one still
  // removes. The signal is blocked in here and arrives on return.
  std::signal(signal_number, SIG_DFL);
  raise(signal_number);
  errno = saved_errno;
}

volatile std::sig_atomic_t g_interrupted = 0;
extern "C" void NoteInterrupt(int) { g_interrupted = 1; }

}  // namespace

InterruptScope::InterruptScope() {
  g_interrupted = 0;
  struct sigaction action{};
  action.sa_handler = NoteInterrupt;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  (void)sigaction(SIGINT, nullptr, &old_);
  if (old_.sa_handler != SIG_IGN) (void)sigaction(SIGINT, &action, nullptr);
}

InterruptScope::~InterruptScope() { (void)sigaction(SIGINT, &old_, nullptr); }
bool InterruptScope::interrupted() const { return g_interrupted != 0; }
void InterruptScope::Clear() { g_interrupted = 0; }

void DieOfInterrupt() {
  AtomicFile::RemoveUnfinished();
  std::signal(SIGINT, SIG_DFL);
  raise(SIGINT);
  _exit(130);
}

void InstallSignalHandlers() {
  for (const int signal_number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) {
    struct sigaction old{};
    if (sigaction(signal_number, nullptr, &old) == 0 && old.sa_handler == SIG_IGN) continue;
    struct sigaction action{};
    action.sa_handler = OnSignal;
    sigemptyset(&action.sa_mask);
    (void)sigaction(signal_number, &action, nullptr);
  }
}

}  // namespace pith::cli
