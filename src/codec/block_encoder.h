// BlockEncoder: what each codec makes of one block, and the smallest of it.
//
// Without a model it depends on nothing but the block and the options: blocks may then be coded side by side, each by a
// BlockEncoder of its own.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "archive/archive_format.h"
#include "base/bytes.h"
#include "codec/codec.h"
#include "codec/content_class.h"
#include "codec/token_model.h"
#include "pith/status.h"
#include "predict/byte_mixer.h"

namespace pith {

// Asked while a block is coded: bytes of its content that count as done. A failure ends the work and is handed on.
using BlockProgress = std::function<Status(uint64_t content_done)>;

// Where the block stands, which decides what its frame will cost.
struct BlockSituation {
  bool may_be_short = false;  // it is the whole input, and the archive may become a short one
  bool model_named = false;   // by an earlier block
};

struct EncodedBlock {
  BlockHeader header;
  Bytes payload;          // empty where the block is raw: it is the content then
  bool is_short = false;  // the archive is to be a short one
};

class BlockEncoder {
 public:
  // `model` may be null. Borrows all but the situation.
  BlockEncoder(TokenModel* model, const EncodeOptions& options, BlockSituation situation, const BlockProgress& progress);

  // REQUIRES: called once; content is not empty and within the format's limit.
  Result<EncodedBlock> Encode(ByteSpan content, ContentClass content_class);

 private:
  uint64_t Cost(const BlockHeader& header) const;
  const uint64_t* DictionaryOf(const BlockHeader& header) const;
  std::optional<ContextStrength> StrengthBesideModel(uint64_t size) const;
  Status TryContexts(ContextStrength strength, ByteSpan content, bool before_model = false);
  Result<bool> TryModel(ByteSpan content);

  TokenModel* model_;
  const EncodeOptions& options_;
  const BlockSituation situation_;
  const BlockProgress& progress_;
  const uint64_t dictionary_id_;
  bool contexts_done_ = false;  // tried for the block
  BlockHeader best_;
  Bytes payload_;  // of best_; empty while that is raw
};

}  // namespace pith
