#include "cli/chat_session.h"

#include <charconv>
#include <string_view>

#include "base/file.h"
#include "cli/files.h"

namespace pith::cli {
namespace {

constexpr std::string_view kBlock = "\"\"\"";

constexpr std::string_view kHelp =
    "  /clear          forget the conversation\n"
    "  /system TEXT    set the system message; /system alone shows it\n"
    "  /think /nothink let the model think before it answers, or not\n"
    "  /seed N         set the seed; /seed alone shows it\n"
    "  /stats          show or hide tokens, times and the seed after each answer\n"
    "  /save FILE      write the conversation as JSON\n"
    "  /load FILE      go on with one that was saved\n"
    "  /exit           leave; so does Ctrl-D\n"
    "Several lines: end a line with \\, or put them between lines of \"\"\"; pasted text is one message.\n"
    "Ctrl-C stops an answer. What begins with // is a message that begins with /.\n";

std::string Trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return "";
  return std::string(text.substr(begin, text.find_last_not_of(" \t") - begin + 1));
}

}  // namespace

Result<std::string> ReadText(const std::string& path) {
  PITH_ASSIGN_OR_RETURN(const std::unique_ptr<Input> input, Input::Open(path, {}));
  std::string text;
  for (;;) {
    const size_t size = text.size();
    text.resize(size + (size_t{64} << 10));
    PITH_ASSIGN_OR_RETURN(const size_t n,
                          input->Read({reinterpret_cast<uint8_t*>(text.data()) + size, text.size() - size}));
    text.resize(size + n);
    if (n == 0) return text;
    if (text.size() > kMaxPromptBytes) {
      return InvalidArgument(input->name() + ": more than " + FormatBytes(kMaxPromptBytes) +
                             ", expected text for a model");
    }
  }
}

void ExplainAnswer(const ChatAnswer& answer, const ChatOptions& options, Console& console) {
  if (answer.replaced_bytes != 0) {
    console.Warning(Plural(answer.replaced_bytes, "byte") + " of the prompt were no UTF-8 and were replaced");
  }
  if (answer.dropped_messages != 0) {
    console.Warning("the context of " + std::to_string(options.context) + " tokens is full: the oldest " +
                    Plural(answer.dropped_messages, "message") +
                    " had to be forgotten (--context N makes room)");
  }
  if (answer.end == ChatEnd::kContextFull) {
    console.Warning("the answer ends here: the context of " + std::to_string(options.context) +
                    " tokens is full (--context N makes room)");
  }
  // --max-tokens is what was asked for, and a stop is a stop: nothing to say.
}

ChatSession::ChatSession(Chat& chat, const Arguments& arguments, Console& console)
    : chat_(chat),
      arguments_(arguments),
      console_(console),
      editor_(HistoryFile()),
      stats_(arguments.stats),
      show_thinking_(!arguments.hide_thinking) {}

int ChatSession::Run() {
  std::string message;
  while (!output_gone_) {
    switch (ReadMessage(message)) {
      case Input::kEnd:
        return PrintOut(console_, "\n") ? kExitOk : kExitFailed;
      case Input::kNothing:
        continue;
      case Input::kMessage:
        break;
    }
    editor_.AddHistory(message);
    if (message.starts_with("//")) {
      message.erase(0, 1);
    } else if (message[0] == '/' && message.find('\n') == std::string::npos) {
      if (!Command(message)) return kExitOk;
      continue;
    }
    Answer(message);
  }
  return kExitFailed;
}

ChatSession::Input ChatSession::ReadMessage(std::string& message) {
  message.clear();
  bool block = false;
  bool more = false;
  for (;;) {
    std::string line;
    switch (editor_.Read(block || more ? ". " : "> ", line)) {
      case LineEditor::Event::kEnd:
        return Input::kEnd;
      case LineEditor::Event::kInterrupted:
        if (message.empty() && line.empty()) console_.Info("(Ctrl-D or /exit leaves)");
        return Input::kNothing;
      case LineEditor::Event::kLine:
        break;
    }
    if (block) {
      if (Trim(line) == kBlock) break;
      message += (message.empty() ? "" : "\n") + line;
      continue;
    }
    if (!more && Trim(line) == kBlock) {
      block = true;
      continue;
    }
    more = line.ends_with('\\');
    if (more) line.pop_back();
    message += line;
    if (!more) break;
    message += '\n';
  }
  // With --raw an empty line means: go on.
  if (!chat_.options().raw && message.find_first_not_of(" \t\n") == std::string::npos) return Input::kNothing;
  return Input::kMessage;
}

void ChatSession::Answer(const std::string& message) {
  interrupt_.Clear();
  using Thinking = AnswerPrinter::Thinking;
  AnswerPrinter printer(AnswerPrinter::Style::kPlain, show_thinking_ ? Thinking::kTerminal : Thinking::kNever,
                        console_);
  const Result<ChatAnswer> answer = chat_.Ask(
      message, [&](const ChatPiece& piece) { return printer.Put(piece) && !interrupt_.interrupted(); });
  if (!answer.ok()) {
    console_.Error(answer.status().message());
    return;
  }
  if (!printer.Finish(*answer, chat_.options())) {
    output_gone_ = true;
    return;
  }
  if (answer->end == ChatEnd::kCancelled) console_.Info("(stopped)");
  ExplainAnswer(*answer, chat_.options(), console_);
  if (stats_) console_.Info(StatsLine(*answer, chat_.options()));
}

bool ChatSession::Command(const std::string& line) {
  const size_t space = line.find(' ');
  const std::string name = line.substr(0, space);
  const std::string rest = space == std::string::npos ? "" : Trim(std::string_view(line).substr(space));
  if (name == "/exit" || name == "/quit" || name == "/bye") return false;
  if (name == "/help" || name == "/?") {
    output_gone_ = !PrintOut(console_, kHelp);
  } else if (name == "/clear") {
    chat_.Clear();
    console_.Info("(a new conversation)");
  } else if (name == "/system") {
    if (chat_.options().raw) {
      console_.Error("--raw has no turns and no system message");
    } else if (rest.empty()) {
      console_.Info(chat_.options().system.empty() ? "(no system message)"
                                                   : TerminalText(chat_.options().system));
    } else if (const Status status = chat_.SetSystem(rest); !status.ok()) {
      console_.Error(status.message());
    }
  } else if (name == "/think" || name == "/nothink") {
    if (chat_.can_think()) {
      chat_.SetThinking(name == "/think");
      console_.Info(name == "/think" ? "(it thinks)" : "(it does not think)");
    } else {
      console_.Error("this model's template has no switch for thinking");
    }
  } else if (name == "/seed") {
    SetSeed(rest);
  } else if (name == "/stats") {
    stats_ = !stats_;
    console_.Info(stats_ ? "(stats are shown)" : "(stats are hidden)");
  } else if (name == "/save") {
    Save(rest);
  } else if (name == "/load") {
    Load(rest);
  } else {
    console_.Error("there is no " + Printable(name) + "; /help shows what there is");
  }
  return true;
}

void ChatSession::SetSeed(const std::string& text) {
  if (text.empty()) {
    console_.Info("seed " + std::to_string(chat_.options().seed.value_or(0)));
    return;
  }
  uint64_t seed = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seed);
  if (error != std::errc() || end != text.data() + text.size()) {
    console_.Error("/seed: '" + Printable(text) + "' is no number from 0 to 18446744073709551615");
    return;
  }
  chat_.SetSeed(seed);
}

std::string ChatSession::HowMuch() const {
  return chat_.options().raw ? Plural(chat_.n_text_tokens(), "token") : Plural(chat_.n_messages(), "message");
}

void ChatSession::Save(const std::string& file) {
  if (file.empty()) {
    console_.Error("/save needs a file");
    return;
  }
  const Status status = [&]() -> Status {
    PITH_ASSIGN_OR_RETURN(const std::unique_ptr<AtomicFile> target, AtomicFile::Create(file, file == file_));
    const std::string text = chat_.Save();
    PITH_RETURN_IF_ERROR(target->Write(AsBytes(text)));
    return target->Commit();
  }();
  if (status.ok()) {
    file_ = file;
    console_.Info("(" + HowMuch() + " in " + Printable(file) + ")");
  } else {
    console_.Error(status.message());
  }
}

void ChatSession::Load(const std::string& file) {
  if (file.empty()) {
    console_.Error("/load needs a file");
    return;
  }
  const Result<std::string> text = ReadText(file);
  const Status status = text.ok() ? chat_.Load(*text).WithContext(Printable(file)) : text.status();
  if (status.ok()) {
    file_ = file;
    console_.Info("(" + HowMuch() + ")");
  } else {
    console_.Error(status.message());
  }
}

}  // namespace pith::cli
