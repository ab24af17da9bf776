// Grammars of the JSON texts that fit a JSON schema. docs/constrained_output.md says which keywords, and in
// which form values are written.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "grammar/grammar.h"
#include "pith/status.h"

namespace pith {

inline constexpr size_t kMaxSchemaBytes = 4u << 20;
inline constexpr size_t kMaxSchemaDepth = 128;  // objects and arrays inside each other

// Each text of the grammar is JSON (RFC 8259, valid UTF-8) and fits the schema; not all JSON that fits is in
// the grammar. kCorrupt when it is no JSON; kInvalidArgument for what is no schema, or one that no value
// fits; kUnsupported, with the JSON pointer of the place, for a keyword that this does not know and that is
// not a mere note.
Result<Grammar> ParseJsonSchema(std::string_view json);
// Order of members counts: properties come in that order.
Result<Grammar> GrammarFromJsonSchema(const nlohmann::ordered_json& schema);

}  // namespace pith
