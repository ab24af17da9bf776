// JinjaTemplate: chat templates in the language of Jinja as transformers sets it up (docs/templates.md).
//
// Rendering keeps apart what the template says and what the variables bring: MarkedText.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "jinja/marked_text.h"
#include "pith/status.h"

namespace pith {

inline constexpr size_t kMaxTemplateBytes = 1u << 20;
inline constexpr size_t kMaxTemplateTokens = 1u << 18;
// Statements and expressions inside each other, in the source; a pair of brackets counts twice.
inline constexpr size_t kMaxTemplateDepth = 200;

// What rendering may cost; beyond it Render fails with kUnsupported. The defaults are far above what
// conversations of a million tokens need, and end a hostile template within seconds.
struct JinjaLimits {
  uint64_t steps = 50'000'000;       // a step: an expression, a list element, or 16 bytes of text processed
  size_t depth = 400;                // evaluations inside each other: macros that call macros
  size_t value_depth = 100;          // lists and dicts inside each other, those of the variables too
  size_t output_bytes = 16u << 20;   // of the result, and of any string on the way
  size_t list_items = 1u << 20;      // of any list or dict
  size_t memory_bytes = 256u << 20;  // of all values alive at a time, variables included

  // The time that strftime_now tells. None: the local time of the clock.
  std::optional<std::tm> now;
};

// Immutable after Parse; const functions may run on several threads at once.
class JinjaTemplate {
 public:
  // kInvalidArgument with line and column where `source` is no template: "template: line 3, column 14: found
  // ..., expected ..."; kUnsupported beyond a limit.
  static Result<JinjaTemplate> Parse(std::string source);

  // variables: an object (messages, tools, documents ..); all strings in it, keys too, are data.
  // constants: an object (bos_token, booleans ..); strings in it are trusted like the template's own text. Of
  // a name in both, the variable counts. kInvalidArgument with line and column where the template fails, or
  // says raise_exception(..).
  Result<MarkedText> Render(const nlohmann::ordered_json& variables, const nlohmann::ordered_json& constants,
                            const JinjaLimits& limits = {}) const;

 private:
  struct Program;
  explicit JinjaTemplate(std::shared_ptr<const Program> program);

  std::shared_ptr<const Program> program_;
};

}  // namespace pith
