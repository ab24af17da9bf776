#include "report/results.h"

#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <iterator>
#include <nlohmann/json.hpp>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>

namespace pith::bench {
namespace {

using nlohmann::json;

constexpr uint64_t kHuge = (uint64_t{1} << 62) + 1;  // no double holds it

Direction SomeDirection(double seconds) {
  return {.seconds = {seconds, seconds / 2, seconds * 2},
          .work_seconds = {0.5, 0.25, 0.75},
          .cpu_seconds = {1.0 / 3, 0.1, 1e3},
          .peak_bytes = 12345678};
}

// Everything once with and once without what may be absent.
Results SomeResults() {
  Results results;
  results.created = "2026-11-26T05:30:00Z";
  results.program = "pith 0.1.0";
  results.command = "pith bench 'a b'";
  results.corpus = "two files";
  results.complete = false;
  results.repeats = 3;
  results.warmups = 1;
  results.threads = 2;
  results.timeout_seconds = 0.5;
  results.machine = {"AMD EPYC", "avx512", 2, 16ull << 30, "Debian", true};
  results.codecs.resize(2);
  results.codecs[0] = {"pith -6", "pith 0.1.0", "pith -6", "pith -d", true, 3456789, "mini 00ff"};
  results.codecs[1].name = "cat";
  results.files.resize(3);
  results.files[0] = {"a \"b\"\n\xc3\xa9", FileType::kLog, 77, std::string(64, 'a'), std::nullopt, 0, ""};
  results.files[1] = {"a", FileType::kBinary, 7, std::string(64, '0'), 7, 31, ""};
  results.files[2].path = "c";
  results.files[2].error = "no such file";
  results.rows.resize(3);
  results.rows[0].repeats = 3;
  results.rows[0].compressed_bytes = kHuge;
  results.rows[0].compressed_sha256 = std::string(64, 'f');
  results.rows[0].streams = 32;
  results.rows[0].compress = SomeDirection(1);
  results.rows[0].compress->joules = 12.5;
  results.rows[0].decompress = SomeDirection(2);
  results.rows[1].codec = 1;
  results.rows[1].file = 1;
  results.rows[1].compress = SomeDirection(0);
  results.rows[1].error = "decompress: byte 17 differs";
  results.rows[1].note = "odd";
  results.rows[2].error = "compress: killed";
  EngineSpeed speed{"decode", 2, 1, 31.5, 0.25, std::nullopt};
  results.engines.push_back({"pith 0.1.0", "mini", 3456789, 1e12, std::nullopt, {speed}});
  return results;
}

Result<Results> ReadText(const std::string& text) { return ReadResults(AsBytes(text), "r.json"); }

std::string MessageOf(const std::string& text) {
  const Result<Results> results = ReadText(text);
  return results.ok() ? "" : results.status().message();
}

// Whether docs/results.schema.json accepts it.
bool FitsSchema(const json& document) {
  static const valijson::Schema* const schema = [] {
    std::ifstream in(PITH_SOURCE_DIR "/docs/results.schema.json");
    const json text = json::parse(in);
    auto* const parsed = new valijson::Schema;
    valijson::SchemaParser(valijson::SchemaParser::kDraft7)
        .populateSchema(valijson::adapters::NlohmannJsonAdapter(text), *parsed);
    return parsed;
  }();
  valijson::Validator validator;
  return validator.validate(*schema, valijson::adapters::NlohmannJsonAdapter(document), nullptr);
}

TEST(Results, WhatIsWrittenIsReadAgain) {
  const std::string text = WriteResults(SomeResults());
  const Result<Results> results = ReadText(text);
  ASSERT_TRUE(results.ok()) << results.status().message();
  EXPECT_EQ(WriteResults(*results), text);  // all that is written
  EXPECT_EQ(results->rows[0].compressed_bytes, kHuge);
  EXPECT_EQ(results->rows[0].compress->cpu_seconds.median, 1.0 / 3);
  EXPECT_EQ(results->rows[0].compress->joules, 12.5);
  EXPECT_FALSE(results->rows[0].decompress->joules.has_value());
  EXPECT_FALSE(results->rows[1].decompress.has_value());
  EXPECT_EQ(results->files[1].slice_bytes, 7u);
  EXPECT_EQ(results->files[1].slice_begin, 31u);
  EXPECT_EQ(results->files[0].type, FileType::kLog);
  EXPECT_EQ(results->engines[0].speeds[0].int8_share, 0.25);
  EXPECT_TRUE(text.starts_with("{\n \"format\": \"pith bench results\",\n \"version\": 1,\n"));
  EXPECT_TRUE(text.ends_with("\n}\n"));
  EXPECT_EQ(text.find("null"), std::string::npos);
}

TEST(Results, NothingMeasuredIsReadAgain) {
  const std::string text = WriteResults({});
  ASSERT_EQ(MessageOf(text), "");
  EXPECT_TRUE(FitsSchema(json::parse(text)));
}

TEST(Results, NamesThatAreNoUtf8BecomeReadable) {
  Results results = SomeResults();
  results.files[0].path = "a\xff";
  const Result<Results> read = ReadText(WriteResults(results));
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ(read->files[0].path, "a\xef\xbf\xbd");
}

TEST(Results, AnotherVersionIsRefusedWithBothNumbers) {
  json document = json::parse(WriteResults(SomeResults()));
  document["version"] = 2;
  document["rows"] = "of another shape";
  const Result<Results> results = ReadText(document.dump());
  ASSERT_FALSE(results.ok());
  EXPECT_EQ(results.status().code(), StatusCode::kUnsupported);
  EXPECT_EQ(results.status().message(), "r.json: /version: 2, expected 1");
  EXPECT_FALSE(FitsSchema(document));
}

TEST(Results, UnknownMembersAreIgnored) {
  json document = json::parse(WriteResults(SomeResults()));
  document["new"] = 1;
  document["rows"][0]["new"] = json::array({1, 2});
  EXPECT_EQ(MessageOf(document.dump()), "");
  EXPECT_TRUE(FitsSchema(document));
}

// What is wrong, and the message.
struct Damage {
  std::function<void(json&)> apply;
  const char* message;
};

TEST(Results, DamageIsRefusedWithThePlace) {
  const Damage damages[] = {
      {[](json& d) { d = json::array(); }, "r.json: : array, expected an object"},
      {[](json& d) { d["format"] = "gzip"; }, "r.json: /format: \"gzip\", expected \"pith bench results\""},
      {[](json& d) { d.erase("version"); }, "r.json: /version: missing, expected an integer of at least 0"},
      {[](json& d) { d["rows"][1]["codec"] = 2; }, "r.json: /rows/1/codec: 2, expected an index below 2"},
      {[](json& d) { d["rows"][2]["file"] = 3; }, "r.json: /rows/2/file: 3, expected an index below 3"},
      {[](json& d) { d["rows"][0]["compress"]["seconds"]["min"] = -1; },
       "r.json: /rows/0/compress/seconds/min: -1, expected a number of at least 0"},
      {[](json& d) { d["rows"][0]["compress"]["seconds"]["min"] = 9; },
       "r.json: /rows/0/compress/seconds/median: 1.000000, expected a number between min and max"},
      {[](json& d) { d["rows"][0].erase("decompress"); },
       "r.json: /rows/0/error: \"\", expected a reason why the row is not complete"},
      {[](json& d) { d["rows"][0]["repeats"] = 0; },
       "r.json: /rows/0/error: \"\", expected a reason why the row is not complete"},
      {[](json& d) { d["codecs"][1]["name"] = "pith -6"; },
       "r.json: /codecs: array, expected different names; \"pith -6\" occurs twice"},
      {[](json& d) { d["codecs"][1]["name"] = ""; }, "r.json: /codecs/1/name: \"\", expected a name"},
      {[](json& d) { d["files"][0]["type"] = "novel"; }, "r.json: /files/0/type: \"novel\", expected a type of file"},
      {[](json& d) { d["files"][0]["sha256"] = "AB"; },
       "r.json: /files/0/sha256: \"AB\", expected 64 lower-case hexadecimal digits, or nothing"},
      {[](json& d) { d["files"][1].erase("slice_begin"); },
       "r.json: /files/1/slice_begin: missing, expected an integer of at least 0"},
      {[](json& d) { d["threads"] = uint64_t{1} << 32; },
       "r.json: /threads: 4294967296, expected an integer from 0 to 4294967295"},
      {[](json& d) { d["complete"] = 1; }, "r.json: /complete: 1, expected true or false"},
      {[](json& d) { d["files"] = nullptr; }, "r.json: /files: null, expected an array"},
  };
  for (const Damage& damage : damages) {
    json document = json::parse(WriteResults(SomeResults()));
    damage.apply(document);
    const Result<Results> results = ReadText(document.dump());
    ASSERT_FALSE(results.ok()) << damage.message;
    EXPECT_EQ(results.status().message(), damage.message);
    EXPECT_EQ(results.status().code(), StatusCode::kCorrupt);
  }
}

TEST(Results, ANumberBeyondAllIsRefused) {
  std::string text = WriteResults(SomeResults());
  const std::string number = "\"timeout_seconds\": 0.5";
  text.replace(text.find(number), number.size(), "\"timeout_seconds\": 1e999");
  EXPECT_FALSE(ReadText(text).ok());
}

TEST(Results, EveryPrefixIsRefused) {
  const std::string text = WriteResults(SomeResults());
  for (size_t n = 0; n + 2 < text.size(); n += 7) EXPECT_FALSE(ReadText(text.substr(0, n)).ok()) << n;
}

// Calls `visit` with every value of the document, as a pointer.
void ForEachPlace(const json& value, const json::json_pointer& at,
                  const std::function<void(const json::json_pointer&)>& visit) {
  visit(at);
  if (value.is_object()) {
    for (const auto& [key, member] : value.items()) ForEachPlace(member, at / key, visit);
  } else if (value.is_array()) {
    for (size_t i = 0; i < value.size(); ++i) ForEachPlace(value[i], at / i, visit);
  }
}

TEST(Results, TheSchemaAcceptsWhatIsWrittenAndRefusesWhatTheReaderRefuses) {
  const json good = json::parse(WriteResults(SomeResults()));
  ASSERT_TRUE(FitsSchema(good));
  size_t n_refused = 0, n_accepted = 0;
  const auto compare = [&](const json& document, const std::string& what) {
    const std::string message = MessageOf(document.dump());
    // What a schema cannot say: names that differ, indices in range, the order of a spread.
    for (const char* beyond : {"different names", "an index below", "between min and max"}) {
      if (message.find(beyond) != std::string::npos) return;
    }
    EXPECT_EQ(FitsSchema(document), message.empty()) << what << ": " << message;
    ++(message.empty() ? n_accepted : n_refused);
  };
  ForEachPlace(good, json::json_pointer(), [&](const json::json_pointer& at) {
    if (at.empty()) return;
    for (const json& other :
         {json(nullptr), json("word"), json(-1), json(1.5), json(true), json(""), json::array({1})}) {
      json document = good;
      document[at] = other;
      compare(document, at.to_string() + " = " + other.dump());
    }
    json document = good;
    json& parent = document[at.parent_pointer()];
    if (!parent.is_object()) return;
    parent.erase(at.back());
    compare(document, "without " + at.to_string());
  });
  EXPECT_GT(n_refused, 700u);  // most changes are damage, some are not
  EXPECT_GT(n_accepted, 50u);
}

}  // namespace
}  // namespace pith::bench
