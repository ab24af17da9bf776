// The per-file table of the page as compact JSON, which the page's script turns into rows.
#pragma once

#include <string>

#include "report/results.h"

namespace pith::bench {

inline constexpr size_t kMaxPageRows = 50'000;     // about 2.5 MB; failures and first files first
inline constexpr size_t kMaxPathColumns = 160;     // of a path; its middle is left out
inline constexpr size_t kMaxMessageColumns = 300;  // of an error

struct PageData {
  // {"codecs":[[name, is_pith]...], "types":[label...], "files":[[path, type, bytes, slice, rows |
  // "error"]...]} rows: [[codec, compressed bytes, compress s, decompress s, spread % of each, compress KB,
  // decompress KB]
  //        | [codec, "error"]...]
  // Safe inside <script type="application/json">: no "<" and no "&".
  std::string json;
  size_t n_rows = 0;
  size_t n_left_out = 0;  // rows beyond the limit
};
PageData MakePageData(const Results& results, size_t max_rows = kMaxPageRows);

}  // namespace pith::bench
