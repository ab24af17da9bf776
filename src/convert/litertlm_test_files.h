// Made-up .litertlm files for the tests of this folder.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "base/aligned_buffer.h"
#include "base/bytes.h"
#include "convert/litertlm_export.h"
#include "convert/test_checkpoint.h"
#include "convert/test_tokenizer_json.h"
#include "formats/litertlm.h"

namespace pith {

inline constexpr WeightEncoding kAllEncodings[] = {
    WeightEncoding::kDynamicInt8, WeightEncoding::kWeightOnlyInt8, WeightEncoding::kDynamicInt4,
    WeightEncoding::kFloat16, WeightEncoding::kFloat32};

inline void WriteTestFolder(const TestFolder& folder, const TestCheckpoint& checkpoint, size_t n_shards = 1) {
  checkpoint.Write(folder, n_shards);
  folder.Write("tokenizer.json", TestTokenizerJson().Text());
}

// Sizes that every encoding takes: multiples of 32 columns.
inline ModelConfig EncodingTestConfig(bool tied) {
  ModelConfig c = TestConfig(tied);
  c.hidden = 32;
  c.n_heads = 4;
  c.n_kv_heads = 2;
  c.head_dim = 8;
  c.ffn = 64;
  return c;
}

inline LitertlmOptions TestLitertlmOptions(const ModelConfig& config,
                                           WeightEncoding encoding = WeightEncoding::kDynamicInt8) {
  LitertlmOptions options;
  options.graph.encoding = encoding;
  options.graph.cache_length = 16;
  options.graph.prefill_lengths = {1, 4};
  options.name = "test";
  options.terms = ActivationTerms::Precise(config.n_layers);
  options.start_token = 1;
  options.tokenizer = AsBytes("a tokenizer");
  return options;
}

inline Bytes ToBytes(std::string_view text) { return {text.begin(), text.end()}; }

// The file that the export of a folder gives; empty, and a failure, where it gives none.
inline Bytes ExportedFile(const TestCheckpoint& checkpoint, const LitertlmOptions& options) {
  const TestFolder folder;
  WriteTestFolder(folder, checkpoint);
  ThreadPool pool(1);
  const auto model = ModelFolder::Open(folder.path());
  EXPECT_TRUE(model.ok()) << model.status().message();
  if (!model.ok()) return {};
  const auto report = ExportLitertlm(**model, folder.File("x.litertlm"), options, {}, pool);
  EXPECT_TRUE(report.ok()) << report.status().message();
  return ToBytes(ReadFileText(folder.File("x.litertlm")));
}

// A file of other sections: each at a multiple of `alignment` plus `shift`, the first right behind
// the header.
struct TestSection {
  LitertlmSectionType type;
  std::vector<LitertlmItem> items;
  Bytes content;
};
inline Bytes LitertlmFileOf(const std::vector<TestSection>& sections, uint64_t alignment = 16,
                            uint64_t shift = 0) {
  LitertlmHeader header;
  for (const TestSection& s : sections) header.sections.push_back({s.type, s.items, 1, 2});
  // Twice: where the header ends does not depend on the numbers in it.
  const auto end_of_header = [&] {
    const auto encoded = EncodeLitertlmHeader(header);
    EXPECT_TRUE(encoded.ok());
    ByteReader r(*encoded);
    r.Raw(24);
    return r.U64();
  };
  uint64_t at = end_of_header();
  for (size_t i = 0; i < sections.size(); ++i) {
    at = RoundUp(at, alignment) + shift;
    header.sections[i].begin = at;
    at += sections[i].content.size();
    header.sections[i].end = at;
  }
  Bytes file = *EncodeLitertlmHeader(header);
  file.resize(end_of_header());
  for (size_t i = 0; i < sections.size(); ++i) {
    file.resize(header.sections[i].begin);
    file.insert(file.end(), sections[i].content.begin(), sections[i].content.end());
  }
  return file;
}

inline std::vector<TestSection> SectionsOf(ByteSpan file) {
  std::vector<TestSection> sections;
  const auto header = DecodeLitertlmHeader(file);
  EXPECT_TRUE(header.ok()) << header.status().message();
  if (!header.ok()) return {};
  for (const LitertlmSection& s : header->sections) {
    const ByteSpan content = file.subspan(s.begin, s.end - s.begin);
    sections.push_back({s.type, s.items, Bytes(content.begin(), content.end())});
  }
  return sections;
}

// The same sections close together: a few kilobytes instead of blocks of 16 KiB. Where it is `shift`ed, no
// section is aligned.
inline Bytes WithoutPadding(ByteSpan file, uint64_t shift = 0) {
  return LitertlmFileOf(SectionsOf(file), 16, shift);
}

// The encoded graph with its data outside: zeros.
inline Bytes FileOf(Qwen3Graph& graph) {
  uint64_t at = EncodeTflite(graph.model).size();
  for (TfliteBuffer& b : graph.model.buffers) {
    if (b.size == 0) continue;
    at = RoundUp(at, kTfliteDataAlignment);
    b.offset = at;
    at += b.size;
  }
  Bytes file = EncodeTflite(graph.model);
  file.resize(at);
  return file;
}

}  // namespace pith
