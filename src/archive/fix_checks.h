// FixChecks, for tests and fuzzing: makes the checksums of a changed archive right again, so that what lies
// behind them is reached.
#pragma once

#include <algorithm>
#include <cstring>

#include "archive/archive_format.h"
#include "archive/frame_codec.h"
#include "base/bytes.h"

namespace pith {

// Walks the frames as far as their sizes make sense and corrects header, checks and footers in place. The
// hash of the whole content in the end frame stays as it is.
inline void FixChecks(Bytes& archive) {
  size_t at = 0;
  const auto put = [&](size_t where, uint64_t value, size_t n_bytes) {
    for (size_t i = 0; i < n_bytes; ++i) archive[where + i] = static_cast<uint8_t>(value >> (8 * i));
  };
  while (archive.size() - at >= kArchiveHeaderBytes) {
    ByteReader s(ByteSpan(archive).subspan(at));
    if (BeginsShort(ByteSpan(archive).subspan(at))) {
      s.Raw(kShortMagic.size());
      const uint8_t form = s.U8();
      const FrameKind kind = static_cast<FrameKind>(form & 7);
      const bool by_model = kind == FrameKind::kModel || kind == FrameKind::kAdaptiveModel;
      const bool lean = (form & 7) == kShortLean;
      if (by_model) s.U32();
      if (lean) s.U16();
      if ((form & kShortHasDictionary) != 0) s.U32();
      if ((form & kShortHasWindow) != 0) {
        s.Varint();
        s.Varint();
      }
      uint64_t payload = s.Varint();
      const bool bare = kind == FrameKind::kZstd && (form & kShortBareZstd) != 0;
      if (kind != FrameKind::kRaw && !bare) payload = s.Varint();
      for (bool last = !bare; !last;) {
        payload = s.U8();
        payload |= s.U8() << 8;
        payload |= s.U8() << 16;
        last = IsLastZstdBlock(static_cast<uint32_t>(payload)) || !s.ok();
        payload = ZstdBlockBytes(static_cast<uint32_t>(payload));
        if (!last) s.Raw(payload);
      }
      if (by_model) {
        s.Varint();
        if ((form & kShortOneStream) == 0) s.Varint();
      }
      const bool content_check = by_model || lean || kind == FrameKind::kContexts;
      if (kind == FrameKind::kContexts && s.U8() >> kContextStrengthBits != 0) s.Varint();
      if (lean) {
        if ((form & kShortEncoding) != 0) {
          s.U8();
          s.Varint();
        }
        s.U16();
      } else if (content_check) {
        s.U32();
      }
      s.Raw(payload);
      const size_t check_bytes = ShortCheckBytes(content_check);
      if (!s.ok() || s.remaining() < check_bytes) return;
      put(at + s.position(), Hash32(ByteSpan(archive).subspan(at, s.position())), check_bytes);
      at += s.position() + check_bytes;
      continue;
    }
    std::copy(kArchiveMagic.begin(), kArchiveMagic.end(), archive.begin() + static_cast<ptrdiff_t>(at));
    put(at + 6, HeaderCheck(ByteSpan(archive).subspan(at, 6)), 2);
    at += kArchiveHeaderBytes;
    for (bool end = false; !end;) {
      ByteReader r(ByteSpan(archive).subspan(at));
      const uint64_t tag = r.Varint();
      const uint64_t size = tag >> kFrameKindBits;
      const FrameKind kind = static_cast<FrameKind>(tag & 7);
      uint64_t payload = size;
      const bool by_model = kind == FrameKind::kModel || kind == FrameKind::kAdaptiveModel;
      if (kind == FrameKind::kZstd || kind == FrameKind::kContexts || by_model) payload = r.Varint();
      if (kind == FrameKind::kContexts && r.U8() >> kContextStrengthBits != 0) r.Varint();
      if (by_model) {
        r.Varint();
        r.Varint();
        r.U64();
      }
      r.Raw(payload);
      if (!r.ok() || r.remaining() < kFrameCheckBytes) return;
      put(at + r.position(), Hash32(ByteSpan(archive).subspan(at, r.position())), kFrameCheckBytes);
      const size_t frame_size = r.position() + kFrameCheckBytes;
      at += frame_size;
      end = kind == FrameKind::kEnd;
      if (!end) continue;
      if (archive.size() - at < kArchiveFooterBytes) return;
      put(at, frame_size, 4);
      std::copy(kArchiveEndMagic.begin(), kArchiveEndMagic.end(),
                archive.begin() + static_cast<ptrdiff_t>(at) + 4);
      at += kArchiveFooterBytes;
    }
  }
}

}  // namespace pith
