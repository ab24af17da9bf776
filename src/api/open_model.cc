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

struct AbandonAtEnd {
  ~AbandonAtEnd() { packer.Abandon(); }
  WeightPacker& packer;
};

// Packs the weights of a LitertlmModel or GgufModel. On a thread of its own meanwhile: `read`, which gives
// the tokenizer; `start`, which gives the start token for it; and the fingerprint, which begins with both.
template <typename Container, typename Read, typename Start>
Result<OpenedModel> PackModel(const Container& model, const ActivationTerms& terms, size_t threads, Read read,
                              Start start) {
  ThreadPool pool(threads == 0 ? AvailableThreads() : threads);
  PITH_ASSIGN_OR_RETURN(const std::unique_ptr<WeightPacker> packer, model.NewPacker(terms, pool));
  OpenedModel opened;
  Bytes serialized;
  TokenId start_token = 0;
  auto reading =
      std::async(pool.n_threads() > 1 ? std::launch::async : std::launch::deferred, [&]() -> Status {
        PITH_ASSIGN_OR_RETURN(opened.tokenizer, read());
        if (opened.tokenizer) serialized = opened.tokenizer->Serialize();
        start_token = start(opened.tokenizer);
        return packer->Hash(start_token, serialized);
      });
  Status packed;
  {
    const AbandonAtEnd abandon{*packer};  // else the other thread would wait for tensors that do not come
    packed = model.Pack(*packer);
  }
  PITH_RETURN_IF_ERROR(reading.get());
  PITH_RETURN_IF_ERROR(packed);
  PITH_ASSIGN_OR_RETURN(opened.package,
                        model.Finish(*packer, std::move(serialized), model.name(), start_token));
  return opened;
}

// A .litertlm file: its weights packed for the engine.
Result<OpenedModel> OpenLitertlm(const std::string& path, size_t threads) {
  PITH_ASSIGN_OR_RETURN(const std::unique_ptr<LitertlmModel> model, LitertlmModel::Open(path));
  const std::optional<PithRecord>& record = model->record();
  // What others wrote does not say how precise activations must be: then nothing is left to chance.
  const ActivationTerms terms =
      record ? record->description.terms : ActivationTerms::Precise(model->config().n_layers);
  const auto read = [&]() -> Result<std::optional<Tokenizer>> {
    PITH_ASSIGN_OR_RETURN(const Bytes json, model->ReadTokenizerJson());
    if (json.empty()) return std::optional<Tokenizer>();
    Result<Tokenizer> parsed = Tokenizer::FromHuggingFaceJson(AsText(json));
    if (!parsed.ok()) return parsed.status().WithContext("tokenizer");
    return std::optional<Tokenizer>(*std::move(parsed));
  };
  const auto start = [&](const std::optional<Tokenizer>& tokenizer) -> TokenId {
    if (record) return record->description.start_token;
    return tokenizer ? tokenizer->FindAddedToken("<|endoftext|>").value_or(0) : 0;
  };
  Result<OpenedModel> opened = PackModel(*model, terms, threads, read, start);
  if (!opened.ok()) return opened.status().WithContext(path);
  opened->chat.metadata = model->metadata();
  return opened;
}

// A GGUF file: its weights quantised and packed for the engine, with two terms everywhere, as for .litertlm
// files of others.
Result<OpenedModel> OpenGguf(const std::string& path, size_t threads) {
  PITH_ASSIGN_OR_RETURN(const std::unique_ptr<GgufModel> model, GgufModel::Open(path));
  const auto read = [&]() -> Result<std::optional<Tokenizer>> {
    if (!model->has_tokenizer()) return std::optional<Tokenizer>();
    PITH_ASSIGN_OR_RETURN(Tokenizer tokenizer, Tokenizer::FromGguf(model->file()));
    return std::optional<Tokenizer>(std::move(tokenizer));
  };
  // As ReadStartToken does it for folders.
  const auto start = [&](const std::optional<Tokenizer>& tokenizer) -> TokenId {
    std::optional<TokenId> id = model->special_tokens().bos;
    if (!id && tokenizer) id = tokenizer->FindAddedToken("<|endoftext|>");
    if (!id) id = model->special_tokens().eos;
    return id.value_or(0);
  };
  Result<OpenedModel> opened =
      PackModel(*model, ActivationTerms::Precise(model->config().n_layers), threads, read, start);
  if (!opened.ok()) return opened.status().WithContext(path);
  opened->chat.chat_template = std::string(model->chat_template());
  const GgufSpecialTokens& special = model->special_tokens();
  for (const std::optional<TokenId>& end : {special.eos, special.eot, special.eom}) {
    if (end) opened->chat.stop_tokens.push_back(*end);
  }
  return opened;
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

Result<std::unique_ptr<Package>> OpenBuiltinPackage(const std::string& name) {
  const ByteSpan file = BuiltinModelFile(name);
  if (file.empty()) return NotFound(BuiltinModelFiles().empty() ? kNoBuiltin : name + ": no such model in this build");
  return Package::FromMemory(file, "the built-in model");
}

}  // namespace pith
