#include "tokenizer/pre_tokenizer.h"

#include <gtest/gtest.h>

#include <functional>
#include <random>
#include <string>
#include <vector>

namespace pith {
namespace {

std::vector<std::string> Words(const std::string& text) {
  std::vector<std::string> words;
  const PreTokenizer pre_tokenizer(AsBytes(text));
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = pre_tokenizer.WordEnd(begin);
    words.push_back(text.substr(begin, end - begin));
    begin = end;
  }
  return words;
}

using List = std::vector<std::string>;

TEST(PreTokenizer, TakesOneCharacterBeforeLetters) {
  EXPECT_EQ(Words("Hello, world!"), (List{"Hello", ",", " world", "!"}));
  EXPECT_EQ(Words("\tif (a&&b)"), (List{"\tif", " (", "a", "&&", "b", ")"}));
  EXPECT_EQ(Words("_a.b\u00a0c\u3000d"), (List{"_a", ".b", "\u00a0c", "\u3000d"}));
  EXPECT_EQ(Words("1a"), (List{"1", "a"}));
  EXPECT_EQ(Words("\na"), (List{"\n", "a"}));
  EXPECT_EQ(Words("e\u0301a"), (List{"e", "\u0301a"}));  // a combining mark is neither letter nor number
}

TEST(PreTokenizer, CutsNumbersIntoDigits) {
  EXPECT_EQ(Words("12 3\u0661\u00bd"), (List{"1", "2", " ", "3", "\u0661", "\u00bd"}));
}

TEST(PreTokenizer, CutsContractionsInAnyCase) {
  EXPECT_EQ(Words("I'm you'RE x'sx 'll 'Lx"),
            (List{"I", "'m", " you", "'RE", " x", "'s", "x", " '", "ll", " '", "Lx"}));
  EXPECT_EQ(Words("a'\u017fb"), (List{"a", "'\u017f", "b"}));  // long s folds to s
  EXPECT_EQ(Words("it\u2019s"), (List{"it", "\u2019s"}));      // another apostrophe
  EXPECT_EQ(Words("''s"), (List{"''", "s"}));
  EXPECT_EQ(Words("'"), (List{"'"}));
  EXPECT_EQ(Words("'r"), (List{"'r"}));
  EXPECT_EQ(Words("'\xc5"), (List{"'\xc5"}));
}

TEST(PreTokenizer, PunctuationTakesASpaceBeforeAndNewlinesAfter) {
  EXPECT_EQ(Words("a ...\n\n b"), (List{"a", " ...\n\n", " b"}));
  EXPECT_EQ(Words("a  .\r\n."), (List{"a", " ", " .\r\n", "."}));
  EXPECT_EQ(Words("\t."), (List{"\t", "."}));  // only U+0020 goes before punctuation
}

TEST(PreTokenizer, WhitespaceLeavesOneCharacterForTheNextWord) {
  EXPECT_EQ(Words("a   b"), (List{"a", "  ", " b"}));
  EXPECT_EQ(Words("a   1"), (List{"a", "  ", " ", "1"}));
  EXPECT_EQ(Words("a\u3000\u3000b"), (List{"a", "\u3000", "\u3000b"}));
  EXPECT_EQ(Words("a  "), (List{"a", "  "}));
  EXPECT_EQ(Words("   \n   x"), (List{"   \n", "  ", " x"}));
  EXPECT_EQ(Words(" \r\n \r\n"), (List{" \r\n \r\n"}));
  EXPECT_EQ(Words("\n \t"), (List{"\n", " \t"}));
  EXPECT_EQ(Words("\n\n\nx"), (List{"\n\n\n", "x"}));
}

TEST(PreTokenizer, BytesThatDoNotDecodeArePunctuation) {
  EXPECT_EQ(Words("caf\xe9 au"), (List{"caf", "\xe9", " au"}));
  EXPECT_EQ(Words("Fran\xe7"
                  "ais"),
            (List{"Fran",
                  "\xe7"
                  "ais"}));
  EXPECT_EQ(Words("\xff\xfe\x80\n"), (List{"\xff\xfe\x80\n"}));
}

// The pattern itself, run by a small backtracking engine.
class Pattern {
 public:
  struct Symbol {
    uint32_t code_point;  // above 0x10ffff: a byte that does not decode
    CharClass char_class;
    size_t begin;
  };
  struct Item {
    std::function<bool(const Symbol&)> accepts;
    size_t min = 1;
    size_t max = 1;
    bool not_before = false;  // a negative look-ahead instead
  };

  Pattern() {
    const auto is = [](CharClass c) { return [c](const Symbol& s) { return s.char_class == c; }; };
    const auto newline = [](const Symbol& s) { return s.code_point == '\r' || s.code_point == '\n'; };
    const auto letter = is(CharClass::kLetter);
    const auto number = is(CharClass::kNumber);
    const auto space = is(CharClass::kSpace);
    const auto not_space = [=](const Symbol& s) { return !space(s); };
    const auto one = [](std::u32string folds) {
      return
          [folds](const Symbol& s) { return folds.find(static_cast<char32_t>(s.code_point)) != folds.npos; };
    };
    constexpr size_t kMany = 1000;
    for (const std::vector<std::u32string>& text : std::vector<std::vector<std::u32string>>{
             {U"sS\u017f"}, {U"tT"}, {U"rR", U"eE"}, {U"vV", U"eE"}, {U"mM"}, {U"lL", U"lL"}, {U"dD"}}) {
      std::vector<Item> items = {{one(U"'")}};
      for (const std::u32string& folds : text) items.push_back({one(folds)});
      alternatives_.push_back(items);
    }
    alternatives_.push_back({{[=](const Symbol& s) { return !newline(s) && !letter(s) && !number(s); }, 0, 1},
                             {letter, 1, kMany}});
    alternatives_.push_back({{number}});
    alternatives_.push_back(
        {{one(U" "), 0, 1},
         {[=](const Symbol& s) { return !space(s) && !letter(s) && !number(s); }, 1, kMany},
         {newline, 0, kMany}});
    alternatives_.push_back({{space, 0, kMany}, {newline, 1, kMany}});
    alternatives_.push_back({{space, 1, kMany}, {not_space, 0, 0, true}});
    alternatives_.push_back({{space, 1, kMany}});
  }

  std::vector<std::string> Words(const std::string& text) const {
    std::vector<Symbol> symbols;
    for (size_t i = 0; i < text.size();) {
      const Char c = UnicodeClasses::Get().At(AsBytes(text), i);
      uint32_t code_point = static_cast<unsigned char>(text[i]);
      if (c.n_bytes == 1 && code_point >= 0x80) {
        code_point += 0x110000;
      } else if (c.n_bytes > 1) {
        code_point &= 0x7fu >> c.n_bytes;
        for (size_t k = 1; k < c.n_bytes; ++k) code_point = code_point << 6 | (text[i + k] & 0x3f);
      }
      symbols.push_back({code_point, c.char_class, i});
      i += c.n_bytes;
    }
    std::vector<std::string> words;
    for (size_t at = 0; at < symbols.size();) {
      size_t end = at;
      for (const std::vector<Item>& items : alternatives_) {
        end = Match(symbols, items, 0, at);
        if (end != kNoMatch) break;
      }
      const size_t end_byte = end < symbols.size() ? symbols[end].begin : text.size();
      words.push_back(text.substr(symbols[at].begin, end_byte - symbols[at].begin));
      at = end;
    }
    return words;
  }

 private:
  static constexpr size_t kNoMatch = ~size_t{0};

  static size_t Match(const std::vector<Symbol>& symbols, const std::vector<Item>& items, size_t n,
                      size_t at) {
    if (n == items.size()) return at;
    const Item& item = items[n];
    if (item.not_before) {
      if (at < symbols.size() && item.accepts(symbols[at])) return kNoMatch;
      return Match(symbols, items, n + 1, at);
    }
    size_t most = 0;
    while (most < item.max && at + most < symbols.size() && item.accepts(symbols[at + most])) ++most;
    for (size_t count = most + 1; count-- > item.min;) {
      if (const size_t end = Match(symbols, items, n + 1, at + count); end != kNoMatch) return end;
    }
    return kNoMatch;
  }

  std::vector<std::vector<Item>> alternatives_;
};

TEST(PreTokenizer, EqualsThePatternOnRandomStrings) {
  const std::vector<std::string> characters = {
      "'",      "s",      "S",          "\u017f", "t",      "r",      "E",        "v",
      "l",      "L",      "m",          "d",      "x",      "\u00e9", " ",        " ",
      "\t",     "\n",     "\r",         "\u00a0", "\u3000", "\u0085", "\u2028",   "\v",
      "1",      "\u0663", "\u00bd",     ".",      "!",      "_",      "\u0301",   "\u200d",
      "\u4e2d", "\uac00", "\U0001f600", "\x80",   "\xff",   "\xc5",   "\xe4\xb8", std::string(1, '\0')};
  const Pattern pattern;
  std::mt19937 random(1);
  for (int round = 0; round < 30000; ++round) {
    // Few kinds of characters in each string: else long runs never come.
    std::vector<std::string> some;
    for (size_t n = 1 + random() % 6; n > 0; --n) some.push_back(characters[random() % characters.size()]);
    std::string text;
    for (size_t n = random() % 24; n > 0; --n) text += some[random() % some.size()];
    ASSERT_EQ(Words(text), pattern.Words(text)) << testing::PrintToString(text);
  }
}

}  // namespace
}  // namespace pith
