#include "grammar/json_schema.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <regex>
#include <string>
#include <vector>

#include "base/utf8.h"
#include "grammar/constraint_testing.h"

namespace pith {
namespace {

using Json = nlohmann::ordered_json;

// What a schema means, read again from the standard: by validation, not by generation, and without regard to
// speed.
class Validator {
 public:
  explicit Validator(const Json& document) : document_(document) {}

  bool Fits(const Json& value, const Json& schema) const {
    if (schema.is_boolean()) return schema.get<bool>();
    for (const auto& [key, argument] : schema.items()) {
      if (!FitsKeyword(value, key, argument, schema)) return false;
    }
    return true;
  }

 private:
  static size_t Length(const std::string& text) {
    return static_cast<size_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
  }

  static std::wstring Wide(std::string_view text) {
    std::wstring wide;
    for (size_t at = 0; at < text.size();) wide += static_cast<wchar_t>(TakeUtf8(text, at));
    return wide;
  }

  static bool IsType(const Json& value, const std::string& type) {
    if (type == "integer")
      return value.is_number_integer() ||
             (value.is_number() && std::floor(value.get<double>()) == value.get<double>());
    if (type == "number") return value.is_number();
    return type == value.type_name();
  }

  static bool FitsFormat(const std::string& text, const std::string& format) {
    const auto matches = [&](const char* regex) { return std::regex_match(text, std::regex(regex)); };
    const auto is_date = [](const std::string& date) {
      if (!std::regex_match(date, std::regex("\\d{4}-\\d{2}-\\d{2}"))) return false;
      const int year = std::stoi(date.substr(0, 4));
      const int month = std::stoi(date.substr(5, 2));
      const int day = std::stoi(date.substr(8, 2));
      if (month < 1 || month > 12) return false;
      const bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
      const int days[] = {31, is_leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
      return day >= 1 && day <= days[month - 1];
    };
    const auto is_time = [](const std::string& time) {
      std::smatch m;
      if (!std::regex_match(time, m, std::regex(R"((\d\d):(\d\d):(\d\d)(\.\d+)?(Z|[+-](\d\d):(\d\d)))")))
        return false;
      const auto below = [&](size_t i, int limit) { return !m[i].matched || std::stoi(m[i]) < limit; };
      return below(1, 24) && below(2, 60) && below(3, 60) && below(6, 24) && below(7, 60);
    };
    if (format == "date") return is_date(text);
    if (format == "time") return is_time(text);
    if (format == "date-time")
      return text.size() > 11 && text[10] == 'T' && is_date(text.substr(0, 10)) && is_time(text.substr(11));
    if (format == "uuid") return matches("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}");
    if (format == "ipv4") return matches("((25[0-5]|2[0-4]\\d|1\\d\\d|\\d?\\d)(\\.(?!$)|$)){4}");
    if (format == "ipv6") return matches("[0-9a-fA-F]{1,4}(:[0-9a-fA-F]{1,4}){7}");
    if (format == "hostname")
      return text.size() <= 253 &&
             matches("(?!-)[A-Za-z0-9-]{0,62}[A-Za-z0-9](\\.(?!-)[A-Za-z0-9-]{0,62}[A-Za-z0-9])*");
    if (format == "email") return matches("[^@\\s\"]{1,64}@[^@\\s\"]+\\.[^@\\s\"]+");
    if (format == "duration")
      return matches("P(?!$)(\\d+W|(\\d+Y)?(\\d+M)?(\\d+D)?(T(?!$)(\\d+H)?(\\d+M)?(\\d+S)?)?)");
    ADD_FAILURE() << "format " << format;
    return false;
  }

  bool FitsNumberKeyword(const Json& value, const std::string& key, const Json& argument) const {
    if (!value.is_number()) return true;
    const bool exact = value.is_number_integer() && argument.is_number_integer();
    // 64 bits of mantissa hold every integer of 64 bits.
    const auto wide = [](const Json& n) -> long double {
      if (n.is_number_unsigned()) return static_cast<long double>(n.get<uint64_t>());
      return n.is_number_integer() ? static_cast<long double>(n.get<int64_t>())
                                   : static_cast<long double>(n.get<double>());
    };
    const auto order = [&] {
      return wide(value) < wide(argument) ? -1 : wide(value) > wide(argument) ? 1 : 0;
    };
    if (key == "minimum") return order() >= 0;
    if (key == "exclusiveMinimum") return order() > 0;
    if (key == "maximum") return order() <= 0;
    if (key == "exclusiveMaximum") return order() < 0;
    if (exact) return value.get<int64_t>() % argument.get<int64_t>() == 0;
    const double quotient = value.get<double>() / argument.get<double>();
    return std::abs(quotient - std::round(quotient)) < 1e-6 * std::max(1.0, std::abs(quotient) * 1e-6);
  }

  bool FitsArray(const Json& value, const std::string& key, const Json& argument, const Json& schema) const {
    if (!value.is_array()) return true;
    if (key == "minItems") return value.size() >= argument.get<size_t>();
    if (key == "maxItems") return value.size() <= argument.get<size_t>();
    const size_t n_prefix = schema.contains("prefixItems") ? schema["prefixItems"].size() : 0;
    for (size_t i = 0; i < value.size(); ++i) {
      if (key == "prefixItems" && i < n_prefix && !Fits(value[i], argument[i])) return false;
      if (key == "items" && i >= n_prefix && !Fits(value[i], argument)) return false;
    }
    return true;
  }

  bool FitsObject(const Json& value, const std::string& key, const Json& argument, const Json& schema) const {
    if (!value.is_object()) return true;
    if (key == "minProperties") return value.size() >= argument.get<size_t>();
    if (key == "maxProperties") return value.size() <= argument.get<size_t>();
    if (key == "required")
      return std::all_of(argument.begin(), argument.end(),
                         [&](const Json& name) { return value.contains(name.get<std::string>()); });
    for (const auto& [name, member] : value.items()) {
      if (key == "propertyNames" && !Fits(Json(name), argument)) return false;
      if (key == "properties" && argument.contains(name) && !Fits(member, argument[name])) return false;
      const bool is_declared = schema.contains("properties") && schema["properties"].contains(name);
      if (key == "additionalProperties" && !is_declared && !Fits(member, argument)) return false;
    }
    return true;
  }

  bool FitsKeyword(const Json& value, const std::string& key, const Json& argument,
                   const Json& schema) const {
    const auto fits = [&](const Json& s) { return Fits(value, s); };
    if (key == "type") {
      if (argument.is_string()) return IsType(value, argument.get<std::string>());
      return std::any_of(argument.begin(), argument.end(),
                         [&](const Json& t) { return IsType(value, t.get<std::string>()); });
    }
    if (key == "enum") return std::find(argument.begin(), argument.end(), value) != argument.end();
    if (key == "const") return value == argument;
    if (key == "anyOf" || key == "oneOf") return std::any_of(argument.begin(), argument.end(), fits);
    if (key == "allOf") return std::all_of(argument.begin(), argument.end(), fits);
    if (key == "$ref")
      return Fits(value, document_.at(Json::json_pointer(argument.get<std::string>().substr(1))));
    if (key == "minimum" || key == "maximum" || key == "exclusiveMinimum" || key == "exclusiveMaximum" ||
        key == "multipleOf")
      return FitsNumberKeyword(value, key, argument);
    if (key == "minItems" || key == "maxItems" || key == "items" || key == "prefixItems")
      return FitsArray(value, key, argument, schema);
    if (key == "properties" || key == "required" || key == "additionalProperties" || key == "propertyNames" ||
        key == "minProperties" || key == "maxProperties")
      return FitsObject(value, key, argument, schema);
    if (key == "minLength")
      return !value.is_string() || Length(value.get<std::string>()) >= argument.get<size_t>();
    if (key == "maxLength")
      return !value.is_string() || Length(value.get<std::string>()) <= argument.get<size_t>();
    if (key == "pattern")
      return !value.is_string() || std::regex_search(Wide(value.get<std::string>()),
                                                     std::wregex(Wide(argument.get<std::string>())));
    if (key == "format")
      return !value.is_string() || FitsFormat(value.get<std::string>(), argument.get<std::string>());
    if (key == "$defs" || key == "title" || key == "description" || key == "default") return true;
    ADD_FAILURE() << "the test does not know " << key;
    return false;
  }

  const Json& document_;
};

std::unique_ptr<TokenConstraint> Constrain(const std::string& schema) {
  const auto grammar = Share(ParseJsonSchema(schema));
  return grammar == nullptr ? nullptr : MakeGrammarConstraint(grammar, JsonTrie());
}

constexpr const char* kSchemas[] = {
    "{}",
    "true",
    R"({"type":"object"})",
    R"({"type":["string","null","boolean"]})",
    R"({"type":["integer","string"]})",
    R"({"enum":["a\"b\n\u00e9", 1, -2.5, null, true, {"k":[1,{"x":"y"}]}, [], {}]})",
    R"({"const":{"a":[1,2,3]}})",
    R"({"type":"string","enum":["abc", 3, "abcd", "trueabc"]})",
    R"({"type":"object","properties":{"name":{"type":"string"},"age":{"type":"integer","minimum":0,"maximum":150}},
        "required":["name","age"],"additionalProperties":false})",
    R"({"type":"object","properties":{"a":{"type":"boolean"},"b":{"type":"null"},"c":{"enum":[1,2]}},
        "additionalProperties":false})",
    R"({"type":"object","properties":{"a":{"type":"boolean"},"ab":{"type":"null"},"c":{"enum":[1,2]}},
        "required":["ab","z"]})",
    R"({"type":"object","properties":{"a":true},"additionalProperties":{"type":"integer"}})",
    R"({"type":"object","properties":{"a":{"type":"null"},"b":false,"c":{"type":"null"}},
        "additionalProperties":false,"minProperties":1})",
    R"({"type":"object","properties":{"a":{"type":"null"},"b":{"type":"null"},"c":{"type":"null"}},
        "additionalProperties":false,"minProperties":2,"maxProperties":2})",
    R"({"type":"object","additionalProperties":{"type":"null"},"maxProperties":3})",
    R"({"type":"object","propertyNames":{"pattern":"^[ab]{1,3}$"},"additionalProperties":{"type":"boolean"}})",
    R"({"type":"object","propertyNames":{"enum":["abc","u"]}})",
    R"({"type":"array"})",
    R"({"type":"array","items":{"type":"integer"},"minItems":2,"maxItems":5})",
    R"({"type":"array","items":false})",
    R"({"type":"array","prefixItems":[{"type":"string"},{"type":"integer"},{"type":"null"}],"minItems":2})",
    R"({"type":"array","prefixItems":[{"type":"string"},{"type":"integer"}],"items":false})",
    R"({"type":"array","prefixItems":[{"type":"null"}],"items":{"type":"boolean"},"minItems":3,"maxItems":4})",
    R"({"type":"array","prefixItems":[{"type":"null"},false],"maxItems":4})",
    R"({"type":"array","items":{"type":"array","items":{"type":"number"},"maxItems":2}})",
    R"({"type":"string","minLength":3,"maxLength":5})",
    R"({"type":"string","minLength":200})",
    R"({"type":"string","maxLength":300})",
    R"({"type":"string","pattern":"^[a-c]+\\d{2,3}(x|yz)?$"})",
    R"({"type":"string","pattern":"abc"})",
    R"({"type":"string","pattern":"^a|b$"})",
    R"({"type":"string","pattern":"^[^a-z\\s]{2}\\.\\w*$"})",
    R"({"type":"string","pattern":"^(?:\"|\\\\|\\n|\\/|\\x41|\\u00e9){3}$"})",
    R"({"type":"string","format":"date"})",
    R"({"type":"string","format":"time"})",
    R"({"type":"string","format":"date-time"})",
    R"({"type":"string","format":"uuid"})",
    R"({"type":"string","format":"ipv4"})",
    R"({"type":"string","format":"ipv6"})",
    R"({"type":"string","format":"hostname"})",
    R"({"type":"string","format":"email"})",
    R"({"type":"string","format":"duration"})",
    R"({"type":"integer"})",
    R"({"type":"integer","minimum":-17,"maximum":203})",
    R"({"type":"integer","exclusiveMinimum":99,"exclusiveMaximum":1001})",
    R"({"type":"integer","minimum":7})",
    R"({"type":"integer","maximum":-7})",
    R"({"type":"integer","minimum":1.5,"maximum":3.5})",
    R"({"type":"integer","minimum":-3.5,"maximum":-1.5})",
    R"({"type":"integer","minimum":0,"maximum":18446744073709551615})",
    R"({"type":"integer","multipleOf":7})",
    R"({"type":"integer","multipleOf":100})",
    R"({"type":"integer","multipleOf":5,"minimum":-12,"maximum":31})",
    R"({"type":"number"})",
    R"({"type":"number","minimum":0,"maximum":1})",
    R"({"type":"number","exclusiveMinimum":0,"exclusiveMaximum":1})",
    R"({"type":"number","minimum":-1.25,"maximum":2.125})",
    R"({"type":"number","minimum":0.1,"exclusiveMaximum":0.25})",
    R"({"type":"number","exclusiveMinimum":-3,"maximum":-2.5})",
    R"({"type":"number","exclusiveMinimum":12})",
    R"({"type":"number","maximum":-0.001})",
    R"({"type":"number","multipleOf":0.01,"minimum":0,"maximum":100})",
    R"({"type":"number","multipleOf":3})",
    R"({"minimum":5,"maxLength":2,"items":{"type":"null"},"properties":{"a":{"type":"null"}}})",
    R"({"anyOf":[{"type":"integer"},{"type":"array","items":{"type":"integer"}},{"const":"abc"}]})",
    R"({"oneOf":[{"type":"null"},false,{"type":"boolean"}]})",
    R"({"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"integer"}},"additionalProperties":false,
        "anyOf":[{"required":["a"]},{"required":["b"]}]})",
    R"({"anyOf":[{"type":"string"},{"type":"integer"}],"oneOf":[{"minimum":3},{"minLength":2}]})",
    R"({"allOf":[{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"]},
                 {"properties":{"a":{"minimum":5,"maximum":9},"b":{"type":"string"}},"required":["b"]}]})",
    R"({"allOf":[{"properties":{"a":{"type":"null"}},"additionalProperties":false},
        {"type":"object","properties":{"b":true}}]})",
    R"({"allOf":[{"type":["array","null"],"items":{"type":"number"}},
        {"type":"array","prefixItems":[{"type":"integer"}],"maxItems":3}]})",
    R"({"allOf":[{"enum":[1,2,3]},{"enum":[2,3,4]},{"minimum":3}]})",
    R"({"$ref":"#/$defs/a~1b","$defs":{"a/b":{"type":"array","items":{"$ref":"#/$defs/c"}},"c":{"type":"null"}}})",
    R"({"type":"object","properties":{"value":{"type":"integer"},"next":{"anyOf":[{"$ref":"#"},{"type":"null"}]}},
        "required":["value","next"],"additionalProperties":false})",
    R"({"$defs":{"tree":{"type":"object","properties":{"children":{"type":"array","items":{"$ref":"#/$defs/tree"}}},
        "required":["children"],"additionalProperties":false}},"$ref":"#/$defs/tree"})",
    R"({"$defs":{"node":{"allOf":[{"$ref":"#/$defs/base"},
        {"properties":{"kids":{"type":"array","items":{"$ref":"#/$defs/node"},"maxItems":2}}}]},
        "base":{"type":"object","properties":{"id":{"type":"integer"}},"required":["id"]}},"$ref":"#/$defs/node"})",
    R"({"$defs":{"big":{"type":"integer"}},"$ref":"#/$defs/big","minimum":100,"maximum":120})",
    R"({"title":"t","description":"d","type":"object","properties":{"title":{"type":"string","description":"x","default":""}},"required":["title"],"additionalProperties":false})",
};

TEST(JsonSchema, RandomTextsFitTheirSchema) {
  std::mt19937 random(11);
  for (const char* schema : kSchemas) {
    SCOPED_TRACE(schema);
    const auto constraint = Constrain(schema);
    ASSERT_NE(constraint, nullptr);
    const Json document = Json::parse(schema);
    const Validator validator(document);
    for (size_t i = 0; i < 30; ++i) {
      const std::string text = RandomText(*constraint, *JsonTrie(), random, i * 2);
      const Json value = Json::parse(text, nullptr, /*allow_exceptions=*/false);
      ASSERT_FALSE(value.is_discarded()) << text;
      ASSERT_TRUE(validator.Fits(value, document)) << text;
    }
  }
}

void ExpectTexts(const std::string& schema, const std::vector<std::string>& whole,
                 const std::vector<std::string>& others) {
  SCOPED_TRACE(schema);
  const auto constraint = Constrain(schema);
  ASSERT_NE(constraint, nullptr);
  for (const std::string& text : whole) EXPECT_TRUE(IsWholeText(*constraint, text)) << text;
  for (const std::string& text : others) EXPECT_FALSE(IsWholeText(*constraint, text)) << text;
}

TEST(JsonSchema, ValuesHaveTheirForms) {
  ExpectTexts("{}",
              {"{}", "[]", "[ 1, 2 ]", "{\n  \"a\": [\n\t\ttrue\n  ]\n}", "\"\\u00e9\\ud83d\\ude00\xc3\xa9\"",
               "-1.5e-10", "null"},
              {" 1",
               "1 ",
               "{ }",
               "[1 ,2]",
               "[1,  2]",
               "[\n\n1]",
               "\"\\ud83d\"",
               "\"\\ude00\"",
               "01",
               "1.",
               "1e400",
               "1e",
               "+1",
               "\"\n\"",
               "\"\xff\"",
               "{\"a\" :1}",
               "{\"a\":  1}",
               "{\"a\":\n1}",
               "1234567890123456789",
               "[1,]",
               ""});
  ExpectTexts(R"({"type":"integer"})", {"0", "-12", "123456789012345678"}, {"-0", "1.0", "00", "1e2", "-"});
}

TEST(JsonSchema, PropertiesComeInTheirOrder) {
  const char* schema =
      R"({"type":"object","properties":{"b":{"type":"integer"},"a":{"type":"integer"},"ba":{"type":"integer"}},
        "required":["a"]})";
  ExpectTexts(schema,
              {R"({"b":1,"a":2})", R"({"a":2})", R"({"a":2,"ba":3})", R"({"a":2,"x":3,"bab":[]})",
               R"({"a":2,"":0,"\n\"":0})"},
              {R"({"a":2,"b":1})", R"({"b":1})", "{}", R"({"a":2,"x":3,"b":1})", R"({"a":2,"a":1})",
               R"({"a":2,"\u0062":1})", R"({"a":2,})", R"({"x":3,"a":2})"});
}

TEST(JsonSchema, KeywordsSayWhatTheySay) {
  ExpectTexts(R"({"minLength":2,"maxLength":3,"type":"string"})",
              {"\"\xc3\xa9\\n\"", "\"\xf0\x9f\x98\x80\\ud83d\\ude00x\""},
              {"\"a\"", "\"abcd\"", "\"\\ud83d\\ude00\""});
  ExpectTexts(R"({"type":"string","pattern":"^a.c$"})", {"\"abc\"", "\"a\\\"c\"", "\"a\\u0001c\""},
              {"\"a\\nc\"", "\"\\u0061bc\"", "\"xabc\"", "\"ac\""});
  ExpectTexts(R"({"type":"string","pattern":"b|^$"})", {"\"abc\"", "\"b\"", "\"\"", "\"bb\""}, {"\"ac\""});
  ExpectTexts(R"({"type":"integer","minimum":-5,"maximum":105})", {"-5", "0", "9", "10", "99", "100", "105"},
              {"-6", "106", "-10", "200", "1050"});
  ExpectTexts(R"({"type":"number","minimum":-0.5,"maximum":1.25})",
              {"-0.5", "-0.50", "-0.49", "0", "0.0", "1", "1.25", "1.250", "1.1999"},
              {"-0.51", "1.26", "1.251", "2", "-1", "1e0"});
  ExpectTexts(R"({"type":"number","exclusiveMinimum":0,"maximum":10})",
              {"0.1", "0.001", "10", "10.0", "9.99"}, {"0", "0.0", "10.01", "-1"});
  ExpectTexts(R"({"type":"number","minimum":5,"exclusiveMinimum":true})", {"5.1", "6"}, {"5", "5.0", "4"});
  ExpectTexts(R"({"type":"integer","multipleOf":3})", {"0", "3", "-12", "999"}, {"1", "-2", "10"});
  ExpectTexts(R"({"type":"string","nullable":true})", {"\"\"", "null"}, {"1"});
  ExpectTexts(R"({"type":"array","items":[{"type":"null"}],"additionalItems":{"type":"boolean"}})",
              {"[]", "[null]", "[null,true,false]"}, {"[true]", "[null,null]"});
  ExpectTexts(R"({"type":"array","minItems":1,"maxItems":2})", {"[1]", "[[],{}]"}, {"[]", "[1,2,3]"});
  ExpectTexts(R"({"type":"array","maxItems":0})", {"[]"}, {"[1]"});
  ExpectTexts(R"({"type":"string","format":"date"})", {"\"2024-02-29\"", "\"2000-02-29\"", "\"1999-12-31\""},
              {"\"2023-02-29\"", "\"1900-02-29\"", "\"2024-04-31\"", "\"2024-13-01\"", "\"0000-01-01\""});
  ExpectTexts(
      R"({"type":"object","properties":{"a":{"const":1}},"additionalProperties":false,"required":["a"]})",
      {R"({"a":1})", "{ \"a\": 1\n}"}, {"{}", R"({"a":1,"b":2})"});
  ExpectTexts(
      R"({"anyOf":[{"type":"object","properties":{"k":{"const":"a"},"x":{"type":"null"}},"required":["k","x"]},
                           {"type":"object","properties":{"k":{"const":"b"},"y":{"type":"null"}},
        "required":["k","y"]}]})",
      {R"({"k":"a","x":null})", R"({"k":"b","y":null})"}, {R"({"k":"a","y":null})", R"({"k":"c","x":null})"});
}

TEST(JsonSchema, TextsAreAcceptedHoweverTheyAreCutIntoTokens) {
  const auto trie = JsonTrie();
  const auto constraint =
      Constrain(R"({"type":"object","properties":{"abc":{"type":"string"},"u":{"type":"boolean"}}})");
  const std::string text = "{\"abc\": \"tr\xf0\x9f\x98\x80 \\u0041abc\",\"u\":true,\"z\":[[12.5]]}";
  std::mt19937 random(1);
  for (int round = 0; round < 200; ++round) {
    constraint->Reset();
    for (size_t at = 0; at < text.size();) {
      std::vector<TokenId> fitting;
      for (TokenId id = 0; id < trie->vocab_size(); ++id) {
        const std::string_view bytes = AsText(trie->TokenBytes(id));
        if (!bytes.empty() && std::string_view(text).substr(at).starts_with(bytes)) fitting.push_back(id);
      }
      const TokenId id = fitting[random() % fitting.size()];
      ASSERT_TRUE(Allows(MaskOf(*constraint, *trie), id)) << text.substr(at);
      ASSERT_TRUE(constraint->Accept(id).ok()) << text.substr(at);
      at += trie->TokenBytes(id).size();
    }
    ASSERT_TRUE(constraint->MayEnd());
  }
}

// Each token is what Accept says, at many places of many texts.
TEST(JsonSchema, MasksAgreeWithWhatIsAccepted) {
  const auto trie = JsonTrie();
  std::mt19937 random(2);
  for (const char* schema : kSchemas) {
    SCOPED_TRACE(schema);
    const auto grammar = Share(ParseJsonSchema(schema));
    const auto constraint = MakeGrammarConstraint(grammar, trie);
    const auto other = MakeGrammarConstraint(grammar, trie);  // knows nothing but the text
    std::string text;
    for (int step = 0; step < 12; ++step) {
      const std::vector<uint64_t> mask = MaskOf(*constraint, *trie);
      std::vector<TokenId> allowed;
      for (TokenId id = 0; id < trie->vocab_size(); ++id) {
        ASSERT_TRUE(AcceptsText(*other, text));
        ASSERT_EQ(other->Accept(id).ok(), Allows(mask, id)) << "token " << id << " after " << text;
        if (Allows(mask, id)) allowed.push_back(id);
      }
      if (allowed.empty()) break;
      const TokenId chosen = allowed[random() % allowed.size()];
      ASSERT_TRUE(constraint->Accept(chosen).ok());
      text += AsText(trie->TokenBytes(chosen));
    }
  }
}

void ExpectError(const std::string& schema, StatusCode code, const std::string& part) {
  const Result<Grammar> grammar = ParseJsonSchema(schema);
  ASSERT_FALSE(grammar.ok()) << schema;
  EXPECT_EQ(grammar.status().code(), code) << grammar.status().message();
  EXPECT_NE(grammar.status().message().find(part), std::string::npos) << grammar.status().message();
}

TEST(JsonSchema, UnsupportedKeywordsAreNamedWithTheirPlace) {
  const auto expect = [](const std::string& schema, const std::string& part) {
    ExpectError(schema, StatusCode::kUnsupported, part);
  };
  for (const char* keyword :
       {"not", "if", "then", "else", "contains", "minContains", "dependentRequired", "dependentSchemas",
        "unevaluatedProperties", "unevaluatedItems", "$dynamicRef", "typo"})
    expect(R"({"properties":{"a/b":{")" + std::string(keyword) + R"(":{}}}})",
           std::string("#/properties/a~1b/") + keyword + ":");
  expect(R"({"items":{"patternProperties":{"a":true}}})", "#/items/patternProperties");
  expect(R"({"uniqueItems":true})", "#/uniqueItems");
  expect(R"({"type":"string","format":"iri"})", "#/format: found \"iri\"");
  expect(R"-({"type":"string","pattern":"(?=a)"})-", "#/pattern: regular expression: byte 2");
  expect(R"({"type":"string","pattern":"a\\b"})", "\\b");
  expect(R"-({"type":"string","pattern":"(^a)"})-", "\"^\"");
  expect(R"({"type":"string","pattern":"(a)\\1"})", "\\1");
  expect(R"({"type":"string","pattern":"a","maxLength":3})", "#/pattern");
  expect(R"({"type":"string","maxLength":2147483647})", "maxLength of 2147483647");
  expect(R"({"type":"number","multipleOf":0.3})", "multipleOf");
  expect(R"({"type":"integer","multipleOf":101})", "multipleOf");
  expect(R"({"$ref":"other.json"})", "#/$ref: found \"other.json\"");
  expect(R"({"enum":["a"],"pattern":"a"})", "#/enum: values beside pattern");
  expect(R"({"type":"object","minProperties":2})", "minProperties");
  expect(std::string(200, '[') + std::string(200, ']'), "nested deeper");
}

TEST(JsonSchema, WhatIsNoSchemaIsRefused) {
  const auto expect = [](const std::string& schema, const std::string& part) {
    ExpectError(schema, StatusCode::kInvalidArgument, part);
  };
  ExpectError("{\"type\":", StatusCode::kCorrupt, "line 1, column 9");
  ExpectError("{\"type\":\"\xff\"}", StatusCode::kCorrupt, "UTF-8");
  expect("3", "#: expected a schema");
  expect(R"({"type":"text"})", "#/type: found \"text\"");
  expect(R"({"properties":{"a":[]}})", "#/properties/a: expected a schema");
  expect(R"({"type":"string","minLength":-1})", "#/minLength");
  expect(R"({"type":"string","pattern":"["})", "without \"]\"");
  expect(R"({"enum":[]})", "#/enum");
  expect(R"({"anyOf":[]})", "#/anyOf");
  expect(R"({"$ref":"#/$defs/x"})", "which is not in the document");
  expect(R"({"$ref":"#"})", "leads back to itself");
  expect("false", "no value fits");
  expect(R"({"type":"string","minLength":3,"maxLength":2})", "no value fits");
  expect(R"({"type":"object","properties":{"a":{"$ref":"#"}},"required":["a"]})", "no value fits");
  expect(R"({"allOf":[{"type":"string"},{"type":"integer"}]})", "no value fits");
  expect(R"({"$defs":{"a":{"anyOf":[{"$ref":"#/$defs/a"},{"type":"null"}]}},"$ref":"#/$defs/a"})",
         "left recursion");
}

TEST(JsonSchema, HostileSchemasStayBounded) {
  std::string chain = R"({"$ref":"#/$defs/0","$defs":{)";
  for (int i = 0; i < 5000; ++i)
    chain += "\"" + std::to_string(i) + R"(":{"allOf":[{"$ref":"#/$defs/)" + std::to_string(i + 1) + "\"}]},";
  ExpectError(chain + R"("5000":{}}})", StatusCode::kUnsupported, "one within the other");
  std::string choices = R"({"allOf":[)";
  for (int i = 0; i < 20; ++i)
    choices += R"({"anyOf":[{"minimum":)" + std::to_string(i) + R"(},{"minLength":)" + std::to_string(i) +
               "},{\"type\":\"null\"}]},";
  ExpectError(choices + "true]}", StatusCode::kUnsupported, "JSON schema");
  std::string nested = "true";
  for (int i = 0; i < 60; ++i) nested = R"({"type":"array","items":)" + nested + "}";
  EXPECT_TRUE(ParseJsonSchema(nested).ok());
  std::string many = R"({"type":"object","properties":{)";
  for (int i = 0; i < 3000; ++i)
    many += "\"property_" + std::to_string(i) + R"(":{"type":"string","maxLength":20},)";
  EXPECT_TRUE(ParseJsonSchema(many + R"("last":true}})").ok());
}

// A thousand levels, which readers of JSON take.
TEST(JsonSchema, DeepValuesAreFollowed) {
  const auto constraint = Constrain("{}");
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "[{\"a\":";
  text += "null";
  for (int i = 0; i < 1000; ++i) text += "}]";
  EXPECT_TRUE(IsWholeText(*constraint, text));
  EXPECT_FALSE(AcceptsText(*constraint, text + "]"));
}

}  // namespace
}  // namespace pith
