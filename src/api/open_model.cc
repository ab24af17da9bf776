#include "api/open_model.h"

#include <future>
#include <utility>

#include "api/builtin_model.h"
#include "base/cpu.h"
#include "base/file.h"
#include "base/thread_pool.h"
#include "convert/gguf_model.h"
#include "convert/litertlm_model.h"
#include "convert/weight_packer.h"

namespace pith {
namespace {

constexpr const char* kNoBuiltin = "this build of pith has no model inside; give a model file";

// A tokenizer.json takes a fifth of a second, so it is read on a thread of its own while others pack the weights.
template <typename Read>
std::future<Result<std::optional<Tokenizer>>> ReadBeside(size_t n_threads, Read read) {
  return std::async(n_threads > 1 ? std::launch::async : std::launch::deferred, std::move(read));
}

// A .litertlm file: its weights packed for the engine.
Result<OpenedModel> OpenLitertlm(const std::string& path, size_t threads) {
  PITH_ASSIGN_OR_RETURN(const std::unique_ptr<LitertlmModel> model, LitertlmModel::Open(path));
  ThreadPool pool(threads == 0 ? AvailableThreads() : threads);
  auto reading = ReadBeside(pool.n_threads(), [&]() -> Result<std::optional<Tokenizer>> {
    if (model->tokenizer_json().empty()) return std::optional<Tokenizer>();
    PITH_ASSIGN_OR_RETURN(Tokenizer parsed, Tokenizer::FromHuggingFaceJson(AsText(model->tokenizer_json())));
    return std::optional<Tokenizer>(std::move(parsed));
  });
  // What others wrote does not say how precise activations must be: then nothing is left to chance.
  const ActivationTerms terms =
      model->record() ? model->record()->description.terms : ActivationTerms::Precise(model->config().n_layers);
  const Result<std::unique_ptr<WeightPacker>> packer = model->Pack(terms, pool);
  Result<std::optional<Tokenizer>> tokenizer = reading.get();
  if (!tokenizer.ok()) return tokenizer.status().WithContext(path + ": tokenizer");
  if (!packer.ok()) return packer.status().WithContext(path);
  TokenId start_token = 0;
  if (model->record()) {
    start_token = model->record()->description.start_token;
  } else if (*tokenizer) {
    start_token = (*tokenizer)->FindAddedToken("<|endoftext|>").value_or(0);
  }
  Bytes serialized = *tokenizer ? (*tokenizer)->Serialize() : Bytes();
  Result<std::unique_ptr<Package>> package = model->Finish(**packer, std::move(serialized), model->name(), start_token);
  if (!package.ok()) return package.status().WithContext(path);
  return OpenedModel{*std::move(package), *std::move(tokenizer), {.metadata = model->metadata()}};
}

// A GGUF file: its weights quantised and packed for the engine, with two terms everywhere, as for .litertlm files of others.
Result<OpenedModel> OpenGguf(const std::string& path, size_t threads) {
  PITH_ASSIGN_OR_RETURN(const std::unique_ptr<GgufModel> model, GgufModel::Open(path));
  ThreadPool pool(threads == 0 ? AvailableThreads() : threads);
  auto reading = ReadBeside(pool.n_threads(), [&]() -> Result<std::optional<Tokenizer>> {
    if (!model->has_tokenizer()) return std::optional<Tokenizer>();
    PITH_ASSIGN_OR_RETURN(Tokenizer read, Tokenizer::FromGguf(model->file()));
    return std::optional<Tokenizer>(std::move(read));
  });
  const Result<std::unique_ptr<WeightPacker>> packer = model->Pack(ActivationTerms::Precise(model->config().n_layers), pool);
  Result<std::optional<Tokenizer>> tokenizer = reading.get();
  if (!tokenizer.ok()) return tokenizer.status().WithContext(path);
  if (!packer.ok()) return packer.status().WithContext(path);
  // As ReadStartToken does it for folders.
  const GgufSpecialTokens& special = model->special_tokens();
  std::optional<TokenId> start_token = special.bos;
  if (!start_token && *tokenizer) start_token = (*tokenizer)->FindAddedToken("<|endoftext|>");
  if (!start_token) start_token = special.eos;
  Bytes serialized = *tokenizer ? (*tokenizer)->Serialize() : Bytes();
  Result<std::unique_ptr<Package>> package =
      model->Finish(**packer, std::move(serialized), model->name(), start_token.value_or(0));
  if (!package.ok()) return package.status().WithContext(path);
  ChatSource chat{.chat_template = std::string(model->chat_template())};
  for (const std::optional<TokenId>& end : {special.eos, special.eot, special.eom}) {
    if (end) chat.stop_tokens.push_back(*end);
  }
  return OpenedModel{*std::move(package), *std::move(tokenizer), std::move(chat)};
}

}  // namespace

Result<std::optional<Tokenizer>> ReadTokenizer(const Package& package) {
  if (package.tokenizer().empty()) return std::optional<Tokenizer>();
  Result<Tokenizer> tokenizer = Tokenizer::Deserialize(package.tokenizer());
  if (!tokenizer.ok()) return tokenizer.status().WithContext("tokenizer");
  return std::optional<Tokenizer>(*std::move(tokenizer));
}

Result<OpenedModel> OpenModelFile(const std::string& path, size_t threads) {
  {
    PITH_ASSIGN_OR_RETURN(const std::unique_ptr<MappedFile> file, MappedFile::Open(path));
    if (LooksLikeLitertlm(file->bytes())) return OpenLitertlm(path, threads);
    if (LooksLikeGguf(file->bytes())) return OpenGguf(path, threads);
  }
  PITH_ASSIGN_OR_RETURN(std::unique_ptr<Package> package, Package::Open(path));
  Result<std::optional<Tokenizer>> tokenizer = ReadTokenizer(*package);
  if (!tokenizer.ok()) return tokenizer.status().WithContext(path);
  return OpenedModel{std::move(package), *std::move(tokenizer), {}};
}

Result<std::unique_ptr<Package>> OpenBuiltinPackage() {
  const ByteSpan file = BuiltinModelFile();
  if (file.empty()) return NotFound(kNoBuiltin);
  return Package::FromMemory(file, "the built-in model");
}

}  // namespace pith
