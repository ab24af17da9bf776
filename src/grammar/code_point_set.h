// CodePointSet: a set of Unicode scalar values as ranges, and its UTF-8 forms as ranges of bytes.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "base/utf8.h"

namespace pith {

// The values first .. last.
struct CodePointRange {
  uint32_t first;
  uint32_t last;
  bool operator==(const CodePointRange&) const = default;
};

// Immutable. Surrogates (0xd800 .. 0xdfff) are no scalar values and never members.
class CodePointSet {
 public:
  CodePointSet() = default;

  // The union of `ranges`, in any order, which may overlap.
  // REQUIRES: first <= last <= kMaxCodePoint in each.
  explicit CodePointSet(std::vector<CodePointRange> ranges);

  // Ascending, disjoint and not adjacent (but for those around the surrogates).
  std::span<const CodePointRange> ranges() const { return ranges_; }
  bool empty() const { return ranges_.empty(); }
  bool Contains(uint32_t code_point) const;

  CodePointSet Complement() const;
  CodePointSet Intersection(const CodePointSet& other) const;

 private:
  std::vector<CodePointRange> ranges_;
};

// Bytes b[0] .. b[n_bytes - 1] with low <= b[i] <= high, each in its own range, in all combinations.
struct Utf8Sequence {
  struct Byte {
    uint8_t low;
    uint8_t high;
  };
  size_t n_bytes = 0;
  std::array<Byte, 4> bytes{};
};

// Disjoint sequences that together are the UTF-8 forms of the members.
std::vector<Utf8Sequence> Utf8Sequences(const CodePointSet& set);

}  // namespace pith
