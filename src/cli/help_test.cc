#include "cli/help.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>
#include <vector>

namespace pith::cli {
namespace {

// A screen has 24 lines; one is for the prompt that follows.
void ExpectOneScreen(const std::string& text) {
  std::istringstream in(text);
  size_t lines = 0;
  for (std::string line; std::getline(in, line); ++lines) {
    EXPECT_LE(line.size(), 79u) << line;
    EXPECT_TRUE(line.empty() || line.back() != ' ') << line;
  }
  EXPECT_LE(lines, 23u) << text;
  EXPECT_TRUE(text.ends_with("\n"));
}

TEST(Help, EveryScreenFits24LinesOf80Columns) {
  ExpectOneScreen(MainHelp());
  for (const CommandSpec& command : Commands()) ExpectOneScreen(CommandHelp(command.id));
}

TEST(Help, EveryCommandHasAnExampleThatNamesIt) {
  for (const CommandSpec& command : Commands()) {
    if (command.arguments.empty()) continue;
    ASSERT_FALSE(command.examples.empty()) << command.name;
    const std::string help = CommandHelp(command.id);
    for (const Example& example : command.examples) EXPECT_NE(help.find(example.line), std::string::npos);
  }
}

TEST(Help, EveryOptionIsInTheHelpOfItsCommandsAndInTheManual) {
  const std::string manual = ManualPage("1.2.3");
  for (const OptionSpec& option : Options()) {
    const std::string name = "--" + std::string(option.long_name);
    for (const CommandSpec& command : Commands()) {
      std::istringstream help(CommandHelp(command.id));
      bool found = false;
      for (std::string line; std::getline(help, line) && line != "Examples:";) {
        found = found || (line.starts_with("  ") && (line + " ").find(name + " ") != std::string::npos) ||
                line.find(name + ":") != std::string::npos;
      }
      EXPECT_EQ(found, AppliesTo(option, command.id)) << command.name << " " << name;
    }
    std::string in_roff = name;
    for (size_t at = 0; (at = in_roff.find('-', at)) != std::string::npos; at += 2) in_roff.insert(at, "\\");
    EXPECT_NE(manual.find(in_roff), std::string::npos) << name;
  }
}

TEST(Help, EveryCommandIsInTheManualAndInEveryCompletion) {
  const std::vector<std::string> texts = {MainHelp(), ManualPage("1"), CompletionScript("bash"),
                                          CompletionScript("zsh"), CompletionScript("fish")};
  for (const CommandSpec& command : Commands()) {
    for (const std::string& text : texts)
      EXPECT_NE(text.find(command.name), std::string::npos) << command.name;
  }
  EXPECT_EQ(CompletionScript("csh"), "");
}

TEST(Options, NoLetterAndNoNameHasTwoMeanings) {
  std::string letters;
  std::vector<std::string_view> names;
  for (const OptionSpec& option : Options()) {
    if (option.short_name != 0) letters += option.short_name;
    names.push_back(option.long_name);
  }
  for (const CommandSpec& command : Commands()) {
    if (command.flag == 0) continue;
    letters += command.flag;
    names.push_back(command.long_flag);
  }
  std::sort(letters.begin(), letters.end());
  EXPECT_EQ(std::adjacent_find(letters.begin(), letters.end()), letters.end()) << letters;
  std::sort(names.begin(), names.end());
  EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
}

}  // namespace
}  // namespace pith::cli
