#include "cli/answer_printer.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

namespace pith::cli {
namespace {

using Json = nlohmann::ordered_json;

std::string_view PartName(ChatPart part) {
  switch (part) {
    case ChatPart::kThinking:
      return "thinking";
    case ChatPart::kToolCall:
      return "tool_call";
    case ChatPart::kText:
      break;
  }
  return "text";
}

std::string_view EndName(ChatEnd end) {
  switch (end) {
    case ChatEnd::kStop:
      return "stop";
    case ChatEnd::kMaxTokens:
      return "max_tokens";
    case ChatEnd::kContextFull:
      return "context_full";
    case ChatEnd::kCancelled:
      break;
  }
  return "cancelled";
}

double Rate(size_t tokens, double seconds) { return seconds > 0 ? static_cast<double>(tokens) / seconds : 0; }

}  // namespace

std::string TerminalText(std::string_view text) {
  std::string out;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find_first_of("\n\t", begin), text.size());
    out += Printable(text.substr(begin, end - begin));
    if (end < text.size()) out += text[end];
    begin = end + 1;
  }
  return out;
}

AnswerPrinter::AnswerPrinter(Style style, Thinking thinking, Console& console)
    : style_(style),
      thinking_(thinking),
      console_(console),
      terminal_(isatty(STDOUT_FILENO) == 1),
      colour_(!console.Bold("x").starts_with("x")) {}

bool AnswerPrinter::Write(std::string_view text) {
  if (!failed_ && !text.empty() && !PrintOut(console_, text)) failed_ = true;
  return !failed_;
}

bool AnswerPrinter::Put(const ChatPiece& piece) {
  if (failed_) return false;
  if (piece.text.empty() && piece.part != ChatPart::kToolCall) return true;
  if (style_ == Style::kJson) {
    Json line = {{"type", PartName(piece.part)}};
    if (piece.part == ChatPart::kToolCall) {
      const Json call = Json::parse(piece.text, nullptr, false);
      line["tool_call"] = call;
    } else {
      line["text"] = piece.text;
    }
    line["tokens"] = piece.tokens;
    return Write(line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
  }
  if (piece.part == ChatPart::kThinking) {
    if (thinking_ == Thinking::kNever) return true;
    if (!terminal_) {
      if (thinking_ == Thinking::kAlways) {
        const std::string text = console_.error_is_terminal() ? TerminalText(piece.text) : piece.text;
        std::fwrite(text.data(), 1, text.size(), stderr);
        dim_ = true;
      }
      return true;
    }
    std::string text;
    if (!dim_) text = colour_ ? "\x1b[2m" : "(";
    dim_ = true;
    text += TerminalText(piece.text);
    line_open_ = true;
    return Write(text);
  }
  std::string text;
  if (dim_) {
    if (terminal_) {
      text = colour_ ? "\x1b[0m\n\n" : ")\n\n";
    } else {
      std::fputs("\n\n", stderr);
    }
    dim_ = false;
    line_open_ = false;
  }
  if (piece.part == ChatPart::kToolCall) {
    if (line_open_) text += "\n";
    // One line, whatever the model's white space.
    const Json call = Json::parse(piece.text, nullptr, false);
    text += call.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  } else {
    text += terminal_ ? TerminalText(piece.text) : piece.text;
  }
  any_text_ = true;
  line_open_ = text.back() != '\n';
  return Write(text);
}

bool AnswerPrinter::Finish(const ChatAnswer& answer, const ChatOptions& options) {
  if (style_ == Style::kJson) {
    const Json line = {
        {"type", "end"},
        {"end", EndName(answer.end)},
        {"prompt_tokens", answer.prompt_tokens},
        {"reused_tokens", answer.reused_tokens},
        {"prefilled_tokens", answer.prefilled_tokens},
        {"answer_tokens", answer.answer_tokens},
        {"drafted_tokens", answer.drafted_tokens},
        {"accepted_tokens", answer.accepted_tokens},
        {"prefill_seconds", answer.prefill_seconds},
        {"decode_seconds", answer.decode_seconds},
        {"dropped_messages", answer.dropped_messages},
        {"seed", options.seed.value_or(0)},
    };
    return Write(line.dump() + "\n");
  }
  if (dim_) {
    if (terminal_) Write(colour_ ? "\x1b[0m" : ")");
    if (!terminal_) std::fputs("\n", stderr);
  }
  if (line_open_) Write("\n");
  dim_ = false;
  line_open_ = false;
  return !failed_;
}

std::string StatsLine(const ChatAnswer& a, const ChatOptions& options) {
  char text[320];
  std::snprintf(text, sizeof text,
                "prompt %zu tokens, %zu known, %zu new in %.2f s; answer %zu tokens, %.1f tokens/s",
                a.prompt_tokens, a.reused_tokens, a.prefilled_tokens, a.prefill_seconds, a.answer_tokens,
                Rate(a.answer_tokens > 0 ? a.answer_tokens - 1 : 0, a.decode_seconds));
  std::string line = text;
  if (a.drafted_tokens != 0) {
    line += "; guessed " + std::to_string(a.drafted_tokens) + ", right " + std::to_string(a.accepted_tokens);
  }
  return line + "; seed " + std::to_string(options.seed.value_or(0));
}

}  // namespace pith::cli
