// The figures of the page: what a summary says, as charts with captions. HTML, escaped.
#pragma once

#include <string>

#include "report/summary.h"

namespace pith::bench {

std::string TypePanels(const Results& results, const Summary& summary);    // all files first, then each type
std::string SpeedFigures(const Results& results, const Summary& summary);  // compress, decompress
std::string MemoryFigure(const Results& results, const Summary& summary);
std::string SizeFigures(const Results& results,
                        const Summary& summary);  // shares and speeds by size of the file

}  // namespace pith::bench
