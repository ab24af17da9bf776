// Numbers for people, in the words of the report: three significant digits, decimal units (1 KB = 1000
// bytes), and never by the locale.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "report/results.h"

namespace pith::bench {

std::string FixedText(double value, int decimals);  // "0.50"
std::string ThreeDigits(double value);              // "0.0452", "8.92", "1234", "1.84e+21"; infinity: a dash
std::string BytesText(double bytes);                // "1 byte", "318 KB", "1.28 MB"
std::string SpeedText(double bytes_per_second);     // "96.0 KB/s"
std::string ShareText(double share);                // "8.92 %"
std::string WholeText(uint64_t number);             // "1,234,567"
std::string SliceText(uint64_t bytes);              // "4 KiB": slices are given in powers of two
std::string CountText(size_t n, std::string_view one);  // "1 file", "3 files"

// "a", "a and b", "a, b and c".
std::string ListText(const std::vector<std::string>& items);

const char* FileTypeLabel(FileType type);  // "source code", where FileTypeName is for programs

}  // namespace pith::bench
