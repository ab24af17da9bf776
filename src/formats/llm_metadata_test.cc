#include "formats/llm_metadata.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <random>

namespace pith {
namespace {

Bytes FromHex(std::string_view text) {
  const auto digit = [](char c) { return static_cast<uint8_t>(c <= '9' ? c - '0' : c - 'a' + 10); };
  Bytes bytes;
  for (size_t i = 0; i + 1 < text.size(); i += 2) {
    bytes.push_back(static_cast<uint8_t>(digit(text[i]) << 4 | digit(text[i + 1])));
  }
  return bytes;
}

using Ids = std::vector<int32_t>;

// Every field of LlmMetadata set.
LlmMetadata Full() {
  LlmMetadata m;
  m.start_token = "<s>";
  m.stop_tokens = {Ids{151645}, "<|im_end|>", Ids{}, Ids{0, -1, 127, 128}};
  m.prompt_templates = {.user = LlmAffixes{"u", ""}, .model = LlmAffixes{"", "m"}, .system = LlmAffixes{}};
  m.sampler = {.type = LlmSampler::kTopP, .k = 20, .p = 0.95f, .temperature = 0.6f, .seed = 0, .backend = 1};
  m.sampler->exact_log_probs = true;
  m.max_num_tokens = 1280;
  m.model_type = {LlmModelType::kQwen3, FromHex("0a033c743e")};
  m.jinja_template = "{{ x }}";
  m.channels = {{"thought", "<think>\n", "\n</think>", true}};
  m.suppress_tokens = Ids{1, 300};
  m.kv_cache_init_value = -5;
  m.supports_thinking = false;
  m.supports_function_calling = true;
  m.pad_token = Ids{7};
  m.min_runtime_version = "0.18";
  return m;
}

// Full(), as protobuf 7.36 for Python writes it with the message classes of litert-lm-builder 0.18.1.
const Bytes kFullBytes = FromHex(
    "0a0512033c733e12070a050a03dda009120c120a3c7c696d5f656e647c3e12020a0012120a100a0e00ffffffffffffff"
    "ffff017f80011a0c0a030a0175120312016d1a002214080210141d3333733f259a99193f28003001380128800a32072a"
    "050a033c743e3a077b7b2078207d7d42200a0774686f7567687412083c7468696e6b3e0a1a090a3c2f7468696e6b3e20"
    "014a050a0301ac0250fbffffffffffffffff01580060016a050a030a01077204302e3138");

Status DecodeError(ByteSpan data) {
  const Result<LlmMetadata> decoded = DecodeLlmMetadata(data, "test");
  return decoded.status();
}

TEST(LlmMetadataCode, EmptyIsNoBytes) {
  EXPECT_TRUE(EncodeLlmMetadata({}).empty());
  const auto decoded = DecodeLlmMetadata({}, "test");
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(*decoded, LlmMetadata());
}

TEST(LlmMetadataCode, EveryFieldIsAsTheReferenceWritesIt) {
  EXPECT_EQ(EncodeLlmMetadata(Full()), kFullBytes);
  const auto decoded = DecodeLlmMetadata(kFullBytes, "test");
  ASSERT_TRUE(decoded.ok()) << decoded.status().message();
  EXPECT_EQ(*decoded, Full());
  EXPECT_EQ(decoded->model_type->KindName(), "qwen3");
}

// Presence counts where protocol buffers record it.
TEST(LlmMetadataCode, SetToTheDefaultIsNotTheSameAsNotSet) {
  LlmMetadata m;
  m.sampler.emplace().seed = 0;
  m.jinja_template = "";
  m.prompt_templates.emplace();
  m.model_type = {LlmModelType::kGeneric, {}};
  m.stop_tokens.emplace_back();
  const Bytes bytes = EncodeLlmMetadata(m);
  EXPECT_EQ(bytes, FromHex("12001a002202280032020a003a00"));
  EXPECT_EQ(*DecodeLlmMetadata(bytes, "test"), m);
}

TEST(LlmMetadataCode, UnknownFieldsAreSkippedAndCounted) {
  Bytes bytes = FromHex("f87f01");  // field 2047, a number
  bytes.insert(bytes.end(), kFullBytes.begin(), kFullBytes.end());
  const Bytes inside =
      FromHex("2a0300000022022801220478014005");  // field 5 as bytes; sampler: seed, then 15 and 8
  bytes.insert(bytes.end(), inside.begin(), inside.end());
  const auto decoded = DecodeLlmMetadata(bytes, "test");
  ASSERT_TRUE(decoded.ok()) << decoded.status().message();
  EXPECT_EQ(decoded->n_unknown_fields, 4u);
  LlmMetadata expected = Full();
  expected.sampler->seed = 1;
  expected.n_unknown_fields = 4;
  EXPECT_EQ(*decoded, expected);
  EXPECT_EQ(EncodeLlmMetadata(*decoded).size(), kFullBytes.size());
}

TEST(LlmMetadataCode, TheLastOfAOneofCountsAndListsMayBeUnpacked) {
  const auto decoded =
      DecodeLlmMetadata(FromHex("12080a030a0107120161"  // ids [7], then "a"
                                "12080a04080708090a00"  // ids 7 and 9, each by itself, then none
                                "12081201610a030a0107"  // "a", then ids [7]
                                "32042a000a00"),        // qwen3, then generic_model
                        "test");
  ASSERT_TRUE(decoded.ok()) << decoded.status().message();
  EXPECT_EQ(decoded->stop_tokens, (std::vector<LlmToken>{"a", Ids{7, 9}, Ids{7}}));
  EXPECT_EQ(decoded->model_type, (LlmModelType{LlmModelType::kGeneric, {}}));
}

TEST(LlmMetadataCode, AKindOfModelThatIsNotKnownIsKept) {
  const Bytes bytes = FromHex("3205f2070203ff");
  const auto decoded = DecodeLlmMetadata(bytes, "test");
  ASSERT_TRUE(decoded.ok()) << decoded.status().message();
  EXPECT_EQ(decoded->model_type->kind, 126u);
  EXPECT_EQ(decoded->model_type->KindName(), "unknown");
  EXPECT_EQ(EncodeLlmMetadata(*decoded), bytes);
}

TEST(LlmMetadataCode, SaysWhatIsDamaged) {
  const Status cut = DecodeError(FromHex("2205080210"));
  EXPECT_EQ(cut.code(), StatusCode::kCorrupt);
  const Status inside = DecodeError(FromHex("220208ff"));
  EXPECT_EQ(inside.code(), StatusCode::kCorrupt);
  EXPECT_NE(inside.message().find("test: sampler_params is damaged or cut short"), std::string::npos)
      << inside.message();
  EXPECT_EQ(DecodeError(FromHex("0b")).code(), StatusCode::kCorrupt);  // a group
  EXPECT_EQ(DecodeError(FromHex("00")).code(), StatusCode::kCorrupt);  // field 0
}

TEST(LlmMetadataCode, LimitsHold) {
  Bytes stops;
  for (size_t i = 0; i < kMaxLlmStopTokens; ++i) stops.insert(stops.end(), {0x12, 0});
  EXPECT_TRUE(DecodeLlmMetadata(stops, "test").ok());
  stops.insert(stops.end(), {0x12, 0});
  EXPECT_EQ(DecodeError(stops).code(), StatusCode::kUnsupported);

  LlmMetadata m;
  m.suppress_tokens = Ids(kMaxLlmTokenIds, 1);
  Bytes many = EncodeLlmMetadata(m);
  EXPECT_TRUE(DecodeLlmMetadata(many, "test").ok());
  many.insert(many.end(), {0x4a, 3, 0x0a, 1, 1});
  EXPECT_EQ(DecodeError(many).code(), StatusCode::kUnsupported);

  const Bytes large(kMaxLlmMetadataBytes + 1);
  EXPECT_EQ(DecodeError(large).code(), StatusCode::kUnsupported);
}

// Whatever comes in: a status, or content that encodes to what decodes to the same.
void ExpectHandled(const Bytes& data) {
  const auto decoded = DecodeLlmMetadata(data, "test");
  if (!decoded.ok()) {
    EXPECT_FALSE(decoded.status().message().empty());
    return;
  }
  LlmMetadata known = *decoded;
  known.n_unknown_fields = 0;
  const auto again = DecodeLlmMetadata(EncodeLlmMetadata(known), "test");
  ASSERT_TRUE(again.ok()) << again.status().message();
  EXPECT_EQ(EncodeLlmMetadata(*again), EncodeLlmMetadata(known));  // not ==: a float may be NaN
}

TEST(LlmMetadataCode, SurvivesDamage) {
  for (size_t n = 0; n < kFullBytes.size(); ++n) {
    ExpectHandled(Bytes(kFullBytes.begin(), kFullBytes.begin() + static_cast<std::ptrdiff_t>(n)));
    for (int bit = 0; bit < 8; ++bit) {
      Bytes flipped = kFullBytes;
      flipped[n] = static_cast<uint8_t>(flipped[n] ^ (1 << bit));
      ExpectHandled(flipped);
    }
  }
  std::mt19937 random(7);
  for (int round = 0; round < 20000; ++round) {
    Bytes noise = kFullBytes;
    for (int i = 0; i < 4; ++i) noise[random() % noise.size()] = static_cast<uint8_t>(random());
    ExpectHandled(noise);
  }
}

// The section of a file that litert-torch 0.10.0 made; its header has it at [16384, 16955).
TEST(LlmMetadataCode, DecodesAndEncodesAFileOfTheReference) {
  const std::string path =
      PITH_SOURCE_DIR "/../shared/golden/litert/qwen3-realvocab.litert-torch-0.10.0.litertlm";
  std::ifstream in(path, std::ios::binary);
  if (!in) GTEST_SKIP() << "no ../shared/golden/litert";
  Bytes section(16955 - 16384);
  in.seekg(16384);
  in.read(reinterpret_cast<char*>(section.data()), static_cast<std::streamsize>(section.size()));
  const auto decoded = DecodeLlmMetadata(section, path);
  ASSERT_TRUE(decoded.ok()) << decoded.status().message();
  EXPECT_EQ(decoded->n_unknown_fields, 0u);
  EXPECT_EQ(std::get<Ids>(decoded->stop_tokens.at(0)), Ids{151645});
  EXPECT_EQ(decoded->prompt_templates->user->prefix, "<|im_start|>user\n");
  EXPECT_EQ(decoded->max_num_tokens, 128);
  EXPECT_EQ(decoded->model_type->KindName(), "qwen3");
  EXPECT_EQ(EncodeLlmMetadata(*decoded), section);
}

}  // namespace
}  // namespace pith
