// Speed of the engine on this machine: prefill, single-stream decode, lockstep decode, beside the machine's own limits.
//
//   engine_benchmark [--shape starter|0.6b|1.7b] [--model FILE] [--threads 1,2] [--terms fast|precise] [--window N]
//
// Without --model the weights are synthetic: right for speed, meaningless for anything else. One JSON object a line.
#include <chrono>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/check.h"
#include "base/thread_pool.h"
#include "bench/machine_limits.h"
#include "convert/package.h"
#include "model/engine.h"

namespace pith {
namespace {

double Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

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

struct Rates {
  double prefill_logits = 0;
  double prefill = 0;
  double decode = 0;
  double lockstep = 0;
};

// Tokens a second of n_streams streams that each append n_tokens in one call, after `before` tokens of context.
double Measure(Engine& engine, size_t n_streams, size_t before, size_t n_tokens, size_t n_calls, bool logits) {
  const size_t vocab = engine.weights().config.vocab;
  std::vector<TokenId> tokens(std::max(before, n_tokens * n_calls));
  for (size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<TokenId>((i * 7919 + 13) % vocab);
  std::vector<KvCache> caches;
  std::vector<Segment> segments;
  for (size_t s = 0; s < n_streams; ++s) caches.push_back(engine.NewCache());
  for (size_t s = 0; s < n_streams; ++s) segments.push_back({&caches[s], std::span(tokens).first(before)});
  PITH_CHECK(engine.Forward(segments, nullptr).ok());
  // The consumer touches nothing: what is done with logits is measured elsewhere.
  const LogitsConsumer consumer = [](size_t, size_t, size_t, float*) {};
  const double start = Now();
  for (size_t call = 0; call < n_calls; ++call) {
    for (Segment& s : segments) s.tokens = std::span(tokens).subspan(call * n_tokens, n_tokens);
    PITH_CHECK(engine.Forward(segments, logits ? consumer : nullptr).ok());
  }
  return static_cast<double>(n_streams * n_tokens * n_calls) / (Now() - start);
}

void Bench(const ModelWeights& weights, const Kernels& kernels, size_t n_threads, size_t window, const char* name,
           const char* terms) {
  ThreadPool pool(n_threads);
  Engine engine(weights, kernels, pool, {.window = window, .n_sinks = 4});
  const bool small = weights.n_weights() <= Engine::kSmallModelWeights;
  const size_t repeats = small ? 5 : 3;
  // A small model runs over several streams at once, as the codec runs it.
  const size_t streams = small ? 16 : 1;
  Rates r;
  for (size_t i = 0; i < repeats; ++i) {
    r.prefill_logits = std::max(r.prefill_logits, Measure(engine, streams, 0, 512, small ? 4 : 1, true));
    if (!small) r.prefill = std::max(r.prefill, Measure(engine, 1, 0, 512, 1, false));
    r.decode = std::max(r.decode, Measure(engine, 1, 64, 1, small ? 512 : 64, true));
    r.lockstep = std::max(r.lockstep, Measure(engine, 16, 64, 1, small ? 512 : 24, true));
  }
  const double ops = 2.0 * static_cast<double>(weights.n_weights());
  const double bandwidth = ReadBandwidth(pool) / 1e9;
  const double peak = Int8Peak(kernels.isa, pool) / 1e9;
  std::printf(
      "{\"model\": \"%s\", \"isa\": \"%s\", \"terms\": \"%s\", \"threads\": %zu, \"window\": %zu, "
      "\"prefill_all_logits\": %.1f, \"prefill_no_logits\": %.1f, \"decode\": %.2f, \"decode_16_streams\": %.1f, "
      "\"weights_gops_prefill\": %.0f, \"int8_peak_gops\": %.0f, \"decode_gb_s\": %.1f, \"read_gb_s\": %.1f}\n",
      name, std::string(IsaName(kernels.isa)).c_str(), terms, n_threads, window, r.prefill_logits, r.prefill, r.decode,
      r.lockstep, r.prefill_logits * ops / 1e9, peak, r.decode * ops / 2e9, bandwidth);
  std::fflush(stdout);
}

int Main(int argc, char** argv) {
  std::string shape = "0.6b", model, terms = "fast", threads = "1,2";
  size_t window = 1024;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string flag = argv[i];
    if (flag == "--shape") shape = argv[i + 1];
    if (flag == "--model") model = argv[i + 1];
    if (flag == "--threads") threads = argv[i + 1];
    if (flag == "--terms") terms = argv[i + 1];
    if (flag == "--window") window = std::strtoull(argv[i + 1], nullptr, 10);
  }
  const Result<Isa> isa = ChooseIsa();
  if (!isa.ok()) {
    std::fprintf(stderr, "engine_benchmark: %s\n", isa.status().message().c_str());
    return 1;
  }
  std::unique_ptr<SyntheticModel> synthetic;
  std::unique_ptr<Package> package;
  const ModelWeights* weights = nullptr;
  if (model.empty()) {
    const ModelConfig c = Shape(shape);
    synthetic = std::make_unique<SyntheticModel>(
        c, terms == "precise" ? ActivationTerms::Precise(c.n_layers) : ActivationTerms::Fast(c.n_layers));
    weights = &synthetic->weights();
  } else {
    Result<std::unique_ptr<Package>> opened = Package::Open(model);
    if (!opened.ok()) {
      std::fprintf(stderr, "engine_benchmark: %s\n", opened.status().message().c_str());
      return 1;
    }
    package = *std::move(opened);
    weights = &package->weights();
    terms = "as packaged";
  }
  for (const char* p = threads.c_str(); *p != 0; ++p) {
    char* end = nullptr;
    const size_t n = std::strtoull(p, &end, 10);
    Bench(*weights, KernelsFor(*isa), n, window, model.empty() ? shape.c_str() : model.c_str(), terms.c_str());
    p = end;
    if (*p == 0) break;
  }
  return 0;
}

}  // namespace
}  // namespace pith

int main(int argc, char** argv) { return pith::Main(argc, argv); }
