#include "formats/tflite.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>

namespace pith {
namespace {

Bytes Numbers(size_t n) {
  Bytes out;
  for (size_t i = 0; i < n; ++i) out.push_back(static_cast<uint8_t>(i * 7 + 1));
  return out;
}

// A model with one of everything that is written: two graphs, each kind of options, every kind of
// quantisation, buffers inside, outside and empty.
TfliteModel SomeModel() {
  TfliteModel m;
  m.description = "a test";
  m.buffers.resize(5);
  m.buffers[1].data = Numbers(12);
  m.buffers[2].size = 8;
  m.buffers[3].size = 64;
  m.buffers[4].data = Numbers(16);
  m.quantizations.push_back({{0.5f, 0.25f, 1, 2}, 0});
  m.quantizations.push_back({{3}, 0});
  TfliteQuantization blocks;
  blocks.block_size = 32;
  blocks.block_scales = 2;
  m.quantizations.push_back(blocks);
  TfliteGraph g;
  g.name = "decode";
  g.tensors = {{"x", TfliteType::kFloat32, {1, 3}},
               {"w", TfliteType::kInt8, {4, 2}, 2, 0},
               {"scales", TfliteType::kFloat16, {2, 2}, 0},
               {"blocks", TfliteType::kInt4, {2, 64}, 3, 2},
               {"ints", TfliteType::kInt32, {3}, 1},
               {"w", TfliteType::kInt8, {4, 4}, 4, 1},
               {"", TfliteType::kBool, {}},
               {"open", TfliteType::kInt64, {-1, 2}}};
  g.inputs = {0};
  g.outputs = {6, 7};
  g.operators = {{TfliteOp::kFullyConnected, 5, {0, 1, -1}, {6}, TfliteFullyConnected{true}, ""},
                 {TfliteOp::kSoftmax, 1, {0}, {6}, TfliteSoftmax{0.5f}, ""},
                 {TfliteOp::kConcatenation, 1, {0, 0}, {7}, TfliteConcatenation{3}, ""},
                 {TfliteOp::kMean, 1, {0, 4}, {6}, TfliteMean{true}, ""},
                 {TfliteOp::kBatchMatMul, 1, {0, 3}, {7}, TfliteBatchMatMul{false, true}, ""},
                 {TfliteOp::kStablehloComposite, 1, {0}, {6}, TfliteComposite{"odml.x", 1, Numbers(5)}, ""},
                 {TfliteOp::kAdd, 1, {0, 0}, {6}, {}, ""},
                 {TfliteOp::kDynamicUpdateSlice, 1, {0}, {6}, {}, ""}};
  m.graphs.push_back(g);
  TfliteGraph second;
  second.name = "composite";
  second.tensors = {{"y", TfliteType::kFloat32, {1, 3}}};
  second.inputs = second.outputs = {0};
  m.graphs.push_back(second);
  m.signatures.push_back({"decode", 0, {{"x", 0}}, {{"a", 6}, {"b", 7}}});
  m.metadata.push_back({"version", 4});
  return m;
}

// The flatbuffer and what it has outside, whose places are filled in.
Bytes FileOf(TfliteModel model) {
  uint64_t at = EncodeTflite(model).size();
  for (TfliteBuffer& b : model.buffers) {
    if (b.size == 0) continue;
    at = RoundUp(at, kTfliteDataAlignment);
    b.offset = at;
    at += b.size;
  }
  Bytes file = EncodeTflite(model);
  for (const TfliteBuffer& b : model.buffers) {
    if (b.size == 0) continue;
    file.resize(b.offset);
    const Bytes data = Numbers(b.size);
    file.insert(file.end(), data.begin(), data.end());
  }
  return file;
}

void ExpectSame(const std::vector<TfliteSignature::Entry>& a, const std::vector<TfliteSignature::Entry>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].name, b[i].name);
    EXPECT_EQ(a[i].tensor, b[i].tensor);
  }
}

void ExpectSame(const TfliteModel& a, const TfliteModel& b) {
  EXPECT_EQ(a.description, b.description);
  ASSERT_EQ(a.graphs.size(), b.graphs.size());
  for (size_t i = 0; i < a.graphs.size(); ++i) {
    const TfliteGraph& x = a.graphs[i];
    const TfliteGraph& y = b.graphs[i];
    EXPECT_EQ(x.name, y.name);
    EXPECT_EQ(x.inputs, y.inputs);
    EXPECT_EQ(x.outputs, y.outputs);
    ASSERT_EQ(x.tensors.size(), y.tensors.size());
    for (size_t t = 0; t < x.tensors.size(); ++t) {
      EXPECT_EQ(x.tensors[t].name, y.tensors[t].name);
      EXPECT_EQ(x.tensors[t].type, y.tensors[t].type);
      EXPECT_EQ(x.tensors[t].shape, y.tensors[t].shape);
      EXPECT_EQ(x.tensors[t].buffer, y.tensors[t].buffer);
      EXPECT_EQ(x.tensors[t].quantization, y.tensors[t].quantization);
    }
    ASSERT_EQ(x.operators.size(), y.operators.size());
    for (size_t o = 0; o < x.operators.size(); ++o) {
      const TfliteOperator& p = x.operators[o];
      const TfliteOperator& q = y.operators[o];
      EXPECT_EQ(p.op, q.op);
      EXPECT_EQ(p.version, q.version);
      EXPECT_EQ(p.inputs, q.inputs);
      EXPECT_EQ(p.outputs, q.outputs);
      EXPECT_EQ(p.options.index(), q.options.index()) << TfliteOpName(p.op);
      EXPECT_EQ(p.custom, q.custom);
    }
  }
  ASSERT_EQ(a.quantizations.size(), b.quantizations.size());
  for (size_t i = 0; i < a.quantizations.size(); ++i) {
    EXPECT_EQ(a.quantizations[i].scale, b.quantizations[i].scale);
    EXPECT_EQ(a.quantizations[i].dimension, b.quantizations[i].dimension);
    EXPECT_EQ(a.quantizations[i].zero_points_are_zero, b.quantizations[i].zero_points_are_zero);
    EXPECT_EQ(a.quantizations[i].block_size, b.quantizations[i].block_size);
    EXPECT_EQ(a.quantizations[i].block_scales, b.quantizations[i].block_scales);
  }
  ASSERT_EQ(a.signatures.size(), b.signatures.size());
  for (size_t i = 0; i < a.signatures.size(); ++i) {
    EXPECT_EQ(a.signatures[i].key, b.signatures[i].key);
    EXPECT_EQ(a.signatures[i].graph, b.signatures[i].graph);
    ExpectSame(a.signatures[i].inputs, b.signatures[i].inputs);
    ExpectSame(a.signatures[i].outputs, b.signatures[i].outputs);
  }
  ASSERT_EQ(a.metadata.size(), b.metadata.size());
  for (size_t i = 0; i < a.metadata.size(); ++i) {
    EXPECT_EQ(a.metadata[i].name, b.metadata[i].name);
    EXPECT_EQ(a.metadata[i].buffer, b.metadata[i].buffer);
  }
}

// The quantisations of a file are numbered as its tensors name them: SomeModel in that order.
TfliteModel InOrderOfUse(TfliteModel m) {
  std::swap(m.quantizations[1], m.quantizations[2]);
  m.graphs[0].tensors[3].quantization = 1;
  m.graphs[0].tensors[5].quantization = 2;
  return m;
}

void ExpectRefused(const TfliteModel& model, StatusCode code, const std::string& part) {
  const auto parsed = TfliteFile::Parse(FileOf(model));
  ASSERT_FALSE(parsed.ok()) << part;
  EXPECT_EQ(parsed.status().code(), code) << parsed.status().message();
  EXPECT_NE(parsed.status().message().find(part), std::string::npos) << parsed.status().message();
}

TEST(Tflite, RoundTrips) {
  const TfliteModel model = InOrderOfUse(SomeModel());
  const Bytes file = FileOf(model);
  const auto parsed = TfliteFile::Parse(file);
  ASSERT_TRUE(parsed.ok()) << parsed.status().message();
  ExpectSame(parsed->model(), model);
  EXPECT_TRUE(parsed->Data(0).empty());
  EXPECT_EQ(AsText(parsed->Data(1)), AsText(Numbers(12)));
  EXPECT_EQ(AsText(parsed->Data(2)), AsText(Numbers(8)));
  EXPECT_EQ(AsText(parsed->Data(3)), AsText(Numbers(64)));
  EXPECT_EQ(AsText(parsed->Data(4)), AsText(Numbers(16)));
  const std::vector<TfliteOperator>& ops = parsed->model().graphs[0].operators;
  EXPECT_EQ(std::get<TfliteSoftmax>(ops[1].options).beta, 0.5f);
  EXPECT_EQ(std::get<TfliteConcatenation>(ops[2].options).axis, 3);
  EXPECT_TRUE(std::get<TfliteMean>(ops[3].options).keep_dims);
  EXPECT_FALSE(std::get<TfliteBatchMatMul>(ops[4].options).adj_x);
  EXPECT_TRUE(std::get<TfliteBatchMatMul>(ops[4].options).adj_y);
  EXPECT_EQ(std::get<TfliteComposite>(ops[5].options).name, "odml.x");
  EXPECT_EQ(std::get<TfliteComposite>(ops[5].options).graph, 1);
  EXPECT_EQ(std::get<TfliteComposite>(ops[5].options).attributes, Numbers(5));
  // Inside or outside, data of weights is aligned as LiteRT wants it.
  for (const uint32_t b : {2u, 3u, 4u}) {
    EXPECT_EQ(static_cast<size_t>(parsed->Data(b).data() - file.data()) % kTfliteDataAlignment, 0u) << b;
  }
}

TEST(Tflite, TheEmptyModelRoundTrips) {
  const Bytes file = EncodeTflite({});
  const auto parsed = TfliteFile::Parse(file);
  ASSERT_TRUE(parsed.ok()) << parsed.status().message();
  ExpectSame(parsed->model(), {});
}

TEST(Tflite, TheSameModelGivesTheSameBytes) {
  EXPECT_EQ(EncodeTflite(SomeModel()), EncodeTflite(SomeModel()));
}

TEST(Tflite, TheSizeDependsOnNoScaleAndNoOffset) {
  TfliteModel model = SomeModel();
  const size_t size = EncodeTflite(model).size();
  for (const uint64_t offset : {uint64_t{0}, uint64_t{1}, uint64_t{2}, uint64_t{1} << 40, UINT64_MAX}) {
    for (const float scale : {0.0f, 1.0f, std::numeric_limits<float>::infinity()}) {
      model.buffers[2].offset = offset;
      model.quantizations[0].scale[0] = scale;
      EXPECT_EQ(EncodeTflite(model).size(), size);
    }
  }
}

TEST(Tflite, LiesAtAnyAddress) {
  const TfliteModel model = InOrderOfUse(SomeModel());
  const Bytes file = FileOf(model);
  for (size_t shift = 0; shift < 17; ++shift) {
    Bytes shifted(shift);
    shifted.insert(shifted.end(), file.begin(), file.end());
    auto parsed = TfliteFile::Parse(ByteSpan(shifted).subspan(shift));
    ASSERT_TRUE(parsed.ok()) << parsed.status().message();
    // A copy keeps what its data points into.
    const TfliteFile copy = *parsed;
    parsed = Corrupt("gone");
    ExpectSame(copy.model(), model);
    EXPECT_EQ(AsText(copy.Data(3)), AsText(Numbers(64)));
  }
}

TEST(Tflite, NoDamageIsATrap) {
  const Bytes file = FileOf(SomeModel());
  const auto read = [](ByteSpan damaged) {
    const Bytes exact(damaged.begin(), damaged.end());  // so that a sanitizer sees a read beyond the end
    const auto parsed = TfliteFile::Parse(exact);
    if (!parsed.ok()) {
      EXPECT_FALSE(parsed.status().message().empty());
      return;
    }
    unsigned sum = 0;
    for (uint32_t b = 0; b < parsed->model().buffers.size(); ++b) {
      for (const uint8_t byte : parsed->Data(b)) sum += byte;
    }
    EXPECT_LT(sum, 1u << 30);
  };
  for (size_t i = 0; i < file.size(); ++i) {
    read(ByteSpan(file).first(i));
    for (const uint8_t mask : {uint8_t{1}, uint8_t{2}, uint8_t{16}, uint8_t{128}, uint8_t{255}}) {
      Bytes damaged = file;
      damaged[i] ^= mask;
      read(damaged);
    }
  }
  // The last buffer ends where the file ends.
  EXPECT_FALSE(TfliteFile::Parse(ByteSpan(file).first(file.size() - 1)).ok());
}

TEST(Tflite, RefusesWhatIsNoModel) {
  for (const std::string text : {"", "TFL3", "1234TFL3", "1234TFL2abcdefgh", "a text file of some length"}) {
    EXPECT_EQ(TfliteFile::Parse(AsBytes(text)).status().code(), StatusCode::kCorrupt) << text;
  }
}

TEST(Tflite, RefusesIndicesThatAreOutOfRange) {
  TfliteModel m = SomeModel();
  m.graphs[0].tensors[0].buffer = 5;
  ExpectRefused(m, StatusCode::kCorrupt, "graph 0: tensor 0: buffer: found 5, expected below 5");
  m = SomeModel();
  m.graphs[0].inputs = {8};
  ExpectRefused(m, StatusCode::kCorrupt, "graph 0: inputs: tensor: found 8, expected below 8");
  m = SomeModel();
  m.graphs[1].outputs = {-1};
  ExpectRefused(m, StatusCode::kCorrupt, "graph 1: outputs: tensor: found -1");
  m = SomeModel();
  m.graphs[0].operators[2].inputs = {-2};
  ExpectRefused(m, StatusCode::kCorrupt, "graph 0: operator 2: tensor: found -2");
  m = SomeModel();
  std::get<TfliteComposite>(m.graphs[0].operators[5].options).graph = 2;
  ExpectRefused(m, StatusCode::kCorrupt, "operator 5: graph: found 2, expected below 2");
  m = SomeModel();
  m.signatures[0].graph = 2;
  ExpectRefused(m, StatusCode::kCorrupt, "signature 0: graph: found 2");
  m = SomeModel();
  m.signatures[0].outputs[1].tensor = 8;
  ExpectRefused(m, StatusCode::kCorrupt, "signature 0: tensor: found 8");
  m = SomeModel();
  m.metadata[0].buffer = 5;
  ExpectRefused(m, StatusCode::kCorrupt, "metadata: buffer: found 5");
  m = SomeModel();
  m.quantizations[2].block_scales = 8;
  ExpectRefused(m, StatusCode::kCorrupt, "tensor of block scales: found 8");
  m = SomeModel();
  m.quantizations[2].block_size = -4;
  ExpectRefused(m, StatusCode::kCorrupt, "block size -4");
}

TEST(Tflite, RefusesShapesThatTheDataHasNot) {
  TfliteModel m = SomeModel();
  m.graphs[0].tensors[1].shape = {4, 3};
  ExpectRefused(m, StatusCode::kCorrupt,
                "graph 0: tensor 1: found 8 bytes of data, expected 12 for its shape");
  m = SomeModel();
  m.graphs[0].tensors[0].shape = {-2};
  ExpectRefused(m, StatusCode::kCorrupt, "dimension -2");
  m = SomeModel();
  m.graphs[0].tensors[0].shape.assign(kMaxTfliteRank, 1);
  EXPECT_TRUE(TfliteFile::Parse(FileOf(m)).ok());
  m.graphs[0].tensors[0].shape.push_back(1);
  ExpectRefused(m, StatusCode::kUnsupported, "rank above 8");
}

TEST(Tflite, RefusesDataBeyondTheFile) {
  TfliteModel m = SomeModel();
  m.buffers[2].offset = UINT64_MAX - 3;  // offset + size wraps
  const Bytes file = EncodeTflite(m);
  const Status status = TfliteFile::Parse(file).status();
  EXPECT_EQ(status.code(), StatusCode::kCorrupt);
  EXPECT_NE(status.message().find("buffer 2: 8 bytes from byte 18446744073709551612"), std::string::npos)
      << status.message();
}

// The vector of `n` tables, each of which becomes the first.
Bytes AllTheFirst(Bytes file, uint32_t n) {
  size_t at = 0;
  while (std::memcmp(file.data() + at, &n, 4) != 0) at += 4;
  uint32_t first = 0;
  std::memcpy(&first, file.data() + at + 4, 4);
  for (uint32_t i = 0; i < n; ++i) {
    const uint32_t offset = first - 4 * i;  // each from its own place
    std::memcpy(file.data() + at + 4 + 4 * i, &offset, 4);
  }
  return file;
}

// A name or a list that a small file names again and again must not fill the memory.
TEST(Tflite, RefusesTextNamedTooOften) {
  constexpr uint32_t kTimes = 773;
  TfliteModel m;
  m.buffers.emplace_back();
  m.graphs.resize(1);
  m.graphs[0].tensors.assign(kTimes, {"x", TfliteType::kFloat32, {1}});
  m.graphs[0].tensors[0].name = std::string(400'000, 'n');
  EXPECT_TRUE(TfliteFile::Parse(EncodeTflite(m)).ok());
  Status status = TfliteFile::Parse(AllTheFirst(EncodeTflite(m), kTimes)).status();
  EXPECT_EQ(status.code(), StatusCode::kUnsupported);
  EXPECT_NE(status.message().find("names and lists of more than 256 MiB"), std::string::npos)
      << status.message();

  m.graphs[0].tensors.resize(1);
  m.graphs[0].operators.assign(kTimes, {TfliteOp::kAdd, 1, {0}, {0}, {}, ""});
  m.graphs[0].operators[0].inputs.assign(100'000, 0);
  EXPECT_TRUE(TfliteFile::Parse(EncodeTflite(m)).ok());
  status = TfliteFile::Parse(AllTheFirst(EncodeTflite(m), kTimes)).status();
  EXPECT_EQ(status.code(), StatusCode::kUnsupported);
  EXPECT_NE(status.message().find("names and lists of more than 256 MiB"), std::string::npos)
      << status.message();
}

TEST(Tflite, KnowsTheBytesOfATensor) {
  EXPECT_EQ(TfliteDataBytes(TfliteType::kFloat32, {}), 4u);
  EXPECT_EQ(TfliteDataBytes(TfliteType::kFloat32, {0, 5}), 0u);
  EXPECT_EQ(TfliteDataBytes(TfliteType::kInt4, {3}), 2u);
  EXPECT_EQ(TfliteDataBytes(TfliteType::kInt64, {3, 5}), 120u);
  EXPECT_EQ(TfliteDataBytes(TfliteType::kInt8, {-1}), std::nullopt);
  EXPECT_EQ(TfliteDataBytes(static_cast<TfliteType>(77), {1}), std::nullopt);
  constexpr int32_t kMost = std::numeric_limits<int32_t>::max();
  EXPECT_EQ(TfliteDataBytes(TfliteType::kInt8, {kMost, kMost}), std::nullopt);
  EXPECT_EQ(TfliteDataBytes(TfliteType::kInt8, {kMost, kMost, kMost, kMost, kMost, kMost, kMost, kMost}),
            std::nullopt);
}

TEST(Tflite, NamesWhatItKnowsAndNumbersTheRest) {
  EXPECT_EQ(TfliteTypeName(TfliteType::kFloat32), "FLOAT32");
  EXPECT_EQ(TfliteTypeName(TfliteType::kInt4), "INT4");
  EXPECT_EQ(TfliteTypeName(static_cast<TfliteType>(77)), "type 77");
  EXPECT_EQ(TfliteOpName(TfliteOp::kFullyConnected), "FULLY_CONNECTED");
  EXPECT_EQ(TfliteOpName(TfliteOp::kStablehloComposite), "STABLEHLO_COMPOSITE");
  EXPECT_EQ(TfliteOpName(static_cast<TfliteOp>(300)), "builtin 300");
  EXPECT_EQ(TfliteOpName(static_cast<TfliteOp>(-5)), "builtin -5");
}

}  // namespace
}  // namespace pith
