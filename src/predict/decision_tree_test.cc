#include "predict/decision_tree.h"

#include <gtest/gtest.h>

#include <bit>
#include <random>
#include <vector>

#include "kernels/kernels.h"
#include "predict/decision_mixer.h"

namespace pith {
namespace {

// Frequencies with many zeros and a total below 2^31.
std::vector<uint32_t> RandomFrequencies(uint32_t vocab, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<uint32_t> f(vocab);
  uint64_t budget = (1u << 31) - 1 - vocab;
  for (uint32_t& v : f) {
    if (random() % 3 == 0) continue;
    v = 1 + static_cast<uint32_t>(random() % (budget / 2 + 1)) % (random() % 2 == 0 ? 8 : 1u << 30);
    budget -= v - 1;
  }
  f[random() % vocab] |= 1;
  return f;
}

// Subtree totals of every node, heap order; the definition, as slow as can be.
std::vector<uint64_t> AllTotals(const std::vector<uint32_t>& f, int depth) {
  std::vector<uint64_t> total(size_t{2} << depth, 0);
  for (size_t i = 0; i < f.size(); ++i) {
    for (size_t node = (size_t{1} << depth) + i; node > 0; node /= 2) total[node] += f[i];
  }
  return total;
}

uint32_t SlowProbability(uint64_t a, uint64_t b) {
  if (a == 0 || b == 0) return 0;
  const uint64_t q = (b << 32) / (a + b);
  return q < 1 ? 1 : q > 0xffffffff ? 0xffffffff : static_cast<uint32_t>(q);
}

TEST(DecisionProbability, EqualsTheContractAtTheEdges) {
  const uint32_t edges[] = {0, 1, 2, 3, 1u << 15, (1u << 30) - 1, 1u << 30, (1u << 31) - 3};
  for (const uint32_t a : edges) {
    for (const uint32_t b : edges) {
      if (uint64_t{a} + b >= uint64_t{1} << 31) continue;
      EXPECT_EQ(DecisionProbability(a, b), SlowProbability(a, b)) << a << " " << b;
    }
  }
}

TEST(DecisionTree, DepthIsTheLogarithmRoundedUp) {
  const struct {
    uint32_t vocab;
    int depth;
  } cases[] = {{1, 0},   {2, 1},   {3, 2},     {4, 2},       {5, 3},        {255, 8},
               {256, 8}, {257, 9}, {4096, 12}, {151936, 18}, {1u << 20, 20}};
  for (const auto& c : cases) EXPECT_EQ(DecisionTree(c.vocab).depth(), c.depth) << c.vocab;
}

TEST(DecisionTree, PathAndDescentEqualTheDefinition) {
  for (uint32_t vocab :
       {1u, 2u, 3u, 4u, 5u, 7u, 8u, 9u, 15u, 16u, 17u, 31u, 33u, 63u, 64u, 65u, 100u, 301u}) {
    for (uint64_t seed = 0; seed < 20; ++seed) {
      const std::vector<uint32_t> f = RandomFrequencies(vocab, seed * 1000 + vocab);
      const DecisionTree tree(vocab);
      const int depth = tree.depth();
      const std::vector<uint64_t> total = AllTotals(f, depth);
      for (uint32_t token = 0; token < vocab; ++token) {
        if (f[token] == 0) continue;
        std::vector<uint32_t> p1(static_cast<size_t>(depth), 99);
        tree.Path(f.data(), token, p1);
        Descent descent(tree, f.data());
        for (int level = 0; level < depth; ++level) {
          const size_t node = ((size_t{1} << depth) + token) >> (depth - level);
          const uint32_t expected = SlowProbability(total[2 * node], total[2 * node + 1]);
          ASSERT_EQ(p1[static_cast<size_t>(level)], expected)
              << "vocab " << vocab << " token " << token << " level " << level;
          if (expected == kCertain) continue;
          ASSERT_TRUE(descent.NextDecision());
          ASSERT_EQ(descent.level(), level);
          ASSERT_EQ(descent.node(), node);
          ASSERT_EQ(descent.p1(), expected);
          descent.Take(static_cast<int>(token >> (depth - 1 - level) & 1));
        }
        ASSERT_FALSE(descent.NextDecision());
        ASSERT_EQ(descent.token(), token);
      }
    }
  }
}

TEST(DecisionTree, EveryWayDownEndsAtATokenThatCanOccur) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 2000; ++round) {
    const uint32_t vocab = 1 + static_cast<uint32_t>(random() % 300);
    const std::vector<uint32_t> f = RandomFrequencies(vocab, random());
    const DecisionTree tree(vocab);
    Descent descent(tree, f.data());
    while (descent.NextDecision()) descent.Take(static_cast<int>(random() & 1));
    ASSERT_LT(descent.token(), vocab);
    ASSERT_GT(f[descent.token()], 0u);
  }
}

TEST(DecisionTree, AnOnlyTokenNeedsNoDecision) {
  std::vector<uint32_t> f(1000, 0);
  f[777] = 5;
  const DecisionTree tree(1000);
  std::vector<uint32_t> p1(10, 1);
  tree.Path(f.data(), 777, p1);
  EXPECT_EQ(p1, std::vector<uint32_t>(10, kCertain));
  Descent descent(tree, f.data());
  EXPECT_FALSE(descent.NextDecision());
  EXPECT_EQ(descent.token(), 777u);
}

TEST(DecisionTree, TotalsUpToTheLimitDoNotOverflow) {
  const std::vector<uint32_t> f = {(1u << 31) - 3, 1, 1};
  const DecisionTree tree(3);
  std::vector<uint32_t> p1(2);
  tree.Path(f.data(), 1, p1);
  EXPECT_EQ(p1[0], 2u);  // 1 of 2^31 - 1
  EXPECT_EQ(p1[1], 2u);  // 1 of 2^31 - 2
  tree.Path(f.data(), 2, p1);
  EXPECT_EQ(p1[1], kCertain);
}

TEST(DecisionTree, EveryKernelTableGivesTheSamePaths) {
  for (const Isa isa : AvailableIsas()) {
    for (const uint32_t vocab : {301u, 4096u, 151936u}) {
      const std::vector<uint32_t> f = RandomFrequencies(vocab, vocab);
      const DecisionTree plain(vocab);
      const DecisionTree fast(vocab, KernelsFor(isa).sum_u32);
      std::vector<uint32_t> a(static_cast<size_t>(plain.depth())), b(a.size());
      for (uint32_t token = 0; token < vocab; token += 1 + vocab / 50) {
        if (f[token] == 0) continue;
        plain.Path(f.data(), token, a);
        fast.Path(f.data(), token, b);
        ASSERT_EQ(a, b) << IsaName(isa) << " token " << token;
      }
    }
  }
}

}  // namespace
}  // namespace pith
