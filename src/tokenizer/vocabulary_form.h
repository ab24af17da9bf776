// The binary form of a Vocabulary: vocabulary_form.md.
#pragma once

#include "base/bytes.h"
#include "pith/status.h"
#include "tokenizer/vocabulary.h"

namespace pith {

Bytes WriteVocabulary(const Vocabulary& vocabulary);

// kCorrupt unless `data` is what WriteVocabulary gives for the result; kUnsupported for another version.
Result<Vocabulary> ReadVocabulary(ByteSpan data);

}  // namespace pith
