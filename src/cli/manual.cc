// The manual page, made from the table of options.h.
#include <algorithm>
#include <string>
#include <string_view>

#include "cli/help.h"

namespace pith::cli {
namespace {

// Text for roff: backslashes and leading control characters made harmless, minus signs as typed.
std::string Escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      if ((c == '.' || c == '\'') && (out.empty() || out.back() == '\n')) out += "\\&";
      out += c;
    }
  }
  return out;
}

// Paragraphs, one for each line of `text`.
std::string Paragraphs(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    out += ".PP\n" + Escape(text.substr(0, end)) + "\n";
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

std::string Section(std::string_view title) { return ".SH " + std::string(title) + "\n"; }

std::string Item(const std::string& roff_term, std::string_view text) {
  return ".TP\n" + roff_term + "\n" + Escape(text) + "\n";
}

std::string Term(const OptionSpec& option) {
  std::string text;
  if (option.short_name != 0) text += "\\fB\\-" + std::string(1, option.short_name) + "\\fR, ";
  text += "\\fB\\-\\-" + Escape(option.long_name) + "\\fR";
  if (option.kind != ValueKind::kNone) text += " \\fI" + Escape(option.value) + "\\fR";
  return text;
}

std::string Sentence(std::string_view text) {
  std::string out(text);
  if (out.empty()) return out;
  if (out[0] >= 'a' && out[0] <= 'z') out[0] = static_cast<char>(out[0] - 'a' + 'A');
  return out + ".";
}

std::string CommandNames(uint32_t commands) {
  std::string text;
  for (const CommandSpec& command : Commands()) {
    if ((commands >> static_cast<uint32_t>(command.id) & 1) != 0) {
      text += (text.empty() ? "" : ", ") + std::string(command.name);
    }
  }
  return text;
}

std::string OptionSection() {
  std::string text = Section("OPTIONS");
  text += Paragraphs(
      "Options may stand anywhere, short ones together (-dcf), with their value attached or not (-T4, -T 4, "
      "--threads=4). After -- every argument is a file. Sizes take K, M and G, powers of 1024.");
  const uint32_t all = (uint32_t{1} << kNCommands) - 1;
  for (const OptionSpec& option : Options()) {
    std::string about = Sentence(option.help);
    if (!option.manual.empty()) about += (about.empty() ? "" : " ") + std::string(option.manual);
    if (option.commands != all) about += " (" + CommandNames(option.commands) + ")";
    text += Item(Term(option), about);
  }
  return text;
}

}  // namespace

std::string ManualPage(std::string_view version) {
  std::string text = ".\\\" Made by `pith help --man`; do not edit.\n";
  text += ".TH PITH 1 \"\" \"pith " + Escape(version) + "\" \"User Commands\"\n";
  text += Section("NAME") + "pith \\- compress text with a language model\n";
  text += Section("SYNOPSIS");
  for (const CommandSpec& command : Commands()) {
    text += ".B pith " + Escape(command.name) + "\n" + Escape(command.arguments) + "\n.br\n";
  }
  text += ".B pith\n" + Escape("[-dtlz] [OPTION]... [FILE]...") + "\n";

  text += Section("DESCRIPTION");
  text += Paragraphs(
      "pith makes text files smaller than general compressors can, and gets them back byte for byte, on any "
      "machine. It lets a language model predict each piece of the text from what came before, and stores "
      "only what the model could not know. It is slow beside other compressors: tens or hundreds of KB a "
      "second.\n"
      "A small model is built into the program. Archives need the model that made them, and say which one "
      "it is.\n"
      "Without a command, pith compresses; -d, -t, -l and -z choose as in zstd(1). A file whose name is "
      "also a command is written ./test or follows --.");

  text += Section("COMMANDS");
  for (const CommandSpec& command : Commands()) {
    std::string term = "\\fBpith " + Escape(command.name) + "\\fR";
    if (command.flag != 0) term += ", \\fBpith \\-" + std::string(1, command.flag) + "\\fR";
    text += ".SS \"" + term + "\"\n";
    std::string about(command.about);
    for (char& c : about) {
      if (c == '\n') c = ' ';
    }
    text += Escape(about) + "\n" + Paragraphs(command.manual);
  }

  text += OptionSection();

  text += Section("MODELS");
  text += Paragraphs(
      "A model file ends in .pmodel, .litertlm or .gguf; pith import makes the first, pith convert and pith pull the second. "
      "A name means the first of: a built-in model, for \"builtin\" (the default), \"mini\" and \"nano\"; a file of that path; that path with one of these endings; "
      "such a file in a model folder, where pith pull puts ORG/NAME.litertlm, also by NAME alone if that is clear; a model file "
      "in the Hugging Face cache. pith models lists them. compress uses a built-in model unless "
      "--model names another. decompress and test read name and fingerprint of the model from the archive "
      "and take the first of: a built-in model, if it is the one; the file given with --model; a file in "
      "a model folder with that fingerprint; a short archive of one stream holds only four digits of it, and there --model comes first. If there is none, the message says which model is wanted.");

  text += Section("EXIT STATUS");
  text += Item("\\fB0\\fR", "All went well.");
  text += Item("\\fB1\\fR",
               "At least one file failed: it is missing, damaged, not overwritten, or the system refused.");
  text += Item("\\fB2\\fR",
               "The command line makes no sense, or would read an archive from a terminal or write one to "
               "it. Nothing was done.");
  text +=
      Item("\\fB3\\fR",
           "A model is missing, damaged, or not the one that made the archive; no file failed otherwise.");
  text += Item("\\fB129, 130, 141, 143\\fR",
               "As the shell shows the end by SIGHUP, SIGINT, SIGPIPE and SIGTERM. No partial file remains.");

  text += Section("ENVIRONMENT");
  text += Item("\\fBPITH_MODELS\\fR", "Model folders, separated by colons, searched before the user's own.");
  text += Item("\\fBXDG_DATA_HOME\\fR",
               "The user's own model folder is pith/models in it. Default: ~/.local/share.");
  text += Item("\\fBHF_ENDPOINT, HF_TOKEN, HF_TOKEN_PATH, HF_HOME, HF_HUB_CACHE, HF_HUB_OFFLINE, HF_HUB_DISABLE_SYMLINKS, HF_HUB_DOWNLOAD_TIMEOUT\\fR",
               "For pull and models, with the meaning that huggingface_hub gives them: the hub's address, the token or its file, "
               "the folders (default: ~/.cache/huggingface and hub in it), no network, no links, seconds of silence after which a "
               "connection counts as broken (30).");
  text += Item("\\fBPITH_RETRY_SECONDS\\fR",
               "pull: the wait before the first retry (1). Each further one doubles, and Retry-After of the hub is honoured, up "
               "to 60 times this.");
  text += Item("\\fBPITH_ISA\\fR",
               "Instruction set: scalar, avx2, avxvnni, avx512 or neon. Default: the fastest that the machine has. "
               "Results do not depend on it.");
  text += Item("\\fBNO_COLOR\\fR", "If not empty: no colours.");

  text += Section("EXAMPLES");
  for (const CommandSpec& command : Commands()) {
    for (const Example& example : command.examples) {
      text += ".TP\n\\fB" + Escape(example.line) + "\\fR\n" + Escape(Sentence(example.note)) + "\n";
    }
  }

  text += Section("NOTES");
  text += Paragraphs(
      "Sources are kept unless --rm is given. Targets keep the source's permissions and modification time. "
      "Results, progress and errors go to standard error; KB and MB there are 1000 and 1000000 bytes, and "
      "rates count original bytes.");
  text += Section("SEE ALSO") + ".BR zstd (1),\n.BR xz (1),\n.BR gzip (1)\n";
  return text;
}

}  // namespace pith::cli
