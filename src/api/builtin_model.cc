#include "api/builtin_model.h"

// PITH_BUILTIN_MODEL_FILE is the path of the file, from CMake. The assembler copies it into the object file:
// no generated source, no second copy in memory, and the linker keeps the alignment.
#ifdef PITH_BUILTIN_MODEL_FILE

__asm__(
    ".pushsection .rodata.pith_builtin_model,\"a\",%progbits\n"
    ".balign 64\n"
    ".global pith_builtin_model_begin\n"
    ".hidden pith_builtin_model_begin\n"
    "pith_builtin_model_begin:\n"
    ".incbin \"" PITH_BUILTIN_MODEL_FILE
    "\"\n"
    ".global pith_builtin_model_end\n"
    ".hidden pith_builtin_model_end\n"
    "pith_builtin_model_end:\n"
    ".byte 0\n"
    ".popsection\n");

extern "C" {
extern const uint8_t pith_builtin_model_begin[];
extern const uint8_t pith_builtin_model_end[];
}

namespace pith {

ByteSpan BuiltinModelFile() {
  return {pith_builtin_model_begin, static_cast<size_t>(pith_builtin_model_end - pith_builtin_model_begin)};
}

}  // namespace pith

#else

namespace pith {

ByteSpan BuiltinModelFile() { return {}; }

}  // namespace pith

#endif
