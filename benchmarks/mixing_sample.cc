#include "mixing_sample.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <span>
#include <utility>

#include "api/builtin_model.h"
#include "codec/codec_limits.h"
#include "codec/stream_layout.h"

namespace pith {
namespace {

template <typename T>
T OrExit(Result<T> result, const std::string& what) {
  if (result.ok()) return *std::move(result);
  std::fprintf(stderr, "%s: %s\n", what.c_str(), result.status().message().c_str());
  std::exit(1);
}

double Bits(uint32_t p1, int bit) {
  const double p = p1 * 0x1p-32;
  return -std::log2(bit != 0 ? p : 1 - p);
}

}  // namespace

MixingLab::MixingLab()
    : impl_(OrExit(Model::Impl::Create(OrExit(Package::FromMemory(BuiltinModelFile(), "built-in model"), "built-in model"), 0),
                   "built-in model")),
      model_(OrExit(impl_->ForContext(impl_->ContextFor(0)), "built-in model")),
      depth_(static_cast<size_t>(DecisionTree(model_->vocab()).depth())) {}

MixingSample MixingLab::Load(const std::string& path, size_t max_bytes, size_t n_streams) {
  std::ifstream in(path, std::ios::binary);
  Bytes text(max_bytes);
  in.read(reinterpret_cast<char*>(text.data()), static_cast<std::streamsize>(max_bytes));
  text.resize(static_cast<size_t>(in.gcount()));
  MixingSample s;
  if (text.empty() || !model_->Tokenize(text, s.tokens).ok()) {
    std::fprintf(stderr, "%s: cannot be read, or is empty\n", path.c_str());
    std::exit(1);
  }
  s.n_streams = n_streams != 0 ? n_streams : OrExit(ChooseStreams(*model_, s.tokens.size(), 0, 0, 0), path);
  const size_t width = model_->hidden_width();
  s.paths.resize(s.tokens.size() * depth_);
  s.hidden.resize(s.tokens.size() * width);
  if (!model_->Start(s.n_streams).ok()) std::exit(1);
  for (size_t i = 0; i < s.n_streams; ++i) {
    const size_t begin = StreamBegin(s.tokens.size(), s.n_streams, i);
    const size_t end = StreamBegin(s.tokens.size(), s.n_streams, i + 1);
    std::vector<TokenId> inputs = {model_->start_token()};
    inputs.insert(inputs.end(), s.tokens.begin() + static_cast<ptrdiff_t>(begin),
                  s.tokens.begin() + static_cast<ptrdiff_t>(end) - 1);
    for (size_t at = 0; at < inputs.size(); at += model_->PreferredTokens()) {
      const size_t n = std::min(model_->PreferredTokens(), inputs.size() - at);
      const PathRequest request{i, std::span<const TokenId>(inputs).subspan(at, n),
                                std::span<const TokenId>(s.tokens).subspan(begin + at, n),
                                std::span<uint32_t>(s.paths).subspan((begin + at) * depth_, n * depth_),
                                std::span<float>(s.hidden).subspan((begin + at) * width, n * width),
                                {}};
      if (!model_->Paths({&request, 1}, nullptr).ok()) std::exit(1);
    }
  }
  return s;
}

double MixingLab::ModelBits(const MixingSample& s) const {
  double bits = 0;
  for (size_t i = 0; i < s.paths.size(); ++i) {
    if (s.paths[i] == kCertain) continue;
    bits += Bits(s.paths[i], static_cast<int>(s.tokens[i / depth_] >> (depth_ - 1 - i % depth_) & 1));
  }
  return bits;
}

double MixingLab::MixedBits(const MixingSample& s, AdaptiveMixer& mixer) {
  double bits = 0;
  for (size_t step = 0; step < StepCount(s.tokens.size(), s.n_streams); ++step) {
    for (size_t stream = 0; stream < s.n_streams; ++stream) {
      const size_t i = StreamBegin(s.tokens.size(), s.n_streams, stream) + step;
      if (i >= StreamBegin(s.tokens.size(), s.n_streams, stream + 1)) continue;
      const size_t width = model_->hidden_width();
      mixer.BeginToken(stream, std::span<const float>(s.hidden).subspan(i * width, width));
      uint32_t node = 1;
      for (size_t level = 0; level < depth_; ++level) {
        const int bit = static_cast<int>(s.tokens[i] >> (depth_ - 1 - level) & 1);
        if (const uint32_t p1 = s.paths[i * depth_ + level]; p1 != kCertain) {
          bits += Bits(mixer.Probability(static_cast<int>(level), node, p1), bit);
          mixer.Learn(bit);
        }
        node = 2 * node + static_cast<uint32_t>(bit);
      }
      mixer.EndToken(s.tokens[i], model_->TokenBytes(s.tokens[i]));
    }
  }
  return bits;
}

}  // namespace pith
