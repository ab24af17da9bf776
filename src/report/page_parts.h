// The parts of the page that are files of their own: page.css and page.js, as they were when the program was
// built.
#pragma once

#include <string_view>

namespace pith::bench {

std::string_view PageStyle();
std::string_view PageScript();

}  // namespace pith::bench
