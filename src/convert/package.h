// Package: pith's own model file (`pith import`), mapped and used as it lies on disk.
//
// docs/model_file.md is the format. The canonical content of a model - config, tokenizer, int8 rows, scales,
// norms, choice of terms - has a fingerprint that does not depend on the container (convert/model_layout.h).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/bytes.h"
#include "base/file.h"
#include "base/hash.h"
#include "model/weights.h"
#include "pith/status.h"

namespace pith {

// What holds the weights of a model that no mapped file holds.
struct PackageMemory {
  std::vector<AlignedBuffer<int8_t>> planes;
  std::vector<AlignedBuffer<float>> floats;
  Bytes tokenizer;  // serialised
};

// A model ready to run: weights, and the memory that holds them. Thread-safe once opened.
class Package {
 public:
  // Maps a file. Every offset, shape, checksum and value is verified; a damaged file is kCorrupt, a newer one
  // kUnsupported. The fingerprint is read, not computed again: see VerifyFingerprint.
  static Result<std::unique_ptr<Package>> Open(const std::string& path);

  // The same over memory that outlives the package and is 64-byte aligned (the embedded model).
  static Result<std::unique_ptr<Package>> FromMemory(ByteSpan data, const std::string& where);

  // Weights that came from another container; the views point into `memory`.
  static std::unique_ptr<Package> FromWeights(ModelWeights weights, PackageMemory memory, const std::string& name,
                                              TokenId start_token, const Fingerprint& fingerprint, uint64_t size_bytes);

  const ModelWeights& weights() const { return weights_; }
  ByteSpan tokenizer() const { return tokenizer_; }     // Tokenizer::Deserialize reads it
  const std::string& name() const { return name_; }     // for people, e.g. "Qwen3-0.6B"
  TokenId start_token() const { return start_token_; }  // stands before every stream (<|endoftext|>)
  const Fingerprint& fingerprint() const { return fingerprint_; }
  uint64_t size_bytes() const { return size_bytes_; }  // of the file

  // kCorrupt unless the stored fingerprint is that of the content. Slower than opening (about 0.5 s for 600
  // MB); the checksums find damage, this finds a writer that was wrong.
  Status VerifyFingerprint() const;

 private:
  Package() = default;
  Status Read(ByteSpan data);

  std::unique_ptr<MappedFile> file_;
  PackageMemory memory_;  // empty where `file_` or the caller holds everything
  ModelWeights weights_;
  ByteSpan tokenizer_;
  std::string name_;
  TokenId start_token_ = 0;
  Fingerprint fingerprint_;
  uint64_t size_bytes_ = 0;
};

}  // namespace pith
