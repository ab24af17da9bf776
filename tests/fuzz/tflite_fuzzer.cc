// Fuzz target: TFLite graphs from outside, and what RecogniseQwen3 makes of them.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "convert/qwen3_recognise.h"
#include "formats/tflite.h"

namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

void Use(pith::ByteSpan file) {
  const auto parsed = pith::TfliteFile::Parse(file);
  if (!parsed.ok()) {
    Require(!parsed.status().message().empty());
    return;
  }
  const pith::TfliteModel& model = parsed->model();
  for (uint32_t i = 0; i < model.buffers.size(); ++i) {
    const pith::ByteSpan data = parsed->Data(i);
    if (data.empty()) continue;
    volatile uint8_t byte = data.front();  // for the sanitizer
    byte = data.back();
    (void)byte;
  }
  for (const pith::TfliteGraph& graph : model.graphs) {
    for (const pith::TfliteTensor& t : graph.tensors) {
      Require(t.buffer < model.buffers.size());
      Require(t.quantization < static_cast<int32_t>(model.quantizations.size()));
      (void)pith::TfliteTypeName(t.type);
    }
    for (const pith::TfliteOperator& op : graph.operators) (void)pith::TfliteOpName(op.op);
  }
  const auto found = pith::RecogniseQwen3(*parsed);
  if (!found.ok()) {
    Require(!found.status().message().empty());
    return;
  }
  Require(pith::ValidateConfig(found->config).ok());
  const pith::TfliteGraph& graph = model.graphs[found->graph];
  for (const pith::FoundTensor& t : found->tensors) {
    Require(t.tensor >= 0 && static_cast<size_t>(t.tensor) < graph.tensors.size());
  }
}

}  // namespace

// The input where memory begins, and at an odd address, each of exactly its size.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  for (const size_t shift : {size_t{0}, size_t{1}}) {
    std::vector<uint8_t> file(shift + size);
    if (size > 0) std::memcpy(file.data() + shift, data, size);
    Use({file.data() + shift, size});
  }
  return 0;
}
