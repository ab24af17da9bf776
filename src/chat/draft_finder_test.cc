#include "chat/draft_finder.h"

#include <gtest/gtest.h>

namespace pith {
namespace {

std::vector<TokenId> Tokens(std::string_view text) { return {text.begin(), text.end()}; }

std::string Draft(DraftFinder& finder, std::string_view text, size_t n) {
  finder.Follow(Tokens(text));
  std::vector<TokenId> draft;
  finder.Find(n, draft);
  return {draft.begin(), draft.end()};
}

TEST(DraftFinder, WhatFollowedTheSameTokensIsGuessed) {
  DraftFinder finder;
  EXPECT_EQ(Draft(finder, "the cat sat. the c", 5), "at sa");
  EXPECT_EQ(Draft(finder, "the cat sat. the d", 5), "");
  EXPECT_EQ(Draft(finder, "the cat sat. the dog. the ca", 2), "t ");
  EXPECT_EQ(Draft(finder, "", 5), "");
  EXPECT_EQ(Draft(finder, "ab", 5), "");
  EXPECT_EQ(Draft(finder, "abc", 5), "");
  EXPECT_EQ(Draft(finder, "abcabc", 0), "");
}

TEST(DraftFinder, TheLongestMatchWinsThenTheLatest) {
  DraftFinder finder;
  EXPECT_EQ(Draft(finder, "xabc1 yabc2 xabc", 1), "1");
  EXPECT_EQ(Draft(finder, "abc1 zabc2 yabc", 1), "2");
}

TEST(DraftFinder, ARepetitionGoesOnIntoItself) {
  DraftFinder finder;
  EXPECT_EQ(Draft(finder, "ababab", 6), "ababab");
  EXPECT_EQ(Draft(finder, "aaaa", 4), "aaaa");
}

TEST(DraftFinder, GrowingStepByStepIsTheSameAsAllAtOnceAndGoingBackForgets) {
  std::string text;
  uint64_t state = 1;
  for (int i = 0; i < 400; ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    text += static_cast<char>('a' + (state >> 60) % 3);
  }
  DraftFinder grown;
  for (size_t n = 0; n <= text.size(); ++n) {
    DraftFinder fresh;
    ASSERT_EQ(Draft(grown, text.substr(0, n), 8), Draft(fresh, text.substr(0, n), 8)) << n;
  }
  DraftFinder fresh;
  EXPECT_EQ(Draft(grown, text.substr(0, 100) + "zzzabczzz", 5),
            Draft(fresh, text.substr(0, 100) + "zzzabczzz", 5));
}

TEST(DraftLength, GrowsWithSuccessAndPausesAfterFailure) {
  DraftLength length;
  const size_t first = length.Next();
  EXPECT_GT(first, 0u);
  length.Tell(first, first);
  EXPECT_GT(length.Next(), first);
  for (int i = 0; i < 10; ++i) length.Tell(length.Next(), length.Next());
  EXPECT_EQ(length.Next(), DraftLength::kMost);
  size_t pauses = 0;
  for (int i = 0; i < 1000; ++i) {
    const size_t n = length.Next();
    pauses += n == 0;
    length.Tell(n, 0);
  }
  EXPECT_GT(pauses, 900u) << "guesses that are never right cost next to nothing";
}

}  // namespace
}  // namespace pith
