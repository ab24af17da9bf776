// PITH_EMBED: a file as bytes of the program.
//
// The assembler copies the file into the object file: no generated source, no second copy in memory, and the linker keeps the
// alignment of 64 bytes. A byte 0 follows, which does not count. Use at namespace scope of a .cc file, outside of any namespace;
// `path` is a string literal, from CMake.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"

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

// The bytes as a ByteSpan.
#define PITH_EMBEDDED(symbol) (::pith::ByteSpan(symbol##_begin, static_cast<size_t>(symbol##_end - symbol##_begin)))
