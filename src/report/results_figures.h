// Figures of results.json in Markdown files: README.md shows what was measured, because a program put it there.
//
// A region is everything between two lines that hold nothing else, outside of fenced code:
//   <!-- results: KIND -->
//   <!-- end results -->
// KIND is
//   files     a row for each file: its bytes; zstd -19, xz -9e and pith; bits per byte, share of zstd's size, speeds;
//             "files NAME NAME" shows only these, which are paths or what follows a slash in one, in this order
//   types     a row for each type of file: sums, and the mean of the files' shares
//   levels    a row for each codec over all files: bytes, share of the original, speeds, memory
//   sentence  one sentence over all files
// pith is "pith -6", else the first of pith's codecs. Speeds are of the whole process, from the median of the repeats.
#pragma once

#include <string>
#include <string_view>

#include "report/results.h"
#include "pith/status.h"

namespace pith::bench {

// Whether there is a region, whole or not.
bool HasFigures(std::string_view markdown);

// The text with every region filled. `name` is for messages. kCorrupt with the line of a region without end, an end
// without region, or an unknown kind; kInvalidArgument where the results do not have what a region shows: an
// interrupted measurement, a codec that is missing, a row that is missing or failed.
Result<std::string> FillFigures(std::string_view markdown, const Results& results, const std::string& name);

// The lines that differ, "-" before and "+" after, each with its number; empty where none does.
std::string LineDifferences(std::string_view before, std::string_view after, const std::string& name);

}  // namespace pith::bench
