#include "convert/package_writer.h"

#include <array>

#include "base/check.h"
#include "tensor/panel.h"

namespace pith {
namespace {

template <typename T>
ByteSpan BytesOf(std::span<const T> values) {
  return {reinterpret_cast<const uint8_t*>(values.data()), values.size_bytes()};
}

constexpr std::array<uint8_t, kPackageHeaderBytes> kZeros{};
static_assert(kZeros.size() >= kPackageAlignment);

}  // namespace

Result<std::unique_ptr<PackageWriter>> PackageWriter::Create(const std::string& path, bool replace,
                                                             const ModelDescription& description,
                                                             const std::string& name, ByteSpan tokenizer) {
  PITH_RETURN_IF_ERROR(ValidateDescription(description));
  PITH_RETURN_IF_ERROR(ValidateModelName(name));
  auto w = std::unique_ptr<PackageWriter>(new PackageWriter());
  w->description_ = description;
  w->name_ = name;
  w->places_ = PlaceTensors(description.config);
  const Bytes config = EncodeConfigSection(description, name);
  const Bytes index = EncodeTensorIndex(w->places_);
  w->header_.section(SectionKind::kConfig).size = config.size();
  w->header_.section(SectionKind::kTokenizer).size = tokenizer.size();
  w->header_.section(SectionKind::kIndex).size = index.size();
  w->header_.section(SectionKind::kData).size = DataBytes(w->places_);
  w->header_.PlaceSections();

  PITH_ASSIGN_OR_RETURN(w->file_, AtomicFile::Create(path, replace));
  PITH_RETURN_IF_ERROR(w->file_->Write(kZeros));  // place of the header
  w->position_ = kPackageHeaderBytes;
  PITH_RETURN_IF_ERROR(w->WriteSection(SectionKind::kConfig, config));
  PITH_RETURN_IF_ERROR(w->WriteSection(SectionKind::kTokenizer, tokenizer));
  PITH_RETURN_IF_ERROR(w->WriteSection(SectionKind::kIndex, index));
  PITH_RETURN_IF_ERROR(w->PadTo(w->header_.section(SectionKind::kData).offset));
  return w;
}

Status PackageWriter::PadTo(uint64_t offset) {
  PITH_CHECK(position_ <= offset && offset - position_ < kPackageAlignment);
  PITH_RETURN_IF_ERROR(file_->Write(ByteSpan(kZeros).subspan(0, offset - position_)));
  position_ = offset;
  return OkStatus();
}

Status PackageWriter::WriteSection(SectionKind kind, ByteSpan content) {
  Section& s = header_.section(kind);
  PITH_RETURN_IF_ERROR(PadTo(s.offset));
  PITH_RETURN_IF_ERROR(file_->Write(content));
  s.hash = Hash64(content);
  position_ += content.size();
  return OkStatus();
}

Status PackageWriter::WriteData(ByteSpan data) {
  data_hasher_.Update(data);
  PITH_RETURN_IF_ERROR(file_->Write(data));
  position_ += data.size();
  return OkStatus();
}

Status PackageWriter::AppendPanels(std::span<const int8_t> panels) {
  PITH_CHECK(next_ < places_.size() && places_[next_].spec.is_matrix());
  return WriteData(BytesOf(panels));
}

Status PackageWriter::FinishMatrix(std::span<const float> scales) {
  PITH_CHECK(next_ < places_.size() && scales.size() == places_[next_].spec.rows);
  PITH_RETURN_IF_ERROR(WriteData(BytesOf(scales)));
  const std::array<float, kPanelRows> padding{};
  PITH_RETURN_IF_ERROR(WriteData(
      BytesOf(std::span<const float>(padding).first(RoundUp(scales.size(), kPanelRows) - scales.size()))));
  return FinishTensor();
}

Status PackageWriter::AppendNorm(std::span<const float> norm) {
  PITH_CHECK(next_ < places_.size() && !places_[next_].spec.is_matrix() &&
             norm.size() == places_[next_].spec.cols);
  PITH_RETURN_IF_ERROR(WriteData(BytesOf(norm)));
  return FinishTensor();
}

Status PackageWriter::FinishTensor() {
  const TensorPlace& place = places_[next_++];
  const uint64_t end = header_.section(SectionKind::kData).offset + place.offset + place.size;
  PITH_CHECK(position_ == end);
  return WriteData(ByteSpan(kZeros).subspan(0, RoundUp(end, kPackageAlignment) - end));
}

Status PackageWriter::Seal(const ActivationTerms& terms, const Fingerprint& fingerprint) {
  PITH_CHECK(next_ == places_.size() && position_ == header_.file_bytes);
  description_.terms = terms;
  PITH_RETURN_IF_ERROR(ValidateDescription(description_));
  const Bytes config = EncodeConfigSection(description_, name_);
  PITH_CHECK(config.size() == header_.section(SectionKind::kConfig).size);
  header_.section(SectionKind::kConfig).hash = Hash64(config);
  header_.section(SectionKind::kData).hash = data_hasher_.Digest();
  header_.fingerprint = fingerprint;
  PITH_RETURN_IF_ERROR(file_->WriteAt(header_.section(SectionKind::kConfig).offset, config));
  PITH_RETURN_IF_ERROR(file_->WriteAt(0, EncodePackageHeader(header_)));
  sealed_ = true;
  return OkStatus();
}

Status PackageWriter::Commit() {
  PITH_CHECK(sealed_);
  return file_->Commit();
}

}  // namespace pith
