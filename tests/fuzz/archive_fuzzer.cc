// Fuzzes list and decode over the toy model: no input may crash, hang or take memory beyond the format's
// limits, and what decodes must decode to the size that the archive states.
//
// The first byte chooses: 0 takes the rest as it is, anything else corrects the checksums first, so that
// mutations reach what lies behind them.
#include <cstdint>
#include <cstdlib>
#include <optional>

#include "archive/archive_reader.h"
#include "archive/fix_checks.h"
#include "codec/codec.h"
#include "codec/toy_model.h"

namespace {

using namespace pith;

constexpr size_t kMaxInput = 1 << 16;
// Many tokens from a few bytes of code are no fault, but take long: the model then fails, as a user gives up.
constexpr uint64_t kMaxTokens = 2000;
// The same of bytes by contexts; there a block's content says how long it takes.
constexpr uint64_t kMaxContextBytes = 64 << 10;

void Require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0 || size > kMaxInput) return 0;
  Bytes file(data + 1, data + size);
  if (data[0] != 0) FixChecks(file);

  MemorySource list_source(file);
  const Result<std::vector<ArchiveSummary>> list = DescribeArchives(list_source);

  uint64_t context_bytes = 0;
  if (list.ok()) {
    for (const ArchiveSummary& a : *list) {
      for (const BlockSummary& b : a.blocks) context_bytes += b.kind == BlockKind::kContexts ? b.content_size : 0;
    }
  }
  if (context_bytes > kMaxContextBytes) return 0;

  static ToyModel* const model = new ToyModel();  // making one takes longer than most inputs
  model->FailAfter(kMaxTokens);
  MemorySource source(file);
  MemorySink sink;
  // Whatever model is named: the toy says that it is that one.
  const auto provide = [](const ModelIdentity& wanted) -> Result<TokenModel*> {
    model->Impersonate(wanted);
    return model;
  };
  // An archive that cannot be listed may begin with a long block, too: it is cancelled.
  const auto go_on = [](const CodecProgress& p) { return p.original_bytes <= kMaxContextBytes; };
  const Result<DecodeResult> decoded = DecodeArchives(provide, source, sink, {}, list.ok() ? CodecProgressCallback() : go_on);
  // Together with its like, a short archive has the content that it has alone, or none.
  model->FailAfter(kMaxTokens);
  const ByteSpan pair[] = {file, file};
  for (const std::optional<Bytes>& content : DecodeTogether(provide, pair, {})) {
    Require(!content || (decoded.ok() && *content == sink.bytes));
  }
  if (!decoded.ok()) return 0;
  Require(list.ok());
  uint64_t content_size = 0;
  for (const ArchiveSummary& a : *list) content_size += a.end.content_size;
  Require(content_size == sink.bytes.size() && decoded->archives == list->size());
  Require(decoded->archive_bytes == file.size());
  return 0;
}
