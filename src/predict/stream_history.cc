#include "predict/stream_history.h"

#include "predict/byte_kinds.h"

namespace pith {
namespace {

constexpr size_t kLineHeadBytes = 4;

// 1 to 13: letter, digit, space, line end, other control, and punctuation by its low bits.
uint32_t ByteClass(uint8_t c) {
  if (IsLetter(c)) return 1;
  if (c >= '0' && c <= '9') return 2;
  if (c == ' ') return 3;
  if (c == '\n') return 4;
  if (c < 32) return 5;
  return 6 + (c & 7);
}

}  // namespace

void StreamHistory::AppendByte(uint8_t c) {
  bytes_.push_back(c);
  if (IsLetter(c)) {
    const uint64_t folded = c >= 'A' && c <= 'Z' ? c + 32u : c;
    word_ = (word_ + folded) * 0x2F0B4C47u;
    word_ ^= word_ >> 23;
  } else if (word_ != 0) {
    word_before2_ = word_before_;
    word_before_ = word_;
    word_ = 0;
  }
  byte_classes_ = byte_classes_ << 4 | ByteClass(c);
  if (c == '\n') {
    line_before_ = line_begin_;
    line_begin_ = bytes_.size();
    field_ = line_tokens_ = line_head_ = 0;
    return;
  }
  if (IsSeparator(c)) ++field_;
  if (bytes_.size() - line_begin_ <= kLineHeadBytes) line_head_ = line_head_ * 271 + c + 1;
}

void StreamHistory::Append(uint32_t token, ByteSpan bytes) {
  for (const uint8_t c : bytes) AppendByte(c);
  ++line_tokens_;
  for (size_t i = tokens_.size() - 1; i > 0; --i) tokens_[i] = tokens_[i - 1];
  tokens_[0] = uint64_t{token} + 1;
}

uint64_t StreamHistory::Above(size_t k) const {
  const size_t at = line_before_ + (bytes_.size() - line_begin_) + k;
  return at < line_begin_ ? bytes_[at] : 0;
}

std::array<uint64_t, kContexts> StreamHistory::Contexts(uint64_t followers) const {
  std::array<uint64_t, kContexts> contexts;
  size_t n = 0;
  const auto add = [&](uint64_t a = 0, uint64_t b = 0, uint64_t c = 0, uint64_t d = 0, uint64_t e = 0) {
    uint64_t h = MixHash(n + 1);
    for (const uint64_t part : {a, b, c, d, e}) h = MixHash(h + part);
    contexts[n++] = h;
  };
  const uint64_t t1 = Back(1);
  const uint64_t t2 = Back(2);
  const uint64_t t3 = Back(3);
  const uint64_t column = bytes_.size() - line_begin_;
  const uint64_t above2 = Above(0) | Above(1) << 8;
  const uint64_t above4 = above2 | Above(2) << 16 | Above(3) << 24;
  add();
  add(t1);
  add(t1, t2);
  add(t1, t2, t3);
  add(t1, t2, t3, Back(4));
  add(t1, t2, t3, Back(4), Back(5) << 32 | Back(6));
  add(t2);
  add(word_, word_before_);
  add(word_, word_before_, word_before2_);
  add(word_, t1);
  add(column < 255 ? column : 255, above2);
  add(t1, above4);
  add(field_, t1);
  add(field_, line_head_, line_tokens_);
  add(followers, t1);
  add(byte_classes_, LastByte(1));
  return contexts;
}

}  // namespace pith
