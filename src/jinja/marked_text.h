// MarkedText: a text that knows which of its bytes are data, in which markup such as <|im_start|> means
// nothing.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace pith {

struct ByteRange {
  size_t begin;
  size_t end;  // > begin
  bool operator==(const ByteRange&) const = default;
};

// A rendered text. `data`: ascending, disjoint, non-empty, merged ranges of bytes that came out of the
// variables (as opposed to the template's own text and constants).
struct MarkedText {
  std::string text;
  std::vector<ByteRange> data;

  // Appends `more`, all of it data or none.
  void Append(std::string_view more, bool is_data);

  // Appends from.text[begin, end) with its marks.
  // REQUIRES: begin <= end <= from.text.size(); &from != this.
  void Append(const MarkedText& from, size_t begin, size_t end);

  // Whether text[at] is data. Logarithmic in the number of ranges.
  bool IsData(size_t at) const;

  // Whether a byte of text[begin, end) is data.
  bool HasData(size_t begin, size_t end) const;

  bool operator==(const MarkedText&) const = default;
};

// `text` with all of its bytes data, or none.
MarkedText Marked(std::string text, bool is_data);

}  // namespace pith
