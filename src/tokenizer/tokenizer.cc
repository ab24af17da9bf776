#include "tokenizer/tokenizer.h"

#include <algorithm>

#include "tokenizer/bpe.h"
#include "tokenizer/gguf_tokenizer.h"
#include "tokenizer/huggingface_json.h"
#include "tokenizer/pre_tokenizer.h"
#include "tokenizer/vocabulary_form.h"
#include "tokenizer/word_cache.h"

namespace pith {
namespace {

// Appends the tokens of words one after the other.
class WordEncoder {
 public:
  WordEncoder(const Vocabulary& v, ByteSpan text, std::vector<TokenId>& out)
      : text_(text), out_(out), merger_(v), cache_(text.size()) {}

  void Encode(size_t begin, size_t end) {
    const size_t n = end - begin;
    if (n > WordCache::kMaxWordBytes) {
      merger_.Merge(text_.subspan(begin, n), out_);
      return;
    }
    const WordCache::Key key = WordCache::KeyOf(text_, begin, n);
    WordCache::Entry& entry = cache_.At(key);
    if (entry.key == key) {
      out_.insert(out_.end(), entry.tokens.data(), entry.tokens.data() + entry.n_tokens);
      return;
    }
    const size_t n_before = out_.size();
    merger_.Merge(text_.subspan(begin, n), out_);
    const size_t n_tokens = out_.size() - n_before;
    if (n_tokens > WordCache::kMaxWordTokens) return;
    entry.key = key;
    entry.n_tokens = static_cast<uint32_t>(n_tokens);
    std::copy_n(out_.data() + n_before, n_tokens, entry.tokens.data());
  }

 private:
  ByteSpan text_;
  std::vector<TokenId>& out_;
  WordMerger merger_;
  WordCache cache_;
};

}  // namespace

Tokenizer::Tokenizer(Vocabulary vocabulary)
    : vocabulary_(std::make_unique<const Vocabulary>(std::move(vocabulary))) {
  const Vocabulary& v = *vocabulary_;
  if (v.ignore_merges) {  // any token may be a whole word
    data_tokens_ = v.tokens;
    return;
  }
  data_tokens_.resize(v.tokens.size());
  for (const TokenId id : v.byte_tokens) data_tokens_[id] = v.tokens[id];
  for (const Merge& merge : v.merges) data_tokens_[merge.product] = v.tokens[merge.product];
}

Result<Tokenizer> Tokenizer::FromHuggingFaceJson(std::string_view json) {
  PITH_ASSIGN_OR_RETURN(Vocabulary vocabulary, ReadHuggingFaceJson(json));
  return Tokenizer(std::move(vocabulary));
}

Result<Tokenizer> Tokenizer::FromGguf(const GgufFile& file) {
  PITH_ASSIGN_OR_RETURN(Vocabulary vocabulary, ReadGgufTokenizer(file));
  return Tokenizer(std::move(vocabulary));
}

Result<Tokenizer> Tokenizer::Deserialize(ByteSpan data) {
  PITH_ASSIGN_OR_RETURN(Vocabulary vocabulary, ReadVocabulary(data));
  return Tokenizer(std::move(vocabulary));
}

Bytes Tokenizer::Serialize() const { return WriteVocabulary(*vocabulary_); }

size_t Tokenizer::vocab_size() const { return data_tokens_.size(); }

void Tokenizer::Encode(ByteSpan text, std::vector<TokenId>& out) const {
  const PreTokenizer pre_tokenizer(text);
  WordEncoder encoder(*vocabulary_, text, out);
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = pre_tokenizer.WordEnd(begin);
    for (; end - begin > kMaxWordBytes; begin += kMaxWordBytes) encoder.Encode(begin, begin + kMaxWordBytes);
    encoder.Encode(begin, end);
    begin = end;
  }
}

Status Tokenizer::Decode(std::span<const TokenId> ids, Bytes& out) const {
  size_t n_bytes = 0;
  for (size_t i = 0; i < ids.size(); ++i) {
    if (!IsData(ids[i])) {
      return InvalidArgument("tokenizer: token " + std::to_string(i) + " of " + std::to_string(ids.size()) +
                             " has id " + std::to_string(ids[i]) + ", expected one that stands for bytes");
    }
    n_bytes += data_tokens_[ids[i]].n_bytes;
  }
  const size_t old_size = out.size();
  out.resize(old_size + n_bytes);
  uint8_t* to = out.data() + old_size;
  for (const TokenId id : ids) {
    const ByteSpan token = TokenBytes(id);
    to = std::copy(token.begin(), token.end(), to);
  }
  return OkStatus();
}

bool Tokenizer::IsData(TokenId id) const { return id < data_tokens_.size() && data_tokens_[id].n_bytes != 0; }

ByteSpan Tokenizer::TokenBytes(TokenId id) const {
  if (!IsData(id)) return {};
  return ByteSpan(vocabulary_->bytes).subspan(data_tokens_[id].offset, data_tokens_[id].n_bytes);
}

std::span<const AddedToken> Tokenizer::added_tokens() const { return vocabulary_->added; }

const AddedToken* Tokenizer::AddedTokenOf(TokenId id) const {
  const std::vector<AddedToken>& added = vocabulary_->added;
  const auto it = std::lower_bound(added.begin(), added.end(), id,
                                   [](const AddedToken& token, TokenId wanted) { return token.id < wanted; });
  return it != added.end() && it->id == id ? &*it : nullptr;
}

std::optional<TokenId> Tokenizer::FindAddedToken(std::string_view content) const {
  // Some dozens at most in practice: no table is worth it.
  for (const AddedToken& token : vocabulary_->added) {
    if (token.content == content) return token.id;
  }
  return std::nullopt;
}

}  // namespace pith
