// MixingSample: a text with what the built-in model says of it, to measure mixers on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "api/model_impl.h"
#include "codec/token_model.h"
#include "predict/adaptive_mixer.h"

namespace pith {

struct MixingSample {
  std::vector<TokenId> tokens;
  std::vector<uint32_t> paths;  // [tokens, depth]
  std::vector<float> hidden;    // [tokens, hidden width]
  size_t n_streams = 1;
};

// The built-in model, its samples, and code lengths. Failures end the program: this is for programs that measure.
class MixingLab {
 public:
  MixingLab();

  TokenModel& model() { return *model_; }
  size_t depth() const { return depth_; }

  // The first max_bytes of a file, in so many streams; 0: as many as the codec would use.
  MixingSample Load(const std::string& path, size_t max_bytes, size_t n_streams);

  // Bits that the sample takes with the model alone, and through `mixer`, which is made for its tokens and streams.
  double ModelBits(const MixingSample& sample) const;
  double MixedBits(const MixingSample& sample, AdaptiveMixer& mixer);

 private:
  std::unique_ptr<Model::Impl> impl_;
  TokenModel* model_;
  size_t depth_;
};

}  // namespace pith
