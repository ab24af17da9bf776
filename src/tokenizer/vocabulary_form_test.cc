#include "tokenizer/vocabulary_form.h"

#include <gtest/gtest.h>

#include <random>

#include "tokenizer/tokenizer.h"
#include "tokenizer/tokenizer_testing.h"

namespace pith {
namespace {

Bytes FormOf(const TestVocabulary& vocabulary) {
  const Result<Tokenizer> t = Tokenizer::FromHuggingFaceJson(vocabulary.Json().dump());
  EXPECT_TRUE(t.ok()) << t.status().message();
  return t.ok() ? t->Serialize() : Bytes{};
}

TestVocabulary Small() {
  TestVocabulary v({{"a", "b"}, {"ab", "c"}, {" ", "ab"}, {"b", "c"}, {"a", "bc"}, {"\xe4", "\xb8"}});
  v.AddToken("whole");  // made by no merge
  return v;
}

// The head of a form, and the 256 single bytes with their values as ids.
Bytes Start(size_t n_spelled = 256) {
  Bytes form = {'P', 'T', 'O', 'K', 1, 1, 0};
  ByteWriter out(form);
  out.Varint(n_spelled);
  for (int b = 0; b < 256; ++b) {
    out.Varint(0);
    out.Varint(1);
    out.U8(static_cast<uint8_t>(b));
  }
  return form;
}

struct MergeEntry {
  uint64_t zigzag_step;
  uint64_t left;
  uint64_t right;
};

Bytes WithMerges(Bytes form, const std::vector<MergeEntry>& merges, uint64_t n_added = 0) {
  ByteWriter out(form);
  out.Varint(merges.size());
  for (const MergeEntry& m : merges) {
    out.Varint(m.zigzag_step);
    out.Varint(m.left);
    out.Varint(m.right);
  }
  out.Varint(n_added);
  return form;
}

void ExpectRefused(const Bytes& form, StatusCode code, const std::string& part) {
  const Status status = ReadVocabulary(form).status();
  EXPECT_EQ(status.code(), code) << status.message();
  EXPECT_NE(status.message().find(part), std::string::npos) << part << " is not in: " << status.message();
}

TEST(VocabularyForm, IsAsDocumented) {
  // Written by hand from vocabulary_form.md: one merge, one added token.
  Bytes form = Start();
  const Bytes rest = {1, 0, 'a', 'b', 1, 0xad, 2, 1, 3, '<', 'x', '>'};  // "ab" is 256; "<x>" is 301, special
  form.insert(form.end(), rest.begin(), rest.end());
  const Result<Vocabulary> v = ReadVocabulary(form);
  ASSERT_TRUE(v.ok()) << v.status().message();
  EXPECT_EQ(v->tokens.size(), 302u);
  EXPECT_EQ(v->merges, (std::vector<Merge>{{'a', 'b', 256}}));
  EXPECT_EQ(AsText(v->TokenBytes(256)), "ab");
  EXPECT_EQ(v->added, (std::vector<AddedToken>{{301, "<x>", true}}));
  EXPECT_EQ(WriteVocabulary(*v), form);
}

TEST(VocabularyForm, RoundTrips) {
  for (const bool ignore_merges : {false, true}) {
    TestVocabulary small = Small();
    small.ignore_merges = ignore_merges;
    const Bytes form = FormOf(small);
    const Result<Vocabulary> v = ReadVocabulary(form);
    ASSERT_TRUE(v.ok()) << v.status().message();
    EXPECT_EQ(v->ignore_merges, ignore_merges);
    EXPECT_EQ(v->merges.size(), 6u);
    EXPECT_EQ(AsText(v->TokenBytes(v->merges[1].product)), "abc");
    EXPECT_EQ(v->merges[1].product, v->merges[4].product);
    EXPECT_EQ(v->added.size(), 2u);
    EXPECT_EQ(WriteVocabulary(*v), form);
  }
}

TEST(VocabularyForm, HoldsMergesThatUseWhatALaterMergeMakes) {
  // Trained vocabularies never look so, but the format of the original allows it.
  const TestVocabulary odd({{"a", "b"}, {"abc", "d"}, {"bc", "d"}, {"ab", "c"}, {"b", "c"}, {"a", "bc"}});
  TestVocabulary with_parts = odd;
  with_parts.AddToken("bc");
  const Bytes form = FormOf(with_parts);
  const Result<Vocabulary> v = ReadVocabulary(form);
  ASSERT_TRUE(v.ok()) << v.status().message();
  EXPECT_EQ(v->merges.size(), 6u);
  EXPECT_EQ(WriteVocabulary(*v), form);
}

TEST(VocabularyForm, DoesNotDependOnTheOrderInTheSource) {
  const TestVocabulary small = Small();
  const Bytes form = FormOf(small);
  // The same entries, the last first. nlohmann::json sorts, so the text is made by hand.
  nlohmann::json file = small.Json();
  std::string entries;
  for (const auto& [bytes, id] : small.tokens) {
    const std::string entry = nlohmann::json(AlphabetText(bytes)).dump() + ":" + std::to_string(id);
    entries = entries.empty() ? entry : entry + "," + entries;
  }
  file["model"]["vocab"] = "HERE";
  std::string text = file.dump();
  text.replace(text.find("\"HERE\""), 6, "{" + entries + "}");
  const Result<Tokenizer> t = Tokenizer::FromHuggingFaceJson(text);
  ASSERT_TRUE(t.ok()) << t.status().message();
  EXPECT_EQ(t->Serialize(), form);
}

TEST(VocabularyForm, RandomVocabulariesRoundTrip) {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    TestVocabulary vocabulary;
    vocabulary.ignore_merges = random() % 2 == 0;
    std::vector<std::string> parts = {"a", "b", " ", "\xe4"};
    for (size_t n = random() % 20; n > 0; --n) {
      const std::string& left = parts[random() % parts.size()];
      const std::string& right = parts[random() % parts.size()];
      if (left.size() + right.size() > 40) continue;
      vocabulary.AddMerge(left, right);
      parts.push_back(left + right);
    }
    std::shuffle(vocabulary.merges.begin(), vocabulary.merges.end(), random);
    const Bytes form = FormOf(vocabulary);
    const Result<Vocabulary> v = ReadVocabulary(form);
    ASSERT_TRUE(v.ok()) << round << ": " << v.status().message();
    ASSERT_EQ(WriteVocabulary(*v), form) << round;
  }
}

TEST(VocabularyForm, RefusesEachPrefixAndEachLongerForm) {
  Bytes form = FormOf(Small());
  for (size_t n = 0; n < form.size(); ++n) {
    EXPECT_EQ(ReadVocabulary(ByteSpan(form).first(n)).status().code(), StatusCode::kCorrupt) << n;
  }
  form.push_back(0);
  EXPECT_EQ(ReadVocabulary(form).status().code(), StatusCode::kCorrupt);
}

TEST(VocabularyForm, EachFlippedBitIsRefusedOrGivesAnotherTokenizer) {
  const Bytes form = FormOf(Small());
  const std::string data = "abc whole <|end|> abcab \xe4\xb8\xad\xff";
  size_t n_accepted = 0;
  for (size_t bit = 0; bit < 8 * form.size(); ++bit) {
    Bytes damaged = form;
    damaged[bit / 8] = static_cast<uint8_t>(damaged[bit / 8] ^ 1u << bit % 8);
    const Result<Tokenizer> t = Tokenizer::Deserialize(damaged);
    if (!t.ok()) continue;
    ++n_accepted;
    ASSERT_EQ(t->Serialize(), damaged) << bit;  // exactly one form
    std::vector<TokenId> ids;
    t->Encode(AsBytes(data), ids);
    Bytes back;
    ASSERT_TRUE(t->Decode(ids, back).ok()) << bit;
    ASSERT_EQ(AsText(back), data) << bit;
  }
  EXPECT_GT(n_accepted, 0u);
}

TEST(VocabularyForm, RefusesWhatIsNotCanonical) {
  const StatusCode corrupt = StatusCode::kCorrupt;
  // "ab" spelled although the only merge makes it before any use.
  Bytes spelled = Start(257);
  for (const char b : {'\0', '\2', 'a', 'b'}) spelled.push_back(static_cast<uint8_t>(b));
  ExpectRefused(WithMerges(spelled, {{1, 'a', 'b'}}), corrupt, "spelled without need");
  // A step of 0 written in two bytes.
  Bytes long_varint = Start();
  for (const char b : {'\1', '\x80', '\0', 'a', 'b', '\0'}) long_varint.push_back(static_cast<uint8_t>(b));
  ExpectRefused(long_varint, corrupt, "malformed");
  ExpectRefused(WithMerges(Start(), {{0, 'a', 'b'}, {0, 'a', 'b'}}), corrupt, "bytes");
  ExpectRefused(WithMerges(Start(), {{0, 'a', 'b'}, {1, 'a', 'b'}}), corrupt, "each pair once");
  ExpectRefused(WithMerges(Start(), {{0, 'a', 'b'}, {0, 'b', 'a'}, {3, 'b', 'b'}}), corrupt,
                "bytes are not those");
  ExpectRefused(WithMerges(Start(), {{0, 'a', 256}}), corrupt, "does not exist");
  // Two ids for "aaa".
  ExpectRefused(WithMerges(Start(), {{0, 'a', 'a'}, {0, 256, 'a'}, {0, 'a', 256}}), corrupt, "same bytes");
  Bytes missing = {'P', 'T', 'O', 'K', 1, 1, 0, 1, 0, 1, 'a', 0, 0};
  ExpectRefused(missing, StatusCode::kUnsupported, "single byte 0x00");
}

TEST(VocabularyForm, RefusesOtherVersionsAndBrokenHeads) {
  Bytes form = FormOf(Small());
  form[4] = 2;
  ExpectRefused(form, StatusCode::kUnsupported, "version 2, expected 1");
  form[4] = 1;
  form[5] = 9;
  ExpectRefused(form, StatusCode::kUnsupported, "pattern 9, expected 1");
  form[5] = 1;
  form[6] = 2;
  ExpectRefused(form, StatusCode::kUnsupported, "flags 0x02");
  form[0] = 'p';
  ExpectRefused(form, StatusCode::kCorrupt, "magic");
  ExpectRefused({}, StatusCode::kCorrupt, "magic");
}

TEST(VocabularyForm, RefusesCountsIdsAndLengthsBeyondTheLimits) {
  const StatusCode corrupt = StatusCode::kCorrupt;
  const StatusCode unsupported = StatusCode::kUnsupported;
  const auto with = [](Bytes form, const std::vector<uint64_t>& numbers) {
    ByteWriter out(form);
    for (const uint64_t n : numbers) out.Varint(n);
    return form;
  };
  const Bytes head = {'P', 'T', 'O', 'K', 1, 1, 0};
  ExpectRefused(with(head, {uint64_t{1} << 40}), unsupported, "spelled tokens");
  ExpectRefused(with(head, {1u << 20}), corrupt, "bytes are left");
  ExpectRefused(with(head, {1, 1u << 20, 1, 'a', 0, 0}), unsupported, "token id beyond 1048575");
  ExpectRefused(with(head, {1, ~uint64_t{0}, 1, 'a', 0, 0}), unsupported, "token id beyond 1048575");
  ExpectRefused(with(head, {1, 0, ~uint64_t{0}, 'a', 0, 0}), corrupt, "spelled");
  ExpectRefused(with(head, {1, 0, 0, 0, 0}), corrupt, "empty");
  ExpectRefused(with(Start(), {uint64_t{1} << 50}), unsupported, "merges");
  ExpectRefused(with(Start(), {1u << 22}), corrupt, "bytes are left");
  ExpectRefused(WithMerges(Start(), {{2u << 20, 'a', 'b'}}), unsupported, "token id");
  ExpectRefused(WithMerges(Start(), {{(2u << 20) + 1, 'a', 'b'}}), unsupported, "token id");
  ExpectRefused(WithMerges(Start(), {{~uint64_t{0}, 'a', 'b'}}), unsupported, "token id");
  ExpectRefused(WithMerges(Start(), {{0, 1u << 20, 'b'}}), unsupported, "token id");
  ExpectRefused(WithMerges(Start(), {{0, 'a', uint64_t{1} << 32 | 'b'}}), unsupported, "token id");
  ExpectRefused(with(with(Start(), {0}), {1u << 21}), unsupported, "added tokens");
  ExpectRefused(with(with(Start(), {0}), {1, 5, 1, 1, '<'}), corrupt, "id 5");
  ExpectRefused(with(with(Start(), {0}), {1, 300, 2, 1, '<'}), unsupported, "flags 0x02");
  ExpectRefused(with(with(Start(), {0}), {2, 300, 1, 1, '<', 0, 1, 1, '<'}), corrupt, "same content");
  Bytes not_utf8 = with(Start(), {0, 1, 300, 1, 1});
  not_utf8.push_back(0xff);
  ExpectRefused(not_utf8, corrupt, "expected UTF-8");

  // Each merge doubles: 50 merges would make a token of 2^50 bytes.
  std::vector<MergeEntry> doubling = {{0, 'a', 'a'}};
  for (uint64_t id = 256; id < 306; ++id) doubling.push_back({0, id, id});
  ExpectRefused(WithMerges(Start(), doubling), unsupported, "2048 bytes, expected at most 1024");
}

}  // namespace
}  // namespace pith
