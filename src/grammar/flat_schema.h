// FlatSchema: what several JSON schemas together ask of a value, keyword by keyword: allOf and $ref are
// resolved, anyOf and oneOf are left as choices.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "grammar/json_number_range.h"
#include "pith/status.h"

namespace pith {

// A schema and its place in the document: a JSON pointer as a URI fragment, "#/properties/a".
struct PlacedSchema {
  const nlohmann::ordered_json* schema;
  std::string place;
};
// A value must fit all of them. None: any value.
using Conjunction = std::vector<PlacedSchema>;

struct FlatSchema {
  enum Type : uint8_t {
    kNull = 1,
    kBoolean = 2,
    kObject = 4,
    kArray = 8,
    kNumber = 16,
    kString = 32,
    kAnyType = 63
  };

  // A schema's keywords on members are about that schema's own "properties": they stay together.
  struct Members {
    std::vector<std::pair<std::string, PlacedSchema>> properties;
    std::optional<PlacedSchema> additional;
  };
  struct Elements {
    std::vector<PlacedSchema> prefix;
    std::optional<PlacedSchema> items;  // of those behind the prefix
  };
  struct Values {
    std::vector<const nlohmann::ordered_json*> values;
    std::string place;
  };
  struct Text {
    std::string text;
    std::string place;
  };
  static constexpr uint64_t kNoMaximum = ~uint64_t{0};

  std::string place;     // of the first schema, for messages
  bool is_free = true;   // no keyword so far asks for anything
  bool is_none = false;  // a schema was false
  uint8_t types = kAnyType;
  NumberLimits number;           // is_integer: of the numbers, only integers
  std::optional<Values> values;  // enum and const
  std::vector<Members> members;
  std::vector<std::string> required;
  uint64_t min_properties = 0, max_properties = kNoMaximum;
  std::optional<PlacedSchema> property_names;
  std::vector<Elements> elements;
  uint64_t min_items = 0, max_items = kNoMaximum;
  uint64_t min_length = 0, max_length = kNoMaximum;
  std::optional<Text> pattern;
  std::optional<Text> format;
  std::vector<std::vector<PlacedSchema>> choices;  // of each, one alternative must fit
  std::set<std::string> seen;                      // places that are part of this already
};

// Reads keywords of schemas of one document.
class SchemaFlattener {
 public:
  // Borrows.
  explicit SchemaFlattener(const nlohmann::ordered_json& document) : document_(document) {}

  // Adds what `schema` asks. Errors begin with the place: kInvalidArgument for what is no schema,
  // kUnsupported for a keyword that is not known or cannot be done.
  Status Add(const PlacedSchema& schema, FlatSchema& flat);

  // Follows $ref while it is the only keyword that means something.
  Result<PlacedSchema> Resolve(PlacedSchema schema);

 private:
  using Json = nlohmann::ordered_json;

  Status AddKeyword(const std::string& key, const Json& value, const PlacedSchema& schema, FlatSchema& flat);
  Status AddTypes(const Json& value, const PlacedSchema& schema, FlatSchema& flat);
  Status AddValues(const Json& value, bool is_enum, const std::string& place, FlatSchema& flat);
  Status AddNumberKeyword(const std::string& key, const Json& value, const PlacedSchema& schema,
                          FlatSchema& flat);
  Status AddMembers(const PlacedSchema& schema, FlatSchema& flat);
  Status AddElements(const PlacedSchema& schema, FlatSchema& flat);
  Status AddRequired(const Json& value, const std::string& place, FlatSchema& flat);
  Status AddChoice(const Json& value, const std::string& place, FlatSchema& flat);
  Result<PlacedSchema> FollowRef(const Json& value, const std::string& place) const;

  const Json& document_;
  size_t n_added_ = 0;
  size_t depth_ = 0;  // of schemas that are being added, each because of the one before
};

// `text` as a part of a place: ~ and / escaped as JSON pointers have them.
std::string PointerPart(std::string_view text);

// `text` for a message: no control characters, not longer than a line.
std::string ForMessage(std::string_view text);

}  // namespace pith
