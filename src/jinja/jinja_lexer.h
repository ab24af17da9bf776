// Cuts a template into tokens: text, tags, and what stands inside tags; all rules of white space end here.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pith::jinja {

enum class TokenKind : uint8_t {
  kText,
  kPrintBegin,  // {{
  kPrintEnd,
  kTagBegin,  // {%
  kTagEnd,
  kName,
  kString,    // text: its value
  kInteger,   // text: its digits with the mark of their base, without underscores
  kFloat,     // likewise
  kOperator,  // text: itself
  kEnd,
};

struct Token {
  TokenKind kind;
  uint32_t at;  // byte of the source
  std::string text;
};

// Line ends become \n, and one at the end of the template goes, as in Jinja. Places in errors refer to this
// form.
std::string NormalizeSource(std::string_view source);

// "line 3, column 14": both from 1, the column in characters.
std::string PlaceName(std::string_view source, size_t at);

// As Jinja does with trim_blocks and lstrip_blocks. The last token is kEnd. Throws Failure.
std::vector<Token> Tokenize(std::string_view source);

}  // namespace pith::jinja
