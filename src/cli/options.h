// Everything that a user can type, as one table: the parser, the help screens, the man page and the shell
// completions are made from it, so that they cannot disagree.
//
// Own parser, not CLI11: CLI11 2.1 (Debian 12) changes file names (`[draft]` becomes `draft`, `[a,b]` two
// files), and the table is needed anyway for the man page and the completions.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace pith::cli {

enum class CommandId : uint8_t {
  kCompress,
  kDecompress,
  kTest,
  kList,
  kEval,
  kTrain,
  kImport,
  kConvert,
  kInspect,
  kRun,
  kPull,
  kModels,
  kBench,
  kCompletion,
  kHelp,
  kVersion,
};
inline constexpr size_t kNCommands = 16;

struct Example {
  std::string_view line;
  std::string_view note;  // may be empty
};

struct CommandSpec {
  CommandId id;
  std::string_view name;
  char flag;                   // zstd's short form, e.g. 'd'; 0: none
  std::string_view long_flag;  // its long form, e.g. "decompress"; empty: none
  std::string_view arguments;  // for the usage line
  std::string_view summary;    // for the list of commands
  std::string_view about;      // first lines of its help; 78 columns
  std::string_view manual;     // further paragraphs of the man page; may be empty
  std::string_view
      operands;  // what the shell should offer: "file", "archive", "model", "folder", "command", "shell", "models"
  std::span<const Example> examples;
};

enum class OptionId : uint8_t {
  kOutput,
  kStdout,
  kForce,
  kKeep,
  kRemove,
  kVerify,
  kRecursive,
  kModel,
  kDictionary,
  kMemory,
  kStreams,
  kBlock,
  kWindow,
  kPlain,
  kNames,
  kLevel,
  kBestOf,
  kThreads,
  kJson,
  kSize,
  kIds,
  kLogits,
  kName,
  kActivations,
  kCalibration,
  kQuantize,
  kFormat,
  kCacheLength,
  kPrefill,
  kMetadata,
  kSystem,
  kStop,
  kGreedy,
  kTemperature,
  kTopP,
  kTopK,
  kSeed,
  kReport,
  kPrompt,
  kPromptFile,
  kMaxTokens,
  kThink,
  kNoThink,
  kHideThinking,
  kRaw,
  kTools,
  kJsonSchema,
  kGrammar,
  kStats,
  kMinP,
  kRepetitionPenalty,
  kPresencePenalty,
  kFrequencyPenalty,
  kContext,
  kChatTemplate,
  kNoDraft,
  kRevision,
  kFile,
  kOffline,
  kNoConvert,
  kCache,
  kCodecs,
  kCodec,
  kRepeat,
  kWarmup,
  kSlice,
  kTimeout,
  kCorpus,
  kCompare,
  kEngine,
  kPeers,
  kTerminal,
  kMan,
  kQuiet,
  kVerbose,
  kHelp,
  kVersion,
};

enum class ValueKind : uint8_t { kNone, kFile, kModel, kSize, kCount, kText, kChoice };

struct OptionSpec {
  OptionId id;
  char short_name;             // 0: none
  std::string_view long_name;  // without dashes
  ValueKind kind;
  std::string_view value;    // its name in help, e.g. "FILE"; empty for kNone
  std::string_view choices;  // kChoice: words with a space between
  uint32_t commands;         // bit set: 1 << CommandId
  std::string_view help;     // one line of the help screen; empty: not shown there
  std::string_view manual;   // added in the man page; may be empty
};

std::span<const CommandSpec> Commands();
std::span<const OptionSpec> Options();

const CommandSpec& Command(CommandId id);
const CommandSpec* FindCommand(std::string_view name);  // null when there is none

inline bool AppliesTo(const OptionSpec& option, CommandId command) {
  return (option.commands >> static_cast<uint32_t>(command) & 1) != 0;
}

// Exit codes, the same for all commands.
inline constexpr int kExitOk = 0;
inline constexpr int kExitFailed = 1;  // at least one file failed
inline constexpr int kExitUsage = 2;   // the command line makes no sense; nothing was done
inline constexpr int kExitModel = 3;   // a model is missing, damaged or not the right one

}  // namespace pith::cli
