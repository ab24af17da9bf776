// TextDictionary: text that a block's adaptive state has learned before the block begins, for many small files of one kind.
// docs/format.md section 11; docs/mixing.md section 8.
//
// Not for several threads at once: it keeps what the last model made of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "codec/token_model.h"
#include "pith/status.h"
#include "predict/adaptive_mixer.h"

namespace pith {

inline constexpr size_t kMaxDictionaryBytes = 1u << 20;
inline constexpr size_t kDefaultDictionaryBytes = 48u << 10;

class TextDictionary {
 public:
  // Takes 1 .. kMaxDictionaryBytes bytes of text.
  explicit TextDictionary(Bytes content);

  // A dictionary file. kCorrupt, kUnsupported.
  static Result<TextDictionary> Parse(ByteSpan file);
  Bytes Serialize() const;

  ByteSpan content() const { return content_; }
  uint64_t id() const { return id_; }  // XXH3-64 of the content

  // What a model makes of the dictionary.
  struct Primed {
    ModelIdentity model;
    uint64_t table_tokens = 0;
    std::vector<TokenId> tokens;
    std::unique_ptr<AdaptiveMixer> mixer;  // has coded them

    // What each stream is fed after the start token: the last tokens, half a window at most.
    std::span<const TokenId> Prefix() const;
  };
  // For blocks with tables for n_tokens tokens (BlockHeader::TokensForTables). Runs the model over the dictionary unless it did so
  // last time. Needs the float environment of the kernels. Valid until the next call.
  Result<const Primed*> Prime(TokenModel& model, uint64_t n_tokens) const;

  // Tokens of the dictionary under a model: for memory bounds.
  Result<uint64_t> CountTokens(TokenModel& model) const;

 private:
  Bytes content_;
  uint64_t id_;
  mutable std::unique_ptr<Primed> primed_;
};

// Chooses from the samples the text that most of them have parts of, at most `size` bytes, the most telling last.
// kInvalidArgument when there is hardly any text.
Result<TextDictionary> TrainDictionary(std::span<const ByteSpan> samples, size_t size);

}  // namespace pith
