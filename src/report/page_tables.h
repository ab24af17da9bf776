// The tables of the page: what a summary says, in numbers. HTML, escaped.
#pragma once

#include <string>

#include "report/summary.h"
#include "report/summary_text.h"

namespace pith::bench {

std::string CodecTable(const Results& results, const Summary& summary, const Protagonists& who);
std::string BreakEvenTable(const Results& results,
                           const Summary& summary);  // every model against every codec
std::string TypeTable(const Results& results, const Summary& summary);
std::string SpeedTable(const Results& results,
                       const Summary& summary);  // whole process, inside, processor time
std::string SizeTable(const Results& results, const Summary& summary);  // slices, with streams
std::string EngineTable(const EngineResults& engine);
std::string CommandTable(const Results& results);

// "52.3 MB", "never"; a dash where `codec` has no model.
std::string BreakEvenText(const Summary& summary, size_t codec, size_t other);

}  // namespace pith::bench
