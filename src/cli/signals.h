// Signals: an interrupted pith leaves no temporary file and no half-drawn line behind.
#pragma once

#include <csignal>
#include <cstddef>

namespace pith::cli {

// 1 while a progress line stands on the terminal. Read by the signal handler.
extern volatile std::sig_atomic_t g_progress_line_shown;

// From now on SIGINT, SIGTERM, SIGHUP and SIGPIPE remove unfinished files and then end the process as they
// would have done anyway, so that the shell sees 130, 143, 129 and 141. A signal that is ignored (nohup)
// stays ignored.
void InstallSignalHandlers();

// While it lives, SIGINT - with `all`, SIGTERM, SIGHUP and SIGPIPE, too - does not end the process but is noted. One at a time.
class InterruptScope {
 public:
  explicit InterruptScope(bool all = false);
  ~InterruptScope();
  InterruptScope(const InterruptScope&) = delete;
  InterruptScope& operator=(const InterruptScope&) = delete;

  bool interrupted() const { return signal_number() != 0; }
  int signal_number() const;  // the last one; 0: none
  void Clear();

 private:
  static constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
  size_t n_signals_;
  struct sigaction old_[4];
};

// Ends the process as the signal would have.
[[noreturn]] void DieOfInterrupt(int signal_number = SIGINT);

}  // namespace pith::cli
