// ExportLitertlm: a Hugging Face checkpoint to one .litertlm file, which LiteRT-LM runs and pith itself loads.
//
// docs/litertlm.md says what is written and why. Weights are streamed: memory does not grow with the model, but for
// the scales.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "base/bytes.h"
#include "base/thread_pool.h"
#include "convert/export.h"
#include "convert/model_folder.h"
#include "convert/model_layout.h"
#include "convert/qwen3_graph.h"
#include "model/engine.h"
#include "pith/status.h"

namespace pith {

struct LitertlmOptions {
  GraphOptions graph;
  Bytes llm_metadata;        // LlmMetadata, serialised
  std::string name;          // for people
  ActivationTerms terms;     // of pith's engine (numeric contract 4)
  TokenId start_token = 0;   // what stands before every stream in pith's engine
  ByteSpan tokenizer;        // serialised, as in a pith model file: part of the fingerprint
  int64_t timestamp = 0;     // seconds since 1970 that the file gives as its time; the same input gives the same bytes
  bool measure_errors = false;  // fill the errors of the report
  // Where not empty, `terms` are chosen by measuring on this text (convert/calibrate.h), which takes the memory and the time
  // of running the model. Needs `kernels`.
  std::span<const TokenId> calibration_tokens;
  const Kernels* kernels = nullptr;
};

struct LitertlmReport : ExportReport {
  std::optional<Fingerprint> fingerprint;  // of the canonical int8 content; none where the file holds other rows
  ActivationTerms terms;
};

// Writes `out_path`; it appears whole or not at all. The bytes depend on the checkpoint and the options only.
// kInvalidArgument: see BuildQwen3Graph, ValidateModelName; kUnsupported: no tokenizer.json; else as
// TensorStream and AtomicFile.
Result<LitertlmReport> ExportLitertlm(const ModelFolder& folder, const std::string& out_path, const LitertlmOptions& options,
                                    const ExportControl& control, ThreadPool& pool);

// The record that pith adds as a section of its own (docs/litertlm.md section 4): what the graph does not say plainly.
struct PithRecord {
  ModelDescription description;
  std::string name;
  std::optional<Fingerprint> fingerprint;  // where the file holds the canonical int8 rows
};
// The uuid in the header of a file that pith wrote: a hash of the content as version 8 of RFC 9562, which leaves the other bits
// to the maker. Hashed are, in this order, metadata and tokenizer section, the external buffers of the TFLite model in the order
// of their numbers, its flatbuffer with the zeros up to the first of them, and pith's record.
std::string ContentUuid(Fingerprint hash);

inline constexpr std::string_view kPithRecordItem = "pith";  // value of the section's model_type
Bytes EncodePithRecord(const PithRecord& record);
Result<PithRecord> DecodePithRecord(ByteSpan section);
// That of a whole file, of which only the header and the record are read; without a fingerprint where there is no record.
Result<PithRecord> ReadPithRecord(ByteSpan file);

}  // namespace pith
