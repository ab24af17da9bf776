// pith run
#include <unistd.h>

#include <filesystem>
#include <string>

#include "cli/answer_printer.h"
#include "cli/chat_session.h"
#include "cli/commands.h"
#include "cli/job.h"
#include "cli/model_finder.h"
#include "cli/pull_command.h"
#include "pith/chat.h"
#include "pith/hub.h"

namespace pith::cli {
namespace {

// What a file given by an option says; empty without the option.
Status ReadOption(const std::string& option, const std::string& path, std::string& text) {
  if (path.empty()) return OkStatus();
  Result<std::string> read = ReadText(path);
  if (!read.ok()) return read.status().WithContext(option);
  text = *std::move(read);
  if (text.empty()) return InvalidArgument(option + ": " + path + ": the file is empty");
  return OkStatus();
}

Result<ChatOptions> MakeOptions(const Arguments& a) {
  ChatOptions o;
  o.context = a.context;
  o.raw = a.raw;
  o.system = a.system;
  PITH_RETURN_IF_ERROR(ReadOption("--tools", a.tools, o.tools));
  PITH_RETURN_IF_ERROR(ReadOption("--chat-template", a.chat_template, o.chat_template));
  PITH_RETURN_IF_ERROR(ReadOption("--json-schema", a.json_schema, o.json_schema));
  PITH_RETURN_IF_ERROR(ReadOption("--grammar", a.grammar, o.grammar));
  o.thinking = a.think;
  o.temperature = a.greedy ? 0 : a.temperature;
  o.top_k = a.top_k;
  o.top_p = a.top_p;
  o.min_p = a.min_p;
  o.repetition_penalty = a.repetition_penalty;
  o.presence_penalty = a.presence_penalty;
  o.frequency_penalty = a.frequency_penalty;
  o.seed = a.seed;
  o.max_tokens = a.max_tokens;
  o.stop = a.stop;
  o.draft = a.draft;
  return o;
}

// --prompt, --prompt-file and standard input, those that there are, one below the other.
Result<std::string> ReadPrompt(const Arguments& a) {
  std::string prompt = a.prompt.value_or("");
  const auto add = [&](const std::string& text) { prompt += (prompt.empty() ? "" : "\n\n") + text; };
  if (!a.prompt_file.empty()) {
    std::string text;
    PITH_RETURN_IF_ERROR(ReadOption("--prompt-file", a.prompt_file, text));
    add(text);
  }
  if (isatty(STDIN_FILENO) != 1 && a.prompt_file != "-") {
    PITH_ASSIGN_OR_RETURN(const std::string text, ReadText("-"));
    if (!text.empty()) add(text);
  }
  if (prompt.empty() && !a.raw) return InvalidArgument("the prompt is empty");
  return prompt;
}

int AnswerOnce(Chat& chat, const Arguments& arguments, Console& console) {
  const Result<std::string> prompt = ReadPrompt(arguments);
  if (!prompt.ok()) {
    console.Error(prompt.status().message());
    return kExitFailed;
  }
  using Thinking = AnswerPrinter::Thinking;
  const Thinking thinking = arguments.hide_thinking           ? Thinking::kNever
                            : arguments.think.value_or(false) ? Thinking::kAlways
                                                              : Thinking::kTerminal;
  AnswerPrinter printer(arguments.json ? AnswerPrinter::Style::kJson : AnswerPrinter::Style::kPlain, thinking,
                        console);
  bool interrupted = false;
  {
    const InterruptScope interrupt;
    // A text that goes on begins with what was given.
    if (chat.options().raw && !arguments.json && !printer.Put({.text = *prompt})) return kExitFailed;
    const Result<ChatAnswer> answer = chat.Ask(
        *prompt, [&](const ChatPiece& piece) { return printer.Put(piece) && !interrupt.interrupted(); });
    if (!answer.ok()) {
      console.Error(answer.status().message());
      return kExitFailed;
    }
    if (!printer.Finish(*answer, chat.options())) return kExitFailed;
    ExplainAnswer(*answer, chat.options(), console);
    if (arguments.stats && !arguments.json) console.Info(StatsLine(*answer, chat.options()));
    interrupted = interrupt.interrupted();
  }
  if (interrupted) DieOfInterrupt();
  return kExitOk;
}

// "3.4 million", "596 million", "4.0 billion".
std::string InWords(uint64_t n) {
  if (n < 1'000'000) return std::to_string(n);
  const bool billions = n >= 1'000'000'000;
  const double value = static_cast<double>(n) / (billions ? 1e9 : 1e6);
  char text[32];
  std::snprintf(text, sizeof text, value < 10 ? "%.1f" : "%.0f", value);
  return std::string(text) + (billions ? " billion" : " million");
}

std::string Greeting(const Model& model, const Chat& chat) {
  const ModelInfo& info = model.info();
  return info.name + ": " + InWords(info.parameters) + " parameters, context of " +
         std::to_string(chat.options().context) + " tokens. " +
         (chat.options().raw ? "It continues what you write. " : "") + "/help helps, Ctrl-D leaves.";
}

// Where the model is not here, or only as a checkpoint, and somebody can be asked: gets it. Else nothing:
// opening it says why.
Status OfferToPull(const Arguments& arguments, Console& console) {
  const std::string& what = arguments.operands[0];
  std::error_code error;
  if (HowToGetModel(what).empty() || !console.CanAsk() || std::filesystem::exists(what, error))
    return OkStatus();
  const Result<FoundModel> found = FindModel(what);
  if (found.ok() ? found->kind != ModelKind::kCheckpoint : found.status().code() != StatusCode::kNotFound)
    return OkStatus();
  const std::string question =
      found.ok() ? what + " is here as a checkpoint; convert it, once?"
                 : what + " is not here; fetch it from the Hugging Face hub and convert it, once?";
  return console.Confirm(question) ? Pull(arguments, console) : OkStatus();
}

}  // namespace

int RunRun(const Arguments& arguments, Console& console) {
  Result<ChatOptions> options = MakeOptions(arguments);
  if (!options.ok()) {
    console.Error(options.status().message());
    return kExitFailed;
  }
  if (const Status pulled = OfferToPull(arguments, console); !pulled.ok()) {
    console.Error(pulled.message());
    return kExitModel;
  }
  ModelFinder finder(arguments.operands[0], {.threads = arguments.threads}, console);
  const Result<Model*> model = finder.Default();
  if (!model.ok()) {
    console.Error(model.status().message());
    finder.ShowWayOut();
    return kExitModel;
  }
  if (!ModelKnowsTurns(**model) && !options->raw && options->chat_template.empty()) {
    const std::string name = (*model)->info().name;
    if (!options->system.empty() || !options->tools.empty() || options->thinking) {
      console.Error("model " + name +
                    " continues text and knows no turns: no --system, --tools, --think or --no-think");
      return kExitFailed;
    }
    console.Warning("model " + name + " knows no turns: it continues the text, as with --raw");
    options->raw = true;
  }
  Result<Chat> chat = Chat::Create(**model, *options);
  if (!chat.ok()) {
    console.Error(chat.status().message());
    return kExitFailed;
  }
  if (options->thinking && !chat->can_think()) {
    console.Warning(
        "this model's template has no switch for thinking: --think and --no-think change nothing");
  }
  const bool once = arguments.prompt || !arguments.prompt_file.empty() || isatty(STDIN_FILENO) != 1;
  if (once || isatty(STDOUT_FILENO) != 1) return AnswerOnce(*chat, arguments, console);
  if (arguments.json) {
    console.Error("--json needs a prompt: --prompt, --prompt-file or standard input");
    return kExitUsage;
  }
  console.Info(Greeting(**model, *chat));
  return ChatSession(*chat, arguments, console).Run();
}

}  // namespace pith::cli
