// Reads GBNF, llama.cpp's notation of grammars. docs/constrained_output.md describes it.
#pragma once

#include <string_view>

#include "grammar/grammar.h"
#include "pith/status.h"

namespace pith {

inline constexpr size_t kMaxGbnfBytes = 1u << 20;
inline constexpr size_t kMaxGbnfGroupDepth = 100;  // groups inside each other

// The language of the rule "root". kInvalidArgument with line and column for what is no GBNF and for a rule
// that is not defined, defined twice, derives nothing, or begins with itself; kUnsupported beyond a limit.
Result<Grammar> ParseGbnf(std::string_view text);

}  // namespace pith
