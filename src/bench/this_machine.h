// The machine that this process runs on, as results name it.
#pragma once

#include "report/results.h"

namespace pith::bench {

// What cannot be found out is empty or 0. `energy` is left to whoever measures.
Machine ThisMachine();

// Results of nothing yet: date, program and machine.
Results ResultsOfThisMachine();

}  // namespace pith::bench
