#include "convert/qwen3_graph.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "convert/litertlm_test_files.h"

namespace pith {
namespace {

using Shape = std::vector<int32_t>;

GraphOptions SmallOptions(WeightEncoding encoding = WeightEncoding::kDynamicInt8) {
  return {.encoding = encoding, .cache_length = 16, .prefill_lengths = {4, 1, 16}};
}

Qwen3Graph Build(const ModelConfig& config, const GraphOptions& options) {
  Result<Qwen3Graph> graph = BuildQwen3Graph(config, options);
  EXPECT_TRUE(graph.ok()) << graph.status().message();
  return graph.ok() ? *std::move(graph) : Qwen3Graph();
}

void ExpectRefused(const ModelConfig& config, const GraphOptions& options, const std::string& part) {
  const auto graph = BuildQwen3Graph(config, options);
  ASSERT_FALSE(graph.ok()) << part;
  EXPECT_EQ(graph.status().code(), StatusCode::kInvalidArgument);
  EXPECT_NE(graph.status().message().find(part), std::string::npos) << graph.status().message();
}

std::map<TfliteOp, size_t> CountOps(const TfliteGraph& graph) {
  std::map<TfliteOp, size_t> counts;
  for (const TfliteOperator& op : graph.operators) ++counts[op.op];
  return counts;
}

const TfliteTensor& TensorOf(const Qwen3Graph& graph, const TfliteSignature& s, const std::string& name,
                             bool input) {
  for (const TfliteSignature::Entry& e : input ? s.inputs : s.outputs) {
    if (e.name == name) return graph.model.graphs[s.graph].tensors[e.tensor];
  }
  ADD_FAILURE() << s.key << " has no " << name;
  return graph.model.graphs[0].tensors[0];
}

TEST(Qwen3Graph, SignaturesHaveTheShapesThatLiteRtLmWants) {
  const ModelConfig c = TestConfig(true);
  const Qwen3Graph graph = Build(c, SmallOptions());
  ASSERT_EQ(graph.model.signatures.size(), 4u);
  const std::vector<std::pair<std::string, int32_t>> expected = {
      {"prefill_4", 4}, {"prefill_1", 1}, {"prefill_16", 16}, {"decode", 1}};
  for (size_t i = 0; i < 4; ++i) {
    const TfliteSignature& s = graph.model.signatures[i];
    const int32_t length = expected[i].second;
    SCOPED_TRACE(expected[i].first);
    EXPECT_EQ(s.key, expected[i].first);
    EXPECT_EQ(graph.model.graphs[s.graph].name, s.key);
    EXPECT_EQ(TensorOf(graph, s, "tokens", true).shape, (Shape{1, length}));
    EXPECT_EQ(TensorOf(graph, s, "tokens", true).type, TfliteType::kInt32);
    EXPECT_EQ(TensorOf(graph, s, "input_pos", true).shape, Shape{length});
    EXPECT_EQ(TensorOf(graph, s, "mask", true).shape, (Shape{1, 1, length, 16}));
    for (const bool input : {true, false}) {
      for (const std::string layer : {"0", "1"}) {
        EXPECT_EQ(TensorOf(graph, s, "kv_cache_k_" + layer, input).shape, (Shape{1, 1, 16, 6}));
        EXPECT_EQ(TensorOf(graph, s, "kv_cache_v_" + layer, input).shape, (Shape{1, 1, 6, 16}));
      }
    }
    EXPECT_EQ(s.inputs.size(), 3 + 2 * c.n_layers);
    const bool decode = s.key == "decode";
    EXPECT_EQ(s.outputs.size(), 2 * c.n_layers + (decode ? 1 : 0));
    if (decode) {
      EXPECT_EQ(TensorOf(graph, s, "logits", false).shape, (Shape{1, 1, 37}));
    }
    const auto by_name = [](const auto& a, const auto& b) { return a.name < b.name; };
    EXPECT_TRUE(std::is_sorted(s.inputs.begin(), s.inputs.end(), by_name));
    EXPECT_TRUE(std::is_sorted(s.outputs.begin(), s.outputs.end(), by_name));
  }
}

TEST(Qwen3Graph, TheLastLayerOfPrefillOnlyFillsTheCache) {
  const Qwen3Graph graph = Build(TestConfig(true), SmallOptions());
  for (const TfliteSignature& s : graph.model.signatures) {
    SCOPED_TRACE(s.key);
    const bool decode = s.key == "decode";
    auto counts = CountOps(graph.model.graphs[s.graph]);
    const size_t whole = decode ? 2 : 1;  // layers that are computed whole
    EXPECT_EQ(counts[TfliteOp::kDynamicUpdateSlice], 4u);
    EXPECT_EQ(counts[TfliteOp::kBatchMatMul], 2 * whole);
    EXPECT_EQ(counts[TfliteOp::kSoftmax], whole);
    EXPECT_EQ(counts[TfliteOp::kLogistic], whole);
    // qkv each layer; o, gate, up, down of whole ones; the head.
    EXPECT_EQ(counts[TfliteOp::kFullyConnected], 2 + 4 * whole + (decode ? 1 : 0));
    // Before attention and of keys each layer; of queries and after attention in whole ones; the final one.
    EXPECT_EQ(counts[TfliteOp::kStablehloComposite], 4 + 2 * whole + (decode ? 1 : 0));
    EXPECT_EQ(counts[TfliteOp::kEmbeddingLookup], 1u);
    EXPECT_EQ(counts[TfliteOp::kDequantize], 0u);
    for (const TfliteTensor& t : graph.model.graphs[s.graph].tensors) {
      if (!decode) {
        EXPECT_EQ(t.name.find("layers.1.o"), std::string::npos) << t.name;
        EXPECT_EQ(t.name.find("layers.1.q_norm"), std::string::npos) << t.name;
      }
    }
  }
}

TEST(Qwen3Graph, OneLayerIsEnough) {
  ModelConfig c = TestConfig(false);
  c.n_layers = 1;
  const Qwen3Graph graph = Build(c, SmallOptions());
  EXPECT_EQ(CountOps(graph.model.graphs[0])[TfliteOp::kFullyConnected], 1u);
  EXPECT_EQ(CountOps(graph.model.graphs[3])[TfliteOp::kFullyConnected], 6u);
}

TEST(Qwen3Graph, WeightsAreTheCanonicalTensorsInOrder) {
  for (const bool tied : {true, false}) {
    for (const WeightEncoding encoding : kAllEncodings) {
      const ModelConfig c = EncodingTestConfig(tied);
      const Qwen3Graph graph = Build(c, SmallOptions(encoding));
      std::vector<TensorSpec> specs;
      std::set<uint32_t> buffers;
      for (const GraphWeight& w : graph.weights) {
        uint32_t rows = 0;
        for (const TensorSpec& spec : w.parts) {
          specs.push_back(spec);
          rows += spec.rows;
          EXPECT_EQ(spec.cols, w.cols);
        }
        EXPECT_EQ(rows, w.rows);
        EXPECT_TRUE(buffers.insert(w.buffer).second);
        EXPECT_EQ(w.parts.size(), w.name.ends_with("qkv") ? 3u : 1u);
        const bool int8 =
            encoding == WeightEncoding::kDynamicInt8 || encoding == WeightEncoding::kWeightOnlyInt8;
        EXPECT_EQ(w.quantization >= 0, int8 && w.is_matrix());
        if (w.quantization >= 0) {
          EXPECT_EQ(graph.model.quantizations[static_cast<size_t>(w.quantization)].scale.size(), w.rows);
        }
        EXPECT_EQ(w.scales_buffer != 0, encoding == WeightEncoding::kDynamicInt4 && w.is_matrix());
      }
      const std::vector<TensorSpec> canonical = CanonicalTensors(c);
      ASSERT_EQ(specs.size(), canonical.size());
      for (size_t i = 0; i < specs.size(); ++i) {
        EXPECT_EQ(specs[i].role, canonical[i].role);
        EXPECT_EQ(specs[i].layer, canonical[i].layer);
      }
      EXPECT_EQ(graph.weights.back().name, tied ? "final_norm" : "head");
    }
  }
}

TEST(Qwen3Graph, ATiedHeadIsTheEmbeddingsBuffer) {
  for (const bool tied : {true, false}) {
    const Qwen3Graph graph = Build(TestConfig(tied), SmallOptions());
    const TfliteGraph& decode = graph.model.graphs[3];
    const auto weight_of = [&](TfliteOp kind) {
      const TfliteOperator* last = nullptr;
      for (const TfliteOperator& op : decode.operators) {
        if (op.op == kind) last = &op;
      }
      return decode.tensors[static_cast<size_t>(last->inputs[1])].buffer;
    };
    EXPECT_EQ(weight_of(TfliteOp::kFullyConnected) == weight_of(TfliteOp::kEmbeddingLookup), tied);
  }
}

TEST(Qwen3Graph, EncodedGraphsParseAndAreTheSameEachTime) {
  for (const bool tied : {true, false}) {
    for (const WeightEncoding encoding : kAllEncodings) {
      Qwen3Graph graph = Build(EncodingTestConfig(tied), SmallOptions(encoding));
      Qwen3Graph again = Build(EncodingTestConfig(tied), SmallOptions(encoding));
      const Bytes file = FileOf(graph);
      EXPECT_EQ(file, FileOf(again));
      const auto parsed = TfliteFile::Parse(file);
      ASSERT_TRUE(parsed.ok()) << parsed.status().message();
      ASSERT_EQ(parsed->model().graphs.size(), graph.model.graphs.size());
      for (size_t i = 0; i < graph.model.graphs.size(); ++i) {
        EXPECT_EQ(parsed->model().graphs[i].operators.size(), graph.model.graphs[i].operators.size());
      }
    }
  }
}

// Operators compute in the order in which they lie: each input is there before it is used, and each tensor
// has one maker.
TEST(Qwen3Graph, OperatorsComeAfterWhatTheyNeed) {
  for (const WeightEncoding encoding : kAllEncodings) {
    const Qwen3Graph graph = Build(EncodingTestConfig(false), SmallOptions(encoding));
    for (const TfliteGraph& g : graph.model.graphs) {
      std::vector<bool> there(g.tensors.size());
      for (const int32_t t : g.inputs) there[static_cast<size_t>(t)] = true;
      for (size_t t = 0; t < g.tensors.size(); ++t) {
        if (g.tensors[t].buffer != 0) there[t] = true;
      }
      for (const TfliteOperator& op : g.operators) {
        for (const int32_t t : op.inputs) {
          EXPECT_TRUE(t == -1 || there[static_cast<size_t>(t)]) << g.name << " " << TfliteOpName(op.op);
        }
        for (const int32_t t : op.outputs) {
          EXPECT_FALSE(there[static_cast<size_t>(t)]);
          there[static_cast<size_t>(t)] = true;
        }
      }
      for (const int32_t t : g.outputs) EXPECT_TRUE(there[static_cast<size_t>(t)]);
    }
  }
}

// What no delegate checks before it computes: sizes of reshapes, products, slices and concatenations.
TEST(Qwen3Graph, ShapesFitTheOperators) {
  const auto product = [](const Shape& s) {
    int64_t n = 1;
    for (const int32_t d : s) n *= d;
    return n;
  };
  for (const WeightEncoding encoding : kAllEncodings) {
    const Qwen3Graph graph = Build(EncodingTestConfig(true), SmallOptions(encoding));
    for (const TfliteGraph& g : graph.model.graphs) {
      const auto shape = [&](int32_t t) { return g.tensors[static_cast<size_t>(t)].shape; };
      for (const TfliteOperator& op : g.operators) {
        const Shape a = shape(op.inputs[0]);
        const Shape y = shape(op.outputs[0]);
        SCOPED_TRACE(g.name + " " + g.tensors[static_cast<size_t>(op.outputs[0])].name);
        if (op.op == TfliteOp::kReshape || op.op == TfliteOp::kTranspose) {
          EXPECT_EQ(product(a), product(y));
        } else if (op.op == TfliteOp::kFullyConnected) {
          EXPECT_EQ(a.back(), shape(op.inputs[1])[1]);
          EXPECT_EQ(y.back(), shape(op.inputs[1])[0]);
        } else if (op.op == TfliteOp::kBatchMatMul) {  // adj_y
          const Shape b = shape(op.inputs[1]);
          EXPECT_EQ(a[3], b[3]);
          EXPECT_EQ(y, (Shape{a[0], a[1], a[2], b[2]}));
          EXPECT_EQ(b[1], a[1]);
        } else if (op.op == TfliteOp::kConcatenation) {
          int64_t n = 0;
          for (const int32_t t : op.inputs) n += product(shape(t));
          EXPECT_EQ(n, product(y));
        } else if (op.op == TfliteOp::kStablehloComposite) {
          const TfliteGraph& inner =
              graph.model.graphs[static_cast<size_t>(std::get<TfliteComposite>(op.options).graph)];
          EXPECT_EQ(inner.tensors[static_cast<size_t>(inner.inputs[0])].shape, a);
          EXPECT_EQ(inner.tensors[static_cast<size_t>(inner.outputs[0])].shape, y);
        }
      }
    }
  }
}

TEST(Qwen3Graph, FurtherSignaturesShareWeightsAndScales) {
  GraphOptions options = SmallOptions();
  options.prefill_lengths = {1};
  const Qwen3Graph one = Build(TestConfig(false), options);
  options.prefill_lengths = {1, 2, 3, 4, 5};
  const Qwen3Graph five = Build(TestConfig(false), options);
  EXPECT_EQ(one.model.quantizations.size(), five.model.quantizations.size());
  const auto external = [](const Qwen3Graph& g) {
    return std::count_if(g.model.buffers.begin(), g.model.buffers.end(),
                         [](const TfliteBuffer& b) { return b.size != 0; });
  };
  EXPECT_EQ(external(one), external(five));
}

TEST(Qwen3Graph, RefusesLengthsThatMakeNoSense) {
  const ModelConfig c = TestConfig(true);
  const auto with = [](std::vector<int32_t> lengths, int32_t cache = 16) {
    GraphOptions o = SmallOptions();
    o.prefill_lengths = std::move(lengths);
    o.cache_length = cache;
    return o;
  };
  ExpectRefused(c, with({17}), "prefill length 17, expected 1 to the length of the KV cache, 16");
  ExpectRefused(c, with({4, 0}), "prefill length 0");
  ExpectRefused(c, with({-1}), "prefill length -1");
  ExpectRefused(c, with({4, 8, 4}), "prefill length 4 twice");
  ExpectRefused(c, with({}), "no prefill length");
  ExpectRefused(c, with({1}, 0), "length of the KV cache: 0");
  EXPECT_TRUE(BuildQwen3Graph(c, with({1}, 1)).ok());
  std::vector<int32_t> many;
  for (size_t i = 0; i < kMaxPrefillLengths; ++i) many.push_back(static_cast<int32_t>(i) + 1);
  EXPECT_TRUE(BuildQwen3Graph(c, with(many, 1000)).ok());
  many.push_back(1000);
  ExpectRefused(c, with(many, 1000), "65 prefill lengths, expected at most 64");
}

TEST(Qwen3Graph, RefusesBlocksThatDoNotDivideTheColumns) {
  GraphOptions options = SmallOptions(WeightEncoding::kDynamicInt4);
  ExpectRefused(TestConfig(true), options, "embedding: 9 columns, expected a multiple of the block of 32");
  ModelConfig c = EncodingTestConfig(true);
  c.ffn = 48;
  ExpectRefused(c, options, "layers.0.down: 48 columns");
  options.block = 128;
  ExpectRefused(EncodingTestConfig(true), options,
                "embedding: 32 columns, expected a multiple of the block of 128");
  for (const int32_t block : {0, -32, 1, 31}) {
    options.block = block;
    ExpectRefused(EncodingTestConfig(true), options,
                  "blocks of " + std::to_string(block) + " columns, expected an even number");
  }
}

TEST(Qwen3Graph, RopeFrequenciesArePowersOfTheBase) {
  ModelConfig c = TestConfig(true);
  const std::vector<float> f = RopeFrequencies(c);
  ASSERT_EQ(f.size(), 3u);
  EXPECT_EQ(f[0], 1.0f);
  EXPECT_FLOAT_EQ(f[1], static_cast<float>(std::pow(10000.0, -1.0 / 3)));
  EXPECT_FLOAT_EQ(f[2], static_cast<float>(std::pow(10000.0, -2.0 / 3)));
  c.head_dim = 2;
  EXPECT_EQ(RopeFrequencies(c), std::vector<float>{1.0f});
}

}  // namespace
}  // namespace pith
