// Completion scripts for bash, zsh and fish.
#include <string>
#include <string_view>
#include <vector>

#include "cli/help.h"

namespace pith::cli {
namespace {

std::string Words(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

std::vector<std::string> CommandWords() {
  std::vector<std::string> words;
  for (const CommandSpec& command : Commands()) words.emplace_back(command.name);
  return words;
}

std::vector<std::string> OptionWords(CommandId command) {
  std::vector<std::string> words;
  for (const OptionSpec& option : Options()) {
    if (!AppliesTo(option, command)) continue;
    if (option.short_name != 0) words.push_back(std::string("-") + option.short_name);
    words.push_back("--" + std::string(option.long_name));
  }
  return words;
}

// Single-quoted for a shell.
std::string Quote(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

// ---- bash
// ---------------------------------------------------------------------------------------------------------

std::string BashValueCases() {
  std::string text;
  for (const OptionSpec& option : Options()) {
    if (option.kind == ValueKind::kNone) continue;
    std::string action;
    switch (option.kind) {
      case ValueKind::kFile:
        action = "_pith_files '*'";
        break;
      case ValueKind::kModel:
        action = "_pith_files '*.pmodel' builtin";
        break;
      case ValueKind::kChoice:
        action = "COMPREPLY=($(compgen -W " + Quote(option.choices) + " -- \"$cur\"))";
        break;
      default:
        action = "COMPREPLY=()";
        break;
    }
    const std::string short_form = option.short_name != 0 ? std::string("-") + option.short_name + "|" : "";
    text += "    " + short_form + "--" + std::string(option.long_name) + ") " + action + "; return ;;\n";
  }
  return text;
}

std::string BashOperands(std::string_view operands) {
  if (operands == "archive") return "_pith_files '*.pith'";
  if (operands == "model") return "_pith_files '*' builtin";
  if (operands == "folder") return "COMPREPLY=($(compgen -d -- \"$cur\"))";
  if (operands == "command")
    return "COMPREPLY=($(compgen -W " + Quote(Words(CommandWords())) + " -- \"$cur\"))";
  if (operands == "models") return "COMPREPLY=($(compgen -W 'rm path' -- \"$cur\"))";
  if (operands == "shell") return "COMPREPLY=($(compgen -W 'bash zsh fish' -- \"$cur\"))";
  if (operands == "file") return "_pith_files '*'";
  return "COMPREPLY=()";
}

std::string Bash() {
  std::string text =
      "# bash completion for pith; made by `pith completion bash`\n"
      "\n"
      "# Files that match $1, and folders; then the words in $2.\n"
      "_pith_files() {\n"
      "  local IFS=$'\\n'\n"
      "  compopt -o filenames 2>/dev/null\n"
      "  COMPREPLY=($(compgen -f -X \"!$1\" -- \"$cur\") $(compgen -d -- \"$cur\") $(compgen -W \"${2-}\" -- "
      "\"$cur\"))\n"
      "}\n"
      "\n"
      "_pith() {\n"
      "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command= word\n"
      "  case $prev in\n" +
      BashValueCases() +
      "  esac\n"
      "  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
      "    case $word in\n";
  for (const CommandSpec& command : Commands()) {
    std::string pattern(command.name);
    if (command.flag != 0) {
      const std::string letter(1, command.flag);
      pattern += "|-" + letter + "*|-[!-]*" + letter + "*|--" + std::string(command.long_flag);
    }
    text += "      " + pattern + ") command=" + std::string(command.name) + "; break ;;\n";
  }
  text +=
      "    esac\n"
      "  done\n"
      "  if [[ $cur == -* ]]; then\n"
      "    local options\n"
      "    case $command in\n";
  for (const CommandSpec& command : Commands()) {
    const std::string pattern =
        command.id == CommandId::kCompress ? std::string("compress|''") : std::string(command.name);
    std::string extra;
    if (command.id == CommandId::kCompress) extra = " -d -t -l -z";
    text += "      " + pattern + ") options=" + Quote(Words(OptionWords(command.id)) + extra) + " ;;\n";
  }
  text +=
      "    esac\n"
      "    COMPREPLY=($(compgen -W \"$options\" -- \"$cur\"))\n"
      "    return\n"
      "  fi\n"
      "  case $command in\n";
  for (const CommandSpec& command : Commands()) {
    text += "    " + std::string(command.name) + ") " + BashOperands(command.operands) + " ;;\n";
  }
  text += "    *) _pith_files '*' " + Quote([] {
            std::string lines;
            for (const std::string& word : CommandWords()) lines += (lines.empty() ? "" : "\n") + word;
            return lines;
          }()) +
          " ;;\n"
          "  esac\n"
          "}\n"
          "complete -F _pith pith\n";
  return text;
}

// ---- zsh
// ----------------------------------------------------------------------------------------------------------

// Text inside an _arguments specification.
std::string ZshText(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string ZshAction(const OptionSpec& option) {
  switch (option.kind) {
    case ValueKind::kNone:
      return "";
    case ValueKind::kFile:
      return ":file:_files";
    case ValueKind::kModel:
      return ":model:_pith_models";
    case ValueKind::kChoice:
      return ":value:(" + std::string(option.choices) + ")";
    case ValueKind::kSize:
      return ":size: ";
    case ValueKind::kCount:
      return ":number: ";
    case ValueKind::kText:
      return ":text: ";
  }
  return "";
}

std::string ZshOptions(CommandId command) {
  std::string text;
  for (const OptionSpec& option : Options()) {
    if (!AppliesTo(option, command)) continue;
    std::string help(option.help);
    if (help.empty()) help = option.id == OptionId::kHelp ? "show help" : "show versions";
    const std::string tail = "[" + ZshText(help) + "]" + ZshAction(option);
    const std::string name = "--" + std::string(option.long_name);
    const bool value = option.kind != ValueKind::kNone;
    if (option.short_name != 0) {
      const std::string letter = std::string("-") + option.short_name;
      text += " " + Quote("(" + name + ")" + letter + (value ? "+" : "") + tail);
      text += " " + Quote("(" + letter + ")" + name + (value ? "=" : "") + tail);
    } else {
      text += " " + Quote(name + (value ? "=" : "") + tail);
    }
  }
  return text;
}

std::string ZshOperands(std::string_view operands) {
  if (operands == "archive") return "'*:archive:_files -g \"*.pith\"'";
  if (operands == "model") return "'1:model:_pith_models' '*:file:_files'";
  if (operands == "folder") return "'1:folder:_files -/'";
  if (operands == "command") return Quote("1:command:(" + Words(CommandWords()) + ")");
  if (operands == "models") return "'1:what:(rm path)' '2:name: '";
  if (operands == "shell") return "'1:shell:(bash zsh fish)'";
  if (operands == "file") return "'*:file:_files'";
  return "";
}

std::string Zsh() {
  std::string text =
      "#compdef pith\n"
      "# made by `pith completion zsh`\n"
      "\n"
      "_pith_models() { _alternative 'word:built-in model:(builtin)' 'file:model file:_files -g "
      "\"*.pmodel\"' }\n"
      "\n"
      "_pith() {\n"
      "  local command=${words[2]-}\n"
      "  if (( CURRENT == 2 )) && [[ $command != -* ]]; then\n"
      "    local -a commands=(";
  for (const CommandSpec& command : Commands()) {
    text += "\n      " + Quote(std::string(command.name) + ":" + std::string(command.summary));
  }
  text +=
      ")\n"
      "    _describe command commands\n"
      "    _files\n"
      "    return\n"
      "  fi\n"
      "  case $command in\n";
  for (const CommandSpec& command : Commands()) {
    if (command.flag == 0) continue;
    const std::string letter(1, command.flag);
    text += "    -" + letter + "*|-[^-]*" + letter + "*|--" + std::string(command.long_flag) +
            ") command=" + std::string(command.name) + " ;;\n";
  }
  std::string names;
  for (const std::string& word : CommandWords()) names += (names.empty() ? "" : "|") + word;
  text += "    " + names +
          ") shift words; (( CURRENT-- )) ;;\n"
          "    *) command=compress ;;\n"
          "  esac\n"
          "  case $command in\n";
  for (const CommandSpec& command : Commands()) {
    std::string flags;
    if (command.id == CommandId::kCompress) {
      for (const CommandSpec& other : Commands()) {
        if (other.flag != 0)
          flags += " " + Quote(std::string("-") + other.flag + "[" + ZshText(other.summary) + "]");
      }
    }
    text += "    " + std::string(command.name) + ") _arguments -s" + flags + ZshOptions(command.id) + " " +
            ZshOperands(command.operands) + " ;;\n";
  }
  text +=
      "  esac\n"
      "}\n"
      "\n"
      "_pith \"$@\"\n";
  return text;
}

// ---- fish
// ---------------------------------------------------------------------------------------------------------

std::string Fish() {
  const std::string all = Words(CommandWords());
  std::string text = "# fish completion for pith; made by `pith completion fish`\n";
  text += "set -l commands " + all + "\n";
  for (const CommandSpec& command : Commands()) {
    text += "complete -c pith -n \"not __fish_seen_subcommand_from $commands\" -a " +
            std::string(command.name) + " -d " + Quote(command.summary) + "\n";
    if (command.flag != 0) {
      text += "complete -c pith -n \"not __fish_seen_subcommand_from $commands\" -s " +
              std::string(1, command.flag) + " -l " + std::string(command.long_flag) + " -d " +
              Quote(command.summary) + "\n";
    }
  }
  for (const OptionSpec& option : Options()) {
    std::string names;
    for (const CommandSpec& command : Commands()) {
      if (AppliesTo(option, command.id)) names += (names.empty() ? "" : " ") + std::string(command.name);
    }
    // Without a command, pith compresses; -d, -t and -l may still come, so their options are offered, too.
    const bool file_command = AppliesTo(option, CommandId::kCompress) ||
                              AppliesTo(option, CommandId::kDecompress) ||
                              AppliesTo(option, CommandId::kList);
    std::string condition = "__fish_seen_subcommand_from " + names;
    if (file_command) condition = "not __fish_seen_subcommand_from $commands; or " + condition;
    text += "complete -c pith -n \"" + condition + "\"";
    if (option.short_name != 0) text += " -s " + std::string(1, option.short_name);
    text += " -l " + std::string(option.long_name);
    switch (option.kind) {
      case ValueKind::kNone:
        break;
      case ValueKind::kFile:
        text += " -r -F";
        break;
      case ValueKind::kModel:
        text += " -r -F -a builtin";
        break;
      case ValueKind::kChoice:
        text += " -x -a " + Quote(option.choices);
        break;
      default:
        text += " -x";
        break;
    }
    if (!option.help.empty()) text += " -d " + Quote(option.help);
    text += "\n";
  }
  for (const CommandSpec& command : Commands()) {
    const std::string condition =
        "complete -c pith -n \"__fish_seen_subcommand_from " + std::string(command.name) + "\"";
    if (command.operands == "archive") text += condition + " -k -a \"(__fish_complete_suffix .pith)\"\n";
    if (command.operands == "model") text += condition + " -a builtin\n";
    if (command.operands == "folder") text += condition + " -f -a \"(__fish_complete_directories)\"\n";
    if (command.operands == "models") text += condition + " -f -a 'rm path'\n";
    if (command.operands == "shell") text += condition + " -f -a 'bash zsh fish'\n";
    if (command.operands == "command") text += condition + " -f -a \"$commands\"\n";
    if (command.operands.empty()) text += condition + " -f\n";
  }
  return text;
}

}  // namespace

std::string CompletionScript(std::string_view shell) {
  if (shell == "bash") return Bash();
  if (shell == "zsh") return Zsh();
  if (shell == "fish") return Fish();
  return "";
}

}  // namespace pith::cli
