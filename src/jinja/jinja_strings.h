// Strings as Python has them: characters, case, search, split; over UTF-8 with marks.
//
// A character is a code point. A byte that belongs to no well-formed UTF-8 sequence is a character of its
// own, of no class and without case, and passes through everything unchanged. Case is mapped character by
// character (by the tables of libutf8proc), except that upper case of U+00DF is "SS".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "jinja/jinja_value.h"
#include "jinja/marked_text.h"

namespace pith::jinja {

struct Character {
  int32_t code_point;  // -1: a byte of no sequence
  uint32_t n_bytes;    // 1..4
};

// REQUIRES: at < text.size().
Character CharacterAt(std::string_view text, size_t at);
size_t CountCharacters(std::string_view text);
// Where character n begins; text.size() when there are no more.
size_t ByteOfCharacter(std::string_view text, size_t n);

bool IsSpace(int32_t code_point);
bool IsPrintable(int32_t code_point);  // as repr() has it
bool IsLineEnd(int32_t code_point);    // of splitlines()

// Whether all characters are of a class, and there is one: isalpha() and its kin, by their names.
// `name`: one of the names of IsClassTest.
bool AllOfClass(std::string_view text, std::string_view name);
bool IsClassTest(std::string_view name);

// `lower`, `upper`: all; `capitalize`: the first upper, the rest lower; `swapcase`; `title`: as str.title();
// `title_words`: as Jinja's filter, where only spaces, hyphens and opening brackets begin a word.
enum class Case : uint8_t { kLower, kUpper, kCapitalize, kSwap, kTitle, kTitleWords };
Value MapCase(Heap& heap, const MarkedText& text, Case to);

// What is left of a text without `characters` (white space, if none are given) at its ends.
ByteRange Strip(std::string_view text, std::optional<std::string_view> characters, bool left, bool right);

// Finds a text in others, in linear time whatever the two are.
class Searcher {
 public:
  // `needle` must outlive the searcher and not be empty.
  explicit Searcher(std::string_view needle, bool backward = false);

  // Where the needle begins in `text`: first if forward, last if backward. npos when it is not there.
  size_t Find(std::string_view text) const;

 private:
  char NeedleAt(size_t i) const { return backward_ ? needle_[needle_.size() - 1 - i] : needle_[i]; }

  std::string_view needle_;
  bool backward_;
  std::vector<uint32_t> borders_;  // of each prefix of a long needle: Knuth, Morris and Pratt's table
};

// Pieces between white space, or between a non-empty separator; at most max_splits cuts, from the right if so
// asked.
std::vector<ByteRange> Split(std::string_view text, std::optional<std::string_view> separator,
                             size_t max_splits, bool from_right);
// At most max_lines: what follows is left out.
std::vector<ByteRange> SplitLines(std::string_view text, bool keep_ends, size_t max_lines);

// At most `limit` replacements.
Value Replace(Heap& heap, const MarkedText& text, std::string_view from, const MarkedText& to, size_t limit);

// As str(float) writes it: the shortest that reads back, with ".0" or an exponent where there is no point.
std::string FloatText(double d);
// As int(text, base) and float(text) read it; none where they would raise, or beyond 64 bits.
std::optional<int64_t> ParseInteger(std::string_view text, int base);
std::optional<double> ParseFloat(std::string_view text);

}  // namespace pith::jinja
