#include "chat/conversation.h"

#include <algorithm>

#include "chat/markup.h"

namespace pith {
namespace {

using Json = nlohmann::ordered_json;

// Room that a prompt leaves for its answer at least, before old turns go.
size_t Reserve(size_t capacity, size_t max_tokens) {
  const size_t quarter = capacity / 4;
  return max_tokens == 0 ? quarter : std::min(quarter, max_tokens);
}

std::string RoleOf(const Json& message) { return message.value("role", ""); }

// Index of the first message after the oldest exchange, 0 where there is none that could go: the last
// question stays.
size_t EndOfOldestExchange(const Json& messages, size_t begin) {
  for (size_t i = begin + 1; i < messages.size(); ++i) {
    if (RoleOf(messages[i]) == "user") return i;
  }
  return 0;
}

bool OpensThoughts(std::string_view prompt, const AnswerFormat& format) {
  const size_t last = prompt.find_last_not_of(" \r\n\t");
  return !format.thinking_start.empty() && last != std::string::npos &&
         prompt.substr(0, last + 1).ends_with(format.thinking_start);
}

// {"name": .., "arguments": ..} as the model wrote it -> {"type": "function", "function": ..}; nothing where
// it is none.
std::optional<Json> ParseToolCall(const std::string& text) {
  Json call = Json::parse(text, nullptr, false);
  if (!call.is_object() || !call.contains("name") || !call["name"].is_string()) return std::nullopt;
  return Json{{"type", "function"}, {"function", std::move(call)}};
}

}  // namespace

// From tokens to pieces, to the caller.
class Conversation::Listener : public TokenSink {
 public:
  Listener(AnswerReader& reader, const AnswerFormat& format, const AnswerCallback& callback)
      : reader_(reader), format_(format), callback_(callback) {}

  bool Put(TokenId token) override {
    tokens_.push_back(token);
    const bool more = reader_.Put(token, pieces_);
    // Characters and markers in the making wait together with their tokens.
    if (!pieces_.empty()) Flush();
    return more;
  }
  bool IsConstrained() const override { return !reader_.is_thinking(); }
  bool GoOn() override {
    if (go_on_ && callback_) go_on_ = callback_({}, {});
    return go_on_;
  }

  void Finish() {
    reader_.Finish(pieces_);
    if (!pieces_.empty() || !tokens_.empty()) Flush();
  }

  Json Message() const {
    Json message = {{"role", "assistant"}, {"content", text_}};
    if (!thinking_.empty()) message["reasoning_content"] = thinking_;
    if (!tool_calls_.empty()) message["tool_calls"] = tool_calls_;
    return message;
  }

 private:
  void Flush() {
    for (AnswerReader::Piece& piece : pieces_) {
      if (piece.part == AnswerPart::kThinking) {
        thinking_ += piece.text;
      } else if (piece.part == AnswerPart::kText) {
        text_ += piece.text;
      } else if (std::optional<Json> call = ParseToolCall(piece.text)) {
        tool_calls_.push_back(*std::move(call));
      } else {
        // What the model meant as a call but is none is shown as what it is.
        piece.part = AnswerPart::kText;
        piece.text = format_.tool_call_start + piece.text + format_.tool_call_end;
        text_ += piece.text;
      }
    }
    if (callback_ && !callback_(pieces_, tokens_)) go_on_ = false;
    pieces_.clear();
    tokens_.clear();
  }

  AnswerReader& reader_;
  const AnswerFormat& format_;
  const AnswerCallback& callback_;
  std::vector<AnswerReader::Piece> pieces_;
  std::vector<TokenId> tokens_;
  std::string text_;
  std::string thinking_;
  Json tool_calls_ = Json::array();
  bool go_on_ = true;
};

Result<std::unique_ptr<Conversation>> Conversation::Create(Engine& engine, const Tokenizer& tokenizer,
                                                           ChatProfile profile) {
  std::unique_ptr<Conversation> conversation(new Conversation(engine, tokenizer, std::move(profile)));
  if (!conversation->profile_.chat_template.empty()) {
    Result<JinjaTemplate> parsed = JinjaTemplate::Parse(conversation->profile_.chat_template);
    if (!parsed.ok()) return parsed.status().WithContext("chat template");
    conversation->template_.emplace(*std::move(parsed));
  }
  return conversation;
}

Status Conversation::SetMessages(Json messages) {
  if (!messages.is_array()) return InvalidArgument("messages: expected a list");
  for (size_t i = 0; i < messages.size(); ++i) {
    const Json& m = messages[i];
    if (!m.is_object() || !m.contains("role") || !m["role"].is_string()) {
      return InvalidArgument("messages: entry " + std::to_string(i) + ": expected an object with a role");
    }
    if (m.contains("content") && !m["content"].is_string() && !m["content"].is_null()) {
      return InvalidArgument("messages: entry " + std::to_string(i) + ": content is no text");
    }
  }
  messages_ = std::move(messages);
  return OkStatus();
}

Result<MarkedText> Conversation::Render(const Json& messages, const AnswerOptions& options) const {
  Json variables = {{"messages", messages}};
  if (!tools_.empty()) variables["tools"] = tools_;
  Json constants = {
      {"add_generation_prompt", true},
      {"bos_token", profile_.bos_token},
      {"eos_token", profile_.eos_token},
      {"keep_last_thinking", true}};  // of the template that pith convert writes: docs/litertlm_metadata.md
  if (options.thinking) constants["enable_thinking"] = *options.thinking;
  Result<MarkedText> text = template_->Render(variables, constants);
  return text.ok() ? std::move(text) : text.status().WithContext("chat template");
}

std::vector<TokenId> Conversation::Encode(const MarkedText& text) const {
  // The model's own words may be other tokens than the tokenizer would choose: known ones stay as they are.
  size_t bytes = 0;
  const std::span<const TokenId> known = stream_.tokens();
  const size_t n = CountTokensAtFront(text, known, tokenizer_, bytes);
  std::vector<TokenId> tokens(known.begin(), known.begin() + static_cast<ptrdiff_t>(n));
  EncodeMarked(text, bytes, tokenizer_, tokens);
  return tokens;
}

Result<AnswerResult> Conversation::Ask(Json message, const AnswerOptions& options,
                                       const AnswerCallback& callback) {
  if (!template_) return InvalidArgument("the model knows no turns");
  Json messages = messages_;
  messages.push_back(std::move(message));
  const size_t first = !messages.empty() && RoleOf(messages[0]) == "system" ? 1 : 0;
  const size_t most = stream_.capacity() - 1;
  size_t dropped = 0;
  for (;;) {
    PITH_ASSIGN_OR_RETURN(MarkedText text, Render(messages, options));
    if (options.constraint != nullptr && options.thinking.value_or(false) &&
        !profile_.format.thinking_start.empty() && !OpensThoughts(text.text, profile_.format)) {
      // A constraint leaves no room for the marker that would free it.
      text.Append(profile_.format.thinking_start + "\n", false);
    }
    const std::vector<TokenId> prompt = Encode(text);
    const size_t end = EndOfOldestExchange(messages, first);
    if (prompt.size() + Reserve(stream_.capacity(), options.max_tokens) > stream_.capacity() && end != 0) {
      messages.erase(messages.begin() + static_cast<ptrdiff_t>(first),
                     messages.begin() + static_cast<ptrdiff_t>(end));
      dropped += end - first;
      continue;
    }
    if (prompt.size() > most) {
      return InvalidArgument("the prompt has " + std::to_string(prompt.size()) +
                             " tokens, expected at most " + std::to_string(most) + ": the context holds " +
                             std::to_string(stream_.capacity()));
    }
    AnswerFormat format = profile_.format;
    if (tools_.empty()) format.tool_call_start.clear();
    format.starts_thinking = OpensThoughts(text.text, format);
    PITH_ASSIGN_OR_RETURN(AnswerResult result, Generate(prompt, std::move(format), options, callback));
    result.dropped_messages = dropped;
    messages.push_back(result.message);
    messages_ = std::move(messages);
    return result;
  }
}

Result<AnswerResult> Conversation::Continue(std::string_view text, const AnswerOptions& options,
                                            const AnswerCallback& callback) {
  std::vector<TokenId> prompt = text_;
  if (prompt.empty() && profile_.start_token) prompt.push_back(*profile_.start_token);
  EncodeMarked(Marked(std::string(text), false), 0, tokenizer_, prompt);
  if (prompt.empty()) return InvalidArgument("nothing to continue: the prompt is empty");
  if (prompt.size() >= stream_.capacity()) {
    return InvalidArgument("the text has " + std::to_string(prompt.size()) + " tokens, expected at most " +
                           std::to_string(stream_.capacity() - 1) + ": the context holds " +
                           std::to_string(stream_.capacity()));
  }
  const size_t n_prompt = prompt.size();
  std::vector<TokenId> answer;
  AnswerFormat format;
  PITH_ASSIGN_OR_RETURN(
      AnswerResult result,
      Generate(prompt, format, options,
               [&](std::span<const AnswerReader::Piece> pieces, std::span<const TokenId> tokens) {
                 answer.insert(answer.end(), tokens.begin(), tokens.end());
                 return !callback || callback(pieces, tokens);
               }));
  text_ = std::move(prompt);
  text_.resize(n_prompt);
  text_.insert(text_.end(), answer.begin(), answer.end());
  return result;
}

Status Conversation::SetText(std::vector<TokenId> text) {
  for (const TokenId id : text) {
    if (id >= tokenizer_.vocab_size()) {
      return InvalidArgument("text: token " + std::to_string(id) + ", expected below " +
                             std::to_string(tokenizer_.vocab_size()));
    }
  }
  text_ = std::move(text);
  return OkStatus();
}

void Conversation::Clear() {
  text_.clear();
  while (!messages_.empty() && !(messages_.size() == 1 && RoleOf(messages_[0]) == "system"))
    messages_.erase(messages_.size() - 1);
}

Result<AnswerResult> Conversation::Generate(std::span<const TokenId> prompt, AnswerFormat format,
                                            const AnswerOptions& options, const AnswerCallback& callback) {
  format.stop_strings = profile_.stop_strings;
  format.stop_strings.insert(format.stop_strings.end(), options.stop_strings.begin(),
                             options.stop_strings.end());
  AnswerReader reader(tokenizer_, format);
  Listener listener(reader, format, callback);
  Sampler sampler(options.sampling);
  if (options.constraint != nullptr) options.constraint->Reset();
  AnswerResult result;
  result.prompt_tokens = prompt.size();
  const Status status = pith::Generate(stream_, sampler,
                                       {.prompt = prompt,
                                        .stop_tokens = profile_.stop_tokens,
                                        .max_tokens = options.max_tokens,
                                        .n_ids = tokenizer_.vocab_size(),
                                        .draft = options.draft,
                                        .constraint = options.constraint},
                                       listener, result.counts);
  PITH_RETURN_IF_ERROR(status);
  listener.Finish();
  result.stop_string = reader.stopped();
  result.message = listener.Message();
  return result;
}

}  // namespace pith
