// Matmul (contract 5) for the vector tables: splits the work into register tiles and scales their sums.
//
// Include after one lanes_*.h and after
//   struct TileLimits {
//     static constexpr size_t kPanels;                // of the widest tile
//     // Most term rows of a tile of so many panels (1 to kPanels): even, no more for more panels.
//     static constexpr size_t RowsOf(size_t panels);
//     struct Scratch;                                 // memory that Sums wants; not cleared
//     // Panels of a tile, given the term rows of the whole product and its groups of four columns.
//     static size_t PanelsOf(size_t term_rows, size_t n_groups);
//   };
// The including file then defines
//   template <size_t P, size_t kRows, size_t kTerms> void Sums(const TileCall& c, I (&s)[P][kRows * kTerms]);
// Sums gives s[p][t] = the exact product of the sixteen rows of panel p of the tile and its term row t.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "tensor/code_rows.h"
#include "tensor/panel.h"

#define PITH_UNROLL _Pragma("GCC unroll 32")

namespace pith {
namespace {

// Panels of this many bytes are used for all rows of codes before the next: they stay in the second-level
// cache (256 KiB on older Intel, 512 KiB on Zen 2 and 3, 1 MiB on Zen 4), and what follows can be fetched
// meanwhile.
constexpr size_t kWeightBlockBytes = 128 << 10;

// What a tile makes of its sums: results, or for two planes v of the high one, then results from both.
enum class Plane { kOnly, kHigh, kLow };

// P panels times kRows rows of codes.
struct TileCall {
  const int8_t* w;
  size_t w_stride;
  const int8_t* w_ahead;  // panels to prefetch meanwhile, a cache line for each group, in steps of ahead_step
  size_t ahead_step;      // kPanelBytes, or 0 with w_ahead at some line that is at hand
  const float* row_scale;  // of the first row of the tile, or null
  const int8_t* codes;     // first term row of the tile
  size_t code_stride;
  size_t n_groups;  // of four columns
  const float* code_scale;
  const int32_t* code_sum;
  float* out;  // element [first row of the tile's codes, first row of its panels]
  size_t out_stride;
  Plane plane;
  bool first_rows;  // at most one tile has met these weights before
  bool new_codes;   // false when `scratch` still holds what the last tile made of the same codes
  TileLimits::Scratch* scratch;
};

template <size_t P, size_t kRows, size_t kTerms>
PITH_INLINE void Sums(const TileCall& c, I (&s)[P][kRows * kTerms]);

template <size_t P, size_t kRows, size_t kTerms>
void Tile(const TileCall& c) {
  I s[P][kRows * kTerms];
  Sums<P, kRows, kTerms>(c, s);

  F row_scale[P];
  PITH_UNROLL
  for (size_t p = 0; p < P; ++p) {
    row_scale[p] = c.row_scale == nullptr ? Set(1.0f) : Load(c.row_scale + p * kPanelRows);
  }
  const F k128 = Set(128.0f);
  PITH_UNROLL
  for (size_t t = 0; t < kRows; ++t) {
    PITH_UNROLL
    for (size_t p = 0; p < P; ++p) {
      float* out = c.out + t * c.out_stride + p * kPanelRows;
      F v = ToFloat(s[p][t * kTerms]);
      if constexpr (kTerms == 2) v = Add(Mul(v, k128), ToFloat(s[p][t * kTerms + 1]));
      // The high plane's v waits in `out` itself, so that a tile needs no memory of its own.
      if (c.plane == Plane::kLow) v = Add(Mul(Load(out), k128), v);
      if (c.plane != Plane::kHigh) v = Mul(v, Mul(row_scale[p], Set(c.code_scale[t])));
      Store(out, v);
    }
  }
}

using TileFunction = void (*)(const TileCall&);

// Tile functions of P panels for every number of rows.
template <size_t P, size_t kTerms, size_t... kRows>
TileFunction TileOfRows(size_t n_rows, std::index_sequence<kRows...>) {
  static constexpr TileFunction kTiles[] = {Tile<P, kRows + 1, kTerms>...};
  return kTiles[n_rows - 1];
}

template <size_t P>
TileFunction FindTile(size_t n_panels, size_t n_rows, size_t terms) {
  if (n_panels != P) {
    if constexpr (P > 1) return FindTile<P - 1>(n_panels, n_rows, terms);
    __builtin_trap();
  }
  constexpr size_t kTermRows = TileLimits::RowsOf(P);
  if (terms == 1) return TileOfRows<P, 1>(n_rows, std::make_index_sequence<kTermRows>());
  return TileOfRows<P, 2>(n_rows, std::make_index_sequence<kTermRows / 2>());
}

// All rows of codes times panels [begin, end), few enough to stay in cache. Panels up to `limit` come next.
void MatmulBlock(const CodeRowsView& a, const PanelMatrixView& w, size_t begin, size_t end, size_t limit,
                 size_t panels_a_tile, TileCall* c) {
  const size_t terms = static_cast<size_t>(a.terms);
  const size_t max_rows = TileLimits::RowsOf(panels_a_tile) / terms;
  // Tiles of nearly equal height: 13 rows run as 7 + 6, not 12 + 1, which would read the weights for little.
  const size_t n_tiles = (a.rows + max_rows - 1) / max_rows;
  float* const out = c->out;
  size_t t = 0;
  for (size_t i = 0; i < n_tiles; ++i) {
    const size_t n_rows = a.rows / n_tiles + (i < a.rows % n_tiles ? 1 : 0);
    c->codes = a.codes + t * terms * a.stride;
    c->code_scale = a.scale + t;
    c->code_sum = a.sum + t * terms;
    c->first_rows = i < 2;
    c->new_codes = true;
    for (size_t p = begin; p < end;) {
      const size_t n_panels = end - p < panels_a_tile ? end - p : panels_a_tile;
      const TileFunction tile = FindTile<TileLimits::kPanels>(n_panels, n_rows, terms);
      c->out = out + t * c->out_stride + p * kPanelRows;
      c->row_scale = w.scale == nullptr ? nullptr : w.scale + p * kPanelRows;
      c->w = w.plane + p * w.stride;
      c->plane = w.low == nullptr ? Plane::kOnly : Plane::kHigh;
      // The last row of tiles fetches the next block, panel by panel. (Spreading this over all rows of tiles
      // gains nothing.)
      const bool fetch = i + 1 == n_tiles && w.low == nullptr && p + (end - begin) + n_panels <= limit;
      c->w_ahead = fetch ? c->w + (end - begin) * w.stride : c->w;
      c->ahead_step = fetch ? kPanelBytes : 0;
      tile(*c);
      c->new_codes = false;
      if (w.low != nullptr) {
        c->w = w.low + p * w.stride;
        c->plane = Plane::kLow;
        tile(*c);
      }
      p += n_panels;
    }
    t += n_rows;
  }
  c->out = out;
}

void Matmul(const CodeRowsView& a, const PanelMatrixView& w, size_t panel_begin, size_t panel_end, float* out,
            size_t out_stride) {
  TileLimits::Scratch scratch;
  TileCall c;
  c.w_stride = w.stride;
  c.code_stride = a.stride;
  c.n_groups = (a.cols + kPanelDepth - 1) / kPanelDepth;
  c.out = out;
  c.out_stride = out_stride;
  c.scratch = &scratch;
  const size_t panels_a_tile = TileLimits::PanelsOf(a.rows * static_cast<size_t>(a.terms), c.n_groups);
  const size_t fitting = kWeightBlockBytes / ((c.n_groups + 1) * kPanelBytes) / panels_a_tile * panels_a_tile;
  const size_t block = fitting == 0 ? panels_a_tile : fitting;
  for (size_t begin = panel_begin; begin < panel_end; begin += block) {
    const size_t end = panel_end - begin < block ? panel_end : begin + block;
    MatmulBlock(a, w, begin, end, panel_end, panels_a_tile, &c);
  }
}

}  // namespace
}  // namespace pith
