#include "tiny_checkpoint.h"

#include <gtest/gtest.h>

#include <bit>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

#include "process.h"

namespace pith::test {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kHidden = 32;
constexpr int kFfn = 64;
constexpr int kHeadDim = 16;
constexpr int kHeads = 2;
constexpr int kVocab = 257;      // bytes and <|endoftext|>
constexpr int kChatVocab = 262;  // and what a chat needs

// Characters of a walk: at each step one of two may follow. What follows state i is in states 2i and 2i + 1
// (mod 32).
constexpr std::string_view kAlphabet = "abcdefghijklmnopqrstuvwxyz .,;-!";
static_assert(kAlphabet.size() == kHidden);

// `seed` only changes how sure the model is, so that every model predicts a walk, each with other numbers.
float Confidence(uint64_t seed) { return 0.5f + 0.05f * static_cast<float>(seed % 8); }

class Safetensors {
 public:
  void Add(const std::string& name, const std::vector<int>& shape, const std::vector<float>& values) {
    const size_t begin = data_.size();
    for (const float value : values) {
      const auto bits = std::bit_cast<uint32_t>(value);
      for (int b = 0; b < 4; ++b) data_ += static_cast<char>(bits >> (8 * b));
    }
    header_[name] = {{"dtype", "F32"}, {"shape", shape}, {"data_offsets", {begin, data_.size()}}};
  }

  void AddConstant(const std::string& name, const std::vector<int>& shape, float value) {
    size_t n = 1;
    for (const int s : shape) n *= static_cast<size_t>(s);
    Add(name, shape, std::vector<float>(n, value));
  }

  std::string Text() const {
    const std::string header = header_.dump();
    std::string text;
    for (int b = 0; b < 8; ++b) text += static_cast<char>(header.size() >> (8 * b));
    return text + header + data_;
  }

 private:
  Json header_;
  std::string data_;
};

// The characters that byte-level BPE writes for the bytes 0 to 255.
std::vector<std::string> ByteCharacters() {
  std::vector<std::string> characters;
  unsigned moved = 256;
  for (unsigned b = 0; b < 256; ++b) {
    const bool printable = (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
    const unsigned c = printable ? b : moved++;
    std::string utf8;
    if (c < 0x80) {
      utf8 = static_cast<char>(c);
    } else {
      utf8 = {static_cast<char>(0xc0 | (c >> 6)), static_cast<char>(0x80 | (c & 0x3f))};
    }
    characters.push_back(utf8);
  }
  return characters;
}

Json Added(int id, const char* content, bool special) {
  return {{"id", id}, {"content", content}, {"special", special}};
}

Json TokenizerJson(bool chat) {
  Json vocab;
  int id = 0;
  for (const std::string& character : ByteCharacters()) vocab[character] = id++;
  const std::string pattern =
      R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
  const Json split = {
      {"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", "Isolated"}, {"invert", false}};
  const Json bytes = {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", false}};
  Json added = {Added(256, "<|endoftext|>", true)};
  Json merges = Json::array();
  if (chat) {
    const std::string line_end = ByteCharacters()['\n'];
    vocab[line_end + line_end] = 257;
    merges.push_back(line_end + " " + line_end);
    added.push_back(Added(258, "<|im_start|>", true));
    added.push_back(Added(259, "<|im_end|>", true));
    added.push_back(Added(260, "<think>", false));
    added.push_back(Added(261, "</think>", false));
  }
  return {{"version", "1.0"},
          {"added_tokens", added},
          {"normalizer", nullptr},
          {"pre_tokenizer", {{"type", "Sequence"}, {"pretokenizers", {split, bytes}}}},
          {"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", merges}}}};
}

Json ConfigJson(int n_vocab) {
  return {{"architectures", {"Qwen3ForCausalLM"}},
          {"model_type", "qwen3"},
          {"attention_bias", false},
          {"hidden_act", "silu"},
          {"hidden_size", kHidden},
          {"intermediate_size", kFfn},
          {"num_hidden_layers", 1},
          {"num_attention_heads", kHeads},
          {"num_key_value_heads", 1},
          {"head_dim", kHeadDim},
          {"vocab_size", n_vocab},
          {"max_position_embeddings", n_vocab == kChatVocab ? 1024 : 256},
          {"rms_norm_eps", 1e-6},
          {"rope_theta", 10000.0},
          {"rope_scaling", nullptr},
          {"sliding_window", nullptr},
          {"tie_word_embeddings", false},
          {"torch_dtype", "float32"},
          {"use_sliding_window", false}};
}

// What a model of one layer that adds nothing can say: the token before decides. embedding[token, state] is 1 for its
// state, head[token, state] the weight of what may follow.
struct Machine {
  explicit Machine(int n) : n_vocab(n), embedding(n * kHidden, 0.0f), head(n * kHidden, 0.0f) {}
  void IsState(size_t token, size_t state) { embedding[token * kHidden + state] = 1; }
  void MayFollow(size_t state, size_t token, float weight) { head[token * kHidden + state] = weight; }

  int n_vocab;
  std::vector<float> embedding;
  std::vector<float> head;
};

void WriteCheckpoint(const std::string& folder, const Machine& machine) {
  std::filesystem::create_directories(folder);
  Safetensors weights;
  const std::string layer = "model.layers.0.";
  weights.Add("model.embed_tokens.weight", {machine.n_vocab, kHidden}, machine.embedding);
  weights.Add("lm_head.weight", {machine.n_vocab, kHidden}, machine.head);
  weights.AddConstant("model.norm.weight", {kHidden}, 3);
  weights.AddConstant(layer + "input_layernorm.weight", {kHidden}, 1);
  weights.AddConstant(layer + "self_attn.q_proj.weight", {kHeads * kHeadDim, kHidden}, 0.1f);
  weights.AddConstant(layer + "self_attn.k_proj.weight", {kHeadDim, kHidden}, 0.1f);
  weights.AddConstant(layer + "self_attn.v_proj.weight", {kHeadDim, kHidden}, 0.1f);
  weights.AddConstant(layer + "self_attn.o_proj.weight", {kHidden, kHeads * kHeadDim}, 0);
  weights.AddConstant(layer + "self_attn.q_norm.weight", {kHeadDim}, 1);
  weights.AddConstant(layer + "self_attn.k_norm.weight", {kHeadDim}, 1);
  weights.AddConstant(layer + "post_attention_layernorm.weight", {kHidden}, 1);
  weights.AddConstant(layer + "mlp.gate_proj.weight", {kFfn, kHidden}, 0.1f);
  weights.AddConstant(layer + "mlp.up_proj.weight", {kFfn, kHidden}, 0.1f);
  weights.AddConstant(layer + "mlp.down_proj.weight", {kHidden, kFfn}, 0);
  WriteFile(folder + "/model.safetensors", weights.Text());
  WriteFile(folder + "/config.json", ConfigJson(machine.n_vocab).dump());
  WriteFile(folder + "/tokenizer.json", TokenizerJson(machine.n_vocab == kChatVocab).dump());
}

}  // namespace

void WriteTinyCheckpoint(const std::string& folder, uint64_t seed) {
  Machine machine(kVocab);
  for (size_t state = 0; state < kHidden; ++state) {
    machine.IsState(static_cast<unsigned char>(kAlphabet[state]), state);
    for (const size_t next : {2 * state % kHidden, (2 * state + 1) % kHidden}) {
      machine.MayFollow(state, static_cast<unsigned char>(kAlphabet[next]), Confidence(seed));
    }
  }
  WriteCheckpoint(folder, machine);
}

void WriteTinyChatCheckpoint(const std::string& folder) {
  // One line end comes last in the prompt of an answer that may think, two in that of one that may not.
  static constexpr size_t kChain[][2] = {
      {'\n', 260}, {260, 'h'}, {'h', 'm'}, {'m', 261}, {261, 257}, {257, 'Y'}, {'Y', 'e'}, {'e', 's'}, {'s', '.'}, {'.', 259},
  };
  Machine machine(kChatVocab);
  for (size_t state = 0; state < std::size(kChain); ++state) {
    machine.IsState(kChain[state][0], state);
    machine.MayFollow(state, kChain[state][1], 2);
  }
  WriteCheckpoint(folder, machine);
  WriteFile(folder + "/generation_config.json", R"({"eos_token_id": 259})");
}

std::string WalkText(size_t n) {
  std::string text;
  uint64_t random = 1;
  for (size_t state = 0; text.size() < n; random = random * 6364136223846793005u + 1442695040888963407u) {
    state = (2 * state + (random >> 63)) % kHidden;
    text += kAlphabet[state];
  }
  return text;
}

const std::string& TinyModel(uint64_t seed) {
  static const Folder folder;
  static std::map<uint64_t, std::string> models;
  std::string& path = models[seed];
  if (path.empty()) {
    const std::string name = "tiny" + std::to_string(seed);
    WriteTinyCheckpoint(folder / name, seed);
    path = folder / (name + ".pmodel");
    const Ended ended = Pith({}, {"import", "-q", folder / name, "-o", path, "--activations", "fast"});
    EXPECT_EQ(ended.code, 0) << ended.err;
  }
  return path;
}

}  // namespace pith::test
