#include "api/levels.h"

#include "api/builtin_model.h"
#include "pith/hub.h"

namespace pith {

std::string ModelOfLevel(uint32_t level) {
  const std::span<const BuiltinFile> builtin = BuiltinModelFiles();
  if (level < kDefaultLevel && !builtin.empty()) return builtin.back().name;
  std::string chosen = "builtin";
  if (level < kMaxLevel) return chosen;
  uint64_t most = builtin.empty() ? 0 : builtin.front().file.size();
  for (const ModelFile& file : ModelFiles()) {
    if (file.bytes > most || (file.bytes == most && file.path < chosen)) {
      most = file.bytes;
      chosen = file.path;
    }
  }
  return chosen;
}

}  // namespace pith
