// ChatSession: a conversation typed on a terminal: prompts, answers, and the commands that begin with a
// slash.
#pragma once

#include <string>

#include "cli/answer_printer.h"
#include "cli/arguments.h"
#include "cli/console.h"
#include "cli/line_editor.h"
#include "cli/signals.h"
#include "pith/chat.h"

namespace pith::cli {

class ChatSession {
 public:
  // All must outlive the session.
  ChatSession(Chat& chat, const Arguments& arguments, Console& console);

  // Until /exit, Ctrl-D, or the end of the terminal. Returns the exit code.
  int Run();

 private:
  enum class Input { kMessage, kNothing, kEnd };
  // One message: a line, lines that end in a backslash, a block between lines of """, or a pasted block.
  Input ReadMessage(std::string& message);
  // False ends the session.
  bool Command(const std::string& line);
  void Answer(const std::string& message);

  std::string HowMuch() const;
  void Save(const std::string& file);
  void Load(const std::string& file);
  void SetSeed(const std::string& text);

  Chat& chat_;
  const Arguments& arguments_;
  Console& console_;
  InterruptScope interrupt_;
  LineEditor editor_;
  bool stats_;
  bool show_thinking_;
  bool output_gone_ = false;
  std::string file_;  // that this session has saved to or loaded from: may be replaced
};

// The content of a text file or, for "-", standard input; at most kMaxPromptBytes.
Result<std::string> ReadText(const std::string& path);
inline constexpr size_t kMaxPromptBytes = size_t{64} << 20;

// What the user should know about how an answer ended or what it cost the conversation; on `console`.
void ExplainAnswer(const ChatAnswer& answer, const ChatOptions& options, Console& console);

}  // namespace pith::cli
