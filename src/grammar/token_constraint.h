// TokenConstraint: what may come next in a text that must keep to a form (a JSON schema, a grammar).
#pragma once

#include <cstdint>
#include <span>

#include "base/bytes.h"
#include "pith/status.h"
#include "tokenizer/vocabulary.h"

namespace pith {

// Thread-compatible. Not copyable; one object follows one text.
class TokenConstraint {
 public:
  virtual ~TokenConstraint() = default;

  // Back to the start of the text.
  virtual void Reset() = 0;

  // Sets bit id % 64 of allowed[id / 64] for each data token that may come next, and clears all others. A token may come
  // next if its bytes keep the text a beginning of some complete text. allowed: ceil(vocab_size of the tokenizer / 64) words.
  // No bit set means that the text is complete and nothing may follow.
  virtual void Mask(std::span<uint64_t> allowed) = 0;

  // The text is complete as it stands: it may end here.
  virtual bool MayEnd() const = 0;

  // Appends a token. kInvalidArgument, with nothing changed, where Mask would not allow it.
  virtual Status Accept(TokenId id) = 0;
};

}  // namespace pith
