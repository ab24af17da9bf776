// Results that nobody measured, for tests of the reports: made by formulas, the same at every call.
#pragma once

#include "report/results.h"

namespace pith::bench {

// 24 files of all types, eight codecs, slices and an engine; plausible numbers; nothing failed.
Results SampleResults();

// The same with what can go wrong: unreadable files, failed round trips, a codec that completes nothing,
// interrupted.
Results FailingResults();

// `n_files` files by `n_codecs` codecs, with long paths.
Results ManyResults(size_t n_files, size_t n_codecs);

// Names and messages that would break a page which did not escape them.
Results HostileResults();

// The largest and smallest numbers that a file of results can hold.
Results ExtremeResults();

// One file, one codec without a model.
Results OneFileResults();

}  // namespace pith::bench
