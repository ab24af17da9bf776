#include "grammar/regex_grammar.h"

#include <gtest/gtest.h>

#include <functional>
#include <regex>

#include "grammar/constraint_testing.h"

namespace pith {
namespace {

Result<Grammar> GrammarOf(std::string_view pattern) {
  GrammarBuilder builder;
  const auto content =
      ParseRegex(pattern, builder, [&](const CodePointSet& set) { return builder.Class(set); });
  if (!content.ok()) return content.status();
  const auto root = builder.AddRule("root", *content);
  return std::move(builder).Build(root, GrammarBuilder::Barren::kCut);
}

TEST(RegexGrammar, FindsWhatTheStandardLibraryFinds) {
  const auto trie = MakeTrie({});
  for (const char* pattern : {"^abc$",
                              "a",
                              "^a",
                              "a$",
                              "^a|b$",
                              "^(a|b)c$",
                              "^(?:ab?){2,3}$",
                              "^[a-b1]*$",
                              "^[^a]+$",
                              "^\\w\\W$",
                              "^\\d+\\D*$",
                              "^\\s?\\S$",
                              "^a+?b*?$",
                              "^.{2}$",
                              "^(a*)*b$",
                              "^$",
                              "",
                              "^(|a)b$",
                              "a{2}",
                              "^[\\w-]{1,2}$",
                              "^[-a]$",
                              "^\\x61\\u0062$",
                              "^[\\]\\-]?$",
                              "^(a{0,2}b){2}$",
                              "1 a|^b{3,}$",
                              "^a(b|)$",
                              "[^\\s\\d]b$"}) {
    const auto grammar = Share(GrammarOf(pattern));
    ASSERT_NE(grammar, nullptr) << pattern;
    const auto constraint = MakeGrammarConstraint(grammar, trie);
    const std::regex regex(pattern);
    const std::function<void(const std::string&)> compare = [&](const std::string& text) {
      ASSERT_EQ(IsWholeText(*constraint, text), std::regex_search(text, regex))
          << "\"" << text << "\" in " << pattern;
      if (text.size() == 5) return;
      for (const char c : std::string_view("ab1 -")) compare(text + c);
    };
    compare("");
  }
}

TEST(RegexGrammar, KnowsEscapesAndUnicode) {
  const auto trie = MakeTrie({});
  const auto expect = [&](std::string_view pattern, std::string_view text, bool fits) {
    const auto constraint = MakeGrammarConstraint(Share(GrammarOf(pattern)), trie);
    EXPECT_EQ(IsWholeText(*constraint, text), fits) << pattern << " and " << text;
  };
  expect("^\\u{1F600}[\\u{e9}\xc3\xa8]$", "\xf0\x9f\x98\x80\xc3\xa9", true);
  expect("^\\u{1F600}[\\u{e9}\xc3\xa8]$", "\xf0\x9f\x98\x80\xc3\xa8", true);
  expect("^.$", "\xe2\x82\xac", true);
  expect("^.$", "\n", false);
  expect("^.$", "\xe2\x80\xa8", false);
  expect("^\\s$", "\xc2\xa0", true);
  expect("^\\cJ\\t\\v\\f\\r\\n\\0$", std::string_view("\n\t\v\f\r\n\0", 7), true);
  expect("^[\\b]$", "\b", true);
  expect("^(?<name>a)$", "a", true);
  expect("^\\/\\.\\*\\$$", "/.*$", true);
}

TEST(RegexGrammar, SaysWhatIsWrongAndWhatIsNotSupported) {
  const auto expect = [](std::string_view pattern, StatusCode code, const std::string& part) {
    const Result<Grammar> grammar = GrammarOf(pattern);
    ASSERT_FALSE(grammar.ok()) << pattern;
    EXPECT_EQ(grammar.status().code(), code) << pattern << ": " << grammar.status().message();
    EXPECT_NE(grammar.status().message().find(part), std::string::npos)
        << pattern << ": " << grammar.status().message();
  };
  for (const char* pattern : {"(?=a)", "(?!a)", "(?<=a)", "(?<!a)", "\\b", "\\B", "\\p{L}", "\\k<a>", "\\1",
                              "\\01", "a^", "a$b", "(a$)", "\\ud83d", "a{1000000}", "\\q"})
    expect(pattern, StatusCode::kUnsupported, "regular expression: byte ");
  for (const char* pattern : {"(", ")", "a)", "[", "[b-a]", "[\\w-a]", "*", "a**", "a{2,1}", "a{x}", "a{1",
                              "\\", "\\x4", "\\u{}", "(?<a"})
    expect(pattern, StatusCode::kInvalidArgument, "regular expression: byte ");
  expect("\xff", StatusCode::kInvalidArgument, "UTF-8");
  expect(std::string(60, '(') + std::string(60, ')'), StatusCode::kUnsupported, "groups");
  expect(std::string(kMaxRegexBytes + 1, 'a'), StatusCode::kUnsupported, "bytes");
}

}  // namespace
}  // namespace pith
