// The constants and records of the archive format. docs/format.md is normative; section numbers below are its
// own.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/hash.h"

namespace pith {

// Section 2: the first 8 bytes, which keep their meaning in every version.
inline constexpr std::array<uint8_t, 4> kArchiveMagic = {0x89, 'p', 't', 'h'};
inline constexpr uint8_t kArchiveFormatVersion = 4;        // written
inline constexpr uint8_t kArchiveOldestFormatVersion = 1;  // read, but for model blocks of those before this one
inline constexpr uint8_t kArchiveContractVersion = 1;  // of docs/numeric_contract.md
inline constexpr size_t kArchiveHeaderBytes = 8;

// Section 10: short archives. Three bytes, then the form, whose high bit is set: in the long form's magic it is not.
inline constexpr std::array<uint8_t, 3> kShortMagic = {0x89, 'p', 't'};
inline constexpr uint8_t kShortForm = 0x80;
inline constexpr uint8_t kShortHasWindow = 8;
inline constexpr uint8_t kShortHasDictionary = 16;
inline constexpr uint8_t kShortOneStream = 32;
inline constexpr uint8_t kShortEncoding = 32;  // of a lean block: encoding and text_size follow
inline constexpr uint8_t kShortModel4 = 64;    // of a model block: as format 4 has it
inline constexpr uint8_t kShortBareZstd = 64;  // of a zstd block: the frame without its header, the size without a number
inline constexpr uint8_t kShortLean = 4;       // in the place of the kind: an adaptive block of one stream (BlockHeader::lean)
inline constexpr size_t kShortFingerprintBytes = 4;
inline constexpr size_t kLeanFingerprintBytes = 2;
inline constexpr uint32_t kMaxLeanContent = 1u << 16;
inline constexpr uint32_t kUsualWindow = 512;  // what a short archive that does not say means
inline constexpr uint32_t kUsualSinks = 4;
inline constexpr size_t kMaxShortPayload = 1u << 17;  // of a writer: beyond it, what the long form can do is worth its bytes

// Section 3: the low bits of a frame's tag.
enum class FrameKind : uint8_t {
  kDictionary = 0,
  kRaw = 1,
  kZstd = 2,
  kModel = 3,
  kModelInfo = 4,
  kEnd = 5,
  kAdaptiveModel = 6,
  kContexts = 7,
};
inline constexpr int kFrameKindBits = 3;
inline constexpr size_t kFrameCheckBytes = 4;

// Section 7: the end of every archive.
inline constexpr std::array<uint8_t, 4> kArchiveEndMagic = {'h', 't', 'p', 0x98};
inline constexpr size_t kArchiveFooterBytes = 8;
inline constexpr int kIndexKindBits = 2;
inline constexpr uint8_t kEndHasName = 1;
inline constexpr uint8_t kEndHasMtime = 2;

// Section 9: limits. A writer keeps them, a reader refuses what exceeds them before it allocates anything.
inline constexpr uint64_t kMaxBlockContent = 16u << 20;  // bytes of a block's content
inline constexpr uint64_t kMaxBlocks = 1u << 22;
inline constexpr size_t kMaxModelNameBytes = 255;
inline constexpr size_t kMaxFileNameBytes = 255;
inline constexpr uint32_t kMaxStreams = 256;
inline constexpr uint32_t kMaxCachedTokens =
    1u << 17;  // streams * window: bounds what a decoder keeps in memory
inline constexpr uint32_t kMaxSinkTokens = 16;
inline constexpr size_t kMaxArchiveOverhead = 64;  // header and end frame, beyond 16 bytes a block
inline constexpr size_t kMaxBlockOverhead = 16;

// Section 6: steps whose probabilities the probe covers.
inline constexpr uint32_t kProbeSteps = 16;

// Section 5: how much is computed for a bit of a contexts block (docs/byte_mixing.md).
inline constexpr uint8_t kMaxContextStrength = 4;  // 1 .. this
inline constexpr int kContextStrengthBits = 3;     // of the byte that says it; above them is the encoding

// Section 6: the character encodings whose text a model or contexts may code instead of the bytes, 1 .. this; 0: the bytes are the text.
inline constexpr uint8_t kMaxEncoding = 26;
inline constexpr uint64_t kMaxTextBytesPerByte = 4;  // bytes of text that a byte of such content can become

// What an archive says of the model that its blocks need.
struct ModelIdentity {
  std::string name;         // for people; may be empty
  Fingerprint fingerprint;  // over the model's canonical content
  uint32_t window = 0;      // tokens that a token sees, 1 .. kMaxCachedTokens (numeric_contract.md section 7)
  uint32_t n_sinks = 0;  // first tokens of a stream that stay visible, below window, at most kMaxSinkTokens
  size_t fingerprint_bytes = 16;  // so many of its first are known, the others 0; 4 or 2 in short archives
  bool operator==(const ModelIdentity&) const = default;

  // Two hexadecimal digits for each byte that is known.
  std::string FingerprintText() const { return fingerprint.Text().substr(0, 2 * fingerprint_bytes); }
  // Whether the model with this fingerprint is meant.
  bool Means(const Fingerprint& other) const {
    return std::equal(fingerprint.bytes.begin(), fingerprint.bytes.begin() + static_cast<ptrdiff_t>(fingerprint_bytes),
                      other.bytes.begin());
  }
};

// Which dictionary the adaptive blocks of an archive need.
struct DictionaryIdentity {
  uint64_t id = 0;  // XXH3-64 of its content
  int bits = 64;    // of the id that are known: the low 32 in short archives
  bool operator==(const DictionaryIdentity&) const = default;

  std::string Text() const { return Hex(id, bits / 4); }
  bool Means(uint64_t other) const { return bits == 64 ? other == id : static_cast<uint32_t>(other) == id; }
};

enum class BlockKind : uint8_t { kRaw = 1, kZstd = 2, kModel = 3, kContexts = 7 };
const char* BlockKindName(BlockKind kind);  // "raw", "zstd", "model", "contexts"

// What precedes a block's payload.
struct BlockHeader {
  BlockKind kind = BlockKind::kRaw;
  uint32_t content_size = 0;  // 1 .. kMaxBlockContent
  uint32_t payload_size = 0;  // raw: content_size; otherwise less
  // kModel only:
  uint32_t n_tokens = 0;       // 1 .. MostTextBytes(); where a lean block is read, the bytes of its text
  uint32_t n_streams = 0;      // 1 .. min(n_tokens, kMaxStreams), and n_streams * window <= kMaxCachedTokens
  uint32_t probe = 0;          // Hash32 of the first probabilities (section 6); 0 and unused in short archives
  uint32_t content_check = 0;  // CheckOf the content's Hash32; of kContexts in short archives, too
  bool adaptive = false;       // mixed with what the block itself teaches (docs/mixing.md)
  bool has_probe = true;       // false in short archives
  // Adaptive, one stream, in short archives: nothing says how many tokens it has; it ends with the content. Of the content's
  // check 16 bits are stored.
  bool lean = false;
  // kZstd only, in short archives: what UsualZstdHeader says is left out; payload_size counts it.
  bool bare = false;
  // kContexts only:
  uint8_t strength = 0;  // 1 .. kMaxContextStrength
  // kModel and kContexts:
  uint8_t encoding = 0;    // 0 .. kMaxEncoding: what is coded is the content as text of this encoding
  uint32_t text_size = 0;  // with an encoding, of lean and contexts blocks only: bytes of the text, 1 .. MostTextBytes()

  // Bytes of the text; where an encoding stands between, no more than this. A contexts block's text is never larger than the content.
  uint64_t MostTextBytes() const {
    return encoding == 0 || kind == BlockKind::kContexts ? content_size : kMaxTextBytesPerByte * content_size;
  }
  // Where the size of the text is known before it is decoded.
  uint32_t TextSize() const { return encoding == 0 ? content_size : text_size; }
  // As how many tokens' the tables of what adapts are made.
  uint32_t TokensForTables() const { return lean ? (content_size + 1) / 2 : n_tokens; }
  // What content_check is for content with this Hash32.
  uint32_t CheckOf(uint32_t content_hash) const { return lean ? content_hash & 0xffff : content_hash; }
  bool operator==(const BlockHeader&) const = default;
};

// False for what the format does not keep: longer than the limit, control characters; a file name also with
// '/', and
// "." and "..".
bool IsStorableModelName(const std::string& name);
bool IsStorableFileName(const std::string& name);

// Whether an archive that begins with these four bytes is a short one.
inline bool BeginsShort(ByteSpan head) {
  return head.size() > kShortMagic.size() && std::equal(kShortMagic.begin(), kShortMagic.end(), head.begin()) &&
         (head[kShortMagic.size()] & kShortForm) != 0;
}

// Bytes of a short archive's check: where the content has a check of its own, half of it is enough.
inline constexpr size_t ShortCheckBytes(bool has_content_check) { return has_content_check ? 2 : 4; }

}  // namespace pith
