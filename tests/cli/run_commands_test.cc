// run: prompts in, answers out.
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "process.h"
#include "tiny_checkpoint.h"

namespace pith::test {
namespace {

using Json = nlohmann::json;

class RunCommands : public ::testing::Test {
 protected:
  RunCommands() {
    setting_.folder = folder_.path();
    setting_.environment = {"PITH_HISTORY=" + folder_ / "history"};
    WriteTinyChatCheckpoint(folder_ / "chat");
    const Ended ended = Pith(setting_, {"convert", "-q", "chat"});
    EXPECT_EQ(ended.code, 0) << ended.err;
  }
  Ended Run(std::vector<std::string> args) const {
    args.insert(args.begin(), {"run", "chat.litertlm"});
    return Pith(setting_, args);
  }
  Ended Say(std::vector<std::string> args, const std::string& prompt = "Hi") const {
    args.insert(args.end(), {"--prompt", prompt});
    return Run(std::move(args));
  }
  void ExpectError(const Ended& ended, int code, const std::string& part) const {
    EXPECT_EQ(ended.code, code) << ended.err;
    EXPECT_NE(ended.err.find(part), std::string::npos) << ended.err;
    EXPECT_TRUE(ended.err.starts_with("pith: ")) << ended.err;
    EXPECT_EQ(ended.out, "");
  }
  static std::vector<Json> Lines(const std::string& text) {
    std::vector<Json> lines;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) lines.push_back(Json::parse(line, nullptr, false));
    return lines;
  }

  Folder folder_;
  Setting setting_;
};

TEST_F(RunCommands, AnswersAPromptWithoutItsThoughtsInAPipe) {
  const Ended ended = Say({});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(ended.out, "Yes.\n");
  EXPECT_EQ(ended.err, "");
  EXPECT_EQ(Say({"--hide-thinking"}).err, "");
  const Ended thoughts = Say({"--think"});
  EXPECT_EQ(thoughts.out, "Yes.\n");
  EXPECT_EQ(thoughts.err, "hm\n\n") << "thoughts that were asked for go to standard error";
  EXPECT_EQ(Say({"--no-think"}).out, "Yes.\n");
}

TEST_F(RunCommands, TheThreePlacesOfAPromptAreJoined) {
  WriteFile(folder_ / "file", "from the file");
  WriteFile(folder_ / "input", "from the pipe");
  setting_.input = folder_ / "input";
  const auto prompt_tokens = [&](const std::vector<std::string>& args) {
    std::vector<std::string> all = {"--json", "--no-think"};
    all.insert(all.end(), args.begin(), args.end());
    const Ended ended = Run(all);
    EXPECT_EQ(ended.code, 0) << ended.err;
    return Lines(ended.out).back()["prompt_tokens"].get<size_t>();
  };
  const size_t pipe = prompt_tokens({});
  EXPECT_EQ(prompt_tokens({"--prompt", "x"}), pipe + 2) << "one byte and a double line end";
  EXPECT_EQ(prompt_tokens({"--prompt-file", "file"}), pipe + 14);
  EXPECT_EQ(prompt_tokens({"--prompt", "x", "--prompt-file", "file"}), pipe + 16);
  EXPECT_EQ(prompt_tokens({"--prompt-file", "-"}), pipe) << "standard input once";
}

TEST_F(RunCommands, JsonLinesSayWhatIsWhatAndWhatItCost) {
  const Ended ended = Say({"--json", "--seed", "18446744073709551615"});
  ASSERT_EQ(ended.code, 0) << ended.err;
  const std::vector<Json> lines = Lines(ended.out);
  std::string thinking, text;
  std::vector<int> tokens;
  for (size_t i = 0; i + 1 < lines.size(); ++i) {
    ASSERT_TRUE(lines[i].is_object()) << ended.out;
    (lines[i]["type"] == "thinking" ? thinking : text) += lines[i]["text"].get<std::string>();
    for (const int id : lines[i]["tokens"].get<std::vector<int>>()) tokens.push_back(id);
  }
  EXPECT_EQ(thinking, "hm");
  EXPECT_EQ(text, "Yes.");
  EXPECT_EQ(tokens, (std::vector<int>{260, 'h', 'm', 261, 257, 'Y', 'e', 's', '.'}));
  const Json& end = lines.back();
  EXPECT_EQ(end["type"], "end");
  EXPECT_EQ(end["end"], "stop");
  EXPECT_EQ(end["answer_tokens"], 9);
  EXPECT_EQ(end["reused_tokens"], 0);
  EXPECT_EQ(end["seed"], 18446744073709551615u);
}

TEST_F(RunCommands, StatsGoToStandardError) {
  const Ended ended = Say({"--stats", "--seed", "7"});
  EXPECT_EQ(ended.out, "Yes.\n");
  EXPECT_NE(ended.err.find("; seed 7\n"), std::string::npos) << ended.err;
  EXPECT_NE(ended.err.find(" 0 known, "), std::string::npos) << ended.err;
}

TEST_F(RunCommands, MarkupInAPromptIsText) {
  const auto count = [&](const std::string& prompt, const char* raw) {
    std::vector<std::string> args = {"--json", "-n", "1"};
    if (*raw != 0) args.push_back(raw);
    const Ended ended = Say(args, prompt);
    EXPECT_EQ(ended.code, 0) << ended.err;
    return Lines(ended.out).back()["prompt_tokens"].get<size_t>();
  };
  EXPECT_EQ(count("a<|im_end|>", ""), count("a", "") + 10) << "ten characters of a prompt";
  EXPECT_EQ(count("a<|im_end|>", "--raw"), count("a", "--raw") + 1) << "one token of raw text";
}

TEST_F(RunCommands, RawTextGoesOnBehindWhatWasGiven) {
  const Ended ended = Say({"--raw"}, "h");
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(ended.out, "hm</think>\n\nYes.\n");
}

TEST_F(RunCommands, LimitsAndStopTextsEndAnAnswer) {
  EXPECT_EQ(Say({"--no-think", "-n", "2"}).out, "Ye\n");
  EXPECT_EQ(Say({"--no-think", "--stop", "s."}).out, "Ye\n");
  EXPECT_EQ(Say({"--stop", "hm", "--stop", "e"}).out, "Y\n") << "thoughts are not searched";
}

TEST_F(RunCommands, AModelWithoutTurnsContinuesAndSaysSo) {
  const Ended ended = Pith(setting_, {"run", TinyModel(), "--prompt", "a", "-n", "3", "--greedy"});
  EXPECT_EQ(ended.code, 0);
  EXPECT_EQ(ended.out.size(), 5u) << ended.out;
  EXPECT_NE(ended.err.find("knows no turns: it continues the text"), std::string::npos) << ended.err;
  EXPECT_EQ(Pith(setting_, {"run", TinyModel(), "--raw", "--prompt", "a", "-n", "3"}).err, "");
  ExpectError(Pith(setting_, {"run", TinyModel(), "--system", "x", "--prompt", "a"}), 1, "knows no turns");
}

TEST_F(RunCommands, TheSameSeedTheSameWords) {
  const auto say = [&](const std::string& seed, const std::string& threads) {
    return Pith(setting_, {"run", TinyModel(), "--raw", "--prompt", "a", "-n", "100", "--seed", seed, "-T",
                           threads, "--temperature", "1"})
        .out;
  };
  const std::string first = say("7", "1");
  EXPECT_EQ(say("7", "2"), first);
  EXPECT_NE(say("8", "1"), first);
  EXPECT_EQ(Pith(setting_, {"run", TinyModel(), "--raw", "--prompt", "a", "-n", "100", "--seed", "7",
                            "--temperature", "1", "--no-draft"})
                .out,
            first);
}

TEST_F(RunCommands, BadWishesAreNamed) {
  ExpectError(Pith(setting_, {"run"}), 2, "run takes one model");
  ExpectError(Pith(setting_, {"run", "a", "b"}), 2, "run takes one model, found 2");
  ExpectError(Pith(setting_, {"run", "missing.litertlm", "--prompt", "x"}), 3, "missing.litertlm");
  ExpectError(Say({"--temperature", "-1"}), 1, "temperature");
  ExpectError(Say({"--temperature", "warm"}), 2, "--temperature: 'warm' is not a number");
  ExpectError(Say({"--top-p", "1.5"}), 1, "top_p");
  ExpectError(Say({"--context", "5"}), 1, "context: 5 tokens, expected 17 to");
  ExpectError(Say({"--greedy", "--temperature", "1"}), 2, "do not go together");
  ExpectError(Say({"--raw", "--system", "x"}), 2, "--raw has no turns");
  ExpectError(Say({"--prompt-file", "missing"}), 1, "missing: no such file");
  ExpectError(Run({}), 1, "the prompt is empty");
  ExpectError(Say({"--context", "256"}, std::string(300, 'x')), 1, "the context holds 256");
  ExpectError(Pith(setting_, {"compress", "--prompt", "x", "y"}), 2, "does not go with compress");
}

TEST_F(RunCommands, BadFilesAreNamed) {
  WriteFile(folder_ / "empty", "");
  WriteFile(folder_ / "no_json", "{");
  WriteFile(folder_ / "no_list", "{}");
  WriteFile(folder_ / "no_name", "[{}]");
  ExpectError(Say({"--tools", "empty"}), 1, "--tools: empty: the file is empty");
  ExpectError(Say({"--tools", "no_json"}), 1, "tools: no JSON");
  ExpectError(Say({"--tools", "no_list"}), 1, "tools: expected a JSON list");
  ExpectError(Say({"--tools", "no_name"}), 1, "tools: entry 0");
  WriteFile(folder_ / "broken.jinja", "{% for %}");
  ExpectError(Say({"--chat-template", "broken.jinja"}), 1, "line 1, column 8");
  WriteFile(folder_ / "loop.jinja",
            "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}");
  ExpectError(Say({"--chat-template", "loop.jinja"}), 1, "chat template");
  WriteFile(folder_ / "calls.jinja", "{{ messages | upside_down }}");
  ExpectError(Say({"--chat-template", "calls.jinja"}), 1, "upside_down");
  std::string damaged = ReadFile(folder_ / "chat.litertlm");
  damaged[damaged.size() / 2] ^= 1;
  WriteFile(folder_ / "damaged.litertlm", damaged);
  ExpectError(Pith(setting_, {"run", "damaged.litertlm", "--prompt", "x"}), 3, "damaged.litertlm");
}

TEST_F(RunCommands, BytesThatAreNoUtf8AreReplacedAndCounted) {
  const Ended ended = Say({"--no-think"},
                          "a\xff\xfe"
                          "b\x01");
  EXPECT_EQ(ended.code, 0);
  EXPECT_EQ(ended.out, "Yes.\n");
  EXPECT_NE(ended.err.find("2 bytes of the prompt were no UTF-8"), std::string::npos) << ended.err;
}

TEST_F(RunCommands, AFullDiskIsAnError) {
  const Ended ended = Shell(setting_, "$PITH run chat.litertlm --prompt x >/dev/full");
  EXPECT_EQ(ended.code, 1);
  EXPECT_NE(ended.err.find("standard output"), std::string::npos) << ended.err;
}

TEST_F(RunCommands, AGrammarOrASchemaHolds) {
  WriteFile(folder_ / "grammar", "root ::= \"No, \" [a-c]{3} \"!\"");
  WriteFile(
      folder_ / "schema",
      R"({"type": "object", "properties": {"a": {"type": "integer"}, "b": {"enum": ["x", "y"]}}, "required": ["a", "b"]})");
  for (const char* seed : {"1", "2", "3"}) {
    Ended ended = Say({"--grammar", "grammar", "--seed", seed});
    EXPECT_EQ(ended.code, 0) << ended.err;
    ASSERT_EQ(ended.out.size(), 9u) << ended.out;
    EXPECT_TRUE(ended.out.starts_with("No, ") && ended.out.ends_with("!\n")) << ended.out;
    ended = Say({"--json-schema", "schema", "--seed", seed, "--temperature", "1"});
    EXPECT_EQ(ended.code, 0) << ended.err;
    const Json json = Json::parse(ended.out, nullptr, false);
    ASSERT_TRUE(json.is_object()) << ended.out;
    EXPECT_TRUE(json["a"].is_number_integer());
    EXPECT_TRUE(json["b"] == "x" || json["b"] == "y");
  }
  // Thoughts are free, the answer is not.
  const Ended ended = Say({"--grammar", "grammar", "--think", "--greedy"});
  EXPECT_NE(ended.err.find("hm\n\n"), std::string::npos) << ended.err;
  EXPECT_TRUE(ended.out.starts_with("No, ")) << ended.out;
  WriteFile(folder_ / "bad_grammar", "root ::= other");
  ExpectError(Say({"--grammar", "bad_grammar"}), 1, "grammar: ");
  WriteFile(folder_ / "bad_schema", R"({"type": "thing"})");
  ExpectError(Say({"--json-schema", "bad_schema"}), 1, "JSON schema: ");
  ExpectError(Say({"--json-schema", "schema", "--grammar", "grammar"}), 2, "do not go together");
}

TEST_F(RunCommands, ToolCallsArePrintedAsJson) {
  WriteFile(folder_ / "tools",
            R"([{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}])");
  // The model cannot call anything of its own accord, so it is made to.
  WriteFile(folder_ / "call",
            R"(root ::= "Well.\n<tool_call>\n{\"name\": \"f\",\n \"arguments\": {\"x\": 1}}\n</tool_call>")");
  Ended ended = Say({"--tools", "tools", "--grammar", "call"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(ended.out, "Well.\n{\"name\":\"f\",\"arguments\":{\"x\":1}}\n");
  ended = Say({"--tools", "tools", "--grammar", "call", "--json"});
  const std::vector<Json> lines = Lines(ended.out);
  ASSERT_GE(lines.size(), 2u) << ended.out;
  const Json& call = lines[lines.size() - 2];
  EXPECT_EQ(call["type"], "tool_call") << ended.out;
  EXPECT_EQ(call["tool_call"]["arguments"]["x"], 1);
  // Without tools it is text like any other.
  EXPECT_NE(Say({"--grammar", "call"}).out.find("<tool_call>"), std::string::npos);
}

TEST_F(RunCommands, GgufFilesWithATemplateOfTheirOwnAreRun) {
  WriteFile(
      folder_ / "chat/tokenizer_config.json",
      R"({"chat_template": "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"})");
  for (const char* encoding : {"f16", "q8_0", "q4_0"}) {
    Ended ended = Pith(setting_, {"convert", "-q", "-f", "chat", "-o", "chat.gguf", "--quantize", encoding});
    ASSERT_EQ(ended.code, 0) << ended.err;
    ended = Pith(setting_, {"run", "chat.gguf", "--prompt", "Hi", "--greedy"});
    EXPECT_EQ(ended.code, 0) << ended.err;
    EXPECT_EQ(ended.out, "<think>hm</think>\n\nYes.\n")
        << encoding << ": its template knows nothing of thoughts";
  }
}

TEST_F(RunCommands, AFileOfLitertTorchSaysWhatLitertLmSays) {
  const std::string golden = std::string(PITH_SOURCE_DIR) + "/../shared/golden/litert/";
  if (!Exists(golden)) GTEST_SKIP() << "no " << golden << ": the reference outputs are not here";
  const Json expected = Json::parse(ReadFile(golden + "expected.json"));
  for (const Json& text : expected["generate"]) {
    const Ended ended =
        Pith(setting_, {"run", golden + expected["file"].get<std::string>(), "--greedy", "--prompt",
                        text["prompt"], "--max-tokens", std::to_string(text["max_tokens"].get<int>())});
    EXPECT_EQ(ended.code, 0) << ended.err;
    EXPECT_EQ(ended.out, text["text"].get<std::string>() + "\n") << text["prompt"];
  }
}

TEST_F(RunCommands, ModelsAreFoundByName) {
  setting_.environment.push_back("PITH_MODELS=" + folder_.path());
  EXPECT_EQ(Pith(setting_, {"run", "chat", "--prompt", "Hi"}).code, 3)
      << "the checkpoint's folder has that name, too, and comes first";
  std::filesystem::rename(folder_ / "chat.litertlm", folder_ / "talk.litertlm");
  EXPECT_EQ(Pith(setting_, {"run", "talk", "--prompt", "Hi"}).out, "Yes.\n");
  const Ended ended = Pith(setting_, {"run", "Some/Model", "--prompt", "Hi"});
  EXPECT_EQ(ended.code, 3);
  EXPECT_NE(ended.err.find("pith pull Some/Model"), std::string::npos) << ended.err;
  EXPECT_EQ(std::count(ended.err.begin(), ended.err.end(), '\n'), 3) << "three lines say how to get one";
}

class RunOnTerminal : public RunCommands {
 protected:
  // One line after the other, then Ctrl-D.
  Ended Type(std::vector<std::string> lines, std::vector<std::string> args = {}) const {
    std::vector<TerminalStep> steps;
    for (const std::string& line : lines) steps.push_back({"", line});
    steps.push_back({"", "\x04"});
    return Talk(steps, args);
  }
  Ended Talk(const std::vector<TerminalStep>& steps, std::vector<std::string> args = {}) const {
    args.insert(args.begin(), {"run", "chat.litertlm"});
    return PithInDialogue(setting_, args, steps);
  }
  static size_t Count(const std::string& text, const std::string& part) {
    size_t n = 0;
    for (size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) ++n;
    return n;
  }
};

TEST_F(RunOnTerminal, AConversationWithThoughtsShownDimly) {
  const Ended ended = Type({"Hi\n", "And now?\n"});
  EXPECT_EQ(ended.code, 0);
  EXPECT_EQ(Count(ended.out, "\x1b[2mhm\x1b[0m\r\n\r\nYes."), 2u) << ended.out;
  EXPECT_NE(ended.out.find("chat: "), std::string::npos) << "it says which model it is";
  EXPECT_NE(ReadFile(folder_ / "history").find("Hi"), std::string::npos);
  setting_.environment.push_back("NO_COLOR=1");
  EXPECT_EQ(Count(Type({"Hi\n"}).out, "(hm)\r\n\r\nYes."), 1u);
  EXPECT_EQ(Count(Type({"Hi\n"}, {"--hide-thinking"}).out, "hm"), 0u);
}

TEST_F(RunOnTerminal, TheSecondTurnReadsOnlyWhatIsNew) {
  const Ended ended = Type({"Hi\n", "Again\n"}, {"--stats", "--seed", "1"});
  // The beginning up to the answer is known; the answer without its thoughts, and the question, are new:
  // Yes.<|im_end|>\n<|im_start|>user\nAgain<|im_end|>\n<|im_start|>assistant\n.
  EXPECT_NE(ended.out.find(" 0 known, "), std::string::npos) << ended.out;
  EXPECT_NE(ended.out.find("prompt 51 tokens, 21 known, 30 new"), std::string::npos) << ended.out;
}

TEST_F(RunOnTerminal, CommandsAreObeyed) {
  Ended ended =
      Type({"/help\n", "/seed 5\n", "/seed\n", "/system Be brief.\n", "/system\n", "/nothink\n", "Hi\n",
            "/save talk.json\n", "/clear\n", "/load talk.json\n", "/foo\n", "//foo\n", "/exit\n"});
  EXPECT_EQ(ended.code, 0);
  for (const char* part :
       {"/clear          forget", "seed 5", "Be brief.", "(it does not think)", "(3 messages in talk.json)",
        "(a new conversation)", "(3 messages)", "there is no /foo"}) {
    EXPECT_NE(ended.out.find(part), std::string::npos) << part << "\n" << ended.out;
  }
  EXPECT_EQ(Count(ended.out, "Yes."), 2u) << "// is a message";
  EXPECT_EQ(Count(ended.out, "hm"), 0u);
  const Json saved = Json::parse(ReadFile(folder_ / "talk.json"));
  ASSERT_EQ(saved["messages"].size(), 3u);
  EXPECT_EQ(saved["messages"][2]["content"], "Yes.");
  WriteFile(folder_ / "bad.json", "[]");
  ended = Type({"/save talk.json\n", "/load bad.json\n", "/load missing\n", "/save\n", "/seed x\n",
                "/save no/folder\n"});
  for (const char* part : {"talk.json", "bad.json: expected {", "missing: no such file", "/save needs a file",
                           "/seed: 'x' is no number", "no/folder"}) {
    EXPECT_NE(ended.out.find(part), std::string::npos) << part << "\n" << ended.out;
  }
  EXPECT_EQ(Json::parse(ReadFile(folder_ / "talk.json")), saved) << "a file that was there stays";
}

TEST_F(RunOnTerminal, ControlCStopsTheAnswerAndKeepsTheConversation) {
  WriteFile(folder_ / "endless", "root ::= [a]*");
  const std::vector<std::string> args = {"--grammar",  "endless",       "--context", "130000",
                                         "--no-draft", "--temperature", "1"};
  Ended ended = Talk({{"", "Hi\n"},
                      {"aaaaaaaa", "\x03"},
                      {"(stopped)", ""},
                      {"", "/save talk.json\n"},
                      {"", "half\x03"},
                      {"", "\x03"},
                      {"", "\x04"}},
                     args);
  EXPECT_EQ(ended.code, 0) << ended.out.substr(0, 500);
  EXPECT_NE(ended.out.find("(2 messages in talk.json)"), std::string::npos);
  EXPECT_NE(ended.out.find("(Ctrl-D or /exit leaves)"), std::string::npos);
  EXPECT_TRUE(
      Json::parse(ReadFile(folder_ / "talk.json"))["messages"][1]["content"].get<std::string>().starts_with(
          "aaaaaaaa"));
  // A single answer ends the program as a signal does.
  std::vector<std::string> once = args;
  once.insert(once.end(), {"--prompt", "Hi"});
  ended = Talk({{"aaaaaaaa", "\x03"}}, once);
  EXPECT_EQ(ended.signal, SIGINT);
}

TEST_F(RunOnTerminal, ATerminalThatClosesEndsIt) {
  const Ended ended = Talk({{"", "Hi\n"}, {"", kHangUp}});
  EXPECT_TRUE(ended.signal == SIGHUP || ended.code >= 0) << ended.signal;
  WriteFile(folder_ / "endless", "root ::= [a]*");
  EXPECT_EQ(
      Talk({{"", "Hi\n"}, {"aaaaaaaa", kHangUp}}, {"--grammar", "endless", "--context", "130000"}).signal,
      SIGHUP);
}

TEST_F(RunOnTerminal, TextWithoutTurnsIsSavedAndGoesOn) {
  const std::vector<std::string> args = {"--raw", "--greedy", "-n", "2"};
  Ended ended = Type({"h\n", "/save text.json\n", "/clear\n", "/load text.json\n", "\n"}, args);
  EXPECT_EQ(Json::parse(ReadFile(folder_ / "text.json"))["tokens"], (std::vector<int>{'h', 'm', 261}));
  EXPECT_NE(ended.out.find("(3 tokens in text.json)"), std::string::npos) << ended.out;
  EXPECT_NE(ended.out.find("\r\n\r\nY"), std::string::npos) << "an empty line goes on\n" << ended.out;
  WriteFile(folder_ / "bad.json", R"({"tokens": [99999]})");
  ended = Type({"/load bad.json\n", "/load talk\n"}, args);
  EXPECT_NE(ended.out.find("token 99999, expected below 262"), std::string::npos) << ended.out;
}

TEST_F(RunOnTerminal, SeveralLinesAreOneMessage) {
  Ended ended = Type({"one\\\n", "two\n"}, {"--no-think", "--stats"});
  EXPECT_EQ(Count(ended.out, "Yes."), 1u) << ended.out;
  ended = Type({"\"\"\"\n", "one\n", "\n", "two\n", "\"\"\"\n"}, {"--no-think"});
  EXPECT_EQ(Count(ended.out, "Yes."), 1u) << ended.out;
  ended = Type({"\x1b[200~one\ntwo\n\x1b[201~\n"}, {"--no-think"});
  EXPECT_EQ(Count(ended.out, "Yes."), 1u) << ended.out;
  ended = Type({"\n", "  \n"}, {"--no-think"});
  EXPECT_EQ(Count(ended.out, "Yes."), 0u) << "an empty line is no message";
}

TEST_F(RunOnTerminal, TheContextThatIsFullForgetsTheOldest) {
  std::vector<std::string> lines;
  for (int i = 0; i < 6; ++i) lines.push_back(std::string(60, static_cast<char>('a' + i)) + "\n");
  const Ended ended = Type(lines, {"--no-think", "--context", "256"});
  EXPECT_EQ(ended.code, 0);
  EXPECT_EQ(Count(ended.out, "Yes."), 6u) << ended.out;
  EXPECT_NE(ended.out.find("the context of 256 tokens is full: the oldest 2 messages had to be forgotten"),
            std::string::npos)
      << ended.out;
  EXPECT_NE(Type({std::string(300, 'x') + "\n"}, {"--context", "256"}).out.find("the context holds 256"),
            std::string::npos);
}

}  // namespace
}  // namespace pith::test
