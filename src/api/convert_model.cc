// ConvertModel of include/pith/pith.h: chooses the exporter, and gives it tokenizer, metadata and options.
#include <algorithm>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/boundary.h"
#include "api/calibration_text.h"
#include "api/folder_tokenizer.h"
#include "base/cpu.h"
#include "base/file.h"
#include "convert/gguf_export.h"
#include "convert/litertlm_export.h"
#include "convert/model_folder.h"
#include "convert/onnx_export.h"
#include "convert/qwen3_metadata.h"
#include "kernels/kernels.h"
#include "pith/pith.h"
#include "tokenizer/tokenizer.h"

namespace pith {
namespace {

constexpr std::string_view kDefaultFormat = "litertlm";
constexpr uint32_t kPrefillLengths[] = {8, 64, 128, 256, 512, 1024};

std::string Joined(const std::vector<std::string>& words) {
  std::string text;
  for (size_t i = 0; i < words.size(); ++i) {
    text += (i == 0 ? "" : i + 1 == words.size() ? " or " : ", ") + words[i];
  }
  return text;
}

std::string FormatOf(const std::string& path) {
  for (const char* format : {"litertlm", "gguf", "onnx"}) {
    if (path.ends_with(std::string(".") + format)) return format;
  }
  return std::string(kDefaultFormat);
}

class Converter {
 public:
  Converter(const std::string& output_path, const ConvertModelOptions& options,
            const ConvertModelProgressCallback& progress)
      : output_path_(output_path), o_(options), pool_(options.threads == 0 ? AvailableThreads() : options.threads) {
    control_.replace = options.replace;
    if (progress) {
      control_.progress = [this, &progress](const ExportProgress& p) {
        stopped_ = stopped_ || !progress({.done = p.done, .total = p.total, .item = std::string(p.item)});
      };
      control_.cancelled = [this] { return stopped_; };
    }
  }

  Result<ConvertModelResult> Run(const std::string& folder_path) {
    result_.format = o_.format.empty() ? FormatOf(output_path_) : o_.format;
    const std::vector<std::string> encodings = ConvertEncodings(result_.format);
    if (encodings.empty()) {
      return InvalidArgument("format '" + result_.format + "', expected litertlm, gguf or onnx");
    }
    result_.quantize = o_.quantize.empty() ? encodings.front() : o_.quantize;
    if (std::find(encodings.begin(), encodings.end(), result_.quantize) == encodings.end()) {
      return InvalidArgument("quantize '" + result_.quantize + "', expected for " + result_.format + ": " +
                             Joined(encodings));
    }
    PITH_ASSIGN_OR_RETURN(folder_, ModelFolder::Open(folder_path));
    PITH_RETURN_IF_ERROR(CheckOutputIsNoInput(folder_path, output_path_));
    if (result_.format == "onnx") PITH_RETURN_IF_ERROR(CheckOutputIsNoInput(folder_path, OnnxDataPath(output_path_)));
    if (result_.format != "litertlm") PITH_RETURN_IF_ERROR(CheckNothingForLitertlm());
    result_.name = o_.name.empty() ? folder_->name() : o_.name;
    control_.name = result_.name;
    PITH_ASSIGN_OR_RETURN(tokenizer_, ReadFolderTokenizer(folder_path));
    if (tokenizer_ && tokenizer_->vocab_size() > folder_->config().vocab) {
      return InvalidArgument(folder_path + ": tokenizer.json has " + std::to_string(tokenizer_->vocab_size()) +
                             " tokens, the model only " + std::to_string(folder_->config().vocab));
    }
    result_.files = {output_path_};
    ExportReport report;
    if (result_.format == "gguf") {
      GgufOptions options;
      options.type = result_.quantize == "f16" ? GgufType::kF16 : result_.quantize == "q4_0" ? GgufType::kQ4_0 : GgufType::kQ8_0;
      PITH_ASSIGN_OR_RETURN(report, ExportGguf(*folder_, output_path_, options, control_, pool_));
    } else if (result_.format == "onnx") {
      PITH_ASSIGN_OR_RETURN(report, Onnx());
    } else {
      PITH_ASSIGN_OR_RETURN(report, Litertlm());
    }
    result_.source_bytes = report.source_bytes;
    result_.output_bytes = report.output_bytes;
    for (TensorReport& t : report.tensors) {
      result_.tensors.push_back({std::move(t.name), std::move(t.encoding), t.rows, t.cols, t.bytes, t.relative_error,
                                 t.largest_error, t.outlier});
    }
    return std::move(result_);
  }

 private:
  // What only a .litertlm file can keep must not be lost without a word.
  Status CheckNothingForLitertlm() const {
    const ConvertModelOptions usual;
    const char* given = o_.kv_cache_max_len != usual.kv_cache_max_len ? "kv-cache-max-len"
                        : !o_.prefill.empty()                         ? "prefill"
                        : o_.metadata != usual.metadata               ? "metadata"
                        : !o_.system.empty()                          ? "system"
                        : !o_.stop.empty()                            ? "stop"
                        : o_.greedy                                   ? "greedy"
                        : o_.temperature                              ? "temperature"
                        : o_.top_p                                    ? "top-p"
                        : o_.top_k                                    ? "top-k"
                        : o_.seed                                     ? "seed"
                                                                      : nullptr;
    if (given == nullptr) return OkStatus();
    return InvalidArgument(std::string(given) + " is kept in .litertlm files only; the format is " + result_.format);
  }

  Result<ExportReport> Onnx() {
    OnnxOptions options;
    options.weights = result_.quantize == "none"   ? OnnxWeights::kFloat32
                      : result_.quantize == "fp16" ? OnnxWeights::kFloat16
                      : result_.quantize == "int4" ? OnnxWeights::kInt4
                                                   : OnnxWeights::kInt8;
    options.int8_activations = o_.activations == "fast";
    result_.files.push_back(OnnxDataPath(output_path_));
    return ExportOnnx(*folder_, output_path_, options, control_, pool_);
  }

  Result<ExportReport> Litertlm() {
    if (!tokenizer_) {
      return Unsupported(folder_->directory() + ": no tokenizer.json, without which a .litertlm file is of no use");
    }
    LitertlmOptions options;
    PITH_RETURN_IF_ERROR(SetGraph(options.graph));
    MetadataOptions metadata;
    if (o_.metadata != "qwen3" && o_.metadata != "generic") {
      return InvalidArgument("metadata '" + o_.metadata + "', expected qwen3 or generic");
    }
    metadata.style = o_.metadata == "qwen3" ? MetadataStyle::kQwen3 : MetadataStyle::kGeneric;
    metadata.system = o_.system;
    metadata.stop_strings = o_.stop;
    metadata.greedy = o_.greedy;
    metadata.temperature = o_.temperature;
    metadata.top_p = o_.top_p;
    metadata.top_k = o_.top_k;
    metadata.seed = o_.seed;
    PITH_ASSIGN_OR_RETURN(ModelMetadata made, BuildQwen3Metadata(*folder_, o_.kv_cache_max_len, metadata));
    result_.notes = std::move(made.notes);
    options.llm_metadata = EncodeLlmMetadata(made.metadata);
    options.name = result_.name;
    options.timestamp = o_.timestamp;
    options.measure_errors = o_.report;
    PITH_ASSIGN_OR_RETURN(options.start_token, ReadStartToken(folder_->directory(), &*tokenizer_));
    const Bytes serialized = tokenizer_->Serialize();
    options.tokenizer = serialized;

    const size_t n_layers = folder_->config().n_layers;
    std::vector<TokenId> calibration;
    if (o_.activations == "fast") {
      options.terms = ActivationTerms::Fast(n_layers);
    } else if (o_.activations == "precise" || o_.activations == "auto") {
      options.terms = ActivationTerms::Precise(n_layers);
    } else {
      return InvalidArgument("activations: '" + o_.activations + "', expected fast, auto or precise");
    }
    if (o_.activations == "auto") {
      tokenizer_->Encode(AsBytes(CalibrationText()), calibration);
      options.calibration_tokens = calibration;
      PITH_ASSIGN_OR_RETURN(const Isa isa, ChooseIsa());
      options.kernels = &KernelsFor(isa);
    }
    PITH_ASSIGN_OR_RETURN(LitertlmReport report, ExportLitertlm(*folder_, output_path_, options, control_, pool_));
    if (report.fingerprint) result_.fingerprint = report.fingerprint->Text();
    return static_cast<ExportReport>(std::move(report));
  }

  Status SetGraph(GraphOptions& graph) const {
    if (o_.kv_cache_max_len == 0 || o_.kv_cache_max_len > kMaxCacheLength) {
      return InvalidArgument("kv-cache-max-len: " + std::to_string(o_.kv_cache_max_len) + ", expected 1 to " +
                             std::to_string(kMaxCacheLength));
    }
    graph.cache_length = static_cast<int32_t>(o_.kv_cache_max_len);
    graph.prefill_lengths.clear();
    for (const uint32_t n : o_.prefill) {
      if (n == 0 || n > o_.kv_cache_max_len) {
        return InvalidArgument("prefill length " + std::to_string(n) + ", expected 1 to the length of the KV cache, " +
                               std::to_string(o_.kv_cache_max_len));
      }
      graph.prefill_lengths.push_back(static_cast<int32_t>(n));
    }
    if (o_.prefill.empty()) {
      for (const uint32_t n : kPrefillLengths) {
        if (n <= o_.kv_cache_max_len) graph.prefill_lengths.push_back(static_cast<int32_t>(n));
      }
      if (graph.prefill_lengths.empty()) graph.prefill_lengths.push_back(graph.cache_length);
    }
    if (result_.quantize == "dynamic_int8") {
      graph.encoding = WeightEncoding::kDynamicInt8;
    } else if (result_.quantize == "weight_only_int8") {
      graph.encoding = WeightEncoding::kWeightOnlyInt8;
    } else if (result_.quantize == "fp16") {
      graph.encoding = WeightEncoding::kFloat16;
    } else if (result_.quantize == "none") {
      graph.encoding = WeightEncoding::kFloat32;
    } else {
      graph.encoding = WeightEncoding::kDynamicInt4;
      graph.block = result_.quantize == "dynamic_int4_block32" ? 32 : 128;
    }
    return OkStatus();
  }

  static constexpr uint32_t kMaxCacheLength = 1u << 20;

  const std::string& output_path_;
  const ConvertModelOptions& o_;
  ThreadPool pool_;
  ExportControl control_;
  bool stopped_ = false;
  std::unique_ptr<ModelFolder> folder_;
  std::optional<Tokenizer> tokenizer_;
  ConvertModelResult result_;
};

}  // namespace

std::vector<std::string> ConvertEncodings(const std::string& format) {
  if (format == "litertlm") {
    return {"dynamic_int8", "fp16", "none", "weight_only_int8", "dynamic_int4_block32", "dynamic_int4_block128"};
  }
  if (format == "gguf") return {"q8_0", "f16", "q4_0"};
  if (format == "onnx") return {"int8", "none", "fp16", "int4"};
  return {};
}

Result<ConvertModelResult> ConvertModel(const std::string& checkpoint_dir, const std::string& output_path,
                                        const ConvertModelOptions& options,
                                        const ConvertModelProgressCallback& progress) {
  return AtBoundary([&] { return Converter(output_path, options, progress).Run(checkpoint_dir); });
}

}  // namespace pith
