// LineEditor: lines typed on a terminal, with editing, history and pasted blocks; over libedit.
#pragma once

#include <memory>
#include <string>

namespace pith::cli {

// The file that keeps the lines of earlier sessions: $PITH_HISTORY, else $XDG_STATE_HOME/pith/history
// (~/.local/state/pith/history). Empty: none is kept.
std::string HistoryFile();

// One at a time: it owns the terminal's modes while it reads.
class LineEditor {
 public:
  // Reads from standard input and draws on standard output, which must be terminals. `history_file` may be
  // empty; its folder is made if need be, and where that fails nothing is kept.
  explicit LineEditor(const std::string& history_file);
  ~LineEditor();
  LineEditor(const LineEditor&) = delete;
  LineEditor& operator=(const LineEditor&) = delete;

  enum class Event { kLine, kInterrupted, kEnd };

  // One line without its end, or a pasted block as a whole. kInterrupted: Ctrl-C; kEnd: Ctrl-D on an empty
  // line, or the terminal is gone.
  Event Read(const std::string& prompt, std::string& line);

  // Remembers what was entered; saved at once.
  void AddHistory(const std::string& entry);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pith::cli
