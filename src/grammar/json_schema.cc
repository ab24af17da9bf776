#include "grammar/json_schema.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "grammar/flat_schema.h"
#include "grammar/grammar_builder.h"
#include "grammar/json_format_patterns.h"
#include "grammar/json_number_range.h"
#include "grammar/json_pieces.h"
#include "grammar/regex_grammar.h"

namespace pith {
namespace {

using Json = nlohmann::ordered_json;
using Expression = GrammarBuilder::Expression;

constexpr uint32_t kUnbounded = GrammarBuilder::kUnbounded;

// minProperties and maxProperties are kept by a rule for each count and property.
constexpr uint64_t kMaxCountedProperties = 256;

// anyOf and oneOf within each other, or beside each other, that are about one value.
constexpr size_t kMaxChoices = 50;

class SchemaCompiler {
 public:
  explicit SchemaCompiler(const Json& document)
      : document_(document), flattener_(document), pieces_(builder_) {}

  Result<Grammar> Compile() {
    PITH_ASSIGN_OR_RETURN(const Expression body, Fits({{&document_, "#"}}));
    const GrammarBuilder::Rule root = builder_.AddRule("the schema", body);
    // Schemas refer to each other, themselves included: each is a rule, made when its turn comes.
    while (!to_do_.empty()) {
      const auto [schemas, rule] = std::move(to_do_.back());
      to_do_.pop_back();
      FlatSchema flat;
      for (const PlacedSchema& schema : schemas) PITH_RETURN_IF_ERROR(flattener_.Add(schema, flat));
      PITH_ASSIGN_OR_RETURN(const Expression expression, FitsFlat(flat, 0));
      builder_.Define(rule, expression);
    }
    Result<Grammar> grammar = std::move(builder_).Build(root, GrammarBuilder::Barren::kCut);
    if (!grammar.ok()) {
      const std::string why =
          grammar.status().message().find(GrammarBuilder::kDerivesNothing) != std::string::npos
              ? "#: no value fits (or each would hold itself), expected that one does"
              : grammar.status().message();
      return Status(grammar.status().code(), "JSON schema: " + why);
    }
    return grammar;
  }

 private:
  struct Member {
    std::string name;
    Expression pair;
    bool is_required;
  };

  static Status NotSupported(const std::string& place, const std::string& what) {
    return Unsupported("JSON schema: " + ForMessage(place) + ": " + what);
  }

  // A value that fits all schemas: a call of their rule.
  Result<Expression> Fits(Conjunction schemas) {
    Conjunction asking;  // without those that any value fits
    std::string key;
    for (const PlacedSchema& schema : schemas) {
      PITH_ASSIGN_OR_RETURN(PlacedSchema resolved, flattener_.Resolve(schema));
      if (resolved.schema->is_boolean() && !resolved.schema->get<bool>()) return builder_.Nothing();
      if (resolved.schema->is_boolean() || (resolved.schema->is_object() && resolved.schema->empty()))
        continue;
      asking.push_back(std::move(resolved));
    }
    if (asking.empty()) return pieces_.Value();
    std::sort(asking.begin(), asking.end(),
              [](const PlacedSchema& a, const PlacedSchema& b) { return a.place < b.place; });
    for (const PlacedSchema& schema : asking) key += schema.place + '\n';
    const auto found = rules_.find(key);
    if (found != rules_.end()) return builder_.Call(found->second);
    const GrammarBuilder::Rule rule = builder_.AddRule(ForMessage(asking[0].place));
    rules_.emplace(std::move(key), rule);
    to_do_.emplace_back(std::move(asking), rule);
    return builder_.Call(rule);
  }

  // depth: of choices that have been made already.
  Result<Expression> FitsFlat(const FlatSchema& flat, size_t depth) {
    PITH_RETURN_IF_ERROR(builder_.status().WithContext("JSON schema"));
    if (flat.is_none) return builder_.Nothing();
    if (!flat.choices.empty()) return FitsChoice(flat, depth);
    if (flat.is_free) return pieces_.Value();
    if (flat.values) return OneOfValues(flat);
    std::vector<Expression> parts;
    if (flat.types & FlatSchema::kNull) parts.push_back(pieces_.Null());
    if (flat.types & FlatSchema::kBoolean) parts.push_back(pieces_.Boolean());
    if (flat.types & FlatSchema::kNumber) {
      Result<Expression> number = NumberWithin(flat.number, builder_, pieces_);
      if (!number.ok()) return NotSupported(flat.place, number.status().message());
      parts.push_back(*number);
    }
    if (flat.types & FlatSchema::kString) {
      PITH_ASSIGN_OR_RETURN(const Expression string, FitsString(flat));
      parts.push_back(string);
    }
    if (flat.types & FlatSchema::kArray) {
      PITH_ASSIGN_OR_RETURN(const Expression array, FitsArray(flat));
      parts.push_back(array);
    }
    if (flat.types & FlatSchema::kObject) {
      PITH_ASSIGN_OR_RETURN(const Expression object, FitsObject(flat));
      parts.push_back(object);
    }
    return builder_.Choice(parts);
  }

  // Each alternative of one choice, together with all else.
  Result<Expression> FitsChoice(const FlatSchema& flat, size_t depth) {
    if (depth >= kMaxChoices)
      return NotSupported(flat.place, "more than " + std::to_string(kMaxChoices) + " choices for one value");
    FlatSchema rest = flat;
    const std::vector<PlacedSchema> alternatives = std::move(rest.choices.back());
    rest.choices.pop_back();
    const bool is_alone = rest.choices.empty() && HasOnlyChoices(flat);
    std::vector<Expression> parts;
    for (const PlacedSchema& alternative : alternatives) {
      if (is_alone) {  // a rule that others may share, and that may come to itself again
        PITH_ASSIGN_OR_RETURN(const Expression part, Fits({alternative}));
        parts.push_back(part);
        continue;
      }
      FlatSchema together = rest;
      PITH_RETURN_IF_ERROR(flattener_.Add(alternative, together));
      PITH_ASSIGN_OR_RETURN(const Expression part, FitsFlat(together, depth + 1));
      parts.push_back(part);
    }
    return builder_.Choice(parts);
  }

  static bool HasOnlyChoices(const FlatSchema& flat) {
    return flat.types == FlatSchema::kAnyType && flat.number.is_free() && !flat.number.is_integer &&
           !flat.values && flat.members.empty() && flat.required.empty() && flat.min_properties == 0 &&
           flat.max_properties == FlatSchema::kNoMaximum && !flat.property_names && flat.elements.empty() &&
           flat.min_items == 0 && flat.max_items == FlatSchema::kNoMaximum && flat.min_length == 0 &&
           flat.max_length == FlatSchema::kNoMaximum && !flat.pattern && !flat.format;
  }

  Result<Expression> OneOfValues(const FlatSchema& flat) {
    std::vector<Expression> parts;
    for (const Json* value : flat.values->values) {
      PITH_ASSIGN_OR_RETURN(const bool fits, ValueFits(*value, flat));
      if (fits) parts.push_back(pieces_.Constant(*value));
    }
    return builder_.Choice(parts);
  }

  // Whether a value of an enum or const fits the other keywords.
  Result<bool> ValueFits(const Json& value, const FlatSchema& flat) {
    const auto not_beside = [&](const char* what) {
      return NotSupported(flat.values->place, std::string("values beside ") + what + " are not supported");
    };
    if (value.is_null()) return (flat.types & FlatSchema::kNull) != 0;
    if (value.is_boolean()) return (flat.types & FlatSchema::kBoolean) != 0;
    if (value.is_number()) {
      const Decimal number = ToDecimal(value);
      if (flat.number.multiple_of) return not_beside("multipleOf");
      if ((flat.types & FlatSchema::kNumber) == 0 || (flat.number.is_integer && !number.fraction.empty()))
        return false;
      const auto outside = [&](const std::optional<NumberLimits::Bound>& bound, int sign) {
        if (!bound) return false;
        const int order = sign * Compare(number, bound->value);
        return order < 0 || (order == 0 && bound->is_exclusive);
      };
      return !outside(flat.number.lower, 1) && !outside(flat.number.upper, -1);
    }
    if (value.is_string()) {
      if ((flat.types & FlatSchema::kString) == 0) return false;
      if (flat.pattern || flat.format) return not_beside("pattern or format");
      uint64_t length = 0;
      for (const char c : value.get_ref<const std::string&>()) length += (c & 0xc0) != 0x80;
      return length >= flat.min_length && length <= flat.max_length;
    }
    if (value.is_array()) {
      if ((flat.types & FlatSchema::kArray) == 0) return false;
      if (!flat.elements.empty()) return not_beside("items");
      return value.size() >= flat.min_items && value.size() <= flat.max_items;
    }
    if ((flat.types & FlatSchema::kObject) == 0) return false;
    if (!flat.members.empty() || flat.property_names) return not_beside("properties");
    const bool has_all =
        std::ranges::all_of(flat.required, [&](const std::string& name) { return value.contains(name); });
    return has_all && value.size() >= flat.min_properties && value.size() <= flat.max_properties;
  }

  // A count for a repetition. All counts above the limit are errors, since a repetition to 2^31 is not one
  // without end.
  Result<uint32_t> Count(uint64_t n, const FlatSchema& flat, const char* keyword) {
    if (n == FlatSchema::kNoMaximum) return kUnbounded;
    if (n <= kMaxRepetition) return static_cast<uint32_t>(n);
    return NotSupported(flat.place, std::string(keyword) + " of " + std::to_string(n) +
                                        ", expected at most " + std::to_string(kMaxRepetition));
  }

  Result<Expression> FitsString(const FlatSchema& flat) {
    if (!flat.pattern && !flat.format) {
      if (flat.min_length > flat.max_length) return builder_.Nothing();
      PITH_ASSIGN_OR_RETURN(const uint32_t min, Count(flat.min_length, flat, "minLength"));
      PITH_ASSIGN_OR_RETURN(const uint32_t max, Count(flat.max_length, flat, "maxLength"));
      return pieces_.String(min, max);
    }
    const bool has_length = flat.min_length > 0 || flat.max_length != FlatSchema::kNoMaximum;
    if (has_length || (flat.pattern && flat.format)) {
      return NotSupported(flat.pattern ? flat.pattern->place : flat.format->place,
                          "not supported beside minLength, maxLength, pattern or format");
    }
    std::string regex;
    if (flat.format) {
      regex = FormatPattern(flat.format->text);
      if (regex.empty())
        return NotSupported(
            flat.format->place,
            "found \"" + ForMessage(flat.format->text) +
                "\", expected date, time, date-time, duration, uuid, ipv4, ipv6, hostname or email");
      regex = "^" + regex + "$";
    } else {
      regex = flat.pattern->text;
    }
    Result<Expression> content =
        ParseRegex(regex, builder_, [&](const CodePointSet& set) { return pieces_.Character(set); });
    if (!content.ok()) {
      const std::string& place = flat.format ? flat.format->place : flat.pattern->place;
      return Status(content.status().code(),
                    "JSON schema: " + ForMessage(place) + ": " + content.status().message());
    }
    const Expression quote = builder_.Literal("\"");
    return builder_.Sequence({quote, *content, quote});
  }

  Result<Expression> FitsArray(const FlatSchema& flat) {
    if (flat.min_items > flat.max_items) return builder_.Nothing();
    size_t n_prefix = 0;
    for (const FlatSchema::Elements& elements : flat.elements)
      n_prefix = std::max(n_prefix, elements.prefix.size());
    // Element i must fit what each schema says about it.
    const auto element = [&](size_t i) {
      Conjunction schemas;
      for (const FlatSchema::Elements& elements : flat.elements) {
        if (i < elements.prefix.size()) {
          schemas.push_back(elements.prefix[i]);
        } else if (elements.items) {
          schemas.push_back(*elements.items);
        }
      }
      return Fits(std::move(schemas));
    };
    PITH_ASSIGN_OR_RETURN(const Expression other, element(n_prefix));
    const uint64_t n_other_min =
        flat.min_items - std::min<uint64_t>(flat.min_items, std::max<uint64_t>(n_prefix, 1));
    PITH_ASSIGN_OR_RETURN(const uint32_t min, Count(n_other_min, flat, "minItems"));
    uint32_t max = kUnbounded;
    if (flat.max_items != FlatSchema::kNoMaximum) {
      const uint64_t n_other_max =
          flat.max_items - std::min<uint64_t>(flat.max_items, std::max<uint64_t>(n_prefix, 1));
      PITH_ASSIGN_OR_RETURN(max, Count(n_other_max, flat, "maxItems"));
    }
    // rest: all behind the first n elements, commas before them included; from the last place to the first.
    Expression rest = builder_.Repeat(builder_.Sequence({pieces_.Comma(), other}), min, max);
    Expression first = other;
    for (size_t n = n_prefix; n-- > 0;) {
      PITH_ASSIGN_OR_RETURN(const Expression here, element(n));
      if (n == 0) {
        first = here;
        break;
      }
      const Expression stop = n >= flat.min_items ? builder_.Empty() : builder_.Nothing();
      const Expression more =
          n < flat.max_items ? builder_.Sequence({pieces_.Comma(), here, rest}) : builder_.Nothing();
      rest = builder_.Call(builder_.AddRule(ForMessage(flat.place), builder_.Choice({stop, more})));
    }
    const Expression some = builder_.Sequence(
        {builder_.Literal("["), pieces_.Break(), first, rest, pieces_.Break(), builder_.Literal("]")});
    return builder_.Choice({flat.min_items == 0 ? builder_.Literal("[]") : builder_.Nothing(),
                            flat.max_items > 0 ? some : builder_.Nothing()});
  }

  // The schemas that the property `name` of an object must fit.
  static Conjunction SchemasOf(const std::string& name, const FlatSchema& flat) {
    Conjunction schemas;
    for (const FlatSchema::Members& members : flat.members) {
      const auto declared =
          std::ranges::find(members.properties, name, &std::pair<std::string, PlacedSchema>::first);
      if (declared != members.properties.end()) {
        schemas.push_back(declared->second);
      } else if (members.additional) {
        schemas.push_back(*members.additional);
      }
    }
    return schemas;
  }

  Result<std::vector<Member>> MembersOf(const FlatSchema& flat) {
    std::vector<std::string> names;
    std::map<std::string, bool> is_required;  // by name, of all in `names`
    for (const FlatSchema::Members& members : flat.members) {
      for (const auto& [name, schema] : members.properties) {
        if (is_required.emplace(name, false).second) names.push_back(name);
      }
    }
    for (const std::string& name : flat.required) {
      if (is_required.emplace(name, true).second) {
        names.push_back(name);
      } else {
        is_required[name] = true;
      }
    }
    if (!names.empty() && flat.property_names)
      return NotSupported(flat.property_names->place, "not supported beside properties or required");
    std::vector<Member> members;
    for (const std::string& name : names) {
      const std::optional<std::string> quoted = pieces_.Quote(name);
      if (!quoted)
        return InvalidArgument("JSON schema: " + ForMessage(flat.place) +
                               ": a property's name is no valid UTF-8");
      if (name.size() > kMaxNameBytes) {
        return NotSupported(flat.place, "a property's name of " + std::to_string(name.size()) +
                                            " bytes, expected at most " + std::to_string(kMaxNameBytes));
      }
      PITH_ASSIGN_OR_RETURN(const Expression value, Fits(SchemasOf(name, flat)));
      const Expression key = builder_.Literal(*quoted);
      members.push_back({name, builder_.Sequence({key, pieces_.Colon(), value}), is_required[name]});
    }
    return members;
  }

  // A member of a name that no schema declares.
  Result<Expression> AdditionalMember(const std::vector<Member>& members, const FlatSchema& flat) {
    Conjunction schemas;
    for (const FlatSchema::Members& m : flat.members) {
      if (m.additional) schemas.push_back(*m.additional);
    }
    PITH_ASSIGN_OR_RETURN(const Expression value, Fits(std::move(schemas)));
    if (value == builder_.Nothing()) return value;
    Expression key;
    if (flat.property_names) {
      FlatSchema of_name;
      PITH_RETURN_IF_ERROR(flattener_.Add(*flat.property_names, of_name));
      of_name.types &= FlatSchema::kString;
      of_name.is_free = false;
      PITH_ASSIGN_OR_RETURN(key, FitsFlat(of_name, 0));
    } else {
      std::vector<std::string> names;
      for (const Member& member : members) names.push_back(member.name);
      key = members.empty() ? pieces_.String(0, kUnbounded) : pieces_.StringExcept(std::move(names));
    }
    return builder_.Sequence({key, pieces_.Colon(), value});
  }

  // Members in their order, then others. A rule says what may come behind the first i places when n members
  // have been written; n counts up to what still makes a difference.
  Result<Expression> FitsObject(const FlatSchema& flat) {
    PITH_ASSIGN_OR_RETURN(const std::vector<Member> members, MembersOf(flat));
    PITH_ASSIGN_OR_RETURN(const Expression additional, AdditionalMember(members, flat));
    const uint64_t max = flat.max_properties;
    if (flat.min_properties > max) return builder_.Nothing();
    const uint64_t n_counted =
        std::max<uint64_t>({1, flat.min_properties, max == FlatSchema::kNoMaximum ? 0 : max});
    if (n_counted > kMaxCountedProperties) {
      return NotSupported(flat.place, "minProperties or maxProperties of " + std::to_string(n_counted) +
                                          ", expected at most " + std::to_string(kMaxCountedProperties));
    }
    if (flat.min_properties > 1 && additional != builder_.Nothing()) {
      // A name may come twice among the additional ones, and counts once.
      return NotSupported(flat.place, "minProperties above 1 needs \"additionalProperties\": false");
    }
    const auto n_counts = static_cast<size_t>(n_counted) + 1;
    const auto after_one = [&](size_t n) { return std::min(n + 1, n_counts - 1); };
    const auto separator = [&](size_t n) { return n == 0 ? builder_.Empty() : pieces_.Comma(); };
    const auto name_rule = [&](Expression body) {
      return builder_.Call(builder_.AddRule(ForMessage(flat.place), body));
    };

    std::vector<Expression> rests(n_counts);  // by n, behind all places
    for (size_t n = n_counts; n-- > 0;) {
      const Expression stop = n > 0 && n >= flat.min_properties ? builder_.Empty() : builder_.Nothing();
      Expression more = builder_.Nothing();
      if (n == n_counts - 1 && max == FlatSchema::kNoMaximum) {
        more = builder_.Repeat(builder_.Sequence({pieces_.Comma(), additional}), 1, kUnbounded);
      } else if (n < max) {
        more = builder_.Sequence({separator(n), additional, rests[after_one(n)]});
      }
      rests[n] = name_rule(builder_.Choice({stop, more}));
    }
    for (size_t i = members.size(); i-- > 0;) {
      std::vector<Expression> before(n_counts);
      for (size_t n = 0; n < n_counts; ++n) {
        const Expression skip = members[i].is_required ? builder_.Nothing() : rests[n];
        const Expression take = n < max
                                    ? builder_.Sequence({separator(n), members[i].pair, rests[after_one(n)]})
                                    : builder_.Nothing();
        before[n] = name_rule(builder_.Choice({take, skip}));
      }
      rests = std::move(before);
    }
    const bool may_be_empty = flat.min_properties == 0 && flat.required.empty();
    const Expression some = builder_.Sequence(
        {builder_.Literal("{"), pieces_.Break(), rests[0], pieces_.Break(), builder_.Literal("}")});
    return builder_.Choice({may_be_empty ? builder_.Literal("{}") : builder_.Nothing(), some});
  }

  const Json& document_;
  SchemaFlattener flattener_;
  GrammarBuilder builder_;
  JsonPieces pieces_;
  std::map<std::string, GrammarBuilder::Rule> rules_;  // by places, each with a line end
  std::vector<std::pair<Conjunction, GrammarBuilder::Rule>> to_do_;
};

// Arrays and objects inside each other. Not by recursion: nobody has checked yet.
bool IsDeeperThan(const Json& json, size_t max_depth) {
  std::vector<std::pair<const Json*, size_t>> to_do = {{&json, 0}};
  while (!to_do.empty()) {
    const auto [value, depth] = to_do.back();
    to_do.pop_back();
    if (!value->is_structured()) continue;
    if (depth >= max_depth) return true;
    for (const Json& part : *value) to_do.emplace_back(&part, depth + 1);
  }
  return false;
}

}  // namespace

Result<Grammar> ParseJsonSchema(std::string_view json) {
  if (json.size() > kMaxSchemaBytes) {
    return Unsupported("JSON schema: " + std::to_string(json.size()) + " bytes, expected at most " +
                       std::to_string(kMaxSchemaBytes));
  }
  Json document;
  try {
    document = Json::parse(json);
  } catch (const Json::exception& e) {
    // Without the name of the exception: "[json.exception.parse_error.101] parse error at line 1, ..".
    const std::string_view what = e.what();
    return Corrupt("JSON schema: " + ForMessage(what.substr(std::min(what.find("] ") + 2, what.size()))));
  }
  return GrammarFromJsonSchema(document);
}

Result<Grammar> GrammarFromJsonSchema(const Json& schema) {
  if (IsDeeperThan(schema, kMaxSchemaDepth)) {
    return Unsupported("JSON schema: nested deeper than " + std::to_string(kMaxSchemaDepth));
  }
  return SchemaCompiler(schema).Compile();
}

}  // namespace pith
