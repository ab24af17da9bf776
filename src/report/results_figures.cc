#include "report/results_figures.h"

#include <algorithm>
#include <cstdio>
#include <optional>
#include <utility>
#include <vector>

#include "formats/json.h"
#include "report/number_text.h"

namespace pith::bench {
namespace {

constexpr std::string_view kBegin = "<!-- results: ";
constexpr std::string_view kBeginEnd = " -->";
constexpr std::string_view kEnd = "<!-- end results -->";
constexpr std::string_view kNamedFiles = "files ";
constexpr const char* kPith = "pith -6";
constexpr const char* kZstd = "zstd -19";
constexpr const char* kXz = "xz -9e";

std::vector<std::string_view> LinesOf(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

// "files" of "<!-- results: files -->"; none for other lines.
std::optional<std::string_view> KindOfRegion(std::string_view line) {
  if (!line.starts_with(kBegin) || !line.ends_with(kBeginEnd) || line.size() < kBegin.size() + kBeginEnd.size()) {
    return std::nullopt;
  }
  return line.substr(kBegin.size(), line.size() - kBegin.size() - kBeginEnd.size());
}

bool IsFence(std::string_view line) { return line.starts_with("```") || line.starts_with("~~~"); }

// ---- Numbers --------------------------------------------------------------------------------------------------------

std::string Percent(double part, double whole, int digits) {
  return whole > 0 ? FixedText(100 * part / whole, digits) + " %" : "-";
}

// KB of 1000 bytes in a second, three digits or all before the point.
std::string Rate(double bytes, double seconds) {
  if (!(seconds > 0)) return "-";
  const double rate = bytes / 1000 / seconds;
  return FixedText(rate, rate < 10 ? 2 : rate < 100 ? 1 : 0);
}

// In a cell of a table.
std::string Cell(const std::string& text) {
  std::string out;
  for (const char c : IsPrintableUtf8(text) ? text : Quoted(text)) {
    if (c == '|' || c == '\\' || c == '<' || c == '*' || c == '_' || c == '`' || c == '[') out += '\\';
    out += c;
  }
  return out;
}

// ---- What was measured ----------------------------------------------------------------------------------------------

// Sums over files.
struct Sum {
  size_t files = 0;
  double original = 0, compressed = 0, compress_seconds = 0, decompress_seconds = 0;
  uint64_t compress_peak = 0, decompress_peak = 0;  // the largest
};

class Figures {
 public:
  explicit Figures(const Results& results) : r_(results), rows_(results.codecs.size()) {
    for (std::vector<const Row*>& rows : rows_) rows.resize(results.files.size());
    for (const Row& row : results.rows) rows_[row.codec][row.file] = &row;
    for (size_t i = 0; i < results.files.size(); ++i) {
      // A slice is the same file once more.
      if (!results.files[i].slice_bytes) files_.push_back(i);
    }
  }

  Result<std::string> Make(std::string_view kind) const {
    if (!r_.complete) return InvalidArgument("the measurement was interrupted");
    if (files_.empty()) return InvalidArgument("no whole file was measured");
    for (const size_t file : files_) {
      if (!r_.files[file].error.empty())
        return InvalidArgument(Quoted(r_.files[file].path) + ": " + r_.files[file].error);
    }
    if (kind == "files") return Files(AllFiles());
    if (kind.starts_with(kNamedFiles)) {
      PITH_ASSIGN_OR_RETURN(const std::vector<NamedFile> files, FilesOf(kind.substr(kNamedFiles.size())));
      return Files(files);
    }
    if (kind == "types") return Types();
    if (kind == "levels") return Levels();
    return Sentence();
  }

 private:
  Result<size_t> Codec(const std::string& name) const {
    for (size_t i = 0; i < r_.codecs.size(); ++i) {
      if (r_.codecs[i].name == name) return i;
    }
    return InvalidArgument("codec " + Quoted(name) + " was not measured");
  }

  Result<size_t> Pith() const {
    if (Result<size_t> named = Codec(kPith); named.ok()) return named;
    for (size_t i = 0; i < r_.codecs.size(); ++i) {
      if (r_.codecs[i].is_pith) return i;
    }
    return InvalidArgument("no codec of pith was measured");
  }

  // With both directions.
  Result<const Row*> At(size_t codec, size_t file) const {
    const Row* const row = rows_[codec][file];
    const std::string what = r_.codecs[codec].name + " on " + Quoted(r_.files[file].path);
    if (row == nullptr) return InvalidArgument(what + ": was not measured");
    if (!row->error.empty()) return InvalidArgument(what + ": " + row->error);
    if (!row->compress || !row->decompress) return InvalidArgument(what + ": was measured in one direction only");
    return row;
  }

  Result<Sum> Total(size_t codec, std::optional<FileType> type) const {
    Sum sum;
    for (const size_t file : files_) {
      if (type && r_.files[file].type != *type) continue;
      PITH_ASSIGN_OR_RETURN(const Row* const row, At(codec, file));
      ++sum.files;
      sum.original += static_cast<double>(r_.files[file].bytes);
      sum.compressed += static_cast<double>(row->compressed_bytes);
      sum.compress_seconds += row->compress->seconds.median;
      sum.decompress_seconds += row->decompress->seconds.median;
      sum.compress_peak = std::max(sum.compress_peak, row->compress->peak_bytes);
      sum.decompress_peak = std::max(sum.decompress_peak, row->decompress->peak_bytes);
    }
    return sum;
  }

  struct NamedFile {
    std::string name;  // that is shown
    size_t file;
  };

  std::vector<NamedFile> AllFiles() const {
    std::vector<NamedFile> files;
    for (const size_t file : files_) files.push_back({r_.files[file].path, file});
    return files;
  }

  // Of names with spaces between: whole paths, or what of a path follows a slash.
  Result<std::vector<NamedFile>> FilesOf(std::string_view names) const {
    std::vector<NamedFile> files;
    while (!names.empty()) {
      const std::string name(names.substr(0, names.find(' ')));
      names.remove_prefix(std::min(name.size() + 1, names.size()));
      if (name.empty()) continue;
      const auto found = std::find_if(files_.begin(), files_.end(), [&](size_t file) {
        return r_.files[file].path == name || r_.files[file].path.ends_with("/" + name);
      });
      if (found == files_.end()) return InvalidArgument(Quoted(name) + " was not measured");
      files.push_back({name, *found});
    }
    return files;
  }

  Result<std::string> Files(const std::vector<NamedFile>& files) const {
    PITH_ASSIGN_OR_RETURN(const size_t pith, Pith());
    PITH_ASSIGN_OR_RETURN(const size_t zstd, Codec(kZstd));
    PITH_ASSIGN_OR_RETURN(const size_t xz, Codec(kXz));
    std::string text =
        "| file | bytes | zstd -19 | xz -9e | pith | bits per byte | of zstd's size | compress KB/s | decompress KB/s "
        "|\n"
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n";
    for (const auto& [name, file] : files) {
      PITH_ASSIGN_OR_RETURN(const Row* const p, At(pith, file));
      PITH_ASSIGN_OR_RETURN(const Row* const z, At(zstd, file));
      PITH_ASSIGN_OR_RETURN(const Row* const x, At(xz, file));
      const auto bytes = static_cast<double>(r_.files[file].bytes);
      const auto size = static_cast<double>(p->compressed_bytes);
      text += "| " + Cell(name) + " | " + std::to_string(r_.files[file].bytes) + " | " +
              std::to_string(z->compressed_bytes) + " | " + std::to_string(x->compressed_bytes) + " | " +
              std::to_string(p->compressed_bytes) + " | " + (bytes > 0 ? FixedText(8 * size / bytes, 3) : "-") + " | " +
              Percent(size, static_cast<double>(z->compressed_bytes), 0) + " | " +
              Rate(bytes, p->compress->seconds.median) + " | " + Rate(bytes, p->decompress->seconds.median) + " |\n";
    }
    return text;
  }

  Result<std::string> Types() const {
    PITH_ASSIGN_OR_RETURN(const size_t pith, Pith());
    PITH_ASSIGN_OR_RETURN(const size_t zstd, Codec(kZstd));
    PITH_ASSIGN_OR_RETURN(const size_t xz, Codec(kXz));
    std::string text =
        "| type | files | bytes | zstd -19 | xz -9e | pith | bits per byte | of zstd's size | mean of the files' "
        "shares |\n"
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n";
    for (size_t t = 0; t < kNFileTypes; ++t) {
      const auto type = static_cast<FileType>(t);
      PITH_ASSIGN_OR_RETURN(const Sum p, Total(pith, type));
      PITH_ASSIGN_OR_RETURN(const Sum z, Total(zstd, type));
      PITH_ASSIGN_OR_RETURN(const Sum x, Total(xz, type));
      if (p.files == 0) continue;
      double shares = 0;
      for (const size_t file : files_) {
        if (r_.files[file].type != type) continue;
        const auto other = static_cast<double>(rows_[zstd][file]->compressed_bytes);
        shares += other > 0 ? static_cast<double>(rows_[pith][file]->compressed_bytes) / other : 1;
      }
      text += "| " + std::string(FileTypeLabel(type)) + " | " + std::to_string(p.files) + " | " + FixedText(p.original, 0) +
              " | " + FixedText(z.compressed, 0) + " | " + FixedText(x.compressed, 0) + " | " + FixedText(p.compressed, 0) + " | " +
              (p.original > 0 ? FixedText(8 * p.compressed / p.original, 3) : "-") + " | " +
              Percent(p.compressed, z.compressed, 0) + " | " + Percent(shares, static_cast<double>(p.files), 0) +
              " |\n";
    }
    return text;
  }

  Result<std::string> Levels() const {
    std::string text =
        "| | bytes | of the original | compress KB/s | decompress KB/s | compress MB | decompress MB |\n"
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |\n";
    for (size_t codec = 0; codec < r_.codecs.size(); ++codec) {
      PITH_ASSIGN_OR_RETURN(const Sum sum, Total(codec, std::nullopt));
      text += "| " + Cell(r_.codecs[codec].name) + " | " + FixedText(sum.compressed, 0) + " | " +
              Percent(sum.compressed, sum.original, 1) + " | " + Rate(sum.original, sum.compress_seconds) + " | " +
              Rate(sum.original, sum.decompress_seconds) + " | " +
              FixedText(static_cast<double>(sum.compress_peak) / 1e6, 0) + " | " +
              FixedText(static_cast<double>(sum.decompress_peak) / 1e6, 0) + " |\n";
    }
    return text;
  }

  Result<std::string> Sentence() const {
    PITH_ASSIGN_OR_RETURN(const size_t pith, Pith());
    PITH_ASSIGN_OR_RETURN(const size_t zstd, Codec(kZstd));
    PITH_ASSIGN_OR_RETURN(const size_t xz, Codec(kXz));
    PITH_ASSIGN_OR_RETURN(const Sum p, Total(pith, std::nullopt));
    PITH_ASSIGN_OR_RETURN(const Sum z, Total(zstd, std::nullopt));
    PITH_ASSIGN_OR_RETURN(const Sum x, Total(xz, std::nullopt));
    return "On " + std::to_string(p.files) + (p.files == 1 ? " file of " : " files of ") + FixedText(p.original / 1e6, 1) +
           " MB, " + Cell(r_.codecs[pith].name) + " needs " +
           (p.original > 0 ? FixedText(8 * p.compressed / p.original, 3) : "0") +
           " bits per byte: " + Percent(p.compressed, z.compressed, 0) + " of what zstd -19 needs, " +
           Percent(p.compressed, x.compressed, 0) + " of what xz -9e needs.\n";
  }

  const Results& r_;
  std::vector<std::vector<const Row*>> rows_;  // [codec][file]; null where there is none
  std::vector<size_t> files_;
};

bool IsKind(std::string_view kind) {
  return kind == "files" || kind.starts_with(kNamedFiles) || kind == "types" || kind == "levels" || kind == "sentence";
}

}  // namespace

bool HasFigures(std::string_view markdown) {
  bool fenced = false;
  for (const std::string_view line : LinesOf(markdown)) {
    if (IsFence(line)) fenced = !fenced;
    if (!fenced && (KindOfRegion(line) || line == kEnd)) return true;
  }
  return false;
}

Result<std::string> FillFigures(std::string_view markdown, const Results& results, const std::string& name) {
  const Figures figures(results);
  std::string out;
  bool fenced = false;
  size_t begun = 0;  // line of the region that is open; 0: none
  size_t n = 0;
  for (const std::string_view line : LinesOf(markdown)) {
    const std::string where = name + ": line " + std::to_string(++n);
    const std::optional<std::string_view> kind = fenced ? std::nullopt : KindOfRegion(line);
    const bool end = !fenced && line == kEnd;
    if (kind) {
      if (begun != 0)
        return Corrupt(where + ": a region begins before that of line " + std::to_string(begun) + " has ended");
      if (!IsKind(*kind)) {
        return Corrupt(where + ": " + Quoted(*kind) +
                       " is no kind of figures; there are files, types, levels, sentence");
      }
      Result<std::string> figure = figures.Make(*kind);
      if (!figure.ok()) return figure.status().WithContext(where);
      out += std::string(line) + "\n\n" + *figure + "\n";
      begun = n;
      continue;
    }
    if (end && begun == 0) return Corrupt(where + ": ends a region where none has begun");
    if (end) begun = 0;
    if (begun != 0) continue;  // the old figures
    if (IsFence(line)) fenced = !fenced;
    out += std::string(line) + "\n";
  }
  if (begun != 0) return Corrupt(name + ": line " + std::to_string(begun) + ": the region has no end");
  if (!markdown.empty() && markdown.back() != '\n') out.pop_back();
  return out;
}

std::string LineDifferences(std::string_view before, std::string_view after, const std::string& name) {
  const std::vector<std::string_view> a = LinesOf(before);
  const std::vector<std::string_view> b = LinesOf(after);
  // length[i][j]: the longest common subsequence of a from i on and b from j on.
  std::vector<std::vector<uint32_t>> length(a.size() + 1, std::vector<uint32_t>(b.size() + 1));
  for (size_t i = a.size(); i-- > 0;) {
    for (size_t j = b.size(); j-- > 0;) {
      length[i][j] = a[i] == b[j] ? length[i + 1][j + 1] + 1 : std::max(length[i + 1][j], length[i][j + 1]);
    }
  }
  std::string out;
  size_t i = 0, j = 0;
  while (i < a.size() || j < b.size()) {
    if (i < a.size() && j < b.size() && a[i] == b[j]) {
      ++i;
      ++j;
    } else if (j == b.size() || (i < a.size() && length[i + 1][j] >= length[i][j + 1])) {
      out += name + ":" + std::to_string(i + 1) + ": -" + std::string(a[i]) + "\n";
      ++i;
    } else {
      out += name + ":" + std::to_string(j + 1) + ": +" + std::string(b[j]) + "\n";
      ++j;
    }
  }
  return out;
}

}  // namespace pith::bench
