#include "codec/block_cutter.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace pith {

BlockCutter::BlockCutter(Source& source, size_t max_block)
    : source_(source), max_block_(max_block), ahead_bytes_(max_block + max_block / 8) {
  PITH_CHECK(max_block >= kMinBlockBytes);
}

Status BlockCutter::Fill() {
  if (begin_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  while (!at_end_ && end_ < ahead_bytes_) {
    // Grows as data comes, so that a small input takes little memory.
    if (buffer_.size() == end_) buffer_.resize(std::min(ahead_bytes_, std::max(kGranuleBytes, 2 * end_)));
    PITH_ASSIGN_OR_RETURN(const size_t n, source_.Read(std::span<uint8_t>(buffer_).subspan(end_)));
    PITH_CHECK(n <= buffer_.size() - end_);
    end_ += n;
    if (n == 0) at_end_ = true;
  }
  return OkStatus();
}

Result<InputBlock> BlockCutter::Next() {
  PITH_RETURN_IF_ERROR(Fill());
  InputBlock block;
  if (begin_ == end_) return block;
  const size_t n = BlockSize(&block.content_class);
  PITH_CHECK(n >= 1 && n <= max_block_ && n <= end_ - begin_);
  block.content = Ahead().first(n);
  begin_ += n;
  block.is_last = at_end_ && begin_ == end_;
  return block;
}

namespace {

// Whether data of class `next` may go on in a block of class `*block`, which becomes that of both. Mixed data
// goes with either neighbour: a cut costs both sides their context, and text with odd bytes in it (a tar of
// texts) would be cut again and again. Not so with UTF-16, where every other byte has a place.
bool Joins(ContentClass next, ContentClass* block) {
  const auto is_definite = [](ContentClass c) {
    return c == ContentClass::kText || c == ContentClass::kBinary;
  };
  if (next == *block || (next == ContentClass::kMixed && is_definite(*block))) return true;
  if (*block != ContentClass::kMixed || !is_definite(next)) return false;
  *block = next;
  return true;
}

}  // namespace

size_t BlockCutter::BlockSize(ContentClass* content_class) const {
  const ByteSpan data = Ahead();
  const auto granule_size = [&](size_t at) {
    const size_t rest = data.size() - at;
    return rest < kGranuleBytes + kMinGranuleBytes ? rest : kGranuleBytes;
  };
  size_t at = granule_size(0);
  *content_class = ClassifyContent(data.first(std::min(at, max_block_)));
  while (by_kind_ && at < data.size() && at < max_block_) {
    const size_t n = granule_size(at);
    if (!Joins(ClassifyContent(data.subspan(at, n)), content_class)) {
      // Text began or ended somewhere in here; the last line before is the best guess that costs nothing.
      const bool lines = *content_class != ContentClass::kBinary && *content_class != ContentClass::kNoise;
      return lines ? CutNear(at, kMinGranuleBytes / 2, *content_class) : at;
    }
    at += n;
  }
  if (data.size() <= max_block_) return data.size();
  if (at_end_) return CutAtLimit((data.size() + 1) / 2, *content_class);
  return CutAtLimit(max_block_, *content_class);
}

size_t BlockCutter::CutAtLimit(size_t limit, ContentClass content_class) const {
  return CutNear(limit, std::min(kMaxCutSearch, limit / 2), content_class);
}

// The last line's end in (position - search, position], or else a place between two UTF-8 characters or two units of UTF-16.
size_t BlockCutter::CutNear(size_t position, size_t search, ContentClass content_class) const {
  const ByteSpan data = Ahead();
  if (content_class == ContentClass::kWide) {
    position -= position % 2;
    for (size_t i = position; i > position - search; i -= 2) {
      const uint8_t a = data[i - 2], b = data[i - 1];
      if ((a == '\n' && b == 0) || (a == 0 && b == '\n')) return i;
    }
    return position;
  }
  for (size_t i = position; i > position - search; --i) {
    if (data[i - 1] == '\n') return i;
  }
  size_t cut = position;
  while (cut > position - 3 && cut < data.size() && (data[cut] & 0xc0) == 0x80) --cut;
  return cut < data.size() && (data[cut] & 0xc0) == 0x80 ? position : cut;
}

}  // namespace pith
