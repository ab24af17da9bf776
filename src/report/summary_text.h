// The summary in plain English: what a reader should know who reads nothing else. Visible text, not escaped
// for HTML.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "report/summary.h"

namespace pith::bench {

// Whom the words are about, by position in Summary::total; all absent where nothing could be compared.
struct Protagonists {
  const Totals* subject =
      nullptr;  // pith at its default level if measured, else its smallest, else the smallest codec
  const Totals* best_pith = nullptr;  // smallest pith codec; nullptr: none
  std::vector<const Totals*>
      references;  // zstd -19 and xz -9e if compared, else the smallest without pith; 0 to 2
};

// Borrows from `summary`.
Protagonists ChooseProtagonists(const Results& results, const Summary& summary);

// How small, at which cost, and when it is worth it.
std::array<std::string, 3> SummarySentences(const Results& results, const Summary& summary);

// What else must be known to read the numbers right, a sentence each: an interrupted run, failures, files
// left out.
std::vector<std::string> SummaryNotes(const Results& results, const Summary& summary);

// "13 files, 9.31 MB".
std::string FilesText(const Summary& summary);

}  // namespace pith::bench
