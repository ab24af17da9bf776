// JsonPieces: the parts of JSON as expressions of a grammar, in the forms that docs/constrained_output.md
// sets out.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "grammar/code_point_set.h"
#include "grammar/grammar_builder.h"

namespace pith {

// The indentation that may follow a line end.
inline constexpr uint32_t kMaxIndentSpaces = 32;
inline constexpr uint32_t kMaxIndentTabs = 8;
// Digits of numbers: an integer fits int64_t, and no number is too large for a double.
inline constexpr uint32_t kMaxIntegerDigits = 18;
inline constexpr uint32_t kMaxFractionDigits = 16;
inline constexpr uint32_t kMaxExponentDigits = 2;

inline constexpr size_t kMaxNameBytes =
    1024;  // of a property; other names are told apart from it byte by byte

class JsonPieces {
 public:
  using Expression = GrammarBuilder::Expression;

  // Adds to `builder`, which must outlive this.
  explicit JsonPieces(GrammarBuilder& builder);

  // What may stand behind '{', '[' and ',', and before '}' and ']': nothing, a space, or a line end with
  // indentation.
  Expression Break() { return builder_.Call(break_); }
  // ':' and an optional space.
  Expression Colon() const { return colon_; }
  // "," and a break.
  Expression Comma() const { return comma_; }

  // Inside a string: one character in its one form, which is itself where JSON allows, else the shortest
  // escape.
  Expression Character(const CodePointSet& set);
  // Inside a string: any character, in any form; a surrogate pair is one.
  Expression AnyCharacter() { return builder_.Call(any_character_); }
  // Quotes included, min to max characters.
  Expression String(uint32_t min, uint32_t max);
  // A string in its one form that is none of `names`.
  // REQUIRES: valid UTF-8 of at most kMaxNameBytes.
  Expression StringExcept(std::vector<std::string> names);
  // The one form of `text`. Nothing when it is no valid UTF-8.
  std::optional<std::string> Quote(std::string_view text);

  Expression Digits(uint32_t min, uint32_t max) { return builder_.Repeat(digit_, min, max); }
  Expression Digit(int first, int last);
  Expression Integer() { return builder_.Call(integer_); }
  Expression Number() { return builder_.Call(number_); }
  Expression Boolean() const { return boolean_; }
  Expression Null() const { return null_; }

  // Any object, array or value.
  Expression Object() { return builder_.Call(object_); }
  Expression Array() { return builder_.Call(array_); }
  Expression Value() { return builder_.Call(value_); }

  // Just this value, with breaks where there may be some. Nothing for invalid UTF-8.
  // REQUIRES: not nested deeper than a GrammarBuilder takes.
  Expression Constant(const nlohmann::ordered_json& value);

 private:
  void AddValues();
  Expression Except(std::span<const std::u32string> names, size_t depth);

  GrammarBuilder& builder_;
  GrammarBuilder::Rule break_, any_character_, any_character_in_one_form_, escape_, non_ascii_, integer_,
      number_, string_, object_, array_, value_;
  Expression colon_, comma_, digit_, boolean_, null_, quote_;
};

}  // namespace pith
