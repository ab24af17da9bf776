#include "chat/answer_reader.h"

#include <gtest/gtest.h>

#include "tokenizer/tokenizer_testing.h"

namespace pith {
namespace {

// Bytes are tokens; 256 and up are added ones.
class AnswerReaderTest : public ::testing::Test {
 protected:
  AnswerReaderTest() {
    nlohmann::json json = TestVocabulary().Json();
    json["added_tokens"] = nlohmann::json::array();
    const auto add = [&](int id, const char* content, bool special) {
      json["added_tokens"].push_back({{"id", id},
                                      {"content", content},
                                      {"special", special},
                                      {"single_word", false},
                                      {"lstrip", false},
                                      {"rstrip", false},
                                      {"normalized", false}});
    };
    add(256, "<think>", false);
    add(257, "</think>", false);
    add(258, "<tool_call>", false);
    add(259, "</tool_call>", false);
    add(260, "<|control|>", true);
    auto made = Tokenizer::FromHuggingFaceJson(json.dump());
    EXPECT_TRUE(made.ok()) << made.status().message();
    tokenizer_ = std::make_unique<Tokenizer>(*std::move(made));
  }

  static std::vector<TokenId> Tokens(std::string_view text) {
    std::vector<TokenId> ids;
    static constexpr std::string_view kAdded[] = {"<think>", "</think>", "<tool_call>", "</tool_call>",
                                                  "<|control|>"};
    for (size_t i = 0; i < text.size();) {
      bool found = false;
      for (size_t a = 0; a < std::size(kAdded) && !found; ++a) {
        if (text.substr(i).starts_with(kAdded[a])) {
          ids.push_back(static_cast<TokenId>(256 + a));
          i += kAdded[a].size();
          found = true;
        }
      }
      if (!found) ids.push_back(static_cast<uint8_t>(text[i++]));
    }
    return ids;
  }

  // "T:thoughts|A:answer|C:call", pieces of one part joined; every piece must be whole characters.
  std::string Read(std::string_view text, AnswerFormat format = {}) {
    return Read(Tokens(text), std::move(format));
  }
  std::string Read(const std::vector<TokenId>& tokens, AnswerFormat format) {
    AnswerReader reader(*tokenizer_, std::move(format));
    std::vector<AnswerReader::Piece> pieces;
    for (const TokenId token : tokens) {
      if (!reader.Put(token, pieces)) break;
    }
    reader.Finish(pieces);
    std::string out;
    AnswerPart last{};
    for (const AnswerReader::Piece& piece : pieces) {
      std::string bytes = piece.text, valid;
      EXPECT_EQ(TakeCharacters(bytes, valid, true), 0u) << "a piece with half a character";
      const char* name = piece.part == AnswerPart::kThinking   ? "T:"
                         : piece.part == AnswerPart::kToolCall ? "C:"
                                                               : "A:";
      if (out.empty() || last != piece.part || piece.part == AnswerPart::kToolCall)
        out += (out.empty() ? "" : "|") + std::string(name);
      last = piece.part;
      out += piece.text;
    }
    return out;
  }

  static AnswerFormat Full() {
    return {.thinking_start = "<think>",
            .thinking_end = "</think>",
            .tool_call_start = "<tool_call>",
            .tool_call_end = "</tool_call>"};
  }

  std::unique_ptr<Tokenizer> tokenizer_;
};

TEST_F(AnswerReaderTest, PlainTextComesAsItIs) {
  EXPECT_EQ(Read("Hello, world\n"), "A:Hello, world\n");
  EXPECT_EQ(Read(""), "");
  EXPECT_EQ(Read("a<think>b"), "A:a<think>b");
  EXPECT_EQ(Read("a<|control|>b"), "A:ab");
}

TEST_F(AnswerReaderTest, ThoughtsAreKeptApart) {
  EXPECT_EQ(Read("<think>\nhm, so\n</think>\n\nYes.", Full()), "T:hm, so|A:Yes.");
  EXPECT_EQ(Read("\n <think>hm</think>Yes.", Full()), "T:hm|A:Yes.");
  EXPECT_EQ(Read("<think>\n\n</think>\n\nYes.\n", Full()), "A:Yes.");
  EXPECT_EQ(Read("<think>on and on", Full()), "T:on and on");
  EXPECT_EQ(Read("<think>a\n\nb</think>c", Full()), "T:a\n\nb|A:c");
  // Only an answer's beginning is a place for thoughts.
  EXPECT_EQ(Read("Yes <think>no</think>", Full()), "A:Yes <think>no</think>");
  EXPECT_EQ(Read("  Yes", Full()), "A:  Yes");
  AnswerFormat opened = Full();
  opened.starts_thinking = true;
  EXPECT_EQ(Read("\nhm\n</think>\n\nYes", opened), "T:hm|A:Yes");
}

TEST_F(AnswerReaderTest, MarkersSpelledInBytesCount) {
  AnswerFormat format = Full();
  std::vector<TokenId> tokens;
  for (const char c : std::string("<think>hm</think>Yes")) tokens.push_back(static_cast<uint8_t>(c));
  EXPECT_EQ(Read(tokens, format), "T:hm|A:Yes");
  tokens.clear();
  for (const char c : std::string("<thin ice")) tokens.push_back(static_cast<uint8_t>(c));
  EXPECT_EQ(Read(tokens, format), "A:<thin ice");
  tokens.resize(4);
  EXPECT_EQ(Read(tokens, format), "A:<thi");
}

TEST_F(AnswerReaderTest, ToolCallsComeWhole) {
  EXPECT_EQ(Read("<tool_call>\n{\"name\": 1}\n</tool_call>", Full()), "C:\n{\"name\": 1}\n");
  EXPECT_EQ(Read("Well.\n<tool_call>{1}</tool_call>\n<tool_call>{2}</tool_call>", Full()),
            "A:Well.|C:{1}|C:{2}");
  EXPECT_EQ(Read("<think>x</think>\n\n<tool_call>{1}</tool_call> end", Full()), "T:x|C:{1}|A: end");
  EXPECT_EQ(Read("a <tool_call>{1", Full()), "A:a <tool_call>{1");
}

TEST_F(AnswerReaderTest, StopStringsEndTheAnswerAndAreNoPartOfIt) {
  AnswerFormat format = Full();
  format.stop_strings = {"END", "\n\n"};
  EXPECT_EQ(Read("one EN two END three", format), "A:one EN two ");
  EXPECT_EQ(Read("one\n\ntwo", format), "A:one");
  EXPECT_EQ(Read("one\ntwo\n", format), "A:one\ntwo");
  EXPECT_EQ(Read("one E", format), "A:one E");
  // Thoughts may say anything.
  EXPECT_EQ(Read("<think>END\n\nEND</think>yes END", format), "T:END\n\nEND|A:yes ");
  // Of two that begin at one place the longer, of overlapping ones the first.
  EXPECT_EQ(Read("xabcd", {.stop_strings = {"bcd", "ab"}}), "A:x");
  EXPECT_EQ(Read("xabce", {.stop_strings = {"abcd", "bc"}}), "A:xa");
}

TEST_F(AnswerReaderTest, CharactersComeWholeAndInvalidBytesAreReplaced) {
  AnswerReader reader(*tokenizer_, {});
  std::vector<AnswerReader::Piece> pieces;
  const std::string euro = "\xe2\x82\xac";
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_TRUE(pieces.empty());
    reader.Put(static_cast<uint8_t>(euro[i]), pieces);
  }
  ASSERT_EQ(pieces.size(), 1u);
  EXPECT_EQ(pieces[0].text, euro);
  const std::string bad = "\xef\xbf\xbd";
  EXPECT_EQ(Read("a\xff"
                 "b"),
            "A:a" + bad + "b");
  EXPECT_EQ(Read("\xe2\x82"), "A:" + bad + bad);
  EXPECT_EQ(Read("\xe2(\xc0\xaf\xed\xa0\x80"), "A:" + bad + "(" + bad + bad + bad + bad + bad);
  EXPECT_EQ(Read("\xf4\x8f\xbf\xbf\xf4\x90\x80\x80"), "A:\xf4\x8f\xbf\xbf" + bad + bad + bad + bad);
}

}  // namespace
}  // namespace pith
