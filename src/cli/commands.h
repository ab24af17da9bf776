// The commands of the program. Each returns the exit code.
#pragma once

#include "cli/arguments.h"
#include "cli/console.h"

namespace pith::cli {

int RunCompress(const Arguments& arguments, Console& console);
int RunDecompress(const Arguments& arguments, Console& console);  // also test
int RunList(const Arguments& arguments, Console& console);
int RunEval(const Arguments& arguments, Console& console);
int RunTrain(const Arguments& arguments, Console& console);
int RunImport(const Arguments& arguments, Console& console);
int RunConvert(const Arguments& arguments, Console& console);
int RunInspect(const Arguments& arguments, Console& console);
int RunRun(const Arguments& arguments, Console& console);
int RunPull(const Arguments& arguments, Console& console);
int RunModels(const Arguments& arguments, Console& console);
int RunBench(const Arguments& arguments, Console& console);
int RunVersion(const Arguments& arguments, Console& console);

}  // namespace pith::cli
