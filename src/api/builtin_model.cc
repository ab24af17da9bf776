#include "api/builtin_model.h"

#include <vector>

// PITH_BUILTIN_MODEL_FILE and PITH_BUILTIN_NANO_FILE are paths, from CMake. The assembler copies the files into the object
// file: no generated source, no second copy in memory, and the linker keeps the alignment.
#define PITH_EMBED(symbol, path)                               \
  __asm__(".pushsection .rodata." #symbol ",\"a\",%progbits\n" \
          ".balign 64\n"                                       \
          ".global " #symbol "_begin\n"                        \
          ".hidden " #symbol "_begin\n" #symbol                \
          "_begin:\n"                                          \
          ".incbin \"" path                                    \
          "\"\n"                                               \
          ".global " #symbol "_end\n"                          \
          ".hidden " #symbol "_end\n" #symbol                  \
          "_end:\n"                                            \
          ".byte 0\n"                                          \
          ".popsection\n");                                    \
  extern "C" {                                                 \
  extern const uint8_t symbol##_begin[];                       \
  extern const uint8_t symbol##_end[];                         \
  }

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
      {"mini", {pith_builtin_model_begin, static_cast<size_t>(pith_builtin_model_end - pith_builtin_model_begin)}},
#endif
#ifdef PITH_BUILTIN_NANO_FILE
      {"nano", {pith_builtin_nano_begin, static_cast<size_t>(pith_builtin_nano_end - pith_builtin_nano_begin)}},
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
