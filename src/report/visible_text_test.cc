#include "report/visible_text.h"

#include <gtest/gtest.h>

namespace pith::bench {
namespace {

TEST(VisibleText, KeepsWhatCanBeSeen) {
  EXPECT_EQ(VisibleText(""), "");
  EXPECT_EQ(VisibleText("naïve 文.txt \\ 😀"), "naïve 文.txt \\ 😀");
  EXPECT_EQ(VisibleText("\xd7\xa9\xd7\x9c"), "\xd7\xa9\xd7\x9c");  // Hebrew is no control
}

TEST(VisibleText, ShowsControlsAndBytesThatAreNoUtf8) {
  EXPECT_EQ(VisibleText("a\nb\tc\x1b[2J\x7f"), "a\\nb\\tc\\u{1b}[2J\\u{7f}");
  EXPECT_EQ(VisibleText(std::string_view("\0", 1)), "\\u{0}");
  EXPECT_EQ(VisibleText("\xc2\x9b"), "\\u{9b}");
  EXPECT_EQ(VisibleText("\xff\xc3"), "\\xff\\xc3");
  EXPECT_EQ(VisibleText("\xed\xa0\x80"), "\\xed\\xa0\\x80");  // a surrogate
  EXPECT_EQ(VisibleText("\xc0\xaf"), "\\xc0\\xaf");           // an overlong slash
}

TEST(VisibleText, ShowsWhatReordersOrHides) {
  EXPECT_EQ(VisibleText("\xe2\x80\xae"), "\\u{202e}");  // right-to-left override
  EXPECT_EQ(VisibleText("\xe2\x81\xa6"), "\\u{2066}");  // isolate
  EXPECT_EQ(VisibleText("\xe2\x80\x8b"), "\\u{200b}");  // zero width space
  EXPECT_EQ(VisibleText("\xef\xbb\xbf"), "\\u{feff}");  // byte order mark
  EXPECT_EQ(VisibleText("\xe2\x80\xa8"), "\\u{2028}");  // line separator
  EXPECT_EQ(VisibleText("\xef\xbf\xbf"), "\\u{ffff}");  // no character
}

TEST(TextColumns, WideCharactersTakeTwo) {
  EXPECT_EQ(TextColumns("abc"), 3u);
  EXPECT_EQ(TextColumns("文字"), 4u);
  EXPECT_EQ(TextColumns("e\xcc\x81"), 1u);  // with a combining acute
  EXPECT_EQ(PadRight("文", 4), "文  ");
  EXPECT_EQ(PadLeft("文", 4), "  文");
  EXPECT_EQ(PadLeft("longer", 4), "longer");
}

TEST(CutText, CutsAtCharacters) {
  EXPECT_EQ(CutText("abcdef", 6), "abcdef");
  EXPECT_EQ(CutText("abcdef", 5), "abcd…");
  EXPECT_EQ(CutText("abcdef", 5, true), "ab...");
  EXPECT_EQ(CutText("文字文字", 5), "文字…");
  EXPECT_EQ(CutText("文字文字", 4), "文…");
  EXPECT_EQ(CutText("abc", 1), "a");
  EXPECT_EQ(CutText("abc", 0), "");
}

TEST(CutText, BoundsMarksWithoutWidth) {
  std::string marks = "a";
  for (int i = 0; i < 1000; ++i) marks += "\xcc\x81";
  EXPECT_LE(CutText(marks, 10).size(), 10u * 4 * 2 + 3);
  EXPECT_LE(CutMiddle(marks, 10).size(), 10u * 4 * 2 + 3);
}

TEST(CutMiddle, KeepsTheEndOfAPath) {
  EXPECT_EQ(CutMiddle("folder/file.txt", 15), "folder/file.txt");
  EXPECT_EQ(CutMiddle("a/very/long/folder/file.txt", 13), "a/ve…file.txt");
  EXPECT_EQ(TextColumns(CutMiddle("文文文文文文文文文文", 8)), 7u);  // half a character is none
}

TEST(EscapeHtml, EscapesForTextAndAttributes) {
  EXPECT_EQ(EscapeHtml("<a b='c' d=\"e\">&amp;"), "&lt;a b=&#39;c&#39; d=&quot;e&quot;&gt;&amp;amp;");
}

}  // namespace
}  // namespace pith::bench
