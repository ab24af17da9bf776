// The program: parses the command line and runs one command.
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <exception>
#include <new>
#include <string>
#include <vector>

#include "bench/worker.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/console.h"
#include "cli/files.h"
#include "cli/help.h"
#include "cli/signals.h"
#include "pith/pith.h"

namespace pith::cli {
namespace {

// A process started without standard descriptors would open its files as 0, 1 and 2 and write messages into
// them. In their place comes what cannot be read or written, so that a command that needs them fails; messages may go nowhere.
void OpenMissingDescriptors() {
  for (int fd = 0; fd <= 2; ++fd) {
    if (fcntl(fd, F_GETFD) == -1 && open("/dev/null", fd == 1 ? O_RDONLY : O_WRONLY) != fd)
      _exit(kExitFailed);
  }
}

int RunHelp(const Arguments& arguments, Console& console) {
  std::string text;
  if (arguments.man) {
    text = ManualPage(VersionString());
  } else if (arguments.operands.empty()) {
    text = MainHelp();
  } else if (const CommandSpec* command = FindCommand(arguments.operands[0])) {
    text = CommandHelp(command->id);
  } else {
    console.Error("there is no command " + arguments.operands[0] + "; see pith --help");
    return kExitUsage;
  }
  return PrintOut(console, text) ? kExitOk : kExitFailed;
}

int RunCompletion(const Arguments& arguments, Console& console) {
  const std::string script = CompletionScript(arguments.operands[0]);
  if (script.empty()) {
    console.Error("no completion for " + arguments.operands[0] + ", only for bash, zsh and fish");
    return kExitUsage;
  }
  return PrintOut(console, script) ? kExitOk : kExitFailed;
}

// `pith decompres x`: the word was taken for a file, which does not exist.
void HintAtCommand(const Arguments& arguments, Console& console) {
  if (arguments.named || arguments.operands.empty()) return;
  const std::string& word = arguments.operands[0];
  if (access(word.c_str(), F_OK) == 0) return;
  std::vector<std::string_view> names;
  for (const CommandSpec& command : Commands()) names.push_back(command.name);
  const std::string_view near = NearestWord(word, names);
  if (!near.empty()) console.Warning("is " + word + " meant to be the command " + std::string(near) + "?");
}

int RunCommand(const Arguments& arguments, Console& console) {
  switch (arguments.command) {
    case CommandId::kCompress: {
      HintAtCommand(arguments, console);
      return RunCompress(arguments, console);
    }
    case CommandId::kDecompress:
    case CommandId::kTest:
      return RunDecompress(arguments, console);
    case CommandId::kList:
      return RunList(arguments, console);
    case CommandId::kEval:
      return RunEval(arguments, console);
    case CommandId::kTrain:
      return RunTrain(arguments, console);
    case CommandId::kImport:
      return RunImport(arguments, console);
    case CommandId::kConvert:
      return RunConvert(arguments, console);
    case CommandId::kInspect:
      return RunInspect(arguments, console);
    case CommandId::kRun:
      return RunRun(arguments, console);
    case CommandId::kPull:
      return RunPull(arguments, console);
    case CommandId::kModels:
      return RunModels(arguments, console);
    case CommandId::kBench:
      return RunBench(arguments, console);
    case CommandId::kCompletion:
      return RunCompletion(arguments, console);
    case CommandId::kHelp:
      return RunHelp(arguments, console);
    case CommandId::kVersion:
      return RunVersion(arguments, console);
  }
  return kExitUsage;
}

int Main(const std::vector<std::string>& args) {
  if (bench::IsWorker(args)) return bench::RunWorker(args);
  if (args.empty() && isatty(STDIN_FILENO) == 1) {
    Console console(1);
    return PrintOut(console, MainHelp()) ? kExitOk : kExitFailed;
  }
  const Result<Arguments> arguments = ParseArguments(args);
  if (!arguments.ok()) {
    Console(1).Error(arguments.status().message());
    return kExitUsage;
  }
  Console console(arguments->verbosity);
  if (arguments->help) {
    const std::string text = arguments->named ? CommandHelp(arguments->command) : MainHelp();
    return PrintOut(console, text) ? kExitOk : kExitFailed;
  }
  InstallSignalHandlers();
  return RunCommand(*arguments, console);
}

}  // namespace
}  // namespace pith::cli

int main(int argc, char** argv) {
  pith::cli::OpenMissingDescriptors();
  try {
    return pith::cli::Main(argc > 0 ? std::vector<std::string>(argv + 1, argv + argc)
                                    : std::vector<std::string>());
  } catch (const std::bad_alloc&) {
    pith::cli::Console(1).Error("out of memory");
  } catch (const std::exception& e) {
    pith::cli::Console(1).Error(std::string("bug: ") + e.what());
  }
  return pith::cli::kExitFailed;
}
