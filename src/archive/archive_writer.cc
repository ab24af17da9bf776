#include "archive/archive_writer.h"

#include <algorithm>

#include "archive/frame_codec.h"
#include "base/check.h"

namespace pith {

Status ArchiveWriter::Emit(ByteSpan data) {
  PITH_RETURN_IF_ERROR(sink_.Write(data));
  archive_bytes_ += data.size();
  return OkStatus();
}

Status ArchiveWriter::WriteHeader() {
  Bytes header(kArchiveMagic.begin(), kArchiveMagic.end());
  ByteWriter w(header);
  w.U8(kArchiveFormatVersion);
  w.U8(kArchiveContractVersion);
  w.U16(HeaderCheck(header));
  PITH_CHECK(header.size() == kArchiveHeaderBytes);
  return Emit(header);
}

namespace {

Bytes ModelInfoFrame(const ModelIdentity& model) {
  PITH_CHECK(IsStorableModelName(model.name) && model.window >= 1 && model.window <= kMaxCachedTokens);
  PITH_CHECK(model.n_sinks < model.window && model.n_sinks <= kMaxSinkTokens);
  Bytes payload(model.fingerprint.bytes.begin(), model.fingerprint.bytes.end());
  ByteWriter(payload).Varint(model.window);
  ByteWriter(payload).Varint(model.n_sinks);
  ByteWriter(payload).Raw(AsBytes(model.name));
  Bytes frame;
  ByteWriter w(frame);
  w.Varint(FrameTag(FrameKind::kModelInfo, payload.size()));
  w.Raw(payload);
  w.U32(Hash32(frame));
  return frame;
}

}  // namespace

Status ArchiveWriter::WriteModelInfo(const ModelIdentity& model) {
  PITH_CHECK(!has_model_);
  has_model_ = true;
  if (archive_bytes_ == 0) PITH_RETURN_IF_ERROR(WriteHeader());
  const Bytes frame = ModelInfoFrame(model);
  AppendModelInfoIndexEntry(frame.size(), index_);
  ++n_frames_;
  return Emit(frame);
}

Status ArchiveWriter::WriteBlock(const BlockHeader& header, ByteSpan payload, ByteSpan content) {
  PITH_CHECK(n_blocks_ < kMaxBlocks);
  PITH_CHECK(header.content_size >= 1 && header.content_size <= kMaxBlockContent);
  PITH_CHECK(content.size() == header.content_size && payload.size() == header.payload_size);
  PITH_CHECK(header.kind == BlockKind::kRaw ? header.payload_size == header.content_size
                                            : header.payload_size < header.content_size);
  PITH_CHECK(header.kind == BlockKind::kModel ? has_model_ : !header.adaptive);
  PITH_CHECK(header.kind == BlockKind::kContexts
                 ? header.strength >= 1 && header.strength <= kMaxContextStrength
                 : header.strength == 0);
  if (archive_bytes_ == 0) PITH_RETURN_IF_ERROR(WriteHeader());
  Bytes head;
  AppendBlockHeader(header, head);
  Bytes check;
  ByteWriter(check).U32(FrameCheck(head, payload));
  PITH_RETURN_IF_ERROR(Emit(head));
  PITH_RETURN_IF_ERROR(Emit(payload));
  PITH_RETURN_IF_ERROR(Emit(check));
  AppendBlockIndexEntry(header.kind, header.content_size, head.size() + payload.size() + check.size(),
                        index_);
  ++n_frames_;
  ++n_blocks_;
  content_bytes_ += content.size();
  content_hash_.Update(content);
  return OkStatus();
}

Status ArchiveWriter::WriteDictionary(uint64_t id) {
  if (archive_bytes_ == 0) PITH_RETURN_IF_ERROR(WriteHeader());
  const Bytes frame = DictionaryFrame(id);
  AppendModelInfoIndexEntry(frame.size(), index_);
  ++n_frames_;
  return Emit(frame);
}

Status ArchiveWriter::WriteShort(const BlockHeader& header, const ModelIdentity* model, const uint64_t* dictionary,
                                 ByteSpan payload) {
  PITH_CHECK(archive_bytes_ == 0 && payload.size() == header.payload_size);
  PITH_CHECK(header.content_size >= 1 && header.content_size <= kMaxBlockContent);
  PITH_CHECK((model != nullptr) == (header.kind == BlockKind::kModel));
  PITH_CHECK(dictionary == nullptr || header.adaptive);
  if (header.bare) {
    PITH_CHECK(header.kind == BlockKind::kZstd && HasUsualZstdHeader(payload, header.content_size));
    payload = payload.subspan(UsualZstdHeader(header.content_size).size());
  }
  Bytes head;
  AppendShortHeader(header, model, dictionary, head);
  Bytes check;
  ByteWriter(check).U32(FrameCheck(head, payload));
  PITH_RETURN_IF_ERROR(Emit(head));
  PITH_RETURN_IF_ERROR(Emit(payload));
  PITH_RETURN_IF_ERROR(Emit(ByteSpan(check).first(ShortCheckBytes(HasContentCheck(header)))));
  n_blocks_ = 1;
  content_bytes_ = header.content_size;
  return OkStatus();
}

bool ArchiveWriter::HasUsualZstdHeader(ByteSpan frame, uint32_t content_size) {
  const Bytes header = UsualZstdHeader(content_size);
  return frame.size() > header.size() && std::equal(header.begin(), header.end(), frame.begin());
}

size_t ArchiveWriter::ShortCost(const BlockHeader& header, const ModelIdentity* model, const uint64_t* dictionary) {
  Bytes bytes;
  AppendShortHeader(header, model, dictionary, bytes);
  const size_t known = header.bare ? UsualZstdHeader(header.content_size).size() : 0;
  return bytes.size() + header.payload_size - known + ShortCheckBytes(HasContentCheck(header));
}

Status ArchiveWriter::Finish(const std::string& file_name, std::optional<int64_t> mtime_ns) {
  if (archive_bytes_ == 0) PITH_RETURN_IF_ERROR(WriteHeader());
  for (const bool with_name : {IsStorableFileName(file_name), false}) {
    Bytes payload;
    ByteWriter p(payload);
    p.Varint(n_frames_);
    p.Raw(index_);
    p.Varint(content_bytes_);
    p.U64(content_hash_.Digest());
    p.U8(static_cast<uint8_t>((with_name ? kEndHasName : 0) | (mtime_ns ? kEndHasMtime : 0)));
    if (with_name) {
      p.Varint(file_name.size());
      p.Raw(AsBytes(file_name));
    }
    if (mtime_ns) p.U64(static_cast<uint64_t>(*mtime_ns));
    Bytes frame;
    ByteWriter w(frame);
    w.Varint(FrameTag(FrameKind::kEnd, payload.size()));
    w.Raw(payload);
    w.U32(Hash32(frame));
    w.U32(static_cast<uint32_t>(frame.size()));
    w.Raw(kArchiveEndMagic);
    const uint64_t bound = content_bytes_ + kMaxArchiveOverhead + kMaxBlockOverhead * n_blocks_;
    if (with_name && archive_bytes_ + frame.size() > bound) continue;
    PITH_CHECK(archive_bytes_ + frame.size() <= bound || has_model_);
    return Emit(frame);
  }
  return OkStatus();  // not reached: the second round has no name
}

size_t ArchiveWriter::BlockCost(const BlockHeader& header) {
  Bytes bytes;
  AppendBlockHeader(header, bytes);
  const size_t frame_size = bytes.size() + header.payload_size + kFrameCheckBytes;
  bytes.clear();
  AppendBlockIndexEntry(header.kind, header.content_size, frame_size, bytes);
  return frame_size + bytes.size();
}

size_t ArchiveWriter::ModelInfoCost(const ModelIdentity& model) {
  const Bytes frame = ModelInfoFrame(model);
  Bytes entry;
  AppendModelInfoIndexEntry(frame.size(), entry);
  return frame.size() + entry.size();
}

}  // namespace pith
