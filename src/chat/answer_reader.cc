#include "chat/answer_reader.h"

#include <algorithm>

namespace pith {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";

// Length of the well-formed character at the front (Unicode 15, table 3-7); 0: none; -1: may become one with
// more bytes.
int CharacterLength(std::string_view s) {
  const auto at = [&](size_t i) { return static_cast<uint8_t>(s[i]); };
  const uint8_t first = at(0);
  if (first < 0x80) return 1;
  const int n = first >= 0xc2 && first < 0xe0   ? 2
                : first >= 0xe0 && first < 0xf0 ? 3
                : first >= 0xf0 && first < 0xf5 ? 4
                                                : 0;
  for (int i = 1; i < n; ++i) {
    if (static_cast<size_t>(i) == s.size()) return -1;
    uint8_t low = 0x80;
    uint8_t high = 0xbf;
    if (i == 1 && first == 0xe0) low = 0xa0;   // overlong
    if (i == 1 && first == 0xed) high = 0x9f;  // surrogates
    if (i == 1 && first == 0xf0) low = 0x90;
    if (i == 1 && first == 0xf4) high = 0x8f;
    if (at(static_cast<size_t>(i)) < low || at(static_cast<size_t>(i)) > high) return 0;
  }
  return n;
}

// Where `text` contains `word`, or ends with a beginning of it; npos: neither.
size_t FindOrBeginning(std::string_view text, std::string_view word, bool& whole) {
  whole = false;
  if (word.empty()) return std::string_view::npos;
  if (const size_t at = text.find(word); at != std::string_view::npos) {
    whole = true;
    return at;
  }
  const size_t longest = std::min(text.size(), word.size() - 1);
  for (size_t n = longest; n > 0; --n) {
    if (text.substr(text.size() - n) == word.substr(0, n)) return text.size() - n;
  }
  return std::string_view::npos;
}

}  // namespace

size_t TakeCharacters(std::string& bytes, std::string& text, bool at_end) {
  size_t i = 0;
  size_t n_replaced = 0;
  while (i < bytes.size()) {
    const int n = CharacterLength(std::string_view(bytes).substr(i));
    if (n < 0 && !at_end) break;
    if (n > 0) {
      text.append(bytes, i, static_cast<size_t>(n));
      i += static_cast<size_t>(n);
    } else {
      text += kReplacement;
      ++n_replaced;
      ++i;
    }
  }
  bytes.erase(0, i);
  return n_replaced;
}

AnswerReader::AnswerReader(const Tokenizer& tokenizer, AnswerFormat format)
    : tokenizer_(tokenizer),
      format_(std::move(format)),
      state_(format_.starts_thinking ? State::kThinking : State::kText) {
  skip_line_ends_ = format_.starts_thinking;
}

bool AnswerReader::Put(TokenId token, std::vector<Piece>& pieces) {
  if (state_ == State::kStopped) return false;
  const ByteSpan data = tokenizer_.TokenBytes(token);
  if (!data.empty()) {
    bytes_.append(reinterpret_cast<const char*>(data.data()), data.size());
  } else {
    const AddedToken* const added = tokenizer_.AddedTokenOf(token);
    // Control tokens in the middle of an answer have nothing to say to people.
    if (added != nullptr && !added->special) {
      TakeCharacters(bytes_, held_, true);
      bytes_ += added->content;
    }
  }
  TakeCharacters(bytes_, held_, false);
  Scan(false, pieces);
  return state_ != State::kStopped;
}

void AnswerReader::Finish(std::vector<Piece>& pieces) {
  if (state_ == State::kStopped) return;
  TakeCharacters(bytes_, held_, true);
  Scan(true, pieces);
  if (state_ == State::kToolCall) {
    state_ = State::kText;
    Emit(format_.tool_call_start + held_, pieces);
    held_.clear();
  }
  line_ends_.clear();
}

void AnswerReader::Emit(std::string_view text, std::vector<Piece>& pieces) {
  if (skip_line_ends_) {
    const size_t begin = text.find_first_not_of("\r\n");
    if (begin == std::string_view::npos) return;
    text.remove_prefix(begin);
    skip_line_ends_ = false;
  }
  if (text.empty()) return;
  const AnswerPart part = state_ == State::kThinking ? AnswerPart::kThinking : AnswerPart::kText;
  std::string out;
  // Thoughts lose the line ends at their end, and text those before a tool call: nobody knows yet whether
  // more follows.
  if (part == AnswerPart::kThinking || !format_.tool_call_start.empty()) {
    const size_t end = text.find_last_not_of("\r\n");
    if (end == std::string_view::npos) {
      line_ends_ += text;
      return;
    }
    out = std::move(line_ends_);
    out += text.substr(0, end + 1);
    line_ends_ = text.substr(end + 1);
  } else {
    out = text;
  }
  if (part == AnswerPart::kText) any_text_ = true;
  if (!pieces.empty() && pieces.back().part == part) {
    pieces.back().text += out;
  } else {
    pieces.push_back({part, std::move(out)});
  }
}

void AnswerReader::Scan(bool at_end, std::vector<Piece>& pieces) {
  for (;;) {
    // Of all markers that matter now, the one that comes first; of those at one place the longest.
    enum class Marker : uint8_t { kNone, kThinkingStart, kThinkingEnd, kToolCallStart, kToolCallEnd, kStop };
    Marker marker = Marker::kNone;
    size_t at = std::string::npos;
    size_t length = 0;
    size_t certain = held_.size();  // text before any marker, or beginning of one
    const auto look = [&](std::string_view word, Marker kind) {
      bool whole = false;
      const size_t place = FindOrBeginning(held_, word, whole);
      if (place == std::string_view::npos) return;
      if (whole && (place < at || (place == at && word.size() > length))) {
        marker = kind;
        at = place;
        length = word.size();
      }
      if (whole || !at_end) certain = std::min(certain, place);
    };
    switch (state_) {
      case State::kThinking:
        look(format_.thinking_end, Marker::kThinkingEnd);
        break;
      case State::kText:
        if (!any_text_ && !format_.thinking_start.empty()) {
          // Thoughts open an answer or do not come at all; white space before them is dropped.
          const size_t first = held_.find_first_not_of(" \r\n\t");
          if (first == std::string::npos) {
            if (!at_end) return;
          } else {
            bool whole = false;
            if (FindOrBeginning(held_, format_.thinking_start, whole) == first) {
              if (!whole && !at_end) return;
              look(format_.thinking_start, Marker::kThinkingStart);
            }
          }
        }
        look(format_.tool_call_start, Marker::kToolCallStart);
        for (const std::string& stop : format_.stop_strings) look(stop, Marker::kStop);
        break;
      case State::kToolCall:
        look(format_.tool_call_end, Marker::kToolCallEnd);
        if (marker == Marker::kNone) return;  // a tool call is given as a whole
        break;
      case State::kStopped:
        held_.clear();
        return;
    }
    // A beginning that stands before the marker may yet become another one, unless it overlaps it for good.
    if (marker == Marker::kNone || certain < at) {
      const std::string text = held_.substr(0, certain);
      held_.erase(0, certain);
      Emit(text, pieces);
      return;
    }
    const std::string before = held_.substr(0, at);
    held_.erase(0, at + length);
    switch (marker) {
      case Marker::kThinkingStart:
        state_ = State::kThinking;
        skip_line_ends_ = true;
        break;
      case Marker::kThinkingEnd:
        Emit(before, pieces);
        line_ends_.clear();
        state_ = State::kText;
        skip_line_ends_ = true;
        break;
      case Marker::kToolCallStart:
        Emit(before, pieces);
        line_ends_.clear();
        state_ = State::kToolCall;
        break;
      case Marker::kToolCallEnd:
        pieces.push_back({AnswerPart::kToolCall, before});
        state_ = State::kText;
        skip_line_ends_ = true;
        break;
      case Marker::kStop:
        Emit(before, pieces);
        if (!line_ends_.empty() && !pieces.empty()) pieces.back().text += line_ends_;
        state_ = State::kStopped;
        held_.clear();
        return;
      case Marker::kNone:
        return;
    }
  }
}

}  // namespace pith
