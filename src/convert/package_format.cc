#include "convert/package_format.h"

#include <algorithm>

#include "base/check.h"
#include "formats/json.h"
#include "tensor/panel.h"

namespace pith {
namespace {

constexpr size_t kTableOffset = 64;
constexpr size_t kHashOffset = kPackageHeaderBytes - 8;
constexpr uint16_t kMatrixEncoding = 1;  // int8 panels, then f32 scales
constexpr uint16_t kNormEncoding = 2;    // f32

constexpr std::string_view kSectionNames[kSectionCount] = {"config", "tokenizer", "index", "data"};

Status Mismatch(const std::string& what, uint64_t found, uint64_t expected) {
  return Corrupt(what + " is " + std::to_string(found) + ", expected " + std::to_string(expected));
}

}  // namespace

void PackageHeader::PlaceSections() {
  uint64_t end = kPackageHeaderBytes;
  for (Section& s : sections) {
    s.offset = RoundUp(end, kPackageAlignment);
    end = s.offset + s.size;
  }
  file_bytes = end;
}

Bytes EncodePackageHeader(const PackageHeader& h) {
  Bytes out(kPackageMagic.begin(), kPackageMagic.end());  // 0x89 is a negative char: converted modulo 256
  ByteWriter w(out);
  w.U32(kPackageVersion);
  w.U32(kContractVersion);
  w.U64(h.file_bytes);
  w.U32(kSectionCount);
  w.U32(0);
  w.Raw(h.fingerprint.bytes);
  w.U64(0);
  w.U64(0);
  PITH_CHECK(w.size() == kTableOffset);
  for (size_t i = 0; i < kSectionCount; ++i) {
    w.U32(static_cast<uint32_t>(i + 1));
    w.U32(0);
    w.U64(h.sections[i].offset);
    w.U64(h.sections[i].size);
    w.U64(h.sections[i].hash);
  }
  out.resize(kHashOffset);
  w.U64(Hash64(out));
  return out;
}

Result<PackageHeader> DecodePackageHeader(ByteSpan data, uint64_t file_bytes) {
  const std::string_view magic = AsText(data.subspan(0, std::min(data.size(), kPackageMagic.size())));
  if (data.empty() || magic != kPackageMagic.substr(0, magic.size())) return Corrupt("not a pith model file");
  if (data.size() < kPackageHeaderBytes) {
    return Corrupt(std::to_string(data.size()) + " bytes, cut short within the header of " +
                   std::to_string(kPackageHeaderBytes));
  }
  ByteReader r(data.subspan(0, kPackageHeaderBytes));
  r.Raw(kPackageMagic.size());
  // The version stands first and alone: a newer one may mean anything by the rest.
  const uint32_t version = r.U32();
  if (version > kPackageVersion) {
    return Unsupported("format version " + std::to_string(version) + "; this build reads up to " +
                       std::to_string(kPackageVersion));
  }
  const uint64_t found = Hash64(data.subspan(0, kHashOffset));
  ByteReader hash_reader(data.subspan(kHashOffset, 8));
  const uint64_t expected = hash_reader.U64();
  if (found != expected)
    return Corrupt("header: checksum " + Hex(found, 16) + ", expected " + Hex(expected, 16));
  if (version == 0) return Corrupt("header: format version 0");
  const uint32_t contract = r.U32();
  if (contract != kContractVersion) {
    return Unsupported("made for version " + std::to_string(contract) +
                       " of the numeric contract; this build computes by " +
                       std::to_string(kContractVersion));
  }
  PackageHeader h;
  h.file_bytes = r.U64();
  if (h.file_bytes != file_bytes) {
    return Corrupt("file has " + std::to_string(file_bytes) + " bytes, expected " +
                   std::to_string(h.file_bytes));
  }
  const uint32_t n_sections = r.U32();
  if (n_sections != kSectionCount) return Mismatch("header: number of sections", n_sections, kSectionCount);
  uint64_t reserved = r.U32();
  std::copy_n(r.Raw(h.fingerprint.bytes.size()).begin(), h.fingerprint.bytes.size(),
              h.fingerprint.bytes.begin());
  reserved |= r.U64();
  reserved |= r.U64();
  uint64_t end = kPackageHeaderBytes;
  for (size_t i = 0; i < kSectionCount; ++i) {
    const std::string name = "section " + std::string(kSectionNames[i]);
    const uint32_t kind = r.U32();
    if (kind != i + 1) return Mismatch(name + ": kind", kind, i + 1);
    reserved |= r.U32();
    Section& s = h.sections[i];
    s.offset = r.U64();
    s.size = r.U64();
    s.hash = r.U64();
    const uint64_t start = RoundUp(end, kPackageAlignment);
    if (s.offset != start) return Mismatch(name + ": offset", s.offset, start);
    if (s.offset > file_bytes || s.size > file_bytes - s.offset) {
      return Corrupt(name + ": " + std::to_string(s.size) + " bytes at " + std::to_string(s.offset) +
                     " in a file of " + std::to_string(file_bytes));
    }
    end = s.offset + s.size;
  }
  if (end != file_bytes) return Mismatch("end of the last section", end, file_bytes);
  for (const uint8_t b : r.Raw(kHashOffset - r.position())) reserved |= b;
  if (reserved != 0) return Unsupported("header: a reserved field is not 0");
  return h;
}

uint64_t TensorPlace::codes_bytes() const {
  return spec.is_matrix() ? PanelMatrixBytes(spec.rows, spec.cols) : 0;
}

std::vector<TensorPlace> PlaceTensors(const ModelConfig& config) {
  std::vector<TensorPlace> places;
  uint64_t offset = 0;
  for (const TensorSpec& spec : CanonicalTensors(config)) {
    TensorPlace place{spec, offset, 0};
    place.size = spec.is_matrix() ? place.codes_bytes() + PanelCount(spec.rows) * kPanelRows * sizeof(float)
                                  : spec.cols * sizeof(float);
    offset += RoundUp(place.size, kPackageAlignment);
    places.push_back(place);
  }
  return places;
}

uint64_t DataBytes(const std::vector<TensorPlace>& places) {
  return places.empty() ? 0 : places.back().offset + RoundUp(places.back().size, kPackageAlignment);
}

Bytes EncodeTensorIndex(const std::vector<TensorPlace>& places) {
  Bytes out;
  ByteWriter w(out);
  for (const TensorPlace& p : places) {
    w.U16(static_cast<uint16_t>(p.spec.role));
    w.U16(p.spec.is_matrix() ? kMatrixEncoding : kNormEncoding);
    w.U32(p.spec.layer);
    w.U32(p.spec.rows);
    w.U32(p.spec.cols);
    w.U64(p.offset);
    w.U64(p.size);
  }
  return out;
}

Bytes EncodeConfigSection(const ModelDescription& description, std::string_view name) {
  Bytes out = EncodeDescription(description);
  ByteWriter w(out);
  w.U16(static_cast<uint16_t>(name.size()));
  w.Raw(AsBytes(name));
  return out;
}

Result<ConfigSection> DecodeConfigSection(ByteSpan data) {
  ByteReader r(data);
  ConfigSection section;
  PITH_ASSIGN_OR_RETURN(section.description, DecodeDescription(r));
  section.name = AsText(r.Raw(r.U16()));
  if (!r.ok()) return Corrupt("name ends early");
  if (r.remaining() != 0) return Corrupt(std::to_string(r.remaining()) + " bytes after the name");
  const Status valid = ValidateModelName(section.name);
  if (!valid.ok()) return Corrupt(valid.message());
  return section;
}

Status ValidateModelName(std::string_view name) {
  if (name.empty() || name.size() > kMaxModelNameBytes) {
    return InvalidArgument("model name of " + std::to_string(name.size()) + " bytes, expected 1 to " +
                           std::to_string(kMaxModelNameBytes));
  }
  if (!IsPrintableUtf8(name))
    return InvalidArgument("model name " + Quoted(name) + " holds control characters or is not UTF-8");
  return OkStatus();
}

}  // namespace pith
