// Arguments: the command line, parsed and checked against the table of options.h.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/levels.h"
#include "cli/options.h"
#include "pith/status.h"

namespace pith::cli {

struct Arguments {
  CommandId command = CommandId::kCompress;
  bool named = false;  // the command was given by word or flag, not implied
  bool help = false;
  std::vector<std::string> operands;  // files, "-", or what else the command takes

  std::optional<std::string> output;
  bool to_stdout = false;
  bool force = false;
  bool remove = false;
  bool verify = false;
  bool recursive = false;
  std::optional<std::string> model;
  std::optional<std::string> dictionary;
  uint64_t size = 0;
  uint64_t memory_bytes = 0;
  uint32_t streams = 0;
  uint32_t block_bytes = 0;
  uint32_t window = 0;
  bool adaptive = true;
  bool names = false;
  uint32_t level = 0;  // 1 to 9; 0: not given, kDefaultLevel
  bool best_of = false;
  bool uses_model() const { return level == 0 || level >= kFirstModelLevel; }
  size_t threads = 0;
  bool json = false;
  std::string ids;
  std::string logits;
  std::string name;
  std::string activations;  // empty: the default of the command
  std::string calibration;
  std::string quantize;
  std::string format;
  uint32_t cache_length = 1280;
  std::vector<uint32_t> prefill;
  std::string metadata = "qwen3";
  std::string system;
  std::vector<std::string> stop;
  bool greedy = false;
  std::optional<double> temperature;
  std::optional<double> top_p;
  std::optional<uint32_t> top_k;
  std::optional<uint64_t> seed;
  bool report = false;
  std::optional<std::string> prompt;
  std::string prompt_file;
  uint32_t max_tokens = 0;
  std::optional<bool> think;
  bool hide_thinking = false;
  bool raw = false;
  std::string tools;
  std::string json_schema;
  std::string grammar;
  bool stats = false;
  std::optional<double> min_p;
  std::optional<double> repetition_penalty;
  double presence_penalty = 0;
  double frequency_penalty = 0;
  uint32_t context = 0;
  std::string chat_template;
  bool draft = true;
  std::string revision;
  std::string file;
  bool offline = false;
  bool convert = true;
  bool cache = false;
  std::vector<std::string> codecs;          // of --codecs, lists
  std::vector<std::string> command_codecs;  // of --codec
  uint32_t repeats = 3;
  std::optional<uint32_t> warmups;
  std::vector<uint64_t> slices;
  double timeout_seconds = 3600;
  std::optional<std::string> corpus;
  bool compare = false;
  bool engine = false;
  std::optional<std::string> peers;
  bool terminal = false;
  bool man = false;
  int verbosity = 1;  // 0 quiet, 1 normal, 2 verbose
};

// `args` without the program's name. kInvalidArgument with a one-line reason; never touches files.
Result<Arguments> ParseArguments(std::span<const std::string> args);

// "512M", "1G", "64KiB", "1000": powers of 1024. kInvalidArgument.
Result<uint64_t> ParseSize(std::string_view text);

// The word of `candidates` that `word` is most likely meant to be; empty when none is near.
std::string_view NearestWord(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace pith::cli
