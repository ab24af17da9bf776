// Conversation: turns, the text that a chat template makes of them, and answers; the model reads only what is
// new.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "chat/answer_reader.h"
#include "chat/chat_profile.h"
#include "chat/generator.h"
#include "chat/sampler.h"
#include "chat/token_stream.h"
#include "grammar/token_constraint.h"
#include "jinja/jinja.h"
#include "model/engine.h"
#include "pith/status.h"
#include "tokenizer/tokenizer.h"

namespace pith {

struct AnswerOptions {
  SamplerOptions sampling;
  std::optional<bool> thinking;  // enable_thinking of the template; not set: the template's default
  size_t max_tokens = 0;         // of the answer; 0: what fits
  bool draft = true;
  std::vector<std::string> stop_strings;  // besides the profile's
  TokenConstraint* constraint = nullptr;  // of the answer's text, not of thoughts
};

// Pieces as they come, with the tokens since the last call; false gives up: the answer ends where it is.
// Called with no pieces now and then.
using AnswerCallback =
    std::function<bool(std::span<const AnswerReader::Piece> pieces, std::span<const TokenId> tokens)>;

struct AnswerResult {
  nlohmann::ordered_json message;  // {"role": "assistant", "content", "reasoning_content"?, "tool_calls"?}
  GenerateCounts counts;
  bool stop_string = false;  // counts.end is kSink because of one
  size_t prompt_tokens = 0;
  size_t dropped_messages = 0;  // that had to go since the context was full
};

// Thread-compatible.
class Conversation {
 public:
  // kInvalidArgument or kCorrupt for a template that makes no sense. `engine` (no sinks) and `tokenizer` must
  // outlive it.
  static Result<std::unique_ptr<Conversation>> Create(Engine& engine, const Tokenizer& tokenizer,
                                                      ChatProfile profile);

  const ChatProfile& profile() const { return profile_; }
  bool has_turns() const { return template_.has_value(); }

  // Turns so far: a list of {"role", "content", ...}; the system message, if any, first.
  const nlohmann::ordered_json& messages() const { return messages_; }
  // kInvalidArgument for what is no list of messages.
  Status SetMessages(nlohmann::ordered_json messages);
  void SetTools(nlohmann::ordered_json tools) { tools_ = std::move(tools); }  // a list; empty: none

  // Adds `message` and the model's answer to it. Where the context is full, the oldest turns after the system
  // message go first, from one question up to the next. On failure nothing is added. kInvalidArgument: the
  // message alone is too long.
  Result<AnswerResult> Ask(nlohmann::ordered_json message, const AnswerOptions& options,
                           const AnswerCallback& callback);

  // Without turns: `text` (markup counts) is put at the end of all text so far, and continued.
  Result<AnswerResult> Continue(std::string_view text, const AnswerOptions& options,
                                const AnswerCallback& callback);
  // All text so far, as tokens. SetText: kInvalidArgument for an id that the tokenizer does not know.
  std::span<const TokenId> text() const { return text_; }
  Status SetText(std::vector<TokenId> text);
  // Forgets all turns but the system message, and all text.
  void Clear();

 private:
  class Listener;

  Conversation(Engine& engine, const Tokenizer& tokenizer, ChatProfile profile)
      : tokenizer_(tokenizer), profile_(std::move(profile)), stream_(engine) {}

  // The prompt for an answer to `messages`.
  Result<MarkedText> Render(const nlohmann::ordered_json& messages, const AnswerOptions& options) const;
  std::vector<TokenId> Encode(const MarkedText& text) const;
  Result<AnswerResult> Generate(std::span<const TokenId> prompt, AnswerFormat format,
                                const AnswerOptions& options, const AnswerCallback& callback);

  const Tokenizer& tokenizer_;
  ChatProfile profile_;
  std::optional<JinjaTemplate> template_;
  TokenStream stream_;
  nlohmann::ordered_json messages_ = nlohmann::ordered_json::array();
  nlohmann::ordered_json tools_ = nlohmann::ordered_json::array();
  std::vector<TokenId> text_;  // without turns
};

}  // namespace pith
