#include "cli/signals.h"

#include <unistd.h>

#include <cerrno>
#include <iterator>

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

extern "C" void DoNothing(int /*signal_number*/) {}

volatile std::sig_atomic_t g_interrupted = 0;  // number of the signal
extern "C" void NoteInterrupt(int signal_number) { g_interrupted = signal_number; }

}  // namespace

InterruptScope::InterruptScope(bool all) : n_signals_(all ? std::size(kSignals) : 1) {
  g_interrupted = 0;
  struct sigaction action{};
  action.sa_handler = NoteInterrupt;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  for (size_t i = 0; i < n_signals_; ++i) {
    (void)sigaction(kSignals[i], nullptr, &old_[i]);
    if (old_[i].sa_handler != SIG_IGN) (void)sigaction(kSignals[i], &action, nullptr);
  }
}

InterruptScope::~InterruptScope() {
  for (size_t i = 0; i < n_signals_; ++i) (void)sigaction(kSignals[i], &old_[i], nullptr);
}
int InterruptScope::signal_number() const { return g_interrupted; }
void InterruptScope::Clear() { g_interrupted = 0; }

void DieOfInterrupt(int signal_number) {
  AtomicFile::RemoveUnfinished();
  std::signal(signal_number, SIG_DFL);
  raise(signal_number);
  _exit(128 + signal_number);
}

void InstallSignalHandlers() {
  // A file that grows beyond its limit (ulimit -f) is an error of writing, as a full disk is. Not SIG_IGN, which the
  // programs that pith starts would inherit.
  struct sigaction nothing{};
  nothing.sa_handler = DoNothing;
  sigemptyset(&nothing.sa_mask);
  nothing.sa_flags = SA_RESTART;
  (void)sigaction(SIGXFSZ, &nothing, nullptr);
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
