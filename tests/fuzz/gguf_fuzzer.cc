// Fuzz target: GGUF files from outside. Nothing but a Status may come of any bytes.
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "formats/gguf.h"

namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

void ReadValue(const pith::GgufValue& v) {
  (void)v.AsBool();
  (void)v.AsInteger();
  (void)v.AsUnsigned();
  (void)v.AsNumber();
  Require(v.AsString().has_value() == (v.kind() == pith::GgufKind::kString));
  if (v.kind() != pith::GgufKind::kArray) return;
  Require(v.AsStrings().empty() || v.AsStrings().size() == v.size());
  if (v.size() == 0) return;
  (void)v.IntegerAt(v.size() - 1);
  (void)v.NumberAt(v.size() - 1);
}

void ReadAll(pith::ByteSpan file) {
  const auto opened = pith::GgufFile::FromMemory(file, "fuzz");
  if (!opened.ok()) {
    Require(!opened.status().message().empty());
    return;
  }
  for (const pith::GgufKeyValue& e : (*opened)->metadata()) {
    Require((*opened)->Find(e.key) == &e.value);
    ReadValue(e.value);
  }
  uint64_t total = 0;
  for (const pith::GgufTensor& t : (*opened)->tensors()) {
    Require((*opened)->FindTensor(t.name) == &t);
    const uint64_t cols = t.shape.empty() ? 1 : t.shape.back();
    Require(t.data.size() == t.n_elements / cols * pith::GgufRowBytes(t.encoding, cols));
    Require(t.data.data() >= file.data() && t.data.data() + t.data.size() <= file.data() + file.size());
    volatile uint8_t byte = t.data.front();  // for the sanitizer; no tensor is empty
    byte = t.data.back();
    (void)byte;
    total += t.data.size();
  }
  Require(total <= file.size());
}

}  // namespace

// The input as a file; and behind a sound beginning, so that the counts in its first two bytes are the right
// kind.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const pith::ByteSpan input(data, size);
  ReadAll(input);
  if (size < 2) return 0;
  std::vector<uint8_t> file = {'G', 'G', 'U', 'F'};
  pith::ByteWriter w(file);
  w.U32(pith::kGgufVersion);
  w.U64(data[0] % 8);
  w.U64(data[1] % 8);
  for (const uint8_t b : input.subspan(2)) w.U8(b);
  ReadAll(file);
  return 0;
}
