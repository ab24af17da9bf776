#include "charset/encoding_guess.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <set>
#include <string>

namespace pith {
namespace {

using enum CharacterEncoding;

const std::string kEnglish =
    "It was the best of times, it was the worst of times, it was the age of wisdom,\nit was the age of foolishness.\n";
const std::string kRussian =
    "Все счастливые семьи похожи друг на друга, каждая несчастливая семья несчастлива по-своему.\n"
    "Все смешалось в доме Облонских.\n";
const std::string kGerman = "Die Füße der Jünger waren müde, und das Öl für die Lampen ging aus: so blieben sie über Nacht.\n";
const std::string kChinese = "天下大势，分久必合，合久必分。\n周末七国分争，并入于秦。\n及秦灭之后，楚、汉分争，又并入于汉。\n";
const std::string kJapanese = "吾輩は猫である。名前はまだ無い。\nどこで生れたかとんと見当がつかぬ。\n";

Bytes In(CharacterEncoding encoding, const std::string& text) {
  const std::optional<Bytes> bytes = FromUtf8(encoding, text, 1 << 20);
  EXPECT_TRUE(bytes.has_value()) << CharacterEncodingName(encoding) << ": " << text;
  return bytes.value_or(Bytes());
}

// A model that knows these texts: what occurs in them four bytes at a time costs nothing.
Result<size_t> Known(ByteSpan text) {
  static const std::set<std::string> known = [] {
    std::set<std::string> parts;
    for (const std::string& s : {kEnglish, kRussian, kGerman, kChinese, kJapanese}) {
      for (size_t i = 0; i + 4 <= s.size(); ++i) parts.insert(s.substr(i, 4));
    }
    return parts;
  }();
  size_t n = 0;
  const std::string_view all = AsText(text);
  for (size_t i = 0; i + 4 <= all.size(); ++i) n += known.count(std::string(all.substr(i, 4))) == 0;
  return n;
}

CharacterEncoding Guess(const Bytes& data) {
  const Result<CharacterEncoding> guess = GuessEncoding(data, Known);
  EXPECT_TRUE(guess.ok());
  return guess.ok() ? *guess : kNone;
}

Bytes Repeated(const Bytes& data, size_t n) {
  Bytes out;
  for (size_t i = 0; i < n; ++i) out.insert(out.end(), data.begin(), data.end());
  return out;
}

TEST(EncodingGuess, Utf16IsSeen) {
  for (const std::string& text : {kEnglish, kRussian, kGerman, kChinese, kJapanese, std::string("\ufeff") + kRussian}) {
    EXPECT_EQ(Utf16At(In(kUtf16Le, text)), kUtf16Le) << text;
    EXPECT_EQ(Utf16At(In(kUtf16Be, text)), kUtf16Be) << text;
    EXPECT_EQ(Utf16At(In(kUtf16Be, text + "00:00:00,000 100 2000 0000000")), kUtf16Be) << text;
    EXPECT_EQ(Utf16At(In(kUtf16Le, text + "00:00:00,000 100 2000 0000000")), kUtf16Le) << text;
    Bytes odd = In(kUtf16Le, text);
    odd.pop_back();
    EXPECT_EQ(Utf16At(odd), kUtf16Le);
  }
}

TEST(EncodingGuess, WhatIsNotUtf16IsNotTakenForIt) {
  for (const std::string& text : {kEnglish, kRussian, kGerman, kChinese, kJapanese}) EXPECT_EQ(Utf16At(AsBytes(text)), kNone) << text;
  EXPECT_EQ(Utf16At(Bytes()), kNone);
  EXPECT_EQ(Utf16At(Bytes(10000, 0)), kNone);
  EXPECT_EQ(Utf16At(Bytes(10000, ' ')), kNone);
  std::mt19937_64 random(1);
  Bytes noise(20000), sound, small;
  for (uint8_t& b : noise) b = static_cast<uint8_t>(random());
  for (int i = 0; i < 20000; ++i) {
    const auto v = static_cast<int16_t>(8000 * std::sin(i * 0.02));
    sound.push_back(static_cast<uint8_t>(v));
    sound.push_back(static_cast<uint8_t>(v >> 8));
    small.push_back(static_cast<uint8_t>(random() % 100));  // numbers of 16 bits below 100
    small.push_back(0);
  }
  EXPECT_EQ(Utf16At(noise), kNone);
  EXPECT_EQ(Utf16At(sound), kNone);
  EXPECT_EQ(Utf16At(small), kNone);
}

TEST(EncodingGuess, TextsAreGuessedAtEverySize) {
  struct Case {
    CharacterEncoding encoding;
    const std::string& text;
  };
  const Case cases[] = {{kWindows1252, kGerman}, {kIbm850, kGerman}, {kMacintosh, kGerman},  {kWindows1251, kRussian}, {kKoi8R, kRussian},
                        {kIbm866, kRussian},     {kGbk, kChinese},   {kShiftJis, kJapanese}, {kEucJp, kJapanese}};
  for (const Case& c : cases) {
    const Bytes data = In(c.encoding, c.text);
    for (const size_t n : {1, 2, 5, 60, 600}) {
      EXPECT_EQ(ToUtf8(Guess(Repeated(data, n)), data), c.text) << CharacterEncodingName(c.encoding) << " " << n;
    }
    // Much English before.
    Bytes late(AsBytes(kEnglish).begin(), AsBytes(kEnglish).end());
    late = Repeated(late, 100);
    late.insert(late.end(), data.begin(), data.end());
    EXPECT_EQ(ToUtf8(Guess(late), data), c.text) << CharacterEncodingName(c.encoding);
  }
}

TEST(EncodingGuess, Utf8AndAsciiAreNotAskedAbout) {
  const auto fail = [](ByteSpan) -> Result<size_t> {
    ADD_FAILURE() << "asked";
    return 0;
  };
  for (const std::string& text : {std::string(), kEnglish, kRussian, kGerman + "\xff", kChinese}) {
    const Result<CharacterEncoding> guess = GuessEncoding(AsBytes(text), fail);
    ASSERT_TRUE(guess.ok());
    EXPECT_EQ(*guess, kNone) << text;
  }
}

TEST(EncodingGuess, ProgramsAreNotAskedAbout) {
  const auto fail = [](ByteSpan) -> Result<size_t> {
    ADD_FAILURE() << "asked";
    return 0;
  };
  Bytes program = In(kWindows1251, kRussian);
  for (size_t i = 0; i < program.size(); i += 100) program[i] = 1;
  const Result<CharacterEncoding> guess = GuessEncoding(program, fail);
  ASSERT_TRUE(guess.ok());
  EXPECT_EQ(*guess, kNone);
}

TEST(EncodingGuess, NothingIsGuessedWhereNoEncodingHelps) {
  const auto same = [](ByteSpan) -> Result<size_t> { return 1; };
  const Result<CharacterEncoding> guess = GuessEncoding(In(kWindows1251, kRussian), same);
  ASSERT_TRUE(guess.ok());
  EXPECT_EQ(*guess, kNone);
}

TEST(EncodingGuess, FailsAsTheModelDoes) {
  for (int at = 0; at < 5; ++at) {
    int n = 0;
    const auto fail = [&](ByteSpan) -> Result<size_t> {
      if (n++ == at) return Status(StatusCode::kIo, "model: broken");
      return 10;
    };
    const Result<CharacterEncoding> guess = GuessEncoding(In(kWindows1251, kRussian), fail);
    ASSERT_FALSE(guess.ok());
    EXPECT_EQ(guess.status().message(), "model: broken");
  }
}

TEST(EncodingGuess, AsksForLittle) {
  int n = 0;
  size_t most = 0;
  const auto count = [&](ByteSpan text) -> Result<size_t> {
    ++n;
    most = std::max(most, text.size());
    return 10;
  };
  ASSERT_TRUE(GuessEncoding(Repeated(In(kGbk, kChinese), 10000), count).ok());
  EXPECT_LE(n, 7);
  EXPECT_LE(most, 1200u);
}

}  // namespace
}  // namespace pith
