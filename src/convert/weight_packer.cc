#include "convert/weight_packer.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "base/check.h"
#include "base/file.h"
#include "base/pages.h"
#include "convert/quantize.h"

namespace pith {
namespace {

constexpr size_t kFloatsAlignment = kCacheLine / sizeof(float);

constexpr size_t kTaskBytes = size_t{64} << 10;  // packed by one thread at a time: 16 pages
constexpr size_t kHashPiece = size_t{4} << 20;

size_t CodesOf(const TensorSpec& spec) {
  return spec.is_matrix() ? PanelMatrixBytes(spec.rows, spec.cols) : 0;
}
size_t FloatsOf(const TensorSpec& spec) {
  return RoundUp(spec.is_matrix() ? PanelCount(spec.rows) * kPanelRows : spec.cols, kFloatsAlignment);
}

// What the codes of some rows are like. One pass of plain byte operations, which compilers do 16 at a time.
struct CodesSeen {
  bool any = false;     // one that is not 0
  bool lowest = false;  // -128
};
CodesSeen LookAt(const int8_t* codes, size_t n) {
  unsigned char any = 0;
  unsigned char lowest = 0;
  for (size_t i = 0; i < n; ++i) {
    any |= static_cast<unsigned char>(codes[i]);
    lowest |= static_cast<unsigned char>(codes[i] == -128);
  }
  return {any != 0, lowest != 0};
}

ByteSpan BytesOf(std::span<const int8_t> codes) {
  return {reinterpret_cast<const uint8_t*>(codes.data()), codes.size()};
}

}  // namespace

WeightPacker::WeightPacker(const ModelConfig& config, const ActivationTerms& terms, ThreadPool& pool)
    : pool_(pool), specs_(CanonicalTensors(config)), places_(specs_.size()), scratch_(pool.n_threads()) {
  weights_.config = config;
  weights_.terms = terms;
  weights_.layers.resize(config.n_layers);
  size_t n_codes = 0;
  size_t n_floats = 0;
  for (size_t i = 0; i < specs_.size(); ++i) {
    places_[i].codes = n_codes;
    places_[i].floats = n_floats;
    n_codes += CodesOf(specs_[i]);  // whole panels: multiples of 64
    n_floats += FloatsOf(specs_[i]);
  }
  codes_ = AlignedBuffer<int8_t>(n_codes);
  floats_ = AlignedBuffer<float>(n_floats);
}

WeightPacker::Place& WeightPacker::NextPlace(const TensorSpec& spec) {
  PITH_CHECK(n_added_ < specs_.size());  // this thread alone changes it
  const TensorSpec& next = specs_[n_added_];
  PITH_CHECK(next.role == spec.role && next.layer == spec.layer && next.rows == spec.rows &&
             next.cols == spec.cols);
  return places_[n_added_];
}

void WeightPacker::TensorIsThere() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    ++n_added_;
  }
  more_.notify_one();
}

void WeightPacker::Abandon() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    abandoned_ = true;
  }
  more_.notify_one();
}

Status WeightPacker::AddPanels(const TensorSpec& spec, const std::string& name,
                               const std::function<bool(size_t p, size_t n_rows, Scratch& scratch,
                                                        int8_t* panel, float* scales)>& panel) {
  const size_t panel_bytes = PaddedDepth(spec.cols) * kPanelRows;
  const Place& place = NextPlace(spec);
  int8_t* const plane = codes_.data() + place.codes;
  float* const scales = floats_.data() + place.floats;
  const size_t n_panels = PanelCount(spec.rows);
  const size_t n_a_task = std::max<size_t>(1, kTaskBytes / panel_bytes);
  std::atomic<bool> finite{true};
  pool_.ParallelFor((n_panels + n_a_task - 1) / n_a_task, [&](size_t task, size_t thread) {
    const size_t begin = task * n_a_task;
    const size_t end = std::min(begin + n_a_task, n_panels);
    TouchPages(plane + begin * panel_bytes, (end - begin) * panel_bytes);
    Scratch& scratch = scratch_[thread];
    scratch.values.resize(spec.cols);
    scratch.rows.resize(kPanelRows * spec.cols);
    for (size_t p = begin; p < end; ++p) {
      const size_t n_rows = std::min(kPanelRows, spec.rows - p * kPanelRows);
      if (!panel(p, n_rows, scratch, plane + p * panel_bytes, scales + p * kPanelRows)) finite.store(false);
    }
  });
  if (!finite.load()) return Corrupt(name + ": values that are not finite");
  *SlotOf(weights_, spec).matrix = {spec.rows, spec.cols, panel_bytes, plane, nullptr, scales};
  return OkStatus();
}

Status WeightPacker::AddMatrix(const TensorSpec& spec, const std::string& name, const RowFunction& row) {
  const size_t cols = spec.cols;
  PITH_RETURN_IF_ERROR(
      AddPanels(spec, name, [&](size_t p, size_t n_rows, Scratch& scratch, int8_t* panel, float* scales) {
        for (size_t r = 0; r < n_rows; ++r) {
          if (!row(p * kPanelRows + r, scratch.values, scratch.rows.data() + r * cols, scales + r))
            return false;
        }
        PackPanel(scratch.rows.data(), n_rows, cols, panel);
        return true;
      }));
  TensorIsThere();
  return OkStatus();
}

Status WeightPacker::AddInt8Matrix(const TensorSpec& spec, const std::string& name,
                                   std::span<const int8_t> codes, std::span<const float> scales,
                                   bool mapped) {
  const size_t cols = spec.cols;
  PITH_CHECK(codes.size() == spec.n_elements() && scales.size() == spec.rows);
  std::atomic<bool> canonical{true};
  PITH_RETURN_IF_ERROR(AddPanels(
      spec, name, [&](size_t p, size_t n_rows, Scratch& scratch, int8_t* panel, float* panel_scales) {
        const int8_t* const rows = codes.data() + p * kPanelRows * cols;
        bool lowest = false;
        for (size_t r = 0; r < n_rows; ++r) {
          const CodesSeen seen = LookAt(rows + r * cols, cols);
          lowest = lowest || seen.lowest;
          panel_scales[r] = seen.any ? scales[p * kPanelRows + r] : 0;
        }
        if (!lowest) {
          PackPanel(rows, n_rows, cols, panel);
          return true;
        }
        canonical.store(false);
        std::copy_n(rows, n_rows * cols, scratch.rows.data());
        for (size_t r = 0; r < n_rows; ++r) {
          int8_t* const row = scratch.rows.data() + r * cols;
          if (!LookAt(row, cols).lowest) continue;
          for (size_t i = 0; i < cols; ++i) scratch.values[i] = panel_scales[r] * static_cast<float>(row[i]);
          if (FindNonFinite(scratch.values)) return false;
          panel_scales[r] = QuantizeRow(scratch.values, row);
        }
        PackPanel(scratch.rows.data(), n_rows, cols, panel);
        return true;
      }));
  if (canonical.load()) {
    Place& place = NextPlace(spec);
    place.canonical = codes;
    place.mapped = mapped;
  }
  if (mapped) DropPages(BytesOf(codes));
  TensorIsThere();
  return OkStatus();
}

Status WeightPacker::AddNorm(const TensorSpec& spec, const std::string& name,
                             const std::function<void(std::span<float>)>& read) {
  const std::span<float> norm = floats_.span().subspan(NextPlace(spec).floats, spec.cols);
  read(norm);
  if (FindNonFinite(norm)) return Corrupt(name + ": values that are not finite");
  *SlotOf(weights_, spec).norm = norm.data();
  TensorIsThere();
  return OkStatus();
}

void WeightPacker::HashMatrix(size_t i, CanonicalHasher& hasher) {
  const Place& place = places_[i];
  if (!place.canonical.empty()) {
    // In pieces, so that what is mapped once more does not add up.
    for (std::span rest = place.canonical; !rest.empty();) {
      const auto piece = rest.first(std::min(rest.size(), kHashPiece));
      hasher.AddCodes(piece);
      if (place.mapped) DropPages(BytesOf(piece));
      rest = rest.subspan(piece.size());
    }
    return;
  }
  const PanelMatrixView& m = *SlotOf(weights_, specs_[i]).matrix;
  std::vector<int8_t> rows(kPanelRows * m.cols);
  for (size_t p = 0; p < m.n_panels(); ++p) {
    const size_t n_rows = std::min(kPanelRows, m.rows - p * kPanelRows);
    UnpackPanel(m.panel(p), n_rows, m.cols, rows.data());
    hasher.AddCodes(std::span(rows).first(n_rows * m.cols));
  }
}

// As CanonicalFingerprint, which takes whole models, in packed memory alone.
Status WeightPacker::Hash(TokenId start_token, ByteSpan tokenizer) {
  const ModelDescription description{weights_.config, weights_.terms, start_token};
  PITH_RETURN_IF_ERROR(ValidateDescription(description));
  CanonicalHasher hasher(description, tokenizer);
  for (size_t i = 0; i < specs_.size(); ++i) {
    {
      std::unique_lock<std::mutex> lock(mutex_);
      more_.wait(lock, [&] { return abandoned_ || n_added_ > i; });
      if (n_added_ <= i) return OkStatus();
    }
    const bool is_matrix = specs_[i].is_matrix();
    if (is_matrix) HashMatrix(i, hasher);
    hasher.AddFloats(floats_.span().subspan(places_[i].floats, is_matrix ? specs_[i].rows : specs_[i].cols));
  }
  fingerprint_ = hasher.Digest();
  return OkStatus();
}

std::unique_ptr<Package> WeightPacker::Finish(Bytes tokenizer, const std::string& name, TokenId start_token,
                                              uint64_t size_bytes) {
  PITH_CHECK(fingerprint_);
  if (weights_.config.tied_head) weights_.head = weights_.embedding;
  PackageMemory memory;
  memory.planes.push_back(std::move(codes_));
  memory.floats.push_back(std::move(floats_));
  memory.tokenizer = std::move(tokenizer);
  return Package::FromWeights(std::move(weights_), std::move(memory), name, start_token, *fingerprint_,
                              size_bytes);
}

}  // namespace pith
