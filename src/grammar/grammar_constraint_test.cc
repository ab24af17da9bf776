#include "grammar/grammar_constraint.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <regex>
#include <set>

#include "grammar/constraint_testing.h"
#include "grammar/gbnf.h"
#include "grammar/grammar_matcher.h"

namespace pith {
namespace {

using Language = std::function<bool(const std::string&)>;

Language Regex(const std::string& pattern) {
  return [regex = std::regex(pattern)](const std::string& text) { return std::regex_match(text, regex); };
}

// Compares masks with what the language itself says: all texts up to max_bytes are tried, and a beginning is
// viable when it begins one of these. Beginnings up to max_bytes - n_to_end are compared: the shortest way to
// an end is n_to_end or less.
void CompareWithLanguage(const std::string& gbnf, const Language& language, const std::string& alphabet,
                         size_t max_bytes, size_t n_to_end) {
  SCOPED_TRACE(gbnf);
  std::set<std::string> viable;
  std::set<std::string> members;
  const std::function<void(const std::string&)> enumerate = [&](const std::string& text) {
    if (language(text)) {
      members.insert(text);
      for (size_t n = 0; n <= text.size(); ++n) viable.insert(text.substr(0, n));
    }
    if (text.size() == max_bytes) return;
    for (const char c : alphabet) enumerate(text + c);
  };
  enumerate("");
  // All short tokens of the alphabet.
  std::vector<std::pair<std::string, std::string>> merges;
  for (const char a : alphabet) {
    for (const char b : alphabet) merges.emplace_back(std::string(1, a), std::string(1, b));
  }
  for (const char a : alphabet) merges.emplace_back(std::string(2, a), std::string(1, a));
  merges.emplace_back(std::string(2, alphabet[0]), std::string(2, alphabet.back()));
  const auto trie = MakeTrie(merges);
  const auto grammar = Share(ParseGbnf(gbnf));
  ASSERT_NE(grammar, nullptr);
  const auto constraint = MakeGrammarConstraint(grammar, trie);
  for (const std::string& text : viable) {
    if (text.size() + n_to_end > max_bytes) continue;
    ASSERT_TRUE(AcceptsText(*constraint, text)) << text;
    ASSERT_EQ(constraint->MayEnd(), members.contains(text)) << text;
    const std::vector<uint64_t> mask = MaskOf(*constraint, *trie);
    for (TokenId id = 0; id < trie->vocab_size(); ++id) {
      const std::string next = text + std::string(AsText(trie->TokenBytes(id)));
      if (next.size() + n_to_end > max_bytes) continue;
      const bool expected = next.size() > text.size() && viable.contains(next);
      ASSERT_EQ(Allows(mask, id), expected) << "token " << id << " after \"" << text << "\"";
      ASSERT_TRUE(AcceptsText(*constraint, text));
      ASSERT_EQ(constraint->Accept(id).ok(), expected) << "token " << id << " after \"" << text << "\"";
    }
  }
}

TEST(GrammarConstraint, MasksAreWhatTheLanguageSays) {
  CompareWithLanguage("root ::= \"abc\"", Regex("abc"), "abc", 6, 3);
  CompareWithLanguage("root ::= [a-b]* \"c\"", Regex("[ab]*c"), "abc", 7, 1);
  CompareWithLanguage("root ::= \"a\"? \"b\"+ (\"c\" | \"a\" \"b\"){2}", Regex("a?b+(c|ab){2}"), "abc", 9, 4);
  CompareWithLanguage("root ::= (\"a\" \"b\"?){2,3} \"c\"{0,2}", Regex("(ab?){2,3}c{0,2}"), "abc", 8, 3);
  CompareWithLanguage("root ::= (\"a\"? \"b\"?){2,3} \"c\"", Regex("(a?b?){2,3}c"), "abc", 7, 1);
  CompareWithLanguage("root ::= (\"a\"? \"b\"?){2,} \"c\"", Regex("(a?b?){2,}c"), "abc", 7, 1);
  CompareWithLanguage("root ::= (\"a\"*)* (\"b\" | )+ ", Regex("a*b*"), "abc", 7, 0);
  CompareWithLanguage("root ::= ((\"a\"+)+ \"b\"*)+", Regex("(a+b*)+"), "abc", 7, 1);
  CompareWithLanguage("root ::= x{3} | x \"cc\"\nx ::= [ab]", Regex("[ab]{3}|[ab]cc"), "abc", 6, 3);
  CompareWithLanguage("root ::= \"\"", Regex(""), "abc", 3, 0);
  CompareWithLanguage(R"(root ::= [^\x00-bd-\U0010ffff] | "a")", Regex("[ca]"), "abc", 4, 1);
}

bool IsBalanced(const std::string& text) {
  int depth = 0;
  for (const char c : text) {
    depth += c == 'a' ? 1 : -1;
    if (c == 'c' || depth < 0) return false;
  }
  return depth == 0;
}

bool IsPalindrome(const std::string& text) { return std::equal(text.begin(), text.end(), text.rbegin()); }

TEST(GrammarConstraint, MasksAreRightWhereStacksAreNeeded) {
  CompareWithLanguage("root ::= (\"a\" root \"b\")*", IsBalanced, "abc", 10, 5);
  CompareWithLanguage("root ::= | \"a\" root \"b\" root", IsBalanced, "abc", 10, 5);
  // Written so that there are many ways to read each text.
  CompareWithLanguage("root ::= one*\none ::= \"a\" root \"b\" | \"a\" one* \"b\" root", IsBalanced, "abc",
                      10, 5);
  CompareWithLanguage(
      "root ::= \"a\" root \"a\" | \"b\" root \"b\" | \"a\"? | \"b\"",
      [](const std::string& t) { return t.find('c') == std::string::npos && IsPalindrome(t); }, "abc", 10, 5);
  CompareWithLanguage(
      "root ::= x y\nx ::= \"a\" x \"b\" |\ny ::= \"c\" y |",
      [](const std::string& t) {
        const size_t n = t.find_first_not_of('a');
        const size_t n_a = n == std::string::npos ? t.size() : n;
        return t == std::string(n_a, 'a') + std::string(n_a, 'b') +
                        std::string(t.size() - std::min(t.size(), 2 * n_a), 'c');
      },
      "abc", 10, 5);
  // Rules that may be empty, in front and behind.
  CompareWithLanguage("root ::= e f root2 e\nroot2 ::= e \"c\" f e | f \"b\"\ne ::= \"a\"?\nf ::= e e",
                      Regex("a{0,4}ca{0,4}|a{0,5}ba?"), "abc", 12, 1);
}

// Each allowed text of exponentially many readings takes its time, and no more.
TEST(GrammarConstraint, AmbiguousGrammarsStayBounded) {
  const auto trie = MakeTrie({{"a", "a"}, {"aa", "aa"}, {"aaaa", "aaaa"}});
  for (const char* gbnf : {"root ::= ((\"a\"*)*)*", "root ::= \"a\" root? root?",
                           "root ::= x*\nx ::= \"a\" | \"a\" \"a\" | \"a\" x", "root ::= (\"a\"{0,50}){0,50}",
                           "root ::= (\"a\"? | \"a\"*){1,100}", "root ::= \"a\" root \"a\"? | \"a\""}) {
    const auto constraint = MakeGrammarConstraint(Share(ParseGbnf(gbnf)), trie);
    for (int i = 0; i < 120; ++i) {
      ASSERT_TRUE(Allows(MaskOf(*constraint, *trie), 'a') || constraint->MayEnd()) << gbnf << " after " << i;
      if (!Allows(MaskOf(*constraint, *trie), 'a')) break;
      ASSERT_TRUE(constraint->Accept('a').ok()) << gbnf << " after " << i;
    }
  }
}

// More stacks than are kept: the text may be shorter than the grammar allows, and can always be ended.
TEST(GrammarConstraint, DroppedStacksLeaveAWayToTheEnd) {
  const auto trie = MakeTrie({});
  const auto constraint = MakeGrammarConstraint(
      Share(ParseGbnf("root ::= \"a\" root \"b\"? \"c\"? | \"a\" root \"c\" | \"d\"")), trie);
  for (size_t i = 0; i < 2 * GrammarMatcher::kMaxStacks; ++i) ASSERT_TRUE(constraint->Accept('a').ok());
  ASSERT_TRUE(constraint->Accept('d').ok());
  std::mt19937 random(5);
  for (size_t i = 0; i < 5000; ++i) {
    const std::vector<TokenId> ids = AllowedTokens(*constraint, *trie);
    if (ids.empty()) break;
    ASSERT_TRUE(constraint->Accept(ids[random() % ids.size()]).ok());
  }
  EXPECT_TRUE(constraint->MayEnd());
}

TEST(GrammarConstraint, DeepNestingIsFollowedToTheEnd) {
  const auto trie = MakeTrie({{"[", "["}, {"]", "]"}});
  const auto constraint = MakeGrammarConstraint(Share(ParseGbnf("root ::= \"[\" root? \"]\"")), trie);
  const size_t n = 100000;
  for (size_t i = 0; i < n; ++i) ASSERT_TRUE(constraint->Accept('[').ok());
  for (size_t i = 0; i < n; ++i) {
    ASSERT_FALSE(constraint->MayEnd());
    if (i % 1000 == 0) {
      ASSERT_EQ(Allows(MaskOf(*constraint, *trie), 257), i + 2 <= n);
    }
    ASSERT_TRUE(constraint->Accept(']').ok()) << i;
  }
  EXPECT_TRUE(constraint->MayEnd());
  EXPECT_FALSE(constraint->Accept(']').ok());
}

TEST(GrammarConstraint, LongRepetitionsCountExactly) {
  const auto trie = MakeTrie({{"a", "a"}, {"aa", "a"}, {"aaa", "aa"}, {"aaaaa", "aaaaa"}});
  const auto constraint = MakeGrammarConstraint(Share(ParseGbnf("root ::= [a-z]{300,1000} \"!\"")), trie);
  for (int i = 0; i <= 1000; ++i) {
    const std::vector<uint64_t> mask = MaskOf(*constraint, *trie);
    ASSERT_EQ(Allows(mask, '!'), i >= 300) << i;
    for (const auto& [id, n] : {std::pair<TokenId, int>{'a', 1}, {256, 2}, {257, 3}, {258, 5}, {259, 10}})
      ASSERT_EQ(Allows(mask, id), i + n <= 1000) << i << " + " << n;
    ASSERT_EQ(constraint->Accept('a').ok(), i < 1000) << i;
  }
  ASSERT_TRUE(constraint->Accept('!').ok());
  EXPECT_TRUE(constraint->MayEnd());
}

TEST(GrammarConstraint, LongRepetitionsOfWhatMayBeEmptyHaveNoMinimum) {
  const auto trie = MakeTrie({});
  const auto constraint = MakeGrammarConstraint(Share(ParseGbnf("root ::= (\"a\"? | \"b\"){300,600}")), trie);
  EXPECT_TRUE(constraint->MayEnd());
  for (int i = 0; i < 600; ++i) {
    ASSERT_TRUE(Allows(MaskOf(*constraint, *trie), 'b')) << i;
    ASSERT_TRUE(constraint->Accept("ab"[i % 2]).ok()) << i;
    ASSERT_TRUE(constraint->MayEnd()) << i;
  }
  EXPECT_TRUE(AllowedTokens(*constraint, *trie).empty());
}

TEST(GrammarConstraint, RefusedTokensChangeNothing) {
  const auto trie = MakeTrie({{"a", "b"}});
  const auto constraint = MakeGrammarConstraint(Share(ParseGbnf("root ::= \"ab\" \"c\"")), trie);
  for (const TokenId id : {TokenId{'b'}, TokenId{257}, TokenId{258}, TokenId{1000000}}) {
    const Status refused = constraint->Accept(id);
    EXPECT_EQ(refused.code(), StatusCode::kInvalidArgument) << id;
  }
  EXPECT_TRUE(constraint->Accept(256).ok());
  EXPECT_TRUE(constraint->Accept('c').ok());
  EXPECT_TRUE(constraint->MayEnd());
  constraint->Reset();
  EXPECT_FALSE(constraint->MayEnd());
  EXPECT_EQ(AllowedTokens(*constraint, *trie), (std::vector<TokenId>{'a', 256}));
}

// Each byte of a text keeps a state of its own: the tables are emptied time and again, in the midst of masks,
// too.
TEST(GrammarConstraint, ForgettingStatesChangesNothing) {
  std::string letters;
  std::string gbnf = "root ::= \"\"";
  for (char c = 'a'; c <= 'z'; ++c) {
    letters += c;
    gbnf += std::string(" | \"") + c + "\" root \"" + c + "\"";
  }
  std::vector<std::pair<std::string, std::string>> merges;
  for (const char a : letters) {
    for (const char b : letters) merges.emplace_back(std::string(1, a), std::string(1, b));
  }
  for (const char a : letters) {
    for (const char b : letters) {
      for (const char c : letters) merges.emplace_back(std::string{a, b}, std::string(1, c));
    }
  }
  const auto trie = MakeTrie(merges);
  const auto constraint = MakeGrammarConstraint(Share(ParseGbnf(gbnf)), trie);
  std::mt19937 random(3);
  std::string text;
  for (int step = 0; step < 40; ++step) {
    const std::vector<uint64_t> mask = MaskOf(*constraint, *trie);
    for (const char c : letters) ASSERT_TRUE(Allows(mask, static_cast<uint8_t>(c)));
    ASSERT_TRUE(Allows(mask, static_cast<TokenId>(256 + random() % 10000)));
    const char c = letters[random() % letters.size()];
    ASSERT_TRUE(constraint->Accept(static_cast<uint8_t>(c)).ok());
    text += c;
  }
  ASSERT_FALSE(constraint->MayEnd());
  for (size_t i = text.size(); i-- > 0;) ASSERT_TRUE(constraint->Accept(static_cast<uint8_t>(text[i])).ok());
  EXPECT_TRUE(constraint->MayEnd());
}

TEST(TokenTrie, HoldsEachDataTokenOnce) {
  const auto trie = JsonTrie();
  std::vector<TokenId> ids;
  std::string path;
  for (size_t i = 0; i < trie->nodes().size(); ++i) {
    const TokenTrie::Node& node = trie->nodes()[i];
    ASSERT_GT(node.end, i);
    ASSERT_LE(node.depth, path.size());
    path.resize(node.depth);
    path += static_cast<char>(node.byte);
    if (node.token == TokenTrie::kNoToken) continue;
    EXPECT_EQ(AsText(trie->TokenBytes(node.token)), path);
    ids.push_back(node.token);
  }
  std::sort(ids.begin(), ids.end());
  ASSERT_EQ(ids.size(), trie->vocab_size() - 2);  // all but the added tokens
  for (TokenId id = 0; id < ids.size(); ++id) EXPECT_EQ(ids[id], id);
  EXPECT_TRUE(trie->TokenBytes(static_cast<TokenId>(trie->vocab_size() - 1)).empty());
}

TEST(TokenTrie, PlainTokensAreWholeCharactersThatJsonStringsHold) {
  const auto trie = JsonTrie();
  std::set<TokenId> others;
  for (const TokenTrie::Node& node : trie->nodes_without_plain()) {
    if (node.token != TokenTrie::kNoToken) others.insert(node.token);
  }
  for (TokenId id = 0; id + 2 < trie->vocab_size(); ++id) {
    const std::string text(AsText(trie->TokenBytes(id)));
    bool plain = text == "\xc3\xa9";
    if (!plain)
      plain = std::all_of(text.begin(), text.end(),
                          [](char c) { return c >= ' ' && c < 0x7f && c != '"' && c != '\\'; });
    EXPECT_EQ((trie->plain_tokens()[id / 64] >> id % 64 & 1) != 0, plain) << id;
    EXPECT_EQ(others.contains(id), !plain) << id;
  }
}

}  // namespace
}  // namespace pith
