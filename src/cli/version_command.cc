// pith version
#include <string>

#include "cli/commands.h"
#include "cli/console.h"
#include "pith/pith.h"

namespace pith::cli {

int RunVersion(const Arguments& arguments, Console& console) {
  (void)arguments;
  std::string text = "pith " + VersionString() + "\n";
  text += "archive format   " + std::to_string(FormatVersion()) + "\n";
  text += "arithmetic       " + std::to_string(ContractVersion()) + "\n";
  const Result<ModelInfo> model = BuiltinModelInfo();
  if (model.ok()) {
    text += "built-in model   " + Printable(model->name) + ", fingerprint " + model->fingerprint + "\n";
  } else {
    text += "built-in model   none (" + Printable(model.status().message()) + ")\n";
  }
  text += "instruction set  " + Printable(InstructionSet()) + "\n";
  return PrintOut(console, text) ? kExitOk : kExitFailed;
}

}  // namespace pith::cli
