// Also of qwen3_recognise.h, which is of no use without a file.
#include "convert/litertlm_model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <set>

#include "convert/import.h"
#include "convert/litertlm_test_files.h"
#include "convert/quantize.h"
#include "convert/qwen3_recognise.h"

namespace pith {
namespace {

std::string Fingerprint128(const LitertlmModel& model, const LitertlmOptions& options) {
  ThreadPool pool(1);
  const auto package = model.ToPackage(Bytes(options.tokenizer.begin(), options.tokenizer.end()), "test",
                                       options.start_token, options.terms, pool);
  return package.ok() ? (*package)->fingerprint().Text() : package.status().message();
}

// The graph of a model that can be changed before it is written; its weights are zeros but for norms of 1.
struct GraphFile {
  explicit GraphFile(const ModelConfig& config, WeightEncoding encoding = WeightEncoding::kFloat32) {
    const auto built =
        BuildQwen3Graph(config, {.encoding = encoding, .cache_length = 16, .prefill_lengths = {2}});
    EXPECT_TRUE(built.ok()) << built.status().message();
    graph = *built;
  }
  TfliteGraph& decode() { return graph.model.graphs[1]; }
  TfliteOperator& Find(TfliteOp op, size_t nth = 0) {
    for (TfliteOperator& o : decode().operators) {
      if (o.op == op && nth-- == 0) return o;
    }
    ADD_FAILURE() << TfliteOpName(op);
    return decode().operators[0];
  }
  Status Recognise() {
    const Bytes file = FileOf(graph);
    const auto parsed = TfliteFile::Parse(file);
    if (!parsed.ok()) return parsed.status();
    return RecogniseQwen3(*parsed).status();
  }
  void ExpectRefused(const std::string& part) {
    const Status status = Recognise();
    EXPECT_EQ(status.code(), StatusCode::kUnsupported) << part;
    EXPECT_NE(status.message().find(part), std::string::npos) << status.message();
  }

  Qwen3Graph graph;
};

// ---- Recognising

TEST(Qwen3Recognise, FindsTheConfigAndEveryWeight) {
  for (const bool tied : {true, false}) {
    for (const WeightEncoding encoding : kAllEncodings) {
      const ModelConfig config = EncodingTestConfig(tied);
      GraphFile g(config, encoding);
      const Bytes file = FileOf(g.graph);
      const auto parsed = TfliteFile::Parse(file);
      ASSERT_TRUE(parsed.ok()) << parsed.status().message();
      const auto found = RecogniseQwen3(*parsed);
      ASSERT_TRUE(found.ok()) << found.status().message();
      ModelConfig expected = config;
      expected.max_positions = 16;
      EXPECT_EQ(found->config, expected);
      std::vector<std::pair<uint32_t, uint32_t>> places;  // buffer and first row
      for (const FoundTensor& t : found->tensors) {
        places.emplace_back(
            parsed->model().graphs[found->graph].tensors[static_cast<size_t>(t.tensor)].buffer, t.first_row);
      }
      std::vector<std::pair<uint32_t, uint32_t>> all;
      for (const GraphWeight& w : g.graph.weights) {
        uint32_t row = 0;
        for (const TensorSpec& part : w.parts) {
          all.emplace_back(w.buffer, row);
          row += part.rows;
        }
      }
      EXPECT_EQ(places, all);
    }
  }
}

TEST(Qwen3Recognise, FindsEveryBaseOfRope) {
  for (const size_t head_dim : {4u, 6u, 64u, 128u}) {
    for (const double theta :
         {1.0, 2.0, 100.0, 10000.0, 10000.5, 500000.0, 1e6, 5e6, 1e7, 12345678.0, 1e8, 1e12}) {
      ModelConfig config = TestConfig(true);
      config.n_layers = 1;
      config.head_dim = head_dim;
      config.rope_theta = theta;
      GraphFile g(config);
      const Bytes file = FileOf(g.graph);
      const auto parsed = TfliteFile::Parse(file);
      ASSERT_TRUE(parsed.ok());
      const auto found = RecogniseQwen3(*parsed);
      ASSERT_TRUE(found.ok()) << theta << " " << head_dim << ": " << found.status().message();
      // Round ones to the last bit; others as close as floats show.
      if (theta != 12345678.0) {
        EXPECT_EQ(found->config.rope_theta, theta) << head_dim;
      }
      EXPECT_NEAR(found->config.rope_theta, theta, theta * kRopeBaseTolerance);
    }
  }
}

TEST(Qwen3Recognise, SaysWhatIsMissing) {
  const ModelConfig config = TestConfig(true);
  {
    GraphFile g(config);
    g.graph.model.signatures[1].key = "encode";
    g.ExpectRefused("no signature \"decode\"");
  }
  {
    GraphFile g(config);
    for (auto& e : g.graph.model.signatures[1].outputs) e.name = e.name == "logits" ? "scores" : e.name;
    g.ExpectRefused("no output \"logits\"");
  }
  {
    GraphFile g(config);
    for (auto& e : g.graph.model.signatures[1].outputs) e.name = e.name == "kv_cache_v_0" ? "kv" : e.name;
    g.ExpectRefused("no outputs \"kv_cache_k_0\" and \"kv_cache_v_0\"");
  }
  {
    GraphFile g(config);
    g.Find(TfliteOp::kEmbeddingLookup).op = TfliteOp::kAdd;
    g.ExpectRefused("no EMBEDDING_LOOKUP");
  }
  {
    GraphFile g(config);
    g.Find(TfliteOp::kDynamicUpdateSlice, 2).op = TfliteOp::kAdd;
    g.ExpectRefused(
        "layer 1: the decode graph is none of a Qwen3 model: the cache is not written by "
        "DYNAMIC_UPDATE_SLICE");
  }
  {
    GraphFile g(config);
    g.Find(TfliteOp::kLogistic).op = TfliteOp::kRsqrt;
    g.ExpectRefused("no feed-forward part of the form");
  }
  {
    GraphFile g(config);
    g.Find(TfliteOp::kCos).op = TfliteOp::kSin;
    g.ExpectRefused("no COS");
  }
  {
    GraphFile g(config);
    std::get<TfliteComposite>(g.Find(TfliteOp::kStablehloComposite, 3).options).attributes = {1, 2, 3};
    g.ExpectRefused("a norm without attributes");
  }
  {
    GraphFile g(config);
    g.Find(TfliteOp::kFullyConnected, 1).inputs[2] = 0;
    g.ExpectRefused("has a bias");
  }
  {
    GraphFile g(config);
    g.graph.model.signatures.clear();
    g.ExpectRefused("no signature \"decode\"");
  }
}

// Operators may have fewer inputs and outputs than their kind needs: nothing checks that before.
TEST(Qwen3Recognise, OperatorsWithoutInputsOrOutputsAreNoTrap) {
  const size_t n_operators = GraphFile(TestConfig(true)).decode().operators.size();
  for (size_t i = 0; i < n_operators; ++i) {
    for (int what = 0; what < 5; ++what) {
      GraphFile g(TestConfig(true));
      TfliteOperator& op = g.decode().operators[i];
      if (what == 0) op.inputs.clear();
      if (what == 1) op.outputs.clear();
      if (what == 2) op.inputs.assign(op.inputs.size(), -1);
      if (what == 3) op.outputs.assign(op.outputs.size(), -1);
      if (what == 4) op.inputs.resize(1);
      const Status status = g.Recognise();
      EXPECT_TRUE(status.ok() || status.code() == StatusCode::kUnsupported) << status.message();
    }
  }
}

// Cycles, and operators with very many inputs, must not make the search long.
TEST(Qwen3Recognise, TangledGraphsEndTheSearch) {
  ModelConfig config = TestConfig(true);
  config.n_layers = 1;
  GraphFile g(config);
  TfliteGraph& graph = g.decode();
  const auto n = static_cast<int32_t>(graph.tensors.size());
  // 30,000 products before those of the layer, each fed by an operator with 2,000 inputs.
  graph.tensors.push_back({"tangle", TfliteType::kFloat32, {1}});
  std::vector<TfliteOperator> operators = {{TfliteOp::kAdd, 1, std::vector<int32_t>(2000, 0), {n}, {}, ""}};
  operators.resize(30001, {TfliteOp::kFullyConnected, 1, {n}, {}, {}, ""});
  operators.insert(operators.end(), graph.operators.begin(), graph.operators.end());
  graph.operators = operators;
  g.ExpectRefused("hang together in more ways than this build follows");
  GraphFile cycle(TestConfig(true));
  for (TfliteOperator& op : cycle.decode().operators) {
    if (op.op == TfliteOp::kAdd) op.inputs.push_back(op.outputs[0]);
  }
  (void)cycle.Recognise().ok();
}

// ---- Files

TEST(LitertlmModel, HoldsWhatWasExported) {
  const ModelConfig config = TestConfig(false);
  const LitertlmOptions options = TestLitertlmOptions(config);
  const Bytes file = ExportedFile(MakeCheckpoint(config, "F32"), options);
  const auto model = LitertlmModel::FromMemory(file);
  ASSERT_TRUE(model.ok()) << model.status().message();
  EXPECT_EQ((*model)->config(), config);
  const Result<Bytes> json = (*model)->ReadTokenizerJson();
  ASSERT_TRUE(json.ok()) << json.status().message();
  EXPECT_EQ(AsText(*json), TestTokenizerJson().Text());
  ASSERT_TRUE((*model)->record());
  EXPECT_EQ((*model)->record()->fingerprint->Text(), Fingerprint128(**model, options));
  EXPECT_EQ((*model)->tensors().size(), CanonicalTensors(config).size());
  ThreadPool pool(2);
  const auto package = (*model)->ToPackage({}, "a name", 1, options.terms, pool);
  ASSERT_TRUE(package.ok() || package.status().code() == StatusCode::kCorrupt);
}

TEST(LitertlmModel, ConfigsThatTheGraphHardlyShowsComeBack) {
  for (const double theta : {10000.5, 1e7, 12345678.0, 1e12, 1.0}) {
    for (const size_t head_dim : {2u, 4u, 6u}) {
      for (const float eps : {0.0f, 1e-6f, 1.0f}) {
        ModelConfig config = TestConfig(true);
        config.rope_theta = theta;
        config.head_dim = head_dim;
        config.rms_eps = eps;
        TestCheckpoint checkpoint = MakeCheckpoint(config, "F32");
        const TestFolder folder;
        WriteTestFolder(folder, checkpoint);
        std::string text = checkpoint.ConfigText();
        const auto replace = [&](const std::string& from, const std::string& to) {
          text.replace(text.find(from), from.size(), to);
        };
        replace("\"rope_theta\":10000", "\"rope_theta\":" + std::to_string(theta));
        replace("1e-06", std::to_string(eps));
        if (eps == 1e-6f) replace(std::to_string(eps), "1e-06");
        folder.Write("config.json", text);
        ThreadPool pool(1);
        const auto source = ModelFolder::Open(folder.path());
        ASSERT_TRUE(source.ok()) << source.status().message();
        ASSERT_EQ((*source)->config(), config);
        const LitertlmOptions options = TestLitertlmOptions(config);
        ASSERT_TRUE(ExportLitertlm(**source, folder.File("x"), options, {}, pool).ok());
        const auto model = LitertlmModel::Open(folder.File("x"));
        ASSERT_TRUE(model.ok()) << theta << " " << head_dim << " " << eps << ": " << model.status().message();
        EXPECT_EQ((*model)->config(), config);
        EXPECT_EQ(Fingerprint128(**model, options), (*model)->record()->fingerprint->Text());
      }
    }
  }
}

TEST(LitertlmModel, SectionsMayLieAnywhereAndInAnyOrder) {
  const LitertlmOptions options = TestLitertlmOptions(TestConfig(true));
  const Bytes file = ExportedFile(MakeCheckpoint(TestConfig(true), "F32"), options);
  const auto original = LitertlmModel::FromMemory(file);
  ASSERT_TRUE(original.ok()) << original.status().message();
  const std::string fingerprint = Fingerprint128(**original, options);
  for (const uint64_t shift : {0u, 1u, 3u, 4u, 8u, 15u}) {
    Bytes packed = WithoutPadding(file, shift);
    const auto model = LitertlmModel::FromMemory(packed);
    ASSERT_TRUE(model.ok()) << shift << ": " << model.status().message();
    EXPECT_EQ(Fingerprint128(**model, options), fingerprint);
    EXPECT_EQ(Fingerprint128(**model, options), fingerprint) << "a second time";
    // The same from a file, which is mapped and whose pages are dropped.
    const TestFolder folder;
    folder.Write("x", AsText(packed));
    const auto mapped = LitertlmModel::Open(folder.File("x"));
    ASSERT_TRUE(mapped.ok()) << mapped.status().message();
    EXPECT_EQ(Fingerprint128(**mapped, options), fingerprint);
    EXPECT_EQ(Fingerprint128(**mapped, options), fingerprint) << "a second time";
  }
  std::vector<TestSection> sections = SectionsOf(file);
  std::reverse(sections.begin(), sections.end());
  const Bytes reversed = LitertlmFileOf(sections);
  const auto model = LitertlmModel::FromMemory(reversed);
  ASSERT_TRUE(model.ok()) << model.status().message();
  EXPECT_EQ(Fingerprint128(**model, options), fingerprint);
}

// Pages that are dropped after packing come back from the file, never as zeros: also where the section is a
// copy.
TEST(LitertlmModel, PacksLargeUnalignedSectionsTwice) {
  ModelConfig config = TestConfig(true);
  config.hidden = 64;
  config.vocab = 1000;
  const LitertlmOptions options = TestLitertlmOptions(config);
  const TestFolder folder;
  folder.Write("x", AsText(WithoutPadding(ExportedFile(MakeCheckpoint(config, "F32"), options), 3)));
  const auto model = LitertlmModel::Open(folder.File("x"));
  ASSERT_TRUE(model.ok()) << model.status().message();
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(Fingerprint128(**model, options), (*model)->record()->fingerprint->Text());
  }
}

TEST(LitertlmModel, FilesOfOthersHaveNoRecord) {
  const LitertlmOptions options = TestLitertlmOptions(TestConfig(true));
  const Bytes file = ExportedFile(MakeCheckpoint(TestConfig(true), "F32"), options);
  std::vector<TestSection> sections = SectionsOf(file);
  sections.erase(sections.begin() + 2);
  for (LitertlmItem& item : sections.back().items)
    item = {"MODEL_TYPE", std::string("TF_LITE_Prefill_Decode")};
  Bytes other = LitertlmFileOf(sections);
  auto model = LitertlmModel::FromMemory(other);
  ASSERT_TRUE(model.ok()) << model.status().message();
  EXPECT_FALSE((*model)->record());
  EXPECT_EQ((*model)->config().max_positions, 16u);
  sections.back().items.clear();  // then it is for everything
  other = LitertlmFileOf(sections);
  EXPECT_TRUE(LitertlmModel::FromMemory(other).ok());
  sections.back().items = {{"model_type", std::string("tf_lite_embedder")}};
  other = LitertlmFileOf(sections);
  EXPECT_NE(LitertlmModel::FromMemory(other).status().message().find("no section with a TFLite model"),
            std::string::npos);
  sections.push_back({LitertlmSectionType::kTfliteWeights, {}, {}});
  other = LitertlmFileOf(sections);
  EXPECT_EQ(LitertlmModel::FromMemory(other).status().code(), StatusCode::kUnsupported);
}

// Archives hold the name: one that they cannot hold would stop every compression.
TEST(LitertlmModel, HasANameThatArchivesCanHold) {
  const Bytes file =
      ExportedFile(MakeCheckpoint(TestConfig(true), "F32"), TestLitertlmOptions(TestConfig(true)));
  std::vector<TestSection> sections = SectionsOf(file);
  EXPECT_EQ((*LitertlmModel::FromMemory(file))->name(), "test");
  sections.erase(sections.begin() + 2);
  const Bytes other = LitertlmFileOf(sections);
  EXPECT_EQ((*LitertlmModel::FromMemory(other))->name(), "model");
  const TestFolder folder;
  for (const auto& [path, name] : {std::pair<std::string, std::string>("Qwen3-0.6B.litertlm", "Qwen3-0.6B"),
                                   {"a\x1b[31m.litertlm", "model"},
                                   {"\xff.litertlm", "model"},
                                   {".litertlm", "model"},
                                   {"plain", "plain"}}) {
    folder.Write(path, AsText(other));
    const auto model = LitertlmModel::Open(folder.File(path));
    ASSERT_TRUE(model.ok()) << model.status().message();
    EXPECT_EQ((*model)->name(), name);
  }
}

TEST(LitertlmModel, ARecordOfAnotherModelIsRefused) {
  const Bytes file =
      ExportedFile(MakeCheckpoint(TestConfig(true), "F32"), TestLitertlmOptions(TestConfig(true)));
  for (const int change : {0, 1, 2}) {
    std::vector<TestSection> sections = SectionsOf(file);
    Result<PithRecord> record = DecodePithRecord(sections[2].content);
    ASSERT_TRUE(record.ok());
    if (change == 0) record->description.config.vocab = 38;
    if (change == 1) record->description.config.rope_theta = 10001;
    if (change == 2) record->description.config.tied_head = false;
    sections[2].content = EncodePithRecord(*record);
    const Status status = LitertlmModel::FromMemory(LitertlmFileOf(sections)).status();
    EXPECT_EQ(status.code(), StatusCode::kCorrupt) << change;
    EXPECT_EQ(status.message(), "the record of pith and the graph are of different models");
  }
}

TEST(LitertlmModel, LayersThatShareWeightsAreRefused) {
  ModelConfig config = TestConfig(true);
  GraphFile g(config);
  // The second layer's gate becomes the first one's.
  const auto buffer_of = [&](const std::string& name) {
    for (const GraphWeight& w : g.graph.weights) {
      if (w.name == name) return w.buffer;
    }
    return 0u;
  };
  for (TfliteTensor& t : g.decode().tensors) {
    for (const std::string name : {"gate", "up", "down", "qkv", "o"}) {
      if (t.buffer == buffer_of("layers.1." + name)) t.buffer = buffer_of("layers.0." + name);
    }
  }
  // Without the buffers that nothing uses, and with short names, the file is smaller than the model.
  for (const std::string name : {"gate", "up", "down", "qkv", "o"})
    g.graph.model.buffers[buffer_of("layers.1." + name)] = {};
  EXPECT_TRUE(g.Recognise().ok());
  const Bytes file = LitertlmFileOf({{LitertlmSectionType::kTflite, {}, FileOf(g.graph)}});
  (void)LitertlmModel::FromMemory(file).ok();  // small as this is, the graphs outweigh it
  ModelConfig large = config;
  large.ffn = 3000;
  GraphFile h(large);
  uint32_t first = 0;
  for (const GraphWeight& w : h.graph.weights) {
    if (!w.is_matrix() ||
        (w.name.find("gate") == std::string::npos && w.name.find("up") == std::string::npos))
      continue;
    if (first == 0) {
      first = w.buffer;
      continue;
    }
    for (TfliteTensor& t : h.decode().tensors) t.buffer = t.buffer == w.buffer ? first : t.buffer;
    h.graph.model.buffers[w.buffer] = {};
  }
  const Bytes shared = LitertlmFileOf({{LitertlmSectionType::kTflite, {}, FileOf(h.graph)}});
  const Status status = LitertlmModel::FromMemory(shared).status();
  EXPECT_EQ(status.message(), "a graph in which layers share weights");
}

TEST(LitertlmModel, WeightsThatAreNotFiniteAreRefused) {
  const ModelConfig config = TestConfig(true);
  GraphFile g(config);
  Bytes model = FileOf(g.graph);
  const uint32_t nan = 0x7fc00000;
  std::memcpy(model.data() + g.graph.model.buffers[g.graph.weights[0].buffer].offset + 8, &nan, 4);
  const Bytes file = LitertlmFileOf({{LitertlmSectionType::kTflite, {}, model}});
  const auto opened = LitertlmModel::FromMemory(file);
  ASSERT_TRUE(opened.ok()) << opened.status().message();
  EXPECT_EQ(Fingerprint128(**opened, TestLitertlmOptions(config)),
            "model.embed_tokens.weight: values that are not finite");
}

// Codes of -128, which other quantisers may write, are quantised again.
TEST(LitertlmModel, CodesBeyondOursStandForTheSameValues) {
  const ModelConfig config = TestConfig(true);
  GraphFile g(config, WeightEncoding::kDynamicInt8);
  for (TfliteQuantization& q : g.graph.model.quantizations)
    std::fill(q.scale.begin(), q.scale.end(), 1.0f / 128);
  Bytes model = FileOf(g.graph);
  const uint64_t at = g.graph.model.buffers[g.graph.weights[0].buffer].offset;
  model[at] = 0x80;  // row 0: -128 and 64
  model[at + 1] = 0x40;
  model[at + 9] = 0x81;  // row 1: -127
  const Bytes file = LitertlmFileOf({{LitertlmSectionType::kTflite, {}, model}});
  const auto opened = LitertlmModel::FromMemory(file);
  ASSERT_TRUE(opened.ok()) << opened.status().message();
  ThreadPool pool(1);
  const auto package = (*opened)->ToPackage({}, "test", 0, ActivationTerms::Precise(2), pool);
  ASSERT_TRUE(package.ok()) << package.status().message();
  const PanelMatrixView& m = (*package)->weights().embedding;
  EXPECT_EQ(m.scale[0], 1.0f / 127);
  EXPECT_EQ(m.plane[PanelIndex(0, 0, 9)], -127);
  EXPECT_EQ(m.plane[PanelIndex(0, 1, 9)], 64);  // 63.5 to even
  EXPECT_EQ(m.scale[1], 1.0f / 128);
  EXPECT_EQ(m.plane[PanelIndex(1, 0, 9)], -127);
  EXPECT_EQ(m.scale[2], 0.0f) << "a row of zeros";
  EXPECT_TRUE((*package)->VerifyFingerprint().ok()) << "of these codes, not of those in the file";
}

TEST(LitertlmModel, ScalesThatAreNoneAreRefused) {
  const ModelConfig config = TestConfig(true);
  const auto with = [&](const auto& change) {
    GraphFile g(config, WeightEncoding::kDynamicInt8);
    change(g.graph.model.quantizations[0]);
    return LitertlmModel::FromMemory(LitertlmFileOf({{LitertlmSectionType::kTflite, {}, FileOf(g.graph)}})).status();
  };
  EXPECT_TRUE(with([](TfliteQuantization&) {}).ok());
  for (const float bad :
       {0.0f, -1.0f, std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    EXPECT_EQ(with([&](TfliteQuantization& q) { q.scale[36] = bad; }).code(), StatusCode::kCorrupt) << bad;
  }
  EXPECT_EQ(with([](TfliteQuantization& q) { q.scale.resize(36); }).code(), StatusCode::kUnsupported);
  EXPECT_EQ(with([](TfliteQuantization& q) { q.scale.resize(1); }).code(), StatusCode::kUnsupported);
  EXPECT_EQ(with([](TfliteQuantization& q) { q.dimension = 1; }).code(), StatusCode::kUnsupported);
}

// ---- Damage

// Files of a tiny model. Every prefix is an error; a byte that is flipped is one, or changes nothing that is
// weights: for a file that has a fingerprint nothing else gets through.
TEST(LitertlmModel, DamageIsFoundOrChangesNoWeight) {
  ModelConfig config = TestConfig(false);
  config.n_layers = 1;
  config.hidden = 3;
  config.head_dim = 4;
  config.ffn = 5;
  config.vocab = 7;
  LitertlmOptions options = TestLitertlmOptions(config);
  options.graph.prefill_lengths = {2};
  const Bytes file = WithoutPadding(ExportedFile(MakeCheckpoint(config, "F32"), options));
  const auto original = LitertlmModel::FromMemory(file);
  ASSERT_TRUE(original.ok()) << original.status().message();
  const std::string fingerprint = Fingerprint128(**original, options);
  const auto header = DecodeLitertlmHeader(file);
  ASSERT_TRUE(header.ok());
  const uint64_t model_begin = header->sections[3].begin;
  std::set<size_t> weights;  // bytes that are weights or, in the flatbuffer, are not known to be none
  for (const StoredTensor& t : (*original)->tensors()) {
    const auto first = static_cast<size_t>(t.data.data() - file.data());
    for (size_t i = 0; i < t.data.size(); ++i) weights.insert(first + i);
  }
  ThreadPool pool(1);
  size_t n_found = 0;
  for (size_t i = 0; i < file.size(); ++i) {
    if (i % 7 == 0) {
      const Bytes prefix(file.begin(), file.begin() + static_cast<ptrdiff_t>(i));
      EXPECT_FALSE(LitertlmModel::FromMemory(prefix).ok()) << i;
    }
    for (const uint8_t mask : {uint8_t{1}, uint8_t{0x80}}) {
      Bytes damaged = file;
      damaged[i] ^= mask;
      const auto model = LitertlmModel::FromMemory(damaged);
      if (!model.ok()) {
        EXPECT_FALSE(model.status().message().empty());
        ++n_found;
        continue;
      }
      // As Model::Open: terms and start token of the record.
      const auto& record = (*model)->record();
      const auto package =
          (*model)->ToPackage(Bytes(options.tokenizer.begin(), options.tokenizer.end()), "test",
                              record ? record->description.start_token : options.start_token,
                              record ? record->description.terms : options.terms, pool);
      if (!package.ok()) {
        EXPECT_EQ(package.status().code(), StatusCode::kCorrupt);
        ++n_found;
        continue;
      }
      EXPECT_EQ(weights.count(i), 0u) << "byte " << i << " of the weights";
      if (record && record->fingerprint) {
        EXPECT_EQ((*package)->fingerprint().Text(), fingerprint) << i;
      } else {
        EXPECT_LT(i, model_begin) << "only damage of header and record hides the record";
      }
    }
  }
  EXPECT_GT(n_found, weights.size() * 2);
}

TEST(LitertlmModel, ADamagedScaleIsFoundByTheFingerprint) {
  const ModelConfig config = TestConfig(true);
  const LitertlmOptions options = TestLitertlmOptions(config);
  Bytes file = ExportedFile(MakeCheckpoint(config, "F32"), options);
  auto original = LitertlmModel::FromMemory(file);
  ASSERT_TRUE(original.ok());
  const float scale = (*original)->tensors()[0].scales[5];
  const float next = (*original)->tensors()[0].scales[6];
  original = Corrupt("gone");
  uint8_t both[8];
  std::memcpy(both, &scale, 4);
  std::memcpy(both + 4, &next, 4);
  size_t n = 0;
  for (size_t at = 0; at + 8 <= file.size(); ++at) {
    if (std::memcmp(file.data() + at, both, 8) != 0) continue;
    ++n;
    file[at] ^= 1;
    const auto model = LitertlmModel::FromMemory(file);
    ASSERT_TRUE(model.ok()) << model.status().message();
    EXPECT_NE(Fingerprint128(**model, options).find("content has the fingerprint"), std::string::npos);
    file[at] ^= 1;
  }
  EXPECT_EQ(n, 1u) << "scales lie in the file once";
}

TEST(LitertlmModel, OpenNamesTheFile) {
  EXPECT_EQ(LitertlmModel::Open("/no/such/file").status().code(), StatusCode::kNotFound);
  const TestFolder folder;
  folder.Write("x", "LITERTLM");
  const Status status = LitertlmModel::Open(folder.File("x")).status();
  EXPECT_EQ(status.code(), StatusCode::kCorrupt);
  EXPECT_TRUE(status.message().starts_with(folder.File("x") + ": ")) << status.message();
}

// ---- A file of litert-torch

TEST(LitertlmModel, AFileOfLitertTorchHoldsTheRowsOfImport) {
  const std::string golden = std::string(PITH_SOURCE_DIR) + "/../shared/golden/";
  const std::string path = golden + "litert/qwen3-realvocab.litert-torch-0.10.0.litertlm";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << path << " is missing";
  const auto model = LitertlmModel::Open(path);
  ASSERT_TRUE(model.ok()) << model.status().message();
  EXPECT_FALSE((*model)->record());
  EXPECT_TRUE((*model)->metadata());
  ThreadPool pool(2);
  const size_t n_layers = (*model)->config().n_layers;
  const auto package = (*model)->ToPackage({}, "test", 0, ActivationTerms::Precise(n_layers), pool);
  ASSERT_TRUE(package.ok()) << package.status().message();

  ImportOptions options;
  options.name = "test";
  options.activations = Activations::kPrecise;
  const TestFolder folder;
  const auto report = ImportCheckpoint(golden + "models/qwen3-realvocab-bf16", folder.File("m.pmodel"),
                                       options, pool, KernelsFor(AvailableIsas().back()));
  ASSERT_TRUE(report.ok()) << report.status().message();
  const auto imported = Package::Open(folder.File("m.pmodel"));
  ASSERT_TRUE(imported.ok()) << imported.status().message();
  ModelConfig config = (*package)->weights().config;
  config.max_positions =
      (*imported)->weights().config.max_positions;  // the file only knows the length of its cache
  ASSERT_EQ(config, (*imported)->weights().config);
  ModelWeights a = (*package)->weights();
  ModelWeights b = (*imported)->weights();
  for (const TensorSpec& spec : CanonicalTensors(config)) {
    const TensorSlot x = SlotOf(a, spec);
    const TensorSlot y = SlotOf(b, spec);
    SCOPED_TRACE(CheckpointTensorName(spec));
    if (x.norm != nullptr) {
      EXPECT_EQ(std::memcmp(*x.norm, *y.norm, spec.cols * sizeof(float)), 0);
      continue;
    }
    EXPECT_EQ(std::memcmp(x.matrix->scale, y.matrix->scale, spec.rows * sizeof(float)), 0);
    std::vector<int8_t> rows_x(kPanelRows * spec.cols);
    std::vector<int8_t> rows_y(rows_x.size());
    for (size_t p = 0; p < x.matrix->n_panels(); ++p) {
      const size_t n = std::min<size_t>(kPanelRows, spec.rows - p * kPanelRows);
      UnpackPanel(x.matrix->panel(p), n, spec.cols, rows_x.data());
      UnpackPanel(y.matrix->panel(p), n, spec.cols, rows_y.data());
      ASSERT_EQ(std::memcmp(rows_x.data(), rows_y.data(), n * spec.cols), 0) << "panel " << p;
    }
  }
}

// Where the record holds no fingerprint, the header's uuid shows damage to weights.
TEST(LitertlmModelDamage, IsFoundInEveryEncoding) {
  const ModelConfig config = EncodingTestConfig(true);
  for (const WeightEncoding encoding : {WeightEncoding::kFloat16, WeightEncoding::kFloat32, WeightEncoding::kDynamicInt4,
                                        WeightEncoding::kDynamicInt8}) {
    TestFolder in;
    WriteTestFolder(in, MakeCheckpoint(config, "BF16"));
    const auto folder = ModelFolder::Open(in.path());
    ASSERT_TRUE(folder.ok()) << folder.status().message();
    const LitertlmOptions options = TestLitertlmOptions(config, encoding);
    ThreadPool pool(1);
    TestFolder out;
    ASSERT_TRUE(ExportLitertlm(**folder, out.File("m"), options, {}, pool).ok());
    std::string file = ReadFileText(out.File("m"));
    const auto load = [&] {
      out.Write("n", file);
      const auto model = LitertlmModel::Open(out.File("n"));
      if (!model.ok()) return model.status();
      return (*model)
          ->ToPackage(Bytes(options.tokenizer.begin(), options.tokenizer.end()), "n", options.start_token, options.terms, pool)
          .status();
    };
    ASSERT_TRUE(load().ok()) << load().message();
    for (const size_t from_end : {size_t{1}, size_t{600}, size_t{5000}}) {
      file[file.size() - from_end] ^= 1;
      EXPECT_EQ(load().code(), StatusCode::kCorrupt) << static_cast<int>(encoding) << " " << from_end;
      file[file.size() - from_end] ^= 1;
    }
  }
}

}  // namespace
}  // namespace pith
