#include "formats/onnx.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <set>

namespace pith {
namespace {

OnnxModel SmallModel() {
  OnnxModel m;
  m.producer = "p";
  m.producer_version = "1.2";
  m.opsets = {{"", 17}, {"com.microsoft", 1}};
  m.metadata = {{"key", "value"}};
  m.graph_name = "g";
  m.inputs = {{"x", OnnxType::kInt64, {{-1, "batch"}, {3, ""}, {-1, ""}}}};
  m.outputs = {{"y", OnnxType::kFloat, {}}};
  m.initializers = {
      {"w", OnnxType::kFloat, {2, 1}, std::string(8, '\1'), {}},
      {"big", OnnxType::kFloat16, {3, 5}, "", OnnxDataPlace{"m.data", 4096, 30}},
      {"scalar", OnnxType::kInt64, {}, std::string(8, '\0'), {}},
      {"none", OnnxType::kUint8, {0, 7}, "", {}},
  };
  m.nodes = {{"MatMul", "", "n0", {"x", "w"}, {"t"}, {}},
             {"MatMulNBits", "com.microsoft", "n1", {"t", "", "big"}, {"u"}, {{"bits", 8}}},
             {"MatMul",
              "",
              "n2",
              {"u", "w"},
              {"y"},
              {{"f", 1.5f},
               {"s", "text"},
               {"list", std::vector<int64_t>{-1, 2}},
               {"t", OnnxTensor{"", OnnxType::kBool, {1}, std::string(1, '\1'), {}}}}}};
  return m;
}

Result<OnnxSummary> Read(std::string_view file) { return ReadOnnx(AsBytes(file), "t"); }

// A field by hand: lengths below 128, numbers below 16.
std::string Field(int number, std::string_view content) {
  return std::string{static_cast<char>(number << 3 | 2), static_cast<char>(content.size())} +
         std::string(content);
}
std::string Number(int number, int value) {
  return {static_cast<char>(number << 3), static_cast<char>(value)};
}
// A model with one initializer of these fields.
std::string WithInitializer(std::string_view tensor) {
  return Field(7, Field(5, tensor)) + Field(8, Number(2, 13));
}
std::string ExternalEntry(std::string_view key, std::string_view value) {
  return Field(13, Field(1, key) + Field(2, value));
}

TEST(Onnx, WhatIsWrittenIsReadAgain) {
  const auto s = Read(EncodeOnnx(SmallModel()));
  ASSERT_TRUE(s.ok()) << s.status().message();
  EXPECT_EQ(s->ir_version, 8);
  EXPECT_EQ(s->producer, "p");
  EXPECT_EQ(s->producer_version, "1.2");
  EXPECT_EQ(s->graph_name, "g");
  EXPECT_EQ(s->opsets, SmallModel().opsets);
  EXPECT_EQ(s->metadata, SmallModel().metadata);
  EXPECT_EQ(s->n_nodes, 3u);
  EXPECT_EQ(s->ops, (std::map<std::string, size_t>{{"MatMul", 2}, {"com.microsoft.MatMulNBits", 1}}));
  ASSERT_EQ(s->inputs.size(), 1u);
  EXPECT_EQ(s->inputs[0].type, OnnxType::kInt64);
  EXPECT_TRUE(s->inputs[0].has_shape);
  ASSERT_EQ(s->inputs[0].dims.size(), 3u);
  EXPECT_EQ(s->inputs[0].dims[0].size, -1);
  EXPECT_EQ(s->inputs[0].dims[0].name, "batch");
  EXPECT_EQ(s->inputs[0].dims[1].size, 3);
  ASSERT_EQ(s->outputs.size(), 1u);
  EXPECT_EQ(s->outputs[0].name, "y");
  EXPECT_TRUE(s->outputs[0].has_shape);  // a scalar
  EXPECT_TRUE(s->outputs[0].dims.empty());
  ASSERT_EQ(s->initializers.size(), 4u);
  EXPECT_EQ(s->initializers[0].name, "w");
  EXPECT_EQ(s->initializers[0].bytes, 8u);
  EXPECT_EQ(s->initializers[1].dims, (std::vector<int64_t>{3, 5}));
  EXPECT_EQ(s->initializers[1].bytes, 30u);
  ASSERT_TRUE(s->initializers[1].external.has_value());
  EXPECT_EQ(s->initializers[1].external->location, "m.data");
  EXPECT_EQ(s->initializers[1].external->offset, 4096u);
  EXPECT_EQ(s->initializers[2].bytes, 8u);
  EXPECT_EQ(s->initializers[3].bytes, 0u);
  EXPECT_EQ(s->data_bytes, 46u);
}

// By the wire format of protocol buffers and the field numbers of onnx.proto.
TEST(Onnx, TheBytesOfATinyModelAreThese) {
  OnnxModel m;
  m.opsets = {{"", 13}};
  m.graph_name = "g";
  m.nodes = {{"Relu", "", "", {"x"}, {"y"}, {}}};
  m.inputs = {{"x", OnnxType::kFloat, {{2, ""}}}};
  const std::string node = Field(1, "x") + Field(2, "y") + Field(4, "Relu");
  const std::string type = Field(1, Number(1, 1) + Field(2, Field(1, Number(1, 2))));
  EXPECT_EQ(EncodeOnnx(m),
            Number(1, 8) +
                Field(7, Field(1, node) + Field(2, "g") + Field(11, Field(1, "x") + Field(2, type))) +
                Field(8, Field(1, "") + Number(2, 13)));
}

TEST(Onnx, WritingTwiceGivesTheSameBytes) { EXPECT_EQ(EncodeOnnx(SmallModel()), EncodeOnnx(SmallModel())); }

TEST(Onnx, EveryPrefixAndEveryFlippedByteIsSurvived) {
  const std::string file = EncodeOnnx(SmallModel());
  for (size_t n = 0; n < file.size(); ++n) {
    const std::string prefix = file.substr(0, n);
    const auto s = Read(prefix);
    // Between two fields after the graph a file may end; nothing is missing then but what is not needed.
    if (s.ok()) {
      EXPECT_GT(n, file.size() - 64) << n;
    } else {
      EXPECT_FALSE(s.status().message().empty());
    }
  }
  for (size_t i = 0; i < file.size(); ++i) {
    for (int mask = 1; mask < 256; ++mask) {
      std::string damaged = file;
      damaged[i] = static_cast<char>(damaged[i] ^ mask);
      const auto s = Read(damaged);
      EXPECT_EQ(s.status().message().empty(), s.ok());
    }
  }
}

TEST(Onnx, WhatIsNoModelIsCorrupt) {
  for (const std::string& file :
       {std::string(), std::string("GGUF\3\0\0\0", 8), std::string(100, '\xff'), Number(1, 8), Field(7, ""),
        Field(8, Number(2, 13)), Field(7, "") + Field(7, "") + Field(8, ""),
        std::string("\x3a\xff\xff\xff\xff\x0f", 6)}) {
    EXPECT_EQ(Read(file).status().code(), StatusCode::kCorrupt) << file.size();
  }
  EXPECT_TRUE(Read(Field(7, "") + Field(8, "")).ok());
}

TEST(Onnx, AFieldOfAnotherWireTypeIsCorrupt) {
  const std::string opset = Field(8, "");
  for (const std::string& file :
       {Number(7, 1) + opset, Field(1, "8") + Field(7, "") + opset, Field(7, Number(1, 1)) + opset,
        Field(7, Number(5, 1)) + opset, Field(7, Number(11, 1)) + opset,
        Field(7, Field(1, Number(4, 1))) + opset, Field(7, Field(5, Field(2, "1"))) + opset,
        Field(7, "") + Number(8, 1), Field(7, "") + opset + Number(14, 1)}) {
    EXPECT_EQ(Read(file).status().code(), StatusCode::kCorrupt);
  }
}

TEST(Onnx, ATensorsDataMustFitItsShape) {
  const std::string head = Number(1, 3) + Number(2, 1);  // FLOAT [3]
  EXPECT_TRUE(Read(WithInitializer(head + Field(9, std::string(12, 'x')))).ok());
  EXPECT_TRUE(Read(WithInitializer(head + Field(4, std::string(12, 'x')))).ok());  // float_data: not raw
  EXPECT_EQ(Read(WithInitializer(head + Field(9, std::string(11, 'x')))).status().code(),
            StatusCode::kCorrupt);
  EXPECT_EQ(Read(WithInitializer(Number(1, 3))).status().code(), StatusCode::kCorrupt);  // no type
  // A packed list of dims; 4-bit elements, two in a byte.
  const auto packed = Read(WithInitializer(Field(1, "\3\5") + Number(2, 6) + Field(9, std::string(60, 'x'))));
  ASSERT_TRUE(packed.ok());
  EXPECT_EQ(packed->initializers[0].dims, (std::vector<int64_t>{3, 5}));
  EXPECT_TRUE(Read(WithInitializer(Number(1, 3) + std::string("\x10\x16\x4a\2xx", 6))).ok());
}

TEST(Onnx, DimensionsThatAreNoneAreRefused) {
  const std::string minus_one = std::string(9, '\xff') + '\1';
  EXPECT_EQ(Read(WithInitializer("\x08" + minus_one + Number(2, 1))).status().code(), StatusCode::kCorrupt);
  // 2^63 - 1 of them, twice.
  const std::string huge = "\x08" + std::string(8, '\xff') + '\x7f';
  EXPECT_EQ(Read(WithInitializer(huge + huge + Number(2, 1))).status().code(), StatusCode::kCorrupt);
  std::string many;
  for (size_t i = 0; i < kMaxOnnxRank + 1; ++i) many += '\1';
  EXPECT_EQ(Read(WithInitializer(Field(1, many) + Number(2, 1))).status().code(), StatusCode::kUnsupported);
}

TEST(Onnx, ExternalDataNeedsAPlaceOfTheRightSize) {
  const std::string head = Number(1, 3) + Number(2, 1) + Number(14, 1);
  const std::string location = ExternalEntry("location", "d");
  const auto s = Read(WithInitializer(head + location + ExternalEntry("offset", "64")));
  ASSERT_TRUE(s.ok()) << s.status().message();
  EXPECT_EQ(s->initializers[0].external->length, 12u);  // no length: to the end of what the shape needs
  for (const std::string& bad :
       {std::string(), ExternalEntry("offset", "1"), location + ExternalEntry("length", "13"),
        location + ExternalEntry("offset", "-1"), location + ExternalEntry("offset", ""),
        location + ExternalEntry("length", "12x"),
        location + ExternalEntry("offset", "18446744073709551616")}) {
    EXPECT_EQ(Read(WithInitializer(head + bad)).status().code(), StatusCode::kCorrupt);
  }
}

TEST(Onnx, ALongNameIsBeyondALimit) {
  OnnxModel m = SmallModel();
  m.producer = std::string(kMaxOnnxNameBytes, 'x');
  EXPECT_TRUE(Read(EncodeOnnx(m)).ok());
  m.producer += 'x';
  EXPECT_EQ(Read(EncodeOnnx(m)).status().code(), StatusCode::kUnsupported);
}

TEST(Onnx, TypesHaveNamesAndSizes) {
  EXPECT_EQ(OnnxTypeName(OnnxType::kFloat16), "FLOAT16");
  EXPECT_EQ(OnnxTypeBits(OnnxType::kFloat16), 16u);
  EXPECT_EQ(OnnxTypeName(static_cast<OnnxType>(22)), "INT4");
  EXPECT_EQ(OnnxTypeBits(static_cast<OnnxType>(22)), 4u);
  EXPECT_EQ(OnnxTypeName(static_cast<OnnxType>(99)), "type 99");
  EXPECT_EQ(OnnxTypeBits(static_cast<OnnxType>(-1)), 0u);
}

TEST(OnnxDataWriter, AlignsTensorsAndSaysWhereTheyLie) {
  MemorySink sink;
  OnnxDataWriter writer(sink, "d");
  const Bytes data(5000, 7);
  for (const size_t n : {size_t{0}, size_t{1}, size_t{4096}, size_t{5000}}) {
    ASSERT_TRUE(writer.Begin().ok());
    const size_t begin = sink.bytes.size();
    EXPECT_EQ(begin % OnnxDataWriter::kAlignment, 0u);
    ASSERT_TRUE(writer.Write(ByteSpan(data).first(n / 2)).ok());
    ASSERT_TRUE(writer.Write(ByteSpan(data).first(n - n / 2)).ok());
    const OnnxDataPlace place = writer.End();
    EXPECT_EQ(place.location, "d");
    EXPECT_EQ(place.offset, begin);
    EXPECT_EQ(place.length, n);
    EXPECT_EQ(writer.size(), sink.bytes.size());
  }
}

}  // namespace
}  // namespace pith
