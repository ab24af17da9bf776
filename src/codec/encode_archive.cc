// EncodeArchive: cuts the input into blocks, has each coded, and writes them in order.
#include <utility>

#include "archive/archive_writer.h"
#include "codec/block_cutter.h"
#include "codec/block_encoder.h"
#include "codec/blocks_beside.h"
#include "codec/codec.h"
#include "codec/codec_limits.h"
#include "codec/progress_meter.h"

namespace pith {
namespace {

class ArchiveEncoder {
 public:
  ArchiveEncoder(TokenModel* model, Source& source, Sink& sink, const EncodeOptions& options,
                 const CodecProgressCallback& progress)
      : model_(options.contexts ? nullptr : model),
        options_(options),
        cutter_(source, BlockBytes(options)),
        writer_(sink),
        meter_(progress),
        dictionary_id_(options.dictionary != nullptr ? options.dictionary->id() : 0),
        running_(MostBeside(options)) {}

  static uint32_t BlockBytes(const EncodeOptions& o) {
    if (o.block_bytes != 0) return o.block_bytes;
    if (!o.contexts) return kDefaultBlockBytes;
    // The longer a block, the more it has learned; what is learned is lost at its end.
    uint32_t size = kMaxBlockContent;
    while (size > kMinBlockBytes && o.memory_bytes != 0 && ContextBytes(o, size) > o.memory_bytes) size /= 2;
    return size;
  }

  // Memory for blocks of so many bytes by contexts: what adapts, the cutter's buffer, and zstd's and their own code.
  static uint64_t ContextBytes(const EncodeOptions& o, uint64_t block_bytes) {
    return ByteMixer::MemoryBytes(*o.contexts, static_cast<uint32_t>(block_bytes)) + block_bytes / 8 + 3 * block_bytes;
  }

  Result<EncodeResult> Run() {
    bool at_end = false;
    while (true) {
      while (!at_end && !running_.full()) {
        PITH_ASSIGN_OR_RETURN(at_end, BeginNext());
      }
      if (running_.empty()) break;
      PITH_RETURN_IF_ERROR(FinishFirst());
    }
    if (!is_short_) PITH_RETURN_IF_ERROR(writer_.Finish(options_.file_name, options_.mtime_ns));
    PITH_RETURN_IF_ERROR(meter_.ReportLast(ProgressNow(0)));
    result_.original_bytes = writer_.content_bytes();
    result_.archive_bytes = writer_.archive_bytes();
    result_.blocks = writer_.blocks();
    return result_;
  }

 private:
  // A block that another thread codes. Its content is its own, since the cutter goes on meanwhile.
  struct Beside {
    Bytes content;
    EncodedBlock block;
  };

  // How many blocks are coded side by side. By a model one: it has threads of its own.
  static size_t MostBeside(const EncodeOptions& o) {
    if (!o.contexts) return 1;
    return BlocksBeside<Beside>::Most(o.threads, o.memory_bytes, ContextBytes(o, BlockBytes(o)));
  }

  CodecProgress ProgressNow(uint64_t into_blocks) const {
    const uint64_t content = writer_.content_bytes() + into_blocks;
    return {content, writer_.archive_bytes(), content};
  }

  // Takes the next block of the input; true: there was none. Codes and writes it, or has it coded beside others.
  Result<bool> BeginNext() {
    if (n_begun_ >= kMaxBlocks / 2) cutter_.IgnoreKind();
    PITH_ASSIGN_OR_RETURN(const InputBlock block, cutter_.Next());
    if (block.content.empty()) return true;
    if (n_begun_ == kMaxBlocks) {
      return InvalidArgument("input: more than " + std::to_string(kMaxBlocks) + " blocks; choose larger blocks");
    }
    const BlockSituation situation = {.may_be_short = options_.allow_short && block.is_last && n_begun_ == 0,
                                      .model_named = model_named_};
    ++n_begun_;
    if (running_.most() == 1 || (block.is_last && running_.empty())) {
      const BlockProgress progress = [&](uint64_t content_done) { return meter_.Report(ProgressNow(content_done)); };
      PITH_ASSIGN_OR_RETURN(const EncodedBlock coded,
                            BlockEncoder(model_, options_, situation, progress).Encode(block.content, block.content_class));
      PITH_RETURN_IF_ERROR(Write(coded, block.content));
      return false;
    }
    running_.Begin([this, situation, content_class = block.content_class,
                    content = Bytes(block.content.begin(), block.content.end())](
                       const BlockProgress& progress) mutable -> Result<Beside> {
      PITH_ASSIGN_OR_RETURN(EncodedBlock coded,
                            BlockEncoder(nullptr, options_, situation, progress).Encode(content, content_class));
      return Beside{std::move(content), std::move(coded)};
    });
    return false;
  }

  Status FinishFirst() {
    PITH_ASSIGN_OR_RETURN(const Beside first,
                          running_.FinishFirst([&](uint64_t done) { return meter_.Report(ProgressNow(done)); }));
    return Write(first.block, first.content);
  }

  Status Write(const EncodedBlock& coded, ByteSpan content) {
    const BlockHeader& header = coded.header;
    const bool by_model = header.kind == BlockKind::kModel;
    const bool by_dictionary = header.adaptive && options_.dictionary != nullptr;
    const ByteSpan stored = header.kind == BlockKind::kRaw ? content : ByteSpan(coded.payload);
    if (by_model) ++result_.model_blocks;
    if (header.kind == BlockKind::kContexts) ++result_.context_blocks;
    if (coded.is_short) {
      is_short_ = true;
      PITH_RETURN_IF_ERROR(writer_.WriteShort(header, by_model ? &model_->identity() : nullptr,
                                              by_dictionary ? &dictionary_id_ : nullptr, stored));
      return meter_.Report(ProgressNow(0));
    }
    if (by_dictionary && !dictionary_named_) {
      PITH_RETURN_IF_ERROR(writer_.WriteDictionary(dictionary_id_));
      dictionary_named_ = true;
    }
    if (by_model && !model_named_) {
      PITH_RETURN_IF_ERROR(writer_.WriteModelInfo(model_->identity()));
      model_named_ = true;
    }
    PITH_RETURN_IF_ERROR(writer_.WriteBlock(header, stored, content));
    return meter_.Report(ProgressNow(0));
  }

  TokenModel* model_;
  const EncodeOptions& options_;
  BlockCutter cutter_;
  ArchiveWriter writer_;
  ProgressMeter meter_;
  const uint64_t dictionary_id_;
  bool dictionary_named_ = false;
  bool model_named_ = false;
  bool is_short_ = false;
  uint64_t n_begun_ = 0;  // blocks
  EncodeResult result_;
  BlocksBeside<Beside> running_;  // the last member: what runs uses the others
};

}  // namespace

Result<EncodeResult> EncodeArchive(TokenModel* model, Source& source, Sink& sink,
                                   const EncodeOptions& options, const CodecProgressCallback& progress) {
  const uint32_t block_bytes = ArchiveEncoder::BlockBytes(options);
  if (block_bytes < kMinBlockBytes || block_bytes > kMaxBlockContent) {
    return InvalidArgument("block size: " + std::to_string(block_bytes) + " bytes, expected " +
                           std::to_string(kMinBlockBytes) + " to " + std::to_string(kMaxBlockContent));
  }
  if (options.streams > kMaxStreams) {
    return InvalidArgument("streams: " + std::to_string(options.streams) + ", expected at most " +
                           std::to_string(kMaxStreams));
  }
  if (options.contexts && options.memory_bytes != 0) {
    const uint64_t needed = ArchiveEncoder::ContextBytes(options, block_bytes);
    if (needed > options.memory_bytes) {
      return InvalidArgument("memory: " + MebibytesText(options.memory_bytes) + " allowed, but contexts need " +
                             MebibytesText(needed) + " for blocks of " + std::to_string(block_bytes) + " bytes");
    }
  }
  if (model != nullptr && !options.contexts) PITH_RETURN_IF_ERROR(CheckModelFitsFormat(*model));
  return ArchiveEncoder(model, source, sink, options, progress).Run();
}

}  // namespace pith
