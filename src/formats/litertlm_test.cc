#include "formats/litertlm.h"

#include <gtest/gtest.h>

#include <cstring>

namespace pith {
namespace {

LitertlmHeader SomeHeader() {
  LitertlmHeader h;
  h.system = {{"Authors", std::string("someone")},
              {"flag", true},
              {"signed", int64_t{-5}},
              {"unsigned", UINT64_MAX},
              {"real", 0.25},
              {"", std::string()}};
  h.sections.push_back({LitertlmSectionType::kLlmMetadata, {}, 16384, 16394});
  h.sections.push_back(
      {LitertlmSectionType::kTflite, {{"model_type", std::string("tf_lite_prefill_decode")}}, 32768, 32768});
  return h;
}

Bytes FileOf(const LitertlmHeader& header, size_t size = 40000) {
  Result<Bytes> file = EncodeLitertlmHeader(header);
  EXPECT_TRUE(file.ok()) << file.status().message();
  file->resize(size);
  return *file;
}

void ExpectRefused(const Bytes& file, StatusCode code, const std::string& part) {
  const auto decoded = DecodeLitertlmHeader(file);
  ASSERT_FALSE(decoded.ok()) << part;
  EXPECT_EQ(decoded.status().code(), code) << decoded.status().message();
  EXPECT_NE(decoded.status().message().find(part), std::string::npos) << decoded.status().message();
}

TEST(Litertlm, HeadersRoundTrip) {
  const LitertlmHeader header = SomeHeader();
  const Bytes file = FileOf(header);
  EXPECT_TRUE(LooksLikeLitertlm(file));
  const auto decoded = DecodeLitertlmHeader(file);
  ASSERT_TRUE(decoded.ok()) << decoded.status().message();
  EXPECT_EQ(decoded->version, (std::array<uint32_t, 3>{1, 6, 0}));
  ASSERT_EQ(decoded->system.size(), header.system.size());
  for (size_t i = 0; i < header.system.size(); ++i) {
    EXPECT_EQ(decoded->system[i].key, header.system[i].key);
    EXPECT_EQ(decoded->system[i].value, header.system[i].value);
  }
  ASSERT_EQ(decoded->sections.size(), 2u);
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(decoded->sections[i].type, header.sections[i].type);
    EXPECT_EQ(decoded->sections[i].begin, header.sections[i].begin);
    EXPECT_EQ(decoded->sections[i].end, header.sections[i].end);
    EXPECT_EQ(decoded->sections[i].items.size(), header.sections[i].items.size());
  }
  EXPECT_EQ(FileOf(*decoded), file);
}

TEST(Litertlm, TheEmptyHeaderRoundTrips) {
  const auto decoded = DecodeLitertlmHeader(FileOf({}, kLitertlmBlock));
  ASSERT_TRUE(decoded.ok()) << decoded.status().message();
  EXPECT_TRUE(decoded->system.empty());
  EXPECT_TRUE(decoded->sections.empty());
}

TEST(Litertlm, ValuesAreShownAsText) {
  const LitertlmHeader header = SomeHeader();
  std::vector<std::string> texts;
  for (const LitertlmItem& item : header.system) texts.push_back(item.ValueText());
  EXPECT_EQ(texts,
            (std::vector<std::string>{"someone", "true", "-5", "18446744073709551615", "0.250000", ""}));
}

TEST(Litertlm, ItemsAreFoundInAnyCase) {
  LitertlmSection s;
  s.items = {{"other", int64_t{1}}, {"Model_Type", std::string("TF_LITE_prefill_decode")}};
  ASSERT_NE(s.Find("model_type"), nullptr);
  EXPECT_TRUE(s.HasModelType("tf_lite_prefill_decode"));
  EXPECT_FALSE(s.HasModelType("tf_lite_prefill"));
  EXPECT_EQ(s.Find("other"), nullptr) << "no text";
  EXPECT_EQ(s.Find("model_typ"), nullptr);
  EXPECT_FALSE(LitertlmSection().HasModelType(""));
}

TEST(Litertlm, AHeaderThatDoesNotFitIsRefused) {
  LitertlmHeader header;
  header.system = {{"k", std::string(kLitertlmBlock, 'x')}};
  EXPECT_EQ(EncodeLitertlmHeader(header).status().code(), StatusCode::kInvalidArgument);
  // The longest text that fits, to the byte.
  size_t low = 0;
  size_t high = kLitertlmBlock;
  while (high - low > 1) {
    const size_t middle = (low + high) / 2;
    header.system[0].value = std::string(middle, 'x');
    (EncodeLitertlmHeader(header).ok() ? low : high) = middle;
  }
  header.system[0].value = std::string(low, 'x');
  EXPECT_GT(low, kLitertlmBlock - 200);
  const auto decoded = DecodeLitertlmHeader(FileOf(header));
  ASSERT_TRUE(decoded.ok()) << decoded.status().message();
  EXPECT_EQ(decoded->system[0].ValueText().size(), low);
}

TEST(Litertlm, NoDamageIsATrap) {
  const Bytes file = FileOf(SomeHeader());
  uint64_t end = 0;
  std::memcpy(&end, file.data() + 24, 8);
  for (size_t i = 0; i < end; ++i) {
    const Bytes prefix(file.begin(), file.begin() + static_cast<ptrdiff_t>(i));
    EXPECT_EQ(DecodeLitertlmHeader(prefix).status().code(), StatusCode::kCorrupt) << i;
    for (const uint8_t mask : {uint8_t{1}, uint8_t{4}, uint8_t{128}, uint8_t{255}}) {
      Bytes damaged = file;
      damaged[i] ^= mask;
      const auto decoded = DecodeLitertlmHeader(damaged);
      if (!decoded.ok()) continue;
      for (const LitertlmSection& s : decoded->sections) {
        EXPECT_LE(s.begin, s.end);
        EXPECT_LE(s.end, damaged.size());
      }
    }
  }
}

TEST(Litertlm, RefusesOtherFilesAndVersions) {
  EXPECT_FALSE(LooksLikeLitertlm(AsBytes("LITERTL")));
  ExpectRefused({}, StatusCode::kCorrupt, "does not begin with LITERTLM");
  Bytes file = FileOf(SomeHeader());
  file[8] = 2;
  ExpectRefused(file, StatusCode::kUnsupported,
                "version 2 of the .litertlm format; this build reads version 1");
  file = FileOf(SomeHeader());
  file[12] = 99;  // minor: not looked at
  EXPECT_TRUE(DecodeLitertlmHeader(file).ok());
  for (const uint64_t end : {uint64_t{0}, uint64_t{39}, uint64_t{16385}, UINT64_MAX}) {
    file = FileOf(SomeHeader());
    std::memcpy(file.data() + 24, &end, 8);
    ExpectRefused(file, StatusCode::kCorrupt, "header: ends at byte " + std::to_string(end));
  }
}

TEST(Litertlm, RefusesSectionsThatMakeNoSense) {
  LitertlmHeader h = SomeHeader();
  h.sections[1].end = 40001;
  ExpectRefused(FileOf(h), StatusCode::kCorrupt,
                "section 1 (TFLite model): bytes 32768 to 40001, expected within");
  ExpectRefused(FileOf(h), StatusCode::kCorrupt, "the file is cut short");
  h.sections[1].end = 40000;
  EXPECT_TRUE(DecodeLitertlmHeader(FileOf(h)).ok());
  h.sections[1].begin = 40001;
  ExpectRefused(FileOf(h), StatusCode::kCorrupt, "section 1");
  h.sections[1].begin = 16393;
  ExpectRefused(FileOf(h), StatusCode::kCorrupt, "section 1 (TFLite model): overlaps section 0");
  h.sections[1].begin = 16394;
  EXPECT_TRUE(DecodeLitertlmHeader(FileOf(h)).ok());
  h.sections[0].begin = 32;  // in the header
  ExpectRefused(FileOf(h), StatusCode::kCorrupt, "section 0 (LLM metadata)");
}

TEST(Litertlm, RefusesTooManySections) {
  LitertlmHeader h;
  for (size_t i = 0; i < kMaxLitertlmSections; ++i)
    h.sections.push_back({LitertlmSectionType::kGeneric, {}, 16384, 16384});
  EXPECT_TRUE(DecodeLitertlmHeader(FileOf(h)).ok());
  h.sections.push_back({LitertlmSectionType::kGeneric, {}, 16384, 16384});
  ExpectRefused(FileOf(h), StatusCode::kUnsupported, "65 sections, expected at most 64");
}

// 16 KiB can name one text thousands of times. Here the offsets of a vector are all made the first one's.
TEST(Litertlm, RefusesItemsNamedTooOften) {
  LitertlmHeader h;
  h.system.push_back({"k", std::string(8000, 'x')});
  for (int i = 0; i < 200; ++i) h.system.push_back({"k", false});
  Bytes file = FileOf(h);
  // The vector of items: its length, then offsets that each lead to a table, each from its own place.
  const uint32_t n = 201;
  size_t at = 32;
  while (std::memcmp(file.data() + at, &n, 4) != 0) at += 4;
  uint32_t first = 0;
  std::memcpy(&first, file.data() + at + 4, 4);
  for (uint32_t i = 0; i < n; ++i) {
    const uint32_t offset = first - 4 * i;
    std::memcpy(file.data() + at + 4 + 4 * i, &offset, 4);
  }
  ExpectRefused(file, StatusCode::kUnsupported, "header: items of more than 1048576 bytes");
}

TEST(Litertlm, NamesSectionsAndNumbersTheRest) {
  EXPECT_EQ(LitertlmSectionName(LitertlmSectionType::kTokenizerZlib), "Hugging Face tokenizer (zlib)");
  EXPECT_EQ(LitertlmSectionName(static_cast<LitertlmSectionType>(77)), "type 77");
}

// ---- The tokenizer section

TEST(TokenizerSection, RoundTrips) {
  std::string text;
  for (size_t n : {size_t{0}, size_t{1}, size_t{2}, size_t{1000}, size_t{70000}}) {
    while (text.size() < n) text += static_cast<char>('a' + text.size() * text.size() % 23);
    const Bytes section = EncodeTokenizerSection(AsBytes(text));
    EXPECT_EQ(section, EncodeTokenizerSection(AsBytes(text)));
    const auto decoded = DecodeTokenizerSection(section);
    ASSERT_TRUE(decoded.ok()) << n << decoded.status().message();
    EXPECT_EQ(AsText(*decoded), text);
  }
  // As small as deflate gets.
  const std::string same(1 << 20, 'a');
  const auto decoded = DecodeTokenizerSection(EncodeTokenizerSection(AsBytes(same)));
  ASSERT_TRUE(decoded.ok()) << decoded.status().message();
  EXPECT_EQ(AsText(*decoded), same);
}

TEST(TokenizerSection, DamageIsFound) {
  const std::string text = R"({"a": [1, 2, 3, 4, 5, 6], "b": "some text some text"})";
  const Bytes section = EncodeTokenizerSection(AsBytes(text));
  for (size_t i = 0; i < section.size(); ++i) {
    EXPECT_EQ(DecodeTokenizerSection(ByteSpan(section).first(i)).status().code(), StatusCode::kCorrupt) << i;
    for (int bit = 0; bit < 8; ++bit) {
      Bytes damaged = section;
      damaged[i] ^= static_cast<uint8_t>(1 << bit);
      const auto decoded = DecodeTokenizerSection(damaged);
      // The first bytes of a zlib stream hold a window's size and a level, which change no content.
      if (decoded.ok()) {
        EXPECT_EQ(AsText(*decoded), text) << i;
      }
    }
  }
}

TEST(TokenizerSection, ALieAboutTheSizeTakesNoMemory) {
  Bytes section = EncodeTokenizerSection(AsBytes("{}"));
  for (const uint64_t size : {uint64_t{1} << 20, kMaxTokenizerJsonBytes + 1, UINT64_MAX}) {
    std::memcpy(section.data(), &size, 8);
    EXPECT_EQ(DecodeTokenizerSection(section).status().code(), StatusCode::kCorrupt);
  }
}

}  // namespace
}  // namespace pith
