#include "hub/digest.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>

namespace pith::hub {
namespace {

TEST(Digest, EmptyAndKnownContents) {
  // FIPS 180-4's example, and what `git hash-object` says.
  EXPECT_EQ(*EtagOf(EtagKind::kSha256, AsBytes("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(*EtagOf(EtagKind::kSha256, {}), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(*EtagOf(EtagKind::kGitSha1, AsBytes("test content\n")), "d670460b4b4aece5915caf5c68d12f560a9fe3e4");
  EXPECT_EQ(*EtagOf(EtagKind::kGitSha1, {}), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
}

TEST(Digest, TheKindOfAnEtagIsSeenByItsDigits) {
  EXPECT_EQ(KindOfEtag(std::string(64, 'a')), EtagKind::kSha256);
  EXPECT_EQ(KindOfEtag(std::string(40, '0')), EtagKind::kGitSha1);
  EXPECT_EQ(KindOfEtag(std::string(40, 'A')), EtagKind::kUnknown);
  for (const size_t n : {0, 39, 41, 63, 65}) EXPECT_EQ(KindOfEtag(std::string(n, 'a')), EtagKind::kUnknown) << n;
}

TEST(Digest, AnyChangedByteOfAFileIsFound) {
  const std::string path = testing::TempDir() + "/pith_digest_test";
  const std::string content = "some content of a file";
  for (const EtagKind kind : {EtagKind::kSha256, EtagKind::kGitSha1}) {
    const std::string etag = *EtagOf(kind, AsBytes(content));
    std::ofstream(path) << content;
    EXPECT_TRUE(CheckContent(path, etag, {}).ok());
    EXPECT_EQ(CheckContent(path, etag, [](uint64_t) { return false; }).code(), StatusCode::kCancelled);
    for (size_t i = 0; i < content.size(); ++i) {
      std::string damaged = content;
      damaged[i] ^= 1;
      std::ofstream(path) << damaged;
      const Status status = CheckContent(path, etag, {});
      EXPECT_EQ(status.code(), StatusCode::kCorrupt) << i;
      EXPECT_NE(status.message().find(etag), std::string::npos);
    }
    std::ofstream(path) << content.substr(1);
    EXPECT_EQ(CheckContent(path, etag, {}).code(), StatusCode::kCorrupt);
    EXPECT_TRUE(CheckContent(path, "an-etag-of-another-kind", {}).ok());
  }
  std::remove(path.c_str());
}

}  // namespace
}  // namespace pith::hub
