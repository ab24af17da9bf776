// Pieces of the page's HTML that its parts share: texts of others made safe, cells, tables.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "report/results.h"

namespace pith::bench {

inline constexpr size_t kMaxLineColumns = 2000;  // of a command and the like
inline constexpr size_t kMaxCodecNameColumns = 60;
inline constexpr const char* kNone = "–";

// Text of others, for a place in the page: visible, cut, escaped.
std::string Safe(const std::string& text, size_t columns = kMaxLineColumns);

std::string CodecName(const Results& results, size_t codec);  // safe

// A name or number with its unit stays on one line: "zstd -19", "3.40 MB".
std::string Unbroken(std::string html);

// The head of a row: pith's own codecs stand out. Leaves <tr> open.
std::string RowHead(const Results& results, size_t codec);

std::string Cell(const std::string& html);  // of a number

std::string SpeedOrNone(const std::optional<double>& speed);
std::string MemoryOrNone(uint64_t bytes);

// Tables scroll in their own container, which the keyboard must reach to scroll it. Rows go between the two.
std::string OpenTable(const std::string& caption, const std::vector<std::string>& heads);
std::string CloseTable();

}  // namespace pith::bench
