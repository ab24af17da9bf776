#include "codec/block_encoder.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "archive/archive_writer.h"
#include "base/hash.h"
#include "codec/block_text.h"
#include "codec/codec_limits.h"
#include "codec/context_block.h"
#include "codec/model_block.h"
#include "codec/zstd_block.h"

namespace pith {
namespace {

// The model is left when, a part of the tokens done, its code is that much larger than the same part of the
// rival's. All streams are equally far, so the part is a fair sample of the block; but a stream's first
// tokens cost more.
constexpr uint64_t kFirstGlanceSteps = 48;
constexpr double kFirstGlanceMargin = 1.5;
constexpr uint64_t kSecondGlanceSteps = 256;
constexpr double kSecondGlanceMargin = 1.15;
// What adapts has much to learn in the first part of a text that it will code well, such as a log: there the glances are
// at parts of the whole.
constexpr double kFirstAdaptiveGlance = 0.15;
constexpr double kFirstAdaptiveMargin = 2.5;
constexpr double kSecondAdaptiveGlance = 0.5;
constexpr double kSecondAdaptiveMargin = 1.3;

// Beside the code of contexts, of text that looks like data. Measured (code so far over the same part of the rival's): where
// the model won in the end, 1.50 at a quarter and 1.20 at a half (94 KB), 1.04 and 1.00 (600 KB, by 6 %); where it lost by 8 to 13 %, 1.24 to 1.34
// and 1.15 to 1.22 (600 to 700 KB).
struct Glance {
  double part, margin;
  size_t min_bytes;
};
constexpr Glance kGlancesAfterContexts[] = {{0.25, 1.16, 500'000}, {0.5, 1.08, 500'000}, {0.5, 1.22, 0}, {0.7, 1.1, 0}};

// Contexts are left at this part of the block when they are that much behind what they would replace: they have most to learn
// in the beginning.
constexpr double kContextsGlance = 0.5;
constexpr double kContextsMargin = 1.3;

// Streams where size goes before speed: each begins cold. 14 instead of 4 cost 0.3 % of alice29.txt.
constexpr uint32_t kMostStreamsForSize = 4;

// Text of fewer bytes a token is tried by contexts over bytes, too. Prose has 2.8 to 3, code 2.1, tables and logs 1.1 to 2. So is what zstd
// makes very little of (kRepetitiveShare): records whose long indentations are a token each.
constexpr double kDataBytesPerToken = 2.3;

// Where zstd finds nothing beyond the frequencies of the bytes, there is no text for the model to know: random letters,
// dumps of random data. Measured on 4 KiB: random letters 1.013 and more, text of 40 files 0.933 and less.
constexpr double kNoStructureShare = 0.98;
constexpr size_t kNoStructureMinBytes = 4096;

// Noise is given to zstd -19 only if a fast level finds this much in it.
constexpr double kNoiseWorthTrying = 0.99;

// After contexts, which beat it by a tenth at least on text, zstd is tried only on what little is left of: repetitions as
// long as the block are its ground. And only where a fast level comes this near to them, since -19 takes almost as long as they
// do: on logs and tables it makes 0.68 to 0.78 of level 3, which has 1.5 to 2.2 times what contexts make.
constexpr double kRepetitiveShare = 0.08;
constexpr double kWithinReachOfContexts = 1.5;
constexpr double kAlwaysWithinReach = 256;  // bytes: a run of one byte is a matter of a few

// By zstd -19, or by a fast level, if that already makes more than `limit` bytes.
Result<Bytes> TryZstd(ByteSpan content, double limit) {
  if (limit != HUGE_VAL) {
    PITH_ASSIGN_OR_RETURN(Bytes trial, ZstdCompress(content, kZstdTrialLevel));
    if (trial.empty() || static_cast<double>(trial.size()) > limit) return trial;
  }
  return ZstdCompress(content, kZstdBestLevel);
}

bool HasNoStructure(ByteSpan content, uint64_t rival_cost) {
  const double order_zero = OrderZeroBits(content) / 8 * static_cast<double>(content.size());
  return content.size() >= kNoStructureMinBytes &&
         static_cast<double>(rival_cost) >= kNoStructureShare * order_zero;
}

}  // namespace

// Bytes of a block in the archive, naming its model included.
uint64_t BlockEncoder::Cost(const BlockHeader& header) const {
  const ModelIdentity* const model = header.kind == BlockKind::kModel ? &model_->identity() : nullptr;
  if (situation_.may_be_short) return ArchiveWriter::ShortCost(header, model, DictionaryOf(header));
  return ArchiveWriter::BlockCost(header) +
         (model != nullptr && !situation_.model_named ? ArchiveWriter::ModelInfoCost(*model) : 0);
}

// What a block must name; null: nothing.
const uint64_t* BlockEncoder::DictionaryOf(const BlockHeader& header) const {
  return header.adaptive && options_.dictionary != nullptr ? &dictionary_id_ : nullptr;
}

// The most that the memory allows, beside the block itself. Even the numeric one is faster than a model.
std::optional<ContextStrength> BlockEncoder::StrengthBesideModel(uint64_t size) const {
  for (const ContextStrength strength : {ContextStrength::kNumeric, ContextStrength::kStrong}) {
    const uint64_t needed = ByteMixer::MemoryBytes(strength, static_cast<uint32_t>(size)) + 3 * size;
    if (options_.memory_bytes == 0 || needed <= options_.memory_bytes) return strength;
  }
  return std::nullopt;
}

// Replaces the best so far where contexts make less of the block.
Status BlockEncoder::TryContexts(ContextStrength strength, ByteSpan content, bool before_model) {
  contexts_done_ = true;
  const uint64_t rival_cost = Cost(best_);
  const std::optional<EncodedText> wide = WideTextOf(content);
  const ByteSpan text = wide ? AsBytes(wide->text) : content;
  const auto go_on = [&](uint64_t bytes_done, uint64_t code_bytes) -> Result<bool> {
    // After the model the block counts as done; before it contexts are half of the work: the model, ten times as slow, is
    // mostly left at its first glance.
    const uint64_t done = bytes_done * content.size() / text.size();
    const uint64_t shown = model_ == nullptr ? done : before_model ? done / 2 : content.size();
    PITH_RETURN_IF_ERROR(progress_(shown));
    const double part = static_cast<double>(bytes_done) / static_cast<double>(text.size());
    if (part >= kContextsGlance &&
        static_cast<double>(code_bytes) > kContextsMargin * part * static_cast<double>(rival_cost)) {
      return false;
    }
    return code_bytes < rival_cost;
  };
  PITH_ASSIGN_OR_RETURN(std::optional<Bytes> code, EncodeByContexts(strength, text, go_on));
  if (!code || code->size() >= content.size()) return OkStatus();
  BlockHeader header;
  header.kind = BlockKind::kContexts;
  header.content_size = best_.content_size;
  header.payload_size = static_cast<uint32_t>(code->size());
  header.strength = static_cast<uint8_t>(strength);
  if (wide) {
    header.encoding = static_cast<uint8_t>(wide->encoding);
    header.text_size = static_cast<uint32_t>(text.size());
  }
  header.content_check = situation_.may_be_short ? Hash32(content) : 0;
  if (Cost(header) >= rival_cost) return OkStatus();
  best_ = header;
  payload_ = *std::move(code);
  return OkStatus();
}

// Replaces the best so far and returns true where the model makes less of the block.
Result<bool> BlockEncoder::TryModel(ByteSpan content) {
  uint64_t rival_cost = Cost(best_);
  BlockHeader header;
  header.kind = BlockKind::kModel;
  header.content_size = best_.content_size;
  header.n_tokens = header.n_streams = 1;
  header.lean = situation_.may_be_short && options_.adaptive && content.size() <= kMaxLeanContent;  // which it may become
  uint64_t fixed_cost = Cost(header);
  if (fixed_cost >= rival_cost) return false;  // not even an empty code would be smaller
  if (HasNoStructure(content, rival_cost)) return false;

  PITH_ASSIGN_OR_RETURN(BlockText text, TokenizeBlock(*model_, content));
  const uint64_t n_tokens = text.tokens.size();
  if (n_tokens == 0 || n_tokens > text.n_bytes) {
    return Status(StatusCode::kWrongModel, "tokenizer: " + std::to_string(n_tokens) + " tokens for " +
                                               std::to_string(text.n_bytes) + " bytes");
  }
  header.n_tokens = static_cast<uint32_t>(n_tokens);
  header.encoding = static_cast<uint8_t>(text.encoding);
  if (text.encoding != CharacterEncoding::kNone) {
    header.text_size = static_cast<uint32_t>(text.n_bytes);
    fixed_cost = Cost(header);
    if (fixed_cost >= rival_cost) return false;
  }
  double shown_before = 0;  // share of the block's work that is done before the model's
  // What looks like data: contexts go first, being the faster, and the model has to keep up with them.
  const std::optional<ContextStrength> strength = StrengthBesideModel(content.size());
  const bool looks_like_data =
      static_cast<double>(text.n_bytes) < kDataBytesPerToken * static_cast<double>(n_tokens) ||
      (best_.kind == BlockKind::kZstd && best_.payload_size <= kRepetitiveShare * best_.content_size);
  if (options_.beside == ContextsBesideModel::kForData && looks_like_data && !contexts_done_ && strength) {
    PITH_RETURN_IF_ERROR(TryContexts(*strength, content, /*before_model=*/true));
    shown_before = 0.5;
    rival_cost = Cost(best_);
    if (fixed_cost >= rival_cost) return false;
  }
  const bool after_contexts = best_.kind == BlockKind::kContexts;
  const uint64_t code_limit = rival_cost - fixed_cost;
  // A lean block takes more memory when it is decoded, since nothing says how few tokens it has.
  const bool may_be_lean = header.lean;
  const uint64_t most_tokens = may_be_lean ? 2 * text.n_bytes : n_tokens;
  const uint64_t buffer_bytes =
      content.size() + content.size() / 8 + payload_.size() + code_limit + sizeof(TokenId) * most_tokens +
      BlockTextBytes(text.encoding, content.size()) + EncoderBytes(*model_, n_tokens);
  PITH_ASSIGN_OR_RETURN(uint32_t n_streams, ChooseStreams(*model_, n_tokens, options_.streams,
                                                          options_.memory_bytes, buffer_bytes));
  if (options_.beside == ContextsBesideModel::kAlways && options_.streams == 0) {
    n_streams = std::min(n_streams, kMostStreamsForSize);
  }
  if (options_.adaptive) {
    uint64_t n_dictionary = 0;
    if (options_.dictionary != nullptr) {
      PITH_ASSIGN_OR_RETURN(n_dictionary, options_.dictionary->CountTokens(*model_));
    }
    const uint64_t for_tables = std::max<uint64_t>(n_tokens, header.TokensForTables());
    // Where memory is short, what adapts may take the place of half the streams, but not of more.
    const Result<uint32_t> n_beside =
        ChooseStreams(*model_, n_tokens, options_.streams, options_.memory_bytes,
                      buffer_bytes + AdaptiveBytes(*model_, for_tables, n_dictionary, content.size()));
    header.adaptive = n_beside.ok() && 2 * *n_beside >= n_streams;
    if (header.adaptive) n_streams = std::min(n_streams, *n_beside);
  }
  header.lean = may_be_lean && header.adaptive && n_streams == 1;
  if (!header.lean) header.text_size = 0;

  const auto go_on = [&](uint64_t tokens_done, uint64_t code_bytes) -> Result<bool> {
    const double part = static_cast<double>(tokens_done) / static_cast<double>(n_tokens);
    const double shown = shown_before + part * (1 - shown_before);
    PITH_RETURN_IF_ERROR(progress_(static_cast<uint64_t>(shown * static_cast<double>(content.size()))));
    if (code_bytes >= code_limit) return false;
    const uint64_t steps = tokens_done / n_streams;
    const double rival_so_far = static_cast<double>(code_limit) * part;
    const double code = static_cast<double>(code_bytes);
    if (after_contexts) {
      for (const Glance& glance : kGlancesAfterContexts) {
        if (part >= glance.part && content.size() >= glance.min_bytes && code > glance.margin * rival_so_far) return false;
      }
    }
    if (header.adaptive) {
      if (part >= kSecondAdaptiveGlance && code > kSecondAdaptiveMargin * rival_so_far) return false;
      return part < kFirstAdaptiveGlance || code <= kFirstAdaptiveMargin * rival_so_far;
    }
    if (steps >= kSecondGlanceSteps && code > kSecondGlanceMargin * rival_so_far) return false;
    return steps < kFirstGlanceSteps || code <= kFirstGlanceMargin * rival_so_far;
  };
  PITH_ASSIGN_OR_RETURN(std::optional<CodedTokens> coded,
                        EncodeTokens(*model_, std::move(text.tokens), n_streams, header.adaptive, header.TokensForTables(),
                                     header.adaptive ? options_.dictionary : nullptr, go_on));
  if (!coded || coded->code.size() >= content.size()) return false;

  header.payload_size = static_cast<uint32_t>(coded->code.size());
  header.n_streams = coded->n_streams;
  header.probe = coded->probe;
  header.content_check = header.CheckOf(Hash32(content));
  if (Cost(header) >= rival_cost) return false;
  best_ = header;
  payload_ = std::move(coded->code);
  return true;
}

BlockEncoder::BlockEncoder(TokenModel* model, const EncodeOptions& options, BlockSituation situation,
                           const BlockProgress& progress)
    : model_(options.contexts ? nullptr : model),
      options_(options),
      situation_(situation),
      progress_(progress),
      dictionary_id_(options.dictionary != nullptr ? options.dictionary->id() : 0) {}

Result<EncodedBlock> BlockEncoder::Encode(ByteSpan content, ContentClass content_class) {
  best_.kind = BlockKind::kRaw;
  best_.content_size = best_.payload_size = static_cast<uint32_t>(content.size());

  if (options_.contexts && content_class != ContentClass::kNoise) {
    PITH_RETURN_IF_ERROR(TryContexts(*options_.contexts, content));
  }
  Bytes frame;
  if (best_.kind != BlockKind::kContexts || best_.payload_size <= kRepetitiveShare * best_.content_size) {
    const double limit = best_.kind == BlockKind::kContexts
                             ? kWithinReachOfContexts * best_.payload_size + kAlwaysWithinReach
                         : content_class == ContentClass::kNoise
                             ? kNoiseWorthTrying * static_cast<double>(content.size())
                             : HUGE_VAL;
    PITH_ASSIGN_OR_RETURN(frame, TryZstd(content, limit));
  }
  if (!frame.empty()) {
    BlockHeader header;
    header.content_size = best_.content_size;
    header.kind = BlockKind::kZstd;
    header.payload_size = static_cast<uint32_t>(frame.size());
    header.bare = situation_.may_be_short && ArchiveWriter::HasUsualZstdHeader(frame, header.content_size);
    if (Cost(header) < Cost(best_)) {
      best_ = header;
      payload_ = std::move(frame);
    }
  }
  frame = Bytes();

  const bool is_text = content_class != ContentClass::kBinary && content_class != ContentClass::kNoise;
  bool pays = false;
  contexts_done_ = options_.contexts.has_value();
  if (model_ != nullptr && is_text) {
    PITH_ASSIGN_OR_RETURN(pays, TryModel(content));
  }
  bool beside = options_.beside == ContextsBesideModel::kAlways && content_class != ContentClass::kNoise;
  if (options_.beside == ContextsBesideModel::kForData && model_ != nullptr && is_text) {
    beside = !pays;  // the model knows nothing of it
  }
  if (beside && !contexts_done_) {
    if (const std::optional<ContextStrength> strength = StrengthBesideModel(content.size())) {
      PITH_RETURN_IF_ERROR(TryContexts(*strength, content));
    }
  }
  const size_t stored = best_.kind == BlockKind::kRaw ? content.size() : payload_.size();
  return EncodedBlock{best_, std::move(payload_), situation_.may_be_short && stored <= kMaxShortPayload};
}

}  // namespace pith
