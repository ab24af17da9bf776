#include "convert/gguf_export.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/float_environment.h"
#include "convert/ggml_quants.h"
#include "convert/gguf_vocabulary.h"
#include "convert/tensor_stream.h"
#include "formats/gguf.h"
#include "formats/json.h"

namespace pith {
namespace {

GgufEncoding EncodingOf(GgufType type) {
  switch (type) {
    case GgufType::kF16:
      return GgufEncoding::kF16;
    case GgufType::kQ8_0:
      return GgufEncoding::kQ8_0;
    case GgufType::kQ4_0:
      return GgufEncoding::kQ4_0;
  }
  PITH_CHECK(false);
}

// general.file_type (llama.h: enum llama_ftype).
uint32_t FileType(GgufType type) {
  switch (type) {
    case GgufType::kF16:
      return 1;
    case GgufType::kQ4_0:
      return 2;
    case GgufType::kQ8_0:
      return 7;
  }
  PITH_CHECK(false);
}

// How one tensor is written, and why not as asked.
struct Plan {
  TensorSpec spec;
  GgufEncoding encoding;
  bool fell_back;
};

Plan PlanTensor(const TensorSpec& spec, GgufType type) {
  if (!spec.is_matrix()) return {spec, GgufEncoding::kF32, false};
  const GgufEncoding wanted = EncodingOf(type);
  const bool fits = spec.cols % GgufBlockValues(wanted) == 0;
  return {spec, fits ? wanted : GgufEncoding::kF16, !fits};
}

void StoreF32(std::span<const float> row, uint8_t* out) {
  Bytes bytes;
  ByteWriter w(bytes);
  for (const float v : row) w.U32(std::bit_cast<uint32_t>(v));
  std::copy(bytes.begin(), bytes.end(), out);
}

// One row, and what became of it. Returns the index of a value that does not fit.
std::optional<size_t> EncodeRow(GgufEncoding encoding, std::span<const float> row, uint8_t* out,
                                std::span<float> decoded) {
  std::optional<size_t> bad;
  switch (encoding) {
    case GgufEncoding::kF32:
      StoreF32(row, out);
      std::copy(row.begin(), row.end(), decoded.begin());
      return std::nullopt;
    case GgufEncoding::kF16:
      bad = EncodeF16(row, out);
      if (!bad) DecodeF16(out, decoded);
      return bad;
    case GgufEncoding::kQ8_0:
      bad = EncodeQ8Row(row, out);
      if (!bad) DecodeQ8Row(out, decoded);
      return bad;
    case GgufEncoding::kQ4_0:
      bad = EncodeQ4Row(row, out);
      if (!bad) DecodeQ4Row(out, decoded);
      return bad;
    default:
      PITH_CHECK(false);
  }
}

// The special tokens that llama.cpp's converter looks up in tokenizer_config.json before it asks config.json
// (gguf-py/gguf/vocab.py, SpecialVocab).
struct SpecialTokens {
  std::optional<uint32_t> bos;
  std::optional<uint32_t> eos;
  std::optional<uint32_t> pad;
};

Result<Json> ReadTokenizerConfig(const std::string& path) {
  Result<std::unique_ptr<MappedFile>> file = MappedFile::Open(path);
  if (file.status().code() == StatusCode::kNotFound) return Json();
  if (!file.ok()) return file.status();
  return Json::Parse((*file)->bytes(), path);
}

Result<SpecialTokens> FindSpecialTokens(const ModelFolder& folder, const GgufVocabulary& vocabulary) {
  const GenerationSettings& generation = folder.generation();
  SpecialTokens out{generation.bos_id, std::nullopt, generation.pad_id};
  if (!generation.eos_ids.empty()) out.eos = generation.eos_ids.front();
  PITH_ASSIGN_OR_RETURN(const Json config,
                        ReadTokenizerConfig(folder.directory() + "/tokenizer_config.json"));
  for (const auto& [key, id] : {std::pair("bos_token", &out.bos), std::pair("eos_token", &out.eos),
                                std::pair("pad_token", &out.pad)}) {
    const Json* entry = config.Find(key);  // a text, or an object with the text and how it is found
    if (entry != nullptr && entry->kind() == Json::Kind::kObject) entry = entry->Find("content");
    if (entry == nullptr || entry->AsString() == nullptr) continue;
    if (const auto found = vocabulary.FindAdded(*entry->AsString())) *id = found;
  }
  return out;
}

// Keys in the order in which llama.cpp's converter writes them; docs/gguf.md says why each.
Result<GgufHeader> MakeMetadata(const ModelFolder& folder, const std::string& name, GgufType type,
                                uint64_t n_parameters) {
  const std::string tokenizer_path = folder.directory() + "/tokenizer.json";
  if (folder.tokenizer_json().empty()) {
    return NotFound(tokenizer_path +
                    ": missing or empty; a GGUF file holds its tokenizer, and llama.cpp loads none " +
                    "without: put the model's tokenizer.json into the folder");
  }
  const ModelConfig& c = folder.config();
  PITH_ASSIGN_OR_RETURN(const GgufVocabulary vocabulary,
                        ReadGgufVocabulary(folder.tokenizer_json(), tokenizer_path, c.vocab));
  PITH_ASSIGN_OR_RETURN(const SpecialTokens special, FindSpecialTokens(folder, vocabulary));
  const auto u32 = [](size_t v) { return static_cast<uint32_t>(v); };  // ValidateConfig has seen to it

  GgufHeader h;
  h.AddString("general.architecture", "qwen3");
  h.AddString("general.type", "model");
  const GenerationSettings& generation = folder.generation();
  if (generation.top_k) h.AddI32("general.sampling.top_k", static_cast<int32_t>(*generation.top_k));
  if (generation.top_p) h.AddF32("general.sampling.top_p", static_cast<float>(*generation.top_p));
  if (generation.temperature) h.AddF32("general.sampling.temp", static_cast<float>(*generation.temperature));
  h.AddString("general.name", name.empty() ? folder.name() : name);
  h.AddString("general.size_label", GgufSizeLabel(n_parameters));
  h.AddU32("qwen3.block_count", u32(c.n_layers));
  h.AddU32("qwen3.context_length", u32(c.max_positions));
  h.AddU32("qwen3.embedding_length", u32(c.hidden));
  h.AddU32("qwen3.feed_forward_length", u32(c.ffn));
  h.AddU32("qwen3.attention.head_count", u32(c.n_heads));
  h.AddU32("qwen3.attention.head_count_kv", u32(c.n_kv_heads));
  h.AddF32("qwen3.rope.freq_base", static_cast<float>(c.rope_theta));
  h.AddF32("qwen3.attention.layer_norm_rms_epsilon", c.rms_eps);
  h.AddU32("qwen3.attention.key_length", u32(c.head_dim));
  h.AddU32("qwen3.attention.value_length", u32(c.head_dim));
  h.AddU32("general.file_type", FileType(type));
  h.AddU32("general.quantization_version", 2);  // GGML_QNT_VERSION
  h.AddString("tokenizer.ggml.model", "gpt2");
  h.AddString("tokenizer.ggml.pre", "qwen2");
  h.AddStrings("tokenizer.ggml.tokens", vocabulary.tokens);
  h.AddI32s("tokenizer.ggml.token_type", vocabulary.types);
  h.AddStrings("tokenizer.ggml.merges", vocabulary.merges);
  if (special.bos) h.AddU32("tokenizer.ggml.bos_token_id", *special.bos);
  if (special.eos) h.AddU32("tokenizer.ggml.eos_token_id", *special.eos);
  if (special.pad) h.AddU32("tokenizer.ggml.padding_token_id", *special.pad);
  h.AddBool("tokenizer.ggml.add_bos_token", false);
  h.AddBool("tokenizer.ggml.add_eos_token", false);
  if (!folder.chat_template().empty()) h.AddString("tokenizer.chat_template", folder.chat_template());
  return h;
}

class GgufExporter {
 public:
  GgufExporter(const ModelFolder& folder, const GgufOptions& options, const ExportControl& control,
               ThreadPool& pool)
      : folder_(folder),
        checkpoint_(folder.checkpoint()),
        options_(options),
        control_(control),
        pool_(pool),
        stream_(checkpoint_, pool, control) {}

  Result<ExportReport> Run(const std::string& out_path) {
    const ScopedFloatEnvironment environment;
    const auto start = std::chrono::steady_clock::now();
    std::vector<Plan> plans;
    uint64_t n_parameters = 0;
    for (const TensorSpec& spec : CanonicalTensors(folder_.config())) {
      plans.push_back(PlanTensor(spec, options_.type));
      n_parameters += spec.n_elements();
    }
    PITH_ASSIGN_OR_RETURN(GgufHeader header, MakeMetadata(folder_, control_.name, options_.type, n_parameters));
    for (const Plan& p : plans) {
      const uint64_t shape[2] = {p.spec.rows, p.spec.cols};
      header.AddTensor(GgufTensorName(p.spec), p.encoding, std::span(shape).last(p.spec.is_matrix() ? 2 : 1));
    }
    PITH_ASSIGN_OR_RETURN(writer_, GgufWriter::Create(out_path, control_.replace, header));
    for (const Plan& p : plans) PITH_RETURN_IF_ERROR(WriteTensor(p));
    PITH_RETURN_IF_ERROR(stream_.CheckDuplicateHead());
    report_.source_bytes = checkpoint_.data_bytes();
    report_.output_bytes = writer_->file_bytes();
    PITH_RETURN_IF_ERROR(writer_->Commit());
    report_.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return std::move(report_);
  }

 private:
  Status WriteTensor(const Plan& plan) {
    const size_t cols = plan.spec.cols;
    const size_t row_bytes = GgufRowBytes(plan.encoding, cols);
    const size_t batch_rows = stream_.BatchRows(cols);
    Bytes encoded(std::min<size_t>(batch_rows, RoundUp(plan.spec.rows, 16)) * row_bytes);
    std::vector<std::vector<float>> decoded(pool_.n_threads(), std::vector<float>(cols));
    std::vector<RowError> errors(plan.spec.rows);
    PITH_RETURN_IF_ERROR(stream_.ForEachRow(
        plan.spec,
        [&](size_t row, std::span<const float> values, size_t thread) {
          const auto unfit = EncodeRow(plan.encoding, values, encoded.data() + row % batch_rows * row_bytes, decoded[thread]);
          if (!unfit) errors[row].Add(values, decoded[thread]);
          return unfit;
        },
        [&](size_t begin, size_t end) {
          return writer_->Append(ByteSpan(encoded).first((end - begin) * row_bytes));
        },
        plan.encoding == GgufEncoding::kF16 ? ", beyond the largest F16, 65504; Q8_0 reaches further"
                                            : ", whose block would need a scale beyond the largest F16, 65504"));
    AddReport(plan, errors, plan.spec.rows * row_bytes);
    return OkStatus();
  }

  void AddReport(const Plan& plan, std::span<const RowError> errors, uint64_t bytes) {
    TensorReport r;
    r.name = CheckpointTensorName(plan.spec);
    r.encoding = GgufEncodingName(plan.encoding);
    if (plan.fell_back) {
      r.encoding += " (rows of " + std::to_string(plan.spec.cols) + ", no multiple of " +
                    std::to_string(kGgmlBlock) + " for " + std::string(GgufTypeName(options_.type)) + ")";
    }
    r.rows = plan.spec.rows;
    r.cols = plan.spec.cols;
    r.bytes = bytes;
    SummariseErrors(errors, r);
    report_.tensors.push_back(std::move(r));
  }

  const ModelFolder& folder_;
  const Checkpoint& checkpoint_;
  const GgufOptions& options_;
  const ExportControl& control_;
  ThreadPool& pool_;
  TensorStream stream_;
  std::unique_ptr<GgufWriter> writer_;
  ExportReport report_;
};

}  // namespace

// gguf-py/gguf/constants.py: TENSOR_NAMES.
std::string GgufTensorName(const TensorSpec& spec) {
  const auto in_layer = [&](std::string_view name) {
    return std::string("blk.").append(std::to_string(spec.layer)).append(".").append(name).append(".weight");
  };
  switch (spec.role) {
    case TensorRole::kEmbedding:
      return "token_embd.weight";
    case TensorRole::kHead:
      return "output.weight";
    case TensorRole::kFinalNorm:
      return "output_norm.weight";
    case TensorRole::kInputNorm:
      return in_layer("attn_norm");
    case TensorRole::kQ:
      return in_layer("attn_q");
    case TensorRole::kK:
      return in_layer("attn_k");
    case TensorRole::kV:
      return in_layer("attn_v");
    case TensorRole::kQNorm:
      return in_layer("attn_q_norm");
    case TensorRole::kKNorm:
      return in_layer("attn_k_norm");
    case TensorRole::kO:
      return in_layer("attn_output");
    case TensorRole::kPostAttentionNorm:
      return in_layer("ffn_norm");
    case TensorRole::kGate:
      return in_layer("ffn_gate");
    case TensorRole::kUp:
      return in_layer("ffn_up");
    case TensorRole::kDown:
      return in_layer("ffn_down");
  }
  PITH_CHECK(false);
}

std::string_view GgufTypeName(GgufType type) { return GgufEncodingName(EncodingOf(type)); }

// As gguf-py/gguf/utility.py (size_label) has it: in the largest of K, M, B, T that it exceeds one of, with a
// digit after the point below ten.
std::string GgufSizeLabel(uint64_t n_parameters) {
  const double n = static_cast<double>(n_parameters);
  const auto [unit, suffix] = n > 1e12  ? std::pair(1e-12, 'T')
                              : n > 1e9 ? std::pair(1e-9, 'B')
                              : n > 1e6 ? std::pair(1e-6, 'M')
                                        : std::pair(1e-3, 'K');
  const double scaled = n * unit;
  char text[32];
  const int digits = scaled <= 0.5 ? 2 : scaled < 9.5 ? 1 : 0;  // two in all, a leading 0 not counted
  std::snprintf(text, sizeof text, "%.*f%c", digits, scaled, suffix);
  return text;
}

Result<ExportReport> ExportGguf(const ModelFolder& folder, const std::string& out_path,
                                const GgufOptions& options, const ExportControl& control, ThreadPool& pool) {
  return GgufExporter(folder, options, control, pool).Run(out_path);
}

}  // namespace pith
