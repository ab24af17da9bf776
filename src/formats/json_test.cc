#include "formats/json.h"

#include <gtest/gtest.h>

#include <string>

namespace pith {
namespace {

Result<Json> ParseText(std::string_view text, const JsonLimits& limits = {}) {
  return Json::Parse(AsBytes(text), "t.json", limits);
}

TEST(Json, ReadsEveryKind) {
  const auto j = ParseText(
      R"({"n":null,"b":true,"i":-7,"u":18446744073709551615,"d":1.5,"s":"x\u00e9","a":[1,[]],"o":{}})");
  ASSERT_TRUE(j.ok()) << j.status().message();
  EXPECT_EQ(j->kind(), Json::Kind::kObject);
  EXPECT_EQ(j->members().size(), 8u);
  EXPECT_TRUE(j->Find("n")->is_null());
  EXPECT_EQ(j->Find("b")->AsBool(), true);
  EXPECT_EQ(j->Find("i")->AsInteger(), -7);
  EXPECT_EQ(j->Find("i")->AsUnsigned(), std::nullopt);
  EXPECT_EQ(j->Find("i")->AsNumber(), -7.0);
  EXPECT_EQ(j->Find("u")->AsUnsigned(), UINT64_MAX);
  EXPECT_EQ(j->Find("u")->AsInteger(), std::nullopt);
  EXPECT_EQ(j->Find("d")->AsNumber(), 1.5);
  EXPECT_EQ(j->Find("d")->AsInteger(), std::nullopt);
  EXPECT_EQ(*j->Find("s")->AsString(), "x\xc3\xa9");
  ASSERT_EQ(j->Find("a")->items().size(), 2u);
  EXPECT_EQ(j->Find("a")->items()[1].kind(), Json::Kind::kArray);
  EXPECT_TRUE(j->Find("o")->members().empty());
  EXPECT_EQ(j->Find("missing"), nullptr);
  EXPECT_EQ(j->Find("a")->Find("x"), nullptr);
  EXPECT_EQ(j->Find("n")->AsString(), nullptr);
}

TEST(Json, MembersAreFoundInAnyOrderAndNumber) {
  for (const size_t n : {0u, 1u, 2u, 3u, 7u, 64u, 1000u}) {
    std::string text = "{";
    const auto key = [](size_t i) { return std::string("k").append(std::to_string((i * 7919) % 10007)); };
    for (size_t i = 0; i < n; ++i) {
      text.append(i > 0 ? ",\"" : "\"").append(key(i)).append("\":").append(std::to_string(i));
    }
    const auto j = ParseText(text + "}");
    ASSERT_TRUE(j.ok()) << j.status().message();
    for (size_t i = 0; i < n; ++i) {
      const Json* v = j->Find(key(i));
      ASSERT_NE(v, nullptr);
      EXPECT_EQ(v->AsUnsigned(), i);
    }
  }
}

TEST(Json, ErrorsNameByteLineAndColumn) {
  const auto j = ParseText("{\n  \"a\": 1,\n  \"b\" 2\n}");
  ASSERT_FALSE(j.ok());
  EXPECT_EQ(j.status().code(), StatusCode::kCorrupt);
  EXPECT_NE(j.status().message().find("t.json: byte 18 (line 3, column 7): syntax error"), std::string::npos)
      << j.status().message();
}

TEST(Json, EveryPrefixIsRefused) {
  const std::string text = R"({"a":[1,2.5e3,{"b":"c\n"}],"d":true})";
  ASSERT_TRUE(ParseText(text).ok());
  for (size_t n = 0; n < text.size(); ++n) EXPECT_FALSE(ParseText(text.substr(0, n)).ok()) << n;
  EXPECT_FALSE(ParseText(text + "x").ok());
}

TEST(Json, WhatIsNotJsonIsRefused) {
  for (const std::string_view bad :
       {"nan", "[1,]", "{a:1}", "'x'", "[01]", "1e999", "\"\xff\"", "\"\xed\xa0\x80\"", "\"\x01\"", "[1] [2]",
        "// c\n1", "+1", "\"\\ud800\""}) {
    const auto j = ParseText(bad);
    ASSERT_FALSE(j.ok()) << bad;
    EXPECT_EQ(j.status().code(), StatusCode::kCorrupt) << bad;
  }
}

TEST(Json, RepeatedKeysAreRefusedOrTheLastCounts) {
  const std::string text = R"({"x":{"k":1,"j":0,"k":2,"k":3}})";
  const auto refused = ParseText(text);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.status().message(), R"(t.json: "x": key "k" occurs more than once)");
  JsonLimits limits;
  limits.unique_keys = false;
  const auto last = ParseText(text, limits);
  ASSERT_TRUE(last.ok());
  EXPECT_EQ(last->Find("x")->members().size(), 2u);
  EXPECT_EQ(last->Find("x")->Find("k")->AsInteger(), 3);
}

TEST(Json, LimitsHold) {
  JsonLimits limits;
  limits.max_depth = 3;
  limits.max_values = 5;
  limits.max_bytes = 40;
  EXPECT_TRUE(ParseText("[[[1]]]", limits).ok());
  EXPECT_EQ(ParseText("[[[[1]]]]", limits).status().code(), StatusCode::kUnsupported);
  EXPECT_TRUE(ParseText("[1,2,3,4]", limits).ok());
  EXPECT_EQ(ParseText("[1,2,3,4,5]", limits).status().code(), StatusCode::kUnsupported);
  EXPECT_EQ(ParseText(std::string(41, ' '), limits).status().code(), StatusCode::kUnsupported);
  // A million brackets end at the limit, not in the stack.
  EXPECT_EQ(ParseText(std::string(1000000, '[')).status().code(), StatusCode::kUnsupported);
}

TEST(Quoted, MakesAnythingPrintable) {
  EXPECT_EQ(Quoted("plain"), "\"plain\"");
  EXPECT_EQ(Quoted("a\"b\\c"), "\"a\\\"b\\\\c\"");
  EXPECT_EQ(Quoted("\x1b[2J\n"), "\"\\x1b[2J\\x0a\"");
  EXPECT_EQ(Quoted("\xc3\xa9 \xff \xc2\x9b \xed\xa0\x80"), "\"\xc3\xa9 \\xff \\xc2\\x9b \\xed\\xa0\\x80\"");
  EXPECT_EQ(Quoted("\xe2\x82"), "\"\\xe2\\x82\"");
  EXPECT_EQ(Quoted(std::string(200, 'a')).size(), 80u + 5u);
}

}  // namespace
}  // namespace pith
