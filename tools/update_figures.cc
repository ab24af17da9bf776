// Puts the figures of a results.json into Markdown files (bench/results_figures.h), or looks whether they are there.
//
//   update_figures [--check] RESULTS.json FILE.md|FOLDER...
//
// A folder stands for its .md files. 0: all is as it should be; 1: with --check, a file would change, and the lines are
// printed; 2: an error. Files without a marked region need no results.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "base/file.h"
#include "report/results.h"
#include "report/results_figures.h"
#include "pith/status.h"

namespace pith::bench {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxMarkdownBytes = 4 << 20;

Result<std::vector<std::string>> MarkdownFiles(const std::vector<std::string>& operands) {
  std::vector<std::string> files;
  for (const std::string& operand : operands) {
    std::error_code error;
    if (!fs::is_directory(operand, error)) {
      files.push_back(operand);
      continue;
    }
    std::vector<std::string> found;
    fs::directory_iterator it(operand, error);
    for (; !error && it != fs::directory_iterator(); it.increment(error)) {
      if (it->path().extension() == ".md") found.push_back(it->path().string());
    }
    if (error) return IoError(operand + ": cannot read the folder: " + error.message());
    std::sort(found.begin(), found.end());
    files.insert(files.end(), found.begin(), found.end());
  }
  return files;
}

Result<std::string> ReadText(const std::string& path) {
  PITH_ASSIGN_OR_RETURN(const std::unique_ptr<MappedFile> file, MappedFile::Open(path));
  if (file->bytes().size() > kMaxMarkdownBytes) {
    return Unsupported(path + ": more than " + std::to_string(kMaxMarkdownBytes) + " bytes");
  }
  return std::string(AsText(file->bytes()));
}

// Whether all files are, or now are, as they should be.
Result<bool> Update(const std::string& results_path, const std::vector<std::string>& operands, bool check) {
  PITH_ASSIGN_OR_RETURN(const std::vector<std::string> files, MarkdownFiles(operands));
  std::optional<Results> results;
  bool good = true;
  for (const std::string& path : files) {
    PITH_ASSIGN_OR_RETURN(const std::string before, ReadText(path));
    if (!HasFigures(before)) continue;
    if (!results) {
      PITH_ASSIGN_OR_RETURN(const std::unique_ptr<MappedFile> file, MappedFile::Open(results_path));
      PITH_ASSIGN_OR_RETURN(results, ReadResults(file->bytes(), results_path));
    }
    PITH_ASSIGN_OR_RETURN(const std::string after, FillFigures(before, *results, path));
    if (after == before) continue;
    if (check) {
      std::fputs(LineDifferences(before, after, path).c_str(), stdout);
      good = false;
      continue;
    }
    PITH_ASSIGN_OR_RETURN(const std::unique_ptr<AtomicFile> out, AtomicFile::Create(path, true));
    PITH_RETURN_IF_ERROR(out->Write(AsBytes(after)));
    PITH_RETURN_IF_ERROR(out->Commit({.mode = 0644}));
    std::printf("%s: new figures\n", path.c_str());
  }
  return good;
}

int Main(std::vector<std::string> arguments) {
  const bool check = !arguments.empty() && arguments[0] == "--check";
  if (check) arguments.erase(arguments.begin());
  if (arguments.size() < 2 || arguments[0].starts_with("-")) {
    std::fprintf(stderr, "usage: update_figures [--check] RESULTS.json FILE.md|FOLDER...\n");
    return 2;
  }
  const Result<bool> good = Update(arguments[0], {arguments.begin() + 1, arguments.end()}, check);
  if (!good.ok()) {
    std::fprintf(stderr, "update_figures: %s\n", good.status().message().c_str());
    return 2;
  }
  if (!*good)
    std::fprintf(stderr, "update_figures: not the figures of %s; ./dev results puts them there\n",
                 arguments[0].c_str());
  return *good ? 0 : 1;
}

}  // namespace
}  // namespace pith::bench

int main(int argc, char** argv) { return pith::bench::Main({argv + 1, argv + argc}); }
