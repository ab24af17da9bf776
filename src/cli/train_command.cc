// pith train
#include <memory>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/files.h"
#include "cli/job.h"
#include "pith/pith.h"

namespace pith::cli {
namespace {

constexpr size_t kMaxSampleBytes = 256 << 10;   // of one file; small files are what dictionaries are for
constexpr size_t kMaxSamplesBytes = 256 << 20;  // of all

// The first bytes of a file.
Result<std::vector<uint8_t>> ReadSample(const std::string& path) {
  PITH_ASSIGN_OR_RETURN(const std::unique_ptr<Input> input, Input::Open(path, {.has_recursive = true}));
  std::vector<uint8_t> bytes(kMaxSampleBytes);
  size_t n = 0;
  while (n < bytes.size()) {
    PITH_ASSIGN_OR_RETURN(const size_t more, input->Read(std::span<uint8_t>(bytes).subspan(n)));
    if (more == 0) break;
    n += more;
  }
  bytes.resize(n);
  return bytes;
}

Status Train(const Arguments& arguments, Console& console) {
  size_t n_failed = 0;
  const std::vector<InputName> inputs = ExpandInputs(arguments.operands, arguments.recursive, console, n_failed);
  if (n_failed != 0) return IoError("not all folders could be read");
  std::vector<std::vector<uint8_t>> samples;
  uint64_t total = 0;
  for (const InputName& input : inputs) {
    PITH_ASSIGN_OR_RETURN(std::vector<uint8_t> sample, ReadSample(input.path));
    if (sample.empty()) continue;
    if (total + sample.size() > kMaxSamplesBytes) {
      console.Warning("the first " + FormatBytes(total) + " of samples are used; more would not help");
      break;
    }
    total += sample.size();
    samples.push_back(std::move(sample));
  }
  const std::vector<std::span<const uint8_t>> spans(samples.begin(), samples.end());
  // Says which encodings samples are in that are not UTF-8; any model can.
  Result<Model> builtin = Model::Builtin({});
  PITH_ASSIGN_OR_RETURN(const Dictionary dictionary,
                        Dictionary::Train(spans, arguments.size != 0 ? arguments.size : kDictionaryBytes,
                                          builtin.ok() ? &*builtin : nullptr));
  Result<std::unique_ptr<Target>> target = Target::Create(*arguments.output, arguments.force);
  if (!target.ok()) {
    if (target.status().code() != StatusCode::kAlreadyExists) return target.status();
    return AlreadyExists(target.status().message() + " (use -f)");
  }
  PITH_RETURN_IF_ERROR((*target)->Write(dictionary.Serialize()));
  PITH_RETURN_IF_ERROR((*target)->Commit({}));
  console.Info(*arguments.output + " : " + FormatBytes(dictionary.size()) + " of " + Plural(samples.size(), "sample") +
               " (" + FormatBytes(total) + "), id " + dictionary.id());
  return OkStatus();
}

}  // namespace

int RunTrain(const Arguments& arguments, Console& console) {
  const Status status = Train(arguments, console);
  if (status.ok()) return kExitOk;
  console.Error(ErrorLine(status, "train", *arguments.output));
  return kExitFailed;
}

}  // namespace pith::cli
