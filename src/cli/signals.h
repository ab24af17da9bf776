// Signals: an interrupted pith leaves no temporary file and no half-drawn line behind.
#pragma once

#include <csignal>

namespace pith::cli {

// 1 while a progress line stands on the terminal. Read by the signal handler.
extern volatile std::sig_atomic_t g_progress_line_shown;

// From now on SIGINT, SIGTERM, SIGHUP and SIGPIPE remove unfinished files and then end the process as they
// would have done anyway, so that the shell sees 130, 143, 129 and 141. A signal that is ignored (nohup)
// stays ignored.
void InstallSignalHandlers();

// While it lives, SIGINT does not end the process but is noted. One at a time.
class InterruptScope {
 public:
  InterruptScope();
  ~InterruptScope();
  InterruptScope(const InterruptScope&) = delete;
  InterruptScope& operator=(const InterruptScope&) = delete;

  bool interrupted() const;
  void Clear();

 private:
  struct sigaction old_;
};

// Ends the process as SIGINT would have.
[[noreturn]] void DieOfInterrupt();

}  // namespace pith::cli
