// TokenTrie: the data tokens of a vocabulary as a tree of their bytes, so that a walk looks at each beginning
// once.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "tokenizer/tokenizer.h"

namespace pith {

// Immutable: many constraints, in many threads, may share one. For Qwen3's vocabulary it takes some 8 MB.
class TokenTrie {
 public:
  static constexpr TokenId kNoToken = ~TokenId{0};

  // A node: the bytes of its ancestors and its own. Nodes lie in preorder, so a walk is a loop and leaving
  // out what is below a node is a jump.
  struct Node {
    uint32_t end;    // the node behind all that is below this one
    TokenId token;   // the token of just these bytes, or kNoToken
    uint16_t depth;  // bytes before its own; 0 for the first
    uint8_t byte;
  };

  // Keeps nothing of the tokenizer's.
  explicit TokenTrie(const Tokenizer& tokenizer);

  std::span<const Node> nodes() const { return nodes_; }

  // Plain tokens are whole characters of valid UTF-8, without controls, '"' and '\': what a JSON string holds
  // as it is. They are half of a vocabulary or more, and allowed or not as one in the midst of a text.
  std::span<const uint64_t> plain_tokens() const { return plain_tokens_; }  // bit id % 64 of word id / 64
  std::span<const Node> nodes_without_plain() const { return nodes_without_plain_; }

  size_t vocab_size() const { return tokens_.size(); }
  size_t n_mask_words() const { return plain_tokens_.size(); }
  size_t max_token_bytes() const { return max_token_bytes_; }

  // Empty when id is no data token.
  ByteSpan TokenBytes(TokenId id) const {
    if (id >= tokens_.size()) return {};
    return ByteSpan(bytes_).subspan(tokens_[id].offset, tokens_[id].n_bytes);
  }

 private:
  std::vector<Node> Build(const std::vector<TokenId>& sorted) const;

  std::vector<TokenRef> tokens_;  // by id
  Bytes bytes_;
  size_t max_token_bytes_ = 0;
  std::vector<Node> nodes_;
  std::vector<Node> nodes_without_plain_;
  std::vector<uint64_t> plain_tokens_;
};

}  // namespace pith
