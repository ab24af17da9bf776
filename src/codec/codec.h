// Codec: whole inputs to archives and back, over any TokenModel. docs/format.md is the format.
//
// The same input, options and model give the same archive on every machine, with any number of threads.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "archive/archive_reader.h"  // ArchiveSummary, DescribeArchives, HasArchiveMagic: `pith list`
#include "base/file.h"
#include "codec/text_dictionary.h"
#include "codec/token_model.h"
#include "pith/status.h"
#include "predict/byte_mixer.h"

namespace pith {

struct CodecProgress {
  uint64_t bytes_in = 0;        // consumed from the source
  uint64_t bytes_out = 0;       // given to the sink
  uint64_t original_bytes = 0;  // of the content, done so far, at a finer grain than blocks
};
// Called at most every kProgressInterval, and once at the end. Returning false cancels: kCancelled.
using CodecProgressCallback = std::function<bool(const CodecProgress&)>;

// Where contexts over bytes are tried beside the model: on no block, on text that looks like data or that the model does
// not make smaller, on every block, which also gets few streams: smaller, but slower to decode.
enum class ContextsBesideModel : uint8_t { kNever, kForData, kAlways };

struct EncodeOptions {
  uint64_t memory_bytes = 0;  // bound on model + streams + buffers; 0: none but the format's own
  uint32_t streams = 0;       // a block; 0: chosen from its size and the memory
  uint32_t block_bytes = 0;   // content bytes a block at most; 0: kDefaultBlockBytes, or by `contexts` the most that
                              // memory_bytes and the format allow
  bool adaptive = true;       // mix the model with what the block teaches, where memory_bytes allows it
  bool allow_short = false;   // let small inputs become short archives, which hold no name and no time
  const TextDictionary* dictionary = nullptr;  // of adaptive blocks; must outlive the call
  // Contexts over bytes instead of a model, which is then not asked for anything.
  std::optional<ContextStrength> contexts;
  ContextsBesideModel beside = ContextsBesideModel::kNever;
  size_t threads = 1;         // by contexts: so many blocks are coded side by side at most, as far as memory_bytes
                              // (0: 1 GiB) has room for them. A model has threads of its own.
  std::string file_name;      // left out where the format cannot hold it (docs/format.md)
  std::optional<int64_t> mtime_ns;
};

struct EncodeResult {
  uint64_t original_bytes = 0;
  uint64_t archive_bytes = 0;
  uint64_t blocks = 0;
  uint64_t model_blocks = 0;
  uint64_t context_blocks = 0;
};

// Reads all of `source`, writes one archive. `model` may be null: then zstd and raw blocks only.
// kInvalidArgument: an option out of range, or memory_bytes too small for the model (says how much it needs).
Result<EncodeResult> EncodeArchive(TokenModel* model, Source& source, Sink& sink,
                                   const EncodeOptions& options, const CodecProgressCallback& progress);

// Gives the model that an archive names; asked at the first model block of each archive. Not null; must live
// until the call that it serves returns. Its identity() must be what the request means: fingerprint (of which
// a short archive knows the first bytes), window and sinks.
using TokenModelProvider = std::function<Result<TokenModel*>(const ModelIdentity&)>;

struct DecodeOptions {
  uint64_t memory_bytes =
      0;  // kUnsupported, naming the need, when the archive needs more; 0: none but the format's own
  const TextDictionary* dictionary = nullptr;  // for archives that name it; must outlive the call
  size_t threads = 1;  // blocks by contexts that are decoded side by side at most, as far as memory_bytes (0: 1 GiB) has room
};

struct DecodeResult {
  uint64_t original_bytes = 0;
  uint64_t archive_bytes = 0;
  uint64_t archives = 0;
  std::string file_name;  // of the first archive
  std::optional<int64_t> mtime_ns;
};

// Reads one archive or several to the end of `source`; writes the content block by block, each only after its
// checks. kCorrupt: damage. kWrongModel: undamaged, but the model or dictionary at hand is another.
// kUnsupported: a newer version, a reserved value, or more memory needed than allowed.
Result<DecodeResult> DecodeArchives(const TokenModelProvider& models, Source& source, Sink& sink,
                                    const DecodeOptions& options, const CodecProgressCallback& progress);

// The contents of those of `archives`, each a whole file, that are short ones by a model and go together: several of one model
// are decoded by one run of it, which takes little longer than for one of them. For all others, and where anything is
// wrong, nothing: DecodeArchives is for them, and says what. Memory: options.memory_bytes, or 1 GiB beside the model.
std::vector<std::optional<Bytes>> DecodeTogether(const TokenModelProvider& models, std::span<const ByteSpan> archives,
                                                 const DecodeOptions& options);

struct EvaluateCodecOptions {
  uint32_t streams = 0;
  uint32_t block_bytes = 0;
};

struct CodeLength {
  uint64_t bytes = 0;
  uint64_t tokens = 0;
  uint64_t blocks = 0;
  uint32_t streams = 0;     // of the first block
  double ideal_bits = 0;    // from the exact logits in double, over the ids that may occur in data
  double integer_bits = 0;  // from the integer probabilities that the coder uses
};

// Code length of `data` with every block by the model, cut into blocks and streams as EncodeArchive does.
Result<CodeLength> EvaluateCodeLength(TokenModel& model, ByteSpan data, const EvaluateCodecOptions& options,
                                      const CodecProgressCallback& progress);

}  // namespace pith
