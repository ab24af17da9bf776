#include "predict/match_finder.h"

#include <algorithm>

#include "predict/stream_history.h"

namespace pith {

void BlockTokens::Append(uint64_t n_tokens, uint64_t n_streams) {
  n_dictionary_ = static_cast<uint32_t>(tokens_.size());
  tokens_.resize(tokens_.size() + n_tokens);
  begin_.resize(n_streams + 1);
  for (uint64_t i = 0; i <= n_streams; ++i) {
    begin_[i] = n_dictionary_ + static_cast<uint32_t>(i * n_tokens / n_streams);
  }
  next_.assign(begin_.begin(), begin_.end() - 1);
}

bool BlockTokens::Knows(uint32_t at) const {
  if (at < n_dictionary_) return true;
  if (at >= tokens_.size()) return false;
  size_t stream = static_cast<size_t>(uint64_t{at - n_dictionary_} * n_streams() / (tokens_.size() - n_dictionary_));
  if (at >= begin_[stream + 1]) ++stream;  // the division rounds down, the parts' ends do, too
  return at < next_[stream];
}

MatchFinder::MatchFinder(size_t n_streams, uint32_t min_length)
    : min_length_(min_length), heads_(size_t{1} << kHashBits, kNowhere), at_(n_streams) {}

uint32_t MatchFinder::LengthClass(size_t stream) const {
  const Match& m = at_[stream];
  const uint32_t length = m.length < 16 ? m.length : std::min<uint32_t>(kLengthClasses - 1, 16 + (m.length - 16) / 8);
  return m.misses != 0 ? std::min<uint32_t>(length, 4) : length;
}

void MatchFinder::Update(const BlockTokens& tokens, size_t stream, uint32_t token) {
  Match& m = at_[stream];
  if (m.position != kNowhere) {
    if (tokens[m.position] == token) {
      ++m.length;
    } else {
      m.length = 0;
      ++m.misses;
    }
    if (m.misses < kMaxMisses && tokens.Knows(m.position + 1)) {
      ++m.position;
      if (m.length > 15) m.misses = 0;
    } else {
      m = Match();
    }
  }
  const uint32_t next = tokens.Next(stream);
  const uint32_t begin = tokens.Begin(stream);
  if (next - begin < min_length_) return;
  uint64_t hash = 0;
  for (uint32_t k = 1; k <= min_length_; ++k) hash = MixHash(hash + tokens[next - k] + 1);
  uint32_t& head = heads_[hash >> (64 - kHashBits)];
  if ((m.position == kNowhere || m.misses != 0) && head != kNowhere && tokens.Knows(head)) {
    // Backwards from the candidate, which may lie in any stream and lead into the one before.
    uint32_t length = 0;
    while (length < kMaxCompare && next - length > begin && head > length && tokens.Knows(head - 1 - length) &&
           tokens[head - 1 - length] == tokens[next - 1 - length]) {
      ++length;
    }
    if (length >= min_length_) m = {head, length, 0};
  }
  head = next;
}

}  // namespace pith
