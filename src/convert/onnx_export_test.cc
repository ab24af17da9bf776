#include "convert/onnx_export.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "base/half.h"
#include "convert/onnx_blocks.h"
#include "convert/onnx_graph.h"
#include "convert/test_checkpoint.h"
#include "formats/onnx.h"

namespace pith {
namespace {

constexpr OnnxWeights kAllWeights[] = {OnnxWeights::kFloat32, OnnxWeights::kFloat16, OnnxWeights::kInt8,
                                       OnnxWeights::kInt4};

Result<ExportReport> Export(const TestFolder& folder, const std::string& name, OnnxWeights weights,
                            ExportControl control = {}, size_t n_threads = 2) {
  ThreadPool pool(n_threads);
  PITH_ASSIGN_OR_RETURN(const std::unique_ptr<ModelFolder> model, ModelFolder::Open(folder.path()));
  OnnxOptions options;
  options.weights = weights;
  return ExportOnnx(*model, folder.File(name), options, control, pool);
}

struct Exported {
  OnnxSummary summary;
  std::string data;

  const OnnxSummary::Tensor* Find(const std::string& name) const {
    for (const OnnxSummary::Tensor& t : summary.initializers) {
      if (t.name == name) return &t;
    }
    return nullptr;
  }
  // REQUIRES: it lies in the data file.
  std::string Data(const OnnxSummary::Tensor& t) const { return data.substr(t.external->offset, t.bytes); }
};

Exported ReadExported(const TestFolder& folder, const std::string& name) {
  const std::string text = ReadFileText(folder.File(name));
  const auto summary = ReadOnnx(AsBytes(text), name);
  EXPECT_TRUE(summary.ok()) << summary.status().message();
  return {summary.ok() ? *summary : OnnxSummary(), ReadFileText(folder.File(name + "_data"))};
}

template <typename T>
std::vector<T> As(const std::string& bytes) {
  std::vector<T> v(bytes.size() / sizeof(T));
  std::memcpy(v.data(), bytes.data(), v.size() * sizeof(T));
  return v;
}

// What the output stands for, one matrix.
std::vector<float> Decoded(const Exported& out, const std::string& name, size_t rows, size_t cols) {
  std::vector<float> values(rows * cols);
  if (const auto* plain = out.Find(name)) {
    if (plain->type == OnnxType::kFloat) return As<float>(out.Data(*plain));
    const auto halves = As<uint16_t>(out.Data(*plain));
    for (size_t i = 0; i < halves.size(); ++i) values[i] = HalfToFloat(halves[i]);
    return values;
  }
  const int bits = out.Find(name + "_Q8") != nullptr ? 8 : 4;
  const auto* codes = out.Find(name + (bits == 8 ? "_Q8" : "_Q4"));
  const auto* scales = out.Find(OnnxScalesName(name));
  if (codes == nullptr || scales == nullptr) {
    ADD_FAILURE() << name;
    return values;
  }
  const auto n_blocks = static_cast<int64_t>(OnnxBlocks(cols));
  EXPECT_EQ(codes->type, OnnxType::kUint8);
  EXPECT_EQ(codes->dims, (std::vector<int64_t>{static_cast<int64_t>(rows), n_blocks, 4 * bits}));
  EXPECT_EQ(scales->dims, (std::vector<int64_t>{static_cast<int64_t>(rows), n_blocks}));
  const auto code_bytes = As<uint8_t>(out.Data(*codes));
  const auto scale_values = As<float>(out.Data(*scales));
  for (size_t r = 0; r < rows; ++r) {
    DecodeOnnxRow(code_bytes.data() + r * OnnxCodeBytes(cols, bits),
                  scale_values.data() + r * OnnxBlocks(cols), bits,
                  std::span(values).subspan(r * cols, cols));
  }
  return values;
}

TEST(OnnxExport, EveryTensorStandsInTheFilesAndTheReportSaysHowWell) {
  for (const bool tied : {true, false}) {
    for (const char* type : {"F32", "F16", "BF16"}) {
      for (const OnnxWeights weights : kAllWeights) {
        const TestFolder folder;
        const TestCheckpoint checkpoint = MakeCheckpoint(TestConfig(tied), type);
        checkpoint.Write(folder, type[0] == 'F' ? 1 : 3);
        const auto report = Export(folder, "m.onnx", weights);
        ASSERT_TRUE(report.ok()) << report.status().message();
        const Exported out = ReadExported(folder, "m.onnx");
        ASSERT_EQ(report->tensors.size(), checkpoint.tensors.size());
        const double limit = weights == OnnxWeights::kInt4 ? 0.2 : weights == OnnxWeights::kInt8 ? 0.02 : 0;
        for (size_t i = 0; i < checkpoint.tensors.size(); ++i) {
          const TestTensor& t = checkpoint.tensors[i];
          const TensorReport& r = report->tensors[i];
          EXPECT_EQ(r.name, t.name);
          if (t.shape.size() == 1) {
            const auto* norm = out.Find(t.name);
            ASSERT_NE(norm, nullptr);
            EXPECT_FALSE(norm->external.has_value());
            EXPECT_EQ(r.relative_error, 0);
            EXPECT_EQ(r.encoding, "FLOAT");
            continue;
          }
          const std::vector<float> values = Decoded(out, t.name, t.shape[0], t.shape[1]);
          ASSERT_EQ(values.size(), t.values.size());
          double error = 0;
          double squares = 0;
          double largest = 0;
          for (size_t k = 0; k < values.size(); ++k) {
            const double d = static_cast<double>(values[k]) - static_cast<double>(t.values[k]);
            error += d * d;
            squares += std::pow(static_cast<double>(t.values[k]), 2);
            largest = std::max(largest, std::fabs(d));
          }
          EXPECT_NEAR(r.relative_error, std::sqrt(error / squares), 1e-9) << t.name;
          EXPECT_NEAR(r.largest_error, largest, 1e-7) << t.name;
          EXPECT_LE(r.relative_error, limit) << t.name << " " << r.encoding;
          EXPECT_GT(r.outlier, 1) << t.name;
        }
        EXPECT_EQ(report->output_bytes, std::filesystem::file_size(folder.File("m.onnx")) + out.data.size());
        EXPECT_GT(report->source_bytes, 0u);
      }
    }
  }
}

TEST(OnnxExport, TheGraphIsSoundAndHasTheInputsAndOutputsOfTheLayout) {
  for (const bool tied : {true, false}) {
    for (const OnnxForm form : {OnnxForm::kFloat32, OnnxForm::kFloat16, OnnxForm::kInt8}) {
      const ModelConfig config = TestConfig(tied);
      const OnnxModel m = BuildOnnxGraph(config, {form, form, form});
      std::set<std::string> known;
      const auto add = [&](const std::string& name) {
        EXPECT_TRUE(known.insert(name).second) << name << " twice";
      };
      for (const OnnxValue& v : m.inputs) add(v.name);
      for (const OnnxTensor& t : m.initializers) add(t.name);
      for (const TensorSpec& spec : CanonicalTensors(config)) {
        const std::string name = CheckpointTensorName(spec);
        add(spec.is_matrix() ? OnnxWeightName(name, form) : name);
        if (spec.is_matrix() && form == OnnxForm::kInt8) add(OnnxScalesName(name));
      }
      std::set<std::string> used;
      std::set<std::string> node_names;
      for (const OnnxNode& n : m.nodes) {
        EXPECT_TRUE(node_names.insert(n.name).second) << n.name;
        for (const std::string& name : n.inputs) {
          EXPECT_EQ(known.count(name), 1u)
              << n.name << " takes " << name << ", which nothing gives before it";
          used.insert(name);
        }
        for (const std::string& name : n.outputs) add(name);
      }
      for (const OnnxValue& v : m.outputs) {
        EXPECT_EQ(known.count(v.name), 1u) << v.name;
        used.insert(v.name);
      }
      for (const std::string& name : known) EXPECT_EQ(used.count(name), 1u) << name << " is not used";

      ASSERT_EQ(m.inputs.size(), 3 + 2 * config.n_layers);
      EXPECT_EQ(m.inputs[0].name, "input_ids");
      EXPECT_EQ(m.inputs[1].name, "attention_mask");
      EXPECT_EQ(m.inputs[2].name, "position_ids");
      EXPECT_EQ(m.inputs[3].name, "past_key_values.0.key");
      EXPECT_EQ(m.inputs[6].name, "past_key_values.1.value");
      EXPECT_EQ(m.outputs[0].name, "logits");
      EXPECT_EQ(m.outputs[4].name, "present.1.value");
      ASSERT_EQ(m.inputs[3].dims.size(), 4u);
      EXPECT_EQ(m.inputs[3].dims[1].size, 1);
      EXPECT_EQ(m.inputs[3].dims[2].name, "past_sequence_length");
      EXPECT_EQ(m.inputs[3].dims[3].size, 6);
    }
  }
}

TEST(OnnxExport, ATiedModelStoresItsEmbeddingOnce) {
  for (const OnnxWeights weights : kAllWeights) {
    const TestFolder folder;
    MakeCheckpoint(TestConfig(true), "BF16").Write(folder);
    ASSERT_TRUE(Export(folder, "m.onnx", weights).ok());
    const Exported out = ReadExported(folder, "m.onnx");
    size_t n = 0;
    for (const OnnxSummary::Tensor& t : out.summary.initializers)
      n += !t.dims.empty() && t.dims[0] == 37 && t.name.find("_scales") == std::string::npos;
    EXPECT_EQ(n, 1u);
  }
}

TEST(OnnxExport, BytesDoNotDependOnThreads) {
  for (const OnnxWeights weights : kAllWeights) {
    const TestFolder folder;
    MakeCheckpoint(TestConfig(false), "F32").Write(folder);
    ASSERT_TRUE(Export(folder, "m.onnx", weights, {}, 1).ok());
    const std::string model = ReadFileText(folder.File("m.onnx"));
    const std::string data = ReadFileText(folder.File("m.onnx_data"));
    ExportControl control;
    control.replace = true;
    ASSERT_TRUE(Export(folder, "m.onnx", weights, control, 3).ok());
    EXPECT_EQ(ReadFileText(folder.File("m.onnx")), model);
    EXPECT_EQ(ReadFileText(folder.File("m.onnx_data")), data);
  }
}

TEST(OnnxExport, ValuesThatAreNotFiniteAreNamedAndNothingIsWritten) {
  for (const char* type : {"F32", "BF16"}) {
    for (const float bad :
         {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
      for (const char* name : {"model.layers.1.mlp.down_proj.weight", "model.norm.weight"}) {
        for (const OnnxWeights weights : kAllWeights) {
          const TestFolder folder;
          TestCheckpoint checkpoint = MakeCheckpoint(TestConfig(true), type);
          const bool norm = std::string_view(name) == "model.norm.weight";
          checkpoint.Tensor(name).values[norm ? 4 : 2 * 21 + 4] = bad;
          checkpoint.Write(folder);
          const size_t n_before = folder.n_entries();
          const auto report = Export(folder, "m.onnx", weights);
          ASSERT_FALSE(report.ok());
          EXPECT_EQ(report.status().code(), StatusCode::kCorrupt);
          const std::string expected = folder.File("model.safetensors") + ": tensor \"" + name + "\": row " +
                                       (norm ? "0" : "2") + ", column 4: found " +
                                       (bad != bad ? "NaN" : "infinity") + ", expected finite values";
          EXPECT_EQ(report.status().message(), expected);
          EXPECT_EQ(folder.n_entries(), n_before);
        }
      }
    }
  }
}

TEST(OnnxExport, AValueBeyondFloat16IsRefusedForFloat16Only) {
  const TestFolder folder;
  TestCheckpoint checkpoint = MakeCheckpoint(TestConfig(true), "BF16");
  checkpoint.Tensor("model.layers.0.mlp.up_proj.weight").values[10] = 65536;
  checkpoint.Write(folder);
  const auto report = Export(folder, "m.onnx", OnnxWeights::kFloat16);
  EXPECT_EQ(report.status().code(), StatusCode::kUnsupported);
  EXPECT_NE(report.status().message().find("row 1, column 1"), std::string::npos)
      << report.status().message();
  EXPECT_TRUE(Export(folder, "m.onnx", OnnxWeights::kInt8).ok());
}

TEST(OnnxExport, AHeadThatDiffersFromItsTiedEmbeddingIsCorrupt) {
  const TestFolder folder;
  TestCheckpoint checkpoint = MakeCheckpoint(TestConfig(true), "BF16");
  TestTensor head = checkpoint.tensors[0];
  head.name = "lm_head.weight";
  checkpoint.tensors.push_back(head);
  checkpoint.Write(folder);
  EXPECT_TRUE(Export(folder, "a.onnx", OnnxWeights::kInt8).ok());
  checkpoint.tensors.back().values[9 * 3 + 2] += 1;
  checkpoint.Write(folder);
  const auto report = Export(folder, "b.onnx", OnnxWeights::kInt8);
  EXPECT_EQ(report.status().code(), StatusCode::kCorrupt);
  EXPECT_NE(report.status().message().find("row 3, column 2"), std::string::npos)
      << report.status().message();
  EXPECT_FALSE(std::filesystem::exists(folder.File("b.onnx")));
  EXPECT_FALSE(std::filesystem::exists(folder.File("b.onnx_data")));
}

TEST(OnnxExport, ExistingFilesAreReplacedOnlyOnDemand) {
  const TestFolder folder;
  MakeCheckpoint(TestConfig(true), "BF16").Write(folder);
  for (const char* existing : {"m.onnx", "m.onnx_data"}) {
    folder.Write(existing, "mine");
    const size_t n_before = folder.n_entries();
    EXPECT_EQ(Export(folder, "m.onnx", OnnxWeights::kInt8).status().code(), StatusCode::kAlreadyExists);
    EXPECT_EQ(ReadFileText(folder.File(existing)), "mine");
    EXPECT_EQ(folder.n_entries(), n_before);
    std::filesystem::remove(folder.File(existing));
  }
  folder.Write("m.onnx", "mine");
  folder.Write("m.onnx_data", "mine");
  ExportControl control;
  control.replace = true;
  EXPECT_TRUE(Export(folder, "m.onnx", OnnxWeights::kInt8, control).ok());
  EXPECT_NE(ReadFileText(folder.File("m.onnx")), "mine");
  EXPECT_NE(ReadFileText(folder.File("m.onnx_data")), "mine");
}

TEST(OnnxExport, IfTheModelCannotAppearItsDataDoesNotEither) {
  const TestFolder folder;
  MakeCheckpoint(TestConfig(true), "BF16").Write(folder);
  ExportControl control;
  control.progress = [&](const ExportProgress&) { folder.Write("m.onnx", "someone else's"); };
  EXPECT_EQ(Export(folder, "m.onnx", OnnxWeights::kInt8, control).status().code(),
            StatusCode::kAlreadyExists);
  EXPECT_EQ(ReadFileText(folder.File("m.onnx")), "someone else's");
  EXPECT_EQ(folder.n_entries(), 3u);  // that, and the checkpoint's two
}

TEST(OnnxExport, ActivationsAreRoundedOnDemandOnly) {
  for (const bool on : {false, true}) {
    const OnnxModel m =
        BuildOnnxGraph(TestConfig(true), {OnnxForm::kInt8, OnnxForm::kInt4, OnnxForm::kInt8, on});
    size_t n = 0;
    size_t n_levels = 0;
    for (const OnnxNode& node : m.nodes) {
      n += node.op == "MatMulNBits";
      for (const OnnxAttribute& a : node.attributes) n_levels += a.name == "accuracy_level";
    }
    EXPECT_EQ(n, 15u);
    EXPECT_EQ(n_levels, on ? 15u : 0u);
  }
}

TEST(OnnxExport, ProgressReachesItsTotalAndCancelLeavesNothing) {
  const TestFolder folder;
  MakeCheckpoint(TestConfig(false), "BF16").Write(folder);
  ExportControl control;
  uint64_t done = 0;
  uint64_t total = 0;
  size_t n_calls = 0;
  control.progress = [&](const ExportProgress& p) {
    EXPECT_GE(p.done, done);
    EXPECT_FALSE(p.item.empty());
    done = p.done;
    total = p.total;
    ++n_calls;
  };
  ASSERT_TRUE(Export(folder, "m.onnx", OnnxWeights::kInt8, control).ok());
  EXPECT_EQ(done, total);
  EXPECT_GT(n_calls, 20u);

  const size_t n_before = folder.n_entries();
  for (const size_t at : {size_t{1}, n_calls / 2, n_calls}) {
    size_t n = 0;
    control.cancelled = [&] { return ++n >= at; };
    done = 0;
    EXPECT_EQ(Export(folder, "other.onnx", OnnxWeights::kInt8, control).status().code(),
              StatusCode::kCancelled);
    EXPECT_EQ(folder.n_entries(), n_before) << at;
  }
}

}  // namespace
}  // namespace pith
