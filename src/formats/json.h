// Json: an immutable JSON value read from untrusted text, with limits, and accessors that cannot fail by
// exception.
//
// Parsed by nlohmann-json's event parser (strict RFC 8259, valid UTF-8 only); the tree is ours, so that
// depth, count and duplicate keys are checked while it grows and a lookup never throws.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "pith/status.h"

namespace pith {

// What a document may cost. A value takes up to 100 bytes of memory beyond its text.
struct JsonLimits {
  size_t max_bytes = 64u << 20;
  size_t max_depth = 64;         // arrays and objects inside each other
  size_t max_values = 4u << 20;  // values of all kinds; Qwen3's tokenizer.json holds 0.6 M
  bool unique_keys = true;       // a repeated key in an object is an error; otherwise its last value counts
};

struct JsonMember;

class Json {
 public:
  enum class Kind : uint8_t { kNull, kBool, kInteger, kNumber, kString, kArray, kObject };

  Json() = default;  // null

  // `where` names the text in errors. kCorrupt with byte, line and column when `text` is not JSON or repeats
  // a key; kUnsupported beyond a limit.
  static Result<Json> Parse(ByteSpan text, const std::string& where, const JsonLimits& limits = {});

  Kind kind() const;
  std::string_view KindName() const;  // "null", "bool", "integer", "number", "string", "array", "object"
  bool is_null() const { return kind() == Kind::kNull; }

  // Empty when the value is of another kind or out of the range of the type. AsNumber takes integers too.
  std::optional<bool> AsBool() const;
  std::optional<int64_t> AsInteger() const;
  std::optional<uint64_t> AsUnsigned() const;
  std::optional<double> AsNumber() const;
  const std::string* AsString() const;  // null when it is no string; borrows

  // Elements of an array; empty for other kinds (ask kind()).
  std::span<const Json> items() const;
  // Members of an object in ascending byte order of their keys; empty for other kinds.
  std::span<const JsonMember> members() const;
  // The member of that name; null when there is none or this is no object.
  const Json* Find(std::string_view key) const;

 private:
  friend class JsonBuilder;
  using Array = std::vector<Json>;
  using Object = std::vector<JsonMember>;
  // uint64_t only for integers above the largest int64_t.
  std::variant<std::monostate, bool, int64_t, uint64_t, double, std::string, Array, Object> value_;
};

struct JsonMember {
  std::string key;
  Json value;
};

// `text` in double quotes for a message: control characters and invalid UTF-8 as \xNN, cut after 80 bytes.
std::string Quoted(std::string_view text);

// Whether `text` is valid UTF-8 without control characters (C0, DEL, C1): safe to show on a terminal.
bool IsPrintableUtf8(std::string_view text);

}  // namespace pith
