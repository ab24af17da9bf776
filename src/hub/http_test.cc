#include "hub/http.h"

#include <gtest/gtest.h>

namespace pith::hub {
namespace {

TEST(Addresses, OriginsAreSchemeHostAndPort) {
  EXPECT_EQ(OriginOf("https://HuggingFace.co/a?b"), "https://huggingface.co:443");
  EXPECT_EQ(OriginOf("http://x:8080"), "http://x:8080");
  EXPECT_EQ(OriginOf("http://x@y/"), "http://y:80") << "a name of a user is no host";
  for (const char* text : {"", "x", "ftp://x/", "file:///etc/passwd", "javascript:1"})
    EXPECT_EQ(OriginOf(text), "") << text;
}

TEST(Addresses, LocationsMayBeRelative) {
  EXPECT_EQ(ResolvedUrl("https://x/a/b?c", "/d"), "https://x/d");
  EXPECT_EQ(ResolvedUrl("https://x/a/b", "c"), "https://x/a/c");
  EXPECT_EQ(ResolvedUrl("https://x/a", "//y/z"), "https://y/z");
  EXPECT_EQ(ResolvedUrl("https://x/a", "http://y/z"), "http://y/z");
}

HttpReply Failed(int status, const std::string& retry_after = "") {
  HttpReply reply;
  reply.status = status;
  if (!retry_after.empty()) reply.headers["retry-after"] = retry_after;
  return reply;
}

TEST(Backoff, WaitsDoubleAndEnd) {
  Backoff backoff(1);
  for (const double expected : {1, 2, 4, 8, 16}) EXPECT_EQ(backoff.Next(Failed(503)), expected);
  EXPECT_EQ(backoff.Next(Failed(503)), std::nullopt);
  backoff.Progressed();
  EXPECT_EQ(backoff.Next(Failed(503)), 1);
}

TEST(Backoff, RetryAfterIsHonouredUpToALimit) {
  EXPECT_EQ(Backoff(1).Next(Failed(429, "7")), 7);
  EXPECT_EQ(Backoff(1).Next(Failed(429, "0")), 1);
  EXPECT_EQ(Backoff(1).Next(Failed(429, "86400")), kMaxWaitFactor);
  EXPECT_EQ(Backoff(0.5).Next(Failed(429, "86400")), kMaxWaitFactor / 2);
  for (const char* text : {"-5", "x", "nan", "Wed, 21 Oct 2015 07:28:00 GMT"}) {
    EXPECT_EQ(Backoff(1).Next(Failed(429, text)), 1) << text;
  }
}

TEST(Backoff, AHostThatNeverAnsweredIsGivenUpSoon) {
  HttpReply unreachable;
  unreachable.unreachable = true;
  unreachable.problem = "Could not resolve host";
  Backoff backoff(1);
  EXPECT_EQ(backoff.Next(unreachable), 1);
  EXPECT_EQ(backoff.Next(unreachable), 2);
  EXPECT_EQ(backoff.Next(unreachable), std::nullopt);
  Backoff later(1);
  later.Progressed();
  for (int i = 0; i < 5; ++i) EXPECT_NE(later.Next(unreachable), std::nullopt);
}

TEST(HttpReply, OnlySomeFailuresAreWorthAnotherTry) {
  for (const int status : {408, 429, 500, 502, 503, 504}) EXPECT_TRUE(Failed(status).transient()) << status;
  for (const int status : {200, 206, 302, 400, 401, 403, 404, 416}) EXPECT_FALSE(Failed(status).transient()) << status;
}

TEST(Http, OtherProtocolsAndDeadPortsFail) {
  Http http({.endpoint = "http://127.0.0.1:1"}, nullptr);
  HttpReply reply = http.Perform({.url = "file:///etc/passwd"}, [](const HttpReply&, ByteSpan) {
    ADD_FAILURE() << "content of a file of this machine";
    return true;
  });
  EXPECT_FALSE(reply.good());
  EXPECT_FALSE(reply.transient());
  reply = http.Perform({.url = "http://127.0.0.1:1/x"}, {});
  EXPECT_TRUE(reply.unreachable);
  EXPECT_TRUE(reply.transient());
  EXPECT_NE(reply.problem, "");
}

}  // namespace
}  // namespace pith::hub
