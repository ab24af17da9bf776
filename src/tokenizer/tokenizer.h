// Tokenizer: bytes to token ids and back, without loss for every byte string.
//
// Byte-level BPE with the pre-tokenizer of Qwen2 and Qwen3. Unlike stock tokenizers it never normalises (no
// NFC), takes invalid UTF-8, and never finds added tokens in the text: "<|im_end|>" in the data is data.
//
// Immutable after creation: all functions are const and may run in many threads at once.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "pith/status.h"
#include "tokenizer/vocabulary.h"

namespace pith {

class GgufFile;

class Tokenizer {
 public:
  // Reads a tokenizer.json of Hugging Face. kCorrupt for damage, kUnsupported for another model,
  // pre-tokenizer or setting, named with what was expected, and for a vocabulary that lacks a single byte.
  static Result<Tokenizer> FromHuggingFaceJson(std::string_view json);

  // The tokenizer that a GGUF file holds (gguf_tokenizer.h), with errors likewise.
  static Result<Tokenizer> FromGguf(const GgufFile& file);

  // Reads what Serialize wrote; vocabulary_form.md is the format. Everything is checked: what comes out keeps
  // all promises of this header.
  static Result<Tokenizer> Deserialize(ByteSpan data);

  // Equal content gives equal bytes, whatever it was read from: fit for a model's fingerprint.
  Bytes Serialize() const;

  // The highest id + 1, added tokens included. A model's embedding may have more rows.
  size_t vocab_size() const;

  // Appends the tokens of `text`, which is taken as a whole: its halves on their own may give other tokens.
  // Words (pre_tokenizer.h) are cut every kMaxWordBytes. Takes time n log n at worst, whatever the text.
  void Encode(ByteSpan text, std::vector<TokenId>& out) const;

  // No text has such words; a file of one byte repeated has. Bounds the memory of one word to some 40 MiB.
  static constexpr size_t kMaxWordBytes = 1u << 20;

  // Appends the bytes of `ids`, in order. kInvalidArgument, with `out` unchanged, when IsData fails for one.
  // For every text: Decode(Encode(text)) == text.
  Status Decode(std::span<const TokenId> ids, Bytes& out) const;

  // Whether Encode may produce `id`: false for added tokens, holes, and tokens that no merge makes.
  bool IsData(TokenId id) const;

  // The bytes of a data token; empty for all other ids. Valid as long as the tokenizer.
  ByteSpan TokenBytes(TokenId id) const;

  // The tokens outside the data, by ascending id. Valid as long as the tokenizer.
  std::span<const AddedToken> added_tokens() const;

  // The added token with this id; null: there is none. Valid as long as the tokenizer.
  const AddedToken* AddedTokenOf(TokenId id) const;

  // The id of the added token with this content, e.g. "<|endoftext|>".
  std::optional<TokenId> FindAddedToken(std::string_view content) const;

 private:
  explicit Tokenizer(Vocabulary vocabulary);

  std::unique_ptr<const Vocabulary> vocabulary_;
  std::vector<TokenRef> data_tokens_;  // by id; n_bytes == 0 where !IsData
};

}  // namespace pith
