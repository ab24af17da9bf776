#include "chat/generator.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "base/check.h"
#include "chat/draft_finder.h"

namespace pith {
namespace {

double SecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

class Generation {
 public:
  Generation(TokenStream& stream, Sampler& sampler, const GenerateRequest& request, TokenSink& sink,
             GenerateCounts& counts)
      : stream_(stream), sampler_(sampler), request_(request), sink_(sink), counts_(counts) {}

  Status Run() {
    const auto start = std::chrono::steady_clock::now();
    const Status prefilled = Prefill();
    counts_.prefill_seconds = SecondsSince(start);
    if (prefilled.code() == StatusCode::kCancelled) {
      counts_.end = GenerateEnd::kCancelled;
      return OkStatus();
    }
    PITH_RETURN_IF_ERROR(prefilled);
    const auto answer = std::chrono::steady_clock::now();
    const Status decoded = Decode();
    counts_.decode_seconds = SecondsSince(answer);
    return decoded;
  }

 private:
  Status Prefill() {
    const std::span<const TokenId> prompt = request_.prompt;
    const std::span<const TokenId> known = stream_.tokens();
    // At least one token goes through the model: its logits are wanted.
    const size_t most = std::min(known.size(), prompt.size() - 1);
    const size_t common = static_cast<size_t>(
        std::mismatch(known.begin(), known.begin() + static_cast<ptrdiff_t>(most), prompt.begin()).first -
        known.begin());
    stream_.Rewind(common);
    counts_.reused = common;
    const Status status = stream_.Append(prompt.subspan(common), 1, [&] { return sink_.GoOn(); });
    counts_.prefilled = stream_.tokens().size() - common;
    return status;
  }

  Status Decode() {
    if (sampler_.uses_counts()) token_counts_.AddPrompt(request_.prompt);
    allowed_.assign((request_.n_ids + 63) / 64, 0);
    std::vector<TokenId> text(request_.prompt.begin(), request_.prompt.end());
    std::vector<TokenId> input;  // of the last pass: a token that is certain, then guesses
    size_t row = 0;              // whose logits say what comes next
    for (;;) {
      // The place of the next token in the text is what the random numbers are counted by.
      const Result<TokenId> next = Sample(stream_.logits(row), text.size());
      if (!next.ok()) return next.status();
      if (*next == kEnd) return Finish(GenerateEnd::kStopToken);
      text.push_back(*next);
      if (sampler_.uses_counts()) token_counts_.AddAnswer(*next);
      ++counts_.generated;
      if (!sink_.Put(*next)) return Finish(GenerateEnd::kSink);
      if (counts_.generated == request_.max_tokens) return Finish(GenerateEnd::kMaxTokens);
      if (!sink_.GoOn()) return Finish(GenerateEnd::kCancelled);
      if (row + 1 < input.size() && input[row + 1] == *next) {
        ++row;  // guessed right: its logits are there
        ++counts_.accepted;
        continue;
      }
      if (!input.empty()) {
        draft_length_.Tell(input.size() - 1, row);
        // Guesses after the right ones are forgotten.
        stream_.Rewind(stream_.tokens().size() - (input.size() - 1 - row));
      }
      if (stream_.room() == 0) return Finish(GenerateEnd::kContextFull);
      input.assign(1, *next);
      if (request_.draft) {
        finder_.Follow(text);
        const size_t left =
            request_.max_tokens == 0 ? DraftLength::kMost : request_.max_tokens - counts_.generated - 1;
        finder_.Find(std::min({draft_length_.Next(), left, stream_.room() - 1}), input);
      }
      counts_.drafted += input.size() - 1;
      ++counts_.passes;
      PITH_RETURN_IF_ERROR(stream_.Append(input, input.size()));
      row = 0;
    }
  }

  Status Finish(GenerateEnd end) {
    // The stream may hold guesses that nobody asked for any more; the next prompt rewinds it anyway.
    counts_.end = end;
    return OkStatus();
  }

  static constexpr TokenId kEnd = ~TokenId{0};

  bool IsStop(TokenId id) const {
    return std::find(request_.stop_tokens.begin(), request_.stop_tokens.end(), id) !=
           request_.stop_tokens.end();
  }

  // kEnd where the answer ends.
  Result<TokenId> Sample(std::span<float> logits, size_t place) {
    logits = logits.first(request_.n_ids);
    if (request_.constraint == nullptr || !sink_.IsConstrained()) {
      const TokenId id = sampler_.Sample(logits, token_counts_, {}, place);
      return IsStop(id) ? kEnd : id;
    }
    TokenConstraint& constraint = *request_.constraint;
    constraint.Mask(allowed_);
    bool any = std::any_of(allowed_.begin(), allowed_.end(), [](uint64_t word) { return word != 0; });
    if (constraint.MayEnd()) {
      if (!any) return kEnd;
      for (const TokenId id : request_.stop_tokens) {
        if (id < request_.n_ids) allowed_[id / 64] |= uint64_t{1} << (id % 64);
      }
      any = any || !request_.stop_tokens.empty();
    }
    if (!any) return Corrupt("constraint: no token of the vocabulary continues the text");
    const TokenId id = sampler_.Sample(logits, token_counts_, allowed_, place);
    if (IsStop(id)) return kEnd;
    PITH_RETURN_IF_ERROR(constraint.Accept(id));
    return id;
  }

  TokenStream& stream_;
  Sampler& sampler_;
  const GenerateRequest& request_;
  TokenSink& sink_;
  GenerateCounts& counts_;
  TokenCounts token_counts_;
  std::vector<uint64_t> allowed_;
  DraftFinder finder_;
  DraftLength draft_length_;
};

}  // namespace

Status Generate(TokenStream& stream, Sampler& sampler, const GenerateRequest& request, TokenSink& sink,
                GenerateCounts& counts) {
  counts = {};
  PITH_CHECK(!request.prompt.empty() && request.n_ids != 0);
  if (request.prompt.size() >= stream.capacity()) {
    return InvalidArgument("context: the prompt has " + std::to_string(request.prompt.size()) +
                           " tokens, expected fewer than " + std::to_string(stream.capacity()));
  }
  return Generation(stream, sampler, request, sink, counts).Run();
}

}  // namespace pith
