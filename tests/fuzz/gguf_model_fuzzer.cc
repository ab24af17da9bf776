// Fuzz target: GGUF files from outside as models and tokenizers, up to the weights as the engine would take
// them.
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "base/thread_pool.h"
#include "convert/gguf_model.h"
#include "tokenizer/tokenizer.h"

namespace {

constexpr uint64_t kMaxValues = uint64_t{1} << 20;  // of a model that is packed; more would only take time

void Require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static pith::ThreadPool pool(1);
  const std::vector<uint8_t> file(data, data + size);  // of exactly this size
  auto parsed = pith::GgufFile::FromMemory(file, "fuzz");
  if (!parsed.ok()) return 0;  // gguf_fuzzer.cc
  const auto tokenizer = pith::Tokenizer::FromGguf(**parsed);
  Require(tokenizer.ok() ? pith::Tokenizer::Deserialize(tokenizer->Serialize()).ok()
                         : !tokenizer.status().message().empty());
  const auto model = pith::GgufModel::FromFile(*std::move(parsed));
  if (!model.ok()) {
    Require(!model.status().message().empty());
    return 0;
  }
  const pith::ModelConfig& config = (*model)->config();
  Require(pith::ValidateConfig(config).ok());
  Require(!(*model)->name().empty());
  uint64_t n_values = 0;
  for (const pith::GgufTensor* t : (*model)->tensors()) n_values += t->n_elements;
  Require(n_values <= 2 * size);  // four bits are the fewest that are read
  if (n_values > kMaxValues) return 0;
  const auto package =
      (*model)->ToPackage({}, "fuzz", 0, pith::ActivationTerms::Precise(config.n_layers), pool);
  Require(package.ok() ? (*package)->VerifyFingerprint().ok() : !package.status().message().empty());
  return 0;
}
