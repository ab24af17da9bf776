// ExportGguf: a Hugging Face folder to a GGUF file for llama.cpp and what is built on it. docs/gguf.md says
// what is written. The checkpoint is mapped; memory is that of the vocabulary and a few MB.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/thread_pool.h"
#include "convert/export.h"
#include "convert/model_folder.h"
#include "convert/model_layout.h"
#include "pith/status.h"

namespace pith {

// How matrices are encoded. Norms are always F32.
enum class GgufType : uint8_t {
  kF16,
  kQ8_0,  // 8.5 bits a weight
  kQ4_0,  // 4.5 bits a weight; the embedding too
};
std::string_view GgufTypeName(GgufType type);  // "Q8_0"

struct GgufOptions {
  GgufType type = GgufType::kQ8_0;
};

// Writes `out_path`; it appears whole or not at all. The file depends on the folder and the options only, not
// on threads or machine. A matrix whose rows are no multiple of 32 is written as F16, and its report says so.
//
// kNotFound: the folder has no tokenizer.json. kUnsupported: a tokenizer that llama.cpp would not follow, or
// a value beyond the encoding. kCorrupt: NaN or infinity, a tied head that is not the embedding, or a
// tokenizer that contradicts itself. kInvalidArgument: more tokens than embedding rows. kCancelled,
// kAlreadyExists, kIo. Errors about values name file, tensor, row and column.
Result<ExportReport> ExportGguf(const ModelFolder& folder, const std::string& out_path,
                                const GgufOptions& options, const ExportControl& control, ThreadPool& pool);

// What GGUF files call a tensor: "blk.0.attn_q.weight".
std::string GgufTensorName(const TensorSpec& spec);

// "596M" for 596,049,920: three digits at most, as general.size_label has it.
std::string GgufSizeLabel(uint64_t n_parameters);

}  // namespace pith
