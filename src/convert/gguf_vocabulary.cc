#include "convert/gguf_vocabulary.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

namespace pith {
namespace {

// What llama.cpp does for tokenizer.ggml.pre = "qwen2". (tokenizer/pre_tokenizer.h has the same; convert/ may
// not include it.)
constexpr std::string_view kQwen2Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

// A value for a message.
std::string Show(const Json* value) {
  if (value == nullptr || value->is_null()) return "nothing";
  if (const std::string* text = value->AsString()) return Quoted(*text);
  if (const auto b = value->AsBool()) return *b ? "true" : "false";
  return std::string(value->KindName());
}

bool IsSet(const Json* value) { return value != nullptr && !value->is_null(); }

bool IsText(const Json* value, std::string_view expected) {
  return value != nullptr && value->AsString() != nullptr && *value->AsString() == expected;
}

// llama.cpp's converter takes such tokens for control tokens whatever the tokenizer says (conversion/base.py,
// does_token_look_special): Qwen's <|fim_prefix|> is one.
bool LooksSpecial(std::string_view text) { return text.starts_with("<|") && text.ends_with("|>"); }

class VocabularyReader {
 public:
  VocabularyReader(const Json& root, const std::string& where, size_t n_rows)
      : root_(root), where_(where), n_rows_(n_rows) {}

  Result<GgufVocabulary> Read() {
    PITH_RETURN_IF_ERROR(CheckSteps());
    out_.tokens.resize(n_rows_);
    out_.types.assign(n_rows_, static_cast<int32_t>(GgufTokenType::kUnused));
    taken_.assign(n_rows_, false);
    PITH_RETURN_IF_ERROR(ReadVocab());
    PITH_RETURN_IF_ERROR(ReadAdded());
    PITH_RETURN_IF_ERROR(FillPadding());
    PITH_RETURN_IF_ERROR(ReadMerges());
    return std::move(out_);
  }

 private:
  const Json* Find(std::initializer_list<std::string_view> path) const {
    const Json* value = &root_;
    for (const std::string_view key : path) {
      if (value != nullptr) value = value->Find(key);
    }
    return value;
  }
  std::string At(std::string_view place) const { return where_ + ": " + std::string(place); }

  Status Expect(const Json* found, std::string_view place, std::string_view expected) const {
    if (IsText(found, expected)) return OkStatus();
    return Unsupported(At(place) + ": found " + Show(found) + ", expected " + Quoted(expected));
  }
  // Absent, null or false (or, for a text, empty).
  Status ExpectOff(const Json* found, std::string_view place) const {
    if (!IsSet(found) || found->AsBool() == false || IsText(found, "") || found->AsNumber() == 0.0)
      return OkStatus();
    return Unsupported(At(place) + ": found " + Show(found) + "; llama.cpp does not do that for Qwen");
  }
  Status ExpectTypeIfSet(std::string_view key, std::string_view expected) const {
    if (!IsSet(Find({key}))) return OkStatus();
    return Expect(Find({key, "type"}), std::string(key) + ".type", expected);
  }

  Status CheckSteps() const {
    if (!IsText(Find({"model", "type"}), "BPE")) {
      return Unsupported(At("model.type") + ": found " + Show(Find({"model", "type"})) +
                         ", expected \"BPE\": only byte-level BPE can be written to GGUF");
    }
    for (const std::string_view key :
         {"dropout", "byte_fallback", "ignore_merges", "continuing_subword_prefix", "end_of_word_suffix"}) {
      PITH_RETURN_IF_ERROR(ExpectOff(Find({"model", key}), "model." + std::string(key)));
    }
    PITH_RETURN_IF_ERROR(ExpectTypeIfSet("normalizer", "NFC"));
    PITH_RETURN_IF_ERROR(ExpectTypeIfSet("decoder", "ByteLevel"));
    PITH_RETURN_IF_ERROR(ExpectTypeIfSet("post_processor", "ByteLevel"));  // adds no tokens
    PITH_RETURN_IF_ERROR(Expect(Find({"pre_tokenizer", "type"}), "pre_tokenizer.type", "Sequence"));
    const Json* list = Find({"pre_tokenizer", "pretokenizers"});
    const std::span<const Json> steps = list != nullptr ? list->items() : std::span<const Json>();
    if (steps.size() != 2) {
      return Unsupported(At("pre_tokenizer") + ": " + std::to_string(steps.size()) +
                         " steps, expected Split and ByteLevel");
    }
    PITH_RETURN_IF_ERROR(Expect(steps[0].Find("type"), "pre_tokenizer, step 0", "Split"));
    PITH_RETURN_IF_ERROR(Expect(steps[0].Find("behavior"), "pre_tokenizer, step 0: behavior", "Isolated"));
    PITH_RETURN_IF_ERROR(ExpectOff(steps[0].Find("invert"), "pre_tokenizer, step 0: invert"));
    const Json* pattern = steps[0].Find("pattern");
    const Json* regex = pattern != nullptr ? pattern->Find("Regex") : nullptr;
    if (!IsText(regex, kQwen2Pattern)) {
      return Unsupported(At("pre_tokenizer: pattern") + ": found " + Show(regex) +
                         ", expected that of Qwen2");
    }
    PITH_RETURN_IF_ERROR(Expect(steps[1].Find("type"), "pre_tokenizer, step 1", "ByteLevel"));
    PITH_RETURN_IF_ERROR(
        ExpectOff(steps[1].Find("add_prefix_space"), "pre_tokenizer, step 1: add_prefix_space"));
    return ExpectOff(steps[1].Find("use_regex"), "pre_tokenizer, step 1: use_regex");
  }

  Status CheckId(std::string_view token, const Json* value, uint64_t& id) const {
    const auto n = value != nullptr ? value->AsUnsigned() : std::nullopt;
    if (!n) return Corrupt(At("token ") + Quoted(token) + ": found " + Show(value) + ", expected an id");
    if (*n >= n_rows_) {
      return InvalidArgument(At("token ") + Quoted(token) + " has the id " + std::to_string(*n) +
                             ", but the embedding has " + std::to_string(n_rows_) +
                             " rows: the vocabulary is larger than the model's");
    }
    id = *n;
    return OkStatus();
  }

  Status ReadVocab() {
    vocab_ = Find({"model", "vocab"});
    if (vocab_ == nullptr || vocab_->kind() != Json::Kind::kObject) {
      return Corrupt(At("model.vocab") + ": found " + Show(vocab_) + ", expected an object");
    }
    for (const JsonMember& m : vocab_->members()) {
      uint64_t id = 0;
      PITH_RETURN_IF_ERROR(CheckId(m.key, &m.value, id));
      if (taken_[id]) {
        return Corrupt(At("tokens ") + Quoted(out_.tokens[id]) + " and " + Quoted(m.key) +
                       " have the same id, " + std::to_string(id));
      }
      taken_[id] = true;
      out_.tokens[id] = m.key;
      out_.types[id] = static_cast<int32_t>(GgufTokenType::kNormal);
    }
    return OkStatus();
  }

  Status ReadAdded() {
    const Json* list = Find({"added_tokens"});
    if (!IsSet(list)) return OkStatus();
    if (list->kind() != Json::Kind::kArray) {
      return Corrupt(At("added_tokens") + ": found " + Show(list) + ", expected an array");
    }
    for (const Json& token : list->items()) {
      const Json* text = token.Find("content");
      if (text == nullptr || text->AsString() == nullptr) {
        return Corrupt(At("added_tokens: content") + ": found " + Show(text) + ", expected a string");
      }
      const std::string& content = *text->AsString();
      uint64_t id = 0;
      PITH_RETURN_IF_ERROR(CheckId(content, token.Find("id"), id));
      if (taken_[id] && out_.tokens[id] != content) {
        return Corrupt(At("tokens ") + Quoted(out_.tokens[id]) + " and " + Quoted(content) +
                       " have the same id, " + std::to_string(id));
      }
      const Json* in_vocab = vocab_->Find(content);
      if (!added_.insert(content).second || (in_vocab != nullptr && in_vocab->AsUnsigned() != id)) {
        return Corrupt(At("added token ") + Quoted(content) + " has more than one id");
      }
      taken_[id] = true;
      out_.tokens[id] = content;
      const Json* special = token.Find("special");
      const bool is_control = (special != nullptr && special->AsBool() == true) || LooksSpecial(content);
      out_.types[id] =
          static_cast<int32_t>(is_control ? GgufTokenType::kControl : GgufTokenType::kUserDefined);
    }
    return OkStatus();
  }

  // llama.cpp ends the process when two ids have one text.
  Status FillPadding() {
    for (size_t id = 0; id < n_rows_; ++id) {
      if (taken_[id]) continue;
      std::string text = "[PAD" + std::to_string(id) + "]";
      if (vocab_->Find(text) != nullptr || added_.contains(text)) {
        return Unsupported(At("token ") + Quoted(text) + " has the name that GGUF files give to the id " +
                           std::to_string(id) + ", which has no token");
      }
      out_.tokens[id] = std::move(text);
      ++out_.n_padding;
    }
    return OkStatus();
  }

  Status ReadMerges() {
    const Json* list = Find({"model", "merges"});
    if (list == nullptr || list->kind() != Json::Kind::kArray) {
      return Corrupt(At("model.merges") + ": found " + Show(list) + ", expected an array");
    }
    std::vector<std::string> merges;
    merges.reserve(list->items().size());
    for (size_t i = 0; i < list->items().size(); ++i) {
      const Json& item = list->items()[i];
      const std::string* text = item.AsString();
      if (text != nullptr && text->starts_with("#version")) continue;  // the first line of a merges.txt
      std::string left;
      std::string right;
      if (text != nullptr) {
        const size_t space = text->find(' ');
        left = text->substr(0, space);
        if (space != std::string::npos) right = text->substr(space + 1);
      } else if (item.items().size() == 2 && item.items()[0].AsString() != nullptr &&
                 item.items()[1].AsString() != nullptr) {
        left = *item.items()[0].AsString();
        right = *item.items()[1].AsString();
      }
      const std::string place = "model.merges: merge " + std::to_string(i);
      if (left.empty() || right.empty()) {
        return Corrupt(At(place) + ": found " + Show(&item) + ", expected \"a b\" or [\"a\", \"b\"]");
      }
      for (const std::string& part : {left, right, left + right}) {
        if (vocab_->Find(part) == nullptr) return Corrupt(At(place) + ": " + Quoted(part) + " is no token");
      }
      if (left.find(' ') != std::string::npos || right.find(' ') != std::string::npos) {
        return Corrupt(At(place) + ": " + Quoted(left + right) +
                       " holds a space, which byte-level tokens do not have");
      }
      merges.push_back(left + " " + right);
    }
    KeepLastOfEach(merges);
    return OkStatus();
  }

  // Of equal merges the last one's rank counts in the stock tokenizer, in llama.cpp the first one's.
  void KeepLastOfEach(std::vector<std::string>& merges) {
    std::unordered_set<std::string> seen;
    for (size_t i = merges.size(); i-- > 0;) {
      if (seen.insert(merges[i]).second) out_.merges.push_back(std::move(merges[i]));
    }
    std::reverse(out_.merges.begin(), out_.merges.end());
  }

  const Json& root_;
  const std::string& where_;
  const size_t n_rows_;
  const Json* vocab_ = nullptr;
  std::vector<bool> taken_;  // by id
  std::unordered_set<std::string_view> added_;
  GgufVocabulary out_;
};

}  // namespace

std::optional<uint32_t> GgufVocabulary::FindAdded(std::string_view text) const {
  for (size_t id = tokens.size(); id-- > 0;) {  // they are the last ones
    const auto type = static_cast<GgufTokenType>(types[id]);
    const bool added = type == GgufTokenType::kControl || type == GgufTokenType::kUserDefined;
    if (added && tokens[id] == text) return static_cast<uint32_t>(id);
  }
  return std::nullopt;
}

Result<GgufVocabulary> ReadGgufVocabulary(ByteSpan json, const std::string& where, size_t n_rows) {
  PITH_ASSIGN_OR_RETURN(const Json root, Json::Parse(json, where));
  return VocabularyReader(root, where, n_rows).Read();
}

}  // namespace pith
