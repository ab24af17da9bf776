// For tests: small tokenizer.json files, and an obviously correct slow twin of the encoder.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "tokenizer/pre_tokenizer.h"
#include "tokenizer/tokenizer.h"

namespace pith {

// The text of a token in tokenizer.json: bytes_to_unicode of GPT-2, as its authors wrote it.
inline std::string AlphabetText(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) {
    const int b = static_cast<unsigned char>(c);
    int code_point = b;
    int n_moved = 0;
    for (int i = 0; i < 256; ++i) {
      const bool kept = (i >= '!' && i <= '~') || (i >= 0xa1 && i <= 0xac) || (i >= 0xae && i <= 0xff);
      if (kept) continue;
      if (i == b) code_point = 256 + n_moved;
      ++n_moved;
    }
    if (code_point < 0x80) {
      text += static_cast<char>(code_point);
    } else {
      text += static_cast<char>(0xc0 | code_point >> 6);
      text += static_cast<char>(0x80 | (code_point & 0x3f));
    }
  }
  return text;
}

// A vocabulary of the 256 bytes, whose ids are their values, and what merges make, from 256 on.
struct TestVocabulary {
  std::vector<std::pair<std::string, std::string>> merges;  // bytes, not alphabet text
  std::map<std::string, TokenId> tokens;
  bool ignore_merges = false;

  TestVocabulary() {
    for (int b = 0; b < 256; ++b)
      tokens.emplace(std::string(1, static_cast<char>(b)), static_cast<TokenId>(b));
  }
  explicit TestVocabulary(std::vector<std::pair<std::string, std::string>> list) : TestVocabulary() {
    for (auto& [left, right] : list) AddMerge(left, right);
  }

  void AddToken(const std::string& bytes) { tokens.emplace(bytes, static_cast<TokenId>(tokens.size())); }
  void AddMerge(const std::string& left, const std::string& right) {
    AddToken(left + right);
    merges.emplace_back(left, right);
  }

  // In the form of the published Qwen3 file, two added tokens included: <|end|> (special) and <note>.
  nlohmann::json Json() const {
    nlohmann::json vocab = nlohmann::json::object();
    for (const auto& [bytes, id] : tokens) vocab[AlphabetText(bytes)] = id;
    nlohmann::json pairs = nlohmann::json::array();
    for (const auto& [left, right] : merges) pairs.push_back({AlphabetText(left), AlphabetText(right)});
    const nlohmann::json byte_level = {
        {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", false}, {"use_regex", false}};
    const nlohmann::json split = {{"type", "Split"},
                                  {"pattern", {{"Regex", std::string(kQwenPattern)}}},
                                  {"behavior", "Isolated"},
                                  {"invert", false}};
    const auto added = [](size_t id, const char* content, bool special) {
      return nlohmann::json{{"id", id},          {"content", content}, {"single_word", false},
                            {"lstrip", false},   {"rstrip", false},    {"normalized", false},
                            {"special", special}};
    };
    return {{"version", "1.0"},
            {"truncation", nullptr},
            {"padding", nullptr},
            {"added_tokens", nlohmann::json::array({added(tokens.size(), "<|end|>", true),
                                                    added(tokens.size() + 1, "<note>", false)})},
            {"normalizer", {{"type", "NFC"}}},
            {"pre_tokenizer",
             {{"type", "Sequence"}, {"pretokenizers", nlohmann::json::array({split, byte_level})}}},
            {"post_processor", byte_level},
            {"decoder", byte_level},
            {"model",
             {{"type", "BPE"},
              {"dropout", nullptr},
              {"unk_token", nullptr},
              {"continuing_subword_prefix", ""},
              {"end_of_word_suffix", ""},
              {"fuse_unk", false},
              {"byte_fallback", false},
              {"ignore_merges", ignore_merges},
              {"vocab", vocab},
              {"merges", pairs}}}};
  }

  // Joins the pair of lowest rank, leftmost first, until none is left: quadratic and plain.
  std::vector<TokenId> MergeSlowly(std::string_view word) const {
    if (ignore_merges && tokens.contains(std::string(word))) return {tokens.at(std::string(word))};
    std::vector<std::string> parts;
    for (const char c : word) parts.emplace_back(1, c);
    for (;;) {
      size_t best_rank = merges.size();
      size_t best = 0;
      for (size_t i = 0; i + 1 < parts.size(); ++i) {
        // Of equal pairs the last counts: the original's map of merges keeps the last.
        for (size_t rank = merges.size(); rank-- > 0;) {
          if (merges[rank].first != parts[i] || merges[rank].second != parts[i + 1]) continue;
          if (rank < best_rank) {
            best_rank = rank;
            best = i;
          }
          break;
        }
      }
      if (best_rank == merges.size()) break;
      parts[best] += parts[best + 1];
      parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(best) + 1);
    }
    std::vector<TokenId> ids;
    for (const std::string& part : parts) ids.push_back(tokens.at(part));
    return ids;
  }

  std::vector<TokenId> EncodeSlowly(std::string_view text) const {
    std::vector<TokenId> ids;
    const PreTokenizer pre_tokenizer(AsBytes(text));
    for (size_t begin = 0; begin < text.size();) {
      const size_t end = pre_tokenizer.WordEnd(begin);
      const std::vector<TokenId> word = MergeSlowly(text.substr(begin, end - begin));
      ids.insert(ids.end(), word.begin(), word.end());
      begin = end;
    }
    return ids;
  }
};

}  // namespace pith
