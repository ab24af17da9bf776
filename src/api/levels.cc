#include "api/levels.h"

#include "pith/hub.h"
#include "pith/pith.h"

namespace pith {

std::string LargestModel() {
  std::string largest = "builtin";
  uint64_t most = 0;
  if (const Result<ModelInfo> builtin = BuiltinModelInfo(); builtin.ok()) most = builtin->file_bytes;
  for (const ModelFile& file : ModelFiles()) {
    if (file.bytes > most || (file.bytes == most && file.path < largest)) {
      most = file.bytes;
      largest = file.path;
    }
  }
  return largest;
}

}  // namespace pith
