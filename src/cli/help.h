// Help screens, the manual page and shell completions: all texts made from the table of options.h.
#pragma once

#include <string>
#include <string_view>

#include "cli/options.h"

namespace pith::cli {

// One screen of 24 lines and 80 columns each.
std::string MainHelp();
std::string CommandHelp(CommandId command);

// The manual page, section 1, as roff with man macros.
std::string ManualPage(std::string_view version);

// "bash", "zsh" or "fish"; empty for any other shell.
std::string CompletionScript(std::string_view shell);

}  // namespace pith::cli
