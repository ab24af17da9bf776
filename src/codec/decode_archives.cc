// DecodeArchives: archives back to their content, block by block.
#include <utility>

#include "archive/archive_reader.h"
#include "base/check.h"
#include "base/hash.h"
#include "codec/block_text.h"
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
      : models_(models), reader_(source), sink_(sink), options_(options), meter_(progress) {}

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

  Status DecodeOne() {
    BlockHeader header;
    Bytes payload;
    Bytes content;
    while (true) {
      PITH_ASSIGN_OR_RETURN(const bool more, reader_.NextBlock(header, payload));
      if (!more) return OkStatus();
      ByteSpan decoded = content;
      switch (header.kind) {
        case BlockKind::kRaw:
          decoded = payload;
          break;
        case BlockKind::kZstd:
          PITH_RETURN_IF_ERROR(
              ZstdDecompress(payload, header.content_size, content).WithContext(reader_.where()));
          decoded = content;
          break;
        case BlockKind::kModel:
          PITH_RETURN_IF_ERROR(DecodeByModel(header, payload, content));
          decoded = content;
          break;
        case BlockKind::kContexts:
          PITH_RETURN_IF_ERROR(DecodeContexts(header, payload, content));
          decoded = content;
          break;
      }
      reader_.AddContent(decoded);
      PITH_RETURN_IF_ERROR(sink_.Write(decoded));
      result_.original_bytes += decoded.size();
      PITH_RETURN_IF_ERROR(meter_.Report(ProgressNow(0)));
    }
  }

  Status DecodeContexts(const BlockHeader& header, ByteSpan code, Bytes& content) {
    const ContextStrength strength = static_cast<ContextStrength>(header.strength);
    const uint64_t needed = ByteMixer::MemoryBytes(strength, header.TextSize()) + header.content_size + code.size() +
                            (header.encoding != 0 ? header.text_size : 0);
    if (options_.memory_bytes != 0 && needed > options_.memory_bytes) {
      return Unsupported(reader_.where() + ": needs " + MebibytesText(needed) + " of memory for its contexts, allowed are " +
                         MebibytesText(options_.memory_bytes));
    }
    const auto go_on = [&](uint64_t bytes_done, uint64_t) -> Result<bool> {
      PITH_RETURN_IF_ERROR(meter_.Report(ProgressNow(bytes_done * header.content_size / header.TextSize())));
      return true;
    };
    PITH_RETURN_IF_ERROR(DecodeByContexts(strength, code, header.TextSize(), reader_.where(), content, go_on));
    if (header.encoding != 0) {
      Result<Bytes> encoded = ContentOf(static_cast<CharacterEncoding>(header.encoding), content, header.content_size);
      if (!encoded.ok()) return encoded.status().WithContext(reader_.where());
      content = *std::move(encoded);
    }
    // Long archives have a hash of the whole content.
    if (const uint32_t check = Hash32(content); reader_.is_short() && check != header.content_check) {
      return Corrupt(reader_.where() + ": the checksum of its content is " + Hex(check) + ", expected " +
                     Hex(header.content_check));
    }
    return OkStatus();
  }

  Status DecodeByModel(const BlockHeader& header, ByteSpan code, Bytes& content) {
    PITH_RETURN_IF_ERROR(FindModel());
    const TextDictionary* dictionary = nullptr;
    uint64_t n_dictionary = 0;
    if (header.adaptive && reader_.dictionary()) {
      dictionary = options_.dictionary;
      const std::string wanted = reader_.where() + ": made with dictionary " + reader_.dictionary()->Text();
      if (dictionary == nullptr) return WrongModel(wanted + ", and none was given (-D FILE)");
      if (!reader_.dictionary()->Means(dictionary->id())) {
        return WrongModel(wanted + ", at hand is " + Hex(dictionary->id(), 16));
      }
      PITH_ASSIGN_OR_RETURN(n_dictionary, dictionary->CountTokens(*model_));
    }
    const uint64_t buffer_bytes =
        2 * uint64_t{header.content_size} + header.payload_size + sizeof(TokenId) * uint64_t{header.n_tokens} * (header.lean ? 2 : 1) +
        BlockTextBytes(static_cast<CharacterEncoding>(header.encoding), header.content_size) +
        (header.adaptive ? AdaptiveBytes(*model_, header.TokensForTables(), n_dictionary, header.content_size) : 0);
    const uint64_t needed = ModelBytes(*model_, header.n_streams) + buffer_bytes;
    if (options_.memory_bytes != 0 && needed > options_.memory_bytes) {
      return Unsupported(reader_.where() + ": needs " + MebibytesText(needed) + " of memory with its " +
                         std::to_string(header.n_streams) + " streams, allowed are " +
                         MebibytesText(options_.memory_bytes));
    }
    const auto go_on = [&](uint64_t tokens_done, uint64_t) -> Result<bool> {
      const double part = static_cast<double>(tokens_done) / header.n_tokens;
      PITH_RETURN_IF_ERROR(meter_.Report(ProgressNow(static_cast<uint64_t>(part * header.content_size))));
      return true;
    };
    return DecodeModelBlock(*model_, header, code, dictionary, reader_.where(), content, go_on);
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
};

}  // namespace

Result<DecodeResult> DecodeArchives(const TokenModelProvider& models, Source& source, Sink& sink,
                                    const DecodeOptions& options, const CodecProgressCallback& progress) {
  return ArchiveDecoder(models, source, sink, options, progress).Run();
}

}  // namespace pith
