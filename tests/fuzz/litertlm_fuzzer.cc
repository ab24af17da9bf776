// Fuzz target: .litertlm files from outside, up to the weights as the engine would take them.
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "base/thread_pool.h"
#include "convert/litertlm_model.h"

namespace {

constexpr uint64_t kMaxValues = uint64_t{1} << 20;  // of a model that is packed; more would only take time

void Require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static pith::ThreadPool pool(1);
  const std::vector<uint8_t> file(data, data + size);  // of exactly this size
  const auto model = pith::LitertlmModel::FromMemory(file);
  if (!model.ok()) {
    Require(!model.status().message().empty());
    (void)pith::ReadPithRecord(file);
    return 0;
  }
  (void)(*model)->ReadTokenizerJson();
  const pith::ModelConfig& config = (*model)->config();
  Require(pith::ValidateConfig(config).ok());
  uint64_t n_values = 0;
  for (const pith::StoredTensor& t : (*model)->tensors()) n_values += t.spec.n_elements();
  Require(n_values <= 2 * size);  // INT4, two in a byte, is the smallest there is
  if (n_values > kMaxValues) return 0;
  const pith::ActivationTerms terms = (*model)->record() ? (*model)->record()->description.terms
                                                         : pith::ActivationTerms::Precise(config.n_layers);
  const pith::TokenId start = (*model)->record() ? (*model)->record()->description.start_token : 0;
  const auto package = (*model)->ToPackage({}, "fuzz", start, terms, pool);
  Require(package.ok() ? (*package)->VerifyFingerprint().ok() : !package.status().message().empty());
  return 0;
}
