#include "charset/character_encoding.h"

#include <gtest/gtest.h>
#include <iconv.h>

#include <set>
#include <string>
#include <vector>

#include "base/hash.h"
#include "base/random_bytes.h"
#include "base/utf8.h"

namespace pith {
namespace {

std::vector<CharacterEncoding> AllEncodings() {
  std::vector<CharacterEncoding> all;
  for (int i = 1; i <= kLastCharacterEncoding; ++i) all.push_back(static_cast<CharacterEncoding>(i));
  return all;
}

bool IsUtf8(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    if (TakeUtf8(text, at) > kMaxCodePoint) return false;
  }
  return true;
}

void ExpectRoundTrip(CharacterEncoding encoding, const Bytes& data) {
  const std::string text = ToUtf8(encoding, data);
  EXPECT_TRUE(IsUtf8(text)) << CharacterEncodingName(encoding);
  EXPECT_LE(text.size(), kMaxUtf8BytesPerByte * data.size());
  const std::optional<Bytes> back = FromUtf8(encoding, text, data.size());
  ASSERT_TRUE(back.has_value()) << CharacterEncodingName(encoding) << ", " << data.size() << " bytes";
  EXPECT_EQ(*back, data) << CharacterEncodingName(encoding);
}

TEST(CharacterEncoding, NamesAreDifferent) {
  std::set<std::string> names;
  for (const CharacterEncoding e : AllEncodings()) names.insert(CharacterEncodingName(e));
  EXPECT_EQ(names.size(), static_cast<size_t>(kLastCharacterEncoding));
  EXPECT_STREQ(CharacterEncodingName(CharacterEncoding::kNone), "");
}

TEST(CharacterEncoding, AnyBytesRoundTrip) {
  for (const CharacterEncoding e : AllEncodings()) {
    ExpectRoundTrip(e, {});
    for (int a = 0; a < 256; ++a) {
      ExpectRoundTrip(e, {static_cast<uint8_t>(a)});
      Bytes pairs;
      for (int b = 0; b < 256; ++b) {
        pairs.push_back(static_cast<uint8_t>(a));
        pairs.push_back(static_cast<uint8_t>(b));
      }
      // Without what UTF-16 has beyond U+10FEFF, which stands for bytes.
      ExpectRoundTrip(e, pairs);
    }
    for (const size_t n : {1, 2, 3, 4, 5, 63, 64, 65, 1000, 4097}) ExpectRoundTrip(e, RandomBytes(n, n));
  }
}

TEST(CharacterEncoding, TextsAreWhatTheyShouldBe) {
  const auto text = [](CharacterEncoding e, std::string_view bytes) { return ToUtf8(e, AsBytes(bytes)); };
  using enum CharacterEncoding;
  EXPECT_EQ(text(kUtf16Le, std::string_view("\xff\xfe" "a\0\xe9\0\x3d\xd8\x00\xde", 10)), "\ufeffa\u00e9\U0001f600");
  EXPECT_EQ(text(kUtf16Be, std::string_view("\0a\0\xe9\xd8\x3d\xde\x00", 8)), "a\u00e9\U0001f600");
  EXPECT_EQ(text(kWindows1252, "na\xefve \x80 5"), "na\u00efve \u20ac 5");
  EXPECT_EQ(text(kWindows1251, "\xcf\xf0\xe8\xe2\xe5\xf2"), "Привет");
  EXPECT_EQ(text(kKoi8R, "\xf0\xd2\xc9\xd7\xc5\xd4"), "Привет");
  EXPECT_EQ(text(kIbm866, "\x8f\xe0\xa8\xa2\xa5\xe2"), "Привет");
  EXPECT_EQ(text(kShiftJis, "\x93\xfa\x96\x7b\xb6\xc5"), "日本\uff76\uff85");
  EXPECT_EQ(text(kEucJp, "\xc6\xfc\xcb\xdc"), "日本");
  EXPECT_EQ(text(kGbk, "\xd6\xd0\xb9\xfa"), "中国");
  EXPECT_EQ(text(kBig5, "\xa4\xa4\xb0\xea"), "中國");
  EXPECT_EQ(text(kEucKr, "\xc7\xd1\xb1\xdb"), "한글");
}

TEST(CharacterEncoding, WhatIsNoCharacterStandsForItself) {
  using enum CharacterEncoding;
  EXPECT_EQ(ToUtf8(kWindows1252, AsBytes("\x81")), "\U0010ff81");
  EXPECT_EQ(ToUtf8(kUtf16Le, AsBytes("a")), "\U0010ff61");              // half a unit
  EXPECT_EQ(ToUtf8(kUtf16Le, Bytes{0x00, 0xd8, 'a', 0}), "\U0010ff00\U0010ffd8" "a");  // half a pair
  EXPECT_EQ(ToUtf8(kShiftJis, Bytes{0x93}), "\U0010ff93");                             // cut off
  EXPECT_EQ(ToUtf8(kGbk, Bytes{0xff, 0xd6, '\n'}), "\U0010ffff\U0010ffd6\n");
}

TEST(CharacterEncoding, TextThatTheEncodingLacksIsRefused) {
  using enum CharacterEncoding;
  EXPECT_FALSE(FromUtf8(kWindows1252, "Привет", 100));
  EXPECT_FALSE(FromUtf8(kWindows1251, "中", 100));
  EXPECT_FALSE(FromUtf8(kGbk, "\U0001f600", 100));
  for (const CharacterEncoding e : AllEncodings()) {
    EXPECT_FALSE(FromUtf8(e, "a\xff", 100)) << "no UTF-8";
    EXPECT_FALSE(FromUtf8(e, "a\xed\xa0\x80", 100)) << "a surrogate in UTF-8";
    EXPECT_FALSE(FromUtf8(e, "aaa", 2)) << "too long";
    EXPECT_TRUE(FromUtf8(e, "", 0));
  }
}

// They are part of the format: whoever changes them makes archives unreadable.
TEST(CharacterTables, NeverChange) {
  std::string all;
  for (int i = static_cast<int>(CharacterEncoding::kWindows1252); i <= kLastCharacterEncoding; ++i) {
    Bytes bytes;
    for (int a = 0x80; a < 0x100; ++a) {
      bytes.push_back(static_cast<uint8_t>(a));
      bytes.push_back(0);
    }
    for (int a = 0x81; a < 0xff; ++a) {
      for (int b = 0x40; b < 0xff; ++b) bytes.insert(bytes.end(), {static_cast<uint8_t>(a), static_cast<uint8_t>(b), 0});
    }
    all += ToUtf8(static_cast<CharacterEncoding>(i), bytes);
  }
  EXPECT_EQ(Hex(Hash64(AsBytes(all)), 16), "0x32e609698a1cbf0f");
}

// The C library's tables are of other origin. They differ in what is no letter: the macintosh's currency sign and apple, dashes of
// CP932; BIG5 is not Microsoft's extension of it.
TEST(CharacterTables, AgreeWithTheCLibrary) {
  struct Peer {
    CharacterEncoding encoding;
    const char* name;
    int most_differences;
  };
  using enum CharacterEncoding;
  const Peer peers[] = {{kWindows1252, "CP1252", 0}, {kWindows1251, "CP1251", 0}, {kKoi8R, "KOI8-R", 0},     {kIbm866, "CP866", 0},
                        {kIso8859_5, "ISO-8859-5", 0}, {kWindows1250, "CP1250", 0}, {kIso8859_2, "ISO-8859-2", 0}, {kIbm850, "CP850", 0},
                        {kIbm437, "CP437", 0},       {kIso8859_15, "ISO-8859-15", 0}, {kMacintosh, "MACINTOSH", 2}, {kWindows1253, "CP1253", 0},
                        {kIso8859_7, "ISO-8859-7", 0}, {kWindows1254, "CP1254", 0}, {kWindows1255, "CP1255", 0}, {kWindows1256, "CP1256", 0},
                        {kWindows1257, "CP1257", 0}, {kKoi8U, "KOI8-U", 0},         {kWindows874, "CP874", 0},   {kShiftJis, "CP932", 5},
                        {kEucJp, "EUC-JP", 0},       {kGbk, "GBK", 0},              {kBig5, "BIG5", 249},         {kEucKr, "UHC", 0}};
  int compared = 0;
  for (const Peer& peer : peers) {
    const iconv_t converter = iconv_open("UTF-8", peer.name);
    if (converter == reinterpret_cast<iconv_t>(-1)) continue;  // another C library
    int differences = 0, same = 0;
    const auto compare = [&](Bytes bytes) {
      const std::string ours = ToUtf8(peer.encoding, bytes);
      size_t at = 0;
      if (TakeUtf8(ours, at) >= kByteCodePoints || at != ours.size()) return;
      char theirs[16];
      char* from = reinterpret_cast<char*>(bytes.data());
      char* to = theirs;
      size_t in_left = bytes.size(), out_left = sizeof theirs;
      iconv(converter, nullptr, nullptr, nullptr, nullptr);
      const bool known = iconv(converter, &from, &in_left, &to, &out_left) != static_cast<size_t>(-1) &&
                         iconv(converter, nullptr, nullptr, &to, &out_left) != static_cast<size_t>(-1);  // what it holds back
      if (known && std::string(theirs, to) == ours) {
        ++same;
      } else {
        ++differences;
      }
    };
    for (int a = 0x80; a < 0x100; ++a) {
      compare({static_cast<uint8_t>(a)});
      for (int b = 0x40; peer.encoding >= kShiftJis && b < 0xff; ++b) compare({static_cast<uint8_t>(a), static_cast<uint8_t>(b)});
    }
    iconv_close(converter);
    ++compared;
    EXPECT_LE(differences, peer.most_differences) << peer.name;
    EXPECT_GT(same, 40) << peer.name;
  }
  if (compared == 0) GTEST_SKIP() << "iconv knows none of them here";
}

}  // namespace
}  // namespace pith
