// pith compress
#include <memory>
#include <string>
#include <utility>

#include "base/hash.h"
#include "cli/commands.h"
#include "cli/job.h"

namespace pith::cli {
namespace {

// Passes a source on and keeps the checksum of what went through.
class HashingSource : public ByteSource {
 public:
  explicit HashingSource(ByteSource& source) : source_(source) {}
  Result<size_t> Read(std::span<uint8_t> out) override {
    PITH_ASSIGN_OR_RETURN(const size_t n, source_.Read(out));
    hasher_.Update(out.first(n));
    bytes_ += n;
    return n;
  }
  uint64_t bytes() const { return bytes_; }
  uint64_t digest() const { return hasher_.Digest(); }

 private:
  ByteSource& source_;
  Hasher64 hasher_;
  uint64_t bytes_ = 0;
};

class HashingSink : public ByteSink {
 public:
  Status Write(std::span<const uint8_t> data) override {
    hasher_.Update(data);
    bytes_ += data.size();
    return OkStatus();
  }
  uint64_t bytes() const { return bytes_; }
  uint64_t digest() const { return hasher_.Digest(); }

 private:
  Hasher64 hasher_;
  uint64_t bytes_ = 0;
};

std::string BaseName(const std::string& path) { return path.substr(path.rfind('/') + 1); }

class CompressJob : public Job {
 public:
  using Job::Job;

 protected:
  bool Wants(const InputName& input) override {
    if (HasSuffix(input.path)) {
      console_.Detail(input.path + ": ends in .pith; left out");
      return false;
    }
    if (arguments_.force) return true;
    const Result<std::unique_ptr<Input>> file = Input::Open(input.path, {.regular_only = true});
    if (!file.ok()) return true;  // said when it is its turn
    const Result<std::span<const uint8_t>> head = (*file)->Head();
    if (!head.ok() || !LooksLikeArchive(*head)) return true;
    console_.Detail(input.path + ": is an archive already; left out");
    return false;
  }
  bool writes() const override { return true; }
  bool writes_archive() const override { return true; }
  bool reads_archive() const override { return false; }
  Result<std::string> TargetFor(const std::string& input_path) override {
    return input_path + std::string(kSuffix);
  }

  Status Process(Input& input, Target* target) override {
    PITH_ASSIGN_OR_RETURN(const std::span<const uint8_t> head, input.Head());
    if (LooksLikeArchive(head) && !arguments_.force) {
      return InvalidArgument("is a pith archive already; compress it once more with -f");
    }
    Model* model = nullptr;
    const uint32_t level = arguments_.level != 0 ? arguments_.level : kDefaultLevel;
    const LevelMeaning meaning = MeaningOf(level);
    if (meaning.contexts == 0) {
      PITH_ASSIGN_OR_RETURN(model, models_.ForLevel(level));
    }

    CompressOptions options;
    options.memory_bytes = arguments_.memory_bytes;
    options.threads = arguments_.threads;
    options.streams = arguments_.streams;
    options.block_bytes = arguments_.block_bytes;
    options.window = arguments_.window;
    options.adaptive = arguments_.adaptive;
    options.allow_short = !arguments_.names;
    PITH_ASSIGN_OR_RETURN(options.dictionary, GivenDictionary());
    options.contexts = meaning.contexts;
    options.best_of = arguments_.best_of || meaning.best_of;
    if (!input.is_stdin() && input.is_regular()) {  // a pipe's name says nothing
      options.file_name = BaseName(input.path());
      options.mtime_ns = input.mtime_ns();
    }
    options.size_hint = input.size();

    const Stopwatch watch;
    const std::string label = Label(input);
    uint64_t bytes_out = 0;
    std::string ratio;  // as of the last output: while the first block is at work there is none
    const ProgressCallback progress = [&](const Progress& p) {
      if (p.bytes_out != bytes_out && p.original_bytes > 0) {
        ratio = FormatRatio(p.bytes_out, p.original_bytes);
        bytes_out = p.bytes_out;
      }
      if (console_.ProgressDue()) {
        console_.ShowProgress(ProgressText(label, p.original_bytes, input.size(), ratio, watch.seconds()));
      }
      return true;
    };
    HashingSource source(input);
    const Result<CompressResult> compressed = model != nullptr ? Compress(*model, source, *target, options, progress)
                                                               : Compress(source, *target, options, progress);
    if (!compressed.ok()) {
      // The range of block size, streams, window and memory is the library's to know.
      if (compressed.status().code() == StatusCode::kInvalidArgument) outcome_.FailedForOptions();
      return compressed.status();
    }
    const CompressResult& result = *compressed;
    const double seconds = watch.seconds();
    if (arguments_.verify) PITH_RETURN_IF_ERROR(Verify(model, *target, source, label));
    FileAttributes attributes;
    if (!input.is_stdin()) attributes = {.mtime_ns = input.mtime_ns(), .mode = input.mode()};
    PITH_RETURN_IF_ERROR(target->Commit(attributes));

    Count(result.original_bytes, result.archive_bytes);
    Report(target, Line(input.name(), result.archive_bytes, result.original_bytes, seconds, target->name()));
    if (console_.verbose()) Report(target, Details(result, model));
    return OkStatus();
  }

  std::string Summary(const Totals& totals, double seconds) override {
    return Line(Plural(totals.files, "file"), totals.archive_bytes, totals.original_bytes, seconds, "");
  }

 private:
  static std::string Line(const std::string& what, uint64_t archive_bytes, uint64_t original_bytes,
                          double seconds, const std::string& target) {
    return what + " : " + FormatRatio(archive_bytes, original_bytes) + "  (" +
           std::to_string(original_bytes) + " => " + std::to_string(archive_bytes) + " bytes, " +
           FormatRate(original_bytes, seconds) + (target.empty() ? "" : ", " + target) + ")";
  }

  static std::string Details(const CompressResult& result, const Model* model) {
    char bits[48] = "";
    if (result.original_bytes > 0) {
      std::snprintf(
          bits, sizeof bits, ", %.3f bits a byte",
          8.0 * static_cast<double>(result.archive_bytes) / static_cast<double>(result.original_bytes));
    }
    return "  " + Plural(result.blocks, "block") + ", " +
           (model != nullptr ? std::to_string(result.model_blocks) + " by the model " + model->info().name
                             : std::to_string(result.context_blocks) + " by contexts") +
           bits;
  }

  // Decodes what lies in the temporary file and compares it with what was read.
  // `model` is null where it was made without one.
  Status Verify(Model* model, const Target& target, const HashingSource& source, const std::string& label) {
    if (!target.is_new_file()) return InvalidArgument("--verify: " + target.name() + " cannot be read back");
    PITH_ASSIGN_OR_RETURN(const std::unique_ptr<Input> archive, Input::Open(target.temporary_path(), {}));
    const Stopwatch watch;
    const ProgressCallback progress = [&](const Progress& p) {
      console_.ShowProgress(
          ProgressText(label + " : verifying", p.original_bytes, source.bytes(), "", watch.seconds()));
      return true;
    };
    const ModelProvider models = [&](const std::string&, const std::string&) -> Result<Model*> {
      if (model == nullptr) return NotFound("asks for a model, though made without one");
      return model;
    };
    PITH_ASSIGN_OR_RETURN(const Dictionary* const dictionary, GivenDictionary());
    HashingSink sink;
    const DecompressOptions options{.dictionary = dictionary, .threads = arguments_.threads};
    const Result<DecompressResult> decoded = Decompress(models, *archive, sink, options, progress);
    if (!decoded.ok()) return decoded.status().WithContext("verification failed, nothing kept");
    if (sink.bytes() != source.bytes() || sink.digest() != source.digest()) {
      return Corrupt("verification failed, nothing kept: decodes to " + std::to_string(sink.bytes()) +
                     " bytes with checksum " + Hex(sink.digest(), 16) + ", expected " +
                     std::to_string(source.bytes()) + " and " + Hex(source.digest(), 16));
    }
    return OkStatus();
  }
};

}  // namespace

int RunCompress(const Arguments& arguments, Console& console) {
  return CompressJob(arguments, console).Run();
}

}  // namespace pith::cli
