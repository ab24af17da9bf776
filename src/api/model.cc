// Model of include/pith/pith.h: a package, its tokenizer, an engine and the threads that run it.
#include <algorithm>
#include <utility>

#include "api/boundary.h"
#include "api/builtin_model.h"
#include "api/model_impl.h"
#include "base/cpu.h"
#include "convert/chat_templates.h"

namespace pith {
namespace {

ChatProfile ProfileOf(ChatSource source, const Package& package, const Tokenizer& tokenizer) {
  if (source.metadata) return ProfileFromMetadata(*source.metadata, tokenizer);
  if (source.chat_template.empty() && tokenizer.FindAddedToken("<|im_start|>") && tokenizer.FindAddedToken("<|im_end|>")) {
    // A file that says nothing, but whose tokenizer is that of Qwen's chat models.
    source.chat_template = tokenizer.FindAddedToken("<think>") ? "{%- set thinking = 'switch' %}" : "{%- set thinking = 'never' %}";
    source.chat_template += "{%- set default_system = '' %}";
    source.chat_template += kQwen3ChatTemplate;
  }
  if (source.chat_template.empty()) return ProfileOfBaseModel(package.start_token(), tokenizer);
  return ProfileFromTemplate(std::move(source.chat_template), source.stop_tokens, tokenizer);
}

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
  return Create(OpenedModel{std::move(package), std::move(tokenizer), {}}, threads);
}

Result<std::unique_ptr<Model::Impl>> Model::Impl::Create(OpenedModel opened, size_t threads) {
  auto impl = std::make_unique<Impl>();
  PITH_ASSIGN_OR_RETURN(const Isa isa, ChooseIsa());
  impl->kernels = &KernelsFor(isa);
  impl->tokenizer = std::move(opened.tokenizer);
  impl->info = DescribePackage(*opened.package, impl->tokenizer ? &*impl->tokenizer : nullptr);
  if (impl->tokenizer) impl->chat = ProfileOf(std::move(opened.chat), *opened.package, *impl->tokenizer);
  impl->package = std::move(opened.package);
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

Result<Model> Model::Builtin(const ModelOptions& options, const std::string& name) {
  return AtBoundary([&]() -> Result<Model> {
    PITH_ASSIGN_OR_RETURN(std::unique_ptr<Package> package, OpenBuiltinPackage(name));
    PITH_ASSIGN_OR_RETURN(std::unique_ptr<Impl> impl, Impl::Create(std::move(package), options.threads));
    return Model(std::move(impl));
  });
}

Result<Model> Model::Open(const std::string& path, const ModelOptions& options) {
  return AtBoundary([&]() -> Result<Model> {
    PITH_ASSIGN_OR_RETURN(OpenedModel opened, OpenModelFile(path, options.threads));
    Result<std::unique_ptr<Impl>> impl = Impl::Create(std::move(opened), options.threads);
    if (!impl.ok()) return impl.status().WithContext(path);
    return Model(*std::move(impl));
  });
}

const ModelInfo& Model::info() const { return impl_->info; }
size_t Model::threads() const { return impl_->pool->n_threads(); }

// ---- About the program
// --------------------------------------------------------------------------------------------

std::vector<std::string> BuiltinModelNames() {
  std::vector<std::string> names;
  for (const BuiltinFile& file : BuiltinModelFiles()) names.emplace_back(file.name);
  return names;
}

bool IsBuiltinModel(const std::string& name) {
  return name == "builtin" || (!name.empty() && !BuiltinModelFile(name).empty());
}

Result<ModelInfo> BuiltinModelInfo(const std::string& name) {
  return AtBoundary([&]() -> Result<ModelInfo> {
    PITH_ASSIGN_OR_RETURN(const std::unique_ptr<Package> package, OpenBuiltinPackage(name));
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
