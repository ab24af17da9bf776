// Litertlm: the container of LiteRT-LM (.litertlm): sections at multiples of 16 KiB behind a FlatBuffers header.
//
// Format: docs/litertlm.md section 1 (from LiteRT-LM's schema/core). Fields, not meaning.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/file.h"
#include "pith/status.h"

namespace pith {

inline constexpr std::string_view kLitertlmMagic = "LITERTLM";
inline constexpr uint32_t kLitertlmMajor = 1;  // LiteRT-LM refuses any other
inline constexpr uint32_t kLitertlmMinor = 6;
inline constexpr size_t kLitertlmBlock = 16384;  // sections begin at multiples; the header ends within the first
inline constexpr size_t kMaxLitertlmSections = 64;
inline constexpr size_t kMaxLitertlmItemBytes = size_t{1} << 20;  // of all items: a header may name one text many times
inline constexpr uint64_t kMaxTokenizerJsonBytes = uint64_t{256} << 20;  // uncompressed; Qwen3's is 11 MB

// Numbers as in the file.
enum class LitertlmSectionType : uint8_t {
  kGeneric = 1,  // of no interest to LiteRT-LM
  kTflite = 3,
  kSentencePiece = 4,
  kLlmMetadata = 5,
  kTokenizerZlib = 6,  // u64 size, then a zlib stream of tokenizer.json
  kTfliteWeights = 7,
  kEmbeddingMetadata = 8,
  kExecutorMetadata = 9,
};
std::string LitertlmSectionName(LitertlmSectionType type);  // "TFLite model"; "type 77" for one we have no name for

struct LitertlmItem {
  std::string key;
  std::variant<bool, int64_t, uint64_t, double, std::string> value;
  std::string ValueText() const;
};

struct LitertlmSection {
  LitertlmSectionType type = LitertlmSectionType::kGeneric;
  std::vector<LitertlmItem> items;
  uint64_t begin = 0;  // from the start of the file
  uint64_t end = 0;    // exclusive
  // The text of the item of that name, in any case (as LiteRT-LM looks); null when there is none.
  const std::string* Find(std::string_view key) const;
  // Whether the section is for that part of a model: "tf_lite_prefill_decode", in any case.
  bool HasModelType(std::string_view model_type) const;
};

struct LitertlmHeader {
  std::array<uint32_t, 3> version = {kLitertlmMajor, kLitertlmMinor, 0};
  std::vector<LitertlmItem> system;
  std::vector<LitertlmSection> sections;
};

// Magic, version and header flatbuffer, padded to kLitertlmBlock bytes. kInvalidArgument when it does not fit.
Result<Bytes> EncodeLitertlmHeader(const LitertlmHeader& header);

// Reads the header of a file. kCorrupt for no .litertlm file or a damaged one, kUnsupported for another major version or
// beyond a limit. Sections lie within the file and do not overlap.
Result<LitertlmHeader> DecodeLitertlmHeader(ByteSpan file);

// True when data that begins with `head` (8 bytes are enough) is such a file.
bool LooksLikeLitertlm(ByteSpan head);

// The tokenizer section: u64 size, then zlib. Deterministic.
Bytes EncodeTokenizerSection(ByteSpan tokenizer_json);
Result<Bytes> DecodeTokenizerSection(ByteSpan section);

}  // namespace pith
