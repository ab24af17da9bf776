// Summary: everything that the reports say and that was not measured but computed from what was.
//
// "Share" is compressed bytes over original bytes: smaller is better. Codecs are indices into
// Results::codecs, files into Results::files. Comparisons are fair: totals are over the files that every
// compared codec completed, no others.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "report/results.h"

namespace pith::bench {

// One codec on a set of files.
struct Totals {
  size_t codec = 0;
  uint64_t compressed_bytes = 0;
  double share = 0;  // by sums: compressed bytes of all files over bytes of all files; large files weigh more
  double mean_share =
      0;  // mean of the files' shares: every file weighs the same; files of 0 bytes are no part of it
  // Bytes a second: bytes of all files over the sum of their median seconds. Whole process, and from opening
  // the input to closing the output. Absent: the clock saw no time.
  std::optional<double> compress_speed, decompress_speed;
  std::optional<double> compress_work_speed, decompress_work_speed;
  // Processor seconds of all threads, whole process, a byte of the original. Joules likewise; absent unless
  // known of every file.
  double compress_cpu = 0, decompress_cpu = 0;
  std::optional<double> compress_joules, decompress_joules;
  uint64_t compress_peak_bytes = 0, decompress_peak_bytes = 0;  // largest of any file
  uint32_t streams = 0;                                         // largest of any file

  uint64_t PeakBytes() const { return std::max(compress_peak_bytes, decompress_peak_bytes); }
};

// A set of files. Nothing can be said of 0 bytes: `codecs` is empty then.
struct Group {
  size_t n_files = 0;
  uint64_t bytes = 0;
  std::vector<Totals> codecs;  // smallest archives first; equal ones in the order of Results::codecs

  const Totals* Find(size_t codec) const;  // nullptr: not compared
};

// From which amount of such data on the archives of `codec` together with its model are smaller than those of
// `other` with its own: the difference of the models over the difference of the shares.
struct BreakEven {
  size_t codec = 0;  // has a model
  size_t other = 0;
  std::optional<uint64_t> bytes;  // absent: never
};

struct TypeGroup {
  FileType type = FileType::kOtherText;
  Group group;
};

struct SliceGroup {
  uint64_t slice_bytes = 0;
  Group group;
};

// A measurement, or a file (then without codec), that gave nothing.
struct Failure {
  size_t file = 0;
  std::optional<size_t> codec;
  std::string error;
};

// A codec that completed less than half as many files as the one that completed most: comparing it would
// leave out most of the files.
struct Uncompared {
  size_t codec = 0;
  size_t n_completed = 0;
};

struct Summary {
  std::vector<size_t> compared;
  std::vector<Uncompared> uncompared;
  size_t n_files = 0;     // whole files; where only slices were measured, those of the largest size
  size_t n_left_out = 0;  // of them, because a compared codec did not complete them
  Group total;
  std::vector<TypeGroup> types;  // by FileType; only those with files that count
  // Codecs that no other beats both in size and in speed; smallest archives first.
  std::vector<size_t> compress_front, decompress_front;
  std::vector<BreakEven> break_even;  // every compared codec with a model against every other
  // The same files at each size: those that are long enough for all sizes and completed at all. Without the
  // largest sizes where no file is that long. Empty: no slices.
  std::vector<SliceGroup> slices;
  std::vector<Failure> failures;
};

Summary Summarize(const Results& results);

// Whether the round trip was right and timed in both directions.
bool IsCompleted(const Row& row);

}  // namespace pith::bench
