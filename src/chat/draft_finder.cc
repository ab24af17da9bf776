#include "chat/draft_finder.h"

#include <algorithm>

namespace pith {

uint64_t DraftFinder::Key(const TokenId* tokens) {
  uint64_t key = 0;
  for (size_t i = 0; i < kMatch; ++i) key = (key ^ tokens[i]) * 0x9e3779b97f4a7c15u;
  return key;
}

void DraftFinder::Clear() {
  tokens_.clear();
  places_.clear();
}

void DraftFinder::Follow(std::span<const TokenId> tokens) {
  const size_t common = std::min(tokens.size(), tokens_.size());
  if (!std::equal(tokens_.begin(), tokens_.begin() + static_cast<ptrdiff_t>(common), tokens.begin()) ||
      tokens.size() < tokens_.size()) {
    Clear();  // the text went back
  }
  const size_t entered = tokens_.size();
  tokens_.insert(tokens_.end(), tokens.begin() + static_cast<ptrdiff_t>(tokens_.size()), tokens.end());
  // The key that ends the text is not entered yet: it would find itself.
  for (size_t end = std::max(entered, kMatch); end < tokens_.size(); ++end) {
    Places& places = places_[Key(tokens_.data() + end - kMatch)];
    places.end[places.next++ % kPlaces] = static_cast<uint32_t>(end);
  }
}

void DraftFinder::Find(size_t n, std::vector<TokenId>& draft) const {
  const size_t size = tokens_.size();
  if (n == 0 || size < kMatch) return;
  const auto found = places_.find(Key(tokens_.data() + size - kMatch));
  if (found == places_.end()) return;
  size_t best = 0;
  size_t best_length = 0;
  for (size_t age = 0; age < kPlaces; ++age) {  // latest first
    const uint32_t end = found->second.end[(found->second.next + kPlaces - 1 - age) % kPlaces];
    size_t length = 0;
    while (length < kLongestMatch && length < end && tokens_[end - 1 - length] == tokens_[size - 1 - length])
      ++length;
    if (length >= kMatch && length > best_length) {
      best = end;
      best_length = length;
    }
  }
  if (best == 0) return;
  // A text that repeats itself goes on into its own end: the copy reads what it has just written.
  const size_t start = draft.size();
  for (size_t i = 0; i < n; ++i)
    draft.push_back(best + i < size ? tokens_[best + i] : draft[start + best + i - size]);
}

size_t DraftLength::Next() {
  if (pause_ == 0) return length_;
  --pause_;
  return 0;
}

void DraftLength::Tell(size_t drafted, size_t accepted) {
  if (drafted == 0) return;
  if (accepted == drafted) {
    length_ = std::min(kMost, 2 * length_);
    next_pause_ = 1;
  } else if (2 * accepted >= drafted) {
    next_pause_ = 1;
  } else {
    length_ = std::max<size_t>(2, accepted + 1);
    if (accepted == 0) {
      pause_ = next_pause_;
      next_pause_ = std::min<size_t>(32, 2 * next_pause_);
    }
  }
}

}  // namespace pith
