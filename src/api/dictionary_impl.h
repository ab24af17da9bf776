// Dictionary::Impl: what Compress and Decompress need of a dictionary.
#pragma once

#include <utility>

#include "codec/text_dictionary.h"
#include "pith/pith.h"

namespace pith {

struct Dictionary::Impl {
  explicit Impl(TextDictionary t) : text(std::move(t)) {}
  TextDictionary text;
};

}  // namespace pith
