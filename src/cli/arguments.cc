#include "cli/arguments.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <type_traits>
#include <utility>

namespace pith::cli {
namespace {


const OptionSpec* FindShort(char c) {
  for (const OptionSpec& option : Options()) {
    if (option.short_name == c) return &option;
  }
  return nullptr;
}

const OptionSpec* FindLong(std::string_view name) {
  for (const OptionSpec& option : Options()) {
    if (option.long_name == name) return &option;
  }
  return nullptr;
}

// zstd's way to name a command: -d, --decompress.
const CommandSpec* FindModeFlag(std::string_view name) {
  for (const CommandSpec& command : Commands()) {
    if (command.flag == 0) continue;
    if (name.size() == 1 ? name[0] == command.flag : name == command.long_flag) return &command;
  }
  if (name == "uncompress") return &Command(CommandId::kDecompress);  // zstd knows it, too
  return nullptr;
}

template <typename T>
Status ParseCount(const std::string& what, std::string_view text, T& out) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    std::string range = " from 0 to " + std::to_string(std::numeric_limits<T>::max());
    if (std::is_floating_point_v<T>) range.clear();
    return InvalidArgument(what + ": '" + std::string(text) + "' is not a number" + range);
  }
  out = value;
  return OkStatus();
}

class Parser {
 public:
  explicit Parser(std::span<const std::string> args) : args_(args) {}

  Result<Arguments> Run() {
    bool only_operands = false;
    while (next_ < args_.size()) {
      const std::string& arg = args_[next_++];
      if (only_operands || arg.size() < 2 || arg[0] != '-') {
        PITH_RETURN_IF_ERROR(Operand(arg, only_operands));
      } else if (arg == "--") {
        only_operands = true;
      } else if (arg[1] == '-') {
        PITH_RETURN_IF_ERROR(Long(std::string_view(arg).substr(2)));
      } else {
        PITH_RETURN_IF_ERROR(ShortGroup(std::string_view(arg).substr(1)));
      }
    }
    if (version_ && !result_.help) {
      result_.command = CommandId::kVersion;
      result_.named = true;
      return std::move(result_);
    }
    if (result_.help) return std::move(result_);
    PITH_RETURN_IF_ERROR(CheckCombination());
    return std::move(result_);
  }

 private:
  Status Operand(const std::string& arg, bool after_dashes) {
    // The first operand may be a command, unless a flag has named one or `--` says that files follow.
    if (!seen_operand_ && !result_.named && !after_dashes) {
      if (const CommandSpec* command = FindCommand(arg)) {
        seen_operand_ = true;
        return SetCommand(*command, arg);
      }
    }
    seen_operand_ = true;
    result_.operands.push_back(arg);
    return OkStatus();
  }

  Status SetCommand(const CommandSpec& command, std::string how) {
    if (result_.named && result_.command != command.id) {
      return InvalidArgument(how + " and " + command_text_ + " name two commands; one at a time");
    }
    result_.command = command.id;
    result_.named = true;
    command_text_ = std::move(how);
    return OkStatus();
  }

  Status Long(std::string_view text) {
    const size_t equals = text.find('=');
    const std::string_view name = text.substr(0, equals);
    const std::string dashed = "--" + std::string(name);
    if (const CommandSpec* command = FindModeFlag(name); command != nullptr && name.size() > 1) {
      if (equals != std::string_view::npos) return InvalidArgument(dashed + " takes no value");
      return SetCommand(*command, dashed);
    }
    const OptionSpec* option = FindLong(name);
    if (option == nullptr) return Unknown(dashed);
    if (option->kind == ValueKind::kNone) {
      if (equals != std::string_view::npos) return InvalidArgument(dashed + " takes no value");
      return Apply(*option, dashed, {});
    }
    if (equals != std::string_view::npos) return Apply(*option, dashed, text.substr(equals + 1));
    return ApplyNext(*option, dashed);
  }

  // -dcf, -T4, -ofile: flags in a row, the last may carry a value.
  Status ShortGroup(std::string_view group) {
    for (size_t i = 0; i < group.size(); ++i) {
      const std::string dashed = std::string("-") + group[i];
      if (const CommandSpec* command = FindModeFlag(group.substr(i, 1))) {
        PITH_RETURN_IF_ERROR(SetCommand(*command, dashed));
        continue;
      }
      if (group[i] >= '0' && group[i] <= '9') {
        PITH_RETURN_IF_ERROR(Apply(*FindLong("level"), dashed, group.substr(i, 1)));
        continue;
      }
      const OptionSpec* option = FindShort(group[i]);
      if (option == nullptr) return Unknown(dashed);
      if (option->kind == ValueKind::kNone) {
        PITH_RETURN_IF_ERROR(Apply(*option, dashed, {}));
        continue;
      }
      if (i + 1 < group.size()) return Apply(*option, dashed, group.substr(i + 1));
      return ApplyNext(*option, dashed);
    }
    return OkStatus();
  }

  Status ApplyNext(const OptionSpec& option, const std::string& dashed) {
    if (next_ == args_.size())
      return InvalidArgument(dashed + " needs a value: " + std::string(option.value));
    return Apply(option, dashed, args_[next_++]);
  }

  Status Unknown(const std::string& dashed) const {
    std::vector<std::string_view> names;
    for (const OptionSpec& option : Options()) names.push_back(option.long_name);
    for (const CommandSpec& command : Commands()) {
      if (command.flag != 0) names.push_back(command.long_flag);
    }
    const std::string_view near = dashed.size() > 3 ? NearestWord(dashed.substr(2), names) : "";
    if (!near.empty()) {
      return InvalidArgument("unknown option " + dashed + "; did you mean --" + std::string(near) + "?");
    }
    return InvalidArgument("unknown option " + dashed + "; see pith --help");
  }

  Status Apply(const OptionSpec& option, const std::string& dashed, std::string_view value) {
    used_.emplace_back(&option, dashed);
    if (option.kind != ValueKind::kNone && value.empty()) {
      return InvalidArgument(dashed + ": the value is empty, expected " + std::string(option.value));
    }
    Arguments& r = result_;
    // clang-format off
    switch (option.id) {
      case OptionId::kOutput: r.output = std::string(value); break;
      case OptionId::kStdout: r.to_stdout = true; break;
      case OptionId::kForce: r.force = true; break;
      case OptionId::kKeep: r.remove = false; break;
      case OptionId::kRemove: r.remove = true; break;
      case OptionId::kVerify: r.verify = true; break;
      case OptionId::kRecursive: r.recursive = true; break;
      case OptionId::kModel: r.model = std::string(value); break;
      case OptionId::kDictionary: r.dictionary = std::string(value); break;
      case OptionId::kSize: return SetSize(dashed, value, r.size);
      case OptionId::kMemory: return SetSize(dashed, value, r.memory_bytes);
      case OptionId::kStreams: return ParseCount(dashed, value, r.streams);
      case OptionId::kBlock: return SetSize(dashed, value, r.block_bytes);
      case OptionId::kWindow: return ParseCount(dashed, value, r.window);
      case OptionId::kPlain: r.adaptive = false; break;
      case OptionId::kNames: r.names = true; break;
      case OptionId::kBestOf: r.best_of = true; break;
      case OptionId::kLevel: return SetLevel(dashed, value, r.level);
      case OptionId::kThreads: {
        uint16_t n = 0;
        PITH_RETURN_IF_ERROR(ParseCount(dashed, value, n));
        r.threads = n;
        break;
      }
      case OptionId::kJson: r.json = true; break;
      case OptionId::kIds: r.ids = std::string(value); break;
      case OptionId::kLogits: r.logits = std::string(value); break;
      case OptionId::kName: r.name = std::string(value); break;
      case OptionId::kActivations: return SetChoice(option, dashed, value, r.activations);
      case OptionId::kCalibration: r.calibration = std::string(value); break;
      case OptionId::kQuantize: r.quantize = std::string(value); break;
      case OptionId::kFormat: return SetChoice(option, dashed, value, r.format);
      case OptionId::kCacheLength: return ParseCount(dashed, value, r.cache_length);
      case OptionId::kPrefill: return SetCounts(dashed, value, r.prefill);
      case OptionId::kMetadata: return SetChoice(option, dashed, value, r.metadata);
      case OptionId::kSystem: r.system = std::string(value); break;
      case OptionId::kStop: r.stop.emplace_back(value); break;
      case OptionId::kGreedy: r.greedy = true; break;
      case OptionId::kTemperature: return ParseCount(dashed, value, r.temperature.emplace());
      case OptionId::kTopP: return ParseCount(dashed, value, r.top_p.emplace());
      case OptionId::kTopK: return ParseCount(dashed, value, r.top_k.emplace());
      case OptionId::kSeed: return ParseCount(dashed, value, r.seed.emplace());
      case OptionId::kReport: r.report = true; break;
      case OptionId::kPrompt: r.prompt = std::string(value); break;
      case OptionId::kPromptFile: r.prompt_file = std::string(value); break;
      case OptionId::kMaxTokens: return ParseCount(dashed, value, r.max_tokens);
      case OptionId::kThink: r.think = true; break;
      case OptionId::kNoThink: r.think = false; break;
      case OptionId::kHideThinking: r.hide_thinking = true; break;
      case OptionId::kRaw: r.raw = true; break;
      case OptionId::kTools: r.tools = std::string(value); break;
      case OptionId::kJsonSchema: r.json_schema = std::string(value); break;
      case OptionId::kGrammar: r.grammar = std::string(value); break;
      case OptionId::kStats: r.stats = true; break;
      case OptionId::kMinP: return ParseCount(dashed, value, r.min_p.emplace());
      case OptionId::kRepetitionPenalty: return ParseCount(dashed, value, r.repetition_penalty.emplace());
      case OptionId::kPresencePenalty: return ParseCount(dashed, value, r.presence_penalty);
      case OptionId::kFrequencyPenalty: return ParseCount(dashed, value, r.frequency_penalty);
      case OptionId::kContext: return ParseCount(dashed, value, r.context);
      case OptionId::kChatTemplate: r.chat_template = std::string(value); break;
      case OptionId::kNoDraft: r.draft = false; break;
      case OptionId::kRevision: r.revision = std::string(value); break;
      case OptionId::kFile: r.file = std::string(value); break;
      case OptionId::kOffline: r.offline = true; break;
      case OptionId::kNoConvert: r.convert = false; break;
      case OptionId::kCache: r.cache = true; break;
      case OptionId::kCodecs: r.codecs.emplace_back(value); break;
      case OptionId::kCodec: r.command_codecs.emplace_back(value); break;
      case OptionId::kRepeat: return ParseCount(dashed, value, r.repeats);
      case OptionId::kWarmup: return ParseCount(dashed, value, r.warmups.emplace());
      case OptionId::kSlice: return SetSizes(dashed, value, r.slices);
      case OptionId::kCorpus: return SetChoice(option, dashed, value, r.corpus.emplace());
      case OptionId::kCompare: r.compare = true; break;
      case OptionId::kEngine: r.engine = true; break;
      case OptionId::kPeers: r.peers = value; break;
      case OptionId::kTerminal: r.terminal = true; break;
      case OptionId::kTimeout: return ParseCount(dashed, value, r.timeout_seconds);
      case OptionId::kMan: r.man = true; break;
      case OptionId::kQuiet: r.verbosity = 0; break;
      case OptionId::kVerbose: r.verbosity = 2; break;
      case OptionId::kHelp: r.help = true; break;
      case OptionId::kVersion: version_ = true; break;
    }
    // clang-format on
    return OkStatus();
  }

  template <typename T>
  static Status SetSize(const std::string& dashed, std::string_view value, T& out) {
    const Result<uint64_t> size = ParseSize(value);
    if (!size.ok()) return size.status().WithContext(dashed);
    if (*size > std::numeric_limits<T>::max()) {
      return InvalidArgument(dashed + ": " + std::string(value) + " is above the limit of " +
                             std::to_string(std::numeric_limits<T>::max()) + " bytes");
    }
    out = static_cast<T>(*size);
    return OkStatus();
  }

  // Sizes with commas between them.
  static Status SetSizes(const std::string& dashed, std::string_view value, std::vector<uint64_t>& out) {
    out.clear();
    for (;;) {
      const size_t comma = std::min(value.find(','), value.size());
      PITH_RETURN_IF_ERROR(SetSize(dashed, value.substr(0, comma), out.emplace_back()));
      if (comma == value.size()) return OkStatus();
      value.remove_prefix(comma + 1);
    }
  }

  // Numbers with commas between them.
  static Status SetCounts(const std::string& dashed, std::string_view value, std::vector<uint32_t>& out) {
    out.clear();
    for (;;) {
      const size_t comma = std::min(value.find(','), value.size());
      PITH_RETURN_IF_ERROR(ParseCount(dashed, value.substr(0, comma), out.emplace_back()));
      if (comma == value.size()) return OkStatus();
      value.remove_prefix(comma + 1);
    }
  }

  // What `pith bench` does is one thing of five: measure files, a corpus, the engine; show again; compare.
  Status CheckBenchModes(const Arguments& r) const {
    const int modes = (r.corpus ? 1 : 0) + (r.report ? 1 : 0) + (r.compare ? 1 : 0) + (r.engine ? 1 : 0);
    if (modes > 1) return InvalidArgument("--corpus, --report, --compare and --engine: one at a time");
    if (r.compare && r.operands.size() != 2) {
      return InvalidArgument("--compare takes two files, found " + std::to_string(r.operands.size()) +
                             ": pith bench --compare A.json B.json");
    }
    if (modes == 0 && r.operands.empty()) return InvalidArgument("bench needs files or folders: pith bench FILE...");
    if (r.report && r.operands.size() != 1) {
      return InvalidArgument("--report takes one file, found " + std::to_string(r.operands.size()) +
                             ": pith bench --report results.json");
    }
    if ((r.corpus || r.engine) && !r.operands.empty()) {
      return InvalidArgument(r.operands[0] + ": --corpus and --engine take no files beside");
    }
    const bool measures = modes == 0 || r.corpus;
    for (const auto& [option, dashed] : used_) {
      const OptionId id = option->id;
      const bool of_measuring = id == OptionId::kCodecs || id == OptionId::kCodec || id == OptionId::kRepeat ||
                                id == OptionId::kWarmup || id == OptionId::kSlice || id == OptionId::kTimeout;
      const bool of_engine = id == OptionId::kModel || id == OptionId::kPeers;
      if ((of_measuring && !measures) || (of_engine && !r.engine) ||
          (id == OptionId::kThreads && !measures && !r.engine) ||
          (r.compare && (id == OptionId::kOutput || id == OptionId::kTerminal || id == OptionId::kForce))) {
        const char* hint = id == OptionId::kModel ? "; --codecs pith:model=FILE measures it on files" : "";
        return InvalidArgument(dashed + " does not go with " +
                               (r.compare     ? "--compare"
                                : r.report ? "--report"
                                : r.engine    ? "--engine"
                                : r.corpus    ? "--corpus"
                                              : "files") +
                               hint);
      }
    }
    return OkStatus();
  }

  static Status SetLevel(const std::string& dashed, std::string_view value, uint32_t& level) {
    uint32_t n = 0;
    PITH_RETURN_IF_ERROR(ParseCount(dashed, value, n));
    if (n < 1 || n > kMaxLevel) {
      return InvalidArgument(dashed + ": expected 1 (fast) to 9 (small); " + std::to_string(kDefaultLevel) + " is the default");
    }
    if (level != 0 && level != n) return InvalidArgument(dashed + ": two levels; one at a time");
    level = n;
    return OkStatus();
  }

  static Status SetChoice(const OptionSpec& option, const std::string& dashed, std::string_view value,
                          std::string& out) {
    std::string_view rest = option.choices;
    while (!rest.empty()) {
      const size_t space = std::min(rest.find(' '), rest.size());
      if (rest.substr(0, space) == value) {
        out = std::string(value);
        return OkStatus();
      }
      rest.remove_prefix(std::min(space + 1, rest.size()));
    }
    return InvalidArgument(dashed + ": '" + std::string(value) +
                           "' is none of: " + std::string(option.choices));
  }

  Status CheckCombination() const {
    const Arguments& r = result_;
    for (const auto& [option, dashed] : used_) {
      if (!AppliesTo(*option, r.command)) {
        return InvalidArgument(dashed + " does not go with " + std::string(Command(r.command).name));
      }
    }
    const bool has_stdin = std::count(r.operands.begin(), r.operands.end(), "-") != 0;
    if (r.output && r.to_stdout && *r.output != "-")
      return InvalidArgument("-o and -c name two outputs; one at a time");
    switch (r.command) {
      case CommandId::kCompress:
      case CommandId::kDecompress: {
        if (!r.uses_model()) {
          for (const auto& [option, dashed] : used_) {
            if (option->id == OptionId::kModel || option->id == OptionId::kStreams ||
                option->id == OptionId::kWindow || option->id == OptionId::kPlain ||
                option->id == OptionId::kDictionary || option->id == OptionId::kBestOf) {
              return InvalidArgument(dashed + " does not go with level " + std::to_string(r.level) +
                                     ", which uses no model");
            }
          }
        }
        if (r.dictionary && !r.adaptive) return InvalidArgument("--plain leaves out what a dictionary teaches; not both");
        const bool stream = r.to_stdout || (r.output && *r.output == "-");
        if (r.output && r.operands.size() > 1) {
          return InvalidArgument("-o takes one input, found " + std::to_string(r.operands.size()));
        }
        if (r.output && !stream && r.recursive) return InvalidArgument("-o and -r do not go together");
        if (r.remove && (stream || has_stdin || r.operands.empty())) {
          return InvalidArgument("--rm needs named files on both sides");
        }
        if (r.verify && (stream || ((has_stdin || r.operands.empty()) && !r.output))) {
          return InvalidArgument(
              "--verify needs an output file; for a stream, run pith test on what arrived");
        }
        return OkStatus();
      }
      case CommandId::kTest:
        return OkStatus();
      case CommandId::kTrain:
        if (r.operands.empty()) return InvalidArgument("train needs files: pith train FILE... -o DICTIONARY");
        if (!r.output || *r.output == "-") return InvalidArgument("train needs -o DICTIONARY: where the dictionary goes");
        return OkStatus();
      case CommandId::kList:
        if (r.operands.empty()) return InvalidArgument("list needs a file: pith list FILE.pith");
        return OkStatus();
      case CommandId::kEval:
        if (r.operands.empty()) return InvalidArgument("eval needs a model: pith eval builtin FILE");
        if (r.ids.empty() != r.logits.empty()) return InvalidArgument("--ids and --logits go together");
        if (r.ids.empty() && r.operands.size() < 2) {
          return InvalidArgument("eval needs files: pith eval " + r.operands[0] + " FILE...");
        }
        if (!r.ids.empty() && (r.operands.size() > 1 || r.json || r.streams != 0)) {
          return InvalidArgument(
              "--ids takes a model and no more: pith eval MODEL --ids IDS.json --logits OUT.npy");
        }
        return OkStatus();
      case CommandId::kImport:
        if (r.operands.size() != 1) {
          return InvalidArgument("import takes one checkpoint folder, found " +
                                 std::to_string(r.operands.size()));
        }
        if (!r.output)
          return InvalidArgument("import needs a target: pith import " + r.operands[0] + " -o FILE.pmodel");
        if (*r.output == "-") return InvalidArgument("import cannot write to standard output");
        return OkStatus();
      case CommandId::kRun:
        if (r.operands.size() != 1) {
          return InvalidArgument("run takes one model, found " + std::to_string(r.operands.size()) +
                                 ": pith run MODEL --prompt TEXT");
        }
        if (r.greedy && r.temperature.value_or(0) != 0) return InvalidArgument("--greedy and --temperature do not go together");
        if (!r.json_schema.empty() && !r.grammar.empty()) return InvalidArgument("--json-schema and --grammar do not go together");
        if (r.raw && (!r.system.empty() || !r.tools.empty() || !r.chat_template.empty() || r.think)) {
          return InvalidArgument("--raw has no turns: --system, --tools, --chat-template, --think and --no-think do not go with it");
        }
        return OkStatus();
      case CommandId::kConvert:
        if (r.operands.size() != 1) {
          return InvalidArgument("convert takes one checkpoint folder, found " + std::to_string(r.operands.size()));
        }
        if (r.output && *r.output == "-") return InvalidArgument("convert cannot write to standard output");
        return OkStatus();
      case CommandId::kInspect:
        if (r.operands.empty()) return InvalidArgument("inspect needs a file: pith inspect FILE");
        return OkStatus();
      case CommandId::kPull:
        if (r.operands.size() != 1) {
          return InvalidArgument("pull takes the name of one model, such as Qwen/Qwen3-0.6B; found " +
                                 std::to_string(r.operands.size()));
        }
        return OkStatus();
      case CommandId::kModels: {
        const bool removes = !r.operands.empty() && r.operands[0] == "rm";
        if (!r.operands.empty() && !removes && r.operands[0] != "path") {
          return InvalidArgument("models lists, or takes rm NAME or path NAME; found " + r.operands[0]);
        }
        if (!r.operands.empty() && r.operands.size() != 2) {
          return InvalidArgument("models " + r.operands[0] + " takes one name, found " +
                                 std::to_string(r.operands.size() - 1));
        }
        if (r.cache && !removes) return InvalidArgument("--cache goes with models rm NAME");
        if (r.json && !r.operands.empty()) return InvalidArgument("--json goes with the list: pith models --json");
        return OkStatus();
      }
      case CommandId::kBench:
        PITH_RETURN_IF_ERROR(CheckBenchModes(r));
        if (r.output && *r.output == "-") return InvalidArgument("bench writes into a folder, not to standard output; there is --json");
        return OkStatus();
      case CommandId::kCompletion:
        if (r.operands.size() != 1)
          return InvalidArgument("completion takes the shell's name: bash, zsh or fish");
        return OkStatus();
      case CommandId::kHelp:
        if (r.operands.size() > 1) return InvalidArgument("help takes one command");
        return OkStatus();
      case CommandId::kVersion:
        if (!r.operands.empty()) return InvalidArgument("version takes no arguments");
        return OkStatus();
    }
    return OkStatus();
  }

  std::span<const std::string> args_;
  size_t next_ = 0;
  bool seen_operand_ = false;
  bool version_ = false;
  std::string command_text_;  // how the command was named, for messages
  std::vector<std::pair<const OptionSpec*, std::string>> used_;
  Arguments result_;
};

}  // namespace

Result<Arguments> ParseArguments(std::span<const std::string> args) { return Parser(args).Run(); }

Result<uint64_t> ParseSize(std::string_view text) {
  const Status bad = InvalidArgument("'" + std::string(text) + "' is not a size such as 500K, 512M or 2G");
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return bad;
  std::string_view unit = text.substr(static_cast<size_t>(end - text.data()));
  int shift = 0;
  if (!unit.empty() && unit != "B") {
    constexpr std::string_view kUnits = "KMGT";
    const size_t index = kUnits.find(unit[0] == 'k' ? 'K' : unit[0]);
    const std::string_view rest = unit.substr(1);
    if (index == std::string_view::npos || (!rest.empty() && rest != "B" && rest != "iB")) return bad;
    shift = 10 * (static_cast<int>(index) + 1);
  }
  if (shift != 0 && value > std::numeric_limits<uint64_t>::max() >> shift) return bad;
  return value << shift;
}

std::string_view NearestWord(std::string_view word, std::span<const std::string_view> candidates) {
  std::string_view best;
  size_t best_distance = word.size() < 6 ? 2 : 3;  // a distance below this counts as a slip of the finger
  for (const std::string_view candidate : candidates) {
    // Levenshtein distance, one row at a time.
    std::vector<size_t> row(candidate.size() + 1);
    for (size_t j = 0; j < row.size(); ++j) row[j] = j;
    for (size_t i = 1; i <= word.size(); ++i) {
      size_t diagonal = std::exchange(row[0], i);
      for (size_t j = 1; j < row.size(); ++j) {
        const size_t substitute = diagonal + (word[i - 1] == candidate[j - 1] ? 0 : 1);
        diagonal = row[j];
        row[j] = std::min({substitute, row[j] + 1, row[j - 1] + 1});
      }
    }
    if (row.back() < best_distance) {
      best_distance = row.back();
      best = candidate;
    }
  }
  return best;
}

}  // namespace pith::cli
