#include "grammar/code_point_set.h"

#include <algorithm>

namespace pith {
namespace {

constexpr uint32_t kFirstSurrogate = 0xd800;
constexpr uint32_t kLastSurrogate = 0xdfff;

// Appends first .. last without surrogates.
void AppendScalars(uint32_t first, uint32_t last, std::vector<CodePointRange>& out) {
  if (first < kFirstSurrogate) out.push_back({first, std::min(last, kFirstSurrogate - 1)});
  if (last > kLastSurrogate) out.push_back({std::max(first, kLastSurrogate + 1), last});
}

// REQUIRES: all values of the range have UTF-8 forms of the same number of bytes.
void AppendSequences(CodePointRange range, size_t n_bytes, std::vector<Utf8Sequence>& out) {
  // A range is one sequence when, below the highest place in which its ends differ, it takes all values.
  for (size_t i = 1; i < n_bytes; ++i) {
    const uint32_t below = (1u << (6 * i)) - 1;
    if ((range.first & ~below) == (range.last & ~below)) continue;
    if ((range.first & below) != 0) {
      AppendSequences({range.first, range.first | below}, n_bytes, out);
      AppendSequences({(range.first | below) + 1, range.last}, n_bytes, out);
      return;
    }
    if ((range.last & below) != below) {
      AppendSequences({range.first, (range.last & ~below) - 1}, n_bytes, out);
      AppendSequences({range.last & ~below, range.last}, n_bytes, out);
      return;
    }
  }
  std::string low;
  std::string high;
  AppendUtf8(range.first, low);
  AppendUtf8(range.last, high);
  Utf8Sequence sequence;
  sequence.n_bytes = n_bytes;
  for (size_t i = 0; i < n_bytes; ++i)
    sequence.bytes[i] = {static_cast<uint8_t>(low[i]), static_cast<uint8_t>(high[i])};
  out.push_back(sequence);
}

}  // namespace

CodePointSet::CodePointSet(std::vector<CodePointRange> ranges) {
  std::sort(ranges.begin(), ranges.end(),
            [](const CodePointRange& a, const CodePointRange& b) { return a.first < b.first; });
  std::vector<CodePointRange> joined;
  for (const CodePointRange& range : ranges) {
    if (!joined.empty() && range.first <= joined.back().last + 1) {
      joined.back().last = std::max(joined.back().last, range.last);
    } else {
      joined.push_back(range);
    }
  }
  for (const CodePointRange& range : joined) AppendScalars(range.first, range.last, ranges_);
}

bool CodePointSet::Contains(uint32_t code_point) const {
  const auto after =
      std::upper_bound(ranges_.begin(), ranges_.end(), code_point,
                       [](uint32_t c, const CodePointRange& range) { return c < range.first; });
  return after != ranges_.begin() && code_point <= std::prev(after)->last;
}

CodePointSet CodePointSet::Complement() const {
  std::vector<CodePointRange> others;
  uint32_t next = 0;
  for (const CodePointRange& range : ranges_) {
    if (range.first > next) others.push_back({next, range.first - 1});
    next = range.last + 1;
  }
  if (next <= kMaxCodePoint) others.push_back({next, kMaxCodePoint});
  return CodePointSet(std::move(others));
}

CodePointSet CodePointSet::Intersection(const CodePointSet& other) const {
  std::vector<CodePointRange> common;
  for (size_t i = 0, j = 0; i < ranges_.size() && j < other.ranges_.size();) {
    const CodePointRange a = ranges_[i];
    const CodePointRange b = other.ranges_[j];
    const uint32_t first = std::max(a.first, b.first);
    const uint32_t last = std::min(a.last, b.last);
    if (first <= last) common.push_back({first, last});
    if (a.last < b.last) {
      ++i;
    } else {
      ++j;
    }
  }
  return CodePointSet(std::move(common));
}

std::vector<Utf8Sequence> Utf8Sequences(const CodePointSet& set) {
  constexpr CodePointRange kOfLength[] = {
      {0, 0x7f}, {0x80, 0x7ff}, {0x800, 0xffff}, {0x10000, kMaxCodePoint}};
  std::vector<Utf8Sequence> sequences;
  for (const CodePointRange& range : set.ranges()) {
    for (size_t n = 1; n <= 4; ++n) {
      const uint32_t first = std::max(range.first, kOfLength[n - 1].first);
      const uint32_t last = std::min(range.last, kOfLength[n - 1].last);
      if (first <= last) AppendSequences({first, last}, n, sequences);
    }
  }
  return sequences;
}

}  // namespace pith
