// WeightPacker: weights that another container holds row by row, into the packed memory of a Package; their
// fingerprint meanwhile.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/bytes.h"
#include "base/thread_pool.h"
#include "convert/model_layout.h"
#include "convert/package.h"
#include "model/weights.h"
#include "pith/status.h"

namespace pith {

// One thread adds tensors, in the float environment of numeric_contract.md section 1; another one may call
// Hash meanwhile.
class WeightPacker {
 public:
  // Borrows the pool. Memory for all weights is taken here, though not touched.
  // REQUIRES: ValidateConfig(config) is ok; terms.layers has config.n_layers elements.
  WeightPacker(const ModelConfig& config, const ActivationTerms& terms, ThreadPool& pool);

  // Each tensor of the config once, in canonical order. kCorrupt for values that are not finite; `name` is
  // what the message calls the tensor.

  // Fills `codes` [cols] with canonical codes of a row and `scale` (quantize.h); `values` [cols] is scratch
  // of the thread. False: a value is not finite.
  using RowFunction = std::function<bool(size_t row, std::span<float> values, int8_t* codes, float* scale)>;
  // `row` is called from all threads, in any order.
  Status AddMatrix(const TensorSpec& spec, const std::string& name, const RowFunction& row);
  // Codes as another quantiser left them, [rows, cols], in memory that lasts until Finish, with a positive
  // finite scale a row. They are canonical as they are, but for rows with a code of -128, which pith's
  // kernels do not take: those are quantised again. `mapped`: they lie in a mapped file, whose pages are
  // dropped when they have been read.
  Status AddInt8Matrix(const TensorSpec& spec, const std::string& name, std::span<const int8_t> codes,
                       std::span<const float> scales, bool mapped);
  // `read` fills [cols].
  Status AddNorm(const TensorSpec& spec, const std::string& name,
                 const std::function<void(std::span<float>)>& read);

  // Takes the fingerprint with this start token and this tokenizer (serialised), tensor by tensor as they are
  // added; returns when all have been, or Abandon was called. kInvalidArgument for a start token that is no
  // token of the model.
  Status Hash(TokenId start_token, ByteSpan tokenizer);
  // No more tensors come.
  void Abandon();

  // The package. `size_bytes`: of the container.
  // REQUIRES: all tensors have been added, and Hash has returned, with this start token and tokenizer. The
  // packer is of no further use.
  std::unique_ptr<Package> Finish(Bytes tokenizer, const std::string& name, TokenId start_token,
                                  uint64_t size_bytes);

 private:
  struct Place {
    size_t codes = 0;                   // in codes_
    size_t floats = 0;                  // in floats_: scales, or a norm
    std::span<const int8_t> canonical;  // the rows of a matrix, unpacked, where something holds them
    bool mapped = false;                // that is a mapped file
  };
  struct Scratch {
    std::vector<float> values;
    std::vector<int8_t> rows;  // of a panel
  };
  Place& NextPlace(const TensorSpec& spec);
  void TensorIsThere();
  // `panel` packs panel p to the address that it is given and returns whether all its values are finite.
  Status AddPanels(const TensorSpec& spec, const std::string& name,
                   const std::function<bool(size_t p, size_t n_rows, Scratch& scratch, int8_t* panel,
                                            float* scales)>& panel);
  void HashMatrix(size_t i, CanonicalHasher& hasher);

  ThreadPool& pool_;
  ModelWeights weights_;
  AlignedBuffer<int8_t> codes_;
  AlignedBuffer<float> floats_;
  const std::vector<TensorSpec> specs_;
  std::vector<Place> places_;     // of specs_
  std::vector<Scratch> scratch_;  // one a thread
  std::optional<Fingerprint> fingerprint_;

  std::mutex mutex_;
  std::condition_variable more_;
  size_t n_added_ = 0;      // tensors whose places do not change any more; guarded by mutex_
  bool abandoned_ = false;  // likewise
};

}  // namespace pith
