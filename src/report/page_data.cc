#include "report/page_data.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "report/number_text.h"
#include "report/page_html.h"
#include "report/summary.h"
#include "report/visible_text.h"

namespace pith::bench {
namespace {

// `visible` has no controls; "<" and "&" as escapes, so that no text ends or opens an element.
std::string Quoted(const std::string& visible) {
  std::string out = "\"";
  for (const char c : visible) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '<':
        out += "\\u003c";
        break;
      case '>':
        out += "\\u003e";
        break;
      case '&':
        out += "\\u0026";
        break;
      default:
        out += c;
    }
  }
  return out + "\"";
}

// Four digits are more than a clock is worth.
std::string Number(double value) {
  char text[40];
  const auto [end, error] = std::to_chars(text, text + sizeof text, value, std::chars_format::general, 4);
  return error == std::errc() ? std::string(text, end) : std::string("0");
}

// Half the range of the repeats, in % of the median.
std::string SpreadPercent(const Spread& spread) {
  if (spread.median <= 0) return "0";
  const double percent = 50 * (spread.max - spread.min) / spread.median;
  return Number(percent < 10 ? std::round(10 * percent) / 10 : std::round(percent));
}

std::string Kilobytes(uint64_t bytes) { return std::to_string(bytes / 1000 + (bytes % 1000 >= 500 ? 1 : 0)); }

std::string RowJson(const Row& row) {
  const std::string codec = "[" + std::to_string(row.codec) + ",";
  if (!row.error.empty() || !row.compress || !row.decompress) {
    const std::string error = row.error.empty() ? "not completed" : row.error;
    return codec + Quoted(CutText(VisibleText(error), kMaxMessageColumns)) + "]";
  }
  return codec + std::to_string(row.compressed_bytes) + "," + Number(row.compress->seconds.median) + "," +
         Number(row.decompress->seconds.median) + "," + SpreadPercent(row.compress->seconds) + "," +
         SpreadPercent(row.decompress->seconds) + "," + Kilobytes(row.compress->peak_bytes) + "," +
         Kilobytes(row.decompress->peak_bytes) + "]";
}

}  // namespace

PageData MakePageData(const Results& results, size_t max_rows) {
  PageData data;
  // Which rows there is room for: first those that failed, then in order.
  std::vector<std::vector<const Row*>> of_file(results.files.size());
  std::vector<bool> file_shown(results.files.size());
  for (size_t i = 0; i < results.files.size(); ++i) {
    if (results.files[i].error.empty()) continue;
    file_shown[i] = data.n_rows < max_rows;
    ++(file_shown[i] ? data.n_rows : data.n_left_out);
  }
  for (const bool completed : {false, true}) {
    for (const Row& row : results.rows) {
      if (IsCompleted(row) != completed) continue;
      if (data.n_rows >= max_rows) {
        ++data.n_left_out;
        continue;
      }
      ++data.n_rows;
      file_shown[row.file] = true;
      of_file[row.file].push_back(&row);
    }
  }

  data.json = "{\"codecs\":[";
  for (size_t i = 0; i < results.codecs.size(); ++i) {
    data.json += (i > 0 ? ",[" : "[") +
                 Quoted(CutText(VisibleText(results.codecs[i].name), kMaxCodecNameColumns)) +
                 (results.codecs[i].is_pith ? ",1]" : ",0]");
  }
  data.json += "],\"types\":[";
  for (size_t i = 0; i < kNFileTypes; ++i) {
    data.json += (i > 0 ? "," : "") + Quoted(FileTypeLabel(static_cast<FileType>(i)));
  }
  data.json += "],\"files\":[";
  bool first = true;
  for (size_t i = 0; i < results.files.size(); ++i) {
    if (!file_shown[i]) continue;
    const FileEntry& file = results.files[i];
    data.json += first ? "\n[" : ",\n[";
    first = false;
    data.json += Quoted(CutMiddle(VisibleText(file.path), kMaxPathColumns)) + "," +
                 std::to_string(static_cast<int>(file.type)) + "," + std::to_string(file.bytes) + "," +
                 (file.slice_bytes ? Quoted(SliceText(*file.slice_bytes)) : "0") + ",";
    if (!file.error.empty()) {
      data.json += Quoted(CutText(VisibleText(file.error), kMaxMessageColumns)) + "]";
      continue;
    }
    std::sort(of_file[i].begin(), of_file[i].end(),
              [](const Row* a, const Row* b) { return std::pair(a->codec, a) < std::pair(b->codec, b); });
    data.json += "[";
    for (size_t k = 0; k < of_file[i].size(); ++k) data.json += (k > 0 ? "," : "") + RowJson(*of_file[i][k]);
    data.json += "]]";
  }
  data.json += "]}";
  return data;
}

}  // namespace pith::bench
