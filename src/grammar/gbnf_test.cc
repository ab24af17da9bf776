#include "grammar/gbnf.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "grammar/constraint_testing.h"

namespace pith {
namespace {

std::unique_ptr<TokenConstraint> Constrain(std::string_view gbnf) {
  static const auto trie = MakeTrie({});
  const auto grammar = Share(ParseGbnf(gbnf));
  return grammar == nullptr ? nullptr : MakeGrammarConstraint(grammar, trie);
}

void ExpectTexts(std::string_view gbnf, const std::vector<std::string>& whole,
                 const std::vector<std::string>& others) {
  SCOPED_TRACE(gbnf);
  const auto constraint = Constrain(gbnf);
  ASSERT_NE(constraint, nullptr);
  for (const std::string& text : whole) EXPECT_TRUE(IsWholeText(*constraint, text)) << text;
  for (const std::string& text : others) EXPECT_FALSE(IsWholeText(*constraint, text)) << text;
}

TEST(Gbnf, ReadsEachPieceOfTheNotation) {
  ExpectTexts("root ::= \"a\\n\\t\\r\\\"\\\\\\x41\\u00e9\\U0001F600\"",
              {"a\n\t\r\"\\A\xc3\xa9\xf0\x9f\x98\x80"}, {"a", ""});
  ExpectTexts("root ::= [a-cx\\]\\-\\x30-\\x32-]", {"a", "b", "c", "x", "]", "-", "0", "1", "2"},
              {"d", "3", "\\", "aa", ""});
  ExpectTexts("root ::= [^a-y\\n]", {"z", "\xc3\xa9", "\xf0\x9f\x98\x80"},
              {"a", "\n", "\xc3", "\xff", "\xed\xa0\x80"});
  ExpectTexts("root ::= .", {"a", "\n", "\xe2\x82\xac"}, {"", "ab", "\x80", "\xc0\x80", "\xf4\x90\x80\x80"});
  ExpectTexts("root ::= (\"a\" | \"b\" \"c\" | )", {"a", "bc", ""}, {"b", "abc"});
  ExpectTexts("root ::= \"a\"{2} \"b\"{1,} \"c\"{ 1 , 2 } \"d\"?", {"aabc", "aabbccd"},
              {"abc", "aabccc", "aac"});
  ExpectTexts("root ::= \"a\"{0} \"b\"", {"b"}, {"a", "ab"});
  ExpectTexts("# a comment\nroot ::= x # and one more\n  \"y\"\n\n  | z-1\nx ::= \"x\"\r\nz-1 ::= \"z\"",
              {"xy", "z"}, {"x", "xz"});
  ExpectTexts("root ::= (\n  \"a\"\n  |\n  \"b\"\n)\nunused ::= root", {"a", "b"}, {"ab"});
  ExpectTexts("root ::= [\xc3\xa0-\xc3\xbc\xe2\x82\xac]+", {"\xc3\xa9\xe2\x82\xac"}, {"a", "\xc3\xbd"});
}

// As llama.cpp ships it.
constexpr std::string_view kJson = R"gbnf(
root   ::= object
value  ::= object | array | string | number | ("true" | "false" | "null") ws
object ::= "{" ws ( string ":" ws value ("," ws string ":" ws value)* )? "}" ws
array  ::= "[" ws ( value ("," ws value)* )? "]" ws
string ::= "\"" ( [^"\\\x7F\x00-\x1F] | "\\" (["\\bfnrt] | "u" [0-9a-fA-F]{4}) )* "\"" ws
number ::= ("-"? ([0-9] | [1-9] [0-9]{0,15})) ("." [0-9]+)? ([eE] [-+]? [0-9] [1-9]{0,15})? ws
# Optional space: by convention, applied in this grammar after literal chars when allowed
ws ::= | " " | "\n" [ \t]{0,20}
)gbnf";

TEST(Gbnf, ReadsTheJsonGrammarOfLlamaCpp) {
  ExpectTexts(kJson, {"{}", R"({"a": [1, -2.5e3, "x\n\u00e9", {"b": null}]} )", "{\n  \"k\":true}"},
              {"[]", "{\"a\"}", "{\"a\":01}", "{\"a\":\"\n\"}"});
  const auto trie = JsonTrie();
  const auto constraint = MakeGrammarConstraint(Share(ParseGbnf(kJson)), trie);
  std::mt19937 random(7);
  for (int i = 0; i < 50; ++i) {
    const std::string text = RandomText(*constraint, *trie, random, 60);
    if (text.find("\\u") != std::string::npos) continue;  // this grammar lets half a surrogate pair through
    EXPECT_TRUE(nlohmann::json::accept(text)) << text;
  }
}

void ExpectError(std::string_view gbnf, StatusCode code, const std::string& part) {
  const Result<Grammar> grammar = ParseGbnf(gbnf);
  ASSERT_FALSE(grammar.ok()) << gbnf;
  EXPECT_EQ(grammar.status().code(), code) << grammar.status().message();
  EXPECT_NE(grammar.status().message().find(part), std::string::npos) << grammar.status().message();
}

TEST(Gbnf, SaysWhereAndWhatIsWrong) {
  const auto expect = [](std::string_view gbnf, const std::string& part) {
    ExpectError(gbnf, StatusCode::kInvalidArgument, part);
  };
  expect("", "no rule \"root\"");
  expect("a ::= \"x\"", "no rule \"root\"");
  expect("root ::= \"x\"\n  )", "line 2, column 3");
  expect("root ::= (\"x\"", "expected \")\"");
  expect("root ::= \"x", "line 1, column 10");
  expect("root ::= [a", "line 1, column 10");
  expect("root ::= []", "without members");
  expect("root ::= [b-a]", "ends before it begins");
  expect("root ::= \"\\q\"", "unknown escape");
  expect("root ::= \"\\ud800\"", "scalar value");
  expect("root ::= \"\\x4\"", "hexadecimal");
  expect("root ::= \"\xff\"", "UTF-8");
  expect("root ::= \"x\"{3,2}", "from 3 to 2");
  expect("root ::= \"x\"{,2}", "expected a number");
  expect("root ::= *", "found '*'");
  expect("root = \"x\"", "expected \"::=\"");
  expect("root ::= \"x\" \xc3\xa9", "column 14: found '\xc3\xa9'");
  expect("root ::= \"x\"\nroot ::= \"y\"", "defined twice");
  expect("root ::= missing", "line 1, column 10: rule \"missing\" is not defined");
  expect("root ::= \"x\"\na ::= b", "rule \"b\" is not defined");
  expect("root ::= \"x\" root", "\"root\" derives no text");
  expect("root ::= \"x\"\na ::= \"x\" a", "\"a\" derives no text");
  expect("root ::= root \"x\" | \"y\"", "left recursion: \"root\" -> \"root\"");
  expect("root ::= a\na ::= e b \"x\" | \"y\"\nb ::= a\ne ::= \"z\"?", "\"a\" -> \"b\" -> \"a\"");
  expect("root ::= (root \"x\")* \"y\"", "left recursion");
  expect("root ::= (root \"x\"){2,5} | \"y\"", "left recursion");
}

TEST(Gbnf, KeepsItsLimits) {
  const auto expect = [](const std::string& gbnf, const std::string& part) {
    ExpectError(gbnf, StatusCode::kUnsupported, part);
  };
  expect("root ::= \"x\"{1000000}", "a repetition of more than");
  expect("root ::= \"x\"{4294967297}", "a repetition of more than");
  expect("root ::= " + std::string(101, '(') + "\"x\"" + std::string(101, ')'), "nested deeper");
  expect("root ::= \"x\"" + std::string(2000, '*'), "nested deeper");
  expect("root ::= " + std::string(kMaxGbnfBytes, ' '), "bytes, expected at most");
  std::string many = "root ::= \"x\"";
  for (int i = 0; i < 20; ++i) many += " [a-z]{100000}";
  expect(many, "states");
  // A hundred million repetitions by two that are within the limit: two chains.
  EXPECT_TRUE(ParseGbnf("root ::= (\"x\"{10000}){10000}").ok());
}

}  // namespace
}  // namespace pith
