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
constexpr size_t kHashPanels = 64;  // panels that are unpacked while those before them are hashed: 1 MB for 1,024 columns

constexpr size_t kTaskBytes = size_t{64} << 10;  // packed by one thread at a time: 16 pages
constexpr size_t kHashPiece = size_t{4} << 20;

size_t CodesOf(const TensorSpec& spec) { return spec.is_matrix() ? PanelMatrixBytes(spec.rows, spec.cols) : 0; }
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

ByteSpan BytesOf(std::span<const int8_t> codes) { return {reinterpret_cast<const uint8_t*>(codes.data()), codes.size()}; }

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

WeightPacker::Place& WeightPacker::PlaceOf(const TensorSpec& spec) {
  const auto same = [&](const TensorSpec& s) { return s.role == spec.role && s.layer == spec.layer; };
  const auto found = std::find_if(specs_.begin(), specs_.end(), same);
  PITH_CHECK(found != specs_.end() && found->rows == spec.rows && found->cols == spec.cols);
  return places_[static_cast<size_t>(found - specs_.begin())];
}

Status WeightPacker::AddPanels(
    const TensorSpec& spec, const std::string& name,
    const std::function<bool(size_t p, size_t n_rows, Scratch& scratch, int8_t* panel, float* scales)>& panel) {
  const size_t panel_bytes = PaddedDepth(spec.cols) * kPanelRows;
  const Place& place = PlaceOf(spec);
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
  return AddPanels(spec, name, [&](size_t p, size_t n_rows, Scratch& scratch, int8_t* panel, float* scales) {
    for (size_t r = 0; r < n_rows; ++r) {
      if (!row(p * kPanelRows + r, scratch.values, scratch.rows.data() + r * cols, scales + r)) return false;
    }
    PackPanel(scratch.rows.data(), n_rows, cols, panel);
    return true;
  });
}

Status WeightPacker::AddInt8Matrix(const TensorSpec& spec, const std::string& name, std::span<const int8_t> codes,
                                   std::span<const float> scales, bool mapped) {
  const size_t cols = spec.cols;
  PITH_CHECK(codes.size() == spec.n_elements() && scales.size() == spec.rows);
  std::atomic<bool> canonical{true};
  PITH_RETURN_IF_ERROR(
      AddPanels(spec, name, [&](size_t p, size_t n_rows, Scratch& scratch, int8_t* panel, float* panel_scales) {
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
  Place& place = PlaceOf(spec);
  place.mapped = mapped;
  if (canonical.load()) place.canonical = codes;
  if (mapped) DropPages(BytesOf(codes));
  return OkStatus();
}

Status WeightPacker::AddNorm(const TensorSpec& spec, const std::string& name,
                             const std::function<void(std::span<float>)>& read) {
  const std::span<float> norm = floats_.span().subspan(PlaceOf(spec).floats, spec.cols);
  read(norm);
  if (FindNonFinite(norm)) return Corrupt(name + ": values that are not finite");
  *SlotOf(weights_, spec).norm = norm.data();
  return OkStatus();
}

// The codes of a packed matrix in the order of rows: unpacked on all threads, and hashed by one of them meanwhile.
void WeightPacker::HashPacked(const PanelMatrixView& m, CanonicalHasher& hasher) {
  const size_t panel_codes = kPanelRows * m.cols;
  std::vector<int8_t> blocks[2];  // one is filled while the other is hashed
  for (auto& block : blocks) block.resize(std::min(kHashPanels, m.n_panels()) * panel_codes);
  size_t n_ready = 0;  // rows in the block before
  for (size_t begin = 0; begin < m.n_panels() || n_ready > 0; begin += kHashPanels) {
    std::vector<int8_t>& filled = blocks[begin / kHashPanels % 2];
    const std::vector<int8_t>& ready = blocks[(begin / kHashPanels + 1) % 2];
    const size_t n_panels = begin < m.n_panels() ? std::min(kHashPanels, m.n_panels() - begin) : 0;
    // First the hash: it is the longest task.
    pool_.ParallelFor(1 + n_panels, [&](size_t task, size_t) {
      if (task == 0) return hasher.AddCodes(std::span(ready).first(n_ready * m.cols));
      const size_t p = begin + task - 1;
      UnpackPanel(m.panel(p), std::min(kPanelRows, m.rows - p * kPanelRows), m.cols, filled.data() + (task - 1) * panel_codes);
    });
    n_ready = n_panels == 0 ? 0 : std::min(kHashPanels * kPanelRows, m.rows - begin * kPanelRows);
  }
}

// As CanonicalFingerprint, which reads packed memory alone.
Fingerprint WeightPacker::HashContent(TokenId start_token, ByteSpan tokenizer) {
  CanonicalHasher hasher({weights_.config, weights_.terms, start_token}, tokenizer);
  for (size_t i = 0; i < specs_.size(); ++i) {
    const TensorSlot slot = SlotOf(weights_, specs_[i]);
    const bool is_matrix = slot.matrix != nullptr;
    if (is_matrix && !places_[i].canonical.empty()) {
      // In pieces, so that what is mapped once more does not add up.
      for (std::span rest = places_[i].canonical; !rest.empty();) {
        const auto piece = rest.first(std::min(rest.size(), kHashPiece));
        hasher.AddCodes(piece);
        if (places_[i].mapped) DropPages(BytesOf(piece));
        rest = rest.subspan(piece.size());
      }
    } else if (is_matrix) {
      HashPacked(*slot.matrix, hasher);
    }
    hasher.AddFloats(floats_.span().subspan(places_[i].floats, is_matrix ? specs_[i].rows : specs_[i].cols));
  }
  return hasher.Digest();
}

std::unique_ptr<Package> WeightPacker::Finish(Bytes tokenizer, const std::string& name, TokenId start_token,
                                              uint64_t size_bytes) {
  const Fingerprint fingerprint = HashContent(start_token, tokenizer);
  if (weights_.config.tied_head) weights_.head = weights_.embedding;
  PackageMemory memory;
  memory.planes.push_back(std::move(codes_));
  memory.floats.push_back(std::move(floats_));
  memory.tokenizer = std::move(tokenizer);
  return Package::FromWeights(std::move(weights_), std::move(memory), name, start_token, fingerprint, size_bytes);
}

}  // namespace pith
