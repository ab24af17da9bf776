#include "hub/hub_names.h"

#include <gtest/gtest.h>

namespace pith::hub {
namespace {

TEST(HubNames, ModelsMayHaveAnOrganisationAndARevision) {
  for (const char* text : {"Qwen/Qwen3-0.6B", "gpt2", "a/b", "A_1/x.y-z", "a/b.c"}) {
    const Result<ModelName> name = ParseModelName(text);
    ASSERT_TRUE(name.ok()) << name.status().message();
    EXPECT_EQ(name->full, text);
    EXPECT_EQ(name->revision, "");
  }
  const Result<ModelName> pinned = ParseModelName("Qwen/Qwen3-0.6B@refs/pr/1");
  ASSERT_TRUE(pinned.ok());
  EXPECT_EQ(pinned->full, "Qwen/Qwen3-0.6B");
  EXPECT_EQ(pinned->base(), "Qwen3-0.6B");
  EXPECT_EQ(pinned->revision, "refs/pr/1");
  EXPECT_EQ(ParseModelName("gpt2")->base(), "gpt2");
  EXPECT_TRUE(ParseModelName(std::string(kMaxModelName, 'a')).ok());
}

TEST(HubNames, OtherModelNamesAreRefused) {
  for (const char* text :
       {"",     "/",    "a/",       "/a",         "a/b/c",  "../a",    "a/..",    "a/.b",   ".a/b",    "a/b.",
        "-a/b", "a/b-", "a--b/c",   "a/b--c",     "a/b..c", "a b",     "a/b.git", "a/b\n",  "a/b\\c",  "a/ü",
        "~/a",  "a/b@", "a/b@../x", "a/b@x/../y", "a/b@/x", "a/b@x@y", "a/b@-x",  "a/b@.x", "a/b@x y", "a/b@x/"}) {
    EXPECT_EQ(ParseModelName(text).status().code(), StatusCode::kInvalidArgument) << text;
  }
  EXPECT_FALSE(ParseModelName(std::string(kMaxModelName + 1, 'a')).ok());
  EXPECT_FALSE(ParseModelName("a@" + std::string(kMaxRevision + 1, 'a')).ok());
}

TEST(HubNames, FilesStayInTheirFolder) {
  for (const char* text : {"config.json", "onnx/model file (1).litertlm", "..a", "a..b/c", "ü.json"}) {
    EXPECT_TRUE(CheckFileName(text, "x").ok()) << text;
  }
  for (const char* text :
       {"", "/etc/passwd", "..", ".", "../a", "a/../b", "a/./b", "a//b", "a/", "a\\b", "a\nb", "a\x1b", "\xff"}) {
    EXPECT_EQ(CheckFileName(text, "x").code(), StatusCode::kInvalidArgument) << text;
  }
  EXPECT_TRUE(CheckFileName(std::string(kMaxComponent, 'a'), "x").ok());
  EXPECT_FALSE(CheckFileName(std::string(kMaxComponent + 1, 'a'), "x").ok());
  EXPECT_FALSE(CheckFileName(std::string("a\0b", 3), "x").ok());
}

TEST(HubNames, EtagsAndCommits) {
  EXPECT_TRUE(IsFileEtag("0a-b_c.d"));
  for (const char* text : {"", "../x", ".x", "a/b", "a b", "\""}) EXPECT_FALSE(IsFileEtag(text)) << text;
  EXPECT_TRUE(IsFileEtag(std::string(128, 'a')));
  EXPECT_FALSE(IsFileEtag(std::string(129, 'a')));
  EXPECT_TRUE(IsCommit("0123456789abcdef0123456789abcdef01234567"));
  EXPECT_FALSE(IsCommit("0123456789abcdef0123456789abcdef0123456"));
  EXPECT_FALSE(IsCommit("0123456789ABCDEF0123456789abcdef01234567"));
}

TEST(HubNames, UrlsAreEncoded) {
  EXPECT_EQ(UrlEncoded("refs/pr/1", false), "refs%2Fpr%2F1");
  EXPECT_EQ(UrlEncoded("a b/c?d#e%ü", true), "a%20b/c%3Fd%23e%25%C3%BC");
}

}  // namespace
}  // namespace pith::hub
