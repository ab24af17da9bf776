// Console: everything that pith says to people: errors, results, progress and questions.
//
// Messages go to standard error, one line each, "pith: " before errors. Colours and progress only on a
// terminal.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace pith::cli {

// The text on one line and harmless to a terminal: control characters as \x1b.
std::string Printable(std::string_view text);

std::string FormatBytes(uint64_t bytes);                 // "812 bytes", "80.5 KB", "12.3 MB"; units of 1000
std::string FormatRate(uint64_t bytes, double seconds);  // "92 KB/s"
std::string FormatRatio(uint64_t part, uint64_t whole);  // "24.1 %"; "-" for an empty whole
std::string FormatDuration(double seconds);              // "7 s", "3:07", "2:03:07"
std::string FormatTime(int64_t mtime_ns);                // "2024-01-31 12:00:05", local time

// Plural(1, "file") is "1 file", Plural(2, "file") "2 files".
std::string Plural(uint64_t n, std::string_view noun);

class Console {
 public:
  // verbosity: 0 errors only, 1 normal, 2 verbose.
  explicit Console(int verbosity);
  ~Console();
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  void Error(std::string_view text);    // always
  void Warning(std::string_view text);  // verbosity 1
  void Info(std::string_view text);     // verbosity 1
  void Detail(std::string_view text);   // verbosity 2

  bool verbose() const { return verbosity_ >= 2; }
  bool quiet() const { return verbosity_ == 0; }
  bool error_is_terminal() const { return error_is_terminal_; }
  // True when ShowProgress would show anything.
  bool shows_progress() const { return error_is_terminal_ && verbosity_ >= 1; }

  // A line that the next one replaces. Cheap to call often: redraws ten times a second at most.
  void ShowProgress(std::string_view text);
  // True when it is time to redraw: saves making the text.
  bool ProgressDue() const;
  void ClearProgress();

  // Asks on the terminal; false for anything but yes, and where nobody can be asked.
  bool Confirm(std::string_view question);
  // False when standard input or standard error is no terminal.
  bool CanAsk() const;

  // `text` in bold on a terminal (for standard output), else as it is.
  std::string Bold(std::string_view text) const;

 private:
  void Line(std::string_view text);

  int verbosity_;
  bool error_is_terminal_;
  bool output_is_terminal_;
  bool colour_;
  std::chrono::steady_clock::time_point started_;
  std::chrono::steady_clock::time_point last_draw_;
};

// Writes `text` to standard output. False when that fails (a full disk, a closed pipe): an error has been
// printed.
[[nodiscard]] bool PrintOut(Console& console, std::string_view text);

// Seconds since it was made.
class Stopwatch {
 public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace pith::cli
