#include "chat/chat_profile.h"

#include <algorithm>
#include <string_view>

namespace pith {
namespace {

void AddStop(std::vector<TokenId>& stops, TokenId id) {
  if (std::find(stops.begin(), stops.end(), id) == stops.end()) stops.push_back(id);
}

void AddStop(const LlmToken& token, const Tokenizer& tokenizer, ChatProfile& profile) {
  if (const auto* ids = std::get_if<std::vector<int32_t>>(&token)) {
    if (ids->size() == 1 && ids->front() >= 0)
      AddStop(profile.stop_tokens, static_cast<TokenId>(ids->front()));
    if (ids->size() <= 1) return;
    // Several tokens in a row: the text that they make.
    std::vector<TokenId> tokens(ids->begin(), ids->end());
    Bytes text;
    if (tokenizer.Decode(tokens, text).ok() && !text.empty()) profile.stop_strings.emplace_back(AsText(text));
  } else if (const auto* text = std::get_if<std::string>(&token); text != nullptr && !text->empty()) {
    if (const auto id = tokenizer.FindAddedToken(*text)) {
      AddStop(profile.stop_tokens, *id);
    } else {
      profile.stop_strings.push_back(*text);
    }
  }
}

// A text as a Jinja string.
std::string Quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

// {{ prefix }}message{{ suffix }} for each role.
std::string TemplateOfAffixes(const LlmPromptTemplates& t) {
  const auto affixes = [](const std::optional<LlmAffixes>& a) { return a.value_or(LlmAffixes{}); };
  const auto turn = [&](const std::optional<LlmAffixes>& a) {
    return "{{- " + Quoted(affixes(a).prefix) + " ~ message.content ~ " + Quoted(affixes(a).suffix) + " }}";
  };
  return "{%- for message in messages %}{%- if message.role == 'assistant' %}" + turn(t.model) +
         "{%- elif message.role == 'system' %}" + turn(t.system) + "{%- else %}" + turn(t.user) +
         "{%- endif %}{%- endfor %}{%- if add_generation_prompt %}{{- " + Quoted(affixes(t.model).prefix) +
         " }}{%- endif %}";
}

void FindMarkers(ChatProfile& profile) {
  const auto has = [&](std::string_view word) {
    return profile.chat_template.find(word) != std::string::npos;
  };
  if (has("</think>")) {
    profile.format.thinking_start = "<think>";
    profile.format.thinking_end = "</think>";
  }
  if (has("<tool_call>")) {
    profile.format.tool_call_start = "<tool_call>";
    profile.format.tool_call_end = "</tool_call>";
  }
}

std::string Trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of("\r\n");
  if (begin == std::string_view::npos) return "";
  return std::string(text.substr(begin, text.find_last_not_of("\r\n") - begin + 1));
}

}  // namespace

ChatProfile ProfileFromMetadata(const LlmMetadata& metadata, const Tokenizer& tokenizer) {
  ChatProfile profile;
  if (metadata.jinja_template && !metadata.jinja_template->empty()) {
    profile.chat_template = *metadata.jinja_template;
  } else if (metadata.prompt_templates) {
    profile.chat_template = TemplateOfAffixes(*metadata.prompt_templates);
  }
  for (const LlmToken& token : metadata.stop_tokens) AddStop(token, tokenizer, profile);
  if (metadata.start_token) {
    if (const auto* ids = std::get_if<std::vector<int32_t>>(&*metadata.start_token);
        ids != nullptr && ids->size() == 1) {
      profile.start_token = static_cast<TokenId>(ids->front());
    } else if (const auto* text = std::get_if<std::string>(&*metadata.start_token)) {
      profile.start_token = tokenizer.FindAddedToken(*text);
    }
    const AddedToken* const start =
        profile.start_token ? tokenizer.AddedTokenOf(*profile.start_token) : nullptr;
    if (start != nullptr) profile.bos_token = start->content;
  }
  if (metadata.sampler) {
    const LlmSampler& s = *metadata.sampler;
    SamplerOptions& o = profile.sampling;
    o.temperature = s.temperature;
    o.top_k = s.k > 0 ? static_cast<uint32_t>(s.k) : 0;
    if (s.type == LlmSampler::kTopP && s.p > 0 && s.p <= 1) o.top_p = s.p;
    if (s.type == LlmSampler::kGreedy || s.k == 1) o.temperature = 0;
    if (s.seed) {
      o.seed = static_cast<uint64_t>(static_cast<uint32_t>(*s.seed));
      profile.has_seed = true;
    }
    if (!CheckSamplerOptions(o).ok()) o = {};
  }
  FindMarkers(profile);
  for (const LlmChannel& channel : metadata.channels) {
    if (channel.name != "thought" && !channel.is_reasoning.value_or(false)) continue;
    profile.format.thinking_start = Trimmed(channel.start);
    profile.format.thinking_end = Trimmed(channel.end);
  }
  return profile;
}

ChatProfile ProfileFromTemplate(std::string chat_template, std::span<const TokenId> eos,
                                const Tokenizer& tokenizer) {
  ChatProfile profile;
  profile.chat_template = std::move(chat_template);
  for (const TokenId id : eos) {
    AddStop(profile.stop_tokens, id);
    const AddedToken* const added = tokenizer.AddedTokenOf(id);
    if (added != nullptr && profile.eos_token.empty()) profile.eos_token = added->content;
  }
  for (const std::string_view end : {"<|im_end|>", "<|endoftext|>"}) {
    if (const auto id = tokenizer.FindAddedToken(end)) AddStop(profile.stop_tokens, *id);
  }
  profile.sampling = {.temperature = 0.6, .top_k = 20, .top_p = 0.95};
  FindMarkers(profile);
  return profile;
}

ChatProfile ProfileOfBaseModel(TokenId start_token, const Tokenizer& tokenizer) {
  ChatProfile profile = ProfileFromTemplate("", {}, tokenizer);
  // A small model left alone soon says the same again and again.
  profile.sampling = {.temperature = 0.8, .top_k = 40, .repetition_penalty = 1.15};
  profile.start_token = start_token;
  AddStop(profile.stop_tokens, start_token);
  return profile;
}

}  // namespace pith
