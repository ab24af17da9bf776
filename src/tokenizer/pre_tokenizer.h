// Cuts bytes into words as the pre-tokenizer of Qwen2 and Qwen3 does; merges never cross the end of a word.
#pragma once

#include <cstddef>
#include <string_view>

#include "base/bytes.h"
#include "tokenizer/unicode_class.h"

namespace pith {

// The pattern whose matches, one after the other, are the words. PreTokenizer is this pattern and no other.
inline constexpr std::string_view kQwenPattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

class PreTokenizer {
 public:
  // Borrows `text`.
  explicit PreTokenizer(ByteSpan text) : text_(text), classes_(UnicodeClasses::Get()) {}

  // The end of the word that begins at `begin`, which is 0 or the end of the word before. All words of a text
  // together take time linear in its length.
  // REQUIRES: begin < text.size().
  size_t WordEnd(size_t begin) const;

 private:
  size_t SkipClass(CharClass char_class, size_t position) const;
  size_t ContractionEnd(size_t begin) const;
  size_t PunctuationEnd(size_t position) const;
  size_t WhitespaceEnd(size_t begin) const;
  bool IsClass(CharClass char_class, size_t position) const {
    return position < text_.size() && classes_.At(text_, position).char_class == char_class;
  }
  bool IsNewline(size_t position) const { return text_[position] == '\n' || text_[position] == '\r'; }

  ByteSpan text_;
  const UnicodeClasses& classes_;
};

}  // namespace pith
