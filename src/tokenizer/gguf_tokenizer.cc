#include "tokenizer/gguf_tokenizer.h"

#include <algorithm>
#include <span>
#include <string>
#include <utility>

#include "tokenizer/byte_level_parts.h"

namespace pith {
namespace {

constexpr const char* kTokens = "tokenizer.ggml.tokens";
constexpr const char* kMerges = "tokenizer.ggml.merges";
constexpr const char* kTypes = "tokenizer.ggml.token_type";

// llama.h: enum llama_token_type. 2 (unknown) and 6 (byte) belong to other tokenizers.
enum TokenType : int64_t { kNormal = 1, kControl = 3, kUserDefined = 4, kUnused = 5 };

// Control tokens in GGUF files because they look like it (convert/gguf_vocabulary.cc), but not special in
// Qwen's tokenizer.json. Without this list the vocabulary, and with it the model's fingerprint, would not be
// the same from both.
constexpr std::string_view kNotSpecial[] = {"<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>",
                                            "<|fim_pad|>",    "<|repo_name|>",  "<|file_sep|>"};

Status ExpectText(const GgufFile& file, const char* key, std::string_view expected) {
  const GgufValue* found = file.Find(key);
  if (found != nullptr && found->AsString() == expected) return OkStatus();
  return Unsupported(std::string(key) + ": found " +
                     (found == nullptr    ? "nothing"
                      : found->AsString() ? QuotedToken(*found->AsString())
                                          : std::string(GgufKindName(found->kind()))) +
                     ", expected " + QuotedToken(expected));
}

Result<const GgufValue*> FindArray(const GgufFile& file, const char* key, bool strings) {
  const GgufValue* found = file.Find(key);
  if (found == nullptr) return Corrupt(std::string(key) + ": missing");
  const bool is_array =
      found->kind() == GgufKind::kArray && (found->element_kind() == GgufKind::kString) == strings;
  if (!is_array)
    return Corrupt(std::string(key) + ": expected an array of " + (strings ? "strings" : "integers"));
  return found;
}

Status ReadTokens(const GgufFile& file, ByteLevelParts& parts) {
  PITH_ASSIGN_OR_RETURN(const GgufValue* tokens, FindArray(file, kTokens, true));
  PITH_ASSIGN_OR_RETURN(const GgufValue* types, FindArray(file, kTypes, false));
  const std::span<const std::string_view> texts = tokens->AsStrings();
  if (types->size() != texts.size()) {
    return Corrupt(std::string(kTypes) + ": " + std::to_string(types->size()) +
                   " entries, expected one for each of " + std::to_string(texts.size()) + " tokens");
  }
  if (texts.size() > kMaxTokenIds) {
    return Unsupported(std::string(kTokens) + ": " + std::to_string(texts.size()) +
                       " tokens, expected at most " + std::to_string(kMaxTokenIds));
  }
  parts.tokens.reserve(texts.size());
  for (size_t id = 0; id < texts.size(); ++id) {
    const std::optional<int64_t> type = types->IntegerAt(id);
    const std::string_view text = texts[id];
    if (type == kNormal) {
      parts.tokens.push_back({text, id});
    } else if (type == kControl || type == kUserDefined) {
      const bool special = type == kControl && std::find(std::begin(kNotSpecial), std::end(kNotSpecial),
                                                         text) == std::end(kNotSpecial);
      parts.added.push_back({static_cast<TokenId>(id), std::string(text), special});
    } else if (type != kUnused) {
      const std::string place =
          std::string(kTypes) + ": token " + std::to_string(id) + ", " + QuotedToken(text) + ": found ";
      if (!type) return Corrupt(place + "no integer");
      return Unsupported(place + std::to_string(*type) +
                         ", expected 1 (normal), 3 (control), 4 (user-defined) or 5 (unused)");
    }
  }
  return OkStatus();
}

Status ReadMerges(const GgufFile& file, ByteLevelParts& parts) {
  PITH_ASSIGN_OR_RETURN(const GgufValue* merges, FindArray(file, kMerges, true));
  if (merges->size() > kMaxMerges) {
    return Unsupported(std::string(kMerges) + ": " + std::to_string(merges->size()) +
                       " merges, expected at most " + std::to_string(kMaxMerges));
  }
  parts.merges.reserve(merges->size());
  for (const std::string_view text : merges->AsStrings()) {
    const size_t space = text.find(' ');
    if (space == std::string_view::npos || text.find(' ', space + 1) != std::string_view::npos) {
      return Corrupt(std::string(kMerges) + ": merge " + std::to_string(parts.merges.size()) + ": " +
                     QuotedToken(text) + ", expected \"a b\"");
    }
    parts.merges.emplace_back(text.substr(0, space), text.substr(space + 1));
  }
  return OkStatus();
}

}  // namespace

Result<Vocabulary> ReadGgufTokenizer(const GgufFile& file) {
  PITH_RETURN_IF_ERROR(ExpectText(file, "tokenizer.ggml.model", "gpt2"));
  PITH_RETURN_IF_ERROR(ExpectText(file, "tokenizer.ggml.pre", "qwen2"));
  ByteLevelParts parts{.tokens_place = kTokens, .merges_place = kMerges, .added_place = kTypes};
  PITH_RETURN_IF_ERROR(ReadTokens(file, parts));
  PITH_RETURN_IF_ERROR(ReadMerges(file, parts));
  return BuildVocabulary(std::move(parts));
}

}  // namespace pith
