// TensorStream: reads the tensors of a checkpoint row by row for an exporter, in little memory: values checked, threads,
// progress, cancelling.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/thread_pool.h"
#include "convert/checkpoint.h"
#include "convert/export.h"
#include "pith/status.h"

namespace pith {

// Values of one row against what the output stands for, for TensorReport. Sums in double, in the order of columns.
struct RowError {
  double squares = 0;        // sum of squares of the values
  double error_squares = 0;  // of the differences
  double largest_error = 0;
  double largest_value = 0;  // magnitude
  void Add(float value, float stored);
  void Add(std::span<const float> values, std::span<const float> stored);
};

// Thread-compatible.
class TensorStream {
 public:
  // Borrows everything. Progress counts bytes of the checkpoint's tensors.
  TensorStream(const Checkpoint& checkpoint, ThreadPool& pool, const ExportControl& control);

  // Called once for each row, from any thread: batch after batch; within a batch, groups of 16 rows (first row a multiple of
  // 16) in any order, the rows of a group one after another on one thread. `thread` < the pool's n_threads(). Returns the
  // index of a value that the output cannot hold, if there is one.
  using RowFunction =
      std::function<std::optional<size_t>(size_t row, std::span<const float> values, size_t thread)>;
  // Called on the calling thread when rows [begin, end) have been seen: writes what was made of them.
  using BatchFunction = std::function<Status(size_t begin, size_t end)>;

  // Rows in a batch of a matrix with so many columns; the last one may be smaller.
  size_t BatchRows(size_t cols) const;

  // kCorrupt naming file, tensor, row and column for a value that is not finite; kUnsupported, likewise, for one that the
  // output cannot hold: `limit` ends that message (", beyond .."); kCancelled; what `batch` returns. A norm is one row.
  Status ForEachRow(const TensorSpec& spec, const RowFunction& row, const BatchFunction& batch,
                    std::string_view limit = ", more than the output holds");

  // A tied model may store its head again. If it differs, the file contradicts its config: transformers 4 would take the
  // embedding and transformers 5 the head, so neither is taken: kCorrupt. Nothing where there is no second head.
  Status CheckDuplicateHead();

 private:
  Status Advance(const SafetensorsTensor& tensor, uint64_t n_elements);

  const Checkpoint& checkpoint_;
  ThreadPool& pool_;
  const ExportControl& control_;
  uint64_t done_bytes_ = 0;
  std::vector<std::vector<float>> rows_;  // one a thread
};

// Fills the errors and the outlier of a report from those of its rows.
void SummariseErrors(std::span<const RowError> rows, TensorReport& report);

}  // namespace pith
