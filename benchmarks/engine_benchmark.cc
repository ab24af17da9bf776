// Speed of the engine on this machine: prefill, single-stream decode, lockstep decode, beside the machine's own limits.
//
//   engine_benchmark [--shape starter|0.6b|1.7b] [--model FILE|builtin] [--threads 1,2] [--terms fast|precise]
//   [--window N]
//
// Without --model the weights are synthetic: right for speed, meaningless for anything else. One JSON object a line: a
// speed, and at last what the machine can do with the most threads.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/cpu.h"
#include "bench/engine_measurement.h"
#include "pith/pith.h"

namespace pith {
namespace {

// Random int8 rows in the shape of a model.
class SyntheticModel {
 public:
  SyntheticModel(const ModelConfig& c, const ActivationTerms& terms) {
    weights_.config = c;
    weights_.terms = terms;
    weights_.embedding = Matrix(c.vocab, c.hidden);
    weights_.head = c.tied_head ? weights_.embedding : Matrix(c.vocab, c.hidden);
    for (size_t l = 0; l < c.n_layers; ++l) {
      LayerWeights w;
      w.q = Matrix(c.q_rows(), c.hidden);
      w.k = Matrix(c.kv_rows(), c.hidden);
      w.v = Matrix(c.kv_rows(), c.hidden);
      w.o = Matrix(c.hidden, c.q_rows());
      w.gate = Matrix(c.ffn, c.hidden);
      w.up = Matrix(c.ffn, c.hidden);
      w.down = Matrix(c.hidden, c.ffn);
      w.input_norm = w.post_attention_norm = Ones(c.hidden);
      w.q_norm = w.k_norm = Ones(c.head_dim);
      weights_.layers.push_back(w);
    }
    weights_.final_norm = Ones(c.hidden);
  }
  const ModelWeights& weights() const { return weights_; }

 private:
  PanelMatrixView Matrix(size_t rows, size_t cols) {
    planes_.emplace_back(PanelMatrixBytes(rows, cols));
    floats_.emplace_back(PanelCount(rows) * kPanelRows);
    AlignedBuffer<int8_t>& plane = planes_.back();
    for (size_t i = 0; i < plane.size(); i += 8) {
      state_ = state_ * 6364136223846793005ull + 1442695040888963407ull;
      // Three bits a byte, centred: values in [-7, 7] are as good as any for time.
      const uint64_t bits = (state_ >> 8) & 0x0707070707070707ull;
      std::memcpy(plane.data() + i, &bits, std::min<size_t>(8, plane.size() - i));
    }
    for (size_t r = 0; r < rows; ++r) floats_.back()[r] = 0.01f;
    return {.rows = rows,
            .cols = cols,
            .stride = PaddedDepth(cols) * kPanelRows,
            .plane = plane.data(),
            .low = nullptr,
            .scale = floats_.back().data()};
  }
  const float* Ones(size_t n) {
    floats_.emplace_back(n);
    for (size_t i = 0; i < n; ++i) floats_.back()[i] = 1.0f;
    return floats_.back().data();
  }

  uint64_t state_ = 1;
  ModelWeights weights_;
  std::vector<AlignedBuffer<int8_t>> planes_;
  std::vector<AlignedBuffer<float>> floats_;
};

ModelConfig Shape(const std::string& name) {
  ModelConfig c{.n_layers = 28,
                .hidden = 1024,
                .n_heads = 16,
                .n_kv_heads = 8,
                .head_dim = 128,
                .ffn = 3072,
                .vocab = 151936,
                .max_positions = 40960,
                .rope_theta = 1e6,
                .rms_eps = 1e-6f,
                .tied_head = true};
  if (name == "1.7b") {
    c.hidden = 2048;
    c.ffn = 6144;
  } else if (name == "starter") {
    c = {.n_layers = 6,
         .hidden = 192,
         .n_heads = 3,
         .n_kv_heads = 1,
         .head_dim = 64,
         .ffn = 576,
         .vocab = 4096,
         .max_positions = 512,
         .rope_theta = 1e4,
         .rms_eps = 1e-6f,
         .tied_head = true};
  } else if (name != "0.6b") {
    std::fprintf(stderr, "engine_benchmark: unknown shape %s\n", name.c_str());
    std::exit(2);
  }
  return c;
}

void Print(const bench::EngineResults& results) {
  const auto share = [](const char* name, const std::optional<double>& value) {
    if (value) std::printf(", \"%s\": %.3f", name, *value);
  };
  for (const bench::EngineSpeed& speed : results.speeds) {
    std::printf("{\"name\": \"%s\", \"threads\": %u, \"streams\": %u, \"tokens_per_second\": %.1f", speed.name.c_str(),
                speed.threads, speed.streams, speed.tokens_per_second);
    share("int8_share", speed.int8_share);
    share("bandwidth_share", speed.bandwidth_share);
    std::printf("}\n");
  }
  std::printf("{\"engine\": \"%s\", \"isa\": \"%s\", \"model\": \"%s\", \"int8_gops\": %.0f, \"read_gb_s\": %.1f}\n",
              results.engine.c_str(), InstructionSet().c_str(), results.model.c_str(),
              results.int8_operations_per_second.value_or(0) / 1e9, results.read_bytes_per_second.value_or(0) / 1e9);
}

// "1,2" as numbers.
std::vector<size_t> Counts(const char* text) {
  std::vector<size_t> counts;
  while (*text != 0) {
    char* end = nullptr;
    counts.push_back(std::strtoull(text, &end, 10));
    if (end == text) break;
    text = *end == ',' ? end + 1 : end;
  }
  return counts;
}

int Main(int argc, char** argv) {
  std::string shape = "0.6b", model, terms = "fast";
  bench::EngineMeasurementOptions options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string flag = argv[i];
    if (flag == "--shape") shape = argv[i + 1];
    if (flag == "--model") model = argv[i + 1];
    if (flag == "--threads") options.threads = Counts(argv[i + 1]);
    if (flag == "--terms") terms = argv[i + 1];
    if (flag == "--window") options.window = std::strtoull(argv[i + 1], nullptr, 10);
  }
  const auto progress = [](const bench::EngineProgress& p) {
    std::fprintf(stderr, "%zu/%zu %s\n", p.done + 1, p.total, p.doing.c_str());
    return true;
  };
  const auto measure = [&]() -> Result<bench::EngineResults> {
    if (!model.empty()) {
      PITH_ASSIGN_OR_RETURN(const Model opened, model == "builtin" ? Model::Builtin({}) : Model::Open(model, {}));
      return bench::MeasureEngine(opened, options, progress);
    }
    PITH_ASSIGN_OR_RETURN(const Isa isa, ChooseIsa());
    const ModelConfig c = Shape(shape);
    const SyntheticModel synthetic(
        c, terms == "precise" ? ActivationTerms::Precise(c.n_layers) : ActivationTerms::Fast(c.n_layers));
    return bench::MeasureEngine(synthetic.weights(), KernelsFor(isa), shape + " " + terms, options, progress);
  };
  const Result<bench::EngineResults> results = measure();
  if (!results.ok()) {
    std::fprintf(stderr, "engine_benchmark: %s\n", results.status().message().c_str());
    return 1;
  }
  Print(*results);
  return 0;
}

}  // namespace
}  // namespace pith

int main(int argc, char** argv) { return pith::Main(argc, argv); }
