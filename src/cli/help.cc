#include "cli/help.h"

#include <algorithm>

namespace pith::cli {
namespace {

constexpr size_t kScreenColumns = 80;

std::string Pad(std::string text, size_t width) {
  text.resize(std::max(width, text.size()), ' ');
  return text;
}

// "-o, --output FILE" or "    --model MODEL".
std::string OptionNames(const OptionSpec& option) {
  std::string text =
      option.short_name != 0 ? std::string("-") + option.short_name + ", " : std::string("    ");
  text += "--" + std::string(option.long_name);
  if (option.kind != ValueKind::kNone) text += " " + std::string(option.value);
  return text;
}

bool IsEverywhere(const OptionSpec& option) {
  return option.id == OptionId::kQuiet || option.id == OptionId::kVerbose || option.id == OptionId::kHelp ||
         option.id == OptionId::kVersion;
}

// Commands that say something of the program itself share a line: the screen is full.
bool IsAboutProgram(CommandId id) {
  return id == CommandId::kCompletion || id == CommandId::kHelp || id == CommandId::kVersion;
}

// Those that hardly anyone needs: named in one line, explained in the manual.
bool IsFinePoint(const OptionSpec& option, CommandId id) {
  if (id == CommandId::kRun) {
    switch (option.id) {
      case OptionId::kPrompt:
      case OptionId::kPromptFile:
      case OptionId::kSystem:
      case OptionId::kSeed:
      case OptionId::kMaxTokens:
      case OptionId::kNoThink:
      case OptionId::kRaw:
      case OptionId::kJsonSchema:
      case OptionId::kStats:
        return false;
      default:
        return true;
    }
  }
  if (id == CommandId::kConvert) {
    switch (option.id) {
      case OptionId::kFormat:
      case OptionId::kActivations:
      case OptionId::kGreedy:
      case OptionId::kTemperature:
      case OptionId::kTopP:
      case OptionId::kTopK:
      case OptionId::kSeed:
        return true;
      default:
        return false;
    }
  }
  if (id == CommandId::kBench) {
    return option.id == OptionId::kWarmup || option.id == OptionId::kTimeout || option.id == OptionId::kPeers;
  }
  return id == CommandId::kCompress && (option.id == OptionId::kStreams || option.id == OptionId::kBlock ||
                                        option.id == OptionId::kWindow || option.id == OptionId::kPlain ||
                                        option.id == OptionId::kBestOf);
}

// `words`, each with a space in front, behind `start`; further lines begin below them.
std::string Wrapped(const std::string& start, const std::string& words) {
  std::string text = start;
  size_t column = start.size();
  for (size_t begin = 0; begin < words.size();) {
    const size_t end = std::min(words.find(' ', begin + 1), words.size());
    if (column + (end - begin) >= kScreenColumns) {
      text += "\n" + std::string(start.size(), ' ');
      column = start.size();
    }
    text += words.substr(begin, end - begin);
    column += end - begin;
    begin = end;
  }
  return text;
}

std::string Examples(std::span<const Example> examples) {
  size_t width = 0;
  for (const Example& example : examples) {
    if (!example.note.empty()) width = std::max(width, example.line.size());
  }
  std::string text = "\nExamples:\n";
  for (const Example& example : examples) {
    text += "  ";
    text += example.note.empty() ? std::string(example.line)
                                 : Pad(std::string(example.line), width) + "   " + std::string(example.note);
    text += "\n";
  }
  return text;
}

}  // namespace

std::string MainHelp() {
  std::string text =
      "pith makes text small with a language model, converts models and runs them.\n"
      "\n"
      "Usage: pith [COMMAND] [OPTION]... [FILE]...   (pith FILE makes FILE.pith)\n"
      "\n"
      "Commands:\n";
  for (const CommandSpec& command : Commands()) {
    if (IsAboutProgram(command.id)) continue;
    std::string name = std::string(command.name);
    if (command.flag != 0) name = Pad(name, 11) + " -" + command.flag;
    text += "  " + Pad(name, 16) + std::string(command.summary) + "\n";
  }
  std::string names;
  for (const CommandSpec& command : Commands()) {
    if (IsAboutProgram(command.id)) names += (names.empty() ? "" : ", ") + std::string(command.name);
  }
  text += "  " + names + "    scripts for shells; of a command; of pith\n";
  text +=
      "\n"
      "Common options: -1 (fast) .. -9 (small)  -o FILE  -c (to stdout)  -f (force)\n"
      "  -r  --rm  -T N  -D FILE  --model FILE  --verify;  more: pith help COMMAND\n"
      "Exit code: 0 ok, 1 a file failed, 2 bad command line, 3 model missing or wrong\n";
  return text;
}

std::string CommandHelp(CommandId id) {
  const CommandSpec& command = Command(id);
  std::string text = "Usage: pith " + std::string(command.name);
  if (!command.arguments.empty()) text += " " + std::string(command.arguments);
  if (command.flag != 0) text += std::string("    (short: pith -") + command.flag + ")";
  text += "\n" + std::string(command.about) + "\n\n";

  // The names in one column, as wide as the widest, the help beside it.
  size_t width = 0;
  for (const OptionSpec& option : Options()) {
    if (AppliesTo(option, id) && !IsEverywhere(option) && !IsFinePoint(option, id)) width = std::max(width, OptionNames(option).size());
  }
  std::string fine_points;
  const bool names_alone = id == CommandId::kConvert || id == CommandId::kRun;  // where there are many
  for (const OptionSpec& option : Options()) {
    if (!AppliesTo(option, id) || IsEverywhere(option)) continue;
    if (IsFinePoint(option, id)) {
      fine_points += names_alone ? " --" + std::string(option.long_name) : OptionNames(option).substr(3);
      continue;
    }
    text += "  " + Pad(OptionNames(option), width) + "  " + std::string(option.help) + "\n";
  }
  if (!fine_points.empty()) text += Wrapped(names_alone ? "  also:" : "  in the manual:", fine_points) + "\n";
  text += "  -q, --quiet: errors only  -v, --verbose: say more  -h, --help  -V, --version\n";
  if (!command.examples.empty()) text += Examples(command.examples);
  static_assert(kScreenColumns == 80);  // help_test.cc holds every line to it
  return text;
}

}  // namespace pith::cli
