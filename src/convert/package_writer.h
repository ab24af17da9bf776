// PackageWriter: writes a pith model file front to back, tensor by tensor, in little memory.
//
// The choice of activation terms and the fingerprint may come last: calibration needs the file to exist
// first.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/file.h"
#include "base/hash.h"
#include "convert/package_format.h"
#include "pith/status.h"

namespace pith {

// Thread-compatible. After a failure the writer is of no further use.
class PackageWriter {
 public:
  // Starts a file beside `path`; nothing appears under that name before Commit. kInvalidArgument when the
  // description or the name does not validate; kAlreadyExists, kIo.
  static Result<std::unique_ptr<PackageWriter>> Create(const std::string& path, bool replace,
                                                       const ModelDescription& description,
                                                       const std::string& name, ByteSpan tokenizer);

  // The tensors to write, in this order.
  const std::vector<TensorPlace>& places() const { return places_; }

  // Appends to the codes of the next tensor, a matrix: whole panels.
  Status AppendPanels(std::span<const int8_t> panels);
  // Ends that matrix. `scales` has one element a row; padding is added.
  // REQUIRES: all panels have been appended.
  Status FinishMatrix(std::span<const float> scales);
  // Writes the next tensor, a norm.
  Status AppendNorm(std::span<const float> norm);

  // Writes the header, so that the file under temporary_path() is whole and Package::Open reads it. May be
  // called again with other terms or another fingerprint. REQUIRES: all tensors have been written.
  Status Seal(const ActivationTerms& terms, const Fingerprint& fingerprint);

  // Gives the sealed file its name.
  Status Commit();

  const std::string& temporary_path() const { return file_->temporary_path(); }
  uint64_t file_bytes() const { return header_.file_bytes; }

 private:
  PackageWriter() = default;
  Status WriteSection(SectionKind kind, ByteSpan content);
  Status WriteData(ByteSpan data);
  Status PadTo(uint64_t offset);
  Status FinishTensor();

  std::unique_ptr<AtomicFile> file_;
  ModelDescription description_;
  std::string name_;
  PackageHeader header_;
  std::vector<TensorPlace> places_;
  size_t next_ = 0;        // index of the tensor being written
  uint64_t position_ = 0;  // bytes of the file written so far
  Hasher64 data_hasher_;
  bool sealed_ = false;
};

}  // namespace pith
