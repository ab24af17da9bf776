#include "tokenizer/vocabulary_form.h"

#include <algorithm>
#include <string>

namespace pith {
namespace {

constexpr std::string_view kMagic = "PTOK";
constexpr uint64_t kVersion = 1;
constexpr uint64_t kQwenPatternCode = 1;
constexpr uint64_t kIgnoreMergesFlag = 1;
constexpr uint8_t kSpecialFlag = 1;

// The least that an entry takes, to hold counts against the bytes that are left.
constexpr size_t kMinSpelledBytes = 3;
constexpr size_t kMinMergeBytes = 3;
constexpr size_t kMinAddedBytes = 4;

uint64_t Zigzag(int64_t v) { return static_cast<uint64_t>(v) << 1 ^ static_cast<uint64_t>(v >> 63); }
int64_t Unzigzag(uint64_t z) { return static_cast<int64_t>(z >> 1) ^ -static_cast<int64_t>(z & 1); }

// What each token was so far while the merges are gone through in order (section 3).
struct TokenState {
  bool spelled = false;
  bool part = false;  // of a merge
  bool made = false;  // by a merge
};

Status At(const ByteReader& reader, const Status& status) {
  return status.WithContext("tokenizer form: before byte " + std::to_string(reader.position()));
}

Status Ended(const ByteReader& reader, const char* what) {
  return At(reader, Corrupt(std::string("ended or malformed in ") + what));
}

class FormReader {
 public:
  explicit FormReader(ByteSpan data) : in_(data) {}

  Result<Vocabulary> Read() {
    const ByteSpan magic = in_.Raw(kMagic.size());
    if (!in_.ok() || AsText(magic) != kMagic) return Corrupt("tokenizer form: no magic, expected \"PTOK\"");
    PITH_RETURN_IF_ERROR(ExpectNumber("version", kVersion));
    PITH_RETURN_IF_ERROR(ExpectNumber("pattern", kQwenPatternCode));
    const uint64_t flags = in_.Varint();
    if (!in_.ok()) return Ended(in_, "the header");
    if (flags > kIgnoreMergesFlag) {
      return At(in_, Unsupported("flags " + Hex(flags, 2) + ", expected 0 or 1"));
    }

    // The merges' count comes after the spelled tokens; the builder wants it before.
    PITH_ASSIGN_OR_RETURN(const size_t n_spelled, Count("spelled tokens", kMaxTokenIds, kMinSpelledBytes));
    struct Spelled {
      TokenId id;
      ByteSpan bytes;
    };
    std::vector<Spelled> spelled(n_spelled);
    uint64_t id = 0;
    for (size_t i = 0; i < n_spelled; ++i) {
      PITH_RETURN_IF_ERROR(NextId(i == 0, id));
      spelled[i] = {static_cast<TokenId>(id), Block()};
      if (!in_.ok()) return Ended(in_, "the spelled tokens");
    }

    PITH_ASSIGN_OR_RETURN(const size_t n_merges, Count("merges", kMaxMerges, kMinMergeBytes));
    VocabularyBuilder builder(n_spelled + n_merges, n_merges, flags == kIgnoreMergesFlag);
    states_.reserve(n_spelled + n_merges);
    for (const Spelled& token : spelled) {
      const Status added = builder.AddToken(token.id, token.bytes);
      if (!added.ok()) return added.WithContext("tokenizer form: spelled tokens");
      State(token.id).spelled = true;
    }
    PITH_RETURN_IF_ERROR(ReadMerges(n_merges, static_cast<int64_t>(id), builder));
    PITH_RETURN_IF_ERROR(ReadAdded(builder));
    if (in_.remaining() != 0) {
      return At(in_, Corrupt(std::to_string(in_.remaining()) + " bytes follow, expected the end"));
    }
    return std::move(builder).Build();
  }

 private:
  Status ExpectNumber(const char* what, uint64_t expected) {
    const uint64_t found = in_.Varint();
    if (!in_.ok()) return Ended(in_, "the header");
    if (found == expected) return OkStatus();
    return At(in_, Unsupported(std::string(what) + " " + std::to_string(found) + ", expected " +
                               std::to_string(expected)));
  }

  Result<size_t> Count(const char* what, size_t limit, size_t min_entry_bytes) {
    const uint64_t n = in_.Varint();
    if (!in_.ok()) return Ended(in_, what);
    if (n > limit) {
      return At(in_,
                Unsupported(std::to_string(n) + " " + what + ", expected at most " + std::to_string(limit)));
    }
    if (n > in_.remaining() / min_entry_bytes) {
      return At(in_, Corrupt(std::to_string(n) + " " + what + ", but only " +
                             std::to_string(in_.remaining()) + " bytes are left"));
    }
    return static_cast<size_t>(n);
  }

  // Goes from the previous entry's id to this entry's.
  Status NextId(bool first, uint64_t& id) {
    const uint64_t gap = in_.Varint();
    if (!in_.ok()) return Ended(in_, "a list of tokens");
    if (gap < kMaxTokenIds) {
      id = first ? gap : id + 1 + gap;
      if (id < kMaxTokenIds) return OkStatus();
    }
    return At(in_, Unsupported("token id beyond " + std::to_string(kMaxTokenIds - 1)));
  }

  ByteSpan Block() {
    const uint64_t n = in_.Varint();
    return in_.Raw(n);
  }

  // REQUIRES: id < kMaxTokenIds.
  TokenState& State(TokenId id) {
    if (id >= states_.size()) states_.resize(id + size_t{1});
    return states_[id];
  }

  Status ReadMerges(size_t n_merges, int64_t product, VocabularyBuilder& builder) {
    for (size_t rank = 0; rank < n_merges; ++rank) {
      const int64_t step = Unzigzag(in_.Varint());
      const uint64_t left = in_.Varint();
      const uint64_t right = in_.Varint();
      if (!in_.ok()) return Ended(in_, "the merges");
      constexpr int64_t kMaxStep = kMaxTokenIds;
      product = step < -kMaxStep || step > kMaxStep ? -1 : product + 1 + step;
      if (product < 0 || product >= kMaxStep || left >= kMaxTokenIds || right >= kMaxTokenIds) {
        return At(in_, Unsupported("merge " + std::to_string(rank) + ": a token id beyond " +
                                   std::to_string(kMaxTokenIds - 1)));
      }
      const auto id = static_cast<TokenId>(product);
      const Status added = builder.AddMerge({static_cast<TokenId>(left), static_cast<TokenId>(right), id});
      if (!added.ok()) return At(in_, added);
      State(static_cast<TokenId>(left)).part = true;
      State(static_cast<TokenId>(right)).part = true;
      TokenState& made = State(id);
      if (made.spelled && !made.made && !made.part) {
        return At(in_, Corrupt("merge " + std::to_string(rank) + ": makes token " + std::to_string(id) +
                               ", which is spelled without need"));
      }
      made.made = true;
    }
    return OkStatus();
  }

  Status ReadAdded(VocabularyBuilder& builder) {
    PITH_ASSIGN_OR_RETURN(const size_t n_added, Count("added tokens", kMaxTokenIds, kMinAddedBytes));
    uint64_t id = 0;
    for (size_t i = 0; i < n_added; ++i) {
      PITH_RETURN_IF_ERROR(NextId(i == 0, id));
      const uint8_t flags = in_.U8();
      const ByteSpan content = Block();
      if (!in_.ok()) return Ended(in_, "the added tokens");
      if (flags > kSpecialFlag) {
        return At(in_, Unsupported("added token " + std::to_string(id) + ": flags " + Hex(flags, 2) +
                                   ", expected 0 or 1"));
      }
      const Status added =
          builder.AddAdded({static_cast<TokenId>(id), std::string(AsText(content)), flags == kSpecialFlag});
      if (!added.ok()) return At(in_, added);
    }
    return OkStatus();
  }

  ByteReader in_;
  std::vector<TokenState> states_;
};

}  // namespace

Bytes WriteVocabulary(const Vocabulary& v) {
  std::vector<TokenState> states(v.tokens.size());
  size_t n_spelled = 0;
  for (TokenId id = 0; id < v.tokens.size(); ++id) {
    states[id].spelled = v.tokens[id].n_bytes != 0;
    n_spelled += states[id].spelled;
  }
  for (const Merge& merge : v.merges) {
    states[merge.left].part = true;
    states[merge.right].part = true;
    TokenState& made = states[merge.product];
    if (!made.made && !made.part) {
      made.spelled = false;
      --n_spelled;
    }
    made.made = true;
  }

  Bytes form(kMagic.begin(), kMagic.end());
  ByteWriter out(form);
  out.Varint(kVersion);
  out.Varint(kQwenPatternCode);
  out.Varint(v.ignore_merges ? kIgnoreMergesFlag : 0);

  out.Varint(n_spelled);
  int64_t previous = -1;
  for (TokenId id = 0; id < v.tokens.size(); ++id) {
    if (!states[id].spelled) continue;
    const ByteSpan token = v.TokenBytes(id);
    out.Varint(static_cast<uint64_t>(id - previous - 1));
    out.Varint(token.size());
    out.Raw(token);
    previous = id;
  }

  out.Varint(v.merges.size());
  for (const Merge& merge : v.merges) {
    out.Varint(Zigzag(merge.product - previous - 1));
    out.Varint(merge.left);
    out.Varint(merge.right);
    previous = merge.product;
  }

  out.Varint(v.added.size());
  previous = -1;
  for (const AddedToken& token : v.added) {
    out.Varint(static_cast<uint64_t>(token.id - previous - 1));
    out.U8(token.special ? kSpecialFlag : 0);
    out.Varint(token.content.size());
    out.Raw(AsBytes(token.content));
    previous = token.id;
  }
  return form;
}

Result<Vocabulary> ReadVocabulary(ByteSpan data) { return FormReader(data).Read(); }

}  // namespace pith
