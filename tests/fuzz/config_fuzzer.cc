// Fuzz target: config.json of a checkpoint. What is accepted validates, and its sizes overflow nothing.
#include <cstdint>
#include <cstdlib>

#include "convert/checkpoint.h"
#include "convert/package_format.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto config = pith::ParseCheckpointConfig({data, size}, "fuzz");
  if (!config.ok()) {
    if (config.status().message().empty()) std::abort();
    return 0;
  }
  if (!pith::ValidateConfig(*config).ok()) std::abort();
  uint64_t end = 0;
  for (const pith::TensorPlace& place : pith::PlaceTensors(*config)) {
    if (place.offset < end || place.offset % pith::kPackageAlignment != 0) std::abort();
    if (place.size < place.spec.n_elements()) std::abort();
    end = place.offset + place.size;
    if (end > uint64_t{1} << 60) std::abort();
  }
  return 0;
}
