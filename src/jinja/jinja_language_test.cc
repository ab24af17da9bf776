// The language against the table of what jinja2 makes of it.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "jinja/jinja.h"
#include "jinja/jinja_cases.h"

namespace pith {
namespace {

using nlohmann::ordered_json;

// Thursday, 4 July 2024, 15:05:09: when the table was made.
JinjaLimits AtThatTime() {
  std::tm now{};
  now.tm_year = 124;
  now.tm_mon = 6;
  now.tm_mday = 4;
  now.tm_hour = 15;
  now.tm_min = 5;
  now.tm_sec = 9;
  now.tm_wday = 4;
  now.tm_yday = 185;
  JinjaLimits limits;
  limits.now = now;
  return limits;
}

Result<MarkedText> RenderCase(std::string_view text) {
  static const ordered_json variables = ordered_json::parse(kCaseVariables);
  static const ordered_json constants = ordered_json::parse(kCaseConstants);
  PITH_ASSIGN_OR_RETURN(const JinjaTemplate t, JinjaTemplate::Parse(std::string(text)));
  return t.Render(variables, constants, AtThatTime());
}

TEST(JinjaLanguage, GivesWhatJinja2Gives) {
  for (const JinjaCase& c : kJinjaCases) {
    const Result<MarkedText> text = RenderCase(c.text);
    ASSERT_TRUE(text.ok()) << c.text << "\n" << text.status().message();
    EXPECT_EQ(text->text, c.expected) << c.text;
  }
}

TEST(JinjaLanguage, FailsWhereJinja2FailsAndSaysWhere) {
  for (const std::string_view text : kJinjaFailures) {
    const Result<MarkedText> rendered = RenderCase(text);
    ASSERT_FALSE(rendered.ok()) << text << "\n" << rendered->text;
    EXPECT_TRUE(rendered.status().message().starts_with("template: line "))
        << text << rendered.status().message();
    EXPECT_NE(rendered.status().message().find(", column "), std::string::npos)
        << rendered.status().message();
  }
}

// A damaged template gives a text or a message, nothing else.
TEST(JinjaLanguage, EveryPrefixAndEveryMissingByteOfATemplateEndsWell) {
  size_t n_ok = 0;
  for (const JinjaCase& c : kJinjaCases) {
    for (size_t i = 0; i < c.text.size(); i += 1 + c.text.size() / 40) {
      std::string without(c.text);
      without.erase(i, 1);
      for (const std::string& damaged : {std::string(c.text.substr(0, i)), without}) {
        const Result<MarkedText> text = RenderCase(damaged);
        ASSERT_TRUE(text.ok() || !text.status().message().empty());
        n_ok += text.ok() ? 1 : 0;
      }
    }
  }
  EXPECT_GT(n_ok, 0u);
}

}  // namespace
}  // namespace pith
