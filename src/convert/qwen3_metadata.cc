#include "convert/qwen3_metadata.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <string_view>
#include <utility>

#include "convert/chat_templates.h"
#include "formats/json.h"

namespace pith {
namespace {

constexpr std::string_view kTurnStart = "<|im_start|>";
constexpr std::string_view kTurnEnd = "<|im_end|>";

// transformers' default where generation_config.json asks for sampling and has no top_k.
constexpr uint32_t kDefaultTopK = 50;

// Text that a protocol buffer takes and a person can have meant.
bool IsText(std::string text) {
  std::replace_if(text.begin(), text.end(), [](char c) { return c == '\n' || c == '\r' || c == '\t'; }, ' ');
  return IsPrintableUtf8(text);
}

Status CheckText(const char* name, const std::string& text, size_t max_bytes) {
  if (text.size() > max_bytes) {
    return InvalidArgument(std::string(name) + ": " + std::to_string(text.size()) + " bytes, limit " +
                           std::to_string(max_bytes));
  }
  if (!IsText(text)) {
    return InvalidArgument(std::string(name) + ": " + Quoted(text) +
                           " is no UTF-8, or has control characters");
  }
  return OkStatus();
}

Status CheckOptions(uint32_t context_length, const MetadataOptions& o) {
  if (context_length == 0 || context_length > std::numeric_limits<int32_t>::max()) {
    return InvalidArgument("context length: found " + std::to_string(context_length) +
                           ", expected 1 to 2147483647");
  }
  PITH_RETURN_IF_ERROR(CheckText("system prompt", o.system, kMaxSystemPromptBytes));
  if (o.chat_template)
    PITH_RETURN_IF_ERROR(CheckText("chat template", *o.chat_template, kMaxSystemPromptBytes));
  if (o.chat_template && !o.system.empty()) {
    return InvalidArgument("a system prompt goes into the template made here, not into a given one");
  }
  if (o.stop_strings.size() > kMaxStopStrings) {
    return InvalidArgument(std::to_string(o.stop_strings.size()) + " stop strings, limit " +
                           std::to_string(kMaxStopStrings));
  }
  for (const std::string& stop : o.stop_strings) {
    if (stop.empty()) return InvalidArgument("a stop string is empty");
    PITH_RETURN_IF_ERROR(CheckText("stop string", stop, kMaxStopStringBytes));
  }
  if (o.temperature && !(*o.temperature >= 0 && *o.temperature <= 100)) {
    return InvalidArgument("temperature: found " + std::to_string(*o.temperature) + ", expected 0 to 100");
  }
  if (o.top_p && !(*o.top_p > 0 && *o.top_p <= 1)) {
    return InvalidArgument("top_p: found " + std::to_string(*o.top_p) + ", expected above 0, at most 1");
  }
  if (o.top_k && (*o.top_k == 0 || *o.top_k > std::numeric_limits<int32_t>::max())) {
    return InvalidArgument("top_k: found " + std::to_string(*o.top_k) + ", expected 1 to 2147483647");
  }
  if (o.greedy && ((o.temperature && *o.temperature > 0) || o.top_p || o.top_k)) {
    return InvalidArgument("greedy excludes temperature, top_p and top_k");
  }
  return OkStatus();
}

using TokenTexts = std::map<uint32_t, std::string>;  // by id

// The added tokens of tokenizer.json.
Result<TokenTexts> AddedTokens(const ModelFolder& model) {
  TokenTexts tokens;
  if (model.tokenizer_json().empty()) return tokens;
  const std::string where = model.directory() + "/tokenizer.json";
  PITH_ASSIGN_OR_RETURN(const Json json, Json::Parse(model.tokenizer_json(), where));
  const Json* added = json.Find("added_tokens");
  if (added == nullptr) return tokens;
  for (const Json& token : added->items()) {
    const Json* id = token.Find("id");
    const Json* content = token.Find("content");
    const uint64_t number = id != nullptr ? id->AsUnsigned().value_or(UINT64_MAX) : UINT64_MAX;
    const std::string* text = content != nullptr ? content->AsString() : nullptr;
    if (number > std::numeric_limits<int32_t>::max() || text == nullptr) {
      return Corrupt(where + ": added_tokens: an entry without id or content");
    }
    tokens[static_cast<uint32_t>(number)] = *text;
  }
  return tokens;
}

// Where the thoughts of the model come from, by its own template.
enum class Thinking : uint8_t { kNever, kSwitch, kAlways };

// kSwitch: the published hybrid models. kAlways: "thinking" models, whose template opens the block itself.
Thinking FindThinking(const std::string& chat_template) {
  const auto has = [&](std::string_view part) { return chat_template.find(part) != std::string::npos; };
  if (chat_template.empty() || has("enable_thinking")) return Thinking::kSwitch;
  return has("assistant\\n<think>") || has("assistant\n<think>") ? Thinking::kAlways : Thinking::kNever;
}

class Builder {
 public:
  Builder(const ModelFolder& model, const MetadataOptions& options, const TokenTexts& added_tokens)
      : model_(model), options_(options), added_tokens_(added_tokens) {}

  Result<ModelMetadata> Build(uint32_t context_length) {
    out_.metadata.max_num_tokens = static_cast<int32_t>(context_length);
    out_.metadata.model_type = LlmModelType{is_qwen3() ? LlmModelType::kQwen3 : LlmModelType::kGeneric, {}};
    out_.metadata.sampler = Sampler();
    PITH_RETURN_IF_ERROR(ChatFormat());
    PITH_RETURN_IF_ERROR(StopTokens());
    return std::move(out_);
  }

 private:
  bool is_qwen3() const { return options_.style == MetadataStyle::kQwen3; }
  void Note(std::string text) { out_.notes.push_back(std::move(text)); }
  std::optional<uint32_t> FindToken(std::string_view text) const {
    for (const auto& [id, content] : added_tokens_) {
      if (content == text) return id;
    }
    return std::nullopt;
  }

  LlmSampler Sampler() {
    const GenerationSettings& g = model_.generation();
    LlmSampler s;
    s.type = LlmSampler::kTopP;  // the only kind that the CPU sampler knows
    s.seed = options_.seed;
    if (!is_qwen3() && !s.seed) s.seed = 0;  // as litert-lm-cli
    const bool wants_sampling = options_.temperature || options_.top_p || options_.top_k || g.do_sample;
    const double temperature = options_.temperature.value_or(g.temperature.value_or(1.0));
    if (options_.greedy || !wants_sampling || !(temperature > 0)) {
      s.k = 1;
      s.p = 1;
      s.temperature = 1;
      if (!options_.greedy && !options_.temperature && !g.do_sample) {
        Note("generation_config.json asks for no sampling: answers are greedy");
      }
      return s;
    }
    uint32_t k = options_.top_k.value_or(g.top_k.value_or(kDefaultTopK));
    if (k == 0) k = static_cast<uint32_t>(model_.config().vocab);  // 0 is "all"; the runtime refuses it
    s.k = static_cast<int32_t>(k);
    const double p = options_.top_p.value_or(g.top_p.value_or(1.0));
    s.p = static_cast<float>(std::clamp(p, 0.0, 1.0));
    s.temperature = static_cast<float>(temperature);
    return s;
  }

  Status ChatFormat() {
    const std::string& own = model_.chat_template();
    is_chatml_ = own.empty() ? FindToken(kTurnStart) && FindToken(kTurnEnd)
                             : own.find(kTurnStart) != std::string::npos;
    LlmMetadata& m = out_.metadata;
    if (options_.chat_template) {
      Take(*options_.chat_template);
    } else if (is_chatml_) {
      const std::string system = "{%- set default_system = " + JinjaLiteral(options_.system) + " %}\n";
      if (is_qwen3()) {
        Qwen3Template(system);
      } else {
        m.jinja_template = system + std::string(kChatmlTemplate);
      }
    } else if (!options_.system.empty()) {
      return InvalidArgument(
          model_.directory() +
          ": a system prompt needs the chat format with <|im_start|>, which this model has not");
    } else if (!own.empty()) {
      if (own.size() > kMaxSystemPromptBytes || !IsText(own)) {
        return Corrupt(model_.directory() +
                       ": the chat template is no UTF-8, has control characters or is larger than " +
                       std::to_string(kMaxSystemPromptBytes) + " bytes");
      }
      Take(own);
      Note(
          "the model's own chat template has no <|im_start|>: it is taken over as it is, and the runtime may "
          "not "
          "understand all of it");
    } else {
      m.jinja_template = std::string(kPlainTemplate);
      Note(
          "no chat template and no <|im_start|> token: the model gets the text of the messages and nothing "
          "else");
    }
    if (is_chatml_) Affixes();
    return OkStatus();
  }

  // A template that is not ours; what it can do is guessed from its words.
  void Take(const std::string& chat_template) {
    LlmMetadata& m = out_.metadata;
    m.jinja_template = chat_template;
    if (!is_qwen3()) return;
    SetThinking(chat_template.find("<think>") != std::string::npos);
    m.supports_function_calling = chat_template.find("tool_calls") != std::string::npos;
  }

  void SetThinking(bool thinks) {
    LlmMetadata& m = out_.metadata;
    m.supports_thinking = thinks;
    // Without is_reasoning: the runtime finds the channel by its name.
    if (thinks) m.channels.push_back({"thought", "<think>\n", "\n</think>", std::nullopt});
  }

  void Qwen3Template(const std::string& system) {
    LlmMetadata& m = out_.metadata;
    const Thinking thinking = FindThinking(model_.chat_template());
    const char* name = thinking == Thinking::kSwitch   ? "switch"
                       : thinking == Thinking::kAlways ? "always"
                                                       : "never";
    m.jinja_template = system + "{%- set thinking = '" + name + "' %}\n" + std::string(kQwen3ChatTemplate);
    SetThinking(thinking != Thinking::kNever);
    m.supports_function_calling = true;
  }

  void Affixes() {
    const auto affixes = [](std::string_view role) {
      return LlmAffixes{std::string(kTurnStart) + std::string(role) + "\n", std::string(kTurnEnd) + "\n"};
    };
    LlmPromptTemplates& templates = out_.metadata.prompt_templates.emplace();
    templates.user = affixes("user");
    templates.model = affixes("assistant");
    if (is_qwen3()) templates.system = affixes("system");
  }

  Status StopTokens() {
    std::vector<uint32_t> ids;
    std::vector<LlmToken>& stops = out_.metadata.stop_tokens;
    // The end of a turn stops every chat, also where a base model's settings know only <|endoftext|>.
    if (is_chatml_) {
      if (const std::optional<uint32_t> end = FindToken(kTurnEnd)) {
        ids.push_back(*end);
      } else {
        stops.emplace_back(std::string(kTurnEnd));
      }
    }
    for (const uint32_t id : model_.generation().eos_ids) {
      if (std::find(ids.begin(), ids.end(), id) == ids.end()) ids.push_back(id);
    }
    // The generic form has the end of a turn alone, by id.
    if (!is_qwen3() && is_chatml_ && ids.size() > 1) ids.erase(ids.begin() + 1, ids.end());
    for (const uint32_t id : ids) {
      const auto text = added_tokens_.find(id);
      if (is_qwen3() && text != added_tokens_.end() && IsText(text->second) && !text->second.empty()) {
        stops.emplace_back(text->second);
      } else {
        stops.emplace_back(std::vector<int32_t>{static_cast<int32_t>(id)});
      }
    }
    for (const std::string& stop : options_.stop_strings) {
      if (std::find(stops.begin(), stops.end(), LlmToken(stop)) == stops.end()) stops.emplace_back(stop);
    }
    if (!stops.empty()) return OkStatus();
    return InvalidArgument(
        model_.directory() +
        ": no stop token: config.json and generation_config.json have no eos_token_id, and the "
        "runtime refuses a file without; give a stop string, such as <|endoftext|>");
  }

  const ModelFolder& model_;
  const MetadataOptions& options_;
  const TokenTexts& added_tokens_;
  bool is_chatml_ = false;
  ModelMetadata out_;
};

}  // namespace

std::string JinjaLiteral(std::string_view text) {
  constexpr std::string_view kPlain = " \n,;:!?-_";  // "\n" is written as such
  std::string out = "\"";
  for (const char c : text) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (c == '\n') {
      out += "\\n";
    } else if (letter || static_cast<unsigned char>(c) >= 0x80 || kPlain.find(c) != std::string_view::npos) {
      out += c;
    } else {
      constexpr char kDigits[] = "0123456789abcdef";
      out += "\\u00";
      out += kDigits[c >> 4 & 15];
      out += kDigits[c & 15];
    }
  }
  return out + '"';
}

Result<ModelMetadata> BuildQwen3Metadata(const ModelFolder& model, uint32_t context_length,
                                         const MetadataOptions& options) {
  PITH_RETURN_IF_ERROR(CheckOptions(context_length, options));
  PITH_ASSIGN_OR_RETURN(const TokenTexts added_tokens, AddedTokens(model));
  return Builder(model, options, added_tokens).Build(context_length);
}

}  // namespace pith
