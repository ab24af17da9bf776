#include "report/page_parts.h"

#include "base/embed.h"

// PITH_PAGE_STYLE_FILE and PITH_PAGE_SCRIPT_FILE are paths, from CMake.
PITH_EMBED(pith_page_style, PITH_PAGE_STYLE_FILE)
PITH_EMBED(pith_page_script, PITH_PAGE_SCRIPT_FILE)

namespace pith::bench {

std::string_view PageStyle() { return AsText(PITH_EMBEDDED(pith_page_style)); }

std::string_view PageScript() { return AsText(PITH_EMBEDDED(pith_page_script)); }

}  // namespace pith::bench
