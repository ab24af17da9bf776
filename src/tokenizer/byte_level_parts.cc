#include "tokenizer/byte_level_parts.h"

#include <algorithm>
#include <array>
#include <optional>
#include <unordered_map>
#include <unordered_set>

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

// Turns a token's text into its bytes; false when a character is not in the alphabet, and for what is not UTF-8.
bool ToBytes(std::string_view text, Bytes& bytes) {
  static const std::array<int, 256 + 68> byte_of = MakeByteOfCodePoint();
  bytes.clear();
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
    bytes.push_back(static_cast<uint8_t>(byte_of[code_point]));
  }
  return true;
}

// Earlier duplicates of a pair lose: in the original the last one's rank overwrites the others.
void DropOverwrittenMerges(std::vector<Merge>& merges) {
  std::unordered_set<uint64_t> seen;
  seen.reserve(merges.size());
  size_t first_kept = merges.size();
  for (size_t i = merges.size(); i-- > 0;) {
    if (seen.insert(uint64_t{merges[i].left} << 32 | merges[i].right).second)
      merges[--first_kept] = merges[i];
  }
  merges.erase(merges.begin(), merges.begin() + static_cast<std::ptrdiff_t>(first_kept));
}

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
  std::unordered_map<std::string_view, TokenId> added_ids;
  for (const AddedToken& token : parts.added) added_ids.emplace(token.content, token.id);

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
    if (const auto found = added_ids.find(token.text); found != added_ids.end()) {
      if (found->second == id) continue;
      return Corrupt(place() + ": id " + std::to_string(id) + ", but " + parts.added_place + " gives it " +
                     std::to_string(found->second));
    }
    if (!ToBytes(token.text, bytes)) {
      return Unsupported(place() + " has a character that is not in the alphabet of byte-level BPE");
    }
    if (Status status = builder.AddToken(id, bytes); !status.ok()) return status.WithContext(place());
  }
  PITH_RETURN_IF_ERROR(builder.IndexTokens());

  std::vector<Merge> merges;
  merges.reserve(parts.merges.size());
  for (size_t i = 0; i < parts.merges.size(); ++i) {
    const auto& [left, right] = parts.merges[i];
    std::array<TokenId, 3> ids;
    const std::array<std::string, 3> texts = {std::string(left), std::string(right), std::string(left).append(right)};
    for (size_t t = 0; t < 3; ++t) {
      const bool in_alphabet = ToBytes(texts[t], bytes);
      const std::optional<TokenId> id = in_alphabet ? builder.FindToken(bytes) : std::nullopt;
      if (!id) {
        return Corrupt(parts.merges_place + ": merge " + std::to_string(i) + " of " + QuotedToken(left) + " and " +
                       QuotedToken(right) + ": " + QuotedToken(texts[t]) +
                       (added_ids.contains(texts[t]) ? " is an added token" : " is no token") + ", expected one of " +
                       parts.tokens_place);
      }
      ids[t] = *id;
    }
    merges.push_back({ids[0], ids[1], ids[2]});
  }
  DropOverwrittenMerges(merges);
  for (const Merge& merge : merges) PITH_RETURN_IF_ERROR(builder.AddMerge(merge));
  for (AddedToken& token : parts.added) PITH_RETURN_IF_ERROR(builder.AddAdded(std::move(token)));
  return std::move(builder).Build();
}

}  // namespace pith
