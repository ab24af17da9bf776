// AnswerPrinter: an answer as it comes, for people on a terminal, for pipes, or as JSON lines for programs.
#pragma once

#include <string>
#include <string_view>

#include "cli/console.h"
#include "pith/chat.h"

namespace pith::cli {

// What a terminal can be given without harm: control characters but line ends and tabs as \x1b.
std::string TerminalText(std::string_view text);

class AnswerPrinter {
 public:
  enum class Style {
    kPlain,
    kJson,
  };
  enum class Thinking {
    kTerminal,  // dimly where standard output is a terminal, else nowhere
    kAlways,    // on standard error where it is none
    kNever,
  };
  AnswerPrinter(Style style, Thinking thinking, Console& console);

  // False when the output is gone: the answer may stop.
  bool Put(const ChatPiece& piece);
  // The end of an answer.
  bool Finish(const ChatAnswer& answer, const ChatOptions& options);

 private:
  bool Write(std::string_view text);
  void EndLine();

  Style style_;
  Thinking thinking_;
  Console& console_;
  bool terminal_;
  bool colour_;
  bool dim_ = false;  // the terminal is set to dim
  bool failed_ = false;
  bool line_open_ = false;  // something without a line end stands on the last line
  bool any_text_ = false;
};

// "prompt 23 tokens, 11 known, 12 new in 0.06 s; answer 40 tokens, 31.0 tokens/s; guessed 20, right 14; seed
// 7".
std::string StatsLine(const ChatAnswer& answer, const ChatOptions& options);

}  // namespace pith::cli
