#include "pith/chat.h"

#include <gtest/gtest.h>

namespace pith {
namespace {

class ChatApi : public ::testing::Test {
 protected:
  void SetUp() override {
    Result<Model> model = Model::Builtin({.threads = 2});
    if (!model.ok()) GTEST_SKIP() << model.status().message();
    model_.emplace(*std::move(model));
  }
  Chat Make(const ChatOptions& options) {
    Result<Chat> chat = Chat::Create(*model_, options);
    EXPECT_TRUE(chat.ok()) << chat.status().message();
    return *std::move(chat);
  }
  StatusCode CodeOf(const ChatOptions& options) { return Chat::Create(*model_, options).status().code(); }

  std::optional<Model> model_;
};

TEST_F(ChatApi, TextGoesOnAndPiecesAreTheAnswer) {
  Chat chat = Make({.raw = true, .seed = 7, .max_tokens = 30});
  std::string text;
  size_t tokens = 0;
  const Result<ChatAnswer> answer = chat.Ask("Once upon a time", [&](const ChatPiece& piece) {
    EXPECT_EQ(piece.part, ChatPart::kText);
    text += piece.text;
    tokens += piece.tokens.size();
    return true;
  });
  ASSERT_TRUE(answer.ok()) << answer.status().message();
  EXPECT_EQ(answer->text, text);
  EXPECT_FALSE(text.empty());
  EXPECT_EQ(answer->answer_tokens, tokens);
  EXPECT_EQ(answer->end, tokens == 30 ? ChatEnd::kMaxTokens : ChatEnd::kStop);

  Chat same = Make({.raw = true, .seed = 7, .max_tokens = 30, .draft = false});
  const Result<ChatAnswer> again = same.Ask("Once upon a time", nullptr);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->text, text);
  EXPECT_EQ(again->drafted_tokens, 0u);
}

TEST_F(ChatApi, DefaultsAreFilledIn) {
  const Chat chat = Make({.raw = true});
  EXPECT_EQ(chat.options().context, model_->info().max_positions);
  EXPECT_TRUE(chat.options().seed && chat.options().temperature && chat.options().top_k &&
              chat.options().repetition_penalty);
  EXPECT_FALSE(ModelKnowsTurns(*model_));
  EXPECT_FALSE(chat.can_think());
}

TEST_F(ChatApi, SavedTextGoesOnInAnotherChat) {
  const ChatOptions options{.raw = true, .temperature = 0, .max_tokens = 8};
  Chat first = Make(options);
  ASSERT_TRUE(first.Ask("The ship", nullptr).ok());
  const std::string saved = first.Save();
  const Result<ChatAnswer> expected = first.Ask("", nullptr);
  Chat second = Make(options);
  ASSERT_TRUE(second.Load(saved).ok());
  const Result<ChatAnswer> got = second.Ask("", nullptr);
  ASSERT_TRUE(expected.ok() && got.ok());
  EXPECT_EQ(got->text, expected->text);
  for (const char* bad :
       {"", "[]", "{}", R"({"tokens": [-1]})", R"({"tokens": [1e9]})", R"({"messages": []})"}) {
    EXPECT_EQ(second.Load(bad).code(), StatusCode::kInvalidArgument) << bad;
  }
  EXPECT_EQ(second.n_text_tokens(), first.n_text_tokens()) << "what cannot be loaded changes nothing";
}

TEST_F(ChatApi, ASchemaIsKept) {
  Chat chat = Make(
      {.raw = true,
       .seed = 1,
       .json_schema = R"({"type": "array", "items": {"type": "boolean"}, "minItems": 2, "maxItems": 4})"});
  const Result<ChatAnswer> answer = chat.Ask("Answers: ", nullptr);
  ASSERT_TRUE(answer.ok()) << answer.status().message();
  EXPECT_EQ(answer->end, ChatEnd::kStop);
  EXPECT_TRUE(answer->text.starts_with("[") && answer->text.find("e") != std::string::npos) << answer->text;
}

TEST_F(ChatApi, WishesThatMakeNoSenseAreRefused) {
  EXPECT_EQ(CodeOf({}), StatusCode::kUnsupported) << "no turns";
  EXPECT_EQ(CodeOf({.context = 5, .raw = true}), StatusCode::kInvalidArgument);
  EXPECT_EQ(CodeOf({.raw = true, .top_p = 2}), StatusCode::kInvalidArgument);
  EXPECT_EQ(CodeOf({.raw = true, .stop = {""}}), StatusCode::kInvalidArgument);
  EXPECT_EQ(CodeOf({.raw = true, .json_schema = "{}", .grammar = "root ::= \"a\""}),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(CodeOf({.tools = "x", .chat_template = "{{ messages }}"}), StatusCode::kInvalidArgument);
  EXPECT_EQ(CodeOf({.chat_template = "{{"}), StatusCode::kInvalidArgument);
  EXPECT_EQ(CodeOf({.chat_template = "{{ messages[0].content }}"}), StatusCode::kOk);
}

TEST_F(ChatApi, ATemplateOfTheCallersGivesTurns) {
  Chat chat =
      Make({.system = "S",
            .chat_template = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}assistant:",
            .seed = 1,
            .max_tokens = 5});
  EXPECT_EQ(chat.n_messages(), 1u);
  ASSERT_TRUE(chat.Ask("Hello", nullptr).ok());
  EXPECT_EQ(chat.n_messages(), 3u);
  ASSERT_TRUE(chat.SetSystem("").ok());
  EXPECT_EQ(chat.n_messages(), 2u);
  chat.Clear();
  EXPECT_EQ(chat.n_messages(), 0u);
}

}  // namespace
}  // namespace pith
