#include "codec/model_block.h"

#include <algorithm>
#include <cmath>
#include <exception>
#include <functional>
#include <utility>

#include "base/check.h"
#include "base/float_environment.h"
#include "base/hash.h"
#include "base/turns.h"
#include "charset/character_encoding.h"
#include "codec/block_text.h"
#include "codec/stream_layout.h"
#include "coder/arithmetic_coder.h"
#include "predict/adaptive_mixer.h"
#include "predict/decision_mixer.h"
#include "predict/decision_tree.h"

namespace pith {
namespace {

// Hash of the model's probabilities of the first steps, certain decisions left out.
class Probe {
 public:
  void Add(uint32_t p1) {
    const uint8_t bytes[4] = {static_cast<uint8_t>(p1), static_cast<uint8_t>(p1 >> 8),
                              static_cast<uint8_t>(p1 >> 16), static_cast<uint8_t>(p1 >> 24)};
    hash_.Update(bytes);
  }
  uint32_t Value() const { return static_cast<uint32_t>(hash_.Digest()); }

 private:
  Hasher64 hash_;
};

TokenId FirstInput(const TokenModel& model, std::span<const TokenId> prefix) {
  return prefix.empty() ? model.start_token() : prefix.back();
}

// Makes the streams and feeds each what comes before FirstInput.
Status StartStreams(TokenModel& model, size_t n_streams, std::span<const TokenId> prefix) {
  PITH_RETURN_IF_ERROR(model.Start(n_streams));
  if (prefix.empty()) return OkStatus();
  std::vector<TokenId> inputs = {model.start_token()};
  inputs.insert(inputs.end(), prefix.begin(), prefix.end() - 1);
  const size_t depth = static_cast<size_t>(DecisionTree(model.vocab()).depth());
  std::vector<uint32_t> paths(prefix.size() * depth);  // nobody asks for them
  for (size_t i = 0; i < n_streams; ++i) {
    for (size_t at = 0; at < inputs.size(); at += model.PreferredTokens()) {
      const size_t n = std::min(model.PreferredTokens(), inputs.size() - at);
      const PathRequest request{i, std::span<const TokenId>(inputs).subspan(at, n), prefix.subspan(at, n),
                                std::span<uint32_t>(paths).first(n * depth), {}, {}};
      PITH_RETURN_IF_ERROR(model.Paths({&request, 1}, nullptr));
    }
  }
  return OkStatus();
}

// Feeds all tokens of a block to the model and gets their paths back part by part, all streams side by side.
class PathFeeder {
 public:
  // Steps [first_step, end_step) of all streams.
  struct Part {
    size_t first_step = 0;
    size_t end_step = 0;
    std::vector<uint32_t> paths;  // [stream, step of the part, depth]
    std::vector<float> hidden;    // [stream, step of the part, hidden width], or empty
    std::vector<double> bits;     // [stream, step of the part], or empty
    std::vector<PathRequest> requests;
  };

  enum class Want { kPaths, kPathsAndHidden, kPathsAndBits };

  // Each stream is fed `prefix` first (TextDictionary), which must outlive the feeder.
  PathFeeder(TokenModel& model, std::vector<TokenId> tokens, size_t n_streams, std::span<const TokenId> prefix, Want want)
      : model_(model), n_tokens_(tokens.size()), n_streams_(n_streams), prefix_(prefix),
        width_(want == Want::kPathsAndHidden ? model.hidden_width() : 0), want_bits_(want == Want::kPathsAndBits),
        fed_(std::move(tokens)) {
    PITH_CHECK(n_streams >= 1 && n_streams <= n_tokens_);
    depth_ = static_cast<size_t>(DecisionTree(model.vocab()).depth());
    // The token before each stream, the start token or the prefix's last, so that inputs and targets are one array, a
    // place apart. From the last stream on: each moves up by as many places as there are streams up to it.
    fed_.resize(n_tokens_ + n_streams);
    for (size_t i = n_streams; i-- > 0;) {
      const auto begin = fed_.begin() + static_cast<ptrdiff_t>(StreamBegin(n_tokens_, n_streams, i));
      const auto end = fed_.begin() + static_cast<ptrdiff_t>(StreamBegin(n_tokens_, n_streams, i + 1));
      std::copy_backward(begin, end, end + static_cast<ptrdiff_t>(i) + 1);
      *(begin + static_cast<ptrdiff_t>(i)) = FirstInput(model, prefix);
    }
    n_steps_ = StepCount(n_tokens_, n_streams);
    part_steps_ = std::min(PartSteps(model, n_streams), n_steps_);
  }

  size_t depth() const { return depth_; }

  Status Start() { return StartStreams(model_, n_streams_, prefix_); }
  bool AtEnd() const { return next_step_ == n_steps_; }

  // Runs the model over the next steps and, at the same time where there are threads for it, `beside` (or null) once.
  // REQUIRES: not AtEnd().
  Status NextPart(Part& part, const std::function<void()>& beside) {
    part.first_step = next_step_;
    part.end_step = next_step_ = std::min(n_steps_, next_step_ + part_steps_);
    part.paths.resize(n_streams_ * part_steps_ * depth_);
    part.hidden.resize(n_streams_ * part_steps_ * width_);
    if (want_bits_) part.bits.resize(n_streams_ * part_steps_);
    part.requests.clear();
    for (size_t i = 0; i < n_streams_; ++i) {
      const size_t length = Length(i);
      if (length <= part.first_step) continue;
      const size_t n = std::min(part.end_step, length) - part.first_step;
      const std::span<const TokenId> run =
          std::span<const TokenId>(fed_).subspan(FedBegin(i) + part.first_step, n + 1);
      part.requests.push_back(
          {i, run.first(n), run.last(n), std::span<uint32_t>(part.paths).subspan(i * part_steps_ * depth_, n * depth_),
           std::span<float>(part.hidden).subspan(i * part_steps_ * width_, n * width_),
           want_bits_ ? std::span<double>(part.bits).subspan(i * part_steps_, n) : std::span<double>()});
    }
    return model_.Paths(part.requests, beside);
  }

  // What the model says of a token, and what it is.
  struct Said {
    size_t step = 0;
    size_t stream = 0;
    TokenId token = 0;
    std::span<const uint32_t> path;   // [depth]
    std::span<const float> hidden;    // [hidden width], or empty
    double ideal_bits = 0;
  };

  // Calls visit(said) for each token of the part, by step, then stream.
  template <typename Visit>
  void ForEach(const Part& part, const Visit& visit) const {
    for (size_t step = part.first_step; step < part.end_step; ++step) {
      for (const PathRequest& r : part.requests) {
        const size_t at = step - part.first_step;
        if (at >= r.targets.size()) continue;
        visit(Said{step, r.stream, r.targets[at], r.paths.subspan(at * depth_, depth_),
                   r.hidden.subspan(at * width_, width_), r.ideal_bits.empty() ? 0 : r.ideal_bits[at]});
      }
    }
  }
  uint64_t TokensUpTo(const Part& part) const {
    return std::min<uint64_t>(n_tokens_, uint64_t{part.end_step} * n_streams_);
  }

 private:
  // About the model's preferred number of tokens: of each stream whole runs, if that is half as many again at most, or, of
  // many streams, an equal part of a run. Between them what it comes to: longer pieces make up for the rest of a run.
  static size_t PartSteps(const TokenModel& model, size_t n_streams) {
    const size_t steps = std::max<size_t>(1, model.PreferredTokens() / n_streams);
    const size_t run = model.PreferredRun();
    const auto rounded = [](size_t a, size_t b) { return std::max<size_t>(1, (a + b / 2) / b); };
    const size_t whole = rounded(steps, run) * run;
    if (2 * whole <= 3 * steps) return whole;
    return 2 * steps < run ? std::max<size_t>(1, run / rounded(run, steps)) : steps;
  }

  size_t Begin(size_t i) const { return StreamBegin(n_tokens_, n_streams_, i); }
  size_t Length(size_t i) const { return Begin(i + 1) - Begin(i); }
  size_t FedBegin(size_t i) const { return Begin(i) + i; }

  TokenModel& model_;
  size_t n_tokens_;
  size_t n_streams_;
  std::span<const TokenId> prefix_;
  size_t width_;  // of the hidden states that are kept
  bool want_bits_;
  size_t depth_;
  size_t n_steps_;
  size_t part_steps_;
  size_t next_step_ = 0;
  std::vector<TokenId> fed_;  // start token and tokens of each stream, one after the other
};

// Codes tokens whose paths are known.
template <DecisionMixer Mixer>
class TokenEncoder {
 public:
  TokenEncoder(size_t depth, Mixer& mixer, Bytes& code) : depth_(depth), mixer_(mixer), coder_(code) {}

  void Encode(const PathFeeder::Said& said, ByteSpan bytes) {
    mixer_.BeginToken(said.stream, said.hidden);
    uint32_t node = 1;
    for (size_t level = 0; level < depth_; ++level) {
      const int bit = static_cast<int>(said.token >> (depth_ - 1 - level) & 1);
      const uint32_t p1 = said.path[level];
      if (p1 != kCertain) {
        if (said.step < kProbeSteps) probe_.Add(p1);
        coder_.Encode(bit, mixer_.Probability(static_cast<int>(level), node, p1));
        mixer_.Learn(bit);
      }
      node = 2 * node + static_cast<uint32_t>(bit);
    }
    mixer_.EndToken(said.token, bytes);
  }
  void Finish() { coder_.Finish(); }
  uint32_t probe() const { return probe_.Value(); }

 private:
  size_t depth_;
  Mixer& mixer_;
  BinaryEncoder coder_;
  Probe probe_;
};

template <DecisionMixer Mixer>
class TokenDecoder {
 public:
  TokenDecoder(Mixer& mixer, const TokenModel& model, ByteSpan code) : mixer_(mixer), model_(model), coder_(code) {}

  TokenId Decode(size_t step, size_t stream, const DecisionTree& tree, std::span<const uint32_t> frequencies,
                 std::span<const float> hidden) {
    mixer_.BeginToken(stream, hidden);
    Descent descent(tree, frequencies.data());
    while (descent.NextDecision()) {
      if (step < kProbeSteps) probe_.Add(descent.p1());
      const int bit =
          coder_.Decode(mixer_.Probability(descent.level(), descent.node(), descent.p1()));
      mixer_.Learn(bit);
      descent.Take(bit);
    }
    mixer_.EndToken(descent.token(), model_.TokenBytes(descent.token()));
    return descent.token();
  }
  uint32_t probe() const { return probe_.Value(); }
  const BinaryDecoder& coder() const { return coder_; }

 private:
  Mixer& mixer_;
  const TokenModel& model_;
  BinaryDecoder coder_;
  Probe probe_;
};

template <DecisionMixer Mixer>
Result<bool> EncodeWith(Mixer& mixer, TokenModel& model, PathFeeder& feeder, const AfterTokens& go_on,
                        CodedTokens& result) {
  TokenEncoder encoder(feeder.depth(), mixer, result.code);
  PITH_RETURN_IF_ERROR(feeder.Start());
  // One thread codes a part while the others are in the model with the next.
  PathFeeder::Part coded, fed;
  std::exception_ptr thrown;  // memory that ran out
  const auto encode = [&] {
    try {
      feeder.ForEach(coded, [&](const PathFeeder::Said& said) { encoder.Encode(said, model.TokenBytes(said.token)); });
    } catch (...) {
      thrown = std::current_exception();
    }
  };
  PITH_RETURN_IF_ERROR(feeder.NextPart(coded, nullptr));
  while (true) {
    const bool last = feeder.AtEnd();
    if (last) {
      encode();
    } else {
      PITH_RETURN_IF_ERROR(feeder.NextPart(fed, encode));
    }
    if (thrown) std::rethrow_exception(thrown);
    PITH_ASSIGN_OR_RETURN(const bool more, go_on(feeder.TokensUpTo(coded), result.code.size()));
    if (!more) return false;
    if (last) break;
    std::swap(coded, fed);
  }
  encoder.Finish();
  result.probe = encoder.probe();
  return true;
}

}  // namespace

Result<std::optional<CodedTokens>> EncodeTokens(TokenModel& model, std::vector<TokenId> tokens,
                                                size_t n_streams, bool adaptive, uint64_t table_tokens,
                                                const TextDictionary* dictionary, const AfterTokens& go_on) {
  PITH_CHECK(adaptive || dictionary == nullptr);
  CodedTokens result;
  result.n_tokens = static_cast<uint32_t>(tokens.size());
  result.n_streams = static_cast<uint32_t>(n_streams);
  const ScopedFloatEnvironment float_environment;
  const TextDictionary::Primed* primed = nullptr;
  if (dictionary != nullptr) {
    PITH_ASSIGN_OR_RETURN(primed, dictionary->Prime(model, table_tokens));
  }
  PathFeeder feeder(model, std::move(tokens), n_streams,
                    primed != nullptr ? primed->Prefix() : std::span<const TokenId>(),
                    adaptive ? PathFeeder::Want::kPathsAndHidden : PathFeeder::Want::kPaths);
  bool complete = false;
  if (primed != nullptr) {
    AdaptiveMixer mixer = primed->mixer->Continued(result.n_tokens, n_streams);
    PITH_ASSIGN_OR_RETURN(complete, EncodeWith(mixer, model, feeder, go_on, result));
  } else if (adaptive) {
    AdaptiveMixer mixer(model.kernels(), MixerShape(model), result.n_tokens, n_streams, table_tokens);
    PITH_ASSIGN_OR_RETURN(complete, EncodeWith(mixer, model, feeder, go_on, result));
  } else {
    PassThroughMixer mixer;
    PITH_ASSIGN_OR_RETURN(complete, EncodeWith(mixer, model, feeder, go_on, result));
  }
  return complete ? std::optional<CodedTokens>(std::move(result)) : std::nullopt;
}

uint64_t EncoderBytes(const TokenModel& model, uint64_t n_tokens) {
  const uint64_t part = std::min<uint64_t>(n_tokens, model.PreferredTokens() * 3 / 2);
  const uint64_t depth = static_cast<uint64_t>(DecisionTree(model.vocab()).depth());
  return 2 * part * (depth * sizeof(uint32_t) + model.hidden_width() * sizeof(float));
}

Result<std::unique_ptr<AdaptiveMixer>> LearnTokens(TokenModel& model, const std::vector<TokenId>& tokens,
                                                   uint64_t table_tokens) {
  PathFeeder feeder(model, tokens, 1, {}, PathFeeder::Want::kPathsAndHidden);
  auto mixer = std::make_unique<AdaptiveMixer>(model.kernels(), MixerShape(model), tokens.size(), 1, table_tokens);
  CodedTokens code;  // thrown away
  const AfterTokens go_on = [](uint64_t, uint64_t) -> Result<bool> { return true; };
  PITH_ASSIGN_OR_RETURN(const bool complete, EncodeWith(*mixer, model, feeder, go_on, code));
  PITH_CHECK(complete);
  return mixer;
}

Result<TokenCodeLength> MeasureTokens(TokenModel& model, std::vector<TokenId> tokens, size_t n_streams,
                                      const AfterTokens& go_on) {
  PathFeeder feeder(model, std::move(tokens), n_streams, {}, PathFeeder::Want::kPathsAndBits);
  TokenCodeLength length;
  PathFeeder::Part part;
  PITH_RETURN_IF_ERROR(feeder.Start());
  while (!feeder.AtEnd()) {
    PITH_RETURN_IF_ERROR(feeder.NextPart(part, nullptr));
    feeder.ForEach(part, [&](const PathFeeder::Said& said) {
      length.ideal_bits += said.ideal_bits;
      for (size_t level = 0; level < said.path.size(); ++level) {
        if (said.path[level] == kCertain) continue;
        const double q = said.path[level] * 0x1p-32;
        length.integer_bits -= std::log2((said.token >> (said.path.size() - 1 - level) & 1) != 0 ? q : 1 - q);
      }
    });
    PITH_ASSIGN_OR_RETURN(const bool more,
                          go_on(feeder.TokensUpTo(part), static_cast<uint64_t>(length.integer_bits / 8)));
    if (!more) return Cancelled("cancelled by the caller");
  }
  return length;
}

namespace {

// What has been decoded of a block: tokens and code, without the model that says what follows.
template <DecisionMixer Mixer>
class BlockDecoding {
 public:
  // Borrows everything.
  BlockDecoding(Mixer& mixer, const TokenModel& model, std::span<const TokenId> prefix, const BlockHeader& header,
                ByteSpan code, const std::string& where)
      : model_(model),
        prefix_(prefix),
        header_(header),
        code_(code),
        where_(where),
        encoding_(static_cast<CharacterEncoding>(header.encoding)),
        n_steps_(StepCount(header.n_tokens, header.n_streams)),
        tree_(model.vocab(), model.sum_function()),
        tokens_(header.n_tokens),
        decoder_(mixer, model, code) {}

  const BlockHeader& header() const { return header_; }
  size_t n_steps() const { return n_steps_; }  // at most, of a lean block

  bool HasStep(size_t stream, size_t step) const { return Begin(stream) + step < Begin(stream + 1); }
  // What to feed to a stream at a step. REQUIRES: HasStep.
  TokenId Input(size_t stream, size_t step) const {
    return step == 0 ? FirstInput(model_, prefix_) : tokens_[Begin(stream) + step - 1];
  }
  // What the model says to that.
  void Take(size_t stream, size_t step, std::span<const uint32_t> frequencies, std::span<const float> hidden) {
    const TokenId token = decoder_.Decode(step, stream, tree_, frequencies, hidden);
    tokens_[Begin(stream) + step] = token;
    text_size_ += model_.TokenBytes(token).size();
    ++done_;
  }

  // After each step. Stops a wrong decode at once instead of after minutes.
  Status CheckStep(size_t step) const {
    if (decoder_.coder().Exhausted()) {
      return Mismatch("its code of " + std::to_string(code_.size()) + " bytes ended after at most " +
                      TokensDone());
    }
    const uint64_t most = header_.lean ? header_.TextSize() : header_.MostTextBytes();
    if (text_size_ > most) {
      return Mismatch(TokensDone() + " are " + std::to_string(text_size_) + " bytes of content, expected " +
                      std::to_string(most));
    }
    if (header_.has_probe && step + 1 == std::min<size_t>(n_steps_, kProbeSteps) &&
        decoder_.probe() != header_.probe) {
      return Mismatch("the probe after " + std::to_string(step + 1) + " steps is " + Hex(decoder_.probe()) +
                      ", expected " + Hex(header_.probe));
    }
    return OkStatus();
  }

  // Whether a lean block has all its text; others end with their steps.
  bool LeanIsComplete() const { return header_.lean && text_size_ == header_.TextSize(); }

  // As AfterTokens counts.
  uint64_t Progress() const { return header_.lean ? text_size_ : done_; }

  Status MakeContent(Bytes& content) const {
    if (encoding_ == CharacterEncoding::kNone && text_size_ != header_.content_size) {
      return Mismatch("its tokens are " + std::to_string(text_size_) + " bytes of content, expected " +
                      std::to_string(header_.content_size));
    }
    if (!decoder_.coder().AtEnd()) return Mismatch("bytes of its code are left over");
    content.clear();
    content.reserve(text_size_);
    for (const TokenId token : std::span<const TokenId>(tokens_).first(done_)) {
      const ByteSpan bytes = model_.TokenBytes(token);
      content.insert(content.end(), bytes.begin(), bytes.end());
    }
    if (encoding_ != CharacterEncoding::kNone) {
      Result<Bytes> encoded = ContentOf(encoding_, content, header_.content_size);
      if (!encoded.ok()) return Mismatch(encoded.status().message());
      content = *std::move(encoded);
    }
    const uint32_t check = header_.CheckOf(Hash32(content));
    if (check != header_.content_check) {
      const int digits = header_.lean ? 4 : 8;
      return Mismatch("the checksum of its content is " + Hex(check, digits) + ", expected " + Hex(header_.content_check, digits));
    }
    return OkStatus();
  }

 private:
  uint64_t Begin(size_t stream) const { return StreamBegin(header_.n_tokens, header_.n_streams, stream); }

  std::string TokensDone() const {
    return std::to_string(done_) + (header_.lean ? "" : " of " + std::to_string(header_.n_tokens)) + " tokens";
  }

  Status Mismatch(const std::string& what) const {
    return WrongModel(where_ + ": the data is undamaged, but " + what + ": the model '" + model_.identity().name +
                      "' computes other probabilities here than where the archive was made");
  }

  const TokenModel& model_;
  const std::span<const TokenId> prefix_;
  const BlockHeader& header_;
  const ByteSpan code_;
  const std::string& where_;
  const CharacterEncoding encoding_;
  const size_t n_steps_;
  const DecisionTree tree_;
  std::vector<TokenId> tokens_;  // [tokens]
  TokenDecoder<Mixer> decoder_;
  uint64_t text_size_ = 0;
  uint64_t done_ = 0;  // tokens
};

// Decodes a block's streams in lanes (TokenModel), neighbours together. While one lane decodes its tokens of a step,
// the others are in the model. All share one mixer and one code, which only the lane that has the turn may touch; turns
// go by step, then lane, so that decisions come by step, then stream, however many lanes there are.
template <DecisionMixer Mixer>
class BlockDecoder {
 public:
  // Borrows everything.
  BlockDecoder(Mixer& mixer, TokenModel& model, std::span<const TokenId> prefix, const BlockHeader& header,
               ByteSpan code, const std::string& where, const AfterTokens& go_on)
      : model_(model), prefix_(prefix), code_size_(code.size()), go_on_(go_on), block_(mixer, model, prefix, header, code, where) {}

  Status Decode(Bytes& content) {
    const size_t n_streams = block_.header().n_streams;
    PITH_RETURN_IF_ERROR(StartStreams(model_, n_streams, prefix_));
    n_lanes_ = model_.n_lanes();
    PITH_CHECK(n_lanes_ >= 1 && n_lanes_ <= n_streams);
    Turns turns(n_lanes_);
    model_.RunLanes(block_.n_steps(), [&](size_t lane) { RunLane(lane, turns); });
    if (thrown_ != nullptr) std::rethrow_exception(thrown_);
    PITH_RETURN_IF_ERROR(status_);
    PITH_RETURN_IF_ERROR(AskCaller());
    return block_.MakeContent(content);
  }

 private:
  // Every lane takes its turn at each step, also where its streams have ended, until the block has ended or failed:
  // what fails first in the order of turns is the result, and each lane learns of it at its own next turn.
  void RunLane(size_t lane, Turns& turns) {
    std::vector<StreamToken> inputs;
    bool ended = false;
    for (size_t step = 0; step < block_.n_steps() && !ended; ++step) {
      bool has_turn = false;
      try {
        FindInputs(lane, step, inputs);
        const Status status = inputs.empty() ? OkStatus() : model_.Step(lane, inputs);
        turns.Await(lane);
        has_turn = true;
        if (!Ended()) status_ = TakeTurn(lane, step, inputs, status);
      } catch (...) {  // memory that ran out, or the caller's callback: other lanes wait for this one all the same
        if (!has_turn) turns.Await(lane);
        if (!Ended()) thrown_ = std::current_exception();
      }
      ended = Ended();
      turns.Pass(lane);
    }
  }
  bool Ended() const { return !status_.ok() || thrown_ != nullptr || block_.LeanIsComplete(); }

  // The tokens to feed at `step` to those of the lane's streams that are so long.
  void FindInputs(size_t lane, size_t step, std::vector<StreamToken>& inputs) const {
    inputs.clear();
    const size_t n_streams = block_.header().n_streams;
    const size_t end = n_streams * (lane + 1) / n_lanes_;
    for (size_t i = n_streams * lane / n_lanes_; i < end; ++i) {
      if (block_.HasStep(i, step)) inputs.push_back({i, block_.Input(i, step)});
    }
  }

  // Decodes what follows the inputs; `stepped` is what the model said to them.
  Status TakeTurn(size_t lane, size_t step, std::span<const StreamToken> inputs, const Status& stepped) {
    // Lane 0 is the calling thread, the only one that may call back. It asks about the step before, which is complete.
    if (lane == 0 && step != 0) PITH_RETURN_IF_ERROR(AskCaller());
    PITH_RETURN_IF_ERROR(stepped);
    for (size_t k = 0; k < inputs.size(); ++k) {
      block_.Take(inputs[k].stream, step, model_.Frequencies(lane, k), model_.Hidden(lane, k));
    }
    return lane + 1 == n_lanes_ ? block_.CheckStep(step) : OkStatus();
  }

  Status AskCaller() {
    PITH_ASSIGN_OR_RETURN(const bool more, go_on_(block_.Progress(), code_size_));
    return more ? OkStatus() : Cancelled("cancelled by the caller");
  }

  TokenModel& model_;
  const std::span<const TokenId> prefix_;
  const size_t code_size_;
  const AfterTokens& go_on_;
  size_t n_lanes_ = 1;

  // Of the lane that has the turn; a stream's tokens are its lane's.
  BlockDecoding<Mixer> block_;
  Status status_;
  std::exception_ptr thrown_;
};

template <DecisionMixer Mixer>
Status DecodeWith(Mixer& mixer, TokenModel& model, std::span<const TokenId> prefix, const BlockHeader& header,
                  ByteSpan code, const std::string& where, Bytes& content, const AfterTokens& go_on) {
  return BlockDecoder<Mixer>(mixer, model, prefix, header, code, where, go_on).Decode(content);
}

}  // namespace

Status DecodeModelBlock(TokenModel& model, const BlockHeader& header, ByteSpan code, const TextDictionary* dictionary,
                        const std::string& where, Bytes& content, const AfterTokens& go_on) {
  PITH_CHECK(header.n_streams >= 1 && header.n_streams <= header.n_tokens &&
             header.n_tokens <= header.MostTextBytes());
  if (!header.adaptive) {
    PassThroughMixer mixer;
    return DecodeWith(mixer, model, {}, header, code, where, content, go_on);
  }
  const ScopedFloatEnvironment float_environment;
  if (dictionary != nullptr) {
    PITH_ASSIGN_OR_RETURN(const TextDictionary::Primed* const primed, dictionary->Prime(model, header.TokensForTables()));
    AdaptiveMixer mixer = primed->mixer->Continued(header.n_tokens, header.n_streams);
    return DecodeWith(mixer, model, primed->Prefix(), header, code, where, content, go_on);
  }
  AdaptiveMixer mixer(model.kernels(), MixerShape(model), header.n_tokens, header.n_streams, header.TokensForTables());
  return DecodeWith(mixer, model, {}, header, code, where, content, go_on);
}

void DecodeModelBlocksTogether(TokenModel& model, std::span<ModelBlock> blocks, const TextDictionary* dictionary) {
  const ScopedFloatEnvironment float_environment;
  const std::string nowhere;  // what goes wrong is said by DecodeModelBlock
  struct Running {
    ModelBlock* block = nullptr;
    size_t first_stream = 0;
    std::unique_ptr<AdaptiveMixer> mixer;
    std::unique_ptr<BlockDecoding<AdaptiveMixer>> decoding;
    bool ended = false;
    bool failed = false;
  };
  std::vector<Running> running;
  std::vector<TokenId> prefix;  // the same for all
  size_t n_streams = 0, n_steps = 0;
  for (ModelBlock& block : blocks) {
    const BlockHeader& header = block.header;
    PITH_CHECK(header.adaptive && header.n_streams >= 1 && header.n_streams <= header.n_tokens);
    Running r;
    r.block = &block;
    r.first_stream = n_streams;
    if (dictionary != nullptr) {
      const Result<const TextDictionary::Primed*> primed = dictionary->Prime(model, header.TokensForTables());
      if (!primed.ok()) return;
      if (prefix.empty()) prefix.assign((*primed)->Prefix().begin(), (*primed)->Prefix().end());
      r.mixer.reset(new AdaptiveMixer((*primed)->mixer->Continued(header.n_tokens, header.n_streams)));
    } else {
      r.mixer = std::make_unique<AdaptiveMixer>(model.kernels(), MixerShape(model), header.n_tokens, header.n_streams,
                                                header.TokensForTables());
    }
    r.decoding = std::make_unique<BlockDecoding<AdaptiveMixer>>(*r.mixer, model, prefix, header, block.code, nowhere);
    n_streams += header.n_streams;
    n_steps = std::max(n_steps, r.decoding->n_steps());
    running.push_back(std::move(r));
  }
  if (running.empty() || !StartStreams(model, n_streams, prefix).ok()) return;

  const size_t n_lanes = model.n_lanes();
  std::vector<std::exception_ptr> thrown(n_lanes);
  // Each lane has whole blocks, so that no lane waits for another.
  const auto run = [&](size_t lane) {
    std::vector<StreamToken> inputs;
    for (size_t step = 0; step < n_steps; ++step) {
      inputs.clear();
      for (size_t b = lane; b < running.size(); b += n_lanes) {
        const Running& r = running[b];
        for (size_t i = 0; !r.ended && i < r.block->header.n_streams; ++i) {
          if (r.decoding->HasStep(i, step)) inputs.push_back({r.first_stream + i, r.decoding->Input(i, step)});
        }
      }
      if (inputs.empty() || !model.Step(lane, inputs).ok()) return;
      size_t k = 0;
      for (size_t b = lane; b < running.size(); b += n_lanes) {
        Running& r = running[b];
        if (r.ended) continue;
        for (size_t i = 0; i < r.block->header.n_streams; ++i) {
          if (!r.decoding->HasStep(i, step)) continue;
          r.decoding->Take(i, step, model.Frequencies(lane, k), model.Hidden(lane, k));
          ++k;
        }
        r.failed = !r.decoding->CheckStep(step).ok();
        r.ended = r.failed || r.decoding->LeanIsComplete() || step + 1 == r.decoding->n_steps();
      }
    }
  };
  model.RunLanes(n_steps, [&](size_t lane) {
    try {
      run(lane);
    } catch (...) {  // memory that ran out
      thrown[lane] = std::current_exception();
    }
  });
  for (const std::exception_ptr& e : thrown) {
    if (e != nullptr) std::rethrow_exception(e);
  }
  for (Running& r : running) {
    Bytes content;
    if (r.ended && !r.failed && r.decoding->MakeContent(content).ok()) r.block->content = std::move(content);
  }
}

}  // namespace pith
