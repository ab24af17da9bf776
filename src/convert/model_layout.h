// The canonical content of a model: which tensors it has, in which order, and the fingerprint over all of it.
//
// docs/model_file.md sections 4 (config record) and 6 (fingerprint) are the definition.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/hash.h"
#include "model/weights.h"
#include "pith/status.h"

namespace pith {

// Which version of docs/numeric_contract.md the codes of this build obey.
inline constexpr uint32_t kContractVersion = 1;

// Numbers as they stand in files: never reused, never changed.
enum class TensorRole : uint16_t {
  kEmbedding = 1,
  kInputNorm = 2,
  kQ = 3,
  kK = 4,
  kV = 5,
  kQNorm = 6,
  kKNorm = 7,
  kO = 8,
  kPostAttentionNorm = 9,
  kGate = 10,
  kUp = 11,
  kDown = 12,
  kFinalNorm = 13,
  kHead = 14,
};

struct TensorSpec {
  TensorRole role = TensorRole::kEmbedding;
  uint32_t layer = 0;  // 0 for tensors that belong to no layer
  uint32_t rows = 0;   // 1 for a norm
  uint32_t cols = 0;

  bool is_matrix() const;  // int8 rows; otherwise a norm of `cols` floats
  uint64_t n_elements() const { return uint64_t{rows} * cols; }
};

// Every tensor of such a model in canonical order: embedding; for each layer its eleven in the order of
// TensorRole; final norm; head unless tied. REQUIRES: ValidateConfig(config) is ok.
std::vector<TensorSpec> CanonicalTensors(const ModelConfig& config);

// What a tensor spec stands for in `weights`; the one that fits its kind is not null.
struct TensorSlot {
  PanelMatrixView* matrix = nullptr;
  const float** norm = nullptr;
};
// REQUIRES: weights.layers has config.n_layers elements.
TensorSlot SlotOf(ModelWeights& weights, const TensorSpec& spec);

// The part of a model's description that its arithmetic depends on.
struct ModelDescription {
  ModelConfig config;
  ActivationTerms terms;
  TokenId start_token = 0;
};

// kInvalidArgument: the config does not validate, a number of terms is not 1 or 2, the layers do not match,
// or the start token is no token of the vocabulary.
Status ValidateDescription(const ModelDescription& description);

// The config record (model_file.md section 4): 68 + 4 * n_layers bytes.
// REQUIRES: ValidateDescription is ok.
Bytes EncodeDescription(const ModelDescription& description);

// Reads a config record. kCorrupt when it is cut short or malformed, kUnsupported for another architecture.
Result<ModelDescription> DecodeDescription(ByteReader& reader);

// The fingerprint of a model whose tensors pass by in canonical order (model_file.md section 6): of each matrix the codes of
// its rows, then its scales.
class CanonicalHasher {
 public:
  // REQUIRES: the description validates.
  CanonicalHasher(const ModelDescription& description, ByteSpan tokenizer);
  void AddCodes(std::span<const int8_t> rows);  // whole rows, without padding
  void AddFloats(std::span<const float> values);  // the scales of a matrix, or a norm
  Fingerprint Digest() const { return hasher_.Digest128(); }

 private:
  Hasher hasher_;
};

// The fingerprint of weights in memory. Takes about 0.3 s for 600 M weights.
// REQUIRES: the description validates and every tensor of `weights` is there.
Fingerprint CanonicalFingerprint(const ModelWeights& weights, TokenId start_token, ByteSpan tokenizer);

}  // namespace pith
