// Chat of include/pith/chat.h: a conversation with its engine, and options with their defaults.
#include "pith/chat.h"

#include <algorithm>
#include <random>
#include <utility>

#include "api/boundary.h"
#include "api/model_impl.h"
#include "chat/conversation.h"
#include "grammar/gbnf.h"
#include "grammar/grammar_constraint.h"
#include "grammar/json_schema.h"

namespace pith {
namespace {

using Json = nlohmann::ordered_json;

uint64_t RandomSeed() {
  // 32 bits: a number that people can write down.
  std::random_device device;
  return device();
}

ChatPart PartOf(AnswerPart part) {
  switch (part) {
    case AnswerPart::kThinking:
      return ChatPart::kThinking;
    case AnswerPart::kToolCall:
      return ChatPart::kToolCall;
    case AnswerPart::kText:
      break;
  }
  return ChatPart::kText;
}

ChatEnd EndOf(const AnswerResult& result) {
  switch (result.counts.end) {
    case GenerateEnd::kStopToken:
    case GenerateEnd::kSink:
      return ChatEnd::kStop;
    case GenerateEnd::kMaxTokens:
      return ChatEnd::kMaxTokens;
    case GenerateEnd::kContextFull:
      return ChatEnd::kContextFull;
    case GenerateEnd::kCancelled:
      break;
  }
  return ChatEnd::kCancelled;
}

// `text` with what is no UTF-8 replaced, and how many bytes that were.
std::pair<std::string, size_t> ValidUtf8(std::string_view text) {
  std::string bytes(text);
  std::string valid;
  const size_t replaced = TakeCharacters(bytes, valid, true);
  return {std::move(valid), replaced};
}

Result<Json> ParseTools(const std::string& text) {
  if (text.empty()) return Json::array();
  Json tools = Json::parse(text, nullptr, false);
  if (tools.is_discarded()) return InvalidArgument("tools: no JSON");
  if (!tools.is_array()) return InvalidArgument("tools: expected a JSON list");
  for (size_t i = 0; i < tools.size(); ++i) {
    const Json& tool = tools[i];
    const Json& function = tool.is_object() && tool.contains("function") ? tool["function"] : tool;
    if (!function.is_object() || !function.contains("name") || !function["name"].is_string()) {
      return InvalidArgument("tools: entry " + std::to_string(i) +
                             ": expected {\"type\": \"function\", \"function\": {\"name\": ..}}");
    }
  }
  return tools;
}

}  // namespace

struct Chat::Impl {
  Impl(Model::Impl& m, ChatOptions o) : model(m), options(std::move(o)) {}

  Status Start() {
    if (!model.tokenizer) {
      return Unsupported("model " + model.info.name +
                         " has no tokenizer: it can give logits of token ids and no more");
    }
    ChatProfile profile = model.chat;
    if (!options.chat_template.empty())
      profile = ProfileFromTemplate(options.chat_template, profile.stop_tokens, *model.tokenizer);
    if (options.raw) {
      // A chat model had no token in front of its texts; a model of text learnt to begin after one.
      profile.chat_template.clear();
    } else if (profile.chat_template.empty()) {
      return Unsupported("model " + model.info.name + " continues text and knows no turns");
    }
    const uint64_t most = std::min<uint64_t>(model.info.max_positions, kMaxCachedTokens);
    if (options.context == 0)
      options.context = static_cast<uint32_t>(std::min<uint64_t>(most, kDefaultChatContext));
    if (options.context <= kMaxSinks || options.context > kMaxCachedTokens) {
      return InvalidArgument("context: " + std::to_string(options.context) + " tokens, expected " +
                             std::to_string(kMaxSinks + 1) + " to " + std::to_string(kMaxCachedTokens));
    }
    FillSampling(profile);
    PITH_RETURN_IF_ERROR(CheckSamplerOptions(answer.sampling));
    answer.max_tokens = options.max_tokens;
    answer.draft = options.draft;
    for (const std::string& stop : options.stop) {
      if (stop.empty()) return InvalidArgument("stop: a text is empty");
    }
    answer.stop_strings = options.stop;
    PITH_RETURN_IF_ERROR(MakeConstraint());
    answer.thinking = options.thinking;
    PITH_ASSIGN_OR_RETURN(Json tools, ParseTools(options.tools));

    engine = model.NewEngine({.window = options.context, .n_sinks = 0});
    PITH_ASSIGN_OR_RETURN(conversation, Conversation::Create(*engine, *model.tokenizer, std::move(profile)));
    conversation->SetTools(std::move(tools));
    return SetSystem(options.system);
  }

  void FillSampling(const ChatProfile& profile) {
    SamplerOptions& s = answer.sampling;
    s = profile.sampling;
    if (!options.seed) options.seed = profile.has_seed ? s.seed : RandomSeed();
    s.temperature = options.temperature.value_or(s.temperature);
    s.top_k = options.top_k.value_or(s.top_k);
    s.top_p = options.top_p.value_or(s.top_p);
    s.min_p = options.min_p.value_or(s.min_p);
    s.repetition_penalty = options.repetition_penalty.value_or(s.repetition_penalty);
    s.presence_penalty = options.presence_penalty;
    s.frequency_penalty = options.frequency_penalty;
    s.seed = *options.seed;
    options.temperature = s.temperature;
    options.top_k = s.top_k;
    options.top_p = s.top_p;
    options.min_p = s.min_p;
    options.repetition_penalty = s.repetition_penalty;
  }

  Status MakeConstraint() {
    if (options.json_schema.empty() && options.grammar.empty()) return OkStatus();
    if (!options.json_schema.empty() && !options.grammar.empty()) {
      return InvalidArgument("a JSON schema and a grammar: expected at most one of them");
    }
    const bool schema = !options.json_schema.empty();
    Result<Grammar> grammar = schema ? ParseJsonSchema(options.json_schema) : ParseGbnf(options.grammar);
    if (!grammar.ok()) return grammar.status().WithContext(schema ? "JSON schema" : "grammar");
    constraint = MakeGrammarConstraint(std::make_shared<const Grammar>(*std::move(grammar)),
                                       std::make_shared<const TokenTrie>(*model.tokenizer));
    answer.constraint = constraint.get();
    // Whoever wants a form wants it at once.
    if (!options.thinking) options.thinking = false;
    return OkStatus();
  }

  Status SetSystem(const std::string& text) {
    options.system = ValidUtf8(text).first;
    Json messages = conversation->messages();
    if (!messages.empty() && messages[0].value("role", "") == "system") messages.erase(0);
    if (!options.system.empty())
      messages.insert(messages.begin(), Json{{"role", "system"}, {"content", options.system}});
    return conversation->SetMessages(std::move(messages));
  }

  Model::Impl& model;
  ChatOptions options;
  AnswerOptions answer;
  std::unique_ptr<TokenConstraint> constraint;
  std::unique_ptr<Engine> engine;
  std::unique_ptr<Conversation> conversation;
};

Chat::Chat(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Chat::Chat(Chat&&) noexcept = default;
Chat& Chat::operator=(Chat&&) noexcept = default;
Chat::~Chat() = default;

Result<Chat> Chat::Create(Model& model, const ChatOptions& options) {
  return AtBoundary([&]() -> Result<Chat> {
    auto impl = std::make_unique<Impl>(model.impl(), options);
    PITH_RETURN_IF_ERROR(impl->Start());
    return Chat(std::move(impl));
  });
}

Result<ChatAnswer> Chat::Ask(std::string_view text, const ChatCallback& callback, const std::string& role) {
  return AtBoundary([&]() -> Result<ChatAnswer> {
    ChatAnswer answer;
    const auto forward = [&](std::span<const AnswerReader::Piece> pieces, std::span<const TokenId> tokens) {
      bool go_on = true;
      for (size_t i = 0; i < pieces.size(); ++i) {
        ChatPiece piece{.part = PartOf(pieces[i].part), .text = pieces[i].text};
        if (i + 1 == pieces.size()) piece.tokens.assign(tokens.begin(), tokens.end());
        if (piece.part == ChatPart::kThinking) answer.thinking += piece.text;
        if (piece.part == ChatPart::kText) answer.text += piece.text;
        if (piece.part == ChatPart::kToolCall) answer.tool_calls.push_back(piece.text);
        if (callback && !callback(piece)) go_on = false;
      }
      // Nothing to show yet: still a moment to give up in.
      if (pieces.empty() && callback && !callback({.tokens = {tokens.begin(), tokens.end()}})) go_on = false;
      return go_on;
    };
    AnswerResult result;
    if (impl_->options.raw) {
      PITH_ASSIGN_OR_RETURN(result, impl_->conversation->Continue(text, impl_->answer, forward));
    } else {
      auto [content, replaced] = ValidUtf8(text);
      answer.replaced_bytes = replaced;
      PITH_ASSIGN_OR_RETURN(result,
                            impl_->conversation->Ask(Json{{"role", role}, {"content", std::move(content)}},
                                                     impl_->answer, forward));
    }
    answer.end = EndOf(result);
    answer.prompt_tokens = result.prompt_tokens;
    answer.reused_tokens = result.counts.reused;
    answer.prefilled_tokens = result.counts.prefilled;
    answer.answer_tokens = result.counts.generated;
    answer.drafted_tokens = result.counts.drafted;
    answer.accepted_tokens = result.counts.accepted;
    answer.passes = result.counts.passes;
    answer.prefill_seconds = result.counts.prefill_seconds;
    answer.decode_seconds = result.counts.decode_seconds;
    answer.dropped_messages = result.dropped_messages;
    return answer;
  });
}

void Chat::Clear() { impl_->conversation->Clear(); }

Status Chat::SetSystem(const std::string& text) {
  return AtBoundary([&]() -> Status { return impl_->SetSystem(text); });
}

void Chat::SetSeed(uint64_t seed) {
  impl_->options.seed = seed;
  impl_->answer.sampling.seed = seed;
}

void Chat::SetThinking(std::optional<bool> thinking) {
  impl_->options.thinking = thinking;
  impl_->answer.thinking = thinking;
}

const ChatOptions& Chat::options() const { return impl_->options; }

bool Chat::can_think() const {
  const ChatProfile& profile = impl_->conversation->profile();
  return !profile.format.thinking_start.empty() &&
         profile.chat_template.find("enable_thinking") != std::string::npos;
}

size_t Chat::n_messages() const { return impl_->conversation->messages().size(); }
size_t Chat::n_text_tokens() const { return impl_->conversation->text().size(); }

std::string Chat::Save() const {
  Json saved;
  if (impl_->options.raw) {
    saved["tokens"] = impl_->conversation->text();
  } else {
    saved["messages"] = impl_->conversation->messages();
  }
  return saved.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Status Chat::Load(const std::string& json) {
  return AtBoundary([&]() -> Status {
    Json saved = Json::parse(json, nullptr, false);
    if (saved.is_discarded()) return InvalidArgument("no JSON");
    const char* const name = impl_->options.raw ? "tokens" : "messages";
    if (!saved.is_object() || !saved.contains(name))
      return InvalidArgument("expected {\"" + std::string(name) + "\": [..]}");
    if (!impl_->options.raw) return impl_->conversation->SetMessages(std::move(saved["messages"]));
    std::vector<TokenId> tokens;
    for (const Json& id : saved["tokens"]) {
      if (!id.is_number_unsigned() || id.get<uint64_t>() > kMaxTokenIds)
        return InvalidArgument("tokens: expected a list of token ids");
      tokens.push_back(id.get<TokenId>());
    }
    return impl_->conversation->SetText(std::move(tokens));
  });
}

bool ModelKnowsTurns(const Model& model) { return !model.impl().chat.chat_template.empty(); }

}  // namespace pith
