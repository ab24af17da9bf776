// Speed of Encode, Decode and loading: tokenizer_benchmark [--benchmark_filter=..]. MB/s stand under
// bytes_per_second.
//
// With the published Qwen3 tokenizer and the starter's from ../shared; texts from ../shared/data/corpus.
#include <benchmark/benchmark.h>

#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "tokenizer/tokenizer.h"

namespace pith {
namespace {

const std::string kShared = std::string(PITH_SOURCE_DIR) + "/../shared";

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

void SetSpeed(benchmark::State& state, size_t n_bytes) {
  state.SetBytesProcessed(static_cast<int64_t>(n_bytes) * static_cast<int64_t>(state.iterations()));
}

void Encode(benchmark::State& state, const Tokenizer& t, const std::string& text) {
  std::vector<TokenId> ids;
  for (auto _ : state) {
    ids.clear();
    t.Encode(AsBytes(text), ids);
    benchmark::DoNotOptimize(ids.data());
  }
  SetSpeed(state, text.size());
  state.counters["bytes_per_token"] = static_cast<double>(text.size()) / static_cast<double>(ids.size());
}

void Decode(benchmark::State& state, const Tokenizer& t, const std::string& text) {
  std::vector<TokenId> ids;
  t.Encode(AsBytes(text), ids);
  Bytes bytes;
  for (auto _ : state) {
    bytes.clear();
    if (!t.Decode(ids, bytes).ok()) state.SkipWithError("does not decode");
    benchmark::DoNotOptimize(bytes.data());
  }
  SetSpeed(state, text.size());
}

void Deserialize(benchmark::State& state, const Tokenizer& t) {
  const Bytes form = t.Serialize();
  for (auto _ : state) {
    const Result<Tokenizer> again = Tokenizer::Deserialize(form);
    if (!again.ok()) state.SkipWithError("is refused");
  }
  SetSpeed(state, form.size());
}

void FromJson(benchmark::State& state, const std::string& json) {
  for (auto _ : state) {
    const Result<Tokenizer> again = Tokenizer::FromHuggingFaceJson(json);
    if (!again.ok()) state.SkipWithError("is refused");
  }
  SetSpeed(state, json.size());
}

int Main(int argc, char** argv) {
  std::string code;
  for (const char* name : {"bpe.cc", "huggingface_json.cc", "tokenizer.cc", "tokenizer_golden_test.cc",
                           "tokenizer_test.cc", "vocabulary.cc", "vocabulary_form.cc"}) {
    code += ReadFile(std::string(PITH_SOURCE_DIR) + "/src/tokenizer/" + name);
  }
  static const std::vector<std::pair<std::string, std::string>> texts = {
      {"english", ReadFile(kShared + "/data/corpus/en/moby_dick.txt")},
      {"chinese", ReadFile(kShared + "/data/corpus/multi/zh_three_kingdoms_1m.txt")},
      {"code", code},
      {"json", ReadFile(kShared + "/data/corpus/json/citm_catalog_800k.json")},
      {"one_letter", std::string(1000000, 'a')},
      {"spaces", std::string(1000000, ' ')},
  };
  static std::vector<std::pair<std::string, std::string>> files = {
      {"qwen3", ReadFile(kShared + "/data/qwen3/tokenizer.json")},
      {"starter", ReadFile(kShared + "/models/starter/tokenizer.json")},
  };
  static std::vector<Tokenizer> tokenizers;
  tokenizers.reserve(files.size());
  for (const auto& [name, json] : files) {
    Result<Tokenizer> t = Tokenizer::FromHuggingFaceJson(json);
    if (!t.ok()) {
      std::fprintf(stderr, "%s is left out: %s\n", name.c_str(), t.status().message().c_str());
      continue;
    }
    tokenizers.push_back(*std::move(t));
    const Tokenizer* tokenizer = &tokenizers.back();
    for (const auto& [kind, text] : texts) {
      if (text.empty()) continue;
      const std::string suffix = "/" + name + "/" + kind;
      const std::string* bytes = &text;
      benchmark::RegisterBenchmark(("Encode" + suffix).c_str(),
                                   [=](benchmark::State& state) { Encode(state, *tokenizer, *bytes); });
      benchmark::RegisterBenchmark(("Decode" + suffix).c_str(),
                                   [=](benchmark::State& state) { Decode(state, *tokenizer, *bytes); });
    }
    benchmark::RegisterBenchmark(("Deserialize/" + name).c_str(),
                                 [=](benchmark::State& state) { Deserialize(state, *tokenizer); });
    benchmark::RegisterBenchmark(("FromJson/" + name).c_str(),
                                 [&json](benchmark::State& state) { FromJson(state, json); });
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

}  // namespace
}  // namespace pith

int main(int argc, char** argv) { return pith::Main(argc, argv); }
