#include "convert/package.h"

#include <algorithm>
#include <bit>

#include "convert/model_layout.h"
#include "convert/package_format.h"
#include "convert/quantize.h"
#include "formats/json.h"

namespace pith {
namespace {

// Bytes hashed and then looked at again while they are in the cache.
constexpr size_t kBlockBytes = size_t{128} << 10;

Status CheckHash(const std::string& section, uint64_t found, uint64_t expected) {
  if (found == expected) return OkStatus();
  return Corrupt(section + ": checksum " + Hex(found, 16) + ", expected " + Hex(expected, 16));
}

Status CheckZero(ByteSpan padding, uint64_t offset) {
  for (size_t i = 0; i < padding.size(); ++i) {
    if (padding[i] != 0) return Corrupt("byte " + std::to_string(offset + i) + " is padding and not 0");
  }
  return OkStatus();
}

std::string SpecText(const TensorSpec& spec) {
  return "tensor role " + std::to_string(static_cast<int>(spec.role)) + ", layer " +
         std::to_string(spec.layer);
}

// Hashes the data section, checks every value, and points `weights` at the tensors.
class DataReader {
 public:
  explicit DataReader(ByteSpan data) : data_(data) {}

  // REQUIRES: places come in ascending order, and the last one lies within the data.
  void ReadTensor(const TensorPlace& place, ModelWeights& weights) {
    const TensorSlot slot = SlotOf(weights, place.spec);
    if (slot.matrix != nullptr) {
      ReadMatrix(place, *slot.matrix);
    } else {
      ReadNorm(place, *slot.norm);
    }
    const uint64_t end = place.offset + place.size;
    const ByteSpan padding = data_.subspan(end, RoundUp(end, kPackageAlignment) - end);
    hasher_.Update(padding);
    if (std::any_of(padding.begin(), padding.end(), [](uint8_t b) { return b != 0; })) {
      Fault(place.spec, "padding that is not 0");
    }
  }

  uint64_t hash() const { return hasher_.Digest(); }
  // A wrong value is reported after the checksum: in a damaged file the damage is the news.
  const Status& fault() const { return fault_; }

 private:
  void Fault(const TensorSpec& spec, const std::string& what) {
    if (fault_.ok()) fault_ = Corrupt(SpecText(spec) + ": found " + what);
  }

  void ReadMatrix(const TensorPlace& place, PanelMatrixView& m) {
    m.rows = place.spec.rows;
    m.cols = place.spec.cols;
    m.stride = PaddedDepth(m.cols) * kPanelRows;
    const uint8_t* codes = data_.data() + place.offset;
    m.plane = reinterpret_cast<const int8_t*>(codes);
    const size_t block_panels = std::max<size_t>(1, kBlockBytes / m.stride);
    for (size_t p = 0; p < m.n_panels(); p += block_panels) {
      const size_t end = std::min(m.n_panels(), p + block_panels);
      hasher_.Update({codes + p * m.stride, (end - p) * m.stride});
      for (size_t i = p; i < end; ++i) {
        const size_t n_rows = std::min(kPanelRows, m.rows - i * kPanelRows);
        const char* wrong = FindPanelFault(m.panel(i), n_rows, m.cols);
        if (wrong != nullptr) Fault(place.spec, wrong);
      }
    }
    const size_t n_scales = m.n_panels() * kPanelRows;
    const ByteSpan scales = data_.subspan(place.offset + place.codes_bytes(), n_scales * sizeof(float));
    hasher_.Update(scales);
    m.scale = reinterpret_cast<const float*>(scales.data());
    for (size_t r = 0; r < n_scales; ++r) {
      // 0, or positive, normal and finite; padding rows +0. So every product with a code is an honest float.
      const uint32_t bits = std::bit_cast<uint32_t>(m.scale[r]);
      const bool good = bits == 0 || (r < m.rows && bits >= 0x00800000 && bits < 0x7f800000);
      if (!good) Fault(place.spec, "a scale with bits " + Hex(bits));
    }
  }

  void ReadNorm(const TensorPlace& place, const float*& norm) {
    const ByteSpan bytes = data_.subspan(place.offset, place.size);
    hasher_.Update(bytes);
    norm = reinterpret_cast<const float*>(bytes.data());
    if (FindNonFinite({norm, place.spec.cols})) Fault(place.spec, "a norm weight that is not finite");
  }

  Hasher64 hasher_;
  ByteSpan data_;
  Status fault_;
};

}  // namespace

Result<std::unique_ptr<Package>> Package::Open(const std::string& path) {
  PITH_ASSIGN_OR_RETURN(std::unique_ptr<MappedFile> file, MappedFile::Open(path));
  PITH_ASSIGN_OR_RETURN(std::unique_ptr<Package> package, FromMemory(file->bytes(), path));
  package->file_ = std::move(file);
  return package;
}

Result<std::unique_ptr<Package>> Package::FromMemory(ByteSpan data, const std::string& where) {
  auto package = std::unique_ptr<Package>(new Package());
  PITH_RETURN_IF_ERROR(package->Read(data).WithContext(where));
  return package;
}

Status Package::Read(ByteSpan data) {
  if (!data.empty() && reinterpret_cast<uintptr_t>(data.data()) % kPackageAlignment != 0) {
    return InvalidArgument("model at an address that is no multiple of " + std::to_string(kPackageAlignment));
  }
  PITH_ASSIGN_OR_RETURN(const PackageHeader header, DecodePackageHeader(data, data.size()));
  size_bytes_ = data.size();
  fingerprint_ = header.fingerprint;
  uint64_t end = kPackageHeaderBytes;
  for (const Section& s : header.sections) {
    PITH_RETURN_IF_ERROR(CheckZero(data.subspan(end, s.offset - end), end));
    end = s.offset + s.size;
  }
  const auto bytes_of = [&](SectionKind kind) {
    return data.subspan(header.section(kind).offset, header.section(kind).size);
  };

  const ByteSpan config_bytes = bytes_of(SectionKind::kConfig);
  PITH_RETURN_IF_ERROR(
      CheckHash("section config", Hash64(config_bytes), header.section(SectionKind::kConfig).hash));
  Result<ConfigSection> config = DecodeConfigSection(config_bytes);
  if (!config.ok()) return config.status().WithContext("section config");
  weights_.config = config->description.config;
  weights_.terms = config->description.terms;
  start_token_ = config->description.start_token;
  name_ = config->name;

  tokenizer_ = bytes_of(SectionKind::kTokenizer);
  PITH_RETURN_IF_ERROR(
      CheckHash("section tokenizer", Hash64(tokenizer_), header.section(SectionKind::kTokenizer).hash));

  // The config settles what the index must say; it is there so that others can read the file without this
  // code.
  const ByteSpan index_bytes = bytes_of(SectionKind::kIndex);
  PITH_RETURN_IF_ERROR(
      CheckHash("section index", Hash64(index_bytes), header.section(SectionKind::kIndex).hash));
  const std::vector<TensorPlace> places = PlaceTensors(weights_.config);
  const Bytes expected_index = EncodeTensorIndex(places);
  if (!std::equal(index_bytes.begin(), index_bytes.end(), expected_index.begin(), expected_index.end())) {
    return Corrupt("section index: does not list the tensors of the config");
  }
  const ByteSpan tensor_bytes = bytes_of(SectionKind::kData);
  if (tensor_bytes.size() != DataBytes(places)) {
    return Corrupt("section data: " + std::to_string(tensor_bytes.size()) + " bytes, expected " +
                   std::to_string(DataBytes(places)) + " for this config");
  }
  weights_.layers.resize(weights_.config.n_layers);
  DataReader reader(tensor_bytes);
  for (const TensorPlace& place : places) reader.ReadTensor(place, weights_);
  PITH_RETURN_IF_ERROR(CheckHash("section data", reader.hash(), header.section(SectionKind::kData).hash));
  PITH_RETURN_IF_ERROR(reader.fault().WithContext("section data"));
  if (weights_.config.tied_head) weights_.head = weights_.embedding;
  return OkStatus();
}

std::unique_ptr<Package> Package::FromWeights(ModelWeights weights, PackageMemory memory, const std::string& name,
                                              TokenId start_token, const Fingerprint& fingerprint, uint64_t size_bytes) {
  std::unique_ptr<Package> package(new Package);
  package->memory_ = std::move(memory);
  package->weights_ = std::move(weights);
  package->tokenizer_ = package->memory_.tokenizer;
  package->name_ = name;
  package->start_token_ = start_token;
  package->fingerprint_ = fingerprint;
  package->size_bytes_ = size_bytes;
  return package;
}

Status Package::VerifyFingerprint() const {
  const Fingerprint found = CanonicalFingerprint(weights_, start_token_, tokenizer_);
  if (found == fingerprint_) return OkStatus();
  return Corrupt(name_ + ": content has the fingerprint " + found.Text() + ", the file says " +
                 fingerprint_.Text());
}

}  // namespace pith
