#include "convert/qwen3_metadata.h"

#include <gtest/gtest.h>

#include <cmath>

#include "convert/chat_templates.h"
#include "convert/test_checkpoint.h"

namespace pith {
namespace {

using Ids = std::vector<int32_t>;

constexpr const char* kTokenizer = R"({"added_tokens": [{"id": 33, "content": "<|endoftext|>"},
    {"id": 34, "content": "<|im_start|>"}, {"id": 35, "content": "<|im_end|>"}]})";
constexpr const char* kGeneration = R"({"do_sample": true, "eos_token_id": [35, 33], "temperature": 0.6,
    "top_k": 20, "top_p": 0.95})";

class Qwen3MetadataTest : public ::testing::Test {
 protected:
  Qwen3MetadataTest() { MakeCheckpoint(TestConfig(true), "BF16").Write(folder_); }
  void WriteQwen3() {
    folder_.Write("tokenizer.json", kTokenizer);
    folder_.Write("generation_config.json", kGeneration);
    folder_.Write("chat_template.jinja", "<|im_start|> {{ enable_thinking }}");
  }
  Result<ModelMetadata> Build(const MetadataOptions& options = {}, uint32_t context = 1280) const {
    Result<std::unique_ptr<ModelFolder>> model = ModelFolder::Open(folder_.path());
    if (!model.ok()) return model.status();
    return BuildQwen3Metadata(**model, context, options);
  }
  LlmMetadata Metadata(const MetadataOptions& options = {}) const {
    Result<ModelMetadata> built = Build(options);
    EXPECT_TRUE(built.ok()) << built.status().message();
    return built.ok() ? built->metadata : LlmMetadata();
  }
  void ExpectInvalid(const MetadataOptions& options, const std::string& part, uint32_t context = 1280) const {
    const Result<ModelMetadata> built = Build(options, context);
    ASSERT_FALSE(built.ok()) << part;
    EXPECT_EQ(built.status().code(), StatusCode::kInvalidArgument);
    EXPECT_NE(built.status().message().find(part), std::string::npos) << built.status().message();
  }
  TestFolder folder_;
};

TEST_F(Qwen3MetadataTest, WritesTheFormOfUpstream) {
  WriteQwen3();
  const Result<ModelMetadata> built = Build();
  ASSERT_TRUE(built.ok()) << built.status().message();
  EXPECT_TRUE(built->notes.empty());
  const LlmMetadata& m = built->metadata;
  EXPECT_FALSE(m.start_token);
  EXPECT_EQ(m.stop_tokens, (std::vector<LlmToken>{"<|im_end|>", "<|endoftext|>"}));
  EXPECT_EQ(m.sampler, (LlmSampler{.type = LlmSampler::kTopP, .k = 20, .p = 0.95f, .temperature = 0.6f}));
  EXPECT_EQ(m.max_num_tokens, 1280);
  EXPECT_EQ(m.model_type, (LlmModelType{LlmModelType::kQwen3, {}}));
  EXPECT_EQ(m.channels, (std::vector<LlmChannel>{{"thought", "<think>\n", "\n</think>", std::nullopt}}));
  EXPECT_EQ(m.prompt_templates->user, (LlmAffixes{"<|im_start|>user\n", "<|im_end|>\n"}));
  EXPECT_EQ(m.prompt_templates->model, (LlmAffixes{"<|im_start|>assistant\n", "<|im_end|>\n"}));
  EXPECT_EQ(m.prompt_templates->system, (LlmAffixes{"<|im_start|>system\n", "<|im_end|>\n"}));
  EXPECT_EQ(m.supports_thinking, true);
  EXPECT_EQ(m.supports_function_calling, true);
  EXPECT_EQ(*m.jinja_template, "{%- set default_system = \"\" %}\n{%- set thinking = 'switch' %}\n" +
                                   std::string(kQwen3ChatTemplate));
  EXPECT_EQ(*DecodeLlmMetadata(EncodeLlmMetadata(m), "test"), m);
}

TEST_F(Qwen3MetadataTest, WritesTheFormOfLitertLmCli) {
  WriteQwen3();
  const LlmMetadata m = Metadata({.style = MetadataStyle::kGeneric});
  EXPECT_EQ(m.stop_tokens, (std::vector<LlmToken>{Ids{35}}));
  EXPECT_EQ(m.sampler,
            (LlmSampler{.type = LlmSampler::kTopP, .k = 20, .p = 0.95f, .temperature = 0.6f, .seed = 0}));
  EXPECT_EQ(m.model_type, (LlmModelType{LlmModelType::kGeneric, {}}));
  EXPECT_TRUE(m.channels.empty());
  EXPECT_FALSE(m.prompt_templates->system);
  EXPECT_FALSE(m.supports_thinking);
  EXPECT_EQ(*m.jinja_template, "{%- set default_system = \"\" %}\n" + std::string(kChatmlTemplate));
}

TEST_F(Qwen3MetadataTest, TheModelsTemplateSaysHowItThinks) {
  WriteQwen3();
  folder_.Write("chat_template.jinja", R"({{- '<|im_start|>assistant\n<think>\n' }})");
  EXPECT_NE(Metadata().jinja_template->find("thinking = 'always'"), std::string::npos);
  folder_.Write("chat_template.jinja", R"({{- '<|im_start|>assistant\n' }})");
  const LlmMetadata never = Metadata();
  EXPECT_NE(never.jinja_template->find("thinking = 'never'"), std::string::npos);
  EXPECT_TRUE(never.channels.empty());
  EXPECT_EQ(never.supports_thinking, false);
}

TEST_F(Qwen3MetadataTest, StopTokensAreKnownWithoutATokenizer) {
  folder_.Write("chat_template.jinja", "<|im_start|>");
  folder_.Write("generation_config.json", R"({"eos_token_id": [35, 33]})");
  EXPECT_EQ(Metadata().stop_tokens, (std::vector<LlmToken>{"<|im_end|>", Ids{35}, Ids{33}}));
}

// Settings of the published base models know only <|endoftext|>, yet they come with a chat template.
TEST_F(Qwen3MetadataTest, TheEndOfATurnStopsEveryChat) {
  WriteQwen3();
  folder_.Write("generation_config.json", R"({"eos_token_id": 33})");
  EXPECT_EQ(Metadata().stop_tokens, (std::vector<LlmToken>{"<|im_end|>", "<|endoftext|>"}));
  EXPECT_EQ(Metadata({.style = MetadataStyle::kGeneric}).stop_tokens, (std::vector<LlmToken>{Ids{35}}));
}

TEST_F(Qwen3MetadataTest, SamplingIsGreedyWhereItIsNotAskedFor) {
  WriteQwen3();
  const LlmSampler greedy{.type = LlmSampler::kTopP, .k = 1, .p = 1, .temperature = 1};
  EXPECT_EQ(Metadata({.greedy = true}).sampler, greedy);
  EXPECT_EQ(Metadata({.temperature = 0.0}).sampler, greedy);
  folder_.Write("generation_config.json", R"({"eos_token_id": 35, "temperature": 0.6})");
  const Result<ModelMetadata> built = Build();
  ASSERT_TRUE(built.ok());
  EXPECT_EQ(built->metadata.sampler, greedy);
  ASSERT_EQ(built->notes.size(), 1u);
  EXPECT_NE(built->notes[0].find("greedy"), std::string::npos);
}

TEST_F(Qwen3MetadataTest, SamplingCanBeSet) {
  WriteQwen3();
  const LlmMetadata m = Metadata({.temperature = 0.7, .top_p = 0.8, .top_k = 40, .seed = -3});
  EXPECT_EQ(m.sampler,
            (LlmSampler{.type = LlmSampler::kTopP, .k = 40, .p = 0.8f, .temperature = 0.7f, .seed = -3}));
  folder_.Write("generation_config.json", R"({"do_sample": true, "eos_token_id": 35, "top_k": 0})");
  EXPECT_EQ(Metadata().sampler, (LlmSampler{.type = LlmSampler::kTopP, .k = 37, .p = 1, .temperature = 1}));
  folder_.Write("generation_config.json", R"({"do_sample": true, "eos_token_id": 35})");
  EXPECT_EQ(Metadata().sampler->k, 50);
}

TEST_F(Qwen3MetadataTest, TakesASystemPromptAndStopStrings) {
  WriteQwen3();
  const LlmMetadata m =
      Metadata({.system = "Say \"yes\".\nBe {% kind %}.", .stop_strings = {"<|im_end|>", "END"}});
  EXPECT_NE(
      m.jinja_template->find(
          R"(default_system = "Say \u0022yes\u0022\u002e\nBe \u007b\u0025 kind \u0025\u007d\u002e" %})"),
      std::string::npos)
      << *m.jinja_template;
  EXPECT_EQ(m.stop_tokens, (std::vector<LlmToken>{"<|im_end|>", "<|endoftext|>", "END"}));
}

TEST_F(Qwen3MetadataTest, AGivenTemplateIsTakenAsItIs) {
  WriteQwen3();
  const LlmMetadata m = Metadata({.chat_template = "{{ x }}"});
  EXPECT_EQ(m.jinja_template, "{{ x }}");
  EXPECT_TRUE(m.channels.empty());
  EXPECT_EQ(m.supports_function_calling, false);
  EXPECT_EQ(Metadata({.chat_template = "<think> tool_calls"}).channels.size(), 1u);
}

TEST_F(Qwen3MetadataTest, ATemplateOfAnotherFormatIsTakenOver) {
  folder_.Write("chat_template.jinja", "<start>{{ messages }}");
  folder_.Write("generation_config.json", R"({"do_sample": true, "eos_token_id": 3})");
  const Result<ModelMetadata> built = Build();
  ASSERT_TRUE(built.ok()) << built.status().message();
  EXPECT_EQ(built->metadata.jinja_template, "<start>{{ messages }}");
  EXPECT_FALSE(built->metadata.prompt_templates);
  EXPECT_EQ(built->metadata.stop_tokens, (std::vector<LlmToken>{Ids{3}}));
  EXPECT_EQ(built->notes.size(), 1u);
}

TEST_F(Qwen3MetadataTest, AModelWithoutChatFormatGetsTheTextAlone) {
  folder_.Write("generation_config.json", R"({"eos_token_id": 0})");
  const LlmMetadata m = Metadata();
  EXPECT_EQ(m.jinja_template, std::string(kPlainTemplate));
  EXPECT_EQ(m.stop_tokens, (std::vector<LlmToken>{Ids{0}}));
  EXPECT_FALSE(m.prompt_templates);
  EXPECT_TRUE(m.channels.empty());
  ExpectInvalid({.system = "x"}, "a system prompt needs the chat format");
}

TEST_F(Qwen3MetadataTest, AFileNeedsAStopToken) {
  ExpectInvalid({}, "no stop token");
  EXPECT_EQ(Metadata({.stop_strings = {"\n\n"}}).stop_tokens, (std::vector<LlmToken>{"\n\n"}));
}

TEST_F(Qwen3MetadataTest, RefusesOptionsWithoutMeaning) {
  WriteQwen3();
  ExpectInvalid({}, "context length: found 0", 0);
  ExpectInvalid({}, "context length: found 2147483648", 2147483648u);
  ExpectInvalid({.system = "\xff"}, "system prompt");
  ExpectInvalid({.system = std::string("a\0b", 3)}, "system prompt");
  ExpectInvalid({.system = "x", .chat_template = "y"}, "not into a given one");
  ExpectInvalid({.stop_strings = {""}}, "a stop string is empty");
  ExpectInvalid({.stop_strings = std::vector<std::string>(65, "x")}, "65 stop strings, limit 64");
  ExpectInvalid({.temperature = -1.0}, "temperature: found -1");
  ExpectInvalid({.temperature = std::nan("")}, "temperature: found");
  ExpectInvalid({.top_p = 0.0}, "top_p: found 0");
  ExpectInvalid({.top_k = 0}, "top_k: found 0");
  ExpectInvalid({.greedy = true, .top_k = 4}, "greedy excludes");
}

TEST(JinjaLiteral, HasNothingThatTheRuntimeWouldReplace) {
  EXPECT_EQ(JinjaLiteral(""), "\"\"");
  EXPECT_EQ(JinjaLiteral("a\tb\\ 'é'\n"), "\"a\\u0009b\\u005c \\u0027é\\u0027\\n\"");
  EXPECT_EQ(JinjaLiteral("s.strip()"), "\"s\\u002estrip\\u0028\\u0029\"");
}

// The runtime replaces calls of such methods by search and replace, also where they are not meant.
TEST(ChatTemplates, CallNoMethodsOfPythonsStrings) {
  for (const std::string_view text : {kQwen3ChatTemplate, kChatmlTemplate, kPlainTemplate}) {
    EXPECT_FALSE(text.empty());
    for (const char* call :
         {".startswith(", ".endswith(", ".split(", ".strip(", ".lstrip(", ".rstrip(", ".get(", ".items(",
          ".replace(", ".join(", "is none", "is_appending_to_prefill"}) {
      EXPECT_EQ(text.find(call), std::string_view::npos) << call;
    }
  }
}

}  // namespace
}  // namespace pith
