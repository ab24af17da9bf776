// Regular expressions of ECMAScript, as JSON Schema's "pattern" has them, as expressions of a grammar.
#pragma once

#include <functional>
#include <string_view>

#include "grammar/code_point_set.h"
#include "grammar/grammar_builder.h"
#include "pith/status.h"

namespace pith {

inline constexpr size_t kMaxRegexBytes = 1u << 16;
inline constexpr size_t kMaxRegexGroupDepth = 50;

// The texts in which `pattern` is found: the whole text for ^..$, else with anything around it. `character`
// makes the expression of one code point of a set, however that is to be written.
//
// There are: | ( ) (?: ) (?<name> ), ? * + {m} {m,} {m,n} and their lazy forms, [..] [^..] . \d \D \w \W \s
// \S, \t \n \v \f
// \r \0 \cX \xHH \uHHHH \u{H..}, \ before punctuation, and ^ and $ at the ends of the pattern or of an
// alternative of it. kUnsupported for what else there is (looking around, back references, \b, \p{..}),
// kInvalidArgument for what is wrong.
Result<GrammarBuilder::Expression> ParseRegex(
    std::string_view pattern, GrammarBuilder& builder,
    const std::function<GrammarBuilder::Expression(const CodePointSet&)>& character);

}  // namespace pith
