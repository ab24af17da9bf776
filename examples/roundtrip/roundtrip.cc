// Compresses a text with the model inside the library, and restores it.
#include <pith/pith.h>

#include <iostream>
#include <string>

// The library reads from and writes to whatever can be told how; here, memory.
struct Text : pith::ByteSource, pith::ByteSink {
  pith::Result<size_t> Read(std::span<uint8_t> out) override {
    const size_t n = bytes.copy(reinterpret_cast<char*>(out.data()), out.size(), position);
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

int Fail(const pith::Status& status) {
  std::cerr << status.message() << "\n";
  return 1;
}

int main() {
  Text original, archive, restored;
  original.bytes = "A language model that expects what comes next needs few bits to write it down.";

  pith::Result<pith::Model> model = pith::Model::Builtin({});
  if (!model.ok()) return Fail(model.status());
  const auto compressed = pith::Compress(*model, original, archive, {}, nullptr);
  if (!compressed.ok()) return Fail(compressed.status());

  const pith::ModelProvider model_for = [&](auto& /*name*/, auto& /*fingerprint*/) { return &*model; };
  const auto decompressed = pith::Decompress(model_for, archive, restored, {}, nullptr);
  if (!decompressed.ok()) return Fail(decompressed.status());

  std::cout << original.bytes.size() << " bytes => " << archive.bytes.size() << " bytes, "
            << (restored.bytes == original.bytes ? "restored" : "not restored") << "\n";
}
