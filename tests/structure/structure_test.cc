// The tree: who includes whom (cmake/layers.txt), file names, and what every header begins with.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace pith {
namespace {

namespace fs = std::filesystem;

const fs::path kRoot = PITH_SOURCE_DIR;

std::vector<std::string> Lines(const fs::path& path) {
  std::ifstream in(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// The C++ files below `folder` of the tree, by path from the root.
std::vector<fs::path> SourcesBelow(const std::string& folder) {
  std::vector<fs::path> paths;
  if (!fs::exists(kRoot / folder)) return paths;
  for (const auto& entry : fs::recursive_directory_iterator(kRoot / folder)) {
    const fs::path extension = entry.path().extension();
    if (extension == ".h" || extension == ".cc") paths.push_back(fs::relative(entry.path(), kRoot));
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

std::vector<fs::path> AllSources() {
  std::vector<fs::path> paths;
  for (const char* folder : {"include", "src", "tests", "examples"}) {
    for (fs::path& path : SourcesBelow(folder)) paths.push_back(std::move(path));
  }
  return paths;
}

struct Layers {
  std::vector<std::string> order;                        // lowest first
  std::map<std::string, std::set<std::string>> allowed;  // module: itself and those it may include
};

Layers ReadLayers() {
  Layers layers;
  for (const std::string& line : Lines(kRoot / "cmake/layers.txt")) {
    const size_t colon = line.find(':');
    if (line.empty() || line[0] == '#' || colon == std::string::npos) continue;
    const std::string module = line.substr(0, colon);
    layers.order.push_back(module);
    std::set<std::string>& allowed = layers.allowed[module];
    allowed.insert(module);
    std::istringstream names(line.substr(colon + 1));
    for (std::string name; names >> name;) allowed.insert(name);
  }
  return layers;
}

// The module that an included path belongs to, by the rule at the top of layers.txt; empty for a path without
// folder.
std::string ModuleOf(const std::string& included) {
  if (included == "pith/status.h" || included == "pith/io.h") return "base";
  const std::string folder = included.substr(0, included.find('/'));
  return folder == included ? "" : folder == "pith" ? "api" : folder;
}

// The paths that a file includes in quotes.
std::vector<std::string> QuotedIncludes(const fs::path& path) {
  constexpr std::string_view kStart = "#include \"";
  std::vector<std::string> included;
  for (const std::string& line : Lines(kRoot / path)) {
    if (line.rfind(kStart, 0) != 0) continue;
    included.push_back(line.substr(kStart.size(), line.find('"', kStart.size()) - kStart.size()));
  }
  return included;
}

TEST(Layers, TheTableNamesOnlyLowerModules) {
  const Layers layers = ReadLayers();
  ASSERT_FALSE(layers.order.empty());
  std::set<std::string> lower;
  for (const std::string& module : layers.order) {
    lower.insert(module);
    for (const std::string& name : layers.allowed.at(module)) {
      EXPECT_TRUE(lower.count(name) == 1)
          << "layers.txt: " << module << " may include " << name << ", which is not below it";
    }
  }
}

TEST(Layers, EveryFolderIsInTheTable) {
  const Layers layers = ReadLayers();
  for (const auto& entry : fs::directory_iterator(kRoot / "src")) {
    EXPECT_EQ(layers.allowed.count(entry.path().filename()), 1u) << entry.path() << " is not in layers.txt";
  }
}

// Tests may also use tests/support.
TEST(Layers, ModulesIncludeOnlyWhatTheTableAllows) {
  const Layers layers = ReadLayers();
  for (const fs::path& path : SourcesBelow("src")) {
    const std::string module = *std::next(path.begin());
    const auto allowed = layers.allowed.find(module);
    if (allowed == layers.allowed.end()) continue;  // the test above has said so
    const bool is_test = path.stem().string().ends_with("_test");
    for (const std::string& included : QuotedIncludes(path)) {
      if (is_test && ModuleOf(included) == "support") continue;
      EXPECT_EQ(allowed->second.count(ModuleOf(included)), 1u)
          << path.string() << " includes \"" << included << "\"; " << module
          << " may not, by cmake/layers.txt";
    }
  }
}

TEST(Layers, PublicHeadersIncludeOnlyPublicHeaders) {
  for (const fs::path& path : SourcesBelow("include")) {
    for (const std::string& included : QuotedIncludes(path)) {
      EXPECT_EQ(included.rfind("pith/", 0), 0u) << path.string() << " includes \"" << included << "\"";
    }
  }
}

TEST(Files, NamesAreUniqueInTheTree) {
  std::map<std::string, fs::path> seen;
  for (const fs::path& path : AllSources()) {
    const auto [other, is_new] = seen.emplace(path.filename(), path);
    EXPECT_TRUE(is_new) << path.string() << " and " << other->second.string() << " have one name";
  }
}

TEST(Files, NamesAreSnakeCase) {
  for (const fs::path& path : AllSources()) {
    const std::string stem = path.stem();
    EXPECT_EQ(stem.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_"), std::string::npos)
        << path.string();
  }
}

// A source may leave it to the header of its name, a unit test to what it tests.
TEST(Files, EveryFileBeginsWithASentenceOnWhatItIs) {
  for (const fs::path& path : AllSources()) {
    const std::string stem = path.stem();
    if (path.extension() == ".cc" &&
        (stem.ends_with("_test") || fs::exists((kRoot / path).replace_extension(".h"))))
      continue;
    const std::vector<std::string> lines = Lines(kRoot / path);
    ASSERT_FALSE(lines.empty()) << path.string() << " is empty";
    EXPECT_EQ(lines[0].rfind("// ", 0), 0u) << path.string() << ":1: found \"" << lines[0] << "\"";
  }
}

TEST(Files, EveryHeaderHasPragmaOnce) {
  for (const fs::path& path : AllSources()) {
    if (path.extension() != ".h") continue;
    const std::vector<std::string> lines = Lines(kRoot / path);
    EXPECT_EQ(std::count(lines.begin(), lines.end(), "#pragma once"), 1) << path.string();
  }
}

// tests/structure/CMakeLists.txt names the headers that are compiled alone.
TEST(Files, EveryPublicHeaderIsCompiledAlone) {
  std::istringstream names(PITH_PUBLIC_HEADERS);
  const std::set<std::string> compiled{std::istream_iterator<std::string>(names), {}};
  for (const fs::path& path : SourcesBelow("include/pith"))
    EXPECT_EQ(compiled.count(path.filename()), 1u) << path.string();
}

// Targets of "[text](target)" that are files of the tree.
std::vector<std::string> LinkedFiles(const std::string& line) {
  std::vector<std::string> files;
  for (size_t at = line.find("]("); at != std::string::npos; at = line.find("](", at + 2)) {
    const std::string target = line.substr(at + 2, line.find_first_of(")#", at) - at - 2);
    if (!target.empty() && target.find(':') == std::string::npos) files.push_back(target);
  }
  return files;
}

TEST(Documents, LinkOnlyToFilesThatExist) {
  for (const fs::path& folder : {kRoot, kRoot / "docs"}) {
    for (const auto& entry : fs::directory_iterator(folder)) {
      if (entry.path().extension() != ".md") continue;
      for (const std::string& line : Lines(entry.path())) {
        for (const std::string& file : LinkedFiles(line)) {
          EXPECT_TRUE(fs::exists(folder / file)) << entry.path() << " links to " << file;
        }
      }
    }
  }
}

}  // namespace
}  // namespace pith
