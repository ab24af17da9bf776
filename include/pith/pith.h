// pith: text compression with a language model, as a library.
//
// The library never prints, never exits and throws nothing. Everything here is thread-compatible: distinct objects may
// be used from distinct threads; one Model may serve several calls one after another, not at once.
//
//   pith::Result<pith::Model> model = pith::Model::Builtin({});
//   pith::Result<pith::CompressResult> result = pith::Compress(*model, source, sink, {}, nullptr);
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "pith/io.h"
#include "pith/status.h"

namespace pith {

// ---- Progress -----------------------------------------------------------------------------------------------------

struct Progress {
  uint64_t bytes_in = 0;   // consumed from the source, up to the last finished step
  uint64_t bytes_out = 0;  // given to the sink
  uint64_t original_bytes = 0;  // of the content, done so far, at a finer grain than blocks
};

// Called several times a second at most, from the calling thread. Returning false cancels: kCancelled.
using ProgressCallback = std::function<bool(const Progress&)>;

// ---- Models -------------------------------------------------------------------------------------------------------

struct ModelOptions {
  size_t threads = 0;  // 0: as many as the machine offers to this process
};

struct ModelInfo {
  std::string name;          // "starter", "Qwen3-0.6B"
  std::string fingerprint;   // 32 hexadecimal digits over the canonical content
  std::string architecture;  // "qwen3"
  uint64_t parameters = 0;
  uint64_t file_bytes = 0;
  uint32_t vocab = 0;        // ids that the tokenizer knows; without one, that the embedding has
  bool has_tokenizer = true;  // without one, a model can only do EvaluateLogits
  uint32_t layers = 0;
  uint32_t hidden = 0;
  uint32_t max_positions = 0;
  std::string activations;   // "fast", "precise", or "mixed: 3 of 25 sites with two terms"
};

// A model and the threads that run it. Move-only.
class Model {
 public:
  // A model inside the program, by its name (BuiltinModelNames); without one the default. kNotFound when this build has none.
  static Result<Model> Builtin(const ModelOptions& options, const std::string& name = "");
  // A file made by ImportModel, or a .litertlm or GGUF file of a Qwen3 model, by ConvertModel or others. kNotFound,
  // kCorrupt, kUnsupported.
  static Result<Model> Open(const std::string& path, const ModelOptions& options);

  Model(Model&&) noexcept;
  Model& operator=(Model&&) noexcept;
  ~Model();

  const ModelInfo& info() const;
  size_t threads() const;

  struct Impl;
  Impl& impl() { return *impl_; }
  const Impl& impl() const { return *impl_; }

 private:
  explicit Model(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// The models inside the program, the default first: "mini", "nano". "builtin" means the default, too.
std::vector<std::string> BuiltinModelNames();
bool IsBuiltinModel(const std::string& name);
// What Model::Builtin would give, without starting anything. kNotFound when this build has none.
Result<ModelInfo> BuiltinModelInfo(const std::string& name = "");
// The fingerprint alone, at once; empty when there is none.
std::string BuiltinFingerprint(const std::string& name = "");
// The fingerprint in the header of a model file, which alone is read; of a .litertlm file that which pith's own record says.
// Empty where the file says none: GGUF, .litertlm of others. kNotFound, kCorrupt, kUnsupported.
Result<std::string> ReadModelFingerprint(const std::string& path);

std::string VersionString();           // "0.1.0"
std::string InstructionSet();          // "avx512": what would be used now; an error text if PITH_ISA is wrong
int FormatVersion();                   // of archives (docs/format.md) that Compress writes
int ContractVersion();                 // of the arithmetic (docs/numeric_contract.md)

// ---- Dictionaries -------------------------------------------------------------------------------------------------

inline constexpr size_t kDictionaryBytes = 48 << 10;  // a good size

// Text that is known before a file is compressed: for many small files of one kind. An archive names the dictionary that
// it was made with by its id and cannot be read without it. Works with every model. Move-only; keeps what the last
// model made of it, so one object serves one call at a time.
class Dictionary {
 public:
  // A file that Serialize made. kNotFound, kCorrupt, kUnsupported.
  static Result<Dictionary> Open(const std::string& path);
  static Result<Dictionary> Parse(std::span<const uint8_t> file);
  // Chosen from samples, at most `size` bytes. kInvalidArgument where they hold too little text. Samples in UTF-16 count as the text that
  // they are, as they do in Compress, and those in other encodings, too, if there is a model to say which.
  static Result<Dictionary> Train(std::span<const std::span<const uint8_t>> samples, size_t size, Model* model = nullptr);

  Dictionary(Dictionary&&) noexcept;
  Dictionary& operator=(Dictionary&&) noexcept;
  ~Dictionary();

  std::vector<uint8_t> Serialize() const;
  std::string id() const;  // 16 hexadecimal digits
  size_t size() const;     // bytes of text

  struct Impl;
  const Impl& impl() const { return *impl_; }

 private:
  explicit Dictionary(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// ---- Compression --------------------------------------------------------------------------------------------------

struct CompressOptions {
  uint64_t memory_bytes = 0;   // bound on weights + KV + buffers; 0: no bound but the format's own (docs/format.md)
  uint32_t streams = 0;        // lockstep streams a block; 0: chosen from size and memory
  uint32_t block_bytes = 0;    // content bytes a block at most; 0: the default
  uint32_t window = 0;         // tokens that a token sees; 0: the model's default
  bool allow_short = true;     // small inputs give short archives: no name, no time, 90 bytes less
  // 0: by the model. 1 (fast), 2 (strong) or 4 (numeric): by contexts over bytes (docs/byte_mixing.md), without any model;
  // streams, window and adaptive then mean nothing. 3 is what 0.6.0 and 0.7.0 had where 4 is now: as slow, and larger.
  uint32_t contexts = 0;
  bool best_of = false;        // try contexts beside the model on every block; else where the text looks like data
  bool adaptive = true;        // mix the model with what the content teaches (docs/mixing.md): smaller, slower, 50 MiB more
  // By contexts: blocks of a long input that are coded side by side at most, as far as memory_bytes (0: 1 GiB) has room for
  // them; 0: as many as the machine offers threads. The archive is the same. A model has threads of its own (ModelOptions).
  size_t threads = 0;
  const Dictionary* dictionary = nullptr;  // used where adaptive; must outlive the call
  std::string file_name = {};  // kept in the archive when not empty; no directories
  std::optional<int64_t> mtime_ns = {};    // kept in the archive
  std::optional<uint64_t> size_hint = {};  // content size if known; only for choosing, never trusted
};

struct CompressResult {
  uint64_t original_bytes = 0;
  uint64_t archive_bytes = 0;
  uint64_t blocks = 0;
  uint64_t model_blocks = 0;    // by the model
  uint64_t context_blocks = 0;  // by contexts; the rest are stored by zstd or raw
};

// Reads all of `source`, writes one archive. On failure what was written is of no use.
Result<CompressResult> Compress(Model& model, ByteSource& source, ByteSink& sink, const CompressOptions& options,
                                const ProgressCallback& progress);
// Without a model: options.contexts says how. kInvalidArgument where it is 0 or unknown.
Result<CompressResult> Compress(ByteSource& source, ByteSink& sink, const CompressOptions& options,
                                const ProgressCallback& progress);

struct DecompressOptions {
  uint64_t memory_bytes = 0;  // kUnsupported, naming the need, when the archive needs more; 0: no bound
  const Dictionary* dictionary = nullptr;  // kWrongModel where the archive names another, or names one and this is null
  size_t threads = 0;         // as in CompressOptions, of blocks that were coded by contexts
};

struct DecompressResult {
  uint64_t original_bytes = 0;
  uint64_t archive_bytes = 0;
  uint64_t archives = 0;  // concatenated ones
  std::string file_name;  // of the first archive, as stored; may be empty
  std::optional<int64_t> mtime_ns;
};

// Gives the model that an archive wants: called at the first block that needs one, with name and fingerprint as stored: a
// short archive has no name, and of the fingerprint's 32 digits the first 8 or 4, to be compared with the beginning.
// The returned pointer must live as long as the call it serves; null is not allowed (return a Status, e.g. kNotFound).
using ModelProvider = std::function<Result<Model*>(const std::string& name, const std::string& fingerprint)>;

// Reads all of `source` (one archive or several, one after another) and writes the content. kCorrupt for damage,
// kWrongModel when the model is not the one that made it or computes differently, kUnsupported for newer versions.
Result<DecompressResult> Decompress(const ModelProvider& models, ByteSource& source, ByteSink& sink,
                                    const DecompressOptions& options, const ProgressCallback& progress);

// For many small archives, each a whole file: the contents of those that are short ones (ArchiveInfo::is_short) by one model, which
// reads its weights once for a token of each of them: about twice as fast as one after the other. For all others, and
// where anything is wrong, nothing: Decompress is for them, and says what. Takes options.memory_bytes at most, or 1 GiB beside
// the model; some 30 archives at a time gain most.
std::vector<std::optional<std::vector<uint8_t>>> DecompressTogether(const ModelProvider& models,
                                                                    std::span<const std::span<const uint8_t>> archives,
                                                                    const DecompressOptions& options);

struct ArchiveBlock {
  std::string kind;  // "model", "contexts", "zstd" or "raw"
  uint64_t original_bytes = 0;
  uint64_t stored_bytes = 0;
  uint32_t streams = 0;  // "model" only
  uint64_t tokens = 0;   // "model" only; 0 where the archive does not say
  bool adaptive = false;  // "model" only: mixed with what the block teaches
  uint32_t strength = 0;  // "contexts" only: as in CompressOptions
  std::string encoding;   // "model", "contexts": the character encoding, such as "UTF-16LE", if its text was coded; else empty
};

struct ArchiveInfo {
  bool is_short = false;  // the form of small inputs (docs/format.md section 10)
  int format_version = 0;
  int contract_version = 0;
  uint64_t original_bytes = 0;
  uint64_t archive_bytes = 0;
  std::string model_name;         // empty when no block needs a model
  std::string model_fingerprint;
  std::string dictionary;  // its id, 16 digits or the last 8 of them; empty: none
  uint32_t window = 0;  // tokens that a token sees
  uint32_t sinks = 0;   // first tokens of a stream that stay in sight
  std::string file_name;
  std::optional<int64_t> mtime_ns;
  uint64_t content_checksum = 0;  // XXH3-64, or its low bits
  int content_checksum_bits = 64;  // that the archive holds: 64; in short ones 32 or 16, or 0 where its own check is enough
  std::vector<ArchiveBlock> blocks;
};

// What the archives in `source` say of themselves; loads no model, decodes nothing, but checks all that can be checked
// without decoding. One entry for each of several concatenated archives.
Result<std::vector<ArchiveInfo>> ListArchive(ByteSource& source);

// True when data that begins with `head` (16 bytes are enough) is a pith archive.
bool LooksLikeArchive(std::span<const uint8_t> head);

// ---- Evaluation ---------------------------------------------------------------------------------------------------

struct EvaluateOptions {
  uint32_t streams = 0;   // as in CompressOptions; 0: chosen as Compress would
  uint32_t window = 0;
};

struct EvaluateResult {
  uint64_t bytes = 0;
  uint64_t tokens = 0;
  double bits = 0;  // ideal code length under the exact logits, over the ids that may occur in data
  uint32_t streams = 0;
};

// Code length of `data` under the model alone: windows and streams as Compress uses them, every block by the model.
Result<EvaluateResult> Evaluate(Model& model, std::span<const uint8_t> data, const EvaluateOptions& options,
                                const ProgressCallback& progress);

// Logits of every position of one stream that begins with ids[0]: row i, [vocab of the embedding] floats, in order.
// Nothing is put before ids[0]; every position sees all earlier ones (window: as given, 0 for all).
// kInvalidArgument for an id that is out of range.
using LogitsRow = std::function<Status(size_t position, std::span<const float> logits)>;
Status EvaluateLogits(Model& model, std::span<const uint32_t> ids, uint32_t window, const LogitsRow& row);

// ---- Import -------------------------------------------------------------------------------------------------------

struct ImportModelOptions {
  std::string name = {};       // for people; empty: the folder's name
  std::string activations = "auto";  // "fast", "auto" or "precise"
  std::string calibration_text = {};  // empty: a text inside the library
  bool replace = false;        // of an existing output file
  size_t threads = 0;
};

// One measured setting of the activations (docs/numeric_contract.md section 4).
struct ImportTrial {
  std::string setting;  // "one term in down of layers 0 to 13, two elsewhere"
  double kl = 0;        // mean KL divergence in nat a token, against two terms everywhere
  double cost = 0;      // products of a token, relative to one term everywhere
};

struct ImportModelResult {
  ModelInfo model;
  uint64_t source_bytes = 0;  // tensors of the checkpoint
  // With "auto" only: what was tried, in that order, and what the chosen setting measured.
  std::vector<ImportTrial> trials;
  double kl = 0;
  double cost = 0;
};

struct ImportModelProgress {
  uint64_t done = 0;   // bytes of the checkpoint, or measurements
  uint64_t total = 0;  // of measurements: the most there can be
  bool calibrating = false;
  std::string item;    // name of the tensor or of the setting
};
// Returning false cancels: kCancelled.
using ImportModelProgressCallback = std::function<bool(const ImportModelProgress&)>;

// Reads a Hugging Face checkpoint folder (config.json, *.safetensors, tokenizer.json), writes one model file. Without a
// tokenizer.json the model can only do EvaluateLogits, and "auto" measures on arbitrary ids.
// Nothing appears under `output_path` unless all went well.
Result<ImportModelResult> ImportModel(const std::string& checkpoint_dir, const std::string& output_path,
                                      const ImportModelOptions& options, const ImportModelProgressCallback& progress);

// ---- Convert ------------------------------------------------------------------------------------------------------

struct ConvertModelOptions {
  // "litertlm", "gguf" or "onnx"; empty: by the ending of the output's name, "litertlm" where that says nothing.
  std::string format = {};
  // How matrices are stored; empty: dynamic_int8, q8_0 or int8. ConvertEncodings lists what a format takes.
  std::string quantize = {};
  std::string name = {};  // for people; empty: the folder's name
  bool report = false;    // measure the error of each tensor
  bool replace = false;   // of an existing output file
  size_t threads = 0;

  // .litertlm only.
  uint32_t kv_cache_max_len = 1280;       // tokens that a conversation can hold
  std::vector<uint32_t> prefill = {};     // lengths of prefill signatures; empty: 8, 64, 128, 256, 512, 1024 up to the cache's
  std::string metadata = "qwen3";         // "qwen3" or "generic": what litert-lm-cli writes
  std::string system = {};                // system message of conversations that bring none
  std::vector<std::string> stop = {};     // further texts that end a turn
  bool greedy = false;                    // sampling: what is not set comes from generation_config.json
  std::optional<double> temperature = {};
  std::optional<double> top_p = {};
  std::optional<uint32_t> top_k = {};
  std::optional<int32_t> seed = {};
  // Of pith's own engine, when it runs the file (docs/numeric_contract.md section 4): "fast", "auto" (measured, which takes
  // the time and memory of running the model) or "precise". ONNX: "fast" lets the runtime round activations to int8.
  std::string activations = "precise";
  int64_t timestamp = 0;                  // seconds since 1970 that the file gives as its time
};

// Words for ConvertModelOptions::quantize, the default first. Empty for an unknown format.
std::vector<std::string> ConvertEncodings(const std::string& format);

struct ConvertedTensor {
  std::string name;
  std::string encoding;  // "INT8 rows"
  uint64_t rows = 0;     // 1 for a norm
  uint64_t cols = 0;
  uint64_t bytes = 0;
  // With `report`: root mean square of the differences over that of the values, the largest difference, and the largest
  // magnitude over the root mean square.
  double relative_error = 0;
  double largest_error = 0;
  double outlier = 0;
};

struct ConvertModelResult {
  std::string format;
  std::string quantize;
  std::string name;
  std::string fingerprint;  // of the content, as pith's engine sees it; empty where it is not known before loading
  uint64_t source_bytes = 0;
  uint64_t output_bytes = 0;
  std::vector<std::string> files;  // that were written
  std::vector<ConvertedTensor> tensors;
  std::vector<std::string> notes;  // what the user should know
};

struct ConvertModelProgress {
  uint64_t done = 0;  // bytes of the checkpoint
  uint64_t total = 0;
  std::string item;   // name of the tensor
};
// Returning false cancels: kCancelled.
using ConvertModelProgressCallback = std::function<bool(const ConvertModelProgress&)>;

// Reads a Hugging Face checkpoint folder, writes one file for another runtime (ONNX: two). Memory stays small whatever the
// model's size. The same input gives the same bytes. Nothing appears under `output_path` unless all went well.
Result<ConvertModelResult> ConvertModel(const std::string& checkpoint_dir, const std::string& output_path,
                                        const ConvertModelOptions& options, const ConvertModelProgressCallback& progress);

// ---- Inspect ------------------------------------------------------------------------------------------------------

struct InspectedField {
  std::string name;
  std::string value;
};
struct InspectedSection {
  std::string type;
  uint64_t begin = 0;  // bytes of the file
  uint64_t end = 0;
  std::vector<InspectedField> items;
};
struct InspectedValue {
  std::string name;
  std::string type;   // "FLOAT32"
  std::string shape;  // "[1, 8, 1280, 128]"
};
struct InspectedSignature {
  std::string name;  // "decode"
  std::vector<InspectedValue> inputs;
  std::vector<InspectedValue> outputs;
};
struct InspectedTensor {
  std::string name;
  std::string type;
  std::string shape;
  std::string quantization;  // "a scale a row", "blocks of 32"; empty: none, or part of the type
  uint64_t bytes = 0;        // of its data, scales left out where they lie elsewhere
};
struct InspectedOperator {
  std::string name;
  uint64_t count = 0;
};

struct InspectedModel {
  std::string format;  // "litertlm", "tflite", "gguf", "onnx" or "pmodel"
  uint64_t file_bytes = 0;
  std::vector<InspectedField> fields;    // header and metadata, in the order of the file
  std::vector<InspectedSection> sections;
  std::vector<InspectedSignature> signatures;
  std::vector<InspectedTensor> tensors;  // with data; what several graphs share once
  std::vector<InspectedOperator> operators;
  // What pith's engine would make of it: empty where it can load it, else why not.
  std::string not_loadable;
};

// What a model file says of itself. The kind of file is found by its first bytes. kNotFound, kCorrupt, kUnsupported.
Result<InspectedModel> InspectModel(const std::string& path);

}  // namespace pith
