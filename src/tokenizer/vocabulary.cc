#include "tokenizer/vocabulary.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "base/hash.h"
#include "tokenizer/unicode_class.h"

namespace pith {
namespace {

// An honest table is at most half full, and its longest run of full slots has some dozens. Only a file made
// for the purpose goes beyond, and would make loading quadratic.
constexpr size_t kMaxProbes = 1000;

std::string TokenName(TokenId id) { return "token " + std::to_string(id); }

Status TooManyProbes(const char* table) {
  return Corrupt("tokenizer: more than " + std::to_string(kMaxProbes) + " entries of the table of " + table +
                 " fall on one place, expected some dozens");
}

// A slot of TokenIndex is 20 bits of id below 12 bits of hash, which are never all ones, so that no slot in
// use looks empty.
constexpr uint32_t kEmptySlot = ~uint32_t{0};
constexpr uint32_t kIdMask = kMaxTokenIds - 1;
static_assert(kMaxTokenIds == 1u << 20);

uint32_t SlotOf(uint64_t hash, TokenId id) {
  return static_cast<uint32_t>(std::min<uint64_t>(hash >> 52, 0xffe) << 20) | id;
}

ByteSpan BytesOf(TokenRef token, ByteSpan bytes) { return bytes.subspan(token.offset, token.n_bytes); }

// Tables of some megabytes are filled at random places: without prefetching, loading Qwen3's vocabulary is
// four times slower, waiting for memory.
constexpr size_t kPrefetchDistance = 16;

template <typename T>
void Prefetch(const T* address) {
#if defined(__GNUC__)
  __builtin_prefetch(address, 1);
#else
  (void)address;
#endif
}

}  // namespace

Status MergeTable::Fill(std::span<const Merge> merges) {
  const size_t n_slots = std::bit_ceil(std::max<size_t>(merges.size() + merges.size() / 2, 16));
  slots_.assign(n_slots, kEmpty);
  mask_ = n_slots - 1;
  shift_ = 64 - std::countr_zero(n_slots);
  for (size_t rank = 0; rank < merges.size(); ++rank) {
    if (rank + kPrefetchDistance < merges.size()) {
      const Merge& later = merges[rank + kPrefetchDistance];
      Prefetch(&slots_[Home(Key(later.left, later.right))]);
    }
    const Merge& merge = merges[rank];
    const uint64_t key = Key(merge.left, merge.right);
    size_t i = Home(key);
    size_t probes = 0;
    for (; slots_[i] != kEmpty; i = (i + 1) & mask_) {
      if (slots_[i] >> 24 == key) {
        return Corrupt("tokenizer: merge " + std::to_string(rank) + " joins " + TokenName(merge.left) +
                       " and " + TokenName(merge.right) + ", as merge " +
                       std::to_string(slots_[i] & kNoRank) + " does; expected each pair once");
      }
      if (++probes > kMaxProbes) return TooManyProbes("merges");
    }
    slots_[i] = key << 24 | rank;
  }
  return OkStatus();
}

Status TokenIndex::Fill(std::span<const TokenRef> tokens, ByteSpan bytes) {
  std::vector<std::pair<uint64_t, TokenId>> hashes;
  hashes.reserve(tokens.size());
  for (TokenId id = 0; id < tokens.size(); ++id) {
    if (tokens[id].n_bytes != 0) hashes.emplace_back(Hash64(BytesOf(tokens[id], bytes)), id);
  }
  slots_.assign(std::bit_ceil(std::max<size_t>(hashes.size() + hashes.size() / 2, 16)), kEmptySlot);
  for (size_t n = 0; n < hashes.size(); ++n) {
    if (n + kPrefetchDistance < hashes.size()) {
      Prefetch(&slots_[hashes[n + kPrefetchDistance].first & (slots_.size() - 1)]);
    }
    const auto [hash, id] = hashes[n];
    const size_t i = FindSlot(tokens, bytes, hash, BytesOf(tokens[id], bytes));
    if (i == slots_.size()) return TooManyProbes("tokens");
    if (slots_[i] != kEmptySlot) {
      return Corrupt("tokenizer: " + TokenName(id) + " has the same bytes as " +
                     TokenName(slots_[i] & kIdMask) + ", expected different ones");
    }
    slots_[i] = SlotOf(hash, id);
  }
  return OkStatus();
}

// The slot of `token`, or the empty slot where it belongs, or slots_.size() after too many probes.
size_t TokenIndex::FindSlot(std::span<const TokenRef> tokens, ByteSpan bytes, uint64_t hash,
                            ByteSpan token) const {
  const size_t mask = slots_.size() - 1;
  const uint32_t tag = SlotOf(hash, 0);
  size_t i = hash & mask;
  for (size_t probes = 0; probes < kMaxProbes; ++probes, i = (i + 1) & mask) {
    const uint32_t slot = slots_[i];
    if (slot == kEmptySlot) return i;
    if ((slot & ~kIdMask) != tag) continue;
    const ByteSpan other = BytesOf(tokens[slot & kIdMask], bytes);
    if (std::equal(other.begin(), other.end(), token.begin(), token.end())) return i;
  }
  return slots_.size();
}

std::optional<TokenId> TokenIndex::Find(std::span<const TokenRef> tokens, ByteSpan bytes,
                                        ByteSpan token) const {
  if (token.size() > kMaxTokenBytes) return std::nullopt;
  const size_t i = FindSlot(tokens, bytes, Hash64(token), token);
  if (i == slots_.size() || slots_[i] == kEmptySlot) return std::nullopt;
  return slots_[i] & kIdMask;
}

VocabularyBuilder::VocabularyBuilder(size_t n_tokens, size_t n_merges, bool ignore_merges) {
  v_.ignore_merges = ignore_merges;
  v_.tokens.reserve(std::min(n_tokens, kMaxTokenIds));
  v_.bytes.reserve(8 * std::min(n_tokens, kMaxTokenIds));
  v_.merges.reserve(std::min(n_merges, kMaxMerges));
}

Status VocabularyBuilder::CheckNewToken(TokenId id, size_t n_bytes) const {
  if (id >= kMaxTokenIds) {
    return Unsupported("tokenizer: token id " + std::to_string(id) + ", expected less than " +
                       std::to_string(kMaxTokenIds));
  }
  if (HasToken(id))
    return Corrupt("tokenizer: id " + std::to_string(id) + " is given to two tokens, expected one");
  if (n_bytes == 0) return Corrupt("tokenizer: " + TokenName(id) + " is empty, expected at least one byte");
  if (n_bytes > kMaxTokenBytes) {
    return Unsupported("tokenizer: " + TokenName(id) + " has " + std::to_string(n_bytes) +
                       " bytes, expected at most " + std::to_string(kMaxTokenBytes));
  }
  if (n_bytes > kMaxVocabularyBytes - v_.bytes.size()) {
    return Unsupported("tokenizer: the tokens up to " + TokenName(id) + " have more than " +
                       std::to_string(kMaxVocabularyBytes) + " bytes together");
  }
  return OkStatus();
}

// Makes the bytes from `offset` to the end of v_.bytes the token `id`.
void VocabularyBuilder::SetToken(TokenId id, size_t offset) {
  if (id >= v_.tokens.size()) v_.tokens.resize(id + size_t{1});
  v_.tokens[id] = {static_cast<uint32_t>(offset), static_cast<uint32_t>(v_.bytes.size() - offset)};
  indexed_ = false;
}

Status VocabularyBuilder::AddToken(TokenId id, ByteSpan token) {
  PITH_RETURN_IF_ERROR(CheckNewToken(id, token.size()));
  const size_t offset = v_.bytes.size();
  v_.bytes.insert(v_.bytes.end(), token.begin(), token.end());
  SetToken(id, offset);
  return OkStatus();
}

Status VocabularyBuilder::AddMerge(const Merge& merge) {
  if (v_.merges.size() >= kMaxMerges) {
    return Unsupported("tokenizer: more than " + std::to_string(kMaxMerges) + " merges");
  }
  for (const TokenId part : {merge.left, merge.right}) {
    if (!HasToken(part)) {
      return Corrupt("tokenizer: merge " + std::to_string(v_.merges.size()) + " joins " + TokenName(part) +
                     ", which does not exist");
    }
  }
  const TokenRef left = v_.tokens[merge.left];
  const TokenRef right = v_.tokens[merge.right];
  const size_t n_bytes = size_t{left.n_bytes} + right.n_bytes;
  if (HasToken(merge.product)) {
    const uint8_t* product = v_.bytes.data() + v_.tokens[merge.product].offset;
    if (v_.tokens[merge.product].n_bytes != n_bytes ||
        !std::equal(product, product + left.n_bytes, v_.bytes.data() + left.offset) ||
        !std::equal(product + left.n_bytes, product + n_bytes, v_.bytes.data() + right.offset)) {
      return Corrupt("tokenizer: merge " + std::to_string(v_.merges.size()) + " makes " +
                     TokenName(merge.product) + ", whose bytes are not those of its parts");
    }
  } else {
    PITH_RETURN_IF_ERROR(CheckNewToken(merge.product, n_bytes));
    const size_t offset = v_.bytes.size();
    v_.bytes.resize(offset + n_bytes);
    std::copy_n(v_.bytes.data() + left.offset, left.n_bytes, v_.bytes.data() + offset);
    std::copy_n(v_.bytes.data() + right.offset, right.n_bytes, v_.bytes.data() + offset + left.n_bytes);
    SetToken(merge.product, offset);
  }
  v_.merges.push_back(merge);
  return OkStatus();
}

Status VocabularyBuilder::AddAdded(AddedToken token) {
  const std::string name = "tokenizer: added token " + std::to_string(token.id);
  if (token.id >= kMaxTokenIds)
    return Unsupported(name + ": id, expected less than " + std::to_string(kMaxTokenIds));
  if (token.content.empty() || token.content.size() > kMaxTokenBytes) {
    return Corrupt(name + " has " + std::to_string(token.content.size()) + " bytes, expected 1 to " +
                   std::to_string(kMaxTokenBytes));
  }
  const ByteSpan content = AsBytes(token.content);
  for (size_t i = 0; i < content.size();) {
    const size_t n = UnicodeClasses::Get().At(content, i).n_bytes;
    if (n == 1 && content[i] >= 0x80) {
      return Corrupt(name + " holds byte " + Hex(content[i], 2) + " at " + std::to_string(i) +
                     ", expected UTF-8");
    }
    i += n;
  }
  v_.added.push_back(std::move(token));
  return OkStatus();
}

Status VocabularyBuilder::IndexTokens() {
  PITH_RETURN_IF_ERROR(v_.index.Fill(v_.tokens, v_.bytes));
  indexed_ = true;
  return OkStatus();
}

// Sorts the added tokens by id, and looks for what is given twice.
Status VocabularyBuilder::CheckAdded() {
  const auto by_content = [](const AddedToken& a, const AddedToken& b) { return a.content < b.content; };
  const auto by_id = [](const AddedToken& a, const AddedToken& b) { return a.id < b.id; };
  std::sort(v_.added.begin(), v_.added.end(), by_content);
  for (size_t i = 1; i < v_.added.size(); ++i) {
    if (v_.added[i].content == v_.added[i - 1].content) {
      return Corrupt("tokenizer: added tokens " + std::to_string(v_.added[i - 1].id) + " and " +
                     std::to_string(v_.added[i].id) + " have the same content, expected different ones");
    }
  }
  std::sort(v_.added.begin(), v_.added.end(), by_id);
  for (size_t i = 0; i < v_.added.size(); ++i) {
    const TokenId id = v_.added[i].id;
    if (HasToken(id) || (i > 0 && v_.added[i - 1].id == id)) {
      return Corrupt("tokenizer: id " + std::to_string(id) +
                     " of an added token is given to another one too");
    }
  }
  return OkStatus();
}

Result<Vocabulary> VocabularyBuilder::Build() && {
  if (!indexed_) PITH_RETURN_IF_ERROR(IndexTokens());
  for (size_t b = 0; b < 256; ++b) {
    const uint8_t byte = static_cast<uint8_t>(b);
    const std::optional<TokenId> id = FindToken({&byte, 1});
    if (!id) {
      return Unsupported("tokenizer: no token for the single byte " + Hex(b, 2) +
                         ", expected one for each of the 256 (else some data cannot be coded)");
    }
    v_.byte_tokens[b] = *id;
  }
  if (!v_.ignore_merges) v_.index = {};

  PITH_RETURN_IF_ERROR(v_.merge_table.Fill(v_.merges));
  v_.byte_pair_ranks.assign(65536, MergeTable::kNoRank);
  v_.products.reserve(v_.merges.size());
  for (uint32_t rank = 0; rank < v_.merges.size(); ++rank) {
    const Merge& merge = v_.merges[rank];
    v_.products.push_back(merge.product);
    const TokenRef left = v_.tokens[merge.left];
    const TokenRef right = v_.tokens[merge.right];
    if (left.n_bytes != 1 || right.n_bytes != 1) continue;
    v_.byte_pair_ranks[256u * v_.bytes[left.offset] + v_.bytes[right.offset]] = rank;
  }

  PITH_RETURN_IF_ERROR(CheckAdded());
  if (!v_.added.empty() && v_.added.back().id >= v_.tokens.size())
    v_.tokens.resize(v_.added.back().id + size_t{1});
  return std::move(v_);
}

}  // namespace pith
