// The published Qwen3 tokenizer and the starter's against reference outputs in ../shared/golden (its README
// says how they were made), and round trips of the corpus.
#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tokenizer/tokenizer.h"

namespace pith {
namespace {

using nlohmann::json;

const std::string kShared = std::string(PITH_SOURCE_DIR) + "/../shared";
const std::string kQwen3 = kShared + "/data/qwen3/tokenizer.json";
const std::string kStarter = kShared + "/models/starter/tokenizer.json";

#define PITH_SKIP_WITHOUT(path) \
  if (!std::filesystem::exists(path)) GTEST_SKIP() << (path) << " is not here"

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<json> ReadLines(const std::string& path) {
  std::vector<json> lines;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) lines.push_back(json::parse(line));
  return lines;
}

const Tokenizer& Load(const std::string& path) {
  static std::map<std::string, Tokenizer> loaded;
  if (const auto found = loaded.find(path); found != loaded.end()) return found->second;
  Result<Tokenizer> t = Tokenizer::FromHuggingFaceJson(ReadFile(path));
  if (!t.ok()) throw std::runtime_error(t.status().message());
  return loaded.emplace(path, *std::move(t)).first->second;
}

std::vector<TokenId> Encode(const Tokenizer& t, std::string_view text) {
  std::vector<TokenId> ids;
  t.Encode(AsBytes(text), ids);
  return ids;
}

// The stock tokenizer finds added tokens in the text first: the leftmost, of several the longest.
std::vector<TokenId> EncodeWithAddedTokens(const Tokenizer& t, std::string_view text) {
  std::vector<TokenId> ids;
  size_t begin = 0;
  for (size_t i = 0; i < text.size();) {
    const AddedToken* found = nullptr;
    for (const AddedToken& token : t.added_tokens()) {
      const bool here = text.substr(i).starts_with(token.content);
      if (here && (found == nullptr || token.content.size() > found->content.size())) found = &token;
    }
    if (found == nullptr) {
      ++i;
      continue;
    }
    t.Encode(AsBytes(text.substr(begin, i - begin)), ids);
    ids.push_back(found->id);
    i += found->content.size();
    begin = i;
  }
  t.Encode(AsBytes(text.substr(begin)), ids);
  return ids;
}

// SHA-256 (FIPS 180-4), to compare with files.jsonl.
std::string Sha256(Bytes data) {
  static constexpr std::array<uint32_t, 64> k = {
      0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
      0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
      0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
      0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
      0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
      0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
      0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
      0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};
  std::array<uint32_t, 8> h = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                               0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  const uint64_t n_bits = 8 * data.size();
  data.push_back(0x80);
  while (data.size() % 64 != 56) data.push_back(0);
  for (int shift = 56; shift >= 0; shift -= 8) data.push_back(static_cast<uint8_t>(n_bits >> shift));
  for (size_t block = 0; block < data.size(); block += 64) {
    std::array<uint32_t, 64> w{};
    for (size_t i = 0; i < 64; ++i) w[i / 4 % 16] = w[i / 4 % 16] << 8 | data[block + i];
    for (size_t i = 16; i < 64; ++i) {
      const uint32_t s0 = std::rotr(w[i - 15], 7) ^ std::rotr(w[i - 15], 18) ^ w[i - 15] >> 3;
      const uint32_t s1 = std::rotr(w[i - 2], 17) ^ std::rotr(w[i - 2], 19) ^ w[i - 2] >> 10;
      w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    std::array<uint32_t, 8> v = h;
    for (size_t i = 0; i < 64; ++i) {
      const uint32_t s1 = std::rotr(v[4], 6) ^ std::rotr(v[4], 11) ^ std::rotr(v[4], 25);
      const uint32_t t1 = v[7] + s1 + ((v[4] & v[5]) ^ (~v[4] & v[6])) + k[i] + w[i];
      const uint32_t s0 = std::rotr(v[0], 2) ^ std::rotr(v[0], 13) ^ std::rotr(v[0], 22);
      const uint32_t t2 = s0 + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
      v = {t1 + t2, v[0], v[1], v[2], v[3] + t1, v[4], v[5], v[6]};
    }
    for (size_t i = 0; i < 8; ++i) h[i] += v[i];
  }
  std::string text;
  for (const uint32_t word : h) text += Hex(word).substr(2);
  return text;
}

TEST(TokenizerGolden, Sha256IsRight) {
  EXPECT_EQ(Sha256({'a', 'b', 'c'}), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(TokenizerGolden, Qwen3EqualsTheReferenceOnStrings) {
  const std::string path = kShared + "/golden/text/strings.jsonl";
  PITH_SKIP_WITHOUT(path);
  PITH_SKIP_WITHOUT(kQwen3);
  const Tokenizer& t = Load(kQwen3);
  size_t n_lines = 0;
  for (const json& line : ReadLines(path)) {
    const auto text = line["text"].get<std::string>();
    const auto expected = line["ids"].get<std::vector<TokenId>>();
    EXPECT_EQ(EncodeWithAddedTokens(t, text), expected) << text;
    Bytes back;
    const Status status = t.Decode(Encode(t, text), back);
    EXPECT_TRUE(status.ok()) << status.message();
    EXPECT_EQ(AsText(back), text);
    ++n_lines;
  }
  EXPECT_GT(n_lines, 500u);
}

TEST(TokenizerGolden, Qwen3EqualsTheReferenceOnFiles) {
  const std::string path = kShared + "/golden/text/files.jsonl";
  PITH_SKIP_WITHOUT(path);
  PITH_SKIP_WITHOUT(kQwen3);
  const Tokenizer& t = Load(kQwen3);
  size_t n_files = 0;
  for (const json& line : ReadLines(path)) {
    const auto name = line["file"].get<std::string>();
    const std::string file = kShared + "/data/corpus/" + name;
    PITH_SKIP_WITHOUT(file);
    const std::vector<TokenId> ids = Encode(t, ReadFile(file));
    EXPECT_EQ(ids.size(), line["tokens"].get<size_t>()) << name;
    Bytes little_endian;
    ByteWriter out(little_endian);
    for (const TokenId id : ids) out.U32(id);
    EXPECT_EQ(Sha256(std::move(little_endian)), line["sha256_ids_i32le"].get<std::string>()) << name;
    ++n_files;
  }
  EXPECT_GT(n_files, 40u);
}

TEST(TokenizerGolden, Qwen3EqualsLlamaCpp) {
  const std::string stem = kShared + "/data/qwen3/golden/ggml-vocab-qwen2.gguf";
  PITH_SKIP_WITHOUT(stem + ".inp");
  PITH_SKIP_WITHOUT(kQwen3);
  const Tokenizer& t = Load(kQwen3);
  const std::string separator = "\n__ggml_vocab_test__\n";
  std::string rest = ReadFile(stem + ".inp");
  std::ifstream lines(stem + ".out");
  size_t n_cases = 0;
  for (std::string line; std::getline(lines, line); ++n_cases) {
    const size_t end = rest.find(separator);
    const std::string text = rest.substr(0, end);
    rest = end == std::string::npos ? "" : rest.substr(end + separator.size());
    std::vector<TokenId> expected;
    std::istringstream numbers(line);
    for (TokenId id; numbers >> id;) expected.push_back(id);
    EXPECT_EQ(Encode(t, text), expected) << testing::PrintToString(text);
  }
  EXPECT_GT(n_cases, 40u);
}

TEST(TokenizerGolden, Qwen3IsAsPublished) {
  PITH_SKIP_WITHOUT(kQwen3);
  const Tokenizer& t = Load(kQwen3);
  EXPECT_EQ(t.vocab_size(), 151669u);
  EXPECT_EQ(t.added_tokens().size(), 26u);
  EXPECT_EQ(t.FindAddedToken("<|endoftext|>"), 151643u);
  EXPECT_EQ(t.FindAddedToken("</think>"), 151668u);
  for (TokenId id = 0; id < 151643; ++id) ASSERT_TRUE(t.IsData(id)) << id;
  for (TokenId id = 151643; id < 152000; ++id) ASSERT_FALSE(t.IsData(id)) << id;
}

TEST(TokenizerGolden, TheStarterIsAsDescribed) {
  PITH_SKIP_WITHOUT(kStarter);
  const Tokenizer& t = Load(kStarter);
  EXPECT_EQ(t.vocab_size(), 4096u);
  EXPECT_EQ(t.FindAddedToken("<|endoftext|>"), 0u);
  EXPECT_FALSE(t.IsData(0));
  for (TokenId id = 1; id < 4096; ++id) ASSERT_TRUE(t.IsData(id)) << id;
}

TEST(TokenizerGolden, TheBinaryFormKeepsEverything) {
  for (const std::string& path : {kQwen3, kStarter}) {
    PITH_SKIP_WITHOUT(path);
    const Tokenizer& t = Load(path);
    const Bytes form = t.Serialize();
    const Result<Tokenizer> again = Tokenizer::Deserialize(form);
    ASSERT_TRUE(again.ok()) << again.status().message();
    EXPECT_EQ(again->Serialize(), form);
    ASSERT_EQ(again->vocab_size(), t.vocab_size());
    for (TokenId id = 0; id < t.vocab_size(); ++id) {
      ASSERT_EQ(AsText(again->TokenBytes(id)), AsText(t.TokenBytes(id))) << id;
    }
    const std::string file = kShared + "/data/corpus/multi/pud_hi.txt";
    PITH_SKIP_WITHOUT(file);
    const std::string text = ReadFile(file);
    EXPECT_EQ(Encode(*again, text), Encode(t, text));
  }
}

TEST(TokenizerGolden, EveryCorpusFileRoundTrips) {
  const std::string corpus = kShared + "/data/corpus";
  PITH_SKIP_WITHOUT(corpus);
  for (const std::string& path : {kQwen3, kStarter}) {
    PITH_SKIP_WITHOUT(path);
    const Tokenizer& t = Load(path);
    size_t n_files = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(corpus)) {
      if (!entry.is_regular_file()) continue;
      const std::string text = ReadFile(entry.path());
      const std::vector<TokenId> ids = Encode(t, text);
      Bytes back;
      const Status status = t.Decode(ids, back);
      ASSERT_TRUE(status.ok()) << entry.path() << ": " << status.message();
      EXPECT_TRUE(AsText(back) == text) << entry.path();
      ++n_files;
    }
    EXPECT_GT(n_files, 0u);
  }
}

}  // namespace
}  // namespace pith
