// WeightPacker: weights that another container holds row by row, into the packed memory of a Package.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/thread_pool.h"
#include "convert/model_layout.h"
#include "convert/package.h"
#include "model/weights.h"
#include "pith/status.h"

namespace pith {

// Thread-compatible. To be used in the float environment of numeric_contract.md section 1.
class WeightPacker {
 public:
  // Borrows the pool.
  // REQUIRES: ValidateDescription is ok for these.
  WeightPacker(const ModelConfig& config, const ActivationTerms& terms, ThreadPool& pool);

  // Fills `codes` [cols] with canonical codes of a row and `scale` (quantize.h); `values` [cols] is scratch of the thread.
  // False: a value is not finite.
  using RowFunction = std::function<bool(size_t row, std::span<float> values, int8_t* codes, float* scale)>;

  // Each tensor of the config once, in canonical order. `row` is called from all threads, in any order.
  // kCorrupt for values that are not finite; `name` is what the message calls the tensor.
  Status AddMatrix(const TensorSpec& spec, const std::string& name, const RowFunction& row);
  // `read` fills [cols].
  Status AddNorm(const TensorSpec& spec, const std::string& name, const std::function<void(std::span<float>)>& read);

  // The package, with the fingerprint of what it holds. `tokenizer`: serialised. `size_bytes`: of the container.
  // REQUIRES: all tensors have been added; the packer is of no further use.
  std::unique_ptr<Package> Finish(Bytes tokenizer, const std::string& name, TokenId start_token, uint64_t size_bytes);

 private:
  ThreadPool& pool_;
  ModelWeights weights_;
  PackageMemory memory_;
  std::vector<std::vector<float>> values_;  // one a thread
  std::vector<std::vector<int8_t>> rows_;   // likewise
};

}  // namespace pith
