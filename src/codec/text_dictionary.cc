#include "codec/text_dictionary.h"

#include <algorithm>
#include <queue>
#include <string>
#include <unordered_map>
#include <utility>

#include "base/check.h"
#include "base/hash.h"
#include "codec/model_block.h"

namespace pith {
namespace {

// docs/format.md section 11.
constexpr std::array<uint8_t, 4> kDictionaryMagic = {0x89, 'p', 't', 'd'};
constexpr uint8_t kDictionaryVersion = 1;

// TrainDictionary: samples are cut into segments at line ends where there are any; a segment is worth the fragments in it
// that occur in other samples, too, and that no segment chosen before has (after Liao, Petri, Moffat, Wirth 2016,
// "Effective construction of relative Lempel-Ziv dictionaries", which zstd's COVER follows as well).
constexpr size_t kFragmentBytes = 8;
constexpr size_t kSegmentBytes = 512;
constexpr size_t kMaxSampleBytes = 256u << 10;  // of one sample; the rest says nothing of small files
constexpr size_t kMinSamplesBytes = 1024;

struct Segment {
  size_t sample;
  ByteSpan text;
};

std::vector<Segment> CutIntoSegments(std::span<const ByteSpan> samples) {
  std::vector<Segment> segments;
  for (size_t i = 0; i < samples.size(); ++i) {
    ByteSpan rest = samples[i].first(std::min(samples[i].size(), kMaxSampleBytes));
    while (!rest.empty()) {
      size_t n = std::min(kSegmentBytes, rest.size());
      // The last line end in the second half of the segment.
      for (size_t end = n; end > n / 2 && n == kSegmentBytes; --end) {
        if (rest[end - 1] == '\n') {
          n = end;
          break;
        }
      }
      segments.push_back({i, rest.first(n)});
      rest = rest.subspan(n);
    }
  }
  return segments;
}

uint64_t Fragment(ByteSpan text, size_t at) {
  uint64_t v = 0;
  for (size_t k = 0; k < kFragmentBytes; ++k) v = v << 8 | text[at + k];
  return v;
}

}  // namespace

TextDictionary::TextDictionary(Bytes content) : content_(std::move(content)), id_(Hash64(content_)) {
  PITH_CHECK(!content_.empty() && content_.size() <= kMaxDictionaryBytes);
}

Bytes TextDictionary::Serialize() const {
  Bytes file(kDictionaryMagic.begin(), kDictionaryMagic.end());
  ByteWriter w(file);
  w.U8(kDictionaryVersion);
  w.U32(static_cast<uint32_t>(content_.size()));
  w.Raw(content_);
  w.U64(Hash64(file));
  return file;
}

Result<TextDictionary> TextDictionary::Parse(ByteSpan file) {
  ByteReader r(file);
  const ByteSpan magic = r.Raw(kDictionaryMagic.size());
  if (!r.ok() || !std::equal(magic.begin(), magic.end(), kDictionaryMagic.begin())) {
    return Corrupt("this is not a pith dictionary (the first bytes are wrong); pith train makes them");
  }
  const uint8_t version = r.U8();
  if (r.ok() && version != kDictionaryVersion) {
    return Unsupported("dictionary of version " + std::to_string(version) + ", this program reads version " +
                       std::to_string(kDictionaryVersion));
  }
  const uint32_t size = r.U32();
  if (r.ok() && (size == 0 || size > kMaxDictionaryBytes)) {
    return Corrupt("dictionary of " + std::to_string(size) + " bytes, expected 1 to " +
                   std::to_string(kMaxDictionaryBytes));
  }
  const ByteSpan content = r.Raw(size);
  const size_t checked = r.position();
  const uint64_t stored = r.U64();
  if (!r.ok() || r.remaining() != 0) {
    return Corrupt("dictionary of " + std::to_string(size) + " bytes in a file of " + std::to_string(file.size()) +
                   ", expected " + std::to_string(uint64_t{size} + 17));
  }
  if (const uint64_t found = Hash64(file.first(checked)); found != stored) {
    return Corrupt("dictionary: checksum " + Hex(found, 16) + ", expected " + Hex(stored, 16) + ": the data is damaged");
  }
  return TextDictionary(Bytes(content.begin(), content.end()));
}

std::span<const TokenId> TextDictionary::Primed::Prefix() const {
  const std::span<const TokenId> all(tokens);
  return all.last(std::min<size_t>(all.size(), model.window / 2));
}

Result<const TextDictionary::Primed*> TextDictionary::Prime(TokenModel& model, uint64_t n_tokens) const {
  const bool same_model = primed_ != nullptr && primed_->model == model.identity();
  if (same_model && primed_->table_tokens == AdaptiveMixer::TableTokens(primed_->tokens.size(), n_tokens)) {
    return primed_.get();
  }
  auto primed = std::make_unique<Primed>();
  primed->model = model.identity();
  PITH_RETURN_IF_ERROR(model.Tokenize(content_, primed->tokens));
  if (primed->tokens.empty() || primed->tokens.size() > content_.size()) {
    return Status(StatusCode::kWrongModel, "tokenizer: " + std::to_string(primed->tokens.size()) +
                                               " tokens for a dictionary of " + std::to_string(content_.size()) + " bytes");
  }
  primed->table_tokens = AdaptiveMixer::TableTokens(primed->tokens.size(), n_tokens);
  PITH_ASSIGN_OR_RETURN(primed->mixer, LearnTokens(model, primed->tokens, primed->table_tokens));
  primed_ = std::move(primed);
  return primed_.get();
}

Result<uint64_t> TextDictionary::CountTokens(TokenModel& model) const {
  if (primed_ != nullptr && primed_->model == model.identity()) return primed_->tokens.size();
  std::vector<TokenId> tokens;
  PITH_RETURN_IF_ERROR(model.Tokenize(content_, tokens));
  return tokens.size();
}

Result<TextDictionary> TrainDictionary(std::span<const ByteSpan> samples, size_t size) {
  if (size == 0 || size > kMaxDictionaryBytes) {
    return InvalidArgument("a dictionary of " + std::to_string(size) + " bytes, expected 1 to " +
                           std::to_string(kMaxDictionaryBytes));
  }
  uint64_t total = 0;
  for (const ByteSpan s : samples) total += s.size();
  if (total < kMinSamplesBytes) {
    return InvalidArgument("samples of " + std::to_string(total) + " bytes in all, expected at least " +
                           std::to_string(kMinSamplesBytes));
  }
  const std::vector<Segment> segments = CutIntoSegments(samples);

  // In how many samples a fragment occurs.
  struct Use {
    uint32_t n_samples = 0;
    uint32_t last_sample = 0;  // plus one
  };
  std::unordered_map<uint64_t, Use> uses;
  for (const Segment& s : segments) {
    for (size_t at = 0; at + kFragmentBytes <= s.text.size(); ++at) {
      Use& use = uses[Fragment(s.text, at)];
      if (use.last_sample == s.sample + 1) continue;
      use.last_sample = static_cast<uint32_t>(s.sample + 1);
      ++use.n_samples;
    }
  }
  // Per byte, so that short segments are not left out. The fragments of one sample alone say a little, too: of a single
  // large sample all are such.
  const auto worth = [&](ByteSpan text) {
    double sum = 0;
    for (size_t at = 0; at + kFragmentBytes <= text.size(); ++at) {
      const auto it = uses.find(Fragment(text, at));
      if (it != uses.end()) sum += it->second.n_samples - 0.9;
    }
    return sum / static_cast<double>(text.size() + kFragmentBytes);
  };
  // The best segment first; worths only fall, so one that is still the best after its worth was computed anew is it.
  using Entry = std::pair<double, size_t>;
  const auto later = [](const Entry& a, const Entry& b) {
    return a.first != b.first ? a.first < b.first : a.second > b.second;
  };
  std::priority_queue<Entry, std::vector<Entry>, decltype(later)> queue(later);
  for (size_t i = 0; i < segments.size(); ++i) queue.push({worth(segments[i].text), i});
  std::vector<size_t> chosen;
  size_t used = 0;
  while (!queue.empty() && used < size) {
    const size_t i = queue.top().second;
    queue.pop();
    const double now = worth(segments[i].text);
    if (!queue.empty() && later({now, i}, queue.top())) {
      if (now > 0) queue.push({now, i});
      continue;
    }
    if (now <= 0) break;
    chosen.push_back(i);
    used += segments[i].text.size();
    for (size_t at = 0; at + kFragmentBytes <= segments[i].text.size(); ++at) uses.erase(Fragment(segments[i].text, at));
  }
  Bytes content;
  for (auto it = chosen.rbegin(); it != chosen.rend(); ++it) {
    content.insert(content.end(), segments[*it].text.begin(), segments[*it].text.end());
  }
  if (content.empty()) return InvalidArgument("the samples hold no text of 8 bytes and more");
  if (content.size() > size) content.erase(content.begin(), content.end() - static_cast<ptrdiff_t>(size));
  return TextDictionary(std::move(content));
}

}  // namespace pith
