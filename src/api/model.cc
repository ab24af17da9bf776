// Model of include/pith/pith.h: a package, its tokenizer, an engine and the threads that run it.
#include <algorithm>
#include <future>
#include <utility>

#include "api/boundary.h"
#include "api/builtin_model.h"
#include "api/model_impl.h"
#include "base/cpu.h"
#include "base/file.h"
#include "convert/gguf_model.h"
#include "convert/litertlm_model.h"

namespace pith {
namespace {

constexpr const char* kNoBuiltin = "this build of pith has no model inside; give a model file";

std::string DescribeTerms(const ActivationTerms& terms) {
  size_t sites = 0;
  size_t two = 0;
  const auto count = [&](uint8_t n) {
    ++sites;
    two += n > 1 ? 1 : 0;
  };
  for (const LayerTerms& l : terms.layers) {
    for (const uint8_t n : {l.qkv, l.o, l.gate_up, l.down}) count(n);
  }
  for (const uint8_t n : {terms.head, terms.attention.query, terms.attention.key_value}) count(n);
  if (terms == ActivationTerms::Fast(terms.layers.size())) return "fast";
  if (terms == ActivationTerms::Precise(terms.layers.size())) return "precise";
  return "mixed: " + std::to_string(two) + " of " + std::to_string(sites) + " sites with two terms";
}

uint64_t CountParameters(const ModelConfig& c) {
  const uint64_t attention = c.hidden * (2 * c.q_rows() + 2 * c.kv_rows());
  const uint64_t norms = 2 * c.hidden + 2 * c.head_dim;
  return c.n_layers * (attention + 3 * c.hidden * c.ffn + norms) +
         (c.tied_head ? 1 : 2) * c.vocab * c.hidden + c.hidden;
}

Result<std::optional<Tokenizer>> ReadTokenizer(const Package& package) {
  if (package.tokenizer().empty()) return std::optional<Tokenizer>();
  Result<Tokenizer> tokenizer = Tokenizer::Deserialize(package.tokenizer());
  if (!tokenizer.ok()) return tokenizer.status().WithContext("tokenizer");
  return std::optional<Tokenizer>(*std::move(tokenizer));
}

// A model file as Model needs it.
struct OpenedModel {
  std::unique_ptr<Package> package;
  std::optional<Tokenizer> tokenizer;
};

struct AbandonAtEnd {
  ~AbandonAtEnd() { packer.Abandon(); }
  WeightPacker& packer;
};

// Packs the weights of a LitertlmModel or GgufModel. On a thread of its own meanwhile: `read`, which gives the tokenizer; `start`,
// which gives the start token for it; and the fingerprint, which begins with both.
template <typename Container, typename Read, typename Start>
Result<OpenedModel> PackModel(const Container& model, const ActivationTerms& terms, size_t threads, Read read, Start start) {
  ThreadPool pool(threads == 0 ? AvailableThreads() : threads);
  PITH_ASSIGN_OR_RETURN(const std::unique_ptr<WeightPacker> packer, model.NewPacker(terms, pool));
  OpenedModel opened;
  Bytes serialized;
  TokenId start_token = 0;
  auto reading = std::async(pool.n_threads() > 1 ? std::launch::async : std::launch::deferred, [&]() -> Status {
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
  PITH_ASSIGN_OR_RETURN(opened.package, model.Finish(*packer, std::move(serialized), model.name(), start_token));
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
    if (model->tokenizer_json().empty()) return std::optional<Tokenizer>();
    Result<Tokenizer> parsed = Tokenizer::FromHuggingFaceJson(AsText(model->tokenizer_json()));
    if (!parsed.ok()) return parsed.status().WithContext("tokenizer");
    return std::optional<Tokenizer>(*std::move(parsed));
  };
  const auto start = [&](const std::optional<Tokenizer>& tokenizer) -> TokenId {
    if (record) return record->description.start_token;
    return tokenizer ? tokenizer->FindAddedToken("<|endoftext|>").value_or(0) : 0;
  };
  Result<OpenedModel> opened = PackModel(*model, terms, threads, read, start);
  return opened.ok() ? std::move(opened) : opened.status().WithContext(path);
}

// A GGUF file: its weights quantised and packed for the engine, with two terms everywhere, as for .litertlm files of others.
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
  return opened.ok() ? std::move(opened) : opened.status().WithContext(path);
}

Result<OpenedModel> OpenFile(const std::string& path, size_t threads) {
  {
    PITH_ASSIGN_OR_RETURN(const std::unique_ptr<MappedFile> file, MappedFile::Open(path));
    if (LooksLikeLitertlm(file->bytes())) return OpenLitertlm(path, threads);
    if (LooksLikeGguf(file->bytes())) return OpenGguf(path, threads);
  }
  PITH_ASSIGN_OR_RETURN(std::unique_ptr<Package> package, Package::Open(path));
  Result<std::optional<Tokenizer>> tokenizer = ReadTokenizer(*package);
  if (!tokenizer.ok()) return tokenizer.status().WithContext(path);
  return OpenedModel{std::move(package), *std::move(tokenizer)};
}

Result<std::unique_ptr<Package>> OpenBuiltin() {
  const ByteSpan file = BuiltinModelFile();
  if (file.empty()) return NotFound(kNoBuiltin);
  return Package::FromMemory(file, "the built-in model");
}

}  // namespace

ModelInfo DescribePackage(const Package& package, const Tokenizer* tokenizer) {
  const ModelConfig& config = package.weights().config;
  ModelInfo info;
  info.name = package.name();
  info.fingerprint = package.fingerprint().Text();
  info.architecture = "qwen3";
  info.parameters = CountParameters(config);
  info.file_bytes = package.size_bytes();
  info.vocab = static_cast<uint32_t>(tokenizer != nullptr ? tokenizer->vocab_size() : config.vocab);
  info.has_tokenizer = tokenizer != nullptr;
  info.layers = static_cast<uint32_t>(config.n_layers);
  info.hidden = static_cast<uint32_t>(config.hidden);
  info.max_positions = static_cast<uint32_t>(config.max_positions);
  info.activations = DescribeTerms(package.weights().terms);
  return info;
}

// ---- Model::Impl
// --------------------------------------------------------------------------------------------------

Result<std::unique_ptr<Model::Impl>> Model::Impl::Create(std::unique_ptr<Package> package, size_t threads) {
  PITH_ASSIGN_OR_RETURN(std::optional<Tokenizer> tokenizer, ReadTokenizer(*package));
  return Create(std::move(package), std::move(tokenizer), threads);
}

Result<std::unique_ptr<Model::Impl>> Model::Impl::Create(std::unique_ptr<Package> package,
                                                         std::optional<Tokenizer> tokenizer, size_t threads) {
  auto impl = std::make_unique<Impl>();
  PITH_ASSIGN_OR_RETURN(const Isa isa, ChooseIsa());
  impl->kernels = &KernelsFor(isa);
  impl->tokenizer = std::move(tokenizer);
  impl->info = DescribePackage(*package, impl->tokenizer ? &*impl->tokenizer : nullptr);
  impl->package = std::move(package);
  impl->pool = std::make_unique<ThreadPool>(threads == 0 ? AvailableThreads() : threads);
  return impl;
}

Context Model::Impl::ContextFor(uint32_t window) const {
  if (window == 0) {
    const size_t trained = package->weights().config.max_positions;
    window = static_cast<uint32_t>(std::clamp<size_t>(trained, kMaxSinks + 1, kDefaultMaxWindow));
  }
  return {.window = window, .n_sinks = kDefaultSinks};
}

Result<TokenModel*> Model::Impl::ForContext(const Context& context) {
  if (!tokenizer) {
    return Unsupported("model " + info.name +
                       " has no tokenizer; it can give logits of token ids and no more");
  }
  if (context.window <= kMaxSinks || context.window > kMaxCachedTokens || context.n_sinks > kMaxSinks) {
    return InvalidArgument("window: " + std::to_string(context.window) + " tokens with " +
                           std::to_string(context.n_sinks) + " sinks, expected " +
                           std::to_string(kMaxSinks + 1) + " to " + std::to_string(kMaxCachedTokens) +
                           " with at most " + std::to_string(kMaxSinks));
  }
  if (language_model_ == nullptr || context_ != context) {
    language_model_ = nullptr;  // before the engine that it borrows
    engine_ = NewEngine(context);
    context_ = context;
    PITH_ASSIGN_OR_RETURN(language_model_, LanguageModel::Create(*engine_, *tokenizer,
                                                                 {.name = package->name(),
                                                                  .fingerprint = package->fingerprint(),
                                                                  .start_token = package->start_token(),
                                                                  .weight_bytes = package->size_bytes()}));
  }
  return static_cast<TokenModel*>(language_model_.get());
}

std::unique_ptr<Engine> Model::Impl::NewEngine(const Context& context) const {
  return std::make_unique<Engine>(package->weights(), *kernels, *pool,
                                  EngineOptions{.window = context.window, .n_sinks = context.n_sinks});
}

// ---- Model
// --------------------------------------------------------------------------------------------------------

Model::Model(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Model::Model(Model&&) noexcept = default;
Model& Model::operator=(Model&&) noexcept = default;
Model::~Model() = default;

Result<Model> Model::Builtin(const ModelOptions& options) {
  return AtBoundary([&]() -> Result<Model> {
    PITH_ASSIGN_OR_RETURN(std::unique_ptr<Package> package, OpenBuiltin());
    PITH_ASSIGN_OR_RETURN(std::unique_ptr<Impl> impl, Impl::Create(std::move(package), options.threads));
    return Model(std::move(impl));
  });
}

Result<Model> Model::Open(const std::string& path, const ModelOptions& options) {
  return AtBoundary([&]() -> Result<Model> {
    PITH_ASSIGN_OR_RETURN(OpenedModel opened, OpenFile(path, options.threads));
    Result<std::unique_ptr<Impl>> impl =
        Impl::Create(std::move(opened.package), std::move(opened.tokenizer), options.threads);
    if (!impl.ok()) return impl.status().WithContext(path);
    return Model(*std::move(impl));
  });
}

const ModelInfo& Model::info() const { return impl_->info; }
size_t Model::threads() const { return impl_->pool->n_threads(); }

// ---- About the program
// --------------------------------------------------------------------------------------------

Result<ModelInfo> BuiltinModelInfo() {
  return AtBoundary([]() -> Result<ModelInfo> {
    PITH_ASSIGN_OR_RETURN(const std::unique_ptr<Package> package, OpenBuiltin());
    PITH_ASSIGN_OR_RETURN(const std::optional<Tokenizer> tokenizer, ReadTokenizer(*package));
    return DescribePackage(*package, tokenizer ? &*tokenizer : nullptr);
  });
}

std::string VersionString() { return PITH_VERSION; }

std::string InstructionSet() {
  const Result<Isa> isa = ChooseIsa();
  return isa.ok() ? std::string(IsaName(*isa)) : isa.status().message();
}

}  // namespace pith
