// pith decompress, pith test
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "cli/commands.h"
#include "cli/job.h"

namespace pith::cli {
namespace {

// Archives up to here may be short ones, which are decoded together with those that follow.
constexpr uint64_t kMostBytesTogether = 80 << 10;
constexpr size_t kMostTogether = 32;

class DecompressJob : public Job {
 public:
  using Job::Job;

 protected:
  bool Wants(const InputName& input) override {
    if (HasSuffix(input.path)) return true;
    console_.Detail(input.path + ": does not end in .pith; left out");
    return false;
  }
  bool writes() const override { return arguments_.command == CommandId::kDecompress; }
  bool writes_archive() const override { return false; }
  bool reads_archive() const override { return true; }

  Result<std::string> TargetFor(const std::string& input_path) override {
    if (HasSuffix(input_path) && input_path[input_path.size() - kSuffix.size() - 1] != '/') {
      return input_path.substr(0, input_path.size() - kSuffix.size());
    }
    return InvalidArgument(std::string(input_path.ends_with(kSuffix) ? "nothing is left of the name" : "does not end in .pith") +
                           "; say with -o FILE or -c where its content goes");
  }

  Status Process(Input& input, Target* target) override {
    const Stopwatch watch;
    const std::string label = Label(input);
    const std::optional<uint64_t> total = KnownContentSize(input);
    const ProgressCallback progress = [&](const Progress& p) {
      if (console_.ProgressDue()) {
        console_.ShowProgress(ProgressText(label, p.original_bytes, total, "", watch.seconds()));
      }
      return true;
    };
    const ModelProvider models = [this](const std::string& name, const std::string& fingerprint) {
      return models_.ForArchive(name, fingerprint);
    };
    NullSink nowhere;
    ByteSink& sink = target != nullptr ? static_cast<ByteSink&>(*target) : nowhere;
    PITH_ASSIGN_OR_RETURN(const Dictionary* const dictionary, GivenDictionary());
    const DecompressOptions options{
        .memory_bytes = arguments_.memory_bytes, .dictionary = dictionary, .threads = arguments_.threads};
    PITH_ASSIGN_OR_RETURN(const DecompressResult result, DecodeOne(models, input, sink, options, progress));
    const double seconds = watch.seconds();
    if (target != nullptr) {
      FileAttributes attributes;
      attributes.mode = input.is_stdin() ? std::nullopt : input.mode();
      if (result.archives == 1) attributes.mtime_ns = result.mtime_ns;
      // A short archive holds no time; its file has that of the source, as long as nobody touched it.
      if (!result.mtime_ns && !input.is_stdin() && input.is_regular()) attributes.mtime_ns = input.mtime_ns();
      PITH_RETURN_IF_ERROR(target->Commit(attributes));
    }
    Count(result.original_bytes, result.archive_bytes);
    Report(target, Line(input.name(), result.archive_bytes, result.original_bytes,
                        with_others_ ? "decoded with others" : FormatRate(result.original_bytes, seconds),
                        target != nullptr ? target->name() : "good"));
    if (console_.verbose() && (result.archives > 1 || !result.file_name.empty())) {
      Report(target, "  " + Plural(result.archives, "archive") +
                         (result.file_name.empty() ? "" : ", stored name " + result.file_name));
    }
    return OkStatus();
  }

  std::string Summary(const Totals& totals, double seconds) override {
    return Line(Plural(totals.files, "file"), totals.archive_bytes, totals.original_bytes,
                FormatRate(totals.original_bytes, seconds), writes() ? "" : "good");
  }

 private:
  static std::string Line(const std::string& what, uint64_t archive_bytes, uint64_t original_bytes,
                          const std::string& rate, const std::string& end) {
    return what + " : " + std::to_string(archive_bytes) + " => " + std::to_string(original_bytes) +
           " bytes, " + rate + (end.empty() ? "" : ", " + end);
  }

  // A small archive together with the small ones after it.
  Result<DecompressResult> DecodeOne(const ModelProvider& models, Input& input, ByteSink& sink, const DecompressOptions& options,
                                     const ProgressCallback& progress) {
    with_others_ = false;
    const auto is_small = [](const Input& i) { return i.is_regular() && !i.is_stdin() && *i.size() <= kMostBytesTogether; };
    if (!is_small(input) || (together_.empty() && Upcoming().empty())) return Decompress(models, input, sink, options, progress);
    PITH_ASSIGN_OR_RETURN(const Bytes archive, input.ReadToEnd());
    if (!together_.contains(input.path())) {
      together_.clear();
      std::vector<std::string> paths = {input.path()};
      std::vector<Bytes> archives = {archive};
      for (const InputName& name : Upcoming()) {
        if (paths.size() == kMostTogether) break;
        // What goes wrong here is said when it is the file's turn.
        const Result<std::unique_ptr<Input>> next = Input::Open(name.path, {.regular_only = true});
        if (!next.ok() || !is_small(**next)) break;
        Result<Bytes> bytes = (*next)->ReadToEnd();
        if (!bytes.ok()) break;
        paths.push_back(name.path);
        archives.push_back(*std::move(bytes));
      }
      if (paths.size() > 1 && console_.shows_progress()) {
        console_.ShowProgress(Label(input) + " : together with the " + std::to_string(paths.size() - 1) + " that follow");
      }
      const std::vector<std::span<const uint8_t>> spans(archives.begin(), archives.end());
      std::vector<std::optional<Bytes>> contents = DecompressTogether(models, spans, options);
      for (size_t i = 0; i < paths.size(); ++i) {
        together_[paths[i]] = {std::move(archives[i]), std::move(contents[i])};
      }
    }
    const Together found = std::move(together_[input.path()]);
    together_.erase(input.path());
    if (!found.content || found.archive != archive) {  // or the file has changed meanwhile
      MemorySource source(archive);
      return Decompress(models, source, sink, options, progress);
    }
    with_others_ = true;
    PITH_RETURN_IF_ERROR(sink.Write(*found.content));
    return DecompressResult{.original_bytes = found.content->size(), .archive_bytes = archive.size(), .archives = 1};
  }

  struct Together {
    Bytes archive;
    std::optional<Bytes> content;
  };
  std::map<std::string, Together> together_;  // by path: what was decoded ahead
  bool with_others_ = false;                  // the input at hand was: its own time says nothing

  // For the progress line only, and only where it costs nothing: a failure here is found again when decoding.
  std::optional<uint64_t> KnownContentSize(const Input& input) const {
    if (!console_.shows_progress() || !input.is_regular() || input.is_stdin()) return std::nullopt;
    const Result<std::unique_ptr<Input>> again = Input::Open(input.path(), {});
    if (!again.ok()) return std::nullopt;
    const Result<std::vector<ArchiveInfo>> archives = ListArchive(**again);
    if (!archives.ok()) return std::nullopt;
    uint64_t total = 0;
    for (const ArchiveInfo& archive : *archives) total += archive.original_bytes;
    return total;
  }
};

}  // namespace

int RunDecompress(const Arguments& arguments, Console& console) {
  return DecompressJob(arguments, console).Run();
}

}  // namespace pith::cli
