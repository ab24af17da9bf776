#include "api/builtin_model.h"

#include <vector>

#include "base/embed.h"

// PITH_BUILTIN_MODEL_FILE and PITH_BUILTIN_NANO_FILE are paths, from CMake.
#ifdef PITH_BUILTIN_MODEL_FILE
PITH_EMBED(pith_builtin_model, PITH_BUILTIN_MODEL_FILE)
#endif
#ifdef PITH_BUILTIN_NANO_FILE
PITH_EMBED(pith_builtin_nano, PITH_BUILTIN_NANO_FILE)
#endif

namespace pith {

std::span<const BuiltinFile> BuiltinModelFiles() {
  static const std::vector<BuiltinFile> files = {
#ifdef PITH_BUILTIN_MODEL_FILE
      {"mini", PITH_EMBEDDED(pith_builtin_model)},
#endif
#ifdef PITH_BUILTIN_NANO_FILE
      {"nano", PITH_EMBEDDED(pith_builtin_nano)},
#endif
  };
  return files;
}

ByteSpan BuiltinModelFile(const std::string& name) {
  const std::span<const BuiltinFile> files = BuiltinModelFiles();
  if (files.empty()) return {};
  if (name.empty() || name == "builtin") return files.front().file;
  for (const BuiltinFile& file : files) {
    if (name == file.name) return file.file;
  }
  return {};
}

}  // namespace pith
