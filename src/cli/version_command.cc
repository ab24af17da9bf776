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
  for (const std::string& name : BuiltinModelNames()) {
    text += "built-in model   " + name + ", fingerprint " + BuiltinFingerprint(name) + "\n";
  }
  if (BuiltinModelNames().empty()) text += "built-in model   none\n";
  text += "instruction set  " + Printable(InstructionSet()) + "\n";
  return PrintOut(console, text) ? kExitOk : kExitFailed;
}

}  // namespace pith::cli
