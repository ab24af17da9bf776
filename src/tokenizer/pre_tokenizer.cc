#include "tokenizer/pre_tokenizer.h"

namespace pith {

size_t PreTokenizer::WordEnd(size_t begin) const {
  const Char first = classes_.At(text_, begin);
  const size_t next = begin + first.n_bytes;
  switch (first.char_class) {
    case CharClass::kLetter:  // \p{L}+
      return SkipClass(CharClass::kLetter, next);
    case CharClass::kNumber:  // \p{N}
      return next;
    case CharClass::kOther:
      if (const size_t end = ContractionEnd(begin); end != begin) return end;
      if (IsClass(CharClass::kLetter, next)) return SkipClass(CharClass::kLetter, next);
      return PunctuationEnd(next);
    case CharClass::kSpace:
      break;
  }
  if (!IsNewline(begin) && IsClass(CharClass::kLetter, next)) return SkipClass(CharClass::kLetter, next);
  if (text_[begin] == ' ' && IsClass(CharClass::kOther, next)) return PunctuationEnd(next);
  return WhitespaceEnd(begin);
}

size_t PreTokenizer::SkipClass(CharClass char_class, size_t position) const {
  while (position < text_.size()) {
    const Char c = classes_.At(text_, position);
    if (c.char_class != char_class) break;
    position += c.n_bytes;
  }
  return position;
}

// (?i:'s|'t|'re|'ve|'m|'ll|'d), or `begin` when there is none. Under Unicode case folding, which the engines
// of Hugging Face use, s is also U+017F (long s); the other letters have no partners outside ASCII.
size_t PreTokenizer::ContractionEnd(size_t begin) const {
  if (text_[begin] != '\'' || begin + 1 >= text_.size()) return begin;
  const auto lower = [this](size_t position) -> uint8_t {
    if (position >= text_.size()) return 0;
    const uint8_t b = text_[position];
    return b >= 'A' && b <= 'Z' ? static_cast<uint8_t>(b + ('a' - 'A')) : b;
  };
  switch (lower(begin + 1)) {
    case 's':
    case 't':
    case 'm':
    case 'd':
      return begin + 2;
    case 'r':
    case 'v':
      return lower(begin + 2) == 'e' ? begin + 3 : begin;
    case 'l':
      return lower(begin + 2) == 'l' ? begin + 3 : begin;
    case 0xc5:  // U+017F is c5 bf
      return lower(begin + 2) == 0xbf ? begin + 3 : begin;
    default:
      return begin;
  }
}

// The rest of [^\s\p{L}\p{N}]+[\r\n]*.
size_t PreTokenizer::PunctuationEnd(size_t position) const {
  position = SkipClass(CharClass::kOther, position);
  while (position < text_.size() && IsNewline(position)) ++position;
  return position;
}

// \s*[\r\n]+|\s+(?!\S)|\s+ with their backtracking spelled out. A run of spaces is looked at no more than
// three times: up to its last newline, up to its last character, and the last character.
size_t PreTokenizer::WhitespaceEnd(size_t begin) const {
  size_t newline_end = begin;  // after the last newline of the run
  size_t last = begin;         // the last character of the run
  size_t position = begin;
  while (position < text_.size()) {
    const Char c = classes_.At(text_, position);
    if (c.char_class != CharClass::kSpace) break;
    last = position;
    position += c.n_bytes;
    if (IsNewline(last)) newline_end = position;
  }
  if (newline_end != begin) return newline_end;
  const bool text_follows = position < text_.size();
  return text_follows && last != begin ? last : position;
}

}  // namespace pith
