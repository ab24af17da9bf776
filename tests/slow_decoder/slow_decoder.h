// The archive format a second time: a decoder written from docs/format.md and docs/numeric_contract.md alone.
//
// Plain and slow, without a line of src/archive, src/coder, src/predict or src/codec. XXH3 and zstd come from
// their libraries, frequencies from a callback. The whole file lies in memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace slow_decoder {

using Bytes = std::vector<uint8_t>;

// What a model block needs of a model.
struct Model {
  uint32_t vocab = 0;
  uint32_t start_token = 0;
  // Forgets everything; there are so many streams, all empty.
  std::function<void(size_t n_streams)> begin;
  // Feeds a token to a stream and gives the frequencies [vocab] of the next one, and the hidden state that they come from
  // (numeric_contract.md section 8; empty: the model shows none).
  struct Said {
    std::vector<uint32_t> frequencies;
    std::vector<float> hidden;
  };
  size_t hidden_width = 0;
  std::function<Said(size_t stream, uint32_t token)> feed;
  std::function<std::string(uint32_t token)> token_bytes;
};

// fingerprint: 16 bytes, or its first 4 (name: empty) from a short archive. Null: there is no such model.
using FindModel = std::function<const Model*(const std::string& name, const Bytes& fingerprint,
                                             uint32_t window, uint32_t sinks)>;

// Empty tokens: there is none. The tokens are the model's for the dictionary's text.
struct Dictionary {
  uint64_t id = 0;
  std::vector<uint32_t> tokens;
};

struct Archive {
  Bytes content;
  std::string file_name;
  bool has_mtime = false;
  int64_t mtime_ns = 0;
  size_t n_blocks = 0;
};

struct Outcome {
  bool ok = false;
  bool wrong_model = false;  // undamaged, but the model does not fit
  std::string error;
  std::vector<Archive> archives;
};

Outcome Decode(const Bytes& file, const FindModel& find_model, const Dictionary& dictionary = {});

}  // namespace slow_decoder
