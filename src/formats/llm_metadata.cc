#include "formats/llm_metadata.h"

#include <bit>
#include <protozero/pbf_reader.hpp>
#include <protozero/pbf_writer.hpp>
#include <utility>

namespace pith {
namespace {

using protozero::pbf_reader;
using protozero::pbf_writer;
using Wire = protozero::pbf_wire_type;

constexpr uint32_t Varint(uint32_t field) { return protozero::tag_and_type(field, Wire::varint); }
constexpr uint32_t Message(uint32_t field) { return protozero::tag_and_type(field, Wire::length_delimited); }
constexpr uint32_t Float(uint32_t field) { return protozero::tag_and_type(field, Wire::fixed32); }

// protozero throws at bytes that are no protocol buffer; a limit is thrown as this.
struct LimitExceeded {
  const char* what;
  size_t limit;
};

class Decoder {
 public:
  LlmMetadata Decode(ByteSpan data) {
    pbf_reader in(reinterpret_cast<const char*>(data.data()), data.size());
    while (Next(in)) {
      switch (in.tag_and_type()) {
        case Message(1):
          Token("start_token", in.get_message(), Present(out_.start_token));
          break;
        case Message(2):
          Limit("stop_tokens", out_.stop_tokens.size() + 1, kMaxLlmStopTokens);
          Token("stop_tokens", in.get_message(), out_.stop_tokens.emplace_back());
          break;
        case Message(3):
          PromptTemplates(in.get_message(), Present(out_.prompt_templates));
          break;
        case Message(4):
          Sampler(in.get_message(), Present(out_.sampler));
          break;
        case Varint(5):
          out_.max_num_tokens = in.get_int32();
          break;
        case Message(6):
          ModelType(in.get_message());
          break;
        case Message(7):
          out_.jinja_template = in.get_string();
          break;
        case Message(8):
          Limit("channels", out_.channels.size() + 1, kMaxLlmChannels);
          Channel(in.get_message(), out_.channels.emplace_back());
          break;
        case Message(9):
          Ids("suppress_tokens", in.get_message(), Present(out_.suppress_tokens));
          break;
        case Varint(10):
          out_.kv_cache_init_value = in.get_int64();
          break;
        case Varint(11):
          out_.supports_thinking = Bool(in);
          break;
        case Varint(12):
          out_.supports_function_calling = Bool(in);
          break;
        case Message(13):
          Token("pad_token", in.get_message(), Present(out_.pad_token));
          break;
        case Message(14):
          out_.min_runtime_version = in.get_string();
          break;
        default:
          Skip(in);
      }
      place_ = "a field of its own";
    }
    return std::move(out_);
  }
  const char* place() const { return place_; }  // what was being read, for messages

 private:
  template <typename T>
  static T& Present(std::optional<T>& field) {
    return field ? *field : field.emplace();
  }
  static bool Next(pbf_reader& in) { return in.next(); }
  static bool Bool(pbf_reader& in) { return in.get_uint64() != 0; }
  void Skip(pbf_reader& in) {
    ++out_.n_unknown_fields;
    in.skip();
  }
  static void Limit(const char* what, size_t n, size_t limit) {
    if (n > limit) throw LimitExceeded{what, limit};
  }

  // TokenIds. Lists are packed; single numbers of older writers count as well.
  void Ids(const char* place, pbf_reader in, std::vector<int32_t>& ids) {
    place_ = place;
    while (Next(in)) {
      switch (in.tag_and_type()) {
        case Message(1):
          for (const int32_t id : in.get_packed_int32()) {
            ids.push_back(id);
            Limit("token ids", ids.size(), kMaxLlmTokenIds);
          }
          break;
        case Varint(1):
          ids.push_back(in.get_int32());
          Limit("token ids", ids.size(), kMaxLlmTokenIds);
          break;
        default:
          Skip(in);
      }
    }
  }
  void Token(const char* place, pbf_reader in, LlmToken& token) {
    place_ = place;
    while (Next(in)) {
      switch (in.tag_and_type()) {
        case Message(1):
          if (!std::holds_alternative<std::vector<int32_t>>(token)) token = std::vector<int32_t>();
          Ids(place, in.get_message(), std::get<std::vector<int32_t>>(token));
          break;
        case Message(2):
          token = in.get_string();
          break;
        default:
          Skip(in);
      }
    }
  }
  void Affixes(pbf_reader in, LlmAffixes& affixes) {
    while (Next(in)) {
      switch (in.tag_and_type()) {
        case Message(1):
          affixes.prefix = in.get_string();
          break;
        case Message(2):
          affixes.suffix = in.get_string();
          break;
        default:
          Skip(in);
      }
    }
  }
  void PromptTemplates(pbf_reader in, LlmPromptTemplates& templates) {
    place_ = "prompt_templates";
    while (Next(in)) {
      switch (in.tag_and_type()) {
        case Message(1):
          Affixes(in.get_message(), Present(templates.user));
          break;
        case Message(2):
          Affixes(in.get_message(), Present(templates.model));
          break;
        case Message(3):
          Affixes(in.get_message(), Present(templates.system));
          break;
        default:
          Skip(in);
      }
    }
  }
  void Sampler(pbf_reader in, LlmSampler& sampler) {
    place_ = "sampler_params";
    while (Next(in)) {
      switch (in.tag_and_type()) {
        case Varint(1):
          sampler.type = in.get_enum();
          break;
        case Varint(2):
          sampler.k = in.get_int32();
          break;
        case Float(3):
          sampler.p = in.get_float();
          break;
        case Float(4):
          sampler.temperature = in.get_float();
          break;
        case Varint(5):
          sampler.seed = in.get_int32();
          break;
        case Varint(6):
          sampler.backend = in.get_enum();
          break;
        case Varint(7):
          sampler.exact_log_probs = Bool(in);
          break;
        default:
          Skip(in);
      }
    }
  }
  // A oneof and nothing else: any number is a kind, also one that is younger than this program.
  void ModelType(pbf_reader in) {
    place_ = "llm_model_type";
    LlmModelType& type = Present(out_.model_type);
    while (Next(in)) {
      if (in.wire_type() != Wire::length_delimited) {
        Skip(in);
        continue;
      }
      if (type.kind != in.tag()) type.settings.clear();
      type.kind = in.tag();
      const protozero::data_view view = in.get_view();
      const ByteSpan settings = AsBytes({view.data(), view.size()});
      type.settings.insert(type.settings.end(), settings.begin(),
                           settings.end());  // this is how messages merge
    }
  }
  void Channel(pbf_reader in, LlmChannel& channel) {
    place_ = "channels";
    while (Next(in)) {
      switch (in.tag_and_type()) {
        case Message(1):
          channel.name = in.get_string();
          break;
        case Message(2):
          channel.start = in.get_string();
          break;
        case Message(3):
          channel.end = in.get_string();
          break;
        case Varint(4):
          channel.is_reasoning = Bool(in);
          break;
        default:
          Skip(in);
      }
    }
  }

  LlmMetadata out_;
  const char* place_ = "a field of its own";
};

void AddString(pbf_writer& out, uint32_t field, const std::string& text) {
  if (!text.empty()) out.add_string(field, text);
}
void AddInt(pbf_writer& out, uint32_t field, int32_t value) {
  if (value != 0) out.add_int32(field, value);
}
void AddFloat(pbf_writer& out, uint32_t field, float value) {
  if (std::bit_cast<uint32_t>(value) != 0) out.add_float(field, value);  // -0 is written, as by the reference
}

// The bytes of the message that `fill` writes.
template <typename Fill>
std::string MessageText(Fill fill) {
  std::string text;
  pbf_writer out(text);
  fill(out);
  return text;
}

std::string IdsText(const std::vector<int32_t>& ids) {
  return MessageText([&](pbf_writer& out) { out.add_packed_int32(1, ids.begin(), ids.end()); });
}

std::string TokenText(const LlmToken& token) {
  return MessageText([&](pbf_writer& out) {
    if (const auto* ids = std::get_if<std::vector<int32_t>>(&token)) out.add_message(1, IdsText(*ids));
    if (const auto* text = std::get_if<std::string>(&token)) out.add_string(2, *text);
  });
}

std::string AffixesText(const LlmAffixes& affixes) {
  return MessageText([&](pbf_writer& out) {
    AddString(out, 1, affixes.prefix);
    AddString(out, 2, affixes.suffix);
  });
}

std::string PromptTemplatesText(const LlmPromptTemplates& templates) {
  return MessageText([&](pbf_writer& out) {
    if (templates.user) out.add_message(1, AffixesText(*templates.user));
    if (templates.model) out.add_message(2, AffixesText(*templates.model));
    if (templates.system) out.add_message(3, AffixesText(*templates.system));
  });
}

std::string SamplerText(const LlmSampler& sampler) {
  return MessageText([&](pbf_writer& out) {
    AddInt(out, 1, sampler.type);
    AddInt(out, 2, sampler.k);
    AddFloat(out, 3, sampler.p);
    AddFloat(out, 4, sampler.temperature);
    if (sampler.seed) out.add_int32(5, *sampler.seed);
    AddInt(out, 6, sampler.backend);
    if (sampler.exact_log_probs) out.add_bool(7, true);
  });
}

std::string ModelTypeText(const LlmModelType& type) {
  return MessageText([&](pbf_writer& out) {
    if (type.kind != 0) out.add_message(type.kind, std::string(AsText(type.settings)));
  });
}

std::string ChannelText(const LlmChannel& channel) {
  return MessageText([&](pbf_writer& out) {
    AddString(out, 1, channel.name);
    AddString(out, 2, channel.start);
    AddString(out, 3, channel.end);
    if (channel.is_reasoning) out.add_bool(4, *channel.is_reasoning);
  });
}

}  // namespace

std::string_view LlmModelType::KindName() const {
  switch (kind) {
    case kGeneric:
      return "generic_model";
    case 2:
      return "gemma3n";
    case 3:
      return "function_gemma";
    case 4:
      return "gemma3";
    case kQwen3:
      return "qwen3";
    case 7:
      return "qwen2p5";
    case 8:
      return "gemma4";
    case 9:
      return "fast_vlm";
    case 11:
      return "lfm2";
    case 12:
      return "minicpm5";
    case 13:
      return "minicpmv4";
    default:
      return "unknown";
  }
}

Result<LlmMetadata> DecodeLlmMetadata(ByteSpan data, const std::string& where) {
  if (data.size() > kMaxLlmMetadataBytes) {
    return Unsupported(where + ": " + std::to_string(data.size()) + " bytes of metadata, limit " +
                       std::to_string(kMaxLlmMetadataBytes));
  }
  Decoder decoder;
  try {
    return decoder.Decode(data);
  } catch (const LimitExceeded& e) {
    return Unsupported(where + ": more than " + std::to_string(e.limit) + " " + e.what);
  } catch (const protozero::exception& e) {
    return Corrupt(where + ": " + decoder.place() + " is damaged or cut short: " + e.what());
  }
}

Bytes EncodeLlmMetadata(const LlmMetadata& metadata) {
  const std::string text = MessageText([&](pbf_writer& out) {
    const LlmMetadata& m = metadata;
    if (m.start_token) out.add_message(1, TokenText(*m.start_token));
    for (const LlmToken& token : m.stop_tokens) out.add_message(2, TokenText(token));
    if (m.prompt_templates) out.add_message(3, PromptTemplatesText(*m.prompt_templates));
    if (m.sampler) out.add_message(4, SamplerText(*m.sampler));
    AddInt(out, 5, m.max_num_tokens);
    if (m.model_type) out.add_message(6, ModelTypeText(*m.model_type));
    if (m.jinja_template) out.add_string(7, *m.jinja_template);
    for (const LlmChannel& channel : m.channels) out.add_message(8, ChannelText(channel));
    if (m.suppress_tokens) out.add_message(9, IdsText(*m.suppress_tokens));
    if (m.kv_cache_init_value) out.add_int64(10, *m.kv_cache_init_value);
    if (m.supports_thinking) out.add_bool(11, *m.supports_thinking);
    if (m.supports_function_calling) out.add_bool(12, *m.supports_function_calling);
    if (m.pad_token) out.add_message(13, TokenText(*m.pad_token));
    if (m.min_runtime_version) out.add_string(14, *m.min_runtime_version);
  });
  const ByteSpan bytes = AsBytes(text);
  return Bytes(bytes.begin(), bytes.end());
}

}  // namespace pith
