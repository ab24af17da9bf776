#include "model/kv_cache.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace pith {

size_t KvCache::Capacity(size_t window, size_t max_append) {
  const size_t slack = std::max<size_t>(64, window / 4);
  return kPanelRows + RoundUp(window, kPanelRows) + RoundUp(max_append + slack, kPanelRows) + kPanelRows;
}

size_t KvCache::Bytes(const ModelConfig& config, const AttentionTerms& terms, size_t window, size_t max_append) {
  const size_t slots = Capacity(window, max_append);
  const size_t codes = slots * (PaddedDepth(config.head_dim) + RoundUp(config.head_dim, kPanelRows));
  return config.n_layers * config.n_kv_heads * (terms.key_value * codes + 2 * slots * sizeof(float));
}

KvCache::KvCache(const ModelConfig& config, const AttentionTerms& terms, size_t window, size_t n_sinks,
                 size_t max_append)
    : n_heads_total_(config.n_layers * config.n_kv_heads),
      n_kv_heads_(config.n_kv_heads),
      head_dim_(config.head_dim),
      window_(window),
      n_sinks_(n_sinks),
      planes_(terms.key_value),
      capacity_(Capacity(window, max_append)),
      key_panel_bytes_(kPanelRows * PaddedDepth(config.head_dim)),
      key_plane_bytes_(capacity_ / kPanelRows * key_panel_bytes_),
      value_stride_(capacity_ * kPanelRows),
      value_plane_bytes_(PanelCount(config.head_dim) * value_stride_),
      keys_(n_heads_total_ * planes_ * key_plane_bytes_),
      values_(n_heads_total_ * planes_ * value_plane_bytes_),
      key_scale_(n_heads_total_ * capacity_),
      value_scale_(n_heads_total_ * capacity_) {
  PITH_CHECK(n_sinks <= kMaxSinks && n_sinks < window);
}

void KvCache::Clear() {
  // Old codes may stay: what a query does not see has weight 0.
  length_ = 0;
  origin_ = 0;
  first_panel_ = 1;
}

void KvCache::Truncate(size_t n) {
  PITH_CHECK(n <= length_ && length_ <= window_);
  length_ = n;
}

void KvCache::MovePanels(size_t from, size_t to, size_t n) {
  for (size_t h = 0; h < n_heads_total_; ++h) {
    for (size_t plane = 0; plane < planes_; ++plane) {
      int8_t* keys = keys_.data() + (h * planes_ + plane) * key_plane_bytes_;
      std::memmove(keys + to * key_panel_bytes_, keys + from * key_panel_bytes_, n * key_panel_bytes_);
      int8_t* values = values_.data() + (h * planes_ + plane) * value_plane_bytes_;
      constexpr size_t kPanelSquare = kPanelRows * kPanelRows;  // 16 dims x 16 slots
      for (size_t d = 0; d < PanelCount(head_dim_); ++d, values += value_stride_) {
        std::memmove(values + to * kPanelSquare, values + from * kPanelSquare, n * kPanelSquare);
      }
    }
    for (float* scale : {key_scale_.data() + h * capacity_, value_scale_.data() + h * capacity_}) {
      std::memmove(scale + to * kPanelRows, scale + from * kPanelRows, n * kPanelRows * sizeof(float));
    }
  }
}

void KvCache::Prepare(size_t n) {
  const size_t oldest_seen = length_ + 1 > window_ ? length_ + 1 - window_ : 0;  // by the first new token
  const size_t first = 1 + (oldest_seen - origin_) / kPanelRows;
  if (first != first_panel_) {
    MovePanels(first_panel_ - 1, first - 1, 1);  // the sinks go along
    first_panel_ = first;
  }
  const size_t end_panel = 1 + (length_ + n - origin_ + kPanelRows - 1) / kPanelRows;
  if (end_panel * kPanelRows > capacity_) {
    const size_t used = 1 + (length_ - origin_ + kPanelRows - 1) / kPanelRows;
    const size_t shift = first_panel_ - 1;
    MovePanels(shift, 0, used - shift);
    origin_ += shift * kPanelRows;
    first_panel_ = 1;
    PITH_CHECK((end_panel - shift) * kPanelRows <= capacity_);
  }
}

void KvCache::Store(size_t layer, size_t kv_head, size_t position, const CodeRowsView& key, const CodeRowsView& value) {
  const size_t h = HeadIndex(layer, kv_head);
  const auto store_at = [&](size_t slot) {
    key_scale_[h * capacity_ + slot] = key.scale[0];
    value_scale_[h * capacity_ + slot] = value.scale[0];
    for (size_t plane = 0; plane < planes_; ++plane) {
      const int8_t* k = key.codes + plane * key.stride;
      int8_t* keys = keys_.data() + (h * planes_ + plane) * key_plane_bytes_ + slot / kPanelRows * key_panel_bytes_ +
                     slot % kPanelRows * kPanelDepth;
      // k is zero from head_dim to its stride.
      for (size_t d = 0; d < head_dim_; d += kPanelDepth) std::memcpy(keys + d * kPanelRows, k + d, kPanelDepth);
      const int8_t* v = value.codes + plane * value.stride;
      int8_t* values = values_.data() + (h * planes_ + plane) * value_plane_bytes_ + slot / kPanelDepth * kPanelBytes +
                       slot % kPanelDepth;
      for (size_t d = 0; d < head_dim_; ++d) {
        values[d / kPanelRows * value_stride_ + d % kPanelRows * kPanelDepth] = v[d];
      }
    }
  };
  store_at(kPanelRows + position - origin_);
  if (position < n_sinks_) store_at((first_panel_ - 1) * kPanelRows + position);
}

PanelMatrixView KvCache::Keys(size_t layer, size_t kv_head, size_t n_slots) const {
  const size_t h = HeadIndex(layer, kv_head);
  const int8_t* plane = keys_.data() + h * planes_ * key_plane_bytes_ + (first_panel_ - 1) * key_panel_bytes_;
  return {.rows = n_slots,
          .cols = head_dim_,
          .stride = key_panel_bytes_,
          .plane = plane,
          .low = planes_ == 2 ? plane + key_plane_bytes_ : nullptr,
          .scale = key_scale_.data() + h * capacity_ + (first_panel_ - 1) * kPanelRows};
}

PanelMatrixView KvCache::Values(size_t layer, size_t kv_head, size_t n_slots) const {
  const size_t h = HeadIndex(layer, kv_head);
  const int8_t* plane =
      values_.data() + h * planes_ * value_plane_bytes_ + (first_panel_ - 1) * kPanelRows * kPanelRows;
  return {.rows = head_dim_,
          .cols = n_slots,
          .stride = value_stride_,
          .plane = plane,
          .low = planes_ == 2 ? plane + value_plane_bytes_ : nullptr,
          .scale = nullptr};
}

const float* KvCache::ValueScale(size_t layer, size_t kv_head) const {
  return value_scale_.data() + HeadIndex(layer, kv_head) * capacity_ + (first_panel_ - 1) * kPanelRows;
}

}  // namespace pith
