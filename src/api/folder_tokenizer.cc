#include "api/folder_tokenizer.h"

#include <limits>
#include <memory>
#include <string_view>
#include <utility>

#include "base/file.h"
#include "formats/json.h"

namespace pith {
namespace {

// A token id in config.json: a number, or a list whose first number counts (several end tokens).
std::optional<TokenId> IdField(const Json& config, std::string_view name) {
  const Json* value = config.Find(name);
  if (value != nullptr && !value->items().empty()) value = &value->items().front();
  const std::optional<uint64_t> id = value != nullptr ? value->AsUnsigned() : std::nullopt;
  if (!id || *id > std::numeric_limits<TokenId>::max()) return std::nullopt;
  return static_cast<TokenId>(*id);
}

Result<TokenId> StartToken(const Json& config, const Tokenizer* tokenizer) {
  if (const std::optional<TokenId> id = IdField(config, "bos_token_id")) return *id;
  if (tokenizer != nullptr) {
    if (const std::optional<TokenId> id = tokenizer->FindAddedToken("<|endoftext|>")) return *id;
  }
  if (const std::optional<TokenId> id = IdField(config, "eos_token_id")) return *id;
  return Unsupported(
      "no token can begin a stream: neither bos_token_id, nor <|endoftext|>, nor eos_token_id");
}

}  // namespace

Result<std::optional<Tokenizer>> ReadFolderTokenizer(const std::string& folder) {
  const std::string path = folder + "/tokenizer.json";
  const Result<std::unique_ptr<MappedFile>> file = MappedFile::Open(path);
  if (file.status().code() == StatusCode::kNotFound) return std::optional<Tokenizer>();
  if (!file.ok()) return file.status();
  Result<Tokenizer> tokenizer = Tokenizer::FromHuggingFaceJson(AsText((*file)->bytes()));
  if (!tokenizer.ok()) return tokenizer.status().WithContext(path);
  return std::optional<Tokenizer>(*std::move(tokenizer));
}

Result<TokenId> ReadStartToken(const std::string& folder, const Tokenizer* tokenizer) {
  const std::string path = folder + "/config.json";
  PITH_ASSIGN_OR_RETURN(const std::unique_ptr<MappedFile> file, MappedFile::Open(path));
  PITH_ASSIGN_OR_RETURN(const Json config, Json::Parse(file->bytes(), path));
  const Result<TokenId> token = StartToken(config, tokenizer);
  return token.ok() ? token : token.status().WithContext(path);
}

}  // namespace pith
