#include "convert/package.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <limits>

#include "base/aligned_buffer.h"
#include "convert/model_layout.h"
#include "convert/package_format.h"
#include "convert/package_writer.h"
#include "convert/quantize.h"
#include "convert/test_checkpoint.h"

namespace pith {
namespace {

ActivationTerms SomeTerms(size_t n_layers) {
  ActivationTerms t = ActivationTerms::Fast(n_layers);
  t.layers[0].down = 2;
  t.layers[n_layers - 1].qkv = 2;
  t.attention.key_value = 2;
  return t;
}

// Rows of codes and floats that a package is written from, and is held against.
struct Content {
  ModelDescription description;
  std::string name = "test model";
  std::string tokenizer = "tokenizer";
  struct Tensor {
    TensorSpec spec;
    std::vector<int8_t> codes;  // [rows, cols]
    std::vector<float> values;  // scales or norm
  };
  std::vector<Tensor> tensors;
};

Content MakeContent(const ModelConfig& config) {
  Content content;
  content.description = {config, SomeTerms(config.n_layers), 3};
  uint32_t state = 1;
  const auto random = [&state] { return state = state * 1664525u + 1013904223u, state >> 8; };
  for (const TensorSpec& spec : CanonicalTensors(config)) {
    Content::Tensor t{spec, {}, {}};
    if (spec.is_matrix()) {
      for (uint64_t i = 0; i < spec.n_elements(); ++i)
        t.codes.push_back(static_cast<int8_t>(static_cast<int>(random() % 255) - 127));
    }
    for (size_t i = 0; i < (spec.is_matrix() ? spec.rows : spec.cols); ++i) {
      t.values.push_back(static_cast<float>(random() % 1000 + 1) / 1024);
    }
    content.tensors.push_back(std::move(t));
  }
  return content;
}

// Section 6 of docs/model_file.md, word by word.
Fingerprint NaiveFingerprint(const Content& content) {
  Bytes all = EncodeDescription(content.description);
  const uint64_t n = content.tokenizer.size();
  for (int i = 0; i < 8; ++i) all.push_back(static_cast<uint8_t>(n >> (8 * i)));
  all.insert(all.end(), content.tokenizer.begin(), content.tokenizer.end());
  for (const Content::Tensor& t : content.tensors) {
    for (const int8_t c : t.codes) all.push_back(static_cast<uint8_t>(c));
    for (const float v : t.values) {
      for (int i = 0; i < 4; ++i) all.push_back(static_cast<uint8_t>(std::bit_cast<uint32_t>(v) >> (8 * i)));
    }
  }
  Hasher hasher;
  hasher.Update(all);
  return hasher.Digest128();
}

Status WriteContent(const Content& content, const std::string& path, bool replace = false) {
  auto writer =
      PackageWriter::Create(path, replace, content.description, content.name, AsBytes(content.tokenizer));
  if (!writer.ok()) return writer.status();
  for (const Content::Tensor& t : content.tensors) {
    if (!t.spec.is_matrix()) {
      PITH_RETURN_IF_ERROR((*writer)->AppendNorm(t.values));
      continue;
    }
    for (size_t row = 0; row < t.spec.rows; row += kPanelRows) {
      std::vector<int8_t> panel(PaddedDepth(t.spec.cols) * kPanelRows);
      PackPanel(t.codes.data() + row * t.spec.cols, std::min<size_t>(kPanelRows, t.spec.rows - row),
                t.spec.cols, panel.data());
      PITH_RETURN_IF_ERROR((*writer)->AppendPanels(panel));
    }
    PITH_RETURN_IF_ERROR((*writer)->FinishMatrix(t.values));
  }
  PITH_RETURN_IF_ERROR((*writer)->Seal(content.description.terms, NaiveFingerprint(content)));
  return (*writer)->Commit();
}

// A file's bytes in aligned memory.
class Image {
 public:
  explicit Image(std::string_view bytes) : buffer_(bytes.size()) {
    if (!bytes.empty()) std::memcpy(buffer_.data(), bytes.data(), bytes.size());
  }
  Result<std::unique_ptr<Package>> Open() const { return Package::FromMemory(buffer_.span(), "m"); }
  uint8_t& operator[](size_t i) { return buffer_[i]; }
  size_t size() const { return buffer_.size(); }

  // Makes all checksums right again, so that the lie behind them is met.
  void FixHashes() {
    uint8_t* p = buffer_.data();
    for (size_t i = 0; i < kSectionCount; ++i) {
      uint64_t field[3];
      std::memcpy(field, p + 64 + 32 * i + 8, 24);
      if (field[0] > size() || field[1] > size() - field[0]) continue;
      field[2] = Hash64({p + field[0], field[1]});
      std::memcpy(p + 64 + 32 * i + 24, &field[2], 8);
    }
    const uint64_t hash = Hash64({p, 248});
    std::memcpy(p + 248, &hash, 8);
  }
  template <typename T>
  T Get(size_t at) const {
    T v;
    std::memcpy(&v, buffer_.data() + at, sizeof v);
    return v;
  }
  template <typename T>
  void Set(size_t at, T v) {
    std::memcpy(buffer_.data() + at, &v, sizeof v);
  }

 private:
  AlignedBuffer<uint8_t> buffer_;
};

std::string SmallPackage(bool tied = true) {
  const TestFolder folder;
  ModelConfig config = TestConfig(tied);
  config.vocab = 17;
  config.ffn = 5;
  EXPECT_TRUE(WriteContent(MakeContent(config), folder.File("m")).ok());
  return ReadFileText(folder.File("m"));
}

TEST(Package, WhatWasWrittenIsRead) {
  for (const bool tied : {true, false}) {
    const TestFolder folder;
    const Content content = MakeContent(TestConfig(tied));
    ASSERT_TRUE(WriteContent(content, folder.File("m")).ok());
    EXPECT_EQ(folder.n_entries(), 1u);
    const auto package = Package::Open(folder.File("m"));
    ASSERT_TRUE(package.ok()) << package.status().message();
    const Package& p = **package;
    EXPECT_EQ(p.name(), "test model");
    EXPECT_EQ(AsText(p.tokenizer()), "tokenizer");
    EXPECT_EQ(p.start_token(), 3u);
    EXPECT_EQ(p.weights().config, content.description.config);
    EXPECT_EQ(p.weights().terms, content.description.terms);
    EXPECT_EQ(p.size_bytes(), std::filesystem::file_size(folder.File("m")));
    EXPECT_EQ(p.fingerprint(), NaiveFingerprint(content));
    EXPECT_TRUE(p.VerifyFingerprint().ok());
    EXPECT_EQ(p.weights().head.plane == p.weights().embedding.plane, tied);
    ModelWeights weights = p.weights();
    for (const Content::Tensor& t : content.tensors) {
      const TensorSlot slot = SlotOf(weights, t.spec);
      if (slot.norm != nullptr) {
        EXPECT_TRUE(std::equal(t.values.begin(), t.values.end(), *slot.norm));
        continue;
      }
      const PanelMatrixView& m = *slot.matrix;
      ASSERT_EQ(m.rows, t.spec.rows);
      ASSERT_EQ(m.cols, t.spec.cols);
      EXPECT_EQ(reinterpret_cast<uintptr_t>(m.plane) % 64, 0u);
      EXPECT_EQ(m.low, nullptr);
      for (size_t r = 0; r < m.rows; ++r) {
        EXPECT_EQ(m.scale[r], t.values[r]);
        for (size_t c = 0; c < m.cols; ++c)
          EXPECT_EQ(m.plane[PanelIndex(r, c, m.cols)], t.codes[r * m.cols + c]);
      }
      for (size_t r = m.rows; r < m.n_panels() * kPanelRows; ++r) EXPECT_EQ(m.scale[r], 0.0f);
    }
  }
}

// A change of these constants is a change of the format or of the canonical content: a new version of
// docs/model_file.md.
TEST(Package, TheFormatHasNotChanged) {
  const TestFolder folder;
  const Content content = MakeContent(TestConfig(false));
  ASSERT_TRUE(WriteContent(content, folder.File("m")).ok());
  const std::string file = ReadFileText(folder.File("m"));
  EXPECT_EQ(NaiveFingerprint(content).Text(), "5d607564b8350aba8bb60b9442d723d1");
  EXPECT_EQ(Hex(Hash64(AsBytes(file)), 16), "0xb3b841421c6bbcc8");
}

TEST(Package, TheFingerprintIsThatOfTheContent) {
  const ModelConfig config = TestConfig(true);
  const Content content = MakeContent(config);
  const Fingerprint f = NaiveFingerprint(content);
  Content other = content;
  other.name = "another name";  // for people only
  EXPECT_EQ(NaiveFingerprint(other), f);
  other = content;
  other.description.terms.head = 2;
  EXPECT_NE(NaiveFingerprint(other), f);
  other = content;
  other.description.start_token = 4;
  EXPECT_NE(NaiveFingerprint(other), f);
  other = content;
  other.tokenizer += "x";
  EXPECT_NE(NaiveFingerprint(other), f);
  other = content;
  other.tensors.back().values[0] += 1;
  EXPECT_NE(NaiveFingerprint(other), f);
}

TEST(Package, TheNameDoesNotEnterTheFingerprint) {
  const TestFolder folder;
  Content content = MakeContent(TestConfig(false));
  ASSERT_TRUE(WriteContent(content, folder.File("a")).ok());
  content.name =
      "a much longer name, so that every offset moves: ................................................";
  ASSERT_TRUE(WriteContent(content, folder.File("b")).ok());
  const auto a = Package::Open(folder.File("a"));
  const auto b = Package::Open(folder.File("b"));
  ASSERT_TRUE(a.ok() && b.ok());
  EXPECT_EQ((*a)->fingerprint(), (*b)->fingerprint());
  EXPECT_TRUE((*b)->VerifyFingerprint().ok());
}

TEST(Package, AWrongFingerprintIsFoundByVerifyFingerprint) {
  const std::string good = SmallPackage();
  Image image(good);
  image[32] = static_cast<uint8_t>(image[32] ^ 1);
  EXPECT_FALSE(image.Open().ok());
  image.FixHashes();
  const auto package = image.Open();
  ASSERT_TRUE(package.ok());
  EXPECT_EQ((*package)->VerifyFingerprint().code(), StatusCode::kCorrupt);
}

TEST(Package, EveryPrefixIsRefused) {
  const std::string good = SmallPackage();
  ASSERT_TRUE(Image(good).Open().ok());
  for (size_t n = 0; n < good.size(); ++n) {
    const auto p = Image(std::string_view(good).substr(0, n)).Open();
    ASSERT_FALSE(p.ok()) << n;
    EXPECT_EQ(p.status().code(), StatusCode::kCorrupt) << n;
  }
  EXPECT_FALSE(Image(good + std::string(1, '\0')).Open().ok());
  EXPECT_FALSE(Image(good + std::string(64, '\0')).Open().ok());
}

TEST(Package, EveryFlippedBitIsRefused) {
  for (const bool tied : {true, false}) {
    const std::string good = SmallPackage(tied);
    Image image(good);
    for (size_t i = 0; i < good.size(); ++i) {
      for (int bit = 0; bit < 8; ++bit) {
        image[i] = static_cast<uint8_t>(image[i] ^ (1 << bit));
        const auto p = image.Open();
        ASSERT_FALSE(p.ok()) << "byte " << i << " bit " << bit;
        image[i] = static_cast<uint8_t>(image[i] ^ (1 << bit));
      }
    }
    EXPECT_TRUE(image.Open().ok());
  }
}

// With the checksums made right, a changed byte is either met by a check or is honest other content.
TEST(Package, EveryFlippedBitWithRightChecksumsIsRefusedOrConsistent) {
  const std::string good = SmallPackage();
  size_t n_accepted = 0;
  for (size_t i = 0; i < good.size() - 8; ++i) {
    for (const int bit : {0, 3, 7}) {
      Image image(good);
      image[i] = static_cast<uint8_t>(image[i] ^ (1 << bit));
      image.FixHashes();
      const auto p = image.Open();
      if (!p.ok()) continue;
      ++n_accepted;
      const ModelWeights& w = (*p)->weights();
      EXPECT_TRUE(ValidateConfig(w.config).ok());
      for (const PanelMatrixView* m : {&w.embedding, &w.layers[0].q, &w.layers[1].down}) {
        for (size_t k = 0; k < m->n_panels() * m->stride; ++k) EXPECT_NE(m->plane[k], -128);
      }
    }
  }
  EXPECT_GT(n_accepted, 0u);
}

TEST(Package, LiesBehindRightChecksumsAreNamed) {
  const std::string good = SmallPackage();
  const Image original(good);
  const auto offset = [&](size_t section) { return original.Get<uint64_t>(64 + 32 * section + 8); };
  const auto size = [&](size_t section) { return original.Get<uint64_t>(64 + 32 * section + 16); };
  const auto after = [&](const std::function<void(Image&)>& change) {
    Image image(good);
    change(image);
    image.FixHashes();
    return image.Open().status();
  };
  const auto expect = [](const Status& s, StatusCode code, const std::string& says) {
    EXPECT_EQ(s.code(), code) << s.message();
    EXPECT_NE(s.message().find(says), std::string::npos) << s.message();
  };
  const size_t config = offset(0);
  const size_t index = offset(2);
  const size_t data = offset(3);
  expect(after([](Image& m) { m[0] = 'P'; }), StatusCode::kCorrupt, "not a pith model file");
  expect(after([](Image& m) { m.Set<uint32_t>(8, 2); }), StatusCode::kUnsupported, "format version 2");
  expect(after([](Image& m) { m.Set<uint32_t>(8, 0); }), StatusCode::kCorrupt, "format version 0");
  expect(after([](Image& m) { m.Set<uint32_t>(12, 2); }), StatusCode::kUnsupported,
         "version 2 of the numeric contract");
  expect(after([&](Image& m) { m.Set<uint64_t>(16, good.size() + 64); }), StatusCode::kCorrupt, "file has");
  expect(after([](Image& m) { m.Set<uint32_t>(24, 5); }), StatusCode::kCorrupt,
         "number of sections is 5, expected 4");
  expect(after([](Image& m) { m.Set<uint32_t>(28, 1); }), StatusCode::kUnsupported, "reserved");
  expect(after([](Image& m) { m.Set<uint64_t>(48, 1); }), StatusCode::kUnsupported, "reserved");
  expect(after([](Image& m) { m[200] = 1; }), StatusCode::kUnsupported, "reserved");
  expect(after([](Image& m) { m.Set<uint32_t>(64, 2); }), StatusCode::kCorrupt, "section config: kind is 2");
  expect(after([](Image& m) { m.Set<uint32_t>(68, 1); }), StatusCode::kUnsupported, "reserved");
  expect(after([&](Image& m) { m.Set<uint64_t>(72, config + 64); }), StatusCode::kCorrupt,
         "section config: offset");
  expect(after([&](Image& m) { m.Set<uint64_t>(72, UINT64_MAX - 63); }), StatusCode::kCorrupt,
         "section config: offset");
  expect(after([](Image& m) { m.Set<uint64_t>(80, UINT64_MAX); }), StatusCode::kCorrupt, "section config");
  expect(after([&](Image& m) { m.Set<uint64_t>(80, size(0) - 1); }), StatusCode::kCorrupt,
         "is padding and not 0");
  expect(after([&](Image& m) { m.Set<uint64_t>(80, size(0) + 1); }), StatusCode::kCorrupt,
         "bytes after the name");
  expect(after([&](Image& m) { m[config + size(0)] = 1; }), StatusCode::kCorrupt, "is padding and not 0");
  // Config record: magic, architecture, layers, hidden, heads, kv heads, head_dim, ffn, vocab, positions,
  // tied, ...
  expect(after([&](Image& m) { m[config] = 'X'; }), StatusCode::kCorrupt, "PITHMDL1");
  expect(after([&](Image& m) { m.Set<uint32_t>(config + 8, 2); }), StatusCode::kUnsupported,
         "architecture 2");
  expect(after([&](Image& m) { m.Set<uint32_t>(config + 12, 1); }), StatusCode::kCorrupt, "section config");
  expect(after([&](Image& m) { m.Set<uint32_t>(config + 12, UINT32_MAX); }), StatusCode::kCorrupt, "layers");
  expect(after([&](Image& m) { m.Set<uint32_t>(config + 16, UINT32_MAX); }), StatusCode::kCorrupt,
         "hidden_size");
  expect(after([&](Image& m) { m.Set<uint32_t>(config + 16, 10); }), StatusCode::kCorrupt, "section index");
  expect(after([&](Image& m) { m.Set<uint32_t>(config + 36, 1u << 20); }), StatusCode::kCorrupt,
         "section index");
  expect(after([&](Image& m) { m.Set<uint32_t>(config + 44, 2); }), StatusCode::kCorrupt, "tied head is 2");
  expect(after([&](Image& m) { m.Set<uint32_t>(config + 44, 0); }), StatusCode::kCorrupt, "section index");
  expect(after([&](Image& m) { m.Set<double>(config + 48, std::numeric_limits<double>::quiet_NaN()); }),
         StatusCode::kCorrupt, "rope_theta");
  expect(after([&](Image& m) { m.Set<float>(config + 56, -1); }), StatusCode::kCorrupt, "rms_norm_eps");
  expect(after([&](Image& m) { m.Set<uint32_t>(config + 60, 17); }), StatusCode::kCorrupt, "start token 17");
  for (size_t i = 64; i < 68 + 8; ++i) {
    for (const uint8_t terms : std::initializer_list<uint8_t>{0, 3, 255}) {
      expect(after([&](Image& m) { m[config + i] = terms; }), StatusCode::kCorrupt, "expected 1 or 2");
    }
  }
  expect(after([&](Image& m) { m[config + 78] = '\n'; }), StatusCode::kCorrupt, "model name");
  expect(after([&](Image& m) { m.Set<uint16_t>(config + 76, 0); }), StatusCode::kCorrupt, "section config");
  for (size_t i = 0; i < size(2); ++i) {
    expect(after([&](Image& m) { m[index + i] = static_cast<uint8_t>(m[index + i] + 1); }),
           StatusCode::kCorrupt, "section index");
  }
  // The embedding: 17 rows of 9 codes, so two panels of 192 bytes, then 32 scales.
  expect(after([&](Image& m) { m[data] = 0x80; }), StatusCode::kCorrupt,
         "section data: tensor role 1, layer 0: found the code -128");
  expect(after([&](Image& m) { m[data + 192 + 4] = 1; }), StatusCode::kCorrupt, "padding that is not 0");
  expect(after([&](Image& m) { m[data + 128 + 1] = 1; }), StatusCode::kCorrupt, "padding that is not 0");
  for (const uint32_t bits : {0x7f800000u, 0x7fc00000u, 0x80000000u, 0xbf800000u, 0x00000001u}) {
    expect(after([&](Image& m) { m.Set<uint32_t>(data + 384, bits); }), StatusCode::kCorrupt,
           "a scale with bits");
  }
  EXPECT_TRUE(after([&](Image& m) { m.Set<uint32_t>(data + 384, 0); }).ok());
  expect(after([&](Image& m) { m.Set<float>(data + 384 + 17 * 4, 1.0f); }), StatusCode::kCorrupt,
         "a scale with bits");
  // The first norm: 9 floats and 28 bytes of padding.
  expect(after([&](Image& m) { m.Set<uint32_t>(data + 512, 0x7fc00000); }), StatusCode::kCorrupt,
         "not finite");
  expect(after([&](Image& m) { m[data + 512 + 36] = 1; }), StatusCode::kCorrupt, "padding that is not 0");
}

TEST(Package, MemoryMustBeAligned) {
  const std::string good = SmallPackage();
  AlignedBuffer<uint8_t> buffer(good.size() + 64);
  std::memcpy(buffer.data() + 32, good.data(), good.size());
  EXPECT_EQ(Package::FromMemory({buffer.data() + 32, good.size()}, "m").status().code(),
            StatusCode::kInvalidArgument);
}

TEST(Package, OtherFilesAreNamed) {
  const TestFolder folder;
  EXPECT_EQ(Package::Open(folder.File("none")).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(Package::Open(folder.path()).status().code(), StatusCode::kInvalidArgument);
  folder.Write("empty", "");
  EXPECT_EQ(Package::Open(folder.File("empty")).status().message(),
            folder.File("empty") + ": not a pith model file");
  folder.Write("text", "hello");
  EXPECT_EQ(Package::Open(folder.File("text")).status().code(), StatusCode::kCorrupt);
}

TEST(PackageWriter, LeavesNothingWithoutCommitAndReplacesOnlyWhenTold) {
  const TestFolder folder;
  const Content content = MakeContent(TestConfig(true));
  {
    const auto writer = PackageWriter::Create(folder.File("m"), false, content.description, content.name, {});
    ASSERT_TRUE(writer.ok());
    EXPECT_EQ(folder.n_entries(), 1u);
  }
  EXPECT_EQ(folder.n_entries(), 0u);
  ASSERT_TRUE(WriteContent(content, folder.File("m")).ok());
  EXPECT_EQ(WriteContent(content, folder.File("m")).code(), StatusCode::kAlreadyExists);
  EXPECT_TRUE(WriteContent(content, folder.File("m"), true).ok());
  EXPECT_EQ(folder.n_entries(), 1u);
}

TEST(PackageWriter, RefusesADescriptionThatDoesNotValidate) {
  const TestFolder folder;
  const Content good = MakeContent(TestConfig(true));
  const auto status = [&](const ModelDescription& d, const std::string& name) {
    return PackageWriter::Create(folder.File("m"), false, d, name, {}).status().code();
  };
  EXPECT_EQ(status(good.description, ""), StatusCode::kInvalidArgument);
  EXPECT_EQ(status(good.description, "a\nb"), StatusCode::kInvalidArgument);
  EXPECT_EQ(status(good.description, std::string(256, 'a')), StatusCode::kInvalidArgument);
  EXPECT_EQ(status(good.description, "\xff"), StatusCode::kInvalidArgument);
  ModelDescription d = good.description;
  d.start_token = 37;
  EXPECT_EQ(status(d, "m"), StatusCode::kInvalidArgument);
  d = good.description;
  d.terms.layers.pop_back();
  EXPECT_EQ(status(d, "m"), StatusCode::kInvalidArgument);
  d = good.description;
  d.terms.attention.query = 3;
  EXPECT_EQ(status(d, "m"), StatusCode::kInvalidArgument);
  EXPECT_EQ(folder.n_entries(), 0u);
}

}  // namespace
}  // namespace pith
