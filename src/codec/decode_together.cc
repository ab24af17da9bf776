// DecodeTogether: many short archives by one run of the model.
#include <algorithm>
#include <utility>

#include "archive/archive_reader.h"
#include "codec/blocks_beside.h"
#include "codec/codec.h"
#include "codec/codec_limits.h"
#include "codec/model_block.h"

namespace pith {
namespace {

// Streams that decode at the same time. Twice as many gain less than a tenth and take twice the memory, 15 MB for each.
constexpr size_t kMostStreamsTogether = 16;

// A short archive whose block is by a model and adaptive.
struct Candidate {
  size_t index = 0;  // in what the caller gave
  BlockHeader header;
  Bytes payload;
  ModelIdentity model;
  std::optional<DictionaryIdentity> dictionary;

  bool GoesWith(const Candidate& other) const {
    return model == other.model && dictionary.has_value() == other.dictionary.has_value();
  }
};

std::optional<Candidate> Read(ByteSpan archive, size_t index) {
  MemorySource source(archive);
  ArchiveReader reader(source);
  Candidate c;
  c.index = index;
  const auto holds = [](const Result<bool>& result, bool wanted) { return result.ok() && *result == wanted; };
  BlockHeader none;
  Bytes nothing;
  if (!holds(reader.NextArchive(), true) || !reader.is_short() || !holds(reader.NextBlock(c.header, c.payload), true) ||
      !c.header.adaptive || !holds(reader.NextBlock(none, nothing), false) || !holds(reader.NextArchive(), false)) {
    return std::nullopt;
  }
  c.model = *reader.model();
  c.dictionary = reader.dictionary();
  return c;
}

// Decodes candidates of one model, with one dictionary or none.
void DecodeGroup(TokenModel& model, std::span<Candidate> group, const DecodeOptions& options,
                 std::vector<std::optional<Bytes>>& contents) {
  const TextDictionary* const dictionary = group.front().dictionary ? options.dictionary : nullptr;
  uint64_t n_dictionary = 0;
  if (dictionary != nullptr) {
    const Result<uint64_t> n = dictionary->CountTokens(model);
    if (!n.ok()) return;
    n_dictionary = *n;
  }
  const uint64_t most_memory = options.memory_bytes != 0 ? options.memory_bytes : ModelBytes(model, 0) + kMemoryOfBlocksBeside;
  // Those of one length end together.
  std::stable_sort(group.begin(), group.end(),
                   [](const Candidate& a, const Candidate& b) { return a.header.n_tokens < b.header.n_tokens; });
  for (size_t begin = 0; begin < group.size();) {
    std::vector<ModelBlock> blocks;
    size_t n_streams = 0;
    uint64_t memory = 0;
    const auto first = begin;
    for (; begin < group.size(); ++begin) {
      const Candidate& c = group[begin];
      const uint64_t more = ModelBlockBytes(model, c.header, n_dictionary);
      const uint64_t streams = n_streams + c.header.n_streams;
      if (!blocks.empty() && (streams > kMostStreamsTogether || streams * c.model.window > kMaxCachedTokens ||
                              ModelBytes(model, streams) + memory + more > most_memory)) {
        break;
      }
      blocks.push_back({c.header, c.payload, std::nullopt});
      n_streams = streams;
      memory += more;
    }
    if (blocks.size() < 2) continue;  // no faster than by itself
    DecodeModelBlocksTogether(model, blocks, dictionary);
    for (size_t i = 0; i < blocks.size(); ++i) contents[group[first + i].index] = std::move(blocks[i].content);
  }
}

}  // namespace

std::vector<std::optional<Bytes>> DecodeTogether(const TokenModelProvider& models, std::span<const ByteSpan> archives,
                                                 const DecodeOptions& options) {
  std::vector<std::optional<Bytes>> contents(archives.size());
  std::vector<Candidate> candidates;
  for (size_t i = 0; i < archives.size(); ++i) {
    std::optional<Candidate> c = Read(archives[i], i);
    if (!c) continue;
    if (c->dictionary && (options.dictionary == nullptr || !c->dictionary->Means(options.dictionary->id()))) continue;
    candidates.push_back(*std::move(c));
  }
  // Those that go together, in the order of the first of each.
  for (auto begin = candidates.begin(); begin != candidates.end();) {
    const Candidate first = *begin;
    const auto end = std::stable_partition(begin, candidates.end(), [&](const Candidate& c) { return c.GoesWith(first); });
    if (end - begin > 1) {
      const Result<TokenModel*> model = models(first.model);
      if (model.ok() && first.model.Means((*model)->identity().fingerprint) &&
          (*model)->identity().window == first.model.window && (*model)->identity().n_sinks == first.model.n_sinks) {
        DecodeGroup(**model, {begin, end}, options, contents);
      }
    }
    begin = end;
  }
  return contents;
}

}  // namespace pith
