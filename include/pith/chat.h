// Talking with a model: turns and answers, or text that goes on.
//
//   pith::Result<pith::Chat> chat = pith::Chat::Create(*model, {});
//   chat->Ask("Write a haiku about C++", [](const pith::ChatPiece& piece) {
//     std::fwrite(piece.text.data(), 1, piece.text.size(), stdout);
//     return true;
//   });
//
// For the same model, conversation, options and seed the answer is the same on every machine, with any number
// of threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pith/pith.h"

namespace pith {

inline constexpr uint32_t kDefaultChatContext = 8192;  // tokens; less where the model was trained with less

struct ChatOptions {
  // Tokens of prompt and answers that the model sees, 17 to 131072; 0: kDefaultChatContext.
  uint32_t context = 0;
  bool raw = false;  // no turns: the model continues text, in which <|im_start|> and the like are markup
  std::string system = {};  // system message; empty: none
  // JSON: a list of {"type": "function", "function": {"name", "description", "parameters"}}
  std::string tools = {};
  std::string chat_template = {};  // Jinja, in place of the model's own
  // For templates that can switch it; not set: the template's default, off with a constraint.
  std::optional<bool> thinking = {};
  // Sampling (docs/chat.md has the exact order). What is not set is the model's own default.
  std::optional<double> temperature = {};  // 0: always the likeliest token
  std::optional<uint32_t> top_k = {};      // 0: all
  std::optional<double> top_p = {};
  std::optional<double> min_p = {};
  std::optional<double> repetition_penalty = {};
  double presence_penalty = 0;
  double frequency_penalty = 0;
  std::optional<uint64_t> seed = {};   // not set: the model's own, else a random one
  uint32_t max_tokens = 0;             // of an answer, thoughts included; 0: what fits
  std::vector<std::string> stop = {};  // further texts that end an answer
  bool draft = true;  // check guesses from the text so far several at once: faster, the same text
  // The answer keeps to it (docs/constrained_output.md); at most one of them.
  std::string json_schema = {};
  std::string grammar = {};  // GBNF
};

enum class ChatPart : uint8_t { kThinking, kText, kToolCall };

struct ChatPiece {
  ChatPart part = ChatPart::kText;
  std::string text;              // whole UTF-8 characters; of a tool call {"name": .., "arguments": ..}
  std::vector<uint32_t> tokens;  // since the last piece
};
// Called from the calling thread. Returning false ends the answer where it is.
using ChatCallback = std::function<bool(const ChatPiece&)>;

enum class ChatEnd : uint8_t {
  kStop,  // the model ended it, or a stop text
  kMaxTokens,
  kContextFull,
  kCancelled,  // the callback said so
};

struct ChatAnswer {
  std::string text;
  std::string thinking;
  std::vector<std::string> tool_calls;  // JSON: {"name": .., "arguments": ..}
  ChatEnd end = ChatEnd::kStop;
  size_t prompt_tokens = 0;
  size_t reused_tokens = 0;     // of the prompt, that the model had read before
  size_t prefilled_tokens = 0;  // that it had not
  size_t answer_tokens = 0;
  size_t drafted_tokens = 0;  // guesses, and those that were right
  size_t accepted_tokens = 0;
  size_t passes = 0;           // through the model, after the prompt's
  double prefill_seconds = 0;  // up to the first token
  double decode_seconds = 0;
  size_t dropped_messages = 0;  // oldest turns that had to go since the context was full
  size_t replaced_bytes = 0;    // of the message, that were no UTF-8 and became U+FFFD
};

// A conversation with a model, which must outlive it. Move-only; one call at a time.
class Chat {
 public:
  // kUnsupported for a model without tokenizer, or without turns unless options.raw. kInvalidArgument for
  // options out of range, a schema or grammar that makes no sense, or a chat template that does not parse.
  static Result<Chat> Create(Model& model, const ChatOptions& options);

  Chat(Chat&&) noexcept;
  Chat& operator=(Chat&&) noexcept;
  ~Chat();

  // The model's answer to a message of the user ("tool": of a tool that it called). With options.raw the text
  // goes on instead. On failure the conversation is as before.
  Result<ChatAnswer> Ask(std::string_view text, const ChatCallback& callback,
                         const std::string& role = "user");

  void Clear();                               // forgets all turns but the system message, or all text
  Status SetSystem(const std::string& text);  // and keeps the turns; empty: none
  void SetSeed(uint64_t seed);
  void SetThinking(std::optional<bool> thinking);

  // With defaults filled in.
  const ChatOptions& options() const;
  // True where the model can think and the template can switch it.
  bool can_think() const;
  size_t n_messages() const;
  size_t n_text_tokens() const;  // with options.raw

  // The turns as JSON: {"messages": [{"role", "content", ..}]}; with options.raw the text: {"tokens": [..]}.
  // Load takes what Save gives. kInvalidArgument, with nothing changed.
  std::string Save() const;
  Status Load(const std::string& json);

 private:
  struct Impl;
  explicit Chat(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// True where the model's file knows turns.
bool ModelKnowsTurns(const Model& model);

}  // namespace pith
