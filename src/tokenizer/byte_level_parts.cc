#include "tokenizer/byte_level_parts.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <optional>
#include <unordered_map>

#include "base/bytes.h"
#include "tokenizer/unicode_class.h"

namespace pith {
namespace {

constexpr size_t kMaxQuotedBytes = 300;

// The alphabet of byte-level BPE: printable Latin-1 stands for itself, the other 68 bytes, in order, for
// U+0100 to U+0143 (bytes_to_unicode of GPT-2).
std::array<int, 256 + 68> MakeByteOfCodePoint() {
  std::array<int, 256 + 68> byte_of;
  byte_of.fill(-1);
  size_t n_moved = 0;
  for (int b = 0; b < 256; ++b) {
    const bool printable = (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
    byte_of[printable ? static_cast<size_t>(b) : 256 + n_moved++] = b;
  }
  return byte_of;
}

// Appends the bytes of a token's text; false when a character is not in the alphabet, and for what is not
// UTF-8.
bool AppendBytes(std::string_view text, Bytes& bytes) {
  static const std::array<int, 256 + 68> byte_of = MakeByteOfCodePoint();
  const size_t old_size = bytes.size();
  bytes.resize(old_size + text.size());  // at least a byte of text a byte
  uint8_t* to = bytes.data() + old_size;
  for (size_t i = 0; i < text.size(); ++i) {
    auto code_point = static_cast<unsigned char>(text[i]) + size_t{0};
    if (code_point >= 0x80) {
      // Three bytes and more are beyond U+07FF; 0x80 to 0xc1 begin nothing.
      if (code_point < 0xc2 || code_point >= 0xe0 || ++i == text.size()) return false;
      const auto next = static_cast<unsigned char>(text[i]);
      if ((next & 0xc0) != 0x80) return false;
      code_point = (code_point & 0x1f) << 6 | (next & 0x3fu);
    }
    if (code_point >= byte_of.size() || byte_of[code_point] < 0) return false;
    *to++ = static_cast<uint8_t>(byte_of[code_point]);
  }
  bytes.resize(static_cast<size_t>(to - bytes.data()));
  return true;
}

// Pairs of ids that have been seen: an open hash table of at most half its slots, as MergeTable is one.
class PairSet {
 public:
  explicit PairSet(size_t n_pairs)
      : slots_(std::bit_ceil(std::max<size_t>(2 * n_pairs, 16)), kEmpty),
        shift_(64 - std::countr_zero(slots_.size())) {}

  bool Insert(TokenId left, TokenId right) {
    const uint64_t key = uint64_t{left} << 32 | right;
    size_t i = static_cast<size_t>(key * 0x9e3779b97f4a7c15u >> shift_);
    for (; slots_[i] != kEmpty; i = (i + 1) & (slots_.size() - 1)) {
      if (slots_[i] == key) return false;
    }
    slots_[i] = key;
    return true;
  }

 private:
  static constexpr uint64_t kEmpty = ~uint64_t{0};  // no pair: ids have 20 bits
  std::vector<uint64_t> slots_;
  int shift_;
};

// Earlier duplicates of a pair lose: in the original the last one's rank overwrites the others.
void DropOverwrittenMerges(std::vector<Merge>& merges) {
  PairSet seen(merges.size());
  size_t first_kept = merges.size();
  for (size_t i = merges.size(); i-- > 0;) {
    if (seen.Insert(merges[i].left, merges[i].right)) merges[--first_kept] = merges[i];
  }
  merges.erase(merges.begin(), merges.begin() + static_cast<std::ptrdiff_t>(first_kept));
}

// The added tokens by their text. Nearly all that is asked for begins with a character that none of them
// begins with.
class AddedIndex {
 public:
  explicit AddedIndex(const std::vector<AddedToken>& added) {
    for (const AddedToken& token : added) {
      ids_.emplace(token.content, token.id);
      if (!token.content.empty()) begins_[static_cast<unsigned char>(token.content[0])] = true;
    }
  }
  const TokenId* Find(std::string_view text) const {
    if (text.empty() || !begins_[static_cast<unsigned char>(text[0])]) return nullptr;
    const auto found = ids_.find(text);
    return found != ids_.end() ? &found->second : nullptr;
  }

 private:
  std::unordered_map<std::string_view, TokenId> ids_;
  std::array<bool, 256> begins_{};
};

// The tokens of a merge by their bytes: left and right side by side are the product.
class MergeFinder {
 public:
  MergeFinder(const ByteLevelParts& parts, const VocabularyBuilder& builder, const AddedIndex& added)
      : parts_(parts), builder_(builder), added_(added) {}

  Result<Merge> Find(size_t i) {
    const auto& [left, right] = parts_.merges[i];
    bytes_.clear();
    if (!AppendBytes(left, bytes_)) return Missing(i, left);
    const size_t n_left = bytes_.size();
    if (!AppendBytes(right, bytes_)) return Missing(i, right);
    const ByteSpan all = bytes_;
    const std::optional<TokenId> left_id = builder_.FindToken(all.first(n_left));
    if (!left_id) return Missing(i, left);
    const std::optional<TokenId> right_id = builder_.FindToken(all.subspan(n_left));
    if (!right_id) return Missing(i, right);
    const std::optional<TokenId> product = builder_.FindToken(all);
    if (!product) return Missing(i, std::string(left).append(right));
    return Merge{*left_id, *right_id, *product};
  }

 private:
  Status Missing(size_t i, std::string_view text) const {
    const auto& [left, right] = parts_.merges[i];
    return Corrupt(parts_.merges_place + ": merge " + std::to_string(i) + " of " + QuotedToken(left) +
                   " and " + QuotedToken(right) + ": " + QuotedToken(text) +
                   (added_.Find(text) != nullptr ? " is an added token" : " is no token") +
                   ", expected one of " + parts_.tokens_place);
  }

  const ByteLevelParts& parts_;
  const VocabularyBuilder& builder_;
  const AddedIndex& added_;
  Bytes bytes_;
};

}  // namespace

std::string QuotedToken(std::string_view text) {
  std::string quoted = "\"";
  for (size_t i = 0; i < text.size();) {
    if (i >= kMaxQuotedBytes) {
      quoted += "..";
      break;
    }
    const size_t n = UnicodeClasses::Get().At(AsBytes(text), i).n_bytes;
    const bool printable = n > 1 || (text[i] >= 0x20 && text[i] < 0x7f);
    quoted += printable ? text.substr(i, n) : "?";
    i += n;
  }
  return quoted + "\"";
}

Result<Vocabulary> BuildVocabulary(ByteLevelParts parts) {
  const AddedIndex added(parts.added);
  VocabularyBuilder builder(parts.tokens.size(), parts.merges.size(), parts.ignore_merges);
  Bytes bytes;
  for (const ByteLevelParts::Token& token : parts.tokens) {
    const auto place = [&] { return parts.tokens_place + ": token " + QuotedToken(token.text); };
    if (token.id >= kMaxTokenIds) {
      return Unsupported(place() + ": id " + std::to_string(token.id) + ", expected 0 to " +
                         std::to_string(kMaxTokenIds - 1));
    }
    const auto id = static_cast<TokenId>(token.id);
    // A token that is found in text before BPE begins: never a product of it, so not a regular token.
    if (const TokenId* found = added.Find(token.text); found != nullptr) {
      if (*found == id) continue;
      return Corrupt(place() + ": id " + std::to_string(id) + ", but " + parts.added_place + " gives it " +
                     std::to_string(*found));
    }
    bytes.clear();
    if (!AppendBytes(token.text, bytes)) {
      return Unsupported(place() + " has a character that is not in the alphabet of byte-level BPE");
    }
    if (Status status = builder.AddToken(id, bytes); !status.ok()) return status.WithContext(place());
  }
  PITH_RETURN_IF_ERROR(builder.IndexTokens());

  std::vector<Merge> merges;
  merges.reserve(parts.merges.size());
  MergeFinder finder(parts, builder, added);
  for (size_t i = 0; i < parts.merges.size(); ++i) {
    PITH_ASSIGN_OR_RETURN(const Merge merge, finder.Find(i));
    merges.push_back(merge);
  }
  DropOverwrittenMerges(merges);
  for (const Merge& merge : merges) PITH_RETURN_IF_ERROR(builder.AddMerge(merge));
  // Their texts, which `added` borrows, are of no further use.
  for (AddedToken& token : parts.added) PITH_RETURN_IF_ERROR(builder.AddAdded(std::move(token)));
  return std::move(builder).Build();
}

}  // namespace pith
