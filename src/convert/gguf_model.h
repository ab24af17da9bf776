// GgufModel: a GGUF file of a Qwen3 model as weights for pith's engine: what ExportGguf wrote, and what
// llama.cpp's converter and llama-quantize write.
//
// docs/gguf.md, "Reading", says which keys and tensors count. The canonical int8 content (model_file.md
// section 6) is made from the values that the encodings stand for, as `pith import` makes it from a
// checkpoint: the same fingerprint where the file holds the checkpoint's values exactly (F32, mostly F16 and
// BF16).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/thread_pool.h"
#include "convert/model_layout.h"
#include "convert/package.h"
#include "convert/weight_packer.h"
#include "formats/gguf.h"
#include "pith/status.h"

namespace pith {

// tokenizer.ggml.*: ids below the model's vocab, and whether a runtime puts them around every text.
struct GgufSpecialTokens {
  std::optional<TokenId> bos;      // bos_token_id
  std::optional<TokenId> eos;      // eos_token_id
  std::optional<TokenId> eot;      // eot_token_id: end of a turn
  std::optional<TokenId> eom;      // eom_token_id: end of a message
  std::optional<TokenId> padding;  // padding_token_id
  bool add_bos = false;            // add_bos_token
  bool add_eos = false;            // add_eos_token
};

// Immutable once opened.
class GgufModel {
 public:
  // kCorrupt for a damaged file or one that contradicts itself; kUnsupported, with what was found, for
  // another architecture, a part of a split file, an adapter, settings that the engine does not have, and
  // encodings that ggml_decode.h does not know.
  static Result<std::unique_ptr<GgufModel>> Open(const std::string& path);
  // The same for a file that is open; errors do not name it.
  static Result<std::unique_ptr<GgufModel>> FromFile(std::unique_ptr<GgufFile> file);

  const GgufFile& file() const { return *file_; }  // the tokenizer is read from it: Tokenizer::FromGguf
  const ModelConfig& config() const { return config_; }
  const std::vector<const GgufTensor*>& tensors() const { return tensors_; }  // canonical order

  bool has_tokenizer() const;  // files "without vocabulary" have none
  const GgufSpecialTokens& special_tokens() const { return special_; }
  std::string_view chat_template() const { return chat_template_; }  // Jinja; empty: none
  uint64_t context_length() const { return config_.max_positions; }  // tokens that the model was trained for

  // general.name, else that of the file, without folder and ending; "model" where neither would be a name.
  std::string name() const;

  // Packs the weights for the engine. `tokenizer`: serialised. kCorrupt for values that are not finite.
  Result<std::unique_ptr<Package>> ToPackage(Bytes tokenizer, const std::string& name, TokenId start_token,
                                             const ActivationTerms& terms, ThreadPool& pool) const;
  // The same in steps, as in LitertlmModel.
  Result<std::unique_ptr<WeightPacker>> NewPacker(const ActivationTerms& terms, ThreadPool& pool) const;
  Status Pack(WeightPacker& packer) const;
  Result<std::unique_ptr<Package>> Finish(WeightPacker& packer, Bytes tokenizer, const std::string& name,
                                          TokenId start_token) const;

 private:
  GgufModel() = default;
  Status Read();

  std::unique_ptr<GgufFile> file_;
  ModelConfig config_;
  GgufSpecialTokens special_;
  std::string_view chat_template_;
  std::vector<const GgufTensor*> tensors_;
};

// Whether a file begins like a GGUF file.
bool LooksLikeGguf(ByteSpan file);

}  // namespace pith
