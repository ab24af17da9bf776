// What other commands need of `pith pull`.
#pragma once

#include "cli/arguments.h"
#include "cli/console.h"
#include "pith/status.h"

namespace pith::cli {

// Fetches and converts the model arguments.operands[0] as `pith pull` does, with the options of `arguments`,
// and says what it did.
Status Pull(const Arguments& arguments, Console& console);

}  // namespace pith::cli
