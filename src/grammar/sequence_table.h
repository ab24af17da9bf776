// SequenceTable: gives equal sequences of numbers one id, so that comparing sequences is comparing ids.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/hash.h"

namespace pith {

class SequenceTable {
 public:
  SequenceTable() { Clear(); }

  void Clear() {
    words_.clear();
    ends_.clear();
    slots_.assign(16, kEmpty);
  }

  size_t size() const { return ends_.size(); }
  size_t n_bytes() const { return words_.size() * 8 + ends_.size() * 8 + slots_.size() * 4; }

  // Valid until the next Intern.
  std::span<const uint64_t> At(uint32_t id) const {
    const size_t begin = id == 0 ? 0 : ends_[id - 1];
    return std::span<const uint64_t>(words_).subspan(begin, ends_[id] - begin);
  }

  // The id of the sequence: 0, 1, .. in the order in which sequences came first. It must not lie in this
  // table.
  uint32_t Intern(std::span<const uint64_t> sequence) {
    if ((ends_.size() + 1) * 2 > slots_.size()) Grow();
    const size_t slot = FindSlot(sequence);
    if (slots_[slot] != kEmpty) return slots_[slot];
    const auto id = static_cast<uint32_t>(ends_.size());
    words_.insert(words_.end(), sequence.begin(), sequence.end());
    ends_.push_back(words_.size());
    slots_[slot] = id;
    return id;
  }

 private:
  static constexpr uint32_t kEmpty = ~uint32_t{0};

  size_t FindSlot(std::span<const uint64_t> sequence) const {
    const size_t mask = slots_.size() - 1;
    size_t i = Hash64({reinterpret_cast<const uint8_t*>(sequence.data()), sequence.size_bytes()}) & mask;
    while (slots_[i] != kEmpty && !std::ranges::equal(At(slots_[i]), sequence)) i = (i + 1) & mask;
    return i;
  }

  void Grow() {
    slots_.assign(slots_.size() * 2, kEmpty);
    for (uint32_t id = 0; id < ends_.size(); ++id) slots_[FindSlot(At(id))] = id;
  }

  std::vector<uint64_t> words_;
  std::vector<size_t> ends_;  // by id, in words_
  std::vector<uint32_t> slots_;
};

}  // namespace pith
