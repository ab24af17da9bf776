#include "grammar/flat_schema.h"

#include <algorithm>
#include <cmath>
#include <string_view>
#include <utility>

#include "base/utf8.h"

namespace pith {
namespace {

using Json = nlohmann::ordered_json;

// Schemas that are looked at, counted as often as they are: choices within choices multiply.
constexpr size_t kMaxAdded = 200'000;
// Of $ref and allOf, one leading to the next.
constexpr size_t kMaxChain = 200;

// Lists that are compared with each other.
constexpr size_t kMaxValues = 10'000;
constexpr size_t kMaxProperties = 10'000;

constexpr std::string_view kNotes[] = {"title",
                                       "description",
                                       "default",
                                       "examples",
                                       "example",
                                       "deprecated",
                                       "readOnly",
                                       "writeOnly",
                                       "$schema",
                                       "$id",
                                       "id",
                                       "$comment",
                                       "$defs",
                                       "definitions",
                                       "$anchor",
                                       "$vocabulary",
                                       "contentEncoding",
                                       "contentMediaType",
                                       "contentSchema"};

bool IsNote(std::string_view key) {
  return std::ranges::find(kNotes, key) != std::end(kNotes) || key.starts_with("x-");
}

constexpr std::pair<std::string_view, uint8_t> kTypes[] = {
    {"null", FlatSchema::kNull},    {"boolean", FlatSchema::kBoolean}, {"object", FlatSchema::kObject},
    {"array", FlatSchema::kArray},  {"number", FlatSchema::kNumber},   {"integer", FlatSchema::kNumber},
    {"string", FlatSchema::kString}};

Status Wrong(const std::string& place, const std::string& what) {
  return InvalidArgument("JSON schema: " + ForMessage(place) + ": " + what);
}
Status NotSupported(const std::string& place, const std::string& what) {
  return Unsupported("JSON schema: " + ForMessage(place) + ": " + what);
}

Result<uint64_t> Count(const Json& value, const std::string& place) {
  if (value.is_number_unsigned()) return value.get<uint64_t>();
  if (value.is_number_float()) {
    const double d = value.get<double>();
    if (d >= 0 && d == std::floor(d) && d < 1e15) return static_cast<uint64_t>(d);
  }
  return Wrong(place, "expected an integer from 0 on");
}

}  // namespace

std::string PointerPart(std::string_view text) {
  std::string part;
  for (const char c : text) part += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
  return part;
}

std::string ForMessage(std::string_view text) {
  constexpr size_t kMaxBytes = 200;
  std::string shown;
  for (size_t at = 0; at < text.size();) {
    if (shown.size() >= kMaxBytes) return shown + "..";
    const size_t begin = at;
    const uint32_t c = TakeUtf8(text, at);
    if (c > kMaxCodePoint || c < 0x20 || (c >= 0x7f && c < 0xa0)) {
      shown += '?';
      at = std::max(at, begin + 1);
    } else {
      shown += text.substr(begin, at - begin);
    }
  }
  return shown;
}

Result<PlacedSchema> SchemaFlattener::FollowRef(const Json& value, const std::string& place) const {
  if (!value.is_string()) return Wrong(place, "expected a string");
  const std::string& ref = value.get_ref<const std::string&>();
  const std::string target = "\"" + ForMessage(ref) + "\"";
  if (ref != "#" && !ref.starts_with("#/"))
    return NotSupported(place, "found " + target + ", expected a place in this document: \"#/..\"");
  // Percent-encoding, then the parts between slashes.
  std::string pointer;
  for (size_t i = 1; i < ref.size(); ++i) {
    if (ref[i] != '%') {
      pointer += ref[i];
      continue;
    }
    const auto digit = [&](size_t at) {
      const char c = at < ref.size() ? ref[at] : '\0';
      return c >= '0' && c <= '9'   ? c - '0'
             : c >= 'a' && c <= 'f' ? c - 'a' + 10
             : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                    : -1;
    };
    if (digit(i + 1) < 0 || digit(i + 2) < 0)
      return Wrong(place, "found " + target + ", expected two hexadecimal digits after %");
    pointer += static_cast<char>(digit(i + 1) * 16 + digit(i + 2));
    i += 2;
  }
  PlacedSchema found{&document_, "#"};
  for (size_t at = 0; at < pointer.size();) {
    const size_t end = std::min(pointer.find('/', at + 1), pointer.size());
    std::string name;
    for (size_t i = at + 1; i < end; ++i) {
      const bool escaped =
          pointer[i] == '~' && i + 1 < end && (pointer[i + 1] == '0' || pointer[i + 1] == '1');
      name += escaped ? (pointer[++i] == '0' ? '~' : '/') : pointer[i];
    }
    const Json* next = nullptr;
    if (found.schema->is_object()) {
      const auto member = found.schema->find(name);
      if (member != found.schema->end()) next = &*member;
    } else if (found.schema->is_array() && !name.empty() && name.size() < 10 &&
               name.find_first_not_of("0123456789") == std::string::npos) {
      const auto index = static_cast<size_t>(std::stoul(name));
      if (index < found.schema->size()) next = &(*found.schema)[index];
    }
    if (next == nullptr) return Wrong(place, "found " + target + ", which is not in the document");
    found = {next, found.place + "/" + PointerPart(name)};
    at = end;
  }
  return found;
}

Result<PlacedSchema> SchemaFlattener::Resolve(PlacedSchema schema) {
  std::set<std::string> seen;
  for (;;) {
    if (!schema.schema->is_object()) return schema;
    const auto ref = schema.schema->find("$ref");
    if (ref == schema.schema->end()) return schema;
    for (const auto& [key, value] : schema.schema->items()) {
      if (key != "$ref" && !IsNote(key)) return schema;
    }
    if (!seen.insert(schema.place).second) return Wrong(schema.place, "\"$ref\" leads back to itself");
    if (seen.size() > kMaxChain)
      return NotSupported(schema.place,
                          "more than " + std::to_string(kMaxChain) + " \"$ref\" one after the other");
    PITH_ASSIGN_OR_RETURN(schema, FollowRef(*ref, schema.place + "/$ref"));
  }
}

Status SchemaFlattener::Add(const PlacedSchema& schema, FlatSchema& flat) {
  if (flat.place.empty()) flat.place = schema.place;
  if (++n_added_ > kMaxAdded) return NotSupported(schema.place, "too many combinations of schemas");
  if (!flat.seen.insert(schema.place).second) return OkStatus();  // the same twice asks the same
  const Json& json = *schema.schema;
  if (json.is_boolean()) {
    flat.is_none = flat.is_none || !json.get<bool>();
    return OkStatus();
  }
  if (!json.is_object()) return Wrong(schema.place, "expected a schema: an object, true or false");
  if (depth_ >= kMaxChain)
    return NotSupported(schema.place,
                        "more than " + std::to_string(kMaxChain) + " schemas one within the other");
  ++depth_;
  Status status;
  for (auto member = json.begin(); status.ok() && member != json.end(); ++member) {
    if (IsNote(member.key())) continue;
    flat.is_free = false;
    status = AddKeyword(member.key(), *member, schema, flat);
  }
  --depth_;
  PITH_RETURN_IF_ERROR(status);
  PITH_RETURN_IF_ERROR(AddMembers(schema, flat));
  return AddElements(schema, flat);
}

Status SchemaFlattener::AddKeyword(const std::string& key, const Json& value, const PlacedSchema& schema,
                                   FlatSchema& flat) {
  const std::string place = schema.place + "/" + PointerPart(key);
  const auto raise = [&](uint64_t& least) -> Status {
    PITH_ASSIGN_OR_RETURN(const uint64_t n, Count(value, place));
    least = std::max(least, n);
    return OkStatus();
  };
  const auto lower = [&](uint64_t& most) -> Status {
    PITH_ASSIGN_OR_RETURN(const uint64_t n, Count(value, place));
    most = std::min(most, n);
    return OkStatus();
  };
  const auto set_text = [&](std::optional<FlatSchema::Text>& text) -> Status {
    if (!value.is_string()) return Wrong(place, "expected a string");
    const std::string& found = value.get_ref<const std::string&>();
    if (text && text->text != found)
      return NotSupported(place, "two of them for one value are not supported");
    text = {found, place};
    return OkStatus();
  };
  if (key == "type") return AddTypes(value, schema, flat);
  if (key == "enum") return AddValues(value, /*is_enum=*/true, place, flat);
  if (key == "const") return AddValues(value, /*is_enum=*/false, place, flat);
  if (key == "required") return AddRequired(value, place, flat);
  if (key == "minProperties") return raise(flat.min_properties);
  if (key == "maxProperties") return lower(flat.max_properties);
  if (key == "minItems") return raise(flat.min_items);
  if (key == "maxItems") return lower(flat.max_items);
  if (key == "minLength") return raise(flat.min_length);
  if (key == "maxLength") return lower(flat.max_length);
  if (key == "pattern") return set_text(flat.pattern);
  if (key == "format") return set_text(flat.format);
  if (key == "minimum" || key == "maximum" || key == "exclusiveMinimum" || key == "exclusiveMaximum" ||
      key == "multipleOf")
    return AddNumberKeyword(key, value, schema, flat);
  if (key == "anyOf" || key == "oneOf") return AddChoice(value, place, flat);
  if (key == "allOf") {
    if (!value.is_array() || value.empty()) return Wrong(place, "expected an array of schemas");
    for (size_t i = 0; i < value.size(); ++i)
      PITH_RETURN_IF_ERROR(Add({&value[i], place + "/" + std::to_string(i)}, flat));
    return OkStatus();
  }
  if (key == "$ref") {
    PITH_ASSIGN_OR_RETURN(const PlacedSchema target, FollowRef(value, place));
    return Add(target, flat);
  }
  if (key == "propertyNames") {
    if (flat.property_names) return NotSupported(place, "two of them for one value are not supported");
    flat.property_names = PlacedSchema{&value, place};
    return OkStatus();
  }
  if (key == "nullable")
    return value.is_boolean() ? OkStatus() : Wrong(place, "expected true or false");  // see AddTypes
  if (key == "uniqueItems") {
    if (!value.is_boolean()) return Wrong(place, "expected true or false");
    return value.get<bool>() ? NotSupported(place, "true is not supported") : OkStatus();
  }
  if (key == "patternProperties" && value.is_object() && value.empty()) return OkStatus();
  const bool is_of_members = key == "properties" || key == "additionalProperties";
  const bool is_of_elements = key == "items" || key == "prefixItems" || key == "additionalItems";
  if (is_of_members || is_of_elements) return OkStatus();  // AddMembers, AddElements
  return NotSupported(place, "this keyword is not supported");
}

Status SchemaFlattener::AddTypes(const Json& value, const PlacedSchema& schema, FlatSchema& flat) {
  const std::string place = schema.place + "/type";
  const Json list = value.is_array() ? value : Json::array({value});
  uint8_t types = 0;
  bool integers = false;
  bool numbers = false;
  for (const Json& name : list) {
    if (!name.is_string()) return Wrong(place, "expected the name of a type, or an array of these");
    const std::string& text = name.get_ref<const std::string&>();
    const auto known =
        std::ranges::find(kTypes, std::string_view(text), &std::pair<std::string_view, uint8_t>::first);
    if (known == std::end(kTypes))
      return Wrong(place, "found \"" + ForMessage(text) +
                              "\", expected null, boolean, object, array, number, integer or string");
    types |= known->second;
    integers = integers || text == "integer";
    numbers = numbers || text == "number";
  }
  const auto nullable = schema.schema->find("nullable");  // OpenAPI 3.0
  if (nullable != schema.schema->end() && nullable->is_boolean() && nullable->get<bool>())
    types |= FlatSchema::kNull;
  flat.types &= types;
  flat.number.is_integer = flat.number.is_integer || (integers && !numbers);
  return OkStatus();
}

Status SchemaFlattener::AddValues(const Json& value, bool is_enum, const std::string& place,
                                  FlatSchema& flat) {
  FlatSchema::Values found{.values = {}, .place = place};
  if (!is_enum) {
    found.values.push_back(&value);
  } else {
    if (!value.is_array() || value.empty()) return Wrong(place, "expected an array of values");
    if (value.size() > kMaxValues)
      return NotSupported(place, "more than " + std::to_string(kMaxValues) + " values");
    for (const Json& v : value) found.values.push_back(&v);
  }
  if (flat.values) {
    std::erase_if(found.values, [&](const Json* v) {
      return std::ranges::none_of(flat.values->values, [&](const Json* w) { return *v == *w; });
    });
  }
  flat.values = std::move(found);
  return OkStatus();
}

Status SchemaFlattener::AddNumberKeyword(const std::string& key, const Json& value,
                                         const PlacedSchema& schema, FlatSchema& flat) {
  const std::string place = schema.place + "/" + key;
  const bool is_exclusive = key.starts_with("exclusive");
  if (is_exclusive && value.is_boolean()) return OkStatus();  // draft 4: about the other keyword, see below
  if (!value.is_number()) return Wrong(place, "expected a number");
  if (value.is_number_float() && !std::isfinite(value.get<double>()))
    return Wrong(place, "expected a finite number");
  const Decimal number = ToDecimal(value);
  if (key == "multipleOf") {
    if (number.is_negative || number.is_zero()) return Wrong(place, "expected a number above 0");
    if (flat.number.multiple_of && Compare(*flat.number.multiple_of, number) != 0)
      return NotSupported(place, "two of them for one value are not supported");
    flat.number.multiple_of = number;
    return OkStatus();
  }
  const bool is_lower = key.ends_with("inimum");
  const auto draft4 = schema.schema->find(is_lower ? "exclusiveMinimum" : "exclusiveMaximum");
  const bool excludes =
      !is_exclusive && draft4 != schema.schema->end() && draft4->is_boolean() && draft4->get<bool>();
  const NumberLimits::Bound bound{number, is_exclusive || excludes};
  if (is_lower) {
    flat.number.Raise(bound);
  } else {
    flat.number.Lower(bound);
  }
  return OkStatus();
}

Status SchemaFlattener::AddMembers(const PlacedSchema& schema, FlatSchema& flat) {
  FlatSchema::Members members;
  const auto properties = schema.schema->find("properties");
  if (properties != schema.schema->end()) {
    const std::string place = schema.place + "/properties";
    if (!properties->is_object()) return Wrong(place, "expected an object of schemas");
    if (properties->size() > kMaxProperties)
      return NotSupported(place, "more than " + std::to_string(kMaxProperties) + " properties");
    for (const auto& [name, value] : properties->items())
      members.properties.push_back({name, {&value, place + "/" + PointerPart(name)}});
  }
  const auto additional = schema.schema->find("additionalProperties");
  if (additional != schema.schema->end())
    members.additional = PlacedSchema{&*additional, schema.place + "/additionalProperties"};
  if (!members.properties.empty() || members.additional) flat.members.push_back(std::move(members));
  return OkStatus();
}

// prefixItems and items, or, as before draft 2020-12, an array as items and additionalItems.
Status SchemaFlattener::AddElements(const PlacedSchema& schema, FlatSchema& flat) {
  const auto prefix = schema.schema->find("prefixItems");
  const auto items = schema.schema->find("items");
  const auto additional = schema.schema->find("additionalItems");
  const auto end = schema.schema->end();
  const bool is_old = items != end && items->is_array();
  FlatSchema::Elements elements;
  const auto list = is_old ? items : prefix;
  if (list != end) {
    const std::string place = schema.place + (is_old ? "/items" : "/prefixItems");
    if (!list->is_array() || (is_old && prefix != end)) return Wrong(place, "expected one array of schemas");
    for (size_t i = 0; i < list->size(); ++i)
      elements.prefix.push_back({&(*list)[i], place + "/" + std::to_string(i)});
  }
  if (is_old && additional != end)
    elements.items = PlacedSchema{&*additional, schema.place + "/additionalItems"};
  if (!is_old && items != end) elements.items = PlacedSchema{&*items, schema.place + "/items"};
  if (!elements.prefix.empty() || elements.items) flat.elements.push_back(std::move(elements));
  return OkStatus();
}

Status SchemaFlattener::AddRequired(const Json& value, const std::string& place, FlatSchema& flat) {
  if (!value.is_array()) return Wrong(place, "expected an array of strings");
  if (value.size() + flat.required.size() > kMaxProperties)
    return NotSupported(place, "more than " + std::to_string(kMaxProperties) + " names");
  for (const Json& name : value) {
    if (!name.is_string()) return Wrong(place, "expected an array of strings");
    const std::string& text = name.get_ref<const std::string&>();
    if (std::ranges::find(flat.required, text) == flat.required.end()) flat.required.push_back(text);
  }
  return OkStatus();
}

Status SchemaFlattener::AddChoice(const Json& value, const std::string& place, FlatSchema& flat) {
  if (!value.is_array() || value.empty()) return Wrong(place, "expected an array of schemas");
  std::vector<PlacedSchema> alternatives;
  for (size_t i = 0; i < value.size(); ++i)
    alternatives.push_back({&value[i], place + "/" + std::to_string(i)});
  flat.choices.push_back(std::move(alternatives));
  return OkStatus();
}

}  // namespace pith
