#include "cli/console.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "base/file.h"
#include "cli/signals.h"

namespace pith::cli {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kRedraw = std::chrono::milliseconds(100);
constexpr auto kSilentStart = std::chrono::milliseconds(250);  // what ends sooner needs no progress line

size_t TerminalWidth() {
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

bool WantsColour() {
  const char* no_colour = std::getenv("NO_COLOR");  // https://no-color.org: present and not empty
  if (no_colour != nullptr && no_colour[0] != '\0') return false;
  const char* term = std::getenv("TERM");
  return term != nullptr && std::string_view(term) != "dumb";
}

// Cuts UTF-8 text to `columns` characters, without breaking one (wide characters are counted as one column).
std::string Fit(std::string_view text, size_t columns) {
  size_t seen = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xc0) == 0x80) continue;
    if (seen++ == columns) return std::string(text.substr(0, i));
  }
  return std::string(text);
}

std::string Printf(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

}  // namespace

std::string Printable(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    // C0 and DEL; and the C1 controls, which some terminals obey, as UTF-8 has them: c2 80 .. c2 9f.
    const bool c1 = c == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) >= 0x80 &&
                    static_cast<unsigned char>(text[i + 1]) < 0xa0;
    if (c < 0x20 || c == 0x7f || c1) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\x%02x", c1 ? static_cast<unsigned char>(text[++i]) : c);
      out += escaped;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::string FormatBytes(uint64_t bytes) {
  const auto value = static_cast<double>(bytes);
  if (bytes < 1000) return Plural(bytes, "byte");
  if (value < 999.95e3) return Printf("%.1f KB", value / 1e3);
  if (value < 999.95e6) return Printf("%.1f MB", value / 1e6);
  return Printf("%.2f GB", value / 1e9);
}

std::string FormatRate(uint64_t bytes, double seconds) {
  const double rate = static_cast<double>(bytes) / std::max(seconds, 1e-6);
  if (rate < 9.95e3) return Printf("%.1f KB/s", rate / 1e3);
  if (rate < 9995e3) return Printf("%.0f KB/s", rate / 1e3);
  return Printf("%.0f MB/s", rate / 1e6);
}

std::string FormatRatio(uint64_t part, uint64_t whole) {
  if (whole == 0) return "-";
  return Printf("%.1f %%", 100.0 * static_cast<double>(part) / static_cast<double>(whole));
}

std::string FormatDuration(double seconds) {
  const auto total = static_cast<uint64_t>(std::max(seconds, 0.0) + 0.5);
  char text[48];
  if (total < 60) {
    std::snprintf(text, sizeof text, "%u s", static_cast<unsigned>(total));
  } else if (total < 3600) {
    std::snprintf(text, sizeof text, "%u:%02u", static_cast<unsigned>(total / 60),
                  static_cast<unsigned>(total % 60));
  } else {
    std::snprintf(text, sizeof text, "%llu:%02u:%02u", static_cast<unsigned long long>(total / 3600),
                  static_cast<unsigned>(total / 60 % 60), static_cast<unsigned>(total % 60));
  }
  return text;
}

std::string FormatTime(int64_t mtime_ns) {
  constexpr int64_t kNsPerS = 1000000000;
  const time_t seconds = static_cast<time_t>(mtime_ns / kNsPerS - (mtime_ns % kNsPerS < 0 ? 1 : 0));
  tm parts{};
  char text[64];
  if (localtime_r(&seconds, &parts) == nullptr ||
      std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts) == 0) {
    return std::to_string(seconds) + " s since 1970";
  }
  return text;
}

std::string Plural(uint64_t n, std::string_view noun) {
  return std::to_string(n) + " " + std::string(noun) + (n == 1 ? "" : "s");
}

Console::Console(int verbosity)
    : verbosity_(verbosity),
      error_is_terminal_(isatty(STDERR_FILENO) == 1),
      output_is_terminal_(isatty(STDOUT_FILENO) == 1),
      colour_(WantsColour()),
      started_(Clock::now()),
      last_draw_(started_) {}

Console::~Console() { ClearProgress(); }

void Console::Line(std::string_view text) {
  ClearProgress();
  const std::string line = std::string(text) + "\n";
  // One write, so that lines of several processes do not mix. When it fails there is nobody left to tell.
  FdSink sink(STDERR_FILENO, "standard error");
  (void)sink.Write(AsBytes(line));
}

void Console::Error(std::string_view text) {
  const bool colour = error_is_terminal_ && colour_;
  Line((colour ? "\x1b[1;31mpith:\x1b[0m " : "pith: ") + Printable(text));
}

void Console::Warning(std::string_view text) {
  if (verbosity_ < 1) return;
  const bool colour = error_is_terminal_ && colour_;
  Line((colour ? "\x1b[1;33mpith:\x1b[0m " : "pith: ") + Printable(text));
}

void Console::Info(std::string_view text) {
  if (verbosity_ >= 1) Line(Printable(text));
}

void Console::Detail(std::string_view text) {
  if (verbosity_ >= 2) Line(Printable(text));
}

bool Console::ProgressDue() const {
  const auto now = Clock::now();
  return shows_progress() && now - last_draw_ >= kRedraw && now - started_ >= kSilentStart;
}

void Console::ShowProgress(std::string_view text) {
  if (!ProgressDue()) return;
  last_draw_ = Clock::now();
  const std::string line = "\r\x1b[K" + Fit(Printable(text), TerminalWidth() - 1);
  g_progress_line_shown = 1;
  FdSink sink(STDERR_FILENO, "standard error");
  (void)sink.Write(AsBytes(line));
}

void Console::ClearProgress() {
  if (g_progress_line_shown == 0) return;
  FdSink sink(STDERR_FILENO, "standard error");
  (void)sink.Write(AsBytes("\r\x1b[K"));
  g_progress_line_shown = 0;
}

bool Console::CanAsk() const { return isatty(STDIN_FILENO) == 1 && error_is_terminal_; }

bool Console::Confirm(std::string_view question) {
  if (!CanAsk()) return false;
  ClearProgress();
  const std::string text = "pith: " + Printable(question) + " [y/N] ";
  FdSink sink(STDERR_FILENO, "standard error");
  (void)sink.Write(AsBytes(text));
  FdSource source(STDIN_FILENO, "standard input");
  std::string answer;
  uint8_t c = 0;
  while (answer.size() < 64) {  // byte by byte: what follows the line is not ours
    const Result<size_t> n = source.Read({&c, 1});
    if (!n.ok() || *n == 0 || c == '\n') break;
    answer += static_cast<char>(c);
  }
  return answer == "y" || answer == "Y" || answer == "yes";
}

std::string Console::Bold(std::string_view text) const {
  if (!output_is_terminal_ || !colour_) return std::string(text);
  return "\x1b[1m" + std::string(text) + "\x1b[0m";
}

bool PrintOut(Console& console, std::string_view text) {
  FdSink sink(STDOUT_FILENO, "standard output");
  const Status status = sink.Write(AsBytes(text));
  if (!status.ok()) console.Error(status.message());
  return status.ok();
}

}  // namespace pith::cli
