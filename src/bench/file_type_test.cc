#include "bench/file_type.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>

namespace pith::bench {
namespace {

std::string TypeOf(const std::string& text, const std::string& name = "file", bool whole = true) {
  return FileTypeName(ClassifyFile(AsBytes(text), whole, name));
}

std::string Repeated(const std::string& text, int n) {
  std::string all;
  for (int i = 0; i < n; ++i) all += text;
  return all;
}

TEST(FileType, NamesAreReadAsTheyAreWritten) {
  for (size_t i = 0; i < kNFileTypes; ++i) {
    EXPECT_EQ(FileTypeNamed(FileTypeName(static_cast<FileType>(i))), static_cast<FileType>(i));
  }
  EXPECT_FALSE(FileTypeNamed("novel").has_value());
}

TEST(FileType, ProseInAnyScript) {
  EXPECT_EQ(
      TypeOf(
          "Alice was beginning to get very tired of sitting by her sister on the bank, and of having nothing to do."),
      "prose");
  EXPECT_EQ(TypeOf("Однажды весною, в час небывало жаркого заката, в Москве появились два гражданина. Шли они молча."),
            "prose");
  EXPECT_EQ(TypeOf("话说天下大势，分久必合，合久必分。周末七国分争，并入于秦。"), "prose");
  EXPECT_EQ(TypeOf("吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。"), "prose");
  EXPECT_EQ(TypeOf("यह एक छोटा सा वाक्य है। और यह दूसरा वाक्य है।"), "prose");
  EXPECT_EQ(TypeOf("كان الطقس جميلا في ذلك اليوم. خرج الناس إلى الشوارع؟"), "prose");
  EXPECT_EQ(
      TypeOf("# Title\n\nSome words about `code` and what it does, in a sentence.\n\n    make all\n", "README.md"),
      "prose");
}

TEST(FileType, Utf16IsReadAsTheTextThatItIs) {
  const auto wide = [](const std::string& text) {
    std::string s = "\xff\xfe";
    for (const char c : text) s += {c, '\0'};
    return s;
  };
  EXPECT_EQ(TypeOf(wide("Alice was beginning to get very tired of sitting by her sister on the bank, and of having nothing to do.")),
            "prose");
  EXPECT_EQ(TypeOf(wide("{\"a\": [1, 2.5e3, true, null], \"b\": \"x\"}")), "json");
  EXPECT_EQ(TypeOf(wide("a,b,c\n1,2,3\n4,5,6\n7,8,9\n"), "t.csv"), "csv");
}

TEST(FileType, JsonAndItsLines) {
  EXPECT_EQ(TypeOf("{\"a\": [1, 2.5e3, true, null], \"b\": \"x\\\"y\"}"), "json");
  EXPECT_EQ(TypeOf("  [1,2]\n"), "json");
  EXPECT_EQ(TypeOf("{\"a\":1}\n{\"a\":2}\n", "events.log"), "json");
  EXPECT_EQ(TypeOf("{\"a\": \"cut in the mid", "x.json", false), "json");
  EXPECT_NE(TypeOf("{\"a\": \"cut in the mid"), "json");
  EXPECT_NE(TypeOf("{ a: 1, b: 2 };\n", "x.js"), "json");
  EXPECT_NE(TypeOf("[section]\nkey = value\n", "x.ini"), "json");
  EXPECT_NE(TypeOf("[words](link)"), "json");
  EXPECT_NE(TypeOf("{"), "json");
}

TEST(FileType, XmlAndHtml) {
  EXPECT_EQ(TypeOf("<?xml version=\"1.0\"?>\n<a/>"), "markup");
  EXPECT_EQ(TypeOf("<!DOCTYPE html><title>x</title>"), "markup");
  EXPECT_EQ(TypeOf("<p>One</p>\n<p>Two words</p>\n<br/>"), "markup");
  EXPECT_EQ(TypeOf("<svg width='3'><g/></svg>", "a.svg"), "markup");
  EXPECT_EQ(TypeOf("#include <vector>\nstd::vector<int> a;\nbool b = 1 < 2 && 3 > 2;\n", "a.cc"), "source");
}

TEST(FileType, TablesWithCommasTabsAndSemicolons) {
  EXPECT_EQ(TypeOf("a,b,c\n1,2,3\n4,5,6\n"), "csv");
  EXPECT_EQ(TypeOf("a;b;c\n1;2;3\n4;5;6\n"), "csv");
  EXPECT_EQ(TypeOf("a\tb\n1\t2\n4\t5\n"), "csv");
  EXPECT_EQ(TypeOf("name,text\nx,\"with, comma and\nnew line\"\ny,z\n", "t.csv"), "csv");
  EXPECT_EQ(TypeOf("time,x,y\n2024-01-02 10:00:00,1,2\n2024-01-02 10:00:01,1,3\n"), "csv");
  EXPECT_EQ(TypeOf("1,2\n", "a.csv"), "csv");
  // One comma a line, by chance.
  EXPECT_EQ(TypeOf("Yes, he said so.\nNo, it was not so.\nWell, who knows that.\n"), "prose");
  EXPECT_NE(TypeOf("\tACT I\n\tSCENE I\n\tA forest, before a cave.\n\tEnter two of them.\n"), "csv");
}

TEST(FileType, Logs) {
  EXPECT_EQ(
      TypeOf("2024-01-02 10:00:00 INFO start\n2024-01-02T10:00:01Z WARN x\n  at f(g)\n[2024-01-02 10:00:02] end\n"),
      "log");
  EXPECT_EQ(TypeOf("Jan  2 10:00:00 host sshd[1]: accepted\nJan 12 10:00:00 host cron[2]: run\n"), "log");
  EXPECT_EQ(TypeOf("10.0.0.1 - - [02/Jan/2024:10:00:00 +0000] \"GET / HTTP/1.1\" 200 5\n192.168.1.20 - - [x]\n"),
            "log");
  EXPECT_EQ(TypeOf("INFO: one\nERROR: two\n"), "log");
  EXPECT_EQ(TypeOf("<34>Oct 11 22:14:15 host su: failed\n<34>Oct 11 22:14:16 host su: failed\n"), "log");
  EXPECT_NE(TypeOf("Information is power. Errors are human.\nInformed people know.\n"), "log");
}

TEST(FileType, SourceByNameAndByLooks) {
  EXPECT_EQ(TypeOf("#!/bin/sh\necho hello\n", "run"), "source");
  EXPECT_EQ(TypeOf("def f(x):\n    return x + 1\n", "f.py"), "source");
  EXPECT_EQ(TypeOf("all: a.o b.o\n\tcc -o $@ $^\n", "Makefile"), "source");
  const std::string c =
      "int main(void) {\n  for (int i = 0; i < 3; ++i) {\n    printf(\"%d\\n\", i);\n  }\n  return 0;\n}\n";
  EXPECT_EQ(TypeOf(c, "a.c"), "source");
  EXPECT_EQ(TypeOf(c, "no_name"), "source");
  EXPECT_EQ(TypeOf("Dear all, this is a letter and no program. It has sentences, and words in them.\n", "todo.c"),
            "prose");
}

TEST(FileType, BinaryAndOtherText) {
  std::string random(4000, '\0');
  std::mt19937 generator(7);
  for (char& c : random) c = static_cast<char>(generator());
  EXPECT_EQ(TypeOf(random, "a.txt"), "binary");
  EXPECT_EQ(TypeOf(std::string(100, '\0'), "a.json"), "binary");
  EXPECT_EQ(TypeOf(""), "text");
  EXPECT_EQ(TypeOf("a"), "text");
  EXPECT_EQ(TypeOf(Repeated("a", 5000)), "text");
  EXPECT_EQ(TypeOf(Repeated("abcdefghijklmnopqrstuvwxyz", 50)), "text");
  EXPECT_EQ(TypeOf("12 14 17\n1 2\n9 8 7 6\n"), "text");
  // Latin-1, an old encoding: a few bytes that are no UTF-8.
  EXPECT_EQ(TypeOf(Repeated("Les \xe9l\xe8ves lisent un livre pendant la matin\xe9"
                            "e. ",
                            5)),
            "prose");
}

TEST(FileType, ACutCharacterIsNoDamage) {
  const std::string text = "话说天下大势。";
  for (size_t n = 3; n <= text.size(); ++n) EXPECT_NE(TypeOf(text.substr(0, n), "a", false), "binary") << n;
}

TEST(FileType, ACorpusIsSortedAsAPersonWould) {
  const std::string corpus = PITH_SOURCE_DIR "/../shared/data/corpus/";
  if (!std::filesystem::exists(corpus)) GTEST_SKIP() << "no ../shared/data/corpus";
  const std::pair<const char*, const char*> expected[] = {{"artificial/a.txt", "text"},
                                                          {"artificial/alphabet.txt", "text"},
                                                          {"artificial/random.txt", "text"},
                                                          {"calgary/book1", "prose"},
                                                          {"calgary/paper1", "prose"},
                                                          {"canterbury/alice29.txt", "prose"},
                                                          {"canterbury/asyoulik.txt", "prose"},
                                                          {"canterbury/cp.html", "markup"},
                                                          {"canterbury/plrabn12.txt", "prose"},
                                                          {"csv/us_zip_codes_600k.csv", "csv"},
                                                          {"en/moby_dick.txt", "prose"},
                                                          {"en/wikitext2_valid.txt", "prose"},
                                                          {"json/canada_600k.json", "json"},
                                                          {"json/citm_catalog_800k.json", "json"},
                                                          {"json/twitter.json", "json"},
                                                          {"logs/apache_access_1m.log", "log"},
                                                          {"markdown/react_ar_500k.md", "prose"},
                                                          {"markdown/rust_book.md", "prose"},
                                                          {"multi/pud_hi.txt", "prose"},
                                                          {"multi/pud_ar.txt", "prose"},
                                                          {"multi/zh_three_kingdoms_1m.txt", "prose"},
                                                          {"silesia/dickens_2m.txt", "prose"},
                                                          {"silesia/nci_700k.txt", "text"},
                                                          {"silesia/xml_1m.xml", "markup"},
                                                          {"xml/hamlet.xml", "markup"}};
  for (const auto& [name, type] : expected) {
    std::ifstream in(corpus + name, std::ios::binary);
    ASSERT_TRUE(in) << name;
    std::string text{std::istreambuf_iterator<char>(in), {}};
    const bool whole = text.size() <= kTypeSampleBytes;
    text.resize(std::min(text.size(), kTypeSampleBytes));
    EXPECT_EQ(TypeOf(text, name, whole), type) << name;
  }
}

}  // namespace
}  // namespace pith::bench
