// ToyModel: a TokenModel for tests, in microseconds. What follows a token depends on that token alone.
//
// Vocabulary of 301 ids in no useful order: the 256 bytes, some words, and ids that no data has (the start
// token among them). After each token four letters, hashed from it, are likely; its hidden state says which of eight kinds
// the token is of. ToyText draws text from that
// distribution, which the toy model compresses well and zstd does not.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <functional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/thread_pool.h"
#include "codec/token_model.h"

namespace pith {

class ToyModel : public TokenModel {
 public:
  static constexpr uint32_t kVocab = 301;
  static constexpr TokenId kStart = 7;
  static constexpr size_t kAllStreams = ~size_t{0};

  // What tests want to vary; none of it changes a result unless stated.
  struct Options {
    uint64_t seed = 1;             // another seed is another model: fingerprint and probabilities
    TokenId wrong_after = kVocab;  // after this token it computes other probabilities than it should
    size_t preferred_tokens = 100;
    uint64_t fixed_bytes = 1000;
    uint64_t bytes_per_stream = 100;
    uint32_t window = 64;
    size_t hidden_width = 20;  // no multiple of a vector
    uint64_t fail_after = ~uint64_t{0};  // tokens, after which Paths and Step fail
    size_t failing_stream = kAllStreams;  // whose tokens those are
    size_t max_lanes = 1;
  };

  ToyModel() : ToyModel(Options()) {}
  explicit ToyModel(const Options& options) : options_(options), pool_(options.max_lanes) {
    identity_.name = "toy-" + std::to_string(options.seed);
    identity_.window = options.window;
    for (size_t i = 0; i < 16; ++i)
      identity_.fingerprint.bytes[i] = static_cast<uint8_t>(Mix(options.seed * 16 + i));
    // Ids of data: all but every seventh up to the limit. 7 * k is no data; so is what is left at the end.
    std::vector<TokenId> ids;
    for (TokenId id = 0; id < kVocab; ++id) {
      if (id % 7 != 0) ids.push_back(id);
    }
    for (size_t b = 0; b < 256; ++b) {
      byte_ids_[b] = ids[b * 101 % 256];
      bytes_[byte_ids_[b]] = std::string(1, static_cast<char>(b));
    }
    PITH_CHECK(ids.size() >= 257);
    word_id_ = ids[256];
    bytes_[word_id_] = "the ";
    for (TokenId id = 0; id < kVocab; ++id) rows_.push_back(MakeRow(id));
    for (size_t i = 0; i < kVocab * options.hidden_width; ++i) {
      const uint64_t kind = Mix(i / options.hidden_width) % 8;
      hidden_.push_back(static_cast<float>(static_cast<int>(Mix(kind * 1000 + i % options.hidden_width) % 2001) - 1000) / 256);
    }
  }

  const ModelIdentity& identity() const override { return identity_; }
  uint32_t vocab() const override { return kVocab; }
  TokenId start_token() const override { return kStart; }
  uint64_t FixedBytes() const override { return options_.fixed_bytes; }
  uint64_t BytesPerStream() const override { return options_.bytes_per_stream; }
  size_t PreferredTokens() const override { return options_.preferred_tokens; }
  size_t hidden_width() const override { return options_.hidden_width; }

  Status Tokenize(ByteSpan text, std::vector<TokenId>& tokens) override {
    const std::string_view view = AsText(text);
    for (size_t i = 0; i < view.size();) {
      const bool word = view.substr(i, 4) == "the ";
      tokens.push_back(word ? word_id_ : byte_ids_[static_cast<uint8_t>(view[i])]);
      i += word ? 4 : 1;
    }
    return OkStatus();
  }
  ByteSpan TokenBytes(TokenId id) const override { return AsBytes(bytes_[id]); }

  Status Start(size_t n_streams) override {
    last_.assign(n_streams, kVocab);
    step_.resize(std::clamp<size_t>(n_streams, 1, pool_.n_threads()));
    max_streams_ = std::max(max_streams_, n_streams);
    return OkStatus();
  }

  Status Paths(std::span<const PathRequest> requests, const std::function<void()>& beside) override {
    if (beside) beside();
    const DecisionTree tree(kVocab);
    const size_t depth = static_cast<size_t>(tree.depth());
    for (const PathRequest& r : requests) {
      PITH_CHECK(!r.inputs.empty() && r.inputs.size() == r.targets.size() &&
                 r.paths.size() == depth * r.targets.size());
      for (size_t i = 0; i < r.inputs.size(); ++i) {
        PITH_RETURN_IF_ERROR(Feed(r.stream, r.inputs[i]));
        const std::vector<uint32_t>& f = rows_[r.inputs[i]];
        tree.Path(f.data(), r.targets[i], r.paths.subspan(i * depth, depth));
        for (size_t k = 0; k < r.hidden.size() / r.targets.size(); ++k) {
          r.hidden[i * options_.hidden_width + k] = HiddenAfter(r.inputs[i])[k];
        }
        if (!r.ideal_bits.empty()) {
          double total = 0;
          for (const uint32_t v : f) total += v;
          r.ideal_bits[i] = std::log2(total / f[r.targets[i]]);
        }
      }
    }
    return OkStatus();
  }

  size_t n_lanes() const override { return step_.size(); }
  void RunLanes(size_t, const std::function<void(size_t)>& run) override { pool_.RunTogether(n_lanes(), run); }
  Status Step(size_t lane, std::span<const StreamToken> inputs) override {
    step_[lane].clear();
    for (const StreamToken& input : inputs) {
      PITH_RETURN_IF_ERROR(Feed(input.stream, input.token));
      step_[lane].push_back(input.token);
    }
    return OkStatus();
  }
  std::span<const uint32_t> Frequencies(size_t lane, size_t i) const override { return rows_[step_[lane][i]]; }
  std::span<const float> Hidden(size_t lane, size_t i) const override { return HiddenAfter(step_[lane][i]); }
  std::span<const float> HiddenAfter(TokenId token) const {
    return std::span<const float>(hidden_).subspan(token * options_.hidden_width, options_.hidden_width);
  }

  // For the fuzzer: fails after so many tokens more; takes another's name.
  void FailAfter(uint64_t n_tokens) { options_.fail_after = tokens_to_fail_ + n_tokens; }
  void Impersonate(const ModelIdentity& identity) { identity_ = identity; }

  // What the tests look at.
  uint64_t tokens_fed() const { return tokens_fed_; }
  size_t max_streams() const { return max_streams_; }
  const std::vector<uint32_t>& Row(TokenId after) const { return rows_[after]; }

  // A token drawn from what follows `after`, and its bytes.
  TokenId Draw(TokenId after, std::mt19937_64& random) const {
    const std::vector<uint32_t>& f = rows_[after];
    uint64_t total = 0;
    for (const uint32_t v : f) total += v;
    uint64_t at = random() % total;
    TokenId id = 0;
    for (; at >= f[id]; ++id) at -= f[id];
    return id;
  }

 private:
  static uint64_t Mix(uint64_t x) {
    x = (x + 0x9e3779b97f4a7c15u) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 29)) * 0x94d049bb133111ebu;
    return x ^ (x >> 32);
  }

  // Frequencies with a total of about 2^30, 1 at least for data, as the contract has them.
  std::vector<uint32_t> MakeRow(TokenId after) const {
    static constexpr std::string_view kLikely = "abcdefghijklmnopqrstuvwxyz \n,.";
    std::vector<uint32_t> f(kVocab, 0);
    for (TokenId id = 0; id < kVocab; ++id) {
      if (bytes_[id].empty()) continue;
      const uint8_t first = static_cast<uint8_t>(bytes_[id][0]);
      f[id] = kLikely.find(static_cast<char>(first)) != std::string_view::npos ? 1u << 18 : 1;
    }
    for (uint32_t k = 0; k < 4; ++k) {
      const uint64_t salt = after == options_.wrong_after ? 1 : 0;
      const char c = kLikely[Mix(options_.seed * 1000003 + after * 4 + k + salt) % kLikely.size()];
      f[byte_ids_[static_cast<uint8_t>(c)]] += (1u << 28) - k * (1u << 25);
    }
    f[word_id_] += 1u << 24;
    return f;
  }

  Status Feed(size_t stream, TokenId token) {
    PITH_CHECK(stream < last_.size() && token < kVocab);
    PITH_CHECK((last_[stream] == kVocab) == (token == kStart));
    last_[stream] = token;
    ++tokens_fed_;
    if (options_.failing_stream != kAllStreams && options_.failing_stream != stream) return OkStatus();
    if (++tokens_to_fail_ > options_.fail_after) {
      return Corrupt("toy: stream " + std::to_string(stream) + " fails here");
    }
    return OkStatus();
  }

  Options options_;
  ThreadPool pool_;
  ModelIdentity identity_;
  std::array<TokenId, 256> byte_ids_{};
  std::array<std::string, kVocab> bytes_;
  TokenId word_id_ = 0;
  std::vector<std::vector<uint32_t>> rows_;
  std::vector<float> hidden_;  // [vocab, hidden_width]
  std::vector<TokenId> last_;  // [streams]
  std::vector<std::vector<TokenId>> step_;  // [lanes]
  std::atomic<uint64_t> tokens_fed_{0};
  std::atomic<uint64_t> tokens_to_fail_{0};  // fed to what fails
  size_t max_streams_ = 0;
};

// About `n` bytes of what the toy model expects; at least n if n > 0.
inline Bytes ToyText(const ToyModel& model, size_t n, uint64_t seed) {
  std::mt19937_64 random(seed);
  Bytes text;
  TokenId last = ToyModel::kStart;
  while (text.size() < n) {
    last = model.Draw(last, random);
    const ByteSpan bytes = model.TokenBytes(last);
    text.insert(text.end(), bytes.begin(), bytes.end());
  }
  text.resize(n);
  return text;
}

}  // namespace pith
