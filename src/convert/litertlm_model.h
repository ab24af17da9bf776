// LitertlmModel: a .litertlm file as weights for pith's engine: what ExportLitertlm wrote, and what other exporters of Qwen3
// write (litert-torch), recognised by the shape of their decode graph.
//
// docs/litertlm.md section 5 says how the tensors are found. The canonical int8 content (model_file.md section 6), and with it
// the fingerprint, is that of `pith import` from the same checkpoint, whatever the container.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/file.h"
#include "base/thread_pool.h"
#include "convert/litertlm_export.h"
#include "convert/model_layout.h"
#include "convert/package.h"
#include "convert/weight_packer.h"
#include "formats/litertlm.h"
#include "formats/llm_metadata.h"
#include "formats/tflite.h"
#include "pith/status.h"

namespace pith {

// Where the rows of one canonical tensor lie in the file.
struct StoredTensor {
  TensorSpec spec;
  TfliteType type = TfliteType::kFloat32;  // INT8, INT4, FLOAT16 or FLOAT32; FLOAT32 for a norm
  ByteSpan data;                           // of exactly these rows
  std::span<const float> scales;           // INT8: [rows]
  ByteSpan block_scales;                   // INT4: FLOAT16 [rows, cols / block]
  size_t block = 0;
};

// Immutable once opened.
class LitertlmModel {
 public:
  // kCorrupt for a damaged file; kUnsupported for one whose graph is none of a Qwen3 model, with what was looked for.
  static Result<std::unique_ptr<LitertlmModel>> Open(const std::string& path);
  // The same over memory that outlives the object.
  static Result<std::unique_ptr<LitertlmModel>> FromMemory(ByteSpan file);

  const LitertlmHeader& header() const { return header_; }
  const TfliteFile& graphs() const { return graphs_; }
  const std::optional<LlmMetadata>& metadata() const { return metadata_; }
  const ModelConfig& config() const { return config_; }
  const std::optional<PithRecord>& record() const { return record_; }  // none in files that others wrote
  // Unpacks tokenizer.json, which takes a while: empty where there is none, or SentencePiece. kCorrupt.
  Result<Bytes> ReadTokenizerJson() const;
  const std::vector<StoredTensor>& tensors() const { return tensors_; }  // canonical order

  // That of the record, else of the file, without folder and ending; "model" where that would be no name.
  std::string name() const;

  // Packs the weights for the engine: int8 rows as they are, others quantised as import does it. `tokenizer`: serialised.
  // kCorrupt where the file's record says another fingerprint than its content has, or, in files whose record says none, the
  // header another uuid: damage that nothing else shows.
  Result<std::unique_ptr<Package>> ToPackage(Bytes tokenizer, const std::string& name, TokenId start_token,
                                             const ActivationTerms& terms, ThreadPool& pool) const;
  // The same in steps, so that a tokenizer may be read and the content hashed on another thread while Pack adds tensors: a packer,
  // which borrows from the pool and this object; Pack; WeightPacker::Hash, beside it or after it; Finish.
  Result<std::unique_ptr<WeightPacker>> NewPacker(const ActivationTerms& terms, ThreadPool& pool) const;
  Status Pack(WeightPacker& packer) const;
  Result<std::unique_ptr<Package>> Finish(WeightPacker& packer, Bytes tokenizer, const std::string& name,
                                          TokenId start_token) const;

 private:
  LitertlmModel() = default;
  Status Read(ByteSpan file);
  Status CheckUuid() const;

  std::unique_ptr<MappedFile> file_;  // null over memory
  ByteSpan bytes_;   // the whole file
  ByteSpan tflite_;  // its TFLite section
  LitertlmHeader header_;
  TfliteFile graphs_;
  std::optional<LlmMetadata> metadata_;
  std::optional<PithRecord> record_;
  ByteSpan tokenizer_section_;  // zlib
  ModelConfig config_;
  std::vector<StoredTensor> tensors_;
};

}  // namespace pith
