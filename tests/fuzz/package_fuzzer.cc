// Fuzz target: pith model files. Each input is tried as it is, and with its size and checksums made right, so
// that what lies behind them is reached.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

#include "base/hash.h"
#include "convert/package.h"
#include "convert/package_format.h"

namespace {

constexpr size_t kTableOffset = 64;
constexpr size_t kEntryBytes = 32;
constexpr size_t kMaxInput = size_t{1} << 20;

void SetU64(uint8_t* at, uint64_t v) { std::memcpy(at, &v, sizeof v); }
uint64_t GetU64(const uint8_t* at) {
  uint64_t v = 0;
  std::memcpy(&v, at, sizeof v);
  return v;
}

void MakeConsistent(uint8_t* file, size_t size) {
  if (size < pith::kPackageHeaderBytes) return;
  SetU64(file + 16, size);
  for (size_t i = 0; i < pith::kSectionCount; ++i) {
    uint8_t* entry = file + kTableOffset + i * kEntryBytes;
    const uint64_t offset = GetU64(entry + 8);
    if (offset > size) continue;
    if (i + 1 == pith::kSectionCount) SetU64(entry + 16, size - offset);  // the last section takes the rest
    const uint64_t n = GetU64(entry + 16);
    if (n <= size - offset) SetU64(entry + 24, pith::Hash64({file + offset, n}));
  }
  SetU64(file + pith::kPackageHeaderBytes - 8, pith::Hash64({file, pith::kPackageHeaderBytes - 8}));
}

bool Use(pith::ByteSpan file) {
  const auto package = pith::Package::FromMemory(file, "fuzz");
  if (!package.ok()) {
    if (package.status().message().empty()) std::abort();
    return false;
  }
  const pith::ModelWeights& w = (*package)->weights();
  if (!pith::ValidateConfig(w.config).ok() || w.layers.size() != w.config.n_layers) std::abort();
  if ((*package)->start_token() >= w.config.vocab) std::abort();
  (void)(*package)->VerifyFingerprint().ok();  // reads every code, scale and norm
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > kMaxInput) return 0;
  // Of exactly this size, so that a sanitizer sees a read beyond the end.
  struct Free {
    void operator()(uint8_t* p) const { ::operator delete(p, std::align_val_t{pith::kPackageAlignment}); }
  };
  const std::unique_ptr<uint8_t, Free> file(
      static_cast<uint8_t*>(::operator new(size, std::align_val_t{pith::kPackageAlignment})));
  if (size > 0) std::memcpy(file.get(), data, size);
  Use({file.get(), size});
  MakeConsistent(file.get(), size);
  Use({file.get(), size});
  return 0;
}
