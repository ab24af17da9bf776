#include "convert/tensor_stream.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <string>

#include "base/file.h"
#include "convert/quantize.h"
#include "formats/json.h"
#include "formats/safetensors.h"

namespace pith {
namespace {

// Floats made between two writes.
constexpr size_t kBatchValues = size_t{4} << 20;
constexpr uint64_t kNone = UINT64_MAX;

Status BadValue(const SafetensorsTensor& t, uint64_t element, size_t cols, std::string_view limit) {
  float value = 0;
  ReadFloats(t, element, {&value, 1});
  const std::string place = std::string(t.where) + ": tensor " + Quoted(t.name) + ": row " +
                            std::to_string(element / cols) + ", column " + std::to_string(element % cols) + ": found ";
  if (value != value) return Corrupt(place + "NaN, expected finite values");
  if (std::isinf(value)) return Corrupt(place + "infinity, expected finite values");
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", static_cast<double>(value));
  return Unsupported(place + text + std::string(limit));
}

}  // namespace

void RowError::Add(float value, float stored) {
  const double v = value;
  const double difference = v - static_cast<double>(stored);
  squares += v * v;
  error_squares += difference * difference;
  largest_error = std::max(largest_error, std::fabs(difference));
  largest_value = std::max(largest_value, std::fabs(v));
}

void RowError::Add(std::span<const float> values, std::span<const float> stored) {
  for (size_t i = 0; i < values.size(); ++i) Add(values[i], stored[i]);
}

void SummariseErrors(std::span<const RowError> rows, TensorReport& report) {
  RowError sum;
  for (const RowError& row : rows) {
    sum.squares += row.squares;
    sum.error_squares += row.error_squares;
    sum.largest_error = std::max(sum.largest_error, row.largest_error);
    sum.largest_value = std::max(sum.largest_value, row.largest_value);
  }
  const double n = static_cast<double>(report.rows) * static_cast<double>(report.cols);
  report.relative_error = sum.squares > 0 ? std::sqrt(sum.error_squares / sum.squares) : 0;
  report.largest_error = sum.largest_error;
  report.outlier = sum.squares > 0 ? sum.largest_value / std::sqrt(sum.squares / n) : 0;
}

TensorStream::TensorStream(const Checkpoint& checkpoint, ThreadPool& pool, const ExportControl& control)
    : checkpoint_(checkpoint), pool_(pool), control_(control), rows_(pool.n_threads()) {}

size_t TensorStream::BatchRows(size_t cols) const {
  return std::max<size_t>(RoundUp(kBatchValues / cols, 16), 16);
}

Status TensorStream::ForEachRow(const TensorSpec& spec, const RowFunction& row, const BatchFunction& batch,
                                std::string_view limit) {
  constexpr size_t kRowsATask = 16;
  const SafetensorsTensor& t = checkpoint_.tensor(spec);
  const size_t n_batch = BatchRows(spec.cols);
  std::vector<uint64_t> bad((n_batch + kRowsATask - 1) / kRowsATask);
  for (auto& values : rows_) values.resize(spec.cols);
  for (size_t begin = 0; begin < spec.rows; begin += n_batch) {
    const size_t end = std::min<size_t>(begin + n_batch, spec.rows);
    const size_t n_tasks = (end - begin + kRowsATask - 1) / kRowsATask;
    pool_.ParallelFor(n_tasks, [&](size_t task, size_t thread) {
      const std::span<float> values = rows_[thread];
      bad[task] = kNone;
      const size_t first = begin + task * kRowsATask;
      for (size_t r = first; r < std::min(first + kRowsATask, end); ++r) {
        ReadFloats(t, uint64_t{r} * spec.cols, values);
        std::optional<size_t> at = FindNonFinite(values);
        if (!at) at = row(r, values, thread);
        if (at) {
          bad[task] = uint64_t{r} * spec.cols + *at;
          return;
        }
      }
    });
    for (size_t task = 0; task < n_tasks; ++task) {
      if (bad[task] != kNone) return BadValue(t, bad[task], spec.cols, limit);
    }
    PITH_RETURN_IF_ERROR(batch(begin, end));
    const size_t width = DataTypeBytes(t.type);
    DropPages(t.data.subspan(begin * spec.cols * width, (end - begin) * spec.cols * width));
    PITH_RETURN_IF_ERROR(Advance(t, uint64_t{end - begin} * spec.cols));
  }
  return OkStatus();
}

Status TensorStream::Advance(const SafetensorsTensor& tensor, uint64_t n_elements) {
  done_bytes_ += n_elements * DataTypeBytes(tensor.type);
  if (control_.progress) control_.progress({done_bytes_, checkpoint_.data_bytes(), tensor.name});
  return control_.cancelled && control_.cancelled() ? Cancelled("cancelled") : OkStatus();
}

Status TensorStream::CheckDuplicateHead() {
  if (checkpoint_.duplicate_head() == nullptr) return OkStatus();
  const TensorSpec spec = CanonicalTensors(checkpoint_.config())[0];
  const SafetensorsTensor& embedding = checkpoint_.tensor(spec);
  const SafetensorsTensor& head = *checkpoint_.duplicate_head();
  const size_t n_batch = BatchRows(spec.cols);
  std::vector<float> a;
  std::vector<float> b;
  for (size_t row = 0; row < spec.rows; row += n_batch) {
    const uint64_t first = uint64_t{row} * spec.cols;
    const size_t n = std::min<size_t>(n_batch, spec.rows - row) * spec.cols;
    const size_t width = DataTypeBytes(head.type);
    const ByteSpan head_bytes = head.data.subspan(first * width, n * width);
    const bool same = embedding.type == head.type &&
                      std::memcmp(embedding.data.data() + first * width, head_bytes.data(), n * width) == 0;
    if (!same) {
      a.resize(n);
      b.resize(n);
      ReadFloats(embedding, first, a);
      ReadFloats(head, first, b);
      for (size_t i = 0; i < n; ++i) {
        if (a[i] == b[i]) continue;
        return Corrupt(std::string(head.where) + ": tensor " + Quoted(head.name) + ": row " +
                       std::to_string((first + i) / spec.cols) + ", column " + std::to_string((first + i) % spec.cols) +
                       ": found " + std::to_string(b[i]) + ", expected " + std::to_string(a[i]) + " as in " +
                       Quoted(embedding.name) + ", because config.json says tie_word_embeddings");
      }
    }
    DropPages(head_bytes);
    DropPages(embedding.data.subspan(first * width, n * width));
    PITH_RETURN_IF_ERROR(Advance(head, n));
  }
  return OkStatus();
}

}  // namespace pith
