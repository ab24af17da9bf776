#include "chat/conversation.h"

#include <gtest/gtest.h>

#include "base/thread_pool.h"
#include "support/slow_model.h"
#include "tokenizer/tokenizer_testing.h"

namespace pith {
namespace {

using Json = nlohmann::ordered_json;
using testing::EvenConfig;
using testing::RandomModel;

constexpr TokenId kEnd = 256;  // <|end|>
constexpr const char* kTemplate =
    "{% for m in messages %}{{ m.role }}:{{ m.content }}<|end|>{% endfor %}{% if add_generation_prompt "
    "%}assistant:{% endif %}"
    "{% if enable_thinking is defined %}{% if not enable_thinking %}!{% endif %}{% endif %}";

// A model of random weights over bytes and two added tokens: what it says makes no sense, but is always the
// same.
class ConversationTest : public ::testing::Test {
 protected:
  static ModelConfig Config() {
    ModelConfig config = EvenConfig();
    config.vocab = 258;
    return config;
  }
  static Tokenizer MakeTokenizer() {
    auto made = Tokenizer::FromHuggingFaceJson(TestVocabulary().Json().dump());
    EXPECT_TRUE(made.ok()) << made.status().message();
    return *std::move(made);
  }

  ConversationTest()
      : model_(Config(), ActivationTerms::Fast(2), 3),
        pool_(2),
        engine_(model_.weights(), KernelsFor(AvailableIsas().back()), pool_, {.window = 300, .n_sinks = 0}),
        tokenizer_(MakeTokenizer()) {}

  std::unique_ptr<Conversation> Make(const std::string& chat_template = kTemplate) {
    ChatProfile profile = ProfileFromTemplate(chat_template, {}, tokenizer_);
    profile.stop_tokens = {kEnd};
    auto made = Conversation::Create(engine_, tokenizer_, profile);
    EXPECT_TRUE(made.ok()) << made.status().message();
    return *std::move(made);
  }
  static Json User(const std::string& text) { return {{"role", "user"}, {"content", text}}; }

  AnswerResult Ask(Conversation& conversation, const std::string& text, const AnswerOptions& options) {
    Result<AnswerResult> result = conversation.Ask(User(text), options, nullptr);
    EXPECT_TRUE(result.ok()) << result.status().message();
    return result.ok() ? *result : AnswerResult{};
  }

  RandomModel model_;
  ThreadPool pool_;
  Engine engine_;
  Tokenizer tokenizer_;
};

TEST_F(ConversationTest, TurnsFollowEachOtherAndOnlyNewOnesAreRead) {
  const auto conversation = Make();
  const AnswerOptions options{.sampling = {.temperature = 1, .seed = 4}, .max_tokens = 12};
  const AnswerResult first = Ask(*conversation, "Hello", options);
  EXPECT_EQ(first.counts.reused, 0u);
  EXPECT_EQ(first.prompt_tokens, std::string("user:Hello").size() + 1 + std::string("assistant:").size());
  const AnswerResult second = Ask(*conversation, "Again", options);
  EXPECT_EQ(conversation->messages().size(), 4u);
  EXPECT_EQ(conversation->messages()[1]["role"], "assistant");
  // Up to the end of the first question at least; the answer's bytes are no UTF-8 and are not the model's own
  // any more.
  EXPECT_GE(second.counts.reused, 11u);
  EXPECT_EQ(second.counts.reused + second.counts.prefilled, second.prompt_tokens);

  // The same conversation from nothing gives the same answer.
  const auto other = Make();
  Json messages = conversation->messages();
  messages.erase(3);
  messages.erase(2);
  ASSERT_TRUE(other->SetMessages(messages).ok());
  EXPECT_EQ(Ask(*other, "Again", options).message, second.message);
}

TEST_F(ConversationTest, TheSystemMessageAndToolsReachTheTemplate) {
  const auto conversation =
      Make("{{ messages[0].role }}{{ tools[0].name if tools else 'none' }}{{ bos_token }}");
  ASSERT_TRUE(conversation->SetMessages(Json::array({Json{{"role", "system"}, {"content", "x"}}})).ok());
  const AnswerOptions options{.sampling = {.temperature = 0}, .max_tokens = 1};
  EXPECT_EQ(Ask(*conversation, "a", options).prompt_tokens, std::string("systemnone").size());
  conversation->SetTools(Json::array({Json{{"name", "f"}}}));
  EXPECT_EQ(Ask(*conversation, "a", options).prompt_tokens, std::string("systemf").size());
}

TEST_F(ConversationTest, ThinkingIsToldOnlyWhenItWasSaid) {
  AnswerOptions options{.sampling = {.temperature = 0}, .max_tokens = 1};
  const size_t unsaid = Ask(*Make(), "a", options).prompt_tokens;
  options.thinking = true;
  EXPECT_EQ(Ask(*Make(), "a", options).prompt_tokens, unsaid);
  options.thinking = false;
  EXPECT_EQ(Ask(*Make(), "a", options).prompt_tokens, unsaid + 1);
}

TEST_F(ConversationTest, MarkupInAMessageIsData) {
  const AnswerOptions options{.sampling = {.temperature = 0}, .max_tokens = 1};
  EXPECT_EQ(Ask(*Make(), "<|end|>", options).prompt_tokens, Ask(*Make(), "1234567", options).prompt_tokens);
}

TEST_F(ConversationTest, AFullContextForgetsTheOldestTurnsButNotTheSystemMessage) {
  const auto conversation = Make();
  ASSERT_TRUE(
      conversation->SetMessages(Json::array({Json{{"role", "system"}, {"content", "Be brief."}}})).ok());
  const AnswerOptions options{.sampling = {.temperature = 0}, .max_tokens = 4};
  size_t dropped = 0;
  for (int i = 0; i < 8; ++i) {
    const AnswerResult result = Ask(*conversation, std::string(60, static_cast<char>('a' + i)), options);
    dropped += result.dropped_messages;
    EXPECT_EQ(result.dropped_messages % 2, 0u);
    EXPECT_LE(result.prompt_tokens, 296u);
    EXPECT_EQ(conversation->messages()[0]["content"], "Be brief.");
    EXPECT_EQ(conversation->messages()[conversation->messages().size() - 2]["content"].get<std::string>()[0],
              'a' + i);
  }
  EXPECT_GT(dropped, 4u);
  const Json before = conversation->messages();
  const Result<AnswerResult> too_long = conversation->Ask(User(std::string(400, 'x')), options, nullptr);
  EXPECT_EQ(too_long.status().code(), StatusCode::kInvalidArgument);
  EXPECT_NE(too_long.status().message().find("the context holds 300"), std::string::npos)
      << too_long.status().message();
  EXPECT_EQ(conversation->messages(), before) << "nothing is lost by a question that cannot be asked";
}

TEST_F(ConversationTest, ATemplateThatFailsLosesNothing) {
  const auto conversation =
      Make("{% if messages | length > 1 %}{{ raise_exception('one at a time') }}{% endif %}x");
  const AnswerOptions options{.sampling = {.temperature = 0}, .max_tokens = 1};
  Ask(*conversation, "a", options);
  const Result<AnswerResult> failed = conversation->Ask(User("b"), options, nullptr);
  EXPECT_NE(failed.status().message().find("one at a time"), std::string::npos) << failed.status().message();
  EXPECT_EQ(conversation->messages().size(), 2u);
}

TEST_F(ConversationTest, ACallbackThatSaysNoEndsTheAnswerAndKeepsIt) {
  const auto conversation = Make();
  const AnswerOptions options{.sampling = {.temperature = 1, .seed = 2}, .max_tokens = 100};
  size_t pieces = 0;
  const Result<AnswerResult> result = conversation->Ask(
      User("a"), options, [&](std::span<const AnswerReader::Piece> some, std::span<const TokenId>) {
        pieces += some.size();
        return pieces < 5;
      });
  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_EQ(result->counts.end, GenerateEnd::kCancelled);
  EXPECT_LT(result->counts.generated, 100u);
  EXPECT_EQ(conversation->messages().size(), 2u);
}

TEST_F(ConversationTest, TextWithoutTurnsGoesOnWhereItEnded) {
  ChatProfile profile = ProfileOfBaseModel(kEnd, tokenizer_);
  auto made = Conversation::Create(engine_, tokenizer_, profile);
  ASSERT_TRUE(made.ok());
  Conversation& conversation = **made;
  EXPECT_FALSE(conversation.has_turns());
  const AnswerOptions options{.sampling = {.temperature = 1, .seed = 9}, .max_tokens = 10};
  const auto go_on = [&](const std::string& text) {
    Result<AnswerResult> result = conversation.Continue(text, options, nullptr);
    EXPECT_TRUE(result.ok()) << result.status().message();
    return result.ok() ? *result : AnswerResult{};
  };
  const AnswerResult first = go_on("abc");
  EXPECT_EQ(first.prompt_tokens, 4u) << "one stands before the text";
  const AnswerResult second = go_on("");
  EXPECT_EQ(second.prompt_tokens, 4 + first.counts.generated);
  EXPECT_EQ(second.counts.prefilled, 1u);
  conversation.Clear();
  EXPECT_EQ(go_on("abc").message, first.message);
  EXPECT_EQ(go_on("<|end|>").prompt_tokens, 4 + first.counts.generated + 1) << "markup counts";
  EXPECT_EQ(conversation.Continue(std::string(400, 'x'), options, nullptr).status().code(),
            StatusCode::kInvalidArgument);
}

TEST_F(ConversationTest, MessagesThatAreNoneAreRefused) {
  const auto conversation = Make();
  for (const char* bad : {"{}", "[1]", "[{}]", R"([{"role": 1}])", R"([{"role": "user", "content": 1}])"}) {
    EXPECT_EQ(conversation->SetMessages(Json::parse(bad)).code(), StatusCode::kInvalidArgument) << bad;
  }
  EXPECT_TRUE(conversation->SetMessages(Json::parse(R"([{"role": "user", "content": "x"}])")).ok());
  conversation->Clear();
  EXPECT_TRUE(conversation->messages().empty());
}

}  // namespace
}  // namespace pith
