#include "report/page.h"

#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <set>

#include "report/page_data.h"
#include "report/page_parts.h"
#include "support/sample_results.h"

namespace pith::bench {
namespace {

std::vector<Results> AllSamples() {
  return {SampleResults(),  FailingResults(),    HostileResults(), OneFileResults(),
          ExtremeResults(), ManyResults(20, 12), Results()};
}

// The page without what is no markup: the style sheet and the contents of scripts.
std::string Markup(std::string page) {
  for (const char* name : {"style", "script"}) {
    const std::string open = std::string("<") + name, close = std::string("</") + name + ">";
    for (size_t at = page.find(open); at != std::string::npos; at = page.find(open, at + 1)) {
      const size_t content = page.find('>', at) + 1;
      page.erase(content, page.find(close, content) - content);
    }
  }
  return page;
}

// Names of attributes, without values and without what stands between tags: "meta name= content= svg viewBox=
// ...".
std::string AttributeNames(const std::string& markup) {
  std::string names;
  bool in_tag = false, in_value = false;
  for (const char c : markup) {
    if (!in_value && (c == '<' || c == '>')) in_tag = c == '<';
    if (in_tag && c == '"') in_value = !in_value;
    if (in_tag && !in_value) names += c;
  }
  return names;
}

// What is wrong with the nesting of elements; empty: nothing. Attributes must be quoted, and "<" and "&"
// escaped.
std::string FirstFault(const std::string& page) {
  const std::set<std::string> kVoid = {"meta", "link", "input", "br"};
  std::vector<std::string> open;
  for (size_t at = 0; at < page.size();) {
    if (page[at] == '&') {
      const size_t end = page.find(';', at);
      if (end == std::string::npos || end - at > 8) return "a bare & at " + page.substr(at, 40);
    }
    if (page[at] == '>') return "a bare > before " + page.substr(at, 40);
    if (page[at] != '<') {
      ++at;
      continue;
    }
    if (page.compare(at, 9, "<!DOCTYPE") == 0) {
      at = page.find('>', at) + 1;
      continue;
    }
    const bool closing = page[at + 1] == '/';
    size_t end = at + (closing ? 2 : 1);
    const size_t name_start = end;
    while (end < page.size() && (std::isalnum(static_cast<unsigned char>(page[end])) != 0)) ++end;
    const std::string name = page.substr(name_start, end - name_start);
    if (name.empty()) return "a bare < at " + page.substr(at, 40);
    char quote = 0;
    for (; end < page.size() && (quote != 0 || page[end] != '>'); ++end) {
      if (page[end] == '<') return "< in a tag: " + page.substr(at, 80);
      if (page[end] == '"') quote = quote == 0 ? '"' : 0;
    }
    const bool empty_element = page[end - 1] == '/';
    at = end + 1;
    if (closing) {
      if (open.empty() || open.back() != name)
        return "</" + name + "> closes <" + (open.empty() ? "" : open.back()) + ">";
      open.pop_back();
    } else if (!empty_element && kVoid.count(name) == 0) {
      open.push_back(name);
    }
  }
  return open.empty() ? "" : "<" + open.back() + "> is never closed";
}

TEST(HtmlPage, IsWellFormed) {
  for (const Results& results : AllSamples()) EXPECT_EQ(FirstFault(Markup(HtmlPage(results))), "");
  // The check itself can fail.
  EXPECT_NE(FirstFault("<p>a < b</p>"), "");
  EXPECT_NE(FirstFault("<p><b></p></b>"), "");
  EXPECT_NE(FirstFault("<p>"), "");
  EXPECT_NE(FirstFault("<p>a & b</p>"), "");
}

TEST(HtmlPage, FetchesNothing) {
  for (const Results& results : AllSamples()) {
    std::string page = HtmlPage(results);
    for (size_t at = page.find("http-equiv"); at != std::string::npos; at = page.find("http-equiv"))
      page.erase(at, 4);
    EXPECT_EQ(page.find("http"), std::string::npos) << page.substr(page.find("http"), 80);
    for (const char* part :
         {"@import", "fetch(", "XMLHttpRequest", "WebSocket", "sendBeacon", "<iframe", "<object", "<embed"}) {
      EXPECT_EQ(page.find(part), std::string::npos) << part;
    }
    const std::string markup = Markup(page);
    EXPECT_EQ(AttributeNames(markup).find("src"), std::string::npos);
    EXPECT_NE(markup.find("default-src 'none'"), std::string::npos);
  }
  EXPECT_EQ(PageStyle().find("//"), std::string_view::npos);
}

size_t Count(const std::string& text, const std::string& part) {
  size_t n = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++n;
  return n;
}

TEST(HtmlPage, TextsOfOthersAddNoElement) {
  const std::string page = HtmlPage(HostileResults());
  EXPECT_EQ(Count(page, "<script"), 2u);  // the data and ours
  EXPECT_EQ(Count(page, "</script"), 2u);
  EXPECT_EQ(Count(page, "<title>"), 1u);
  EXPECT_EQ(page.find("<img"), std::string::npos);
  const std::string names = AttributeNames(Markup(page));
  EXPECT_NE(names.find(" viewBox="), std::string::npos);
  EXPECT_EQ(names.find(" on"), std::string::npos);
  EXPECT_EQ(names.find(" style="), std::string::npos);
  EXPECT_NE(page.find("&lt;/script&gt;&lt;script&gt;window.hostile = 1"), std::string::npos);
}

TEST(HtmlPage, IsValidUtf8WithoutControls) {
  for (const Results& results : AllSamples()) {
    const std::string page = HtmlPage(results);
    // The library's parser is strict.
    EXPECT_NO_THROW((void)nlohmann::json(page).dump());
    EXPECT_EQ(page.find("\xe2\x80\xae"), std::string::npos);  // right-to-left override
    for (const char c : page) {
      ASSERT_TRUE(c == '\n' || static_cast<unsigned char>(c) >= 0x20) << static_cast<int>(c);
      ASSERT_NE(c, '\x7f');
    }
  }
}

TEST(HtmlPage, AThousandFilesByTwelveCodecsAreSmallAndQuick) {
  const Results results = ManyResults(1000, 12);
  const auto start = std::chrono::steady_clock::now();
  const std::string page = HtmlPage(results);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  RecordProperty("bytes", std::to_string(page.size()));
  RecordProperty("seconds", std::to_string(seconds));
  EXPECT_LT(page.size(), 1'500'000u);
}

TEST(HtmlPage, ExtremeNumbersDrawNothingThatIsNoNumber) {
  const std::string markup = Markup(HtmlPage(ExtremeResults()));
  for (const char* attribute : {" x=\"", " y=\"", " width=\"", " cx=\"", " d=\"", " points=\""}) {
    for (size_t at = markup.find(attribute); at != std::string::npos; at = markup.find(attribute, at + 1)) {
      const size_t from = at + std::string_view(attribute).size();
      const std::string value = markup.substr(from, markup.find('"', from) - from);
      EXPECT_EQ(value.find_first_not_of("0123456789.,- MVHlhz"), std::string::npos) << attribute << value;
    }
  }
}

TEST(HtmlPage, HasItsSections) {
  const std::string page = HtmlPage(SampleResults());
  for (const char* id :
       {"summary", "codecs", "types", "speed", "memory", "sizes", "engine", "files", "method"}) {
    EXPECT_EQ(Count(page, std::string("<section id=\"") + id + "\""), 1u) << id;
  }
  Results plain = OneFileResults();
  const std::string one = HtmlPage(plain);
  EXPECT_EQ(one.find("id=\"sizes\""), std::string::npos);
  EXPECT_EQ(one.find("id=\"engine\""), std::string::npos);
}

TEST(HtmlPage, TablesHaveCaptionsAndScopes) {
  const std::string page = Markup(HtmlPage(SampleResults()));
  EXPECT_EQ(Count(page, "<table"), Count(page, "<caption>"));
  EXPECT_EQ(Count(page, "<th "), Count(page, "scope=\"col\"") + Count(page, "scope=\"row\""));
  EXPECT_EQ(Count(page, "<th>"), 0u);
  EXPECT_EQ(Count(page, "<h1>"), 1u);
  EXPECT_EQ(Count(page, "<main>"), 1u);
}

TEST(HtmlPage, IdsAreUnique) {
  const std::string page = Markup(HtmlPage(FailingResults()));
  std::set<std::string> seen;
  for (size_t at = page.find(" id=\""); at != std::string::npos; at = page.find(" id=\"", at + 1)) {
    const std::string id = page.substr(at + 5, page.find('"', at + 5) - at - 5);
    EXPECT_TRUE(seen.insert(id).second) << id;
  }
}

TEST(HtmlPage, FailuresStandThereWithoutTheScript) {
  const std::string page = Markup(HtmlPage(FailingResults()));
  EXPECT_NE(page.find("corpus/secret.txt</bdi>: Permission denied"), std::string::npos);
  EXPECT_NE(page.find("decompress: byte 17 differs"), std::string::npos);
  EXPECT_NE(page.find("The run was interrupted"), std::string::npos);
}

TEST(PageData, IsJsonWithARowForEachMeasurement) {
  const Results results = FailingResults();
  const PageData data = MakePageData(results);
  const nlohmann::json json = nlohmann::json::parse(data.json);
  EXPECT_EQ(json["codecs"][0], (nlohmann::json{"pith -6", 1}));
  EXPECT_EQ(json["codecs"][1], (nlohmann::json{"zstd -19", 0}));
  ASSERT_EQ(json["files"].size(), results.files.size());
  EXPECT_EQ(data.n_rows, results.rows.size() + 1);  // and the unreadable file
  EXPECT_EQ(data.n_left_out, 0u);
  const nlohmann::json& file = json["files"][0];
  EXPECT_EQ(file[0], "corpus/alice_0.md");
  EXPECT_EQ(json["types"][file[1].get<size_t>()], "prose");
  EXPECT_EQ(file[2], 152'089);
  EXPECT_EQ(file[3], 0);
  ASSERT_EQ(file[4].size(), 9u);
  EXPECT_EQ(file[4][0][1], results.rows[0].compressed_bytes);
  EXPECT_NEAR(file[4][0][2].get<double>(), results.rows[0].compress->seconds.median, 0.001);
  EXPECT_EQ(file[4][2], (nlohmann::json{2, "decompress: byte 17 differs"}));
  EXPECT_EQ(json["files"].back()[4], "Permission denied");
  EXPECT_EQ(json["files"][2][3], "4 KiB");
}

TEST(PageData, SpreadIsHalfTheRangeInPercentOfTheMedian) {
  Results results = OneFileResults();
  results.rows[0].compress->seconds = {2, 1.9, 2.2};  // 0.15 of 2
  results.rows[0].decompress->seconds = {0, 0, 0};    // nothing to divide by
  const nlohmann::json row = nlohmann::json::parse(MakePageData(results).json)["files"][0][4][0];
  EXPECT_EQ(row[4], 7.5);
  EXPECT_EQ(row[5], 0);
}

TEST(PageData, BeyondTheLimitFailuresStay) {
  const Results results = ManyResults(100, 10);
  const PageData data = MakePageData(results, 5);
  EXPECT_EQ(data.n_rows, 5u);
  EXPECT_EQ(data.n_left_out, 995u);
  const nlohmann::json json = nlohmann::json::parse(data.json);
  size_t n_failed = 0, n_rows = 0;
  for (const auto& file : json["files"]) {
    for (const auto& row : file[4]) {
      ++n_rows;
      n_failed += row[1].is_string() ? 1 : 0;
    }
  }
  EXPECT_EQ(n_rows, 5u);
  EXPECT_EQ(n_failed, 2u);  // rows 0 and 997
}

TEST(PageData, HostileTextsKeepTheJsonWholeAndHarmless) {
  const std::string json = MakePageData(HostileResults()).json;
  EXPECT_EQ(json.find('<'), std::string::npos);
  EXPECT_EQ(json.find('&'), std::string::npos);
  const nlohmann::json parsed = nlohmann::json::parse(json);
  EXPECT_EQ(parsed["files"][0][0], "</script><script>window.hostile = 1</script>");
  EXPECT_EQ(parsed["files"][3][0], "invalid \\xff\\xfe utf-8 \\xc3");
  EXPECT_EQ(parsed["files"][4][0], "right to left \\u{202e} txt.exe");
}

}  // namespace
}  // namespace pith::bench
