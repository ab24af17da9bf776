// Fingerprints of model files from their headers. Apart from model.cc because archive and package formats
// each have a constant kMaxModelNameBytes.
#include <memory>
#include <string>

#include "api/boundary.h"
#include "api/builtin_model.h"
#include "base/file.h"
#include "convert/gguf_model.h"
#include "convert/litertlm_export.h"
#include "convert/package_format.h"
#include "formats/litertlm.h"
#include "pith/pith.h"

namespace pith {

std::string BuiltinFingerprint(const std::string& name) {
  const ByteSpan file = BuiltinModelFile(name);
  if (file.empty()) return "";
  const Result<PackageHeader> header = DecodePackageHeader(file, file.size());
  return header.ok() ? header->fingerprint.Text() : "";
}

Result<std::string> ReadModelFingerprint(const std::string& path) {
  return AtBoundary([&]() -> Result<std::string> {
    PITH_ASSIGN_OR_RETURN(const std::unique_ptr<MappedFile> file, MappedFile::Open(path));
    if (LooksLikeLitertlm(file->bytes())) {
      const Result<PithRecord> record = ReadPithRecord(file->bytes());
      if (!record.ok()) return record.status().WithContext(path);
      return record->fingerprint ? record->fingerprint->Text() : std::string();
    }
    if (LooksLikeGguf(file->bytes())) return std::string();
    const Result<PackageHeader> header = DecodePackageHeader(file->bytes(), file->bytes().size());
    if (!header.ok()) return header.status().WithContext(path);
    return header->fingerprint.Text();
  });
}

}  // namespace pith
