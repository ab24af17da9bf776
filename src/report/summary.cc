#include "report/summary.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>

namespace pith::bench {
namespace {

// rows[file][codec]; the first of two for one pair.
class RowTable {
 public:
  explicit RowTable(const Results& results)
      : n_codecs_(results.codecs.size()), rows_(results.files.size() * n_codecs_) {
    for (const Row& row : results.rows) {
      const Row*& place = rows_[row.file * n_codecs_ + row.codec];
      if (place == nullptr) place = &row;
    }
  }

  // nullptr: not measured, or not completed.
  const Row* Completed(size_t file, size_t codec) const {
    const Row* row = rows_[file * n_codecs_ + codec];
    return row != nullptr && IsCompleted(*row) ? row : nullptr;
  }

  bool AllCompleted(size_t file, const std::vector<size_t>& codecs) const {
    return std::all_of(codecs.begin(), codecs.end(),
                       [&](size_t codec) { return Completed(file, codec) != nullptr; });
  }

 private:
  size_t n_codecs_;
  std::vector<const Row*> rows_;
};

std::optional<double> Speed(uint64_t bytes, double seconds) {
  const double speed = static_cast<double>(bytes) / seconds;
  if (!(seconds > 0) || bytes == 0 || !std::isfinite(speed)) return std::nullopt;
  return speed;
}

// Files that nobody has, in a results.json that somebody wrote by hand, must not make a sum small.
uint64_t AddSaturated(uint64_t a, uint64_t b) { return a > UINT64_MAX - b ? UINT64_MAX : a + b; }

// Sums over the files, in one direction.
struct DirectionSums {
  double seconds = 0, work_seconds = 0, cpu_seconds = 0;
  std::optional<double> joules = 0.0;
  uint64_t peak_bytes = 0;

  void Add(const Direction& direction) {
    seconds += direction.seconds.median;
    work_seconds += direction.work_seconds.median;
    cpu_seconds += direction.cpu_seconds.median;
    joules = joules && direction.joules ? std::optional(*joules + *direction.joules) : std::nullopt;
    peak_bytes = std::max(peak_bytes, direction.peak_bytes);
  }
};

// REQUIRES: bytes > 0.
Totals TotalsOf(size_t codec, const std::vector<size_t>& files, uint64_t bytes, const Results& results,
                const RowTable& rows) {
  Totals totals{.codec = codec};
  DirectionSums compress, decompress;
  double sum_of_shares = 0;
  size_t n_shares = 0;
  for (const size_t file : files) {
    const Row& row = *rows.Completed(file, codec);
    totals.compressed_bytes = AddSaturated(totals.compressed_bytes, row.compressed_bytes);
    if (results.files[file].bytes > 0) {
      sum_of_shares +=
          static_cast<double>(row.compressed_bytes) / static_cast<double>(results.files[file].bytes);
      ++n_shares;
    }
    if (row.compress) compress.Add(*row.compress);
    if (row.decompress) decompress.Add(*row.decompress);
    totals.streams = std::max(totals.streams, row.streams);
  }
  const auto n_bytes = static_cast<double>(bytes);
  totals.share = static_cast<double>(totals.compressed_bytes) / n_bytes;
  totals.mean_share = sum_of_shares / static_cast<double>(n_shares);
  totals.compress_speed = Speed(bytes, compress.seconds);
  totals.decompress_speed = Speed(bytes, decompress.seconds);
  totals.compress_work_speed = Speed(bytes, compress.work_seconds);
  totals.decompress_work_speed = Speed(bytes, decompress.work_seconds);
  totals.compress_cpu = compress.cpu_seconds / n_bytes;
  totals.decompress_cpu = decompress.cpu_seconds / n_bytes;
  if (compress.joules) totals.compress_joules = *compress.joules / n_bytes;
  if (decompress.joules) totals.decompress_joules = *decompress.joules / n_bytes;
  totals.compress_peak_bytes = compress.peak_bytes;
  totals.decompress_peak_bytes = decompress.peak_bytes;
  return totals;
}

// REQUIRES: every codec completed every file.
Group GroupOf(const std::vector<size_t>& files, const std::vector<size_t>& codecs, const Results& results,
              const RowTable& rows) {
  Group group;
  group.n_files = files.size();
  for (const size_t file : files) group.bytes = AddSaturated(group.bytes, results.files[file].bytes);
  if (group.bytes == 0) return group;
  for (const size_t codec : codecs)
    group.codecs.push_back(TotalsOf(codec, files, group.bytes, results, rows));
  std::sort(group.codecs.begin(), group.codecs.end(), [](const Totals& a, const Totals& b) {
    return std::tie(a.compressed_bytes, a.codec) < std::tie(b.compressed_bytes, b.codec);
  });
  return group;
}

// Whole files; where there are none, slices of the largest size.
std::vector<size_t> MainFiles(const Results& results) {
  std::vector<size_t> whole, slices;
  uint64_t largest = 0;
  for (const FileEntry& file : results.files) largest = std::max(largest, file.slice_bytes.value_or(0));
  for (size_t i = 0; i < results.files.size(); ++i) {
    const std::optional<uint64_t>& slice = results.files[i].slice_bytes;
    if (!slice) {
      whole.push_back(i);
    } else if (*slice == largest) {
      slices.push_back(i);
    }
  }
  return whole.empty() ? slices : whole;
}

void ChooseCompared(const Results& results, const std::vector<size_t>& files, const RowTable& rows,
                    Summary* summary) {
  std::vector<size_t> n_completed(results.codecs.size());
  for (size_t codec = 0; codec < results.codecs.size(); ++codec) {
    for (const size_t file : files) n_completed[codec] += rows.Completed(file, codec) != nullptr ? 1 : 0;
  }
  const size_t most = n_completed.empty() ? 0 : *std::max_element(n_completed.begin(), n_completed.end());
  for (size_t codec = 0; codec < results.codecs.size(); ++codec) {
    if (n_completed[codec] > 0 && 2 * n_completed[codec] >= most) {
      summary->compared.push_back(codec);
    } else {
      summary->uncompared.push_back({codec, n_completed[codec]});
    }
  }
}

// `by_size` has the smallest archives first: a codec is on the front when it is faster than all before it. Of
// equal ones in size the fastest counts.
std::vector<size_t> Front(const std::vector<Totals>& by_size, std::optional<double> Totals::* speed) {
  std::vector<std::tuple<uint64_t, double, size_t>> sorted;  // bytes, minus speed, codec
  for (const Totals& totals : by_size) {
    if (const std::optional<double>& value = totals.*speed) {
      sorted.emplace_back(totals.compressed_bytes, -*value, totals.codec);
    }
  }
  std::sort(sorted.begin(), sorted.end());
  std::vector<size_t> front;
  double fastest = 0;
  for (const auto& [bytes, minus_speed, codec] : sorted) {
    if (-minus_speed <= fastest) continue;
    fastest = -minus_speed;
    front.push_back(codec);
  }
  return front;
}

std::vector<BreakEven> BreakEvens(const Results& results, const Group& total) {
  std::vector<BreakEven> all;
  for (const Totals& a : total.codecs) {
    const uint64_t model = results.codecs[a.codec].model_bytes;
    if (model == 0) continue;
    for (const Totals& b : total.codecs) {
      if (a.codec == b.codec) continue;
      BreakEven entry{a.codec, b.codec, std::nullopt};
      if (a.compressed_bytes < b.compressed_bytes) {
        const uint64_t other_model = results.codecs[b.codec].model_bytes;
        // Beyond 2^63 bytes is never, for all that anybody has.
        const double bytes =
            other_model >= model
                ? 0
                : std::ceil(static_cast<double>(model - other_model) * static_cast<double>(total.bytes) /
                            static_cast<double>(b.compressed_bytes - a.compressed_bytes));
        if (bytes < 0x1p63) entry.bytes = static_cast<uint64_t>(bytes);
      }
      all.push_back(entry);
    }
  }
  return all;
}

// Files at several sizes: slices[path][slice_bytes] is an entry that every compared codec completed.
std::vector<SliceGroup> SliceGroups(const Results& results, const std::vector<size_t>& compared,
                                    const RowTable& rows) {
  std::map<std::string, std::map<uint64_t, size_t>> slices;
  std::set<uint64_t> sizes;
  for (size_t i = 0; i < results.files.size(); ++i) {
    const FileEntry& file = results.files[i];
    if (!file.slice_bytes || file.bytes == 0 || file.bytes < *file.slice_bytes) continue;
    if (!rows.AllCompleted(i, compared)) continue;
    slices[file.path].emplace(*file.slice_bytes, i);
    sizes.insert(*file.slice_bytes);
  }
  for (; !sizes.empty(); sizes.erase(std::prev(sizes.end()))) {
    std::map<uint64_t, std::vector<size_t>> files;
    for (const auto& [path, entries] : slices) {
      if (!std::all_of(sizes.begin(), sizes.end(), [&](uint64_t size) { return entries.count(size) == 1; }))
        continue;
      for (const uint64_t size : sizes) files[size].push_back(entries.at(size));
    }
    if (files.empty()) continue;
    std::vector<SliceGroup> groups;
    groups.reserve(files.size());
    for (const auto& [size, entries] : files)
      groups.push_back({size, GroupOf(entries, compared, results, rows)});
    return groups;
  }
  return {};
}

}  // namespace

bool IsCompleted(const Row& row) { return row.error.empty() && row.compress && row.decompress; }

const Totals* Group::Find(size_t codec) const {
  for (const Totals& totals : codecs) {
    if (totals.codec == codec) return &totals;
  }
  return nullptr;
}

Summary Summarize(const Results& results) {
  Summary summary;
  const RowTable rows(results);
  const std::vector<size_t> files = MainFiles(results);
  summary.n_files = files.size();
  ChooseCompared(results, files, rows, &summary);

  std::vector<size_t> counted;
  if (!summary.compared.empty()) {
    std::copy_if(files.begin(), files.end(), std::back_inserter(counted),
                 [&](size_t file) { return rows.AllCompleted(file, summary.compared); });
  }
  summary.n_left_out = files.size() - counted.size();
  summary.total = GroupOf(counted, summary.compared, results, rows);
  for (size_t i = 0; i < kNFileTypes; ++i) {
    std::vector<size_t> of_type;
    std::copy_if(counted.begin(), counted.end(), std::back_inserter(of_type),
                 [&](size_t file) { return results.files[file].type == static_cast<FileType>(i); });
    Group group = GroupOf(of_type, summary.compared, results, rows);
    if (!group.codecs.empty()) summary.types.push_back({static_cast<FileType>(i), std::move(group)});
  }
  summary.compress_front = Front(summary.total.codecs, &Totals::compress_speed);
  summary.decompress_front = Front(summary.total.codecs, &Totals::decompress_speed);
  summary.break_even = BreakEvens(results, summary.total);
  if (!summary.compared.empty()) summary.slices = SliceGroups(results, summary.compared, rows);

  for (size_t i = 0; i < results.files.size(); ++i) {
    if (!results.files[i].error.empty())
      summary.failures.push_back({i, std::nullopt, results.files[i].error});
  }
  for (const Row& row : results.rows) {
    if (!row.error.empty()) summary.failures.push_back({row.file, row.codec, row.error});
  }
  return summary;
}

}  // namespace pith::bench
