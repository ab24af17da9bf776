// A TokenConstraint that keeps a text within a Grammar. docs/constrained_output.md says how masks are made.
#pragma once

#include <cstddef>
#include <memory>

#include "grammar/grammar.h"
#include "grammar/token_constraint.h"
#include "grammar/token_trie.h"

namespace pith {

// Masks are remembered up to this size together; Qwen3's have 19 KB each.
inline constexpr size_t kMaxMaskCacheBytes = 16u << 20;

// At the start of a text. What was learnt about the grammar stays over Reset: one constraint used for many
// texts gets faster. Should the grammar be so ambiguous that more than GrammarMatcher::kMaxStacks ways of
// reading a text are open, some texts of the grammar are not allowed; each that is allowed is still of the
// grammar.
std::unique_ptr<TokenConstraint> MakeGrammarConstraint(std::shared_ptr<const Grammar> grammar,
                                                       std::shared_ptr<const TokenTrie> trie);

}  // namespace pith
