// docs/mixing.md, written down as it stands there: nothing is fast, nothing is shared with src/.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace slow_decoder {

class SlowMixer {
 public:
  // hidden_width: numbers of the model's hidden state; table_tokens: what the size of the table is computed from.
  SlowMixer(int depth, size_t hidden_width, uint64_t n_tokens, uint64_t n_streams, uint64_t table_tokens);
  ~SlowMixer();

  // A token of a stream begins, predicted from this hidden state.
  void BeginToken(uint64_t stream, const std::vector<float>& hidden);
  // The probability to code with, for the model's `p` at `level` and `node` (heap number).
  uint64_t Probability(int level, uint64_t node, uint64_t p);
  void Learn(int bit);
  void EndToken(uint32_t token, const std::string& bytes);
  // Section 8: the tokens so far, of one stream, become the dictionary of another block.
  void Continue(uint64_t n_tokens, uint64_t n_streams);

 private:
  struct State;
  std::unique_ptr<State> s_;
};

}  // namespace slow_decoder
