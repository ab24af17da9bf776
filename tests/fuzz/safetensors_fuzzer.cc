// Fuzz target: safetensors files and shard indices from outside. Nothing but a Status may come of any bytes.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "formats/safetensors.h"

namespace {

void ReadAll(pith::ByteSpan file) {
  const auto opened = pith::SafetensorsFile::FromMemory(file, "fuzz");
  if (!opened.ok()) {
    if (opened.status().message().empty()) std::abort();
    return;
  }
  uint64_t total = 0;
  for (const pith::SafetensorsTensor& t : (*opened)->tensors()) {
    if (t.data.size() != t.n_elements * pith::DataTypeBytes(t.type)) std::abort();
    if ((*opened)->Find(t.name) != &t) std::abort();
    total += t.data.size();
    if (!t.is_float()) continue;
    std::vector<float> values(std::min<uint64_t>(t.n_elements, 1000));
    pith::ReadFloats(t, t.n_elements - values.size(), values);
  }
  if (total > file.size()) std::abort();
}

}  // namespace

// The first byte says what the rest is: a file as it lies; a header whose size is made right, followed by
// that many bytes of data as the second byte says; or an index.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const pith::ByteSpan input(data, size);
  ReadAll(input);
  if (size < 2) return 0;
  const pith::ByteSpan rest = input.subspan(2);
  switch (data[0] % 4) {
    case 0:
      ReadAll(rest);
      break;
    case 1:
    case 2: {
      std::vector<uint8_t> file;
      pith::ByteWriter(file).U64(rest.size());
      file.insert(file.end(), rest.begin(), rest.end());
      file.resize(file.size() + data[1], 0x3c);
      ReadAll(file);
      break;
    }
    default: {
      const auto index = pith::ParseShardIndex(rest, "fuzz");
      if (!index.ok()) break;
      for (const pith::ShardEntry& e : *index) {
        if (e.shard.empty() || e.shard == ".." || e.shard.find('/') != std::string::npos) std::abort();
      }
    }
  }
  return 0;
}
