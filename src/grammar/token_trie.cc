#include "grammar/token_trie.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "base/utf8.h"

namespace pith {
namespace {

bool IsPlain(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const uint32_t c = TakeUtf8(text, at);
    if (c > kMaxCodePoint || c < 0x20 || c == 0x7f || c == '"' || c == '\\') return false;
  }
  return true;
}

// The first bytes as a number that compares as they do: most comparisons need no more.
uint64_t Prefix(ByteSpan bytes) {
  uint64_t prefix = 0;
  for (size_t i = 0; i < 8; ++i) prefix = prefix << 8 | (i < bytes.size() ? bytes[i] : 0);
  return prefix;
}

}  // namespace

TokenTrie::TokenTrie(const Tokenizer& tokenizer)
    : tokens_(tokenizer.vocab_size()), plain_tokens_((tokenizer.vocab_size() + 63) / 64) {
  struct Key {
    uint64_t prefix;
    TokenId id;
  };
  std::vector<Key> keys;
  for (TokenId id = 0; id < tokens_.size(); ++id) {
    const ByteSpan bytes = tokenizer.TokenBytes(id);
    if (bytes.empty()) continue;
    tokens_[id] = {static_cast<uint32_t>(bytes_.size()), static_cast<uint32_t>(bytes.size())};
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    max_token_bytes_ = std::max(max_token_bytes_, bytes.size());
    keys.push_back({Prefix(bytes), id});
  }
  std::sort(keys.begin(), keys.end(), [&](const Key& a, const Key& b) {
    if (a.prefix != b.prefix) return a.prefix < b.prefix;
    return AsText(TokenBytes(a.id)) < AsText(TokenBytes(b.id));
  });
  std::vector<TokenId> sorted;
  std::vector<TokenId> sorted_without_plain;
  for (const Key& key : keys) {
    sorted.push_back(key.id);
    if (IsPlain(AsText(TokenBytes(key.id)))) {
      plain_tokens_[key.id / 64] |= uint64_t{1} << key.id % 64;
    } else {
      sorted_without_plain.push_back(key.id);
    }
  }
  nodes_ = Build(sorted);
  nodes_without_plain_ = Build(sorted_without_plain);
}

// sorted: by bytes, which are all different (vocabulary.h).
std::vector<TokenTrie::Node> TokenTrie::Build(const std::vector<TokenId>& sorted) const {
  std::vector<Node> nodes;
  std::vector<uint32_t> path;  // nodes that are not closed, by depth
  ByteSpan previous;
  for (const TokenId id : sorted) {
    const ByteSpan bytes = TokenBytes(id);
    size_t n_common = 0;
    while (n_common < previous.size() && n_common < bytes.size() && previous[n_common] == bytes[n_common])
      ++n_common;
    for (; path.size() > n_common; path.pop_back())
      nodes[path.back()].end = static_cast<uint32_t>(nodes.size());
    for (size_t depth = n_common; depth < bytes.size(); ++depth) {
      path.push_back(static_cast<uint32_t>(nodes.size()));
      nodes.push_back({0, kNoToken, static_cast<uint16_t>(depth), bytes[depth]});
    }
    nodes[path.back()].token = id;
    previous = bytes;
  }
  for (; !path.empty(); path.pop_back()) nodes[path.back()].end = static_cast<uint32_t>(nodes.size());
  return nodes;
}

}  // namespace pith
