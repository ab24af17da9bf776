// The files that are measured: operands, folders read, contents hashed and sorted into types.
#pragma once

#include <sys/stat.h>

#include <functional>
#include <string>
#include <vector>

#include "report/results.h"
#include "pith/status.h"

namespace pith::bench {

inline constexpr size_t kMaxInputs = 100'000;
inline constexpr int kMaxFolderDepth = 64;

struct BenchInput {
  FileEntry entry;
  std::string path;    // to open it by
  struct stat info{};  // when it was hashed
};

// Operands in order, folders replaced by what is in them, sorted by name. Links in folders are not followed; they and
// what is neither file nor folder go to `left_out`, with the reason. A folder that cannot be read is an entry with an
// error. Paths in the results: relative to the folder where that is the only operand, else as they can be opened.
// `excluded` is the folder of the results, whose files nobody means; it need not exist. kUnsupported: more than
// kMaxInputs.
Result<std::vector<BenchInput>> ListInputs(const std::vector<std::string>& operands, const std::string& excluded,
                                           const std::function<void(const std::string&)>& left_out);

// Reads the file: size, hash, type, or the error. An empty file has an error and a hash.
void ExamineInput(BenchInput& input);

// The part of `input` that stands for it in --slice `bytes`: contiguous, from the middle, beginning behind the end of a
// line if there is one near. REQUIRES: examined without error, larger than `bytes`.
Result<BenchInput> SliceOf(const BenchInput& input, uint64_t bytes);

// Writes what `input` stands for, a slice, to `path`. kCorrupt where it is not what was hashed.
Status WriteSlice(const BenchInput& input, const std::string& path);

// OK where the file is as it was examined: by size, time and place, and by its content if `content`. kCorrupt says what
// differs.
Status CheckUnchanged(const BenchInput& input, bool content);

}  // namespace pith::bench
