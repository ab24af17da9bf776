#include "convert/weight_packer.h"

#include <algorithm>
#include <utility>

#include "base/aligned_buffer.h"
#include "convert/quantize.h"

namespace pith {

WeightPacker::WeightPacker(const ModelConfig& config, const ActivationTerms& terms, ThreadPool& pool)
    : pool_(pool), values_(pool.n_threads()), rows_(pool.n_threads()) {
  weights_.config = config;
  weights_.terms = terms;
  weights_.layers.resize(config.n_layers);
}

Status WeightPacker::AddMatrix(const TensorSpec& spec, const std::string& name, const RowFunction& row) {
  const size_t cols = spec.cols;
  const size_t panel_bytes = PaddedDepth(cols) * kPanelRows;
  AlignedBuffer<int8_t> plane(PanelMatrixBytes(spec.rows, cols));
  AlignedBuffer<float> scales(PanelCount(spec.rows) * kPanelRows);
  std::vector<uint8_t> bad(PanelCount(spec.rows));
  pool_.ParallelFor(PanelCount(spec.rows), [&](size_t p, size_t thread) {
    values_[thread].resize(cols);
    rows_[thread].resize(kPanelRows * cols);
    const size_t first = p * kPanelRows;
    const size_t n = std::min<size_t>(kPanelRows, spec.rows - first);
    for (size_t r = 0; r < n; ++r) {
      if (!row(first + r, values_[thread], rows_[thread].data() + r * cols, &scales[first + r])) bad[p] = 1;
    }
    PackPanel(rows_[thread].data(), n, cols, plane.data() + p * panel_bytes);
  });
  if (std::any_of(bad.begin(), bad.end(), [](uint8_t b) { return b != 0; })) {
    return Corrupt(name + ": values that are not finite");
  }
  *SlotOf(weights_, spec).matrix = {spec.rows, cols, panel_bytes, plane.data(), nullptr, scales.data()};
  memory_.planes.push_back(std::move(plane));
  memory_.floats.push_back(std::move(scales));
  return OkStatus();
}

Status WeightPacker::AddNorm(const TensorSpec& spec, const std::string& name,
                             const std::function<void(std::span<float>)>& read) {
  AlignedBuffer<float> norm(spec.cols);
  read(norm.span());
  if (FindNonFinite(norm.span())) return Corrupt(name + ": values that are not finite");
  *SlotOf(weights_, spec).norm = norm.data();
  memory_.floats.push_back(std::move(norm));
  return OkStatus();
}

std::unique_ptr<Package> WeightPacker::Finish(Bytes tokenizer, const std::string& name, TokenId start_token,
                                              uint64_t size_bytes) {
  if (weights_.config.tied_head) weights_.head = weights_.embedding;
  const Fingerprint fingerprint = CanonicalFingerprint(weights_, start_token, tokenizer);
  memory_.tokenizer = std::move(tokenizer);
  return Package::FromWeights(std::move(weights_), std::move(memory_), name, start_token, fingerprint, size_bytes);
}

}  // namespace pith
