#include "jinja/marked_text.h"

#include <algorithm>

namespace pith {
namespace {

// Adds a range behind all others.
void Mark(std::vector<ByteRange>& data, size_t begin, size_t end) {
  if (begin == end) return;
  if (!data.empty() && data.back().end == begin) {
    data.back().end = end;
  } else {
    data.push_back({begin, end});
  }
}

// The first range that ends behind `at`.
std::vector<ByteRange>::const_iterator FirstBehind(const std::vector<ByteRange>& data, size_t at) {
  return std::upper_bound(data.begin(), data.end(), at,
                          [](size_t position, const ByteRange& r) { return position < r.end; });
}

}  // namespace

void MarkedText::Append(std::string_view more, bool is_data) {
  if (is_data) Mark(data, text.size(), text.size() + more.size());
  text += more;
}

void MarkedText::Append(const MarkedText& from, size_t begin, size_t end) {
  const size_t start = text.size();
  for (auto r = FirstBehind(from.data, begin); r != from.data.end() && r->begin < end; ++r) {
    const size_t first = std::max(r->begin, begin) - begin;
    Mark(data, start + first, start + std::min(r->end, end) - begin);
  }
  text.append(from.text, begin, end - begin);
}

bool MarkedText::IsData(size_t at) const { return HasData(at, at + 1); }

bool MarkedText::HasData(size_t begin, size_t end) const {
  const auto r = FirstBehind(data, begin);
  return r != data.end() && r->begin < end;
}

MarkedText Marked(std::string text, bool is_data) {
  MarkedText marked;
  if (is_data && !text.empty()) marked.data.push_back({0, text.size()});
  marked.text = std::move(text);
  return marked;
}

}  // namespace pith
