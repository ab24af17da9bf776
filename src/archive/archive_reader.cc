#include "archive/archive_reader.h"

#include <algorithm>
#include <utility>

#include "archive/frame_codec.h"
#include "base/check.h"
#include "base/hash.h"

namespace pith {
namespace {

constexpr size_t kInputBufferBytes = 64 << 10;

// Small reads from a Source.
class BufferedInput {
 public:
  explicit BufferedInput(Source& source) : source_(source), buffer_(kInputBufferBytes) {}

  // Fills `out`, or less at the end of the source.
  Result<size_t> Read(std::span<uint8_t> out) {
    size_t done = 0;
    while (done < out.size()) {
      if (begin_ == end_) {
        // Large reads go past the buffer.
        const bool direct = out.size() - done >= buffer_.size();
        const std::span<uint8_t> target = direct ? out.subspan(done) : std::span<uint8_t>(buffer_);
        PITH_ASSIGN_OR_RETURN(const size_t n, source_.Read(target));
        if (n == 0) break;
        PITH_CHECK(n <= target.size());
        if (direct) {
          done += n;
          continue;
        }
        begin_ = 0;
        end_ = n;
      }
      const size_t n = std::min(out.size() - done, end_ - begin_);
      std::copy_n(buffer_.begin() + static_cast<ptrdiff_t>(begin_), n,
                  out.begin() + static_cast<ptrdiff_t>(done));
      begin_ += n;
      done += n;
    }
    taken_ += done;
    return done;
  }

  uint64_t taken() const { return taken_; }

 private:
  Source& source_;
  Bytes buffer_;
  size_t begin_ = 0;
  size_t end_ = 0;
  uint64_t taken_ = 0;
};

}  // namespace

struct ArchiveReader::Impl {
  explicit Impl(Source& source) : input(source) {}

  BufferedInput input;
  uint64_t n_archives = 0;
  bool inside = false;  // between NextArchive and the end frame

  // Of the current archive:
  uint64_t begin = 0;  // where it begins in the source
  bool is_short = false;
  bool short_block_read = false;
  uint8_t form = 0;  // of a short archive
  int format_version = 0;
  int contract_version = 0;
  std::optional<ModelIdentity> model;
  std::optional<DictionaryIdentity> dictionary;
  bool adaptive_seen = false;
  bool dictionary_is_new = false;  // no adaptive block has come since
  bool model_is_new = false;  // its frame was the last one: a model block must follow
  uint64_t n_frames = 0;
  uint64_t n_blocks = 0;
  uint64_t n_content_added = 0;  // blocks
  uint64_t content_bytes = 0;    // as the blocks' headers say
  Hasher64 content_hash;
  Bytes index;  // entries as the end must repeat them
  ArchiveEnd end;

  // Of the current frame:
  FrameKind kind = FrameKind::kRaw;
  Bytes head;  // all bytes before the payload

  std::string Where(uint64_t block) const {
    std::string s = n_archives > 1 ? "archive " + std::to_string(n_archives) + ": " : "archive: ";
    return s + "block " + std::to_string(block);
  }
  std::string Where() const { return n_archives > 1 ? "archive " + std::to_string(n_archives) : "archive"; }
  // The frame being read, for messages.
  std::string Place() const {
    switch (kind) {
      case FrameKind::kModelInfo:
        return Where() + ": model";
      case FrameKind::kDictionary:
        return Where() + ": dictionary";
      case FrameKind::kEnd:
        return Where() + ": end";
      default:
        return Where(n_blocks + 1);
    }
  }
  Status Bad(const std::string& what) const { return Corrupt(Place() + ": " + what); }
  Status EarlierModelBlock(int version) const {
    return Unsupported(Place() + ": a block by a model in format " + std::to_string(version) +
                       ", which pith 0.1.0 reads, and this version no longer: decompress it with that one and compress it again");
  }

  Status ReadExact(std::span<uint8_t> out) {
    PITH_ASSIGN_OR_RETURN(const size_t n, input.Read(out));
    if (n == out.size()) return OkStatus();
    return Bad("the file ends after " + std::to_string(input.taken()) +
               " bytes, in the middle of an archive (truncated)");
  }

  // Reads n more bytes of the frame's head.
  Status ExtendHead(size_t n) {
    const size_t old = head.size();
    head.resize(old + n);
    return ReadExact(std::span<uint8_t>(head).subspan(old));
  }

  Result<uint64_t> HeadVarint() {
    const size_t old = head.size();
    do {
      if (head.size() - old == kMaxVarintBytes) return Bad("a number of more than 64 bits");
      PITH_RETURN_IF_ERROR(ExtendHead(1));
    } while ((head.back() & 0x80) != 0);
    ByteReader r(ByteSpan(head).subspan(old));
    const uint64_t v = r.Varint();
    if (!r.ok()) return Bad("a number that is not in its shortest form");
    return v;
  }

  Result<uint32_t> HeadU32() {
    const size_t old = head.size();
    PITH_RETURN_IF_ERROR(ExtendHead(4));
    return ByteReader(ByteSpan(head).subspan(old)).U32();
  }

  // Reads the check that follows the frame and compares.
  Status CompareCheck(ByteSpan payload) {
    uint8_t stored[kFrameCheckBytes];
    PITH_RETURN_IF_ERROR(ReadExact(stored));
    const uint32_t expected = ByteReader(stored).U32();
    return CompareCheck(FrameCheck(head, payload), expected, 8);
  }
  Status CompareCheck(uint32_t found, uint32_t expected, int digits) const {
    if (found == expected) return OkStatus();
    return Bad("checksum " + Hex(found, digits) + ", expected " + Hex(expected, digits) + ": the data is damaged");
  }
  // That of a short archive, which may be the low half.
  Status CompareShortCheck(ByteSpan payload, bool has_content_check) {
    const uint32_t found = FrameCheck(head, payload);
    uint8_t stored[kFrameCheckBytes];
    const std::span<uint8_t> bytes = std::span(stored).first(ShortCheckBytes(has_content_check));
    PITH_RETURN_IF_ERROR(ReadExact(bytes));
    ByteReader r(bytes);
    if (!has_content_check) return CompareCheck(found, r.U32(), 8);
    return CompareCheck(found & 0xffff, r.U16(), 4);
  }

  Result<bool> NextArchive();
  Result<bool> NextBlock(BlockHeader& header, Bytes& payload);
  Status ReadBlock(uint64_t content_size, BlockHeader& header, Bytes& payload);
  Status ReadShort(BlockHeader& header, Bytes& payload);
  bool IsLean() const { return is_short && (form & ((1 << kFrameKindBits) - 1)) == kShortLean; }
  Status CheckContentSize(uint64_t content_size, uint64_t most = kMaxBlockContent) const;
  Status CheckPayloadSize(uint64_t payload_size, uint64_t content_size) const;
  Status CheckContexts(const BlockHeader& header) const;
  Status CheckEncoding(uint64_t encoding) const;
  Status CheckModel(uint64_t window, uint64_t n_sinks) const;
  // As stored, not yet checked.
  struct TokenCounts {
    uint64_t tokens = 0;
    uint64_t streams = 0;
  };
  Status ReadBody(uint64_t content_size, BlockHeader& header, Bytes& payload, TokenCounts& counts);
  Status ReadBareZstd(uint32_t content_size, BlockHeader& header, Bytes& payload);
  Status TakeTokens(const TokenCounts& counts, BlockHeader& header) const;
  Status ReadModelInfo(uint64_t payload_size);
  Status ReadDictionary(uint64_t payload_size);
  Status CheckContent() const;
  Status ReadEnd(uint64_t payload_size);
};

Result<bool> ArchiveReader::Impl::NextArchive() {
  PITH_CHECK(!inside);
  uint8_t bytes[kArchiveHeaderBytes];
  PITH_ASSIGN_OR_RETURN(size_t n, input.Read(std::span<uint8_t>(bytes).first(kArchiveMagic.size())));
  if (n == 0 && n_archives > 0) return false;
  ++n_archives;
  if (n == 0) return Corrupt("archive: the file is empty");
  begin = input.taken() - n;
  model.reset();
  dictionary.reset();
  model_is_new = dictionary_is_new = adaptive_seen = false;
  n_frames = n_blocks = n_content_added = content_bytes = 0;
  content_hash = Hasher64();
  index.clear();
  end = {};
  is_short = n == kArchiveMagic.size() && BeginsShort(ByteSpan(bytes, n));
  if (is_short) {
    form = bytes[kShortMagic.size()];
    format_version = kArchiveFormatVersion;
    contract_version = kArchiveContractVersion;
    short_block_read = false;
    inside = true;
    return true;
  }
  if (n == kArchiveMagic.size()) {
    PITH_ASSIGN_OR_RETURN(const size_t more, input.Read(std::span<uint8_t>(bytes).subspan(n)));
    n += more;
  }
  if (!HasArchiveMagic(ByteSpan(bytes, n))) {
    if (n_archives == 1) return Corrupt("archive: this is not a pith archive (the first bytes are wrong)");
    return Corrupt("archive: data that is no archive after the end of archive " +
                   std::to_string(n_archives - 1));
  }
  if (n < kArchiveHeaderBytes)
    return Corrupt(Where() + ": the file ends in the middle of the header (truncated)");
  ByteReader r(ByteSpan(bytes).subspan(kArchiveMagic.size()));
  format_version = r.U8();
  contract_version = r.U8();
  const uint16_t stored = r.U16();
  const uint16_t found = HeaderCheck(ByteSpan(bytes, 6));
  if (found != stored) {
    return Corrupt(Where() + ": header: checksum " + Hex(found, 4) + ", expected " + Hex(stored, 4));
  }
  if (format_version < kArchiveOldestFormatVersion || format_version > kArchiveFormatVersion ||
      contract_version != kArchiveContractVersion) {
    return Unsupported(Where() + ": format " + std::to_string(format_version) + ", numeric contract " +
                       std::to_string(contract_version) + "; this program reads format " +
                       std::to_string(kArchiveOldestFormatVersion) + " to " + std::to_string(kArchiveFormatVersion) + ", contract " +
                       std::to_string(kArchiveContractVersion));
  }
  inside = true;
  return true;
}

Result<bool> ArchiveReader::Impl::NextBlock(BlockHeader& header, Bytes& payload) {
  PITH_CHECK(inside);
  if (is_short) {
    if (short_block_read) {
      inside = false;
      return false;
    }
    PITH_RETURN_IF_ERROR(ReadShort(header, payload));
    return true;
  }
  while (true) {
    head.clear();
    kind = FrameKind::kRaw;
    PITH_ASSIGN_OR_RETURN(const uint64_t tag, HeadVarint());
    const uint64_t size = tag >> kFrameKindBits;
    const int low_bits = static_cast<int>(tag & ((1 << kFrameKindBits) - 1));
    kind = static_cast<FrameKind>(low_bits);
    switch (kind) {
      case FrameKind::kRaw:
      case FrameKind::kZstd:
      case FrameKind::kModel:
      case FrameKind::kAdaptiveModel:
      case FrameKind::kContexts:
        if (kind == FrameKind::kContexts && format_version < 3) break;
        if (kind == FrameKind::kAdaptiveModel && format_version < 2) break;
        if ((kind == FrameKind::kModel || kind == FrameKind::kAdaptiveModel) && format_version < kArchiveFormatVersion) {
          return EarlierModelBlock(format_version);
        }
        PITH_RETURN_IF_ERROR(ReadBlock(size, header, payload));
        return true;
      case FrameKind::kModelInfo:
        PITH_RETURN_IF_ERROR(ReadModelInfo(size));
        continue;
      case FrameKind::kDictionary:
        if (format_version < 3) break;
        PITH_RETURN_IF_ERROR(ReadDictionary(size));
        continue;
      case FrameKind::kEnd:
        PITH_RETURN_IF_ERROR(ReadEnd(size));
        inside = false;
        return false;
    }
    return Unsupported(Where(n_blocks + 1) + ": a frame of kind " + std::to_string(low_bits) +
                       ", which this version does not know (or the data is damaged)");
  }
}

Status ArchiveReader::Impl::ReadBlock(uint64_t content_size, BlockHeader& header, Bytes& payload) {
  if (n_blocks == kMaxBlocks) return Bad("more than " + std::to_string(kMaxBlocks) + " blocks");
  PITH_RETURN_IF_ERROR(CheckContentSize(content_size));
  header = {};
  TokenCounts counts;
  PITH_RETURN_IF_ERROR(ReadBody(content_size, header, payload, counts));
  // The data is as it was written; what is wrong from here on is a writer's doing.
  if (header.kind == BlockKind::kContexts) PITH_RETURN_IF_ERROR(CheckContexts(header));
  if (header.kind == BlockKind::kModel) {
    PITH_RETURN_IF_ERROR(TakeTokens(counts, header));
  } else if (model_is_new) {
    return Bad("a model is named and not used by the block that follows");
  }
  model_is_new = false;
  if (header.adaptive) {
    adaptive_seen = true;
    dictionary_is_new = false;
  }
  AppendBlockIndexEntry(header.kind, content_size, head.size() + payload.size() + kFrameCheckBytes, index);
  ++n_frames;
  ++n_blocks;
  content_bytes += content_size;
  return OkStatus();
}

Status ArchiveReader::Impl::CheckContentSize(uint64_t content_size, uint64_t most) const {
  if (content_size != 0 && content_size <= most) return OkStatus();
  return Bad("content of " + std::to_string(content_size) + " bytes, expected 1 to " + std::to_string(most));
}

Status ArchiveReader::Impl::CheckPayloadSize(uint64_t payload_size, uint64_t content_size) const {
  if (payload_size < content_size) return OkStatus();
  return Bad("payload of " + std::to_string(payload_size) + " bytes for " + std::to_string(content_size) +
             " bytes of content, expected less");
}

Status ArchiveReader::Impl::CheckModel(uint64_t window, uint64_t n_sinks) const {
  if (window == 0 || window > kMaxCachedTokens) {
    return Bad("a window of " + std::to_string(window) + " tokens, expected 1 to " +
               std::to_string(kMaxCachedTokens));
  }
  if (n_sinks >= window || n_sinks > kMaxSinkTokens) {
    return Bad(std::to_string(n_sinks) + " sinks in a window of " + std::to_string(window) +
               " tokens, expected at most " + std::to_string(std::min<uint64_t>(window - 1, kMaxSinkTokens)));
  }
  return OkStatus();
}

// What follows the content's size, to the check, in a block's frame and in a short archive; sets header but for its counts.
Status ArchiveReader::Impl::ReadBody(uint64_t content_size, BlockHeader& header, Bytes& payload, TokenCounts& counts) {
  uint64_t payload_size = content_size;
  if (kind != FrameKind::kRaw) {
    PITH_ASSIGN_OR_RETURN(payload_size, HeadVarint());
    PITH_RETURN_IF_ERROR(CheckPayloadSize(payload_size, content_size));
  }
  header.adaptive = kind == FrameKind::kAdaptiveModel;
  header.kind = header.adaptive ? BlockKind::kModel : static_cast<BlockKind>(kind);
  header.has_probe = !is_short;
  header.lean = IsLean();
  const bool by_model = header.kind == BlockKind::kModel;
  const bool by_contexts = header.kind == BlockKind::kContexts;
  if (header.lean) {
    counts = {content_size, 1};
    if ((form & kShortEncoding) != 0) {
      PITH_RETURN_IF_ERROR(ExtendHead(1));
      counts.streams += uint64_t{kMaxStreams} * head.back();
      PITH_ASSIGN_OR_RETURN(counts.tokens, HeadVarint());
    }
  } else if (by_model) {
    PITH_ASSIGN_OR_RETURN(counts.tokens, HeadVarint());
    counts.streams = 1;
    if (!is_short || (form & kShortOneStream) == 0) {
      PITH_ASSIGN_OR_RETURN(counts.streams, HeadVarint());
    }
  }
  if (by_contexts) {
    PITH_RETURN_IF_ERROR(ExtendHead(1));
    header.strength = head.back() & ((1 << kContextStrengthBits) - 1);
    header.encoding = head.back() >> kContextStrengthBits;
    if (header.encoding != 0) {
      PITH_ASSIGN_OR_RETURN(const uint64_t text_size, HeadVarint());
      header.text_size = static_cast<uint32_t>(std::min<uint64_t>(text_size, ~uint32_t{0}));  // CheckContexts refuses what is too large
    }
  }
  if (by_model && !is_short) {
    PITH_ASSIGN_OR_RETURN(header.probe, HeadU32());
  }
  if (header.lean) {
    PITH_RETURN_IF_ERROR(ExtendHead(2));
    header.content_check = ByteReader(ByteSpan(head).last(2)).U16();
  } else if (by_model || (by_contexts && is_short)) {
    PITH_ASSIGN_OR_RETURN(header.content_check, HeadU32());
  }
  payload.resize(payload_size);
  PITH_RETURN_IF_ERROR(ReadExact(payload));
  PITH_RETURN_IF_ERROR(is_short ? CompareShortCheck(payload, by_model || by_contexts) : CompareCheck(payload));
  header.content_size = static_cast<uint32_t>(content_size);
  header.payload_size = static_cast<uint32_t>(payload_size);
  return OkStatus();
}

// The payload is given back as the whole frame.
Status ArchiveReader::Impl::ReadBareZstd(uint32_t content_size, BlockHeader& header, Bytes& payload) {
  payload = UsualZstdHeader(content_size);
  const size_t known = payload.size();
  for (bool last = false; !last;) {
    payload.resize(payload.size() + kZstdBlockHeaderBytes);
    const std::span<uint8_t> bytes = std::span<uint8_t>(payload).last(kZstdBlockHeaderBytes);
    PITH_RETURN_IF_ERROR(ReadExact(bytes));
    const uint32_t block = static_cast<uint32_t>(bytes[0] | bytes[1] << 8 | bytes[2] << 16);
    last = IsLastZstdBlock(block);
    const size_t size = payload.size() + ZstdBlockBytes(block);
    PITH_RETURN_IF_ERROR(CheckPayloadSize(size, content_size));
    payload.resize(size);
    PITH_RETURN_IF_ERROR(ReadExact(std::span<uint8_t>(payload).last(ZstdBlockBytes(block))));
  }
  PITH_RETURN_IF_ERROR(CompareShortCheck(ByteSpan(payload).subspan(known), /*has_content_check=*/false));
  header.kind = BlockKind::kZstd;
  header.bare = true;
  header.has_probe = false;
  header.content_size = content_size;
  header.payload_size = static_cast<uint32_t>(payload.size());
  return OkStatus();
}

Status ArchiveReader::Impl::TakeTokens(const TokenCounts& counts, BlockHeader& header) const {
  const uint64_t n_tokens = counts.tokens;
  uint64_t n_streams = counts.streams, encoding = 0;
  if (n_streams > kMaxStreams) {  // frame_codec.h: StreamsField
    encoding = (n_streams - 1) / kMaxStreams;
    n_streams -= encoding * kMaxStreams;
  }
  PITH_RETURN_IF_ERROR(CheckEncoding(encoding));
  header.encoding = static_cast<uint8_t>(encoding);
  if (n_tokens == 0 || n_tokens > header.MostTextBytes()) {
    return Bad(std::to_string(n_tokens) + " tokens for " + std::to_string(header.content_size) +
               " bytes of content");
  }
  if (n_streams == 0 || n_streams > n_tokens) {
    return Bad(std::to_string(n_streams) + " streams for " + std::to_string(n_tokens) +
               " tokens, expected 1 to " + std::to_string(std::min<uint64_t>(n_tokens, kMaxStreams)));
  }
  if (!model) return Bad("a model block before the archive has named its model");
  if (n_streams * model->window > kMaxCachedTokens) {
    return Bad(std::to_string(n_streams) + " streams with a window of " + std::to_string(model->window) +
               " tokens, expected a product of at most " + std::to_string(kMaxCachedTokens));
  }
  header.n_tokens = static_cast<uint32_t>(n_tokens);
  header.n_streams = static_cast<uint32_t>(n_streams);
  if (header.lean && encoding != 0) header.text_size = header.n_tokens;
  return OkStatus();
}

Status ArchiveReader::Impl::ReadShort(BlockHeader& header, Bytes& payload) {
  short_block_read = true;
  header = {};
  kind = FrameKind::kRaw;
  head.assign(kShortMagic.begin(), kShortMagic.end());
  head.push_back(form);
  kind = static_cast<FrameKind>(form & ((1 << kFrameKindBits) - 1));
  if (IsLean()) kind = FrameKind::kAdaptiveModel;
  const bool by_model = kind == FrameKind::kModel || kind == FrameKind::kAdaptiveModel;
  const bool by_contexts = kind == FrameKind::kContexts;
  const bool counts_streams = by_model && !IsLean();
  const bool says_window = (form & kShortHasWindow) != 0;
  const bool has_dictionary = (form & kShortHasDictionary) != 0;
  if (!(by_model || by_contexts || kind == FrameKind::kRaw || kind == FrameKind::kZstd) ||
      (has_dictionary && kind != FrameKind::kAdaptiveModel) ||
      ((form & kShortModel4) != 0 && !counts_streams && kind != FrameKind::kZstd) ||
      (says_window && !by_model) || ((form & kShortOneStream) != 0 && !by_model)) {
    kind = FrameKind::kRaw;
    return Unsupported(Where(1) + ": a short archive of form " + Hex(form, 2) +
                       ", which this version does not know (or the data is damaged)");
  }
  if (counts_streams && (form & kShortModel4) == 0) return EarlierModelBlock(3);
  ModelIdentity m;
  uint64_t window = kUsualWindow;
  uint64_t n_sinks = kUsualSinks;
  if (by_model) {
    m.fingerprint_bytes = IsLean() ? kLeanFingerprintBytes : kShortFingerprintBytes;
    PITH_RETURN_IF_ERROR(ExtendHead(m.fingerprint_bytes));
    std::copy(head.end() - static_cast<ptrdiff_t>(m.fingerprint_bytes), head.end(), m.fingerprint.bytes.begin());
  }
  if (has_dictionary) {
    PITH_ASSIGN_OR_RETURN(const uint32_t id, HeadU32());
    dictionary = DictionaryIdentity{id, 32};
  }
  if (says_window) {
    PITH_ASSIGN_OR_RETURN(window, HeadVarint());
    PITH_ASSIGN_OR_RETURN(n_sinks, HeadVarint());
  }
  PITH_ASSIGN_OR_RETURN(const uint64_t content_size, HeadVarint());
  PITH_RETURN_IF_ERROR(CheckContentSize(content_size, IsLean() ? kMaxLeanContent : kMaxBlockContent));
  TokenCounts counts;
  if (kind == FrameKind::kZstd && (form & kShortBareZstd) != 0) {
    PITH_RETURN_IF_ERROR(ReadBareZstd(static_cast<uint32_t>(content_size), header, payload));
  } else {
    PITH_RETURN_IF_ERROR(ReadBody(content_size, header, payload, counts));
  }
  if (by_contexts) PITH_RETURN_IF_ERROR(CheckContexts(header));
  if (by_model) {
    PITH_RETURN_IF_ERROR(CheckModel(window, n_sinks));
    m.window = static_cast<uint32_t>(window);
    m.n_sinks = static_cast<uint32_t>(n_sinks);
    model = std::move(m);
    PITH_RETURN_IF_ERROR(TakeTokens(counts, header));
  }
  n_blocks = 1;
  content_bytes = content_size;
  end.content_size = content_size;
  end.content_checksum = header.content_check;
  end.content_checksum_bits = header.lean ? 16 : by_model || by_contexts ? 32 : 0;
  return OkStatus();
}

Status ArchiveReader::Impl::CheckContexts(const BlockHeader& header) const {
  if (header.strength < 1 || header.strength > kMaxContextStrength) {
    return Unsupported(Place() + ": contexts of strength " + std::to_string(header.strength) +
                       ", of which this version knows 1 to " + std::to_string(kMaxContextStrength));
  }
  PITH_RETURN_IF_ERROR(CheckEncoding(header.encoding));
  if (header.encoding != 0 && (header.text_size == 0 || header.text_size > header.MostTextBytes())) {
    return Bad("text of " + std::to_string(header.text_size) + " bytes for " + std::to_string(header.content_size) +
               " bytes of content, expected 1 to " + std::to_string(header.MostTextBytes()));
  }
  return OkStatus();
}

Status ArchiveReader::Impl::CheckEncoding(uint64_t encoding) const {
  if (encoding <= kMaxEncoding) return OkStatus();
  return Unsupported(Place() + ": text in character encoding " + std::to_string(encoding) + ", of which this version knows 1 to " +
                     std::to_string(kMaxEncoding));
}

Status ArchiveReader::Impl::ReadModelInfo(uint64_t payload_size) {
  constexpr size_t kFingerprintBytes = 16;
  constexpr size_t kMaxPayload = kFingerprintBytes + 2 * kMaxVarintBytes + kMaxModelNameBytes;
  if (payload_size > kMaxPayload) {
    return Bad("model description of " + std::to_string(payload_size) + " bytes, expected at most " +
               std::to_string(kMaxPayload));
  }
  Bytes payload(payload_size);
  PITH_RETURN_IF_ERROR(ReadExact(payload));
  PITH_RETURN_IF_ERROR(CompareCheck(payload));
  if (model) return Bad("a second model in one archive");
  ByteReader r(payload);
  ModelIdentity m;
  const ByteSpan fingerprint = r.Raw(kFingerprintBytes);
  const uint64_t window = r.Varint();
  const uint64_t n_sinks = r.Varint();
  if (!r.ok()) return Bad("model description of " + std::to_string(payload_size) + " bytes ends early");
  std::copy(fingerprint.begin(), fingerprint.end(), m.fingerprint.bytes.begin());
  PITH_RETURN_IF_ERROR(CheckModel(window, n_sinks));
  m.window = static_cast<uint32_t>(window);
  m.n_sinks = static_cast<uint32_t>(n_sinks);
  m.name = AsText(r.Raw(r.remaining()));
  if (!IsStorableModelName(m.name)) return Bad("the model's name is too long or has control characters");
  AppendModelInfoIndexEntry(head.size() + payload_size + kFrameCheckBytes, index);
  ++n_frames;
  model = std::move(m);
  model_is_new = true;
  return OkStatus();
}

Status ArchiveReader::Impl::ReadDictionary(uint64_t payload_size) {
  if (payload_size != sizeof(uint64_t)) {
    return Bad("description of " + std::to_string(payload_size) + " bytes, expected 8");
  }
  Bytes payload(payload_size);
  PITH_RETURN_IF_ERROR(ReadExact(payload));
  PITH_RETURN_IF_ERROR(CompareCheck(payload));
  if (dictionary) return Bad("a second dictionary in one archive");
  if (adaptive_seen) return Bad("a dictionary after the first adaptive block");
  dictionary = DictionaryIdentity{ByteReader(payload).U64(), 64};
  dictionary_is_new = true;
  AppendModelInfoIndexEntry(head.size() + payload_size + kFrameCheckBytes, index);
  ++n_frames;
  return OkStatus();
}

Status ArchiveReader::Impl::ReadEnd(uint64_t payload_size) {
  const uint64_t max_payload = index.size() + 3 * kMaxVarintBytes + 8 + 1 + kMaxFileNameBytes + 8;
  if (payload_size > max_payload) {
    return Bad(std::to_string(payload_size) + " bytes, expected at most " + std::to_string(max_payload));
  }
  Bytes payload(payload_size);
  PITH_RETURN_IF_ERROR(ReadExact(payload));
  PITH_RETURN_IF_ERROR(CompareCheck(payload));
  const size_t frame_size = head.size() + payload.size() + kFrameCheckBytes;

  ByteReader r(payload);
  const uint64_t stored_frames = r.Varint();
  const ByteSpan stored_index = r.Raw(index.size());
  const uint64_t stored_bytes = r.Varint();
  end.content_checksum = r.U64();
  const uint8_t flags = r.U8();
  if ((flags & ~(kEndHasName | kEndHasMtime)) != 0) {
    return Unsupported(Place() + ": flags " + Hex(flags, 2) + ", of which this version knows only 0x03");
  }
  if ((flags & kEndHasName) != 0) {
    const uint64_t n = r.Varint();
    end.file_name = AsText(r.Raw(n));
    if (r.ok() && !IsStorableFileName(end.file_name)) {
      end.file_name.clear();
      return Bad("a file name that is too long or holds a directory or control characters");
    }
  }
  if ((flags & kEndHasMtime) != 0) end.mtime_ns = static_cast<int64_t>(r.U64());
  if (!r.ok() || r.remaining() != 0)
    return Bad("its fields do not fill its " + std::to_string(payload_size) + " bytes");
  if (model_is_new) return Bad("a model is named and not used");
  if (dictionary_is_new) return Bad("a dictionary is named and not used");
  if (stored_frames != n_frames ||
      !std::equal(stored_index.begin(), stored_index.end(), index.begin(), index.end())) {
    return Bad("the index does not match the " + std::to_string(n_blocks) + " blocks before it");
  }
  if (stored_bytes != content_bytes) {
    return Bad("content of " + std::to_string(stored_bytes) + " bytes, but the blocks hold " +
               std::to_string(content_bytes));
  }
  end.content_size = content_bytes;

  uint8_t footer[kArchiveFooterBytes];
  PITH_RETURN_IF_ERROR(ReadExact(footer));
  ByteReader f(footer);
  const uint32_t stored_size = f.U32();
  if (stored_size != frame_size ||
      !std::equal(kArchiveEndMagic.begin(), kArchiveEndMagic.end(), footer + 4)) {
    return Bad("the last " + std::to_string(kArchiveFooterBytes) + " bytes are damaged");
  }
  return OkStatus();
}

Status ArchiveReader::Impl::CheckContent() const {
  PITH_CHECK(!inside && n_content_added == n_blocks);
  if (is_short || content_hash.Digest() == end.content_checksum) return OkStatus();
  return Bad("checksum of the content " + Hex(content_hash.Digest(), 16) + ", expected " + Hex(end.content_checksum, 16));
}

ArchiveReader::ArchiveReader(Source& source) : impl_(std::make_unique<Impl>(source)) {}
ArchiveReader::~ArchiveReader() = default;
Result<bool> ArchiveReader::NextArchive() { return impl_->NextArchive(); }
Result<bool> ArchiveReader::NextBlock(BlockHeader& header, Bytes& payload) {
  return impl_->NextBlock(header, payload);
}
void ArchiveReader::AddContent(ByteSpan content) {
  impl_->content_hash.Update(content);
  ++impl_->n_content_added;
}
Status ArchiveReader::CheckContent() const { return impl_->CheckContent(); }
bool ArchiveReader::is_short() const { return impl_->is_short; }
int ArchiveReader::format_version() const { return impl_->format_version; }
int ArchiveReader::contract_version() const { return impl_->contract_version; }
const std::optional<ModelIdentity>& ArchiveReader::model() const { return impl_->model; }
const std::optional<DictionaryIdentity>& ArchiveReader::dictionary() const { return impl_->dictionary; }
const ArchiveEnd& ArchiveReader::end() const { return impl_->end; }
uint64_t ArchiveReader::blocks() const { return impl_->n_blocks; }
uint64_t ArchiveReader::archive_bytes() const { return impl_->input.taken() - impl_->begin; }
uint64_t ArchiveReader::total_bytes() const { return impl_->input.taken(); }
std::string ArchiveReader::where() const { return impl_->Where(impl_->n_blocks); }

Result<std::vector<ArchiveSummary>> DescribeArchives(Source& source) {
  ArchiveReader reader(source);
  std::vector<ArchiveSummary> archives;
  BlockHeader header;
  Bytes payload;
  while (true) {
    PITH_ASSIGN_OR_RETURN(const bool more, reader.NextArchive());
    if (!more) return archives;
    ArchiveSummary& a = archives.emplace_back();
    a.is_short = reader.is_short();
    a.format_version = reader.format_version();
    a.contract_version = reader.contract_version();
    while (true) {
      PITH_ASSIGN_OR_RETURN(const bool block, reader.NextBlock(header, payload));
      if (!block) break;
      Bytes head;
      AppendBlockHeader(header, head);
      const size_t frame_size = head.size() + header.payload_size + kFrameCheckBytes;
      a.blocks.push_back({header.kind, header.content_size,
                          static_cast<uint32_t>(a.is_short ? reader.archive_bytes() : frame_size),
                          header.n_streams, header.lean ? 0 : header.n_tokens, header.adaptive, header.strength, header.encoding});
    }
    a.model = reader.model();
    a.dictionary = reader.dictionary();
    a.end = reader.end();
    a.archive_bytes = reader.archive_bytes();
  }
}

bool HasArchiveMagic(ByteSpan head) {
  return head.size() >= kArchiveMagic.size() &&
         (std::equal(kArchiveMagic.begin(), kArchiveMagic.end(), head.begin()) || BeginsShort(head));
}

}  // namespace pith
