// Compresses a text with the model inside the library and restores it.
#include <pith/pith.h>

#include <algorithm>
#include <iostream>
#include <string>

// The library reads from and writes to anything that can be told how: here, memory.
struct Text : pith::ByteSource, pith::ByteSink {
  explicit Text(std::string content = {}) : bytes(std::move(content)) {}
  pith::Result<size_t> Read(std::span<uint8_t> out) override {
    const size_t n = std::min(out.size(), bytes.size() - position);
    std::copy_n(bytes.begin() + static_cast<ptrdiff_t>(position), n, out.begin());
    position += n;
    return n;
  }
  pith::Status Write(std::span<const uint8_t> data) override {
    bytes.append(data.begin(), data.end());
    return {};
  }
  std::string bytes;
  size_t position = 0;
};

int main() {
  Text original("A language model that expects what comes next needs few bits to write it down.");
  Text archive, restored;

  auto model = pith::Model::Builtin({});
  if (!model.ok()) return std::cerr << model.status().message() << "\n", 1;

  const auto compressed = pith::Compress(*model, original, archive, {}, nullptr);
  if (!compressed.ok()) return std::cerr << compressed.status().message() << "\n", 1;

  const auto same_model = [&](const std::string&, const std::string&) -> pith::Result<pith::Model*> { return &*model; };
  const auto decompressed = pith::Decompress(same_model, archive, restored, {}, nullptr);
  if (!decompressed.ok()) return std::cerr << decompressed.status().message() << "\n", 1;

  std::cout << original.bytes.size() << " bytes => " << archive.bytes.size() << " bytes; restored: "
            << (restored.bytes == original.bytes ? "equal" : "different") << "\n";
  return restored.bytes == original.bytes ? 0 : 1;
}
