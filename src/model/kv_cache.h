// KvCache: quantised keys and values of one stream, for the tokens that may still be seen (numeric_contract.md section 7).
//
// Keys lie as a panel matrix [slot, head_dim], values as one [head_dim, slot], so that scores and weighted sums are
// the same products as those with weights. Sixteen slots make a panel. The token at position p lies in slot
// 16 + p - origin, origin a multiple of 16, so that slot mod 16 = position mod 16. The sinks (positions 0 .. n_sinks - 1)
// lie once more in the panel right before the first panel that is still seen: what a query sees is one run of panels.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/aligned_buffer.h"
#include "model/weights.h"
#include "tensor/code_rows.h"
#include "tensor/panel.h"

namespace pith {

inline constexpr size_t kMaxSinks = 16;

class KvCache {
 public:
  // Room for `window` tokens and passes of up to max_append tokens.
  KvCache(const ModelConfig& config, const AttentionTerms& terms, size_t window, size_t n_sinks, size_t max_append);

  size_t length() const { return length_; }  // tokens so far
  void Clear();                              // forgets them
  // Forgets all but the first n tokens. REQUIRES: n <= length() <= window: nothing has left the window yet.
  void Truncate(size_t n);

  // Makes room for n more tokens (n <= max_append), moving what is still seen if need be. Positions
  // length() .. length() + n - 1 can then be stored; Advance(n) makes them part of the stream.
  void Prepare(size_t n);
  void Advance(size_t n) { length_ += n; }

  // Stores token `position`'s key and value of one kv head; one row of codes each.
  // Distinct positions or heads may be stored from several threads.
  void Store(size_t layer, size_t kv_head, size_t position, const CodeRowsView& key, const CodeRowsView& value);

  // What the prepared pass sees: `n_slots` slots (a multiple of 16), the first 16 of which are the sinks, the others
  // positions first_position, first_position + 1, ... in order.
  size_t first_position() const { return origin_ + (first_panel_ - 1) * kPanelRows; }
  size_t n_slots(size_t last_position) const {
    return kPanelRows + RoundUp(last_position + 1 - first_position(), kPanelRows);
  }
  PanelMatrixView Keys(size_t layer, size_t kv_head, size_t n_slots) const;    // [n_slots, head_dim]
  PanelMatrixView Values(size_t layer, size_t kv_head, size_t n_slots) const;  // [head_dim, n_slots], scale in ValueScale
  const float* ValueScale(size_t layer, size_t kv_head) const;                 // [n_slots]

  static size_t Bytes(const ModelConfig& config, const AttentionTerms& terms, size_t window, size_t max_append);

 private:
  // Capacity in slots: sinks, window, one pass, and slack so that moving is rare.
  static size_t Capacity(size_t window, size_t max_append);

  size_t HeadIndex(size_t layer, size_t kv_head) const { return layer * n_kv_heads_ + kv_head; }
  void MovePanels(size_t from, size_t to, size_t n);

  size_t n_heads_total_;  // n_layers * n_kv_heads
  size_t n_kv_heads_;
  size_t head_dim_;
  size_t window_;
  size_t n_sinks_;
  size_t planes_;
  size_t capacity_;
  size_t key_panel_bytes_;    // one panel of keys, one plane
  size_t key_plane_bytes_;    // all panels of one head, one plane
  size_t value_stride_;       // bytes from one panel of 16 dims to the next
  size_t value_plane_bytes_;

  size_t length_ = 0;
  size_t origin_ = 0;
  size_t first_panel_ = 1;  // first panel that the prepared pass sees; the sinks lie in the panel before

  // [layer, kv_head, plane, ...]
  AlignedBuffer<int8_t> keys_;
  AlignedBuffer<int8_t> values_;
  AlignedBuffer<float> key_scale_;    // [layer, kv_head, slot]
  AlignedBuffer<float> value_scale_;  // [layer, kv_head, slot]
};

}  // namespace pith
