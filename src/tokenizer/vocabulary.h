// Vocabulary: all that a byte-level BPE tokenizer knows, checked, with tables to look it up.
//
// VocabularyBuilder is the only way to make one; both readers (huggingface_json.h, vocabulary_form.h) go
// through it, so what it promises holds wherever a vocabulary came from.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "pith/status.h"

namespace pith {

using TokenId = uint32_t;

// Limits of what is accepted. Published vocabularies have up to 262,144 ids and tokens of some hundred bytes.
inline constexpr size_t kMaxTokenIds = 1u << 20;  // as many as a model may have (numeric_contract.md 8)
inline constexpr size_t kMaxMerges = 1u << 22;    // ranks have 23 bits in bpe.cc and 24 in MergeTable
inline constexpr size_t kMaxTokenBytes = 1024;
inline constexpr size_t kMaxVocabularyBytes = 1u << 26;  // of all tokens together

// Two neighbours become one token. The place in the list of merges is its rank: the lowest rank goes first.
struct Merge {
  TokenId left;
  TokenId right;
  TokenId product;  // its bytes are left's and then right's
  bool operator==(const Merge&) const = default;
};

// A token outside the byte string: markers of chat turns and the like.
struct AddedToken {
  TokenId id;
  std::string content;   // UTF-8 text that stands for it, e.g. "<|im_end|>"
  bool special = false;  // not shown to people
  bool operator==(const AddedToken&) const = default;
};

// The rank of each pair of tokens that merges: an open hash table with one 8-byte slot a pair.
class MergeTable {
 public:
  static constexpr uint32_t kNoRank = 0xffffff;

  // Replaces all by `merges`; a rank is a place in the list.
  // kCorrupt when a pair comes twice, or when too many pairs fall on one place.
  // REQUIRES: ids < kMaxTokenIds; merges.size() <= kMaxMerges.
  Status Fill(std::span<const Merge> merges);

  // The rank of the pair, or kNoRank.
  // REQUIRES: Fill was called and returned ok.
  uint32_t Find(TokenId left, TokenId right) const {
    const uint64_t key = Key(left, right);
    for (size_t i = Home(key);; i = (i + 1) & mask_) {
      const uint64_t slot = slots_[i];
      if (slot >> 24 == key || slot == kEmpty) return static_cast<uint32_t>(slot & kNoRank);
    }
  }

 private:
  // left 20 bits, right 20, rank 24. No merge has a rank of all ones, so no slot in use looks empty.
  static constexpr uint64_t kEmpty = ~uint64_t{0};
  static uint64_t Key(TokenId left, TokenId right) { return uint64_t{left} << 20 | right; }
  // Fibonacci hashing: the top bits of the product depend on all bits of the key.
  size_t Home(uint64_t key) const { return static_cast<size_t>(key * 0x9e3779b97f4a7c15u >> shift_); }

  std::vector<uint64_t> slots_;
  size_t mask_ = 0;
  int shift_ = 64;
};

// Where the bytes of a token lie.
struct TokenRef {
  uint32_t offset = 0;   // into Vocabulary::bytes
  uint32_t n_bytes = 0;  // 0: no regular token has this id
};

// The id of each token by its bytes: an open hash table with one 4-byte slot a token.
class TokenIndex {
 public:
  // Replaces all by the tokens with bytes.
  // kCorrupt when two tokens have the same bytes, or when too many fall on one place.
  // REQUIRES: tokens.size() <= kMaxTokenIds.
  Status Fill(std::span<const TokenRef> tokens, ByteSpan bytes);

  // REQUIRES: the same arguments as in the last Fill, which returned ok.
  std::optional<TokenId> Find(std::span<const TokenRef> tokens, ByteSpan bytes, ByteSpan token) const;

 private:
  size_t FindSlot(std::span<const TokenRef> tokens, ByteSpan bytes, uint64_t hash, ByteSpan token) const;

  std::vector<uint32_t> slots_;
};

struct Vocabulary {
  bool ignore_merges = false;     // a word that is a token stays whole, whatever the merges say
  std::vector<TokenRef> tokens;   // by id, added tokens included (as holes); the last id is in use
  Bytes bytes;                    // of the regular tokens, all different
  std::vector<Merge> merges;      // by rank; no pair twice; no added token takes part
  std::vector<AddedToken> added;  // by ascending id; contents all different

  std::array<TokenId, 256> byte_tokens{};  // every single byte is a token
  std::vector<uint32_t> byte_pair_ranks;   // [256 * first + second]: kNoRank or the rank of two single bytes
  std::vector<TokenId> products;           // of the merges
  MergeTable merge_table;                  // ranks of all pairs
  TokenIndex index;                        // of tokens and bytes; empty unless ignore_merges

  // REQUIRES: id < tokens.size().
  ByteSpan TokenBytes(TokenId id) const {
    return ByteSpan(bytes).subspan(tokens[id].offset, tokens[id].n_bytes);
  }

  // The token with these bytes.
  // REQUIRES: ignore_merges.
  std::optional<TokenId> FindToken(ByteSpan token) const { return index.Find(tokens, bytes, token); }
};

// Functions that can fail return kCorrupt, naming ids and what was expected, for a contradiction, and
// kUnsupported beyond a limit; after a failure the builder is of no further use.
class VocabularyBuilder {
 public:
  // n_tokens and n_merges are expected numbers, to allocate once.
  VocabularyBuilder(size_t n_tokens, size_t n_merges, bool ignore_merges);

  Status AddToken(TokenId id, ByteSpan token);

  // Merges in order of rank. A product that is not a token yet becomes one.
  Status AddMerge(const Merge& merge);

  // In any order.
  Status AddAdded(AddedToken token);

  // Makes FindToken ready for the tokens so far; kCorrupt when two of them are equal.
  Status IndexTokens();

  // The token with these bytes.
  // REQUIRES: IndexTokens returned ok, and no token came since.
  std::optional<TokenId> FindToken(ByteSpan token) const { return v_.index.Find(v_.tokens, v_.bytes, token); }

  // kUnsupported when a single byte is no token: then some byte strings could not be coded.
  Result<Vocabulary> Build() &&;

 private:
  bool HasToken(TokenId id) const { return id < v_.tokens.size() && v_.tokens[id].n_bytes != 0; }
  Status CheckNewToken(TokenId id, size_t n_bytes) const;
  void SetToken(TokenId id, size_t offset);
  Status CheckAdded();

  Vocabulary v_;
  bool indexed_ = false;  // v_.index holds all tokens
};

}  // namespace pith
