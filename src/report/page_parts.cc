#include "report/page_parts.h"

// PITH_PAGE_STYLE_FILE and PITH_PAGE_SCRIPT_FILE are paths, from CMake. The assembler copies the files into
// the object file, as it does with the model inside the program (src/api/builtin_model.cc).
#define PITH_EMBED(name, file)              \
  __asm__(".pushsection .rodata." #name     \
          ",\"a\",%progbits\n"              \
          ".global " #name                  \
          "_begin\n"                        \
          ".hidden " #name "_begin\n" #name \
          "_begin:\n"                       \
          ".incbin \"" file                 \
          "\"\n"                            \
          ".global " #name                  \
          "_end\n"                          \
          ".hidden " #name "_end\n" #name   \
          "_end:\n"                         \
          ".byte 0\n"                       \
          ".popsection\n")

PITH_EMBED(pith_page_style, PITH_PAGE_STYLE_FILE);
PITH_EMBED(pith_page_script, PITH_PAGE_SCRIPT_FILE);

extern "C" {
extern const char pith_page_style_begin[];
extern const char pith_page_style_end[];
extern const char pith_page_script_begin[];
extern const char pith_page_script_end[];
}

namespace pith::bench {

std::string_view PageStyle() {
  return {pith_page_style_begin, static_cast<size_t>(pith_page_style_end - pith_page_style_begin)};
}

std::string_view PageScript() {
  return {pith_page_script_begin, static_cast<size_t>(pith_page_script_end - pith_page_script_begin)};
}

}  // namespace pith::bench
