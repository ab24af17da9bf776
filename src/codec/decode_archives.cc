// DecodeArchives: archives back to their content, block by block; blocks by contexts that follow each other side by side.
#include <deque>
#include <string>
#include <utility>

#include "archive/archive_reader.h"
#include "base/check.h"
#include "base/hash.h"
#include "codec/block_text.h"
#include "codec/blocks_beside.h"
#include "codec/codec.h"
#include "codec/codec_limits.h"
#include "codec/context_block.h"
#include "codec/model_block.h"
#include "codec/progress_meter.h"
#include "codec/zstd_block.h"

namespace pith {
namespace {

class ArchiveDecoder {
 public:
  ArchiveDecoder(const TokenModelProvider& models, Source& source, Sink& sink, const DecodeOptions& options,
                 const CodecProgressCallback& progress)
      : models_(models), reader_(source), sink_(sink), options_(options), meter_(progress), running_(options.threads) {}

  Result<DecodeResult> Run() {
    while (true) {
      PITH_ASSIGN_OR_RETURN(const bool more, reader_.NextArchive());
      if (!more) break;
      model_ = nullptr;
      PITH_RETURN_IF_ERROR(DecodeOne());
      if (result_.archives++ == 0) {
        result_.file_name = reader_.end().file_name;
        result_.mtime_ns = reader_.end().mtime_ns;
      }
    }
    result_.archive_bytes = reader_.total_bytes();
    PITH_RETURN_IF_ERROR(meter_.ReportLast(ProgressNow(0)));
    return result_;
  }

 private:
  CodecProgress ProgressNow(uint64_t into_block) const {
    return {reader_.total_bytes(), result_.original_bytes, result_.original_bytes + into_block};
  }

  // A block that was read.
  struct Block {
    BlockHeader header;
    Bytes payload;
    std::string where;
    bool is_short = false;  // of a short archive
    bool beside = false;  // it is one of running_, which has the payload
  };

  Status DecodeOne() {
    Status read;  // what ends the archive; what comes before it is decoded first
    bool at_end = false;
    while (true) {
      while (!at_end && MayReadOn()) {
        Block block;
        Result<bool> more = reader_.NextBlock(block.header, block.payload);
        at_end = !more.ok() || !*more;
        read = more.status();
        if (!at_end) TakeIn(std::move(block));
      }
      if (ahead_.empty()) break;
      PITH_RETURN_IF_ERROR(DecodeFirst());
    }
    PITH_RETURN_IF_ERROR(read);
    return reader_.CheckContent();
  }

  // Blocks are read ahead while others run beside the calling thread, one at most that does not.
  bool MayReadOn() const { return ahead_.empty() || (ahead_.back().beside && !running_.full()); }

  void TakeIn(Block block) {
    block.where = reader_.where();
    block.is_short = reader_.is_short();
    const uint64_t memory = ContextMemory(block.header);
    if (block.header.kind == BlockKind::kContexts && running_.most() > 1 && !block.is_short &&
        memory_beside_ + memory <= MostMemoryBeside()) {
      memory_beside_ += memory;
      ahead_.push_back({block.header, {}, {}, false, true});
      running_.Begin([block = std::move(block)](const BlockProgress& progress) -> Result<Bytes> {
        Bytes content;
        PITH_RETURN_IF_ERROR(DecodeContexts(block, progress, content));
        return content;
      });
      return;
    }
    ahead_.push_back(std::move(block));
  }

  Status DecodeFirst() {
    const Block block = std::move(ahead_.front());
    ahead_.pop_front();
    Bytes content;
    switch (block.header.kind) {
      case BlockKind::kRaw:
        return Write(block.payload);
      case BlockKind::kZstd:
        PITH_RETURN_IF_ERROR(ZstdDecompress(block.payload, block.header.content_size, content).WithContext(block.where));
        break;
      case BlockKind::kModel:
        PITH_RETURN_IF_ERROR(DecodeByModel(block, content));
        break;
      case BlockKind::kContexts: {
        const BlockProgress report = [&](uint64_t done) { return meter_.Report(ProgressNow(done)); };
        if (block.beside) {
          PITH_ASSIGN_OR_RETURN(content, running_.FinishFirst(report));
          memory_beside_ -= ContextMemory(block.header);
          break;
        }
        if (const uint64_t needed = ContextMemory(block.header);
            options_.memory_bytes != 0 && needed > options_.memory_bytes) {
          return Unsupported(block.where + ": needs " + MebibytesText(needed) +
                             " of memory for its contexts, allowed are " + MebibytesText(options_.memory_bytes));
        }
        PITH_RETURN_IF_ERROR(DecodeContexts(block, report, content));
        break;
      }
    }
    return Write(content);
  }

  Status Write(ByteSpan content) {
    reader_.AddContent(content);
    PITH_RETURN_IF_ERROR(sink_.Write(content));
    result_.original_bytes += content.size();
    return meter_.Report(ProgressNow(0));
  }

  static uint64_t ContextMemory(const BlockHeader& header) {
    if (header.kind != BlockKind::kContexts) return 0;
    return ByteMixer::MemoryBytes(static_cast<ContextStrength>(header.strength), header.TextSize()) + header.content_size +
           header.payload_size + (header.encoding != 0 ? header.text_size : 0);
  }

  uint64_t MostMemoryBeside() const { return options_.memory_bytes != 0 ? options_.memory_bytes : kMemoryOfBlocksBeside; }

  // On any thread.
  static Status DecodeContexts(const Block& block, const BlockProgress& progress, Bytes& content) {
    const BlockHeader& header = block.header;
    const auto go_on = [&](uint64_t bytes_done, uint64_t) -> Result<bool> {
      PITH_RETURN_IF_ERROR(progress(bytes_done * header.content_size / header.TextSize()));
      return true;
    };
    PITH_RETURN_IF_ERROR(DecodeByContexts(static_cast<ContextStrength>(header.strength), block.payload, header.TextSize(),
                                          block.where, content, go_on));
    if (header.encoding != 0) {
      Result<Bytes> encoded = ContentOf(static_cast<CharacterEncoding>(header.encoding), content, header.content_size);
      if (!encoded.ok()) return encoded.status().WithContext(block.where);
      content = *std::move(encoded);
    }
    // Long archives have a hash of the whole content instead.
    if (const uint32_t check = Hash32(content); block.is_short && check != header.content_check) {
      return Corrupt(block.where + ": the checksum of its content is " + Hex(check) + ", expected " +
                     Hex(header.content_check));
    }
    return OkStatus();
  }

  // Blocks by the model are never read beyond, so the reader is still at them.
  Status DecodeByModel(const Block& block, Bytes& content) {
    const BlockHeader& header = block.header;
    PITH_RETURN_IF_ERROR(FindModel());
    const TextDictionary* dictionary = nullptr;
    uint64_t n_dictionary = 0;
    if (header.adaptive && reader_.dictionary()) {
      dictionary = options_.dictionary;
      const std::string wanted = block.where + ": made with dictionary " + reader_.dictionary()->Text();
      if (dictionary == nullptr) return WrongModel(wanted + ", and none was given (-D FILE)");
      if (!reader_.dictionary()->Means(dictionary->id())) {
        return WrongModel(wanted + ", at hand is " + Hex(dictionary->id(), 16));
      }
      PITH_ASSIGN_OR_RETURN(n_dictionary, dictionary->CountTokens(*model_));
    }
    const uint64_t needed = ModelBytes(*model_, header.n_streams) + ModelBlockBytes(*model_, header, n_dictionary);
    if (options_.memory_bytes != 0 && needed > options_.memory_bytes) {
      return Unsupported(block.where + ": needs " + MebibytesText(needed) + " of memory with its " +
                         std::to_string(header.n_streams) + " streams, allowed are " +
                         MebibytesText(options_.memory_bytes));
    }
    const auto go_on = [&](uint64_t tokens_done, uint64_t) -> Result<bool> {
      const double part = static_cast<double>(tokens_done) / header.n_tokens;
      PITH_RETURN_IF_ERROR(meter_.Report(ProgressNow(static_cast<uint64_t>(part * header.content_size))));
      return true;
    };
    return DecodeModelBlock(*model_, header, block.payload, dictionary, block.where, content, go_on);
  }

  // Asks for the archive's model, once.
  Status FindModel() {
    if (model_ != nullptr) return OkStatus();
    const ModelIdentity& wanted = *reader_.model();
    PITH_ASSIGN_OR_RETURN(model_, models_(wanted));
    PITH_CHECK(model_ != nullptr);
    const ModelIdentity& found = model_->identity();
    if (!wanted.Means(found.fingerprint)) {
      return WrongModel(reader_.where() + ": made with the model '" + wanted.name + "' (" +
                        wanted.FingerprintText() + "), at hand is '" + found.name + "' (" +
                        found.fingerprint.Text() + ")");
    }
    if (found.window != wanted.window || found.n_sinks != wanted.n_sinks) {
      return WrongModel(reader_.where() + ": made with a window of " + std::to_string(wanted.window) +
                        " tokens and " + std::to_string(wanted.n_sinks) + " sinks, at hand are " +
                        std::to_string(found.window) + " and " + std::to_string(found.n_sinks));
    }
    return OkStatus();
  }

  const TokenModelProvider& models_;
  ArchiveReader reader_;
  Sink& sink_;
  const DecodeOptions& options_;
  ProgressMeter meter_;
  TokenModel* model_ = nullptr;  // of the current archive
  DecodeResult result_;
  std::deque<Block> ahead_;         // read and not yet decoded, in order
  uint64_t memory_beside_ = 0;      // of the blocks that run
  BlocksBeside<Bytes> running_;     // those of ahead_ that are `beside`
};

}  // namespace

Result<DecodeResult> DecodeArchives(const TokenModelProvider& models, Source& source, Sink& sink,
                                    const DecodeOptions& options, const CodecProgressCallback& progress) {
  return ArchiveDecoder(models, source, sink, options, progress).Run();
}

}  // namespace pith
