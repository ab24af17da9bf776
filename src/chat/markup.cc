#include "chat/markup.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

namespace pith {
namespace {

// Added tokens by their first byte, so that most of a text is passed over quickly.
class MarkupFinder {
 public:
  explicit MarkupFinder(const Tokenizer& tokenizer) {
    for (const AddedToken& token : tokenizer.added_tokens()) {
      if (!token.content.empty()) by_first_byte_[static_cast<uint8_t>(token.content[0])].push_back(&token);
    }
  }

  // The longest added token at `at`; null: none.
  const AddedToken* At(const MarkedText& text, size_t at) const {
    const AddedToken* longest = nullptr;
    for (const AddedToken* token : by_first_byte_[static_cast<uint8_t>(text.text[at])]) {
      const std::string& content = token->content;
      if (text.text.compare(at, content.size(), content) != 0 || text.HasData(at, at + content.size()))
        continue;
      if (longest == nullptr || content.size() > longest->content.size()) longest = token;
    }
    return longest;
  }

 private:
  std::array<std::vector<const AddedToken*>, 256> by_first_byte_;
};

}  // namespace

void EncodeMarked(const MarkedText& text, size_t begin, const Tokenizer& tokenizer,
                  std::vector<TokenId>& out) {
  const MarkupFinder finder(tokenizer);
  const auto encode = [&](size_t from, size_t to) {
    if (from < to) tokenizer.Encode(AsBytes(std::string_view(text.text).substr(from, to - from)), out);
  };
  size_t done = begin;
  for (size_t i = begin; i < text.text.size();) {
    const AddedToken* token = finder.At(text, i);
    if (token == nullptr) {
      ++i;
      continue;
    }
    encode(done, i);
    out.push_back(token->id);
    i += token->content.size();
    done = i;
  }
  encode(done, text.text.size());
}

size_t CountTokensAtFront(const MarkedText& text, std::span<const TokenId> tokens, const Tokenizer& tokenizer,
                          size_t& bytes) {
  const MarkupFinder finder(tokenizer);
  size_t count = 0;
  size_t at = 0;
  bytes = 0;
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (const AddedToken* added = tokenizer.AddedTokenOf(tokens[i])) {
      if (at >= text.text.size() || finder.At(text, at) != added) break;
      at += added->content.size();
      count = i + 1;
      bytes = at;
      continue;
    }
    const ByteSpan data = tokenizer.TokenBytes(tokens[i]);
    if (data.empty() || data.size() > text.text.size() - at ||
        std::memcmp(text.text.data() + at, data.data(), data.size()) != 0)
      break;
    // A data token never stands for markup.
    bool markup = false;
    for (size_t j = at; j < at + data.size() && !markup; ++j) markup = finder.At(text, j) != nullptr;
    if (markup) break;
    at += data.size();
  }
  return count;
}

}  // namespace pith
