// Fuzz target: ONNX models from outside. Nothing but a Status may come of any bytes.
#include <cstdint>
#include <cstdlib>

#include "formats/onnx.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const pith::ByteSpan input(data, size);
  const auto read = pith::ReadOnnx(input, "fuzz");
  if (!read.ok()) {
    if (read.status().message().empty()) std::abort();
    return 0;
  }
  size_t n_nodes = 0;
  for (const auto& [kind, n] : read->ops) n_nodes += n;
  if (n_nodes != read->n_nodes) std::abort();
  uint64_t bytes = 0;
  for (const auto& t : read->initializers) {
    if (pith::OnnxTypeName(t.type).empty()) std::abort();
    for (const int64_t d : t.dims) {
      if (d < 0) std::abort();
    }
    if (t.external && (t.external->location.empty() || t.external->length != t.bytes)) std::abort();
    bytes += t.bytes;
  }
  if (bytes != read->data_bytes) std::abort();
  // Each costs at least two bytes of the file.
  if (read->n_nodes + read->initializers.size() + read->inputs.size() + read->outputs.size() > size / 2)
    std::abort();
  return 0;
}
