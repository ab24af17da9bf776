#include "tokenizer/unicode_class.h"

#include <gtest/gtest.h>
#include <utf8proc.h>

#include <string>

namespace pith {
namespace {

std::string Utf8(uint32_t c) {
  std::string s;
  if (c < 0x80) {
    s += static_cast<char>(c);
  } else if (c < 0x800) {
    s += static_cast<char>(0xc0 | c >> 6);
    s += static_cast<char>(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    s += static_cast<char>(0xe0 | c >> 12);
    s += static_cast<char>(0x80 | (c >> 6 & 0x3f));
    s += static_cast<char>(0x80 | (c & 0x3f));
  } else {
    s += static_cast<char>(0xf0 | c >> 18);
    s += static_cast<char>(0x80 | (c >> 12 & 0x3f));
    s += static_cast<char>(0x80 | (c >> 6 & 0x3f));
    s += static_cast<char>(0x80 | (c & 0x3f));
  }
  return s;
}

TEST(UnicodeClasses, EveryCodePointHasTheClassOfItsCategory) {
  const UnicodeClasses& classes = UnicodeClasses::Get();
  size_t n_differences = 0;
  for (uint32_t c = 0; c <= 0x10ffff; ++c) {
    const std::string category = utf8proc_category_string(static_cast<utf8proc_int32_t>(c));
    CharClass expected = CharClass::kOther;
    if (category[0] == 'L') expected = CharClass::kLetter;
    if (category[0] == 'N') expected = CharClass::kNumber;
    if (category[0] == 'Z' || (c >= 9 && c <= 13) || c == 0x85) expected = CharClass::kSpace;
    if (classes.OfCodePoint(c) != expected) {
      ++n_differences;
      EXPECT_LT(n_differences, 10u) << "U+" << std::hex << c << " " << category;
    }
    if (c >= 0xd800 && c <= 0xdfff) continue;  // has no UTF-8
    const std::string text = Utf8(c);
    const Char found = classes.At(AsBytes(text), 0);
    if (found.char_class != expected || found.n_bytes != text.size()) {
      ++n_differences;
      EXPECT_LT(n_differences, 10u) << "U+" << std::hex << c << " in UTF-8";
    }
  }
}

TEST(UnicodeClasses, WhitespaceIsThe25CharactersOfTheStandard) {
  const UnicodeClasses& classes = UnicodeClasses::Get();
  std::string found;
  for (uint32_t c = 0; c <= 0x10ffff; ++c) {
    if (classes.OfCodePoint(c) == CharClass::kSpace) found += std::to_string(c) + " ";
  }
  EXPECT_EQ(
      found,
      "9 10 11 12 13 32 133 160 5760 8192 8193 8194 8195 8196 8197 8198 8199 8200 8201 8202 8232 8233 8239 "
      "8287 12288 ");
}

TEST(UnicodeClasses, BytesThatDoNotDecodeAreCharactersOfTheirOwn) {
  const std::string cases[] = {
      "\x80",              // a continuation byte alone
      "\xbf\xbf",          //
      "\xc0\x80",          // overlong
      "\xc1\xbf",          //
      "\xe0\x9f\xbf",      //
      "\xf0\x8f\xbf\xbf",  //
      "\xed\xa0\x80",      // a surrogate
      "\xed\xbf\xbf",      //
      "\xf4\x90\x80\x80",  // above U+10FFFF
      "\xf5\x80\x80\x80",  //
      "\xff",              //
      "\xc3",              // ended too early
      "\xe4\xb8",          //
      "\xf0\x9f\x98",      //
      "\xc3z",             // broken by something else
      "\xe4\xb8z",         //
      "\xf0\x9f\x98z",     //
      "\xe4z\xad",         //
  };
  for (const std::string& text : cases) {
    const Char c = UnicodeClasses::Get().At(AsBytes(text), 0);
    EXPECT_EQ(c.char_class, CharClass::kOther) << testing::PrintToString(text);
    EXPECT_EQ(c.n_bytes, 1) << testing::PrintToString(text);
  }
}

}  // namespace
}  // namespace pith
