// What changed between two measurements (--compare), with noise taken into account.
//
// Rows are paired by name of codec, path of file and slice. Only equal content is compared (SHA-256). Then
//   sizes    are exact: one byte is a change;
//   times    (wall clock of the process, median) have changed when the ranges of the repeats, least to greatest, have
//            nothing in common, and the medians differ by more than 5 % and by more than 2 ms: two programs started one
//            after the other differ by so much. With a single repeat on either side the noise is not known: such a
//            difference is listed apart and counts as no change;
//   memory   has changed when the peaks differ by more than 10 % and by more than 1 MiB;
//   engines  have one number without a spread: differences above 10 % are listed with those of unknown noise.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "report/results.h"

namespace pith::bench {

inline constexpr double kTimeTolerance = 0.05;       // of the earlier median
inline constexpr double kMinTimeDifference = 0.002;  // seconds
inline constexpr double kMemoryTolerance = 0.10;
inline constexpr double kMinMemoryDifference = 1 << 20;  // bytes
inline constexpr double kEngineTolerance = 0.10;

// In the order of importance.
enum class ChangeKind {
  kBroken,
  kRepaired,
  kSize,
  kCompressTime,
  kDecompressTime,
  kCompressMemory,
  kDecompressMemory,
  kEngine
};

struct Change {
  ChangeKind kind = ChangeKind::kSize;
  std::string what;   // "zstd -19 on a.txt", "pith -6 on a.txt, first 4096 bytes", "pith, mini: decode, 2 threads"
  double before = 0;  // bytes, seconds or tokens a second; 0 for kBroken and kRepaired
  double after = 0;
  std::string error;  // of kBroken and kRepaired: what the failing side says
};

// A codec over all rows that both sides have.
struct CodecTotal {
  std::string codec;
  size_t rows = 0;
  uint64_t bytes_before = 0, bytes_after = 0;
};

struct Comparison {
  std::vector<std::string> machine;  // sentences on how machines, settings and codecs differ; empty: they do not
  bool same_machine = true;          // else times say more about the machines than about the programs
  std::vector<Change> changes;       // by kind, then the greatest factor first
  std::vector<Change> uncertain;     // beyond the tolerance, but of unknown noise; in the same order
  std::vector<CodecTotal> totals;    // where the sum changed; in the order of the earlier results
  std::vector<std::string> only_before, only_after;  // "codec xz -9e", "file a.txt", "zstd -19 on a.txt"
  std::vector<std::string> other_content;            // files of one name with other bytes
  std::vector<std::string> failing_rows;             // that fail on both sides
  size_t n_rows = 0;                                 // pairs that were compared
  size_t n_changed = 0;                              // of them with at least one of `changes`
  size_t n_other_bytes = 0;                          // archives of the same size, but not the same bytes
};

// Neither side need be complete.
Comparison CompareResults(const Results& before, const Results& after);

// "3 of 120 rows changed: 2 sizes (2 smaller), 1 compression time (1 slower)."
std::string ComparisonSummary(const Comparison& comparison);

// The whole report as plain text: machines first, then the summary, then the lists. Names of the two for people.
std::string ComparisonText(const Comparison& comparison, const std::string& before, const std::string& after);

}  // namespace pith::bench
