// The byte strings that writer and reader of archives must agree on. docs/format.md sections 3 to 7.
#pragma once

#include <cstdint>

#include "archive/archive_format.h"
#include "base/bytes.h"
#include "base/hash.h"

namespace pith {

inline uint16_t HeaderCheck(ByteSpan first_six) { return static_cast<uint16_t>(Hash64(first_six)); }

inline uint64_t FrameTag(FrameKind kind, uint64_t size) {
  return size << kFrameKindBits | static_cast<uint64_t>(kind);
}

inline FrameKind FrameKindOf(const BlockHeader& header) {
  return header.adaptive ? FrameKind::kAdaptiveModel : static_cast<FrameKind>(header.kind);
}

// Streams and encoding of a model block, as one number.
inline uint64_t StreamsField(const BlockHeader& header) {
  return header.n_streams + uint64_t{kMaxStreams} * header.encoding;
}

// Strength and encoding of a contexts block, and the size of its text.
inline void AppendStrength(const BlockHeader& header, ByteWriter& w) {
  w.U8(static_cast<uint8_t>(header.strength | header.encoding << kContextStrengthBits));
  if (header.encoding != 0) w.Varint(header.text_size);
}

// All of a block's frame before the payload.
inline void AppendBlockHeader(const BlockHeader& header, Bytes& out) {
  ByteWriter w(out);
  w.Varint(FrameTag(FrameKindOf(header), header.content_size));
  if (header.kind == BlockKind::kRaw) return;
  w.Varint(header.payload_size);
  if (header.kind == BlockKind::kZstd) return;
  if (header.kind == BlockKind::kContexts) {
    AppendStrength(header, w);
    return;
  }
  w.Varint(header.n_tokens);
  w.Varint(StreamsField(header));
  w.U32(header.probe);
  w.U32(header.content_check);
}

// The header of a zstd frame (RFC 8878, 3.1.1.1) of one segment, without checksum and dictionary, as zstd writes it for content
// of a size that is known before; `content_size` is within the format's limit.
inline Bytes UsualZstdHeader(uint32_t content_size) {
  constexpr uint32_t kZstdMagic = 0xfd2fb528;
  constexpr uint8_t kSingleSegment = 0x20;
  Bytes header;
  ByteWriter w(header);
  w.U32(kZstdMagic);
  if (content_size < 256) {
    w.U8(kSingleSegment);
    w.U8(static_cast<uint8_t>(content_size));
  } else if (content_size < 65536 + 256) {
    w.U8(kSingleSegment | 1 << 6);
    w.U16(static_cast<uint16_t>(content_size - 256));
  } else {
    w.U8(kSingleSegment | 2 << 6);
    w.U32(content_size);
  }
  return header;
}

// Of a zstd frame's block (RFC 8878, 3.1.1.2), its three bytes as a number.
inline constexpr size_t kZstdBlockHeaderBytes = 3;
inline bool IsLastZstdBlock(uint32_t header) { return (header & 1) != 0; }
inline uint32_t ZstdBlockBytes(uint32_t header) {
  constexpr uint32_t kRunOfOneByte = 1;
  return (header >> 1 & 3) == kRunOfOneByte ? 1 : header >> 3;
}

// Whether a short archive of this block holds a check of its content.
inline bool HasContentCheck(const BlockHeader& header) {
  return header.kind == BlockKind::kModel || header.kind == BlockKind::kContexts;
}

// A short archive before its payload (section 10). `model` is what a model block needs, `dictionary` what an adaptive one
// may need; else null.
inline void AppendShortHeader(const BlockHeader& header, const ModelIdentity* model, const uint64_t* dictionary,
                              Bytes& out) {
  ByteWriter w(out);
  const bool by_model = header.kind == BlockKind::kModel;
  const bool says_window = by_model && (model->window != kUsualWindow || model->n_sinks != kUsualSinks);
  w.Raw(kShortMagic);
  const bool one_stream = by_model && StreamsField(header) == 1 && !header.lean;
  const uint8_t kind = header.lean ? kShortLean : static_cast<uint8_t>(FrameKindOf(header));
  w.U8(static_cast<uint8_t>(kShortForm | kind | (says_window ? kShortHasWindow : 0) |
                            (dictionary != nullptr ? kShortHasDictionary : 0) | (one_stream ? kShortOneStream : 0) |
                            (header.lean && header.encoding != 0 ? kShortEncoding : 0) |
                            (by_model && !header.lean ? kShortModel4 : 0) | (header.bare ? kShortBareZstd : 0)));
  if (by_model) {
    w.Raw(ByteSpan(model->fingerprint.bytes).first(header.lean ? kLeanFingerprintBytes : kShortFingerprintBytes));
  }
  if (dictionary != nullptr) w.U32(static_cast<uint32_t>(*dictionary));
  if (says_window) {
    w.Varint(model->window);
    w.Varint(model->n_sinks);
  }
  w.Varint(header.content_size);
  if (header.kind != BlockKind::kRaw && !header.bare) w.Varint(header.payload_size);
  if (header.lean) {
    if (header.encoding != 0) {
      w.U8(header.encoding);
      w.Varint(header.text_size);
    }
    w.U16(static_cast<uint16_t>(header.content_check));
    return;
  }
  if (by_model) {
    w.Varint(header.n_tokens);
    if (!one_stream) w.Varint(StreamsField(header));
  }
  if (header.kind == BlockKind::kContexts) AppendStrength(header, w);
  if (HasContentCheck(header)) w.U32(header.content_check);
}

// The check of a frame over all of it but the check.
inline uint32_t FrameCheck(ByteSpan header, ByteSpan payload) {
  Hasher64 hash;
  hash.Update(header);
  hash.Update(payload);
  return static_cast<uint32_t>(hash.Digest());
}

inline void AppendBlockIndexEntry(BlockKind kind, uint64_t content_size, uint64_t frame_size, Bytes& out) {
  ByteWriter w(out);
  const BlockKind listed = kind == BlockKind::kContexts ? BlockKind::kModel : kind;  // two bits: predicted, by whatever
  w.Varint(content_size << kIndexKindBits | static_cast<uint64_t>(listed));
  w.Varint(frame_size);
}

inline Bytes DictionaryFrame(uint64_t id) {
  Bytes frame;
  ByteWriter w(frame);
  w.Varint(FrameTag(FrameKind::kDictionary, sizeof id));
  w.U64(id);
  w.U32(Hash32(frame));
  return frame;
}

// Of the frames that describe: a model, a dictionary.
inline void AppendModelInfoIndexEntry(uint64_t frame_size, Bytes& out) {
  ByteWriter(out).Varint(frame_size << kIndexKindBits);
}

}  // namespace pith
