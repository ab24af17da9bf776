#include "cli/line_editor.h"

#include <histedit.h>
#include <langinfo.h>
#include <sys/stat.h>
#include <unistd.h>

#include <climits>
#include <clocale>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cwchar>
#include <filesystem>
#include <string_view>

namespace pith::cli {
namespace {

constexpr int kHistoryEntries = 1000;
constexpr size_t kMaxPasted = size_t{1} << 20;  // characters; what is beyond is dropped

// Terminals mark pasted text when asked to (xterm's bracketed paste), so that its line ends do not submit it.
constexpr char kPasteOn[] = "\x1b[?2004h";
constexpr char kPasteOff[] = "\x1b[?2004l";
constexpr std::wstring_view kPasteEnd = L"\x1b[201~";

// libedit speaks wide characters, and turns bytes into them by the locale: without UTF-8 in it, only ASCII
// could be typed.
void UseUtf8() {
  std::setlocale(LC_CTYPE, "");
  if (std::string_view(nl_langinfo(CODESET)) != "UTF-8") std::setlocale(LC_CTYPE, "C.UTF-8");
}

std::wstring Widen(const std::string& text) {
  std::wstring wide;
  std::mbstate_t state{};
  for (size_t i = 0; i < text.size();) {
    wchar_t c = 0;
    const size_t n = std::mbrtowc(&c, text.data() + i, text.size() - i, &state);
    if (n == 0 || n > text.size()) {
      state = {};
      c = L'\xfffd';
      ++i;
    } else {
      i += n;
    }
    wide += c;
  }
  return wide;
}

std::string Narrow(std::wstring_view wide) {
  std::string text;
  std::mbstate_t state{};
  char bytes[MB_LEN_MAX];
  for (const wchar_t c : wide) {
    const size_t n = std::wcrtomb(bytes, c, &state);
    if (n == static_cast<size_t>(-1)) {
      state = {};
      text += "\xef\xbf\xbd";
    } else {
      text.append(bytes, n);
    }
  }
  return text;
}

}  // namespace

std::string HistoryFile() {
  if (const char* file = std::getenv("PITH_HISTORY")) return file;
  if (const char* state = std::getenv("XDG_STATE_HOME"); state != nullptr && *state != 0)
    return std::string(state) + "/pith/history";
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != 0)
    return std::string(home) + "/.local/state/pith/history";
  return "";
}

struct LineEditor::Impl {
  EditLine* edit = nullptr;
  HistoryW* history = nullptr;
  std::string history_file;
  std::wstring prompt;
  bool interrupted = false;

  static Impl& Of(EditLine* edit) {
    void* data = nullptr;
    el_wget(edit, EL_CLIENTDATA, &data);
    return *static_cast<Impl*>(data);
  }
  static wchar_t* Prompt(EditLine* edit) { return Of(edit).prompt.data(); }

  static unsigned char Interrupt(EditLine* edit, wint_t) {
    Of(edit).interrupted = true;
    return CC_NEWLINE;  // CC_EOF would leave the text in the buffer
  }

  static unsigned char Suspend(EditLine* edit, wint_t) {
    el_wset(edit, EL_PREP_TERM, 0);
    (void)raise(SIGTSTP);
    el_wset(edit, EL_PREP_TERM, 1);
    return CC_REDISPLAY;
  }

  // Everything up to the end mark becomes part of the line, line ends too.
  static unsigned char Paste(EditLine* edit, wint_t) {
    std::wstring text;
    for (wchar_t c = 0; el_wgetc(edit, &c) == 1;) {
      text += c == L'\r' ? L'\n' : c;
      if (std::wstring_view(text).ends_with(kPasteEnd)) {
        text.resize(text.size() - kPasteEnd.size());
        break;
      }
      if (text.size() > kMaxPasted)
        text.erase(kMaxPasted / 2, text.size() - kMaxPasted / 2 - kPasteEnd.size());
    }
    // A line end at the end would submit nothing but itself.
    while (!text.empty() && text.back() == L'\n') text.pop_back();
    if (!text.empty() && el_winsertstr(edit, text.c_str()) != 0) return CC_ERROR;
    return CC_REFRESH;
  }
};

LineEditor::LineEditor(const std::string& history_file) : impl_(std::make_unique<Impl>()) {
  UseUtf8();
  Impl& i = *impl_;
  i.edit = el_init("pith", stdin, stdout, stderr);
  if (i.edit == nullptr) return;
  el_wset(i.edit, EL_CLIENTDATA, impl_.get());
  el_wset(i.edit, EL_PROMPT, &Impl::Prompt);
  el_wset(i.edit, EL_EDITOR, L"emacs");
  el_wset(i.edit, EL_ADDFN, L"pith-interrupt", L"leave the line", &Impl::Interrupt);
  el_wset(i.edit, EL_ADDFN, L"pith-suspend", L"stop the program until it is called back", &Impl::Suspend);
  el_wset(i.edit, EL_ADDFN, L"pith-paste", L"take a pasted block", &Impl::Paste);
  el_wset(i.edit, EL_BIND, L"^R", L"em-inc-search-prev", nullptr);
  // The user's own bindings (~/.editrc) before ours that must hold.
  el_source(i.edit, nullptr);
  // Ctrl-C and Ctrl-Z as keys: as signals they would not end the reading, or leave the terminal as it is
  // here.
  el_wset(i.edit, EL_SETTY, L"-d", L"-isig", nullptr);
  el_wset(i.edit, EL_BIND, L"^C", L"pith-interrupt", nullptr);
  el_wset(i.edit, EL_BIND, L"^Z", L"pith-suspend", nullptr);
  el_wset(i.edit, EL_BIND, L"\\e[200~", L"pith-paste", nullptr);

  i.history = history_winit();
  if (i.history == nullptr) return;
  HistEventW event;
  history_w(i.history, &event, H_SETSIZE, kHistoryEntries);
  history_w(i.history, &event, H_SETUNIQUE, 1);
  el_wset(i.edit, EL_HIST, history_w, i.history);
  if (history_file.empty()) return;
  std::error_code error;
  const std::filesystem::path folder = std::filesystem::path(history_file).parent_path();
  if (!folder.empty()) std::filesystem::create_directories(folder, error);
  if (error) return;
  i.history_file = history_file;
  history_w(i.history, &event, H_LOAD, history_file.c_str());
}

LineEditor::~LineEditor() {
  if (impl_->history != nullptr) history_wend(impl_->history);
  if (impl_->edit != nullptr) el_end(impl_->edit);
}

LineEditor::Event LineEditor::Read(const std::string& prompt, std::string& line) {
  Impl& i = *impl_;
  line.clear();
  if (i.edit == nullptr) return Event::kEnd;
  i.prompt = Widen(prompt);
  i.interrupted = false;
  std::fputs(kPasteOn, stdout);
  std::fflush(stdout);
  int n = 0;
  const wchar_t* text = el_wgets(i.edit, &n);
  std::fputs(kPasteOff, stdout);
  std::fflush(stdout);
  if (i.interrupted) {
    if (text != nullptr && n > 0) line = Narrow(std::wstring_view(text, static_cast<size_t>(n)));
    std::fputs("\n", stdout);
    std::fflush(stdout);
    return Event::kInterrupted;
  }
  if (text == nullptr || n <= 0) return Event::kEnd;
  line = Narrow(std::wstring_view(text, static_cast<size_t>(n)));
  if (line.ends_with('\n')) line.pop_back();
  return Event::kLine;
}

void LineEditor::AddHistory(const std::string& entry) {
  Impl& i = *impl_;
  if (i.history == nullptr) return;
  HistEventW event;
  history_w(i.history, &event, H_ENTER, Widen(entry).c_str());
  if (i.history_file.empty()) return;
  // Others have no business with what was asked.
  const mode_t mask = umask(077);
  history_w(i.history, &event, H_SAVE, i.history_file.c_str());
  umask(mask);
}

}  // namespace pith::cli
