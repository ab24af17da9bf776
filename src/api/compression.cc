// Compress, Decompress and ListArchive of include/pith/pith.h, over the codec.
#include <utility>

#include "api/boundary.h"
#include "api/dictionary_impl.h"
#include "api/model_impl.h"
#include "archive/archive_reader.h"
#include "base/thread_pool.h"
#include "charset/character_encoding.h"
#include "codec/codec.h"
#include "pith/pith.h"

namespace pith {
namespace {

CodecProgressCallback ForCodec(const ProgressCallback& progress) {
  if (!progress) return nullptr;
  return [&progress](const CodecProgress& p) {
    return progress({.bytes_in = p.bytes_in, .bytes_out = p.bytes_out, .original_bytes = p.original_bytes});
  };
}

ArchiveBlock Describe(const BlockSummary& block) {
  return {.kind = BlockKindName(block.kind),
          .original_bytes = block.content_size,
          .stored_bytes = block.stored_size,
          .streams = block.n_streams,
          .tokens = block.n_tokens,
          .adaptive = block.adaptive,
          .strength = block.strength,
          .encoding = CharacterEncodingName(static_cast<CharacterEncoding>(block.encoding))};
}

ArchiveInfo Describe(const ArchiveSummary& archive) {
  ArchiveInfo info;
  info.is_short = archive.is_short;
  info.format_version = archive.format_version;
  info.contract_version = archive.contract_version;
  info.original_bytes = archive.end.content_size;
  info.archive_bytes = archive.archive_bytes;
  if (archive.model) {
    info.model_name = archive.model->name;
    info.model_fingerprint = archive.model->FingerprintText();
    info.window = archive.model->window;
    info.sinks = archive.model->n_sinks;
  }
  if (archive.dictionary) info.dictionary = archive.dictionary->Text().substr(2);
  info.file_name = archive.end.file_name;
  info.mtime_ns = archive.end.mtime_ns;
  info.content_checksum = archive.end.content_checksum;
  info.content_checksum_bits = archive.end.content_checksum_bits;
  info.blocks.reserve(archive.blocks.size());
  for (const BlockSummary& block : archive.blocks) info.blocks.push_back(Describe(block));
  return info;
}

TokenModelProvider TokenModels(const ModelProvider& models) {
  return [&models](const ModelIdentity& wanted) -> Result<TokenModel*> {
    if (!models) return NotFound("made with model " + wanted.name + ", and no models are at hand");
    PITH_ASSIGN_OR_RETURN(Model * model, models(wanted.name, wanted.FingerprintText()));
    return model->impl().ForContext({.window = wanted.window, .n_sinks = wanted.n_sinks});
  };
}

size_t ThreadsOf(size_t wanted) { return wanted != 0 ? wanted : AvailableThreads(); }

DecodeOptions ForCodec(const DecompressOptions& options) {
  return {.memory_bytes = options.memory_bytes,
          .dictionary = options.dictionary != nullptr ? &options.dictionary->impl().text : nullptr,
          .threads = ThreadsOf(options.threads)};
}

Result<CompressResult> Encode(TokenModel* model, ByteSource& source, ByteSink& sink, const CompressOptions& options,
                              const ProgressCallback& progress) {
  EncodeOptions encode{.memory_bytes = options.memory_bytes,
                       .streams = options.streams,
                       .block_bytes = options.block_bytes,
                       .adaptive = options.adaptive,
                       .allow_short = options.allow_short,
                       .dictionary = options.dictionary != nullptr ? &options.dictionary->impl().text : nullptr,
                       .beside = options.best_of ? ContextsBesideModel::kAlways : ContextsBesideModel::kForData,
                       .threads = ThreadsOf(options.threads),
                       .file_name = options.file_name,
                       .mtime_ns = options.mtime_ns};
  if (options.contexts != 0) encode.contexts = static_cast<ContextStrength>(options.contexts);
  PITH_ASSIGN_OR_RETURN(const EncodeResult result,
                        EncodeArchive(model, source, sink, encode, ForCodec(progress)));
  return CompressResult{.original_bytes = result.original_bytes,
                        .archive_bytes = result.archive_bytes,
                        .blocks = result.blocks,
                        .model_blocks = result.model_blocks,
                        .context_blocks = result.context_blocks};
}

}  // namespace

Result<CompressResult> Compress(Model& model, ByteSource& source, ByteSink& sink,
                                const CompressOptions& options, const ProgressCallback& progress) {
  if (options.contexts != 0) return Compress(source, sink, options, progress);
  return AtBoundary([&]() -> Result<CompressResult> {
    PITH_ASSIGN_OR_RETURN(TokenModel * token_model,
                          model.impl().ForContext(model.impl().ContextFor(options.window)));
    return Encode(token_model, source, sink, options, progress);
  });
}

Result<CompressResult> Compress(ByteSource& source, ByteSink& sink, const CompressOptions& options,
                                const ProgressCallback& progress) {
  if (options.contexts == 0 || options.contexts > kMaxContextStrength) {
    return InvalidArgument("contexts: " + std::to_string(options.contexts) + ", expected 1 to " +
                           std::to_string(kMaxContextStrength));
  }
  return AtBoundary([&] { return Encode(nullptr, source, sink, options, progress); });
}

Result<DecompressResult> Decompress(const ModelProvider& models, ByteSource& source, ByteSink& sink,
                                    const DecompressOptions& options, const ProgressCallback& progress) {
  return AtBoundary([&]() -> Result<DecompressResult> {
    PITH_ASSIGN_OR_RETURN(DecodeResult result, DecodeArchives(TokenModels(models), source, sink, ForCodec(options), ForCodec(progress)));
    return DecompressResult{.original_bytes = result.original_bytes,
                            .archive_bytes = result.archive_bytes,
                            .archives = result.archives,
                            .file_name = std::move(result.file_name),
                            .mtime_ns = result.mtime_ns};
  });
}

std::vector<std::optional<std::vector<uint8_t>>> DecompressTogether(const ModelProvider& models,
                                                                    std::span<const std::span<const uint8_t>> archives,
                                                                    const DecompressOptions& options) {
  using Contents = std::vector<std::optional<std::vector<uint8_t>>>;
  Result<Contents> contents = AtBoundary([&]() -> Result<Contents> {
    return DecodeTogether(TokenModels(models), archives, ForCodec(options));
  });
  return contents.ok() ? *std::move(contents) : Contents(archives.size());
}

Result<std::vector<ArchiveInfo>> ListArchive(ByteSource& source) {
  return AtBoundary([&]() -> Result<std::vector<ArchiveInfo>> {
    PITH_ASSIGN_OR_RETURN(const std::vector<ArchiveSummary> archives, DescribeArchives(source));
    std::vector<ArchiveInfo> infos;
    infos.reserve(archives.size());
    for (const ArchiveSummary& archive : archives) infos.push_back(Describe(archive));
    return infos;
  });
}

int FormatVersion() { return kArchiveFormatVersion; }
int ContractVersion() { return kArchiveContractVersion; }

bool LooksLikeArchive(std::span<const uint8_t> head) { return HasArchiveMagic(head); }

}  // namespace pith
