// AnswerReader: the tokens of an answer as text for people: thoughts, words and tool calls kept apart, whole
// characters, stop strings cut off.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "pith/status.h"
#include "tokenizer/tokenizer.h"

namespace pith {

enum class AnswerPart : uint8_t { kThinking, kText, kToolCall };

struct AnswerFormat {
  // Around thoughts and tool calls; empty: there are none.
  std::string thinking_start;    // "<think>"
  std::string thinking_end;      // "</think>"
  std::string tool_call_start;   // "<tool_call>"
  std::string tool_call_end;     // "</tool_call>"
  bool starts_thinking = false;  // the prompt has opened the thoughts
  std::vector<std::string>
      stop_strings;  // end an answer's text (not its thoughts) and are no part of it; none is empty
};

// Invalid UTF-8 becomes U+FFFD. Line ends around thoughts and tool calls are no part of anything.
class AnswerReader {
 public:
  // `tokenizer` must outlive the reader.
  AnswerReader(const Tokenizer& tokenizer, AnswerFormat format);

  struct Piece {
    AnswerPart part;
    std::string text;  // of a tool call: all of it, as the model wrote it
  };

  // Appends to `pieces` what is certain by now; text that may be the beginning of a marker or a stop string,
  // or of a character, waits. False once a stop string was found: everything after is ignored.
  bool Put(TokenId token, std::vector<Piece>& pieces);
  // The end: what waits is text after all. An unfinished tool call becomes text.
  void Finish(std::vector<Piece>& pieces);

  bool is_thinking() const { return state_ == State::kThinking; }
  bool stopped() const { return state_ == State::kStopped; }

 private:
  enum class State : uint8_t { kThinking, kText, kToolCall, kStopped };

  void Scan(bool at_end, std::vector<Piece>& pieces);
  void Emit(std::string_view text, std::vector<Piece>& pieces);

  const Tokenizer& tokenizer_;
  AnswerFormat format_;
  State state_;
  std::string bytes_;            // of a character that is not complete yet
  std::string held_;             // complete characters that wait
  bool skip_line_ends_ = false;  // after a marker
  bool any_text_ = false;
  std::string line_ends_;  // that were seen and belong to the text only if more of it follows
};

// Moves the complete characters at the front of `bytes` to the end of `text`; bytes that are no UTF-8 become
// U+FFFD each. With `at_end` nothing stays behind. Returns how many became U+FFFD.
size_t TakeCharacters(std::string& bytes, std::string& text, bool at_end);

}  // namespace pith
