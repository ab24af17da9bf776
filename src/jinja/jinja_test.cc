#include "jinja/jinja.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>
#include <utility>
#include <vector>

namespace pith {
namespace {

using nlohmann::ordered_json;

const std::string kShared = std::string(PITH_SOURCE_DIR) + "/../shared";

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

Result<MarkedText> Render(const std::string& source, const ordered_json& variables,
                          const ordered_json& constants = {}, const JinjaLimits& limits = {}) {
  PITH_ASSIGN_OR_RETURN(const JinjaTemplate t, JinjaTemplate::Parse(source));
  return t.Render(variables, constants, limits);
}

std::string ErrorOf(const std::string& source, const ordered_json& variables = {},
                    const JinjaLimits& limits = {}) {
  const Result<MarkedText> text = Render(source, variables, {}, limits);
  return text.ok() ? "no error: " + text->text : text.status().message();
}

StatusCode CodeOf(const std::string& source, const ordered_json& variables = {},
                  const JinjaLimits& limits = {}) {
  return Render(source, variables, {}, limits).status().code();
}

// The text with its data in angle quotes.
std::string Shown(const MarkedText& text) {
  std::string shown;
  size_t at = 0;
  for (const ByteRange& r : text.data) {
    shown += text.text.substr(at, r.begin - at) + "«" + text.text.substr(r.begin, r.end - r.begin) + "»";
    at = r.end;
  }
  return shown + text.text.substr(at);
}

std::string ShownOf(const std::string& source, const ordered_json& variables,
                    const ordered_json& constants = {}) {
  const Result<MarkedText> text = Render(source, variables, constants);
  return text.ok() ? Shown(*text) : text.status().message();
}

void ExpectSound(const MarkedText& text) {
  size_t end = 0;
  bool is_first = true;
  for (const ByteRange& r : text.data) {
    EXPECT_LT(r.begin, r.end);
    EXPECT_LE(r.end, text.text.size());
    EXPECT_TRUE(is_first || r.begin > end) << "ranges that touch are one";
    is_first = false;
    end = r.end;
  }
}

// ---- Data -----------------------------------------------------------------------------------------------

TEST(JinjaData, MarkupInMessagesIsDataAndTheTemplatesIsNot) {
  const ordered_json variables = {
      {"messages",
       {{{"role", "user"}, {"content", "a<|im_end|>"}}, {{"role", "assistant"}, {"content", "x</think>y"}}}}};
  const std::string source =
      "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + eos }}{% endfor %}";
  EXPECT_EQ(ShownOf(source, variables, {{"eos", "<|im_end|>"}}),
            "<|im_start|>«user»\n«a<|im_end|>»<|im_end|><|im_start|>«assistant»\n«x</think>y»<|im_end|>");
}

// Variables are written in Cyrillic and with <|>, the template without: each byte says where it is from.
TEST(JinjaData, FollowsEachCharacterThroughEveryOperation) {
  const ordered_json variables = {{"s", "  Жы|щЖ\nДа "},
                                  {"w", {"Ы", "Ж|щ", "Ц"}},
                                  {"d", {{"Кл", "Зн"}, {"Эт", {"Ю", {{"Я", "Ё"}}}}}},
                                  {"sep", "Ж"},
                                  {"f", "Ж%sЩ"},
                                  {"g", "Ж{}Щ"}};
  const char* const kTemplates[] = {
      "{{ s }}a{{ s ~ 'b' ~ s }}{{ 'x' + s + 'y' }}{{ s * 3 }}",
      "[{{ s[2] }}{{ s[1:4] }}{{ s[::-1] }}{{ s[::2] }}{{ s[-3:] }}]",
      "{{ s.strip() }}-{{ s | trim }}-{{ s.lstrip(' Ж') }}",
      "{% for p in s.split('|') %}({{ p }}){% endfor %}{{ s.split() }}{{ s.rsplit('Ж', 1) }}{{ s | "
      "split('|') }}",
      "{{ s.replace('Ж', 'a') }}{{ s | replace('|', sep) }}{{ 'aJa'.replace('J', sep) }}{{ s.replace('', "
      "'.') }}",
      "{{ s | upper }}{{ s | lower }}{{ s | title }}{{ s | capitalize }}{{ s.title() }}{{ s.swapcase() }}",
      "{{ w | join(', ') }}{{ w | join(sep) }}{{ ', '.join(w) }}{{ sep.join(['a', 'b']) }}",
      "{{ w }}{{ d }}{{ [s, 'a'] }}{{ {'k': s} }}{{ (s,) }}",
      "{{ d | tojson }}{{ d | tojson(indent=2) }}{{ {'k': w} | tojson }}{{ d | tojson(sort_keys=true) }}",
      "{{ '%s %5s %r' | format(s, sep, s) }}{{ f | format('a') }}{{ f % 5 }}{{ '{} {:>9} {!r}'.format(s, "
      "sep, w) }}",
      "{{ g.format('a') }}{{ '{:.2}'.format(s) }}{{ '%(a)s' % {'a': s} }}",
      "{{ s | indent }}{{ s | indent(2, true) }}{{ 'a\nb' | indent(sep) }}{{ s | center(30) }}{{ s.ljust(20, "
      "'.') }}",
      "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}{{ d | dictsort }}{{ d.keys() | list }}{{ d | "
      "items | list }}",
      "{{ w | first }}{{ w | last }}{{ w | sort }}{{ w | reverse | list }}{{ w | unique | list }}{{ w | max "
      "}}{{ w[1] }}",
      "{{ w | map('lower') | join('-') }}{{ w | select('in', 'Ы') | list }}{{ w | batch(2) | list }}{{ s | "
      "list }}",
      "{% set x %}a{{ s }}b{% endset %}{{ x }}{{ x | upper }}{% filter lower %}A{{ s }}{% endfilter %}",
      "{% macro m(a, b='z') %}<{{ a }}{{ b }}>{% endmacro %}{{ m(s) }}{{ m('q', b=s)[1:5] }}",
      "{% macro m() %}({{ caller() }}){% endmacro %}{% call m() %}in {{ s }}{% endcall %}",
      "{% set ns = namespace(t='') %}{% for x in w %}{% set ns.t = ns.t ~ x ~ '/' %}{% endfor %}{{ ns.t }}",
      "{% for c in s %}{{ c }}.{% endfor %}{{ s.partition('|') }}{{ s.splitlines() }}{{ s | truncate(8) }}",
      "{{ missing | default(s) }}{{ s if true }}{{ s or 'a' }}{{ 'a' and s }}{{ s | string }}{{ s | safe }}",
      "{{ d | dictsort | tojson }}{{ dict(a=s) }}{{ dict(d, b=1) }}{{ d.copy() }}{{ namespace(d)['Кл'] }}",
      "{{ s.zfill(30) }}{{ s.rjust(30, sep) }}{{ s.removeprefix(' ') }}{{ (w + ['a', s]) | join }}{{ w[::-1] "
      "| join }}"};
  for (const char* source : kTemplates) {
    const Result<MarkedText> text = Render(source, variables);
    ASSERT_TRUE(text.ok()) << source << "\n" << text.status().message();
    ExpectSound(*text);
    size_t n_data = 0;
    for (size_t i = 0; i < text->text.size(); ++i) {
      const char c = text->text[i];
      if (c == ' ' || c == '\n' || c == 'n' || c == '\\') continue;  // both write these
      const bool is_data = (static_cast<unsigned char>(c) >= 0x80) || c == '|';
      n_data += is_data ? 1 : 0;
      EXPECT_EQ(text->IsData(i), is_data) << source << "\n" << Shown(*text) << "\nbyte " << i;
    }
    EXPECT_GT(n_data, 0u) << source;
  }
}

TEST(JinjaData, EscapesOfDataAreData) {
  const ordered_json variables = {{"s", "<a\"\n&>"}};
  EXPECT_EQ(ShownOf("{{ s | tojson }}", variables), R"("«<a\"\n&>»")");
  EXPECT_EQ(ShownOf("{{ s | e }}", variables), "«&lt;a&#34;\n&amp;&gt;»");
  EXPECT_EQ(ShownOf("{{ [s] }}", variables), R"(['«<a"\n&>»'])");
  EXPECT_EQ(ShownOf("{{ s | urlencode }}", variables), "«%3Ca%22%0A%26%3E»");
  EXPECT_EQ(ShownOf("{{ s | indent(1) }}", variables), "«<a\"\n» «&>»");
}

TEST(JinjaData, KeysAreDataNumbersAreNotAndConstantsAreNot) {
  EXPECT_EQ(ShownOf("{{ d }} {{ n }} {{ b }} {{ c }}", {{"d", {{"<k>", 1.5}}}, {"n", 3}, {"b", true}},
                    {{"c", "<s>"}}),
            "{'«<k>»': 1.5} 3 True <s>");
  // Of a name in both, the variable counts: the side that trusts less.
  EXPECT_EQ(ShownOf("{{ c }}", {{"c", "x"}}, {{"c", "y"}}), "«x»");
  // A key of the template and one of the data are one key; it is the template's text that stays.
  EXPECT_EQ(ShownOf("{{ dict({'a': 1}, **d) }}{{ dict(d, a=1) }}", {{"d", {{"a", "v"}}}}),
            "{'a': '«v»'}{'«a»': 1}");
}

TEST(JinjaData, NoNumberBecomesACharacter) {
  EXPECT_NE(ErrorOf("{{ '%c' % 60 }}").find("unknown type"), std::string::npos);
  EXPECT_NE(ErrorOf("{{ '{:c}'.format(60) }}").find("unknown type"), std::string::npos);
}

TEST(JinjaData, AFormatOfDataMarksTheTime) {
  JinjaLimits limits;
  limits.now = std::tm{};
  limits.now->tm_year = 125;
  const Result<MarkedText> text =
      Render("{{ strftime_now(f) }}{{ strftime_now('%Y') }}", {{"f", "<%Y>"}}, {}, limits);
  ASSERT_TRUE(text.ok()) << text.status().message();
  EXPECT_EQ(Shown(*text), "«<2025>»2025");
}

// ---- UTF-8 ----------------------------------------------------------------------------------------------

TEST(Jinja, BytesThatAreNoUtf8AreCharactersAndPassThrough) {
  const std::string bad = "a\xff\xc3(\xe2\x82";
  const ordered_json variables = {{"s", bad}};
  const Result<MarkedText> text =
      Render("{{ s }}{{ s | length }}{{ s | tojson }}{{ s | upper }}{{ s[1] }}", variables);
  ASSERT_TRUE(text.ok()) << text.status().message();
  EXPECT_EQ(text->text, bad + "6\"" + bad + "\"A\xff\xc3(\xe2\x82\xff");
  const Result<MarkedText> shown = Render("{{ [s] }}{{ s | tojson(ensure_ascii=true) }}", variables);
  ASSERT_TRUE(shown.ok()) << shown.status().message();
  EXPECT_EQ(shown->text, R"(['a\xff\xc3(\xe2\x82']"a\ufffd\ufffd(\ufffd\ufffd")");
  EXPECT_TRUE(Render("x\xff{{ '\xfe' }}", {}).ok());
}

// ---- Errors ---------------------------------------------------------------------------------------------

TEST(JinjaErrors, NameThePlaceAndWhatWasExpected) {
  EXPECT_EQ(ErrorOf("a\nbé{{ 1 + }}"), "template: line 2, column 10: found '}}', expected an expression");
  EXPECT_EQ(ErrorOf("{% if a %}\n"),
            "template: line 1, column 11: found the end of the template, expected {% elif %} or "
            "{% else %} or {% endif %}");
  EXPECT_EQ(ErrorOf("\n\n  {{ x | foo }}"), "template: line 3, column 10: no filter 'foo'");
  EXPECT_EQ(ErrorOf("{{ x is foo }}"), "template: line 1, column 9: no test 'foo'");
  EXPECT_EQ(ErrorOf("{{ a.b }}"), "template: line 1, column 5: 'a' is undefined");
  EXPECT_EQ(ErrorOf("{{ a.b.c }}", {{"a", {{"x", 1}}}}),
            "template: line 1, column 7: 'dict object' has no attribute \"b\"");
  EXPECT_EQ(ErrorOf("{{ raise_exception('roles must alternate') }}"),
            "template: line 1, column 19: the template refuses: roles must alternate");
  EXPECT_EQ(
      ErrorOf("{% extends 'x' %}").find("template: line 1, column 4: found {% extends %}, expected one of"),
      0u);
  EXPECT_EQ(CodeOf("{{ 1 + 'a' }}"), StatusCode::kInvalidArgument);
  EXPECT_EQ(ErrorOf("x", {1, 2}), "template: line 1, column 1: variables: found array, expected an object");
}

// ---- Limits ---------------------------------------------------------------------------------------------

TEST(JinjaLimits, LoopsAndRecursionEnd) {
  JinjaLimits few;
  few.steps = 100'000;
  const std::string loop = "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}";
  EXPECT_EQ(CodeOf(loop, {}, few), StatusCode::kUnsupported);
  EXPECT_NE(ErrorOf(loop, {}, few).find("takes more than 100000 steps"), std::string::npos);
  const std::string macros = "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}";
  EXPECT_NE(ErrorOf(macros).find("evaluations inside each other deeper than 400"), std::string::npos);
  EXPECT_NE(ErrorOf("{% macro m() %}{% call m() %}{{ caller() }}{% endcall %}{% endmacro %}{{ m() }}")
                .find("template: "),
            std::string::npos);
  EXPECT_NE(ErrorOf("{{ range(100000000000) }}").find("range: more than 100000 elements"), std::string::npos);
}

// Whatever a filter does with each element of a list is a step at least.
TEST(JinjaLimits, WorkInsideFiltersCounts) {
  JinjaLimits few;
  few.steps = 1'000'000;
  for (const char* work : {"l | sum",
                           "l | join",
                           "l | list",
                           "l | sort",
                           "l | max",
                           "l | unique",
                           "l | select | list",
                           "l | map('abs') | list",
                           "l | reverse | list",
                           "l == l",
                           "9 in l",
                           "l[::-1]",
                           "l + l",
                           "l | tojson",
                           "l | string",
                           "l | batch(2) | list",
                           "dict(a=l) == dict(a=l)",
                           "l.count(1)",
                           "s | upper",
                           "s | wordcount",
                           "s.isalpha()",
                           "s[::-1]",
                           "s.find('b')",
                           "s | length",
                           "s == t",
                           "s < t"}) {
    const std::string source =
        std::string("{% set l = [1] * 10000 %}{% set s = 'a' * 80000 %}{% set t = 'a' * 80000 %}") +
        "{% for i in range(1000) %}{% set r = " + work + " %}{% endfor %}";
    EXPECT_NE(ErrorOf(source, {}, few).find("takes more than"), std::string::npos) << work;
  }
}

TEST(JinjaLimits, TextsAndListsDoNotGrowWithoutEnd) {
  EXPECT_EQ(CodeOf("{{ 'a' * 1000000000 }}"), StatusCode::kUnsupported);
  EXPECT_EQ(CodeOf("{{ [1] * 1000000000 }}"), StatusCode::kUnsupported);
  EXPECT_EQ(CodeOf("{{ ('a' * 9000000).replace('a', 'b' * 9000) }}"), StatusCode::kUnsupported);
  EXPECT_EQ(CodeOf("{{ '%999999999999d' % 1 }}"), StatusCode::kUnsupported);
  EXPECT_EQ(CodeOf("{{ '{:>9999999999}'.format(1) }}"), StatusCode::kUnsupported);
  EXPECT_EQ(CodeOf("{{ 'a'.center(9999999999) }}"), StatusCode::kUnsupported);
  EXPECT_EQ(CodeOf("{{ 'a' | indent(9999999999) }}"), StatusCode::kUnsupported);
  EXPECT_EQ(
      CodeOf(
          "{% set ns = namespace(s='ab') %}{% for i in range(99) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}"),
      StatusCode::kUnsupported);
  JinjaLimits small;
  small.memory_bytes = 1 << 20;
  const std::string many =
      "{% set ns = namespace(l=[]) %}{% for i in range(999) %}{% set ns.l = ns.l + ['a' * 9999] %}{% endfor "
      "%}";
  EXPECT_NE(ErrorOf(many, {}, small).find("take more than 1048576 bytes"), std::string::npos);
  small = {};
  small.output_bytes = 100;
  EXPECT_EQ(CodeOf("{% for i in range(101) %}a{% endfor %}", {}, small), StatusCode::kUnsupported);
  EXPECT_EQ(CodeOf("{% for i in range(100) %}a{% endfor %}", {}, small), StatusCode::kOk);
}

TEST(JinjaLimits, MemoryOfValuesThatAreGoneIsFreeAgain) {
  JinjaLimits small;
  small.memory_bytes = 4 << 20;
  EXPECT_EQ(CodeOf("{% for i in range(999) %}{% set x = 'aaaaaaaaaa' * 9999 %}{% endfor %}", {}, small),
            StatusCode::kOk);
}

TEST(JinjaLimits, ValuesInsideEachOtherEnd) {
  EXPECT_EQ(
      CodeOf("{% set ns = namespace(l=[]) %}{% for i in range(999) %}{% set ns.l = [ns.l] %}{% endfor %}"),
      StatusCode::kUnsupported);
  ordered_json deep = 1;
  for (int i = 0; i < 5000; ++i) deep = ordered_json::array({std::move(deep)});
  EXPECT_EQ(CodeOf("x", {{"deep", deep}}), StatusCode::kUnsupported);
  // What holds itself is shown without end nowhere, and freed.
  EXPECT_EQ(ErrorOf("{% set ns = namespace() %}{% set ns.me = [ns] %}{{ ns.me }}"),
            "no error: [<Namespace>]");
  EXPECT_EQ(ErrorOf("{% for i in [1] %}{{ loop.changed(loop) }}{% endfor %}"), "no error: True");
}

TEST(JinjaLimits, SourcesInsideEachOtherEnd) {
  const auto repeated = [](const std::string& part, size_t n) {
    std::string text;
    for (size_t i = 0; i < n; ++i) text += part;
    return text;
  };
  const std::pair<const char*, const char*> kPairs[] = {
      {"(", ")"},           {"[", "]"},  {"{1:", "}"},  {"not ", ""}, {"-", ""},
      {"x if y else ", ""}, {"f(", ")"}, {"x|f(", ")"}, {"x[", "]"},  {"a(b=", ")"}};
  for (const auto& [open, close] : kPairs) {
    const std::string source = "{{ " + repeated(open, 50'000) + "1" + repeated(close, 50'000) + " }}";
    EXPECT_EQ(JinjaTemplate::Parse(source).status().code(), StatusCode::kUnsupported) << open;
  }
  for (const char* part : {".a", "|f", "[1]", "()", " if y"}) {
    EXPECT_EQ(JinjaTemplate::Parse("{{ x" + repeated(part, 50'000) + " }}").status().code(),
              StatusCode::kUnsupported);
  }
  EXPECT_EQ(JinjaTemplate::Parse(repeated("{% if x %}", 50'000)).status().code(), StatusCode::kUnsupported);
  EXPECT_EQ(JinjaTemplate::Parse(repeated("{% for x in y %}", 1'000)).status().code(),
            StatusCode::kUnsupported);
  EXPECT_EQ(JinjaTemplate::Parse(std::string(kMaxTemplateBytes + 1, 'x')).status().code(),
            StatusCode::kUnsupported);
  EXPECT_TRUE(JinjaTemplate::Parse(std::string(kMaxTemplateBytes, 'x')).ok());
  // Long is not deep.
  for (const char* part : {" + 1", " ~ 1", " and 1", " == 1", " * 1"}) {
    const Result<MarkedText> text = Render("{{ 1" + repeated(part, 20'000) + " }}", {});
    EXPECT_TRUE(text.ok()) << part << text.status().message();
  }
  EXPECT_TRUE(Render("{% if 0 %}" + repeated("{% elif 0 %}", 10'000) + "{% endif %}", {}).ok());
}

// The stack of a thread is 8 MiB or less; what the limits allow must fit into a fraction.
TEST(JinjaLimits, TheDeepestEvaluationFitsIntoTheStack) {
  std::string nested = "1";
  for (int i = 0; i < 90; ++i) nested = "(" + nested + " or 1)";
  const std::string source = "{% macro m(a) %}{{ m(a=[" + nested + "]) }}{% endmacro %}{{ m() }}";
  EXPECT_NE(ErrorOf(source).find("deeper than 400"), std::string::npos);
}

// A search through a text that almost matches everywhere takes linear time.
TEST(JinjaLimits, SearchTakesLinearTime) {
  const std::string source =
      "{% set t = 'a' * 4000000 %}{% set n = 'a' * 1000000 ~ 'b' %}"
      "{{ t.find(n) }}{{ t.rfind(n) }}{{ n in t }}{{ t.count(n) }}{{ t.split(n) | length }}{{ t.replace(n, "
      "'') == t }}";
  EXPECT_EQ(ErrorOf(source), "no error: -1-1False01True");
}

// ---- Whole templates ------------------------------------------------------------------------------------

TEST(Jinja, OneTemplateRendersOnManyThreads) {
  const Result<JinjaTemplate> t =
      JinjaTemplate::Parse("{% for x in xs %}{{ x ~ ['a', 'b'] ~ 'c' }}{% endfor %}");
  ASSERT_TRUE(t.ok());
  std::vector<std::string> texts(4);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < texts.size(); ++i) {
    threads.emplace_back([&, i] {
      ordered_json xs = ordered_json::array();
      for (size_t n = 0; n < 500; ++n) xs.push_back(i);
      const Result<MarkedText> text = t->Render({{"xs", xs}}, {});
      if (text.ok()) texts[i] = text->text;
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (size_t i = 0; i < texts.size(); ++i) {
    std::string expected;
    for (size_t n = 0; n < 500; ++n) expected += std::to_string(i) + "['a', 'b']c";
    EXPECT_EQ(texts[i], expected);
  }
}

TEST(JinjaGolden, ThePublishedTemplateOfQwen3GivesTheReferenceTexts) {
  const std::string settings = kShared + "/data/qwen3/tokenizer_config.json";
  const std::string golden = kShared + "/golden/text/chat.jsonl";
  if (!std::filesystem::exists(settings) || !std::filesystem::exists(golden)) {
    GTEST_SKIP() << settings << " or " << golden << " is not here";
  }
  const ordered_json config = ordered_json::parse(ReadFile(settings));
  const Result<JinjaTemplate> t = JinjaTemplate::Parse(config["chat_template"].get<std::string>());
  ASSERT_TRUE(t.ok()) << t.status().message();
  std::ifstream lines(golden);
  size_t n = 0;
  for (std::string line; std::getline(lines, line); ++n) {
    const ordered_json row = ordered_json::parse(line);
    ordered_json variables = {{"messages", row["messages"]},
                              {"add_generation_prompt", row["add_generation_prompt"]}};
    for (const char* name : {"tools", "enable_thinking"}) {
      if (!row[name].is_null()) variables[name] = row[name];
    }
    const Result<MarkedText> text = t->Render(variables, {});
    ASSERT_TRUE(text.ok()) << n << text.status().message();
    EXPECT_EQ(text->text, row["text"].get<std::string>()) << "line " << n + 1;
    ExpectSound(*text);
  }
  EXPECT_GT(n, 0u);
}

class ConvertTemplate : public testing::TestWithParam<const char*> {};

// docs/litertlm_metadata.md: the variables in front of these templates.
TEST_P(ConvertTemplate, ParsesAndRenders) {
  const std::string source = ReadFile(std::string(PITH_SOURCE_DIR) + "/src/convert/" + GetParam());
  ASSERT_FALSE(source.empty());
  const Result<JinjaTemplate> t = JinjaTemplate::Parse(
      "{%- set default_system = 'Be kind.' %}\n{%- set thinking = 'switch' %}\n" + source);
  ASSERT_TRUE(t.ok()) << t.status().message();
  const ordered_json variables = {{"messages",
                                   {{{"role", "user"}, {"content", {{{"type", "text"}, {"text", "Hi"}}}}},
                                    {{"role", "model"}, {"content", "<think>\nhm\n</think>\n\nYes"}},
                                    {{"role", "user"}, {"content", "So?"}}}},
                                  {"tools", {{{"name", "f"}}}},
                                  {"add_generation_prompt", true},
                                  {"enable_thinking", false}};
  const Result<MarkedText> text = t->Render(variables, {});
  ASSERT_TRUE(text.ok()) << text.status().message();
  const std::string shown = Shown(*text);
  if (std::string(GetParam()) == "qwen3_chat_template.jinja") {
    EXPECT_EQ(shown.find("<|im_start|>system\nBe kind.\n\n# Tools\n"), 0u) << shown;
    EXPECT_NE(shown.find("\n<tools>\n{\"«name»\": \"«f»\"}\n</tools>"), std::string::npos) << shown;
    EXPECT_NE(
        shown.find("<|im_start|>«user»\n«Hi»<|im_end|>\n<|im_start|>assistant\n«Yes»<|im_end|>\n"
                   "<|im_start|>«user»\n«So?»<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"),
        std::string::npos)
        << shown;
  } else if (std::string(GetParam()) == "chatml_template.jinja") {
    EXPECT_EQ(shown,
              "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>«user»\n«Hi»<|im_end|>\n"
              "<|im_start|>assistant\n«<think>\nhm\n</think>\n\nYes»<|im_end|>\n"
              "<|im_start|>«user»\n«So?»<|im_end|>\n<|im_start|>assistant\n");
  } else {
    EXPECT_EQ(shown, "«Hi<think>\nhm\n</think>\n\nYesSo?»");
  }
}

INSTANTIATE_TEST_SUITE_P(Jinja, ConvertTemplate,
                         testing::Values("qwen3_chat_template.jinja", "chatml_template.jinja",
                                         "plain_template.jinja"));

}  // namespace
}  // namespace pith
