// The fields of a pith model file: header, sections, tensor index. docs/model_file.md is the definition.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/hash.h"
#include "convert/model_layout.h"
#include "pith/status.h"

namespace pith {

inline constexpr std::string_view kPackageMagic = "\x89PITHM\r\n";
inline constexpr uint32_t kPackageVersion = 1;
inline constexpr size_t kPackageAlignment = 64;
inline constexpr size_t kPackageHeaderBytes = 256;
inline constexpr size_t kMaxModelNameBytes = 255;

// In the order in which they lie in the file and in the section table.
enum class SectionKind : uint32_t { kConfig = 1, kTokenizer = 2, kIndex = 3, kData = 4 };
inline constexpr size_t kSectionCount = 4;

struct Section {
  uint64_t offset = 0;  // from the start of the file; a multiple of 64
  uint64_t size = 0;
  uint64_t hash = 0;  // XXH3-64 of its bytes
};

struct PackageHeader {
  uint64_t file_bytes = 0;
  Fingerprint fingerprint;
  std::array<Section, kSectionCount> sections;

  const Section& section(SectionKind kind) const { return sections[static_cast<size_t>(kind) - 1]; }
  Section& section(SectionKind kind) { return sections[static_cast<size_t>(kind) - 1]; }
  // Sets the offset of each section from the sizes, and file_bytes.
  void PlaceSections();
};

Bytes EncodePackageHeader(const PackageHeader& header);  // kPackageHeaderBytes

// Reads the header of a file of `file_bytes` bytes that begins with `data`. Everything but the sections'
// contents is checked: kCorrupt for no pith model file or a damaged one, kUnsupported for a newer version.
Result<PackageHeader> DecodePackageHeader(ByteSpan data, uint64_t file_bytes);

// Where a tensor lies in the data section.
struct TensorPlace {
  TensorSpec spec;
  uint64_t offset = 0;  // of the codes or the norm, from the start of the section; a multiple of 64
  uint64_t size = 0;    // codes and scales, or the norm; what follows up to the next multiple of 64 is 0

  uint64_t codes_bytes() const;  // the scales of a matrix follow its codes
};
// REQUIRES: ValidateConfig(config) is ok.
std::vector<TensorPlace> PlaceTensors(const ModelConfig& config);
uint64_t DataBytes(const std::vector<TensorPlace>& places);  // of the whole data section
Bytes EncodeTensorIndex(const std::vector<TensorPlace>& places);

// Config section: the config record, then the name.
Bytes EncodeConfigSection(const ModelDescription& description, std::string_view name);
struct ConfigSection {
  ModelDescription description;
  std::string name;
};
Result<ConfigSection> DecodeConfigSection(ByteSpan data);

// kInvalidArgument unless `name` is 1 to 255 bytes of UTF-8 without control characters.
Status ValidateModelName(std::string_view name);

}  // namespace pith
