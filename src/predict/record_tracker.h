// RecordTracker: what the strength "thorough" knows of records beyond what the line says: the fields before, where a field
// in the same role began last, elements and keys that are open. docs/byte_mixing.md section 3.
//
// Single-threaded; follows one block.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "predict/bit_histories.h"
#include "predict/byte_kinds.h"

namespace pith {

class RecordTracker {
 public:
  static constexpr size_t kRoles = 3;

  // `history` has the block's bytes up to the position, and outlives the tracker.
  explicit RecordTracker(const uint8_t* history) : history_(history), roles_(kRoles << kRoleBits) {}

  static uint64_t MemoryBytes() { return sizeof(uint32_t) * (kRoles << kRoleBits); }

  // After byte c, the one before it being `before`: c is at position - 1. above: the byte that was expected from the line
  // above. inside: hash of the field's bytes before c. field: fields of the line before the next byte.
  void Append(uint32_t c, uint32_t before, uint32_t above, uint64_t inside, uint32_t field, uint32_t position) {
    position_ = position;
    digits_ = IsDigit(c) || c == '.' ? digits_ + 1 : 0;
    agree_ = c != above ? 0 : agree_ < kMostAgree ? agree_ + 1 : kMostAgree;
    if (c == ':' || c == '=') key_ = inside != 0 ? inside : last_field_;
    FollowElements(c, before);
    if (!IsSeparator(c) && c != '\n') {
      for (uint32_t& place : places_) place += place != 0 ? 1 : 0;
      return;
    }
    if (inside != 0) last_field_ = inside;
    begins_[++n_begins_ % kBegins] = position;
    const uint64_t roles[kRoles] = {bit_histories::Hash(field), bit_histories::Hash(last_field_, c),
                                    bit_histories::Hash(key_, c, before)};
    for (size_t j = 0; j < kRoles; ++j) {
      uint32_t& last = roles_[(j << kRoleBits) + (roles[j] >> (64 - kRoleBits))];
      places_[j] = last;
      last = position;
    }
  }

  // Where fields in the same role had got as far as this one; 0: none is known.
  const std::array<uint32_t, kRoles>& places() const { return places_; }

  uint32_t digits() const { return digits_; }                  // directly before the position, points among them
  uint32_t agree() const { return agree_; }                    // bytes directly before it that were those above
  uint32_t in_field() const { return position_ - begins_[n_begins_ % kBegins]; }  // bytes of the field so far
  uint64_t last_field() const { return last_field_; }  // hash of the last field that had bytes
  uint64_t key() const { return key_; }                // hash of what stood before the last : or =
  uint64_t element() const { return depth_ != 0 ? open_[depth_ - 1] : 0; }
  uint64_t last_element() const { return last_element_; }

  // The byte, the d-th after it, where a field in the same role had got as far as this one; 0: none is known.
  uint32_t InRole(size_t role, uint32_t d = 0) const {
    const uint32_t at = places_[role];
    return at != 0 && at + d < position_ ? history_[at + d] : 0;
  }

  // The byte, the d-th after it, as far into the field that lies so many fields back.
  uint32_t FieldBack(uint32_t back, uint32_t d = 0) const {
    if (n_begins_ < back) return 0;
    const uint32_t at = begins_[(n_begins_ - back) % kBegins] + in_field() + d;
    return at < begins_[(n_begins_ - back + 1) % kBegins] ? history_[at] : 0;
  }

 private:
  static constexpr int kRoleBits = 16;
  static constexpr uint32_t kBegins = 4;  // of the last fields, a power of two
  static constexpr size_t kMostOpen = 64;
  static constexpr uint32_t kMostAgree = 15;

  // Elements of XML, and what is in brackets by the key before it.
  void FollowElements(uint32_t c, uint32_t before) {
    if (in_name_) {
      if (c == '/' && name_ == 0) {
        Close();
        in_name_ = false;
      } else if (c == '>' || c == '/' || c <= ' ') {
        if (name_ != 0) Open(last_element_ = name_);
        in_name_ = false;
      } else {
        name_ = bit_histories::Mix(name_ + c + 1);
      }
    }
    if (c == '<') {
      in_name_ = true;
      name_ = 0;
    } else if (c == '{' || c == '[') {
      Open(bit_histories::Mix(key_ + c));
    } else if (c == '}' || c == ']' || (c == '>' && (before == '/' || before == '-' || before == '?'))) {
      Close();
    }
  }
  void Open(uint64_t what) {
    if (depth_ < kMostOpen) open_[depth_++] = what;
  }
  void Close() { depth_ -= depth_ != 0 ? 1 : 0; }

  const uint8_t* history_;
  uint32_t position_ = 0;
  uint32_t digits_ = 0, agree_ = 0;
  uint64_t last_field_ = 0;
  std::array<uint32_t, kBegins> begins_{};
  uint32_t n_begins_ = 0;
  uint64_t key_ = 0;
  std::vector<uint32_t> roles_;  // [roles, hash]: where such a field began last
  std::array<uint32_t, kRoles> places_{};
  std::array<uint64_t, kMostOpen> open_{};
  size_t depth_ = 0;
  bool in_name_ = false;
  uint64_t name_ = 0, last_element_ = 0;
};

}  // namespace pith
