// Runs a fuzz target without libFuzzer: on each file of a folder, and on damaged forms of it that are the
// same each time.
//
//   NAME_replay CORPUS_FOLDER      exit code 77 (skipped) when there is no file in it
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

using Input = std::vector<uint8_t>;

constexpr size_t kMaxDamaged = 200;  // of each kind, of one file
constexpr int kSkipped = 77;

// A copy of just the right size, so that a sanitizer sees a read beyond the end.
void Try(const Input& input) {
  const Input copy(input.begin(), input.end());
  LLVMFuzzerTestOneInput(copy.data(), copy.size());
}

size_t TryDamaged(const Input& input) {
  size_t n = 0;
  const size_t step = std::max<size_t>(1, input.size() / kMaxDamaged);
  for (size_t i = 0; i < input.size(); i += step) {
    Try(Input(input.begin(), input.begin() + static_cast<ptrdiff_t>(i)));  // a prefix
    for (const uint8_t mask : {uint8_t{0x01}, uint8_t{0x80}, uint8_t{0xff}}) {
      Input damaged = input;
      damaged[i] ^= mask;
      Try(damaged);
    }
    n += 4;
  }
  return n;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: " << argv[0] << " CORPUS_FOLDER\n";
    return 2;
  }
  std::vector<std::filesystem::path> paths;
  if (std::filesystem::is_directory(argv[1])) {
    for (const auto& entry : std::filesystem::directory_iterator(argv[1])) paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  Try({});
  size_t n_inputs = 1;
  for (const std::filesystem::path& path : paths) {
    std::ifstream in(path, std::ios::binary);
    const Input input{std::istreambuf_iterator<char>(in), {}};
    Try(input);
    n_inputs += 1 + TryDamaged(input);
  }
  if (paths.empty()) std::cout << "skipped: no corpus in " << argv[1] << "\n";
  std::cout << paths.size() << " files, " << n_inputs << " inputs\n";
  return paths.empty() ? kSkipped : 0;
}
