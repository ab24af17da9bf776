// The report for a terminal: the same numbers as the page has, as tables with bars.
#pragma once

#include <cstddef>
#include <string>

#include "report/results.h"

namespace pith::bench {

// No line is longer than `columns`, which is taken as at least 40 and at most 140. With `colour`, pith's
// codecs and failures are coloured by escape sequences; without `unicode` the report is ASCII, but for names
// of files and codecs.
std::string TerminalReport(const Results& results, size_t columns, bool colour, bool unicode = true);

}  // namespace pith::bench
